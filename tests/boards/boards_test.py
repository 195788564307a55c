#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Starts a card image in QEMU and pairs its camera.

    scripts/qemu image BOARD                  pairs, then shows pictures at a hub on this machine for --seconds
    scripts/qemu image BOARD --case NAME      runs one test: life, killed, slots (-M virt only), watch
    scripts/qemu image BOARD --interactive    opens the serial console of the board and prints its pairing port

BOARD is 'qemu-virt' or 'raspberrypi'. scripts/image BOARD builds the image; tests change only copies of it. They add
sealcam.sensor=vivid to the kernel command line, and sealcam.report, with which the board prints its resources. The console
output is in build/image/consoles.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "scripts"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from card import BOARDS, MIB, Card, Machine, pairing_string  # noqa: E402
from neighbor import Neighbor  # noqa: E402
from support.world import Failure, World, read_json, wait_for  # noqa: E402

HOST, BOARD = "10.0.2.2", "10.0.2.15"  # in QEMU's user network: this machine, which is router and DHCP server, and the board
DHCP_CLIENT, DHCP_SERVER = 68, 67  # RFC 2131 section 4.1
# Emulation on a busy machine is slow. After this time, a step has failed.
TIMEOUT = float(os.environ.get("SEALCAM_BOARDS_TIMEOUT", "1200"))
CONSOLES = TOP / "build/image/consoles"


def show(text):
    print(text, file=sys.stderr, flush=True)


def with_report(line):
    """Returns the kernel command line with a sensor for the emulation and with the report. On a Raspberry Pi the watchdog is disabled,
    because QEMU's model resets the board when the watchdog is started (bcm2835_powermgt.c)."""
    arguments = [line.strip(), "sealcam.report", "cfg80211.dyndbg=+p"]
    if "sealcam.sensor=" not in line:
        arguments += ["sealcam.sensor=vivid", "systemd.watchdog_sec=0"]
    return " ".join(arguments) + "\n"


class Scene(World):
    """Broker, owner and hub on this machine, and a board with a copy of the card image."""

    def __init__(self, options, folder, log):
        super().__init__(options.host_build, folder)
        self.options = options
        self.card = Card(options.board, self.folder)
        self.card.kernel_line(with_report)
        self.neighbor = Neighbor(self.folder)
        echo = (lambda line: show(f"  | {line}")) if options.verbose else None
        self.machine = Machine(self.card, self.neighbor, log=log, echo=echo)
        self.log = log
        self.broker_hosts = ["127.0.0.1", HOST]
        self.account("owner")
        self.start_broker()
        self.display = self.start(self.hub("owner", "hub"))
        wait_for("hub is ready", self.display.status, 60, self.display.process)
        self.hub_probe = self.probe("probe", self.display)

    def close(self):
        super().close()
        self.neighbor.close()
        CONSOLES.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob(f"{self.log}-*.log"):
            shutil.copyfile(path, CONSOLES / f"{self.options.board}-{path.name}")

    def command(self, *arguments):
        argv = [self.program("sealcam"), "--account", self.folder / "owner", *arguments]
        return subprocess.Popen([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def pair_arguments(self, string):
        return ("camera", "pair", string, "--name", "Board", "--broker", self.folder / "broker", "--at", f"127.0.0.1:{self.machine.port}",
                "--host", HOST)

    def pair(self, string):
        """Pairs the camera. Returns the duration in seconds."""
        begun = time.monotonic()
        child = self.command(*self.pair_arguments(string))
        try:
            out, err = child.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            child.kill()
            raise Failure("'sealcam camera pair' did not exit") from None
        if child.returncode != 0:
            raise Failure(f"'sealcam camera pair' exited with {child.returncode}: {err or out}")
        return time.monotonic() - begun

    def live(self):
        return (read_json(self.hub_probe.result) or {}).get("live", 0)

    def wait_live(self, run, before=None, seconds=TIMEOUT):
        before = self.live() if before is None else before

        def more():
            if run.child.poll() is not None:
                raise Failure("QEMU exited")
            return self.live() > before
        wait_for("the hub shows a LIVE picture of the board", more, seconds, step=0.1)


class Report:
    """The last report of the board."""

    def __init__(self, run, after, seconds=TIMEOUT):
        """Waits for a complete report that began more than `after` seconds after the start."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            lines = [(t, line.split("sealcam-report: ", 1)[1]) for t, line in list(run.lines) if "sealcam-report: " in line]
            begins = [i for i, (t, line) in enumerate(lines) if line.startswith("begin") and t > after]
            ends = [i for i, (_, line) in enumerate(lines) if begins and line == "end" and i > begins[0]]
            if ends:
                self.lines = [line for _, line in lines[begins[0]:ends[0]]]
                return
            time.sleep(0.2)
        raise Failure("the board printed no report")

    def all(self, key):
        return [line[len(key) + 1:] for line in self.lines if line.startswith(key + " ")]

    def memory(self, key):
        return next(int(line.split()[1]) for line in self.all("memory") if line.startswith(key + ":"))

    def ports(self):
        """Returns the TCP ports with a listener, from the kernel's list."""
        return sorted({int(s.split()[1].rsplit(":", 1)[1], 16) for s in self.all("socket") if s.startswith("tcp")})

    def datagram_ports(self):
        return sorted({int(s.split()[1].rsplit(":", 1)[1], 16) for s in self.all("socket") if s.startswith("udp")})

    def check_country(self, expected):
        """Checks the country in the kernel's log. None: the rules for all countries. Without a log entry there is no radio."""
        entries = self.all("radio")
        countries = [m[1] for line in entries if (m := re.search(r"changed to country: (\w\w)", line))]
        if not entries or countries != ([expected] if expected else []):
            raise Failure(f"the kernel must use the rules of {expected or 'all countries'}; it logged {entries}")

    def check_users(self):
        if found := self.all("shell") + self.all("password"):
            raise Failure(f"users with a shell or a password: {found}")


def check_ports(scene, report, expected, when):
    """Compares the open ports with a scan from outside and with the kernel's list."""
    begun = time.monotonic()
    found = scene.neighbor.scan(BOARD, seconds=TIMEOUT)
    if found != expected or report.ports() != expected:
        raise Failure(f"{when}: {len(found)} ports are open, for example {found[:10]}; the kernel lists {report.ports()}; expected {expected}")
    tcp, begun = time.monotonic() - begun, time.monotonic()
    check_udp(scene, report, when)
    return (f"all 65535 TCP ports scanned in {tcp:.0f} s, open: {found or 'none'}; all UDP ports in {time.monotonic() - begun:.0f} s, "
            "open: only that of the DHCP client, for its server")


def check_udp(scene, report, when):
    """Checks UDP ports. The socket of the DHCP client is connected to its server, so the port is closed for other senders. The control
    finds it with the address of the server as the sender."""
    found = scene.neighbor.scan_udp(BOARD, seconds=TIMEOUT)
    if found or report.datagram_ports() != [DHCP_CLIENT]:
        raise Failure(f"{when}: open UDP ports {found}; the kernel lists {report.datagram_ports()}; expected only {DHCP_CLIENT}")
    until = time.monotonic() + TIMEOUT
    for port, silent in ((DHCP_CLIENT, True), (DHCP_CLIENT + 1, False)):
        if scene.neighbor.silent_udp(BOARD, port, DHCP_CLIENT + 2, until, source=(HOST, DHCP_SERVER)) != silent:
            raise Failure(f"{when}: for the DHCP server, UDP port {port} seems {'closed' if silent else 'open'}: the scan does not work")


def check_grown(card):
    whole = card.table()[7]
    if whole < 3000 * MIB:
        raise Failure(f"the data partition did not grow: {whole // MIB} MiB")


def life(scene):
    """Settings from the card, pairing, pictures, a power failure while streaming, and a reset for the next owner."""
    card = scene.card
    card.write("sealcam.json", b'{"name": "Front door", "country": "DE"}')
    results = []
    with scene.machine.boot() as run:
        shown, string = pairing_string(run, TIMEOUT)
        results.append(f"pairing code {shown:.0f} s after power")
        report = Report(run, shown)
        report.check_users()
        report.check_country("DE")
        results.append("unpaired: " + check_ports(scene, report, [8421], "unpaired"))
        if scene.neighbor.host_names != {"front-door"}:
            raise Failure(f"the board sends the host names {scene.neighbor.host_names} to the DHCP server")
        took = scene.pair(string)
        begun = time.monotonic()
        scene.wait_live(run)
        results.append(f"paired in {took:.1f} s, first picture {time.monotonic() - begun:.1f} s after it")
        run.wait_line("*no longer valid*", TIMEOUT)
        time.sleep(scene.options.seconds)
        report = Report(run, time.monotonic() - run.started)
        results.append(f"streaming: {report.memory('MemTotal') - report.memory('MemAvailable')} of {report.memory('MemTotal')} KiB used, "
                    f"{scene.live()} live pictures")
        results.append("processes: " + ", ".join(report.all("process")))
        results.append("writable: " + ", ".join(report.all("writable")))
        if failed := report.all("failed"):
            raise Failure(f"units failed: {failed}")
        results.append("paired: " + check_ports(scene, report, [], "paired"))
        scene.wait_live(run)
        run.stop()  # a power failure while the camera streams
    if left := {"sealcam.json", "pairing.txt"} & {n.lstrip(":/") for n in card.names()}:
        raise Failure(f"these files are still on the card: {left}")
    check_grown(card)
    with scene.machine.boot() as run:
        begun = time.monotonic()
        scene.wait_live(run)
        results.append(f"after a power failure while streaming: LIVE again {time.monotonic() - begun:.0f} s after power")
        Report(run, 0).check_country("DE")
        child = scene.command("camera", "transfer", "Board", "--wait", "300")
        shown, again = pairing_string(run, TIMEOUT)
        out, err = child.communicate(timeout=TIMEOUT)
        if again.split("@")[0] == string.split("@")[0]:
            raise Failure("the camera has the same identity after the reset")
        results.append(f"reset: unpaired again {shown - (begun - run.started):.0f} s after power, the owner's command exited with {child.returncode}")
        if child.returncode not in (0, os.EX_TEMPFAIL):
            raise Failure(f"'sealcam camera transfer' exited with {child.returncode}: {err or out}")
    return results


def killed(scene):
    """Power failures in the first start and during pairing. Invalid settings are reported and ignored. Without a country, a radio uses the
    rules for all countries."""
    results, card = [], scene.card
    card.kernel_line(lambda line: line.strip() + " modules-load=mac80211_hwsim mac80211_hwsim.radios=1\n")
    card.half_grown()
    card.write("sealcam.json", b'{"name": "x", "wlan": {"psk": "geheimes1"}}')
    for line, seconds in (("*Starting kernel*", 12), ("*Starting kernel*", 35)) if scene.options.board == "qemu-virt" else (("*", 20), ("*", 45)):
        with scene.machine.boot() as run:
            run.wait_line(line, TIMEOUT)
            time.sleep(seconds)
    with scene.machine.boot() as run:
        shown, string = pairing_string(run, TIMEOUT)
        Report(run, 0).check_country(None)
        child = scene.command(*scene.pair_arguments(string))
        time.sleep(0.7)
        run.stop()
        child.kill()
        child.communicate()
    results.append("two power failures in the first start and one while pairing")
    if b"/wlan" not in (card.read("sealcam-settings-error.txt") or b"") or card.read("sealcam.json") is None:
        raise Failure(f"invalid settings: the card has the files {card.names()}")
    check_grown(card)
    before = scene.live()
    with scene.machine.boot() as run:
        wait_for("the camera streams or shows a pairing string", lambda: scene.live() > before or
                 run.find("*sealcam:1:*@*"), TIMEOUT, step=0.1)
        if scene.live() == before:
            shown, string = pairing_string(run, TIMEOUT)
            # After the killed command, the account may contain the camera.
            scene.command("camera", "remove", "Board", "--forget").communicate(timeout=60)
            took = scene.pair(string)
            results.append(f"the camera was unpaired; paired in {took:.1f} s")
        scene.wait_live(run, before)
        results.append("live")
    return results


def slots(scene):
    """A root system that does not start: the boot loader of -M virt returns to the previous one."""
    card = scene.card
    for name in ("kernel", "initramfs"):
        card.write(name, card.read(name, 2), 3)
    card.write("boot.txt", card.read("boot.txt", 2).replace(b"sealcam.root=5", b"sealcam.root=6").replace(b"slot=a", b"slot=b"), 3)
    card.write("tryboot", b"")
    with scene.machine.boot() as run:
        run.wait_line("*starting from partition 3*", TIMEOUT)
        run.wait_line("*the root on * cannot be mounted*", TIMEOUT)
        run.wait_line("*starting from partition 2*", TIMEOUT)
        back, _ = pairing_string(run, TIMEOUT)
    if card.read("tryboot") is not None:
        raise Failure("the file tryboot still exists")
    card.write("autoboot.txt", b"boot_partition=3\ntryboot_partition=2\n")
    with card.path.open("r+b") as image:
        root = card.raw(5)
        image.seek(card.partitions[6][0])
        image.write(root)
    with scene.machine.boot() as run:
        run.wait_line("*starting from partition 3*", TIMEOUT)
        pairing_string(run, TIMEOUT)
    return [f"empty root B tried once; root A ready {back:.0f} s after power; root B starts after it is written and selected"]


def watch(scene):
    """Shows the pairing string, pairs, and streams."""
    with scene.machine.boot() as run:
        shown, string = pairing_string(run, TIMEOUT)
        show(f"pairing code {shown:.0f} s after power: {string}")
        took = scene.pair(string)
        begun = time.monotonic()
        scene.wait_live(run)
        first = time.monotonic() - begun
        time.sleep(scene.options.seconds)
        return [f"pairing code {shown:.0f} s after power, paired in {took:.1f} s, first picture {first:.1f} s after it, "
                f"{scene.live()} live pictures in {scene.options.seconds} s"]


CASES = {f.__name__: f for f in (watch, life, killed, slots)}


def interactive(options):
    with tempfile.TemporaryDirectory(prefix="sealcam-boards-") as folder:
        card = Card(options.board, folder)
        card.kernel_line(with_report)
        machine = Machine(card)
        show(f"pairing port: 127.0.0.1:{machine.port}; Ctrl-A X ends QEMU")
        return subprocess.call([str(a) for a in machine.command()] + ["-serial", "mon:stdio"])


def main():
    parser = argparse.ArgumentParser(prog="scripts/qemu image", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("board", choices=sorted(BOARDS))
    parser.add_argument("--case", choices=sorted(CASES), default="watch")
    parser.add_argument("--seconds", type=int, default=15, help="duration of streaming (default: %(default)s)")
    parser.add_argument("--interactive", action="store_true")
    parser.add_argument("--verbose", action="store_true", help="show the board's console")
    parser.add_argument("--host-build", default=str(TOP / "build/dev"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.interactive:
        return interactive(options)
    with tempfile.TemporaryDirectory(prefix="sealcam-boards-") as folder, Scene(options, folder, options.case) as scene:
        for line in CASES[options.case](scene):
            print(f"{options.board}: {line}", flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, OSError, subprocess.SubprocessError) as failure:
        sys.exit(f"error: {failure}")
