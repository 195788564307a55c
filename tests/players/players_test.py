#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Players show the live stream and snapshots of a hub, and Firefox shows its page. Real camera, broker and hub.

    players_test.py --build DIR [--output DIR] [PLAYER…]

Each player must decode the pictures of the sensor without an error: sealcam-psnr compares them and reads the camera's number.
'scripts/sdk players ARCH' makes the build root with the players.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2] / "scripts"), str(HERE.parents[1] / "browser")]
from firefox import Firefox  # noqa: E402
from support.world import Failure, World, wait_for  # noqa: E402

SKIPPED = 77
SIZE, NUMBER, PICTURES = "640x360", 7, 60
# VLC does not run as root.
AS_USER = ["unshare", "--user", "--map-user=1000"] if os.geteuid() == 0 else []


def must(condition, text):
    if not condition:
        raise Failure(text)


class Scene:
    def __init__(self, world):
        self.world, self.folder = world, world.folder
        world.account("ann")
        world.start_broker()
        self.camera = world.camera("ann", "camera", {
            "source": {"backend": "fake", "size": SIZE, "rate": 30, "number": NUMBER},
            "encoder": {"bitrate": 1_500_000, "keyframe_interval": 30}}, "Vordertür 1")
        config = world.folder / "hub.json"
        config.write_text(json.dumps({"recordings": {"mode": "continuous"}}))
        self.hub = world.hub("ann", "hub")
        self.hub.process.argv += ["--config", str(config)]
        world.start(self.hub)
        world.start(self.camera)
        wait_for("the hub is ready", self.hub.status, 30, self.hub.process)
        self.live = self.hub.access.address(f"/live/{self.camera.id}.ts")
        self.snapshot = self.hub.access.address(f"/snapshot/{self.camera.id}.jpg")
        self.token = self.hub.access.file("view")

    def run(self, *argv, seconds=120, codes=(0,), **more):
        """Runs a player in a folder of its own and returns its output."""
        done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                              text=True, timeout=seconds, errors="replace", **more)
        must(done.returncode in codes, f"{argv[0]} exited with {done.returncode}:\n{done.stdout[-3000:]}")
        return done.stdout

    def quiet(self, *argv, **more):
        out = self.run(*argv, **more)
        must(not out.strip(), f"{argv[0]} reports:\n{out[-3000:]}")

    def output(self, name):
        folder = self.folder / f"from-{name}"
        folder.mkdir()
        folder.chmod(0o777)
        return folder

    def right(self, files, least=10):
        """Whether the pictures in files are those of the sensor. Returns their number."""
        files = sorted(files)
        must(len(files) >= least, f"{len(files)} pictures are too few")
        for file in files[:: max(1, len(files) // 5)]:
            self.world.run(self.world.program("sealcam-psnr"), file, "--size", SIZE, "--camera", NUMBER, "--least", "30")
        return len(files)


def ffplay(s):
    """A live stream has no end, and ffplay drops what follows the time of -t. So a signal ends it."""
    command = ["timeout", "--signal=INT", "10", "ffplay", "-fflags", "nobuffer", "-flags", "low_delay", s.live]
    dummy = {**os.environ, "SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy"}
    out = s.run(*command, "-v", "warning", "-nostats", env=dummy, codes=(124,))
    must(all("renderer" in line for line in out.splitlines()), f"ffplay reports:\n{out}")  # there is no graphics card
    out = s.run(*command, "-v", "info", "-stats", env=dummy, codes=(124,))
    must("Video: h264" in out and SIZE in out, f"ffplay does not play:\n{out[-2000:]}")
    clock = [float(t) for t in re.findall(r"([0-9.]+) M-V:", out)]
    must(clock and clock[-1] - clock[0] > 3, f"the clock of ffplay does not advance:\n{out[-2000:]}")
    return f"clock from {clock[0]:.1f} to {clock[-1]:.1f} s"


def mpv(s, address=None):
    folder = s.output("mpv-mp4" if address else "mpv")
    s.quiet("mpv", "--no-config", "--no-ytdl", "--msg-level=all=warn", "--vo=image", "--vo-image-format=png", f"--vo-image-outdir={folder}",
            f"--frames={PICTURES}", address or s.live)
    return s.right(folder.glob("*.png"), PICTURES)


def vlc(s, address=None):
    folder = s.output("vlc-mp4" if address else "vlc")
    width, height = SIZE.split("x")  # by default, the filter makes pictures of another height
    out = s.run(*AS_USER, "cvlc", "-v", "--no-audio", "--vout", "vdummy", "--video-filter", "scene", "--scene-format", "png",
                "--scene-ratio", "1", "--scene-width", width, "--scene-height", height, "--scene-path", folder,
                "--run-time", "5", "--play-and-exit", address or s.live, "vlc://quit",
                env={**os.environ, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)})
    for line in out.splitlines():
        must("PCR" not in line and "h264" not in line.lower(), f"VLC reports: {line}")
    return s.right([f for f in folder.glob("*.png") if f.stat().st_size])


def recording(s):
    """The MP4 file of a range of recordings, which mpv and VLC read from the hub."""
    def moment():
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    begin = moment()
    time.sleep(8)
    address = s.hub.access.address(f"/recordings/{s.camera.id}.mp4?from={begin}&to={moment()}")
    return f"{mpv(s, address)} pictures in mpv, {vlc(s, address)} in VLC"


def gstreamer(s):
    folder = s.output("gstreamer")
    out = s.run("gst-launch-1.0", "-q", "playbin", f"uri={s.live}",
                f"video-sink=videoconvert ! pngenc ! identity eos-after={PICTURES} ! multifilesink location={folder}/%05d.png",
                env={**os.environ, "GIO_USE_PROXY_RESOLVER": "dummy", "GST_REGISTRY": str(folder / "registry"), "HOME": str(folder)})
    must("ERROR" not in out and "WARNING" not in out, f"GStreamer reports:\n{out[-2000:]}")
    return s.right(folder.glob("*.png"), PICTURES - 2)


def pyav(s):
    folder = s.output("pyav")
    script = ("import av, sys\n"
              "c = av.open(sys.argv[1], timeout=10)\n"
              "last = None\n"
              f"for n, f in zip(range({PICTURES}), c.decode(video=0)):\n"
              "    assert last is None or f.pts > last, (f.pts, last)\n"
              "    last = f.pts\n"
              "    f.to_image().save(f'{sys.argv[2]}/{n:05}.png') if n % 6 == 0 else None\n")
    s.quiet(sys.executable, "-c", script, s.live, folder)
    return s.right(folder.glob("*.png"))


def restart(s):
    """The times of a stream increase, also if the camera restarts while a player reads it."""
    script = ("import av, sys\n"
              "c = av.open(sys.argv[1], timeout=20)\n"
              "last, count = None, 0\n"
              "for packet in c.demux(video=0):\n"
              "    if packet.dts is None: break\n"
              "    assert last is None or packet.dts > last, (packet.dts, last)\n"
              "    last, count = packet.dts, count + 1\n"
              "    print(count, flush=True)\n")
    with subprocess.Popen([sys.executable, "-c", script, s.live], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as player:
        limit = threading.Timer(120, player.kill)
        limit.start()
        count, report = 0, []
        for line in player.stdout:
            if not line.strip().isdigit():
                report.append(line)
                continue
            count = int(line)
            if count == 45:
                s.camera.process.stop()
                s.camera.process.start()
            if count == 150:
                player.terminate()
                break
        limit.cancel()
    must(not report, f"PyAV reports: {''.join(report)}")
    must(count == 150, f"the stream ended after {count} pictures")
    return count


def curl(s):
    """Also several snapshots in a row, each with credentials, as Home Assistant requests them."""
    folder = s.output("curl")
    stream = folder / "live.ts"
    header = f"Authorization: Bearer {s.token.read_text().strip()}"
    bare = f"http://127.0.0.1:{s.hub.port}"
    s.run("curl", "-sS", "-m", "4", "-o", stream, "-H", header, f"{bare}/live/{s.camera.id}.ts", codes=(28,))
    s.world.run(s.world.program("sealcam-psnr"), stream, "--size", SIZE, "--camera", NUMBER, "--least", "30")
    for n in range(5):
        s.quiet("curl", "-sS", "-f", "-D", folder / f"headers-{n}", "-o", folder / f"{n}.jpg", s.snapshot)
        head = (folder / f"headers-{n}").read_bytes()
        must(head.isascii() and b"image/jpeg" in head, f"headers of a snapshot: {head}")
    name = s.run("curl", "-sS", "-f", "-G", "-o", folder / "named.jpg", "-w", "%{http_code}", "-H", header,
                 f"{bare}/snapshot/Vordert%C3%BCr%201.jpg")
    must(name == "200", f"a snapshot by name: {name}")
    must(s.run("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", f"{bare}/live/{s.camera.id}.ts") == "401",
         "a request without a token is not rejected")  # control
    return s.right(folder.glob("*.jpg"), 6)


def wget(s):
    folder = s.output("wget")
    s.quiet("wget", "-nv", "-q", "-O", folder / "address.jpg", s.snapshot)
    # Wget sends a password only after the answer 401, or with --auth-no-challenge.
    bare = f"http://127.0.0.1:{s.hub.port}"
    password = s.token.read_text().strip()
    for name, more in (("challenge", []), ("no-challenge", ["--auth-no-challenge"])):
        s.quiet("wget", "-q", *more, "--user=token", f"--password={password}", "-O", folder / f"{name}.jpg",
                f"{bare}/snapshot/{s.camera.id}.jpg")
    stream = folder / "live.ts"
    s.run("timeout", "5", "wget", "-q", "-O", stream, s.live, codes=(124,))
    s.world.run(s.world.program("sealcam-psnr"), stream, "--size", SIZE, "--camera", NUMBER, "--least", "30")
    return s.right(folder.glob("*.jpg"), 3)


def firefox(s):
    with Firefox(s.folder, s.folder / "firefox.log") as page:
        page.open(s.hub.access.open_address())

        def tile():
            return next((t for t in page.read("readTiles") if t["camera"] == s.camera.id and t["state"] == "LIVE"), None)

        wait_for("Firefox shows the camera LIVE", tile, 30, step=0.2)
        seen = set()
        for _ in range(6):
            time.sleep(0.4)
            mark = page.read("readMark", s.camera.id)
            must(mark and mark["camera"] == NUMBER, f"the mark on the canvas is {mark}")
            seen.add(mark["number"])
        must(len(seen) == 6, f"the canvas does not change: {seen}")
        begun, first = time.monotonic(), tile()["number"]
        time.sleep(3)
        rate = (tile()["number"] - first) / (time.monotonic() - begun)
        must(24 <= rate <= 36, f"the page advances by {rate:.1f} pictures a second; the sensor takes 30")
        if s.screenshots:
            page.screenshot(s.screenshots / "firefox.png")
        # Control: without pictures the page must change to STALE by itself.
        s.world.broker.send(19)
        try:
            wait_for("Firefox shows the camera STALE", lambda: page.read("readTiles")[0]["state"] == "STALE", 10, step=0.1)
        finally:
            s.world.broker.send(18)
        return f"{rate:.1f} pictures a second"


PLAYERS = {"ffplay": ffplay, "mpv": mpv, "cvlc": vlc, "recording": recording, "gst-launch-1.0": gstreamer, "PyAV": pyav, "restart": restart, "curl": curl, "wget": wget,
           "firefox-esr": firefox}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--output", type=pathlib.Path, help="folder for screenshots")
    parser.add_argument("player", nargs="*", choices=[[], *PLAYERS])
    options = parser.parse_args()
    if not shutil.which("firefox-esr"):
        print("SKIPPED: the players are not installed; run scripts/test players")
        return SKIPPED
    failed = 0
    with tempfile.TemporaryDirectory(prefix="sealcam-players-") as folder:
        pathlib.Path(folder).chmod(0o755)
        with World(options.build, folder) as world:
            scene = Scene(world)
            scene.screenshots = options.output
            if options.output:
                options.output.mkdir(parents=True, exist_ok=True)
            for name in options.player or PLAYERS:
                begun = time.monotonic()
                try:
                    result = PLAYERS[name](scene)
                    print(f"{name}: passed, {'' if result is None else result} ({time.monotonic() - begun:.1f} s)", flush=True)
                except (Failure, TimeoutError, subprocess.TimeoutExpired) as failure:
                    failed += 1
                    print(f"{name}: FAILED: {failure}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
