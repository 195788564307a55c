# SPDX-License-Identifier: Apache-2.0
"""A world with unpaired devices and owners (scripts/support/world.py). Owners pair devices with the pairing string and the
command line `sealcam`. The broker is a real Mosquitto."""
import argparse
import contextlib
import json
import os
import pathlib
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[2] / folder) for folder in ("tests", "scripts")]
from support.world import Credentials, Device, Failure, Process, World, free_port, read_json, wait_for  # noqa: E402

RATE = 30


def check(condition, text):
    if not condition:
        raise Failure(text)


def random_rounds(description, variable, rounds):
    """The options --build, --rounds and --seed of a test with random rounds. `variable`: of the environment, for the number of rounds.
    Prints the seed, which repeats a run."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--rounds", type=int, default=int(os.environ.get(variable, rounds)))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEALCAM_KILL_SEED", "0")) or time.time_ns() % 2**31)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    return options


def text(value):
    """A UTF-8 string in the encoding of MQTT."""
    return struct.pack(">H", len(value)) + value.encode()


def packet(kind, body):
    """An MQTT control packet of less than 16 KiB."""
    length = bytes([len(body)]) if len(body) < 128 else bytes([len(body) % 128 | 128, len(body) // 128])
    return bytes([kind]) + length + body


def read_packet(s):
    """Returns (first byte, body) of the next control packet."""
    def read(n):
        out = b""
        while len(out) < n:
            piece = s.recv(n - len(out))
            if not piece:
                raise Failure("the broker closed the connection")
            out += piece
        return out

    kind, length, shift = read(1)[0], 0, 0
    while True:
        byte = read(1)[0]
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return kind, read(length)


class Household(World):
    def __init__(self, build, folder):
        super().__init__(build, folder)
        self.devices = {}
        self.owners_clock = 0  # error of the owner's clock in seconds

    def started(self, program, clock=0):
        """The beginning of a command line for a program whose wall clock is shifted by `clock` seconds."""
        if not clock:
            return [self.program(program)]
        return ["env", f"LD_PRELOAD={self.program('sealcam-shifted-clock.so')}", f"SEALCAM_CLOCK_SHIFT={clock}",
                self.program(program)]

    def owners(self, account):
        return [*self.started("sealcam", self.owners_clock), "--account", self.folder / account]

    def owner(self, account, *args, check=True):
        return self.run(*self.owners(account), *args, check=check)

    # -- devices ------------------------------------------------------------------------------------------------

    def unpaired(self, kind, name, number=0, clock=0):
        """Starts an unpaired camera or hub."""
        state = self.folder / name
        pairing_file = self.folder / f"{name}.pairing"
        status = self.folder / f"{name}.status"
        argv = [*self.started(f"sealcam-{kind}", clock), "--state", state, "--status", status,
                "--pairing-listen", "127.0.0.1:0", "--pairing-file", pairing_file]
        if kind == "camera":
            config = self.folder / f"{name}.json"
            config.write_text(json.dumps({
                "source": {"backend": "fake", "size": "320x240", "rate": RATE, "number": number},
                "encoder": {"bitrate": 300_000, "keyframe_interval": 30}}))
            argv += ["--config", config]
        port = None
        if kind == "hub":
            port = free_port()
            argv += ["--listen", f"127.0.0.1:{port}"]
        device = Device(name, None, None, state, Process(name, argv, self.logs / f"{name}.log"), status)
        device.kind, device.number, device.port, device.pairing_file = kind, number, port, pairing_file
        device.access = Credentials(self, device)
        self.devices[name] = device
        self.start(device)
        self.pairing_string(device)
        return device

    @staticmethod
    def pairing_string(device, before=None):
        def read():
            try:
                text = device.pairing_file.read_text().strip()
            except OSError:
                return None
            return text if text.startswith("sealcam:1:") and text != before else None

        return wait_for(f"{device.name} shows its pairing string", read, 15, device.process)

    def pair(self, account, device, label):
        """Pairs the device with its pairing string. Returns the duration in seconds."""
        string = self.pairing_string(device)
        begun = time.monotonic()
        command = ("camera", "pair") if device.kind == "camera" else ("hub", "link")
        done = self.owner_json(account, *command, string, "--name", label, "--broker", self.folder / "broker")
        device.id, device.account, device.label = done["id"], self.accounts[account], label
        wait_for(f"{device.name} hides its pairing string", lambda: not device.pairing_file.exists(), 10, device.process)
        return time.monotonic() - begun

    # -- owners -------------------------------------------------------------------------------------------------

    def owner_json(self, account, *arguments):
        """Runs a command of the owner and returns its JSON."""
        out = self.owner(account, *arguments, "--json")
        return json.loads(out.strip().splitlines()[-1]) if out.strip() else None

    def change(self, account, *arguments):
        """Runs a command that changes something. Returns whether the cameras confirmed it; otherwise it is stored
        (EX_TEMPFAIL)."""
        done = subprocess.run([str(a) for a in (*self.owners(account), *arguments)], capture_output=True, text=True, timeout=240)
        if done.returncode not in (0, os.EX_TEMPFAIL):
            raise Failure(f"{' '.join(map(str, arguments))} exited with {done.returncode}:\n{done.stderr or done.stdout}")
        return done.returncode == 0

    def owner_fails(self, account, *arguments):
        """Runs a command that must fail. Returns its exit code and its error message."""
        done = subprocess.run([str(a) for a in (*self.owners(account), *arguments)], capture_output=True, text=True, timeout=60)
        if done.returncode == 0:
            raise Failure(f"{' '.join(map(str, arguments))} should have failed")
        return done.returncode, done.stderr + done.stdout

    def camera_in_list(self, account, device):
        return next((c for c in self.owner_json(account, "camera", "list") if c["id"] == device.id), None)

    def confirmed(self, account, device, seconds=15):
        """Waits until the camera's signed grants confirm its desired state."""
        def look():
            self.owner(account, "sync", "--timeout", "2", check=False)
            entry = self.camera_in_list(account, device)
            return entry is not None and not entry["pending"]

        wait_for(f"{device.name} confirms", look, seconds, step=0.2)

    @staticmethod
    def status_now(camera):
        """The camera's status of this moment. Its file may be up to a second old; SIGUSR1 makes the camera write a new one."""
        before = camera.status().get("uptime_ms")
        camera.process.send(signal.SIGUSR1)
        return wait_for("a new status", lambda: (camera.status().get("uptime_ms") != before and camera.status()), 10,
                        camera.process)

    def roster_version(self, camera):
        return self.status_now(camera)["roster_version"]

    # -- hubs ---------------------------------------------------------------------------------------------------

    @staticmethod
    def state(hub):
        request = urllib.request.Request(f"http://127.0.0.1:{hub.port}/api/state", headers=hub.access.headers("view"))
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def camera_at(self, hub, camera):
        try:
            return next((c for c in self.state(hub)["cameras"] if c["id"] == camera.id), None)
        except (OSError, urllib.error.URLError):
            return None

    def watch(self, hub):
        """Starts a client of the hub's web page; the caller stops it."""
        return self.probe(f"probe-{hub.name}-{time.monotonic_ns()}", hub, "--decode")

    def sees(self, hub, camera, seconds=20):
        """Waits until the hub shows new LIVE pictures of the camera. Each camera draws its number into its pictures; no other
        number may appear."""
        def shown():
            return (self.camera_at(hub, camera) or {}).get("shown", {}).get("live", 0)

        before = shown()
        probe = self.watch(hub)
        try:
            try:
                wait_for(f"{hub.name} shows {camera.name}", lambda: shown() >= before + 5, seconds, probe)
            except Failure as failure:
                raise Failure(f"{failure}\n{json.dumps(self.camera_at(hub, camera))}\n{json.dumps(camera.status())}") from None
            marks = wait_for(f"pictures of {camera.name} at {hub.name}", lambda: (
                (read_json(probe.result) or {}).get("cameras", {}).get(camera.id, {}).get("marks")), 10, probe)
        finally:
            probe.stop()
        if set(marks) != {str(camera.number)}:
            raise Failure(f"{hub.name} showed pictures with the numbers {sorted(marks)} as {camera.name}'s")

    def blind(self, hub, camera, seconds=3):
        """Checks that the hub, with a connected page, shows no new picture of the camera for some seconds."""
        probe = self.watch(hub)
        try:
            before = (self.camera_at(hub, camera) or {}).get("shown", {}).get("live", 0)
            time.sleep(seconds)
            after = (self.camera_at(hub, camera) or {}).get("shown", {}).get("live", 0)
        finally:
            probe.stop()
        if after > before:
            raise Failure(f"{hub.name} showed {after - before} pictures of {camera.name}")

    # -- an attacker with the rights of the operator --------------------------------------------------------------

    def record_everything(self):
        output = self.folder / "everything.recording"
        recorder = self.spawn("recorder", self.program("sealcam-recorder"), "--broker", self.folder / "broker",
                              "--port", self.port, "--output", output)
        wait_for("the recorder is connected", lambda: "recording" in recorder.tail(), 10, recorder)
        recorder.output = output
        return recorder

    def publish(self, messages):
        """Publishes [(topic, payload)] as the operator, retained, and then records. An empty payload deletes a message."""
        number = len(self.processes)
        lines, output = self.folder / f"messages-{number}", self.folder / f"published-{number}.recording"
        lines.write_text("".join(f"{topic} {payload.hex()}\n" for topic, payload in messages))
        publisher = self.spawn(f"publisher-{number}", self.program("sealcam-recorder"), "--broker", self.folder / "broker",
                             "--port", self.port, "--output", output, "--publish", lines)
        wait_for("all messages are published", lambda: "published" in publisher.tail(), 20, publisher)
        publisher.output = output
        return publisher

    @staticmethod
    def messages(recording):
        """Returns [(topic, payload)] of a recording."""
        content, at, out = pathlib.Path(recording).read_bytes(), 0, []
        while at + 8 <= len(content):
            topic, payload = struct.unpack_from(">II", content, at)
            at += 8
            out.append((content[at:at + topic].decode(), content[at + topic:at + topic + payload]))
            at += topic + payload
        return out

    def masquerade(self, device, victim):
        """Connects with the certificate of one device and the client identifier of another (MQTT 5), and publishes grants
        of the victim. Returns the broker's reason codes; 0x80 and above are rejections."""
        enrollment = json.loads((device.state / "enrollment.json").read_text())
        chain, authority = self.folder / "masquerade.pem", self.folder / "masquerade-ca.pem"
        chain.write_text(enrollment["certificate"] + (device.state / "tls.key").read_text())
        authority.write_text(enrollment["authority"])
        context = ssl.create_default_context(cafile=authority)
        context.load_cert_chain(chain)
        topic = f"sealcam/1/{victim.account}/{victim.id}/grants"
        with socket.create_connection(("127.0.0.1", self.port), 5) as plain, \
                context.wrap_socket(plain, server_hostname="127.0.0.1") as s:
            s.sendall(packet(0x10, text("MQTT") + bytes([5, 2]) + struct.pack(">H", 30) + b"\0" + text(victim.id)))
            connected = read_packet(s)[1]
            s.sendall(packet(0x32, text(topic) + struct.pack(">H", 1) + b"\0" + b"forged"))
            kind, answer = read_packet(s)
            if kind >> 4 != 4:
                raise Failure(f"an answer of type {kind >> 4}, not a PUBACK")
            return {"connect": connected[1], "publish": answer[2] if len(answer) > 2 else 0}

    @contextlib.contextmanager
    def withheld(self, camera, leaf):
        """Within this context, the broker delivers no messages of one topic to the camera."""
        acl = self.folder / "broker" / "acl"
        before = acl.read_text()
        line = f"topic read sealcam/1/{camera.account}/{camera.id}/{leaf}\n"
        block = before.find(f"\nuser {camera.id}\n")
        at = before.find(line, block)
        if block < 0 or at < 0 or "\nuser " in before[block + 1:at]:
            raise Failure(f"the access list has no line '{line.strip()}' for {camera.name}")
        acl.write_text(before[:at] + before[at + len(line):])
        self.broker.send(signal.SIGHUP)
        time.sleep(0.5)
        try:
            yield
        finally:
            acl.write_text(before)
            self.broker.send(signal.SIGHUP)
            time.sleep(0.5)

    def opened(self, state, recording):
        """Counts, for each camera, the frames of a recording that the keys in a hub's state folder open. The hub must be
        stopped."""
        out = self.run(self.program("sealcam-opener"), "--state", state, "--recording", recording)
        return {row["camera"]: row for row in json.loads(out)}

    def secrets_from(self, state, recording):
        """Returns {name: bytes} of secrets that a hub's keys open in a recording: base keys and parts of pictures."""
        file = self.folder / f"{pathlib.Path(state).name}.secrets"
        self.run(self.program("sealcam-opener"), "--state", state, "--recording", recording, "--secrets", file)
        lines = dict.fromkeys(file.read_text().split())
        return {f"key or picture {n} of {pathlib.Path(state).name}": bytes.fromhex(line) for n, line in enumerate(lines)}
