#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Updates a board in QEMU: from slot a to b and back, a start that is not marked as good, and bundles that RAUC rejects.

    ./scripts/test updates                                          # builds the images, then runs all of this
    ./scripts/sdk run python3 tests/updates/updates_test.py qemu-virt   # with images that are built

An image has no shell and no login. The kernel command line of a copy of the image starts a script on its data partition instead
(systemd.run), and the next start runs the next script. The board reads bundles from an HTTPS server of this test.

raspi3b in QEMU has no firmware, so this test plays it: it reads autoboot.txt, starts the kernel of that partition, and starts the
partition of [tryboot] once after a restart with the argument "0 tryboot". On qemu-virt, boot.scr of the image does this. On a board, only Raspberry
Pi's kernel gives the argument to the firmware; Debian's kernel does not.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / name) for name in ("tests/boards", "scripts", "tests/updates")]
import bundle  # noqa: E402
import image_update  # noqa: E402
import server  # noqa: E402
from card import BOARDS, Card, Machine, tool  # noqa: E402
from support.world import Failure  # noqa: E402

HOST = "10.0.2.2"  # this machine in QEMU's user network
SLOW = 10_000_000 / 8  # bytes a second of slow.raucb: 10 Mbit/s
TIMEOUT = float(os.environ.get("SEALCAM_BOARDS_TIMEOUT", "1200"))
RUN = 'systemd.run="/bin/sh /data/test/start" systemd.run_success_action=none systemd.run_failure_action=none systemd.unit=kernel-command-line.target'
# The unit of systemd.run replaces the normal target, so the script starts that.
START = """exec >/dev/console 2>&1
say() { echo "update-test: $*"; }
SET_CLOCK
cd /data/test
number=$(($(cat starts) + 1))
echo $number >starts
sync
systemctl start --no-block multi-user.target
slot=$(/usr/lib/sealcam/boot-selection get-current)
say "start $number slot $slot"
has_route() { while read -r _ destination _; do [ "$destination" != 00000000 ] || return 0; done </proc/net/route; return 1; }
wait_network() { i=0; while [ $i -lt 300 ] && ! has_route; do i=$((i + 1)); sleep 1; done; }
install() {
  begin=$(cut -d. -f1 /proc/uptime)
  if rauc install --tls-ca=/data/test/authority.pem "https://HOST:PORT/$1" >/run/install.log 2>&1; then result=installed; else result=rejected; fi
  say "$1 $result after $(($(cut -d. -f1 /proc/uptime) - begin)) s, $(df -k /data | tail -1)"
  tail -n 3 /run/install.log | while read -r line; do say "$1 log $line"; done
}
# An emulated board is slower than the 25 s that D-Bus waits for a service that it starts.
systemctl start rauc.service || journalctl --boot --no-pager --unit=rauc.service
report() {
  say "primary $(/usr/lib/sealcam/boot-selection get-primary) states $(/usr/lib/sealcam/boot-selection get-state a) $(/usr/lib/sealcam/boot-selection get-state b)"
  rauc status --output-format=shell | while read -r line; do
    case $line in RAUC_BOOT_PRIMARY=* | RAUC_SYSTEM_BOOTED_BOOTNAME=*) say "$line" ;; esac
  done
  for process in /proc/[0-9]*; do
    case $(cat "$process/comm" 2>/dev/null) in rauc) while read -r key value _; do [ "$key" != VmRSS: ] || say "memory $value KiB"; done <"$process/status" ;; esac
  done
}
available() { while read -r key value _; do [ "$key" != MemAvailable: ] || say "memory available $value KiB $1"; done </proc/meminfo; }
# What the updater and RAUC need while they wait.
weigh() {
  i=0; while [ $i -lt 300 ] && ! systemctl is-active --quiet sealcam-camera.service; do i=$((i + 1)); sleep 1; done
  sleep 60; sync; available "with updater and RAUC"
  systemctl stop sealcam-update.service rauc.service
  sleep 5; available "without them"
}
next=:
. "./step-$number"
say "end $number"
eval "$next"
"""
PLAIN, TRY = "next='systemctl reboot'", "next='systemctl reboot --reboot-argument=0\\ tryboot'"
STEPS = {
    # The slot, and what the script does.
    1: ("a", "wait_network; report; install other.raucb; install board.raucb; install short.raucb; install altered.raucb; report; install good.raucb; "
             f"report; {TRY}"),
    2: ("b", f"report; {PLAIN}"),  # it is not marked as good
    3: ("a", f"report; {TRY}"),
    4: ("b", f"report; rauc status mark-good; report; {PLAIN}"),
    5: ("b", f"wait_network; report; install slow.raucb; report; {TRY}"),
    6: ("a", f"report; rauc status mark-good; report; {PLAIN}"),
    7: ("a", "report; weigh"),
}

# Why RAUC rejects each bundle. The parts of 'other' and 'board' are random, so their installation would fail for another reason, too.
REJECTED = (r"other\.raucb log LastError: signature verification failed: .*(unable to get local issuer|self-signed) certificate",
            r"board\.raucb log LastError: Compatible mismatch: Expected 'sealcam-[\w-]+' but bundle manifest has 'sealcam-[\w-]+'",
            r"short\.raucb log LastError: Invalid bundle format: Signature size \(\d+\) exceeds bundle size",
            r"altered\.raucb log LastError: Installation error: .*: Input/output error",
            *(rf"{name}\.raucb rejected" for name in ("other", "board", "short", "altered")))


def with_script(line):
    """Returns the kernel command line with the script. Without the watchdog, because QEMU's model of raspi3b resets the board when it
    is started, and because a board on a busy machine can be slower than the watchdog of -M virt permits."""
    line = re.sub(r" quiet loglevel=3\b", "", line.strip())
    return f"{line} {RUN} systemd.watchdog_sec=0{'' if 'sealcam.sensor=' in line else ' sealcam.sensor=vivid'}\n"


def set_clock():
    """Returns a command instead of a time server: raspi3b has no clock, and the web server's certificate is new."""
    now = int(time.time())
    return f'[ "$(date +%s)" -ge {now} ] || date --set=@{now}'


class Scene:
    def __init__(self, board, folder, verbose, steps=None):
        self.board, self.folder = board, pathlib.Path(folder)
        self.card = Card(board, self.folder)
        self.card.kernel_line(with_script)
        echo = (lambda line: print(f"  | {line}", file=sys.stderr, flush=True)) if verbose else None
        self.machine = Machine(self.card, log="update", echo=echo)
        web = self.folder / "web"
        web.mkdir()
        server.certificates(web, HOST)
        self.bundles = self.folder / "bundles"
        self.bundles.mkdir()
        self.make_bundles()
        self.server = server.Server(self.bundles, web / "server.pem", web / "server.key.pem", {"slow.raucb": SLOW})
        self.write_data(self.files(steps or STEPS) | {"authority.pem": (web / "authority.pem").read_text()})

    def files(self, steps):
        """Returns the files in /data/test of the board."""
        start = START.replace("SET_CLOCK", set_clock()).replace("HOST", HOST).replace("PORT", str(self.server.port))
        return {"start": start, "starts": "0\n"} | {f"step-{n}": text + "\n" for n, (_, text) in steps.items()}

    def make_bundles(self):
        own = image_update.development_authority(TOP / "build/authority")
        other = image_update.development_authority(self.folder / "other")
        # Both slots start with the script of the test.
        parts = {"root.img": bundle.root_image(self.card.path), "boot.vfat": self.card.raw(2)}
        small = {name: os.urandom(1 << 16) for name in parts}

        def make(name, board, authority, content):
            bundle.bundle(board, "9.0.0", content, self.bundles / f"{name}.raucb", authority / "signer.pem", authority / "signer.key.pem")
        make("good", self.board, own, parts)
        make("other", self.board, other, small)
        make("board", next(board for board in BOARDS if board != self.board), own, small)
        os.link(self.bundles / "good.raucb", self.bundles / "slow.raucb")
        good = (self.bundles / "good.raucb").read_bytes()
        (self.bundles / "short.raucb").write_bytes(good[:len(good) // 2])
        altered = bytearray(good)
        at = len(good) // 2  # in the root file system, which dm-verity checks while RAUC writes it
        altered[at] ^= 1
        (self.bundles / "altered.raucb").write_bytes(altered)

    def write_data(self, files):
        """Writes files into the folder 'test' of the data partition, without mounting it."""
        commands = ["mkdir /test"]
        for name, text in files.items():
            (self.folder / f"data-{name}").write_text(text)
            commands.append(f"write {self.folder}/data-{name} /test/{name}")
        script = self.folder / "debugfs"
        script.write_text("\n".join(commands) + "\n")
        tool("debugfs", "-w", "-f", script, f"{self.card.path}?offset={self.card.partitions[7][0]}")

    def autoboot(self):
        content = self.card.read("autoboot.txt")
        if len(content) != 512:
            raise Failure(f"autoboot.txt has {len(content)} bytes")
        return content

    def close(self):
        self.server.close()


def printed(run, pattern, after=0.0):
    """Returns the lines of the script that match the expression."""
    return [(t, found) for t, line in list(run.lines) if t >= after and (found := re.search(f"update-test: {pattern}", line))]


def wait_printed(run, pattern, after, seconds=TIMEOUT):
    deadline, ended = time.monotonic() + seconds, False
    while not ended and time.monotonic() < deadline:
        if ended := run.child.poll() is not None:
            run.reader.join(5)
        if found := printed(run, pattern, after):
            return found[0]
        time.sleep(0.1)
    raise Failure(f"the board did not print '{pattern}'; its last lines:\n" + "\n".join(line for _, line in run.lines[-40:]))


def expect(run, number, after, *patterns):
    for pattern in patterns:
        if not printed(run, pattern, after):
            lines = "\n".join(line for t, line in run.lines if t >= after and "update-test: " in line)
            raise Failure(f"start {number}: nothing matches '{pattern}':\n{lines}")


def step(run, number, at, results):
    """Waits for a start and checks what its script printed. Returns the time of its end."""
    begun, found = wait_printed(run, rf"start {number} slot (\w)", at)
    if found[1] != STEPS[number][0]:
        raise Failure(f"start {number} uses slot {found[1]} instead of {STEPS[number][0]}")
    ended, _ = wait_printed(run, f"end {number}$", begun)
    if number == 1:
        expect(run, 1, begun, *REJECTED, "primary a states good bad", r"good\.raucb installed")
    elif number in (2, 3):
        expect(run, number, begun, "primary a states good bad")
    elif number == 4:
        expect(run, 4, begun, "primary a ", "primary b states bad good")
    elif number in (5, 6):
        expect(run, number, begun, "primary b ", *([r"slow\.raucb installed"] if number == 5 else []))
    if number in (6, 7):
        expect(run, number, begun, "primary a states good bad")
    results += [f"start {number}, slot {found[1]}: {match.string.split('update-test: ')[1]}" for _, match in printed(run, r"\S+ (installed|rejected) after|memory", begun)]
    return ended


def virt(scene):
    """U-Boot and boot.scr of the image select the slot; QEMU runs all the time."""
    results, at = [], 0.0
    with scene.machine.boot() as run:
        for number in range(1, scene.starts + 1):
            at = step(run, number, at, results)
            results.append(f"start {number} ended {at:.0f} s after power")
    return results


def partition(scene, tryboot):
    """The firmware's choice: boot_partition of autoboot.txt, or that of [tryboot]."""
    section, found = "all", {}
    for line in scene.autoboot().decode().split():
        if line.startswith("["):
            section = line[1:-1]
        elif line.startswith("boot_partition="):
            found[section] = int(line.split("=")[1])
    return found["tryboot" if tryboot else "all"]


def restarts_into_trial(run):
    """Whether the kernel, which has ended, gave "0 tryboot" to the firmware."""
    run.reader.join(5)
    return bool(run.find("*Restarting system with command '0 tryboot'*"))


def raspberrypi(scene):
    """This test plays the firmware. QEMU ends at a restart. The kernel has printed the argument that it gives to the firmware."""
    results, tryboot = ["this test played tryboot of the firmware, which QEMU does not have"], False
    for number in range(1, scene.starts + 1):
        scene.machine.partition = partition(scene, tryboot)
        with scene.machine.boot("-no-reboot") as run:
            at = step(run, number, 0.0, results)
            results.append(f"start {number}, slot {STEPS[number][0]}, ended {at:.0f} s after power")
            if number == scene.starts:
                break
            run.child.wait(TIMEOUT)
            tryboot = restarts_into_trial(run)
    return results


CASES = {"qemu-virt": virt, "raspberrypi": raspberrypi}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("board", choices=sorted(CASES))
    parser.add_argument("--starts", type=int, default=len(STEPS), help="end after this number of starts (default: %(default)s)")
    parser.add_argument("--verbose", action="store_true", help="show the board's console")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sealcam-updates-") as folder:
        scene = Scene(options.board, folder, options.verbose)
        scene.starts = options.starts
        try:
            for line in CASES[options.board](scene):
                print(f"{options.board}: {line}", flush=True)
        finally:
            for name, count in sorted(scene.server.sent.items()):
                print(f"{options.board}: {name}: {count} of {(scene.bundles / name).stat().st_size} bytes sent", flush=True)
            scene.close()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, bundle.Failure, OSError, subprocess.SubprocessError) as failure:
        sys.exit(f"error: {failure}")
