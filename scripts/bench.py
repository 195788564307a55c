#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures latency, rate, CPU time and reconnection on this machine, the same encoding with ffmpeg, and the cryptography alone."""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from support.pauses import Pauses  # noqa: E402
from support.world import Failure, World, cpu_and_memory, free_port, read_json, wait_for  # noqa: E402

TOP = pathlib.Path(__file__).resolve().parent.parent
CLIP = "/usr/share/doc/opencv-doc/examples/data/vtest.avi"
RATE = 30
KILLS = 3


def main_job(options):
    """Runs the demo; its result, and how late this machine ran a thread meanwhile (p95 in ms)."""
    with Pauses() as pauses:
        demo = subprocess.run([sys.executable, TOP / "scripts/demo.py", "--build", options.build, "--seconds",
                               str(options.seconds), "--check", "--no-timing"], stdout=subprocess.PIPE, text=True)
    if demo.returncode != 0:
        raise Failure(f"scripts/demo --check failed with exit code {demo.returncode}")
    return json.loads(demo.stdout.strip().splitlines()[-1]), pauses.p95()


def ffmpeg_over_tls(seconds, threads):
    """Runs ffmpeg with the same clip, size, rate and encoder options, to a TLS server. Returns CPU ms per picture, resident
    KiB, and pictures per second."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", f"{folder}/key", "-out", f"{folder}/cert", "-subj", "/CN=localhost", "-days", "2"],
                       check=True, capture_output=True)
        port = free_port()
        sink = subprocess.Popen(["openssl", "s_server", "-quiet", "-tls1_3", "-accept", str(port), "-key",
                                 f"{folder}/key", "-cert", f"{folder}/cert"], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, stdin=subprocess.PIPE)
        time.sleep(0.5)
        ffmpeg = subprocess.Popen(
            ["ffmpeg", "-v", "error", "-nostdin", "-stream_loop", "-1",
             # -readrate counts by the time stamps of the file, which has 10 pictures per second, even with -r.
             "-readrate", str(RATE / 10), "-r", str(RATE), "-i", CLIP, "-an",
             "-vf", "scale=1920:1080:flags=fast_bilinear,format=yuv420p", "-c:v", "libx264", "-preset", "superfast",
             "-tune", "zerolatency", "-bf", "0", "-b:v", "2M", "-maxrate", "2M", "-bufsize", "1M", "-g", "60",
             "-threads", str(threads), "-progress", f"{folder}/progress", "-stats_period", "0.1",
             "-f", "mpegts", f"tls://127.0.0.1:{port}"])

        def pictures():
            lines = pathlib.Path(f"{folder}/progress").read_text().splitlines()
            return int(next(line for line in reversed(lines) if line.startswith("frame=")).partition("=")[2])

        try:
            time.sleep(2)
            cpu, _ = cpu_and_memory(ffmpeg.pid)
            first, started = pictures(), time.monotonic()
            time.sleep(seconds)
            if ffmpeg.poll() is not None:
                raise Failure(f"ffmpeg ended with exit code {ffmpeg.returncode}")
            after, rss = cpu_and_memory(ffmpeg.pid)
            count = pictures() - first
            return (after - cpu) * 1000 / count, rss, count / (time.monotonic() - started)
        finally:
            ffmpeg.terminate()
            ffmpeg.wait()
            sink.terminate()
            sink.wait()


def reconnections(build):
    """Kills the broker and the camera KILLS times each. Returns, for each, the ms from its restart to the next live picture."""
    folder = tempfile.mkdtemp(prefix="sealcam-bench-")
    times = {"broker": [], "camera": []}
    try:
        with World(build, folder) as world:
            world.account("a")
            world.start_broker()
            camera = world.camera("a", "camera", {"source": {"backend": "fake", "size": "640x360", "rate": RATE},
                                                  "encoder": {"bitrate": 500_000, "keyframe_interval": 60}}, "Camera")
            hub = world.start(world.hub("a", "hub"))
            wait_for("the hub is ready", hub.status, 10, hub.process)
            probe = world.probe("probe", hub)
            world.start(camera)

            def live():
                return (read_json(probe.result) or {}).get("live", 0)

            wait_for("the hub shows a live picture", live, 20)
            for victim in ("broker", "camera") * KILLS:
                (world.broker if victim == "broker" else camera.process).kill()
                time.sleep(2)
                before = live()
                started = time.monotonic()
                (world.broker if victim == "broker" else camera.process).start()
                wait_for(f"the hub shows live pictures after a restart of the {victim}", lambda: live() > before, 30)
                times[victim].append((time.monotonic() - started) * 1000)
                time.sleep(1)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {victim: round(statistics.median(values)) for victim, values in times.items()}


def failed_promises(result, pause, ffmpeg_cpu, ffmpeg_rate, reconnected):
    """Checks all timing promises. A bound grows if ffmpeg does not reach the rate either, or if this machine pauses threads."""
    slow = max(1.0, RATE / ffmpeg_rate)
    promises = [
        ("first picture", result["first_picture_ms"], "<", 2000 * slow, "ms"),
        ("latency p50", result["latency_ms_p50"], "<", 25 * slow + pause, "ms"),
        ("latency p95", result["latency_ms_p95"], "<", 60 * slow + pause, "ms"),
        ("rate", result["fps"], ">", min(RATE, ffmpeg_rate) * 29 / 30, "pictures/s"),
        ("camera's CPU time, relative to ffmpeg", result["camera_cpu_ms_per_frame"] / ffmpeg_cpu, "<", 1.5, "times"),
        ("live picture after a kill of the broker", reconnected["broker"], "<", 2000 * slow + pause, "ms"),
        ("live picture after a kill of the camera", reconnected["camera"], "<", 2000 * slow + pause, "ms"),
    ]
    failed = 0
    for name, value, relation, bound, unit in promises:
        holds = value < bound if relation == "<" else value > bound
        failed += not holds
        print(f"{'ok    ' if holds else 'FAILED'} {name}: {value:.4g} {unit}, must be {relation} {bound:.4g}")
    return failed


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="duration of each measurement (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a timing promise does not hold")
    parser.add_argument("--build", default="build/dev", help=argparse.SUPPRESS)
    options = parser.parse_args()
    print(f"load average at the start: {os.getloadavg()[0]:.1f}")
    try:
        result, pause = main_job(options)
        print(f"sensor to WebSocket, 1920x1080 at {RATE}/s: p50 {result['latency_ms_p50']} ms, p95 {result['latency_ms_p95']} ms; "
              f"first picture after {result['first_picture_ms']} ms; {result['fps']} pictures/s")
        print(f"sealcam-camera: {result['camera_cpu_ms_per_frame']} ms CPU per picture, {result['camera_rss_kib']} KiB resident")
        cpu, rss, rate = ffmpeg_over_tls(options.seconds, min(4, os.cpu_count() or 1))
        print(f"ffmpeg to TLS:  {cpu:.2f} ms CPU per picture, {rss} KiB resident, {rate:.1f} pictures/s")
        reconnected = reconnections(options.build)
        print(f"live picture after a restart: broker {reconnected['broker']} ms, camera {reconnected['camera']} ms")
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    print(f"pauses of this machine: p95 {pause:.1f} ms", flush=True)
    failed = failed_promises(result, pause, cpu, rate, reconnected) if options.check else 0
    if not options.check:
        subprocess.run([next(pathlib.Path(options.build).glob("**/crypto_bench"))], check=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
