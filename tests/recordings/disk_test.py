#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A disk that is full, read-only, slow or gone costs no live picture, and the hub reports it. Then recording continues.

    disk_test.py --build DIR [--seconds N]      N: time of each fault, 6 s by default
"""
import json
import pathlib
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from program_test import RecordingHub, expect, run_test  # noqa: E402
from support.world import Failure, wait_for  # noqa: E402

RATE = 15
# The letter of tests/support/disk_faults.cpp, and the fault that the hub reports. A slow disk keeps up at this bitrate.
FAULTS = (("full", "f", "full"), ("read-only", "r", "read_only"), ("200 ms a write", "s", "none"), ("gone", "g", "io"))


def run(world, options):
    world.account("a")
    world.start_broker()
    camera = world.camera("a", "camera", {"source": {"backend": "fake", "size": "640x360", "rate": RATE, "number": 5},
                                          "encoder": {"bitrate": 1_000_000, "keyframe_interval": RATE}}, "Front door")
    recorded = RecordingHub(world, mode="continuous", reserve_mib=64)
    hub, fault = recorded.device, world.folder / "fault"
    hub.process.argv[:0] = ["env", f"LD_PRELOAD={world.program('sealcam-disk-faults.so')}", f"SEALCAM_DISK={recorded.folder}",
                            f"SEALCAM_DISK_FAULT={fault}"]
    world.start(camera)
    world.start(hub)

    def state():
        request = urllib.request.Request(f"http://127.0.0.1:{hub.port}/api/recordings", headers=hub.access.headers())
        return json.load(urllib.request.urlopen(request, timeout=10))

    def recording():
        now = state()
        return now["fault"] == "none" and any(c["recording"] for c in now["cameras"])

    wait_for("the hub", hub.status, 30, hub.process)
    wait_for("recording", recording, 30, hub.process)

    def live(seconds):
        """Pictures that the hub showed as LIVE and as STALE, and those that the camera sent in the same time."""
        begun = camera.status(), hub.status()
        time.sleep(seconds)
        ended = camera.status(), hub.status()
        shown = [ended[1]["shown"][state] - begun[1]["shown"][state] for state in ("live", "stale")]
        # Each program writes its status once a second, so that the two spans differ.
        of_camera = (ended[0]["uptime_ms"] - begun[0]["uptime_ms"]) / 1e3
        of_hub = (ended[1]["time_us"] - begun[1]["time_us"]) / 1e6
        return *shown, (ended[0]["published"] - begun[0]["published"]) * of_hub / of_camera, of_hub

    for name, letter, expected in (("none", "", "none"), *FAULTS):
        if letter:
            fault.write_text(letter)
        stored = state()["stored_frames"]
        count, stale, sent, seconds = live(options.seconds)
        now = state()
        print(f"{name}: {count} LIVE and {stale} STALE of {sent:.1f} pictures in {seconds:.1f} s; fault '{now['fault']}', "
              f"{now['stored_frames'] - stored} frames stored, {now['dropped_frames']} not since the start")
        expect(now["fault"] == expected, f"{name}: the hub reports '{now['fault']}' instead of '{expected}'")
        if expected != "none":
            expect(now["fault_since_us"] and now["fault_text"], f"{name}: the fault has no time or text")
            expect(now["stored_frames"] - stored <= RATE * 2, f"{name}: the control: frames are stored although the disk fails")
        expect(sent > 0.5 * seconds * RATE, f"{name}: the camera sent {sent:.0f} pictures in {seconds:.1f} s")
        expect(abs(sent - count) < RATE and stale == 0, f"{name}: live pictures were lost")  # the exact count follows
        fault.unlink(missing_ok=True)
        wait_for(f"{name}: recording continues", recording, 30, hub.process)
    world.owner("a", "camera", "privacy", camera.id, "on", "--wait", "10")

    def lost():
        return camera.status()["published"] - hub.status()["shown"]["live"]

    wait_for("the camera sends no pictures", lambda: camera.status()["pictures"] == "none", 20, camera.process)
    try:
        wait_for("the count of the last pictures", lambda: lost() == 0, 20, hub.process)
    except Failure:
        raise Failure(f"{lost()} of {camera.status()['published']} pictures were lost") from None
    print(f"0 of {camera.status()['published']} pictures were lost")
    hub.process.stop()
    found = recorded.verify()
    expect(not found["faults"], f"the recordings have faults: {found['faults']}")
    print(f"{found['frames']} frames in {found['files']} files without a fault")


if __name__ == "__main__":
    run_test(__doc__, run, seconds=6.0)
