#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads what recipes of a series require of each other, and replaces the facts of the series in series.json.

    BITBAKE=…/bitbake read_series.py SERIES     (in the build folder, with the layers of the series)

The facts are those of the other layers: the appends of meta-sealcam are left out. Use DISTRO = "nodistro" and MACHINE =
"raspberrypi4-64", whose features add more dependencies than those of Sealcam's distro.
"""
import json
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(os.environ["BITBAKE"]) / "lib"))
import bb.tinfoil  # noqa: E402
import checks  # noqa: E402
import requirements  # noqa: E402

FACTS = pathlib.Path(__file__).with_name("series.json")
# The dependencies of meta-sealcam's recipes, the recipes that it appends to, and those of the packages that it installs.
APPENDED = ["ffmpeg", "mbedtls", "x264"]
FIRST = APPENDED + ["boost", "cli11", "e2fsprogs", "libcamera", "libcbor", "libgpiod", "nlohmann-json", "qrencode", "sqlite3", "systemd", "util-linux",
                    "v4l-utils"]
PACKAGES = ["e2fsprogs-e2fsck", "util-linux-fsck"]

# The folders with code that uses the variables that meta-sealcam sets. Pages and patches prove nothing.
SEARCHED = {"openembedded-core": ["meta", "scripts"], "meta-raspberrypi": ["classes", "conf", "recipes-bsp", "recipes-kernel"]}
CODE = {"", ".bb", ".bbappend", ".bbclass", ".conf", ".in", ".inc", ".py", ".wks"}
WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def for_target(text):
    """Leaves out build tools and virtual names: no recipe for the target is among their dependencies."""
    return sorted({n for n in text.split() if not n.endswith("-native") and "-cross" not in n and not n.startswith("virtual/")})


def facts_of(data, name):
    options = {}
    for option, value in (data.getVarFlags("PACKAGECONFIG") or {}).items():
        fields = data.expand(value).split(",")
        if len(fields) > 2 and (needed := for_target(fields[2])):
            options[option] = needed
    enabled = [o for o in (data.getVar("PACKAGECONFIG") or "").split() if o in options]
    required = set(for_target(data.getVar("DEPENDS")))
    facts = {"version": data.getVar("PV"), "layer": data.getVar("FILE_LAYERNAME"), "depends": sorted(required)}
    if flags := data.getVar("LICENSE_FLAGS"):
        facts["license_flags"] = flags
    if name in APPENDED:
        facts |= {"depends": sorted(required - {n for o in enabled for n in options[o]}), "enabled": sorted(set(enabled)), "options": options}
    patterns = data.getVar("PACKAGES").split() + (data.getVar("PACKAGES_DYNAMIC") or "").split()
    if packages := [p for p in PACKAGES if p.startswith(name + "-") and any(re.fullmatch(x, p) for x in patterns)]:
        facts["packages"] = packages
    return facts


def places(repositories, world):
    """Returns the file of each class that meta-sealcam inherits, and for each name that it uses the first file with this name."""
    classes, names = {f"{name}.bbclass" for name in requirements.classes(world)}, requirements.names(world)
    found = {"classes": {}, "names": {}}
    for repository, folder in ((r, r / folder) for r in repositories for folder in SEARCHED.get(r.name, [])):
        for path in sorted(p for p in folder.rglob("*") if p.suffix in CODE and p.is_file()):
            place = str(path.relative_to(repository.parent))
            if path.name in classes:
                found["classes"][path.stem] = place
            for name in set(WORD.findall(path.read_text(errors="replace"))) & names - found["names"].keys():
                found["names"][name] = place
    return {kind: dict(sorted(entries.items())) for kind, entries in found.items()}


def repository(layer):
    done = subprocess.run(["git", "-C", layer, "log", "-1", "--format=%H %cs"], capture_output=True, text=True, check=True).stdout.split()
    top = subprocess.run(["git", "-C", layer, "rev-parse", "--show-toplevel"], capture_output=True, text=True, check=True).stdout.strip()
    return pathlib.Path(top).name, dict(zip(("commit", "date"), done))


def read():
    with bb.tinfoil.Tinfoil() as tinfoil:
        tinfoil.prepare(config_only=False, quiet=1)
        facts, waiting = {}, list(FIRST)
        while waiting:
            name = waiting.pop()
            if name in facts:
                continue
            file = tinfoil.get_recipe_file(name)
            appends = [append for append in tinfoil.get_file_appends(file) if "/meta-sealcam/" not in append]
            data = tinfoil.parse_recipe_file(file, appendlist=appends)
            facts[name] = facts_of(data, name)
            waiting += facts[name]["depends"] + [n for o in facts[name].get("enabled", []) for n in facts[name]["options"][o]]
        layers = [layer for layer in tinfoil.config_data.getVar("BBLAYERS").split() if not layer.endswith("meta-sealcam")]
        layers.append(os.environ["BITBAKE"])
    return facts_of_layers(layers) | {"recipes": dict(sorted(facts.items()))}


def facts_of_layers(layers):
    commits = dict(sorted(map(repository, layers)))
    tops = sorted({top for layer in layers for top in [pathlib.Path(layer), *pathlib.Path(layer).parents] if top.name in commits})
    return {"repositories": commits} | places(tops, checks.World(FACTS.parents[2]))


def text(document):
    """JSON with one line per recipe."""
    parts = []
    for series, facts in sorted(document.items()):
        lists = [f'  "{kind}": {{\n' + ",\n".join(f'   "{k}": {json.dumps(v)}' for k, v in facts[kind].items()) + "\n  }" for kind in facts]
        parts.append(f' "{series}": {{\n' + ",\n".join(lists) + "\n }")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    known = json.loads(FACTS.read_text()) if FACTS.exists() else {}
    known[sys.argv[1]] = read()
    FACTS.write_text(text(known))
    print(f"{sys.argv[1]}: {len(known[sys.argv[1]]['recipes'])} recipes")
