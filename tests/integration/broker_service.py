#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The service of the page about brokers starts Mosquitto again after a power cut that damaged its database.

The test reads the service from the page, and runs its commands in systemd's place. The control shows that Mosquitto alone does not start.
"""
import os
import pathlib
import re
import shlex
import socket
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/support"))
from program_test import require, run_test  # noqa: E402
from support.world import free_port, wait_for  # noqa: E402


def commands(home):
    """The lines ExecStart and ExecStopPost of the service, as lists of arguments."""
    page = (TOP / "firmware/docs/broker.md").read_text()
    unit = re.search(r"sealcam-broker\.service <<'EOT'\n(.*?)\n *EOT\n", page, re.S)[1]
    lines = dict(line.strip().split("=", 1) for line in unit.splitlines() if line.strip().startswith("Exec"))
    return [shlex.split(lines[name].lstrip("-").replace("%h", str(home))) for name in ("ExecStart", "ExecStopPost")]


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test(world, _):
    home, port = world.folder / "home", free_port()
    folder = home / "broker"
    home.mkdir()
    world.run(world.program("sealcam"), "broker", "init", folder, "--port", port)
    start, stop_post = commands(home)
    database = folder / "mosquitto.db"

    def run(name):
        """Returns the running broker, or its exit code."""
        process = world.spawn(name, *start)
        wait_for("the broker, or its end", lambda: answers(port) or not process.alive, 20)
        return process if process.alive else process.stop()

    def ended(status):
        subprocess.run(stop_post, env=os.environ | {"EXIT_STATUS": str(status)}, capture_output=True, timeout=10)

    database.touch()
    ended(run("first").stop())
    require(database.exists(), "the database stays after the broker was stopped")
    for name, content in (("zeros", bytes(4096)), ("text", b"not a database of Mosquitto" * 20)):
        database.write_bytes(content)
        status = run(name)
        require(status == 1, f"control: Mosquitto does not start with a database of {name}")
        require(run(f"{name}-again") == 1, "control: nor does it start the second time")
        ended(status)
        broker = run(f"{name}-repaired")
        require(not isinstance(broker, int), f"it starts after the service moved the database of {name}")
        require((folder / "mosquitto.db.damaged").read_bytes() == content, "the damaged database is kept")
        broker.stop()


if __name__ == "__main__":
    run_test(__doc__, test)
