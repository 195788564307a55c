#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The short form of 'scripts/bench network': a camera behind a slow link, and plain ffmpeg on the same link as the control. The link is a relay
that needs no privileges; it records what it carried, so that a busy machine is not taken for a fault of the camera.

    network.py --build DIR
"""
import argparse
import json
import pathlib
import statistics
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "scripts"))
from support import ffmpeg_stream  # noqa: E402
from support.viewer import MAX_AGE, Viewer, live_share  # noqa: E402
from support.world import Failure, World, free_port, read_json, wait_for  # noqa: E402

CLIP = "/usr/share/doc/opencv-doc/examples/data/vtest.avi"
SIZE, RATE, BITRATE, MIN_BITRATE = "640x360", 30, 2_000_000, 150_000
SETTLE, SECONDS, RECOVERY, CONTROL = 8, 20, 12, 15
LATE = 300  # ms; then the machine did not run the link
LINKS = [(500, 1200), (250, 1500)]  # kbit/s, ms of the latency's p95


class Link:
    """The relay between the clients and the broker or server, as a process."""

    def __init__(self, world, name, listen, target):
        self.folder = world.folder / name
        self.folder.mkdir()
        self.set("free")
        world.spawn(name, sys.executable, TOP / "scripts/support/slow_link.py", listen, target, self.folder)

    def set(self, rate):
        (self.folder / "rate").write_text(str(rate))

    def rows(self, begin, end):
        """(time, bytes that it could carry, bytes that it carried, ms late) of each 100 ms."""
        lines = (self.folder / "carried").read_text().splitlines()[:-1]
        rows = [tuple(map(float, line.split())) for line in lines]
        return [row for row in rows if begin <= row[0] < end]


def measure(link, begin, end, seen):
    """The figures of the time in which the machine ran the link: LIVE, latency, and the used share of the link."""
    rows = link.rows(begin - MAX_AGE, end)
    stops = [at for at, _, _, late in rows if late > LATE]
    ran = [row for row in rows if row[0] >= begin and not any(stop <= row[0] < stop + MAX_AGE for stop in stops)]
    arrivals = [(at, at - latency / 1000) for at, latency, live in seen if live]
    shares = [live_share(arrivals, at, at + 0.2) for at, *_ in ran]
    latencies = [latency for at, latency, live in seen if live and begin <= at < end]
    return {
        "ran": len(ran) / max(1, (end - begin) * 10),
        "live": statistics.fmean(shares) if shares else 0,
        "fps": len(latencies) / (end - begin),
        "p95": statistics.quantiles(latencies, n=20)[-1] if len(latencies) > 1 else None,
        "late_p95": statistics.quantiles([late for *_, late in rows], n=20)[-1],
        "used": sum(row[2] for row in rows if row[0] >= begin) / max(1, sum(row[1] for row in rows if row[0] >= begin)),
    }


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


def check_camera(world, check):
    link, viewer, camera = start(world)
    for kbits, max_p95 in LINKS:
        link.set(kbits)
        time.sleep(SETTLE)
        begin = time.time()
        found = bitrates(camera, begin + SECONDS)  # for the reader; while pictures are held, the bitrate is above the link's rate
        got = measure(link, begin, begin + SECONDS, list(viewer.seen))
        got["bitrate"] = statistics.median(found)
        print(json.dumps({"kbit/s": kbits, **got}), flush=True)
        check(got["ran"] >= 0.3, f"{kbits} kbit/s: the machine ran the link in {got['ran']:.0%} of the time, too little to judge")
        check(got["live"] >= 0.98, f"{kbits} kbit/s: LIVE {got['live']:.1%}")
        check(got["p95"] is not None and got["p95"] - 2 * got["late_p95"] < max_p95, f"{kbits} kbit/s: latency p95 {got['p95']} ms")
        check(got["used"] >= 0.5, f"{kbits} kbit/s: the camera uses {got['used']:.0%} of the link")
    link.set("free")
    try:
        wait_for("the full bitrate returns", lambda: camera.status().get("bitrate") == BITRATE, RECOVERY)
    except Failure as error:
        check(False, f"within {RECOVERY} s: {error}")


def check_control(world, check):
    """Plain ffmpeg sends more than the link carries. The measurement must show this."""
    listen, target, seen = free_port(), free_port(), []
    ffmpeg_stream.Receiver(world.folder, ("", target), lambda at, captured: seen.append((at, (at - captured) * 1000, True)))
    link = Link(world, "control", listen, target)
    link.set(LINKS[-1][0])
    begin = time.time()
    ffmpeg_stream.send(CLIP, SIZE, RATE, BITRATE, ("127.0.0.1", listen), lambda: time.time() < begin + SETTLE + CONTROL)
    got = measure(link, begin + SETTLE, begin + SETTLE + CONTROL, list(seen))
    print(json.dumps({"control": "ffmpeg", **got}), flush=True)
    check(got["live"] < 0.9, f"control: ffmpeg is LIVE {got['live']:.1%}, so the link is not slow or the measurement is wrong")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    args = parser.parse_args()
    failures = []

    def check(good, text):
        if not good:
            failures.append(text)
            print("FAILED:", text, flush=True)

    with tempfile.TemporaryDirectory(prefix="sealcam-network-") as folder:
        with World(args.build, folder) as world:
            check_camera(world, check)
        with World(args.build, pathlib.Path(folder) / "second") as world:
            check_control(world, check)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
