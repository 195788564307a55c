#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Power cuts at random moments: SIGKILL ends the real camera or the owner's command during the first start, the pairing,
changes of roster, name, privacy and epoch, and resets.

    kills.py --build DIR [--rounds N] [--seed N]

After each kill the camera starts again. It must have the old state or the new one: files, granted hubs, and owner. Then
the change is completed, and a hub shows the camera LIVE. A recorder with the rights of the operator records every message.
At the end, no epoch number and no SFrame counter may have been used twice.
"""
import collections
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[2] / folder) for folder in ("tests", "scripts")]
from ownership.household import Household, check, random_rounds  # noqa: E402
from ownership.key_use import KeyUse, controls  # noqa: E402
from support.world import Failure, read_json, wait_for  # noqa: E402

TIMEOUT = 60  # seconds; long enough for a busy machine
LEFT_BY_RESET = {"lock", "keys", "tls.key", "tls.csr", "device.descriptor", "board"}
# The rounds of one life of a camera.
LIFE = ("first start", "pairing", "epoch", "roster", "command", "roster", "command", "epoch", "reset")


class Kills:
    def __init__(self, world, seed):
        self.w, self.random = world, random.Random(seed)
        self.took = {}  # kind -> seconds without a kill
        self.ended = collections.defaultdict(collections.Counter)  # kind -> {"old": n, "new": n}
        self.rosters = set()  # all rosters that were in the camera's folder
        self.ids = set()
        self.denied, self.commands, self.name = False, 0, "Camera"
        self.killing = False

    # -- the world ----------------------------------------------------------------------------------------------

    def set_up(self):
        w = self.w
        w.account("ann")
        w.start_broker(relay=True)
        self.recorder = w.record_everything()
        self.hub = w.unpaired("hub", "hub1")
        w.pair("ann", self.hub, "Screen")
        self.second = w.folder / "second"
        w.run(w.program("sealcam-hub"), "--state", self.second, "keys")
        w.owner("ann", "hub", "enroll", self.second, "--name", "Second", "--broker", w.folder / "broker")
        self.camera = w.unpaired("camera", "camera1", number=1)
        self.camera.account, self.camera.label = w.accounts["ann"], "Camera"
        self.probe = w.watch(self.hub)

    @property
    def state(self):
        return self.camera.state

    def file(self, name):
        try:
            return (self.state / name).read_bytes()
        except FileNotFoundError:
            return None

    def roster_path(self):
        """The path of the camera's roster, rosters/<account>/<camera>; None before the first roster."""
        return next(iter(self.state.glob("rosters/*/" + "?" * 32)), None)

    def stored_roster(self):
        path = self.roster_path()
        return path.read_bytes() if path else None

    def command(self, *arguments):
        """Starts a command of the owner."""
        return subprocess.Popen([str(a) for a in (self.w.program("sealcam"), "--account", self.w.folder / "ann", *arguments)],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def local(self, *arguments):
        return subprocess.Popen([str(a) for a in (self.w.program("sealcam-camera"), "--state", self.state, *arguments)],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def shown(self):
        """The pairing string that the camera shows, if it is unpaired."""
        try:
            text = self.camera.pairing_file.read_text().strip()
        except OSError:
            return None
        return text if text.startswith("sealcam:1:") else None

    def start(self):
        self.camera.pairing_file.unlink(missing_ok=True)
        self.log_before = self.camera.process.log.stat().st_size
        self.camera.process.start()

    def epoch_is_open(self):
        """Whether the camera opened an epoch, by its log since the start."""
        with self.camera.process.log.open("rb") as log:
            log.seek(self.log_before)
            return b" is open\n" in log.read()

    def comes_back(self):
        """Starts the camera and waits. Returns "unpaired" if it shows a pairing string, "owned" if it opened an epoch."""
        self.start()

        def look():
            if self.shown():
                return "unpaired"
            return "owned" if self.epoch_is_open() else None

        found = wait_for("the camera comes back", look, TIMEOUT, self.camera.process)
        return found

    def live(self):
        """Waits until the hub shows new LIVE pictures of the camera."""
        def count():
            return (self.w.camera_at(self.hub, self.camera) or {}).get("shown", {}).get("live", 0)

        before = count()
        wait_for("the hub shows the camera LIVE", lambda: count() > before, TIMEOUT, self.probe)

    def confirmed(self):
        self.w.confirmed("ann", self.camera, TIMEOUT)

    # -- killing ------------------------------------------------------------------------------------------------

    def strike(self, kind, *children):
        """Kills the camera or one of the children at a random moment, if killing is enabled. The other children end by
        themselves. Afterwards the camera is stopped in any case."""
        if not self.killing:
            return
        time.sleep(self.random.uniform(0, 1.3 * self.took[kind]))
        victim = self.random.choice([self.camera.process, *children])
        victim.kill()
        for child in children:
            child.communicate(timeout=TIMEOUT)
        # The files are checked while the camera is stopped.
        self.camera.process.kill()
        if self.stored_roster():
            self.rosters.add(self.stored_roster())

    def undisturbed(self, kind, begun):
        if not self.killing:
            self.took[kind] = max(self.took.get(kind, 0), time.monotonic() - begun)

    def became(self, kind, new):
        if self.killing:
            self.ended[kind]["new" if new else "old"] += 1

    # -- rounds -------------------------------------------------------------------------------------------------

    def first_start(self):
        """The first start after a reset makes a new identity."""
        self.camera.process.kill()
        done = self.local("reset", "--yes")
        done.communicate(timeout=TIMEOUT)
        self.start()
        begun = time.monotonic()
        self.strike("first start")
        if not self.killing:
            wait_for("a pairing string", self.shown, TIMEOUT, self.camera.process)
            return self.undisturbed("first start", begun)
        string, descriptor = self.shown(), (self.file("device.descriptor") or b"")
        self.became("first start", string is not None)
        check(self.comes_back() == "unpaired", "a camera that was never paired has an owner")
        if string:
            check(self.shown().split(":")[2] == string.split(":")[2], "the camera made other keys after it showed its id")
            check(self.file("device.descriptor") == descriptor, "the camera's descriptor changed")
        check(self.file("unfinished") is None, "the first start is not finished")

    def pairing(self):
        string = self.shown()
        identity = string.split(":")[2]
        self.camera.id = identity
        self.ids.add(identity)
        arguments = ("camera", "pair", "--name", "Camera", "--broker", self.w.folder / "broker")
        command, begun = self.command(*arguments, string), time.monotonic()
        self.strike("pairing", command)
        if self.killing:
            owned = self.file("enrollment.json") is not None
            check(not owned or self.stored_roster(), "the camera has an owner, but no roster")
            self.became("pairing", owned)
            check(self.comes_back() == ("owned" if owned else "unpaired"), "the camera's state does not match its enrollment")
            if not owned:
                check(self.shown().split(":")[2] == identity, "the camera's identity changed")
                command = self.command(*arguments, self.shown())
        out = command.communicate(timeout=TIMEOUT)[0]
        if not self.killing or not owned:
            check(command.returncode == 0, f"pairing failed: {out}")
        self.confirmed()
        self.undisturbed("pairing", begun)
        self.denied, self.name = False, "Camera"
        self.live()

    def roster(self):
        before = self.stored_roster()
        self.denied = not self.denied
        arguments = ("hub", "deny" if self.denied else "allow", "Second", self.camera.id, "--wait", "0")
        command, begun = self.command(*arguments), time.monotonic()
        self.strike("roster", command)
        if self.killing:
            self.became("roster", self.stored_roster() != before)
            check(self.comes_back() == "owned", "a camera lost its owner during a change of its roster")
            command = self.command(*arguments)  # the owner's command may have died
        out = command.communicate(timeout=TIMEOUT)[0]
        check(command.returncode in (0, os.EX_TEMPFAIL), f"{arguments}: {out}")
        self.confirmed()
        self.undisturbed("roster", begun)
        self.rosters.add(self.stored_roster())
        self.live()

    def command_round(self):
        """A new name, or privacy on. Privacy is switched off again without a kill."""
        self.commands += 1
        rename = self.commands % 2 == 0
        if rename:
            self.name = f"Camera {self.commands}"
        arguments = ("rename", self.camera.id, self.name) if rename else ("privacy", self.camera.id, "on")
        before = self.file("command-seq")
        command, begun = self.command("camera", *arguments, "--wait", "0"), time.monotonic()
        self.strike("command", command)
        if self.killing:
            self.became("command", self.file("command-seq") != before)
            check(self.comes_back() == "owned", "a camera lost its owner during a command")
            command = self.command("camera", *arguments, "--wait", "0")  # the owner's command may have died
        out = command.communicate(timeout=TIMEOUT)[0]
        check(command.returncode in (0, os.EX_TEMPFAIL), f"{arguments}: {out}")
        self.confirmed()
        self.undisturbed("command", begun)
        if rename:
            named = read_json(self.state / "enrollment.json")["name"]
            check(named == self.name, f"the camera confirmed a new name, but it is still {named}")
            return self.live()
        check(self.file("privacy") == b"on\n", "the camera confirmed privacy on, but it is off")
        self.command("camera", "privacy", self.camera.id, "off", "--wait", "0").communicate(timeout=TIMEOUT)
        self.confirmed()
        check(self.file("privacy") == b"off\n", "the camera confirmed privacy off, but it is on")
        self.live()

    def epoch(self):
        self.camera.process.kill()
        before = self.file("epoch")
        self.start()
        begun = time.monotonic()
        self.strike("epoch")
        if not self.killing:
            wait_for("an epoch", self.epoch_is_open, TIMEOUT, self.camera.process)
            return self.undisturbed("epoch", begun)
        self.became("epoch", self.file("epoch") != before)
        check(self.comes_back() == "owned", "a camera lost its owner during a start")
        self.live()

    def continue_reset(self, identity):
        """Continues an interrupted reset. The owner's command may or may not have stored it."""
        record = next((c for c in self.w.owner_json("ann", "camera", "list") if c["id"] == identity), None)
        check(record, "the account deleted a camera that is not reset")
        arguments = ("sync", "--timeout", "2") if "reset" in record["command"] else ("camera", "reset", identity, "--yes", "--wait", "0")
        command = self.command(*arguments)
        out = command.communicate(timeout=TIMEOUT)[0]
        check(command.returncode in (0, os.EX_TEMPFAIL), f"{arguments}: {out}")

    def reset(self):
        """By a command of the owner, or on the camera itself."""
        identity = self.camera.id
        afar = self.random.random() < 0.5 if self.killing else True
        if afar:
            command = self.command("camera", "reset", identity, "--yes", "--wait", "0")
        else:
            self.camera.process.kill()
            command = self.local("reset", "--yes")
        begun = time.monotonic()
        self.strike("reset", command)
        if self.killing:
            owned = self.file("enrollment.json") is not None and not (self.state / "resetting").exists()
            back = self.comes_back()
            # If the camera receives the owner's command after its start, it is reset then.
            check(back == "unpaired" or owned, "a reset camera has an owner")
            self.became("reset", not owned)
            if back == "owned" and afar:
                self.continue_reset(identity)
            elif back == "owned":
                self.live()
                self.camera.process.kill()
                self.local("reset", "--yes").communicate(timeout=TIMEOUT)
                self.start()
        else:
            command.communicate(timeout=TIMEOUT)
        wait_for("a reset camera shows its new pairing string", lambda: self.shown() and identity not in self.shown(),
                 TIMEOUT, self.camera.process)
        self.undisturbed("reset", begun)
        left = {path.name for path in self.state.iterdir()} - LEFT_BY_RESET
        check(not left, f"a reset left {sorted(left)}")
        check(self.shown().split(":")[2] not in self.ids, "a reset camera reused an identity")
        self.w.owner("ann", "camera", "remove", identity, "--forget", "--wait", "0", check=False)
        check(not self.w.owner_json("ann", "camera", "list"), "the removed camera is still in the account")

    ROUNDS = {"first start": first_start, "pairing": pairing, "roster": roster, "command": command_round,
              "epoch": epoch, "reset": reset}

    def life(self, rounds, report):
        for kind in LIFE[:rounds]:
            begun = time.monotonic()
            self.ROUNDS[kind](self)
            report(kind, time.monotonic() - begun)

    # -- the end ------------------------------------------------------------------------------------------------

    def damage_is_found(self):
        """Control: this test fails if the camera's roster is truncated."""
        if self.stored_roster() is None:
            self.pairing()
        self.camera.process.kill()
        path, whole = self.roster_path(), self.stored_roster()
        path.write_bytes(whole[:-1])
        try:
            self.comes_back()
        except Failure:
            path.write_bytes(whole)
            return
        raise Failure("control: the camera accepts a truncated roster")

    def judge(self):
        self.probe.stop()
        self.recorder.stop()
        marks = {mark for camera in (read_json(self.probe.result) or {}).get("cameras", {}).values() for mark in camera["marks"]}
        check(marks == {"1"}, f"pictures with other marks: {sorted(marks)}")
        messages = self.w.messages(self.recorder.output)
        missed = controls(messages, self.rosters)
        check(not missed, f"control: faults that were not found: {missed}")
        use = KeyUse(messages, self.rosters)
        check(not use.faults, "; ".join(use.faults[:5]))
        return use


def main():
    options = random_rounds(__doc__, "SEALCAM_KILL_ROUNDS", 500)
    begun, done = time.monotonic(), 0

    def report(kind, seconds):
        nonlocal done
        if kills.killing:
            done += 1
            print(f"{time.monotonic() - begun:7.1f} s  round {done}: {kind}, {seconds:.1f} s", flush=True)

    with tempfile.TemporaryDirectory(prefix="sealcam-kills-") as folder, Household(options.build, folder) as world:
        kills = Kills(world, options.seed)
        try:
            kills.set_up()
            kills.life(len(LIFE), report)  # without kills, to measure the durations
            kills.killing = True
            while done < options.rounds:
                kills.life(options.rounds - done, report)
            kills.killing = False
            kills.damage_is_found()
            use = kills.judge()
        except (Failure, subprocess.TimeoutExpired) as failure:
            print(f"FAILED in round {done + 1} (seed {options.seed}): {failure}")
            for process in (kills.camera.process, world.broker):
                print(f"--- {process.name}\n{process.tail(25)}")
            return 1
    for kind, ended in kills.ended.items():
        print(f"{kind}: {sum(ended.values())} kills, {ended['old']} left the old state, {ended['new']} the new one; "
              f"at 0 to {1.3 * kills.took[kind] * 1000:.0f} ms")
    print(f"{done} rounds in {time.monotonic() - begun:.0f} s; {len(use.cameras)} identities, {len(use.epochs)} epochs, "
          f"{len(use.frames)} SFrame counters: none used twice; {len(use.rosters)} rosters, each granted to its own hubs only")
    return 0


if __name__ == "__main__":
    sys.exit(main())
