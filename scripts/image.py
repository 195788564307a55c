#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a card image of unpacked Debian packages and Sealcam's own: nothing of them is run, nothing is mounted.

Called by scripts/image inside the build root. What a board's image has is data: board/common/image and board/NAME/image
(board/common/image/README.md); image_parts.py has what a card consists of.
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

from image_parts import DISK, MIB, SIZES, Failure, assemble, data_partition, fat, run
from initramfs import Archive, Kernel

TOP = pathlib.Path(__file__).resolve().parent.parent
GZIP = b"\x1f\x8b"
COMPILED_IN = ("libboost1.88-dev", "libcli11-dev", "nlohmann-json3-dev")  # headers only: our programs contain them


def say(text):
    print(f"\033[1m==>\033[0m {text}", file=sys.stderr, flush=True)


def read_json(path):
    return json.loads(path.read_text())


class Board:
    """What an image of a board has: common data with the board's own added. With `vendor`, its maker's kernel instead of Debian's,
    what the folder of that name says counts instead of the board's own."""

    def __init__(self, name, vendor=False):
        self.name, self.vendor = name, vendor
        self.folder = TOP / "board" / name / "image"
        if not (self.folder / "vendor" if vendor else self.folder).is_dir():
            raise Failure(f"there is no image for '{name}'" + (" with a kernel of its maker" if vendor else ""))
        self.folders = [TOP / "board/common/image", self.folder] + ([self.folder / "vendor"] if vendor else [])
        common, *others = (read_json(folder / "image.json") for folder in self.folders)
        own = {key: value for data in others for key, value in data.items()}
        self.lists = {key: common.get(key, []) + own.get(key, []) for key in
                      ("leave_out_packages", "leave_out", "modules", "modules_leave_out", "mask", "enable", "initramfs_modules")}
        self.kernel_line, self.watchdog, self.boot = own["kernel_line"], own["watchdog"], own["boot"]

    def file(self, name):
        """The nearest one: the vendor's, else the board's."""
        return next(f / name for f in reversed(self.folders) if (f / name).exists())


@functools.cache
def expression(pattern):
    """'**' is anything, '*' and '?' stay inside a folder."""
    words = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(words.get(w, re.escape(w)) for w in re.split(r"(\*\*|\*|\?)", pattern)))


def matches(path, patterns):
    return any(expression(p).fullmatch(path) for p in patterns)


def starts_with(path, magic):
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


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
        # Nothing of an image runs with more rights than whoever started it.
        target.chmod(stat.S_IMODE(source.stat().st_mode) & 0o1777)


class Root:
    """The read-only root, below `folder`."""

    def __init__(self, board, tree, folder):
        self.board, self.tree, self.folder = board, tree, folder
        self.packages = {}  # name -> bytes of its files here
        self.kernel_package = None

    def from_packages(self):
        """Every file that some wanted package has and no pattern leaves out. A kernel's modules are chosen later."""
        wanted = {}
        names = [p.stem for p in sorted((self.tree / "var/lib/dpkg/info").glob("*.list"))]
        left_out = set(self.board.lists["leave_out_packages"])
        if (unknown := left_out - set(names)) and not self.board.vendor:  # Debian's stable list is known, a vendor's is not
            raise Failure(f"left out, but not there: {', '.join(sorted(unknown))}")
        for name in names:
            if name in left_out:
                continue
            self.packages[name] = 0
            for line in (self.tree / f"var/lib/dpkg/info/{name}.list").read_text().splitlines():
                path = self.merged(line.strip("/"))
                if path.startswith("boot/vmlinuz-"):
                    self.kernel_package = name
                if path and not path.startswith("usr/lib/modules/"):
                    wanted.setdefault(path, name)
        for path in sorted(wanted):
            source = self.tree / path
            if matches(path, self.board.lists["leave_out"]) or not (source.exists() or source.is_symlink()):
                continue
            copy(source, self.folder / path)
            if source.is_file() and not source.is_symlink():
                self.packages[wanted[path]] += source.stat().st_size

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
        """A program of ours that is in no package."""
        target = self.folder / "usr/bin" / program.name
        run("aarch64-linux-gnu-strip", "-o", target, program)
        target.chmod(0o755)
        self.packages[program.name] = target.stat().st_size

    def from_board(self, words):
        """The boards' own files; @WORD@ in them is replaced."""
        for folder in self.board.folders:
            base = folder / "root"
            for entry in sorted(base.rglob("*")) if base.exists() else []:
                target = self.folder / entry.relative_to(base)
                copy(entry, target)
                if entry.is_file() and target.is_file():
                    text = entry.read_text()
                    target.write_text(re.sub(r"@([A-Z]+)@", lambda m: words[m[1]], text))

    def modules(self, kernel):
        """The kernel's modules that a board may need, with what they depend on."""
        wanted, index = set(), {p.name: p for p in kernel.paths.values()}
        base = kernel.modules / "kernel"

        def add(path):
            if path in wanted:
                return
            wanted.add(path)
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
        for path in sorted(wanted):
            copy(path, target / path.relative_to(kernel.modules))
        for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
            copy(kernel.modules / name, target / name)
        run("depmod", "-b", self.folder, kernel.version)
        self.packages[self.kernel_package] += sum(p.stat().st_size for p in wanted)

    def users(self):
        """The users of all packages. None has a password or a shell."""
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
        shutil.rmtree(self.folder / "var")  # in memory, made at each start
        (self.folder / "var").mkdir()
        self.drop_empty()

    def drop_empty(self):
        keep = {"home", "root", "srv", "data", "card", "proc", "sys", "dev", "run", "tmp", "var", "mnt", "usr/lib/modules"}
        for entry in sorted(self.folder.rglob("*"), reverse=True):
            path = str(entry.relative_to(self.folder))
            if path.startswith("usr/share") and entry.is_dir() and not entry.is_symlink() and path not in keep and not any(entry.iterdir()):
                entry.rmdir()

    def check(self):
        """Everything that programs need is there; nothing runs with rights of others; no keys."""
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
                raise Failure(f"{entry} runs with another's rights")
        for name in ("etc/machine-id",):
            if (self.folder / name).read_bytes():
                raise Failure(f"{name} is not empty")
        found = [e for e in files if e.name.startswith(("ssh_host_", "id_rsa", "authorized_keys"))]
        if found:
            raise Failure(f"keys: {found}")


def initramfs(board, kernel, path):
    archive = Archive()
    archive.add("init", board.folders[0] / "init", 0o755)
    archive.add("bin/busybox", kernel.tree / "usr/bin/busybox", 0o755)
    kernel.load(archive, board.lists["initramfs_modules"])
    path.write_bytes(subprocess.run(["xz", "--check=crc32", "--lzma2=dict=1MiB", "-9", "-c"], input=archive.bytes(),
                                    capture_output=True, check=True).stdout)


README = """This card starts a Sealcam camera.

pairing.txt    is here while the camera belongs to nobody: its owner runs 'sealcam camera pair' with what it says.
sealcam.json   put one here to name the camera and give it a Wi-Fi network; it is read and removed at the next start:

  {"name": "front-door", "wifi": {"ssid": "My network", "psk": "its passphrase"}, "country": "DE"}

sealcam-settings-error.txt says what is wrong when it could not be used.
"""


def kernel_line(board, slot):
    return (f"{board.kernel_line} quiet loglevel=3 fsck.repair=yes panic=10 net.ifnames=0 sealcam.disk={DISK:08x} "
            f"sealcam.root={5 + slot} sealcam.slot={'ab'[slot]}")


def boot_files(board, kernel, start, slot=0):
    """What is on the card's first partition, and on a slot's boot partition."""
    line = kernel_line(board, slot)
    card = {"README.txt": README.replace("\n", "\r\n").encode(), "autoboot.txt": board.folder / "autoboot.txt"}
    boot = {"initramfs": start}
    if board.boot == "u-boot":
        script = start.parent / "boot.scr"
        run("mkimage", "-A", "arm64", "-T", "script", "-C", "none", "-n", "sealcam", "-d", board.folder / "boot.cmd", script)
        card["boot.scr"] = script
        boot |= {"boot.txt": f"bootargs={line}\n".encode(), "kernel": kernel.image}
    else:
        packed = kernel.image
        if not starts_with(packed, GZIP):
            packed = start.parent / "kernel.gz"
            packed.write_bytes(subprocess.run(["gzip", "-9nc", str(kernel.image)], capture_output=True, check=True).stdout)
        boot |= {"cmdline.txt": (line + "\n").encode(), "config.txt": board.file("config.txt"), "kernel": packed}
        firmware, trees = kernel.tree / "usr/lib/raspi-firmware", kernel.tree / f"usr/lib/linux-image-{kernel.version}"
        # Boards up to the 3 read this file from the first partition, whatever autoboot.txt says; later ones have it on board.
        card["bootcode.bin"] = firmware / "bootcode.bin"
        for path in sorted(firmware.iterdir()):
            if path.name in ("bootcode.bin", "start.elf", "start_x.elf", "start4.elf", "start4x.elf", "fixup.dat", "fixup_x.dat", "fixup4.dat", "fixup4x.dat"):
                boot[path.name] = path
        for path in sorted((trees / "broadcom").glob("bcm2[78]*.dtb")):
            boot[path.name] = path
        # Raspberry Pi's kernel has its own overlays, Debian's has those of the firmware.
        for path in sorted((trees if (trees / "overlays").is_dir() else firmware).glob("overlays/*")):
            boot[f"overlays/{path.name}"] = path
    return card, boot


def compression(kernel, fast):
    """What the kernel can unpack: each can gzip, which is slower and larger than zstd."""
    if "CONFIG_SQUASHFS_ZSTD=y" in kernel.config():
        return "-comp", "zstd", "-Xcompression-level", 3 if fast else 15
    return "-comp", "gzip"


def make(options):
    board = Board(options.board, options.vendor)
    tree = pathlib.Path(options.tree)
    work = TOP / "build/image" / f"{board.name}.work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    kernel = Kernel(tree)
    say(f"root of {board.name}: kernel {kernel.version}")
    root = Root(board, tree, work / "root")
    root.folder.mkdir()
    root.from_packages()
    for deb in options.deb:
        root.from_deb(deb)
    for program in options.program:
        root.from_build(pathlib.Path(program))
    root.from_board({"DISK": f"{DISK:08x}", "WATCHDOG": board.watchdog})
    root.modules(kernel)
    root.users()
    root.finish()
    with (root.folder / "usr/lib/os-release").open("a") as release:
        release.write(f'IMAGE_ID=sealcam-{board.name}\nIMAGE_VERSION={options.version}\nDEFAULT_HOSTNAME=sealcam\n')
    root.check()
    squash = work / "root.squashfs"
    run("mksquashfs", root.folder, squash, "-all-root", "-noappend", *compression(kernel, options.fast), "-no-xattrs", "-quiet", "-no-progress")
    say(f"root: {squash.stat().st_size / MIB:.0f} MiB packed, {sum(root.packages.values()) / MIB:.0f} MiB of files")
    start = work / "initramfs"
    initramfs(board, kernel, start)
    card, boot = boot_files(board, kernel, start)
    fat(work / "card.fat", SIZES["card"], "SEALCAM", card)
    fat(work / "boot.fat", SIZES["boot"], "BOOT-A", boot)
    fat(work / "bootb.fat", SIZES["boot"], "BOOT-B", {})
    data_partition(work / "data.ext4", work)
    image = TOP / "build/image" / f"sealcam-{board.name}.img"
    assemble(image, {1: work / "card.fat", 2: work / "boot.fat", 3: work / "bootb.fat", 5: squash, 7: work / "data.ext4"})
    report(board, root, image, options)
    if not options.keep:
        shutil.rmtree(work)


def report(board, root, image, options):
    sizes = sorted(((size, name) for name, size in root.packages.items()), reverse=True)
    (image.parent / f"sealcam-{board.name}.sizes.txt").write_text("".join(f"{size / 1024:10.0f} KiB  {name}\n" for size, name in sizes if size))
    files = image.parent / f"sealcam-{board.name}.packages.json"
    files.write_text(json.dumps(root.packages, indent=1, sort_keys=True) + "\n")
    words = [w for d in options.deb for w in ("--deb", d)] + [w for p in options.program for w in ("--own", pathlib.Path(p).name)]
    words += [w for name in COMPILED_IN for w in ("--compiled-in", name)]
    run(TOP / "scripts/sbom", root.tree, *words, "--only", files, "--name", f"sealcam-{board.name}", "--version", options.version,
        "-o", image.parent / f"sealcam-{board.name}.cdx.json")
    if not options.fast:
        packed = image.with_suffix(".img.zst")
        run("zstd", "-q", "-f", "-T0", "-12", image, "-o", packed)
        digest = hashlib.sha256(packed.read_bytes()).hexdigest()
        (image.parent / f"{packed.name}.sha256").write_text(f"{digest}  {packed.name}\n")
        say(f"{packed.relative_to(TOP)}: {packed.stat().st_size / MIB:.0f} MiB, unpacked {image.stat().st_size / MIB:.0f} MiB")


def main():
    parser = argparse.ArgumentParser(prog="image.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("board")
    parser.add_argument("--tree", required=True, help="unpacked packages (scripts/sdk image arm64)")
    parser.add_argument("--deb", action="append", default=[], help="a package of our own")
    parser.add_argument("--program", action="append", default=[], help="a program of our own that is in no package")
    parser.add_argument("--version", default="0")
    parser.add_argument("--vendor", action="store_true", help="the kernel is the board's maker's, not Debian's")
    parser.add_argument("--fast", action="store_true", help="no packed image, and a root that is packed in haste")
    parser.add_argument("--keep", action="store_true", help="keep the unpacked root beside the image")
    make(parser.parse_args())


if __name__ == "__main__":
    try:
        main()
    except (Failure, LookupError, OSError, subprocess.SubprocessError) as failure:
        sys.exit(f"error: {failure}")
