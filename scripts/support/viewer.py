# SPDX-License-Identifier: Apache-2.0
"""Receives the pictures of a hub and measures their latency."""
import base64
import bisect
import os
import socket
import struct
import threading
import time

MAX_AGE = 5  # seconds; a hub shows an older picture as stale
PICTURE_HEADER = 80  # bytes; firmware/docs/hub-api.md


def percentile(values, share):
    """Of sorted values, as an integer; None without values."""
    return round(values[int(len(values) * share)]) if values else None


class Viewer:
    """Receives pictures from the hub's WebSocket as the page does."""

    def __init__(self, address, token):
        self.address, self.token = address, token
        self.seen = []  # (time received, latency in ms, live)
        self.socket = None

    def start(self):
        threading.Thread(target=self.run, daemon=True).start()
        return self

    def close(self):
        if self.socket:
            try:
                self.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the hub has closed the connection

    def run(self):
        name = f"{self.address[0]}:{self.address[1]}"
        self.socket = socket.create_connection(self.address)
        self.stream = self.socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET /ws HTTP/1.1\r\nHost: {name}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Origin: http://{name}\r\nAuthorization: Bearer {self.token}\r\n"
                             f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n").encode())
        while self.stream.readline().strip():
            pass
        self.send(1, b'{"watch": "all"}')
        while True:
            head = self.stream.read(2)
            if len(head) < 2:
                return
            size = head[1] & 127
            if size == 126:
                size = struct.unpack(">H", self.stream.read(2))[0]
            elif size == 127:
                size = struct.unpack(">Q", self.stream.read(8))[0]
            body = self.stream.read(size)
            if head[0] & 15 == 9:  # ping
                self.send(10, body)
            if head[0] & 15 == 2 and len(body) >= PICTURE_HEADER and body[1] == 1:
                self.add(body)

    def send(self, opcode, body):
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(body))
        self.socket.sendall(bytes([0x80 | opcode, 0x80 | len(body)]) + mask + masked)

    def add(self, body):
        now = time.time()
        captured = struct.unpack(">q", body[28:36])[0] / 1e6
        self.seen.append((now, (now - captured) * 1000, body[2] == 1))


def live_share(arrivals, begin, end):
    """The share of moments at which the newest picture that arrived was at most MAX_AGE old."""
    times = [arrived for arrived, _ in arrivals]
    newest, latest = [], 0
    for _, captured in arrivals:
        latest = max(latest, captured)
        newest.append(latest)
    moments = [begin + 0.2 * i for i in range(int((end - begin) / 0.2))]
    live = sum(1 for moment in moments
               if (i := bisect.bisect_right(times, moment)) and moment - newest[i - 1] <= MAX_AGE)
    return round(live / max(1, len(moments)), 3)
