#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs scripts/cve on bills of materials that scripts/sbom makes, and on small tracker files. All issues are invented."""
import contextlib
import copy
import datetime
import gzip
import io
import json
import os
import pathlib
import random
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import cve  # noqa: E402
import sbom  # noqa: E402

TODAY = datetime.date(2026, 12, 1)


def package(name, version, source=None, source_version=None, **more):
    return sbom.Package(name, version, "arm64", source or name, source_version or version, **more)


PACKAGES = [
    package("libc6", "2.41-12", "glibc"),
    package("libc-bin", "2.41-12", "glibc"),
    package("libavcodec61", "7:7.1.2-0+deb13u1+b1", "ffmpeg", "7:7.1.2-0+deb13u1"),
    package("linux-image-6.12.57+deb13-arm64", "6.12.57-1", "linux-signed-arm64", "6.12.57+1"),
    package("libboost1.88-dev", "1.88.0-1", "boost1.88", compiled_in=True),
    package("sealcam-camera", "0.1.0", vendor="sealcam"),
]


def record(status, fixed=None, urgency="not yet assigned", newest=None, suite="trixie", **more):
    entry = {"status": status, "repositories": {suite: newest} if newest else {}, "urgency": urgency} | more
    return entry | ({"fixed_version": fixed} if fixed is not None else {})


def issue(**releases):
    return {"description": "invented", "scope": "remote", "debianbug": 1000000, "releases": releases}


def tracker():
    return {
        "glibc": {"CVE-2099-0001": issue(trixie=record("resolved", "2.41-12", newest="2.41-12"), sid=record("resolved", "2.42-1")),
                  "CVE-2099-0002": issue(bookworm=record("open"), trixie=record("resolved", "0"))},
        "ffmpeg": {"CVE-2099-0003": issue(trixie=record("resolved", "7:7.1.1-1", newest="7:7.1.2-0+deb13u1"))},
        "linux": {"CVE-2099-0004": issue(trixie=record("resolved", "6.12.50-1", newest="6.12.57-1"))},
        # A source package with the name of a binary package of the image.
        "libc6": {"CVE-2099-0005": issue(trixie=record("open"))},
    }


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(mock.patch.object(cve, "today", lambda: TODAY))
        self.sbom, self.tracker, self.ignore = (self.folder / name for name in ("sbom.json", "tracker.json", "ignore.json"))
        self.write_sbom(PACKAGES)
        self.data = tracker()
        self.write()

    def write_sbom(self, packages, change=lambda bom: None):
        bom = sbom.document(packages, "sealcam-qemu-virt", "v0.1.0", None)
        change(bom)
        self.sbom.write_text(json.dumps(bom))

    def write(self, content=None, age=0):
        if isinstance(content, bytes):
            self.tracker.write_bytes(content)
        else:
            self.tracker.write_text(json.dumps(self.data) if content is None else content)
        day = datetime.datetime(2026, 12, 1, 12, tzinfo=datetime.timezone.utc) - datetime.timedelta(days=age)
        os.utime(self.tracker, (day.timestamp(),) * 2)

    def write_ignore(self, **change):
        entry = {"id": "CVE-2099-0100", "source": "glibc", "reason": "no nscd in the image", "until": "2027-03-31"} | change
        self.ignore.write_text(json.dumps({"ignore": [{k: v for k, v in entry.items() if v is not None}]}))

    def add(self, source="glibc", name="CVE-2099-0100", **releases):
        self.data.setdefault(source, {})[name] = issue(**releases)
        self.write()

    def run_cve(self, *arguments, files=None):
        """Returns the exit code and the output: standard output for 0 and 1, else the error."""
        out, err = io.StringIO(), io.StringIO()
        argv = ["cve", *map(str, files or (self.sbom, self.tracker)), *map(str, arguments)]
        with mock.patch.object(sys, "argv", argv), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = cve.main()
            except SystemExit as leaving:
                code = leaving.code
        self.assertEqual(bool(err.getvalue()), code not in (0, 1), err.getvalue())
        return code, out.getvalue() if code in (0, 1) else err.getvalue()

    def result(self, *arguments):
        code, text = self.run_cve("--json", *arguments)
        self.assertIn(code, (0, 1), text)
        result = json.loads(text)
        self.assertEqual(code, 1 if result["open"] else 0)
        return result

    def open(self, *arguments):
        return [(i["id"], i["state"]) for i in self.result(*arguments)["open"]]

    def fails(self, part, *arguments, code=os.EX_DATAERR, files=None):
        ended, text = self.run_cve(*arguments, files=files)
        self.assertEqual(ended, code, text)
        self.assertIn(part, text)
        self.assertEqual(text.count("\n"), 1, text)  # one line, so no traceback


class Comparison(Case):
    def test_an_image_with_fixed_packages_has_no_open_issue(self):
        code, text = self.run_cve()
        self.assertEqual(code, 0, text)
        self.assertIn("4 source packages of trixie, data of 2026-12-01: open issues: 0, fixed by an update: 0", text)

    def test_versions_are_compared_as_debian_does(self):
        # A comparison of texts or of numbers would give another result in each of these cases.
        for version, fixed, has_it in (
                ("2.9-1", "2.41-1", True), ("2.41-1", "2.9-1", False), ("2.41-12", "2.41-12+deb13u1", True), ("1:2.0-1", "2.41-1", False),
                ("2.41-12", "1:1.0-1", True), ("2.41-12~rc1", "2.41-12", True), ("2.41-12", "2.41-12~rc1", False), ("2.41-12", "2.41-12", False),
                ("2.41-12+b1", "2.41-12", False), ("2.41-1.1", "2.41-1", False), ("2.41~20260101-1", "2.41-1", True), ("2.041-1", "2.41-1", False),
                ("2.41-a", "2.41-1", False)):
            with self.subTest(version=version, fixed=fixed):
                self.data = tracker()
                self.data["glibc"] = {"CVE-2099-0100": issue(trixie=record("resolved", fixed))}
                self.write()
                self.write_sbom([package("libc6", version, "glibc")])
                self.assertEqual(self.open(), [("CVE-2099-0100", "update")] if has_it else [])

    def test_the_source_package_and_its_version_count(self):
        self.add("ffmpeg", trixie=record("resolved", "7:7.1.2-0+deb13u1+b1", newest="7:7.1.2-0+deb13u1"))
        found = self.result()["open"]
        self.assertEqual([(i["id"], i["source"], i["version"], i["packages"]) for i in found],
                         [("CVE-2099-0100", "ffmpeg", "7:7.1.2-0+deb13u1", ["libavcodec61"])])

    def test_an_issue_of_a_source_names_all_its_packages_once(self):
        self.add(trixie=record("open", nodsa="Minor issue"))
        found, = self.result()["open"]
        self.assertEqual((found["packages"], found["state"], found["note"], found["fixed_version"]), (["libc-bin", "libc6"], "unfixed", "Minor issue", None))

    def test_a_signed_kernel_is_that_of_the_package_linux(self):
        self.add("linux", trixie=record("resolved", "6.12.60-1", newest="6.12.57-1"))
        self.assertEqual([(i["source"], i["version"]) for i in self.result()["open"]], [("linux", "6.12.57-1")])

    def test_a_compiled_in_library_is_compared(self):
        self.add("boost1.88", trixie=record("open"))
        self.assertEqual([i["packages"] for i in self.result()["open"]], [["libboost1.88-dev (compiled in)"]])

    def test_a_backport_is_compared_with_sid(self):
        self.write_sbom([package("libc6", "2.42-3~bpo13+1", "glibc")])
        for sid, has_it in ((record("resolved", "2.42-3"), False), (record("resolved", "2.42-4"), True), (record("open"), True), (record("resolved", "0"), False)):
            with self.subTest(sid=sid):
                # The record of trixie would give the opposite result.
                self.add(trixie=record("resolved", "0") if has_it else record("open"), sid=sid)
                self.assertEqual(len(self.open()), has_it)

    def test_each_state_of_the_tracker(self):
        self.add(trixie=record("undetermined"))
        self.assertEqual(self.open(), [("CVE-2099-0100", "undetermined")])
        self.add(trixie=record("open", urgency="end-of-life"))
        self.assertEqual(self.open(), [("CVE-2099-0100", "unfixed")])
        self.add(trixie=record("open", urgency="unimportant"))
        result = self.result()
        self.assertEqual((result["open"], [i["id"] for i in result["without_effect"]]), ([], ["CVE-2099-0100"]))
        self.add(name="TEMP-0000000-0A1B2C", trixie=record("open"))
        self.assertEqual(self.open(), [("TEMP-0000000-0A1B2C", "unfixed")])

    def test_an_entry_with_all_members_that_the_tracker_writes(self):
        # bin/tracker_service.py of the tracker writes these members, and leaves out those without a value.
        entry = {"status": "resolved", "repositories": {"trixie": "2.41-12", "trixie-security": "2.41-12+deb13u1"}, "fixed_version": "2.41-12+deb13u1",
                 "urgency": "not yet assigned", "nodsa": "Minor issue", "nodsa_reason": "postponed", "next_point_update": True}
        for left_out in ((), ("fixed_version",), ("nodsa", "nodsa_reason", "next_point_update")):
            with self.subTest(left_out=left_out):
                self.add(trixie={name: value for name, value in entry.items() if name not in left_out})
                found, = self.result()["open"]
                self.assertEqual((found["state"], found["fixed_version"]), ("update", "2.41-12+deb13u1"))
        self.data = tracker()
        self.add("boost1.88", trixie={"status": "resolved", "repositories": {}, "urgency": "low"})
        self.assertEqual(self.open(), [("CVE-2099-0100", "undetermined")])
        # Control: the image with the newest package does not have the issue, whether the tracker knows the version of the fix or not.
        self.data = tracker()
        self.write_sbom([package("libc6", "2.41-12+deb13u1", "glibc")])
        for left_out in ((), ("fixed_version",)):
            self.add(trixie={name: value for name, value in entry.items() if name not in left_out})
            self.assertEqual(self.open(), [])

    def test_issues_of_other_releases_do_not_count(self):
        self.add(bookworm=record("open"), sid=record("open"))
        self.assertEqual(self.open(), [])
        self.assertEqual(self.open("--release", "bookworm", "--accept-newer"), [("CVE-2099-0002", "unfixed"), ("CVE-2099-0100", "unfixed")])

    def test_the_data_does_not_cover_other_parts(self):
        others = [package("libcamera0.6", "0.6.0+rpt20251202-1", "libcamera"), package("shim", "1+15.8-1", "shim-signed"),
                  package("@scope/mqtt", "5.14.1", vendor="npm")]
        self.write_sbom([*PACKAGES, *others], lambda bom: bom["components"].append({"name": "plain", "version": "1"}))
        self.add("libcamera", trixie=record("open"))
        self.add("sealcam-camera", trixie=record("open"))
        found = {n["name"]: n["why"] for n in self.result()["not_covered"]}
        self.assertEqual(found.keys(), {"sealcam-qemu-virt", "sealcam-camera", "@scope/mqtt", "plain", "libcamera0.6", "shim"})
        self.assertEqual((found["@scope/mqtt"], found["sealcam-camera"]), ("a package of npm", "a program of Sealcam"))
        text = self.run_cve()[1]
        self.assertIn("not covered by this data: @scope/mqtt 5.14.1: a package of npm\n", text)
        self.assertIn("not covered by this data: sealcam-qemu-virt v0.1.0: the image itself\n", text)

    def test_a_source_that_is_not_in_the_release_is_not_covered(self):
        self.add("boost1.88", bookworm=record("open"))
        self.assertIn({"name": "boost1.88", "version": "1.88.0-1", "why": "the data does not have it in trixie"}, self.result()["not_covered"])

    def test_the_table_lists_updates_first(self):
        self.add(trixie=record("open", nodsa="Minor issue"))
        self.add("ffmpeg", "CVE-2099-0200", trixie=record("resolved", "7:7.1.3-0+deb13u1", "high"))
        code, text = self.run_cve()
        lines = text.splitlines()
        self.assertEqual(code, 1)
        self.assertEqual(lines[1].split()[:5], ["CVE-2099-0200", "ffmpeg", "7:7.1.2-0+deb13u1", "7:7.1.3-0+deb13u1", "high"])
        self.assertTrue(lines[2].endswith("no fix in this release: Minor issue"), lines[2])
        self.assertTrue(lines[-1].endswith("open issues: 2, fixed by an update: 1"), lines[-1])

    def test_many_issues_start_dpkg_once_for_each_pair_of_versions(self):
        for number in range(5000):
            self.data["linux"][f"CVE-2098-{number:04}"] = issue(trixie=record("resolved", f"6.12.{number % 50}-1", newest="6.12.57-1"))
        self.write()
        cve.older.cache_clear()
        with mock.patch.object(cve.subprocess, "run", wraps=cve.subprocess.run) as run:
            self.assertEqual(self.open(), [])
        self.assertLess(run.call_count, 60)


class Ignores(Case):
    def setUp(self):
        super().setUp()
        self.add(trixie=record("open"))

    def test_an_entry_has_effect_until_the_end_of_its_last_day(self):
        for until, has_effect in (("2027-03-31", True), ("2026-12-01", True), ("2026-11-30", False)):
            self.write_ignore(until=until)
            result = self.result("--ignore", self.ignore)
            self.assertEqual(len(result["open"]), not has_effect, until)
            self.assertEqual(len(result["ignores_expired"]), not has_effect, until)
            self.assertEqual([i["reason"] for i in result["ignored"]], ["no nscd in the image"] * has_effect)
        code, text = self.run_cve("--ignore", self.ignore)
        self.assertEqual(code, 1)
        self.assertIn("no longer ignored since 2026-11-30: CVE-2099-0100 of glibc: no nscd in the image", text)

    def test_an_entry_is_valid_for_one_issue_of_one_source(self):
        for change in ({"id": "CVE-2099-0101"}, {"source": "ffmpeg"}, {"source": "libc6"}):
            self.write_ignore(**change)
            result = self.result("--ignore", self.ignore)
            self.assertEqual((len(result["open"]), len(result["ignores_unused"])), (1, 1), change)
        self.assertIn("remove the entry", self.run_cve("--ignore", self.ignore)[1])

    def test_wrong_entries_name_their_place(self):
        for change, part in (({"reason": None}, "/ignore/0 must have"), ({"reason": " "}, "/ignore/0/reason is empty"), ({"extra": "x"}, "/ignore/0 must have"),
                             ({"until": None}, "/ignore/0 must have"), ({"until": "soon"}, "/ignore/0/until: 'soon' is not a date"),
                             ({"until": "2028-01-01"}, "more than a year ahead"), ({"id": "glibc"}, "/ignore/0/id: 'glibc'"), ({"id": 5}, "must have the texts")):
            self.write_ignore(**change)
            self.fails(part, "--ignore", self.ignore)
        entry = {"id": "CVE-2099-0100", "source": "glibc", "reason": "x", "until": "2027-01-01"}
        self.ignore.write_text(json.dumps({"ignore": [entry, entry]}))
        self.fails("occurs twice", "--ignore", self.ignore)
        self.ignore.write_text("{}")
        self.fails('must contain {"ignore"', "--ignore", self.ignore)
        self.fails("No such file", "--ignore", self.folder / "none", code=os.EX_NOINPUT)


class Files(Case):
    def test_old_data_is_an_error(self):
        self.write(age=8)
        self.fails("8 days old; download it again, or allow old data with --max-age 8")
        self.assertEqual(self.run_cve("--max-age", "8")[0], 0)
        self.write(age=-3)
        self.fails("in the future")
        os.utime(self.tracker, (1e15, 1e15))
        self.fails("in the future")

    def test_data_that_is_older_than_the_image_is_an_error(self):
        self.data["glibc"]["CVE-2099-0001"]["releases"]["trixie"]["repositories"]["trixie"] = "2.41-11"
        self.write()
        self.fails("older than packages of the image: glibc 2.41-12 (the data knows 2.41-11)")
        self.assertEqual([n["source"] for n in self.result("--accept-newer")["newer_than_data"]], ["glibc"])
        # The update is in another repository of the release.
        self.data["glibc"]["CVE-2099-0001"]["releases"]["trixie"]["repositories"]["trixie-security"] = "2.41-12"
        self.write()
        self.assertEqual(self.run_cve()[0], 0)

    def test_incomplete_data_is_an_error(self):
        del self.data["linux"]
        self.write()
        self.fails("incomplete: no issue of linux")
        self.data = tracker()
        self.write()
        self.fails("does not name the release 'forky'; it names: bookworm, sid, trixie", "--release", "forky")

    def test_no_truncated_file_gives_a_result(self):
        content = self.tracker.read_bytes()
        for size in range(len(content)):
            self.write(content[:size])
            code, text = self.run_cve()
            self.assertEqual(code, os.EX_DATAERR, (size, text))
            self.assertIn("truncated; get" if size > 1 else "empty" if size == 0 else "", text, size)
        whole = self.sbom.read_bytes()
        self.write(content)
        for size in range(0, len(whole), 7):
            self.sbom.write_bytes(whole[:size])
            self.assertEqual(self.run_cve()[0], os.EX_DATAERR, size)

    def test_other_files_are_named(self):
        self.write_ignore()
        for content, part in ((b"", "empty"), (b" \n", "empty"), (b"<html><title>503</title>", "not JSON (line 1, column 1)"), (b"[]", "not a JSON object"),
                              (gzip.compress(self.tracker.read_bytes()), "compressed; decompress it first"), (b"\xff\xfe{}", "not UTF-8"),
                              (b"{}", "not the data of Debian's security tracker"), (b'{"glibc": []}', "not the data of"),
                              (b'{"glibc": {}, "glibc": {}}', "the key 'glibc' occurs twice"), (b'{"a": NaN}', "NaN is not JSON"),
                              (b'{"a":' * 200000 + b"1" + b"}" * 200000, "nested too deeply"), (self.sbom.read_bytes(), "give it first")):
            self.write(content)
            self.fails(part)
        self.fails("not a bill of materials", files=(self.ignore, self.tracker))
        self.fails("No such file", files=(self.sbom, self.folder / "none"), code=os.EX_NOINPUT)
        os.mkfifo(self.folder / "fifo")
        self.fails("not a regular file", files=(self.sbom, self.folder / "fifo"))  # does not wait for a writer
        self.fails("Is a directory", files=(self.sbom, self.folder), code=os.EX_NOINPUT)
        with self.tracker.open("wb") as file:
            file.truncate(cve.MAX_BYTES + 1)
        self.fails("larger than 512 MiB")

    def test_wrong_arguments(self):
        self.fails("--help", "--no-such-option", code=os.EX_USAGE)
        self.fails("--help", "--max-age", "week", code=os.EX_USAGE)
        with mock.patch.object(cve.subprocess, "run", side_effect=FileNotFoundError):
            cve.older.cache_clear()
            self.fails("install the package dpkg", code=os.EX_UNAVAILABLE)

    def test_an_sbom_without_the_facts_is_an_error(self):
        def without_source(bom):
            for component in bom["components"]:
                component["properties"] = []

        def without_distro(bom):
            for component in bom["components"]:
                component["purl"] = component["purl"].replace("&distro=debian-13", "")
        for change, part in ((without_source, "has no property debian:source"), (without_distro, "give it with --release"),
                             (lambda bom: bom.update(components=[]), "lists no component"), (lambda bom: bom.pop("metadata"), "names no product")):
            self.write_sbom(PACKAGES, change)
            self.fails(part)
        self.write_sbom(PACKAGES, without_distro)
        self.assertEqual(self.run_cve("--release", "trixie")[0], 0)
        self.write_sbom([package("sealcam-camera", "0.1.0", vendor="sealcam")])
        self.fails("lists no package of Debian")


class Hostile(Case):
    def test_a_version_that_is_none_is_an_error(self):
        for fixed in ("--help", "", "1 2", "1\n", "-1", "1:2:3", "1-", "１", "2" * 300, 5, None, ["1"], "<unfixed>", "99999999999999:1"):
            self.add(trixie=record("resolved") | {"fixed_version": fixed})
            self.assertEqual(self.run_cve()[0], os.EX_DATAERR, fixed)
        self.write_sbom([package("libc6", "--version", "glibc")])
        self.fails("has no version of Debian: '--version'")

    def test_texts_do_not_control_the_terminal(self):
        evil = "\x1b[2J\r\n\u202e\ud800\x07 0 open issues"
        self.add(trixie=record("open", urgency=evil, nodsa=evil))
        self.write_sbom(PACKAGES, lambda bom: bom["components"][-1].update(name=evil, purl=f"pkg:deb/{evil}/x"))
        for code, text in (self.run_cve(), self.run_cve("--json")):
            self.assertEqual(code, 1)
            self.assertFalse(set("\x1b\r\u202e\ud800\x07") & set(text))
        self.assertEqual(self.run_cve()[1].count("\n"), 6)
        self.data["glibc"] = {evil: issue(trixie=record("open"))}
        self.write()
        self.fails("is not as the tracker publishes it")

    def test_no_wrong_type_anywhere_ends_with_a_traceback(self):
        self.add(trixie=record("resolved", "2.41-13", newest="2.41-12"))
        for path, read, write in (("tracker", self.data, lambda value: self.write(json.dumps(value))),
                                  ("sbom", json.loads(self.sbom.read_text()), lambda value: self.sbom.write_text(json.dumps(value)))):
            codes = set()
            for place in places(read):
                for other in (None, True, 7, "x", [], {}, [{}], {"x": {}}):
                    write(replaced(read, place, other))
                    code, text = self.run_cve()
                    codes.add(code)
                    self.assertIn(code, (0, 1, os.EX_DATAERR), (path, place, other, text))
            self.assertLessEqual({1, os.EX_DATAERR}, codes)
            write(read)

    def test_random_changes_of_bytes_end_in_order(self):
        whole, generator = self.tracker.read_bytes(), random.Random(18)
        for _ in range(500):
            changed = bytearray(whole)
            for _ in range(generator.randint(1, 4)):
                changed[generator.randrange(len(changed))] = generator.randrange(256)
            self.write(bytes(changed))
            code, text = self.run_cve()
            self.assertIn(code, (0, 1, os.EX_DATAERR), text)


def places(value, path=()):
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


def replaced(value, path, other):
    if not path:
        return other
    changed = copy.copy(value)
    changed[path[0]] = replaced(value[path[0]], path[1:], other)
    return changed


if __name__ == "__main__":
    unittest.main()
