#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that the include paths of each module contain no headers of modules that it must not know.

For each pair of modules, it compiles a file with one include, with the include folders of a source file of the first module from
compile_commands.json. A forbidden include must fail because the header is missing. As a control, an allowed include must compile.

    includes_test.py --build DIR
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
# A small header of each module.
HEADERS = {
    "base": "base/types.hpp",
    "crypto": "crypto/keys.hpp",
    "transport": "transport/tls/certificate.hpp",
    "protocol": "protocol/topic.hpp",
    "hal": "hal/picture.hpp",
    "device": "device/device_state.hpp",
    "pairing": "pairing/code_display.hpp",
    "stream": "stream/publish/publisher.hpp",
    "watch": "watch/watcher.hpp",
    "image_init": "image_init/",
    "camera": "camera/camera.hpp",
    "hub": "hub/app.hpp",
    "owner": "owner/",
}
LAYERS = [["base"], ["crypto"], ["transport", "protocol", "hal"], ["device"], ["pairing", "stream", "watch"], ["image_init"],
          ["camera", "hub", "owner"]]
# firmware/docs/architecture.md: lower modules that a module does not use.
FORBIDDEN_BELOW = {("hal", "crypto"), ("stream", "transport"), ("watch", "transport"), ("watch", "hal")}
# stream and watch may include the interface of MQTT.
MQTT = "transport/mqtt/mqtt.hpp"


def header_of(module):
    """The header in HEADERS, or any header of the module if that one was moved."""
    folder = TOP / ("" if module == "hal" else "firmware")
    if (folder / HEADERS[module]).is_file():
        return HEADERS[module]
    headers = sorted((folder / module).rglob("*.hpp"))
    return str(headers[0].relative_to(folder)) if headers else None


def module_of(file):
    path = pathlib.Path(file)
    if not path.is_relative_to(TOP):
        return None
    parts = path.relative_to(TOP).parts
    return "hal" if parts[0] == "hal" else parts[1] if parts[0] == "firmware" else None


def commands(build):
    """One compiler command per module and set of include folders, as a list of arguments without input and output."""
    found = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        module = module_of(entry["file"])
        if module not in HEADERS:
            continue
        arguments = shlex.split(entry["command"])
        if pathlib.Path(arguments[0]).name == "ccache":
            arguments = arguments[1:]
        includes = [a for a in arguments if a.startswith("-I") and "/include/" in a]
        others = [arguments[i + k] for i, a in enumerate(arguments) if a == "-isystem" for k in (0, 1)]
        defines = [a for a in arguments if a.startswith(("-D", "-std="))]
        found.setdefault(module, {}).setdefault(tuple(sorted(includes)), [arguments[0], *defines, *includes, *others])
    return found


def compiles(command, header):
    # The compiler also searches the working directory, so it must not be the source tree.
    done = subprocess.run([*command, "-fsyntax-only", "-x", "c++", "-"], input=f'#include "{header}"\n', text=True,
                          capture_output=True, cwd="/")
    missing = header in done.stderr and "No such file" in done.stderr
    return done.returncode == 0, missing, done.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=TOP / "build/dev")
    build = parser.parse_args().build
    number = {module: i for i, layer in enumerate(LAYERS) for module in layer}
    tasks = []
    existing = [module for module in HEADERS if header_of(module)]
    by_module = commands(build)
    for module in existing:
        if module not in by_module:
            print(f"error: {build}/compile_commands.json has no file of the module '{module}'; configure the build again")
            return 1
        variants = list(by_module[module].values())
        tasks.append((module, header_of("base"), True, variants[0]))
        for command in variants:
            for other in existing:
                if other != module and (number[other] >= number[module] or (module, other) in FORBIDDEN_BELOW):
                    tasks.append((module, header_of(other), False, command))
        if module in ("stream", "watch"):
            tasks.append((module, MQTT, True, variants[0]))

    def run(task):
        return task, compiles(task[3], task[1])

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for (module, header, allowed, _), (good, missing, text) in pool.map(run, tasks):
            if allowed and not good:
                print(f"control failed: {module} cannot include {header}:\n{text}")
                failed += 1
            elif not allowed and not missing:
                print(f"{module} can include {header}, which it must not know")
                failed += 1
    wrong = len({(module, header) for module, header, allowed, _ in tasks if not allowed})
    print(f"{wrong} forbidden includes were tried from {len(existing)} modules; {failed} problems")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
