# SPDX-License-Identifier: Apache-2.0
"""Creates a card image of 13 MiB. It has the partitions of a real image, with random content."""
import os
import pathlib
import random
import shutil
import subprocess

MIB = 1 << 20
FIRST_START, FIRST_SIZE, SIZE = 1 * MIB, 5 * MIB, 13 * MIB
TABLE = """label: dos
label-id: 0x5ea1ca3d
unit: sectors
start=2048, size=10240, type=c
start=12288, size=2048, type=c
start=14336, size=2048, type=c
start=16384, size=10240, type=5
start=18432, size=2048, type=83
start=22528, size=2048, type=83
"""
QUIET = os.environ | {"MTOOLSRC": "/dev/null", "MTOOLS_SKIP_CHECK": "1"}


def missing_tools():
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    os.environ["PATH"] = path
    return [tool for tool in ("sfdisk", "mformat", "mcopy", "mtype", "zstd") if not shutil.which(tool)]


def make(path, label="SEALCAM"):
    path = pathlib.Path(path)
    path.write_bytes(random.Random(5).randbytes(SIZE))
    with open(path, "r+b") as file:
        file.write(bytes(MIB))
    subprocess.run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", str(path)], input=TABLE, text=True, check=True)
    first = f"{path}@@{FIRST_START}"
    geometry = ["-T", str(FIRST_SIZE // 512), "-h", "16", "-s", "63"]
    subprocess.run(["mformat", "-i", first, "-F", *geometry, "-v", label, "-N", "5ea1ca3d", "::"], env=QUIET, check=True)
    subprocess.run(["mcopy", "-i", first, "-", "::README.txt"], input=b"A card of Sealcam.\n", env=QUIET, check=True)
    return path


def pack(path):
    packed = pathlib.Path(f"{path}.zst")
    subprocess.run(["zstd", "-q", "-f", "-1", str(path), "-o", str(packed)], check=True)
    return packed


def read_file(path, name):
    """Returns the content of a file on the first partition of an image or card, or None."""
    done = subprocess.run(["mtype", "-i", f"{path}@@{FIRST_START}", f"::{name}"], capture_output=True, env=QUIET)
    return done.stdout if done.returncode == 0 else None
