#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the corpus: rules/<rule>/<case>.json. The result is the same on each run.

    make.py            writes all files, and deletes files of cases that do not exist any more
    make.py --check    compares only; reports each file that differs, and each rule without a case and without a reason
"""
import importlib
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

try:
    from cases.builder import Case
except ImportError as error:
    print(f"SKIPPED: python3-cryptography is not installed ({error})")
    sys.exit(4)


def uncovered(covered):
    """The faults in the list of rules without a case."""
    page = (HERE.parents[1] / "firmware/protocol/README.md").read_text(encoding="utf-8")
    rules = re.findall(r"\*\*(R-[A-Z]+-\d+)\.\*\*", page)
    reasons = dict(re.findall(r"^\| (R-[A-Z]+-\d+) \| [^|]+ \| (`[^|]+`) \|$", (HERE / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    faults = [f"{rule}: has no case, and README.md has no reason for that" for rule in rules if rule not in covered and rule not in reasons]
    faults += [f"{rule}: has a case, so remove it from the list in README.md" for rule in reasons if rule in covered]
    faults += [f"{rule}: is not a rule of the protocol page" for rule in {*covered, *reasons} if rule not in rules]
    faults += [f"{rule}: README.md names {test}, which does not exist" for rule, tests in reasons.items()
               for test in re.findall("`([^`]+)`", tests) if not (HERE.parents[1] / test).is_file()]
    return faults


def main(check):
    for module in sorted(path.stem for path in (HERE / "cases").glob("*.py") if path.stem not in ("__init__", "builder")):
        importlib.import_module("cases." + module)
    files = {}
    for case in Case.all:
        path = HERE / "rules" / case.rule / (case.name + ".json")
        if path in files:
            sys.exit(f"two cases {case.rule}/{case.name}; give one of them another name")
        files[path] = case.json()
    existing = set((HERE / "rules").glob("*/*.json"))
    differing = [path for path in files if path not in existing or path.read_text(encoding="utf-8") != files[path]]
    surplus = sorted(existing - files.keys())
    if check:
        for path in sorted(differing) + surplus:
            print(f"differs: {path.relative_to(HERE)}")
        print(f"{len(files)} cases of {len({c.rule for c in Case.all})} rules, {len(differing) + len(surplus)} files differ")
        if differing or surplus:
            print("run tests/conformance/make.py, and review the differences")
        faults = sorted(uncovered({c.rule for c in Case.all}))
        for fault in faults:
            print(fault)
        return 1 if differing or surplus or faults else 0
    for path in surplus:
        path.unlink()
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
    for path in differing:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path], encoding="utf-8")
    print(f"{len(files)} cases of {len({c.rule for c in Case.all})} rules, {len(differing)} written, {len(surplus)} deleted")
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
