#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds a card image from unpacked Debian packages and Sealcam's packages. Runs no program of them and mounts nothing.

scripts/image calls this script in the build root. board/common/image and board/NAME/image contain the data of an image
(board/common/image/README.md). image_parts.py creates the partition table and the file systems.
"""
import argparse
import functools
import hashlib
import json
import lzma
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys

import image_update
from image_boot import boot_files, compression, initramfs, kernel_line, starts_with  # noqa: F401
from image_parts import DISK, MIB, SIZES, Failure, assemble, data_partition, fat, os_release, run, squash
from initramfs import Kernel

TOP = pathlib.Path(__file__).resolve().parent.parent
COMPILED_IN = ("libboost1.88-dev", "libcli11-dev", "nlohmann-json3-dev")  # header libraries, which the programs contain


def show(text):
    print(f"\033[1m==>\033[0m {text}", file=sys.stderr, flush=True)


def read_json(path):
    return json.loads(path.read_text())


class Board:
    """The data of a board's image: the common data and that of the board. With another `kernel` than that of Debian 13, the data in the
    folder of this name replaces that of the board: 'vendor' for the kernel of the board's vendor, 'backports' for Debian's backports."""

    def __init__(self, name, kernel=""):
        self.name, self.kernel = name, kernel
        self.folder = TOP / "board" / name / "image"
        if not (self.folder / kernel).is_dir():
            raise Failure(f"there is no image for '{name}'" + (f" with a kernel of '{kernel}'" if kernel else ""))
        self.folders = [TOP / "board/common/image", self.folder] + ([self.folder / kernel] if kernel else [])
        common, *others = (read_json(folder / "image.json") for folder in self.folders)
        own = {key: value for data in others for key, value in data.items()}
        self.lists = {key: common.get(key, []) + own.get(key, []) for key in
                      ("leave_out_packages", "leave_out", "modules", "modules_leave_out", "mask", "enable", "initramfs_modules")}
        self.kernel_line, self.watchdog, self.boot = own["kernel_line"], own["watchdog"], own["boot"]

    def file(self, name):
        """Returns the path of the file for the kernel, or else that of the board."""
        return next(f / name for f in reversed(self.folders) if (f / name).exists())


@functools.cache
def expression(pattern):
    """'**' matches each text; '*' and '?' match within a folder."""
    wildcards = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(wildcards.get(w, re.escape(w)) for w in re.split(r"(\*\*|\*|\?)", pattern)))


def matches(path, patterns):
    return any(expression(p).fullmatch(path) for p in patterns)


def copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_symlink():
        target.unlink(missing_ok=True)
        target.symlink_to(os.readlink(source))
    elif source.is_dir():
        target.mkdir(exist_ok=True)
        target.chmod(stat.S_IMODE(source.stat().st_mode))
    else:
        shutil.copyfile(source, target)
        # Removes setuid and setgid, so that no program of an image gets additional privileges.
        target.chmod(stat.S_IMODE(source.stat().st_mode) & 0o1777)


class Root:
    """The read-only root file system in `folder`."""

    def __init__(self, board, tree, folder):
        self.board, self.tree, self.folder = board, tree, folder
        self.packages = {}  # name -> bytes of its files in the image
        self.kernel_package = None

    def from_packages(self):
        """Copies the files of all packages that no pattern excludes. modules() selects the kernel modules later."""
        files = {}
        names = [p.stem for p in sorted((self.tree / "var/lib/dpkg/info").glob("*.list"))]
        left_out = set(self.board.lists["leave_out_packages"])
        if (unknown := left_out - set(names)) and not self.board.kernel:  # the packages of other kernels have other names
            raise Failure(f"leave_out_packages contains unknown packages: {', '.join(sorted(unknown))}")
        for name in names:
            if name in left_out:
                continue
            self.packages[name] = 0
            for line in (self.tree / f"var/lib/dpkg/info/{name}.list").read_text().splitlines():
                path = self.merged(line.strip("/"))
                if re.fullmatch(r"boot/vmlinuz-.*|usr/lib/modules/[^/]+/vmlinuz", path):
                    self.kernel_package = name
                if path and not path.startswith("usr/lib/modules/"):
                    files.setdefault(path, name)
        for path in sorted(files):
            source = self.tree / path
            if matches(path, self.board.lists["leave_out"]) or not (source.exists() or source.is_symlink()):
                continue
            copy(source, self.folder / path)
            if source.is_file() and not source.is_symlink():
                self.packages[files[path]] += source.stat().st_size

    @staticmethod
    def merged(path):
        return re.sub(r"^(bin|sbin|lib)/", r"usr/\1/", path)

    def from_deb(self, deb):
        name = run("dpkg-deb", "-f", deb, "Package").strip()
        folder = self.folder.parent / "own"
        shutil.rmtree(folder, ignore_errors=True)
        run("dpkg-deb", "-x", deb, folder)
        for entry in sorted(folder.rglob("*")):
            path = str(entry.relative_to(folder))
            if not matches(path, self.board.lists["leave_out"]):
                copy(entry, self.folder / path)
        self.packages[name] = sum(e.stat().st_size for e in folder.rglob("*") if e.is_file() and not e.is_symlink())
        shutil.rmtree(folder)
        return name

    def from_build(self, program):
        """Copies a program of Sealcam that is not in a package."""
        target = self.folder / "usr/bin" / program.name
        run("aarch64-linux-gnu-strip", "-o", target, program)
        target.chmod(0o755)
        self.packages[program.name] = target.stat().st_size

    def from_board(self, values):
        """Copies the files of the board. Replaces @NAME@ with the value."""
        for folder in self.board.folders:
            base = folder / "root"
            for entry in sorted(base.rglob("*")) if base.exists() else []:
                target = self.folder / entry.relative_to(base)
                copy(entry, target)
                if entry.is_file() and target.is_file():
                    text = entry.read_text()
                    target.write_text(re.sub(r"@([A-Z]+)@", lambda m: values[m[1]], text))

    def modules(self, kernel):
        """Copies the kernel modules that a board may need, and their dependencies."""
        selected, index = set(), {p.name: p for p in kernel.paths.values()}
        base = kernel.modules / "kernel"

        def add(path):
            if path in selected:
                return
            selected.add(path)
            needs = re.search(rb"\0depends=([^\0]*)\0", b"\0" + lzma.decompress(path.read_bytes()))
            for need in needs[1].decode().split(",") if needs else []:
                for name in {need, need.replace("_", "-")} if need else ():
                    if f"{name}.ko.xz" in index:
                        add(index[f"{name}.ko.xz"])
                    else:
                        other = kernel.paths.get(need.replace("-", "_"))
                        if other:
                            add(other)

        for path in sorted(index.values()):
            name = str(path.relative_to(base))
            if matches(name, self.board.lists["modules"]) and not matches(name, self.board.lists["modules_leave_out"]):
                add(path)
        target = self.folder / "usr/lib/modules" / kernel.version
        for path in sorted(selected):
            copy(path, target / path.relative_to(kernel.modules))
        for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
            copy(kernel.modules / name, target / name)
        run("depmod", "-b", self.folder, kernel.version)
        self.packages[self.kernel_package] += sum(p.stat().st_size for p in selected)

    def users(self):
        """Creates the users of all packages, without passwords and shells."""
        for name in ("passwd", "group"):
            (self.folder / "etc" / name).write_text((self.tree / f"usr/share/base-passwd/{name}.master").read_text())
        run("systemd-sysusers", f"--root={self.folder}")
        passwd = self.folder / "etc/passwd"
        lines = [line.split(":") for line in passwd.read_text().splitlines()]
        passwd.write_text("".join(":".join([n[0], "x", *n[2:6], "/usr/sbin/nologin"]) + "\n" for n in lines))
        shadow = self.folder / "etc/shadow"
        shadow.write_text("".join(f"{n[0]}:!*:1::::::\n" for n in lines))
        shadow.chmod(0o600)
        for path in self.folder.glob("etc/*-"):
            path.unlink()
        (self.folder / "etc/gshadow").unlink(missing_ok=True)
        (self.folder / "etc/.pwd.lock").unlink(missing_ok=True)

    def finish(self):
        etc = self.folder / "etc"
        for unit in self.board.lists["mask"]:
            link = etc / "systemd/system" / unit
            link.unlink(missing_ok=True)
            link.symlink_to("/dev/null")
        run("systemctl", f"--root={self.folder}", "enable", *self.board.lists["enable"])
        run("systemctl", f"--root={self.folder}", "set-default", "multi-user.target")
        for path, to in (("etc/hostname", "/data/settings/host-name"), ("etc/resolv.conf", "/run/NetworkManager/resolv.conf"), ("etc/mtab", "../proc/self/mounts"),
                         ("usr/lib/firmware/regulatory.db", "regulatory.db-upstream"),
                         ("usr/lib/firmware/regulatory.db.p7s", "regulatory.db.p7s-upstream"), ("usr/sbin/init", "../lib/systemd/systemd")):
            link = self.folder / path
            link.unlink(missing_ok=True)
            link.symlink_to(to)
        for path in ("data", "card", "srv", "proc", "sys", "dev", "run", "tmp", "var", "var/lib/sealcam", "var/lib/NetworkManager"):
            (self.folder / path).mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.folder / "etc/NetworkManager/system-connections", ignore_errors=True)
        (self.folder / "etc/NetworkManager/system-connections").mkdir(mode=0o700, parents=True)
        shutil.rmtree(self.folder / "var")  # /var is in memory and created at each start
        (self.folder / "var").mkdir()
        self.drop_empty()

    def drop_empty(self):
        keep = {"home", "root", "srv", "data", "card", "proc", "sys", "dev", "run", "tmp", "var", "mnt", "usr/lib/modules"}
        for entry in sorted(self.folder.rglob("*"), reverse=True):
            path = str(entry.relative_to(self.folder))
            if path.startswith("usr/share") and entry.is_dir() and not entry.is_symlink() and path not in keep and not any(entry.iterdir()):
                entry.rmdir()

    def check(self):
        """Checks that no library is missing, that no program is setuid, and that there are no keys."""
        library = self.folder / "usr/lib/aarch64-linux-gnu"
        missing = {}
        files = [e for e in self.folder.rglob("*") if e.is_file() and not e.is_symlink()]
        elves = [e for e in files if starts_with(e, b"\x7fELF")]
        text = run("aarch64-linux-gnu-objdump", "-p", *elves) if elves else ""
        here = {e.name for e in library.rglob("*.so*")} | {e.name for e in (self.folder / "usr/lib").glob("ld-*")}
        here |= {e.name for e in (self.folder / "usr/lib").rglob("*.so*")}
        for block in re.split(r"\n(?=\S+: +file format)", text):
            name = block.strip().split(":", 1)[0]
            for need in re.findall(r"NEEDED +(\S+)", block):
                if need not in here:
                    missing.setdefault(need, name)
        if missing:
            raise Failure("libraries are missing: " + ", ".join(f"{n} (for {w.removeprefix(str(self.folder))})" for n, w in missing.items()))
        for entry in files:
            if entry.stat().st_mode & 0o6000:
                raise Failure(f"{entry} is setuid or setgid")
        for name in ("etc/machine-id",):
            if (self.folder / name).read_bytes():
                raise Failure(f"{name} is not empty")
        found = [e for e in files if e.name.startswith(("ssh_host_", "id_rsa", "authorized_keys"))]
        if found:
            raise Failure(f"the image contains keys: {found}")


def make(options):
    board = Board(options.board, options.kernel)
    tree = pathlib.Path(options.tree)
    work = TOP / "build/image" / f"{board.name}.work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    kernel = Kernel(tree)
    show(f"root of {board.name}: kernel {kernel.version}")
    image_update.check_kernel(kernel.version, options)
    root = Root(board, tree, work / "root")
    root.folder.mkdir()
    root.from_packages()
    for deb in options.deb:
        root.from_deb(deb)
    for program in options.program:
        root.from_build(pathlib.Path(program))
    root.from_board({"BOARD": board.name, "DISK": f"{DISK:08x}", "WATCHDOG": board.watchdog})
    show(image_update.install(root.folder, board, options, TOP / "build/authority", cmake := (TOP / "CMakeLists.txt").read_text()))
    root.modules(kernel)
    root.users()
    root.finish()
    with (root.folder / "usr/lib/os-release").open("a") as release:
        release.write(os_release(board.name, options.version, cmake))
    root.check()
    packed = work / "root.squashfs"
    squash(root.folder, packed, *compression(kernel, options.fast))
    show(f"root: {packed.stat().st_size / MIB:.0f} MiB compressed, {sum(root.packages.values()) / MIB:.0f} MiB of files")
    start = work / "initramfs"
    initramfs(board, kernel, start)
    card, boot = boot_files(board, kernel, start)
    fat(work / "card.fat", SIZES["card"], "SEALCAM", card)
    fat(work / "boot.fat", SIZES["boot"], "BOOT-A", boot)
    fat(work / "bootb.fat", SIZES["boot"], "BOOT-B", {})
    data_partition(work / "data.ext4", work)
    image = TOP / "build/image" / f"sealcam-{board.name}.img"
    copy(root.folder / "usr/lib/sealcam/update.json", image.with_suffix(".update.json"))
    assemble(image, {1: work / "card.fat", 2: work / "boot.fat", 3: work / "bootb.fat", 5: packed, 7: work / "data.ext4"})
    report(board, root, image, options)
    if not options.keep:
        shutil.rmtree(work)


def report(board, root, image, options):
    sizes = sorted(((size, name) for name, size in root.packages.items()), reverse=True)
    (image.parent / f"sealcam-{board.name}.sizes.txt").write_text("".join(f"{size / 1024:10.0f} KiB  {name}\n" for size, name in sizes if size))
    files = image.parent / f"sealcam-{board.name}.packages.json"
    files.write_text(json.dumps(root.packages, indent=1, sort_keys=True) + "\n")
    arguments = [a for d in options.deb for a in ("--deb", d)] + [a for p in options.program for a in ("--own", pathlib.Path(p).name)]
    arguments += [a for name in COMPILED_IN for a in ("--compiled-in", name)]
    run(TOP / "scripts/sbom", root.tree, *arguments, "--only", files, "--name", f"sealcam-{board.name}", "--version", options.version,
        "-o", image.parent / f"sealcam-{board.name}.cdx.json")
    if not options.fast:
        packed = image.with_suffix(".img.zst")
        run("zstd", "-q", "-f", "-T0", "-12", image, "-o", packed)
        digest = hashlib.sha256(packed.read_bytes()).hexdigest()
        (image.parent / f"{packed.name}.sha256").write_text(f"{digest}  {packed.name}\n")
        show(f"{packed.relative_to(TOP)}: {packed.stat().st_size / MIB:.0f} MiB, uncompressed {image.stat().st_size / MIB:.0f} MiB")


def main():
    parser = argparse.ArgumentParser(prog="image.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("board")
    parser.add_argument("--tree", required=True, help="unpacked packages (scripts/sdk image arm64)")
    parser.add_argument("--deb", action="append", default=[], help="a package of Sealcam")
    parser.add_argument("--program", action="append", default=[], help="a program of Sealcam that is not in a package")
    parser.add_argument("--version", default="0")
    image_update.arguments(parser)
    parser.add_argument("--kernel", choices=("vendor", "backports"), default="", help="use this kernel instead of that of Debian 13")
    parser.add_argument("--fast", action="store_true", help="create no compressed image, and compress the root faster")
    parser.add_argument("--keep", action="store_true", help="keep the folder with the root file system")
    make(parser.parse_args())


if __name__ == "__main__":
    try:
        main()
    except (Failure, LookupError, OSError, subprocess.SubprocessError) as failure:
        sys.exit(f"error: {failure}")
