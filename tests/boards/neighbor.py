# SPDX-License-Identifier: Apache-2.0
"""A machine in the board's network that scans the ports of the board. It implements Ethernet and IP itself, so it needs no privileges.

It is a switch between the board and QEMU's user network, with UNIX datagram sockets (-netdev dgram). It forwards frames between both,
and sends its own frames only to the board. On a hub, QEMU's user network would answer instead of the board.

Linux answers a datagram to a closed port with an ICMP message. It sends six of them at once and then one per second to each address, and
at most 1000 per second. Therefore the scan uses many sender addresses (198.18.0.0/15, RFC 2544). The board sends the answers to the
router, so they pass this switch."""
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
SCAN_SENDERS = struct.unpack("!I", socket.inet_aton("198.18.0.0"))[0]


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def is_scan_sender(address):
    return struct.unpack("!I", address)[0] >> 17 == SCAN_SENDERS >> 17


class Neighbor:
    def __init__(self, folder):
        self.sides = {}  # "board", "world" -> (socket, QEMU's path)
        self.paths = {}
        for side in ("board", "world"):
            here, there = pathlib.Path(folder, f"{side}-n"), pathlib.Path(folder, f"{side}-q")
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            s.bind(str(here))
            s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            self.sides[side], self.paths[side] = s, (here, there)
        self.host_names = set()  # host names in DHCP requests (RFC 2132 section 3.14)
        self.boards = {}         # IPv4 address -> MAC
        self.answers = {}        # port -> "open" or "closed"
        self.unreachable = set()  # (sender, UDP port) of each answer that a port is closed
        self.closed = set()       # the ports of these answers
        self.replied = set()      # UDP ports that sent a datagram
        self.probes_sent = 0        # UDP probes from the scan addresses
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

    # -- received frames ---------------------------------------------------------------------------------------------

    def _listen(self):
        board, world = self.sides["board"], self.sides["world"]
        while not self.ended:
            for s in select.select([board, world], [], [], 0.2)[0]:
                frame = s.recv(65536)
                ip = len(frame) >= 34 and frame[12:14] == b"\x08\x00"
                mine = frame[:6] == MAC or (ip and is_scan_sender(frame[30:34]))
                if s is world:
                    self._send(frame)
                    continue
                if not mine:
                    self._send(frame, "world")
                if len(frame) >= 34 and frame[12:14] == b"\x08\x06":
                    self._arp(frame)
                elif ip:
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
        elif frame[23] == 17 and is_scan_sender(frame[30:34]) and len(body) >= 8:
            self.replied.add(struct.unpack("!H", body[:2])[0])
        elif frame[23] == 17 and body[:4] == struct.pack("!HH", 68, 67):
            self._dhcp(body[8:])
        elif frame[23] == 1 and body[:2] == b"\3\3" and len(body) >= 36 and body[8 + 9] == 17:  # RFC 792: port unreachable
            original = body[8 + (body[8] & 15) * 4:]
            if len(original) >= 4:
                port = struct.unpack("!H", original[2:4])[0]
                self.closed.add(port)
                self.unreachable.add((socket.inet_ntoa(frame[30:34]), port))
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

    # -- sent frames ----------------------------------------------------------------------------------------------

    def _send(self, frame, side="board"):
        """Returns whether the frame was sent. This fails if QEMU does not run yet or its queue is full."""
        try:
            self.sides[side].sendto(frame, socket.MSG_DONTWAIT, str(self.paths[side][1]))
        except OSError:
            return False  # networks lose frames
        return True

    def _send_arp(self, operation, to, address):
        self._send((BROADCAST if operation == 1 else to) + MAC + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x800, 6, 4, operation) + MAC +
                   socket.inet_aton(ADDRESS) + (b"\0" * 6 if operation == 1 else to) + address)

    def _send_syn(self, board, mac, port):
        addresses = socket.inet_aton(ADDRESS) + socket.inet_aton(board)
        source = 20000 + port % 20000
        tcp = struct.pack("!HHIIBBHHH", source, port, port * 7919, 0, 5 << 4, SYN, 1024, 0, 0)
        sum_of = checksum(addresses + struct.pack("!BBH", 0, 6, len(tcp)) + tcp)
        tcp = tcp[:16] + struct.pack("!H", sum_of) + tcp[18:]
        self._send_ip(mac, 6, addresses, port, tcp)

    def _send_ip(self, mac, protocol, addresses, number, body):
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), number, 0, 64, protocol, 0) + addresses
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        return self._send(mac + MAC + b"\x08\x00" + ip + body)

    def _send_udp(self, board, mac, port, source, source_port=40000):
        # Two zero bytes, without a checksum (RFC 768).
        return self._send_ip(mac, 17, socket.inet_aton(source) + socket.inet_aton(board), port, struct.pack("!HHHH", source_port, port, 10, 0) + b"\0\0")

    def _sender(self, probes):
        """Returns the sender address of the next probe. Each address is used for at most `probes` probes."""
        self.probes_sent += 1
        return socket.inet_ntoa(struct.pack("!I", SCAN_SENDERS + self.probes_sent // probes % (1 << 17)))

    def _find(self, board, deadline):
        while board not in self.boards and time.monotonic() < deadline:
            self._send_arp(1, BROADCAST, socket.inet_aton(board))
            time.sleep(0.2)
        if board not in self.boards:
            raise Failure(f"{board} does not answer to ARP")
        return self.boards[board]

    def scan(self, board, ports=range(1, 65536), seconds=300):
        """Returns the open TCP ports of `board`. A port that does not answer is an error."""
        deadline = time.monotonic() + seconds
        self.answers = {}
        mac, left, pending = self._find(board, deadline), collections.deque(ports), {}
        while (left or pending) and time.monotonic() < deadline:
            for port in [p for p in pending if p in self.answers]:
                del pending[port]
            now = time.monotonic()
            for port in [p for p, at in pending.items() if now - at > 3]:
                del pending[port]
                left.append(port)
            # QEMU's queue has space for this number of answers.
            while left and len(pending) < 128:
                port = left.popleft()
                pending[port] = now
                self._send_syn(board, mac, port)
            time.sleep(0.005)
        left = [p for p in ports if p not in self.answers]
        if left:
            raise Failure(f"{len(left)} ports of {board} did not answer, for example {left[:5]}")
        return sorted(p for p in ports if self.answers[p] == "open")

    # -- UDP ----------------------------------------------------------------------------------------------------

    def scan_udp(self, board, ports=range(1, 65536), seconds=300):
        """Returns the UDP ports of `board` that are not closed. Sends a datagram to each port, and again to ports without an answer, more
        slowly if many answers are missing. The last ports are checked one by one with silent_udp()."""
        deadline = time.monotonic() + seconds
        mac, left, batch, idle = self._find(board, deadline), list(ports), 16, 0
        self.closed, self.replied = set(), set()
        while len(left) > 8 and idle < 3:
            before = len(left)
            self._probe_udp(board, mac, left, batch, deadline)
            left = [p for p in left if p not in self.closed]
            idle = 0 if len(left) < before else idle + 1
            batch = batch if len(left) < before / 10 else max(1, batch // 2)
        closed = list(self.closed)
        if not closed or len(left) > 64:
            raise Failure(f"{len(left)} UDP ports of {board} are silent and {len(closed)} are closed: too many silent ports for a result")
        return sorted(p for p in left if p in self.replied or self.silent_udp(board, p, min(closed), deadline))

    def _probe_udp(self, board, mac, ports, batch, deadline):
        """Sends a datagram to each port, at most `batch` in 20 ms. Waits 2 s for the last answers."""
        at = 0
        while at < len(ports):
            if time.monotonic() > deadline:
                raise Failure(f"{len(ports) - at} UDP ports of {board} were not probed in time")
            for port in ports[at:at + batch]:
                if not self._send_udp(board, mac, port, self._sender(5)):
                    break
                at += 1
            time.sleep(0.02)
        until = time.monotonic() + 2
        while time.monotonic() < until and any(p not in self.closed for p in ports):
            time.sleep(0.05)

    def silent_udp(self, board, port, reference, deadline, source=None, rounds=5):
        """Returns whether `port` is silent. After each probe, the same sender probes the closed port `reference`. Only rounds in which the
        board answers for `reference` count. `source`: (address, port) of the sender; by default, addresses of the scan."""
        mac, silent = self._find(board, deadline), 0
        while silent < rounds:
            if time.monotonic() > deadline:
                raise Failure(f"UDP port {port} of {board} cannot be checked: the closed port {reference} is silent, too")
            address, source_port = source or (self._sender(2), 40000)
            self.unreachable -= {(address, port), (address, reference)}
            for target in (port, reference):
                self._send_udp(board, mac, target, address, source_port)
            until = time.monotonic() + 2
            while (address, reference) not in self.unreachable and time.monotonic() < until:
                time.sleep(0.02)
            if (address, port) in self.unreachable:
                return False
            silent += (address, reference) in self.unreachable
            if source:
                time.sleep(2.2)  # the board answers one address at most twice in two seconds
        return True
