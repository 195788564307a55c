#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The hub's listener for phones with the real program and a real TLS client: certificates, headers, paths, limits, slow clients, and
that nothing of the loopback page answers there.

    phone_listener.py --build DIR
"""
import json
import os
import pathlib
import socket
import ssl
import stat
import subprocess
import sys
import time
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from program_test import expect, require, run_test  # noqa: E402
from support.world import free_port, wait_for  # noqa: E402

NAME = "Front door"
NAMES = ("127.0.0.1", "localhost")
FILES = {"index.html": "<!doctype html><title>app</title>", "app.js": "export {};", "manifest.webmanifest": "{}", "icon.svg": "<svg/>"}
SLOT = "/link/1/" + "0" * 32


class Client:
    """One TLS connection of a browser that trusts the authority."""

    def __init__(self, port, authority, host="localhost", version=None):
        context = ssl.create_default_context(cafile=str(authority) if authority else None)
        if version:
            context.set_ciphers("ALL:@SECLEVEL=0")  # so that OpenSSL itself does not reject the old versions
            context.minimum_version = context.maximum_version = version
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=10), server_hostname=host)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def answer(self, head=False):
        """Returns (status, fields in lower case, body)."""
        data = b""
        while b"\r\n\r\n" not in data:
            part = self.socket.recv(65536)
            expect(part, "the connection ended without an answer")
            data += part
        top, _, body = data.partition(b"\r\n\r\n")
        lines = top.decode().split("\r\n")
        fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        size = 0 if head else int(fields.get("content-length", 0))
        while len(body) < size:
            body += self.socket.recv(65536)
        return int(lines[0].split()[1]), fields, body

    def request(self, method, path, body=b"", **fields):
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return self.answer(method == "HEAD")

    def ended(self, seconds=5.0):
        """True if the hub ends the connection within this time."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True


def certificate(world, *names, folder, good=True):
    done = subprocess.run([str(world.program("sealcam-hub")), "certificate", *names, "--folder", str(folder)], capture_output=True,
                          text=True, timeout=60)
    expect((done.returncode == 0) == good, f"certificate: {done.returncode} {done.stderr}")
    return done.stdout + done.stderr


def openssl(*argv):
    done = subprocess.run(["openssl", *map(str, argv)], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def certificates(world, folder):
    text = certificate(world, *NAMES, folder=folder)
    require("Install" in text and "authority.crt" in text, "the command says how a phone installs the authority")
    for name in ("authority.key", "web.key"):
        expect(stat.S_IMODE((folder / name).stat().st_mode) == 0o600, f"others can read {name}")
    code, text = openssl("verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "localhost", "-CAfile", folder / "authority.crt",
                         folder / "web.crt")
    require(code == 0, f"OpenSSL verifies the certificate for its name {text}")
    code, text = openssl("verify", "-verify_hostname", "elsewhere.example", "-CAfile", folder / "authority.crt", folder / "web.crt")
    require(code != 0, "OpenSSL rejects another name")
    require(openssl("x509", "-noout", "-checkend", 395 * 86400, "-in", folder / "web.crt")[0] == 0 and
            openssl("x509", "-noout", "-checkend", 397 * 86400, "-in", folder / "web.crt")[0] == 1, "the certificate is valid for at most 397 days")
    before = (folder / "authority.crt").read_bytes(), (folder / "web.crt").read_bytes()
    text = certificate(world, *reversed(NAMES), folder=folder)
    after = (folder / "authority.crt").read_bytes(), (folder / "web.crt").read_bytes()
    require(before[0] == after[0] and before[1] != after[1] and "restart the hub" in text, "a second call renews the certificate only")
    text = certificate(world, "elsewhere.example", folder=folder, good=False)
    require("other names" in text and (folder / "web.crt").read_bytes() == after[1], "the same authority signs for no other name")
    require(stat.S_IMODE(folder.stat().st_mode) == 0o700, "a new folder is private")
    other = folder.parent / "other"
    other.mkdir()
    other.chmod(0o755)
    for name in ("web.crt", "web.key"):
        (other / name).write_text("of another program")
        text = certificate(world, *NAMES, folder=other, good=False)
        expect("another folder" in text and [path.name for path in other.iterdir()] == [name], f"{name}: {text}")
        expect((other / name).read_text() == "of another program", f"the command replaced {name}")
        (other / name).unlink()
    certificate(world, *NAMES, folder=other)  # control
    require(stat.S_IMODE(other.stat().st_mode) == 0o755, "the files of another program stay, and the mode of a folder that exists")


def headers(port, authority):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with Client(port, authority, version=version) as client:
            status, fields, body = client.request("GET", "/")
            expect(status == 200 and body.decode() == FILES["index.html"], f"{version}: {status}")
            status, again, body = client.request("GET", "/", If_None_Match=fields["etag"])
            expect(status == 304 and body == b"", f"a known file was sent again: {status}")
    print("ok: TLS 1.2 and 1.3, and several requests in one connection")
    warnings.simplefilter("ignore", DeprecationWarning)  # of the old version
    try:
        Client(port, authority, version=ssl.TLSVersion.TLSv1_1)
        expect(False, "TLS 1.1 is accepted")
    except ssl.SSLError as error:
        require("alert" in str(error).lower(), f"the hub rejects TLS 1.1 with an alert: {error}")
    policy = fields["content-security-policy"]
    require("default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
            and "connect-src 'self' wss://" in policy, f"the policy of the app: {policy}")
    require(fields["x-content-type-options"] == "nosniff" and fields["cache-control"] == "no-cache" and "set-cookie" not in fields,
            "the other headers of a page, without a cookie")
    with Client(port, authority) as client:
        types = {name: client.request("HEAD", f"/{name}")[1]["content-type"] for name in FILES}
    require(types == {"index.html": "text/html; charset=utf-8", "app.js": "text/javascript; charset=utf-8",
                      "manifest.webmanifest": "application/manifest+json", "icon.svg": "image/svg+xml"}, f"types, with HEAD: {types}")


def paths(hub, port, authority):
    page = ("/api/state", "/api/cameras", "/metrics", "/ws", "/open?code=a", "/main.js", "/snapshot/Front%20door.jpg", "/live/Front%20door.ts",
            "/recordings/")
    outside = ("/../hub.json", "/..%2fhub.json", "/%2e%2e/hub.json", "//etc/passwd", "/app/../app.js", "/.secret", "/sub/deep.js", "/app.js%00")
    fields = hub.access.headers("privacy")
    with Client(port, authority) as client:
        for path in page + outside:
            status, _, body = client.request("GET", path, **fields)
            expect(status == 404 and NAME.encode() not in body, f"{path}: {status}")
        status, answer, _ = client.request("GET", "/", Upgrade="websocket", Connection="Upgrade", **{
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13", **fields})
        expect(status == 200 and "upgrade" not in answer, "the listener upgrades to a WebSocket")
    print(f"ok: 404 for {len(page)} paths of the hub's page, with a valid token, and {len(outside)} paths that lead elsewhere")
    import http.client
    for path in (SLOT + "/descriptor", "/link/1/", "/app.js"):
        control = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=10)
        control.request("GET", path, headers=fields)
        expect(control.getresponse().status == 404, f"the loopback page serves {path}")
    control = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=10)
    control.request("GET", "/api/state", headers=fields)
    answer = control.getresponse()
    require(answer.status == 200 and NAME in answer.read().decode(), "control: the loopback page answers with the token, and has no mailbox")


def mailbox(port, authority):
    kind = {"Content_Type": "application/cbor"}
    with Client(port, authority) as client:
        require(client.request("GET", SLOT + "/descriptor")[0] == 404, "an unknown slot has nothing")
        require(client.request("POST", SLOT + "/descriptor", b"x", **kind)[0] == 404, "an unknown slot stores nothing")
        require(client.request("PUT", SLOT, b"x" * 200, **kind)[0] == 403, "a message that the owner did not sign opens nothing")
        require(client.request("PUT", SLOT, b"x", Content_Type="text/plain")[0] == 415, "another type is rejected")
        expect(client.request("DELETE", SLOT)[0] == 405, "DELETE is accepted")
        many = [client.request("PUT", SLOT, b"x", **kind)[0] for _ in range(8)]
        require(many[-1] == 429, f"the hub checks few signatures of one address: {many}")
        require(client.request("GET", "/")[0] == 200, "control: the app still answers")


def limits(port, authority):
    with Client(port, authority) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20000)
        require(client.answer()[0] == 431 and client.ended(), "a large header ends the connection")
    with Client(port, authority) as client:
        client.send(b"PUT /link/1/0 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
        require(client.answer()[0] == 413 and client.ended(), "a large body is rejected before it arrives")
    with Client(port, authority) as client:
        client.send(b"PUT / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        require(client.answer()[0] == 411, "chunks are rejected")
    with Client(port, authority) as client:
        client.send(b"GET / HTTP/1.1\r\n\r\n")
        require(client.answer()[0] == 400, "a request without Host is rejected")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        require(b"200" not in plain.recv(1000), "plain HTTP is rejected")


def slow(hub, port, authority):
    """Slow clients end, and do not keep others out. Idle connections of one address make room for newer ones."""
    began = time.monotonic()
    silent = socket.create_connection(("127.0.0.1", port), timeout=40)
    slowly = Client(port, authority)
    slowly.send(b"GET / HTTP/1.1\r\n")
    deadline = began + 40
    while time.monotonic() < deadline:
        try:
            slowly.send(b"X: y\r\n")
        except OSError:
            break
        time.sleep(1)
    took = time.monotonic() - began
    require(15 < took < 30, f"a request that arrives slowly ends after 20 s: {took:.0f} s")
    silent.settimeout(10)
    require(silent.recv(1) == b"", "a connection without a handshake ends")
    idle = []
    for _ in range(16):
        idle.append(Client(port, authority))
    with Client(port, authority) as client:
        require(client.request("GET", "/")[0] == 200, "with 16 idle connections of one address, a new one answers")
    ended = sum(connection.ended(0.2) for connection in idle)
    require(1 <= ended <= 2, f"it ended the oldest one of them: {ended}")
    time.sleep(8)
    closed = 0
    for _ in range(200):
        try:
            with Client(port, authority):
                pass
        except OSError:
            closed += 1
    require(closed > 100, f"of 200 connections at once, {closed} are closed before TLS")
    require(hub.process.alive and hub.status()["connected"], "the hub still works")
    wait_for("the address may connect again", lambda: connects(port, authority), 30)


def connects(port, authority):
    try:
        with Client(port, authority) as client:
            return client.request("GET", "/")[0] == 200
    except OSError:
        return False


def listening(pid):
    """Addresses of the listening TCP sockets of a process, as in /proc/net: hexadecimal, with the port."""
    inodes = {os.readlink(entry) for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir() if entry.is_symlink()}
    found = []
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                found.append(fields[1])
    return found


def off(hub):
    ports = listening(hub.process.child.pid)
    require(ports == [f"0100007F:{hub.port:04X}"], f"without the setting, the hub listens only on the loopback address: {ports}")


def run(world, options):
    world.account("a")
    world.start_broker()
    camera = world.camera("a", "camera", {"source": {"backend": "fake", "size": "320x240", "rate": 5}}, NAME)
    hub = world.start(world.hub("a", "hub"))
    world.start(camera)
    wait_for("the hub lists the camera", lambda: any(c["name"] == NAME for c in hub.status().get("cameras", [])), 20, hub.process)
    off(hub)

    folder, app, port = world.folder / "web", world.folder / "app", free_port()
    certificates(world, folder)
    app.mkdir()
    for name, text in FILES.items():
        (app / name).write_text(text)
    (app / ".secret").write_text("secret")
    (app / "sub").mkdir()
    (app / "sub" / "deep.js").write_text("")
    config = world.folder / "hub.json"
    config.write_text(json.dumps({"app": {"listen": "127.0.0.1", "port": port, "folder": str(app), "certificate": str(folder / "web.crt"),
                                          "key": str(folder / "web.key")}}))
    hub.process.stop()
    hub.process.argv += ["--config", str(config)]
    hub.process.start()
    authority = folder / "authority.crt"
    wait_for("the listener answers", lambda: connects(port, authority), 20, hub.process)
    wait_for("the hub is connected", lambda: hub.status().get("connected"), 20, hub.process)
    try:
        Client(port, None)
        expect(False, "a client accepts the certificate without the authority")
    except ssl.SSLError:
        print("ok: a client without the authority rejects the certificate")
    require(len(listening(hub.process.child.pid)) == 2, "with the setting, it has a second listener")
    headers(port, authority)
    paths(hub, port, authority)
    mailbox(port, authority)
    limits(port, authority)
    slow(hub, port, authority)

    config.write_text(config.read_text().replace(str(app), str(world.folder / "none")))
    hub.process.stop()
    hub.process.start()
    began = time.time()
    wait_for("the hub logs the reason", lambda: "does not serve phones" in hub.process.tail(30), 20, hub.process)
    wait_for("the hub is connected", lambda: hub.status_file.stat().st_mtime > began and hub.status().get("connected"), 20, hub.process)
    require(not connects(port, authority), "a hub without the app's folder logs the reason, has no listener, and still connects")



if __name__ == "__main__":
    os.environ.pop("SSL_CERT_FILE", None)
    run_test(__doc__, run)
