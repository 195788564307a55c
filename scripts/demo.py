#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs Sealcam on this machine: one Mosquitto, and two accounts with one camera and one hub each. A faulty relay copies each
message of the first account's camera to the second account. The second hub must not show these pictures."""
import argparse
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from support.world import Failure, World, cpu_and_memory, read_json, wait_for  # noqa: E402

CLIP = "/usr/share/doc/opencv-doc/examples/data/vtest.avi"
SECOND_CAMERA = 2


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--input", metavar="FILE", help="video for the first camera; any file that FFmpeg opens "
                                                        "(default: a clip of the build root)")
    parser.add_argument("--size", default="1920x1080", help="picture size of the first camera (default: %(default)s)")
    parser.add_argument("--rate", type=float, help="pictures per second (default: 30; with --input the times of the file)")
    parser.add_argument("--bitrate", type=int, default=2_000_000, help="bit/s of the first camera (default: %(default)s)")
    parser.add_argument("--seconds", type=float, help="stop after this time (default: run until Ctrl-C)")
    parser.add_argument("--check", action="store_true",
                        help="check the result, print it as one line of JSON, and exit with 1 if a check fails")
    parser.add_argument("--no-timing", action="store_true", help="with --check: report rates and latencies without a check")
    parser.add_argument("--keep", metavar="DIR", help="use DIR for logs and state, and keep it")
    parser.add_argument("--build", default="build/dev", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.check and not options.seconds:
        options.seconds = 30
    if options.rate is None:
        options.rate = 0 if options.input else 30
    return options


def report(text):
    print(text, file=sys.stderr, flush=True)


class Demo:
    def __init__(self, options, world):
        self.options, self.world = options, world

    def set_up(self):
        o, w = self.options, self.world
        report("creating the broker, two accounts, two cameras and two hubs (about 3 s)")
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
        report("starting the hubs and the cameras (about 3 s)")
        w.start(self.hub1)
        w.start(self.hub2)
        for hub in (self.hub1, self.hub2):
            wait_for(f"{hub.name} is ready", hub.status, 10, hub.process)
        self.show_addresses()
        seconds = ["--seconds", o.seconds + 180] if o.seconds else []
        self.probe1 = w.probe("probe-1", self.hub1, *seconds)
        self.probe2 = w.probe("probe-2", self.hub2, "--decode", *seconds)
        w.start(self.camera2)
        w.start(self.camera1)
        self.wait_picture("first", self.probe1)
        self.wait_picture("second", self.probe2)
        w.authorize_relay()
        relay = w.relay(self.camera1, self.camera2)
        self.relay_status = relay.result
        wait_for("the relay copies messages", lambda: (read_json(self.relay_status) or {}).get("video", 0) > 0, 10, relay)

    def show_addresses(self):
        """Each address is valid for 60 s, once."""
        report("open each page within a minute; after that the script prints new addresses:")
        for account, hub in (("first", self.hub1), ("second", self.hub2)):
            report(f"  {account} account: {hub.access.open_address()}")
        self.shown_at = time.monotonic()

    def wait_picture(self, name, probe):
        try:
            wait_for(f"the {name} hub shows a live picture", lambda: self.live(probe), 60)
        except Failure as failure:
            raise Failure(f"{failure}; if this machine is slow or busy, try smaller pictures: --size 640x360 --rate 10") from None

    @staticmethod
    def live(probe):
        return (read_json(probe.result) or {}).get("live", 0)

    def run(self):
        """Prints one line per second until the time is over or the user presses Ctrl-C."""
        o = self.options
        started = time.monotonic()
        before = read_json(self.probe1.result)
        before_relay = read_json(self.relay_status)
        cpu0, _ = cpu_and_memory(self.camera1.process.child.pid)
        published0 = self.camera1.status().get("published", 0)
        while not o.seconds or time.monotonic() - started < o.seconds:
            time.sleep(1)
            if not o.check and time.monotonic() - self.shown_at > 55:
                self.show_addresses()
            for process in self.world.processes:
                if not process.alive:
                    raise Failure(f"the process {process.name} ended:\n{process.tail()}")
            p1, p2 = read_json(self.probe1.result) or {}, read_json(self.probe2.result) or {}
            relay = read_json(self.relay_status) or {}
            report(f"{time.monotonic() - started:4.0f} s  first hub: {p1.get('live', 0)} live pictures, latency "
                   f"{p1.get('latency_ms_p50', 0):.1f}/{p1.get('latency_ms_p95', 0):.1f} ms (p50/p95)  "
                   f"second hub: {p2.get('live', 0)} live pictures  misrouted messages: {relay.get('total', 0)}, "
                   f"shown: {p2.get('unexpected', 0)}")
        seconds = time.monotonic() - started
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
            "stranger_shown": p2["unexpected"],
            "stranger_own_live": p2["live"],
            "stranger_rejected": self.hub2.status().get("rejected", {}),
            "first_picture_ms": round(p1["first_picture_at_ms"] - self.camera1.process.started * 1000),
            "camera_cpu_ms_per_frame": round((cpu1 - cpu0) * 1000 / max(1, published - published0), 2),
            "camera_rss_kib": rss,
        }

    def control(self):
        """Gives the second hub the keys of the first. It must show the pictures then; otherwise the check proves nothing."""
        w = self.world
        report("control: a hub with the first hub's keys must show the pictures (about 3 s)")
        self.probe2.stop()
        self.probe1.stop()
        self.hub1.process.stop()
        copied = w.folder / "control-hub"
        shutil.copytree(self.hub1.state, copied)
        hub = w.start(w.hub("first", "control-hub", state=copied))
        wait_for("the control's hub is ready", hub.status, 10, hub.process)
        probe = w.probe("probe-control", hub, "--decode", "--seconds", 20)
        wait_for("the control's hub shows live pictures", lambda: self.live(probe) > 0, 15)
        time.sleep(1)
        return (read_json(probe.result) or {}).get("unexpected", 0)


def failed_checks(result, options):
    """Returns a sentence for each check that failed."""
    failed = []

    def expect(condition, text):
        if not condition:
            failed.append(text)

    expect(result["stranger_shown"] == 0, "the second hub showed pictures of the first account")
    # A busy machine publishes fewer pictures. The relay must still have copied at least half of them.
    min_misrouted = max(result["published"] / 2, 5 * options.seconds) if options.no_timing else 16 * options.seconds
    expect(result["misrouted"] > min_misrouted, f"the relay copied only {result['misrouted']} messages")
    expect(result["stranger_own_live"] > 0, "the second hub did not show its own camera")
    expect(result["control_stranger_shown"] > 0, "the control showed no picture, so the check proves nothing")
    expect(result["shown_live"] > 0, "the first hub showed no picture")
    if not options.no_timing:
        min_rate = options.rate * 29 / 30
        expect(result["fps"] >= min_rate, f"the rate is {result['fps']} pictures per second, below {min_rate:.0f}")
        expect(result["first_picture_ms"] < 2000, f"the first picture took {result['first_picture_ms']} ms, not below 2000")
        expect(result["latency_ms_p50"] < 25, f"the median latency is {result['latency_ms_p50']} ms, not below 25")
        expect(result["latency_ms_p95"] < 60, f"the latency p95 is {result['latency_ms_p95']} ms, not below 60")
    return failed


def main():
    options = arguments()
    if not options.input and not os.path.exists(CLIP):
        report(f"error: the clip {CLIP} is missing; install the package opencv-doc, or name a video with --input FILE")
        return 66
    folder = options.keep or tempfile.mkdtemp(prefix="sealcam-demo-")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores SIGINT for background jobs
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
        report("\nstopped")
        return 0
    except Failure as failure:
        report(f"error: {failure}")
        report(f"logs are in {folder}/logs")
        options.keep = folder
        return 1
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    failed = failed_checks(result, options)
    for text in failed:
        report(f"failed: {text}")
    print(json.dumps(result), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
