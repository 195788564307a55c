#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A disk that is full, read-only, slow or gone costs no live picture, and the hub reports it. Then recording continues.

    disk_test.py --build DIR [--seconds N]      N: time of each fault, 6 s by default
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
from support.world import Failure, World, wait_for  # noqa: E402

RATE = 15
# The letter of tests/support/disk_faults.cpp, and the fault that the hub reports. A slow disk keeps up at this bitrate.
FAULTS = (("full", "f", "full"), ("read-only", "r", "read_only"), ("200 ms a write", "s", "none"), ("gone", "g", "io"))


def require(condition, text):
    if not condition:
        raise Failure(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=float, default=6)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sealcam-disk-") as folder, World(options.build, folder) as world:
        world.account("a")
        world.start_broker()
        camera = world.camera("a", "camera", {"source": {"backend": "fake", "size": "640x360", "rate": RATE, "number": 5},
                                              "encoder": {"bitrate": 1_000_000, "keyframe_interval": RATE}}, "Front door")
        hub = world.hub("a", "hub")
        recordings, fault = pathlib.Path(folder) / "recordings", pathlib.Path(folder) / "fault"
        recordings.mkdir()
        config = pathlib.Path(folder) / "hub.json"
        config.write_text(json.dumps({"recordings": {"mode": "continuous", "folder": str(recordings), "reserve_mib": 64}}))
        hub.process.argv[:0] = ["env", f"LD_PRELOAD={world.program('sealcam-disk-faults.so')}", f"SEALCAM_DISK={recordings}",
                                f"SEALCAM_DISK_FAULT={fault}"]
        hub.process.argv += ["--config", str(config)]
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
            require(now["fault"] == expected, f"{name}: the hub reports '{now['fault']}' instead of '{expected}'")
            if expected != "none":
                require(now["fault_since_us"] and now["fault_text"], f"{name}: the fault has no time or text")
                require(now["stored_frames"] - stored <= RATE * 2, f"{name}: the control: frames are stored although the disk fails")
            require(sent > 0.5 * seconds * RATE, f"{name}: the camera sent {sent:.0f} pictures in {seconds:.1f} s")
            require(abs(sent - count) < RATE and stale == 0, f"{name}: live pictures were lost")  # the exact count follows
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
        done = subprocess.run([str(world.program("sealcam-hub")), "--state", str(hub.state), "--config", str(config), "recordings",
                               "verify", "--json"], capture_output=True, text=True, timeout=60)
        found = json.loads(done.stdout)
        require(not found["faults"], f"the recordings have faults: {found['faults']}")
        print(f"{found['frames']} frames in {found['files']} files without a fault")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, subprocess.SubprocessError) as failure:
        sys.exit(f"error: {failure}")
