# SPDX-License-Identifier: Apache-2.0
"""Devices out of the box, and owners who make them theirs: what a person does with a pairing string and the owner's
command line, on a real Mosquitto (tests/support/world.py)."""
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

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support.world import Device, Failure, Process, World, free_port, read_json, wait_for  # noqa: E402

RATE = 30


def check(condition, text):
    if not condition:
        raise Failure(text)


def text(words):
    """A UTF-8 string as MQTT writes it."""
    return struct.pack(">H", len(words)) + words.encode()


def packet(kind, body):
    """An MQTT control packet of less than 16 KiB."""
    length = bytes([len(body)]) if len(body) < 128 else bytes([len(body) % 128 | 128, len(body) // 128])
    return bytes([kind]) + length + body


def read_packet(s):
    """(first byte, body) of the next control packet."""
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
        self.owners_clock = 0  # seconds by which it is wrong

    def started(self, program, clock=0):
        """The beginning of a command line: a program whose wall clock is wrong by so many seconds."""
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
        """A camera or a hub that belongs to nobody, started; it waits for its owner."""
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
        """The owner reads the string and pairs; seconds it took."""
        string = self.pairing_string(device)
        begun = time.monotonic()
        words = ("camera", "pair") if device.kind == "camera" else ("hub", "link")
        done = self.ask(account, *words, string, "--name", label, "--broker", self.folder / "broker")
        device.id, device.account, device.label = done["id"], self.accounts[account], label
        wait_for(f"{device.name} hides its pairing string", lambda: not device.pairing_file.exists(), 10, device.process)
        return time.monotonic() - begun

    # -- owners -------------------------------------------------------------------------------------------------

    def ask(self, account, *words):
        """A command of the owner's, its JSON."""
        out = self.owner(account, *words, "--json")
        return json.loads(out.strip().splitlines()[-1]) if out.strip() else None

    def change(self, account, *words):
        """A command that changes something: obeyed by the cameras, or stored and waiting for them (EX_TEMPFAIL)."""
        done = subprocess.run([str(a) for a in (*self.owners(account), *words)], capture_output=True, text=True, timeout=90)
        if done.returncode not in (0, os.EX_TEMPFAIL):
            raise Failure(f"{' '.join(map(str, words))} exited with {done.returncode}:\n{done.stderr or done.stdout}")
        return done.returncode == 0

    def owner_fails(self, account, *words):
        """A command that must not succeed: its exit code and what it says."""
        done = subprocess.run([str(a) for a in (*self.owners(account), *words)], capture_output=True, text=True, timeout=60)
        if done.returncode == 0:
            raise Failure(f"{' '.join(map(str, words))} should have failed")
        return done.returncode, done.stderr

    def camera_in_list(self, account, device):
        return next((c for c in self.ask(account, "camera", "list") if c["id"] == device.id), None)

    def confirmed(self, account, device, seconds=15):
        """Until the camera's signed grants say that it obeys everything the owner wants."""
        def look():
            self.owner(account, "sync", "--timeout", "2", check=False)
            entry = self.camera_in_list(account, device)
            return entry is not None and not entry["pending"]

        wait_for(f"{device.name} confirms", look, seconds, step=0.2)

    @staticmethod
    def roster_version(camera):
        """Of the roster that the camera obeys, by its own status file, written now."""
        before = camera.status().get("uptime_ms")
        camera.process.send(signal.SIGUSR1)
        return wait_for("a new status", lambda: (camera.status().get("uptime_ms") != before and camera.status()), 10,
                        camera.process)["roster_version"]

    # -- hubs ---------------------------------------------------------------------------------------------------

    @staticmethod
    def state(hub):
        with urllib.request.urlopen(f"http://127.0.0.1:{hub.port}/api/state", timeout=5) as answer:
            return json.load(answer)

    def camera_at(self, hub, camera):
        try:
            return next((c for c in self.state(hub)["cameras"] if c["id"] == camera.id), None)
        except (OSError, urllib.error.URLError):
            return None

    def watch(self, hub):
        """A page at this hub, for as long as it is wanted."""
        return self.probe(f"probe-{hub.name}-{time.monotonic_ns()}", hub, "--decode")

    def sees(self, hub, camera, seconds=20):
        """Until the hub shows new LIVE pictures of the camera, with the number that it draws into them and no other."""
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
        """For so long the hub, asked for it, shows nothing of the camera that is new."""
        probe = self.watch(hub)
        try:
            before = (self.camera_at(hub, camera) or {}).get("shown", {}).get("live", 0)
            time.sleep(seconds)
            after = (self.camera_at(hub, camera) or {}).get("shown", {}).get("live", 0)
        finally:
            probe.stop()
        if after > before:
            raise Failure(f"{hub.name} showed {after - before} pictures of {camera.name}")

    # -- somebody with the broker in hand -----------------------------------------------------------------------

    def record_everything(self):
        output = self.folder / "everything.recording"
        recorder = self.spawn("recorder", self.program("sealcam-recorder"), "--broker", self.folder / "broker",
                              "--port", self.port, "--output", output)
        wait_for("the recorder is connected", lambda: "recording" in recorder.tail(), 10, recorder)
        recorder.output = output
        return recorder

    def plant(self, messages):
        """Publishes [(topic, payload)] as the operator, retained, and goes on recording; empty removes."""
        number = len(self.processes)
        lines, output = self.folder / f"plants-{number}", self.folder / f"planted-{number}.recording"
        lines.write_text("".join(f"{topic} {payload.hex()}\n" for topic, payload in messages))
        planter = self.spawn(f"planter-{number}", self.program("sealcam-recorder"), "--broker", self.folder / "broker",
                             "--port", self.port, "--output", output, "--plant", lines)
        wait_for("all is planted", lambda: "planted" in planter.tail(), 20, planter)
        planter.output = output
        return planter

    @staticmethod
    def messages(recording):
        """[(topic, payload)] of a recording."""
        content, at, out = pathlib.Path(recording).read_bytes(), 0, []
        while at + 8 <= len(content):
            topic, payload = struct.unpack_from(">II", content, at)
            at += 8
            out.append((content[at:at + topic].decode(), content[at + topic:at + topic + payload]))
            at += topic + payload
        return out

    def masquerade(self, device, victim):
        """Connects with one device's certificate and another's client identifier (MQTT 5), and writes the victim's
        grants: the broker's reason codes (0x80 and above: refused)."""
        enrolment = json.loads((device.state / "enrolment.json").read_text())
        chain, authority = self.folder / "masquerade.pem", self.folder / "masquerade-ca.pem"
        chain.write_text(enrolment["certificate"] + (device.state / "tls.key").read_text())
        authority.write_text(enrolment["authority"])
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
        """While it lasts, the broker hands the camera nothing on one of its topics."""
        acl = self.folder / "broker" / "acl"
        before = acl.read_text()
        line = f"topic read sealcam/1/{camera.account}/{camera.id}/{leaf}\n"
        if line not in before:
            raise Failure(f"the access list has no line '{line.strip()}'")
        acl.write_text(before.replace(line, ""))
        self.broker.send(signal.SIGHUP)
        time.sleep(0.5)
        try:
            yield
        finally:
            acl.write_text(before)
            self.broker.send(signal.SIGHUP)
            time.sleep(0.5)

    def opened(self, state, recording):
        """What the keys of a hub's state folder (which nobody uses now) open of a recording, by camera."""
        out = self.run(self.program("sealcam-opener"), "--state", state, "--recording", recording)
        return {row["camera"]: row for row in json.loads(out)}

    def learned(self, state, recording):
        """{what: bytes} of secrets that a hub's keys get out of a recording: base keys, and pieces of pictures."""
        file = self.folder / f"{pathlib.Path(state).name}.secrets"
        self.run(self.program("sealcam-opener"), "--state", state, "--recording", recording, "--secrets", file)
        lines = dict.fromkeys(file.read_text().split())
        return {f"key or picture {n} of {pathlib.Path(state).name}": bytes.fromhex(line) for n, line in enumerate(lines)}
