#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures a broker with many devices: one Mosquitto or one RabbitMQ on loopback, or a cluster of three RabbitMQs in network
namespaces. Prints one line of JSON for each number of devices.

$SEALCAM_RABBITMQ is the folder of the unpacked packages of RabbitMQ ('scripts/sdk rabbitmq ARCH').

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

TOP = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TOP / folder) for folder in ("tests", "scripts")]
from ownership.cluster import Cluster, accepts, in_namespace  # noqa: E402
from ownership.rabbitmq_test import RabbitHousehold  # noqa: E402
from support.pauses import Pauses  # noqa: E402
from support.world import Failure, World, cpu_and_memory, wait_for  # noqa: E402

CAMERAS, RATE, SIZE = 20, 30, 8300  # pictures of 2 Mbit/s
LIMIT = 600  # seconds until Mosquitto accepts connections
RESERVED = 200  # descriptors of this machine's broker that are not connections


class Mosquitto(World):
    reloads = True

    def init_broker(self):
        self.port = 28883
        self.run(self.program("sealcam"), "broker", "init", self.folder / "broker", "--port", self.port)

    def wait_broker(self):
        """Mosquitto first reads the access list, which takes minutes if it is large."""
        wait_for("Mosquitto accepts connections", lambda: accepts("127.0.0.1", self.port), LIMIT, self.broker)

    def pids(self):
        return [self.broker.child.pid]

    def restart(self):
        self.broker.kill()
        self.broker.start()
        self.wait_broker()


class RabbitMq(RabbitHousehold):
    reloads = False

    def init_broker(self):
        if not (self.folder / "broker").exists():
            super().init_broker()

    def pids(self):
        return [int((self.folder / "broker" / "rabbitmq.pid").read_text())]

    def restart(self):
        os.kill(self.pids()[0], signal.SIGKILL)
        self.broker.child.wait(60)
        self.broker.start()
        self.wait_broker()


class RabbitCluster(Cluster):
    reloads = False

    def init_broker(self):
        if not (self.folder / "broker").exists():
            super().init_broker()

    def pids(self):
        return [int((node.folder / "rabbitmq.pid").read_text()) for node in self.nodes]

    def restart(self):
        """One node: its devices use another one."""
        self.nodes[0].stop(signal.SIGKILL)
        self.addresses.wait(1, self.nodes[1])
        self.nodes = self.nodes[1:]


BROKERS = {"mosquitto": Mosquitto, "rabbitmq": RabbitMq, "cluster": RabbitCluster}


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


def cpu(world):
    return sum(cpu_and_memory(pid)[0] for pid in world.pids())


def memory(world):
    return sum(cpu_and_memory(pid)[1] * 1024 for pid in world.pids())


def connect(world, load, command, row, name):
    """Connects all devices to a broker that has just started."""
    empty, used = memory(world), cpu(world)
    done = load.do(command)
    used = cpu(world) - used
    if done["connected"] < load.prepared["connections"]:
        row[f"{name}_missing"] = load.prepared["connections"] - done["connected"]
    row[f"{name}_s"] = done["seconds"]
    row[f"{name}_per_s"] = round(done["connected"] / done["seconds"])
    row[f"{name}_per_cpu_s"] = round(done["connected"] / max(used, 0.01))
    time.sleep(2)  # their retained messages arrive
    row[f"{name}_memory_mib"] = round(memory(world) / 2**20)
    row[f"{name}_bytes_per_device"] = round((memory(world) - empty) / max(done["connected"], 1))


def measure_reload(world, load, row, seconds):
    """The access file, while all devices are connected: the longest time without an answer."""
    row["before_reload"] = load.do("probe 3")
    used = cpu(world)
    load.send(f"probe {seconds}")
    time.sleep(0.5)
    world.broker.send(signal.SIGHUP)
    row["reload"] = load.answer()
    row["reload_cpu_s"] = round(cpu(world) - used, 2)


def measure_pictures(world, load, row, seconds):
    used = cpu(world)
    begin = time.monotonic()
    time.sleep(3)
    idle = (cpu(world) - used) / (time.monotonic() - begin)
    used = cpu(world)
    begin = time.monotonic()
    with Pauses() as pauses:
        row["pictures"] = load.do(f"traffic {CAMERAS} {RATE} {SIZE} {seconds}")
        row["late_p95_ms"] = pauses.p95()
    used = cpu(world) - used - idle * (time.monotonic() - begin)
    row["idle_cores"] = round(idle, 3)
    row["cameras_per_core"] = round(CAMERAS * seconds / max(used, 0.01))


def measure(options, folder, devices):
    row = {"broker": options.broker, "devices": devices}
    with BROKERS[options.broker](options.build, folder) as world:
        world.init_broker()
        connections = min(devices, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - RESERVED, options.connections)
        load = Load(options.build / "tests/bench/broker_load", world, devices, connections)
        try:
            row |= load.prepared
            begin = time.monotonic()
            world.start_broker()
            row["start_s"] = round(time.monotonic() - begin, 2)
            connect(world, load, f"connect {options.window}", row, "connect")
            if world.reloads:
                measure_reload(world, load, row, options.reload)
            else:
                row["probe"] = load.do("probe 3")
            measure_pictures(world, load, row, options.seconds)
            # After a failure of the broker, all devices return at once, by themselves.
            if devices <= options.storm:
                begin = time.monotonic()
                world.restart()
                row["restart_s"] = round(time.monotonic() - begin, 2)
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
    parser.add_argument("--broker", choices=BROKERS, default="mosquitto", help="default: %(default)s")
    parser.add_argument("--window", type=int, default=64, help="handshakes at once; a device gives up after 5 s (default: %(default)s)")
    options = parser.parse_args()
    if options.broker == "cluster" and not in_namespace():
        raise Failure("network namespaces need root; run this command as root")
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
