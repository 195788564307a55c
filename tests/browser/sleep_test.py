#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Emulates that the machine of a hub sleeps for a minute, with the real programs.

    sleep_test.py --build DIR --case sleep|control [--output DIR]

The hub and `sealcam watch` are stopped for a short time. Meanwhile their boot-time clocks and wall clocks move ahead by a minute, and
their monotonic clocks do not. The network holds the frames of the camera. The page hangs meanwhile, so pictures that the hub sent
before the sleep wait in the browser, and its Date.now() moves ahead, too.

No picture that the sensor took before the programs continue may be LIVE afterwards: on the page, in a snapshot, in a stream, in a
recording. In the case `control` the boot-time clocks do not move, as if the programs measured ages with the monotonic clock. Each of
the four must then show old pictures as LIVE, which proves that the test would see the fault. Exit status 77: skipped.
"""
import datetime
import functools
import json
import pathlib
import shutil
import signal
import struct
import sys
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from scene import SKIP, WAIT, Scene, browser_scene, expect, run_cases  # noqa: E402
from support.world import Process, wait_for  # noqa: E402

RATE = 15
SLEEP = 60.0          # seconds by the clocks of the programs
BEFORE, STOPPED = 1.5, 1.5  # true seconds: the page hangs and the hub runs; the hub is stopped
MARGIN = 0.5          # of the capture times that the test estimates from numbers of pictures and times of a stream
REFRESH = 250         # ms: the page judges its tiles five times a second

# Date.now() of the page can be moved. performance.now() cannot.
MOVABLE_DATE = "{ const now = Date.now; window.moved = 0; Date.now = () => now() + window.moved; }"
# Hangs for some time. Then Date.now() moves, and each frame with a LIVE picture is recorded.
HANG = """setTimeout(() => {
  const tile = document.querySelector('.tile[data-camera="CAMERA"]'), canvas = tile.querySelector('canvas');
  const end = performance.now() + HANG_MS;
  while (performance.now() < end) {}
  window.moved += MOVE_MS;
  const awake = performance.now();
  window.live = [];
  const step = () => {
    if (tile.dataset.state === 'LIVE') window.live.push([Number(canvas.dataset.number), performance.now() - awake]);
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}, 0)"""


class Clocks:
    """The clocks of the programs that were started with prefix()."""

    def __init__(self, world):
        self.file = world.folder / "clocks"
        self.library = world.program("sealcam-shifted-clock.so")
        self.file.write_bytes(struct.pack("=qq", 0, 0))

    def prefix(self):
        return ["env", f"LD_PRELOAD={self.library}", f"SEALCAM_CLOCK_FILE={self.file}"]

    def move(self, boot, wall):
        with self.file.open("r+b") as f:  # in place, because the programs have mapped it
            f.write(struct.pack("=qq", int(boot * 1e9), int(wall * 1e9)))


class Stream(threading.Thread):
    """Reads /live/CAMERA.ts as a player does. Records for each picture when it arrived and its time in the stream."""

    def __init__(self, request):
        super().__init__(daemon=True)
        self.request, self.pictures = request, []

    def run(self):
        held = b""
        try:
            with urllib.request.urlopen(self.request, timeout=30) as answer:
                while data := answer.read1(65536):
                    held += data
                    whole = len(held) // 188 * 188
                    for at in range(0, whole, 188):
                        self.packet(held[at:at + 188])
                    held = held[whole:]
        except OSError:
            pass  # the hub ended the stream

    def packet(self, packet):
        payload = packet[5 + packet[4]:] if packet[3] & 0x20 else packet[4:]
        if not packet[1] & 0x40 or payload[:4] != b"\0\0\1\xe0" or not payload[7] & 0x80:
            return
        b = payload[9:14]
        pts = (b[0] >> 1 & 7) << 30 | b[1] << 22 | (b[2] >> 1) << 15 | b[3] << 7 | b[4] >> 1
        self.pictures.append((time.time(), pts / 90_000))

    def old(self, awake):
        """The pictures that arrived after `awake` and were captured before."""
        captured = min(arrived - at for arrived, at in self.pictures if arrived < awake - STOPPED)  # of the first picture
        return sum(arrived > awake and captured + at < awake - MARGIN for arrived, at in self.pictures)


class Snapshots:
    """Requests that wait while the hub is stopped."""

    def __init__(self, scene, headers):
        self.answers = []
        for n in range(6):
            target = f"{scene.url()}snapshot/{scene.camera.id}.jpg" + ("?stale=allow" if n % 2 else "")
            request = urllib.request.Request(target, headers=headers)
            threading.Thread(target=self.fetch, args=(request,), daemon=True).start()

    def fetch(self, request):
        try:
            with urllib.request.urlopen(request, timeout=WAIT) as answer:
                self.answers.append((answer.headers["X-Sealcam-State"], answer.headers["X-Sealcam-Captured"]))
        except urllib.error.HTTPError as error:
            self.answers.append((error.code, None))

    def old(self, awake):
        return sum(state == "LIVE" and datetime.datetime.fromisoformat(text).timestamp() < awake for state, text in self.answers)


def recorded_old(world, file):
    """The recorded pictures that were captured while the programs were stopped. Nothing is recorded but LIVE pictures."""
    found = json.loads(world.run("ffprobe", "-v", "error", "-show_entries", "packet=pts_time", "-of", "json", file))
    times = [float(packet["pts_time"]) for packet in found["packets"]]
    gap = max(b - a for a, b in zip(times, times[1:]))
    return 0 if gap >= STOPPED - MARGIN else round((STOPPED - gap) * RATE)


def run(scene, moved):
    """Returns the number of old pictures that were LIVE after the sleep: page, snapshots, stream, recording."""
    world, browser, camera, hub = scene.world, scene.browser, scene.camera, scene.hub
    headers = hub.access.headers()
    scene.open(script=MOVABLE_DATE)
    browser.wait_state(camera.id, "LIVE", WAIT)
    video = world.folder / "watch.mp4"
    watch = Process("watch", [*scene.clocks.prefix(), world.program("sealcam"), "--account", world.folder / "first", "watch",
                              "Front door", "-o", video, "--json"], world.logs / "watch.log").start()
    world.processes.append(watch)
    stream = Stream(urllib.request.Request(f"{scene.url()}live/{camera.id}.ts", headers=headers))
    stream.start()
    wait_for("pictures in the stream", lambda: len(stream.pictures) > 3 * RATE, WAIT)
    wait_for("a recording", lambda: video.exists() and video.stat().st_size > 50_000, WAIT, watch)

    first, at = browser.tile(camera.id)["number"], time.time()
    browser.do("evaluate", code=HANG.replace("CAMERA", camera.id).replace("HANG_MS", str(1000 * (BEFORE + STOPPED + 0.3)))
               .replace("MOVE_MS", str(1000 * (SLEEP - STOPPED))))
    time.sleep(BEFORE)
    for process in (hub.process, watch):
        process.send(signal.SIGSTOP)
    recorded = video.stat().st_size
    snapshots = Snapshots(scene, headers)
    time.sleep(STOPPED)
    scene.clocks.move(SLEEP - STOPPED if moved else 0, SLEEP - STOPPED)
    awake = time.time()
    for process in (hub.process, watch):
        process.send(signal.SIGCONT)

    wait_for("LIVE pictures after the sleep",
             lambda: any(number > first + (awake - at + 2) * RATE for number, _ in browser.do("evaluate", code="window.live ?? []")), WAIT)
    wait_for("the snapshots", lambda: len(snapshots.answers) == 6, WAIT)
    wait_for("recorded pictures after the sleep", lambda: video.stat().st_size > recorded, WAIT, watch)
    live = browser.do("evaluate", code="window.live")
    watch.stop(signal.SIGINT)
    newest_old = first + (awake - MARGIN - at) * RATE
    old = [(number, after) for number, after in live if number < newest_old]
    print(f"page: LIVE in {len(live)} frames; old pictures {[(number, round(after)) for number, after in old[:8]]} (number, ms after the page runs again)")
    # The picture on the screen may stay until the next refresh. Another old one, or a longer time, is a fault.
    old = [number for number, after in old if number != old[0][0] or after > REFRESH]
    print(f"snapshots: {snapshots.answers}")
    print(f"stream: {sum(a > awake for a, _ in stream.pictures)} pictures after the sleep; recording: {watch.tail(1)}")
    return {"page": len(old), "snapshots": snapshots.old(awake), "stream": stream.old(awake),
            "recording": recorded_old(world, video)}


class SleepScene(Scene):
    """The programs of the hub have clocks that the test moves."""

    def __init__(self, world, browser, output):
        if not shutil.which("ffprobe"):
            print("SKIPPED: ffprobe is not installed")
            sys.exit(SKIP)
        self.clocks = Clocks(world)
        super().__init__(world, browser, output, self.clocks.prefix(), {"size": "320x240", "rate": RATE})


def sleep(s):
    """No old picture is LIVE after a sleep that the boot-time clocks show."""
    old = run(s, True)
    print(f"old pictures that were LIVE after {SLEEP:.0f} s of sleep: {old}")
    for where, count in old.items():
        expect(count == 0, f"{where}: {count} old pictures are LIVE after the sleep")


def control(s):
    """If the boot-time clocks do not show the sleep, old pictures are LIVE."""
    old = run(s, False)
    print(f"old pictures that were LIVE after {SLEEP:.0f} s of sleep that no clock shows: {old}")
    for where, count in old.items():
        expect(count > 0, f"control: {where} shows no old picture as LIVE, so this test cannot see the fault")


if __name__ == "__main__":
    run_cases(__doc__, {"sleep": sleep, "control": control}, functools.partial(browser_scene, SleepScene))
