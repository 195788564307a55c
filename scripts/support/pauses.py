# SPDX-License-Identifier: Apache-2.0
"""Tells how busy this machine is."""
import statistics
import threading
import time


class Pauses:
    """Measures how late this machine runs a thread that is due. The programs under test cannot block this thread."""

    def __init__(self):
        self.late = []
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

    def p95(self):
        return statistics.quantiles(self.late, n=20)[-1]
