# SPDX-License-Identifier: Apache-2.0
"""Three nodes of RabbitMQ in network namespaces, set up by 'sealcam broker init --for rabbitmq --node …'.

Each node has a namespace for network and mounts, as a machine of its own. `nodes/<name>` of the broker's folder is mounted over
this folder, except for the first node. The operator, the owners and the devices are in the namespace of the test, which reaches a
node over two links: 'lan' for devices, 'back' for the other nodes and the operator.

Each node has one address of a host that devices use. If the node does not accept connections, another one takes over its address,
as with VRRP.
"""
import contextlib
import json
import os
import pathlib
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

from ownership.household import packet, read_packet, text
from ownership.rabbitmq_test import unpacked_programs
from support.world import Failure, Process, World, wait_for

START = 300  # seconds; the nodes share a machine that may be busy
HOLD = 10  # seconds that a node must accept connections before it gets its address back, as with preempt_delay of keepalived
PORT = 8883
NODES = ["n1.broker.test", "n2.broker.test", "n3.broker.test"]
HOSTS = ["a.broker.test", "b.broker.test", "c.broker.test"]


def in_namespace():
    """Runs this program again in a namespace for network and mounts that ends with it. Returns whether it may make one."""
    if os.environ.get("SEALCAM_NAMESPACE"):
        return True
    own = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    command = ["unshare", *own, "--net", "--mount", "--"]
    if subprocess.run([*command, "true"], capture_output=True).returncode:
        return False
    os.environ["SEALCAM_NAMESPACE"] = "1"
    os.execvp("unshare", [*command, sys.executable, *sys.argv])


def service(number):
    """The address of the host of a node, which another node can take over. Nodes are numbered from 1."""
    return f"10.79.0.{number}"


def machine(number):
    """The address of a node for devices that always belongs to it."""
    return f"10.77.0.{number}"


def accepts(address, port=PORT):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex((address, port)) == 0


class Node:
    """One machine of the cluster."""

    def __init__(self, world, number):
        self.world, self.number, self.name = world, number, NODES[number - 1]
        self.folder = world.folder / "broker" if number == 1 else world.folder / "broker" / "nodes" / self.name
        self.space = world.spawn(f"space{number}", "unshare", "--net", "--mount", "sleep", "infinity")
        entry = pathlib.Path("/proc") / str(self.space.child.pid)
        wait_for("the namespace exists", lambda: (entry / "comm").read_text() == "sleep\n", 30)
        self.server = None
        self.lan, ip, pid = f"lan{number}", world.ip, self.space.child.pid
        ip(f"link add {self.lan} type veth peer name lan netns {pid}")
        ip(f"addr add 10.78.0.1/32 dev {self.lan}")
        ip(f"link add back{number} type veth peer name back netns {pid}")
        ip(f"link set back{number} master back up")
        for line in ("link set lo up", f"addr add {machine(number)}/32 dev lan", "link set lan up", "route add 10.78.0.1/32 dev lan",
                     f"addr add 10.80.0.{number}/24 dev back", "link set back up"):
            self.run("ip", *line.split())
        self.set_link("lan", "up")
        self.run("mount", "--bind", world.hosts, "/etc/hosts")
        if number > 1:
            self.run("mount", "--bind", self.folder, world.folder / "broker")

    def inside(self, *argv):
        return ["nsenter", f"--target={self.space.child.pid}", "--net", "--mount", *argv]

    def run(self, *argv):
        return self.world.run(*self.inside(*argv))

    def route(self, address):
        self.world.ip(f"route replace {address}/32 dev {self.lan} src 10.78.0.1")

    def set_link(self, link, state):
        """link: 'lan' or 'back'. state: 'up' or 'down'."""
        self.world.ip(f"link set {link}{self.number} {state}")
        if (link, state) == ("lan", "up"):
            self.route(machine(self.number))

    def start(self):
        if self.server is None:
            self.world.spawn(f"epmd{self.number}", *self.inside("epmd"))
            settings = f"RABBITMQ_CONF_ENV_FILE={self.world.folder}/broker/rabbitmq-env.conf"
            self.server = Process(self.name, self.inside("env", settings, "rabbitmq-server"), self.world.logs / f"{self.name}.log")
            self.world.processes.append(self.server)
        self.server.start()

    def accepts(self):
        if not self.server.alive:
            raise Failure(f"{self.name} ended:\n{self.server.tail(40)}")
        return accepts(machine(self.number))

    def wait(self):
        wait_for(f"{self.name} accepts connections", self.accepts, START, step=0.2)

    def stop(self, number):
        """Ends the Erlang machine with a signal. Its shell ends with it."""
        os.kill(int((self.folder / "rabbitmq.pid").read_text()), number)
        self.server.child.wait(START)

    def evaluate(self, expression):
        """The value of an Erlang expression, as text."""
        done = subprocess.run(["erl_call", "-timeout", "60", "-r", "-name", f"sealcam@{self.name}", "-e"], input=expression + ".\n",
                              capture_output=True, text=True, timeout=90)
        return done.stdout or done.stderr


class Addresses(threading.Thread):
    """Moves the address of each host to a node that accepts connections."""

    def __init__(self, nodes):
        super().__init__(daemon=True)
        self.nodes, self.ended = nodes, threading.Event()
        self.at = {node.number: None for node in nodes}  # host -> node
        self.since = {}  # node -> when it began to accept connections

    def run(self):
        while not self.ended.wait(0.3):
            now = time.monotonic()
            self.since = {node: self.since.get(node, now) for node in self.nodes if accepts(machine(node.number))}
            for host, before in list(self.at.items()):
                order = self.nodes[host - 1:] + self.nodes[:host - 1]
                after = next((node for node in order if node in self.since), None)
                if after is None or after is before or (before in self.since and now - self.since[after] < HOLD):
                    continue
                if before:
                    before.run("ip", "addr", "del", f"{service(host)}/32", "dev", "lan")
                after.run("ip", "addr", "add", f"{service(host)}/32", "dev", "lan")
                after.route(service(host))
                self.at[host] = after

    def wait(self, host, node):
        wait_for(f"{HOSTS[host - 1]} is at {node.name}", lambda: self.at[host] is node, START)


class Cluster(World):
    def __init__(self, build, folder):
        super().__init__(build, folder)
        self.port = PORT
        tools = self.folder / "bin"
        unpacked_programs(pathlib.Path(os.environ["SEALCAM_RABBITMQ"]), tools)
        os.environ.update(PATH=f"{tools}:{os.environ['PATH']}", HOME=str(self.folder))
        self.hosts = self.folder / "hosts"
        self.hosts.write_text("127.0.0.1 localhost\n" + "".join(
            f"10.80.0.{n} {NODES[n - 1]}\n{service(n)} {HOSTS[n - 1]}\n" for n in range(1, len(NODES) + 1)))
        self.run("mount", "--bind", self.hosts, "/etc/hosts")
        for line in ("link set lo up", "link add back type bridge", "link set back up", "addr add 10.80.0.254/24 dev back"):
            self.ip(line)
        self.nodes, self.addresses = [], None

    def close(self):
        if self.addresses:
            self.addresses.ended.set()
            self.addresses.join()
        super().close()

    def run(self, *argv, check=True, seconds=240):
        """The operator's commands wait for a busy Erlang machine."""
        return super().run(*argv, check=check, seconds=seconds)

    def ip(self, line):
        self.run("ip", *line.split())

    def init_broker(self):
        nodes = [word for node, host in zip(NODES, HOSTS) for word in ("--node", node, "--host", host)]
        self.run(self.program("sealcam"), "broker", "init", self.folder / "broker", "--for", "rabbitmq", "--listen", "0.0.0.0",
                 "--port", PORT, *nodes)

    def start_broker(self, relay=False):
        self.init_broker()
        # The operator copies the cookie to all machines.
        cookie = self.folder / ".erlang.cookie"
        cookie.write_text(os.urandom(16).hex())
        cookie.chmod(0o400)
        self.nodes = [Node(self, number + 1) for number in range(len(NODES))]
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            node.wait()
        self.wait_members()
        self.addresses = Addresses(self.nodes)
        self.addresses.start()
        for node in self.nodes:
            self.addresses.wait(node.number, node)

    def wait_members(self):
        """Waits until each node sees all nodes."""
        def complete():
            return all(node.evaluate("length(rabbit_nodes:list_running())") == f"{{ok, {len(NODES)}}}" for node in self.nodes)

        wait_for("the nodes are a cluster", complete, START, step=1)

    # -- a client with the certificate of a device ----------------------------------------------------------------

    def connect(self, state, address, client_id):
        """A connection with the certificate in a state folder, and the reason code of the broker (MQTT 5)."""
        enrollment = json.loads((state / "enrollment.json").read_text())
        chain, authority = self.folder / "chain.pem", self.folder / "authority.pem"
        chain.write_text(enrollment["certificate"] + (state / "tls.key").read_text())
        authority.write_text(enrollment["authority"])
        context = ssl.create_default_context(cafile=authority)
        context.load_cert_chain(chain)
        s = context.wrap_socket(socket.create_connection((address, PORT), 30), server_hostname=HOSTS[0])
        s.sendall(packet(0x10, text("MQTT") + bytes([5, 2, 0, 60, 0]) + text(client_id)))
        return s, read_packet(s)[1][1]

    def rejects(self, state, number, client_id):
        """Whether a node rejects the certificate in a state folder."""
        try:
            s, code = self.connect(state, machine(number), client_id)
        except (OSError, Failure):
            return True
        s.close()
        return code >= 0x80

    def retained(self, account, number, topics):
        """{topic: bytes} of the retained messages that a new subscriber receives at a node. The subscriber is the owner."""
        s, code = self.connect(self.folder / account, machine(number), self.accounts[account])
        found = {}
        with s:
            if code:
                raise Failure(f"{NODES[number - 1]} rejects the owner of {account} ({code:#x})")
            filters = b"".join(text(topic) + b"\0" for topic in topics)
            s.sendall(struct.pack(">BBB", 0x82, (3 + len(filters)) % 128 | 128, (3 + len(filters)) // 128) + struct.pack(">H", 1) +
                      b"\0" + filters)
            s.settimeout(3)
            with contextlib.suppress(TimeoutError):
                while True:
                    kind, body = read_packet(s)
                    if kind >> 4 == 3 and kind & 1:
                        size = struct.unpack_from(">H", body)[0]
                        found[body[2:2 + size].decode()] = len(body) - 2 - size
            s.sendall(packet(0xE0, b""))
        return found
