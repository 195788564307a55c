#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that the include paths of each module contain no headers of modules that it must not know.

For each pair of modules, it compiles a file with one include, with the include folders of a source file of the first module from
compile_commands.json. A forbidden include must fail because the header is missing. For the module's other sets of include folders, the
preprocessor reports the headers that it finds. As controls, an allowed include must be found with all that it includes, and each module
must find its own header.

    includes_test.py --build DIR
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
# A small header of each module.
HEADERS = {
    "base": "base/types.hpp",
    "crypto": "crypto/keys.hpp",
    "transport": "transport/tls/certificate.hpp",
    "protocol": "protocol/envelope.hpp",
    "hal": "hal/picture.hpp",
    "device": "device/device_state.hpp",
    "pairing": "pairing/pairing_service.hpp",
    "recordings": "recordings/archive.hpp",
    "stream": "stream/publish/publisher.hpp",
    "watch": "watch/watcher.hpp",
    "image_init": "image_init/card.hpp",
    "update": "update/release.hpp",
    "camera": "camera/camera.hpp",
    "hub": "hub/app.hpp",
    "owner": "owner/console.hpp",
}
LAYERS = [["base"], ["crypto"], ["transport", "protocol", "hal"], ["device"], ["pairing", "recordings", "stream", "watch"],
          ["image_init", "update"], ["camera", "hub", "owner"]]
# firmware/docs/architecture.md: lower modules that a module does not use.
FORBIDDEN_BELOW = {("hal", "crypto"), ("recordings", "transport"), ("recordings", "hal"), ("stream", "transport"), ("watch", "transport"),
                   ("watch", "hal")}
# stream and watch may include the interface of MQTT.
MQTT = "transport/mqtt/mqtt.hpp"


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


def run(command, text, *options):
    # The compiler also searches the working directory, so it must not be the source tree.
    return subprocess.run([*command, "-x", "c++", *options, "-"], input=text, text=True, capture_output=True, cwd="/")


def found_headers(command):
    """The modules whose header the compiler finds."""
    text = "".join(f'#if __has_include("{header}")\nfound {module}\n#endif\n' for module, header in HEADERS.items())
    done = run(command, text, "-E", "-P")
    return set(re.findall(r"^found (\w+)$", done.stdout, re.MULTILINE)), done.stderr


def compiles(command, header, allowed):
    # An allowed header is only preprocessed, with all that it includes, because that takes a tenth of the time.
    done = run(command, f'#include "{header}"\n', "-M" if allowed else "-fsyntax-only")
    # GCC's and clang's text. A header that is found and includes a missing one does not count.
    missing = f"{header}: No such file" in done.stderr or f"'{header}' file not found" in done.stderr
    return done.returncode == 0, missing, done.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=TOP / "build/dev")
    build = parser.parse_args().build
    number = {module: i for i, layer in enumerate(LAYERS) for module in layer}
    folders = {path.name for path in (TOP / "firmware").iterdir() if (path / "CMakeLists.txt").is_file()} | {"hal"}
    if folders != set(HEADERS) or folders != set(number):
        print(f"error: HEADERS and LAYERS do not have exactly the modules {', '.join(sorted(folders))}")
        return 1
    for module, header in HEADERS.items():
        if not (TOP / ("" if module == "hal" else "firmware") / header).is_file():
            print(f"error: the module '{module}' has no header {header}; name another one in HEADERS")
            return 1
    by_module = commands(build)
    forbidden = {module: [other for other in HEADERS if other != module and (number[other] >= number[module] or (module, other) in FORBIDDEN_BELOW)]
                 for module in HEADERS}
    lookups, compilations = [], []
    for module in HEADERS:
        if module not in by_module:
            print(f"error: {build}/compile_commands.json has no file of the module '{module}'; configure the build again")
            return 1
        variants = list(by_module[module].values())
        lookups += [(module, command) for command in variants]
        compilations += [(module, HEADERS["base"], True, variants[0])]
        compilations += [(module, HEADERS[other], False, variants[0]) for other in forbidden[module]]
        if module in ("stream", "watch"):
            compilations.append((module, MQTT, True, variants[0]))

    failed, own = 0, set()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for (module, _), (found, text) in zip(lookups, pool.map(lambda task: found_headers(task[1]), lookups)):
            if "base" not in found:
                print(f"control failed: {module} does not find {HEADERS['base']}:\n{text}")
                failed += 1
            own |= found & {module}
            for other in found.intersection(forbidden[module]):
                print(f"{module} can include {HEADERS[other]}, which it must not know")
                failed += 1
        for (module, header, allowed, _), (good, missing, text) in zip(compilations, pool.map(lambda task: compiles(task[3], task[1], task[2]), compilations)):
            if allowed and not good:
                print(f"control failed: {module} cannot include {header}:\n{text}")
                failed += 1
            elif not allowed and not missing:
                print(f"{module} can include {header}, which it must not know")
                failed += 1
    for module in set(HEADERS) - own:
        print(f"control failed: no source of {module} finds {HEADERS[module]}")
        failed += 1
    wrong = sum(map(len, forbidden.values()))
    print(f"{wrong} forbidden includes were tried from {len(HEADERS)} modules, with {len(lookups)} sets of include folders; {failed} problems")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
