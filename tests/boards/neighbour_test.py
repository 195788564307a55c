#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The UDP scan of neighbour.py, on a board that answers as a Linux does: planted ports are found, and silence is not taken for an answer."""
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
sys.path[:0] = [str(TOP / "tests/boards"), str(TOP / "tests")]
from neighbour import Neighbour  # noqa: E402
from support.world import Failure  # noqa: E402


class FakeBoard:
    """As far as a UDP scan sees a Linux: it says which ports are closed, as often as icmp_ratelimit and icmp_msgs_per_sec let it, and
    loses every seventh frame on top of it."""
    MAC, ADDRESS = bytes.fromhex("025ea1ca3001"), "10.0.2.15"

    def __init__(self, neighbour, listening=(), mute=False, connected=None):
        self.neighbour, self.listening, self.mute, self.connected = neighbour, listening, mute, connected or {}
        self.here, self.there = (neighbour.paths["board"][i] for i in (1, 0))
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
        """(whether there is one, the bucket afterwards)"""
        now = time.monotonic()
        tokens = min(burst, bucket[0] + (now - bucket[1]) * rate)
        return tokens >= 1, (tokens - (tokens >= 1), now)

    def _may(self, to):
        mine, self.each[to] = self._token(self.each.get(to, (6.0, time.monotonic())), 6, 1)
        if not mine:
            return False
        ours, self.all = self._token(self.all, 50, 1000)
        return ours

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
            heard = port in self.listening or self.connected.get(port) == socket.inet_ntoa(source)
            if self.mute or heard or self.frames % 7 == 0 or not self._may(source):
                continue
            icmp = b"\3\3\0\0\0\0\0\0" + frame[14:]
            ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(icmp), 0, 0, 64, 1, 0) + frame[30:34] + source
            self.socket.sendto(b"\x02routr" + self.MAC + b"\x08\x00" + ip + icmp, str(self.there))


class FromOutside(unittest.TestCase):
    def setUp(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        self.neighbour = Neighbour(folder)
        self.addCleanup(self.neighbour.close)

    def board(self, **how):
        board = FakeBoard(self.neighbour, **how)
        self.addCleanup(board.close)
        return board

    def test_all_udp_ports_closed(self):
        self.board()
        self.assertEqual(self.neighbour.scan_udp(FakeBoard.ADDRESS, range(1, 700), 90), [])

    def test_a_planted_udp_port_is_found(self):
        self.board(listening=(53, 546))
        self.assertEqual(self.neighbour.scan_udp(FakeBoard.ADDRESS, range(1, 700), 90), [53, 546])

    def test_a_port_that_hears_one_sender_alone(self):
        self.board(connected={68: "10.0.2.2"})
        until = time.monotonic() + 90
        self.assertTrue(self.neighbour.silent_udp(FakeBoard.ADDRESS, 68, 67, until, ("10.0.2.2", 67), 2))
        self.assertFalse(self.neighbour.silent_udp(FakeBoard.ADDRESS, 69, 67, until, ("10.0.2.2", 67), 2))
        self.assertFalse(self.neighbour.silent_udp(FakeBoard.ADDRESS, 68, 67, until))

    def test_a_board_that_says_nothing_is_no_closed_one(self):
        self.board(mute=True)
        with self.assertRaisesRegex(Failure, "too many to judge"):
            self.neighbour.scan_udp(FakeBoard.ADDRESS, range(1, 100), 90)
        with self.assertRaisesRegex(Failure, "cannot be judged"):
            self.neighbour.silent_udp(FakeBoard.ADDRESS, 53, 54, time.monotonic() + 1)


if __name__ == "__main__":
    unittest.main()
