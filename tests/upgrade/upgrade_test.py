#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The programs continue with the state of an earlier version: account, broker, camera, hub and recordings. Afterwards the earlier version could
continue with what they wrote, because a trial of an update may return to it.

    upgrade_test.py --build DIR [--earlier DIR]

data/state-<commit>.tar.xz is the state, which make_state.py made with the programs of this commit. The test compares the files with the rules
by which the programs of the commit read them. --earlier, or SEALCAM_EARLIER_BUILD, is a build folder of the commit: the test then runs these
programs on the files, and the new ones again.
"""
import json
import os
import pathlib
import re
import sqlite3
import sys
import tarfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from program_test import expect, require, run_test  # noqa: E402
from support.world import Device, Process, free_port, read_json, wait_for  # noqa: E402

STATE = pathlib.Path(__file__).resolve().parent / "data/state-6e96347.tar.xz"
FRAMES = 40  # in the recordings of the state
# What the programs of the commit read. They reject other members of these files, and ignore other files.
MEMBERS = {
    "a/account.json": """version account broker resync cameras hubs integrations backup backup/made backup/content index index/version index/published
        cameras/id cameras/name cameras/identity cameras/hpke cameras/roster cameras/published cameras/confirmed cameras/contradicted
        cameras/not_stored cameras/out_of_sync cameras/removed cameras/gone cameras/wifi_fault cameras/command cameras/command/newest
        cameras/command/published cameras/command/applied cameras/command/name cameras/command/name/since cameras/command/name/value
        cameras/command/privacy cameras/command/privacy/since cameras/command/privacy/value cameras/command/settings
        cameras/command/settings/since cameras/command/settings/bitrate cameras/command/settings/width cameras/command/settings/height
        cameras/command/settings/rate cameras/command/settings/masks cameras/command/settings/motion cameras/command/settings/zones
        cameras/command/wifi cameras/command/wifi/since cameras/command/wifi/ssid cameras/command/wifi/lost cameras/command/reset
        cameras/command/reset/since hubs/id hubs/name hubs/identity hubs/hpke hubs/this_machine hubs/phone hubs/unfinished hubs/integration
        hubs/denied hubs/may_switch_privacy hubs/unlinked hubs/index hubs/index/version hubs/index/published integrations/label
        integrations/name integrations/suspended""",
    "a-camera/settings.json": "version bitrate width height rate masks motion zones",
    "a-hub/access.json": "version tokens tokens/name tokens/rights tokens/hash tokens/created tokens/used tokens/browser",
}
PATTERNS = {
    "a-camera/command-seq": rb"[a-z2-7]{32} [0-9]+ [0-9]+\n",  # without a command that is not applied
    "a-camera/epoch": rb"[0-9]+\n",
    "a-camera/privacy": rb"(on|off)\n",
    "a-camera/prekeys": rb"SCK1.*",
    "a-hub/epochs": rb"([a-z2-7]{32} [0-9]+\n)*",
    "a-hub/own-prekeys": rb"([0-9]+ [0-9]+\n)*",
    "a-hub/request-seq": rb"SCQ1.{8}",
}
INDEX_VERSION = 3  # of recordings.db; with another one, the programs read all recordings again


def unpack(world):
    world.port = free_port()
    with tarfile.open(STATE) as archive:
        archive.extractall(world.folder, filter="data")
    now = time.time()
    for path in world.folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            # Only files with text contain these words.
            if b"FOLDER" in data or b"PORT" in data:
                path.write_bytes(data.replace(b"FOLDER", str(world.folder).encode()).replace(b"PORT", str(world.port).encode()))
            os.utime(path, (now, now))  # a camera deletes kept frames after nine days
    for private in ("a", "a-camera", "a-hub", "broker"):
        (world.folder / private).chmod(0o700)
    world.accounts["a"] = read_json(world.folder / "a/account.json")["account"]


def devices(world, name):
    """A camera and a hub with the programs of world.build. Each run has its own logs."""
    status = world.folder / "a-camera.status"
    status.unlink(missing_ok=True)
    argv = [world.program("sealcam-camera"), "--state", world.folder / "a-camera", "--config", world.folder / "a-camera.json", "--status", status]
    camera = Device(f"camera-{name}", None, world.accounts["a"], world.folder / "a-camera",
                    Process(f"camera-{name}", argv, world.logs / f"camera-{name}.log"), status)
    hub = world.hub("a", f"hub-{name}", state=world.folder / "a-hub")
    hub.process.argv += ["--config", str(world.folder / "hub.json")]
    return camera, hub


def verify(world, hub):
    return json.loads(world.run(world.program("sealcam-hub"), "--state", hub.state, "--config", world.folder / "hub.json", "recordings", "verify",
                                "--json", check=False))


def reserved(world):
    """The epoch counter that the camera reserved last, and the number of the newest command."""
    account = read_json(world.folder / "a/account.json")
    return int((world.folder / "a-camera/epoch").read_text()), account["cameras"][0]["command"]["newest"]


def live(probe):
    return (read_json(probe.result) or {}).get("live", 0)


def use(world, name, decide):
    """Runs all programs on the state: pictures, recordings, commands, and with `decide` a decision about updates."""
    before = verify(world, world.hub("a", "hub", state=world.folder / "a-hub"))
    expect(not before["faults"], f"verify: {before['faults']}")
    epoch, command = reserved(world)
    world.start_broker()
    camera, hub = devices(world, name)
    world.start(hub)
    world.start(camera)
    probe = world.probe(f"probe-{name}", hub)
    wait_for("live pictures", lambda: live(probe) > 10, 60, camera.process)
    if name == "new":
        # Commit 6e96347 does not record up to which epoch it kept frames, so a version that keeps none may have run since.
        expect(not list((world.folder / "a-camera/past").glob("kept-*/*/*.past")), "the frames that this earlier version kept are deleted")
    listed = json.loads(world.owner("a", "sync", "--json")) and json.loads(world.owner("a", "camera", "list", "--json"))
    expect([c["name"] for c in listed] == ["Front door"] and not listed[0]["pending"], f"{name}: the account is confirmed: {listed}")
    for arguments in (["privacy", "Front door", "on"], ["privacy", "Front door", "off"], ["settings", "Front door", "--motion", "40"]):
        world.owner("a", "camera", *arguments, "--wait", "30")
    if decide:
        world.owner("a", "camera", "update", "Front door", "--reject", "9.9.9", "--wait", "30")
    shown = live(probe)
    wait_for("live pictures after privacy", lambda: live(probe) > shown + 5, 60, camera.process)
    for process in (probe, camera.process, hub.process, world.broker):
        process.stop()
    after = verify(world, hub)
    expect(not after["faults"] and after["frames"] > before["frames"], f"{name}: recordings before {before}, after {after}")
    now = reserved(world)
    expect(now[0] > epoch and now[1] > command, f"{name}: counters before {epoch}, {command}, after {now}")
    return listed[0], before, after


def members(value, at=""):
    """The names of all members, as "cameras/id". Elements of lists have the name of the list."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"{at}{key}"
            yield from members(item, f"{at}{key}/")
    if isinstance(value, list):
        for item in value:
            yield from members(item, at)


def unreadable(folder):
    """Yields what the programs of the commit would not read."""
    for name, known in MEMBERS.items():
        content = read_json(folder / name)
        if content is None or content.get("version") != 1:
            yield f"{name} is not JSON of version 1"
        elif unknown := set(members(content)) - set(known.split()):
            yield f"{name} has members that the earlier version rejects: {', '.join(sorted(unknown))}"
    for name in ("a", "a/hub", "a-camera", "a-hub"):
        with tarfile.open(STATE) as archive:
            known = set(members(json.loads(archive.extractfile(f"{name}/enrollment.json").read().replace(b"PORT", b"1"))))
        if unknown := set(members(read_json(folder / name / "enrollment.json"))) - known:
            yield f"{name}/enrollment.json has members that the earlier version rejects: {', '.join(sorted(unknown))}"
    for name, pattern in PATTERNS.items():
        if not re.fullmatch(pattern, (folder / name).read_bytes(), re.S):
            yield f"{name} has another form"
    version, = sqlite3.connect(folder / "a-hub/recordings.db").execute("PRAGMA user_version").fetchone()
    if version != INDEX_VERSION:
        yield f"recordings.db has version {version}"


def run(world, options):
    unpack(world)
    require(not list(unreadable(world.folder)), "the rules accept the state of the earlier version")
    camera, before, after = use(world, "new", decide=True)
    require(before["frames"] == FRAMES, f"the recordings of the earlier version are complete: {before['frames']} frames")
    require(camera["software"]["version"] != "", f"camera, hub and owner continue with the state: version {camera['software']['version']} reported")
    found = list(unreadable(world.folder))
    require(not found, f"the earlier version can read the new state: {'; '.join(found) or 'all rules hold'}")
    decisions = world.folder / "a/updates.json"
    require(decisions.exists(), "the decision about updates is in a file that the earlier version ignores")
    account = world.folder / "a/account.json"
    text = account.read_text()
    account.write_text(text.replace('"command": {', '"command": {"update": {},', 1))
    require(list(unreadable(world.folder)), "control: another member of account.json is found")
    account.write_text(text)

    earlier = options.earlier or os.environ.get("SEALCAM_EARLIER_BUILD")
    if not earlier:
        print("the programs of the earlier version did not run: give --earlier")
        return
    new = world.build
    world.build = pathlib.Path(earlier)
    _, _, frames = use(world, "earlier", decide=False)
    require(frames["frames"] > after["frames"], "the earlier version continues with the new state")
    world.build = new
    use(world, "again", decide=True)
    require(True, "the new version continues with what the earlier version wrote")


if __name__ == "__main__":
    run_test(__doc__, run, earlier="")
