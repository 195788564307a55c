#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills and faults at random moments while `sealcam watch -o` records, with a real camera and a real Mosquitto.

    watch_kills.py --build DIR [--rounds N] [--seed N]

Each round makes a folder with other files and one output: an older recording, a link to one, a FIFO, a name without a file,
or /dev/full. Then a signal ends the command at a random moment, the camera stops, the disk is full, or the reader of the
output ends. Afterwards everything that existed before must still exist. An older recording may be replaced only by a
playable one.
"""
import collections
import fcntl
import json
import os
import pathlib
import random
import resource
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[2] / folder) for folder in ("tests", "scripts")]
from ownership.household import Household, check, random_rounds  # noqa: E402
from support.world import Failure  # noqa: E402

TIMEOUT = 120  # seconds; long enough for a busy machine
FIRST_PICTURE = 60  # seconds until the first live picture, on such a machine
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
OUTPUTS = ("file", "file", "file", "link", "link to nothing", "nothing", "long name", "fifo", "pipe", "full device")
REPLACED = ("file", "long name", "link", "link to nothing")
FAULTS = ("signal", "signal", "signal", "camera off", "full disk", "reader ends", "reader stalls")


def boxes(content):
    """The types of the complete boxes of an MP4 file (ISO/IEC 14496-12 section 4.2), with the size of their content."""
    at, out = 0, []
    while at + 8 <= len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        if size < 8 or at + size > len(content):
            break
        out.append((kind.decode("latin-1"), size - 8))
        at += size
    return out


def is_playable(content):
    """Whether the file has a header and a complete fragment with a picture."""
    kinds = boxes(content)
    fragment = any(a[0] == "moof" and b[0] == "mdat" and b[1] > 0 for a, b in zip(kinds, kinds[1:]))
    return [kind for kind, _ in kinds[:2]] == ["ftyp", "moov"] and fragment


def has_unnamed_files(folder):
    """Whether the file system can have files without a name."""
    try:
        os.close(os.open(folder, os.O_TMPFILE | os.O_RDWR))
    except OSError:
        return False
    return True


class Place:
    """A folder with an output and with files that must stay."""

    def __init__(self, folder, output, rng):
        self.folder, self.kind, self.left = folder, output, 0
        folder.mkdir()
        self.unnamed = has_unnamed_files(folder)
        self.path = folder / ("n" * 251 + ".mp4" if output == "long name" else "keep.mp4")
        if output == "full device":
            self.path = pathlib.Path("/dev/full")
        self.old = rng.randbytes(rng.randrange(1, 200_000)) if output in ("file", "long name") else None
        self.neighbors = {name: rng.randbytes(1000) for name in (".keep.mp4.new", "keep.mp4.new", "other.mp4", "target.mp4")}
        for name, content in self.neighbors.items():
            (folder / name).write_bytes(content)
        if self.old is not None:
            self.path.write_bytes(self.old)
        if output == "link":
            self.path.symlink_to("target.mp4")
        if output == "link to nothing":
            self.path.symlink_to("missing.mp4")
        if output == "fifo":
            os.mkfifo(self.path)

    def recorded(self):
        """Whether the output is a new regular file."""
        try:
            status = self.path.lstat()
        except FileNotFoundError:
            return False
        return stat.S_ISREG(status.st_mode) and self.path.read_bytes() != self.old

    def judge(self, killed):
        """Raises Failure if anything is lost, or if anything is left except by SIGKILL at the moment of a replacement."""
        for name, content in self.neighbors.items():
            check((self.folder / name).is_file() and (self.folder / name).read_bytes() == content, f"{name} changed")
        left = {path.name for path in self.folder.iterdir()} - set(self.neighbors) - {self.path.name}
        temporary = {name for name in left if name.startswith("." + self.path.name[:200] + ".")}
        self.left = len(temporary)
        allowed = 1 if killed and (self.kind in REPLACED or not self.unnamed) else 0
        check(left == temporary and self.left <= allowed, f"left in the folder: {sorted(left)}")
        if self.kind == "full device":
            return check(self.path.is_char_device(), "/dev/full is no device")
        if self.kind == "fifo":
            return check(self.path.is_fifo(), "the FIFO is gone")
        if self.recorded():
            return check(is_playable(self.path.read_bytes()), "the output was replaced by a file that does not play")
        if self.old is not None:
            return check(self.path.is_file() and self.path.read_bytes() == self.old, "the older recording is lost")
        if self.kind.startswith("link"):
            check(self.path.is_symlink(), "the link is gone")
        return None


def controls(folder, rng):
    """Damage that judge() must find."""
    def lost(place):
        place.path.unlink()

    def emptied(place):
        place.path.write_bytes(b"")

    def header_only(place):
        place.path.write_bytes(struct.pack(">I4s", 8, b"ftyp") + struct.pack(">I4s", 8, b"moov"))

    def target_emptied(place):
        (place.folder / "target.mp4").write_bytes(b"")

    def neighbor_lost(place):
        (place.folder / ".keep.mp4.new").unlink()

    def temporary_left(place):
        (place.folder / ".keep.mp4.123456").touch()
        place.unnamed = True

    for number, (output, damage) in enumerate((("file", lost), ("file", emptied), ("file", header_only), ("long name", lost),
                                               ("link", lost), ("link", target_emptied), ("fifo", lost),
                                               ("fifo", emptied), ("nothing", neighbor_lost),
                                               ("nothing", temporary_left))):
        place = Place(folder / f"control{number}", output, rng)
        place.judge(False)
        if output == "fifo" and damage is emptied:
            place.path.unlink()
        damage(place)
        try:
            place.judge(True)
        except Failure:
            continue
        raise Failure(f"control: {damage.__name__} of a {output} was not found")


class WatchKills:
    def __init__(self, world, seed):
        self.w, self.random = world, random.Random(seed)
        self.results = collections.Counter()
        self.left = 0  # temporary files
        self.took = 0.0

    def set_up(self):
        w = self.w
        w.account("ann")
        w.start_broker()
        self.camera = w.unpaired("camera", "camera1", number=1)
        w.pair("ann", self.camera, "Camera")
        w.confirmed("ann", self.camera, TIMEOUT)

    def start(self, output, *more, limit=None, stdout=subprocess.PIPE):
        def prepare():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            if limit:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        argv = [str(a) for a in (*self.w.owners("ann"), "watch", self.camera.id, "-o", output, *more)]
        return subprocess.Popen(argv, stdout=stdout, stderr=subprocess.PIPE, preexec_fn=prepare)

    def measure(self, folder):
        """How long a recording of one second takes. The signals fall into this time."""
        begun = time.monotonic()
        command = self.start(folder / "measure.mp4", "--seconds", "1")
        _, errors = command.communicate(timeout=TIMEOUT)
        check(command.returncode == 0, f"a recording without a fault failed: {errors.decode()}")
        check(is_playable((folder / "measure.mp4").read_bytes()), "a recording without a fault does not play")
        self.took = time.monotonic() - begun

    def name_is_not_utf8(self, folder):
        """The result in JSON is UTF-8, whatever the name of the output is (RFC 8259 section 8.1)."""
        path = os.fsencode(folder) + b"/bad\xff.mp4"
        command = self.start(os.fsdecode(path), "--seconds", "0.2", "--json")
        out, errors = command.communicate(timeout=TIMEOUT)
        check(command.returncode == 0, f"a name that is not UTF-8: {errors.decode()}")
        check(json.loads(out.decode())["pictures"] > 0 and os.path.exists(path), "a name that is not UTF-8: no recording")

    @staticmethod
    def read(source, limit):
        """Reads up to `limit` bytes, or all, from a file descriptor and closes it."""
        def run():
            left = limit
            while (piece := os.read(source, 65536)) and (left := left - len(piece)) > 0:
                pass
            os.close(source)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def round(self, folder):
        output, fault = self.random.choice(OUTPUTS), self.random.choice(FAULTS)
        streams = output in ("fifo", "pipe")
        if fault.startswith("reader") and not streams:
            fault = "signal"
        if fault == "full disk" and streams:
            fault = "signal"
        if output == "full device":
            fault = "full disk"
        place = Place(folder, output, self.random)
        try:
            self.run(place, fault, streams)
        finally:
            self.camera.process.send(signal.SIGCONT)
        return f"{output}, {fault}"

    def run(self, place, fault, streams):
        if fault == "camera off":
            self.camera.process.send(signal.SIGSTOP)
        limit = self.random.randrange(4096, 60_000) if fault == "full disk" and place.kind != "full device" else None
        name = "-" if place.kind == "pipe" else place.path
        command = self.start(name, "--seconds", "3", "--wait", "1" if fault == "camera off" else str(FIRST_PICTURE), limit=limit)
        reader, signaled = None, None
        if streams:
            source = os.dup(command.stdout.fileno()) if place.kind == "pipe" else os.open(place.path, os.O_RDONLY)
            if fault == "reader stalls":
                fcntl.fcntl(source, fcntl.F_SETPIPE_SZ, 4096)
            else:
                reader = self.read(source, 10_000 if fault == "reader ends" else 1 << 40)
        if fault == "reader stalls":
            time.sleep(self.took)  # until the pipe is full
            command.send_signal(self.random.choice(SIGNALS[1:]))
        if fault == "signal":
            time.sleep(self.random.uniform(0, 1.2 * self.took))
            signaled = self.random.choice(SIGNALS)
            command.send_signal(signaled)
        if place.kind == "pipe":
            command.stdout.close()
            errors = command.stderr.read()
            command.wait(timeout=TIMEOUT)
        else:
            errors = command.communicate(timeout=TIMEOUT)[1]
        if reader:
            reader.join(TIMEOUT)
        place.judge(killed=signaled == signal.SIGKILL)
        self.judge_end(place, fault, command.returncode, errors.decode(errors="replace"))
        self.results[f"{fault}: {'recorded' if place.recorded() else 'as before'}"] += 1
        self.left += place.left

    @staticmethod
    def judge_end(place, fault, code, errors):
        if fault == "camera off":
            check(code == os.EX_UNAVAILABLE and "no live picture" in errors, f"camera off: {code}, {errors}")
        elif fault == "full disk":
            # A short recording may fit.
            reason = "No space left" if place.kind == "full device" else "File too large"
            check(code == 0 or (code == os.EX_IOERR and reason.lower() in errors.lower()), f"full disk: {code}, {errors}")
        elif fault.startswith("reader"):
            check(code == 0 and "cannot write" not in errors, f"{fault}: {code}, {errors}")
        else:
            # A signal may arrive before the command handles it, and then ends it.
            check(code in (0, *(-number for number in SIGNALS)), f"a signal: {code}, {errors}")


def main():
    options = random_rounds(__doc__, "SEALCAM_WATCH_ROUNDS", 200)
    begun, number = time.monotonic(), 0
    with tempfile.TemporaryDirectory(prefix="sealcam-watch-") as folder, Household(options.build, folder) as world:
        kills = WatchKills(world, options.seed)
        places = pathlib.Path(folder) / "places"
        places.mkdir()
        try:
            controls(places, kills.random)
            kills.set_up()
            kills.measure(places)
            kills.name_is_not_utf8(places)
            for number in range(1, options.rounds + 1):
                what = kills.round(places / f"round{number}")
                print(f"{time.monotonic() - begun:7.1f} s  round {number}: {what}", flush=True)
        except (Failure, subprocess.TimeoutExpired) as failure:
            print(f"FAILED in round {number} (seed {options.seed}): {failure}")
            print(kills.camera.process.tail(15) if hasattr(kills, "camera") else "")
            return 1
    for what, count in sorted(kills.results.items()):
        print(f"{what}: {count}")
    print(f"temporary files left by SIGKILL: {kills.left}")
    print(f"{options.rounds} rounds in {time.monotonic() - begun:.0f} s: nothing that existed before was lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
