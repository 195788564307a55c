# SPDX-License-Identifier: Apache-2.0
"""Tells how busy this machine is."""
import statistics
import threading
import time


class Pauses:
    """Measures how late this machine runs a thread that is due. The programs under test cannot block this thread."""

    def __init__(self):
        self.late = []  # ms
        self.ends = []  # the time of each entry
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def run(self):
        while not self.ended.is_set():
            due = time.monotonic() + 0.005
            time.sleep(0.005)
            self.late.append((time.monotonic() - due) * 1000)
            self.ends.append(time.time())

    def longer(self, than):
        """(begin, end) of each pause of more than this number of ms."""
        return [(end - late / 1000, end) for end, late in zip(self.ends, self.late) if late > than]

    def p95(self):
        return statistics.quantiles(self.late, n=20)[-1]
