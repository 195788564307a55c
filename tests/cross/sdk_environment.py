#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds and runs as somebody with a Yocto SDK does:

    . environment-setup-… && cmake -B build && cmake --build build && cmake --install build

The environment script has the variables that a Yocto SDK's script sets, over Debian's cross compiler and sysroot. Then it is
checked that every file that went into the programs is the target's, and they are started under emulation.

    sdk_environment.py --source DIR --work DIR       ($SEALCAM_SYSROOT_ARM64 names the sysroot)
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys

TRIPLE = "aarch64-linux-gnu"
TOOLCHAIN = """set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR $ENV{OECORE_TARGET_ARCH})
set(CMAKE_FIND_ROOT_PATH $ENV{OECORE_TARGET_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
"""


def environment(work, sysroot):
    toolchain = work / "OEToolchainConfig.cmake"
    toolchain.write_text(TOOLCHAIN)
    flags = "-O2 -pipe -g -feliminate-unused-debug-types"
    machine = f"-march=armv8-a -mbranch-protection=standard --sysroot={sysroot}"
    variables = {
        "SDKTARGETSYSROOT": sysroot,
        "OECORE_NATIVE_SYSROOT": work / "native",
        "OECORE_TARGET_SYSROOT": sysroot,
        "OECORE_TARGET_ARCH": "aarch64",
        "OECORE_TARGET_OS": "linux",
        "CMAKE_TOOLCHAIN_FILE": toolchain,
        "PKG_CONFIG_SYSROOT_DIR": sysroot,
        "PKG_CONFIG_PATH": f"{sysroot}/usr/lib/{TRIPLE}/pkgconfig:{sysroot}/usr/share/pkgconfig",
        "PKG_CONFIG_LIBDIR": f"{sysroot}/usr/lib/{TRIPLE}/pkgconfig",
        "ARCH": "arm64",
        "CROSS_COMPILE": f"{TRIPLE}-",
        "TARGET_PREFIX": f"{TRIPLE}-",
        "CONFIGURE_FLAGS": f"--target={TRIPLE} --host={TRIPLE} --build=x86_64-linux",
        "CC": f"{TRIPLE}-gcc {machine}",
        "CXX": f"{TRIPLE}-g++ {machine}",
        "CPP": f"{TRIPLE}-gcc -E {machine}",
        "AS": f"{TRIPLE}-as",
        "LD": f"{TRIPLE}-ld --sysroot={sysroot}",
        "STRIP": f"{TRIPLE}-strip",
        "OBJCOPY": f"{TRIPLE}-objcopy",
        "OBJDUMP": f"{TRIPLE}-objdump",
        "AR": f"{TRIPLE}-ar",
        "NM": f"{TRIPLE}-nm",
        "RANLIB": f"{TRIPLE}-ranlib",
        "CFLAGS": flags,
        "CXXFLAGS": flags,
        "LDFLAGS": "-Wl,-O1 -Wl,--hash-style=gnu -Wl,--as-needed -Wl,-z,relro,-z,now",
        "KCFLAGS": f"--sysroot={sysroot}",
    }
    script = work / f"environment-setup-{TRIPLE}"
    script.write_text("".join(f'export {name}="{value}"\n' for name, value in variables.items()))
    return script


def shell(script, command, **more):
    return subprocess.run(["bash", "-c", f". '{script}' && {command}"], check=True, **more)


def strangers(build, sysroot, source):
    """Files that went into the build and are neither the target's nor ours: what the depfiles and link lines name."""
    allowed = (str(sysroot), str(source), str(build), f"/usr/{TRIPLE}/", "/usr/lib/gcc-cross/")
    found = set()
    deps = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"^ +(/\S+)$", deps, re.M)
    commands = subprocess.run(["ninja", "-C", build, "-t", "commands"], capture_output=True, text=True, check=True).stdout
    names += re.findall(r"(/\S+\.(?:so|a)\b\S*)", commands)
    names += re.findall(r"-(?:I|isystem) ?(/\S+)", commands)
    for name in names:
        path = os.path.normpath(name.rstrip('",;'))
        if not path.startswith(allowed):
            found.add(path)
    return found, len(names)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", required=True, type=pathlib.Path)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    options = parser.parse_args()
    sysroot = os.environ.get("SEALCAM_SYSROOT_ARM64")
    if not sysroot:
        print("SKIPPED: no arm64 sysroot")
        return 77
    work, source = options.work.resolve(), options.source.resolve()
    work.mkdir(parents=True, exist_ok=True)
    script = environment(work, sysroot)
    build, target = work / "build", work / "target"
    # The generator and ccache are this machine's affair, not the SDK's.
    local = {**os.environ, "CMAKE_GENERATOR": "Ninja", "CMAKE_C_COMPILER_LAUNCHER": "ccache", "CMAKE_CXX_COMPILER_LAUNCHER": "ccache"}
    shell(script, f"cmake -B '{build}' && cmake --build '{build}' && DESTDIR='{target}' cmake --install '{build}'",
          cwd=source, env=local, stdout=subprocess.DEVNULL)
    alien, looked_at = strangers(build, sysroot, source)
    if alien or looked_at < 1000:
        print(f"of the host, in a target build ({looked_at} names read): {sorted(alien)[:10]}")
        return 1
    programs = sorted(p for p in (target / "usr/local/bin").iterdir())
    for program in programs:
        kind = subprocess.run(["readelf", "-h", program], capture_output=True, text=True, check=True).stdout
        if "AArch64" not in kind:
            print(f"{program.name} is not a program of the target")
            return 1
        subprocess.run(["qemu-aarch64", "-L", sysroot, program, "--help"], check=True, stdout=subprocess.DEVNULL, timeout=60)
    print(f"{len(programs)} programs built, installed and started under emulation: {', '.join(p.name for p in programs)}; "
          f"{looked_at} names of headers and libraries, none of the host")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as failure:
        sys.exit(f"error: exit {failure.returncode}: {failure.cmd if isinstance(failure.cmd, str) else ' '.join(map(str, failure.cmd))}")
