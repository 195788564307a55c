#!/usr/bin/env python3
"""Debian's Depends of some ELF files, from the symbols and shlibs files of the packages they were linked against
(deb-symbols(5), deb-shlibs(5)): what dpkg-shlibdeps does, but also for another architecture's files without a package
database of that architecture. Debian names its library packages alike on all of them.

usage: depends.py [--info DIR]... [--beyond FILE] FILE...
The folders are looked into in their order, this machine's own /var/lib/dpkg/info last.
prints one line, as Depends takes it, without what --beyond's file depends on anyway; ends with 1 when a library belongs to no package.
"""
import argparse
import pathlib
import re
import subprocess
import sys


def readelf(*arguments):
    return subprocess.run(["readelf", "--wide", *arguments], check=True, capture_output=True, text=True).stdout


def needed(file):
    return re.findall(r"\(NEEDED\).*\[(.+?)\]", readelf("--dynamic", file))


def wanted_symbols(file):
    """Undefined symbols that must be found, as name@version."""
    found = set()
    for line in readelf("--dyn-syms", file).splitlines():
        words = line.split()
        if len(words) >= 8 and words[4] == "GLOBAL" and words[6] == "UND":
            found.add(words[7].replace("@@", "@") if "@" in words[7] else words[7] + "@Base")
    return found


def newer(a, b):
    return subprocess.run(["dpkg", "--compare-versions", a, "gt", b]).returncode == 0


def newest(versions):
    best = ""
    for version in versions:
        if not best or newer(version, best):
            best = version
    return best


class Library:
    """What a package says of one of its libraries."""

    def __init__(self, template, symbols):
        self.template = template
        self.symbols = symbols

    def minimum(self, wanted):
        """Of the symbols that are its own. One that only another architecture has counts as its version's newest."""
        versions = [self.symbols[s] for s in wanted if s in self.symbols]
        tags = {s.split("@")[1] for s in self.symbols if not s.endswith("@Base")}
        for symbol in wanted - self.symbols.keys():
            tag = symbol.split("@")[1]
            if tag in tags:
                versions.append(newest({v for s, v in self.symbols.items() if s.endswith("@" + tag)}))
        return newest(set(versions))


def read_symbols(file, soname):
    template, symbols, inside = "", {}, False
    for line in file.read_text().splitlines():
        if line[:1] not in (" ", "|", "*", "#", ""):
            inside = line.split()[0] == soname
            if inside:
                template = line.split(None, 1)[1]
        elif inside and line.startswith(" "):
            words = line.split()
            symbols[words[0]] = words[1]
    return Library(template, symbols) if template else None


def read_shlibs(file, soname):
    match = re.fullmatch(r"(.+)\.so\.(.+)", soname) or re.fullmatch(r"(.+)-([^-]+)\.so", soname)
    if not match:
        return None
    for line in file.read_text().splitlines():
        words = line.split(None, 2)
        if len(words) == 3 and not words[0].endswith(":") and (words[0], words[1]) == match.groups():
            return Library(words[2], {})
    return None


def library(infos, soname):
    if soname.startswith("ld-linux"):
        return None  # always with the C library
    for info in infos:
        for pattern, read in (("*:*.symbols", read_symbols), ("*:*.shlibs", read_shlibs)):
            for file in sorted(info.glob(pattern)):
                if soname.split(".so")[0] in file.read_text() and (found := read(file, soname)):
                    return found
    sys.exit(f"error: no installed package has {soname}")


def dependencies(infos, files):
    minimum = {}  # template -> versions
    for file in files:
        wanted = wanted_symbols(file)
        for soname in needed(file):
            if found := library(infos, soname):
                minimum.setdefault(found.template, set()).add(found.minimum(wanted) if "#MINVER#" in found.template else "")
    return {template: newest(versions - {""}) for template, versions in minimum.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--info", type=pathlib.Path, action="append", default=[])
    parser.add_argument("--beyond", action="append", default=[])
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    infos = [*options.info, pathlib.Path("/var/lib/dpkg/info")]
    known = dependencies(infos, options.beyond)
    lines = set()
    for template, version in dependencies(infos, options.files).items():
        if template not in known:
            line = template.replace("#MINVER#", f"(>= {version})" if version and newer(version, "0") else "")
            lines.add(re.sub(r"\s+", " ", line).strip())
    print(", ".join(sorted(lines)))


main()
