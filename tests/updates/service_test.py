#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sealcam-update.service on a board in QEMU. It installs a release that a request starts, and confirms it, returns from it, or rejects it.

    ./scripts/sdk run python3 tests/updates/service_test.py confirmed
    ./scripts/sdk run python3 tests/updates/service_test.py returned
    ./scripts/sdk run python3 tests/updates/service_test.py rejected
    ./scripts/sdk run python3 tests/updates/service_test.py returned --board raspberrypi

The test writes /data/settings/update.json with the channel, and the request, as for a device of the maker. It calls neither RAUC nor the
boot selection. The camera is unpaired, so the new slot must open its pairing port. In 'returned', the camera does not start in slot b, and
the board must return to slot a with this reason. In 'rejected', the channel has an older version, then a release that needs another one first,
then one for which the data partition has no space; the control has space again, and the download begins.

For raspi3b, this test plays the firmware, as updates_test.py does.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time

import updates_test
from card import BOARDS
from updates_test import HOST, TIMEOUT, Failure, Scene, bundle, image_update, printed, wait_printed

RELEASE = "9.0.0"
# Both slots have the same root, so image-b.json replaces the file with the version of the image in slot b.
START = """exec >/dev/console 2>&1
say() { echo "update-test: $*"; }
SET_CLOCK
cd /data/test
number=$(($(cat starts) + 1))
echo $number >starts
slot=$(/usr/lib/sealcam/boot-selection get-current)
[ "$slot" = a ] || mount --bind /data/test/image-b.json /usr/lib/sealcam/update.json
[ "$slot" = a ] || [ MASK = no ] || systemctl mask --runtime sealcam-camera.service
mount --bind /data/test/authority.pem /etc/rauc/channel.pem
[ -e /data/settings/update.json ] || cp settings.json /data/settings/update.json
if [ "$number" = REQUEST ]; then
  mkdir -p /run/sealcam-update
  cp request.json /run/sealcam-update/
fi
sync
systemctl start --no-block multi-user.target
say "start $number slot $slot"
journalctl --follow --no-tail --boot --output=cat --unit=sealcam-update.service | while read -r line; do say "log $line"; done &
while :; do
  new=$(cat /run/sealcam-update/status.json 2>/dev/null)
  [ "$new" = "$old" ] || say "status $new"
  old=$new
  # An ordinary start must use the confirmed slot.
  case $slot$new in b*'"installed"'*) [ -e restarted ] || { touch restarted; sync; systemctl reboot; } ;; esac
  sleep 2
done
"""
# Ends START in the case 'rejected'. The updater reads its settings when it starts.
REJECT = """
offer() {
  printf '{"channel": "https://HOST:PORT/%s.raucb"}' "$1" >/data/settings/update.json
  systemctl restart sealcam-update.service
  # systemd deletes the folder when the service ends, and makes it again for the new process.
  i=0
  while [ $i -lt 300 ] && [ ! -e /run/sealcam-update/status.json ]; do
    i=$((i + 1))
    sleep 1
  done
  printf '{"action": "start", "version": "%s"}' "$2" >/run/sealcam-update/request.json
  i=0
  while [ $i -lt 300 ]; do
    new=$(cat /run/sealcam-update/status.json 2>/dev/null)
    case $new in *"$4"*) break ;; esac
    i=$((i + 1))
    sleep 1
  done
  say "$3 status $new"
}
has_route() { while read -r _ destination _; do [ "$destination" != 00000000 ] || return 0; done </proc/net/route; return 1; }
i=0; while [ $i -lt 300 ] && ! has_route; do i=$((i + 1)); sleep 1; done
offer older 0.0.1 older '"last":{"version":"0.0.1"'
offer needs 9.0.1 needs '"last":{"version":"9.0.1"'
fallocate -l $(($(df -k --output=avail /data | tail -1) - 2048))K /data/test/fill
offer channel RELEASE full '"last":{"version":"RELEASE"'
rm /data/test/fill
offer channel RELEASE space '"state":"downloading"'
say "end"
"""


class ServiceScene(Scene):
    request = 1  # the number of the start in which the release is requested

    def __init__(self, case, folder, verbose, board="qemu-virt"):
        self.case = case
        super().__init__(board, folder, verbose)

    def make_bundles(self):
        own = image_update.development_authority(updates_test.TOP / "build/authority")
        parts = {"root.img": bundle.root_image(self.card.path), "boot.vfat": self.card.raw(2)}

        def make(name, version, content, minimum="0.0.0"):
            bundle.bundle(self.board, version, content, self.bundles / f"{name}.raucb", own / "signer.pem", own / "signer.key.pem", minimum)
        make("channel", RELEASE, parts)
        if self.case == "rejected":
            small = {name: os.urandom(1 << 16) for name in parts}
            make("older", "0.0.1", small)
            make("needs", "9.0.1", small, "5.0.0")

    def files(self, _):
        start = START
        if self.case == "rejected":
            self.request = 0
            channel = REJECT.replace("HOST", HOST).replace("PORT", str(self.server.port))
            start = START[:START.index("journalctl")] + channel.replace("RELEASE", RELEASE)
        start = start.replace("SET_CLOCK", updates_test.set_clock()).replace("MASK", "yes" if self.case == "returned" else "no").replace("REQUEST", str(self.request))
        return {"start": start, "starts": "0\n", "image-b.json": json.dumps({"board": self.board, "version": RELEASE}),
                "settings.json": json.dumps({"channel": f"https://{HOST}:{self.server.port}/channel.raucb"}),
                "request.json": json.dumps({"action": "start", "version": RELEASE, "number": 1})}


def begun(run, number, slot, after):
    at, found = wait_printed(run, rf"start {number} slot (\w)", after)
    if found[1] != slot:
        raise Failure(f"start {number} uses slot {found[1]} instead of {slot}")
    return at


def last_status(run, after):
    """Returns the last whole status file that the board printed."""
    for _, found in reversed(printed(run, r"status (\{.*\})$", after)):
        try:
            return json.loads(found[1])
        except ValueError:
            continue  # the kernel printed into the line
    return {}


def expect_status(run, after, **expected):
    status = last_status(run, after)
    last = status.get("last", {})
    found = {"version": status.get("version"), "slot": status.get("slot"), "last": last.get("version"), "result": last.get("result"),
             "reason": last.get("reason")}
    if found != expected:
        raise Failure(f"the status is {status} instead of {expected}")


class Starts:
    """The starts of a board. On raspi3b, QEMU ends at each restart, and this test plays the firmware. `run`: the newest start."""

    def __init__(self, scene):
        self.scene, self.firmware, self.tryboot, self.before = scene, scene.board == "raspberrypi", False, 0.0
        self.power()

    def power(self):
        if self.firmware:
            self.scene.machine.partition = updates_test.partition(self.scene, self.tryboot)
        self.run = self.scene.machine.boot(*(["-no-reboot"] if self.firmware else []))

    def next(self, number, slot, after):
        """Waits for a start, which must use this slot."""
        if self.firmware and number > 1:
            self.run.child.wait(TIMEOUT)
            self.tryboot = updates_test.restarts_into_trial(self.run)
            self.close()
            self.before += time.monotonic() - self.run.started
            self.power()
            after = 0.0
        return begun(self.run, number, slot, after)

    def power_time(self, at):
        """Seconds since the first start. `at`: since the newest start of QEMU."""
        return self.before + at

    def close(self):
        self.run.__exit__(None, None, None)


def confirmed(scene, starts, first):
    second = starts.next(2, "b", first)
    times = {"restart into the trial": starts.power_time(second)}
    done, _ = wait_printed(starts.run, r'status .*"installed"', second)
    times["confirmed"] = starts.power_time(done)
    third = starts.next(3, "b", done)
    at, _ = wait_printed(starts.run, r'status .*"installed"', third)
    expect_status(starts.run, third, version=RELEASE, slot="b", last=RELEASE, result="installed", reason="")
    return "b", times | {"slot b after an ordinary start": starts.power_time(at)}


def returned(scene, starts, first):
    second = starts.next(2, "b", first)
    times = {"restart into the trial": starts.power_time(second)}
    failed, found = wait_printed(starts.run, r"log .*version 9\.0\.0 (is confirmed|failed, restarting into the old slot: .*)", second)
    if not found[1].endswith("the pairing port is closed"):
        raise Failure(f"the trial without a camera ended with '{found[1]}'")
    third = starts.next(3, "a", failed)
    times["returned"] = starts.power_time(third)
    at, _ = wait_printed(starts.run, r'status .*"rolled_back"', third)
    expect_status(starts.run, third, version=scene.version, slot="a", last=RELEASE, result="rolled_back", reason="the pairing port is closed")
    return "a", times | {"reason recorded": starts.power_time(at)}


def rejected(scene, starts, first):
    run = starts.run
    expected = {"older": ("rejected", "version 0.0.1 is older than .*, which runs"),
                "needs": ("rejected", "version 9.0.1 needs version 5.0.0 first, and .* runs"),
                "full": ("failed", r"the data partition has \d+ KiB free, and an update needs 4096")}
    times = {}
    for name, (result, reason) in expected.items():
        times[name], found = wait_printed(run, rf"{name} status (.*)", first)
        if not re.search(rf'"result":"{result}","reason":"{reason}', found[1]):
            raise Failure(f"{name}: the status is {found[1]} instead of '{result}: {reason}'")
    times["download after space was free again"], found = wait_printed(run, "space status (.*)", first)
    if '"state":"downloading"' not in found[1]:
        raise Failure(f"with space, the status is {found[1]} instead of a download")
    return "a", times


CASES = {"confirmed": confirmed, "returned": returned, "rejected": rejected}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=sorted(CASES))
    parser.add_argument("--board", choices=sorted(BOARDS), default="qemu-virt")
    parser.add_argument("--verbose", action="store_true", help="show the board's console")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sealcam-updates-") as folder:
        scene = ServiceScene(options.case, folder, options.verbose, options.board)
        image = updates_test.TOP / f"build/image/sealcam-{options.board}.update.json"
        scene.version = json.loads(image.read_text())["version"]
        try:
            starts = Starts(scene)
            try:
                slot, times = CASES[options.case](scene, starts, starts.next(1, "a", 0.0))
            finally:
                starts.close()
            content = image_update.autoboot((updates_test.TOP / f"board/{options.board}/image/autoboot.txt").read_text(), slot)
            if scene.autoboot() != content:
                raise Failure(f"autoboot.txt does not select slot {slot}: {scene.autoboot()!r}")
        finally:
            scene.close()
        for name, at in times.items():
            print(f"{options.board}, {options.case}: {name} {at:.0f} s after power", flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, bundle.Failure, OSError, subprocess.SubprocessError) as failure:
        sys.exit(f"error: {failure}")
