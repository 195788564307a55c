# SPDX-License-Identifier: Apache-2.0
"""sealcam.json on the card's first partition: what a camera is told before its first start."""
import getpass
import json
import re
import sys

from . import NO_INPUT, USAGE, Trouble


def passphrase(file):
    """From `file`, else from the terminal, else the first line of standard input. It is never an argument and never printed."""
    if file:
        try:
            with open(file, encoding="utf-8") as stream:
                given = stream.readline()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", "not UTF-8")
            raise Trouble(NO_INPUT, f"the Wi-Fi passphrase cannot be read: {file}: {why}") from None
    elif sys.stdin.isatty():
        given = getpass.getpass("Wi-Fi passphrase: ")
        if getpass.getpass("Once more: ") != given:
            raise Trouble(USAGE, "the two passphrases differ; run the command again")
    else:
        given = sys.stdin.readline()
    given = given.rstrip("\r\n")
    if not re.fullmatch(r"[ -~]{8,63}", given):  # IEEE 802.11 J.4.1
        raise Trouble(USAGE, "a Wi-Fi passphrase has 8 to 63 ASCII characters; this one was not used, run the command again")
    return given


def compose(options):
    """The file's bytes, or None where nothing is to be said."""
    said = {}
    if options.name is not None:
        if not re.search(r"[A-Za-z0-9]", options.name) or not options.name.isprintable() or len(options.name) > 64:
            raise Trouble(USAGE, "--name is the camera's name, at most 64 characters; its host name is made of the letters "
                                 "A to Z and digits in it, so it needs one of them")
        said["name"] = options.name
    if options.country is not None:
        if not re.fullmatch(r"[A-Za-z]{2}", options.country):
            raise Trouble(USAGE, "--country is two letters (ISO 3166), DE for example")
        said["country"] = options.country.upper()
    if options.wifi is not None:
        if not 1 <= len(options.wifi.encode(errors="surrogateescape")) <= 32 or not options.wifi.isprintable():
            raise Trouble(USAGE, "--wifi is the network's name: 1 to 32 bytes that can be printed")
        said["wifi"] = {"ssid": options.wifi, "psk": passphrase(options.wifi_password_file)} | ({"hidden": True} if options.hidden else {})
    elif options.hidden:
        raise Trouble(USAGE, "--hidden belongs to a network: add --wifi NAME")
    elif options.wifi_password_file:
        raise Trouble(USAGE, "--wifi-password-file belongs to a network: add --wifi NAME")
    return (json.dumps(said, indent=2, sort_keys=True) + "\n").encode() if said else None
