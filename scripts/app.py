# SPDX-License-Identifier: Apache-2.0
"""Makes the files of the app for phones in DIR. sealcam-hub serves this folder, and so can each web server.

The app is the modules of firmware/web, the page parts in firmware/web/page, the page in firmware/web/app, and the MQTT client of npm in
the version of firmware/web/package-lock.json. There is no other build step. sw.js, the service worker, has the hashes of exactly these
files. NAME.gz is NAME, compressed. LICENSES.txt has the licenses of what mqtt.js contains, and packages.json their list, which scripts/sbom --app reads.
"""
import argparse
import gzip
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent
WEB = TOP / "firmware/web"
PARTS = (WEB, WEB / "page", WEB / "app")
SERVED = {".js", ".html", ".css", ".svg", ".png", ".webmanifest"}
NOT_CACHED = ("LICENSES.txt", "packages.json")
TYPES_ONLY = re.compile(r"@types/|undici-types$")  # they have no code
LICENSE_FILE = re.compile(r"(licen[cs]e|copying|notice)", re.IGNORECASE)


class Failure(Exception):
    """An error message for a person."""


def install(cache):
    """Returns the folder with the packages of the lock file. Downloads them if they are not in `cache`."""
    lock = (WEB / "package-lock.json").read_bytes()
    folder = cache / f"app-{hashlib.sha256(lock).hexdigest()[:12]}"
    if (folder / "node_modules").exists():
        return folder / "node_modules"
    if not shutil.which("npm"):
        raise Failure("npm is not installed; run this script without SEALCAM_SDK=host, so that it uses the build root")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="app-part-") as part:
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(WEB / name, pathlib.Path(part, name))
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"], cwd=part, capture_output=True,
                              text=True, timeout=600)
        if done.returncode != 0:
            raise Failure(f"npm ci failed: {done.stderr.strip()[-400:]}")
        made = pathlib.Path(part, "whole")
        made.mkdir()
        os.rename(pathlib.Path(part, "node_modules"), made / "node_modules")
        try:
            os.rename(made, folder)
        except OSError:  # another run was faster
            if not (folder / "node_modules").exists():
                raise
    return folder / "node_modules"


def bundled(modules):
    """The packages that mqtt.js may contain: {name, version, license}, and the texts of their licenses."""
    lock = json.loads((WEB / "package-lock.json").read_text(encoding="utf-8"))
    packages, texts = [], []
    for path, entry in sorted(lock["packages"].items()):
        name = path.rpartition("node_modules/")[2]
        if not name or TYPES_ONLY.match(name):
            continue
        folder = modules.parent / path
        files = sorted(file for file in folder.iterdir() if file.is_file() and LICENSE_FILE.search(file.stem))
        if not files or not entry.get("license"):
            raise Failure(f"the package {name} has no license")
        packages.append({"name": name, "version": entry["version"], "license": entry["license"], "integrity": entry["integrity"]})
        text = "\n\n".join(file.read_text(encoding="utf-8", errors="replace").strip() for file in files)
        texts.append(f"{name} {entry['version']} ({entry['license']})\n\n{text}\n")
    return packages, texts


def sources():
    """The files of the repository by their name in the app."""
    found = {}
    for folder in PARTS:
        for path in sorted(folder.iterdir() if folder.exists() else []):
            if path.suffix not in SERVED or not path.is_file() or path.name == "worker.js":
                continue
            if path.name in found and found[path.name].read_bytes() != path.read_bytes():
                raise Failure(f"{path} and {found[path.name]} have the same name in the app; rename one of them")
            found[path.name] = path
    if "index.html" not in found:
        raise Failure("firmware/web/app/index.html is missing")
    return found


def write_worker(folder, names):
    """Writes sw.js with the hashes of these files."""
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in sorted(names)}
    version = hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()[:16]
    text = (WEB / "worker.js").read_text(encoding="utf-8")
    for placeholder, value in (("const FILES = {};", f"const FILES = {json.dumps(hashes)};"), ('const VERSION = "";', f'const VERSION = "{version}";')):
        if text.count(placeholder) != 1:
            raise Failure(f"firmware/web/worker.js must contain '{placeholder}' once")
        text = text.replace(placeholder, value)
    (folder / "sw.js").write_text(text, encoding="utf-8")
    return version


def pack(folder, names):
    """Writes NAME.gz beside each of these files, for a server that sends it to browsers that accept gzip. Returns the bytes to load."""
    size = 0
    for name in names:
        whole = (folder / name).read_bytes()
        packed = gzip.compress(whole, 9, mtime=0)
        if len(packed) < len(whole):
            (folder / f"{name}.gz").write_bytes(packed)
        size += min(len(packed), len(whole))
    return size


def make(folder, modules):
    """Fills `folder`, and deletes an earlier version from it."""
    found = sources()
    folder.mkdir(parents=True, exist_ok=True)
    present = list(folder.iterdir())
    if present and not (folder / "sw.js").exists():
        raise Failure(f"{folder} has other files; give an empty folder or one that this script made")
    for old in present:
        old.unlink()
    for name, path in found.items():
        shutil.copyfile(path, folder / name)
    shutil.copyfile(modules / "mqtt/dist/mqtt.esm.js", folder / "mqtt.js")
    packages, texts = bundled(modules)
    own = (TOP / "LICENSE").read_text(encoding="utf-8").strip()
    (folder / "LICENSES.txt").write_text(f"Sealcam (Apache-2.0)\n\n{own}\n" + "".join(f"\n{'-' * 78}\n{text}" for text in texts), encoding="utf-8")
    (folder / "packages.json").write_text(json.dumps(packages, indent=1) + "\n", encoding="utf-8")
    version = write_worker(folder, [*found, "mqtt.js"])
    names = [*found, "mqtt.js", "sw.js"]
    return version, names, pack(folder, names)


def main():
    parser = argparse.ArgumentParser(prog="scripts/app", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="DIR", type=pathlib.Path, help="folder for the files of the app; files with the same names are replaced")
    options = parser.parse_args()
    cache = pathlib.Path(os.environ.get("SEALCAM_CACHE") or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache", "sealcam"))
    try:
        version, names, packed = make(options.folder, install(cache))
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    size = sum((options.folder / name).stat().st_size for name in names)
    print(f"version {version}: {len(names)} files, {size / 1024:.0f} KiB, {packed / 1024:.0f} KiB compressed, in {options.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
