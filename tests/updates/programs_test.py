#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sealcam-update with real cameras, broker and hub, on boards whose RAUC and restarts this test plays, with shifted clocks.

    ./scripts/sdk run python3 tests/updates/programs_test.py --build build/dev

Four cameras get a release: one has privacy on, one is unpaired, one is recorded day and night, and one has no broker for a day, twice: before
its night, and from the moment at which the new version starts. All of them must install it in the end. Only the last one may return to the
old version, once, with the broker as its reason. The test takes 20 min or more, because the updater observes its camera every 10 s of real
time.
"""
import argparse
import concurrent.futures
import fcntl
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / name) for name in (".", "ownership")]
from cluster import in_namespace  # noqa: E402
from household import Failure, Household, check, read_json, wait_for  # noqa: E402
from support.program_test import RecordingHub  # noqa: E402

OLD, NEW, HASH = "0.1.0", "0.2.0", "5" * 64
OBSERVATION = 11  # seconds; the updater makes a step every 10 s
EVENING = 1_800_057_600 + 90 * 60  # 01:30 UTC, half an hour before the night
BROKER_IS_MISSING = "the broker does not acknowledge the camera's grants"


def play(program, arguments, folder):
    """rauc and systemctl of a board."""
    board = json.loads((folder / "board.json").read_text())
    if program == "systemctl":
        if "reboot" in arguments:
            board["restart"] = "b" if "--reboot-argument=0 tryboot" in arguments else board["selected"]
    elif arguments[0] == "info":
        print(json.dumps({"manifest-hash": HASH, "update": {"compatible": "sealcam-test", "version": NEW}, "bundle": {"format": "verity"}, "images": [],
                          "meta": {"sealcam": {"version": NEW, "minimum-version": OLD, "share": "100"}}}))
    elif arguments[0] == "install":
        board |= {"hash": HASH, "installs": board["installs"] + 1}
    elif "mark-good" in arguments:
        board["selected"] = board["running"]
    else:
        slots = [{f"root.{slot}": {"class": "root", "bootname": slot, "boot_status": "good" if slot == board["selected"] else "bad",
                                   "slot_status": {"bundle": {"compatible": "x", "hash": board["hash"] if slot == "b" else ""}}}} for slot in "ab"]
        print(json.dumps({"compatible": "x", "booted": board["running"], "boot_primary": "root.0", "slots": slots}))
    store(folder / "board.json", board)


def store(file, content):
    """The test and the programs of its boards read the file at any time."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(content))
    new.rename(file)


class Board:
    """Starts a camera and the updater of the running slot again and again. `camera`: of Household.unpaired()."""

    def __init__(self, world, camera):
        self.world, self.camera, self.starts = world, camera, 0
        self.folder = world.folder / f"{camera.name}.board"
        programs = self.folder / "bin"
        programs.mkdir(parents=True)
        for name in ("rauc", "systemctl"):
            (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -B "{pathlib.Path(__file__).resolve()}" --play {name} "{self.folder}" "$@"\n')
            (programs / name).chmod(0o755)
        store(self.folder / "board.json", {"running": "a", "selected": "a", "hash": "", "installs": 0, "restart": ""})
        self.clock = self.folder / "clock"
        self.passed, self.shift = 0, EVENING - int(time.time())
        self.advance(0)
        camera.process.argv += ["--update-status", str(self.folder / "status.json")]
        self.start("a")

    def board(self):
        return json.loads((self.folder / "board.json").read_text())

    def status(self):
        return read_json(self.folder / "status.json") or {}

    def last(self):
        return self.status().get("last", {})

    def state(self):
        return read_json(self.folder / "update/state.json") or {}

    def advance(self, seconds):
        self.passed += seconds
        # The processes have mapped the file, so it must never be empty.
        with self.clock.open("r+b" if self.clock.exists() else "wb") as out:
            out.write(struct.pack("=qq", self.passed * 10**9, (self.shift + self.passed) * 10**9))

    def start(self, slot):
        self.starts += 1
        store(self.folder / "board.json", self.board() | {"running": slot, "restart": ""})
        store(self.folder / "settings.json", {"channel": "https://updates.example/x.raucb", "board": "test", "version": NEW if slot == "b" else OLD})
        (self.folder / "line").write_text(f"quiet rauc.slot={slot}\n")
        self.camera.process.start()
        settings = {"settings": "settings.json", "own-settings": "none.json", "state": "update", "status": "status.json", "request": "request.json", "data": ""}
        options = [word for name, file in settings.items() for word in (f"--{name}", self.folder / file)]
        self.updater = self.world.spawn(
            f"{self.camera.name}.updater", "unshare", "--mount", "sh", "-c", 'mount --bind "$0" /proc/cmdline && exec "$@"', self.folder / "line", "env",
            f"LD_PRELOAD={self.world.program('sealcam-shifted-clock.so')}", f"SEALCAM_CLOCK_FILE={self.clock}",
            f"PATH={self.folder / 'bin'}:{os.environ['PATH']}", self.world.program("sealcam-update"), *options,
            "--camera-state", self.camera.state, "--camera-status", self.camera.status_file, "run")

    def stop(self):
        self.updater.stop()
        self.camera.process.stop()

    def observe(self, seconds):
        """The time passes, and the updater makes a step. A restart of the board takes a minute."""
        self.advance(seconds)
        time.sleep(OBSERVATION)
        slot = self.board()["restart"]
        if not slot:
            check(self.updater.alive, f"{self.camera.name}: the updater ended:\n{self.updater.tail()}")
            return
        self.stop()
        self.advance(60)
        self.start(slot)

    def run(self, what, condition, seconds, hours):
        """Lets `seconds` pass between two observations, until the condition is true. `hours`: limit of the board's time."""
        end = self.passed + hours * 3600
        while not condition():
            check(self.passed < end, f"{self.camera.name}: {what} is not true after {hours} h:\n{self.status()}\n{self.updater.tail()}")
            check(not self.last() or self.last()["result"] == "installed" or self.last()["reason"] == BROKER_IS_MISSING, f"{self.camera.name}: {self.last()}")
            self.observe(seconds)

    def ends(self):
        """The new version must be selected. Returns a line for people."""
        self.run("installed", lambda: self.last().get("result") == "installed", 60, 48)
        check(self.board()["selected"] == "b" and self.status()["version"] == NEW, f"{self.camera.name}: {self.board()} {self.status()}")
        return f"{self.camera.name}: installed after {self.passed / 3600:.1f} h, {self.starts} starts, {self.board()['installs']} installations"

    def update(self):
        self.run("installed or in its trial", lambda: self.board()["running"] == "b", 300, 48)
        line = self.ends()
        check(self.starts == 2, f"{self.camera.name} returned: {line}")
        return line


def without_broker(board):
    world = board.world
    board.run("it worked with the broker", lambda: board.state().get("worked", {}).get("broker"), 30, 1)
    world.broker.stop()
    begun = board.passed
    board.run("a day without the broker", lambda: board.passed - begun >= 23 * 3600, 3600, 30)
    check(board.board()["installs"] == 0, f"{board.camera.name} installed the release without its broker")
    world.broker.start()
    wait_for("the camera is connected again", lambda: board.camera.status().get("epoch_open"), 120)
    board.run("in its trial", lambda: board.board()["running"] == "b", 300, 48)
    world.broker.stop()
    board.run("rolled back", lambda: board.last().get("result") == "rolled_back", 300, 3)
    check(board.board()["selected"] == "a" and board.last()["reason"] == BROKER_IS_MISSING, f"{board.board()} {board.last()}")
    world.broker.start()
    board.run("in its trial again", lambda: board.board()["running"] == "b", 1800, 72)
    return board.ends() + "; returned once, with its reason"


def scene(build, folder):
    """Returns worlds, boards and what happens to them."""
    home, away = Household(build, folder / "home"), Household(build, folder / "away")
    for world in (home, away):
        world.account("a")
        world.start_broker()
    recorder = RecordingHub(home, mode="continuous")
    home.start(recorder.device)
    cameras = {name: home.unpaired("camera", name, number) for number, name in enumerate(("privacy", "unpaired", "recorded"))}
    cameras["no-broker"] = away.unpaired("camera", "no-broker")
    for name, world in (("privacy", home), ("recorded", home), ("no-broker", away)):
        world.pair("a", cameras[name], name)
    check(home.change("a", "camera", "privacy", "privacy", "on"), "the camera did not confirm privacy")
    for camera in cameras.values():
        camera.process.stop()
    # The updater looks for a socket that listens on the usual port.
    argv = cameras["unpaired"].process.argv
    argv[argv.index("127.0.0.1:0")] = "127.0.0.1:8421"
    boards = [Board(away if name == "no-broker" else home, camera) for name, camera in cameras.items()]
    return (home, away), boards, recorder


def run(build, folder):
    worlds, boards, recorder = scene(build, folder)
    try:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            found = [pool.submit(without_broker if board.camera.name == "no-broker" else Board.update, board) for board in boards]
            for line in concurrent.futures.as_completed(found):
                print(line.result(), flush=True)
        check((boards[0].camera.state / "privacy").read_text() == "on\n", "privacy is off")
        files = len(recorder.files())
        check(files > 0, "the hub recorded nothing")
        print(f"recorded: {files} files, {len(recorder.verify()['faults'])} faults", flush=True)
    finally:
        for board in boards:
            board.stop()
        for world in worlds:
            world.close()


def main():
    if sys.argv[1:2] == ["--play"]:
        play(sys.argv[2], sys.argv[4:], pathlib.Path(sys.argv[3]))
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    options = parser.parse_args()
    if not in_namespace():
        print("SKIPPED: this machine permits no namespaces")
        return 77
    with socket.socket() as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: up, running (netdevice(7))
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    # systemd-timesyncd makes this file when it has set the clock.
    pathlib.Path("/run/systemd/timesync").mkdir(parents=True)
    pathlib.Path("/run/systemd/timesync/synchronized").touch()
    with tempfile.TemporaryDirectory(prefix="sealcam-programs-") as folder:
        run(pathlib.Path(options.build).resolve(), pathlib.Path(folder))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, OSError, ValueError, subprocess.SubprocessError) as failure:
        sys.exit(f"error: {failure}")
