#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the corpus with the second implementation of sealcam/1.

    second_implementation.py                      all cases
    second_implementation.py RULE[/CASE]…         these only
    second_implementation.py --samples FILE       verifies and opens the samples of the unit tests instead
    second_implementation.py --compare FILE       compares the verdicts with those of another runner, from its results file
"""
import argparse
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

try:
    from sealcam1 import camera_runner, hub_runner, link, owner_runner, samples
except ImportError as error:
    print(f"SKIPPED: python3-cryptography is not installed ({error})")
    sys.exit(4)

RUNNERS = {"hub": hub_runner.HubRunner, "camera": camera_runner.CameraRunner, "owner": owner_runner.OwnerRunner,
           "phone": link.LinkRunner, "mailbox": link.LinkRunner}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", nargs="*", metavar="RULE[/CASE]")
    parser.add_argument("--compare", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--samples", type=pathlib.Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.samples:
        return samples.check(arguments.samples)
    other = json.loads(arguments.compare.read_text(encoding="utf-8")) if arguments.compare else {}
    rules, count, events, identical, failed, not_run = set(), 0, 0, 0, 0, 0
    for path in sorted((HERE / "rules").glob("*/*.json")):
        name = f"{path.parent.name}/{path.stem}"
        if arguments.cases and not any(name == c or name.startswith(c + "/") for c in arguments.cases):
            continue
        case = json.loads(path.read_text(encoding="utf-8"))
        if case["under_test"] not in RUNNERS:
            not_run += 1
            continue
        verdicts, faults = hub_runner.run(case, RUNNERS)
        rules.add(path.parent.name)
        count += 1
        events += len(verdicts)
        for fault in faults:
            print(f"{name}: {fault}")
        if arguments.compare and other.get(name) != verdicts:
            print(f"{name}: the other runner has other verdicts")
            faults.append("other verdicts")
        elif arguments.compare:
            identical += len(verdicts)
        failed += bool(faults)
    compared = f", {identical} verdicts identical with the other runner" if arguments.compare else ""
    print(f"{len(rules)} rules, {count} cases, {events} verdicts{compared}, {failed} cases failed, {not_run} not covered")
    if count == 0:
        print("no case ran; the folder 'rules' must be beside this script")
    return 1 if failed or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
