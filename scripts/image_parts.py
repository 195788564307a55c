# SPDX-License-Identifier: Apache-2.0
"""Creates the partition table and the file systems of a card image as files, and the text that names the image. Needs no privileges and
mounts nothing.

Layout, 512-byte sectors, MBR: 1 card, 2 and 3 boot A and B, 4 extended, 5 and 6 root A and B, 7 data.
"""
import hashlib
import os
import pathlib
import re
import shutil
import subprocess

DISK = 0x5EA1CA30  # the disk signature in the MBR, by which the initramfs finds the card
MIB = 1024 * 1024
# Sizes of the partitions in MiB. They do not depend on the content, so that an update never moves a partition.
SIZES = {"card": 40, "boot": 128, "root": 384, "data": 64}


class Failure(Exception):
    pass


def run(*argv, **options):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise Failure(f"{' '.join(map(str, argv))[:300]} exited with {done.returncode}:\n{done.stderr or done.stdout}")
    return done.stdout


def support_until(cmake):
    """Returns the day until which SECURITY.md promises security fixes, from the text of CMakeLists.txt."""
    if not (found := re.search(r"^set\(SEALCAM_SUPPORT_UNTIL (\d{4}-\d\d-\d\d)\)$", cmake, re.M)):
        raise Failure("CMakeLists.txt does not set SEALCAM_SUPPORT_UNTIL to a date such as 2028-11-30")
    return found[1]


def os_release(board, version, cmake):
    """Returns the lines that an image adds to os-release(5)."""
    return (f"IMAGE_ID=sealcam-{board}\nIMAGE_VERSION={version}\nSUPPORT_END={support_until(cmake)}\n"
            "DEFAULT_HOSTNAME=sealcam\n")


def fat(path, mib, label, files):
    """Creates a FAT32 file system with `files`: {name: path or bytes}."""
    path.unlink(missing_ok=True)
    path.touch()
    os.truncate(path, mib * MIB)
    serial = hashlib.sha256(label.encode()).hexdigest()[:8]
    utc = os.environ | {"TZ": "UTC0"}  # FAT has local times, and an image must not depend on the time zone
    run("mformat", "-i", path, "-F", "-v", label, "-N", serial, "-T", mib * MIB // 512, "-h", 255, "-s", 63, "-c", 1 if mib < 64 else 2, "::", env=utc)
    work = path.parent / "fat"
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    for name, content in sorted(files.items()):
        shutil.rmtree(work, ignore_errors=True)
        target = work / pathlib.PurePath(name).name
        work.mkdir()
        target.write_bytes(content) if isinstance(content, bytes) else shutil.copyfile(content, target)
        os.utime(target, (epoch, epoch))
        if "/" in name:
            subprocess.run(["mmd", "-i", str(path), "-D", "s", f"::{pathlib.PurePath(name).parent}"], capture_output=True, env=utc)
        run("mcopy", "-m", "-i", path, target, f"::{name}", env=utc)
    shutil.rmtree(work, ignore_errors=True)


def squash(folder, path, *compression):
    """Creates the root file system. Times after SOURCE_DATE_EPOCH, which are those of the build, become SOURCE_DATE_EPOCH."""
    run("mksquashfs", folder, path, "-all-root", "-noappend", *compression, "-no-xattrs", "-quiet", "-no-progress")


def layout():
    """Returns (number, start, size, type) in MiB. One MiB before each logical partition contains its record."""
    at, table = 1, []
    for number, name in ((1, "card"), (2, "boot"), (3, "boot")):
        table.append((number, at, SIZES[name], "c"))
        at += SIZES[name]
    logical = [("root", "83"), ("root", "83"), ("data", "83")]
    table.append((4, at, sum(SIZES[n] + 1 for n, _ in logical), "5"))
    for number, (name, kind) in enumerate(logical, 5):
        table.append((number, at + 1, SIZES[name], kind))
        at += 1 + SIZES[name]
    return table, at


def assemble(image, parts):
    """Writes the image. `parts`: {partition number: file}."""
    table, end = layout()
    image.unlink(missing_ok=True)
    image.touch()
    os.truncate(image, end * MIB)
    script = f"label: dos\nlabel-id: 0x{DISK:08x}\nunit: sectors\n"
    for number, start, size, kind in table:
        script += f"{number} : start={start * 2048}, size={size * 2048}, type={kind}{', bootable' if number == 1 else ''}\n"
    run("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", image, input=script)
    for number, start, size, _ in table:
        if number not in parts:
            continue
        if parts[number].stat().st_size > size * MIB:
            raise Failure(f"{parts[number].name} is larger than its partition: {parts[number].stat().st_size // MIB} of {size} MiB")
        run("dd", f"if={parts[number]}", f"of={image}", "bs=1M", f"seek={start}", "conv=notrunc,sparse")


def data_partition(path, work):
    """Creates the data partition, which stores the state of the camera. It is the same in each image."""
    content = work / "data"
    shutil.rmtree(content, ignore_errors=True)
    for name, mode in (("sealcam", 0o755), ("connections", 0o700), ("network", 0o755), ("clock", 0o755), ("settings", 0o700), ("update", 0o700)):
        (content / name).mkdir(parents=True)
        (content / name).chmod(mode)
    (content / "settings/host-name").write_text("sealcam\n")
    path.unlink(missing_ok=True)
    uuid = "5ea1ca30-0000-4000-8000-0000000000da"
    run("mke2fs", "-q", "-t", "ext4", "-L", "sealcam-data", "-U", uuid, "-E", f"hash_seed={uuid},root_owner=0:0,resize={32 * 1024 * 1024}", "-O", "^64bit",
        "-b", 4096, "-J", "size=8", "-d", content, path, f"{SIZES['data']}M")
