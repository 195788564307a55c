#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`sealcam watch` records 20 s that ffprobe and ffmpeg read without a word, with the pictures that the sensor took:
PSNR against the encoder's input, matched by the number drawn into each picture.

    recording.py --build DIR [--seconds N]
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support.world import Failure, World, wait_for  # noqa: E402

CAMERA, SIZE = 5, "1280x720"


def quiet(*argv):
    """Runs a judge that must have nothing to complain about; what it printed on standard output."""
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
        film = pathlib.Path(folder) / "door.mp4"
        subprocess.run([str(world.program("sealcam")), "--account", str(world.folder / "a"), "watch", "Front door",
                        "--seconds", str(options.seconds), "-o", str(film)], check=True, timeout=options.seconds + 60)
        found = json.loads(quiet("ffprobe", "-v", "warning", "-count_packets", "-show_streams", "-of", "json", film))
        packets = int(found["streams"][0]["nb_read_packets"])
        quiet("ffmpeg", "-v", "warning", "-xerror", "-i", film, "-f", "null", "-")
        figures = subprocess.run([str(world.program("sealcam-psnr")), str(film), "--size", SIZE, "--camera", str(CAMERA),
                                  "--least", "30"], capture_output=True, text=True, timeout=120)
        print(figures.stdout.strip() or figures.stderr.strip())
        print(f"{film.stat().st_size} bytes, {packets} pictures in {options.seconds} s")
        if figures.returncode != 0:
            raise Failure("the recording differs from what the sensor saw")
        if packets < options.seconds * 20:
            raise Failure(f"{packets} pictures in {options.seconds} s are too few to prove anything")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, subprocess.SubprocessError) as failure:
        sys.exit(f"error: {failure}")
