# SPDX-License-Identifier: Apache-2.0
"""A small world for end-to-end runs: a real Mosquitto, accounts, cameras and hubs as real processes on loopback.

Everything lives below one folder and ends with `World.close()`, also after an exception (use it as a context manager).
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
# A camera that is told a Wi-Fi network must not move this machine into it.
os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = "unix:path=/nonexistent/bus"


class Failure(Exception):
    """Something did not work; the text is for people."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, condition, seconds=10.0, process=None, step=0.02):
    """Polls until `condition()` is true; its value. Raises Failure when it takes too long or `process` ends."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        if process and not process.alive:
            raise Failure(f"{what}: {process.name} ended\n{process.tail()}")
        time.sleep(step)
    raise Failure(f"{what}: nothing after {seconds:.0f} s")


def read_json(path):
    try:
        return json.loads(pathlib.Path(path).read_text())
    except (OSError, ValueError):
        return None


class Process:
    """A child with its log in a file."""

    def __init__(self, name, argv, log):
        self.name, self.argv, self.log = name, [str(a) for a in argv], pathlib.Path(log)
        self.started = 0.0
        self.child = None

    def start(self):
        self.started = time.time()
        with self.log.open("ab") as out:
            self.child = subprocess.Popen(self.argv, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        return self

    @property
    def alive(self):
        return self.child is not None and self.child.poll() is None

    def send(self, number):
        if self.alive:
            self.child.send_signal(number)

    def stop(self, number=signal.SIGTERM, seconds=5):
        """Ends it; the exit code."""
        if self.child is None:
            return None
        self.send(signal.SIGCONT)
        self.send(number)
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            return self.child.wait()

    def kill(self):
        return self.stop(signal.SIGKILL)

    def tail(self, lines=15):
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


class Device:
    """A camera or a hub: its state folder, configuration and process."""

    def __init__(self, name, identity, account, state, process, status):
        self.name, self.id, self.account = name, identity, account
        self.state, self.process, self.status_file = state, process, status
        self.port = None

    def status(self):
        return read_json(self.status_file) or {}



class World:
    def __init__(self, build, folder):
        self.build, self.folder = pathlib.Path(build), pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.logs = self.folder / "logs"
        self.logs.mkdir(exist_ok=True)
        self.processes = []
        self.accounts = {}  # name -> id
        self.broker = None
        self.port = None
        self.broker_hosts = ["127.0.0.1"]  # where devices find it; the first is what they are told

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for process in reversed(self.processes):
            process.stop()

    def program(self, name):
        path = self.build / "bin" / name
        if path.exists():
            return path
        raise Failure(f"{name} is not built in {self.build}")

    def run(self, *argv, check=True):
        """Runs a command to its end; its standard output."""
        done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=60)
        if check and done.returncode != 0:
            raise Failure(f"{' '.join(map(str, argv))} exited with {done.returncode}:\n{done.stderr or done.stdout}")
        return done.stdout

    def spawn(self, name, *argv):
        process = Process(name, argv, self.logs / f"{name}.log").start()
        self.processes.append(process)
        return process

    # -- broker -------------------------------------------------------------------------------------------------

    def start_broker(self, relay=False):
        """`relay`: with operator's rights for sealcam-relay and sealcam-recorder from the start."""
        self.port = self.port or free_port()
        where = self.folder / "broker"
        if not where.exists():
            hosts = [word for host in self.broker_hosts for word in ("--host", host)]
            self.run(self.program("sealcam"), "broker", "init", where, "--port", self.port, *hosts)
            if relay:
                self.allow_relay()
        mosquitto = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self.broker = self.spawn("mosquitto", mosquitto, "-c", where / "mosquitto.conf")
        self.wait_broker()
        return self.broker

    def wait_broker(self):
        def accepts():
            if not self.broker.alive:
                raise Failure("the broker ended:\n" + self.broker.tail())
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.port)) == 0

        wait_for("broker accepts connections", accepts)

    # -- accounts and devices -----------------------------------------------------------------------------------

    def account(self, name):
        self.accounts[name] = json.loads(self.owner(name, "account", "create", "--json"))["account"]

    def owner(self, account, *args, check=True):
        return self.run(self.program("sealcam"), "--account", self.folder / account, *args, check=check)

    def camera(self, account, name, config, label, *enroll):
        """Makes and enrols a camera; it is not started. `enroll`: more options."""
        state = self.folder / f"{account}-camera"
        config_file = self.folder / f"{account}-camera.json"
        config_file.write_text(json.dumps(config, indent=2))
        found = json.loads(self.run(self.program("sealcam-camera"), "--state", state, "keys", "--json"))
        self.owner(account, "camera", "enroll", state, "--name", label, "--broker", self.folder / "broker", *enroll)
        status = self.folder / f"{account}-camera.status"
        argv = [self.program("sealcam-camera"), "--state", state, "--config", config_file, "--status", status]
        process = Process(name, argv, self.logs / f"{name}.log")
        return Device(name, found["id"], self.accounts[account], state, process, status)

    def hub(self, account, name, state=None):
        """Makes and enrols a hub (or takes over a `state` folder that is enrolled already); it is not started."""
        found = {"id": None}
        if state is None:
            state = self.folder / f"{account}-hub"
            found = json.loads(self.run(self.program("sealcam-hub"), "--state", state, "keys", "--json"))
            self.owner(account, "hub", "enroll", state, "--broker", self.folder / "broker")
        status = self.folder / f"{name}.status"
        port = free_port()
        argv = [self.program("sealcam-hub"), "--state", state, "--listen", f"127.0.0.1:{port}", "--status", status]
        process = Process(name, argv, self.logs / f"{name}.log")
        device = Device(name, found["id"], self.accounts[account], state, process, status)
        device.port = port
        return device

    def allow_relay(self):
        for name in ("acl", "acl.own"):
            with (self.folder / "broker" / name).open("a") as f:
                f.write("\nuser relay\ntopic readwrite sealcam/1/#\n")

    def admit_relay(self):
        """Operator's rights for sealcam-relay: one more entry in the access list of a broker that runs for a while. (One
        that has just been started would not survive the signal.)"""
        self.allow_relay()
        self.broker.send(signal.SIGHUP)

    def relay(self, source, target=None):
        """Copies the first device's messages onto the second's topics, or only looks on."""
        status = self.folder / f"relay-{source.name}.status"
        argv = [self.program("sealcam-relay"), "--broker", self.folder / "broker", "--port", self.port,
                "--from", f"{source.account}/{source.id}", "--status", status]
        if target:
            argv += ["--to", f"{target.account}/{target.id}"]
        process = self.spawn(f"relay-{source.name}", *argv)
        process.result = status
        return process

    def start(self, device):
        device.process.start()
        if device.process not in self.processes:
            self.processes.append(device.process)
        return device

    def probe(self, name, hub, *args):
        """Watches a hub's WebSocket as a page would; its JSON goes into <name>.json."""
        out = self.folder / f"{name}.json"
        out.unlink(missing_ok=True)
        argv = [self.program("sealcam-probe"), "--url", f"ws://127.0.0.1:{hub.port}/ws", "--json", "--output", out, *args]
        process = self.spawn(name, *argv)
        process.result = out
        return process


def cpu_and_memory(pid):
    """CPU seconds and resident KiB of one process, from /proc."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    ticks = os.sysconf("SC_CLK_TCK")
    return (int(fields[11]) + int(fields[12])) / ticks, int(fields[21]) * os.sysconf("SC_PAGE_SIZE") // 1024
