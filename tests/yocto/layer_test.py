#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares board/yocto/meta-sealcam with the rest of the repository, without BitBake.

    layer_test.py recipes|functions|mbedtls|control --source DIR
    layer_test.py packages|control --source DIR --tree DIR      (DIR: result of `cmake --install`)
    layer_test.py placeholders --source DIR                     (creates the tree without compiling)
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import textwrap
import types

import checks
import recipes


def faults(top, tree=None):
    try:
        world = checks.World(top, tree)
    except recipes.Malformed as fault:
        return [str(fault)]
    return [c for check in checks.STATIC + ([checks.packages] if tree else []) for c in check(world)]


def expect(good, message):
    if not good:
        sys.exit(f"error: {message}")


def part_recipes(options):
    found = faults(options.source)
    expect(not found, "\n".join(found))
    world = checks.World(options.source)
    print(f"{len(world.recipes)} recipes and appends, {len(checks.STATIC)} checks")


def part_packages(options):
    if not options.tree.is_dir():
        print("SKIPPED: the tree does not exist; run scripts/test yocto")
        return 77
    found = faults(options.source, options.tree)
    expect(not found, "\n".join(found))
    print(f"{sum(p.is_file() for p in options.tree.rglob('*'))} installed files, each in one package")


def part_placeholders(options):
    """Runs the install rules with copies of `true` instead of the programs and modules."""
    with tempfile.TemporaryDirectory() as folder:
        build = pathlib.Path(folder) / "build"
        subprocess.run(["cmake", "-G", "Ninja", "-S", options.source, "-B", build, "-DSEALCAM_SERVICES=ON", "-DSEALCAM_TESTS=OFF",
                        "-DCMAKE_INSTALL_PREFIX=/usr"], check=True, stdout=subprocess.DEVNULL)
        (build / "bin").mkdir(exist_ok=True)
        for name in ("sealcam", "sealcam-camera", "sealcam-hub", "sealcam-libcamera.so", "sealcam-media.so", "sealcam-replay.so"):
            shutil.copy("/usr/bin/true", build / "bin" / name)
        options.tree = pathlib.Path(folder) / "target"
        subprocess.run(["cmake", "--install", build], check=True, stdout=subprocess.DEVNULL, env={**os.environ, "DESTDIR": str(options.tree)})
        part_packages(options)
        part_control(options)


# Name of the fault, file, original text, replacement, and a part of the message that must appear.
FAULTS = [
    ("a missing dependency", "recipes-sealcam/sealcam/sealcam.inc", "libgpiod mbedtls", "mbedtls", "libgpiod"),
    ("an unused dependency", "recipes-sealcam/sealcam/sealcam.inc", "boost cli11", "boost catch2 cli11", "catch2"),
    ("a wrong license checksum", "recipes-sealcam/sealcam/sealcam.inc", "3b83ef96", "4b83ef96", "license"),
    ("an old version", "recipes-sealcam/sealcam/sealcam_git.bb", '"0.1.0+git"', '"0.0.9+git"', "project"),
    ("an old version of the distro", "conf/distro/sealcam-distro.conf", '"0.1.0"', '"0.0.9"', "project"),
    ("a missing file", "recipes-sealcam/sealcam-image-init/sealcam-image-init_1.0.bb", "file://var-lib-sealcam.mount", "file://other.mount", "other.mount"),
    ("a wrong home folder", "recipes-sealcam/sealcam/sealcam.inc", "lib/sealcam/hub --shell", "lib/hub --shell", "sysusers"),
    ("a missing group", "recipes-sealcam/sealcam/sealcam.inc", "--groups video ", "", "sysusers"),
    ("a missing unit", "recipes-sealcam/sealcam/sealcam.inc", '"sealcam-hub.service"', '"sealcam-hubs.service"', "sealcam-hubs"),
    ("a wrong label", "files/wic/sealcam-raspberrypi.wks", "sealcam-state", "sealcam", "partition"),
    ("no state partition in QEMU", "files/wic/sealcam-qemuarm64.wks", "sealcam-state", "sealcam", "partition"),
    ("two disks", "files/wic/sealcam-qemuarm64.wks", "part --ondisk vda", "part --ondisk vdb", "different disks"),
    ("/boot of one disk", "files/wic/sealcam-raspberrypi.wks", " --use-label", "", "use-label"),
    ("a required /boot", "files/wic/sealcam-raspberrypi.wks", ",nofail", "", "nofail"),
    ("a fixed kickstart file", "recipes-sealcam/images/sealcam-image-camera.bb", 'WKS_FILE:rpi ?=', 'WKS_FILE:rpi =', "cannot be replaced"),
    ("fsck as a recommendation", "recipes-sealcam/sealcam-image-init/sealcam-image-init_1.0.bb", " e2fsprogs-e2fsck", "", "e2fsprogs-e2fsck"),
    ("x264 with FFmpeg", "recipes-multimedia/x264/x264-sealcam.inc", "PACKAGECONFIG:remove", "PACKAGECONFIG:append",
     "require each other: ffmpeg -> x264 -> ffmpeg"),
    ("x264 without the option of the append", "recipes-multimedia/x264/x264-sealcam.inc", "'x264', 'ffmpeg'", "'x265', 'ffmpeg'", "require each other"),
    ("an append for all distros", "recipes-connectivity/mbedtls/mbedtls_%.bbappend", "${@bb.utils.contains('DISTRO_FEATURES', 'sealcam', "
     "'mbedtls-sealcam.inc', '', d)}", "mbedtls-sealcam.inc", "without the distro feature"),
    ("a dependency without facts", "recipes-sealcam/sealcam/sealcam.inc", "boost cli11", "boost openssl-tool cli11", "openssl-tool"),
    ("no distro feature", "recipes-sealcam/sealcam/sealcam.inc", '"sealcam systemd"', '"systemd"', "without its changes"),
    ("a distro without the feature", "conf/distro/include/sealcam.inc", '" sealcam"', '" other"', "license flags"),
    ("a distro with the name of a recipe", "conf/distro/sealcam-distro.conf", 'DISTRO = "sealcam-distro"', 'DISTRO = "sealcam"', "override"),
    ("another distro in kas", "../raspberrypi4-64.yml", "distro: sealcam-distro", "distro: nodistro", "another distro"),
    ("an unknown option's recipe", "conf/layer.conf", '"gpl x264"', '"gpl x264 x265"', "no facts of ['x265']"),
    ("an unknown package", "recipes-sealcam/sealcam-image-init/sealcam-image-init_1.0.bb", "util-linux-fsck", "util-linux-fsck util-linux-sfdisk",
     "util-linux-sfdisk"),
    ("a missing license flag", "../raspberrypi4-64.yml", " commercial_x264", "", "license flags"),
    ("an unlocked repository", "../raspberrypi4-64.lock.yml", "    meta-raspberrypi:\n", "    meta-other:\n", "lock file"),
    ("another commit", "../raspberrypi4-64.lock.yml", "commit: ", "commit: 0", "lock file"),
    ("another version in README.md", "README.md", "| `x264` | r3039", "| `x264` | r0", "README.md has x264"),
    ("a writable root", "recipes-sealcam/images/sealcam-image-camera.bb", '"read-only-rootfs"', '""', "writable"),
    ("an SSH server", "recipes-sealcam/images/sealcam-image-camera.bb", "ssh-server-openssh ", "", "ssh-server-openssh"),
    ("a missing series", "conf/layer.conf", "wrynose blacksail", "blacksail", "wrynose"),
    ("a missing layer", "conf/layer.conf", " networking-layer", "", "networking-layer"),
    ("a layer missing in kas", "../raspberrypi4-64.yml", "      meta-multimedia:\n", "", "meta-multimedia"),
    ("other flags in kas", "../raspberrypi4-64.yml", " commercial_x264", "", "another configuration"),
    ("no maintainer", "README.md", "Maintainer: ", "By: ", "maintainer"),
    ("no spaces around =", "recipes-sealcam/sealcam/sealcam_git.bb", 'PV = "', 'PV="', "unknown syntax"),
    ("an override with _", "recipes-sealcam/sealcam/sealcam.inc", "RDEPENDS:${PN}-hub", "RDEPENDS_${PN}-hub", "unknown syntax"),
    ("WORKDIR in S", "recipes-sealcam/sealcam-image-init/sealcam-image-init_1.0.bb", '"${UNPACKDIR}"', '"${WORKDIR}/sources"', "UNPACKDIR"),
    ("allarch", "recipes-sealcam/sealcam-image-init/sealcam-image-init_1.0.bb", "inherit ", "inherit allarch ", "architecture"),
    ("an unknown class", "recipes-sealcam/sealcam/sealcam.inc", "inherit cmake ", "inherit cmake-native ", "do not have the classes ['cmake-native']"),
    ("an unknown variable of a class", "recipes-sealcam/images/sealcam-image-camera.bb", "QB_FSINFO", "QB_FS_INFO", "do not have the names ['QB_FS_INFO']"),
    ("an unknown variable of a machine", "conf/distro/include/sealcam.inc", "ENABLE_UART", "ENABLE_SERIAL", "ENABLE_SERIAL"),
    ("an unknown kickstart source", "files/wic/sealcam-raspberrypi.wks", "bootimg_partition", "bootimg_part", "bootimg_part"),
    ("part of a world build", "recipes-sealcam/sealcam/sealcam.inc", 'EXCLUDE_FROM_WORLD = "1"', "", "world"),
    ("a folder missing in SEALCAM_SOURCES", "recipes-sealcam/sealcam/sealcam_git.bb", "firmware hal", "firmware", "'hal'"),
    ("a build folder in SEALCAM_SOURCES", "recipes-sealcam/sealcam/sealcam_git.bb", "firmware hal", "firmware hal build", "'build'"),
    ("logins masked too early", "recipes-sealcam/images/sealcam-image-camera.bb", ':append = " sealcam', ' += "sealcam', "too early"),
    ("no check for logins", "recipes-sealcam/images/sealcam-image-camera.bb", "IMAGE_QA_COMMANDS", "IMAGE_QA", "not checked for logins"),
]
FAULTS_OF_PACKAGES = [
    ("a file in no package", "recipes-sealcam/sealcam/sealcam.inc", "${bindir}/sealcam-hub ", "", "in 0 packages"),
    ("a file in two packages", "recipes-sealcam/sealcam/sealcam.inc", '"${bindir}/sealcam"', '"${bindir}/sealcam ${bindir}/sealcam-hub"', "in 2 packages"),
    ("a name of a missing file", "recipes-sealcam/sealcam/sealcam.inc", '"${bindir}/sealcam"', '"${bindir}/sealcam ${bindir}/other"', "not installed"),
]


def part_control(options):
    """Adds one fault at a time to a copy of the layer. Fails if no check finds it."""
    all_faults = FAULTS + (FAULTS_OF_PACKAGES if options.tree and options.tree.is_dir() else [])
    for name, file, old, new, message in all_faults:
        with tempfile.TemporaryDirectory() as folder:
            top = pathlib.Path(folder)
            for part in ("board", "firmware/cmake"):
                shutil.copytree(options.source / part, top / part)
            for part in ("CMakeLists.txt", "LICENSE"):
                shutil.copy(options.source / part, top / part)
            broken = top / "board/yocto/meta-sealcam" / file
            text = broken.read_text()
            expect(old in text, f"{name}: '{old}' is not in {file}")
            broken.write_text(text.replace(old, new))
            found = faults(top, options.tree if (name, file, old, new, message) in FAULTS_OF_PACKAGES else None)
            expect(any(message in c for c in found), f"{name}: not found; faults found: {found}")
    print(f"{len(all_faults)} faults found")


def run_function(body, **variables):
    """Runs a shell function of a recipe with values for BitBake's variables."""
    for name, value in variables.items():
        body = body.replace("${" + name + "}", str(value))
    script = f"set -e\nbbfatal() {{ echo \"fatal: $*\"; exit 1; }}\n{body}\n"
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True)


def logins(recipe, root):
    (root / "etc").mkdir(parents=True)
    done = run_function(recipe.functions["sealcam_mask_logins"], IMAGE_ROOTFS=root, sysconfdir="/etc")
    expect(done.returncode == 0, f"logins are not masked: {done}")
    for unit in ("getty@.service", "serial-getty@.service"):
        expect(os.readlink(root / "etc/systemd/system" / unit) == "/dev/null", f"{unit} is not masked")
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nsealcam-camera:x:999:999::/:/sbin/nologin\n")
    for shadow, good in (("root:*:1::::::\nsealcam-camera:!:1::::::\n", True), ("root::1::::::\n", False),
                         ("root:*:1::::::\nsealcam-camera:$6$salt$hash:1::::::\n", False)):
        (root / "etc/shadow").write_text(shadow)
        done = run_function(recipe.functions["sealcam_no_login"], IMAGE_ROOTFS=root, sysconfdir="/etc")
        expect((done.returncode == 0) == good, f"a shadow file of {shadow!r} is {'rejected' if good else 'accepted'}: {done}")
    (root / "etc/shadow").write_text("root:*:1::::::\n")
    for file in ("shadow", "passwd"):
        text = (root / "etc" / file).read_text()
        for missing in (lambda path: path.write_text(""), pathlib.Path.unlink):
            missing(root / "etc" / file)
            done = run_function(recipe.functions["sealcam_no_login"], IMAGE_ROOTFS=root, sysconfdir="/etc")
            expect(done.returncode != 0, f"a root without {file} is accepted")
        (root / "etc" / file).write_text(text)


def mbedtls_header(recipe, source):
    header = source / "include/mbedtls/mbedtls_config.h"
    header.parent.mkdir(parents=True)
    configure = recipe.functions["do_configure:prepend"]
    debian = pathlib.Path("/usr/include/mbedtls/mbedtls_config.h").read_text()
    upstream = debian
    for option in ("THREADING_C", "THREADING_PTHREAD"):
        upstream = upstream.replace(f"\n#define MBEDTLS_{option}\n", f"\n//#define MBEDTLS_{option}\n")
    expect(upstream != debian, "Mbed TLS of this machine has no thread support")
    header.write_text(upstream)
    done = run_function(configure, S=source)
    expect(done.returncode == 0 and header.read_text() == debian, f"after the append, the header of Mbed TLS differs from Debian's: {done}")
    header.write_text(upstream.replace("//#define MBEDTLS_THREADING_C\n", ""))
    expect(run_function(configure, S=source).returncode != 0, "a header without the option is accepted")


def hashes(recipe, checkout):
    """Runs the anonymous Python function of sealcam_git.bb with a small checkout, and without one."""
    class Skipped(Exception):
        pass

    class Data:
        def __init__(self, externalsrc):
            self.values = {"EXTERNALSRC": externalsrc, "SEALCAM_SOURCES": recipe.get("SEALCAM_SOURCES")}
            self.flags = {}
            self.getVar = self.values.get

        def setVarFlag(self, name, flag, value):
            self.flags[name, flag] = value.split()

    names = {"os": os, "bb": types.SimpleNamespace(parse=types.SimpleNamespace(SkipRecipe=Skipped))}
    exec("def anonymous(d):\n" + recipe.functions[""], names)
    for file in ("CMakeLists.txt", "LICENSE", "firmware/base/CMakeLists.txt", "firmware/cmake/flags.cmake", "firmware/base/clock.cpp",
                 "hal/CMakeLists.txt", "board/common/camera.json", "build/CMakeLists.txt", ".git/index", "board/yocto/tmp/CMakeLists.txt"):
        (checkout / file).parent.mkdir(parents=True, exist_ok=True)
        (checkout / file).touch()
    data = Data(str(checkout))
    names["anonymous"](data)
    lists = data.flags["do_configure", "file-checksums"]
    expect(lists == [f"{checkout}/{f}:True" for f in ("CMakeLists.txt", "firmware/base/CMakeLists.txt", "firmware/cmake/flags.cmake",
                                                      "hal/CMakeLists.txt")], f"hashed for CMake: {lists}")
    sources = data.flags["do_compile", "file-checksums"]
    expect({f"{checkout}/{f}:True" for f in ("CMakeLists.txt", "LICENSE", "firmware", "hal", "board/common")} ==
           {s for s in sources if s.endswith(":True")}, f"hashed: {sources}")
    try:
        names["anonymous"](Data(""))
    except Skipped:
        return
    sys.exit("error: without a checkout the recipe is not skipped")


def part_functions(options):
    world = checks.World(options.source)
    with tempfile.TemporaryDirectory() as folder:
        logins(world.recipes["sealcam-image-camera.bb"], pathlib.Path(folder) / "rootfs")
        mbedtls_header(world.recipes["mbedtls_%.bbappend"], pathlib.Path(folder) / "mbedtls")
        hashes(world.checkout, pathlib.Path(folder) / "checkout")
    print("functions of recipes: logins, header of Mbed TLS, SEALCAM_SOURCES")


def part_mbedtls(options):
    """CMake accepts Mbed TLS with thread support and rejects it without."""
    with tempfile.TemporaryDirectory() as folder:
        for name, lacking in (("good", None), ("bad", "THREADING_PTHREAD")):
            top = pathlib.Path(folder) / name
            (top / "mbedtls").mkdir(parents=True)
            options_on = {"THREADING_C", "THREADING_PTHREAD", "PSA_CRYPTO_STORAGE_C", "PSA_ITS_FILE_C", "SSL_PROTO_TLS1_3",
                          "SSL_KEYING_MATERIAL_EXPORT"} - {lacking}
            (top / "mbedtls/build_info.h").write_text("".join(f"#define MBEDTLS_{o}\n" for o in sorted(options_on)))
            (top / "CMakeLists.txt").write_text(textwrap.dedent(f"""\
                cmake_minimum_required(VERSION 3.31)
                project(custom_mbedtls C)
                add_library(MbedTLS::mbedcrypto INTERFACE IMPORTED)
                target_include_directories(MbedTLS::mbedcrypto INTERFACE ${{PROJECT_SOURCE_DIR}})
                include({options.source}/firmware/cmake/mbedtls_configuration.cmake)
                """))
            done = subprocess.run(["cmake", "-G", "Ninja", "-B", top / "build", "-S", top], capture_output=True, text=True)
            expect((done.returncode == 0) == (lacking is None), f"{name}: {done.stdout}{done.stderr}")
            expect(lacking is None or f"MBEDTLS_{lacking}" in done.stderr, done.stderr)
    print("CMake rejects Mbed TLS without thread support")


def main():
    parts = {"recipes": part_recipes, "packages": part_packages, "control": part_control, "placeholders": part_placeholders,
             "functions": part_functions, "mbedtls": part_mbedtls}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=parts)
    parser.add_argument("--source", required=True, type=lambda p: pathlib.Path(p).resolve())
    parser.add_argument("--tree", type=pathlib.Path)
    options = parser.parse_args()
    return parts[options.part](options) or 0


if __name__ == "__main__":
    sys.exit(main())
