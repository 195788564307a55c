#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""libcamera's virtual camera through seal and broker to a hub: every picture that is shown is LIVE and of this camera.
Beside that: --list-sensors names it, with and without the module; the camera says what it chose. Where there is no
V4L2 sensor it is configured as a service is, with "auto".

    libcamera.py --build DIR [--seconds N]
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support.world import Failure, World, cpu_and_memory, read_json, wait_for  # noqa: E402

SKIPPED = 77
SIZE = "1280x720"


def listed(build, environment):
    """The sensors that --list-sensors prints, and what it says beside."""
    done = subprocess.run([build / "bin/sealcam-camera", "--list-sensors", "--json"], capture_output=True, text=True,
                          env=environment, timeout=30)
    return json.loads(done.stdout)["sensors"], done.stderr


def check_list(build):
    if not (build / "bin/sealcam-libcamera.so").exists():
        print("SKIP: this build has no libcamera module")
        sys.exit(SKIPPED)
    sensors, said = listed(build, os.environ)
    cameras = [s["id"] for s in sensors if s["backend"] == "libcamera"]
    if "Virtual0" not in cameras:
        print(f"SKIP: libcamera here has no virtual camera; it lists {cameras}\n{said}")
        sys.exit(SKIPPED)
    # Installed without the module: one line, and the rest goes on.
    with tempfile.TemporaryDirectory(prefix="sealcam-libcamera-") as folder:
        alone = pathlib.Path(folder) / "bin"
        alone.mkdir()
        (alone / "sealcam-camera").write_bytes((build / "bin/sealcam-camera").read_bytes())
        (alone / "sealcam-camera").chmod(0o755)
        sensors, said = listed(pathlib.Path(folder), os.environ)
        about = [line for line in said.splitlines() if "sealcam-libcamera.so is in none of" in line]
        if len(about) != 1 or any(s["backend"] == "libcamera" for s in sensors):
            raise Failure(f"without the module --list-sensors gave {sensors} and said:\n{said}")
    return {"backend": "libcamera", "device": "Virtual0"} if sensors else {"backend": "auto"}


def result_of(probe):
    return read_json(probe.result) or {}


def watch(build, source, seconds):
    config = {"source": {**source, "size": SIZE, "rate": 30},
              "encoder": {"bitrate": 2_000_000}}
    with tempfile.TemporaryDirectory(prefix="sealcam-libcamera-") as folder, World(build, folder) as world:
        world.account("owner")
        world.start_broker()
        camera = world.camera("owner", "camera", config, "Camera")
        hub = world.hub("owner", "hub")
        world.start(hub)
        world.start(camera)
        wait_for("hub is ready", hub.status, 15, hub.process)
        wait_for("camera is ready", camera.status, 15, camera.process)
        probe = world.probe("probe", hub, "--decode")
        wait_for("a live picture", lambda: result_of(probe).get("live"), 20, camera.process)
        first = result_of(probe)["first_live_at_ms"] / 1000 - camera.process.started
        time.sleep(seconds)
        status = camera.status()
        cpu, rss = cpu_and_memory(camera.process.child.pid)
        probe.stop()
        result = result_of(probe)
        log = camera.process.tail(200)
        code = camera.process.stop()
    # What was under way when the hub began to ask echoes no challenge of its, and is shown as old.
    wrong = sum(result[key] for key in ("live_too_old", "out_of_order", "malformed", "undecodable")) + (result["stale"] > 3)
    if result["live"] < seconds * 5 or wrong or list(result["cameras"]) != [camera.id]:
        raise Failure(f"the hub was shown {result}\n{log}")
    if f"NV12 {SIZE}: goes into an encoder as it is" not in log:
        raise Failure(f"the camera does not say what it chose:\n{log}")
    if status["corrupt"] or status["source_opened"] != 1 or code != 0:
        raise Failure(f"the camera ended with {code} and said {status}\n{log}")
    print(f"libcamera's virtual camera by {source['backend']} at {SIZE}: {result['live']} LIVE pictures in {seconds} s ({result['fps']:.1f}/s), "
          f"latency {result['latency_ms_p50']:.0f} ms median, {result['latency_ms_p95']:.0f} ms p95, "
          f"first after {first:.1f} s; captured {status['captured']}, encoded {status['encoded']}, {status['encode_ms']:.1f} ms a picture, "
          f"CPU {cpu:.1f} s, RSS {rss} KiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=int, default=10)
    options = parser.parse_args()
    build = pathlib.Path(options.build).resolve()
    os.environ["SEALCAM_VIRTUAL_YAML"] = str(build / "bin/virtual-cameras.yaml")
    os.environ["LD_PRELOAD"] = str(build / "bin/sealcam-fake-udmabuf.so")
    source = check_list(build)
    watch(build, source, options.seconds)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"error: {failure}")
