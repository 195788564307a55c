# SPDX-License-Identifier: Apache-2.0
"""Measures processor time, memory and start of the camera and the hub, and of ffmpeg with the same pictures and encoder options.

Camera and ffmpeg read the same V4L2 sensor: tests/support/film_device.cpp, which delivers the pictures of a clip. The sensor is a process of
its own, so that neither program decodes or scales the clip."""
import os
import pathlib
import statistics
import subprocess
import time

from .viewer import Viewer, percentile
from .world import Failure, World, cpu_and_memory, free_port, read_json, wait_for

CLIP = "/usr/share/doc/opencv-doc/examples/data/vtest.avi"
RATE, BITRATE, GROUP, PICTURES = 30, 2_000_000, 60, 90
SETTLE = 2  # seconds before a measurement
CAMERAS = 16


def make_film(path):
    """The clip as raw pictures of 1920x1080, with black bars at the sides."""
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-stream_loop", "1", "-i", CLIP, "-vf", "scale=1440:1080,pad=1920:1080:240:0",
                    "-pix_fmt", "nv12", "-frames:v", str(PICTURES), "-f", "rawvideo", path], check=True)


class Sensor:
    """The environment of a program that opens /dev/film."""

    def __init__(self, build, folder):
        self.film = pathlib.Path(folder) / "film.nv12"
        make_film(self.film)
        self.settings = {"LD_PRELOAD": str(pathlib.Path(build).resolve() / "bin/sealcam-film-device.so"), "SEALCAM_FILM": str(self.film)}

    def environment(self):
        return dict(os.environ, **self.settings)


def measure(pid, count, seconds):
    """CPU ms per picture, resident KiB, and pictures per second of a process. `count` returns its number of pictures."""
    time.sleep(SETTLE)
    cpu, _ = cpu_and_memory(pid)
    first, started = count(), time.monotonic()
    time.sleep(seconds)
    after, rss = cpu_and_memory(pid)
    pictures, passed = count() - first, time.monotonic() - started
    if pictures <= 0:
        raise Failure("the program sent no picture")
    return {"cpu": (after - cpu) * 1000 / pictures, "rss": rss, "rate": pictures / passed}


def ffmpeg_over_tls(sensor, folder, threads, seconds):
    """The costs of ffmpeg that sends MPEG-TS to a TLS server."""
    folder = pathlib.Path(folder)
    if not (folder / "key").exists():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / "key",
                        "-out", folder / "cert", "-subj", "/CN=localhost", "-days", "2"], check=True, capture_output=True)
    port = free_port()
    sink = subprocess.Popen(["openssl", "s_server", "-quiet", "-tls1_3", "-accept", str(port), "-key", folder / "key", "-cert", folder / "cert"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.PIPE)
    time.sleep(0.5)
    progress = folder / "progress"
    ffmpeg = subprocess.Popen(
        ["ffmpeg", "-v", "error", "-nostdin", "-f", "v4l2", "-input_format", "nv12", "-video_size", "1920x1080", "-framerate", str(RATE),
         "-i", "/dev/film", "-c:v", "libx264", "-preset", "superfast", "-tune", "zerolatency", "-bf", "0", "-b:v", str(BITRATE),
         "-maxrate", str(BITRATE), "-bufsize", str(BITRATE // 2), "-g", str(GROUP), "-x264-params", "scenecut=0", "-threads", str(threads),
         "-progress", progress, "-stats_period", "0.1", "-f", "mpegts", f"tls://127.0.0.1:{port}"], env=sensor.environment())

    def pictures():
        lines = progress.read_text().splitlines()
        return int(next(line for line in reversed(lines) if line.startswith("frame=")).partition("=")[2])

    try:
        found = measure(ffmpeg.pid, pictures, seconds)
        if ffmpeg.poll() is not None:
            raise Failure(f"ffmpeg ended with exit code {ffmpeg.returncode}")
        return found
    finally:
        ffmpeg.terminate()
        ffmpeg.wait()
        sink.terminate()
        sink.wait()


class CameraScene:
    """A broker, a hub with a viewer, and a camera with the sensor. The camera is not started."""

    def __init__(self, world, sensor, threads):
        world.account("a")
        world.start_broker()
        self.sensor = sensor
        hub = world.hub("a", "hub")
        self.camera = world.camera("a", "camera", {
            "source": {"backend": "v4l2", "device": "/dev/film"},
            "encoder": {"bitrate": BITRATE, "keyframe_interval": GROUP, "threads": threads}}, "Camera")
        world.start(hub)
        wait_for("the hub is ready", hub.status, 10, hub.process)
        self.viewer = Viewer(("127.0.0.1", hub.port), hub.access.file("view").read_text().strip()).start()
        world.processes.append(self.camera.process)

    def start(self):
        """Starts the camera. Returns the ms until the viewer has a LIVE picture of it."""
        process = self.camera.process
        before = len(self.viewer.seen)
        os.environ.update(self.sensor.settings)
        try:
            process.start()
        finally:
            del os.environ["LD_PRELOAD"]

        def first():
            new = (at for at, latency, live in self.viewer.seen[before:] if live and at - latency / 1000 > process.started)
            return next(new, None)

        return (wait_for("the hub shows a LIVE picture", first, 20, process) - process.started) * 1000


def paired(build, folder, sensor, threads, rounds, seconds):
    """Runs camera and ffmpeg in turns. Returns the medians of both and of their quotients, and all quotients."""
    cameras, others, starts, latencies = [], [], [], []
    with World(build, pathlib.Path(folder) / f"paired-{threads}") as world:
        scene = CameraScene(world, sensor, threads)
        scene.start()  # the first start stores the roster and the keys of the hubs
        time.sleep(1)
        scene.camera.process.stop()
        for _ in range(rounds):
            time.sleep(0.5)
            starts.append(scene.start())
            status, first = scene.camera.status, len(scene.viewer.seen)
            cameras.append(measure(scene.camera.process.child.pid, lambda: status().get("published", 0), seconds))
            latencies += [latency for _, latency, live in scene.viewer.seen[first:] if live]
            scene.camera.process.stop()
            others.append(ffmpeg_over_tls(sensor, world.folder, threads, seconds))
    quotients = sorted(camera["cpu"] / other["cpu"] for camera, other in zip(cameras, others))

    def medians(rows):
        return {name: statistics.median(row[name] for row in rows) for name in rows[0]}

    return {"camera": medians(cameras), "ffmpeg": medians(others), "quotient": statistics.median(quotients), "quotients": quotients,
            "starts": sorted(starts), "latencies": [percentile(sorted(latencies), share) for share in (0.5, 0.95)]}


def hub_costs(build, folder, seconds, cores):
    """One hub on `cores` processor cores, with 16 cameras at 30 pictures per second and one viewer of all. The pictures are small, so that
    the cameras need little of the machine."""
    with World(build, pathlib.Path(folder) / f"hub-{cores}") as world:
        world.account("a")
        world.start_broker()
        hub = world.hub("a", "hub")
        cameras = []
        for number in range(CAMERAS):
            state, config = world.folder / f"camera-{number}", world.folder / "camera.json"
            config.write_text('{"source": {"backend": "fake", "size": "320x180", "rate": 30}, "encoder": {"bitrate": 200000, "threads": 1}, "log": "error"}')
            world.run(world.program("sealcam-camera"), "--state", state, "keys")
            world.owner("a", "camera", "enroll", state, "--name", f"Camera {number}", "--broker", world.folder / "broker")
            cameras.append((state, config))
        hub.process.argv = ["taskset", "--cpu-list", f"0-{cores - 1}", *hub.process.argv]
        world.start(hub)
        wait_for("the hub is ready", hub.status, 20, hub.process)
        viewer = Viewer(("127.0.0.1", hub.port), hub.access.file("view").read_text().strip()).start()
        for number, (state, config) in enumerate(cameras):
            world.spawn(f"camera-{number}", world.program("sealcam-camera"), "--state", state, "--config", config, "--status", state / "status.json")
        wait_for("the hub shows LIVE pictures of each camera", lambda: len(viewer.seen) > CAMERAS * RATE, 60, hub.process)

        def accepted():
            return hub.status()["shown"]["live"]

        def published():
            return sum((read_json(state / "status.json") or {}).get("published", 0) for state, _ in cameras)

        first, sent = accepted(), published()
        found = measure(hub.process.child.pid, accepted, seconds)
        found["accepted"] = (accepted() - first) / max(1, published() - sent)
        found["decoders"] = children(hub.process.child.pid)
        return found


def children(pid):
    """The number of child processes: the hub decodes in processes of their own."""
    return sum(len((task / "children").read_text().split()) for task in pathlib.Path(f"/proc/{pid}/task").iterdir())
