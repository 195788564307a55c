#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`sealcam watch` records the pictures of the sensor, and ffprobe and ffmpeg read the file without a warning.

The fake source draws a number into each picture. The test finds the source picture by that number and computes the PSNR.

    recording.py --build DIR [--seconds N]
"""
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from program_test import count_pictures, expect, psnr, quiet, run_test  # noqa: E402
from support.world import wait_for  # noqa: E402

CAMERA, SIZE = 5, "1280x720"


def run(world, options):
    world.account("a")
    world.start_broker()
    camera = world.camera("a", "camera", {"source": {"backend": "fake", "size": SIZE, "rate": 30, "number": CAMERA}},
                          "Front door")
    world.start(camera)
    wait_for("the camera is connected", lambda: camera.status().get("connected"), process=camera.process)
    video = world.folder / "door.mp4"
    subprocess.run([str(world.program("sealcam")), "--account", str(world.folder / "a"), "watch", "Front door",
                    "--seconds", str(options.seconds), "-o", str(video)], check=True, timeout=options.seconds + 60)
    packets = count_pictures(video)
    quiet("ffmpeg", "-v", "warning", "-xerror", "-i", video, "-f", "null", "-")
    print(json.dumps(psnr(world, video, SIZE, CAMERA)))
    print(f"{video.stat().st_size} bytes, {packets} pictures in {options.seconds} s")
    expect(packets >= options.seconds * 20, f"{packets} pictures in {options.seconds} s are too few for a result")


if __name__ == "__main__":
    run_test(__doc__, run, seconds=20)
