#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sealcam-update.service on a board in QEMU. It installs a release that a request starts, and confirms it or returns from it.

    ./scripts/sdk run python3 tests/updates/service_test.py confirmed
    ./scripts/sdk run python3 tests/updates/service_test.py returned

The test writes /data/settings/update.json with the channel, and the request, as for a device of the maker. It calls neither RAUC nor the
boot selection. The camera is unpaired, so the new slot must open its pairing port. In 'returned', the kernel command line of the release
masks the camera's unit, and the board must return to slot a with this reason.
"""
import argparse
import json
import subprocess
import sys
import tempfile

import updates_test
from updates_test import HOST, Failure, Scene, bundle, image_update, printed, wait_printed

BOARD, RELEASE = "qemu-virt", "9.0.0"
# Both slots have the same root, so image-b.json replaces the file with the version of the image in slot b.
START = """exec >/dev/console 2>&1
say() { echo "update-test: $*"; }
cd /data/test
number=$(($(cat starts) + 1))
echo $number >starts
slot=$(/usr/lib/sealcam/boot-selection get-current)
[ "$slot" = a ] || mount --bind /data/test/image-b.json /usr/lib/sealcam/update.json
mount --bind /data/test/authority.pem /etc/rauc/channel.pem
if [ "$number" = 1 ]; then
  mkdir -p /run/sealcam-update
  cp settings.json /data/settings/update.json
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
  case $number$new in 2*'"installed"'*) sync; systemctl reboot ;; esac
  sleep 2
done
"""


class ServiceScene(Scene):
    def __init__(self, case, folder, verbose):
        self.case = case
        super().__init__(BOARD, folder, verbose)

    def make_bundles(self):
        own = image_update.development_authority(updates_test.TOP / "build/authority")
        line = self.card.read("boot.txt", 2)
        if self.case == "returned":
            self.card.write("boot.txt", line.rstrip() + b" systemd.mask=sealcam-camera.service\n", 2)
        parts = {"root.img": bundle.root_image(self.card.path), "boot.vfat": self.card.raw(2)}
        self.card.write("boot.txt", line, 2)
        bundle.bundle(BOARD, RELEASE, parts, self.bundles / "channel.raucb", own / "signer.pem", own / "signer.key.pem")

    def files(self, _):
        return {"start": START, "starts": "0\n", "image-b.json": json.dumps({"board": BOARD, "version": RELEASE}),
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


def confirmed(scene, run, first):
    second = begun(run, 2, "b", first)
    done, _ = wait_printed(run, r'status .*"installed"', second)
    third = begun(run, 3, "b", done)
    at, _ = wait_printed(run, r'status .*"installed"', third)
    expect_status(run, third, version=RELEASE, slot="b", last=RELEASE, result="installed", reason="")
    return "b", {"restart into the trial": second, "confirmed": done, "slot b after an ordinary start": at}


def returned(scene, run, first):
    second = begun(run, 2, "b", first)
    failed, _ = wait_printed(run, r"log .*version 9\.0\.0 failed, restarting into the old slot: the pairing port is closed", second)
    third = begun(run, 3, "a", failed)
    at, _ = wait_printed(run, r'status .*"rolled_back"', third)
    expect_status(run, third, version=scene.version, slot="a", last=RELEASE, result="rolled_back", reason="the pairing port is closed")
    return "a", {"restart into the trial": second, "returned": third, "reason recorded": at}


CASES = {"confirmed": confirmed, "returned": returned}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=sorted(CASES))
    parser.add_argument("--verbose", action="store_true", help="show the board's console")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sealcam-updates-") as folder:
        scene = ServiceScene(options.case, folder, options.verbose)
        image = updates_test.TOP / f"build/image/sealcam-{BOARD}.update.json"
        scene.version = json.loads(image.read_text())["version"]
        try:
            with scene.machine.boot() as run:
                slot, times = CASES[options.case](scene, run, begun(run, 1, "a", 0.0))
            content = image_update.autoboot((updates_test.TOP / f"board/{BOARD}/image/autoboot.txt").read_text(), slot)
            if scene.autoboot() != content:
                raise Failure(f"autoboot.txt does not select slot {slot}: {scene.autoboot()!r}")
        finally:
            scene.close()
        for name, at in times.items():
            print(f"{options.case}: {name} {at:.0f} s after power", flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, bundle.Failure, OSError, subprocess.SubprocessError) as failure:
        sys.exit(f"error: {failure}")
