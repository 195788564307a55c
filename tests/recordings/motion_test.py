#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A hub records the motion of a camera over a real broker. The recordings have the pictures from at least 6 s before the motion, and no
picture from before a privacy-off, although the camera had kept them. The second implementation reads the files.

    motion_test.py --build DIR

The sensor plays a film: a box stands for 4 s, moves for 2 s, and stands for 22 s.
"""
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from program_test import RecordingHub, require, run_test  # noqa: E402
from support.world import wait_for  # noqa: E402

try:
    from read_recording import read_file
    from sealcam1 import wire
except ImportError as error:
    print(f"SKIPPED: python3-cryptography is not installed ({error})")
    sys.exit(4)

STANDS, MOVES, FILM, RATE = 4, 2, 28, 10
SPAN, LEAST, TAIL = 10.0, 6.0, 10.0
SLACK = 1.5  # seconds; the detector looks 5 times a second, and its result continues for a moment


def make_film(path):
    end, half = STANDS + MOVES, STANDS + MOVES / 2
    x = f"'if(between(t,{STANDS},{half}),60+300*(t-{STANDS}),if(between(t,{half},{end}),60+300*({end}-t),60))'"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"color=c=gray:s=640x360:r={RATE}:d={FILM}",
                    "-f", "lavfi", "-i", f"color=c=white:s=120x200:r={RATE}:d={FILM}",
                    "-filter_complex", f"[0][1]overlay=x={x}:y=80:eval=frame,format=yuv420p", "-c:v", "ffv1", str(path)],
                   check=True, timeout=120)


def pictures(recordings, account, hub):
    """Capture time in seconds and motion of each picture, in the order of the files."""
    found, faults = [], []
    for path in sorted(recordings.glob("*/*/*.seal")):
        result = read_file(path, wire.id_of(account), hub.state / "recording-keys",
                           lambda key, fields, unit: found.append((fields["captured"] / 1e6, fields["motion"])))
        faults += [f"{result['file']}: {fault}" for fault in result["faults"] if fault["kind"] != "receipt"]
    require(not faults, f"the second implementation finds no fault in {len(found)} pictures {faults}")
    return found


def events(found):
    """The pictures of each event: a pause of more than a second is between two of them."""
    groups = []
    for picture in found:
        if not groups or picture[0] - groups[-1][-1][0] > 1:
            groups.append([])
        groups[-1].append(picture)
    return groups


def run(world, options):
    film = world.folder / "film.mkv"
    make_film(film)
    world.account("a")
    world.start_broker()
    camera = world.camera("a", "camera", {"source": {"backend": "replay", "file": str(film)}}, "Front door")
    recorded = RecordingHub(world, mode="motion")
    hub = recorded.device
    world.start(hub)
    world.start(camera)

    def use(name, seconds):
        wait_for(f"the camera's pictures are '{name}'", lambda: camera.status().get("pictures") == name, seconds, camera.process)

    use("preroll", 20)
    require(camera.status()["motion_leases"] == 1 and camera.status()["leases"] == 0, "the camera knows that no person looks")
    use("motion", 2 * FILM)   # the first motion comes soon after the start
    use("preroll", 30)
    use("motion", 2 * FILM)   # by now the camera has kept 10 s
    use("preroll", 30)
    time.sleep(5)
    status = camera.status()
    require(status["pictures"] == "preroll" and status["queue"] >= 3 * RATE,
            f"the camera keeps {status['queue']} pictures before privacy")
    world.owner("a", "camera", "privacy", camera.id, "on", "--wait", "10")
    opened = time.time()
    world.owner("a", "camera", "privacy", camera.id, "off", "--wait", "10")
    use("motion", 2 * FILM)
    use("preroll", 30)
    status = camera.status()
    require(status["reports"] >= 5, f"{status['reports']} reports while nothing moved")
    hub.process.stop()

    found = events(pictures(recorded.folder, world.accounts["a"], hub))
    require(len(found) == 3, f"three motions are three events, with {[len(event) for event in found]} pictures")
    moved = [[at for at, motion in event if motion] for event in found]
    before = moved[1][0] - found[1][0][0]
    after = [event[-1][0] - moves[-1] for event, moves in zip(found, moved)]
    require(LEAST <= before <= SPAN + SLACK, f"the second event begins {before:.1f} s before its motion")
    require(all(TAIL - SLACK <= seconds <= TAIL + SLACK for seconds in after),
            f"the events end {[round(s, 1) for s in after]} s after their motion")
    steps = [b[0] - a[0] for event in found for a, b in zip(event, event[1:])]
    require(max(steps) < 2.5 / RATE, f"no picture of an event is missing: the longest pause is {max(steps):.2f} s")
    old = [at for at, _ in found[2] if at < opened]
    require(not old,
            f"0 pictures of the third event are from before the privacy-off ({moved[2][0] - found[2][0][0]:.1f} s before its motion)")
    result = recorded.verify()
    require(not result["faults"], f"verify finds no fault in {result['frames']} frames")


if __name__ == "__main__":
    run_test(__doc__, run)
