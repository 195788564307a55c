#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the state of a version for upgrade_test.py: account, broker, camera, hub and recordings, as the programs of this version wrote them.

    make_state.py --build DIR --output FILE.tar.xz

DIR is the build folder of that version. A camera streams, a hub records it, and the owner changes name, settings and privacy. Then the broker
ends, and the camera keeps its frames. All keys are of test accounts: never use them elsewhere. In the files, PORT and FOLDER stand for the
broker's port and for the folder of the state.
"""
import io
import json
import pathlib
import sys
import tarfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from program_test import RecordingHub, expect, run_test  # noqa: E402
from support.world import read_json, wait_for  # noqa: E402

# Text that is easy to find in all files.
PORT, FOLDER = 47653, pathlib.Path("/tmp/sealcam-state-of-an-earlier-version")
CAMERA = {"source": {"backend": "fake", "size": "320x180", "rate": 10, "number": 7}, "encoder": {"bitrate": 100_000, "keyframe_interval": 10},
          "outage": {"keep": True}}
PARTS = ("a", "a-camera", "a-camera.json", "a-hub", "broker", "hub.json", "recordings")
WITH_PLACES = ("account.json", "broker.json", "enrollment.json", "hub.json", "mosquitto.conf")
LEFT_OUT = ("lock", "open.socket", "mosquitto.log", "mosquitto.pid")


def live(probe):
    return (read_json(probe.result) or {}).get("live", 0)


def pack(folder, output):
    with tarfile.open(output, "w:xz") as archive:
        for path in sorted(p for part in PARTS if (folder / part).exists() for p in [folder / part, *(folder / part).rglob("*")]):
            if path.name in LEFT_OUT or not (path.is_file() or path.is_dir()):
                continue
            info = archive.gettarinfo(path, path.relative_to(folder))
            info.uid = info.gid = info.mtime = 0
            info.uname = info.gname = ""
            data = path.read_bytes() if path.is_file() else b""
            if path.name in WITH_PLACES:
                data = data.replace(str(folder).encode(), b"FOLDER").replace(str(PORT).encode(), b"PORT")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def run(world, options):
    expect(world.folder == FOLDER, f"give --keep {FOLDER}")
    world.port = PORT
    world.account("a")
    world.start_broker()
    camera = world.camera("a", "camera", CAMERA, "Door")
    recorded = RecordingHub(world, mode="continuous")
    hub = recorded.device
    world.start(camera)
    world.start(hub)
    wait_for("a recording", recorded.files, 60, hub.process)
    probe = world.probe("probe", hub)
    wait_for("live pictures", lambda: live(probe) > 20, 60)
    world.owner("a", "camera", "rename", "Door", "Front door", "--wait", "30")
    world.owner("a", "camera", "settings", "Front door", "--mask", "0,0,250,250", "--motion", "30", "--wait", "30")
    world.owner("a", "camera", "privacy", "Front door", "on", "--wait", "30")
    world.owner("a", "camera", "privacy", "Front door", "off", "--wait", "30")
    hub.access.file("view")
    before = live(probe)
    wait_for("live pictures after privacy", lambda: live(probe) > before + 10, 60)
    probe.stop()
    world.broker.stop()
    wait_for("kept frames", lambda: camera.status().get("past_bytes", 0) > 10_000, 60, camera.process)
    time.sleep(1)
    camera.process.stop()
    hub.process.stop()
    found = recorded.verify()
    expect(not found["faults"], f"verify: {found['faults']}")
    pack(world.folder, options.output)
    print(json.dumps({"frames": found["frames"], "size": pathlib.Path(options.output).stat().st_size}))


if __name__ == "__main__":
    run_test(__doc__, run, output="state.tar.xz")
