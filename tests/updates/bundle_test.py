#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bundles, checked by RAUC with the configuration of a card image; authorities; the hook of a bundle."""
import argparse
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import types
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "scripts"))
import bundle  # noqa: E402
import image  # noqa: E402
import image_parts  # noqa: E402
import image_update  # noqa: E402

PARTS = {"root.img": os.urandom(40960), "boot.vfat": os.urandom(20480)}


class Bundles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.environ.setdefault("SOURCE_DATE_EPOCH", "1767225600")
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="sealcam-updates-")))
        cls.authority = image_update.development_authority(cls.folder / "authority")
        cls.other = image_update.development_authority(cls.folder / "other")
        cls.good = cls.make("good", minimum="0.1.0", share="12.5")

    @classmethod
    def make(cls, name, authority=None, signer="signer", board="qemu-virt", **options):
        authority, output = authority or cls.authority, cls.folder / f"{name}.raucb"
        bundle.bundle(board, "1.2.3", PARTS, output, authority / f"{signer}.pem", authority / f"{signer}.key.pem", **options)
        return output

    def info(self, path):
        """RAUC's answer with the configuration of an image, whose authority is that of the class."""
        text = (TOP / "board/common/image/root/etc/rauc/system.conf").read_text()
        conf = self.folder / "system.conf"
        conf.write_text(text.replace("/etc/rauc/authority.pem", f"{self.authority}/authority.pem").replace("@BOARD@", "qemu-virt")
                        .replace("data-directory=/data/update", f"data-directory={self.folder}"))
        return subprocess.run(["rauc", "--conf", conf, "info", "--output-format=json-2", path], capture_output=True, text=True, timeout=60)

    def rejected(self, path, message):
        done = self.info(path)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, message)

    def test_a_good_bundle_has_all_values(self):
        done = self.info(self.good)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(done.stdout)
        self.assertEqual((found["update"]["compatible"], found["update"]["version"]), ("sealcam-qemu-virt", "1.2.3"))
        self.assertEqual(found["bundle"]["format"], "verity")
        self.assertEqual(found["meta"]["sealcam"], {"version": "1.2.3", "minimum-version": "0.1.0", "share": "12.5"})
        images = {image["slot-class"]: image for image in found["images"]}
        self.assertEqual(sorted(images), ["boot", "root"])
        self.assertEqual(images["boot"]["hooks"], ["post-install"])

    def test_another_authority_is_rejected(self):
        self.rejected(self.make("other", self.other), "self-signed certificate|unable to get local issuer|certificate")

    def test_a_bundle_for_another_board_names_it(self):
        """RAUC compares the board when it installs (tests in QEMU)."""
        found = json.loads(self.info(self.make("board", board="raspberrypi")).stdout)
        self.assertEqual(found["update"]["compatible"], "sealcam-raspberrypi")

    def test_a_truncated_bundle_is_rejected(self):
        content = self.good.read_bytes()
        for size in (0, 4, len(content) // 2, len(content) - 512, len(content) - 1):
            path = self.folder / "truncated.raucb"
            path.write_bytes(content[:size])
            with self.subTest(size=size):
                self.rejected(path, "ailed|rror|nvalid")

    def test_an_altered_signature_part_is_rejected(self):
        """The end of a bundle is the signed manifest with the hash of the content. dm-verity checks the content itself."""
        content = bytearray(self.good.read_bytes())
        size = struct.unpack(">Q", content[-8:])[0]
        at = content.index(b"minimum-version=0.1.0", len(content) - 8 - size)
        content[at + 16:at + 21] = b"0.0.0"
        path = self.folder / "altered.raucb"
        path.write_bytes(content)
        self.rejected(path, "ailed|ignature")

    def test_a_certificate_for_another_purpose_is_rejected(self):
        try:
            text = image_update.EXTENSIONS["signer"]
            image_update.EXTENSIONS["signer"] = text.replace("codeSigning", "emailProtection")
            image_update.certificate(self.authority, "mail", "mail", 10, "authority")
        finally:
            image_update.EXTENSIONS["signer"] = text
        self.rejected(self.make("mail", signer="mail"), "purpose|certificate")

    def test_a_signature_after_the_end_of_the_certificate_is_rejected(self):
        image_update.certificate(self.authority, "ended", "ended", 0.5, "authority")
        self.rejected(self.make("ended", signer="ended"), "expired")

    def test_values_that_are_not_possible(self):
        for share in ("-1", "101", "100.5", "12.345", "", "ten", "1\nversion=9.9.9"):
            with self.assertRaisesRegex(image_parts.Failure, "is not a number from 0 to 100"):
                bundle.check_share(share)
        for version in ("1.2", "1.2.3.4", "v1.2.3", "1.2.03", "1.2.3\n", "", "1.2.3-rc1"):
            with self.assertRaisesRegex(image_parts.Failure, "is not a version"):
                image_update.check_version(version)
        for share in ("0", "0.01", "99.99", "100", "100.00"):
            self.assertEqual(bundle.check_share(share), share)

    def test_kernels_with_which_rauc_cannot_install(self):
        with_channel, without = (argparse.Namespace(update_channel=channel) for channel in ("https://updates.example/x.raucb", ""))
        for version in ("6.19.0-1-arm64", "7.3.4+deb13-arm64"):
            with self.assertRaisesRegex(image_parts.Failure, f"cannot install bundles with Linux {version.split('+')[0]}"):
                image_update.check_kernel(version, with_channel)
            image_update.check_kernel(version, without)
        for version in ("6.12.118+deb13-arm64", "6.18.3-rpi-v8"):
            image_update.check_kernel(version, with_channel)

    def test_a_minimum_version_above_the_version_is_rejected(self):
        for minimum in ("1.2.4", "1.10.0", "2.0.0"):
            with self.assertRaisesRegex(image_parts.Failure, f"the minimum version {minimum} is above the version 1.2.3"):
                self.make("minimum", minimum=minimum)
        self.assertFalse((self.folder / "minimum.raucb").exists())
        self.make("minimum", minimum="1.2.3")  # control


class FromAnImage(unittest.TestCase):
    def test_root_and_boot_partition_of_a_card_image(self):
        with tempfile.TemporaryDirectory(prefix="sealcam-updates-") as folder:
            folder = pathlib.Path(folder)
            (folder / "root").mkdir()
            (folder / "root/file").write_bytes(os.urandom(5000))
            image_parts.squash(folder / "root", folder / "root.squashfs", "-comp", "gzip")
            (folder / "boot").write_bytes(b"boot" * 1000)
            image_parts.assemble(folder / "card.img", {2: folder / "boot", 5: folder / "root.squashfs"})
            self.assertEqual(bundle.root_image(folder / "card.img"), (folder / "root.squashfs").read_bytes())
            boot = bundle.partition(folder / "card.img", 2)
            self.assertEqual((len(boot), boot[:4000]), (image_parts.SIZES["boot"] * image_parts.MIB, b"boot" * 1000))
            image_parts.assemble(folder / "card.img", {})
            with self.assertRaisesRegex(image_parts.Failure, "root a is not squashfs"):
                bundle.root_image(folder / "card.img")


class Authorities(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="sealcam-updates-")))
        self.own = image_update.development_authority(self.folder / "authority")
        self.options = argparse.Namespace(update_authority=None, update_channel=None, update_channel_authority=None, release=None)
        self.board = types.SimpleNamespace(name="raspberrypi", folder=TOP / "board/raspberrypi/image", boot="raspberrypi", kernel="vendor")

    def install(self, **options):
        root = self.folder / "root"
        shutil.rmtree(root, ignore_errors=True)
        (root / "usr/share/ca-certificates/mozilla").mkdir(parents=True)
        (root / "usr/share/ca-certificates/mozilla/a.crt").write_text("web authority\n")
        for name, value in options.items():
            setattr(self.options, name, value)
        text = image_update.install(root, self.board, self.options, self.folder / "authority", (TOP / "CMakeLists.txt").read_text())
        return root, text

    def test_without_an_authority_the_development_authority_is_named(self):
        root, text = self.install()
        self.assertIn("development authority, not for releases", text)
        shown = image_parts.run("openssl", "x509", "-noout", "-subject", "-in", root / "etc/rauc/authority.pem")
        self.assertIn("Sealcam development authority, not for releases", shown)
        update = json.loads((root / "usr/lib/sealcam/update.json").read_text())
        self.assertEqual((update["board"], "channel" in update), ("raspberrypi", False))
        self.assertRegex(update["version"], r"^\d+\.\d+\.\d+$")
        self.assertEqual((root / "etc/rauc/channel.pem").read_text(), "web authority\n")
        self.assertFalse((root / "usr/share/ca-certificates").exists())

    def test_the_development_authority_stays(self):
        before = (self.own / "signer.key.pem").read_bytes()
        self.assertEqual(image_update.development_authority(self.folder / "authority"), self.own)
        self.assertEqual((self.own / "signer.key.pem").read_bytes(), before)
        self.assertEqual((self.own / "signer.key.pem").stat().st_mode & 0o777, 0o600)

    def test_the_authority_version_and_channel_of_the_command(self):
        other = image_update.development_authority(self.folder / "other")
        root, text = self.install(update_authority=other / "authority.pem", release="2.0.1", update_channel="https://updates.example/a/sealcam.raucb")
        self.assertNotIn("development", text)
        self.assertEqual((root / "etc/rauc/authority.pem").read_text(), (other / "authority.pem").read_text())
        self.assertEqual(json.loads((root / "usr/lib/sealcam/update.json").read_text()),
                         {"board": "raspberrypi", "version": "2.0.1", "channel": "https://updates.example/a/sealcam.raucb"})

    def test_wrong_values(self):
        both = self.folder / "both.pem"
        both.write_text((self.own / "authority.pem").read_text() + (self.own / "authority.key.pem").read_text())
        for options, message in (({"update_authority": self.own / "signer.pem"}, "is not an authority"),
                                 ({"update_authority": self.own / "authority.key.pem"}, "must have certificates"),
                                 ({"update_authority": both}, "and no key"),
                                 ({"update_authority": None, "update_channel": "http://updates.example/a.raucb"}, "is not the HTTPS URL"),
                                 ({"update_channel": "https://updates.example/"}, "is not the HTTPS URL"),
                                 ({"update_channel": None, "release": "2.0"}, "is not a version")):
            with self.subTest(options=options), self.assertRaisesRegex(image_parts.Failure, message):
                self.install(**options)

    def test_no_channel_where_the_kernel_cannot_start_the_other_slot_once(self):
        self.board.kernel = "backports"  # one of Debian's kernels
        self.install()
        with self.assertRaisesRegex(image_parts.Failure, "does not give 'tryboot' to the firmware"):
            self.install(update_channel="https://updates.example/a.raucb")
        self.board.boot = "u-boot"  # control
        self.install()

    def test_the_version_of_the_project(self):
        self.assertEqual(image_update.project_version("x\nproject(sealcam VERSION 3.4.5 DESCRIPTION y)\n"), "3.4.5")


class Hook(unittest.TestCase):
    """The script of a bundle that writes the slot into the kernel command line of a new boot partition."""

    def run_hook(self, files, call="slot-post-install", slot="b"):
        with tempfile.TemporaryDirectory(prefix="sealcam-updates-") as folder:
            for name, text in files.items():
                pathlib.Path(folder, name).write_text(text)
            environment = os.environ | {"RAUC_SLOT_BOOTNAME": slot, "RAUC_SLOT_MOUNT_POINT": folder}
            done = subprocess.run([bundle.HOOK, call], capture_output=True, text=True, env=environment, timeout=60)
            return done, {path.name: path.read_text() for path in pathlib.Path(folder).iterdir()}

    def test_root_and_slot_of_each_board(self):
        for name, prefix in (("cmdline.txt", ""), ("boot.txt", "bootargs=")):
            for slot, root in (("a", 5), ("b", 6)):
                line = f'{prefix}console=tty1 x="*" sealcam.root={{}} rauc.slot={{}} sealcam.report\n'
                done, files = self.run_hook({name: line.format(5, "a")}, slot=slot)
                self.assertEqual((done.returncode, files), (0, {name: line.format(root, slot)}), done.stderr)

    def test_wrong_calls_change_nothing(self):
        line = {"cmdline.txt": "sealcam.root=5 rauc.slot=a\n"}
        for arguments in ({"call": "slot-pre-install"}, {"slot": "c"}, {"slot": ""}):
            done, files = self.run_hook(line, **arguments)
            self.assertEqual((done.returncode, files), (1, line))
            self.assertIn("unknown call", done.stderr)
        for files, message in (({}, "neither cmdline.txt nor boot.txt"), ({"boot.txt": "quiet\n"}, "does not name root and slot"),
                               ({"boot.txt": "sealcam.root=5 sealcam.root=6 rauc.slot=a\n"}, "does not name root and slot")):
            done, after = self.run_hook(files)
            self.assertEqual((done.returncode, after), (1, files))
            self.assertIn(message, done.stderr)


class Configuration(unittest.TestCase):
    def test_the_slots_are_the_partitions_of_the_card(self):
        text = (TOP / "board/common/image/root/etc/rauc/system.conf").read_text()
        slots = dict(re.findall(r"^\[slot\.(\w+\.\d)\]\n(?:\w+=.*\n)*?device=.*-0(\d)$", text, re.M))
        self.assertEqual(slots, {"root.0": "5", "boot.0": "2", "root.1": "6", "boot.1": "3"})
        self.assertIn("use-bundle-signing-time=true", text)
        self.assertIn("bundle-formats=verity\n", text)

    def test_the_kernel_command_line_names_the_slot_for_rauc(self):
        """RAUC takes the first word that ends with root= as the slot, unless rauc.slot exists."""
        for name in ("qemu-virt", "raspberrypi"):
            lines = [image.kernel_line(image.Board(name), slot) for slot in (0, 1)]
            self.assertEqual([re.findall(r" sealcam\.root=(\d) rauc\.slot=(\w)$", line) for line in lines], [[("5", "a")], [("6", "b")]])


if __name__ == "__main__":
    unittest.main()
