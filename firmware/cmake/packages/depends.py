#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints Depends of ELF files, from the symbols and shlibs files of the packages of their libraries (deb-symbols(5), deb-shlibs(5)).
Unlike dpkg-shlibdeps, it also works for another architecture without a package database of that architecture, because Debian's library
packages have the same names on all architectures.

usage: depends.py [--info DIR]... [--beyond FILE] FILE...
Searches the folders in their order, then /var/lib/dpkg/info. Prints one line for Depends, without the dependencies of the file of
--beyond. Exits with 1 if a library is not in a package.
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


def required_symbols(file):
    """Returns the required undefined symbols as name@version."""
    found = set()
    for line in readelf("--dyn-syms", file).splitlines():
        fields = line.split()
        if len(fields) >= 8 and fields[4] == "GLOBAL" and fields[6] == "UND":
            found.add(fields[7].replace("@@", "@") if "@" in fields[7] else fields[7] + "@Base")
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
    """A library and its symbols, from the files of its package."""

    def __init__(self, template, symbols):
        self.template = template
        self.symbols = symbols

    def minimum(self, required):
        """Returns the minimum package version for the symbols of this library. For a symbol that only another architecture has, this is
        the newest version of its symbol version."""
        versions = [self.symbols[s] for s in required if s in self.symbols]
        tags = {s.split("@")[1] for s in self.symbols if not s.endswith("@Base")}
        for symbol in required - self.symbols.keys():
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
            fields = line.split()
            symbols[fields[0]] = fields[1]
    return Library(template, symbols) if template else None


def read_shlibs(file, soname):
    match = re.fullmatch(r"(.+)\.so\.(.+)", soname) or re.fullmatch(r"(.+)-([^-]+)\.so", soname)
    if not match:
        return None
    for line in file.read_text().splitlines():
        fields = line.split(None, 2)
        if len(fields) == 3 and not fields[0].endswith(":") and (fields[0], fields[1]) == match.groups():
            return Library(fields[2], {})
    return None


def library(infos, soname):
    if soname.startswith("ld-linux"):
        return None  # part of the C library
    for info in infos:
        for pattern, read in (("*:*.symbols", read_symbols), ("*:*.shlibs", read_shlibs)):
            for file in sorted(info.glob(pattern)):
                if soname.split(".so")[0] in file.read_text() and (found := read(file, soname)):
                    return found
    sys.exit(f"error: no installed package contains {soname}")


def dependencies(infos, files):
    minimum = {}  # template -> versions
    for file in files:
        required = required_symbols(file)
        for soname in needed(file):
            if found := library(infos, soname):
                minimum.setdefault(found.template, set()).add(found.minimum(required) if "#MINVER#" in found.template else "")
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
