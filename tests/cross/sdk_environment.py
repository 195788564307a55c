#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds and installs Sealcam as a user of a Yocto SDK does:

    . environment-setup-… && cmake -B build && cmake --build build && cmake --install build

The environment script sets the variables of a Yocto SDK, with Debian's cross compiler and sysroot. Then the test checks that the
build used no file of the host, and starts the programs under emulation.

    sdk_environment.py PART --source DIR --work DIR       ($SEALCAM_SYSROOT_ARM64 names the sysroot)

Parts: build; no-toolchain (an SDK without a toolchain file for CMake); leak (control: the test finds files of the host).
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
# The toolchain file of an SDK, plus the multiarch folder of Debian's sysroot, which Yocto does not have.
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


def require(good, message):
    if not good:
        raise Failure(message)


def environment(work, sysroot, with_toolchain=True):
    """Writes the environment script. It uses the cross compiler of this machine."""
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
        "PKG_CONFIG_LIBDIR": f"{sysroot}/usr/lib/{TRIPLE}/pkgconfig",  # the default of an SDK's pkg-config
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
    # The SDK does not set the generator and ccache. Other CMake variables of this environment are removed.
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("CMAKE_") and k != "DESTDIR"}
    local = {**inherited, "CMAKE_GENERATOR": "Ninja", "CMAKE_C_COMPILER_LAUNCHER": "ccache", "CMAKE_CXX_COMPILER_LAUNCHER": "ccache"}
    return subprocess.run(["bash", "-c", f". '{script}' && {command}"], env=local, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **more)


def run(script, command, **more):
    done = shell(script, command, **more)
    require(done.returncode == 0, f"exit {done.returncode}: {command}\n" + "\n".join(done.stdout.splitlines()[-40:]))
    return done.stdout


def host_files(build, sysroot, *allowed_folders):
    """Finds files and folders of the host in depfiles, include flags and link commands. Allowed are the sysroot, the build folder,
    `allowed_folders` and the cross compiler. Returns the others and the number of names that were read."""
    allowed = tuple(f"{os.path.realpath(p)}/" for p in (sysroot, build, *allowed_folders)) + (f"/usr/{TRIPLE}/", "/usr/lib/gcc-cross/")
    deps = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True, check=True).stdout
    commands = subprocess.run(["ninja", "-C", build, "-t", "commands"], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"^ +(/\S+)$", deps, re.M)
    names += re.findall(r"(?<=[\s=:,])(/\S+\.(?:so|a)(?:\.\d+)*)(?=\s)", commands)
    names += re.findall(r"-(?:I|isystem|L|Wl,-rpath-link,|Wl,-rpath,) ?(/[^\s:]+)", commands)
    found = {name for name in names if not (os.path.realpath(name.rstrip('",;')) + "/").startswith(allowed)}
    return found, len(names)


def needed(program):
    listing = subprocess.run(["readelf", "-hd", program], capture_output=True, text=True, check=True).stdout
    require("AArch64" in listing, f"{program.name} has another architecture than the target")
    return re.findall(r"\(NEEDED\).*\[(.*)\]", listing)


def part_build(work, source, sysroot):
    script, build = environment(work, sysroot), work / "build"
    # By default, the installation is in the build folder.
    log = run(script, f"cmake -B '{build}' && cmake --build '{build}' && cmake --install '{build}'", cwd=source)
    require("_FORTIFY_SOURCE" not in log, "Sealcam's flags conflict with _FORTIFY_SOURCE of the SDK")
    found, count = host_files(build, sysroot, source)
    require(not found and count > 1000, f"the build uses files of the host ({count} names read): {sorted(found)[:10]}")
    target = build / "target"
    # The second configuration must keep this default. Otherwise the installation would write to /usr of this machine.
    subprocess.run(["rm", "-rf", target], check=True)
    run(script, f"cmake '{build}' && cmake --install '{build}'", cwd=source)
    programs = sorted((target / "usr/bin").iterdir())
    modules = sorted(target.glob("usr/lib/**/sealcam/*.so"))
    require([p.name for p in programs] == ["sealcam", "sealcam-camera", "sealcam-hub"], f"installed: {programs}")
    require([m.name for m in modules] == ["sealcam-libcamera.so", "sealcam-media.so", "sealcam-replay.so"], f"installed: {modules}")
    for file in programs + modules:
        missing = [name for name in needed(file) if not any(pathlib.Path(sysroot).glob(f"usr/lib/**/{name}"))]
        require(not missing, f"{file.name} needs {missing}, which the target does not have")
    for program in programs:
        subprocess.run(["qemu-aarch64", "-L", sysroot, program, "--help"], check=True, stdout=subprocess.DEVNULL, timeout=120)
    # Also checks cryptography and file access of the target. `sealcam` is not run, because it starts itself again, which the
    # emulation of a single process does not support.
    emulated = {**os.environ, "HOME": str(work), "XDG_STATE_HOME": str(work / "state")}
    subprocess.run(["rm", "-rf", work / "state"], check=True)
    for program in programs[1:]:
        keys = subprocess.run(["qemu-aarch64", "-L", sysroot, program, "--state", work / "state" / program.name, "keys", "--json"],
                              check=True, env=emulated, timeout=300, capture_output=True, text=True).stdout
        require(len(json.loads(keys)["id"]) == 32, f"{program.name} made no identity: {keys}")
    print(f"{len(programs)} programs and {len(modules)} modules built, installed and started under emulation; "
          f"{count} names of headers, libraries and their folders, none of the host")


def part_no_toolchain(work, source, sysroot):
    script, build = environment(work, sysroot, with_toolchain=False), work / "build-no-toolchain"
    subprocess.run(["rm", "-rf", build], check=True)
    done = shell(script, f"cmake -B '{build}'", cwd=source)
    require(done.returncode != 0 and "toolchains/yocto-sdk.cmake" in " ".join(done.stdout.split()),
            "CMake accepts an environment without a toolchain file")
    subprocess.run(["rm", "-rf", build], check=True)
    # Only Debian's sysroot needs CMAKE_LIBRARY_ARCHITECTURE.
    run(script, f"cmake -B '{build}' --toolchain '{source}/toolchains/yocto-sdk.cmake' -DCMAKE_LIBRARY_ARCHITECTURE={TRIPLE}", cwd=source)
    run(script, f"cmake --build '{build}' --target sealcam_crypto sealcam_libcamera_parts")
    found, count = host_files(build, sysroot, source)
    require(not found and count > 500, f"the build uses files of the host ({count} names read): {sorted(found)[:10]}")
    print(f"CMake rejects the environment without a toolchain file; with yocto-sdk.cmake {count} names, none of the host")


def part_leak(work, source, sysroot):
    """The control: the test must find a header, an include folder and a library of this machine."""
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
    found, _ = host_files(build, sysroot, folder)
    expected = {"/usr/include/qrencode.h", "/usr/include/nlohmann", str(library)}
    require(expected <= found, f"not found: {expected - found}")
    others = found - expected - {str(library.parent)}  # the folder is in the run path
    require(not others, f"found, but not a file of the host: {others}")
    print("a header, an include folder and a library of the host were found")


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
