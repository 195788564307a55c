#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a hub serves beside its page, as programs use it: two accounts with a camera and a hub each.

The first account's stream is read by ffprobe and ffmpeg, which must have nothing to complain about, and compared with
what the sensor saw; its snapshots are the newest picture. The second account's camera is stopped: nothing of it passes
for live. Beside that: a stranger's camera, a reader that takes nothing, readers that go in the middle, metrics.

    streams.py --build DIR [--seconds N]
"""
import argparse
import concurrent.futures
import datetime
import http.client
import json
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support.world import Failure, World, cpu_and_memory, wait_for  # noqa: E402

NUMBER = {"a": 5, "b": 6}
SIZE = "1280x720"
SLOW_LIMIT_KIB = 24 << 10  # a stream's queue is 8 MiB; the media module 30 MiB once, which is measured apart


def get(hub, path, seconds=10):
    """Status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=seconds)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()


def live(camera):
    return f"/live/{camera.id}.ts"


def url(hub, path):
    return f"http://127.0.0.1:{hub.port}{path}"


def must(condition, text):
    if not condition:
        raise Failure(text)


def state(hub):
    return json.loads(get(hub, "/api/state")[2])


def quiet(*argv):
    """Runs a judge that must have nothing to complain about; what it printed on standard output."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=60)
    must(done.returncode == 0 and not done.stderr.strip(), f"{argv[0]}: {done.returncode} {done.stderr}")
    return done.stdout


def probe(hub, camera, seconds):
    found = json.loads(quiet("ffprobe", "-v", "warning", "-read_intervals", f"%+{seconds}", "-count_packets",
                             "-show_entries", "packet=pts_time:stream=codec_name,width,height,nb_read_packets",
                             "-of", "json", url(hub, live(camera))))
    times = [float(p["pts_time"]) for p in found["packets"]]
    must(all(a < b for a, b in zip(times, times[1:])), "times of a stream do not grow")
    must(times[-1] - times[0] >= seconds - 1 and len(times) > 20 * seconds, f"{len(times)} pictures are too few")
    return f"ffprobe: {len(times)} pictures, {times[-1] - times[0]:.1f} s, {found['streams'][0]['codec_name']}"


def decode(hub, camera, seconds):
    done = quiet("ffmpeg", "-v", "warning", "-xerror", "-nostdin", "-t", seconds, "-i", url(hub, live(camera)),
                 "-f", "null", "-progress", "-", "-")
    last = dict(line.split("=", 1) for line in done.splitlines() if "=" in line)
    must(int(last["frame"]) > 20 * seconds, f"ffmpeg decoded {last['frame']} pictures")
    return f"ffmpeg: {last['frame']} pictures, {int(last['out_time_us']) / 1e6:.1f} s"


def record(hub, camera, seconds, file):
    """A film of the stream, and how long its first byte took."""
    begun = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=5)
    connection.request("GET", live(camera))
    answer = connection.getresponse()
    must(answer.status == 200 and answer.headers["Content-Type"] == "video/mp2t", f"stream: {answer.status}")
    first = time.monotonic() - begun
    with file.open("wb") as out:
        while time.monotonic() - begun < seconds:
            out.write(answer.read1(65536))
    connection.close()
    return first


def psnr(world, file, number):
    done = subprocess.run([str(world.program("sealcam-psnr")), str(file), "--size", SIZE, "--camera", str(number),
                           "--least", "30"], capture_output=True, text=True, timeout=120)
    must(done.returncode == 0, f"{file.name} is not what the sensor saw: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def snapshots(world, hub, camera, count=5):
    """Each is the newest picture: captured between what the hub had before the request and what it has after it."""
    numbers, took = [], []
    for i in range(count):
        before = state(hub)["cameras"][0]["captured_us"]
        begun = time.monotonic()
        status, headers, body = get(hub, f"/snapshot/{camera.id}.jpg")
        took.append(time.monotonic() - begun)
        after = state(hub)["cameras"][0]["captured_us"]
        must(status == 200 and headers["X-Sealcam-State"] == "LIVE", f"snapshot: {status} {body[:200]}")
        captured = datetime.datetime.fromisoformat(headers["X-Sealcam-Captured"]).timestamp() * 1e6
        must(before - 1000 <= captured <= after, f"captured {captured}, the hub had {before} before and {after} after")
        must(int(headers["X-Sealcam-Age-Ms"]) < 5000, "age of a snapshot")
        file = world.folder / f"snapshot-{i}.jpg"
        file.write_bytes(body)
        figures = psnr(world, file, NUMBER["a"])
        must(figures["pictures"] == 1, "a snapshot is one picture")
        numbers.append((figures["first"], captured))
        time.sleep(0.5)
    # The number drawn into the picture and the time in the header belong together: 30 pictures a second.
    for (n, t), (m, u) in zip(numbers, numbers[1:]):
        must(m > n and abs((u - t) / (m - n) - 1e6 / 30) < 1e6 / 300, f"number and time of snapshots: {numbers}")
    return f"snapshots: pictures {[n for n, _ in numbers]}, slowest {max(took) * 1000:.0f} ms"


def slow_reader(hub, camera, seconds):
    """Takes nothing at all; growth of the hub's memory meanwhile."""
    before = cpu_and_memory(hub.process.child.pid)[1]
    with socket.create_connection(("127.0.0.1", hub.port)) as s:
        s.sendall(f"GET {live(camera)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        time.sleep(seconds)
        after = cpu_and_memory(hub.process.child.pid)[1]
    must(after - before < SLOW_LIMIT_KIB, f"the hub grew by {after - before} KiB")
    return f"a reader that takes nothing: the hub grew by {after - before} KiB"


def come_and_go(hub, camera, times):
    """More of them, one after the other, than there may be connections."""
    for i in range(times):
        with socket.create_connection(("127.0.0.1", hub.port)) as s:
            s.sendall(f"GET {live(camera)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            if i % 2:
                s.recv(1000)


def frozen(hub, camera):
    """The second account's camera is stopped in the middle of a stream."""
    path = f"/snapshot/{camera.id}.jpg"
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=15)
    connection.request("GET", live(camera))
    stream = connection.getresponse()
    must(stream.status == 200 and len(stream.read(100_000)) == 100_000, "the second account's stream")
    status, headers, _ = get(hub, path)
    must(status == 200 and headers["X-Sealcam-State"] == "LIVE", "control: a running camera gives a live snapshot")
    camera.process.send(signal.SIGSTOP)
    stopped = time.monotonic()
    while stream.read1(65536):
        last = time.monotonic() - stopped
        must(last < 5, f"a picture came {last:.1f} s after the camera was stopped")
    ended = time.monotonic() - stopped
    must(9 < ended < 13, f"the stream ended after {ended:.1f} s")
    status, headers, text = get(hub, path)
    must(status == 503 and b"no live picture" in text and "Retry-After" in headers, f"frozen: {status} {text}")
    status, headers, body = get(hub, path + "?stale=allow")
    must(status == 200 and headers["X-Sealcam-State"] == "STALE" and body[:2] == b"\xff\xd8", f"?stale=allow: {status}")
    camera.process.send(signal.SIGCONT)
    wait_for("a live snapshot again", lambda: get(hub, path)[0] == 200)
    return f"stopped camera: the stream ended after {ended:.1f} s"


def metrics(hub, camera):
    status, headers, text = get(hub, "/metrics")
    text = text.decode()
    must(status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4"), "metrics")
    must(f'sealcam_hub_camera_state{{camera="{camera.id}",state="live"}} 1\n' in text, "metrics: state of the camera")
    must("sealcam_hub_broker_connected 1\n" in text, "metrics: broker")
    must("Front door" not in text, "metrics tell a name")


def run(world, seconds):
    devices = {}
    for account in "ab":
        world.account(account)
    world.start_broker()
    for account in "ab":
        source = {"backend": "fake", "size": SIZE, "rate": 30, "number": NUMBER[account]}
        camera = world.start(world.camera(account, f"{account}-camera", {"source": source}, "Front door"))
        devices[account] = camera, world.start(world.hub(account, f"{account}-hub"))
    (camera, hub), (other_camera, other_hub) = devices["a"], devices["b"]
    for c, h in devices.values():
        wait_for("the hub knows its camera", lambda: any(x["name"] for x in h.status().get("cameras", [])),
                 process=h.process)
    for path in (f"/snapshot/{camera.id}.jpg", live(camera)):
        must(get(other_hub, path)[0] == 404, "a stranger's hub knows the first account's camera")
    before = cpu_and_memory(hub.process.child.pid)[1]
    begun = time.monotonic()
    must(get(hub, "/snapshot/Front%20door.jpg")[0] == 200, "a snapshot of a camera that nobody watched")  # control
    asleep = time.monotonic() - begun
    module = cpu_and_memory(hub.process.child.pid)[1] - before
    film = world.folder / "film.ts"
    with concurrent.futures.ThreadPoolExecutor() as pool:
        jobs = [pool.submit(probe, hub, camera, seconds), pool.submit(decode, hub, camera, seconds),
                pool.submit(slow_reader, hub, camera, seconds), pool.submit(snapshots, world, hub, camera),
                pool.submit(frozen, other_hub, other_camera)]
        first = pool.submit(record, hub, camera, seconds / 2, film)
        come_and_go(hub, camera, 40)
        metrics(hub, camera)
        print(f"first snapshot of a camera that nobody watched: {asleep * 1000:.0f} ms; the module: {module} KiB")
        print(f"first byte of a stream: {first.result() * 1000:.0f} ms")
        print("film:", psnr(world, film, NUMBER["a"]))
        for job in jobs:
            print(job.result())
    wait_for("streams and their interest are gone",
             lambda: state(hub)["clients"] == 0 and not state(hub)["cameras"][0]["wanted"], seconds=7)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sealcam-streams-") as folder, World(options.build, folder) as world:
        run(world, options.seconds)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, OSError, subprocess.SubprocessError) as failure:
        sys.exit(f"error: {failure}")
