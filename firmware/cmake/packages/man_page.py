#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the compressed man page (man(7)) of a program from --help of the program and of its subcommands.

usage: man_page.py OUT VERSION PROGRAM...     (PROGRAM may begin with an emulator; empty arguments are ignored)
"""
import datetime
import gzip
import os
import pathlib
import re
import subprocess
import sys

home = "/HOME"  # paths in this folder are written as $HOME
out, version, *command = sys.argv[1:]
command = [argument for argument in command if argument]
name = pathlib.Path(command[-1]).name
# The date of the sources, so that two builds of one version are identical.
date = os.environ.get("SOURCE_DATE_EPOCH")


def help_of(arguments):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "SEALCAM_")) and not k.endswith("_DIRECTORY")}
    text = subprocess.run([*command, *arguments, "--help"], check=True, capture_output=True, text=True, timeout=120,
                          env=environment | {"HOME": home}).stdout
    return text.replace(home + "/", "$HOME/").replace(command[-1], name)


def escaped(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def entries(lines):
    """Returns pairs of the left and right column of a list. An entry may continue in the next lines."""
    found = []
    for line in lines:
        left, right = re.match(r"(?:  (\S.*?))?(?:\s{2,}(\S.*))?$", line).groups()
        if left:
            found.append([left, right or ""])
        elif right and found:
            found[-1][1] = (found[-1][1] + " " + right).strip()
    return found


def sections(text):
    """Returns (purpose, further text, usage, {heading: entries})."""
    lines = text.splitlines()
    purpose, rest, usage, lists, heading = [], [], "", {}, None
    for line in lines:
        if match := re.fullmatch(r"Usage: (.*)", line):
            usage = match.group(1)
        elif match := re.fullmatch(r"(\S[^:]*):", line):
            heading = match.group(1)
            lists[heading] = []
        elif heading and (not line or line.startswith("  ")):
            lists[heading].append(line)
        elif line.strip() and not usage:
            purpose.append(line.strip())
        elif line.strip():
            rest.append(line.strip())  # text below the lists
    return " ".join(purpose), " ".join(rest), usage, {h: entries(l) for h, l in lists.items()}


def listed(pairs):
    roff = []
    for left, right in pairs:
        roff += [".TP", ".B " + escaped(left), escaped(right)]
    return roff


def subcommands(arguments, pairs):
    roff = []
    for left, _ in pairs:
        inner = [*arguments, left.split()[0]]
        purpose, rest, usage, lists = sections(help_of(inner))
        below = lists.pop("Subcommands", lists.pop("SUBCOMMANDS", []))
        if not below:
            roff += [".SS " + escaped(usage or " ".join([name, *inner])), escaped(f"{purpose}. {rest}".strip())]
            for heading, pairs_of in lists.items():
                roff += listed(p for p in pairs_of if not p[0].startswith("-h"))
        roff += subcommands(inner, below)
    return roff


def main():
    purpose, rest, usage, lists = sections(help_of([]))
    if not purpose or not usage:
        sys.exit(f"error: {name} --help lacks the purpose or the usage")
    below = lists.pop("Subcommands", lists.pop("SUBCOMMANDS", []))
    day = ""
    if date:
        day = datetime.datetime.fromtimestamp(int(date), datetime.UTC).strftime("%Y-%m-%d")
    roff = [f'.TH {name.upper()} 1 "{day}" "Sealcam {version}" "User Commands"',
            ".SH NAME", f"{escaped(name)} \\- {escaped(purpose[0].lower() + purpose[1:].rstrip('.'))}",
            ".SH SYNOPSIS", escaped(usage), ".SH DESCRIPTION", escaped(f"{purpose} {rest}".strip())]
    for heading, pairs in lists.items():
        roff += [f".SH {heading.upper()}", *listed(pairs)]
    if below:
        roff += [".SH SUBCOMMANDS", *subcommands([], below)]
    roff += [".SH FILES",
             escaped(f"As a service: /etc/sealcam, /var/lib/sealcam. As a user: $XDG_CONFIG_HOME/sealcam, "
                     f"$XDG_STATE_HOME/sealcam. All settings: /usr/share/doc/{name}/configuration.md."),
             ".SH EXIT STATUS",
             escaped("0: success. Other values are those of sysexits.h: 64 usage, 66 no input, 69 unavailable, 70 internal, "
                     "73 cannot create, 74 input or output, 77 permission, 78 configuration."),
             ".SH SEE ALSO", escaped(", ".join(f"{n}(1)" for n in ("sealcam", "sealcam-camera", "sealcam-hub") if n != name))]
    path = pathlib.Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(("\n".join(roff) + "\n").encode(), mtime=0))


main()
