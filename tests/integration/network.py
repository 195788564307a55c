#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The short form of 'scripts/bench network': a camera behind a slow link, and plain ffmpeg on the same link as the control. The link is a relay
that needs no privileges; it records what it carried. A thread of this process, which the camera cannot block, measures the pauses of the
machine. Moments after a pause are not judged. If too few moments remain, the test is reported as skipped.

    network.py --build DIR
"""
import argparse
import json
import os
import pathlib
import statistics
import sys
import tempfile
import threading
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "scripts"))
from support import ffmpeg_stream  # noqa: E402
from support.pauses import Pauses  # noqa: E402
from support.viewer import MAX_AGE, Viewer, live_share  # noqa: E402
from support.world import World, free_port, read_json, wait_for  # noqa: E402

CLIP = "/usr/share/doc/opencv-doc/examples/data/vtest.avi"
SIZE, RATE, BITRATE, MIN_BITRATE = "640x360", 30, 2_000_000, 150_000
SETTLE, SECONDS, RECOVERY, FREE, CONTROL = 8, 20, 12, 8, 15
LATE = 300  # ms; then the machine did not run its programs
ENOUGH = 0.3  # of the time
SKIPPED = 77
LINKS = [(500, 1200), (250, 1500)]  # kbit/s, ms of the latency's p95


class Link:
    """The relay between the clients and the broker or server, as a process."""

    def __init__(self, world, name, listen, target):
        self.folder = world.folder / name
        self.folder.mkdir()
        self.set("free")
        world.spawn(name, sys.executable, TOP / "scripts/support/slow_link.py", listen, target, self.folder)

    def set(self, rate):
        new = self.folder / "new"
        new.write_text(str(rate))
        os.replace(new, self.folder / "rate")

    def rows(self, begin, end):
        """(time, bytes that it could carry, bytes that it carried, ms late) of each 100 ms."""
        lines = (self.folder / "carried").read_text().splitlines()[:-1]
        rows = [tuple(map(float, line.split())) for line in lines]
        return [row for row in rows if begin <= row[0] < end]


class Judge:
    """Decides which moments count, and collects failures and reasons to skip."""

    def __init__(self, pauses):
        self.pauses, self.failures, self.busy = pauses, [], []

    def check(self, good, text):
        if not good:
            self.failures.append(text)
            print("FAILED:", text, flush=True)

    def enough(self, name, share):
        """Whether the machine ran its programs long enough."""
        if share < ENOUGH:
            self.busy.append(f"{name}: the machine ran its programs in {share:.0%} of the time, too little to judge")
            print("busy:", self.busy[-1], flush=True)
        return share >= ENOUGH

    def stops(self, link, begin, end):
        """(begin, end) of the times in which pictures can be late because of the machine."""
        found = self.pauses.longer(LATE) + [(at - late / 1000, at) for at, _, _, late in link.rows(begin - MAX_AGE, end) if late > LATE]
        return [(first, last + MAX_AGE) for first, last in found if last + MAX_AGE > begin and first < end]

    def measure(self, link, begin, end, seen):
        """The figures of the time in which the machine ran its programs: LIVE, latency, and the used share of the link."""
        rows, stops = link.rows(begin, end), self.stops(link, begin, end)
        judged = lambda moment: begin <= moment < end and not any(first <= moment < last for first, last in stops)  # noqa: E731
        ran = [row for row in rows if judged(row[0])]
        arrivals = [(at, at - latency / 1000) for at, latency, live in seen if live]
        shares = [live_share(arrivals, at, at + 0.2) for at, *_ in ran]
        latencies = [latency for at, latency, live in seen if live and judged(at)]
        offered = sum(row[1] for row in ran)
        return {
            "ran": len(ran) / ((end - begin) * 10),
            "pauses_s": round(sum(last - first - MAX_AGE for first, last in stops), 1),
            "pictures": sum(1 for at, *_ in seen if begin <= at < end),
            "live": statistics.fmean(shares) if shares else 0,
            "p95": statistics.quantiles(latencies, n=20)[-1] if len(latencies) > 1 else None,
            "late_p95": statistics.quantiles([late for *_, late in rows], n=20)[-1] if len(rows) > 1 else None,
            "used": sum(row[2] for row in ran) / offered if offered else None,
        }

    def within(self, link, seconds, condition):
        """Polls for this time, not counting the moments after pauses. Returns whether it happened, and the share of the time that counted."""
        begin, counted, now = time.time(), 0.0, time.time()
        while counted < seconds and now - begin < seconds / ENOUGH:
            if condition():
                return True, 1.0
            time.sleep(0.1)
            last, now = now, time.time()
            if not any(first <= now < end for first, end in self.stops(link, begin, now)):
                counted += now - last
        return False, counted / seconds


def start(world):
    """Starts a broker behind a link, a hub beside it, and a camera. Returns the link, the viewer and the camera."""
    world.account("a")
    link_port, world.port = free_port(), free_port()
    broker = world.folder / "broker"
    world.run(world.program("sealcam"), "broker", "init", broker, "--port", link_port)
    conf = broker / "mosquitto.conf"
    conf.write_text(conf.read_text().replace(f"listener {link_port} ", f"listener {world.port} "))
    world.start_broker()
    link = Link(world, "link", link_port, world.port)
    hub = world.start(world.hub("a", "hub"))
    wait_for("the hub is ready", lambda: read_json(hub.status_file), 60, hub.process)
    viewer = Viewer(("127.0.0.1", hub.port), hub.access.file("view").read_text().strip()).start()
    camera = world.camera("a", "camera", {
        "source": {"backend": "replay", "file": CLIP, "size": SIZE, "rate": RATE, "loop": True},
        "encoder": {"bitrate": BITRATE, "min_bitrate": MIN_BITRATE, "keyframe_interval": 2 * RATE}}, "Camera")
    world.start(camera)
    wait_for("the hub shows a LIVE picture", lambda: viewer.seen, 60, camera.process)
    return link, viewer, camera


def bitrates(camera, until):
    """The bitrates that the camera sets until this time."""
    found = []
    while time.time() < until:
        time.sleep(0.5)
        found.append((camera.status() or {}).get("bitrate"))
    return [bitrate for bitrate in found if bitrate]


def check_camera(world, judge):
    link, viewer, camera = start(world)
    for kbits, max_p95 in LINKS:
        link.set(kbits)
        time.sleep(SETTLE)
        begin = time.time()
        found = bitrates(camera, begin + SECONDS)  # for the reader; while pictures are held, the bitrate is above the link's rate
        got = judge.measure(link, begin, begin + SECONDS, list(viewer.seen))
        got["bitrate"] = statistics.median(found) if found else None
        print(json.dumps({"kbit/s": kbits, **got}), flush=True)
        if judge.enough(f"{kbits} kbit/s", got["ran"]):
            judge.check(got["live"] >= 0.98, f"{kbits} kbit/s: LIVE {got['live']:.1%}")
            judge.check(got["p95"] is not None and got["p95"] - 2 * got["late_p95"] < max_p95, f"{kbits} kbit/s: latency p95 {got['p95']} ms")
            judge.check(got["used"] >= 0.5, f"{kbits} kbit/s: the camera uses {got['used']:.0%} of the link")
    link.set("free")
    happened, counted = judge.within(link, RECOVERY, lambda: camera.status().get("bitrate") == BITRATE)
    if not happened and judge.enough("recovery", counted):
        judge.check(False, f"the full bitrate did not return within {RECOVERY} s on a free link")


def check_control(world, judge):
    """Plain ffmpeg is LIVE on a free link, and sends more than the slow link carries. The measurement must show both."""
    listen, target, seen, ended = free_port(), free_port(), [], threading.Event()
    ffmpeg_stream.Receiver(world.folder, ("", target), lambda at, captured: seen.append((at, (at - captured) * 1000, True)))
    link = Link(world, "control", listen, target)
    sender = threading.Thread(target=ffmpeg_stream.send, args=(CLIP, SIZE, RATE, BITRATE, ("127.0.0.1", listen), lambda: not ended.is_set()))
    sender.start()
    try:
        wait_for("ffmpeg sends pictures", lambda: seen, 30)
        free = control_figures(judge, link, "free", FREE, seen)
        link.set(LINKS[-1][0])
        time.sleep(SETTLE)
        slow = control_figures(judge, link, LINKS[-1][0], CONTROL, seen)
    finally:
        ended.set()
        sender.join()
    if judge.enough("control, free link", free["ran"]):
        judge.check(free["live"] >= 0.98, f"control: ffmpeg is LIVE {free['live']:.1%} on a free link, so the measurement is wrong")
    if judge.enough("control", slow["ran"]):
        judge.check(slow["pictures"] >= 30, f"control: {slow['pictures']} pictures of ffmpeg arrived")
        judge.check(slow["live"] < 0.9, f"control: ffmpeg is LIVE {slow['live']:.1%}, so the link is not slow or the measurement is wrong")


def control_figures(judge, link, rate, seconds, seen):
    begin = time.time()
    time.sleep(seconds)
    got = judge.measure(link, begin, begin + seconds, list(seen))
    print(json.dumps({"control": "ffmpeg", "kbit/s": rate, **got}), flush=True)
    return got


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sealcam-network-") as folder, Pauses() as pauses:
        judge = Judge(pauses)
        with World(args.build, folder) as world:
            check_camera(world, judge)
        with World(args.build, pathlib.Path(folder) / "second") as world:
            check_control(world, judge)
    found = sorted((round((end - begin) * 1000) for begin, end in pauses.longer(LATE)), reverse=True)[:10]
    print(f"pauses of this machine: p95 {pauses.p95():.1f} ms; longer than {LATE} ms: {found}", flush=True)
    if judge.failures:
        return 1
    if judge.busy:
        print("SKIPPED: the machine is too busy:", "; ".join(judge.busy))
        return SKIPPED
    return 0


if __name__ == "__main__":
    sys.exit(main())
