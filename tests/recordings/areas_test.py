#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The owner's command about areas of the picture, from the command to decoded pictures at the hub, with the real programs. No picture that
leaves the camera after a confirmed mask shows the masked area. A camera whose detector is off encodes nothing for a recording of motion,
and the hub has the reason.

    areas_test.py --build DIR

The sensor plays a test pattern, which fills the whole picture. The pictures before the mask are the control.
"""
import json
import pathlib
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from program_test import RecordingHub, require, run_test  # noqa: E402
from support.world import wait_for  # noqa: E402

WIDTH, HEIGHT, RATE = 640, 360, 10
MASK = "0,0,500,600"  # thousandths: 320 x 216 pixels
EDGE = 16             # pixels that are not compared: the encoder mixes the neighbors of an edge
DARK, BRIGHT = 12, 80


def utc(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def brightest(data):
    """The brightest pixel inside of the mask, and outside of it, of each decoded picture."""
    command = ["ffmpeg", "-v", "error", "-i", "-", "-vf", f"scale={WIDTH}:{HEIGHT}:flags=neighbor,format=gray", "-f", "rawvideo", "-"]
    raw = subprocess.run(command, input=data, capture_output=True, check=True, timeout=120).stdout
    size, found = WIDTH * HEIGHT, []
    for start in range(0, len(raw) - size + 1, size):
        rows = [raw[start + y * WIDTH:start + (y + 1) * WIDTH] for y in range(HEIGHT)]
        inside = max(max(row[:WIDTH // 2 - EDGE]) for row in rows[:HEIGHT * 6 // 10 - EDGE])
        found.append((inside, max(max(row[WIDTH // 2 + EDGE:]) for row in rows)))
    return found


def masked(pictures, what):
    require(pictures and all(inside <= DARK for inside, _ in pictures),
            f"{what}: the masked area is black in {len(pictures)} pictures (at most {max(i for i, _ in pictures)})")
    require(all(outside >= BRIGHT for _, outside in pictures), f"{what}: the rest of the picture is visible")


class Scene:
    def __init__(self, world):
        self.world, self.folder = world, world.folder
        film = self.folder / "film.mkv"
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=s={WIDTH}x{HEIGHT}:r={RATE}:d=20", "-pix_fmt", "yuv420p",
                        "-c:v", "ffv1", str(film)], check=True, timeout=120)
        world.account("a")
        world.start_broker()
        self.camera = world.camera("a", "camera", {"source": {"backend": "replay", "file": str(film), "size": f"{WIDTH}x{HEIGHT}"}}, "Door")
        self.recorder = RecordingHub(world)
        self.hub = self.recorder.device

    def start_hub(self, mode):
        self.recorder.config.write_text(json.dumps({"recordings": {"folder": str(self.recorder.folder), "mode": mode}}))
        self.world.start(self.hub)
        wait_for("the hub", self.hub.status, 10, self.hub.process)

    def settings(self, *options):
        self.world.owner("a", "camera", "settings", self.camera.id, *options, "--wait", "15")

    def read(self, path):
        request = urllib.request.Request(f"http://127.0.0.1:{self.hub.port}{path}", headers=self.hub.access.headers("view"))
        return urllib.request.urlopen(request, timeout=15)

    def recorded(self, begin, end):
        """The pictures of the recording in this span."""
        clip = self.folder / "clip.mp4"
        clip.unlink(missing_ok=True)
        self.recorder.command("export", "Door", utc(begin), utc(end), "-o", clip)
        return brightest(clip.read_bytes())

    def stored(self, frames):
        """Waits until the recorder stored this many frames from now on."""
        now = json.loads(self.read("/api/recordings").read())["stored_frames"]
        wait_for("more frames", lambda: json.loads(self.read("/api/recordings").read())["stored_frames"] >= now + frames, 30,
                 self.hub.process)


def check_masks(scene):
    begin = time.time() - 2
    scene.start_hub("continuous")
    scene.world.start(scene.camera)
    wait_for("pictures", lambda: scene.camera.status().get("published", 0) > 3 * RATE, 30, scene.camera.process)
    scene.settings("--mask", MASK)
    scene.stored(2 * RATE)
    masked(brightest(scene.read("/snapshot/Door.jpg").read()), "snapshot")
    stream = scene.read("/live/Door.ts")
    masked(brightest(stream.read(120_000)), "live stream")
    stream.close()
    scene.camera.process.stop()
    scene.world.start(scene.camera)
    scene.stored(2 * RATE)
    require(scene.camera.status()["masks"] == 1, "the mask survives a restart of the camera")
    scene.settings("--bitrate", "1500000")  # another command keeps it
    scene.stored(2 * RATE)
    scene.hub.process.stop()

    pictures = scene.recorded(begin, time.time() + 2)
    visible = [inside > DARK for inside, _ in pictures]
    first = visible.index(False)
    require(first >= 2 * RATE and all(i >= BRIGHT for i, _ in pictures[:first]), f"control: {first} recorded pictures show the area before the mask")
    masked(pictures[first:], "recording, in all pictures from the first masked one on, also after a restart")
    require(len(pictures) - first >= 5 * RATE, f"{len(pictures) - first} recorded pictures are from after the mask")


def check_detector(scene):
    scene.start_hub("motion")
    wait_for("the pre-roll", lambda: scene.camera.status().get("pictures") in ("preroll", "motion"), 30, scene.camera.process)

    def listed():
        return next(c for c in json.loads(scene.read("/api/recordings").read())["cameras"] if c["id"] == scene.camera.id)

    wait_for("a report", lambda: listed()["detects_motion"] is True, 20, scene.hub.process)
    scene.settings("--motion", "0")
    wait_for("the reason at the hub", lambda: listed()["detects_motion"] is False, 20, scene.hub.process)
    require(listed()["mode"] == "motion", "the hub requests motion, and knows that the camera detects none")
    require(f'sealcam_hub_camera_detects_motion{{camera="{scene.camera.id}"}} 0\n' in scene.read("/metrics").read().decode(), "the metrics show it")
    require("motion off (a hub with the mode 'motion' records nothing)" in scene.world.owner("a", "camera", "list"), "the owner's list shows it")
    wait_for("the end of encoding", lambda: scene.camera.status().get("pictures") == "none", 15, scene.camera.process)
    before = scene.camera.status()
    time.sleep(3)
    after = scene.camera.status()
    require(after["motion_leases"] == 1 and not after["detects_motion"], "the hub still requests motion")
    require(after["encoded"] == before["encoded"] and after["captured"] > before["captured"], "the camera encodes nothing for it")
    scene.settings("--motion", "50")
    wait_for("the pre-roll", lambda: scene.camera.status().get("pictures") in ("preroll", "motion"), 30, scene.camera.process)
    print("ok: with the detector on, the camera keeps pictures again")


def test(world, _):
    scene = Scene(world)
    check_masks(scene)
    check_detector(scene)
    return 0


if __name__ == "__main__":
    run_test(__doc__, test)
