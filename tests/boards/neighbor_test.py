#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The UDP scan of neighbor.py with a simulated board. The scan finds open ports, and does not take silence for an open port."""
import pathlib
import shutil
import socket
import struct
import sys
import tempfile
import threading
import time
import unittest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TOP / "tests/boards"), str(TOP / "scripts")]
from neighbor import Neighbor  # noqa: E402
from support.world import Failure  # noqa: E402


class FakeBoard:
    """Behaves as Linux does in a UDP scan. It reports closed ports within the limits of icmp_ratelimit and icmp_msgs_per_sec, and loses
    each seventh frame."""
    MAC, ADDRESS = bytes.fromhex("025ea1ca3001"), "10.0.2.15"

    def __init__(self, neighbor, listening=(), mute=False, connected=None):
        self.neighbor, self.listening, self.mute, self.connected = neighbor, listening, mute, connected or {}
        self.here, self.there = (neighbor.paths["board"][i] for i in (1, 0))
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.here))
        self.socket.settimeout(0.1)
        self.frames, self.all, self.each, self.ended = 0, (50.0, time.monotonic()), {}, False
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def close(self):
        self.ended = True
        self.thread.join()
        self.socket.close()

    @staticmethod
    def _token(bucket, burst, rate):
        """Returns whether a token was available, and the new state of the bucket."""
        now = time.monotonic()
        tokens = min(burst, bucket[0] + (now - bucket[1]) * rate)
        return tokens >= 1, (tokens - (tokens >= 1), now)

    def _may(self, to):
        allowed, self.each[to] = self._token(self.each.get(to, (6.0, time.monotonic())), 6, 1)
        if not allowed:
            return False
        allowed, self.all = self._token(self.all, 50, 1000)
        return allowed

    def _run(self):
        while not self.ended:
            try:
                frame = self.socket.recv(65536)
            except TimeoutError:
                continue
            if frame[12:14] == b"\x08\x06":
                self.socket.sendto(frame[6:12] + self.MAC + b"\x08\x06" + frame[14:20] + b"\0\2" + self.MAC + frame[38:42] + frame[22:32],
                                   str(self.there))
                continue
            self.frames += 1
            source, port = frame[26:30], struct.unpack("!H", frame[36:38])[0]
            accepted = port in self.listening or self.connected.get(port) == socket.inet_ntoa(source)
            if self.mute or accepted or self.frames % 7 == 0 or not self._may(source):
                continue
            icmp = b"\3\3\0\0\0\0\0\0" + frame[14:]
            ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(icmp), 0, 0, 64, 1, 0) + frame[30:34] + source
            self.socket.sendto(b"\x02routr" + self.MAC + b"\x08\x00" + ip + icmp, str(self.there))


class UdpScan(unittest.TestCase):
    def setUp(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        self.neighbor = Neighbor(folder)
        self.addCleanup(self.neighbor.close)

    def board(self, **how):
        board = FakeBoard(self.neighbor, **how)
        self.addCleanup(board.close)
        return board

    def test_all_udp_ports_closed(self):
        self.board()
        self.assertEqual(self.neighbor.scan_udp(FakeBoard.ADDRESS, range(1, 700), 90), [])

    def test_open_udp_ports_are_found(self):
        self.board(listening=(53, 546))
        self.assertEqual(self.neighbor.scan_udp(FakeBoard.ADDRESS, range(1, 700), 90), [53, 546])

    def test_a_port_that_is_connected_to_one_sender(self):
        self.board(connected={68: "10.0.2.2"})
        until = time.monotonic() + 90
        self.assertTrue(self.neighbor.silent_udp(FakeBoard.ADDRESS, 68, 67, until, ("10.0.2.2", 67), 2))
        self.assertFalse(self.neighbor.silent_udp(FakeBoard.ADDRESS, 69, 67, until, ("10.0.2.2", 67), 2))
        self.assertFalse(self.neighbor.silent_udp(FakeBoard.ADDRESS, 68, 67, until))

    def test_a_silent_board_is_an_error(self):
        self.board(mute=True)
        with self.assertRaisesRegex(Failure, "too many silent ports"):
            self.neighbor.scan_udp(FakeBoard.ADDRESS, range(1, 100), 90)
        with self.assertRaisesRegex(Failure, "cannot be checked"):
            self.neighbor.silent_udp(FakeBoard.ADDRESS, 53, 54, time.monotonic() + 1)


if __name__ == "__main__":
    unittest.main()
