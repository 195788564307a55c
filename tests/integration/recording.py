#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`sealcam watch` records the pictures of the sensor, and ffprobe and ffmpeg read the file without a warning.

The fake source draws a number into each picture. The test finds the source picture by that number and computes the PSNR.

    recording.py --build DIR [--seconds N]
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
from support.world import Failure, World, wait_for  # noqa: E402

CAMERA, SIZE = 5, "1280x720"


def quiet(*argv):
    """Runs a program that must succeed without a warning. Returns its standard output."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=120)
    if done.returncode != 0 or done.stderr.strip():
        raise Failure(f"{argv[0]}: {done.stderr}")
    return done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sealcam-recording-") as folder, World(options.build, folder) as world:
        world.account("a")
        world.start_broker()
        camera = world.camera("a", "camera", {"source": {"backend": "fake", "size": SIZE, "rate": 30, "number": CAMERA}},
                              "Front door")
        world.start(camera)
        wait_for("the camera is connected", lambda: camera.status().get("connected"), process=camera.process)
        video = pathlib.Path(folder) / "door.mp4"
        subprocess.run([str(world.program("sealcam")), "--account", str(world.folder / "a"), "watch", "Front door",
                        "--seconds", str(options.seconds), "-o", str(video)], check=True, timeout=options.seconds + 60)
        found = json.loads(quiet("ffprobe", "-v", "warning", "-count_packets", "-show_streams", "-of", "json", video))
        packets = int(found["streams"][0]["nb_read_packets"])
        quiet("ffmpeg", "-v", "warning", "-xerror", "-i", video, "-f", "null", "-")
        figures = subprocess.run([str(world.program("sealcam-psnr")), str(video), "--size", SIZE, "--camera", str(CAMERA),
                                  "--least", "30"], capture_output=True, text=True, timeout=120)
        print(figures.stdout.strip() or figures.stderr.strip())
        print(f"{video.stat().st_size} bytes, {packets} pictures in {options.seconds} s")
        if figures.returncode != 0:
            raise Failure("the recording differs from the pictures of the sensor")
        if packets < options.seconds * 20:
            raise Failure(f"{packets} pictures in {options.seconds} s are too few for a result")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, subprocess.SubprocessError) as failure:
        sys.exit(f"error: {failure}")
