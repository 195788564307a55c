#!/usr/bin/env python3
"""Checks the architecture: includes run downward only (firmware/README.md), and headers of the big libraries stay inside
their adapters: source files, and headers that only source files and such headers of the same folder include."""
import pathlib
import re
import subprocess
import sys

top = pathlib.Path(__file__).resolve().parent.parent
below = {
    "core": set(),
    "crypto": {"core"},
    "protocol": {"core", "crypto"},
    "hal": {"core"},
    "service": {"core"},
    "transport": {"core", "crypto"},
    "stream": {"core", "crypto", "protocol", "transport", "hal"},
    "watch": {"core", "crypto", "protocol", "transport", "hal"},
    "pairing": {"core", "crypto", "protocol", "transport"},
}
programs = {"camera", "hub", "owner", "appliance"}
adapters = re.compile(r'<(libav|libsw|mbedtls/|psa/|linux/videodev2|libv4l2|libcamera/|boost/mqtt5|nlohmann/|cbor\.h|gpiod\.h|systemd/)')
include = re.compile(r'^\s*#include\s+(["<][^">]+[">])')
problems = []
library_headers = {}  # header of ours -> why it must stay inside its folder
users = {}            # header of ours -> files that include it

for name in subprocess.run(["git", "ls-files", "firmware", "hal"], cwd=top, capture_output=True, text=True).stdout.split():
    if not name.endswith((".hpp", ".cpp")):
        continue
    parts = name.split("/")
    layer = "hal" if parts[0] == "hal" else parts[1]
    lines = (top / name).read_text().splitlines()
    limit = 200 if name.endswith(".hpp") else 400
    if len(lines) > limit:
        problems.append(f"{name}: {len(lines)} lines, {limit} are the limit")
    if not lines[0].startswith("// SPDX-License-Identifier:"):
        problems.append(f"{name}:1: no SPDX line")
    for number, line in enumerate(lines, 1):
        match = include.match(line)
        if not match:
            continue
        target = match.group(1)
        if name.endswith(".hpp") and adapters.match(target):
            library_headers.setdefault(name, f"{name}:{number}: {target}")
        users.setdefault(target[1:-1], []).append(name)
        if target[0] != '"' or layer in programs:
            continue
        other = target[1:-1].split("/")[0]
        if other != layer and other not in below[layer]:
            problems.append(f"{name}:{number}: {layer} must not know {other}")

for header, why in library_headers.items():
    for user in users.get(header.removeprefix("firmware/"), []):
        inside = pathlib.Path(user).parent == pathlib.Path(header).parent
        if not inside or (user.endswith(".hpp") and user not in library_headers):
            problems.append(f"{why} reaches {user}")

print("\n".join(problems) or "layers are as agreed")
sys.exit(1 if problems else 0)
