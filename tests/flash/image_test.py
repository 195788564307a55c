#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What scripts/flash takes for a Sealcam image, and what it puts into one. No device is touched."""
import argparse
import contextlib
import io
import json
import os
import pathlib
import shutil
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import tiny_image  # noqa: E402
from card import DATA, NO_INPUT, UNAVAILABLE, USAGE, Trouble, printable, settings, size_words  # noqa: E402
from card.image import Image  # noqa: E402


def options(**given):
    return argparse.Namespace(**({"wifi": None, "wifi_password_file": None, "hidden": False, "name": None, "country": None} | given))


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.image = tiny_image.make(cls.folder / "card.img")
        cls.packed = tiny_image.pack(cls.image)

    def trouble(self, code, words, function, *arguments):
        with self.assertRaises(Trouble) as caught:
            function(*arguments)
        self.assertEqual(caught.exception.code, code, caught.exception)
        self.assertIn(words, str(caught.exception))

    def changed(self, change, source=None):
        """A copy with `change(bytearray)` done to it."""
        content = bytearray((source or self.image).read_bytes())
        change(content)
        path = self.folder / "changed.img"
        path.write_bytes(content)
        return path


class Images(Case):
    def test_plain_and_packed_give_the_same(self):
        for path in (self.image, self.packed):
            image = Image(path)
            image.check(lambda *_: None)
            self.assertEqual((image.size, image.first.start), (tiny_image.SIZE, tiny_image.FIRST_START))
            with image.contents() as stream:
                self.assertEqual(b"".join(iter(lambda: stream.read(1 << 20), b"")), self.image.read_bytes())

    def test_packed_is_told_by_content_not_by_name(self):
        plain_name = self.folder / "packed-but-not-called-so.img"
        shutil.copy(self.packed, plain_name)
        self.assertEqual(Image(plain_name).size, 13 * tiny_image.MIB)

    def test_no_sealcam_image(self):
        self.trouble(DATA, "not called SEALCAM", Image, tiny_image.make(self.folder / "other.img", "BOOTFS"))
        self.trouble(DATA, "no partition table", Image, self.changed(lambda c: c.__setitem__(511, 0)))
        self.trouble(DATA, "no partition table", Image, self.changed(lambda c: c.__delitem__(slice(100, None))))
        self.trouble(DATA, "not a Sealcam image's", Image, self.changed(lambda c: c.__setitem__(446 + 4, 0x83)))
        self.trouble(DATA, "not a Sealcam image's", Image, self.changed(lambda c: c.__setitem__(446 + 48 + 4, 0x83)))
        far = (0xFFFFFF00).to_bytes(4, "little")
        self.trouble(DATA, "not where", Image, self.changed(lambda c: c.__setitem__(slice(446 + 8, 446 + 12), far)))
        self.trouble(NO_INPUT, "No such file", Image, self.folder / "none.img")

    def test_cut_short(self):
        self.trouble(DATA, "cut short", Image, self.changed(lambda c: c.__delitem__(slice(len(c) - 512, None))))
        self.trouble(DATA, "whole number of sectors", Image, self.changed(lambda c: c.append(0)))
        image = Image(tiny_image.pack(self.changed(lambda c: c.__delitem__(slice(len(c) - 512, None)))))
        self.trouble(DATA, "cut short", image.check, lambda *_: None)

    def test_damaged_packed_image_is_found_before_anything_is_written(self):
        def flip(content):
            content[len(content) // 2] ^= 1
        for change in (flip, lambda c: c.__delitem__(slice(len(c) // 2, None))):
            image = Image(self.changed(change, self.packed))
            self.trouble(DATA, "the image is damaged", image.check, lambda *_: None)

    def test_closing_a_packed_one_early_is_no_error(self):
        with Image(self.packed).contents() as stream:
            stream.read(512)

    def test_packed_without_zstd(self):
        with mock.patch.dict(os.environ, {"PATH": str(self.folder)}):
            self.trouble(UNAVAILABLE, "apt install zstd", Image, self.packed)
            Image(self.image)  # control: the plain one needs nothing

    def test_settings_change_the_first_partition_alone(self):
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
            self.trouble(UNAVAILABLE, "apt install mtools", Image(self.image).contents, b"{}\n")


class Settings(Case):
    def composed(self, piped="", **given):
        with mock.patch("sys.stdin", io.StringIO(piped)):
            told = settings.compose(options(**given))
        return told and json.loads(told)

    def refused(self, words, piped="", **given):
        self.trouble(USAGE, words, lambda: self.composed(piped, **given))

    def test_nothing_said(self):
        self.assertIsNone(self.composed())

    def test_everything_said(self):
        self.assertEqual(self.composed("correct horse\n", wifi="Café 5G", name="front-door", country="de"),
                         {"name": "front-door", "country": "DE", "wifi": {"ssid": "Café 5G", "psk": "correct horse"}})

    def test_passphrase_from_a_file(self):
        file = self.folder / "passphrase"
        file.write_text(" blanks count \r\n")
        self.assertEqual(self.composed(wifi="x", wifi_password_file=str(file))["wifi"]["psk"], " blanks count ")
        self.trouble(NO_INPUT, "cannot be read", settings.passphrase, str(self.folder / "none"))
        file.write_bytes(b"\xff\xfe12345678")
        self.trouble(NO_INPUT, "not UTF-8", settings.passphrase, str(file))

    def test_limits(self):
        for good in ("12345678", "x" * 63, " ~" * 4):
            self.assertEqual(self.composed(good, wifi="x")["wifi"]["psk"], good)
        for bad in ("", "1234567", "x" * 64, "Passwörter"):
            self.refused("8 to 63", bad, wifi="x")
        self.composed("12345678", wifi="x" * 32)
        for bad in ("", "x" * 33, "é" * 17, "a\nb", "\udcff"):
            self.refused("--wifi", "12345678", wifi=bad)
        for good in ("x" * 64, "Front door", "Tür", "7"):
            self.assertEqual(self.composed(name=good)["name"], good)
        for bad in ("", "x" * 65, "-", "ü", "x\n", "x\x1b[2J"):
            self.refused("--name", name=bad)
        for bad in ("", "D", "DEU", "D1"):
            self.refused("--country", country=bad)
        self.refused("add --wifi", wifi_password_file="x")
        self.refused("add --wifi", hidden=True)

    def test_a_hidden_network(self):
        self.assertEqual(self.composed("12345678", wifi="x", hidden=True)["wifi"], {"ssid": "x", "psk": "12345678", "hidden": True})
        self.assertNotIn("hidden", self.composed("12345678", wifi="x")["wifi"])

    def test_a_refused_passphrase_is_not_told(self):
        with self.assertRaises(Trouble) as caught:
            self.composed("secr3t", wifi="x")
        self.assertNotIn("secr3t", str(caught.exception))

    def test_asked_twice(self):
        with mock.patch("sys.stdin") as stdin, contextlib.ExitStack() as stack:
            stdin.isatty.return_value = True
            ask = stack.enter_context(mock.patch("getpass.getpass", side_effect=["12345678"] * 2 + ["12345678", "12345679"]))
            self.assertEqual(settings.passphrase(None), "12345678")
            self.trouble(USAGE, "differ", settings.passphrase, None)
            self.assertEqual(ask.call_count, 4)


class Words(unittest.TestCase):
    def test_labels_cannot_steer_a_terminal(self):
        self.assertEqual(printable("boot\x1b[2Jfs\r"), "boot?[2Jfs?")

    def test_sizes_are_as_on_the_card(self):
        self.assertEqual(size_words(31_914_983_424), "31.9 GB")


if __name__ == "__main__":
    if lacking := tiny_image.missing_tools():
        print(f"SKIPPED: not here: {', '.join(lacking)}")
        sys.exit(77)
    unittest.main()
