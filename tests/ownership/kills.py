#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Power fails at any moment of owning a camera: the real camera, or the owner's command, is killed (SIGKILL) at random
moments of its first start, of pairing over the network, of changes of roster, name, privacy and epoch, and of resets.

    kills.py --build DIR [--rounds N] [--seed N]

After each kill the camera is started again and must be what it was before or what it was to become, never between:
its files, who is granted its pictures, whether it belongs to somebody. Then the change is carried to its end, and a hub
shows the camera LIVE. Somebody with operator's rights records every message: at the end no epoch's number and no SFrame
counter was used twice.
"""
import argparse
import collections
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from ownership.household import Household, check  # noqa: E402
from ownership.key_use import KeyUse, controls  # noqa: E402
from support.world import Failure, read_json, wait_for  # noqa: E402

PATIENCE = 60  # seconds; a machine that is busy with other things
LEFT_BY_RESET = {"lock", "keys", "tls.key", "tls.csr", "device.card", "board"}
# What one life of a camera is made of; each is a round.
LIFE = ("first start", "pairing", "epoch", "roster", "command", "roster", "command", "epoch", "reset")


class Kills:
    def __init__(self, world, seed):
        self.w, self.random = world, random.Random(seed)
        self.took = {}  # kind -> seconds of one that nobody disturbed
        self.ended = collections.defaultdict(collections.Counter)  # kind -> {"old": n, "new": n}
        self.rosters = set()  # that ever lay in the camera's folder
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

    def command(self, *words):
        """The owner's command, started."""
        return subprocess.Popen([str(a) for a in (self.w.program("sealcam"), "--account", self.w.folder / "ann", *words)],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def local(self, *words):
        return subprocess.Popen([str(a) for a in (self.w.program("sealcam-camera"), "--state", self.state, *words)],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def shown(self):
        """The pairing string that the camera shows now."""
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
        """By the camera's log since its start."""
        with self.camera.process.log.open("rb") as log:
            log.seek(self.log_before)
            return b" is open\n" in log.read()

    def comes_back(self):
        """Started, and either waits for an owner ("nobody") or has an open epoch ("owned")."""
        self.start()

        def look():
            if self.shown():
                return "nobody"
            return "owned" if self.epoch_is_open() else None

        found = wait_for("the camera comes back", look, PATIENCE, self.camera.process)
        return found

    def live(self):
        """The hub shows new pictures of it, LIVE."""
        def count():
            return (self.w.camera_at(self.hub, self.camera) or {}).get("shown", {}).get("live", 0)

        before = count()
        wait_for("the hub shows the camera LIVE", lambda: count() > before, PATIENCE, self.probe)

    def confirmed(self):
        self.w.confirmed("ann", self.camera, PATIENCE)

    # -- killing ------------------------------------------------------------------------------------------------

    def strike(self, kind, *children):
        """At a random moment from now on, one of these dies; `children` end then by themselves. Seconds until
        nothing of them runs any more, when nobody is killed."""
        if not self.killing:
            return
        time.sleep(self.random.uniform(0, 1.3 * self.took[kind]))
        victim = self.random.choice([self.camera.process, *children])
        victim.kill()
        for child in children:
            child.communicate(timeout=PATIENCE)
        # Whoever was not hit dies now, or next time: what is judged is the files of a dead camera.
        self.camera.process.kill()
        if self.file("roster"):
            self.rosters.add(self.file("roster"))

    def undisturbed(self, kind, begun):
        if not self.killing:
            self.took[kind] = max(self.took.get(kind, 0), time.monotonic() - begun)

    def became(self, kind, new):
        if self.killing:
            self.ended[kind]["new" if new else "old"] += 1

    # -- rounds -------------------------------------------------------------------------------------------------

    def first_start(self):
        """Only just reset, or never started: an empty folder becomes a camera."""
        self.camera.process.kill()
        done = self.local("reset", "--yes")
        done.communicate(timeout=PATIENCE)
        self.start()
        begun = time.monotonic()
        self.strike("first start")
        if not self.killing:
            wait_for("a pairing string", self.shown, PATIENCE, self.camera.process)
            return self.undisturbed("first start", begun)
        said, made = self.shown(), (self.file("device.card") or b"")
        self.became("first start", said is not None)
        check(self.comes_back() == "nobody", "a camera that was never paired belongs to somebody")
        if said:
            check(self.shown().split(":")[2] == said.split(":")[2], "the camera showed its id and then made other keys")
            check(self.file("device.card") == made, "the camera's card is another")
        check(self.file("unfinished") is None, "the first start is not finished")

    def pairing(self):
        string = self.shown()
        identity = string.split(":")[2]
        self.camera.id = identity
        self.ids.add(identity)
        words = ("camera", "pair", "--name", "Camera", "--broker", self.w.folder / "broker")
        command, begun = self.command(*words, string), time.monotonic()
        self.strike("pairing", command)
        if self.killing:
            owned = self.file("enrolment.json") is not None
            check(not owned or self.file("roster"), "the camera is somebody's, without a roster")
            self.became("pairing", owned)
            check(self.comes_back() == ("owned" if owned else "nobody"), "enrolled and not owned, or the other way")
            if not owned:
                check(self.shown().split(":")[2] == identity, "the camera's identity changed")
                command = self.command(*words, self.shown())
        out = command.communicate(timeout=PATIENCE)[0]
        if not self.killing or not owned:
            check(command.returncode == 0, f"pairing failed: {out}")
        self.confirmed()
        self.undisturbed("pairing", begun)
        self.denied, self.name = False, "Camera"
        self.live()

    def roster(self):
        before = self.file("roster")
        self.denied = not self.denied
        words = ("hub", "deny" if self.denied else "allow", "Second", self.camera.id, "--wait", "0")
        command, begun = self.command(*words), time.monotonic()
        self.strike("roster", command)
        if self.killing:
            self.became("roster", self.file("roster") != before)
            check(self.comes_back() == "owned", "a camera lost its owner over a roster")
            command = self.command(*words)  # the owner's command may have died
        out = command.communicate(timeout=PATIENCE)[0]
        check(command.returncode in (0, os.EX_TEMPFAIL), f"{words}: {out}")
        self.confirmed()
        self.undisturbed("roster", begun)
        self.rosters.add(self.file("roster"))
        self.live()

    def command_round(self):
        """A new name, or privacy on, which is taken back without a kill."""
        self.commands += 1
        rename = self.commands % 2 == 0
        if rename:
            self.name = f"Camera {self.commands}"
        words = ("rename", self.camera.id, self.name) if rename else ("privacy", self.camera.id, "on")
        before = self.file("command-seq")
        command, begun = self.command("camera", *words, "--wait", "0"), time.monotonic()
        self.strike("command", command)
        if self.killing:
            self.became("command", self.file("command-seq") != before)
            check(self.comes_back() == "owned", "a camera lost its owner over a command")
            command = self.command("camera", *words, "--wait", "0")  # the owner's command may have died
        out = command.communicate(timeout=PATIENCE)[0]
        check(command.returncode in (0, os.EX_TEMPFAIL), f"{words}: {out}")
        self.confirmed()
        self.undisturbed("command", begun)
        if rename:
            named = read_json(self.state / "enrolment.json")["name"]
            check(named == self.name, f"confirmed, and called {named}")
            return self.live()
        check(self.file("privacy") == b"on\n", "confirmed, and the sensor is open")
        self.command("camera", "privacy", self.camera.id, "off", "--wait", "0").communicate(timeout=PATIENCE)
        self.confirmed()
        check(self.file("privacy") == b"off\n", "confirmed, and the sensor is closed")
        self.live()

    def epoch(self):
        self.camera.process.kill()
        before = self.file("epoch")
        self.start()
        begun = time.monotonic()
        self.strike("epoch")
        if not self.killing:
            wait_for("an epoch", self.epoch_is_open, PATIENCE, self.camera.process)
            return self.undisturbed("epoch", begun)
        self.became("epoch", self.file("epoch") != before)
        check(self.comes_back() == "owned", "a camera lost its owner over an epoch")
        self.live()

    def carry_reset_on(self, identity):
        """The owner's command may have died before or after it stored what it wants; the camera may have it or not."""
        record = next((c for c in self.w.ask("ann", "camera", "list") if c["id"] == identity), None)
        check(record, "the account lost a camera that is not reset")
        words = ("sync", "--timeout", "2") if "reset" in record["command"] else ("camera", "reset", identity, "--yes", "--wait", "0")
        command = self.command(*words)
        out = command.communicate(timeout=PATIENCE)[0]
        check(command.returncode in (0, os.EX_TEMPFAIL), f"{words}: {out}")

    def reset(self):
        """By the owner from afar, or by whoever stands in front of it."""
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
            owned = self.file("enrolment.json") is not None and not (self.state / "resetting").exists()
            back = self.comes_back()
            # One that has the owner's command, or gets it now, is reset by it.
            check(back == "nobody" or owned, "a reset camera is somebody's")
            self.became("reset", not owned)
            if back == "owned" and afar:
                self.carry_reset_on(identity)
            elif back == "owned":
                self.live()
                self.camera.process.kill()
                self.local("reset", "--yes").communicate(timeout=PATIENCE)
                self.start()
        else:
            command.communicate(timeout=PATIENCE)
        wait_for("a reset camera shows its new pairing string", lambda: self.shown() and identity not in self.shown(),
                 PATIENCE, self.camera.process)
        self.undisturbed("reset", begun)
        left = {path.name for path in self.state.iterdir()} - LEFT_BY_RESET
        check(not left, f"a reset left {sorted(left)}")
        check(self.shown().split(":")[2] not in self.ids, "a reset camera has an identity that it had before")
        self.w.owner("ann", "camera", "remove", identity, "--forget", "--wait", "0", check=False)
        check(not self.w.ask("ann", "camera", "list"), "the account still has the camera that is gone")

    ROUNDS = {"first start": first_start, "pairing": pairing, "roster": roster, "command": command_round,
              "epoch": epoch, "reset": reset}

    def life(self, rounds, say):
        for kind in LIFE[:rounds]:
            begun = time.monotonic()
            self.ROUNDS[kind](self)
            say(kind, time.monotonic() - begun)

    # -- the end ------------------------------------------------------------------------------------------------

    def damaged_is_seen(self):
        """Control: a camera whose roster is written by half does not come back, and this test says so."""
        if self.file("roster") is None:
            self.pairing()
        self.camera.process.kill()
        whole = self.file("roster")
        (self.state / "roster").write_bytes(whole[:-1])
        try:
            self.comes_back()
        except Failure:
            (self.state / "roster").write_bytes(whole)
            return
        raise Failure("control: half a roster is taken for a whole one")

    def judge(self):
        self.probe.stop()
        self.recorder.stop()
        marks = {mark for camera in (read_json(self.probe.result) or {}).get("cameras", {}).values() for mark in camera["marks"]}
        check(marks == {"1"}, f"pictures with other marks: {sorted(marks)}")
        messages = self.w.messages(self.recorder.output)
        missed = controls(messages, self.rosters)
        check(not missed, f"control: planted and not found: {missed}")
        use = KeyUse(messages, self.rosters)
        check(not use.faults, "; ".join(use.faults[:5]))
        return use


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("SEALCAM_KILL_ROUNDS", "500")))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEALCAM_KILL_SEED", "0")) or time.time_ns() % 2**31)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    begun, done = time.monotonic(), 0

    def say(kind, seconds):
        nonlocal done
        if kills.killing:
            done += 1
            print(f"{time.monotonic() - begun:7.1f} s  round {done}: {kind}, {seconds:.1f} s", flush=True)

    with tempfile.TemporaryDirectory(prefix="sealcam-kills-") as folder, Household(options.build, folder) as world:
        kills = Kills(world, options.seed)
        try:
            kills.set_up()
            kills.life(len(LIFE), say)  # nobody is killed: how long things take
            kills.killing = True
            while done < options.rounds:
                kills.life(options.rounds - done, say)
            kills.killing = False
            kills.damaged_is_seen()
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
          f"{len(use.frames)} SFrame counters: none used twice; {len(use.rosters)} rosters, each granted to its hubs alone")
    return 0


if __name__ == "__main__":
    sys.exit(main())
