# SPDX-License-Identifier: Apache-2.0
"""Creates sealcam.json, the settings of a camera before its first start."""
import getpass
import json
import re
import sys
import unicodedata

from . import NO_INPUT, USAGE, Fault


def passphrase(file):
    """Reads the passphrase from `file`, the terminal or the first line of standard input. It is neither an argument nor printed."""
    if file:
        try:
            with open(file, encoding="utf-8-sig") as stream:
                given = stream.readline()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", "not UTF-8")
            raise Fault(NO_INPUT, f"cannot read the Wi-Fi passphrase from {file}: {reason}") from None
    elif sys.stdin.isatty():
        given = getpass.getpass("Wi-Fi passphrase: ")
        if getpass.getpass("Repeat the passphrase: ") != given:
            raise Fault(USAGE, "the two passphrases differ; run the command again")
    else:
        given = sys.stdin.readline()
    given = given.rstrip("\r\n")
    if not re.fullmatch(r"[ -~]{8,63}", given):  # IEEE 802.11 J.4.1
        raise Fault(USAGE, "a Wi-Fi passphrase must have 8 to 63 ASCII characters; run the command again")
    return given


def is_network_name(name):
    """Whether the name has 1 to 32 bytes of UTF-8 without control characters. Names of phones contain spaces and joiners that do not print."""
    return not any(unicodedata.category(c) in ("Cc", "Cs") for c in name) and 1 <= len(name.encode()) <= 32


def compose(options):
    """Returns the content of the file, or None without settings."""
    settings = {}
    if options.name is not None:
        if not re.search(r"[A-Za-z0-9]", options.name) or not options.name.isprintable() or len(options.name) > 64:
            raise Fault(USAGE, "--name must have at most 64 characters, with at least one letter A to Z or digit, "
                                 "which form the host name")
        settings["name"] = options.name
    if options.country is not None:
        if not re.fullmatch(r"[A-Za-z]{2}", options.country):
            raise Fault(USAGE, "--country must have two letters (ISO 3166), for example DE")
        settings["country"] = options.country.upper()
        if settings["country"] == "UK":
            raise Fault(USAGE, "--country UK has no radio rules; the code of the United Kingdom is GB")
    if options.wifi is not None:
        if not is_network_name(options.wifi):
            raise Fault(USAGE, "--wifi must have 1 to 32 bytes of UTF-8 without control characters")
        settings["wifi"] = {"ssid": options.wifi, "psk": passphrase(options.wifi_password_file)} | ({"hidden": True} if options.hidden else {})
    elif options.hidden:
        raise Fault(USAGE, "--hidden requires a network; add --wifi NAME")
    elif options.wifi_password_file:
        raise Fault(USAGE, "--wifi-password-file requires a network; add --wifi NAME")
    return (json.dumps(settings, indent=2, sort_keys=True) + "\n").encode() if settings else None
