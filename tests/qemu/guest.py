# SPDX-License-Identifier: Apache-2.0
"""Builds a guest from unpacked arm64 packages and boots it in QEMU. The guest has a kernel, modules, Sealcam's programs with
their libraries, and a job. The host runs no program of the packages."""
import fnmatch
import gzip
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time

from support.world import TOP, Failure

sys.path.insert(0, str(TOP / "scripts"))
from initramfs import Archive, Kernel  # noqa: E402,F401

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


def libraries(programs, sysroot, more=(), objdump="aarch64-linux-gnu-objdump"):
    """Returns {name in the guest: path} of the shared libraries that `programs` need. `more`: additional folders."""
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
        """`programs`: paths of ARM programs and modules for /usr/bin. `job`: an Archive with the files of /job. `services`:
        programs from the guest's packages, {path in the guest: path}."""
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
    """A running guest. Its console is written to a file."""

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
        """Returns the seconds since the start and the first matching line, or None."""
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
        raise Failure(f"the guest did not print '{pattern}' within {seconds:.0f} s; its last lines:\n" +
                      "\n".join(line for _, line in self.lines[-25:]))

    def wait_end(self, seconds):
        """Returns the exit status of the guest's job."""
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
