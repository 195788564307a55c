# SPDX-License-Identifier: Apache-2.0
"""What scripts/flash is made of: the image, the disk it goes to, and the writing."""
import os


class Trouble(Exception):
    """Something the person at the keyboard has to know: a sentence with the next step, and an exit code of sysexits.h."""

    def __init__(self, code, words):
        super().__init__(words)
        self.code = code


USAGE, DATA, NO_INPUT, UNAVAILABLE = os.EX_USAGE, os.EX_DATAERR, os.EX_NOINPUT, os.EX_UNAVAILABLE
WOULD_OVERWRITE, IO, NOT_ALLOWED = os.EX_CANTCREAT, os.EX_IOERR, os.EX_NOPERM

SECTOR = 512
MIB = 1 << 20


def printable(text):
    """Labels and models are written by whoever made the card: nothing of them may steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def size_words(octets):
    """Decimal units, as on the card's print."""
    for unit, scale in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if octets >= scale:
            return f"{octets / scale:.1f} {unit}"
    return f"{octets} bytes"
