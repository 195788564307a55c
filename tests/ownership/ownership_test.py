#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ownership from the box to the next owner, with real processes and a real Mosquitto on loopback.

    ownership_test.py --build DIR CASE        household | revocation

household: two accounts, three cameras, three hubs: pair, link, watch, unlink, suspend, rename, privacy, reset, pair to
the other account; then what the previous owner's hub opens of every message ever published, and what of all that must
stay secret is found in the broker's memory, its file, and the messages.
revocation: a hub is removed again and again while it records everything at 30 pictures a second.
"""
import argparse
import json
import os
import pathlib
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from ownership.forensics import broker_memory, plant_and_find, search, secrets_of  # noqa: E402
from ownership.household import Household  # noqa: E402
from support.world import Failure, wait_for  # noqa: E402


def check(condition, text):
    if not condition:
        raise Failure(text)


class Steps:
    """Prints what was done and how long it took."""

    def __init__(self):
        self.begun = self.last = time.monotonic()

    def done(self, text):
        now = time.monotonic()
        print(f"{now - self.begun:6.1f} s  (+{now - self.last:4.1f})  {text}", flush=True)
        self.last = now


def household(w, steps):
    for account in ("ann", "bob"):
        w.account(account)
    w.start_broker()
    recorder = w.record_everything()
    cameras = [w.unpaired("camera", f"camera{n}", number=n) for n in (1, 2, 3)]
    hubs = [w.unpaired("hub", f"hub{n}") for n in (1, 2, 3)]
    steps.done("three cameras and three hubs out of the box")
    strings = [w.pairing_string(d) for d in cameras + hubs]
    (c1, c2, c3), (h1, h2, h3) = cameras, hubs
    for account, device, label in (("ann", h1, "Ann's kitchen display"), ("ann", h2, "Ann's old tablet"),
                                   ("ann", c1, "Ann's front door"), ("ann", c2, "Ann's garden"),
                                   ("bob", h3, "Bob's wall screen"), ("bob", c3, "Bob's garage")):
        w.pair(account, device, label)
    steps.done("all are paired")
    w.sees(h1, c1)
    w.sees(h1, c2)
    w.sees(h2, c1)
    w.sees(h3, c3)
    check(w.camera_at(h3, c1) is None, "another account's hub knows the camera")
    steps.done("each hub shows its account's cameras LIVE, and no other")

    w.owner("ann", "hub", "unlink", "Ann's old tablet", "--broker", w.folder / "broker")
    w.confirmed("ann", c1)
    w.blind(h2, c1)
    w.sees(h1, c1)
    steps.done("unlinked: that hub shows nothing more, the other goes on")

    w.owner("ann", "integration", "add", "Displays", "--hub", "Ann's kitchen display")
    w.confirmed("ann", c1)
    w.sees(h1, c1)
    w.owner("ann", "integration", "suspend", "Displays")
    w.confirmed("ann", c1)
    w.blind(h1, c1)
    steps.done("suspended")
    w.owner("ann", "integration", "resume", "Displays")
    w.confirmed("ann", c1)
    w.sees(h1, c1)
    steps.done("resumed")

    w.owner("ann", "camera", "rename", "Ann's front door", "Ann's back door")
    w.confirmed("ann", c1)
    wait_for("the hub knows the new name", lambda: (w.camera_at(h1, c1) or {}).get("name") == "Ann's back door", 10)
    steps.done("renamed")

    w.owner("ann", "camera", "privacy", "Ann's back door", "on")
    w.confirmed("ann", c1)
    wait_for("the hub says privacy", lambda: (w.camera_at(h1, c1) or {}).get("privacy") is True, 10)
    w.blind(h1, c1)
    w.owner("ann", "camera", "privacy", "Ann's back door", "off")
    w.confirmed("ann", c1)
    w.sees(h1, c1)
    steps.done("privacy on, and off again")

    secrets = secrets_of(w, strings, [c1, c2, c3], [h1, h2, h3])
    old_id = c2.id
    old_string = strings[1]
    w.owner("ann", "camera", "reset", "Ann's garden", "--yes")
    new_string = w.pairing_string(c2, before=old_string)
    check(old_id not in new_string, "the camera kept its identity over the reset")
    steps.done("reset: a new identity, unpaired")
    w.pair("bob", c2, "Bob's garden")
    w.sees(h3, c2)
    time.sleep(2)  # some of the new owner's pictures
    steps.done("paired to the other account, whose hub shows it")

    broker_file = w.folder / "broker" / "mosquitto.db"
    memory = broker_memory(w.broker.child.pid)
    w.broker.send(signal.SIGUSR1)  # writes its persistence file
    wait_for("the broker's file", broker_file.exists, 10)
    recorder.stop()
    for device in (h1, h2, h3):
        device.process.stop()
    mine = w.opened(h3.state, recorder.output)
    check(mine[c2.id]["frames"] > 0 and mine[c2.id]["opened"] == mine[c2.id]["frames"],
          f"control: the new owner's hub opens its camera's frames: {mine[c2.id]}")
    for hub in (h1, h2):
        theirs = w.opened(hub.state, recorder.output)
        check(theirs[c2.id]["opened"] == 0, f"{hub.name} opens the new owner's pictures: {theirs[c2.id]}")
        check(theirs[c3.id]["opened"] == 0, f"{hub.name} opens a stranger's pictures: {theirs[c3.id]}")
        check(theirs[c1.id]["opened"] > 0, f"control: {hub.name} opened its own account's pictures once")
    steps.done(f"the previous owner's hubs open 0 of {mine[c2.id]['frames']} frames, the new owner's all")

    for hub in (h1, h3):
        secrets.update(w.learned(hub.state, recorder.output))
    places = {"memory": memory, "file": broker_file.read_bytes(), "messages": recorder.output.read_bytes()}
    found = search(places, secrets)
    check(not found, "found at the broker: " + ", ".join(f"{what} in its {where}" for what, where in found))
    steps.done(f"of {len(secrets)} secrets none is in the broker's {len(memory) >> 20} MiB of memory, its file, or any message")
    missed = plant_and_find(w, secrets)
    check(not missed, "control: planted and not found: " + ", ".join(f"{what} in {where}" for what, where in missed))
    steps.done("control: each is found in all three once it was put there")


def revocation(w, steps):
    rounds = int(os.environ.get("SEALCAM_REVOCATION_ROUNDS", "20"))
    w.account("ann")
    w.start_broker()
    recorder = w.record_everything()
    camera = w.unpaired("camera", "camera1", number=1)
    stays, goes = w.unpaired("hub", "hub1"), w.unpaired("hub", "hub2")
    for device, label in ((stays, "Stays"), (goes, "Goes"), (camera, "Camera")):
        w.pair("ann", device, label)
    probe = w.watch(stays)  # somebody watches all the time
    w.sees(goes, camera)
    times = []
    for n in range(rounds):
        w.owner("ann", "hub", "deny", "Goes", "Camera")
        w.confirmed("ann", camera)
        time.sleep(0.5)
        begun = time.monotonic()
        w.owner("ann", "hub", "allow", "Goes", "Camera")
        w.confirmed("ann", camera)
        w.sees(goes, camera)
        times.append(time.monotonic() - begun)
    w.owner("ann", "hub", "deny", "Goes", "Camera")
    w.confirmed("ann", camera)
    time.sleep(1)
    steps.done(f"removed {rounds + 1} times, allowed again {rounds} times (longest {max(times):.1f} s until it shows again)")
    probe.stop()
    recorder.stop()
    goes.process.stop()
    stays.process.stop()
    removed = w.opened(goes.state, recorder.output)[camera.id]
    other = w.opened(stays.state, recorder.output)[camera.id]
    without = [version for version, count in removed["within"].items() if not count["granted"]]
    frames = sum(removed["within"][version]["frames"] for version in without)
    opened = sum(removed["within"][version]["opened"] for version in without)
    control = sum(other["within"][version]["opened"] for version in without)
    member = [count for count in removed["within"].values() if count["granted"]]
    before, sealed_before = (sum(count[what] for count in member) for what in ("opened", "frames"))
    steps.done(f"{len(without)} rosters without it: it opens {opened} of {frames} frames (the other hub {control}); "
               f"of those while it was a member {before} of {sealed_before}")
    check(len(without) >= rounds + 1, f"only {len(without)} rosters without the hub")
    check(frames > 0 and control == frames, "control: the hub that stayed opens all of them")
    check(opened == 0, "the removed hub opens frames")
    check(before == sealed_before > 0, "control: as a member it opens all")


CASES = {"household": household, "revocation": revocation}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("case", choices=CASES)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sealcam-ownership-") as folder, Household(options.build, folder) as world:
        try:
            CASES[options.case](world, Steps())
        except Failure as failure:
            print(f"FAILED: {failure}")
            for process in world.processes:
                print(f"--- {process.name}\n{process.tail(12)}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
