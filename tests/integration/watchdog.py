#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A paired camera and a paired hub notify the service manager: ready, alive, stopping. A stopped process sends nothing.

    watchdog.py --build DIR
"""
import os
import pathlib
import signal
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from program_test import run_test  # noqa: E402
from support.world import Failure, wait_for  # noqa: E402

TIMEOUT = 60  # seconds
WATCHDOG = 2  # seconds; shorter than in the units, to keep the test short


class NotifySocket:
    """The service manager's end of sd_notify(3). The environment passes it to programs that start afterwards."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        os.environ["NOTIFY_SOCKET"] = str(path)
        os.environ["WATCHDOG_USEC"] = str(WATCHDOG * 1_000_000)

    def wait_for(self, state, process):
        until = time.monotonic() + TIMEOUT
        while time.monotonic() < until:
            message = self.next(0.2)
            if message is not None and state in message.split("\n"):
                return
            if message is None and not process.alive:
                break
        raise Failure(f"{process.name} did not send {state}\n{process.tail()}")

    def next(self, seconds):
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(4096).decode()
        except TimeoutError:
            return None


def check(world, device, folder):
    notify = NotifySocket(folder / f"{device.name}.notify")
    process = world.start(device).process
    notify.wait_for("READY=1", process)
    for _ in range(3):
        notify.wait_for("WATCHDOG=1", process)
    # The control: the event loop sends the messages. A stopped process sends none within the watchdog's timeout.
    process.send(signal.SIGSTOP)
    state = pathlib.Path(f"/proc/{process.child.pid}/stat")
    wait_for(f"{device.name} is stopped", lambda: state.read_text().rpartition(")")[2].split()[0] == "T", TIMEOUT)
    while notify.next(0.05) is not None:
        pass  # sent before the stop
    message = notify.next(WATCHDOG)
    process.send(signal.SIGCONT)
    if message is not None:
        raise Failure(f"{device.name} sent {message!r} while it was stopped")
    notify.wait_for("WATCHDOG=1", process)
    process.send(signal.SIGTERM)
    notify.wait_for("STOPPING=1", process)
    print(f"{device.name}: ready, alive, silent when stopped, alive again, stopping")


def check_devices(world, options):
    world.account("a")
    world.start_broker()
    camera = world.camera("a", "camera", {"source": {"backend": "fake", "size": "320x240", "rate": 5}}, "Camera")
    hub = world.hub("a", "hub")
    for device in (camera, hub):
        check(world, device, world.folder)


if __name__ == "__main__":
    run_test(__doc__, check_devices)
