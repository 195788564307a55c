# SPDX-License-Identifier: Apache-2.0
"""An MQTT 5 client over WebSocket (RFC 6455) and TLS, as a browser is one: it logs in with a user name and a password.

    python3 web_client.py '{"port": 8884, "authority": FILE, "user": ID, "password": TEXT, …}'

Prints one JSON object: the reason codes of CONNACK, SUBACK and PUBACK, and the topics of the received messages. `connack` is null
if the connection ended before. With `wait`, the client makes the file `ready` and stays until the broker ends the connection.
With `flood`, a stranger sends a first packet of this size instead, without its last byte. `flooded` is true if the broker read all of it.
"""
import base64
import json
import os
import socket
import ssl
import struct
import sys
import time
from pathlib import Path

LIMIT = 10.0  # seconds for each answer of the broker


def text(value):
    raw = value.encode()
    return struct.pack(">H", len(raw)) + raw


def packet(kind, body):
    size, length = b"", len(body)
    while True:
        length, low = divmod(length, 128)
        size += bytes([low | (0x80 if length else 0)])
        if not length:
            return bytes([kind]) + size + body


class Closed(Exception):
    pass


class WebSocket:
    """Binary messages with the subprotocol "mqtt" (MQTT 5 section 6)."""

    def __init__(self, options):
        context = ssl.create_default_context(cafile=options["authority"])
        if "certificate" in options:
            context.load_cert_chain(options["certificate"], options["key"])
        if "maximum" in options:
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.maximum_version = ssl.TLSVersion[options["maximum"]]
        plain = socket.create_connection(("127.0.0.1", options["port"]), LIMIT)
        self.stream = context.wrap_socket(plain, server_hostname=options.get("host", "localhost"))
        self.version = self.stream.version()
        self.web = options.get("web", True)
        self.rest = self.data = b""
        if self.web:
            self.upgrade(options)

    def upgrade(self, options):
        key = base64.b64encode(os.urandom(16)).decode()
        self.stream.sendall(
            f"GET /mqtt HTTP/1.1\r\nHost: localhost:{options['port']}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            part = self.stream.recv(4096)
            if not part:
                raise Closed
            answer += part
        head, self.rest = answer.split(b"\r\n\r\n", 1)
        if not head.startswith(b"HTTP/1.1 101"):
            raise Closed

    def send(self, data):
        if not self.web:
            return self.stream.sendall(data)
        mask = os.urandom(4)
        size = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0xFE]) + struct.pack(">H", len(data))
        self.stream.sendall(b"\x82" + size + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def take(self, source, count, limit):
        while len(getattr(self, source)) < count:
            if source == "data" and self.web:
                self.frame(limit)
                continue
            self.stream.settimeout(max(0.01, limit - time.monotonic()))
            part = self.stream.recv(65536)
            if not part:
                raise Closed
            setattr(self, source, getattr(self, source) + part)
        out = getattr(self, source)
        setattr(self, source, out[count:])
        return out[:count]

    def frame(self, limit):
        first, second = self.take("rest", 2, limit)
        length = second & 127
        if length == 126:
            (length,) = struct.unpack(">H", self.take("rest", 2, limit))
        elif length == 127:
            (length,) = struct.unpack(">Q", self.take("rest", 8, limit))
        payload = self.take("rest", length, limit)
        if first & 15 == 8:
            raise Closed
        if first & 15 in (0, 2):
            self.data += payload

    def receive(self, limit):
        """The next MQTT packet: first byte and body."""
        kind = self.take("data", 1, limit)[0]
        length = shift = 0
        while True:
            byte = self.take("data", 1, limit)[0]
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return kind, self.take("data", length, limit)


class Client:
    def __init__(self, options):
        self.payloads = {}  # the newest one of each topic
        self.socket = WebSocket(options)
        flags, body = 2, text(options.get("client", ""))
        if "user" in options:
            flags |= 0x80
            body += text(options["user"])
        if "password" in options:
            flags |= 0x40
            body += text(options["password"])
        self.socket.send(packet(0x10, text("MQTT") + bytes([5, flags]) + struct.pack(">H", options.get("keep_alive", 60)) + b"\0" + body))
        self.connack = self.answer(0x20)[1]

    def answer(self, kind, seconds=LIMIT):
        limit = time.monotonic() + seconds
        while True:
            got, body = self.socket.receive(limit)
            if got == kind:
                return body
            if got & 0xF0 == 0x30:
                size = int.from_bytes(body[:2], "big")
                at = 2 + size + (2 if got & 6 else 0)
                self.payloads[body[2:2 + size].decode()] = body[at + 1 + body[at]:]  # properties are shorter than 128 bytes

    def subscribe(self, topic):
        self.socket.send(packet(0x82, struct.pack(">H", 7) + b"\0" + text(topic) + b"\1"))
        return self.answer(0x90)[3]

    def publish(self, topic):
        self.socket.send(packet(0x32, text(topic) + struct.pack(">H", 9) + b"\0" + b"x"))
        body = self.answer(0x40)
        return body[2] if len(body) > 2 else 0

    def collect(self, seconds):
        """Receives for a time. Returns whether the connection is still open."""
        try:
            self.answer(None, seconds)
        except TimeoutError:
            return True
        except (Closed, OSError):
            return False
        return True


def flood(options):
    stream = WebSocket(options).stream
    body = text("MQTT") + bytes([5, 2]) + struct.pack(">H", 60) + b"\0" + bytes(options["flood"])
    data = packet(0x10, body)[:-1]
    try:
        stream.sendall(b"\x82\xff" + struct.pack(">Q", len(data) + 1) + bytes(4))
        for at in range(0, len(data), 1 << 16):
            stream.sendall(data[at:at + (1 << 16)])
        stream.settimeout(1.0)
        return stream.recv(1) != b""  # the broker ended the connection, or waits for the last byte
    except TimeoutError:
        return True
    except OSError:
        return False


def run(options):
    if "flood" in options:
        return {"flooded": flood(options)}
    out = {"connack": None}
    try:
        client = Client(options)
        out["connack"] = client.connack
        out["version"] = client.socket.version
        out["subscribed"] = [client.subscribe(topic) for topic in options.get("subscribe", [])]
        out["published"] = [client.publish(topic) for topic in options.get("publish", [])]
        if "ready" in options:
            Path(options["ready"]).touch()
        out["open"] = client.collect(options.get("wait", 1.0))
        out["received"] = list(client.payloads)
    except (Closed, OSError) as error:
        out["why"] = repr(error)
    return out


if __name__ == "__main__":
    print(json.dumps(run(json.loads(sys.argv[1]))))
