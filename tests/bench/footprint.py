#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the size of each stripped program and of the shared libraries that it needs. Each library counts once.

Modules that programs load on demand have their own rows, with the libraries that only the module needs.
"""
import argparse
import json
import pathlib
import re
import subprocess
import tempfile

PROGRAMS = {"sealcam-camera": [], "sealcam-hub": [], "sealcam": []}
MODULES = {"sealcam-replay.so": "sealcam-camera", "sealcam-libcamera.so": "sealcam-camera", "sealcam-media.so": "sealcam-hub"}


def needed(readelf, path):
    text = subprocess.run([readelf, "-d", path], capture_output=True, text=True, check=True).stdout
    return re.findall(r"\(NEEDED\)\s+Shared library: \[(.*?)\]", text)


def closure(readelf, path, folders):
    """Returns the files of all shared libraries that `path` needs, directly or through others. A missing library is an error."""
    found, pending = {}, list(needed(readelf, path))
    while pending:
        name = pending.pop()
        if name in found:
            continue
        file = next((f / name for f in folders if (f / name).exists()), None)
        if file is None:
            raise SystemExit(f"{path.name} needs {name}, which is not in {', '.join(map(str, folders))}")
        found[name] = file.resolve()
        pending += needed(readelf, found[name])
    return set(found.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--sysroot", type=pathlib.Path, default=pathlib.Path("/"))
    parser.add_argument("--triple", default="aarch64-linux-gnu")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    readelf, strip = f"{options.triple}-readelf", f"{options.triple}-strip"
    folders = [options.sysroot / "usr/lib" / options.triple]
    folders += sorted(p for p in folders[0].iterdir() if p.is_dir() and p.name in ("pulseaudio", "blas", "lapack"))
    libraries, rows = {}, []
    with tempfile.TemporaryDirectory() as scratch:
        for name in [*PROGRAMS, *MODULES]:
            path = next((p for p in options.build.rglob(name) if p.is_file() and p.read_bytes()[:4] == b"\x7fELF"), None)
            if path is None:
                continue
            stripped = pathlib.Path(scratch) / name
            subprocess.run([strip, "-o", stripped, path], check=True)
            libraries[name] = closure(readelf, path, folders)
            additional = libraries[name] - libraries.get(MODULES.get(name, ""), set())
            rows.append({"name": name, "stripped_kib": stripped.stat().st_size // 1024, "libraries": len(additional),
                         "libraries_kib": sum(f.stat().st_size for f in additional) // 1024})
    all_files = set().union(*libraries.values())
    total = sum(f.stat().st_size for f in all_files) // 1024
    if options.json:
        print(json.dumps({"files": rows, "all_libraries": len(all_files), "all_libraries_kib": total}))
        return
    for row in rows:
        print(f"{row['name']:22} {row['stripped_kib']:7} KiB, needs {row['libraries']:3} libraries with {row['libraries_kib'] / 1024:6.1f} MiB")
    print(f"{'all libraries':22} {len(all_files):3} with {total / 1024:.1f} MiB")


if __name__ == "__main__":
    main()
