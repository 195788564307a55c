#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pairing over the network with the real programs: a camera and a hub become an account's without anybody touching their
state folders, and then show pictures. Before that, what a stranger in the same network can do to an unpaired camera:
guess, replay the port full, drip, send too much. After each the camera is alive, unpaired and can be paired.

    pairing.py --build DIR
"""
import argparse
import base64
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from support.world import Failure, World, cpu_and_memory, read_json, wait_for  # noqa: E402

EX_NOPERM, EX_CONFIG, EX_UNAVAILABLE, EX_USAGE = 77, 78, 69, 64
STRING = re.compile(r"sealcam:1:([a-z2-7]{32}):([a-z2-7]{8})@127\.0\.0\.1:(\d+)\n")
WIFI_WORD = 'say "friend" \\ and enter'


def expect(condition, text):
    if not condition:
        raise Failure(text)


class Device:
    """A camera or hub that belongs to nobody, with its console and its log apart."""

    def __init__(self, world, program, name, *more):
        self.world, self.name = world, name
        self.state = world.folder / name
        self.file = world.folder / f"{name}-pairing.txt"
        self.console, self.log = world.folder / f"{name}.console", world.folder / f"{name}.log"
        self.status_file = world.folder / f"{name}.status"
        self.argv = [str(a) for a in (world.program(program), "--state", self.state, "--pairing-listen", "127.0.0.1:0",
                                      "--pairing-file", self.file, "--status", self.status_file, *more)]
        self.child = None

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

    def shown(self):
        """The pairing string, from the file that an SD card would carry."""
        def there():
            return self.file.exists() and STRING.fullmatch(self.file.read_text())
        found = wait_for(f"{self.name} shows its pairing string", there, 30, self)
        self.id, self.code, self.port = found[1], found[2], int(found[3])
        return found[0].strip()

    def listening(self):
        """Ports that this process listens on, as the kernel sees it."""
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
    """Exit code, output, error."""
    done = subprocess.run([str(a) for a in (world.program("sealcam"), "--account", world.folder / account, *args)],
                          capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def pair(world, account, text, name, *more, what=("camera", "pair")):
    return owner(world, account, "--json", *what, text, "--name", name, "--broker", world.folder / "broker", *more)


def wrong(code):
    return ("b" if code[0] == "a" else "a") + code[1:]


def connect(port):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), 30))


def answer(link):
    """Status of what is answered; 0 when the connection ended without."""
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


def well(camera, step):
    """Alive, unpaired, answering."""
    expect(camera.alive, f"the camera ended {step}:\n{camera.tail()}")
    expect(not (camera.state / "enrolment.json").exists(), f"the camera was paired {step}")
    with connect(camera.port) as link:
        link.sendall(request("/pairing/1/hello", "{}"))
        expect(answer(link) == 200, f"the camera does not answer {step}")
    print(f"well {step}", flush=True)


def check_secrecy(camera, text):
    console = camera.console.read_text()
    expect(text in console and "\u2580" in console, "the console shows no pairing string with a QR code")
    expect(camera.code not in camera.log.read_text(), "the log holds the code")
    expect(stat.S_IMODE(camera.file.stat().st_mode) == 0o600, "others may read the pairing file")


def check_exporter(camera):
    """Another TLS library, from the protocol's page alone: OpenSSL exports what the camera signs."""
    hello = request("/pairing/1/hello", "{}").replace(b"Host: x", b"Host: x\r\nConnection: close")
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{camera.port}", "-keymatexport",
                           "EXPORTER-sealcam/1 pairing", "-keymatexportlen", "32", "-nocommands", "-ign_eof"],
                          input=hello, capture_output=True, timeout=120)
    text = done.stdout.decode(errors="replace")
    exported = re.search(r"Keying material: ([0-9A-F]{64})", text)
    answered = re.search(r'"proof":"([A-Za-z0-9_-]+)"', text)
    expect(exported and answered, f"no exporter or no answer:\n{text[-1000:]}")
    proof = base64.urlsafe_b64decode(answered[1] + "=" * (-len(answered[1]) % 4))
    # COSE_Sign1 whose payload is CBOR {1: bstr 32}: RFC 8949, a1 01 58 20.
    expect(bytes.fromhex("a1015820" + exported[1]) in proof, "the camera signs another exporter than OpenSSL computes")
    print("OpenSSL exports what the camera signs", flush=True)


def check_limits(camera):
    """Too large, too many, too slow."""
    for target, body, status in (("/pairing/1/hello", None, 413), ("/nothing", "{}", 404), ("/pairing/1/claim", "{}", 409)):
        with connect(camera.port) as link:
            link.sendall(request(target, body) if body else b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n")
            got = answer(link)
            expect(got == status, f"{target} is answered with {got}, not {status}")
    with connect(camera.port) as link:
        try:
            link.sendall(b"POST / HTTP/1.1\r\n" + b"X: " + b"x" * 20000)
        except OSError:
            pass
        expect(answer(link) in (431, 0), "an endless header is accepted")
    with socket.create_connection(("127.0.0.1", camera.port), 30) as link:
        link.sendall(b"GET / HTTP/1.1\r\n\r\n")
        expect(b"HTTP" not in link.recv(4096), "plain HTTP is answered")
    well(camera, "after oversized and malformed requests")

    _, before = cpu_and_memory(camera.child.pid)
    silent = [socket.create_connection(("127.0.0.1", camera.port), 30) for _ in range(300)]
    well(camera, "beside 300 silent connections")
    talking = []
    for _ in range(30):
        link = connect(camera.port)
        try:
            link.sendall(b"POST /pairing/1/hello HTTP/1.1\r\nContent-Length: 131072\r\n\r\n" + b" " * 100000)
        except OSError:
            pass
        talking.append(link)
    _, after = cpu_and_memory(camera.child.pid)
    # 8 connections of 65 KiB with a request of 128 KiB each, and what the allocator keeps. Without the limit it would be
    # 20 MiB and more.
    expect(after - before < 8192, f"memory grew by {after - before} KiB")
    sockets = sum(1 for fd in pathlib.Path(f"/proc/{camera.child.pid}/fd").iterdir() if "socket" in os.readlink(fd))
    expect(sockets <= 16, f"{sockets} sockets are open")
    print(f"330 connections: resident memory {before} -> {after} KiB", flush=True)
    for link in silent + talking:
        link.close()
    well(camera, "after many connections")

    # One byte now and then does not keep a request alive.
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
    expect(ended, "a request that drips is never ended")
    expect(lasted > 10, f"it ended after {lasted:.0f} s: patience is 20 s")
    print(f"a dripping request was ended after {lasted:.0f} s", flush=True)
    well(camera, "after a slow request")


def check_guessing(world, camera, text):
    """Five wrong codes; then closed, also over a kill and a restart; open again after another boot."""
    def guess(string, words):
        code, _, error = pair(world, "a", string, "Front door")
        expect(code == EX_NOPERM and words in error, f"a wrong code: exit {code}, {error}")

    for left in (4, 3):
        guess(text.replace(camera.code, wrong(camera.code)), f"{left} tries are left")
    camera.stop(signal.SIGKILL)
    before = camera.code
    camera.start()
    camera.file.unlink(missing_ok=True)
    text = camera.shown()
    expect(camera.code != before, "the code is the same after a restart")
    for left in ("2 tries are", "1 try is", None):
        guess(text.replace(camera.code, wrong(camera.code)), f"{left} left" if left else "no more codes")
    guess(text, "no more codes")
    wait_for("the code that counts for nothing is withdrawn", lambda: not camera.file.exists(), 30, camera)
    camera.stop(signal.SIGKILL)
    camera.start()
    wait_for("the camera says that pairing is closed", lambda: "closed after 5" in camera.log.read_text(), 30, camera)
    expect(not camera.file.exists(), "a code that counts for nothing is shown")
    print("closed after five wrong codes, also over two kills", flush=True)
    camera.stop()
    # What the kernel does at the next power-up: another boot id.
    tries = camera.state / "pairing-tries"
    tries.write_text("00000000-0000-0000-0000-000000000000 " + tries.read_text().split()[1] + "\n")
    camera.start()
    return camera.shown()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sealcam-pairing-") as folder, World(options.build, folder) as world:
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
    return 0


def run(world, camera, hub):
    idle = subprocess.run([*camera.argv, "--no-pairing"], capture_output=True, text=True, timeout=60)
    expect(idle.returncode == EX_CONFIG and not idle.stdout, "--no-pairing does not end")
    camera.start()
    text = camera.shown()
    check_secrecy(camera, text)
    expect(camera.listening() == [camera.port], f"the camera listens on {camera.listening()}")
    well(camera, "at the start")
    check_exporter(camera)
    check_limits(camera)
    text = check_guessing(world, camera, text)

    code, _, error = pair(world, "a", text.replace(camera.id, "a" * 32), "Front door")
    expect(code == EX_NOPERM and "Another device" in error, f"a string of another device: {code} {error}")
    code, _, error = pair(world, "a", text, "Front door", what=("hub", "link"))
    expect(code == EX_USAGE and "camera pair" in error, f"a camera linked as a hub: {code} {error}")
    code, _, error = pair(world, "a", text, "Front door", "--at", f"127.0.0.1:{world.port}")
    expect(code not in (0, EX_USAGE) and error, f"paired with a broker: {code}")
    well(camera, "after pairing that could not succeed")

    word = world.folder / "word"
    word.write_text("too few")
    network = ("--wifi", "At \"home\"", "--wifi-password-file", word)
    code, _, error = pair(world, "a", text, "Front door", *network)
    expect(code == EX_USAGE and "8 to 63" in error, f"a passphrase that is none: {code} {error}")
    word.write_text(WIFI_WORD + "\nnot this line\n")
    code, _, error = pair(world, "a", text, "Front door", "--wifi", "x" * 33, "--wifi-password-file", word)
    expect(code == EX_USAGE and "32 bytes" in error, f"a network's name that is none: {code} {error}")
    expect(not (camera.state / "wifi.json").exists(), "a network was stored without an owner")
    code, out, error = pair(world, "a", text, "Front door", *network)
    expect(code == 0, f"pairing: exit {code}, {error}")
    stored = json.loads((camera.state / "wifi.json").read_text())
    expect(bytes.fromhex(stored["ssid"]) == b'At "home"' and stored["passphrase"] == WIFI_WORD, "another network was stored")
    expect(WIFI_WORD not in out + error, "the passphrase was printed")
    result = json.loads(out)
    expect(result["id"] == camera.id and result["role"] == "camera" and result["pending"] == [], f"{result}")
    pid = camera.child.pid
    wait_for("the camera publishes as the account's", lambda: (read_json(camera.status_file) or {}).get("connected"), 30, camera)
    expect(camera.child.pid == pid and camera.alive, "the camera was started again")
    expect(camera.listening() == [], f"a paired camera listens on {camera.listening()}")
    expect(not camera.file.exists(), "the pairing file is left")
    code, _, error = pair(world, "b", text, "Mine")
    expect(code == EX_UNAVAILABLE and "cannot be reached" in error, f"a second owner: {code} {error}")

    hub.start()
    link = hub.shown()
    code, _, error = pair(world, "a", link, "Kitchen", what=("hub", "link"))
    expect(code == 0, f"linking the hub: exit {code}, {error}")

    page = wait_for("the hub's page", lambda: re.search(r"http://127\.0\.0\.1:(\d+)/", hub.log.read_text()), 30, hub)
    hub.port = int(page[1])
    probe = world.probe("probe", hub, "--decode", "--expect-camera", 7, "--seconds", 60)
    wait_for("live pictures of the paired camera at the paired hub", lambda: (read_json(probe.result) or {}).get("live", 0) > 5, 60)
    print("paired, linked, LIVE", flush=True)
    expect(hub.listening() == [hub.port], f"the paired hub listens on {hub.listening()}")
    for device in (camera, hub):
        expect(device.code not in device.log.read_text(), "a log holds the code")
        expect(WIFI_WORD not in device.log.read_text(), "a log holds the network's passphrase")
    # There is no NetworkManager in this world: told, and nothing lost.
    wait_for("the camera says that it joins no network", lambda: read_json(camera.status_file).get("wifi") == "unmanaged", 60, camera)

    # Enrolling on a shared disk ends the waiting of a camera that runs already.
    other = Device(world, "sealcam-camera", "other", *camera.argv[camera.argv.index("--config"):][:2])
    try:
        other.start()
        other.shown()
        code, _, error = owner(world, "b", "camera", "enroll", other.state, "--name", "B", "--broker", world.folder / "broker")
        expect(code == 0, f"enrolling beside a running camera: {code} {error}")
        wait_for("it goes on as a paired camera", lambda: (read_json(other.status_file) or {}).get("connected"), 30, other)
        expect(other.listening() == [], "an enrolled camera still listens")
    finally:
        other.stop()
    print("all holds")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"error: {failure}")
