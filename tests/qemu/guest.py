# SPDX-License-Identifier: Apache-2.0
"""A guest made of unpacked arm64 packages: kernel, a few modules, our programs with the libraries that they need, and
a job. Boots QEMU's boards; nothing of the packages is run on the host."""
import fnmatch
import gzip
import lzma
import os
import pathlib
import re
import shutil
import stat
import subprocess
import threading
import time

from support.world import Failure

HERE = pathlib.Path(__file__).resolve().parent
BOARDS = {
    "virt": {
        "machine": ["-M", "virt", "-cpu", "cortex-a53", "-smp", "2"],
        "network": ["-device", "virtio-net-device,netdev=n0"],
        "modules": ["virtio_mmio", "virtio_net"],
        "console": "ttyAMA0",
        "memory": 512,
    },
    "raspi3b": {
        "machine": ["-M", "raspi3b"],
        "network": ["-device", "usb-net,netdev=n0"],
        "modules": ["phy_generic", "dwc2", "rndis_host", "cdc_subset", "cdc_ether"],
        "console": "ttyAMA0",
        "memory": 1024,
        "tree": "broadcom/bcm2837-rpi-3-b.dtb",
    },
}
VIVID = "vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0x0"


class Archive:
    """A cpio archive (newc), as the kernel unpacks it."""

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
    """The unpacked kernel package."""

    def __init__(self, tree):
        self.tree = pathlib.Path(tree)
        images = sorted(self.tree.glob("boot/vmlinuz-*"))
        if not images:
            raise Failure(f"no kernel in {tree}")
        self.image = images[-1]
        self.version = self.image.name.removeprefix("vmlinuz-")
        self.modules = self.tree / "usr/lib/modules" / self.version
        self.paths = {p.name.removesuffix(".ko.xz").replace("-", "_"): p for p in self.modules.rglob("*.ko.xz")}

    def _needs(self, data):
        match = re.search(rb"\0depends=([^\0]*)\0", b"\0" + data)
        return [d for d in match[1].decode().split(",") if d] if match else []

    def load(self, archive, wanted):
        """Adds modules with what they depend on; `wanted` are names with options. In the order of loading."""
        order = []

        def add(name, options=""):
            name = name.replace("-", "_")
            if name in [n for n, _ in order]:
                return
            if name not in self.paths:
                raise Failure(f"the kernel has no module {name}")
            data = lzma.decompress(self.paths[name].read_bytes())
            for need in self._needs(data):
                add(need)
            order.append((name, options))
            archive.write(f"modules/{name}.ko", data)

        for line in wanted:
            name, _, options = line.partition(" ")
            add(name, options)
        archive.write("modules/order", "".join(f"{n} {o}\n" for n, o in order))

    def device_tree(self, name):
        return self.tree / f"usr/lib/linux-image-{self.version}" / name


def libraries(programs, sysroot, more=(), objdump="aarch64-linux-gnu-objdump"):
    """The shared libraries that `programs` need, read from their headers: {name in the guest: path}. `more`: folders."""
    folders = [sysroot / "usr/lib/aarch64-linux-gnu", sysroot / "usr/lib", sysroot / "usr/lib/aarch64-linux-gnu/libproxy",
               sysroot / "usr/lib/aarch64-linux-gnu/blas", sysroot / "usr/lib/aarch64-linux-gnu/lapack",
               sysroot / "usr/lib/aarch64-linux-gnu/pulseaudio", *more]
    found, queue = {}, [pathlib.Path(p) for p in programs]
    while queue:
        text = subprocess.run([objdump, "-p", *queue], capture_output=True, text=True, check=True).stdout
        queue = []
        for name in re.findall(r"NEEDED +(\S+)", text):
            if name in found:
                continue
            path = next((f / name for f in folders if (f / name).exists()), None)
            if path is None:
                raise Failure(f"{name} is not in the sysroot")
            found[name] = path.resolve()
            queue.append(found[name])
    return found


class Guest:
    def __init__(self, board, kernel, sysroot, folder):
        self.board, self.spec, self.kernel = board, BOARDS[board], kernel
        self.sysroot, self.folder = pathlib.Path(sysroot), pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def initramfs(self, programs, modules=(VIVID,), job=None, services=None):
        """`programs`: paths of ARM programs and modules that go to /usr/bin; `job`: an Archive with what belongs below job/;
        `services`: programs of the guest's own packages, {path in the guest: path}."""
        archive = Archive()
        archive.add("init", HERE / "init", 0o755)
        archive.add("bin/busybox", self.kernel.tree / "usr/bin/busybox", 0o755)
        self.kernel.load(archive, [*self.spec["modules"], *modules])
        services = services or {}
        for name, path in services.items():
            archive.add(name, path, 0o755)
        own = [self.kernel.tree / "usr/lib/aarch64-linux-gnu"]
        for name, path in libraries([*programs, *services.values()], self.sysroot, own).items():
            archive.add(f"usr/lib/{name}", path, 0o755)
        archive.add("lib/ld-linux-aarch64.so.1", (self.sysroot / "usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1").resolve(), 0o755)
        for program in programs:
            archive.add(f"usr/bin/{pathlib.Path(program).name}", program, 0o755)
        packed = gzip.compress(archive.bytes(), 1)
        if job:
            packed += b"\0" * (-len(packed) % 4) + job.bytes()
        path = self.folder / "initramfs"
        path.write_bytes(packed)
        return path

    def command(self, initramfs, memory=None, more=()):
        qemu = shutil.which("qemu-system-aarch64")
        if not qemu:
            raise Failure("qemu-system-aarch64 is not installed")
        tree = ["-dtb", str(self.kernel.device_tree(self.spec["tree"]))] if "tree" in self.spec else []
        return [qemu, *self.spec["machine"], "-m", str(memory or self.spec["memory"]), "-kernel", str(self.kernel.image), *tree,
                "-initrd", str(initramfs), "-append", f"console={self.spec['console']} panic=-1 quiet",
                "-netdev", "user,id=n0", *self.spec["network"], "-display", "none", "-no-reboot", *more]


class Run:
    """A guest that is running; its console goes into a file and can be waited for."""

    def __init__(self, command, log, echo=None):
        self.log, self.echo = pathlib.Path(log), echo
        self.lines, self.started = [], time.monotonic()
        self.child = subprocess.Popen([*command, "-monitor", "none", "-serial", "stdio"], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        with self.log.open("wb") as out:
            for raw in self.child.stdout:
                out.write(raw)
                out.flush()
                line = raw.decode(errors="replace").rstrip()
                self.lines.append((time.monotonic() - self.started, line))
                if self.echo:
                    self.echo(line)

    def find(self, pattern):
        """Seconds since the start, and the line; None when it did not come yet."""
        return next(((t, line) for t, line in list(self.lines) if fnmatch.fnmatch(line, pattern)), None)

    def wait_line(self, pattern, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := self.find(pattern):
                return found
            if self.child.poll() is not None:
                self.reader.join(2)
                if found := self.find(pattern):
                    return found
                break
            time.sleep(0.05)
        raise Failure(f"the guest did not say '{pattern}' within {seconds:.0f} s; it said:\n" +
                      "\n".join(line for _, line in self.lines[-25:]))

    def wait_end(self, seconds):
        """The exit status of the guest's job."""
        _, line = self.wait_line("sealcam-guest: exit *", seconds)
        try:
            self.child.wait(3)  # raspi3b cannot switch itself off
        except subprocess.TimeoutExpired:
            self.stop()
        return int(line.split()[-1])

    def stop(self):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        self.reader.join(2)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
