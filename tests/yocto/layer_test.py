#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""board/yocto/meta-sealcam against the rest of the repository, without BitBake.

    layer_test.py recipes|functions|mbedtls|control --source DIR
    layer_test.py packages|control --source DIR --tree DIR      (the tree that `cmake --install` made)
    layer_test.py placeholders --source DIR                     (a tree made here, without compiling)
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


def complaints(top, tree=None):
    try:
        world = checks.World(top, tree)
    except recipes.Malformed as fault:
        return [str(fault)]
    return [c for check in checks.STATIC + ([checks.packages] if tree else []) for c in check(world)]


def expect(good, what):
    if not good:
        sys.exit(f"error: {what}")


def part_recipes(options):
    found = complaints(options.source)
    expect(not found, "\n".join(found))
    world = checks.World(options.source)
    print(f"{len(world.recipes)} recipes and appends, {len(checks.STATIC)} checks")


def part_packages(options):
    if not options.tree.is_dir():
        print("SKIPPED: nothing was installed")
        return 77
    found = complaints(options.source, options.tree)
    expect(not found, "\n".join(found))
    print(f"{sum(p.is_file() for p in options.tree.rglob('*'))} installed files, each in one package")


def part_placeholders(options):
    """The install rules themselves, with this machine's `true` in place of programs and modules."""
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


# What is broken, in which file, and a word of the complaint that has to come.
FAULTS = [
    ("a dependency less", "recipes-sealcam/sealcam/sealcam.inc", "libgpiod mbedtls", "mbedtls", "libgpiod"),
    ("a dependency more", "recipes-sealcam/sealcam/sealcam.inc", "boost cli11", "boost catch2 cli11", "catch2"),
    ("another licence", "recipes-sealcam/sealcam/sealcam.inc", "3b83ef96", "4b83ef96", "licence"),
    ("an old version", "recipes-sealcam/sealcam/sealcam_git.bb", '"0.1.0+git"', '"0.0.9+git"', "project"),
    ("a file less", "recipes-sealcam/sealcam-appliance/sealcam-appliance_1.0.bb", "file://var-lib-sealcam.mount", "file://other.mount", "other.mount"),
    ("another home", "recipes-sealcam/sealcam/sealcam.inc", "lib/sealcam/hub --shell", "lib/hub --shell", "sysusers"),
    ("no group", "recipes-sealcam/sealcam/sealcam.inc", "--groups video ", "", "sysusers"),
    ("a unit less", "recipes-sealcam/sealcam/sealcam.inc", '"sealcam-hub.service"', '"sealcam-hubs.service"', "sealcam-hubs"),
    ("another label", "files/wic/sealcam-raspberrypi.wks", "sealcam-state", "sealcam", "partition"),
    ("a root to write to", "recipes-sealcam/images/sealcam-image-camera.bb", '"read-only-rootfs"', '""', "written"),
    ("ssh from outside", "recipes-sealcam/images/sealcam-image-camera.bb", "ssh-server-openssh ", "", "ssh-server-openssh"),
    ("another series", "conf/layer.conf", "wrynose blacksail", "blacksail", "wrynose"),
    ("a layer less", "conf/layer.conf", " networking-layer", "", "networking-layer"),
    ("a layer less for kas", "../raspberrypi4-64.yml", "      meta-multimedia:\n", "", "meta-multimedia"),
    ("other flags for kas", "../raspberrypi4-64.yml", " commercial_x264", "", "another configuration"),
    ("nobody to ask", "README.md", "Maintainer: ", "By: ", "maintains"),
    ("no spaces", "recipes-sealcam/sealcam/sealcam_git.bb", 'PV = "', 'PV="', "not understood"),
    ("an old override", "recipes-sealcam/sealcam/sealcam.inc", "RDEPENDS:${PN}-hub", "RDEPENDS_${PN}-hub", "not understood"),
    ("an old S", "recipes-sealcam/sealcam-appliance/sealcam-appliance_1.0.bb", '"${UNPACKDIR}"', '"${WORKDIR}/sources"', "UNPACKDIR"),
    ("one for all architectures", "recipes-sealcam/sealcam-appliance/sealcam-appliance_1.0.bb", "inherit ", "inherit allarch ", "architectures"),
    ("part of the world", "recipes-sealcam/sealcam/sealcam.inc", 'EXCLUDE_FROM_WORLD = "1"', "", "world"),
    ("a folder not hashed", "recipes-sealcam/sealcam/sealcam_git.bb", "firmware hal", "firmware", "'hal'"),
    ("a build folder hashed", "recipes-sealcam/sealcam/sealcam_git.bb", "firmware hal", "firmware hal build", "'build'"),
    ("masked too early", "recipes-sealcam/images/sealcam-image-camera.bb", ':append = " sealcam', ' += "sealcam', "too early"),
    ("no look at the root", "recipes-sealcam/images/sealcam-image-camera.bb", "IMAGE_QA_COMMANDS", "IMAGE_QA", "looked for"),
]
FAULTS_OF_PACKAGES = [
    ("a file in no package", "recipes-sealcam/sealcam/sealcam.inc", "${bindir}/sealcam-hub ", "", "in 0 packages"),
    ("a file in two packages", "recipes-sealcam/sealcam/sealcam.inc", '"${bindir}/sealcam"', '"${bindir}/sealcam ${bindir}/sealcam-hub"', "in 2 packages"),
    ("a name of nothing", "recipes-sealcam/sealcam/sealcam.inc", '"${bindir}/sealcam"', '"${bindir}/sealcam ${bindir}/other"', "not installed"),
]


def part_control(options):
    """Each fault by itself, in a copy; a fault that no check sees fails here."""
    faults = FAULTS + (FAULTS_OF_PACKAGES if options.tree and options.tree.is_dir() else [])
    for name, file, old, new, word in faults:
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
            found = complaints(top, options.tree if (name, file, old, new, word) in FAULTS_OF_PACKAGES else None)
            expect(any(word in c for c in found), f"{name}: not seen; complaints: {found}")
    print(f"{len(faults)} faults seen")


def run_function(body, **variables):
    """A recipe's shell function, with BitBake's variables filled in."""
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
        expect((done.returncode == 0) == good, f"a shadow file of {shadow!r} is {'refused' if good else 'taken'}: {done}")


def mbedtls_header(recipe, source):
    header = source / "include/mbedtls/mbedtls_config.h"
    header.parent.mkdir(parents=True)
    configure = recipe.functions["do_configure:prepend"]
    ours = pathlib.Path("/usr/include/mbedtls/mbedtls_config.h").read_text()
    upstream = ours
    for option in ("THREADING_C", "THREADING_PTHREAD"):
        upstream = upstream.replace(f"\n#define MBEDTLS_{option}\n", f"\n//#define MBEDTLS_{option}\n")
    expect(upstream != ours, "this machine's mbedTLS has no threads either")
    header.write_text(upstream)
    done = run_function(configure, S=source)
    expect(done.returncode == 0 and header.read_text() == ours, f"the append does not make mbedTLS's header as Debian's: {done}")
    header.write_text(upstream.replace("//#define MBEDTLS_THREADING_C\n", ""))
    expect(run_function(configure, S=source).returncode != 0, "a header without the option is taken")


def hashes(recipe, checkout):
    """The anonymous Python of sealcam_git.bb, on a small checkout with a build folder, and on none."""
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
    for file in ("CMakeLists.txt", "LICENSE", "firmware/core/CMakeLists.txt", "firmware/cmake/flags.cmake", "firmware/core/clock.cpp",
                 "hal/CMakeLists.txt", "board/common/camera.json", "build/CMakeLists.txt", ".git/index", "board/yocto/tmp/CMakeLists.txt"):
        (checkout / file).parent.mkdir(parents=True, exist_ok=True)
        (checkout / file).touch()
    data = Data(str(checkout))
    names["anonymous"](data)
    lists = data.flags["do_configure", "file-checksums"]
    expect(lists == [f"{checkout}/{f}:True" for f in ("CMakeLists.txt", "firmware/cmake/flags.cmake", "firmware/core/CMakeLists.txt",
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
    print("functions of recipes: logins, mbedTLS's header, what is hashed")


def part_mbedtls(options):
    """CMake takes an mbedTLS that is built for threads and refuses one that is not."""
    with tempfile.TemporaryDirectory() as folder:
        for name, lacking in (("good", None), ("bad", "THREADING_PTHREAD")):
            top = pathlib.Path(folder) / name
            (top / "mbedtls").mkdir(parents=True)
            options_on = {"THREADING_C", "THREADING_PTHREAD", "PSA_CRYPTO_STORAGE_C", "PSA_ITS_FILE_C", "SSL_PROTO_TLS1_3",
                          "SSL_KEYING_MATERIAL_EXPORT"} - {lacking}
            (top / "mbedtls/build_info.h").write_text("".join(f"#define MBEDTLS_{o}\n" for o in sorted(options_on)))
            (top / "CMakeLists.txt").write_text(textwrap.dedent(f"""\
                cmake_minimum_required(VERSION 3.31)
                project(mbedtls_of_somebody C)
                add_library(MbedTLS::mbedcrypto INTERFACE IMPORTED)
                target_include_directories(MbedTLS::mbedcrypto INTERFACE ${{PROJECT_SOURCE_DIR}})
                include({options.source}/firmware/cmake/mbedtls_configuration.cmake)
                """))
            done = subprocess.run(["cmake", "-G", "Ninja", "-B", top / "build", "-S", top], capture_output=True, text=True)
            expect((done.returncode == 0) == (lacking is None), f"{name}: {done.stdout}{done.stderr}")
            expect(lacking is None or f"MBEDTLS_{lacking}" in done.stderr, done.stderr)
    print("an mbedTLS for one thread is refused")


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
