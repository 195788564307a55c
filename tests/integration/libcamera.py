#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A hub shows the pictures of libcamera's virtual camera as LIVE.

The test also runs --list-sensors with and without the libcamera module, and checks the log entry about the chosen format.
If the machine has a V4L2 sensor, the configuration names the libcamera back-end; without one it uses "auto".

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

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
from support.world import Failure, World, cpu_and_memory, read_json, wait_for  # noqa: E402

SKIPPED = 77
SIZE = "1280x720"


def list_sensors(build, environment):
    """Returns the sensors that --list-sensors prints, and its standard error."""
    done = subprocess.run([build / "bin/sealcam-camera", "--list-sensors", "--json"], capture_output=True, text=True,
                          env=environment, timeout=30)
    return json.loads(done.stdout)["sensors"], done.stderr


def check_list(build):
    if not (build / "bin/sealcam-libcamera.so").exists():
        print("SKIP: this build has no libcamera module")
        sys.exit(SKIPPED)
    sensors, log = list_sensors(build, os.environ)
    cameras = [s["id"] for s in sensors if s["backend"] == "libcamera"]
    if "Virtual0" not in cameras:
        print(f"SKIP: this libcamera has no virtual camera; it lists {cameras}\n{log}")
        sys.exit(SKIPPED)
    # Without the module the program logs one line and lists the sensors of the other back-ends.
    with tempfile.TemporaryDirectory(prefix="sealcam-libcamera-") as folder:
        alone = pathlib.Path(folder) / "bin"
        alone.mkdir()
        (alone / "sealcam-camera").write_bytes((build / "bin/sealcam-camera").read_bytes())
        (alone / "sealcam-camera").chmod(0o755)
        sensors, log = list_sensors(pathlib.Path(folder), os.environ)
        lines = [line for line in log.splitlines() if "sealcam-libcamera.so is in none of" in line]
        if len(lines) != 1 or any(s["backend"] == "libcamera" for s in sensors):
            raise Failure(f"without the module --list-sensors printed {sensors} and logged:\n{log}")
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
        wait_for("the hub shows a LIVE picture", lambda: result_of(probe).get("live"), 20, camera.process)
        first = result_of(probe)["first_live_at_ms"] / 1000 - camera.process.started
        time.sleep(seconds)
        status = camera.status()
        cpu, rss = cpu_and_memory(camera.process.child.pid)
        probe.stop()
        result = result_of(probe)
        log = camera.process.tail(200)
        code = camera.process.stop()
    # Up to three pictures were sent before the hub's first request. They have no echo, so the hub shows them as STALE.
    wrong = sum(result[key] for key in ("live_too_old", "out_of_order", "malformed", "undecodable")) + (result["stale"] > 3)
    if result["live"] < seconds * 5 or wrong or list(result["cameras"]) != [camera.id]:
        raise Failure(f"the probe counted {result}\n{log}")
    if f"NV12 {SIZE}: needs no conversion" not in log:
        raise Failure(f"the camera does not log the format that it chose:\n{log}")
    if status["corrupt"] or status["source_opened"] != 1 or code != 0:
        raise Failure(f"the camera exited with {code} and reported {status}\n{log}")
    print(f"libcamera's virtual camera, back-end {source['backend']}, {SIZE}: {result['live']} LIVE pictures in {seconds} s ({result['fps']:.1f}/s), "
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
