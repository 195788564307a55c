#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads recordings that the recorder wrote with the second implementation, and alters them.

    reader_test.py PROGRAM        PROGRAM writes the sample with its test case '[sample]'
"""
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import read_recording
from sealcam1 import wire

failures = 0


def check(condition, text):
    global failures
    print(("ok: " if condition else "FAILED: ") + text)
    failures += not condition


def main():
    with tempfile.TemporaryDirectory(prefix="sealcam-reader-") as folder:
        folder = pathlib.Path(folder)
        subprocess.run([sys.argv[1], "[sample]"], check=True, stdout=subprocess.DEVNULL,
                       env=dict(os.environ, SEALCAM_SAMPLE_FOLDER=str(folder)))
        sample = json.loads((folder / "sample.json").read_text())
        account, keys = wire.id_of(sample["account"]), folder / "state" / "recording-keys"
        paths = sorted((folder / "recordings").glob("*/*/*.seal"))
        check(len(paths) == sample["files"], f"{len(paths)} files")
        units = []
        results = [read_recording.read_file(path, account, keys, lambda key, fields, unit: units.append(unit)) for path in paths]
        check(not any(result["faults"] for result in results), "unaltered files have no fault: "
              + json.dumps([result["faults"] for result in results]))
        check(b"".join(units).hex() == sample["pictures"], "all pictures open to what the camera sealed")
        check(sum(result["lost"] for result in results) == sample["lost"], "the gaps are those of the camera")
        locked = [read_recording.read_file(path, account) for path in paths]
        check(sum(result["opened"] for result in locked) == 0 and not any(result["faults"] for result in locked),
              "without the state folder, signatures are valid and no picture opens")
        identity = wire.private_key(bytes.fromhex(sample["archive_identity"]))
        sealed = (keys / "archive.sealed").read_bytes()
        check(read_recording.open_archive_key(sealed, identity) == (keys / "archive").read_bytes(),
              "the owner's key opens the sealed archive key")
        other = wire.id_of(sample["other"])
        check(all(read_recording.read_file(path, other)["faults"] for path in paths), "another account does not accept them")

        path, seed = paths[0], random.Random(1)
        whole = path.read_bytes()
        found = 0
        for i in range(100):
            altered = bytearray(whole)
            if i % 2:
                altered[seed.randrange(len(altered))] ^= 1 << seed.randrange(8)
            else:
                del altered[seed.randrange(len(altered)):]
            path.write_bytes(altered)
            found += bool(read_recording.read_file(path, account)["faults"])
        path.write_bytes(whole)
        check(found == 100, f"{found} of 100 alterations found")
    sys.exit(1 if failures else 0)


main()
