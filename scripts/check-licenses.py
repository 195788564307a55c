#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that each file has a license: an SPDX-License-Identifier in its first 4 KiB, or an annotation in REUSE.toml."""
import pathlib
import re
import subprocess
import sys
import tomllib

top = pathlib.Path(__file__).resolve().parent.parent
exempt = {"LICENSE", "REUSE.toml"}  # as in the REUSE specification


def pattern(glob):
    """REUSE's globs: * stops at a slash, ** does not."""
    parts = re.split(r"(\*\*|\*)", glob)
    return "".join({"**": ".*", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts)


annotations = []
for table in tomllib.loads((top / "REUSE.toml").read_text())["annotations"]:
    paths = [table["path"]] if isinstance(table["path"], str) else table["path"]
    annotations.append((re.compile("|".join(map(pattern, paths))), table))

problems = []
for name in subprocess.run(["git", "ls-files"], cwd=top, capture_output=True, text=True, check=True).stdout.splitlines():
    path = top / name
    if name in exempt or path.is_symlink() or not path.is_file() or path.stat().st_size == 0:
        continue
    table = next((t for p, t in reversed(annotations) if p.fullmatch(name)), {})
    with path.open("rb") as file:
        header = b"SPDX-License-Identifier:" in file.read(4096)
    if "SPDX-FileCopyrightText" not in table:
        problems.append(f"{name}: no copyright in REUSE.toml")
    if not header and "SPDX-License-Identifier" not in table:
        problems.append(f"{name}: no license; add 'SPDX-License-Identifier: Apache-2.0' in a comment at the top")

print("\n".join(problems) or "each file has a license")
sys.exit(1 if problems else 0)
