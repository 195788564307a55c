# SPDX-License-Identifier: Apache-2.0
"""Writes a card image to a card, verifies it by reading it back, and puts your network's settings onto it."""
import argparse
import os
import signal
import sys
import time

from card import MIB, USAGE, Trouble, printable, settings, size_words
from card.image import Image, need_mtools
from card.target import Target
from card.writer import Writer, lock

ENDING = """\
The card's first partition is readable on any PC: its sealcam.json holds the Wi-Fi passphrase until the camera's first start,
which takes it over and deletes the file. Exit codes are those of sysexits.h: 0 written and verified; 1 you said no; 64 usage,
65 no Sealcam image or a damaged one, 66 no such image or device, 69 a program is missing here, 73 the disk is in use,
read-only or too small, 74 writing or verifying failed, 77 not allowed; 130 stopped by Ctrl-C."""


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(USAGE, f"error: {message}; {self.prog} --help tells more\n")


def arguments():
    parser = Parser(prog="scripts/flash", description=__doc__, epilog=ENDING, allow_abbrev=False,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", metavar="IMAGE", help="what scripts/image made: .img or .img.zst")
    parser.add_argument("device", metavar="DEVICE", help="the whole card, /dev/sdX or /dev/mmcblkX")
    parser.add_argument("--wifi", metavar="SSID", help="the Wi-Fi network's name; the passphrase is asked for, or is the first "
                                                       "line of standard input where that is no terminal (with --yes)")
    parser.add_argument("--wifi-password-file", metavar="FILE", help="read the passphrase from FILE's first line instead")
    parser.add_argument("--hidden", action="store_true", help="the network does not say its name; the camera then calls it, and everybody in "
                                                              "reach can hear what it is called")
    parser.add_argument("--name", help="the camera's name; \"Front door\" is front-door in your network")
    parser.add_argument("--country", metavar="CC", help="where it is used, for its radio: two letters, like DE")
    parser.add_argument("--yes", action="store_true", help="do not ask; all refusals stay")
    return parser.parse_args()


def say(words):
    print(words, file=sys.stderr, flush=True)


class Progress:
    """One line that moves on a terminal, a line for every tenth elsewhere."""

    def __init__(self):
        self.phase, self.tenth, self.started, self.shown = None, 0, 0.0, 0.0
        self.moving = sys.stderr.isatty()

    def __call__(self, phase, done, total):
        now = time.monotonic()
        if phase != self.phase:
            self.phase, self.tenth, self.started, self.shown = phase, -1, now, 0.0
        if done < total:
            too_soon = now - self.shown < 0.2 if self.moving else done * 10 // total <= self.tenth
        else:
            too_soon = self.tenth == 10  # the end was told
        if too_soon:
            return
        self.tenth, self.shown = done * 10 // total, now
        seconds = now - self.started
        speed = f", {done / MIB / seconds:.0f} MiB/s" if done and seconds > 0 else ""
        left = f", {seconds / done * (total - done):.0f} s left" if 0 < done < total else ""
        line = f"{phase:9} {done * 100 // total:3d} % of {size_words(total)}{speed}{left}"
        if self.moving:
            print(f"\r\033[K{line}", end="\n" if done >= total else "", file=sys.stderr, flush=True)
        else:
            say(line)


def confirm(target):
    say(f"Everything on {target.path} will be lost. Type {target.name} to go on:")
    return sys.stdin.readline().strip() == target.name


def flash(options):
    image = Image(options.image)
    target = Target(options.device)
    target.refuse(image.size)
    if not options.yes and not sys.stdin.isatty():
        raise Trouble(USAGE, "nobody can be asked here; look at what is on the disk, then add --yes")
    if options.wifi is not None or options.name is not None or options.country is not None:
        need_mtools()
    disk = target.claim()
    try:
        lock(disk)
        for line in target.describe():
            say(line)
        told = settings.compose(options)
        progress = Progress()
        image.check(lambda done, total: progress("checking", done, total))
        target.refuse(image.size)  # a compressed image may be longer than its partitions
        if not options.yes and not confirm(target):
            say("nothing was written")
            return 1
        with image.contents(told) as stream:
            Writer(disk, target.size, progress).run(stream, image.size)
    finally:
        os.close(disk)
    done = f"{target.path}: written and verified, {size_words(image.size)}"
    say(done + (f"; the camera will join {printable(options.wifi)}" if options.wifi else ""))
    say("take the card out, put it into the board and switch it on; pairing.txt on the card then holds its pairing string")
    return 0


def stop(*_):
    raise KeyboardInterrupt


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, stop)
    try:
        return flash(options)
    except Trouble as trouble:
        print(f"error: {trouble}", file=sys.stderr)
        return trouble.code
    except KeyboardInterrupt:
        print("\nstopped; if writing had begun, the card starts nothing now: run the command again", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
