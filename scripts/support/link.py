#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Carries Ethernet frames between two interfaces of a network namespace, with the faults of a poor network. Kernels without
sch_netem have no other way. Works below TCP, so that TCP repeats what is lost.

    link.py plain INTERFACE…      packets of real size and with checksums, as on a cable
    link.py carry NEAR FAR FILE   reads the faults from FILE again when it changes

FILE has NAME=VALUE per line. Faults from NEAR to FAR, unless stated:
  loss, duplicate, reorder (percent)   each packet alone; a reordered one overtakes those that are delayed
  delay, jitter (ms)                   each packet waits delay plus 0 to jitter; jitter keeps the order
  mtu (bytes)                          longer IP packets disappear without an answer, in both directions
  idle (s)                             a connection without packets for this time is forgotten, as NAT does; both directions
  stall (1)                            packets wait until the value changes
"""
import array
import fcntl
import heapq
import pathlib
import random
import select
import socket
import struct
import sys
import time

SIOCETHTOOL = 0x8946
OFFLOADS = (0x17, 0x1F, 0x24, 0x2C)  # ETHTOOL_STXCSUM, _STSO, _SGSO, _SGRO of linux/ethtool.h
ETHERTYPE_IP, TCP, SYN = 0x0800, 6, 2
MAX_WAITING = 4 << 20  # bytes


def plain(interface):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for command in OFFLOADS:
            value = array.array("B", struct.pack("II", command, 0))
            fcntl.ioctl(s, SIOCETHTOOL, struct.pack("16sP", interface.encode(), value.buffer_info()[0]))


def connection(frame):
    """The addresses and ports of a TCP segment, equal for both directions, and whether it is a SYN; else None."""
    if struct.unpack_from(">H", frame, 12)[0] != ETHERTYPE_IP or frame[23] != TCP:
        return None
    at = 14 + (frame[14] & 15) * 4
    ends = sorted([(frame[26:30], frame[at:at + 2]), (frame[30:34], frame[at + 2:at + 4])])
    return tuple(ends), bool(frame[at + 13] & SYN)


class Link:
    def __init__(self, near, far, settings):
        self.near, self.far, self.settings = self.open(near), self.open(far), pathlib.Path(settings)
        self.faults, self.read_at = {}, 0
        self.random = random.Random(1)
        self.waiting = []  # (due, number, frame) of near to far
        self.bytes = self.number = 0
        self.last_due = 0.0
        self.connections = {}  # ends -> time of the last packet

    @staticmethod
    def open(interface):
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        s.bind((interface, 3))
        s.setblocking(False)
        return s

    def fault(self, name):
        return self.faults.get(name, 0.0)

    def chance(self, name):
        return self.random.uniform(0, 100) < self.fault(name)

    def read_settings(self):
        try:
            changed = self.settings.stat().st_mtime_ns
        except OSError:
            return
        if changed == self.read_at:
            return
        self.read_at = changed
        pairs = (line.split("=", 1) for line in self.settings.read_text().split())
        self.faults = {name: float(value) for name, value in pairs}

    def dropped(self, frame, now):
        """Whether a fault of both directions takes the frame."""
        if self.fault("mtu") and len(frame) - 14 > self.fault("mtu"):
            return True
        known = connection(frame) if len(frame) > 48 else None
        if not known:
            return False
        ends, first = known
        last = self.connections.get(ends)
        forgotten = self.fault("idle") and not first and (last is None or now - last > self.fault("idle"))
        if not forgotten:
            self.connections[ends] = now
        return bool(forgotten)

    def take(self, frame, now):
        """A frame from NEAR."""
        if self.dropped(frame, now) or self.chance("loss") or self.bytes + len(frame) > MAX_WAITING:
            return
        for _ in range(2 if self.chance("duplicate") else 1):
            due = now + (self.fault("delay") + self.random.uniform(0, self.fault("jitter"))) / 1000
            if self.chance("reorder"):
                due = now
            else:
                due = self.last_due = max(due, self.last_due)
            self.number += 1
            self.bytes += len(frame)
            heapq.heappush(self.waiting, (due, self.number, frame))

    @staticmethod
    def send(to, frame):
        try:
            to.send(frame)
        except OSError:
            pass  # the interface is down, or its queue is full

    def run(self):
        while True:
            now = time.monotonic()
            timeout = 0.2
            if self.waiting and not self.fault("stall"):
                timeout = min(timeout, max(0.0, self.waiting[0][0] - now))
            readable, _, _ = select.select([self.near, self.far], [], [], timeout)
            self.read_settings()
            now = time.monotonic()
            for source in readable:
                for _ in range(64):
                    try:
                        frame, sender = source.recvfrom(65535)
                    except OSError:
                        break
                    if sender[2] == socket.PACKET_OUTGOING:
                        continue
                    if source is self.near:
                        self.take(frame, now)
                    elif not self.dropped(frame, now):
                        self.send(self.near, frame)
            while self.waiting and not self.fault("stall") and self.waiting[0][0] <= now:
                _, _, frame = heapq.heappop(self.waiting)
                self.bytes -= len(frame)
                self.send(self.far, frame)


if __name__ == "__main__":
    if sys.argv[1] == "plain":
        for name in sys.argv[2:]:
            plain(name)
    else:
        Link(*sys.argv[2:]).run()
