#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The processes of 'scripts/bench network'. Both sides exchange files in one folder: ready, live, stop, flow, rest, seen.json, bitrate.

    bench_network.py site|camera|second|flow|report FOLDER PROGRAM      PROGRAM is sealcam or ffmpeg
"""
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
from support import ffmpeg_stream  # noqa: E402
from support.viewer import Viewer, live_share, percentile  # noqa: E402
from support.world import TOP, World, read_json, wait_for  # noqa: E402

BUILD = TOP / "build/dev"
CLIP = "/usr/share/doc/opencv-doc/examples/data/vtest.avi"
SIZE = os.environ.get("SEALCAM_BENCH_SIZE", "1920x1080")
RATE, BITRATE, MIN_BITRATE = 30, 2_000_000, 150_000
BROKER = ("broker.test", 38883)  # network.sh writes the address into /etc/hosts
FFMPEG_PORT, FLOW_PORT = 38884, 38885
HUB = ("127.0.0.1", 38420)


def wait_stop(folder):
    while not (folder / "stop").exists():
        time.sleep(0.2)


def take_flow():
    """Receives the other connection, and reads as fast as it can."""
    server = socket.create_server(("", FLOW_PORT))

    def run():
        while True:
            connection, _ = server.accept()
            threading.Thread(target=lambda c=connection: drain(c), daemon=True).start()

    def drain(connection):
        try:
            while connection.recv(1 << 20):
                pass
        except OSError:
            pass

    threading.Thread(target=run, daemon=True).start()


def flow(folder, _):
    """While the file 'flow' exists, another connection has data without end."""
    connection = None
    while not (folder / "stop").exists():
        if not (folder / "flow").exists():
            if connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()
                connection = None
            time.sleep(0.2)
            continue
        try:
            connection = connection or socket.create_connection(("10.77.0.2", FLOW_PORT), 2)
            connection.send(bytes(16384))
        except OSError:
            connection = None
            time.sleep(0.2)


def ffmpeg_site(folder):
    seen = []

    def arrived(at, captured):
        seen.append((at, (at - captured) * 1000, True))
        if not (folder / "live").exists():
            (folder / "live").write_text("live")

    ffmpeg_stream.Receiver(folder, ("", FFMPEG_PORT), arrived)
    take_flow()
    (folder / "ready").write_text("ready")
    wait_stop(folder)
    # The time until ffmpeg's first picture is unknown. The fastest picture counts as 0 ms.
    least = min(latency for _, latency, _ in seen)
    (folder / "seen.json").write_text(json.dumps([(at, latency - least, live) for at, latency, live in seen]))


def site(folder, program):
    """Runs the broker, the hub and a viewer, or the server for ffmpeg."""
    if program == "ffmpeg":
        return ffmpeg_site(folder)
    take_flow()
    with World(BUILD, folder / "world") as world:
        world.account("a")
        world.port = BROKER[1]
        broker = world.folder / "broker"
        world.run(world.program("sealcam"), "broker", "init", broker, "--port", BROKER[1], "--listen", "0.0.0.0", "--host", BROKER[0])
        world.broker = world.spawn("mosquitto", "/usr/sbin/mosquitto", "-c", broker / "mosquitto.conf")
        world.run(world.program("sealcam-camera"), "--state", world.folder / "camera", "keys")
        world.owner("a", "camera", "enroll", world.folder / "camera", "--name", "Camera", "--broker", broker)
        for name in ("hub", "second"):
            world.run(world.program("sealcam-hub"), "--state", world.folder / name, "keys")
            world.owner("a", "hub", "enroll", world.folder / name, "--broker", broker)
        viewer = start_hub(world, "hub", folder / "ready")
        wait_for("the hub shows a LIVE picture", lambda: viewer.seen, 30)
        (folder / "live").write_text("live")
        watch_until_stop(folder, viewer)
        (folder / "seen.json").write_text(json.dumps(viewer.seen))
    return None


def watch_until_stop(folder, viewer):
    """While the file 'rest' exists, there is no viewer, so that the camera sends no pictures."""
    watching = True
    while not (folder / "stop").exists():
        if watching == (folder / "rest").exists():
            watching = not watching
            if watching:
                viewer.start()
            else:
                viewer.close()
        time.sleep(0.02)


def start_hub(world, name, ready=None):
    """Starts the hub with this state. Returns a viewer of its pictures."""
    status = world.folder / f"{name}.status"
    hub = world.spawn(name, world.program("sealcam-hub"), "--state", world.folder / name, "--listen", f"{HUB[0]}:{HUB[1]}",
                      "--status", status)
    wait_for("the hub is ready", lambda: read_json(status), 20, hub)
    if ready:
        ready.write_text("ready")
    token = world.run(world.program("sealcam-hub"), "--state", world.folder / name, "token", "create", "bench", "--rights",
                      "view").strip()
    return Viewer(HUB, token).start()


def second(folder, _):
    """Runs another hub of the account, in another network namespace."""
    while not (folder / "ready").exists():
        time.sleep(0.2)
    with World(BUILD, folder / "world") as world:
        viewer = start_hub(world, "second")
        wait_stop(folder)
        (folder / "second.json").write_text(json.dumps(viewer.seen))


def camera(folder, program):
    """Runs the camera and records its bitrate, published bytes and memory twice per second; or runs ffmpeg."""
    while not (folder / "ready").exists():
        time.sleep(0.2)
    if program == "ffmpeg":
        (folder / "bitrate").write_text("")
        return ffmpeg_stream.send(CLIP, SIZE, RATE, BITRATE, (BROKER[0], FFMPEG_PORT), lambda: not (folder / "stop").exists())
    config, status = folder / "camera.json", folder / "camera.status"
    config.write_text(json.dumps({
        "source": {"backend": "replay", "file": CLIP, "size": SIZE, "rate": RATE, "loop": True},
        "encoder": {"bitrate": BITRATE, "min_bitrate": MIN_BITRATE, "keyframe_interval": 2 * RATE}}))
    process = subprocess.Popen([BUILD / "bin/sealcam-camera", "--state", folder / "world/camera", "--config", config,
                                "--status", status])
    with (folder / "bitrate").open("w") as out:
        while not (folder / "stop").exists():
            time.sleep(0.5)
            now = read_json(status) or {}
            print(time.time(), now.get("bitrate"), now.get("published_bytes"), now.get("rss_kib"), file=out, flush=True)
    process.terminate()
    process.wait()
    return None


def report(folder, program):
    """Prints one line of JSON per phase, for each hub."""
    report_of(folder, program, "seen.json")
    if (folder / "second.json").exists():
        report_of(folder, "sealcam, second hub", "second.json")


def report_of(folder, program, file):
    seen = json.loads((folder / file).read_text())
    marks = [line.split() for line in (folder / "phases").read_text().splitlines()]
    samples = [line.split() for line in (folder / "bitrate").read_text().splitlines()]
    samples = [(float(at), int(bitrate), int(sent), int(rss)) for at, bitrate, sent, rss in samples if "None" not in (bitrate, sent, rss)]
    arrivals = [(at, at - latency / 1000) for at, latency, live in seen if live]
    for (name, begin), (_, end) in zip(marks, marks[1:]):
        begin, end = float(begin), float(end)
        latencies = sorted(latency for at, latency, live in seen if begin <= at < end and live)
        of_phase = [s for s in samples if begin <= s[0] < end]
        settled = [s for s in of_phase if s[0] >= begin + 5]  # the rate controller needs a few seconds

        print(json.dumps({
            "program": program,
            "phase": name,
            "live_share": live_share(arrivals, begin, end),
            "first_live_s": next((round(at - begin, 2) for at, _ in arrivals if begin <= at < end), None),
            "fps": round(len(latencies) / (end - begin), 1),
            "p50": percentile(latencies, 0.5),
            "p95": percentile(latencies, 0.95),
            "max": round(latencies[-1]) if latencies else None,
            "bitrate_min_max": [min(s[1] for s in settled), max(s[1] for s in settled)] if settled else None,
            "sent_kbit_s": round((settled[-1][2] - settled[0][2]) * 8 / 1000 / (settled[-1][0] - settled[0][0])) if settled[1:] else None,
            "rss_kib": max(s[3] for s in of_phase) if of_phase else None,
        }), flush=True)


if __name__ == "__main__":
    {"site": site, "camera": camera, "second": second, "flow": flow, "report": report}[sys.argv[1]](pathlib.Path(sys.argv[2]), sys.argv[3])
