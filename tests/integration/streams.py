#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Live streams, snapshots and metrics of a hub, with the programs that use them.

There are two accounts, each with a camera and a hub. ffprobe and ffmpeg read the first account's stream without a warning,
and its pictures equal those of the sensor. Its snapshots are the newest picture. The second account's camera is stopped: its
stream ends, and its snapshots are no longer LIVE. Other cases: a camera of another account, a client that reads nothing,
clients that disconnect, metrics.

    streams.py --build DIR [--seconds N]
"""
import concurrent.futures
import datetime
import http.client
import json
import pathlib
import signal
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from program_test import expect, psnr, quiet, run_test  # noqa: E402
from support.world import cpu_and_memory, wait_for  # noqa: E402

NUMBER = {"a": 5, "b": 6}
SIZE = "1280x720"
# A stream's queue holds 8 MiB. The media module is loaded before the measurement.
SLOW_LIMIT_KIB = 24 << 10


def get(hub, path, seconds=10, rights="view"):
    """Returns status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=seconds)
    connection.request("GET", path, headers=hub.access.headers(rights))
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()


def live(camera):
    return f"/live/{camera.id}.ts"


def url(hub, path):
    return hub.access.address(path)


def authorization(hub):
    return "".join(f"{name}: {value}\r\n" for name, value in hub.access.headers("view").items())


def state(hub):
    return json.loads(get(hub, "/api/state")[2])


def probe(hub, camera, seconds):
    found = json.loads(quiet("ffprobe", "-v", "warning", "-read_intervals", f"%+{seconds}", "-count_packets",
                             "-show_entries", "packet=pts_time:stream=codec_name,width,height,nb_read_packets",
                             "-of", "json", url(hub, live(camera))))
    times = [float(p["pts_time"]) for p in found["packets"]]
    expect(all(a < b for a, b in zip(times, times[1:])), "the timestamps of the stream do not increase")
    expect(times[-1] - times[0] >= seconds - 1 and len(times) > 20 * seconds, f"{len(times)} pictures are too few")
    return f"ffprobe: {len(times)} pictures, {times[-1] - times[0]:.1f} s, {found['streams'][0]['codec_name']}"


def decode(hub, camera, seconds):
    done = quiet("ffmpeg", "-v", "warning", "-xerror", "-nostdin", "-t", seconds, "-i", url(hub, live(camera)),
                 "-f", "null", "-progress", "-", "-")
    last = dict(line.split("=", 1) for line in done.splitlines() if "=" in line)
    expect(int(last["frame"]) > 20 * seconds, f"ffmpeg decoded {last['frame']} pictures")
    return f"ffmpeg: {last['frame']} pictures, {int(last['out_time_us']) / 1e6:.1f} s"


def record(hub, camera, seconds, file):
    """Writes the stream into a file. Returns the seconds until its first byte."""
    begun = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=5)
    connection.request("GET", live(camera), headers=hub.access.headers("view"))
    answer = connection.getresponse()
    expect(answer.status == 200 and answer.headers["Content-Type"] == "video/mp2t", f"stream: {answer.status}")
    first = time.monotonic() - begun
    with file.open("wb") as out:
        while time.monotonic() - begun < seconds:
            out.write(answer.read1(65536))
    connection.close()
    return first


def snapshots(world, hub, camera, count=5):
    """Each snapshot is the newest picture: its capture time is between those of the hub's newest picture before and after the request."""
    numbers, took = [], []
    for i in range(count):
        before = state(hub)["cameras"][0]["captured_us"]
        begun = time.monotonic()
        status, headers, body = get(hub, f"/snapshot/{camera.id}.jpg")
        took.append(time.monotonic() - begun)
        after = state(hub)["cameras"][0]["captured_us"]
        expect(status == 200 and headers["X-Sealcam-State"] == "LIVE", f"snapshot: {status} {body[:200]}")
        captured = datetime.datetime.fromisoformat(headers["X-Sealcam-Captured"]).timestamp() * 1e6
        expect(before - 1000 <= captured <= after, f"captured {captured}, the hub had {before} before and {after} after")
        expect(int(headers["X-Sealcam-Age-Ms"]) < 5000, "a snapshot is older than 5 s")
        file = world.folder / f"snapshot-{i}.jpg"
        file.write_bytes(body)
        figures = psnr(world, file, SIZE, NUMBER["a"])
        expect(figures["pictures"] == 1, "a snapshot does not contain exactly one picture")
        numbers.append((figures["first"], captured))
        time.sleep(0.5)
    # The number in the picture and the time in the header increase together, at 30 pictures a second.
    for (n, t), (m, u) in zip(numbers, numbers[1:]):
        expect(m > n and abs((u - t) / (m - n) - 1e6 / 30) < 1e6 / 300, f"number and time of snapshots do not match: {numbers}")
    return f"snapshots: pictures {[n for n, _ in numbers]}, slowest {max(took) * 1000:.0f} ms"


def slow_reader(hub, camera, seconds):
    """A client requests a stream and reads nothing. The hub's memory stays below a limit."""
    before = cpu_and_memory(hub.process.child.pid)[1]
    with socket.create_connection(("127.0.0.1", hub.port)) as s:
        s.sendall(f"GET {live(camera)} HTTP/1.1\r\nHost: localhost\r\n{authorization(hub)}\r\n".encode())
        time.sleep(seconds)
        after = cpu_and_memory(hub.process.child.pid)[1]
    expect(after - before < SLOW_LIMIT_KIB, f"the hub grew by {after - before} KiB")
    return f"a client that reads nothing: the hub grew by {after - before} KiB"


def connect_and_leave(hub, camera, times):
    """Clients connect and disconnect, more in total than the hub allows at once."""
    for i in range(times):
        with socket.create_connection(("127.0.0.1", hub.port)) as s:
            s.sendall(f"GET {live(camera)} HTTP/1.1\r\nHost: localhost\r\n{authorization(hub)}\r\n".encode())
            if i % 2:
                s.recv(1000)


def frozen(hub, camera):
    """The camera is stopped during a stream: the stream ends, and the hub has no LIVE snapshot."""
    path = f"/snapshot/{camera.id}.jpg"
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=15)
    connection.request("GET", live(camera), headers=hub.access.headers("view"))
    stream = connection.getresponse()
    expect(stream.status == 200 and len(stream.read(100_000)) == 100_000, "the stream of the second account did not start")
    status, headers, _ = get(hub, path)
    expect(status == 200 and headers["X-Sealcam-State"] == "LIVE", "control: a running camera gives a live snapshot")
    camera.process.send(signal.SIGSTOP)
    stopped = time.monotonic()
    while stream.read1(65536):
        last = time.monotonic() - stopped
        expect(last < 5, f"the hub sent a picture {last:.1f} s after the camera was stopped")
    ended = time.monotonic() - stopped
    expect(9 < ended < 13, f"the stream ended after {ended:.1f} s")
    status, headers, text = get(hub, path)
    expect(status == 503 and b"no live picture" in text and "Retry-After" in headers, f"frozen: {status} {text}")
    status, headers, body = get(hub, path + "?stale=allow")
    expect(status == 200 and headers["X-Sealcam-State"] == "STALE" and body[:2] == b"\xff\xd8", f"?stale=allow: {status}")
    camera.process.send(signal.SIGCONT)
    wait_for("the hub has a LIVE snapshot again", lambda: get(hub, path)[0] == 200)
    return f"stopped camera: the stream ended after {ended:.1f} s"


def metrics(hub, camera):
    status, headers, text = get(hub, "/metrics", rights="metrics")
    text = text.decode()
    expect(status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4"), "the metrics are not served")
    expect(f'sealcam_hub_camera_state{{camera="{camera.id}",state="live"}} 1\n' in text, "the metrics lack the state of the camera")
    expect("sealcam_hub_broker_connected 1\n" in text, "the metrics lack the connection to the broker")
    expect("Front door" not in text, "the metrics contain the name of a camera")


def run(world, options):
    seconds = options.seconds
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
        wait_for("the hub lists its camera", lambda: any(x["name"] for x in h.status().get("cameras", [])),
                 process=h.process)
    for path in (f"/snapshot/{camera.id}.jpg", live(camera)):
        expect(get(other_hub, path)[0] == 404, "the hub of the second account serves the camera of the first")
    before = cpu_and_memory(hub.process.child.pid)[1]
    begun = time.monotonic()
    expect(get(hub, "/snapshot/Front%20door.jpg")[0] == 200, "control: no snapshot of a camera without a viewer")
    idle = time.monotonic() - begun
    module = cpu_and_memory(hub.process.child.pid)[1] - before
    video = world.folder / "video.ts"
    with concurrent.futures.ThreadPoolExecutor() as pool:
        jobs = [pool.submit(probe, hub, camera, seconds), pool.submit(decode, hub, camera, seconds),
                pool.submit(snapshots, world, hub, camera),
                pool.submit(frozen, other_hub, other_camera)]
        first = pool.submit(record, hub, camera, seconds / 2, video)
        connect_and_leave(hub, camera, 40)
        # After the burst, so that only the memory for this client is measured.
        jobs.append(pool.submit(slow_reader, hub, camera, seconds))
        metrics(hub, camera)
        print(f"first snapshot of a camera without clients: {idle * 1000:.0f} ms; memory of the module: {module} KiB")
        print(f"first byte of a stream: {first.result() * 1000:.0f} ms")
        print("video:", psnr(world, video, SIZE, NUMBER["a"]))
        for job in jobs:
            print(job.result())
    wait_for("the hub has no client and requests no pictures",
             lambda: state(hub)["clients"] == 0 and not state(hub)["cameras"][0]["desired"], seconds=7)


if __name__ == "__main__":
    run_test(__doc__, run, seconds=20)
