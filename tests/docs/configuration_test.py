#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares firmware/docs/configuration.md with the code.

    configuration_test.py source                          settings and defaults, from the C++ sources
    configuration_test.py programs --build DIR            types, ranges and choices, by --check-config

Each part also runs controls. A control changes the page, and the test must find the difference.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGE = TOP / "firmware/docs/configuration.md"
SOURCES = {"camera.json": ["firmware/camera/camera_config.cpp"],
           "hub.json": ["firmware/hub/settings.cpp"],
           "sealcam.json": ["firmware/image_init/card.cpp"],
           "update.json": ["firmware/update/main.cpp"]}
HEADERS = ["hal/backends.hpp", "firmware/camera/camera.hpp", "hal/media.hpp", "firmware/base/types.hpp",
           "firmware/hub/app.hpp", "firmware/update/updater.hpp"]
PROGRAMS = {"camera.json": "sealcam-camera", "hub.json": "sealcam-hub"}


def rows_of(page):
    """{file: {setting: {column: text}}}"""
    files = {}
    for section in re.split(r"^## ", page, flags=re.M)[1:]:
        name, _, text = section.partition("\n")
        lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
        if name in SOURCES:
            files[name] = {row[0].strip("`"): dict(zip(lines[0], row)) for row in lines[2:]}
    return files


def arguments_of(text):
    """Returns the arguments of a call. `text` begins after the opening parenthesis."""
    found, depth, current = [], 0, ""
    for c in text:
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        if depth < 0 or (c == "," and depth == 0):
            found.append(current.strip())
            current = ""
        else:
            current += c
        if depth < 0:
            return found
    return found


def code_settings(file):
    """Returns {setting: arguments after the JSON pointer} for each pointer that the code reads."""
    text = "".join((TOP / source).read_text() for source in SOURCES[file])
    found = {}
    for match in re.finditer(r'\b(\w+)\((?:reader, )?"(/[a-z_][a-z_/]*[a-z_])"', text):
        if match[1] == "reject":
            continue
        arguments = arguments_of(text[match.end():].lstrip(", "))
        if match[2] not in found or arguments:
            found[match[2]] = arguments
    controls = re.search(r"std::array own = \{([^}]*)\}", text)
    for name in re.findall(r"Control::(\w+)", controls[1] if controls else ""):
        found[f"/source/controls/{name}"] = []
    return found


def plain(value):
    return value.strip('"').replace("'", "")


def code_default(argument):
    """Returns the default value: a literal, or the initializer of a member in a header."""
    if re.fullmatch(r'".*"|[\d\']+|true|false', argument):
        return plain(argument)
    member = re.search(r"\.(\w+)", argument)
    headers = "".join((TOP / header).read_text() for header in HEADERS)
    found = member and re.search(rf"\b{member[1]}\s*(?:= |\{{)([^;}}]+)[;}}]", headers)
    if not found and (size := re.search(r"Size size\{(\d+), (\d+)\}", headers)) and "size" in argument:
        return f"{size[1]}x{size[2]}"
    if found and (constant := re.fullmatch(r"limits::(\w+)", found[1])):
        return code_default(f".{constant[1]}")
    return plain(found[1]) if found else f"unknown ({argument})"


def compare_source(page):
    for file, rows in rows_of(page).items():
        code = code_settings(file)
        for setting in sorted(code.keys() - rows.keys()):
            yield f"{file}: the page lacks {setting}"
        for setting in sorted(rows.keys() - code.keys()):
            yield f"{file}: the code does not read {setting}"
        for setting in sorted(rows.keys() & code.keys()):
            default = rows[setting]["default"].strip("`")
            arguments = code[setting]
            if default in ("none", "required") or not arguments or not arguments[0]:
                continue
            if (expected := code_default(arguments[0])) != default:
                yield f"{file}: {setting} has the default {expected} in the code and {default} on the page"


def with_setting(setting, value, row):
    """Returns a configuration with one setting and the other settings that it requires."""
    config = {}
    if setting != "/source/backend" and (backends := re.findall(r"`(\w+)`", row.get("backends", ""))):
        config["source"] = {"backend": backends[0]}
    if setting == "/source/file" or value == "replay":
        config.setdefault("source", {})["file"] = "clip.avi"
    if setting == "/source/loop":
        config["source"]["file"] = "clip.avi"
    if setting == "/source/realtime":
        config["source"]["file"] = "clip.avi"
    if setting == "/encoder/min_bitrate":
        config["encoder"] = {"bitrate": 25_000_000}
    if setting == "/app/folder":
        config["app"] = {"certificate": "/etc/certificate.pem", "key": "/etc/key.pem"}
    if setting.startswith("/source/format"):
        config["source"]["backend"] = "v4l2"
    *path, last = setting.strip("/").split("/")
    place = config
    for name in path:
        place = place.setdefault(name, {})
    place[last] = value
    return config


def samples(setting, row):
    """Yields (value, whether the program must accept it)."""
    kind, default, text = row["type"], row["default"].strip("`"), row["range"]
    if kind == "object":
        return
    yield {}, False
    if kind == "boolean":
        yield from [(True, True), (False, True), (1, False)]
        return
    yield True, False
    choices = [] if "sensor's range" in text or "any" in text else re.findall(r"`(\w+)`", text)
    for choice in choices:
        yield choice, True
    if choices:
        yield "no_such_value", False
    if span := re.search(r"(\d+) to (\d+)", text):
        low, high = int(span[1]), int(span[2])
        if kind == "text":  # a size
            max_pixels = re.search(r"at most ([\d,]+) pixels", text)
            rows = int(max_pixels[1].replace(",", "")) // high if max_pixels else high
            yield from [(f"{low}x{low}", True), (f"{high}x{rows}", True), (f"{low - 2}x{low}", False), (f"{high + 2}x{low}", False),
                        (f"{high}x{rows + 2}", False)]
        else:
            step = 0.5 if kind == "number" else 1
            yield from [(low, True), (high, True), (low - step, False), (high + step, False), ("1", False)]
    if kind == "integer":
        yield 2.5, False
    if default not in ("none", "required"):
        yield (default if kind == "text" else json.loads(default)), True
    if kind == "text or number":
        yield from [("auto", True), (100, True), ("on", False)]


def compare_programs(page, build, folder):
    for file, rows in rows_of(page).items():
        if file not in PROGRAMS:
            continue
        program = build / "bin" / PROGRAMS[file]
        for setting, row in rows.items():
            for value, good in samples(setting, row):
                config = folder / file
                config.write_text(json.dumps(with_setting(setting, value, row)))
                done = subprocess.run([program, "--config", config, "--check-config"], capture_output=True, text=True, timeout=60)
                if (done.returncode == 0) != good:
                    yield f"{file}: {setting} with {json.dumps(value)} is {'rejected' if good else 'accepted'} by the program {done.stderr}"
                elif not good and setting not in done.stderr:
                    yield f"{file}: the error message does not name {setting}: {done.stderr}"


CONTROLS = {
    "source": [
        ("a setting is missing", r"^\| `/encoder/threads`.*\n", "", "lacks /encoder/threads"),
        ("a setting does not exist", "`/verify_threads`", "`/verify_thread`", "does not read /verify_thread"),
        ("a control is missing", r"^\| `/source/controls/focus`.*\n", "", "lacks /source/controls/focus"),
        ("a default differs", r"`60`", "`61`", "has the default 60"),
        ("a setting of sealcam.json is missing", r"^\| `/wifi/hidden`.*\n", "", "lacks /wifi/hidden")],
    "programs": [
        ("a range is too wide", "1 to 600", "1 to 601", "/encoder/keyframe_interval with 601"),
        ("a range is too narrow", "0 to 64 ", "0 to 63 ", "/verify_threads with 64"),
        ("a choice does not exist", "`libx264`", "`libx265`", '"libx265" is rejected'),
        ("a type differs", r"`/source/loop` \| boolean", "`/source/loop` | integer", "/source/loop")],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=list(CONTROLS))
    parser.add_argument("--build", type=pathlib.Path)
    options = parser.parse_args()
    page = PAGE.read_text()
    with tempfile.TemporaryDirectory() as folder:
        def compare(text):
            if options.part == "source":
                return list(compare_source(text))
            return list(compare_programs(text, options.build, pathlib.Path(folder)))

        wrong = compare(page)
        for title, pattern, replacement, expected in CONTROLS[options.part]:
            changed = re.sub(pattern, replacement, page, count=1, flags=re.M)
            if changed == page:
                wrong.append(f"control '{title}': the page does not contain the pattern")
            elif not any(expected in difference for difference in compare(changed)):
                wrong.append(f"control '{title}': the difference was not found")
    for difference in wrong:
        print(difference)
    if not wrong:
        print(f"{PAGE.relative_to(TOP)} and the code agree; the controls found {len(CONTROLS[options.part])} differences")
    return 1 if wrong else 0


sys.exit(main())
