#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests parts of scripts/image.py: patterns, kernels, archives, partitions, and the final check of a root. Checks have controls."""
import gzip
import hashlib
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TOP / "scripts"), str(TOP / "tests/boards"), str(TOP / "tests")]
import image  # noqa: E402
import image_parts  # noqa: E402
import initramfs  # noqa: E402
from neighbor import checksum  # noqa: E402


class Patterns(unittest.TestCase):
    def test_one_star_matches_within_a_folder(self):
        self.assertTrue(image.matches("drivers/phy/a.ko.xz", ["drivers/phy/*.ko.xz"]))
        self.assertFalse(image.matches("drivers/phy/b/a.ko.xz", ["drivers/phy/*.ko.xz"]))
        self.assertTrue(image.matches("drivers/phy/b/a.ko.xz", ["drivers/phy/**"]))
        self.assertFalse(image.matches("xdrivers/phy/a", ["drivers/**"]))
        self.assertFalse(image.matches("usr/binx", ["usr/bin"]))
        self.assertFalse(image.matches("usr/libXso", ["usr/lib.so"]))

    def test_the_data_of_each_board_is_valid(self):
        for name in ("qemu-virt", "raspberrypi"):
            board = image.Board(name)
            self.assertIn("sealcam-camera.service", board.lists["enable"])
            self.assertLessEqual(len((board.folder / "autoboot.txt").read_bytes()), 512)
            for slot, root in ((0, 5), (1, 6)):
                self.assertIn(f"sealcam.root={root} ", image.kernel_line(board, slot))
            for folder in board.folders:  # unknown keys are mistakes, because they have no effect
                known = {"version", "leave_out_packages", "leave_out", "modules", "modules_leave_out", "mask", "enable", "initramfs_modules",
                         "kernel_line", "watchdog", "boot"}
                self.assertLessEqual(set(json.loads((folder / "image.json").read_text())), known)

    def test_enabled_units_exist_and_images_keep_their_programs(self):
        for name in ("qemu-virt", "raspberrypi"):
            board = image.Board(name)
            units = {path.name: path for folder in board.folders for path in (folder / "root/etc/systemd/system").glob("sealcam-*")
                     if path.is_file()}
            units |= {path.name: path for path in (TOP / "board/common").glob("sealcam-*.service")}
            for unit in board.lists["enable"]:
                if unit.startswith("sealcam-"):
                    self.assertIn(unit, units)
                    self.assertIn("\n[Install]\n", units[unit].read_text())
                    self.assertIn(unit.removesuffix(".timer") + ".service" if unit.endswith(".timer") else unit, units)
            self.assertIn("sealcam-wifi-retry.timer", board.lists["enable"])
            for program in re.findall(r"^ExecStart=([\w-]+) ", "".join(path.read_text() for path in units.values()), re.M):
                for folder in ("usr/bin", "usr/sbin"):
                    self.assertFalse(image.matches(f"{folder}/{program}", board.lists["leave_out"]), program)

    def test_a_vendor_kernel_replaces_debians_kernel(self):
        debian, vendor = image.Board("raspberrypi"), image.Board("raspberrypi", "vendor")
        self.assertEqual(debian.file("config.txt").parent.name, "image")
        self.assertEqual(vendor.file("config.txt").parent.name, "vendor")
        self.assertEqual(vendor.file("autoboot.txt"), debian.file("autoboot.txt"))
        self.assertIn("drivers/media/platform/raspberrypi/**", vendor.lists["modules"])
        self.assertIn("drivers/mmc/**", vendor.lists["modules"])  # the common modules remain
        self.assertIn("bcm2835", debian.lists["initramfs_modules"])
        self.assertEqual(vendor.lists["initramfs_modules"], ["squashfs"])  # the driver of the SD card is built into the kernel
        self.assertIn("console=serial0", image.kernel_line(vendor, 0))
        self.assertEqual(vendor.watchdog, debian.watchdog)
        with self.assertRaisesRegex(image.Failure, "no image for 'qemu-virt' with a kernel of 'vendor'"):
            image.Board("qemu-virt", "vendor")

    def test_the_kernel_of_backports_has_the_drivers_of_a_raspberry_pi_5(self):
        debian, backports = image.Board("raspberrypi"), image.Board("raspberrypi", "backports")
        self.assertEqual(backports.file("config.txt"), debian.file("config.txt"))
        self.assertGreaterEqual(set(backports.lists["initramfs_modules"]), {*debian.lists["initramfs_modules"], "sdhci_brcmstb", "gpio_brcmstb"})
        self.assertGreaterEqual(set(backports.lists["leave_out"]), set(debian.lists["leave_out"]))
        self.assertEqual((backports.watchdog, backports.boot), (debian.watchdog, debian.boot))
        for module in ("drivers/misc/rp1/rp1_pci", "drivers/clk/clk-rp1", "drivers/pinctrl/pinctrl-rp1", "drivers/irqchip/irq-bcm2712-mip",
                       "drivers/mmc/host/sdhci-brcmstb", "drivers/net/ethernet/cadence/macb", "drivers/usb/dwc3/dwc3",
                       "drivers/usb/host/xhci-plat-hcd", "drivers/media/usb/uvc/uvcvideo"):
            self.assertTrue(image.matches(f"{module}.ko.xz", backports.lists["modules"]), module)
            self.assertFalse(image.matches(f"{module}.ko.xz", backports.lists["modules_leave_out"]), module)
        self.assertFalse(image.matches("drivers/misc/rp1/rp1_pci.ko.xz", debian.lists["modules"]))  # control


class Kernels(unittest.TestCase):
    """Kernel packages with the layout of Debian 13, of Raspberry Pi, and of Debian since Linux 7."""

    def setUp(self):
        self.tree = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.tree)
        self.write("usr/lib/modules/6.1/modules.builtin", "kernel/fs/x.ko\n")
        self.write("usr/lib/linux-image-6.1/broadcom/bcm2710-rpi-3-b.dtb")
        for name in ("bootcode.bin", "start4x.elf", "overlays/firmware.dtbo"):
            self.write(f"usr/lib/raspi-firmware/{name}")

    def write(self, path, data=""):
        path = self.tree / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def boot(self, data, kernel="", path="boot/vmlinuz-6.1"):
        self.write(path, data)
        start = self.write("work/initramfs")
        return image.boot_files(image.Board("raspberrypi", kernel), initramfs.Kernel(self.tree), start)[1]

    def test_a_kernel_is_compressed_once(self):
        self.assertEqual(gzip.decompress(self.boot(b"kernel")["kernel"].read_bytes()), b"kernel")
        self.assertEqual(gzip.decompress(self.boot(gzip.compress(b"kernel"))["kernel"].read_bytes()), b"kernel")

    def test_overlays_of_the_kernel_replace_those_of_the_firmware(self):
        self.assertIn("overlays/firmware.dtbo", self.boot(b"kernel"))
        self.write("usr/lib/linux-image-6.1/overlays/imx708.dtbo")
        boot = self.boot(b"kernel", "vendor")
        self.assertIn("overlays/imx708.dtbo", boot)
        self.assertNotIn("overlays/firmware.dtbo", boot)
        self.assertIn(b"console=serial0", boot["cmdline.txt"])
        self.assertIn("camera_auto_detect=1", boot["config.txt"].read_text())

    def test_debians_packages_since_linux_7_have_all_in_the_folder_of_the_modules(self):
        self.write("usr/lib/modules/7.3/modules.builtin")
        self.write("usr/lib/modules/7.3/config", "CONFIG_SQUASHFS_ZSTD=y\n")
        self.write("usr/lib/modules/7.3/dtb/broadcom/bcm2712-d-rpi-5-b.dtb", "D0")
        (self.tree / "usr/lib/linux-image-7.3").symlink_to("modules/7.3/dtb")
        boot = self.boot(b"kernel", "backports", "usr/lib/modules/7.3/vmlinuz")
        kernel = initramfs.Kernel(self.tree)
        self.assertEqual((kernel.version, kernel.image), ("7.3", self.tree / "usr/lib/modules/7.3/vmlinuz"))
        self.assertEqual(image.compression(kernel, False)[:2], ("-comp", "zstd"))
        self.assertEqual(gzip.decompress(boot["kernel"].read_bytes()), b"kernel")
        for name in ("bcm2712-d-rpi-5-b.dtb", "bcm2712d0-rpi-5-b.dtb"):  # the names of Linux and of the firmware
            self.assertEqual(boot[name].read_text(), "D0")

    def test_the_compression_of_the_root_depends_on_the_kernel(self):
        self.write("boot/vmlinuz-6.1")
        kernel = initramfs.Kernel(self.tree)
        self.assertEqual(image.compression(kernel, False), ("-comp", "gzip"))  # without a configuration
        self.write("boot/config-6.1", "# CONFIG_SQUASHFS_ZSTD is not set\n")
        self.assertEqual(image.compression(kernel, False), ("-comp", "gzip"))
        self.write("boot/config-6.1", "CONFIG_SQUASHFS_XZ=y\nCONFIG_SQUASHFS_ZSTD=y\n")
        self.assertEqual(image.compression(kernel, False)[:2], ("-comp", "zstd"))


class Archive(unittest.TestCase):
    """scripts/lib.sh: lists of packages, and detection of Raspberry Pi's archive."""

    def shell(self, command, **environment):
        done = subprocess.run(["bash", "-c", f"source {TOP}/scripts/lib.sh; {command}"], capture_output=True, text=True, check=True,
                              env={**os.environ, "SEALCAM_RASPBERRYPI": "", **environment})
        return done.stdout.splitlines()

    def test_a_package_list_depends_on_the_archive(self):
        debian = self.shell(f"package_list {TOP}/scripts/image-packages")
        raspberrypi = self.shell(f"package_list {TOP}/scripts/image-packages raspberrypi")
        self.assertEqual(set(debian) - set(raspberrypi), {"linux-image-arm64"})
        self.assertEqual(set(raspberrypi) - set(debian), {"linux-image-rpi-v8"})
        self.assertEqual(self.shell(f"package_list {TOP}/scripts/image-packages backports"), debian)
        self.assertIn("libcamera-ipa", debian)

    def apt(self, sources, origin):
        """Creates a configuration of apt with an archive of this origin."""
        folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        for name in ("repo/dists/trixie/main/binary-arm64", "sources", "lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True)
        packages = b"Package: p\nVersion: 1\nArchitecture: arm64\nFilename: p.deb\nSize: 1\n\n"  # apt ignores an empty list
        (folder / "repo/dists/trixie/main/binary-arm64/Packages").write_bytes(packages)
        (folder / "repo/dists/trixie/Release").write_text(
            f"Origin: {origin}\nSuite: stable\nCodename: trixie\nDate: Thu, 01 Jan 2026 00:00:00 UTC\nArchitectures: arm64\n"
            f"Components: main\nSHA256:\n {hashlib.sha256(packages).hexdigest()} {len(packages)} main/binary-arm64/Packages\n")
        for name, text in sources.items():
            (folder / "sources" / name).write_text(text.replace("REPO", f"file:{folder}/repo"))
        conf = folder / "apt.conf"
        conf.write_text(f'Dir::Etc::SourceList "/dev/null"; Dir::Etc::SourceParts "{folder}/sources"; Dir::State::Lists "{folder}/lists"; '
                        f'Dir::Cache "{folder}/cache"; APT::Sandbox::User "root";')
        subprocess.run(["apt-get", "update", "-q"], env={**os.environ, "APT_CONFIG": str(conf)}, capture_output=True, text=True, check=True)
        return str(conf)

    LINE = "deb [trusted=yes arch=arm64] REPO trixie main"

    def test_apt_has_the_archive(self):
        conf = self.apt({"a.list": f"# none\n\n{self.LINE}\n"}, "Raspberry Pi Foundation")
        found = self.shell("raspberrypi_archive trixie", APT_CONFIG=conf)
        self.assertRegex("\n".join(found), r"^deb \[trusted=yes arch=arm64\] file:\S+/repo trixie main$")
        self.assertEqual(self.shell("raspberrypi_archive forky", APT_CONFIG=conf), [])  # another suite
        self.assertEqual(self.shell("raspberrypi_archive trixie", APT_CONFIG=conf, SEALCAM_RASPBERRYPI="none"), [])
        self.assertEqual(self.shell("raspberrypi_archive trixie", APT_CONFIG=conf, SEALCAM_RASPBERRYPI="deb x y z"), ["deb x y z"])

    def test_apt_has_the_archive_as_a_stanza(self):
        stanza = "Types: deb\nURIs: {}\nSuites: trixie\nComponents: main\nArchitectures: arm64\nTrusted: yes\n"
        text = f"# a comment\n\n{stanza.format('file:/nowhere')}Enabled: no\n\n# ours\n{stanza.format('REPO')}"
        found = self.shell("raspberrypi_archive trixie", APT_CONFIG=self.apt({"a.sources": text}, "Raspberry Pi Foundation"))
        self.assertTrue(any(re.fullmatch(r"URIs: file:\S+/repo", line) for line in found), found)
        self.assertNotIn("Enabled: no", found)

    def test_other_archives_are_not_detected(self):
        self.assertEqual(self.shell("raspberrypi_archive trixie", APT_CONFIG=self.apt({"a.list": self.LINE + "\n"}, "Debian")), [])


class Layout(unittest.TestCase):
    def test_partitions_do_not_overlap(self):
        table, end = image_parts.layout()
        numbers = {n: (start, start + size) for n, start, size, _ in table}
        outer = sorted(numbers[n] for n in (1, 2, 3, 4))
        inner = sorted(numbers[n] for n in (5, 6, 7))
        for parts in (outer, inner):
            for (_, before), (after, _) in zip(parts, parts[1:]):
                self.assertLessEqual(before, after)
        self.assertGreater(inner[0][0], numbers[4][0])
        self.assertEqual((inner[-1][1], numbers[4][1]), (end, end))
        self.assertEqual(inner[-1], numbers[7])  # the data partition is last, because it grows
        self.assertEqual(numbers[5][1] - numbers[5][0], numbers[6][1] - numbers[6][0])

    def test_the_initramfs_reads_the_table_that_sfdisk_writes(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "x.img")
            image_parts.assemble(path, {})
            with path.open("rb") as card:
                def number(at):
                    card.seek(at)
                    return struct.unpack("<I", card.read(4))[0]
                # The same three steps as in board/common/image/init.
                extended = number(446 + 48 + 8)
                second = extended + number(extended * 512 + 446 + 16 + 8)
                third = extended + number(second * 512 + 446 + 16 + 8)
                begin = third + number(third * 512 + 446 + 8)
                table = {n: (start * 2048, size * 2048) for n, start, size, _ in image_parts.layout()[0]}
                self.assertEqual(number(440), image_parts.DISK)
                self.assertEqual((begin, number(third * 512 + 446 + 12)), table[7])
                self.assertEqual(number(446 + 48 + 12), table[4][1])
                # The entry for the last record extends to the end of the extended partition.
                self.assertEqual(third + number(second * 512 + 446 + 16 + 12), sum(table[7]))


class Growing(unittest.TestCase):
    """Runs the shell functions of the first process with a file instead of the card."""
    # Replacements for commands of busybox that this machine may lack, and for commands that need a device.
    REPLACEMENTS = """
        hexdump() { od -An -tu4 -v | tr -d ' '; }
        blockdev() { :; }
        sync() { :; }
    """

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.card = pathlib.Path(self.folder.name, "card.img")
        image_parts.assemble(self.card, {})
        self.sectors = self.card.stat().st_size // 512

    def grow(self, sectors):
        text = (TOP / "board/common/image/init").read_text()
        functions = text[text.index("read32() {"):text.index("tries=0\n")]
        done = subprocess.run(["bash", "-euc", f"{self.REPLACEMENTS}\n{functions}\ngrow {self.card} {sectors}"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def table(self):
        output = subprocess.run(["sfdisk", "--json", self.card], capture_output=True, text=True, check=True).stdout
        return [(p["start"], p["size"]) for p in json.loads(output)["partitiontable"]["partitions"]]

    def test_only_the_data_partition_grows(self):
        before = self.table()
        self.grow(self.sectors)
        self.grow(self.sectors + 32767)
        self.assertEqual(self.table(), before)  # too small a difference
        sectors = self.sectors + 64 * 2048 + 77
        os.truncate(self.card, sectors * 512)
        self.grow(sectors)
        after, end = self.table(), sectors // 2048 * 2048
        self.assertEqual(after[:3] + after[4:6], before[:3] + before[4:6])
        self.assertEqual([p[0] for p in after], [p[0] for p in before])
        self.assertEqual([sum(after[n]) for n in (3, 6)], [end, end])
        self.grow(sectors)
        self.assertEqual(self.table(), after)

    def test_a_disk_that_is_larger_than_the_table_allows(self):
        """5 TB do not fit into 32 bits. The low 32 bits would give a wrong size of the data partition."""
        self.grow(5 * 10**12 // 512)
        os.truncate(self.card, 2**32 * 512)  # a sparse file, so that sfdisk accepts the end
        self.assertEqual([sum(self.table()[n]) for n in (3, 6)], [2**32 - 2048, 2**32 - 2048])

    def test_another_partition_table_is_not_changed(self):
        def number(at):
            with self.card.open("rb") as card:
                card.seek(at)
                return struct.unpack("<I", card.read(4))[0]

        def records():
            with self.card.open("rb") as card:
                return [(card.seek(at), card.read(512))[1] for at in (0, extended, second, third)]

        def put(at, content):
            with self.card.open("r+b") as card:
                card.seek(at)
                card.write(content)
        extended = number(446 + 48 + 8) * 512
        second = extended + number(extended + 446 + 16 + 8) * 512
        third = extended + number(second + 446 + 16 + 8) * 512
        for at in (446 + 48 + 8, extended + 446 + 16 + 8, second + 446 + 16 + 8, third + 446 + 8, third + 446 + 12):
            was = struct.pack("<I", number(at))
            put(at, bytes(4))
            before = records()
            self.grow(self.sectors + 64 * 2048)
            self.assertEqual(records(), before, at)
            put(at, was)
        before = records()
        self.grow(self.sectors + 64 * 2048)  # control
        self.assertNotEqual(records(), before)
        os.truncate(self.card, extended)  # the records after this point cannot be read
        self.grow(self.sectors + 64 * 2048)
        self.assertEqual(self.card.stat().st_size, extended)


class FinalCheck(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.root = image.Root(None, None, self.folder)
        for path in ("etc/machine-id", "usr/bin/tool"):
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).touch()

    def rejected(self, message):
        with self.assertRaisesRegex(image.Failure, message):
            self.root.check()

    def test_a_good_root_passes(self):
        self.root.check()

    def test_a_setuid_program(self):
        (self.folder / "usr/bin/tool").chmod(0o4755)
        self.rejected("is setuid")

    def test_a_machine_id(self):
        (self.folder / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
        self.rejected("machine-id")

    def test_ssh_keys(self):
        (self.folder / "etc/ssh_host_rsa_key").touch()
        self.rejected("keys")

    def test_a_missing_library(self):
        source = self.folder / "a.c"
        source.write_text("int main(void) { return 0; }")
        subprocess.run(["aarch64-linux-gnu-gcc", "-nostdlib", "-shared", "-Wl,-soname,libx.so.1", "-o", self.folder / "libx.so", "-x", "c", "/dev/null"], check=True)
        subprocess.run(["aarch64-linux-gnu-gcc", "-nostdlib", "-shared", "-Wl,--no-as-needed", source, self.folder / "libx.so", "-o",
                        self.folder / "usr/bin/tool"], check=True)
        (self.folder / "libx.so").unlink()
        self.rejected("libx.so.1")
        library = self.folder / "usr/lib/aarch64-linux-gnu"
        library.mkdir(parents=True)
        (library / "libx.so.1").touch()
        self.root.check()


class Neighbor(unittest.TestCase):
    def test_the_internet_checksum(self):
        self.assertEqual(checksum(bytes.fromhex("00 01 f2 03 f4 f5 f6 f7".replace(" ", ""))), 0x220D)  # RFC 1071 section 3
        self.assertEqual(checksum(b"\x01"), 0xFEFF)


if __name__ == "__main__":
    unittest.main()
