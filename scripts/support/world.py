# SPDX-License-Identifier: Apache-2.0
"""Starts a real Mosquitto, cameras and hubs as processes on loopback, for the demo, benchmarks and end-to-end tests.

All files are below one folder. `World` is a context manager: it stops all processes, also after an exception.
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
# The camera must not join a Wi-Fi network on this machine.
os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = "unix:path=/nonexistent/bus"


class Failure(Exception):
    """A step failed. The text is for the user."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, condition, seconds=10.0, process=None, step=0.02):
    """Polls until `condition()` is true and returns its value. Raises Failure after `seconds`, or if `process` ends."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        if process and not process.alive:
            raise Failure(f"{what}: the process {process.name} ended\n{process.tail()}")
        time.sleep(step)
    raise Failure(f"{what}: this did not happen within {seconds:.0f} s")


def read_json(path):
    try:
        return json.loads(pathlib.Path(path).read_text())
    except (OSError, ValueError):
        return None


class Process:
    """A child process that logs to a file."""

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
        """Ends the process and returns its exit code."""
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
        self.access = None  # Credentials of a hub

    def status(self):
        return read_json(self.status_file) or {}


class Credentials:
    """Access tokens of a hub for tests: one per right. The command `token` works with a running hub and with a stopped one."""

    def __init__(self, world, hub):
        self.world, self.hub = world, hub

    def command(self, *args, check=True):
        return self.world.run(self.world.program("sealcam-hub"), "--state", self.hub.state, *args, check=check)

    def file(self, rights="privacy"):
        """The path of a file with the token."""
        path = self.world.folder / f"{self.hub.name}-{rights}.token"
        if not path.exists():
            self.command("token", "create", f"{self.hub.name} {rights}", "--rights", rights, "--output", path)
        return path

    def headers(self, rights="privacy"):
        return {"Authorization": f"Bearer {self.file(rights).read_text().strip()}"}

    def address(self, path, rights="view"):
        """An address with a token, for players that send no headers."""
        return f"http://token:{self.file(rights).read_text().strip()}@127.0.0.1:{self.hub.port}{path}"

    def open_address(self):
        """The address of the page with a one-time code, for a browser."""
        return self.command("open", "--print").strip()


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
        self.broker_hosts = ["127.0.0.1"]  # names in the broker's certificate; devices use the first

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
        raise Failure(f"{name} is missing in {self.build}; build it with scripts/build dev test_programs")

    def run(self, *argv, check=True, seconds=60):
        """Runs a command and returns its standard output."""
        done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=seconds)
        if check and done.returncode != 0:
            raise Failure(f"{' '.join(map(str, argv))} exited with {done.returncode}:\n{done.stderr or done.stdout}")
        return done.stdout

    def spawn(self, name, *argv):
        process = Process(name, argv, self.logs / f"{name}.log").start()
        self.processes.append(process)
        return process

    # -- broker -------------------------------------------------------------------------------------------------

    def start_broker(self, relay=False):
        """`relay`: sealcam-relay and sealcam-recorder get the operator's rights before the broker starts."""
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
                raise Failure("Mosquitto ended:\n" + self.broker.tail())
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.port)) == 0

        wait_for("broker accepts connections", accepts)

    # -- accounts and devices -----------------------------------------------------------------------------------

    def account(self, name):
        self.accounts[name] = json.loads(self.owner(name, "account", "create", "--json"))["account"]

    def owner(self, account, *args, check=True):
        return self.run(self.program("sealcam"), "--account", self.folder / account, *args, check=check)

    def camera(self, account, name, config, label, *enroll):
        """Makes and enrolls a camera, but does not start it. `enroll`: more options of `sealcam camera enroll`."""
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
        """Makes and enrolls a hub, but does not start it. With `state`, uses a folder that is enrolled already."""
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
        device.access = Credentials(self, device)
        return device

    def allow_relay(self):
        for name in ("acl", "acl.own"):
            with (self.folder / "broker" / name).open("a") as f:
                f.write("\nuser relay\ntopic readwrite sealcam/1/#\n")

    def authorize_relay(self):
        """Gives sealcam-relay the operator's rights while the broker runs. Mosquitto ends on SIGHUP right after its start, so
        call this later."""
        self.allow_relay()
        self.broker.send(signal.SIGHUP)

    def relay(self, source, target=None):
        """Copies the messages of `source` to the topics of `target`. Without `target` it only counts them."""
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
        """Receives pictures from a hub's WebSocket, as the page does. Writes its result to <name>.json."""
        out = self.folder / f"{name}.json"
        out.unlink(missing_ok=True)
        argv = [self.program("sealcam-probe"), "--url", f"ws://127.0.0.1:{hub.port}/ws", "--token-file", hub.access.file(),
                "--json", "--output", out, *args]
        process = self.spawn(name, *argv)
        process.result = out
        return process


def cpu_and_memory(pid):
    """Returns the CPU seconds and resident KiB of one process."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    ticks = os.sysconf("SC_CLK_TCK")
    return (int(fields[11]) + int(fields[12])) / ticks, int(fields[21]) * os.sysconf("SC_PAGE_SIZE") // 1024
