#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads JUnit files of ctest. Prints the skipped and failed tests, and a line with the totals."""
import pathlib
import sys
import xml.etree.ElementTree as ET

passed = failed = skipped = 0
for path in sys.argv[1:]:
    suite = pathlib.Path(path).stem
    for case in ET.parse(path).getroot().iter("testcase"):
        status = case.get("status")
        if case.find("skipped") is not None or status in ("notrun", "disabled"):
            skipped += 1
            reason = (case.findtext("system-out") or "").strip()
            why = next((l.strip() for l in reason.splitlines() if "SKIPPED" in l or "skip" in l.lower()), "")
            print(f"skipped [{suite}] {case.get('name')} {why}")
        elif case.find("failure") is not None or status == "fail":
            failed += 1
            print(f"FAILED  [{suite}] {case.get('name')}")
        else:
            passed += 1
if passed + failed == 0:
    print("no test ran", file=sys.stderr)
    failed = 1
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(1 if failed else 0)
