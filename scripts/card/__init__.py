# SPDX-License-Identifier: Apache-2.0
"""The parts of scripts/flash: the image, the disk, and the writer."""
import os


class Fault(Exception):
    """An error for the user: a message with the next step, and an exit code of sysexits.h."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


USAGE, DATA, NO_INPUT, UNAVAILABLE = os.EX_USAGE, os.EX_DATAERR, os.EX_NOINPUT, os.EX_UNAVAILABLE
WOULD_OVERWRITE, IO, NOT_ALLOWED = os.EX_CANTCREAT, os.EX_IOERR, os.EX_NOPERM

SECTOR = 512
MIB = 1 << 20


def printable(text):
    """Replaces control characters in labels and models, because they could change the terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def size_text(octets):
    """Returns the size in decimal units, as printed on SD cards."""
    for unit, scale in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if octets >= scale:
            return f"{octets / scale:.1f} {unit}"
    return f"{octets} bytes"
