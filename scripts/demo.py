#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The main job end to end on this machine: two accounts with a camera and a hub each on one real Mosquitto, and a
broken relay between them that hands every message of the first account to the second."""
import argparse
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
from support.world import Failure, World, cpu_and_memory, read_json, wait_for  # noqa: E402

CLIP = "/usr/share/doc/opencv-doc/examples/data/vtest.avi"
SECOND_CAMERA = 2


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--input", help=f"first camera's pictures: any file FFmpeg opens (default: {CLIP})")
    parser.add_argument("--size", default="1920x1080", help="size of the first camera's pictures (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=30, help="pictures per second (default: %(default)s)")
    parser.add_argument("--bitrate", type=int, default=2_000_000, help="bit/s of the first camera (default: %(default)s)")
    parser.add_argument("--seconds", type=float, help="end after so many seconds of live pictures (default: Ctrl-C)")
    parser.add_argument("--check", action="store_true", help="judge the run: the last line is JSON, exit 0 if all holds")
    parser.add_argument("--no-timing", action="store_true", help="with --check: report rates and times, do not judge them")
    parser.add_argument("--keep", metavar="DIR", help="work in DIR and keep it (logs, state)")
    parser.add_argument("--build", default="build/dev", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.check and not options.seconds:
        options.seconds = 30
    return options


def say(text):
    print(text, file=sys.stderr, flush=True)


class Demo:
    def __init__(self, options, world):
        self.options, self.world = options, world

    def set_up(self):
        o, w = self.options, self.world
        say("setting up: broker, two accounts, two cameras, two hubs")
        for account in ("first", "second"):
            w.account(account)
        w.start_broker()
        self.camera1 = w.camera("first", "camera-1", {
            "source": {"backend": "replay", "file": o.input or CLIP, "size": o.size, "rate": o.rate, "loop": True},
            "encoder": {"bitrate": o.bitrate, "keyframe_interval": 60}}, "First camera")
        self.camera2 = w.camera("second", "camera-2", {
            "source": {"backend": "fake", "size": "640x360", "rate": 15, "number": SECOND_CAMERA},
            "encoder": {"bitrate": 500_000, "keyframe_interval": 30}}, "Second camera")
        self.hub1 = w.hub("first", "hub-1")
        self.hub2 = w.hub("second", "hub-2")

    def start(self):
        o, w = self.options, self.world
        w.start(self.hub1)
        w.start(self.hub2)
        for hub in (self.hub1, self.hub2):
            wait_for(f"{hub.name} is ready", hub.status, 10, hub.process)
        say(f"hubs: http://127.0.0.1:{self.hub1.port}/ (first account)  http://127.0.0.1:{self.hub2.port}/ (second)")
        seconds = ["--seconds", o.seconds + 60] if o.seconds else []
        self.probe1 = w.probe("probe-1", self.hub1, *seconds)
        self.probe2 = w.probe("probe-2", self.hub2, "--decode", *seconds)
        w.start(self.camera2)
        w.start(self.camera1)
        wait_for("first account's picture is live", lambda: self.live(self.probe1), 20)
        wait_for("second account's picture is live", lambda: self.live(self.probe2), 20)
        w.admit_relay()
        relay = w.relay(self.camera1, self.camera2)
        self.relay_status = relay.result
        wait_for("the relay copies", lambda: (read_json(self.relay_status) or {}).get("video", 0) > 0, 10, relay)

    @staticmethod
    def live(probe):
        return (read_json(probe.result) or {}).get("live", 0)

    def run(self):
        """Prints a line a second until the time is over or Ctrl-C."""
        o = self.options
        begun = time.monotonic()
        before = read_json(self.probe1.result)
        before_relay = read_json(self.relay_status)
        cpu0, _ = cpu_and_memory(self.camera1.process.child.pid)
        published0 = self.camera1.status().get("published", 0)
        while not o.seconds or time.monotonic() - begun < o.seconds:
            time.sleep(1)
            for process in self.world.processes:
                if not process.alive:
                    raise Failure(f"{process.name} ended by itself:\n{process.tail()}")
            p1, p2 = read_json(self.probe1.result) or {}, read_json(self.probe2.result) or {}
            relay = read_json(self.relay_status) or {}
            say(f"{time.monotonic() - begun:4.0f} s  first: {p1.get('live', 0)} live, "
                f"{p1.get('latency_ms_p50', 0):.1f}/{p1.get('latency_ms_p95', 0):.1f} ms (p50/p95)  "
                f"second: {p2.get('live', 0)} live  misrouted {relay.get('total', 0)}, "
                f"strangers' pictures shown {p2.get('foreign', 0)}")
        seconds = time.monotonic() - begun
        cpu1, rss = cpu_and_memory(self.camera1.process.child.pid)
        p1, p2 = read_json(self.probe1.result), read_json(self.probe2.result)
        published = self.camera1.status().get("published", 0)
        return {
            "published": published,
            "shown_live": p1["live"],
            "fps": round((p1["live"] - before["live"]) / seconds, 2),
            "latency_ms_p50": p1["latency_ms_p50"],
            "latency_ms_p95": p1["latency_ms_p95"],
            "misrouted": (read_json(self.relay_status) or {}).get("total", 0) - before_relay["total"],
            "stranger_shown": p2["foreign"],
            "stranger_own_live": p2["live"],
            "stranger_refused": self.hub2.status().get("refused", {}),
            "first_picture_ms": round(p1["first_picture_at_ms"] - self.camera1.process.started * 1000),
            "camera_cpu_ms_per_frame": round((cpu1 - cpu0) * 1000 / max(1, published - published0), 2),
            "camera_rss_kib": rss,
        }

    def control(self):
        """The same stranger with the first hub's keys and membership must show pictures: so the check can fail."""
        w = self.world
        say("control: the stranger gets the first hub's keys")
        self.probe2.stop()
        self.probe1.stop()
        self.hub1.process.stop()
        copied = w.folder / "control-hub"
        shutil.copytree(self.hub1.state, copied)
        hub = w.start(w.hub("first", "control-hub", state=copied))
        wait_for("the control's hub is ready", hub.status, 10, hub.process)
        probe = w.probe("probe-control", hub, "--decode", "--seconds", 20)
        wait_for("the control shows live pictures", lambda: self.live(probe) > 0, 15)
        time.sleep(1)
        return (read_json(probe.result) or {}).get("foreign", 0)


def judge(result, options):
    """Everything that does not hold."""
    wrong = []

    def expect(condition, text):
        if not condition:
            wrong.append(text)

    expect(result["stranger_shown"] == 0, "the stranger was shown pictures")
    # A busy machine takes fewer pictures; what it took must have been misrouted all the same.
    least = max(result["published"] / 2, 5 * options.seconds) if options.no_timing else 16 * options.seconds
    expect(result["misrouted"] > least, "too few messages were misrouted to prove anything")
    expect(result["stranger_own_live"] > 0, "the stranger's hub does not show its own camera")
    expect(result["control_stranger_shown"] > 0, "the control shows nothing: the check could not fail")
    expect(result["shown_live"] > 0, "the owner's hub shows nothing")
    if not options.no_timing:
        expect(result["fps"] >= options.rate * 29 / 30, f"fewer than {options.rate * 29 / 30:.0f} pictures a second")
        expect(result["first_picture_ms"] < 2000, "the first picture took 2 s or more")
        expect(result["latency_ms_p50"] < 25, "median latency is 25 ms or more")
        expect(result["latency_ms_p95"] < 60, "latency p95 is 60 ms or more")
    return wrong


def main():
    options = arguments()
    if not options.input and not os.path.exists(CLIP):
        say(f"error: {CLIP} is missing (package opencv-doc); give a clip with --input FILE")
        return 66
    folder = options.keep or tempfile.mkdtemp(prefix="sealcam-demo-")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also when started in the background
    try:
        with World(options.build, folder) as world:
            demo = Demo(options, world)
            demo.set_up()
            demo.start()
            result = demo.run()
            if not options.check:
                return 0
            result["control_stranger_shown"] = demo.control()
    except KeyboardInterrupt:
        say("\nended")
        return 0
    except Failure as failure:
        say(f"error: {failure}")
        say(f"logs are in {folder}/logs")
        options.keep = folder
        return 1
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    wrong = judge(result, options)
    for text in wrong:
        say(f"does not hold: {text}")
    print(json.dumps(result), flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
