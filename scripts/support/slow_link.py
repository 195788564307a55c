#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A TCP relay with a limited rate, for machines that permit no network namespaces. It runs as a process of its own, so that
the programs under test cannot block it, and it records what it carried.

    slow_link.py LISTEN_PORT TARGET_PORT FOLDER

It limits each connection from client to server to the KBIT/S in FOLDER/rate; 'free' is no limit. It reads the file again when
it changes. FOLDER/carried has a line for each 100 ms: time, bytes that it could carry, bytes that it carried, ms that this
process was late.

A relay acknowledges what it has read. The client takes its queue for an empty one, as with each proxy. Therefore the buffers
are small: the kernel's default buffers would hold several seconds of a slow link.
"""
import os
import pathlib
import socket
import sys
import time

STEP = 0.01  # seconds
ROW = 0.1
BURST = 5_000  # bytes
RECEIVE_BUFFER = int(os.environ.get("SLOW_LINK_BUFFER", 8192))  # the kernel doubles it
SEGMENT = 1448  # the loopback interface would send 64 kB


class Connection:
    def __init__(self, client, target):
        self.client = client
        self.server = socket.create_connection(("127.0.0.1", target))
        for each in (self.client, self.server):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            each.setblocking(False)
        self.tokens = BURST
        self.rest = {self.client: b"", self.server: b""}  # read from this end, not written to the other one

    def other(self, end):
        return self.server if end is self.client else self.client

    def move(self, end, limit):
        """Carries up to `limit` bytes from this end. Returns their number; None at the end of the connection."""
        carried = 0
        to = self.other(end)
        try:
            while True:
                if not self.rest[end]:
                    size = min(limit - carried, 65536)
                    if size <= 0:
                        return carried
                    self.rest[end] = end.recv(size)
                    if not self.rest[end]:
                        return None
                    carried += len(self.rest[end])
                self.rest[end] = self.rest[end][to.send(self.rest[end]):]
        except BlockingIOError:
            return carried
        except OSError:
            return None

    def close(self):
        self.client.close()
        self.server.close()


class SlowLink:
    def __init__(self, listen, target, folder):
        self.target, self.folder = target, pathlib.Path(folder)
        self.server = socket.socket()
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if RECEIVE_BUFFER:
            self.server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self.server.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
        self.server.bind(("127.0.0.1", listen))
        self.server.listen()
        self.server.setblocking(False)
        self.connections = []
        self.rate, self.read_at = None, 0

    def read_rate(self):
        try:
            changed = (self.folder / "rate").stat().st_mtime_ns
            if changed == self.read_at:
                return
            text = (self.folder / "rate").read_text().strip()
            rate = None if text == "free" else float(text) * 1000 / 8  # bytes per second
        except (OSError, ValueError):
            return
        self.read_at, self.rate = changed, rate

    def step(self, elapsed):
        """Returns the bytes that the link could carry, and those that it carried."""
        offered = elapsed * self.rate if self.rate else 0
        total = 0
        for each in list(self.connections):
            each.tokens = min(each.tokens + offered, max(BURST, offered)) if self.rate else 1 << 20
            carried = each.move(each.client, int(each.tokens))
            if carried is None or each.move(each.server, 1 << 20) is None:
                each.close()
                self.connections.remove(each)
                continue
            each.tokens -= carried
            total += carried
        return offered, total

    def run(self):
        with (self.folder / "carried").open("w") as out:
            last = row = time.monotonic()
            offered = carried = late = 0
            while True:
                time.sleep(STEP)
                now = time.monotonic()
                late = max(late, (now - last - STEP) * 1000)
                self.read_rate()
                self.accept()
                could, did = self.step(now - last)
                last = now
                offered, carried = offered + could, carried + did
                if now - row >= ROW:
                    print(f"{time.time():.3f} {offered:.0f} {carried} {late:.0f}", file=out, flush=True)
                    row, offered, carried, late = now, 0, 0, 0

    def accept(self):
        try:
            while True:
                client, _ = self.server.accept()
                self.connections.append(Connection(client, self.target))
        except OSError:
            pass


if __name__ == "__main__":
    try:
        os.nice(-10)  # a link is as fast on a busy machine
    except OSError:
        pass
    SlowLink(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]).run()
