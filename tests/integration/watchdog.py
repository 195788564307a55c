#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Camera and hub that belong to somebody tell a service manager that they are ready and alive, and one that is stopped does not.

    watchdog.py --build DIR
"""
import argparse
import os
import pathlib
import signal
import socket
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support.world import Failure, World, wait_for  # noqa: E402

PATIENCE = 60  # seconds
WATCHDOG = 2  # seconds; the units' is longer


class Ear:
    """The service manager's end of sd_notify(3), for the next program that is started."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        os.environ["NOTIFY_SOCKET"] = str(path)
        os.environ["WATCHDOG_USEC"] = str(WATCHDOG * 1_000_000)

    def wait_for(self, word, process):
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            said = self.next(0.2)
            if said is not None and word in said.split("\n"):
                return
            if said is None and not process.alive:
                break
        raise Failure(f"{process.name} did not say {word}\n{process.tail()}")

    def next(self, seconds):
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(4096).decode()
        except TimeoutError:
            return None


def try_one(world, device, folder):
    ear = Ear(folder / f"{device.name}.notify")
    process = world.start(device).process
    ear.wait_for("READY=1", process)
    for _ in range(3):
        ear.wait_for("WATCHDOG=1", process)
    # The control: what it says comes from its loop. Stopped, it is silent for as long as systemd waits.
    process.send(signal.SIGSTOP)
    state = pathlib.Path(f"/proc/{process.child.pid}/stat")
    wait_for(f"{device.name} stands still", lambda: state.read_text().rpartition(")")[2].split()[0] == "T", PATIENCE)
    while ear.next(0.05) is not None:
        pass  # said before
    said = ear.next(WATCHDOG)
    process.send(signal.SIGCONT)
    if said is not None:
        raise Failure(f"{device.name} said {said!r} while it was stopped")
    ear.wait_for("WATCHDOG=1", process)
    process.send(signal.SIGTERM)
    ear.wait_for("STOPPING=1", process)
    print(f"{device.name}: ready, alive, silent when stopped, alive again, stopping")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sealcam-watchdog-") as folder, World(options.build, folder) as world:
        world.account("a")
        world.start_broker()
        camera = world.camera("a", "camera", {"source": {"backend": "fake", "size": "320x240", "rate": 5}}, "Camera")
        hub = world.hub("a", "hub")
        for device in (camera, hub):
            try_one(world, device, pathlib.Path(folder))


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"error: {failure}")
