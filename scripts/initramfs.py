# SPDX-License-Identifier: Apache-2.0
"""Creates initial RAM file systems for ARM kernels from unpacked Debian packages, for card images and guests of QEMU."""
import lzma
import os
import pathlib
import re
import stat


class Archive:
    """A cpio archive in the format newc, which the kernel unpacks."""

    def __init__(self):
        self.parts, self.inode, self.seen = [], 0, set()

    def _entry(self, name, mode, data=b""):
        if name in self.seen:
            return
        self.seen.add(name)
        self.inode += 1
        raw = name.encode() + b"\0"
        fields = [self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0]
        head = b"070701" + b"".join(b"%08X" % f for f in fields) + raw
        head += b"\0" * (-len(head) % 4)
        self.parts.append(head + data + b"\0" * (-len(data) % 4))

    def folder(self, name, mode=0o755):
        parts = pathlib.PurePosixPath(name.strip("/")).parts
        for i in range(1, len(parts)):
            self._entry("/".join(parts[:i]), stat.S_IFDIR | 0o755)
        self._entry("/".join(parts), stat.S_IFDIR | mode)

    def write(self, name, data, mode=0o644):
        name = name.strip("/")
        if "/" in name:
            self.folder(str(pathlib.PurePosixPath(name).parent))
        self._entry(name, stat.S_IFREG | mode, data if isinstance(data, bytes) else data.encode())

    def add(self, name, path, mode=None):
        path = pathlib.Path(path)
        self.write(name, path.read_bytes(), mode if mode is not None else (0o755 if os.access(path, os.X_OK) else 0o644))

    def tree(self, name, path):
        self.folder(name, pathlib.Path(path).stat().st_mode & 0o777)
        for entry in sorted(pathlib.Path(path).rglob("*")):
            target = f"{name}/{entry.relative_to(path)}"
            if entry.is_dir():
                self.folder(target, entry.stat().st_mode & 0o777)
            elif entry.is_file():
                self.add(target, entry, entry.stat().st_mode & 0o777)

    def bytes(self):
        end = Archive()
        end._entry("TRAILER!!!", 0)
        return b"".join(self.parts) + end.parts[0]


class Kernel:
    """Unpacked kernel packages. Debian's packages since Linux 7 have all files in the folder of the modules."""

    def __init__(self, tree):
        self.tree = pathlib.Path(tree)
        images = sorted(self.tree.glob("boot/vmlinuz-*")) or sorted(self.tree.glob("usr/lib/modules/*/vmlinuz"))
        if not images:
            raise LookupError(f"no kernel in {tree}")
        self.image = images[-1]
        self.version = self.image.parent.name if self.image.name == "vmlinuz" else self.image.name.removeprefix("vmlinuz-")
        self.modules = self.tree / "usr/lib/modules" / self.version
        built_in = self.modules / "modules.builtin"
        self.built_in = {pathlib.PurePath(line).stem.replace("-", "_") for line in built_in.read_text().splitlines()}
        self.paths = {p.name.removesuffix(".ko.xz").replace("-", "_"): p for p in self.modules.rglob("*.ko.xz")}

    def _needs(self, data):
        match = re.search(rb"\0depends=([^\0]*)\0", b"\0" + data)
        return [d for d in match[1].decode().split(",") if d] if match else []

    def load(self, archive, modules):
        """Adds modules and their dependencies in the order of loading. `modules`: names with options."""
        order = []

        def add(name, options=""):
            name = name.replace("-", "_")
            if name in self.built_in or name in [n for n, _ in order]:
                return
            if name not in self.paths:
                raise LookupError(f"the kernel has no module {name}")
            data = lzma.decompress(self.paths[name].read_bytes())
            for need in self._needs(data):
                add(need)
            order.append((name, options))
            archive.write(f"modules/{name}.ko", data)

        for line in modules:
            name, _, options = line.partition(" ")
            add(name, options)
        archive.write("modules/order", "".join(f"{n} {o}\n" for n, o in order))

    def config(self):
        """Returns the lines of the kernel configuration, or nothing if the package does not contain it."""
        paths = (self.tree / "boot" / f"config-{self.version}", self.modules / "config")
        return next((path.read_text().splitlines() for path in paths if path.is_file()), [])

    def device_tree(self, name):
        return self.tree / f"usr/lib/linux-image-{self.version}" / name
