#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a signed bundle from a card image. scripts/bundle calls this script in the build root."""
import argparse
import json
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

import image_update
from image_parts import MIB, SIZES, Failure, layout, run

TOP = pathlib.Path(__file__).resolve().parent.parent
# Both slots get the same images. The kernel command line names the slot, and its file is on the boot partition, so RAUC calls this
# hook of the bundle after it wrote the partition. The partition is not selected yet.
HOOK = TOP / "board/common/image/bundle-hook"


def partition(image, number, size=None):
    """Returns the content of a partition, or its first `size` bytes."""
    start, whole = next((start, length) for n, start, length, _ in layout()[0] if n == number)
    with image.open("rb") as card:
        card.seek(start * MIB)
        return card.read(size or whole * MIB)


def root_image(image):
    """Returns the root file system of slot a. Its superblock contains its size, without padding to 4 KiB."""
    head = partition(image, 5, 96)
    if head[:4] != b"hsqs":
        raise Failure(f"{image}: root a is not squashfs; build the image with scripts/image")
    size = struct.unpack_from("<Q", head, 40)[0]
    if size > SIZES["root"] * MIB:
        raise Failure(f"{image}: root a names a size of {size} bytes, which is more than its partition has")
    return partition(image, 5, -(-size // 4096) * 4096)


def manifest(board, version, minimum, share):
    return (f"[update]\ncompatible=sealcam-{board}\nversion={version}\n\n[bundle]\nformat=verity\n\n[hooks]\nfilename=hook\n\n"
            "[image.root]\nfilename=root.img\n\n[image.boot]\nfilename=boot.vfat\nhooks=post-install\n\n"
            f"[meta.sealcam]\nversion={version}\nminimum-version={minimum}\nshare={share}\n")


def check_share(text):
    if not re.fullmatch(r"(100(\.00?)?|\d{1,2}(\.\d{1,2})?)", text):
        raise Failure(f"the share '{text}' is not a number from 0 to 100 with up to two decimals")
    return text


def check_minimum(minimum, version):
    found, limit = ([int(n) for n in image_update.check_version(text).split(".")] for text in (minimum, version))
    if found > limit:
        raise Failure(f"the minimum version {minimum} is above the version {version}, so no board could install the bundle; "
                      f"use {version} or less")


def bundle(board, version, parts, output, certificate, key, minimum="0.0.0", share="100", intermediate=()):
    """`parts`: {name: content} of root.img and boot.vfat."""
    check_minimum(minimum, version)
    with tempfile.TemporaryDirectory(prefix="sealcam-bundle-") as folder:
        content = pathlib.Path(folder) / "content"
        content.mkdir()
        for name, data in parts.items():
            (content / name).write_bytes(data)
        (content / "hook").write_bytes(HOOK.read_bytes())
        (content / "hook").chmod(0o755)
        (content / "manifest.raucm").write_text(manifest(board, version, minimum, check_share(share)))
        made = pathlib.Path(folder) / "made.raucb"
        # The root is compressed already. mksquashfs takes the time of all files from SOURCE_DATE_EPOCH.
        run("rauc", "bundle", f"--cert={certificate}", f"--key={key}", *(f"--intermediate={path}" for path in intermediate),
            "--mksquashfs-args=-comp zstd -Xcompression-level 3 -all-root -no-xattrs", content, made)
        run("mv", made, output)


def main():
    parser = argparse.ArgumentParser(prog="scripts/bundle", description=__doc__)
    parser.add_argument("board")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--intermediate", action="append", default=[])
    parser.add_argument("--minimum-version", default="0.0.0")
    parser.add_argument("--share", default="100")
    parser.add_argument("--output", type=pathlib.Path)
    options = parser.parse_args()
    image = TOP / "build/image" / f"sealcam-{options.board}.img"
    if not image.exists():
        raise Failure(f"{image.relative_to(TOP)} is missing; build it with scripts/image {options.board}")
    if bool(options.certificate) != bool(options.key):
        raise Failure("--certificate and --key belong together")
    if not options.key:
        own = image_update.development_authority(TOP / "build/authority")
        options.certificate, options.key = own / "signer.pem", own / "signer.key.pem"
        print(f"signed by the {image_update.DEVELOPMENT}", file=sys.stderr)
    version = json.loads(image.with_suffix(".update.json").read_text())["version"]
    output = options.output or image.with_suffix(".raucb")
    bundle(options.board, version, {"root.img": root_image(image), "boot.vfat": partition(image, 2)}, output, options.certificate, options.key,
           options.minimum_version, options.share, options.intermediate)
    print(f"{output}: version {version}, {output.stat().st_size / MIB:.1f} MiB")


if __name__ == "__main__":
    try:
        main()
    except (Failure, LookupError, OSError, subprocess.SubprocessError) as failure:
        sys.exit(f"error: {failure}")
