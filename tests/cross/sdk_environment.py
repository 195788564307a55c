#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds and runs as somebody with a Yocto SDK does:

    . environment-setup-… && cmake -B build && cmake --build build && cmake --install build

The environment script has the variables that a Yocto SDK's script sets, over Debian's cross compiler and sysroot. Then it is
checked that every file that went into the programs is the target's, and they are started under emulation.

    sdk_environment.py PART --source DIR --work DIR       ($SEALCAM_SYSROOT_ARM64 names the sysroot)

Parts: build; no-toolchain (an SDK without a toolchain file for CMake); leak (the control: files of the host are seen).
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import textwrap

TRIPLE = "aarch64-linux-gnu"
# What the toolchain file of an SDK's own CMake says. Yocto has no multiarch folders; Debian's sysroot has.
TOOLCHAIN = """set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR $ENV{OECORE_TARGET_ARCH})
set(CMAKE_FIND_ROOT_PATH $ENV{OECORE_TARGET_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
"""


class Failure(Exception):
    pass


def require(good, what):
    if not good:
        raise Failure(what)


def environment(work, sysroot, with_toolchain=True):
    """Writes the environment script; the SDK's tools are this machine's cross compiler."""
    toolchain = work / "native/usr/share/cmake/OEToolchainConfig.cmake"
    toolchain.parent.mkdir(parents=True, exist_ok=True)
    toolchain.write_text(TOOLCHAIN)
    flags = "-O2 -g -pipe -feliminate-unused-debug-types"
    machine = ("-march=armv8-a -mbranch-protection=standard -fstack-protector-strong -O2 -D_FORTIFY_SOURCE=2 "
               f"-Wformat -Wformat-security -Werror=format-security --sysroot={sysroot}")
    variables = {
        "SDKTARGETSYSROOT": sysroot,
        "OECORE_NATIVE_SYSROOT": work / "native",
        "OECORE_TARGET_SYSROOT": sysroot,
        "OECORE_BASELIB": "lib",
        "OECORE_TARGET_ARCH": "aarch64",
        "OECORE_TARGET_OS": "linux",
        "OECORE_DISTRO_VERSION": "6.0",
        "OECORE_SDK_VERSION": "6.0",
        "PKG_CONFIG_SYSROOT_DIR": sysroot,
        "PKG_CONFIG_PATH": f"{sysroot}/usr/lib/{TRIPLE}/pkgconfig:{sysroot}/usr/share/pkgconfig",
        "PKG_CONFIG_LIBDIR": f"{sysroot}/usr/lib/{TRIPLE}/pkgconfig",  # an SDK's own pkg-config has it compiled in
        "ARCH": "arm64",
        "CROSS_COMPILE": f"{TRIPLE}-",
        "TARGET_PREFIX": f"{TRIPLE}-",
        "CONFIGURE_FLAGS": f"--target={TRIPLE} --host={TRIPLE} --build=x86_64-linux",
        "CC": f"{TRIPLE}-gcc {machine}",
        "CXX": f"{TRIPLE}-g++ {machine}",
        "CPP": f"{TRIPLE}-gcc -E {machine}",
        "AS": f"{TRIPLE}-as",
        "LD": f"{TRIPLE}-ld --sysroot={sysroot}",
        "GDB": f"{TRIPLE}-gdb",
        "STRIP": f"{TRIPLE}-strip",
        "OBJCOPY": f"{TRIPLE}-objcopy",
        "OBJDUMP": f"{TRIPLE}-objdump",
        "READELF": f"{TRIPLE}-readelf",
        "AR": f"{TRIPLE}-ar",
        "NM": f"{TRIPLE}-nm",
        "RANLIB": f"{TRIPLE}-ranlib",
        "M4": "m4",
        "CFLAGS": flags,
        "CXXFLAGS": flags,
        "CPPFLAGS": "",
        "LDFLAGS": "-Wl,-O1 -Wl,--hash-style=gnu -Wl,--as-needed -Wl,-z,relro,-z,now",
        "KCFLAGS": f"--sysroot={sysroot}",
    }
    if with_toolchain:
        variables["CMAKE_TOOLCHAIN_FILE"] = variables["OE_CMAKE_TOOLCHAIN_FILE"] = toolchain
    script = work / f"environment-setup-{TRIPLE}"
    script.write_text("".join(f'export {name}="{value}"\n' for name, value in variables.items()))
    return script


def shell(script, command, **more):
    # The generator and ccache are this machine's affair, not the SDK's; nothing else of ours is passed on.
    ours = {k: v for k, v in os.environ.items() if not k.startswith("CMAKE_") and k != "DESTDIR"}
    local = {**ours, "CMAKE_GENERATOR": "Ninja", "CMAKE_C_COMPILER_LAUNCHER": "ccache", "CMAKE_CXX_COMPILER_LAUNCHER": "ccache"}
    return subprocess.run(["bash", "-c", f". '{script}' && {command}"], env=local, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **more)


def run(script, command, **more):
    done = shell(script, command, **more)
    require(done.returncode == 0, f"exit {done.returncode}: {command}\n" + "\n".join(done.stdout.splitlines()[-40:]))
    return done.stdout


def strangers(build, sysroot, *ours):
    """Files and folders that went into the build and are neither the target's nor ours nor the cross compiler's: what
    depfiles, include flags and link lines name. Returns them, and how many names were read."""
    allowed = tuple(f"{os.path.realpath(p)}/" for p in (sysroot, build, *ours)) + (f"/usr/{TRIPLE}/", "/usr/lib/gcc-cross/")
    deps = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True, check=True).stdout
    commands = subprocess.run(["ninja", "-C", build, "-t", "commands"], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"^ +(/\S+)$", deps, re.M)
    names += re.findall(r"(?<=[\s=:,])(/\S+\.(?:so|a)(?:\.\d+)*)(?=\s)", commands)
    names += re.findall(r"-(?:I|isystem|L|Wl,-rpath-link,|Wl,-rpath,) ?(/[^\s:]+)", commands)
    found = {name for name in names if not (os.path.realpath(name.rstrip('",;')) + "/").startswith(allowed)}
    return found, len(names)


def needed(program):
    listing = subprocess.run(["readelf", "-hd", program], capture_output=True, text=True, check=True).stdout
    require("AArch64" in listing, f"{program.name} is not of the target's architecture")
    return re.findall(r"\(NEEDED\).*\[(.*)\]", listing)


def part_build(work, source, sysroot):
    script, build = environment(work, sysroot), work / "build"
    # Where nothing is said the install goes below the build folder.
    log = run(script, f"cmake -B '{build}' && cmake --build '{build}' && cmake --install '{build}'", cwd=source)
    require("_FORTIFY_SOURCE" not in log, "the SDK's _FORTIFY_SOURCE and ours are at odds")
    alien, looked_at = strangers(build, sysroot, source)
    require(not alien and looked_at > 1000, f"of the host, in a target build ({looked_at} names read): {sorted(alien)[:10]}")
    target = build / "target"
    # Also once the folder is configured again; on a writable machine that would else be a way into its own /usr.
    subprocess.run(["rm", "-rf", target], check=True)
    run(script, f"cmake '{build}' && cmake --install '{build}'", cwd=source)
    programs = sorted((target / "usr/bin").iterdir())
    modules = sorted(target.glob("usr/lib/**/sealcam/*.so"))
    require([p.name for p in programs] == ["sealcam", "sealcam-camera", "sealcam-hub"], f"installed: {programs}")
    require([m.name for m in modules] == ["sealcam-libcamera.so", "sealcam-media.so", "sealcam-replay.so"], f"installed: {modules}")
    for file in programs + modules:
        missing = [name for name in needed(file) if not any(pathlib.Path(sysroot).glob(f"usr/lib/**/{name}"))]
        require(not missing, f"{file.name} needs {missing}, which the target has not")
    for program in programs:
        subprocess.run(["qemu-aarch64", "-L", sysroot, program, "--help"], check=True, stdout=subprocess.DEVNULL, timeout=120)
    # More than a start: the target's crypto and files work, too. (The owner's command would start itself a second time,
    # which emulation of one process cannot.)
    emulated = {**os.environ, "HOME": str(work), "XDG_STATE_HOME": str(work / "state")}
    subprocess.run(["rm", "-rf", work / "state"], check=True)
    for program in programs[1:]:
        keys = subprocess.run(["qemu-aarch64", "-L", sysroot, program, "--state", work / "state" / program.name, "keys", "--json"],
                              check=True, env=emulated, timeout=300, capture_output=True, text=True).stdout
        require(len(json.loads(keys)["id"]) == 32, f"{program.name} made no identity: {keys}")
    print(f"{len(programs)} programs and {len(modules)} modules built, installed and started under emulation; "
          f"{looked_at} names of headers, libraries and their folders, none of the host")


def part_no_toolchain(work, source, sysroot):
    script, build = environment(work, sysroot, with_toolchain=False), work / "build-no-toolchain"
    subprocess.run(["rm", "-rf", build], check=True)
    done = shell(script, f"cmake -B '{build}'", cwd=source)
    require(done.returncode != 0 and "toolchains/yocto-sdk.cmake" in " ".join(done.stdout.split()),
            "a build of half host, half target is not refused")
    subprocess.run(["rm", "-rf", build], check=True)
    # Only Debian's sysroot needs the folder's name.
    run(script, f"cmake -B '{build}' --toolchain '{source}/toolchains/yocto-sdk.cmake' -DCMAKE_LIBRARY_ARCHITECTURE={TRIPLE}", cwd=source)
    run(script, f"cmake --build '{build}' --target sealcam_crypto sealcam_libcamera_parts")
    alien, looked_at = strangers(build, sysroot, source)
    require(not alien and looked_at > 500, f"of the host, in a target build ({looked_at} names read): {sorted(alien)[:10]}")
    print(f"refused without a toolchain file; with ours {looked_at} names, none of the host")


def part_leak(work, source, sysroot):
    """The control: one header, one include folder and one library of this machine each must be seen."""
    folder = work / "leak"
    build = folder / "build"
    subprocess.run(["rm", "-rf", folder], check=True)
    folder.mkdir(parents=True)
    library = next(pathlib.Path("/usr/lib").glob("*/libcbor.so"))
    folder.joinpath("CMakeLists.txt").write_text(textwrap.dedent(f"""\
        cmake_minimum_required(VERSION 3.31)
        project(leak C)
        add_library(header OBJECT leak.c)
        add_executable(linked leak.c)
        target_include_directories(linked PRIVATE /usr/include/nlohmann)
        target_link_libraries(linked PRIVATE {library})
        """))
    folder.joinpath("leak.c").write_text('#include "/usr/include/qrencode.h"\nint main(void) { return 0; }\n')
    script = environment(work, sysroot)
    run(script, f"cmake -B '{build}' && cmake --build '{build}' --target header", cwd=folder)
    alien, _ = strangers(build, sysroot, folder)
    wanted = {"/usr/include/qrencode.h", "/usr/include/nlohmann", str(library)}
    require(wanted <= alien, f"not seen: {wanted - alien}")
    others = alien - wanted - {str(library.parent)}  # its folder, as the run path
    require(not others, f"seen, but not leaked: {others}")
    print("a header, an include folder and a library of the host are seen")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"build": part_build, "no-toolchain": part_no_toolchain, "leak": part_leak}
    parser.add_argument("part", choices=parts)
    parser.add_argument("--source", required=True, type=pathlib.Path)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    options = parser.parse_args()
    sysroot = os.environ.get("SEALCAM_SYSROOT_ARM64")
    if not sysroot:
        print("SKIPPED: no arm64 sysroot")
        return 77
    work = options.work.resolve() / options.part
    work.mkdir(parents=True, exist_ok=True)
    try:
        parts[options.part](work, options.source.resolve(), sysroot)
    except Failure as failure:
        print(f"error: {failure}")
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as failure:
        sys.exit(f"error: exit {failure.returncode}: {failure.cmd if isinstance(failure.cmd, str) else ' '.join(map(str, failure.cmd))}")
