#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How scripts/flash recognizes a Sealcam image and writes settings into it. Uses no devices."""
import argparse
import bz2
import contextlib
import gzip
import io
import json
import lzma
import os
import pathlib
import shutil
import sys
import tempfile
import unittest
import zipfile
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import tiny_image  # noqa: E402
from card import DATA, NO_INPUT, UNAVAILABLE, USAGE, Fault, printable, settings, size_text  # noqa: E402
from card.image import Image  # noqa: E402


def options(**given):
    return argparse.Namespace(**({"wifi": None, "wifi_password_file": None, "hidden": False, "name": None, "country": None} | given))


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.image = tiny_image.make(cls.folder / "card.img")
        cls.packed = tiny_image.pack(cls.image)

    def fault(self, code, message, function, *arguments):
        with self.assertRaises(Fault) as caught:
            function(*arguments)
        self.assertEqual(caught.exception.code, code, caught.exception)
        self.assertIn(message, str(caught.exception))

    def changed(self, change, source=None):
        """Returns a copy of the image after `change(bytearray)`."""
        content = bytearray((source or self.image).read_bytes())
        change(content)
        path = self.folder / "changed.img"
        path.write_bytes(content)
        return path


class Images(Case):
    def test_plain_and_packed_images_have_the_same_content(self):
        for path in (self.image, self.packed):
            image = Image(path)
            image.check(lambda *_: None)
            self.assertEqual((image.size, image.first.start), (tiny_image.SIZE, tiny_image.FIRST_START))
            with image.contents() as stream:
                self.assertEqual(b"".join(iter(lambda: stream.read(1 << 20), b"")), self.image.read_bytes())

    def test_a_packed_image_is_recognized_by_its_content(self):
        plain_name = self.folder / "packed-without-extension.img"
        shutil.copy(self.packed, plain_name)
        self.assertEqual(Image(plain_name).size, 13 * tiny_image.MIB)

    def test_other_files_are_rejected(self):
        self.fault(DATA, "is not SEALCAM", Image, tiny_image.make(self.folder / "other.img", "BOOTFS"))
        self.fault(DATA, "no partition table", Image, self.changed(lambda c: c.__setitem__(511, 0)))
        self.fault(DATA, "no partition table", Image, self.changed(lambda c: c.__delitem__(slice(100, None))))
        self.fault(DATA, "differ from those of a Sealcam image", Image, self.changed(lambda c: c.__setitem__(446 + 4, 0x83)))
        self.fault(DATA, "differ from those of a Sealcam image", Image, self.changed(lambda c: c.__setitem__(446 + 48 + 4, 0x83)))
        far = (0xFFFFFF00).to_bytes(4, "little")
        self.fault(DATA, "wrong position", Image, self.changed(lambda c: c.__setitem__(slice(446 + 8, 446 + 12), far)))
        self.fault(NO_INPUT, "No such file", Image, self.folder / "none.img")

    def test_images_with_another_compression_are_rejected(self):
        for module, name in ((lzma, "xz"), (gzip, "gzip"), (bz2, "bzip2")):
            other = self.folder / "other-compression.img"
            other.write_bytes(module.compress(self.image.read_bytes()[:4096]))
            self.fault(DATA, f"compressed with {name}; decompress it first", Image, other)
        with zipfile.ZipFile(self.folder / "image.zip", "w") as archive:
            archive.writestr("card.img", b"content")
        self.fault(DATA, "compressed with zip", Image, self.folder / "image.zip")
        (self.folder / "empty.img").touch()
        self.fault(DATA, "is empty", Image, self.folder / "empty.img")

    def test_truncated_images_are_rejected(self):
        self.fault(DATA, "truncated", Image, self.changed(lambda c: c.__delitem__(slice(len(c) - 512, None))))
        self.fault(DATA, "not a multiple of the sector size", Image, self.changed(lambda c: c.append(0)))
        image = Image(tiny_image.pack(self.changed(lambda c: c.__delitem__(slice(len(c) - 512, None)))))
        self.fault(DATA, "truncated", image.check, lambda *_: None)

    def test_a_damaged_packed_image_is_rejected_before_writing(self):
        def flip(content):
            content[len(content) // 2] ^= 1
        for change in (flip, lambda c: c.__delitem__(slice(len(c) // 2, None))):
            image = Image(self.changed(change, self.packed))
            self.fault(DATA, "the image is damaged", image.check, lambda *_: None)

    def test_a_packed_image_can_be_closed_before_its_end(self):
        with Image(self.packed).contents() as stream:
            stream.read(512)

    def test_packed_without_zstd(self):
        with mock.patch.dict(os.environ, {"PATH": str(self.folder)}):
            self.fault(UNAVAILABLE, "apt install zstd", Image, self.packed)
            Image(self.image)  # control: a plain image does not need zstd

    def test_settings_change_only_the_first_partition(self):
        for path in (self.image, self.packed):
            with Image(path).contents(b'{"name": "door"}\n') as stream:
                content = b"".join(iter(lambda: stream.read(1 << 20), b""))
            first = slice(tiny_image.FIRST_START, tiny_image.FIRST_START + tiny_image.FIRST_SIZE)
            plain = self.image.read_bytes()
            self.assertEqual(len(content), len(plain))
            self.assertTrue(content[:first.start] == plain[:first.start] and content[first.stop:] == plain[first.stop:])
            written = self.folder / "written.img"
            written.write_bytes(content)
            self.assertEqual(tiny_image.read_file(written, "sealcam.json"), b'{"name": "door"}\n')
            self.assertEqual(tiny_image.read_file(written, "README.txt"), b"A card of Sealcam.\n")
        self.assertIsNone(tiny_image.read_file(self.image, "sealcam.json"))

    def test_settings_replace_those_of_the_image(self):
        with Image(self.image).contents(b"{}\n") as stream:
            once = self.folder / "once.img"
            once.write_bytes(b"".join(iter(lambda: stream.read(1 << 20), b"")))
        with Image(once).contents(b'{"country": "DE"}\n') as stream:
            twice = self.folder / "twice.img"
            twice.write_bytes(b"".join(iter(lambda: stream.read(1 << 20), b"")))
        self.assertEqual(tiny_image.read_file(twice, "sealcam.json"), b'{"country": "DE"}\n')

    def test_settings_without_mtools(self):
        with mock.patch.dict(os.environ, {"PATH": str(self.folder)}):
            self.fault(UNAVAILABLE, "apt install mtools", Image(self.image).contents, b"{}\n")


class Settings(Case):
    def composed(self, piped="", **given):
        with mock.patch("sys.stdin", io.StringIO(piped)):
            text = settings.compose(options(**given))
        return text and json.loads(text)

    def rejected(self, message, piped="", **given):
        self.fault(USAGE, message, lambda: self.composed(piped, **given))

    def test_no_options(self):
        self.assertIsNone(self.composed())

    def test_all_options(self):
        self.assertEqual(self.composed("correct horse\n", wifi="Café 5G", name="front-door", country="de"),
                         {"name": "front-door", "country": "DE", "wifi": {"ssid": "Café 5G", "psk": "correct horse"}})

    def test_passphrase_from_a_file(self):
        file = self.folder / "passphrase"
        file.write_text(" blanks count \r\n")
        self.assertEqual(self.composed(wifi="x", wifi_password_file=str(file))["wifi"]["psk"], " blanks count ")
        file.write_bytes(b"\xef\xbb\xbfnotepad's mark\r\n")
        self.assertEqual(self.composed(wifi="x", wifi_password_file=str(file))["wifi"]["psk"], "notepad's mark")
        self.fault(NO_INPUT, "cannot read", settings.passphrase, str(self.folder / "none"))
        file.write_bytes(b"\xff\xfe12345678")
        self.fault(NO_INPUT, "not UTF-8", settings.passphrase, str(file))

    def test_limits(self):
        for good in ("12345678", "x" * 63, " ~" * 4):
            self.assertEqual(self.composed(good, wifi="x")["wifi"]["psk"], good)
        for bad in ("", "1234567", "x" * 64, "Passwörter"):
            self.rejected("8 to 63", bad, wifi="x")
        self.composed("12345678", wifi="x" * 32)
        for good in ("iPhone\u00a0de\u00a0Marie", "Anna\u2019s iPhone", "a\u200cb", "\U0001f468\u200d\U0001f469", ' "$!\\\' '):
            self.assertEqual(self.composed("12345678", wifi=good)["wifi"]["ssid"], good)
        for bad in ("", "x" * 33, "é" * 17, "a\nb", "a\x7f", "a\x9b", "\udcff"):
            self.rejected("--wifi", "12345678", wifi=bad)
        for good in ("x" * 64, "Front door", "Tür", "7"):
            self.assertEqual(self.composed(name=good)["name"], good)
        for bad in ("", "x" * 65, "-", "ü", "x\n", "x\x1b[2J"):
            self.rejected("--name", name=bad)
        for bad in ("", "D", "DEU", "D1", "uk"):
            self.rejected("--country", country=bad)
        self.rejected("add --wifi", wifi_password_file="x")
        self.rejected("add --wifi", hidden=True)

    def test_a_hidden_network(self):
        self.assertEqual(self.composed("12345678", wifi="x", hidden=True)["wifi"], {"ssid": "x", "psk": "12345678", "hidden": True})
        self.assertNotIn("hidden", self.composed("12345678", wifi="x")["wifi"])

    def test_the_error_does_not_contain_a_rejected_passphrase(self):
        with self.assertRaises(Fault) as caught:
            self.composed("secr3t", wifi="x")
        self.assertNotIn("secr3t", str(caught.exception))

    def test_the_passphrase_is_read_twice(self):
        with mock.patch("sys.stdin") as stdin, contextlib.ExitStack() as stack:
            stdin.isatty.return_value = True
            getpass = stack.enter_context(mock.patch("getpass.getpass", side_effect=["12345678"] * 2 + ["12345678", "12345679"]))
            self.assertEqual(settings.passphrase(None), "12345678")
            self.fault(USAGE, "differ", settings.passphrase, None)
            self.assertEqual(getpass.call_count, 4)


class Texts(unittest.TestCase):
    def test_control_characters_of_labels_are_replaced(self):
        self.assertEqual(printable("boot\x1b[2Jfs\r"), "boot?[2Jfs?")

    def test_sizes_have_decimal_units(self):
        self.assertEqual(size_text(31_914_983_424), "31.9 GB")


if __name__ == "__main__":
    if lacking := tiny_image.missing_tools():
        print(f"SKIPPED: missing tools: {', '.join(lacking)}")
        sys.exit(77)
    unittest.main()
