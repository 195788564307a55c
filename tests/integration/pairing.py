#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pairs a camera and a hub with an account over the network, and shows pictures of the camera at the hub.

Before that, a client without the code attacks the unpaired camera: it guesses codes, opens many connections, sends requests
that are too large, and sends a request very slowly. After each attack the camera runs, is unpaired and answers.

    pairing.py --build DIR
"""
import base64
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from program_test import expect, run_test  # noqa: E402
from support.world import Credentials, cpu_and_memory, read_json, wait_for  # noqa: E402

EX_NOPERM, EX_CONFIG, EX_UNAVAILABLE, EX_USAGE = 77, 78, 69, 64
STRING = re.compile(r"sealcam:1:([a-z2-7]{32}):([a-z2-7]{8})@127\.0\.0\.1:(\d+)\n")
PASSPHRASE = 'say "friend" \\ and enter'


class Device:
    """An unpaired camera or hub. Its console output and its log are in separate files."""

    def __init__(self, world, program, name, *more):
        self.world, self.name = world, name
        self.state = world.folder / name
        self.file = world.folder / f"{name}-pairing.txt"
        self.console, self.log = world.folder / f"{name}.console", world.folder / f"{name}.log"
        self.status_file = world.folder / f"{name}.status"
        self.argv = [str(a) for a in (world.program(program), "--state", self.state, "--pairing-listen", "127.0.0.1:0",
                                      "--pairing-file", self.file, "--status", self.status_file, *more)]
        self.child = None
        self.access = Credentials(world, self)

    def start(self):
        with self.console.open("wb") as out, self.log.open("ab") as log:
            self.child = subprocess.Popen(self.argv, stdout=out, stderr=log, stdin=subprocess.DEVNULL)
        return self

    @property
    def alive(self):
        return self.child is not None and self.child.poll() is None

    def tail(self):
        return self.log.read_text()[-2000:]

    def stop(self, number=signal.SIGTERM):
        if self.child is None:
            return None
        self.child.send_signal(number)
        try:
            return self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            return self.child.wait()

    def read_pairing_string(self):
        """Waits for the pairing file and returns its pairing string. An image stores this file on the SD card."""
        def read():
            return self.file.exists() and STRING.fullmatch(self.file.read_text())
        found = wait_for(f"{self.name} shows its pairing string", read, 30, self)
        self.id, self.code, self.port = found[1], found[2], int(found[3])
        return found[0].strip()

    def listening_ports(self):
        """Returns the TCP ports on which this process listens, from /proc."""
        inodes = set()
        for fd in pathlib.Path(f"/proc/{self.child.pid}/fd").iterdir():
            try:
                target = os.readlink(fd)
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
        ports = []
        for table in ("tcp", "tcp6"):
            for line in pathlib.Path(f"/proc/{self.child.pid}/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and fields[9] in inodes:
                    ports.append(int(fields[1].rsplit(":", 1)[1], 16))
        return ports


def owner(world, account, *args):
    """Runs `sealcam`. Returns exit code, standard output and standard error."""
    done = subprocess.run([str(a) for a in (world.program("sealcam"), "--account", world.folder / account, *args)],
                          capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def pair(world, account, text, name, *more, command=("camera", "pair")):
    return owner(world, account, "--json", *command, text, "--name", name, "--broker", world.folder / "broker", *more)


def wrong(code):
    return ("b" if code[0] == "a" else "a") + code[1:]


def connect(port):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), 30))


def answer(link):
    """Returns the HTTP status of the answer, or 0 if the connection ended without an answer."""
    text = b""
    try:
        while b"\r\n" not in text:
            more = link.recv(4096)
            if not more:
                break
            text += more
    except OSError:
        pass
    return int(text.split()[1]) if text.startswith(b"HTTP/1.1 ") else 0


def request(target, body):
    return f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def check_unharmed(camera, step):
    """The camera runs, is unpaired and answers."""
    expect(camera.alive, f"the camera exited {step}:\n{camera.tail()}")
    expect(not (camera.state / "enrollment.json").exists(), f"the camera was paired {step}")
    with connect(camera.port) as link:
        link.sendall(request("/pairing/1/hello", "{}"))
        expect(answer(link) == 200, f"the camera does not answer {step}")
    print(f"the camera is unharmed {step}", flush=True)


def check_secrecy(camera, text):
    console = camera.console.read_text()
    expect(text in console and "\u2580" in console, "the console shows no pairing string with a QR code")
    expect(camera.code not in camera.log.read_text(), "the log contains the code")
    expect(stat.S_IMODE(camera.file.stat().st_mode) == 0o600, "other users can read the pairing file")


def check_exporter(camera):
    """OpenSSL computes the exporter that the protocol page defines, and the camera signs the same value."""
    hello = request("/pairing/1/hello", "{}").replace(b"Host: x", b"Host: x\r\nConnection: close")
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{camera.port}", "-keymatexport",
                           "EXPORTER-sealcam/1 pairing", "-keymatexportlen", "32", "-nocommands", "-ign_eof"],
                          input=hello, capture_output=True, timeout=120)
    text = done.stdout.decode(errors="replace")
    exported = re.search(r"Keying material: ([0-9A-F]{64})", text)
    answered = re.search(r'"proof":"([A-Za-z0-9_-]+)"', text)
    expect(exported and answered, f"OpenSSL printed no exporter or the camera sent no answer:\n{text[-1000:]}")
    proof = base64.urlsafe_b64decode(answered[1] + "=" * (-len(answered[1]) % 4))
    # COSE_Sign1 whose payload is CBOR {1: bstr 32}: RFC 8949, a1 01 58 20.
    expect(bytes.fromhex("a1015820" + exported[1]) in proof, "the camera signs an exporter that differs from OpenSSL's")
    print("the camera signs the exporter that OpenSSL computes", flush=True)


def check_limits(camera):
    """Requests that are too large or too slow, and too many connections."""
    for target, body, status in (("/pairing/1/hello", None, 413), ("/nothing", "{}", 404), ("/pairing/1/claim", "{}", 409)):
        with connect(camera.port) as link:
            link.sendall(request(target, body) if body else b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n")
            got = answer(link)
            expect(got == status, f"{target} is answered with {got} instead of {status}")
    with connect(camera.port) as link:
        try:
            link.sendall(b"POST / HTTP/1.1\r\n" + b"X: " + b"x" * 20000)
        except OSError:
            pass
        expect(answer(link) in (431, 0), "an endless header is accepted")
    with socket.create_connection(("127.0.0.1", camera.port), 30) as link:
        link.sendall(b"GET / HTTP/1.1\r\n\r\n")
        expect(b"HTTP" not in link.recv(4096), "plain HTTP is answered")
    check_unharmed(camera, "after oversized and malformed requests")

    _, before = cpu_and_memory(camera.child.pid)
    idle = [socket.create_connection(("127.0.0.1", camera.port), 30) for _ in range(300)]
    check_unharmed(camera, "with 300 idle connections")
    sending = []
    for _ in range(30):
        link = connect(camera.port)
        try:
            link.sendall(b"POST /pairing/1/hello HTTP/1.1\r\nContent-Length: 131072\r\n\r\n" + b" " * 100000)
        except OSError:
            pass
        sending.append(link)
    _, after = cpu_and_memory(camera.child.pid)
    # The camera accepts 8 connections. Each needs 65 KiB and up to 128 KiB for its request; the rest is memory that the
    # allocator keeps. Without the limit the camera would need more than 20 MiB.
    expect(after - before < 8192, f"memory grew by {after - before} KiB")
    sockets = sum(1 for fd in pathlib.Path(f"/proc/{camera.child.pid}/fd").iterdir() if "socket" in os.readlink(fd))
    expect(sockets <= 16, f"{sockets} sockets are open")
    print(f"330 connections: resident memory {before} -> {after} KiB", flush=True)
    for link in idle + sending:
        link.close()
    check_unharmed(camera, "after many connections")

    # A client that sends one byte per second does not keep its request alive.
    link = connect(camera.port)
    begun = time.monotonic()
    ended = False
    while not ended and time.monotonic() - begun < 120:
        try:
            link.sendall(b"P" if time.monotonic() - begun < 1 else b"O")
            link.settimeout(1)
            ended = link.recv(1) == b""
        except TimeoutError:
            continue
        except OSError:
            ended = True
    lasted = time.monotonic() - begun
    expect(ended, "the camera does not end a request that arrives byte by byte")
    expect(lasted > 10, f"the camera ended the request after {lasted:.0f} s; its timeout is 20 s")
    print(f"the camera ended a request that arrived byte by byte after {lasted:.0f} s", flush=True)
    check_unharmed(camera, "after a slow request")


def check_guessing(world, camera, text):
    """Pairing closes after five wrong codes, and stays closed after a kill and a restart. It opens again after a reboot."""
    def guess(string, message):
        code, _, error = pair(world, "a", string, "Front door")
        expect(code == EX_NOPERM and message in error, f"a wrong code: exit {code}, {error}")

    for left in (4, 3):
        guess(text.replace(camera.code, wrong(camera.code)), f"{left} tries are left")
    camera.stop(signal.SIGKILL)
    before = camera.code
    camera.start()
    camera.file.unlink(missing_ok=True)
    text = camera.read_pairing_string()
    expect(camera.code != before, "the code is the same after a restart")
    for left in ("2 tries are", "1 try is", None):
        guess(text.replace(camera.code, wrong(camera.code)), f"{left} left" if left else "rejects all codes")
    guess(text, "rejects all codes")
    wait_for("the camera removes its pairing file", lambda: not camera.file.exists(), 30, camera)
    camera.stop(signal.SIGKILL)
    camera.start()
    wait_for("the camera logs that pairing is closed", lambda: "closed after 5" in camera.log.read_text(), 30, camera)
    expect(not camera.file.exists(), "the camera shows a code although pairing is closed")
    print("pairing is closed after five wrong codes, also after two kills", flush=True)
    camera.stop()
    # The kernel has another boot id after each power-up.
    tries = camera.state / "pairing-tries"
    tries.write_text("00000000-0000-0000-0000-000000000000 " + tries.read_text().split()[1] + "\n")
    camera.start()
    return camera.read_pairing_string()


def check_slow_broker(world):
    """The tools of RabbitMQ can need longer than an unpaired device waits for the next message. This one waits until the device
    is paired."""
    world.account("c")
    broker, tools, seen = world.folder / "slow", world.folder / "tools", world.folder / "seen"
    world.run(world.program("sealcam"), "broker", "init", broker, "--port", world.port, "--for", "rabbitmq")
    hub = Device(world, "sealcam-hub", "slow-hub", "--listen", "127.0.0.1:0")
    tools.mkdir()
    (tools / "erl_call").write_text("#!/bin/sh\nexit 1\n")
    (tools / "rabbitmqctl").write_text(f"#!/bin/sh\nfor i in $(seq 300); do test -e {hub.file} || break; sleep 0.1; done\n"
                                       f"test -e {hub.file}; echo $? >>{seen}\n")
    for tool in tools.iterdir():
        tool.chmod(0o755)
    # The command asks whether the process of rabbitmq.pid is Erlang's.
    (tools / "beam.smp").symlink_to(shutil.which("sleep"))
    node = subprocess.Popen([tools / "beam.smp", "300"])
    (broker / "rabbitmq.pid").write_text(f"{node.pid}\n")
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{tools}:{path}"
    try:
        link = hub.start().read_pairing_string()
        code, _, error = owner(world, "c", "hub", "link", link, "--name", "Slow", "--broker", broker)
    finally:
        hub.stop()
        os.environ["PATH"] = path
        node.kill()
        node.wait()
    expect(seen.read_text() == "1\n", f"the broker was changed before the hub was paired: {seen.read_text()}")
    expect(code == 0, f"a hub with a slow broker: {code} {error}")
    expect((broker / "imported.json").exists(), "no definitions were imported")


def run_devices(world, options):
    world.account("a")
    world.account("b")
    world.start_broker()
    config = world.folder / "camera.json"
    config.write_text(json.dumps({"source": {"backend": "fake", "size": "640x360", "rate": 15, "number": 7},
                                  "encoder": {"bitrate": 500_000}}))
    camera = Device(world, "sealcam-camera", "camera", "--config", config)
    hub = Device(world, "sealcam-hub", "hub", "--listen", "127.0.0.1:0")
    try:
        run(world, camera, hub)
    finally:
        camera.stop()
        hub.stop()


def run(world, camera, hub):
    idle = subprocess.run([*camera.argv, "--no-pairing"], capture_output=True, text=True, timeout=60)
    expect(idle.returncode == EX_CONFIG and not idle.stdout, "an unpaired camera with --no-pairing does not exit")
    camera.start()
    text = camera.read_pairing_string()
    check_secrecy(camera, text)
    expect(camera.listening_ports() == [camera.port], f"the camera listens on {camera.listening_ports()}")
    check_unharmed(camera, "at the start")
    check_exporter(camera)
    check_limits(camera)
    text = check_guessing(world, camera, text)

    code, _, error = pair(world, "a", text.replace(camera.id, "a" * 32), "Front door")
    expect(code == EX_NOPERM and "another device" in error, f"pairing string of another device: {code} {error}")
    code, _, error = pair(world, "a", text, "Front door", command=("hub", "link"))
    expect(code == EX_USAGE and "camera pair" in error, f"'hub link' with a camera: {code} {error}")
    code, _, error = pair(world, "a", text, "Front door", "--at", f"127.0.0.1:{world.port}")
    expect(code not in (0, EX_USAGE) and error, f"'camera pair' with the address of a broker: {code}")
    check_unharmed(camera, "after attempts to pair that must fail")

    passphrase = world.folder / "passphrase"
    passphrase.write_text("too few")
    network = ("--wifi", "At \"home\"", "--wifi-password-file", passphrase)
    code, _, error = pair(world, "a", text, "Front door", *network)
    expect(code == EX_USAGE and "8 to 63" in error, f"a passphrase of 7 characters: {code} {error}")
    passphrase.write_text(PASSPHRASE + "\nnot this line\n")
    code, _, error = pair(world, "a", text, "Front door", "--wifi", "x" * 33, "--wifi-password-file", passphrase)
    expect(code == EX_USAGE and "32 bytes" in error, f"a network name of 33 bytes: {code} {error}")
    expect(not (camera.state / "wifi.json").exists(), "the unpaired camera stored a network")
    # A terminal may copy spaces and line ends around the string.
    code, out, error = pair(world, "a", f"  {text}\n", "Front door", *network)
    expect(code == 0, f"pairing: exit {code}, {error}")
    stored = json.loads((camera.state / "wifi.json").read_text())
    expect(bytes.fromhex(stored["ssid"]) == b'At "home"' and stored["passphrase"] == PASSPHRASE, "the camera stored another network")
    expect(PASSPHRASE not in out + error, "sealcam printed the passphrase")
    result = json.loads(out)
    expect(result["id"] == camera.id and result["role"] == "camera" and result["pending"] == [], f"{result}")
    pid = camera.child.pid
    wait_for("the camera connects to the broker of the account", lambda: (read_json(camera.status_file) or {}).get("connected"), 30, camera)
    expect(camera.child.pid == pid and camera.alive, "the camera was restarted")
    expect(camera.listening_ports() == [], f"a paired camera listens on {camera.listening_ports()}")
    expect(not camera.file.exists(), "the pairing file still exists")
    code, _, error = pair(world, "b", text, "Mine")
    expect(code == EX_UNAVAILABLE and "cannot reach" in error, f"pairing by a second owner: {code} {error}")

    hub.start()
    link = hub.read_pairing_string()
    code, _, error = pair(world, "a", link, "Kitchen", command=("hub", "link"))
    expect(code == 0, f"linking the hub: exit {code}, {error}")

    page = wait_for("the hub logs the address of its page", lambda: re.search(r"http://127\.0\.0\.1:(\d+)/", hub.log.read_text()), 30, hub)
    hub.port = int(page[1])
    probe = world.probe("probe", hub, "--decode", "--expect-camera", 7, "--seconds", 60)
    wait_for("the paired hub shows LIVE pictures of the paired camera", lambda: (read_json(probe.result) or {}).get("live", 0) > 5, 60)
    print("camera and hub are paired, pictures are LIVE", flush=True)
    expect(hub.listening_ports() == [hub.port], f"the paired hub listens on {hub.listening_ports()}")
    for device in (camera, hub):
        expect(device.code not in device.log.read_text(), "a log contains the code")
        expect(PASSPHRASE not in device.log.read_text(), "a log contains the passphrase of the network")
    # The test runs without NetworkManager. The camera reports this and continues to stream.
    wait_for("the camera reports that NetworkManager is missing", lambda: read_json(camera.status_file).get("wifi") == "unmanaged", 60, camera)

    # A running, unpaired camera continues as a paired camera after an enrollment through its state folder.
    other = Device(world, "sealcam-camera", "other", *camera.argv[camera.argv.index("--config"):][:2])
    try:
        other.start()
        other.read_pairing_string()
        code, _, error = owner(world, "b", "camera", "enroll", other.state, "--name", "B", "--broker", world.folder / "broker")
        expect(code == 0, f"enrollment of a running camera: {code} {error}")
        wait_for("the enrolled camera connects to the broker", lambda: (read_json(other.status_file) or {}).get("connected"), 30, other)
        expect(other.listening_ports() == [], "an enrolled camera still listens")
    finally:
        other.stop()
    check_slow_broker(world)
    print("all checks passed")


if __name__ == "__main__":
    run_test(__doc__, run_devices)
