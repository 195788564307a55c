#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the date until which there are security fixes: CMakeLists.txt has it, SECURITY.md promises it, and card images contain it.

The test also runs controls. A control changes a text, and the test must find the difference.
"""
import datetime
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "scripts"))
import image_parts as image  # noqa: E402


def faults(cmake, security):
    """Yields each difference between CMakeLists.txt and SECURITY.md."""
    version = re.search(r"^project\(sealcam VERSION (\d+\.\d+)\.\d+ ", cmake, re.M)[1]
    try:
        until = image.support_until(cmake)
        datetime.date.fromisoformat(until)
    except (image.Failure, ValueError) as failure:
        yield str(failure)
        return
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in security.splitlines() if line.startswith("|")]
    promises = [row[1] for row in rows if row[0] == f"{version}.x"]
    if len(promises) != 1:
        yield f"SECURITY.md has {len(promises)} rows for {version}.x"
    # The programs know this date only, so the promise must not be shorter. A longer one follows the date as text.
    yield from (f"SECURITY.md promises {version}.x until {p[:40]!r}, CMakeLists.txt until {until}" for p in promises
                if not re.match(rf"{until}(, or .* whichever is later)?$", p))


def check_image(cmake):
    """Yields a fault unless the os-release of an image has the date in the field that os-release(5) defines."""
    lines = image.os_release("qemu-virt", "v0.1.0-1-gabc", cmake).splitlines()
    if f"SUPPORT_END={image.support_until(cmake)}" not in lines:
        yield f"os-release of an image has no SUPPORT_END: {lines}"
    if any(not re.fullmatch(r"[A-Z_]+=[\w.-]+", line) for line in lines):
        yield f"os-release of an image has a line that a shell reads otherwise: {lines}"


def main():
    cmake, security = (TOP / "CMakeLists.txt").read_text(), (TOP / "SECURITY.md").read_text()
    found = [*faults(cmake, security), *check_image(cmake)]
    until = image.support_until(cmake)
    row = next(line for line in security.splitlines() if until in line)
    for name, changed in {
            "another date": (cmake.replace(until, "2030-01-01"), security),
            "another promise": (cmake, security.replace(until, "2027-11-30")),
            "a promise that may be shorter": (cmake, security.replace("whichever is later", "whichever is earlier")),
            "no row": (cmake, security.replace(row, "")),
            "two rows": (cmake, security.replace(row, f"{row}\n{row}")),
            "a new minor version": (re.sub(r"(sealcam VERSION )\d+\.\d+", r"\g<1>9.9", cmake), security),
            "no date": (cmake.replace(until, "soon"), security),
            "a day that does not exist": (cmake.replace(until, "2028-11-31"), security)}.items():
        if changed == (cmake, security):
            found.append(f"control '{name}' changes nothing")
        if not list(faults(*changed)):
            found.append(f"control '{name}' is not found")
    for fault in found:
        print(f"error: {fault}", file=sys.stderr)
    print(f"security fixes until {until}: {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
