# SPDX-License-Identifier: Apache-2.0
"""Somebody in the board's network: an Ethernet station without a kernel's help, so that a whole port scan needs no rights.

It is the switch between the board and QEMU's user network, by UNIX datagram sockets (-netdev dgram): it passes frames on between
the two, and sends its own to the board alone. On a hub QEMU's user network would answer in the board's place."""
import collections
import pathlib
import select
import socket
import struct
import threading
import time

from support.world import Failure

MAC = bytes.fromhex("025ea1ca3077")
ADDRESS = "10.0.2.77"
BROADCAST = b"\xff" * 6
SYN, RST, ACK = 0x02, 0x04, 0x10


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Neighbour:
    def __init__(self, folder):
        self.sides = {}  # "board", "world" -> (socket, QEMU's path)
        self.paths = {}
        for side in ("board", "world"):
            here, there = pathlib.Path(folder, f"{side}-n"), pathlib.Path(folder, f"{side}-q")
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            s.bind(str(here))
            s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            self.sides[side], self.paths[side] = s, (here, there)
        self.host_names = set()  # what boards call themselves when they ask for an address (RFC 2132 section 3.14)
        self.boards = {}         # IPv4 address -> MAC
        self.answers = {}        # port -> "open" or "closed"
        self.ended = False
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def netdev(self, side, name):
        here, there = self.paths[side]
        there.unlink(missing_ok=True)
        return f"dgram,id={name},local.type=unix,local.path={there},remote.type=unix,remote.path={here}"

    def close(self):
        self.ended = True
        self.thread.join(2)
        for s in self.sides.values():
            s.close()

    # -- what comes ---------------------------------------------------------------------------------------------

    def _listen(self):
        board, world = self.sides["board"], self.sides["world"]
        while not self.ended:
            for s in select.select([board, world], [], [], 0.2)[0]:
                frame = s.recv(65536)
                mine = frame[:6] == MAC
                if s is world:
                    self._send(frame)
                    continue
                if not mine:
                    self._send(frame, "world")
                if len(frame) >= 34 and frame[12:14] == b"\x08\x06":
                    self._arp(frame)
                elif len(frame) >= 34 and frame[12:14] == b"\x08\x00":
                    self._ip(frame)

    def _arp(self, frame):
        operation, sender, source = frame[20:22], frame[22:28], socket.inet_ntoa(frame[28:32])
        self.boards[source] = sender
        if operation == b"\0\1" and socket.inet_ntoa(frame[38:42]) == ADDRESS:
            self._send_arp(2, sender, frame[28:32])

    def _ip(self, frame):
        size = (frame[14] & 15) * 4
        body, source = frame[14 + size:], socket.inet_ntoa(frame[26:30])
        if frame[23] == 6 and frame[30:34] == socket.inet_aton(ADDRESS) and len(body) >= 20:
            port, _, _, _, _, flags = struct.unpack("!HHIIBB", body[:14])
            if flags & (SYN | ACK) == SYN | ACK:
                self.answers[port] = "open"
            elif flags & RST:
                self.answers.setdefault(port, "closed")
        elif frame[23] == 17 and body[:4] == struct.pack("!HH", 68, 67):
            self._dhcp(body[8:])
        self.boards.setdefault(source, frame[6:12])

    def _dhcp(self, message):
        options = message[240:]
        while options and options[0] != 255:
            if options[0] == 0:
                options = options[1:]
                continue
            if len(options) < 2:
                return
            code, size = options[0], options[1]
            if code == 12:
                self.host_names.add(options[2:2 + size].decode(errors="replace"))
            options = options[2 + size:]

    # -- what goes ----------------------------------------------------------------------------------------------

    def _send(self, frame, side="board"):
        try:
            self.sides[side].sendto(frame, socket.MSG_DONTWAIT, str(self.paths[side][1]))
        except OSError:
            pass  # QEMU is not there yet, or has no room: networks lose frames

    def _send_arp(self, operation, to, address):
        self._send((BROADCAST if operation == 1 else to) + MAC + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x800, 6, 4, operation) + MAC +
                   socket.inet_aton(ADDRESS) + (b"\0" * 6 if operation == 1 else to) + address)

    def _send_syn(self, board, mac, port):
        addresses = socket.inet_aton(ADDRESS) + socket.inet_aton(board)
        source = 20000 + port % 20000
        tcp = struct.pack("!HHIIBBHHH", source, port, port * 7919, 0, 5 << 4, SYN, 1024, 0, 0)
        sum_of = checksum(addresses + struct.pack("!BBH", 0, 6, len(tcp)) + tcp)
        tcp = tcp[:16] + struct.pack("!H", sum_of) + tcp[18:]
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, port, 0, 64, 6, 0) + addresses
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        self._send(mac + MAC + b"\x08\x00" + ip + tcp)

    def scan(self, board, ports=range(1, 65536), seconds=300):
        """The open TCP ports of `board`. Every port has to answer, open or closed: silence is no answer."""
        deadline = time.monotonic() + seconds
        while board not in self.boards and time.monotonic() < deadline:
            self._send_arp(1, BROADCAST, socket.inet_aton(board))
            time.sleep(0.2)
        if board not in self.boards:
            raise Failure(f"{board} does not answer to ARP")
        self.answers = {}
        mac, left, asked = self.boards[board], collections.deque(ports), {}
        while (left or asked) and time.monotonic() < deadline:
            for port in [p for p in asked if p in self.answers]:
                del asked[port]
            now = time.monotonic()
            for port in [p for p, at in asked.items() if now - at > 3]:
                del asked[port]
                left.append(port)
            # At most so many under way that QEMU's queue holds their answers.
            while left and len(asked) < 128:
                port = left.popleft()
                asked[port] = now
                self._send_syn(board, mac, port)
            time.sleep(0.005)
        left = [p for p in ports if p not in self.answers]
        if left:
            raise Failure(f"{len(left)} ports of {board} gave no answer, {left[:5]} among them")
        return sorted(p for p in ports if self.answers[p] == "open")
