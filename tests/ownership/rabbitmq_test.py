#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""RabbitMQ 4 as the broker, set up by 'sealcam broker init --for rabbitmq': pair, watch, privacy and revoke, with real
processes on loopback.

    rabbitmq_test.py --build DIR

$SEALCAM_RABBITMQ is the folder of the unpacked packages ('scripts/sdk rabbitmq ARCH'). All files of RabbitMQ are in the
folder of the test.
"""
import argparse
import contextlib
import json
import os
import pathlib
import shutil
import socket
import ssl
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[2] / folder) for folder in ("tests", "scripts")]
from ownership.household import Household, check, packet, read_packet, text  # noqa: E402
from support.world import Failure, free_port, wait_for  # noqa: E402

SKIPPED = 77
LIMIT = 90  # seconds; the node and this test share a machine that may be busy


def one(folder, pattern):
    found = sorted(folder.glob(pattern))
    if not found:
        raise Failure(f"{folder} contains no {pattern}; run scripts/sdk rabbitmq")
    return found[0]


def unpacked_programs(tree, target):
    """Makes programs that run from the unpacked packages. The scripts of the packages name places below /usr."""
    erts, libraries = one(tree, "usr/lib/erlang/erts-*/bin"), one(tree, "usr/lib/*-linux-gnu")
    scripts = one(tree, "usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin")
    target.mkdir()
    erlang = (f"export ROOTDIR={tree}/usr/lib/erlang BINDIR={erts} EMU=beam PROGNAME={target}/erl "
              f"ESCRIPT_EMULATOR={target}/erl LD_LIBRARY_PATH={libraries}\n")
    programs = {"erl": f"{erlang}exec {erts}/erlexec", "escript": f"{erlang}exec {erts}/escript",
                "epmd": f"{erlang}exec {erts}/epmd", "rabbitmq-server": f"exec {scripts}/rabbitmq-server",
                "rabbitmqctl": f'echo "$4" >>{target}/used\nexec {scripts}/rabbitmqctl', "erl_call": f"exec {tree}/usr/bin/erl_call",
                "ip": f"LD_LIBRARY_PATH={libraries} exec {tree}/usr/sbin/ip"}
    for name, line in programs.items():
        (target / name).write_text(f'#!/bin/sh\n{line} "$@"\n')
        (target / name).chmod(0o755)


class RabbitHousehold(Household):
    def run(self, *argv, check=True):
        """On a busy machine, rabbitmqctl takes up to a minute."""
        return super().run(*argv, check=check, seconds=240)

    def deliver(self, account):
        """Publishes until the broker has all messages. One command gives up after 5 s, which can pass on a busy machine."""
        def all_published():
            out = self.owner(account, "sync", "--timeout", "5", "--json", check=False).strip()
            return out and not json.loads(out.splitlines()[-1])["pending"]

        wait_for("the broker has all messages of the owner", all_published, LIMIT, step=1)

    def pair(self, account, device, label):
        duration = super().pair(account, device, label)
        self.deliver(account)
        return duration

    @contextlib.contextmanager
    def slow_tools(self):
        """Within this context there is no erl_call, and rabbitmqctl needs longer than an unpaired device waits."""
        tools, path = self.folder / "slow", os.environ["PATH"]
        tools.mkdir()
        (tools / "erl_call").write_text("#!/bin/sh\nexit 1\n")
        (tools / "rabbitmqctl").write_text(f'#!/bin/sh\nsleep 25\nexec {shutil.which("rabbitmqctl")} "$@"\n')
        for tool in ("erl_call", "rabbitmqctl"):
            (tools / tool).chmod(0o755)
        os.environ["PATH"] = f"{tools}:{path}"
        try:
            yield
        finally:
            os.environ["PATH"] = path

    def init_broker(self):
        self.port = self.port or free_port()
        self.run(self.program("sealcam"), "broker", "init", self.folder / "broker", "--port", self.port, "--for", "rabbitmq")

    def start_broker(self, relay=False):
        self.init_broker()
        tree = os.environ.get("SEALCAM_RABBITMQ")
        if tree:
            unpacked_programs(pathlib.Path(tree), self.folder / "bin")
            os.environ["PATH"] = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        # The cookie of the node is in the home folder, and the port mapper is this test's own.
        os.environ.update(HOME=str(self.folder), ERL_EPMD_ADDRESS="127.0.0.1", ERL_EPMD_PORT=str(free_port()))
        self.spawn("epmd", "epmd")
        settings = f"RABBITMQ_CONF_ENV_FILE={self.folder}/broker/rabbitmq-env.conf"
        self.broker = self.spawn("rabbitmq", "env", settings, "rabbitmq-server")
        self.wait_broker()

    def wait_broker(self):
        def accepts():
            if not self.broker.alive:
                raise Failure("RabbitMQ ended:\n" + self.broker.tail(40))
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.port)) == 0

        wait_for("RabbitMQ accepts connections", accepts, 240, step=0.2)

    def connection(self, device, client_id):
        """A TLS connection with the certificate of a device, and the broker's reason code for CONNECT (MQTT 5)."""
        enrollment = json.loads((device.state / "enrollment.json").read_text())
        chain, authority = self.folder / "chain.pem", self.folder / "authority.pem"
        chain.write_text(enrollment["certificate"] + (device.state / "tls.key").read_text())
        authority.write_text(enrollment["authority"])
        context = ssl.create_default_context(cafile=authority)
        context.load_cert_chain(chain)
        s = context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), 20), server_hostname="127.0.0.1")
        s.sendall(packet(0x10, text("MQTT") + bytes([5, 2, 0, 30, 0]) + text(client_id)))
        return s, read_packet(s)[1][1]

    def rejects(self, device):
        """Whether the broker rejects the certificate of a device."""
        try:
            s, code = self.connection(device, device.id)
        except (OSError, Failure):
            return True
        s.close()
        return code >= 0x80


def run(w):
    begun = time.monotonic()

    def done(step):
        print(f"{time.monotonic() - begun:6.1f} s  {step}", flush=True)

    w.account("ann")
    w.account("bob")
    w.start_broker()
    done("RabbitMQ runs")
    camera, other = w.unpaired("camera", "camera1", number=1), w.unpaired("camera", "camera2", number=2)
    hub, tablet = w.unpaired("hub", "hub1"), w.unpaired("hub", "hub2")
    for account, device, label in (("ann", hub, "Kitchen"), ("ann", camera, "Door"), ("bob", other, "Garage")):
        w.pair(account, device, label)
    w.sees(hub, camera, LIMIT)
    done("three devices of two accounts are paired, and the hub shows LIVE pictures")

    # RabbitMQ delivers no retained messages to subscriptions with wildcards.
    with w.slow_tools():
        w.pair("ann", tablet, "Tablet")
    w.sees(tablet, camera, LIMIT)
    hub.process.stop()
    shutil.rmtree(hub.state / "rosters")
    hub.process.start()
    w.sees(hub, camera, LIMIT)
    done("a hub that was paired after the camera, and one that lost its rosters, show LIVE pictures")
    recording = w.folder / "door.mp4"
    w.owner("ann", "watch", "Door", "--seconds", "2", "--wait", "30", "-o", recording)
    check(recording.stat().st_size > 10_000, "sealcam watch recorded no pictures")
    synced = w.owner_json("ann", "sync", "--timeout", "15")
    check(not synced["lost"] and not synced["lost_index"] and synced["settled"], f"sync misses retained messages: {synced}")
    done("sealcam watch records pictures, and sync finds all retained messages")
    check(w.camera_at(hub, other) is None, "the hub knows the camera of the other account")

    # Another client id, and a topic of the other account.
    s, code = w.connection(other, camera.id)
    s.close()
    check(code >= 0x80, f"the client id of another device was accepted ({code:#x})")
    w.change("ann", "camera", "privacy", "Door", "on", "--wait", "0")
    w.deliver("ann")
    wait_for("the camera applies privacy", lambda: (camera.state / "privacy").read_text() == "on\n", LIMIT, camera.process)
    w.blind(hub, camera)
    w.confirmed("ann", camera, LIMIT)  # the owner may have been away when the camera confirmed it
    w.change("ann", "camera", "privacy", "Door", "off", "--wait", "30")
    w.confirmed("ann", camera, LIMIT)
    w.sees(hub, camera, LIMIT)
    done("privacy closed and opened the sensor")

    w.change("ann", "hub", "unlink", "Tablet", "--wait", "30")
    w.confirmed("ann", camera, LIMIT)
    check(w.rejects(tablet), "RabbitMQ accepts a revoked hub")
    check(not w.rejects(hub), "RabbitMQ rejects a hub that was not revoked")  # control
    w.blind(tablet, camera)
    w.sees(hub, camera, LIMIT)
    done("the revoked hub has no connection and no pictures")
    yard = w.unpaired("camera", "camera3", number=3)
    w.pair("ann", yard, "Yard")
    w.sees(hub, yard, LIMIT)
    w.run(w.program("sealcam"), "broker", "revoke", w.folder / "broker", yard.id)
    check(w.rejects(yard), "RabbitMQ accepts a revoked camera")
    w.sees(hub, camera, LIMIT)  # its page requests both cameras
    check(not w.change("ann", "integration", "add", "Displays", "--hub", "Kitchen", "--wait", "10"), "the revoked camera confirmed")
    w.confirmed("ann", camera, LIMIT)
    w.sees(hub, camera, LIMIT)
    check("reconnecting" not in hub.process.log.read_text().split("connected to the broker")[-1], "the hub was disconnected")
    done("the operator revoked a camera that is still on rosters, and hub and owner continue with the others")

    listed = json.loads(w.run(w.program("sealcam"), "broker", "list", w.folder / "broker", "--json"))
    check(tablet.id not in {entry["device"] for entry in listed}, "the revoked hub is still authorized")
    if os.environ.get("SEALCAM_RABBITMQ"):
        # Once without erl_call. All other changes used erl_call.
        used = (w.folder / "bin" / "used").read_text().split()
        check(used == ["import_definitions"], f"sealcam used rabbitmqctl: {used}")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--build", required=True)
    options = arguments.parse_args()
    if not os.environ.get("SEALCAM_RABBITMQ") and not shutil.which("rabbitmq-server"):
        print("SKIPPED: RabbitMQ is not installed; run scripts/test rabbitmq")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="sealcam-rabbitmq-") as folder:
        try:
            with RabbitHousehold(options.build, folder) as w:
                try:
                    run(w)
                except Failure:
                    print("the end of RabbitMQ's log:\n" + (w.broker.tail(40) if w.broker else ""))
                    raise
        except Failure as failure:
            print(f"FAILED: {failure}")
            return 1
    print("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
