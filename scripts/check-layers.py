#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the layers of firmware/docs/architecture.md: a module includes headers of lower layers only. Also checks the length of files, and
that headers of large libraries stay inside their adapter: its source files, and headers that only these source files include."""
import pathlib
import re
import subprocess
import sys

top = pathlib.Path(__file__).resolve().parent.parent
layers = [
    {"base"},
    {"crypto"},
    {"transport", "protocol", "hal"},
    {"device"},
    {"pairing", "recordings", "stream", "watch"},
    {"image_init", "update"},
    {"camera", "hub", "owner"},
]
layer_of = {module: number for number, modules in enumerate(layers) for module in modules}
# Modules that may include less than all lower layers: module -> {other module: pattern of its headers}.
limited = {
    "hal": {"crypto": None},
    "recordings": {"transport": None, "hal": None},
    "stream": {"transport": r"transport/mqtt/mqtt\.hpp"},
    "watch": {"transport": r"transport/mqtt/mqtt\.hpp", "hal": None},
}
adapters = re.compile(r"<(libav|libsw|mbedtls/|psa/|linux/videodev2|libv4l2|libcamera/|boost/mqtt5|nlohmann/|cbor\.h|sqlite3\.h|gpiod\.h|systemd/|CLI/)")
include = re.compile(r'^\s*#include\s+(["<][^">]+[">])')
max_lines = {".hpp": 200, ".cpp": 400}
problems = []
library_headers = {}  # our header -> the include that binds it to its folder
users = {}            # our header -> files that include it


def check_include(place, module, header):
    other = header.split("/")[0]
    if other == module or other not in layer_of:
        return
    if layer_of[other] >= layer_of[module]:
        problems.append(f"{place}: {module} must not include {other}, which is not in a lower layer")
    elif other in limited.get(module, {}):
        pattern = limited[module][other]
        if pattern is None or not re.fullmatch(pattern, header):
            problems.append(f"{place}: {module} must not include {header}")


for name in subprocess.run(["git", "ls-files", "firmware", "hal"], cwd=top, capture_output=True, text=True, check=True).stdout.split():
    if not name.endswith((".hpp", ".cpp")) or not (top / name).is_file():
        continue
    parts = name.split("/")
    module = "hal" if parts[0] == "hal" else parts[1]
    lines = (top / name).read_text().splitlines()
    limit = max_lines[name[-4:]]
    if len(lines) > limit:
        problems.append(f"{name}: {len(lines)} lines; the limit is {limit}")
    if module not in layer_of and module != "cmake":
        problems.append(f"{name}: module '{module}' is in no layer; add it to scripts/check-layers.py and to firmware/docs/architecture.md")
        continue
    for number, line in enumerate(lines, 1):
        match = include.match(line)
        if not match:
            continue
        target = match.group(1)
        if name.endswith(".hpp") and adapters.match(target):
            library_headers.setdefault(name, f"{name}:{number}: {target}")
        users.setdefault(target[1:-1], []).append(name)
        if target[0] == '"' and module != "cmake":
            check_include(f"{name}:{number}", module, target[1:-1])

for header, why in library_headers.items():
    for user in users.get(header.removeprefix("firmware/"), []):
        inside = pathlib.Path(user).parent == pathlib.Path(header).parent
        if not inside or (user.endswith(".hpp") and user not in library_headers):
            problems.append(f"{why} reaches {user}")

print("\n".join(problems) or "all includes follow the layers")
sys.exit(1 if problems else 0)
