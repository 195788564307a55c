#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How much of a card the programs take: stripped, and with the shared libraries that they pull in, each counted once.
Modules that are loaded on demand are listed by themselves, with what they pull in beyond the program that loads them."""
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
    """Real files of all shared libraries below `path`; what is not found is an error."""
    found, waiting = {}, list(needed(readelf, path))
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        file = next((f / name for f in folders if (f / name).exists()), None)
        if file is None:
            raise SystemExit(f"{path.name} needs {name}, which is not in {', '.join(map(str, folders))}")
        found[name] = file.resolve()
        waiting += needed(readelf, found[name])
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
            beyond = libraries[name] - libraries.get(MODULES.get(name, ""), set())
            rows.append({"name": name, "stripped_kib": stripped.stat().st_size // 1024, "libraries": len(beyond),
                         "libraries_kib": sum(f.stat().st_size for f in beyond) // 1024})
    every = set().union(*libraries.values())
    total = sum(f.stat().st_size for f in every) // 1024
    if options.json:
        print(json.dumps({"files": rows, "all_libraries": len(every), "all_libraries_kib": total}))
        return
    for row in rows:
        print(f"{row['name']:22} {row['stripped_kib']:7} KiB, pulls in {row['libraries']:3} libraries of {row['libraries_kib'] / 1024:6.1f} MiB")
    print(f"{'all libraries, once':22} {len(every):3} of {total / 1024:.1f} MiB")


if __name__ == "__main__":
    main()
