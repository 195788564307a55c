#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the files that scripts/app makes: whole, small, of one version, and with the licenses of what they contain."""
import gzip
import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
MAX_KIB = 250            # compressed, at the first start
SKIP = 77
IMPORT = re.compile(r"""(?:from|import)\s*\(?\s*["'](\./[^"']+)["']""")
OWN = ("mqtt.js", "LICENSES.txt", "packages.json")  # not written by this project


def run(folder):
    return subprocess.run([sys.executable, "-B", TOP / "scripts/app.py", folder], capture_output=True, text=True, timeout=300, check=False)


def expect(condition, failure):
    if not condition:
        sys.exit(f"error: {failure}")


def check(app):
    every = {path.name: path.read_bytes() for path in app.iterdir()}
    files = {name: data for name, data in every.items() if not name.endswith(".gz")}
    for name in every.keys() - files.keys():
        expect(gzip.decompress(every[name]) == files[name.removesuffix(".gz")], f"{name} has another content")
    worker = files["sw.js"].decode()
    hashes = json.loads(re.search(r"^const FILES = (\{.*\});", worker, re.MULTILINE)[1])
    expect(set(hashes) == set(files) - {"sw.js", "LICENSES.txt", "packages.json"}, "sw.js names other files than those of the app")
    for name, value in hashes.items():
        expect(hashlib.sha256(files[name]).hexdigest() == value, f"sw.js has another hash of {name}")
    for name in set(files) - set(OWN):
        if name.endswith(".js"):
            for path in IMPORT.findall(files[name].decode()):
                expect(path[2:] in files, f"{name} imports {path}, which is missing")
    page = files["index.html"].decode()
    for path in re.findall(r'(?:src|href)="([^"#]+)"', page):
        expect(path in files, f"index.html needs {path}, which is missing")
    expect(not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|<style", page), "index.html has inline code, which its policy rejects")
    own = {name: data.decode() for name, data in files.items() if name not in OWN and name.endswith((".js", ".css", ".html", ".webmanifest"))}
    for name, text in own.items():
        outside = [url for url in re.findall(r"https?://[\w.-]+", text) if url not in ("http://www.w3.org", "http://127.0.0.1")]
        expect(not outside, f"{name} has addresses of others: {outside}")
    packed = sum(len(every.get(f"{name}.gz", data)) for name, data in files.items() if name not in ("LICENSES.txt", "packages.json"))
    expect(packed <= MAX_KIB * 1024, f"{packed / 1024:.0f} KiB compressed; the goal is {MAX_KIB} KiB")
    packages, texts = json.loads(files["packages.json"]), files["LICENSES.txt"].decode()
    expect({"mqtt", "mqtt-packet", "readable-stream", "buffer", "worker-timers"} <= {p["name"] for p in packages}, "packages of mqtt.js are missing")
    for package in packages:
        expect(f"\n{package['name']} {package['version']} ({package['license']})\n" in texts, f"the license of {package['name']} is missing")
    return packed, packages


def main():
    if not shutil.which("npm"):
        print("SKIPPED: npm is not installed")
        sys.exit(SKIP)
    with tempfile.TemporaryDirectory(prefix="sealcam-app-") as folder:
        app, other = pathlib.Path(folder, "app"), pathlib.Path(folder, "other")
        done = run(app)
        expect(done.returncode == 0, done.stderr)
        packed, packages = check(app)
        before = {path.name: path.read_bytes() for path in app.iterdir()}
        (app / "old.js").write_text("an earlier version")
        expect(run(app).returncode == 0 and {path.name: path.read_bytes() for path in app.iterdir()} == before, "another run makes other files")
        other.mkdir()
        (other / "precious.txt").write_text("of a person")
        expect(run(other).returncode == 1 and (other / "precious.txt").exists(), "files of a person were replaced")
        print(f"{len(before)} files, {packed / 1024:.0f} KiB compressed, {len(packages)} packages of npm with their licenses")


if __name__ == "__main__":
    main()
