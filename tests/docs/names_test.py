#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the names on the pages: each path, class, script, command and option exists.

    names_test.py source                  paths, names of C++, options of scripts
    names_test.py programs --build DIR    commands and options of the programs, on the pages and in texts of the code

Each part also runs controls. A control is a name that does not exist, and the test must find it.
"""
import argparse
import pathlib
import re
import shlex
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ("sealcam", "sealcam-hub", "sealcam-camera", "sealcam-image-init", "sealcam-update")
FOLDERS = ("firmware", "hal", "tests", "scripts", "board", "toolchains")
# Folders with the parts of a script.
PARTS = {"flash": ("scripts/card",), "qemu": ("tests/qemu", "tests/boards")}
# A word that stands for a name of the reader, such as <name> or DIR, matches everything.
PLACEHOLDER = re.compile(r"<[^<>]+>|\bNAME\b|\bBOARD\b|\{[^{}]*\}|\[[^\]]*\]|…")


def files_of_git(*patterns):
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=TOP, capture_output=True, text=True, check=True)
    return [TOP / name for name in listed.stdout.splitlines()]


def code_of(text):
    """Yields (line, code) for each code span and each line of a code block of a page."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield number, line.strip()
        else:
            for span in re.findall(r"`([^`]+)`", line):
                yield number, span


def missing_paths(code):
    for path in re.findall(rf"(?<![\w/.~$-])(?:\./)?((?:{'|'.join(FOLDERS)})/[^\s`'\";,:|()]*)", code):
        pattern = PLACEHOLDER.sub("*", path.rstrip("./"))
        # A class on a page can be named without the endings of its files.
        if not any(TOP.glob(pattern)) and not any(TOP.glob(f"{pattern}.*")):
            yield f"{path} does not exist"


def missing_files(code, names):
    """A source file may be named without its folder."""
    for name in re.findall(r"(?<![\w/.*>-])([a-z]\w*\.(?:cpp|hpp|py|mjs|cmake))(?![\w(])", code):
        if name not in names:
            yield f"{name} is not in the repository"


def missing_names(code, sources):
    for module, name in re.findall(r"\b(base|crypto|transport|protocol|hal|device|pairing|stream|watch|recordings|camera|hub|owner)::([A-Z]\w+)", code):
        if not re.search(rf"\b(?:class|struct|enum class|using|concept) (?:\[\[nodiscard\]\] )?{name}\b", sources):
            yield f"{module}::{name} is not in the sources"


def missing_script_options(code):
    for name, rest in re.findall(r"(?:^|\s)(?:\./)?scripts/([\w.-]+)([^|;&#`]*)", code):
        script = TOP / "scripts" / name
        if not script.is_file():
            continue  # missing_paths() reports it
        if rest.lstrip().startswith(("run ", "shell ")):
            continue  # the options belong to the command that runs in the build root
        parts = [script, *TOP.glob(f"scripts/{name}*.py"), *(p for folder in PARTS.get(name, ()) for p in TOP.glob(f"{folder}/*.py"))]
        text = "".join(part.read_text() for part in parts)
        for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", re.sub(r"(?<=\s)#.*", "", rest)):
            if option not in text:
                yield f"scripts/{name} has no option {option}"


def check_source():
    sources = "".join(p.read_text() for p in files_of_git("firmware/*.hpp", "hal/*.hpp", "firmware/*.cpp", "hal/*.cpp"))
    names = {path.name for path in files_of_git()}

    def faults_of(code):
        return [*missing_paths(code), *missing_files(code, names), *missing_names(code, sources), *missing_script_options(code)]

    faults, count = [], 0
    pages = files_of_git("*.md")
    for page in pages:
        for line, code in code_of(page.read_text()):
            count += 1
            faults += [f"{page.relative_to(TOP)}:{line}: {fault}" for fault in faults_of(code)]
    for code, expected in (("firmware/stream/no_such_file.cpp", 1), ("stream::NoSuchClass", 1), ("./scripts/build --no-such-option", 1),
                           ("no_such_file.cpp", 1), ("firmware/protocol/README.md", 0), ("stream::Publisher", 0), ("./scripts/test --help", 0)):
        found = faults_of(code)
        if len(found) != expected:
            faults.append(f"control {code}: found {found}")
    return faults, f"{count} pieces of code on {len(pages)} pages name paths, classes and options that exist"


class Help:
    """The texts of --help, which name the commands and options of a program."""

    def __init__(self, build):
        self.build, self.texts = pathlib.Path(build) / "bin", {}

    def of(self, *parts):
        if parts not in self.texts:
            done = subprocess.run([self.build / parts[0], *parts[1:], "--help"], capture_output=True, text=True, timeout=30)
            self.texts[parts] = done.stdout if done.returncode == 0 else ""
        return self.texts[parts]

    def faults(self, command):
        """The faults of one command, a list of parts."""
        known, text, at = self.of(command[0]), self.of(command[0]), 1
        while at < len(command) and re.search(r"^Subcommands:", text, re.M):
            word = command[at]
            if PLACEHOLDER.fullmatch(word):
                return
            if word.startswith("-"):
                takes_value = re.search(rf"{re.escape(word)}(?:,--?[\w-]+)* (?:[A-Z]|TEXT)", text)
                at += 2 if takes_value else 1
                continue
            listed = re.search(rf"^  {re.escape(word)}(?:,| |$)", text.split("Subcommands:")[1], re.M)
            if not listed and self.of(*(w for w in command[:at + 1] if not w.startswith("-"))) in ("", text):  # not a hidden one either
                if re.fullmatch(r"[a-z][a-z-]*", word):
                    yield f"'{' '.join(command[:at])}' has no command '{word}'"
                return
            text = self.of(*(w for w in command[:at + 1] if not w.startswith("-")))
            known += text
            at += 1
        for option in command[1:]:
            if re.fullmatch(r"--?[a-z][\w-]*(?:=.*)?", option) and not re.search(rf"(?<![\w-]){re.escape(option.split('=')[0])}(?![\w-])", known):
                yield f"'{' '.join(w for w in command[:at] if not w.startswith('-'))}' has no option {option}"


def commands_in(code):
    """Yields each command of a program in a line of code, as parts."""
    code = re.sub(r"\s#\s.*|\s{2,}[A-Za-z].*$", "", code)
    for match in re.finditer(rf"(?<!-u)(?:^|[\s'(])(?:/usr/bin/|build/\w+/bin/)?((?:{'|'.join(PROGRAMS)})(?: [^|;&]*)?)(?:$|[|;&])", code):
        text = re.split(r"['’](?=[\s,.:;)]|$)", match[1])[0] if match[0].startswith("'") else match[1]
        try:
            parts = shlex.split(text)
        except ValueError:
            parts = text.split()
        if len(parts) > 1:
            yield parts


def texts_of_code():
    """Yields (place, command) for each command in quotes in a string of the code."""
    for path in files_of_git("firmware/*.cpp", "firmware/*.hpp", "hal/*.cpp", "firmware/*.js", "board/*", "scripts/*"):
        try:
            text = path.read_text()
        except (UnicodeDecodeError, OSError):
            continue
        text = re.sub(r'"\s*\n\s*"', "", text)
        for match in re.finditer(rf"'((?:{'|'.join(PROGRAMS)}) [^'\n]*)'", text):
            yield f"{path.relative_to(TOP)}:{text.count(chr(10), 0, match.start()) + 1}", match[1]


def check_programs(build):
    shown = Help(build)
    faults, count = [], 0
    for page in files_of_git("*.md"):
        for line, code in code_of(page.read_text()):
            for command in commands_in(code):
                count += 1
                faults += [f"{page.relative_to(TOP)}:{line}: {fault}" for fault in shown.faults(command)]
    for place, text in texts_of_code():
        for command in commands_in(text):
            count += 1
            faults += [f"{place}: {fault}" for fault in shown.faults(command)]
    for text, expected in (("sealcam camera no-such", 1), ("sealcam camera pair X --no-such", 1), ("sealcam-hub no-such", 1),
                           ("sealcam camera pair 'sealcam:1:x' --name A --broker B", 0), ("sudo sealcam-hub open --print", 0)):
        found = [fault for command in commands_in(text) for fault in shown.faults(command)]
        if len(found) != expected:
            faults.append(f"control {text}: found {found}")
    return faults, f"{count} commands on pages and in texts of the code exist"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["source", "programs"])
    parser.add_argument("--build", default=str(TOP / "build/dev"))
    options = parser.parse_args()
    faults, good = check_source() if options.part == "source" else check_programs(options.build)
    print("\n".join(faults) if faults else good)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
