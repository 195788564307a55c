# SPDX-License-Identifier: Apache-2.0
"""Runs scripts/flash with loop devices as SD cards.

The tests need root and loop devices, and are skipped without them. The build root has neither /sys nor devices; there a test
starts itself again in a mount namespace with both.
"""
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

import tiny_image

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "scripts"))

MIB = 1 << 20
CARD = 24 * MIB
PASSPHRASE = "correct horse battery"
OWN_MOUNTS = """mount -t devtmpfs devtmpfs /dev && mkdir -p /dev/pts && mount -t devpts devpts /dev/pts && mkdir -p /sys &&
  mount -t sysfs sysfs /sys && exec "$@" """


def run(*command, **more):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, check=True, timeout=60, **more).stdout.strip()


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


class Card:
    """A loop device over a file that is filled with old data."""

    def __init__(self, folder, *options, size=CARD, sparse=False):
        self.file = pathlib.Path(folder) / f"card-{time.monotonic_ns()}"
        with open(self.file, "wb") as file:
            file.truncate(size)
            if not sparse:
                file.seek(0)
                for _ in range(size // MIB):
                    file.write(b"\xa5" * MIB)
        self.device = run("losetup", "--find", "--show", *options, self.file)
        # The kernel removes a detached device when the last descriptor is closed, also if this test is killed.
        self.held = os.open(self.device, os.O_RDONLY | os.O_CLOEXEC)
        run("losetup", "--detach", self.device)

    def detach(self):
        if self.held is not None:
            os.close(self.held)
        self.held = None

    def start(self):
        return self.file.read_bytes()[:512]


class LoopCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="sealcam-flash-")))
        cls.image = tiny_image.make(cls.folder / "card.img")
        cls.packed = tiny_image.pack(cls.image)

    def setUp(self):
        self.addCleanup(self.check_cleanup)

    def check_cleanup(self):
        """Waits until the kernel removes the loop devices. A parallel test that lists all disks may still use one."""
        def files():
            return run("losetup", "--list", "--noheadings", "--output", "BACK-FILE")
        until = time.monotonic() + 10
        while str(self.folder) in files() and time.monotonic() < until:
            time.sleep(0.02)
        self.assertNotIn(str(self.folder), files(), "a loop device still exists")

    def card(self, *options, folder=None, **more):
        card = Card(folder or self.folder, *options, **more)
        self.addCleanup(card.detach)
        return card

    def flash(self, *arguments, stdin="", path=None):
        environment = os.environ | ({"PATH": path} if path else {})
        return subprocess.run([TOP / "scripts/flash", *map(str, arguments)], input=stdin, capture_output=True, text=True,
                              timeout=120, env=environment)

    def written(self, card, *arguments, image=None, **more):
        done = self.flash(image or self.image, card.device, "--yes", *arguments, **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def partitioned(self):
        """Returns a written card with devices for its partitions. Uses partx if the kernel does not read the MBR."""
        card = self.card("--partscan")
        self.written(card)
        if not os.path.exists(f"{card.device}p1"):
            run("partx", "--add", card.device)
        return card

    def rejected(self, code, message, card, *arguments, image=None, device=None):
        """scripts/flash prints the message, and the card is unchanged."""
        before = digest(card.file)
        done = self.flash(image or self.image, device or card.device, "--yes", *arguments)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(message, done.stderr)
        self.assertTrue(done.stderr.splitlines()[-1].startswith("error: "), done.stderr)
        self.assertEqual(digest(card.file), before, "the card was changed")


def reasons_to_skip():
    if lacking := tiny_image.missing_tools():
        return f"missing tools: {', '.join(lacking)}"
    if os.geteuid() != 0:
        return "loop devices need root"
    if not os.path.exists("/dev/loop-control") or not os.path.isdir("/sys/block"):
        return "this machine has no loop devices"
    with tempfile.TemporaryDirectory(prefix="sealcam-flash-") as folder:
        try:
            Card(folder).detach()
        except subprocess.CalledProcessError as error:
            return f"cannot create a loop device: {error.stderr.strip()}"
    return None


def with_own_mounts():
    """Starts the test again in a mount namespace with devices and /sys, which the build root does not have."""
    if os.geteuid() == 0 and not os.path.exists("/dev/loop-control") and "SEALCAM_OWN_MOUNTS" not in os.environ:
        os.environ["SEALCAM_OWN_MOUNTS"] = "1"
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", OWN_MOUNTS + '|| { echo "SKIPPED: cannot mount /dev and /sys"; exit 77; }', "sh",
                   sys.executable, "-B", *sys.argv]
        done = subprocess.run(command, check=False)
        sys.exit(done.returncode)


def main():
    """Exits with 77 (skipped) without loop devices, or if all selected tests were skipped."""
    with_own_mounts()
    if reason := reasons_to_skip():
        print(f"SKIPPED: {reason}")
        sys.exit(77)
    result = unittest.main(verbosity=2, exit=False).result
    if result.skipped and len(result.skipped) == result.testsRun:
        print(f"SKIPPED: {result.skipped[0][1]}")
        sys.exit(77)
    sys.exit(not result.wasSuccessful())
