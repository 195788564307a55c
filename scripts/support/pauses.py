# SPDX-License-Identifier: Apache-2.0
"""Tells how busy this machine is."""
import os
import pathlib
import statistics
import subprocess
import threading
import time

from .world import cpu_and_memory


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


def usage(pid):
    """CPU seconds and KiB of a process and its children."""
    found, cpu, memory = [pid], 0, 0
    for line in subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout.splitlines():
        child, parent = map(int, line.split())
        if parent in found:
            found.append(child)
    for each in found:
        try:
            seconds, kib = cpu_and_memory(each)
        except OSError:
            continue  # it ended
        cpu, memory = cpu + seconds, memory + kib
    return cpu, memory


class OtherWork:
    """Measures the share of the processors that other processes use, without this process and its children."""

    def __init__(self):
        self.before = self.now()

    @staticmethod
    def now():
        """Time, CPU seconds of the machine, and CPU seconds of this process and its children."""
        fields = pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
        busy = sum(int(field) for number, field in enumerate(fields) if number not in (3, 4))  # without idle and iowait
        return time.monotonic(), busy / os.sysconf("SC_CLK_TCK"), usage(os.getpid())[0]

    def factor(self):
        """The factor by which other work has prolonged the time of this process since the start of the measurement; 1 on an idle machine."""
        passed, busy, own = (after - before for after, before in zip(self.now(), self.before))
        count = os.cpu_count() or 1
        return count / max(0.1, count - max(0, busy - own) / passed)
