#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the boot selection of card images with folders instead of a card, and interrupts it at each write. Runs the script of U-Boot
with a shell that has U-Boot's commands."""
import itertools
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "scripts"))
import image_update  # noqa: E402

SCRIPT = TOP / "board/common/image/root/usr/lib/sealcam/boot-selection"
WRITERS = ("dd", "mv", "rm", "cp", "mkdir")
# A power failure before or after one call of a program that writes: the script is killed.
WRAPPER = """#!/bin/sh
read -r number <"{folder}/calls"
number=$((number + 1))
echo "$number" >"{folder}/calls"
if [ "$number:$MOMENT" = "$CRASH:before" ]; then kill -9 "$PPID"; exit 1; fi
{tool} "$@"
code=$?
if [ "$number:$MOMENT" = "$CRASH:after" ]; then kill -9 "$PPID"; fi
exit "$code"
"""


class Board:
    """The card and the running slot of a board."""

    def __init__(self, folder, board="raspberrypi", permanent="a", running="a"):
        self.folder = pathlib.Path(folder)
        for name in ("card", "contents", "bin"):
            (self.folder / name).mkdir()
        text = (TOP / "board" / board / "image/autoboot.txt").read_text()
        self.contents = {slot: image_update.autoboot(text, slot) for slot in "ab"}
        for slot, content in self.contents.items():
            (self.folder / f"contents/autoboot-{slot}.txt").write_bytes(content)
        self.autoboot = self.folder / "card/autoboot.txt"
        self.autoboot.write_bytes(self.contents[permanent])
        self.running, self.script = running, SCRIPT
        for tool in WRITERS:
            path = self.folder / "bin" / tool
            path.write_text(WRAPPER.format(folder=self.folder, tool=shutil.which(tool)))
            path.chmod(0o755)

    def start(self, *arguments, crash=0, moment="before"):
        (self.folder / "calls").write_text("0\n")
        (self.folder / "command-line").write_text(f"quiet sealcam.root=5 rauc.slot={self.running} sealcam.report\n")
        environment = os.environ | {"PATH": f"{self.folder}/bin:{os.environ['PATH']}", "SEALCAM_CARD": f"{self.folder}/card",
                                    "SEALCAM_AUTOBOOT": f"{self.folder}/contents", "SEALCAM_COMMAND_LINE": f"{self.folder}/command-line",
                                    "CRASH": str(crash), "MOMENT": moment}
        return subprocess.run([self.script, *arguments], capture_output=True, text=True, env=environment, timeout=60)

    def calls(self):
        return int((self.folder / "calls").read_text())

    def run(self, *arguments):
        done = self.start(*arguments)
        if done.returncode != 0:
            raise AssertionError(f"{arguments}: {done.stderr}")
        return done.stdout.strip()

    def check(self):
        """Checks what has to be true at each moment. Returns the slot of an ordinary start."""
        content = self.autoboot.read_bytes()
        slot = next((slot for slot, expected in self.contents.items() if content == expected), None)
        assert slot, f"autoboot.txt is neither that of slot a nor that of slot b: {content!r}"
        assert self.run("get-primary") == slot
        assert {s: self.run("get-state", s) for s in "ab"} == {s: "good" if s == slot else "bad" for s in "ab"}
        return slot


class Case(unittest.TestCase):
    def board(self, *arguments, **options):
        folder = tempfile.TemporaryDirectory(prefix="sealcam-updates-")
        self.addCleanup(folder.cleanup)
        return Board(folder.name, *arguments, **options)


class Selection(Case):
    def test_an_update_becomes_permanent_when_its_slot_is_good(self):
        for name in ("raspberrypi", "qemu-virt"):
            board = self.board(name)
            for old, new in (("a", "b"), ("b", "a")):
                self.assertEqual(board.run("get-current"), old)
                board.run("set-state", new, "bad")  # RAUC calls this before it writes
                board.run("set-primary", new)
                self.assertEqual(board.check(), old)
                board.running = new
                self.assertEqual((board.run("get-current"), board.check()), (new, old))
                board.run("set-state", new, "good")
                self.assertEqual(board.check(), new)

    def test_a_new_slot_that_fails_leaves_the_previous_slot(self):
        board = self.board(running="b")
        board.run("set-state", "b", "bad")
        self.assertEqual(board.check(), "a")

    def test_only_the_running_slot_becomes_good(self):
        board = self.board()
        done = board.start("set-state", "b", "good")
        self.assertEqual((done.returncode, board.check()), (1, "a"))
        self.assertIn("slot b does not run", done.stderr)

    def test_nothing_replaces_the_slot_of_an_ordinary_start_before_another_is_good(self):
        """RAUC regards slot a as the target, because slot b runs. A failed installation would leave no slot that starts."""
        board = self.board(running="b")
        done = board.start("set-state", "a", "bad")
        self.assertEqual((done.returncode, board.check()), (1, "a"))
        self.assertIn("an ordinary start uses slot a", done.stderr)
        board.run("set-state", "b", "good")
        board.run("set-state", "a", "bad")  # control

    def test_autoboot_is_one_sector_and_is_written_in_place(self):
        board = self.board(running="b")
        file = board.autoboot.stat().st_ino
        board.run("set-state", "b", "good")
        self.assertEqual((board.autoboot.stat().st_size, board.autoboot.stat().st_ino, board.calls()), (512, file, 1))
        board.run("set-state", "b", "good")
        self.assertEqual(board.calls(), 0)  # the second call writes nothing

    def test_an_autoboot_of_another_size_is_not_changed(self):
        for content in (b"[all]\nboot_partition=2\n", b"boot_partition=2\n" + b"\n" * 600):
            board = self.board(running="b")
            board.autoboot.write_bytes(content)
            done = board.start("set-state", "b", "good")
            self.assertEqual((done.returncode, board.autoboot.read_bytes()), (1, content))
            self.assertIn(f"has {len(content)} bytes instead of 512", done.stderr)

    def test_without_a_valid_answer_every_command_fails(self):
        commands = (("get-primary",), ("set-primary", "b"), ("set-state", "b", "good"), ("set-state", "a", "bad"), ("get-state", "a"))
        for content in (None, b"", b"boot_partition=7\nboot_partition=2\n", b"[all]\n"):
            board = self.board(running="b")
            board.autoboot.unlink()
            if content is not None:
                board.autoboot.write_bytes(content)
            for command in commands:
                done = board.start(*command)
                self.assertEqual((done.returncode, board.calls()), (1, 0), command)
                self.assertIn("write the card again", done.stderr)
        board = self.board(running="c")
        for command in commands:
            done = board.start(*command)
            self.assertEqual((done.returncode, board.calls()), (1, 0), command)
            self.assertIn("names no rauc.slot", done.stderr)

    def test_wrong_arguments(self):
        board = self.board()
        for arguments in ((), ("get",), ("set-primary",), ("set-primary", "c"), ("set-state", "a"), ("set-state", "a", "maybe"), ("get-state", "../x")):
            done = board.start(*arguments)
            self.assertEqual((done.returncode, board.calls()), (1, 0), arguments)
            self.assertRegex(done.stderr, "^boot-selection: unknown ")


class PowerFailures(Case):
    """Each command is interrupted before and after each of its writes."""
    COMMANDS = ("set-state a good", "set-state b good", "set-state a bad", "set-state b bad", "set-primary a", "set-primary b")

    def moments(self, script=SCRIPT):
        """Runs each command in each situation, and again with a power failure at each moment. Returns the number of moments."""
        count = 0
        for permanent, running, command in itertools.product("ab", "ab", self.COMMANDS):
            board = self.board(permanent=permanent, running=running)
            board.script = script
            board.start(*command.split())
            calls, after = board.calls(), board.check()
            for crash, moment in itertools.product(range(1, calls + 1), ("before", "after")):
                board.autoboot.write_bytes(board.contents[permanent])
                done = board.start(*command.split(), crash=crash, moment=moment)
                self.assertEqual(done.returncode, -signal.SIGKILL)
                self.assertEqual(board.check(), permanent if moment == "before" else after)
                board.run(*command.split())  # the command can be repeated
                self.assertEqual(board.check(), after)
                count += 1
        return count

    def test_each_moment_leaves_a_valid_choice_and_the_command_can_be_repeated(self):
        self.assertEqual(self.moments(), 4)  # two commands write once: 'good' of each running slot that is not the permanent one

    def test_control_a_file_that_is_created_anew_is_found(self):
        """The same check fails if the file is deleted and then written."""
        text = SCRIPT.read_text()
        wrong = self.board().folder / "wrong"
        wrong.write_text(text.replace('  dd if=', '  rm "$card/autoboot.txt"\n  dd if=', 1))
        wrong.chmod(0o755)
        with self.assertRaises(FileNotFoundError):
            self.moments(wrong)


# The commands of U-Boot that boot.cmd uses. $1 is the folder with the files of partition 1.
U_BOOT = """card=$1 devtype=virtio devnum=0 loadaddr=0 fdtcontroladdr=0 kernel_addr_r=0 ramdisk_addr_r=0
setenv() { eval "$1=\\$2"; }
load() { [ "$2" = 0:1 ] && filesize=$(cat "$card/$4" | wc -c) && loaded=$card/$4; }
env() { shift 4; for name in "$@"; do value=$(sed -n "s/^$name=//p" "$loaded"); [ -z "$value" ] || setenv "$name" "$value"; done; }
test() { [ -e "$card/$4" ]; }
fatrm() { $DELETE "$card/$3"; }
sleep() { :; }
reset() { exit 0; }
"""


class BootScript(unittest.TestCase):
    """boot.cmd of qemu-virt."""

    TEXT = (TOP / "board/qemu-virt/image/boot.cmd").read_text()

    def start(self, slot, tryboot, delete="rm", text=TEXT):
        """Returns (boot partition, whether the file tryboot is left)."""
        with tempfile.TemporaryDirectory(prefix="sealcam-updates-") as folder:
            folder = pathlib.Path(folder)
            content = image_update.autoboot((TOP / "board/qemu-virt/image/autoboot.txt").read_text(), slot)
            (folder / "autoboot.txt").write_bytes(content)
            if tryboot:
                (folder / "tryboot").touch()
            done = subprocess.run(["sh", "-c", U_BOOT + text, "sh", folder], capture_output=True, text=True, timeout=60, env=os.environ | {"DELETE": delete})
            found = re.search(r"^sealcam: starting from partition (\d)$", done.stdout, re.M)
            self.assertTrue(found, done)
            return int(found[1]), (folder / "tryboot").exists()

    def test_the_file_tryboot_selects_the_other_partition_once(self):
        for slot, own, other in (("a", 2, 3), ("b", 3, 2)):
            self.assertEqual(self.start(slot, False), (own, False))
            self.assertEqual(self.start(slot, True), (other, False))

    def test_a_file_tryboot_that_cannot_be_deleted_selects_nothing(self):
        for slot, own in (("a", 2), ("b", 3)):
            self.assertEqual(self.start(slot, True, delete="false"), (own, True))

    def test_control_without_the_result_of_fatrm_each_start_is_a_try(self):
        text = re.sub(r"if (fatrm .*); then\n", r"\1\nif true; then\n", self.TEXT)
        self.assertEqual(self.start("a", True, "false", text), (3, True))


class Contents(unittest.TestCase):
    def test_the_files_of_both_slots(self):
        for board, lines in (("raspberrypi", ["[all]", "tryboot_a_b=1", "boot_partition={}", "[tryboot]", "boot_partition={}"]),
                             ("qemu-virt", ["boot_partition={}", "tryboot_partition={}"])):
            text = (TOP / "board" / board / "image/autoboot.txt").read_text()
            for slot, numbers in (("a", "23"), ("b", "32")):
                content = image_update.autoboot(text, slot)
                self.assertEqual(len(content), 512)
                left = iter(numbers)
                self.assertEqual(content.decode().split(), [line.format(next(left)) if "{}" in line else line for line in lines])

    def test_a_text_larger_than_a_sector(self):
        with self.assertRaisesRegex(image_update.Failure, "513 bytes; 512 are possible"):
            image_update.autoboot("#" * 513, "a")


if __name__ == "__main__":
    unittest.main()
