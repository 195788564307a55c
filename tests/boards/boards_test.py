#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Starts a card image in QEMU as its board would, and makes the camera in it somebody's.

    scripts/qemu image BOARD                  from power to a picture at a hub here, then --seconds of it
    scripts/qemu image BOARD --case NAME      one test: life, killed, slots (-M virt only), watch
    scripts/qemu image BOARD --interactive    the board's serial console until Ctrl-C; its pairing port is told

BOARD is 'qemu-virt' or 'raspberrypi'; scripts/image BOARD makes the image. Only copies of it are changed. The kernel line gets
sealcam.sensor=vivid, and sealcam.report, which lets the board say what it uses. Consoles are kept below build/image/consoles.
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
sys.path.insert(0, str(TOP / "tests"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from card import BOARDS, MIB, Card, Machine, pairing_string  # noqa: E402
from neighbour import Neighbour  # noqa: E402
from support.world import Failure, World, read_json, wait_for  # noqa: E402

HOST, BOARD = "10.0.2.2", "10.0.2.15"  # this machine (router and DHCP server, too) and the board in QEMU's user network
DHCP_CLIENT, DHCP_SERVER = 68, 67  # RFC 2131 section 4.1
# Emulation on a busy machine is slow: what takes this long will not come any more.
PATIENCE = float(os.environ.get("SEALCAM_BOARDS_PATIENCE", "1200"))
CONSOLES = TOP / "build/image/consoles"


def say(text):
    print(text, file=sys.stderr, flush=True)


def with_report(line):
    """The kernel line with a sensor that emulation has, and with the board's own report. QEMU's model of a Raspberry Pi's watchdog
    resets the board in the moment in which it is started (bcm2835_powermgt.c), so there it is left alone."""
    words = [line.strip(), "sealcam.report", "cfg80211.dyndbg=+p"]
    if "sealcam.sensor=" not in line:
        words += ["sealcam.sensor=vivid", "systemd.watchdog_sec=0"]
    return " ".join(words) + "\n"


class Scene(World):
    """Broker, owner and hub here; a board with a copy of the card."""

    def __init__(self, options, folder, log):
        super().__init__(options.host_build, folder)
        self.options = options
        self.card = Card(options.board, self.folder)
        self.card.kernel_line(with_report)
        self.neighbour = Neighbour(self.folder)
        echo = (lambda line: say(f"  | {line}")) if options.verbose else None
        self.machine = Machine(self.card, self.neighbour, log=log, echo=echo)
        self.log = log
        self.broker_hosts = ["127.0.0.1", HOST]
        self.account("owner")
        self.start_broker()
        self.display = self.start(self.hub("owner", "hub"))
        wait_for("hub is ready", self.display.status, 60, self.display.process)
        self.eye = self.probe("probe", self.display)

    def close(self):
        super().close()
        self.neighbour.close()
        CONSOLES.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob(f"{self.log}-*.log"):
            shutil.copyfile(path, CONSOLES / f"{self.options.board}-{path.name}")

    def command(self, *words):
        argv = [self.program("sealcam"), "--account", self.folder / "owner", *words]
        return subprocess.Popen([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def pair_words(self, string):
        return ("camera", "pair", string, "--name", "Board", "--broker", self.folder / "broker", "--at", f"127.0.0.1:{self.machine.port}",
                "--host", HOST)

    def pair(self, string):
        """Seconds that it took."""
        begun = time.monotonic()
        child = self.command(*self.pair_words(string))
        try:
            out, err = child.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            raise Failure("pairing did not end") from None
        if child.returncode != 0:
            raise Failure(f"pairing ended with {child.returncode}: {err or out}")
        return time.monotonic() - begun

    def live(self):
        return (read_json(self.eye.result) or {}).get("live", 0)

    def wait_live(self, run, before=None, seconds=PATIENCE):
        before = self.live() if before is None else before

        def more():
            if run.child.poll() is not None:
                raise Failure("QEMU ended")
            return self.live() > before
        wait_for("the board's picture is live at the hub here", more, seconds, step=0.1)


class Report:
    """What the board said of itself the last time."""

    def __init__(self, run, after, seconds=PATIENCE):
        """Waits for a whole report that began `after` that many seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            lines = [(t, line.split("sealcam-report: ", 1)[1]) for t, line in list(run.lines) if "sealcam-report: " in line]
            begins = [i for i, (t, line) in enumerate(lines) if line.startswith("begin") and t > after]
            ends = [i for i, (_, line) in enumerate(lines) if begins and line == "end" and i > begins[0]]
            if ends:
                self.lines = [line for _, line in lines[begins[0]:ends[0]]]
                return
            time.sleep(0.2)
        raise Failure("the board gave no report")

    def all(self, word):
        return [line[len(word) + 1:] for line in self.lines if line.startswith(word + " ")]

    def memory(self, key):
        return next(int(line.split()[1]) for line in self.all("memory") if line.startswith(key + ":"))

    def ports(self):
        """TCP ports that something listens on, by the kernel's own list."""
        return sorted({int(s.split()[1].rsplit(":", 1)[1], 16) for s in self.all("socket") if s.startswith("tcp")})

    def datagram_ports(self):
        return sorted({int(s.split()[1].rsplit(":", 1)[1], 16) for s in self.all("socket") if s.startswith("udp")})

    def check_country(self, wanted):
        """By what the kernel's log says of its rules; None is the world's. A kernel that said nothing has no radio."""
        said = self.all("radio")
        countries = [m[1] for line in said if (m := re.search(r"changed to country: (\w\w)", line))]
        if not said or countries != ([wanted] if wanted else []):
            raise Failure(f"the radios' rules should be those of {wanted or 'the world'}; the kernel said {said}")

    def check_people(self):
        if found := self.all("shell") + self.all("password"):
            raise Failure(f"users with a shell or a password: {found}")


def check_ports(scene, report, wanted, when):
    """From outside and by the kernel's list."""
    begun = time.monotonic()
    found = scene.neighbour.scan(BOARD, seconds=PATIENCE)
    if found != wanted or report.ports() != wanted:
        raise Failure(f"{when} {len(found)} ports are open, {found[:10]} among them, the kernel lists {report.ports()}; {wanted} should be")
    tcp, begun = time.monotonic() - begun, time.monotonic()
    check_udp(scene, report, when)
    return (f"all 65535 TCP ports scanned in {tcp:.0f} s, open: {found or 'none'}; all UDP ports in {time.monotonic() - begun:.0f} s, "
            "open: none but the DHCP client's, to its server")


def check_udp(scene, report, when):
    """The same for UDP. The DHCP client's socket belongs to its server alone: for everybody else the port is closed. That it is found in the
    server's name is the control: an open port would be."""
    found = scene.neighbour.scan_udp(BOARD, seconds=PATIENCE)
    if found or report.datagram_ports() != [DHCP_CLIENT]:
        raise Failure(f"{when} UDP ports are open: {found}, the kernel lists {report.datagram_ports()}; none but {DHCP_CLIENT} should be")
    until = time.monotonic() + PATIENCE
    for port, silent in ((DHCP_CLIENT, True), (DHCP_CLIENT + 1, False)):
        if scene.neighbour.silent_udp(BOARD, port, DHCP_CLIENT + 2, until, source=(HOST, DHCP_SERVER)) != silent:
            raise Failure(f"{when} UDP port {port}, asked by the DHCP server, seems {'closed' if silent else 'open'}: the scan finds nothing out")


def check_grown(card):
    whole = card.table()[7]
    if whole < 3000 * MIB:
        raise Failure(f"the data partition did not grow: {whole // MIB} MiB")


def life(scene):
    """From power to the next owner: settings from the card, pairing, pictures, killed while streaming, reset."""
    card = scene.card
    card.write("sealcam.json", b'{"name": "Front door", "country": "DE"}')
    said = []
    with scene.machine.boot() as run:
        shown, string = pairing_string(run, PATIENCE)
        said.append(f"pairing code {shown:.0f} s after power")
        report = Report(run, shown)
        report.check_people()
        report.check_country("DE")
        said.append("unpaired: " + check_ports(scene, report, [8421], "unpaired"))
        if scene.neighbour.host_names != {"front-door"}:
            raise Failure(f"the router is told {scene.neighbour.host_names}")
        took = scene.pair(string)
        begun = time.monotonic()
        scene.wait_live(run)
        said.append(f"paired in {took:.1f} s, first picture {time.monotonic() - begun:.1f} s after it")
        run.wait_line("*counts no longer*", PATIENCE)
        time.sleep(scene.options.seconds)
        report = Report(run, time.monotonic() - run.started)
        said.append(f"streaming: {report.memory('MemTotal') - report.memory('MemAvailable')} of {report.memory('MemTotal')} KiB used, "
                    f"{scene.live()} live pictures")
        said.append("processes: " + ", ".join(report.all("process")))
        said.append("writable: " + ", ".join(report.all("writable")))
        if failed := report.all("failed"):
            raise Failure(f"units failed: {failed}")
        said.append("paired: " + check_ports(scene, report, [], "paired"))
        scene.wait_live(run)
        run.stop()  # the power goes while it streams
    if left := {"sealcam.json", "pairing.txt"} & {n.lstrip(":/") for n in card.names()}:
        raise Failure(f"on the card there is still {left}")
    check_grown(card)
    with scene.machine.boot() as run:
        begun = time.monotonic()
        scene.wait_live(run)
        said.append(f"killed while streaming: live again {time.monotonic() - begun:.0f} s after power")
        Report(run, 0).check_country("DE")
        child = scene.command("camera", "transfer", "Board", "--wait", "300")
        shown, again = pairing_string(run, PATIENCE)
        out, err = child.communicate(timeout=PATIENCE)
        if again.split("@")[0] == string.split("@")[0]:
            raise Failure("the camera kept its identity")
        said.append(f"reset: unpaired again {shown - (begun - run.started):.0f} s after power, owner's command ended with {child.returncode}")
        if child.returncode not in (0, os.EX_TEMPFAIL):
            raise Failure(f"the transfer ended with {child.returncode}: {err or out}")
    return said


def killed(scene):
    """The power goes in the middle of the first start, three times, and of pairing; bad settings are said and harm nothing. Nobody named a
    country: the rules that a radio finds are the world's."""
    said, card = [], scene.card
    card.kernel_line(lambda line: line.strip() + " modules-load=mac80211_hwsim mac80211_hwsim.radios=1\n")
    card.half_grown()
    card.write("sealcam.json", b'{"name": "x", "wlan": {"psk": "geheimes1"}}')
    for line, seconds in (("*Starting kernel*", 12), ("*Starting kernel*", 35)) if scene.options.board == "qemu-virt" else (("*", 20), ("*", 45)):
        with scene.machine.boot() as run:
            run.wait_line(line, PATIENCE)
            time.sleep(seconds)
    with scene.machine.boot() as run:
        shown, string = pairing_string(run, PATIENCE)
        Report(run, 0).check_country(None)
        child = scene.command(*scene.pair_words(string))
        time.sleep(0.7)
        run.stop()
        child.kill()
        child.communicate()
    said.append("killed twice in the first start and once while pairing")
    if b"/wlan" not in (card.read("sealcam-settings-error.txt") or b"") or card.read("sealcam.json") is None:
        raise Failure(f"bad settings: the card has {card.names()}")
    check_grown(card)
    before = scene.live()
    with scene.machine.boot() as run:
        wait_for("the camera is somebody's, or says how it becomes that", lambda: scene.live() > before or
                 run.find("*sealcam:1:*@*"), PATIENCE, step=0.1)
        if scene.live() == before:
            shown, string = pairing_string(run, PATIENCE)
            # An owner whose command was killed may hold a record of the camera.
            scene.command("camera", "remove", "Board", "--forget").communicate(timeout=60)
            took = scene.pair(string)
            said.append(f"then unpaired; paired in {took:.1f} s")
        scene.wait_live(run, before)
        said.append("live")
    return said


def slots(scene):
    """A root that was only tried and does not start: the board goes back by itself (-M virt's boot loader)."""
    card = scene.card
    for name in ("kernel", "initramfs"):
        card.write(name, card.read(name, 2), 3)
    card.write("boot.txt", card.read("boot.txt", 2).replace(b"sealcam.root=5", b"sealcam.root=6").replace(b"slot=a", b"slot=b"), 3)
    card.write("tryboot", b"")
    with scene.machine.boot() as run:
        run.wait_line("*starting from partition 3*", PATIENCE)
        run.wait_line("*the root on * cannot be mounted*", PATIENCE)
        run.wait_line("*starting from partition 2*", PATIENCE)
        back, _ = pairing_string(run, PATIENCE)
    if card.read("tryboot") is not None:
        raise Failure("the mark to try is still there")
    card.write("autoboot.txt", b"boot_partition=3\ntryboot_partition=2\n")
    with card.path.open("r+b") as image:
        root = card.raw(5)
        image.seek(card.partitions[6][0])
        image.write(root)
    with scene.machine.boot() as run:
        run.wait_line("*starting from partition 3*", PATIENCE)
        pairing_string(run, PATIENCE)
    return [f"empty root B tried once, back in root A and ready {back:.0f} s after power; root B written and chosen: it starts"]


def watch(scene):
    """What a person sees: pairing code, pairing, pictures."""
    with scene.machine.boot() as run:
        shown, string = pairing_string(run, PATIENCE)
        say(f"pairing code {shown:.0f} s after power: {string}")
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
        say(f"its pairing port is 127.0.0.1:{machine.port} here; Ctrl-A X ends it")
        return subprocess.call([str(a) for a in machine.command()] + ["-serial", "mon:stdio"])


def main():
    parser = argparse.ArgumentParser(prog="scripts/qemu image", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("board", choices=sorted(BOARDS))
    parser.add_argument("--case", choices=sorted(CASES), default="watch")
    parser.add_argument("--seconds", type=int, default=15, help="of streaming (default: %(default)s)")
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
