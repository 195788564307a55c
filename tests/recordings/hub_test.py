#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A hub records a camera without a browser, is killed, continues, and its commands list, verify, export and delete. The exported file
has the pictures of the sensor.

    hub_test.py --build DIR [--seconds N]
"""
import argparse
import datetime
import json
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
from support.world import Failure, World, wait_for  # noqa: E402

CAMERA, SIZE = 5, "640x360"


def require(condition, text):
    if not condition:
        raise Failure(text)
    print(f"ok: {text}")


def utc(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sealcam-hub-records-") as folder, World(options.build, folder) as world:
        world.account("a")
        world.start_broker()
        camera = world.camera("a", "camera", {"source": {"backend": "fake", "size": SIZE, "rate": 15, "number": CAMERA}}, "Front door")
        hub = world.hub("a", "hub")
        recordings = pathlib.Path(folder) / "recordings"
        recordings.mkdir()
        config = pathlib.Path(folder) / "hub.json"
        config.write_text(json.dumps({"recordings": {"mode": "continuous", "folder": str(recordings)}}))
        hub.process.argv += ["--config", str(config)]

        def command(*args, check=True):
            done = subprocess.run([str(world.program("sealcam-hub")), "--state", str(hub.state), "--config", str(config),
                                   "recordings", *map(str, args)], capture_output=True, text=True, timeout=120)
            if check and done.returncode != 0:
                raise Failure(f"recordings {' '.join(map(str, args))}: {done.returncode} {done.stderr}")
            return done

        started = datetime.datetime.now(datetime.timezone.utc)
        world.start(camera)
        world.start(hub)
        wait_for("a file", lambda: list(recordings.glob("*/*/*.seal")), 30, process=hub.process)
        time.sleep(options.seconds)
        hub.process.kill()
        time.sleep(0.5)
        hub.process.start()
        wait_for("a second file", lambda: len(list(recordings.glob("*/*/*.seal"))) >= 2, 30, process=hub.process)
        time.sleep(options.seconds)
        live = json.loads(command("verify", "--json").stdout)
        require(not live["faults"], f"while the hub records, verify finds no fault: {live['faults']}")
        hub.process.stop()

        listed = json.loads(command("list", "--json").stdout)
        require([c["name"] for c in listed["cameras"]] == ["Front door"], "the camera is listed by its name")
        found = json.loads(command("verify", "--json").stdout)
        require(not found["faults"] and found["without_receipt"] == 0, f"{found['frames']} frames in {found['files']} files, no fault")
        require(found["frames"] >= options.seconds * 2 * 10, "the hub recorded without a browser")

        video = pathlib.Path(folder) / "door.mp4"
        now = datetime.datetime.now(datetime.timezone.utc)
        command("export", "Front door", utc(started - datetime.timedelta(seconds=5)), utc(now + datetime.timedelta(seconds=5)), "-o", video)
        probe = subprocess.run(["ffprobe", "-v", "warning", "-count_packets", "-show_streams", "-of", "json", str(video)],
                               capture_output=True, text=True, timeout=60)
        packets = int(json.loads(probe.stdout)["streams"][0]["nb_read_packets"])
        require(probe.returncode == 0 and not probe.stderr.strip() and packets >= found["frames"] * 0.9,
                f"ffprobe reads {packets} pictures without a warning")
        figures = subprocess.run([str(world.program("sealcam-psnr")), str(video), "--size", SIZE, "--camera", str(CAMERA), "--least", "30"],
                                 capture_output=True, text=True, timeout=120)
        require(figures.returncode == 0, figures.stdout.strip() or figures.stderr.strip())

        path = sorted(recordings.glob("*/*/*.seal"))[0]
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        done = command("verify", "--json", check=False)
        faults = json.loads(done.stdout)["faults"]
        require(done.returncode == 78 and faults and path.name in faults[0]["file"], "an altered bit is found, with its file")
        done = command("delete", "Front door", check=False)
        require(done.returncode == 64 and list(recordings.glob("*/*/*.seal")), "delete asks for --yes")
        done = command("delete", "Front door", "--to", "2100-02-31", "--yes", check=False)
        require(done.returncode == 64 and list(recordings.glob("*/*/*.seal")), "a day that does not exist deletes nothing")
        command("delete", "Front door", "--yes")
        require(not list(recordings.glob("*/*/*.seal")), "all files are deleted")
        keys = [p for p in (hub.state / "recording-keys").glob("*/*")]
        require(not keys, "the keys are deleted with the files")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, subprocess.SubprocessError) as failure:
        sys.exit(f"error: {failure}")
