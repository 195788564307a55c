#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The partitions of a card image do not depend on time, time zone and place of the build: each is made twice and compared byte for byte."""
import hashlib
import os
import pathlib
import shutil
import sys
import tempfile
import time
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import image_parts  # noqa: E402

FILES = {"README.txt": b"A card of Sealcam.\n", "kernel": bytes(range(256)) * 1000, "overlays/a.dtbo": b"a", "overlays/b.dtbo": b"b"}
EPOCH = "1700000000"
SIZES = {"card": 40, "boot": 40, "root": 8, "data": 32}  # MiB


def make(folder, zone, epoch=EPOCH):
    """Makes the partitions in the folder. Returns {name: SHA-256}."""
    folder.mkdir(parents=True)
    with mock.patch.dict(os.environ, {"TZ": zone, "SOURCE_DATE_EPOCH": epoch}), mock.patch.dict(image_parts.SIZES, SIZES):
        parts = {name: folder / f"{name}.part" for name in ("card", "boot", "root", "data")}
        image_parts.fat(parts["card"], SIZES["card"], "SEALCAM", {"README.txt": FILES["README.txt"]})
        image_parts.fat(parts["boot"], SIZES["boot"], "BOOT-A", FILES)
        image_parts.data_partition(parts["data"], folder)
        root = folder / "tree"
        for name, content in FILES.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
        image_parts.squash(root, parts["root"], "-comp", "gzip")
        image = folder / "image"
        image_parts.assemble(image, {1: parts["card"], 2: parts["boot"], 5: parts["root"], 7: parts["data"]})
    return {path.stem: digest(path) for path in (*parts.values(), image)}


def digest(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Partitions(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def test_two_builds_are_identical(self):
        first = make(self.folder / "first", "UTC0")
        time.sleep(2.1)  # the times of FAT have a resolution of 2 s, and no program here has another clock
        self.assertEqual(make(self.folder / "another/folder", "JST-9"), first)

    def test_control_the_time_zone_would_change_the_fat_partitions(self):
        run = image_parts.run

        def with_zone(*argv, env=None, **options):
            return run(*argv, env=env and env | {"TZ": os.environ["TZ"]}, **options)
        with mock.patch.object(image_parts, "run", with_zone):
            first, second = (make(self.folder / zone, zone) for zone in ("UTC0", "JST-9"))
        self.assertEqual({name for name in first if first[name] != second[name]}, {"card", "boot", "image"})

    def test_control_another_time_of_the_commit_changes_each_partition(self):
        first, second = (make(self.folder / epoch, "UTC0", epoch) for epoch in (EPOCH, "1700086400"))
        self.assertEqual({name for name in first if first[name] != second[name]}, first.keys())


if __name__ == "__main__":
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if lacking := [tool for tool in ("sfdisk", "mformat", "mcopy", "mke2fs", "mksquashfs") if not shutil.which(tool)]:
        print(f"SKIPPED: missing tools: {', '.join(lacking)}")
        sys.exit(77)
    unittest.main()
