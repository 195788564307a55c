#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures one Mosquitto with many devices on loopback. Prints one line of JSON for each number of devices.

The devices are in one process (tests/bench/broker_load.cpp) that shares the machine with the broker. Therefore the rates are
also given for one second of the broker's CPU time, which does not depend on the other processes.
"""
import argparse
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from support.pauses import Pauses  # noqa: E402
from support.world import Failure, World, cpu_and_memory  # noqa: E402

WINDOW = 64  # handshakes at once; each device gives up an attempt after 5 s
CAMERAS, RATE, SIZE = 20, 30, 8300  # pictures of 2 Mbit/s
RESERVED = 200  # descriptors of this machine's broker that are not connections


class Load:
    def __init__(self, program, world, devices, connections):
        self.process = subprocess.Popen([program, world.folder / "broker", str(world.port), str(devices), str(connections)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.prepared = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failure(f"broker_load ended with {self.process.wait()}")
        return json.loads(line)

    def send(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def do(self, command):
        self.send(command)
        return self.answer()

    def stop(self):
        self.process.stdin.close()
        self.process.wait(60)


def cpu(process):
    return cpu_and_memory(process.child.pid)[0]


def memory(process):
    return cpu_and_memory(process.child.pid)[1] * 1024


def restart(world):
    world.broker.stop(signal.SIGKILL)
    world.start_broker()


def connect(world, load, command, row, name):
    """Connects all devices to a broker that has just started."""
    empty, used = memory(world.broker), cpu(world.broker)
    done = load.do(command)
    used = cpu(world.broker) - used
    if done["connected"] < load.prepared["connections"]:
        row[f"{name}_missing"] = load.prepared["connections"] - done["connected"]
    row[f"{name}_s"] = done["seconds"]
    row[f"{name}_per_s"] = round(done["connected"] / done["seconds"])
    row[f"{name}_per_cpu_s"] = round(done["connected"] / max(used, 0.01))
    time.sleep(2)  # their retained messages arrive
    row[f"{name}_memory_mib"] = round(memory(world.broker) / 2**20)
    row[f"{name}_bytes_per_device"] = round((memory(world.broker) - empty) / max(done["connected"], 1))


def measure(options, folder, devices):
    row = {"devices": devices}
    with World(options.build, folder) as world:
        world.port = 28883
        world.run(world.program("sealcam"), "broker", "init", world.folder / "broker", "--port", world.port)
        connections = min(devices, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - RESERVED, options.connections)
        load = Load(options.build / "tests/bench/broker_load", world, devices, connections)
        try:
            row |= load.prepared
            begin = time.monotonic()
            world.start_broker()
            row["start_s"] = round(time.monotonic() - begin, 2)
            connect(world, load, f"connect {WINDOW}", row, "connect")

            # The access file, while all devices are connected: the longest time without an answer.
            row["before_reload"] = load.do("probe 3")
            used = cpu(world.broker)
            load.send(f"probe {options.reload}")
            time.sleep(0.5)
            world.broker.send(signal.SIGHUP)
            row["reload"] = load.answer()
            row["reload_cpu_s"] = round(cpu(world.broker) - used, 2)

            used = cpu(world.broker)
            begin = time.monotonic()
            time.sleep(3)
            idle = (cpu(world.broker) - used) / (time.monotonic() - begin)
            used = cpu(world.broker)
            begin = time.monotonic()
            with Pauses() as pauses:
                row["pictures"] = load.do(f"traffic {CAMERAS} {RATE} {SIZE} {options.seconds}")
                row["late_p95_ms"] = pauses.p95()
            used = cpu(world.broker) - used - idle * (time.monotonic() - begin)
            row["cameras_per_core"] = round(CAMERAS * options.seconds / max(used, 0.01))

            # After a failure of the broker, all devices return at once, by themselves.
            if devices <= options.storm:
                restart(world)
                connect(world, load, "wait", row, "return")
        finally:
            load.stop()
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--devices", default="1000,10000", help="numbers of devices, separated by commas (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=10_000, help="connected devices at most (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=10, help="duration of the pictures (default: %(default)s)")
    parser.add_argument("--reload", type=int, default=5, help="duration of the reload (default: %(default)s)")
    parser.add_argument("--storm", type=int, default=1000, help="at most this number returns at once (default: %(default)s)")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for devices in map(int, options.devices.split(",")):
        with tempfile.TemporaryDirectory(prefix="sealcam-bench-", dir=os.environ.get("TMPDIR")) as folder:
            print(json.dumps(measure(options, pathlib.Path(folder) / "w", devices)), flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"error: {failure}")
