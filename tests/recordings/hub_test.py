#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A hub records a camera without a browser, is killed, continues, and its commands list, verify, export and delete. The exported file
has the pictures of the sensor.

    hub_test.py --build DIR [--seconds N]
"""
import datetime
import json
import pathlib
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from program_test import RecordingHub, count_pictures, psnr, require, run_test  # noqa: E402
from read_recording import read_file  # noqa: E402
from sealcam1 import wire  # noqa: E402
from support.world import wait_for  # noqa: E402

CAMERA, SIZE = 5, "640x360"


def utc(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def check_lost_hub(world, recorded, frames):
    """Of a hub, only the recordings and the wrapped keys are left. The owner opens the archive key."""
    keys, account = recorded.device.state / "recording-keys", wire.id_of(world.accounts["a"])
    backup = world.folder / "backup"
    shutil.copytree(keys, backup, ignore=shutil.ignore_patterns("archive"))

    def opened():
        return sum(read_file(path, account, backup)["opened"] for path in recorded.files())

    (backup / "archive").write_bytes(bytes(32))
    require(opened() == 0, "a backup of the keys without the archive key opens no picture")
    (backup / "archive").unlink()
    world.owner("a", "account", "archive-key", backup / "archive.sealed", "-o", backup / "archive")
    require(opened() == frames, f"with the archive key that the owner opened, all {frames} frames open")
    require((backup / "archive").stat().st_mode & 0o77 == 0, "the opened key is private")


def run(world, options):
    world.account("a")
    world.start_broker()
    camera = world.camera("a", "camera", {"source": {"backend": "fake", "size": SIZE, "rate": 15, "number": CAMERA}}, "Front door")
    recorded = RecordingHub(world, mode="continuous")
    hub, command = recorded.device, recorded.command
    started = datetime.datetime.now(datetime.timezone.utc)
    world.start(camera)
    world.start(hub)
    wait_for("a file", recorded.files, 30, process=hub.process)
    time.sleep(options.seconds)
    hub.process.kill()
    time.sleep(0.5)
    hub.process.start()
    wait_for("a second file", lambda: len(recorded.files()) >= 2, 30, process=hub.process)
    time.sleep(options.seconds)
    live = recorded.verify()
    require(not live["faults"], f"while the hub records, verify finds no fault: {live['faults']}")
    hub.process.stop()

    listed = json.loads(command("list", "--json").stdout)
    require([c["name"] for c in listed["cameras"]] == ["Front door"], "the camera is listed by its name")
    found = recorded.verify()
    require(not found["faults"] and found["without_receipt"] == 0, f"{found['frames']} frames in {found['files']} files, no fault")
    require(found["frames"] >= options.seconds * 2 * 10, "the hub recorded without a browser")

    video = world.folder / "door.mp4"
    now = datetime.datetime.now(datetime.timezone.utc)
    command("export", "Front door", utc(started - datetime.timedelta(seconds=5)), utc(now + datetime.timedelta(seconds=5)), "-o", video)
    packets = count_pictures(video)
    require(packets >= found["frames"] * 0.9, f"ffprobe reads {packets} pictures without a warning")
    require(psnr(world, video, SIZE, CAMERA)["pictures"] > 0, "the pictures are those of the sensor")

    check_lost_hub(world, recorded, found["frames"])
    path = recorded.files()[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    done = command("verify", "--json", check=False)
    faults = json.loads(done.stdout)["faults"]
    require(done.returncode == 78 and faults and path.name in faults[0]["file"], "an altered bit is found, with its file")
    done = command("delete", "Front door", check=False)
    require(done.returncode == 64 and recorded.files(), "delete asks for --yes")
    done = command("delete", "Front door", "2100-02-31", "--yes", check=False)
    require(done.returncode == 64 and recorded.files() and "does not exist" in done.stderr, "a day that does not exist deletes nothing")
    zone = "CET-1CEST,M3.5.0,M10.5.0/3"
    done = command("delete", "Front door", "2100-10-31T02:30", "--yes", check=False, zone=zone)
    require(done.returncode == 64 and recorded.files() and "2100-10-31T00:30:00" in done.stderr and "2100-10-31T01:30:00" in done.stderr,
            "a time that the clocks show twice deletes nothing, and the command writes both")
    command("delete", "Front door", "2100-10-31T03:30", "--yes", zone=zone)
    require(recorded.files(), "the hour after it is a time, and nothing was recorded since")
    before = list((hub.state / "recording-keys").glob("*/*"))
    command("delete", "Front door", "--yes")
    require(not recorded.files(), "all files are deleted")
    keys = list((hub.state / "recording-keys").glob("*/*"))
    require(len(keys) <= 1 <= len(before), "the keys are deleted with the files, except the newest one, which a running hub may need")


if __name__ == "__main__":
    run_test(__doc__, run, seconds=10)
