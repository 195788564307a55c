#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The life of devices from the first pairing to the next owner, with real processes and a real Mosquitto on loopback.

    ownership_test.py --build DIR CASE        household | revocation | broker | clocks | operator | lost

household: two accounts, three cameras and three hubs: pair, link, watch, unlink, suspend, rename, privacy, reset, pair with
the other account. Then the hubs of the previous owner try to open every published message, and all secrets are searched in
the broker's memory, in its file and in the messages.
revocation: a hub is removed repeatedly while a recorder stores all messages at 30 pictures a second.
broker: a malicious broker: another client identifier, deleted and old retained messages, withheld rosters; also a restore
from an old backup, and a power cut during a reset.
operator: the operator is on another machine; owner and operator exchange files.
lost: the broker lost its retained messages, or retains none.
clocks: the clock of camera, hub or owner is ten years early or late: pair, watch LIVE, revoke.
"""
import argparse
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[2] / folder) for folder in ("tests", "scripts")]
from ownership.forensics import SSID, WIFI, broker_memory, publish_and_find, search, secrets_of  # noqa: E402
from ownership.circumstances import TEN_YEARS, clocks, lost, operator  # noqa: E402
from ownership.household import Household, check  # noqa: E402
from support.world import Failure, wait_for  # noqa: E402


class Steps:
    """Prints the finished steps with their durations."""

    def __init__(self):
        self.begun = self.last = time.monotonic()

    def done(self, text):
        now = time.monotonic()
        print(f"{now - self.begun:6.1f} s  (+{now - self.last:4.1f})  {text}", flush=True)
        self.last = now


def household(w, steps):
    for account in ("ann", "bob"):
        w.account(account)
    w.start_broker(relay=True)
    recorder = w.record_everything()
    cameras = [w.unpaired("camera", f"camera{n}", number=n) for n in (1, 2, 3)]
    hubs = [w.unpaired("hub", f"hub{n}") for n in (1, 2, 3)]
    steps.done("three cameras and three hubs are unpaired")
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
    check(w.camera_at(h3, c1) is None, "a hub of another account lists the camera")
    steps.done("each hub shows only the cameras of its account LIVE")

    w.change("ann", "hub", "unlink", "Ann's old tablet", "--broker", w.folder / "broker")
    w.confirmed("ann", c1)
    w.blind(h2, c1)
    w.sees(h1, c1)
    steps.done("unlinked: that hub shows no new pictures, and the other one does")

    w.change("ann", "integration", "add", "Displays", "--hub", "Ann's kitchen display")
    w.confirmed("ann", c1)
    w.sees(h1, c1)
    w.change("ann", "integration", "suspend", "Displays")
    w.confirmed("ann", c1)
    w.blind(h1, c1)
    steps.done("suspended")
    w.change("ann", "integration", "resume", "Displays")
    w.confirmed("ann", c1)
    w.sees(h1, c1)
    steps.done("resumed")

    w.change("ann", "camera", "rename", "Ann's front door", "Ann's back door")
    w.confirmed("ann", c1)
    w.sees(h1, c1)  # the name arrives with the epoch, which counts after it is LIVE
    wait_for("the hub knows the new name", lambda: (w.camera_at(h1, c1) or {}).get("name") == "Ann's back door", 10)
    steps.done("renamed")

    w.change("ann", "camera", "privacy", "Ann's back door", "on")
    w.confirmed("ann", c1)
    shown = lambda: w.camera_at(h1, c1) or {}
    wait_for("a status with privacy, without a viewer", lambda: (shown().get("hint"), shown().get("privacy")) == ("privacy", False), 10)
    page = w.watch(h1)
    try:
        wait_for("the hub proves privacy for a viewer", lambda: (shown().get("reason"), shown().get("privacy")) == ("privacy", True), 10)
    finally:
        page.stop()
    w.blind(h1, c1)
    w.change("ann", "camera", "privacy", "Ann's back door", "off")
    w.confirmed("ann", c1)
    w.sees(h1, c1)
    steps.done("privacy on and off")

    passphrase = w.folder / "wifi-passphrase"
    passphrase.write_text(WIFI + "\n")
    w.change("ann", "camera", "wifi", "Ann's back door", "--ssid", SSID, "--password-file", passphrase)
    w.confirmed("ann", c1)
    steps.done("the camera applied the Wi-Fi network")

    secrets = secrets_of(w, strings, [c1, c2, c3], [h1, h2, h3])
    old_id = c2.id
    old_string = strings[1]
    w.change("ann", "camera", "reset", "Ann's garden", "--yes")
    new_string = w.pairing_string(c2, before=old_string)
    check(old_id not in new_string, "the camera kept its identity after the reset")
    steps.done("reset: a new identity, unpaired")
    w.pair("bob", c2, "Bob's garden")
    w.sees(h3, c2)
    time.sleep(2)  # for pictures of the new owner
    steps.done("paired to the other account, whose hub shows it")

    broker_file = w.folder / "broker" / "mosquitto.db"
    memory = broker_memory(w.broker.child.pid)
    w.broker.send(signal.SIGUSR1)  # writes its persistence file
    wait_for("the broker's file", broker_file.exists, 10)
    recorder.stop()
    for device in (h1, h2, h3):
        device.process.stop()
    own = w.opened(h3.state, recorder.output)
    check(own[c2.id]["frames"] > 0 and own[c2.id]["opened"] == own[c2.id]["frames"],
          f"control: the new owner's hub does not open all frames of its camera: {own[c2.id]}")
    for hub in (h1, h2):
        theirs = w.opened(hub.state, recorder.output)
        check(theirs[c2.id]["opened"] == 0, f"{hub.name} opens the new owner's pictures: {theirs[c2.id]}")
        check(theirs[c3.id]["opened"] == 0, f"{hub.name} opens pictures of another account: {theirs[c3.id]}")
        check(theirs[c1.id]["opened"] > 0, f"control: {hub.name} opens no pictures of its own account")
    steps.done(f"the hubs of the previous owner open 0 of {own[c2.id]['frames']} frames, and the new owner's hub opens all")

    for hub in (h1, h3):
        secrets.update(w.secrets_from(hub.state, recorder.output))
    places = {"memory": memory, "file": broker_file.read_bytes(), "messages": recorder.output.read_bytes()}
    found = search(places, secrets)
    check(not found, "found at the broker: " + ", ".join(f"{what} in its {where}" for what, where in found))
    steps.done(f"none of {len(secrets)} secrets is in the broker's {len(memory) >> 20} MiB of memory, its file or the messages")
    missed = publish_and_find(w, secrets)
    check(not missed, "control: published secrets that were not found: " + ", ".join(f"{what} in {where}" for what, where in missed))
    steps.done("control: the search finds each secret that was published")


def two_hubs(w):
    """Pairs a camera, a hub that stays, and a hub that goes. Returns the recorder of all messages and the three devices."""
    w.account("ann")
    w.start_broker(relay=True)
    recorder = w.record_everything()
    camera = w.unpaired("camera", "camera1", number=1)
    stays, goes = w.unpaired("hub", "hub1"), w.unpaired("hub", "hub2")
    for device, label in ((stays, "Stays"), (goes, "Goes"), (camera, "Camera")):
        w.pair("ann", device, label)
    return recorder, camera, stays, goes


def revocation(w, steps):
    rounds = int(os.environ.get("SEALCAM_REVOCATION_ROUNDS", "20"))
    recorder, camera, stays, goes = two_hubs(w)
    probe = w.watch(stays)  # one hub watches all the time
    w.sees(goes, camera)
    times = []
    for n in range(rounds):
        w.change("ann", "hub", "deny", "Goes", "Camera")
        w.confirmed("ann", camera)
        time.sleep(0.5)
        begun = time.monotonic()
        w.change("ann", "hub", "allow", "Goes", "Camera")
        w.confirmed("ann", camera)
        w.sees(goes, camera)
        times.append(time.monotonic() - begun)
    w.change("ann", "hub", "deny", "Goes", "Camera")
    w.confirmed("ann", camera)
    time.sleep(1)
    steps.done(f"removed {rounds + 1} times, allowed again {rounds} times (at most {max(times):.1f} s until it shows pictures again)")
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
    steps.done(f"{len(without)} rosters without the hub: it opens {opened} of {frames} frames (the other hub {control}); "
               f"with the hub on the roster, it opens {before} of {sealed_before}")
    check(len(without) >= rounds + 1, f"only {len(without)} rosters without the hub")
    check(frames > 0 and control == frames, "control: the other hub does not open all frames")
    check(opened == 0, "the removed hub opens frames")
    check(before == sealed_before > 0, "control: the hub does not open all frames while it is on the roster")


def power_fails_at_reset(w, hub, recorder):
    camera = w.unpaired("camera", "camera2", number=2)
    w.pair("ann", camera, "Garage")
    w.sees(hub, camera)
    string = camera.id
    camera.process.send(signal.SIGSTOP)
    argv = [str(a) for a in (*w.owners("ann"), "camera", "reset", "Garage", "--yes", "--wait", "6")]
    command = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    topic = f"sealcam/1/{camera.account}/{camera.id}/command"
    wait_for("the command is published", lambda: any(t == topic for t, _ in w.messages(recorder.output)), 20)
    camera.process.kill()
    out = command.communicate(timeout=60)[0]
    check(command.returncode == os.EX_TEMPFAIL, f"the command reports a reset, but the camera was killed before: {out}")
    camera.process.start()
    w.pairing_string(camera, before=string)
    wait_for("another identity", lambda: string not in camera.pairing_file.read_text(), 10, camera.process)
    w.owner("ann", "sync", "--timeout", "3", check=False)
    check(w.camera_in_list("ann", camera) is None, "the camera published its deregistration notice, but the account still has it")
    camera.process.stop()


def broker(w, steps):
    recorder, camera, stays, goes = two_hubs(w)
    w.sees(goes, camera)
    secret = w.folder / "passphrase"
    secret.write_text("a long enough passphrase\n")
    w.owner("ann", "account", "backup", w.folder / "backup", "--passphrase-file", secret)
    steps.done("paired, both hubs watch, a backup is made")

    before = w.status_now(camera)
    answer = w.masquerade(goes, camera)
    check(answer["publish"] >= 0x80, f"the broker let a hub write a camera's grants: {answer}")
    check(w.masquerade(goes, goes)["publish"] >= 0x80 and answer["connect"] == 0, f"the hub's own connection: {answer}")
    after = w.status_now(camera)
    # The camera publishes its grants again after each connect.
    check(before["connected"] and after["connected"] and after["grants"] == before["grants"],
          "a device with the camera's client identifier disconnected the camera")
    w.sees(stays, camera)
    steps.done("another client identifier: the permissions do not change, and the camera stays connected")

    here = f"sealcam/1/{camera.account}/{camera.id}"
    old = {leaf: next(payload for topic, payload in w.messages(recorder.output) if topic == f"{here}/{leaf}" and payload)
           for leaf in ("roster", "grants")}
    w.publish([(f"{here}/{leaf}", b"") for leaf in ("roster", "command", "grants", "status", "still")]).stop()
    time.sleep(1)
    check(w.status_now(camera)["rosters"] == before["rosters"], "the camera applied a deleted roster")
    w.sees(stays, camera)
    camera.process.kill()
    camera.process.start()
    w.sees(stays, camera)
    steps.done("retained messages deleted: the camera keeps its roster, also after a restart")

    w.change("ann", "hub", "deny", "Goes", "Camera")
    w.confirmed("ann", camera)
    version = w.roster_version(camera)
    w.blind(goes, camera)
    w.publish([(f"{here}/{leaf}", payload) for leaf, payload in old.items()]).stop()
    wait_for("the camera rejects the old roster", lambda: camera.status()["rosters_rejected"] > 0, 10)
    check(w.roster_version(camera) == version, "the camera went back to an old roster")
    w.blind(goes, camera)
    w.sees(stays, camera)
    steps.done("old roster with the removed hub: the camera rejects it, and the hub gets no pictures")

    w.change("ann", "hub", "allow", "Goes", "Camera")
    w.confirmed("ann", camera)
    w.sees(goes, camera)
    before = w.roster_version(camera)
    with w.withheld(camera, "roster"):
        check(not w.change("ann", "hub", "deny", "Goes", "Camera", "--wait", "2"), "a withheld roster counts as applied")
        entry = w.camera_in_list("ann", camera)
        check(entry["pending"], f"a withheld roster is not pending: {entry}")
        check(w.roster_version(camera) == before, "the camera uses a withheld roster")
        for later in (600, TEN_YEARS):  # by the owner's clock
            w.owners_clock = later
            check(w.owner_fails("ann", "sync", "--timeout", "1")[0] == os.EX_TEMPFAIL, "sync succeeds without a confirmation")
            check(w.camera_in_list("ann", camera)["pending"], f"the roster is not pending after {later} s")
            hub = next(h for h in w.owner_json("ann", "hub", "list") if h["name"] == "Goes")
            check(hub["why_pending"], f"after {later} s, the list does not show that the hub may still watch")
        w.owners_clock = 0
    w.confirmed("ann", camera)
    w.blind(goes, camera)
    steps.done("withheld roster: pending after ten minutes and ten years, and applied after the broker delivered it")

    power_fails_at_reset(w, stays, recorder)
    steps.done("power cut during a reset: pending, and completed after the restart")

    version = w.roster_version(camera)
    w.owner("ann2", "account", "restore", w.folder / "backup", "--passphrase-file", secret)
    w.accounts["ann2"] = w.accounts["ann"]
    code, text = w.owner_fails("ann2", "hub", "deny", "Stays", "Camera")
    check("sync" in text, f"a restored account can be changed before the resynchronization: {code} {text}")
    w.confirmed("ann2", camera, 30)
    check(w.roster_version(camera) >= version, "the camera's roster version decreased")
    check(len(w.owner_json("ann2", "camera", "list")) == 1, "a camera that was reset after the backup is in the account again")
    w.blind(goes, camera)
    w.sees(stays, camera)
    w.change("ann2", "hub", "deny", "Stays", "Camera")
    w.confirmed("ann2", camera)
    check(w.roster_version(camera) > version, "the change after the restore has no newer version")
    w.blind(stays, camera)
    steps.done("restored from a backup before the removal: the removed hub stays removed, and versions increase")


CASES = {"operator": operator, "clocks": clocks, "lost": lost, "household": household, "revocation": revocation, "broker": broker}


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
                if not process.name.startswith("probe"):
                    print(f"--- {process.name}\n{process.tail(12)}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
