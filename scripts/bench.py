#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Figures of this machine: the demo's latency and the camera's cost beside `ffmpeg` with the same encoder options
pushing MPEG-TS over TLS, and the crypto alone."""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
from support.world import cpu_and_memory, free_port  # noqa: E402

TOP = pathlib.Path(__file__).resolve().parent.parent
CLIP = "/usr/share/doc/opencv-doc/examples/data/vtest.avi"
RATE = 30


def ffmpeg_over_tls(seconds, threads):
    """CPU ms per picture, resident KiB and pictures/s of ffmpeg: same clip, size, rate and encoder options, to a TLS server."""
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
             # ffmpeg paces by the file's own time stamps, 10 pictures a second, whatever -r says.
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
            first, begun = pictures(), time.monotonic()
            time.sleep(seconds)
            if ffmpeg.poll() is not None:
                raise RuntimeError("ffmpeg ended early")
            after, rss = cpu_and_memory(ffmpeg.pid)
            count = pictures() - first
            return (after - cpu) * 1000 / count, rss, count / (time.monotonic() - begun)
        finally:
            ffmpeg.terminate()
            ffmpeg.wait()
            sink.terminate()
            sink.wait()


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--build", default="build/dev", help=argparse.SUPPRESS)
    options = parser.parse_args()
    demo = subprocess.run([sys.executable, TOP / "scripts/demo.py", "--build", options.build, "--seconds",
                           str(options.seconds), "--check", "--no-timing"], stdout=subprocess.PIPE, text=True)
    result = json.loads(demo.stdout.strip().splitlines()[-1])
    print(f"load average at the start: {os.getloadavg()[0]:.1f}")
    print(f"sensor to WebSocket, 1920x1080 at {RATE}/s: p50 {result['latency_ms_p50']} ms, p95 {result['latency_ms_p95']} ms; "
          f"first picture after {result['first_picture_ms']} ms; {result['fps']} pictures/s")
    print(f"sealcam-camera: {result['camera_cpu_ms_per_frame']} ms CPU a picture, {result['camera_rss_kib']} KiB resident")
    cpu, rss, rate = ffmpeg_over_tls(options.seconds, min(4, os.cpu_count() or 1))
    print(f"ffmpeg to TLS:  {cpu:.2f} ms CPU a picture, {rss} KiB resident, {rate:.1f} pictures/s")
    bench = next(pathlib.Path(options.build).glob("**/crypto_bench"))
    subprocess.run([bench], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
