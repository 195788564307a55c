#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the labels of tests: the text of scripts/test --help, the table of firmware/docs/tests.md, and ctest.

    labels_test.py --build DIR    (DIR: a whole build of the preset dev)

The test also runs controls. A control adds or removes a label in one place, and the test must find the difference.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
# Labels of ctest that no person gives to scripts/test, and the label that runs their tests.
INTERNAL = {"threads": "tsan", "updates_qemu": "updates"}
# Labels whose tests are in the build of another preset, or run without ctest.
OTHER_BUILDS = {"asan", "tsan", "fuzz", "arm64", "armhf", "qemu", "wifi", "packages"}


def labels_of_help(text):
    """Returns (all labels, labels that run only on request). A label's text continues on lines with more spaces."""
    labels, on_request = set(), set()
    table = text[text.index("\n  unit ") + 1:text.index("\n\nThe last line")]
    for entry in re.split(r"\n(?=  [a-z])", table):
        names, description = entry.strip().split("  ", 1)
        labels |= set(names.split())
        if re.search(r"only on\s+request", description):
            on_request |= set(names.split())
    return labels, on_request


def labels_of_page(text):
    """Returns (all labels, labels of the last row) of the table."""
    table = text.split("\n## Labels\n")[1].split("\n## ")[0]
    rows = [re.findall(r"`([a-z0-9]+)`", line.split("|")[1]) for line in table.splitlines() if line.startswith("| `")]
    return {label for row in rows for label in row}, set(rows[-1])


def labels_of_ctest(build):
    """Uses a folder of its own, because ctest also writes a log if it only lists tests."""
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "CTestTestfile.cmake").write_text(f'subdirs("{pathlib.Path(build).resolve()}")\n')
        listed = subprocess.run(["ctest", "--test-dir", folder, "--print-labels"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^  (\w+)$", listed.split("All Labels:")[1], re.M))


def faults(help_text, page, ctest):
    (listed, requested), (documented, last_row) = labels_of_help(help_text), labels_of_page(page)
    for name, difference in (("in scripts/test --help, but not in firmware/docs/tests.md", listed - documented),
                             ("in firmware/docs/tests.md, but not in scripts/test --help", documented - listed),
                             ("only on request in scripts/test --help, but not in the last row of firmware/docs/tests.md", requested - last_row),
                             ("in the last row of firmware/docs/tests.md, but not only on request in scripts/test --help", last_row - requested),
                             ("in ctest, but not in scripts/test --help", ctest - listed - INTERNAL.keys()),
                             ("in scripts/test --help, but no test in ctest has it; build all targets of the preset dev first",
                              listed - ctest - OTHER_BUILDS),
                             ("internal, but no test in ctest has it", INTERNAL.keys() - ctest)):
        if difference:
            yield f"{name}: {' '.join(sorted(difference))}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    ctest = labels_of_ctest(parser.parse_args().build)
    texts = subprocess.run([TOP / "scripts/test", "--help"], capture_output=True, text=True, check=True).stdout
    page = (TOP / "firmware/docs/tests.md").read_text()
    found = list(faults(texts, page, ctest))
    for name, changed in {
            "a label that the page does not have": (texts.replace("\n  soak ", "\n  more    tests\n  soak "), page, ctest),
            "a label that --help does not have": (texts, page.replace("| `storage` |", "| `storage`, `more` |"), ctest),
            "another last row": (texts, page.replace("`kills`, `soak`", "`kills`, `soak`, `unit`"), ctest),
            "no longer only on request": (texts.replace("only on request", "", 1), page, ctest),
            "a test with an unknown label": (texts, page, ctest | {"more"}),
            "a label without tests": (texts, page, ctest - {"storage"}),
            "an internal label without tests": (texts, page, ctest - {"threads"})}.items():
        if changed == (texts, page, ctest):
            found.append(f"control '{name}' changes nothing")
        if not list(faults(*changed)):
            found.append(f"control '{name}' is not found")
    for fault in found:
        print(f"error: {fault}", file=sys.stderr)
    print(f"{len(labels_of_help(texts)[0])} labels: {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
