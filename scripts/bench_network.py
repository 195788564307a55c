#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The processes of 'scripts/bench network'. Both sides exchange files in one folder: ready, live, stop, seen.json, bitrate."""
import base64
import bisect
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from support.world import TOP, World, read_json, wait_for  # noqa: E402

BUILD = TOP / "build/dev"
CLIP = "/usr/share/doc/opencv-doc/examples/data/vtest.avi"
BROKER = ("10.77.0.2", 38883)
HUB = ("127.0.0.1", 38420)
MAX_AGE = 5  # seconds; a hub shows an older picture as stale
PICTURE_HEADER = 80  # bytes; firmware/docs/hub-api.md


class Viewer:
    """Receives pictures from the hub's WebSocket as the page does."""

    def __init__(self, folder, token):
        self.folder, self.token = folder, token
        self.seen = []  # (time received, latency in ms, live)

    def run(self):
        self.socket = socket.create_connection(HUB)
        self.stream = self.socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET /ws HTTP/1.1\r\nHost: {HUB[0]}:{HUB[1]}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Origin: http://{HUB[0]}:{HUB[1]}\r\nAuthorization: Bearer {self.token}\r\n"
                             f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n").encode())
        while self.stream.readline().strip():
            pass
        self.send(1, b'{"watch": "all"}')
        while True:
            head = self.stream.read(2)
            if len(head) < 2:
                return
            size = head[1] & 127
            if size == 126:
                size = struct.unpack(">H", self.stream.read(2))[0]
            elif size == 127:
                size = struct.unpack(">Q", self.stream.read(8))[0]
            body = self.stream.read(size)
            if head[0] & 15 == 9:  # ping
                self.send(10, body)
            if head[0] & 15 == 2 and len(body) >= PICTURE_HEADER and body[1] == 1:
                self.add(body)

    def send(self, opcode, body):
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(body))
        self.socket.sendall(bytes([0x80 | opcode, 0x80 | len(body)]) + mask + masked)

    def add(self, body):
        now = time.time()
        captured = struct.unpack(">q", body[28:36])[0] / 1e6
        self.seen.append((now, (now - captured) * 1000, body[2] == 1))
        if not (self.folder / "live").exists():
            (self.folder / "live").write_text("live")


def wait_stop(folder):
    while not (folder / "stop").exists():
        time.sleep(0.2)


def site(folder):
    """Runs the broker, the hub and a viewer."""
    with World(BUILD, folder / "world") as world:
        world.account("a")
        world.port = BROKER[1]
        broker = world.folder / "broker"
        world.run(world.program("sealcam"), "broker", "init", broker, "--port", BROKER[1], "--listen", BROKER[0], "--host", BROKER[0])
        world.broker = world.spawn("mosquitto", "/usr/sbin/mosquitto", "-c", broker / "mosquitto.conf")
        for kind in ("camera", "hub"):
            world.run(world.program(f"sealcam-{kind}"), "--state", world.folder / kind, "keys")
        world.owner("a", "camera", "enroll", world.folder / "camera", "--name", "Camera", "--broker", broker)
        world.owner("a", "hub", "enroll", world.folder / "hub", "--broker", broker)
        status = world.folder / "hub.status"
        hub = world.spawn("hub", world.program("sealcam-hub"), "--state", world.folder / "hub",
                          "--listen", f"{HUB[0]}:{HUB[1]}", "--status", status)
        wait_for("the hub is ready", lambda: read_json(status), 20, hub)
        (folder / "ready").write_text("ready")
        token = world.run(world.program("sealcam-hub"), "--state", world.folder / "hub", "token", "create", "bench",
                          "--rights", "view").strip()
        viewer = Viewer(folder, token)
        threading.Thread(target=viewer.run, daemon=True).start()
        wait_stop(folder)
        (folder / "seen.json").write_text(json.dumps(viewer.seen))


def camera(folder):
    """Runs the camera and records its bitrate, published bytes and memory twice per second."""
    while not (folder / "ready").exists():
        time.sleep(0.2)
    config, status = folder / "camera.json", folder / "camera.status"
    config.write_text(json.dumps({
        "source": {"backend": "replay", "file": CLIP, "size": "1920x1080", "rate": 30, "loop": True},
        "encoder": {"bitrate": 2_000_000, "min_bitrate": 150_000, "keyframe_interval": 60}}))
    process = subprocess.Popen([BUILD / "bin/sealcam-camera", "--state", folder / "world/camera", "--config", config,
                                "--status", status])
    with (folder / "bitrate").open("w") as out:
        while not (folder / "stop").exists():
            time.sleep(0.5)
            now = read_json(status) or {}
            print(time.time(), now.get("bitrate"), now.get("published_bytes"), now.get("rss_kib"), file=out, flush=True)
    process.terminate()
    process.wait()


def live_share(arrivals, begin, end):
    """The share of moments at which the newest picture that arrived was at most MAX_AGE old."""
    times = [arrived for arrived, _ in arrivals]
    newest, latest = [], 0
    for _, captured in arrivals:
        latest = max(latest, captured)
        newest.append(latest)
    moments = [begin + 0.2 * i for i in range(int((end - begin) / 0.2))]
    live = sum(1 for moment in moments
               if (i := bisect.bisect_right(times, moment)) and moment - newest[i - 1] <= MAX_AGE)
    return round(live / max(1, len(moments)), 3)


def report(folder):
    """Prints one line of JSON per phase, then all of them."""
    seen = json.loads((folder / "seen.json").read_text())
    marks = [line.split() for line in (folder / "phases").read_text().splitlines()]
    samples = [line.split() for line in (folder / "bitrate").read_text().splitlines()]
    arrivals = [(at, at - latency / 1000) for at, latency, live in seen if live]
    rows = []
    for (name, begin), (_, end) in zip(marks, marks[1:]):
        begin, end = float(begin), float(end)
        latencies = sorted(latency for at, latency, live in seen if begin <= at < end and live)
        # The rate controller needs a few seconds to adapt.
        bitrates = [int(s[1]) for s in samples if begin + 5 <= float(s[0]) < end and s[1] != "None"]
        memory = [int(s[3]) for s in samples if begin <= float(s[0]) < end and s[3] != "None"]

        def percentile(share):
            return round(latencies[int(len(latencies) * share)]) if latencies else None

        rows.append({
            "phase": name,
            "live_share": live_share(arrivals, begin, end),
            "fps": round(len(latencies) / (end - begin), 1),
            "p50": percentile(0.5),
            "p95": percentile(0.95),
            "max": round(latencies[-1]) if latencies else None,
            "bitrate_min_max": [min(bitrates), max(bitrates)] if bitrates else None,
            "rss_kib": max(memory) if memory else None,
        })
        print(json.dumps(rows[-1]))
    print(json.dumps({"rows": rows}))


if __name__ == "__main__":
    {"site": site, "camera": camera, "report": report}[sys.argv[1]](pathlib.Path(sys.argv[2]))
