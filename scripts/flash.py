# SPDX-License-Identifier: Apache-2.0
"""Writes a card image and optional settings to an SD card, and verifies the card."""
import argparse
import os
import signal
import sys
import time

from card import MIB, USAGE, Fault, printable, settings, size_text
from card.image import Image, need_mtools
from card.target import Target
from card.writer import Writer, lock

ENDING = """\
Each PC can read the first partition of the card. Its file sealcam.json contains the Wi-Fi passphrase until the first start of the
camera, which stores the settings and deletes the file. Exit codes: 0 written and verified, 1 not confirmed, 64 usage, 65 damaged or
other image, 66 image or device does not exist, 69 a program is missing, 73 the disk is in use, read-only or too small, 74 writing
or verifying failed, 77 no permission, 130 stopped with Ctrl-C."""


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(USAGE, f"error: {message}; see {self.prog} --help\n")


def arguments():
    parser = Parser(prog="scripts/flash", description=__doc__, epilog=ENDING, allow_abbrev=False,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", metavar="IMAGE", help="image from scripts/image: .img or .img.zst")
    parser.add_argument("device", metavar="DEVICE", help="the disk of the card, /dev/sdX or /dev/mmcblkX")
    parser.add_argument("--wifi", metavar="SSID", help="name of the Wi-Fi network; the passphrase is read from the terminal, or "
                                                       "from the first line of standard input (with --yes)")
    parser.add_argument("--wifi-password-file", metavar="FILE", help="read the passphrase from the first line of FILE")
    parser.add_argument("--hidden", action="store_true", help="the network does not broadcast its name; the camera then sends the name "
                                                              "when it searches the network, and others can receive it")
    parser.add_argument("--name", help="name of the camera; the host name of \"Front door\" is front-door")
    parser.add_argument("--country", metavar="CC", help="country of use, for the radio: two letters, for example DE")
    parser.add_argument("--yes", action="store_true", help="do not require a confirmation; all checks still apply")
    return parser.parse_args()


def show(text):
    print(text, file=sys.stderr, flush=True)


class Progress:
    """Shows the progress: a changing line on a terminal, otherwise a line for each 10 %."""

    def __init__(self):
        self.phase, self.tenth, self.started, self.shown = None, 0, 0.0, 0.0
        self.terminal = sys.stderr.isatty()

    def __call__(self, phase, done, total):
        now = time.monotonic()
        if phase != self.phase:
            self.phase, self.tenth, self.started, self.shown = phase, -1, now, 0.0
        if done < total:
            too_soon = now - self.shown < 0.2 if self.terminal else done * 10 // total <= self.tenth
        else:
            too_soon = self.tenth == 10  # the end was shown
        if too_soon:
            return
        self.tenth, self.shown = done * 10 // total, now
        seconds = now - self.started
        speed = f", {done / MIB / seconds:.0f} MiB/s" if done and seconds > 0 else ""
        left = f", {seconds / done * (total - done):.0f} s left" if 0 < done < total else ""
        line = f"{phase:9} {done * 100 // total:3d} % of {size_text(total)}{speed}{left}"
        if self.terminal:
            print(f"\r\033[K{line}", end="\n" if done >= total else "", file=sys.stderr, flush=True)
        else:
            show(line)


def confirm(target):
    show(f"Everything on {target.path} will be lost. Type {target.name} to continue:")
    return sys.stdin.readline().strip() == target.name


def flash(options):
    image = Image(options.image)
    target = Target(options.device)
    target.reject(image.size)
    if not options.yes and not sys.stdin.isatty():
        raise Fault(USAGE, "the confirmation requires a terminal; check the content of the disk, then add --yes")
    if options.wifi is not None or options.name is not None or options.country is not None:
        need_mtools()
    disk = target.claim()
    try:
        lock(disk)
        for line in target.describe():
            show(line)
        card_settings = settings.compose(options)
        progress = Progress()
        image.check(lambda done, total: progress("checking", done, total))
        target.reject(image.size)  # a compressed image may be larger than its partitions
        if not options.yes and not confirm(target):
            show("nothing was written")
            return 1
        with image.contents(card_settings) as stream:
            Writer(disk, target.size, progress).run(stream, image.size)
    finally:
        os.close(disk)
    done = f"{target.path}: written and verified, {size_text(image.size)}"
    show(done + (f"; the camera will join {printable(options.wifi)}" if options.wifi else ""))
    show("remove the card, insert it into the board and switch the board on; then pairing.txt on the card contains the pairing string")
    return 0


def stop(*_):
    raise KeyboardInterrupt


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, stop)
    try:
        return flash(options)
    except Fault as fault:
        print(f"error: {fault}", file=sys.stderr)
        return fault.code
    except KeyboardInterrupt:
        print("\nstopped; if writing had begun, no board starts from the card now; run the command again", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
