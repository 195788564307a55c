#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs scripts/sbom on a Debian root with five packages, and checks the output against CycloneDX 1.6."""
import contextlib
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import licenses  # noqa: E402
import sbom  # noqa: E402

STATUS = """Package: libc6
Status: install ok installed
Section: libs
Installed-Size: 1000
Maintainer: GNU Libc Maintainers <debian-glibc@lists.debian.org>
Architecture: arm64
Source: glibc
Version: 2.41-12+deb13u1
Depends: libgcc-s1
Description: GNU C Library
 with a line
 .
 and another: with a colon

Package: libavcodec61
Status: install ok installed
Section: libs
Installed-Size: 14000
Maintainer: Debian Multimedia Maintainers <debian-multimedia@lists.debian.org>
Architecture: arm64
Source: ffmpeg (7:7.1.2-0+deb13u1)
Version: 7:7.1.2-0+deb13u1+b1
Provides: libavcodec (= 7)
Depends: libc6 (>= 2.38), libx264-164 | libopenh264-8:any, not-here

Package: libopenh264-8
Status: install ok installed
Section: libs
Architecture: arm64
Version: 2.6.0+dfsg-2

Package: removed
Status: deinstall ok config-files
Architecture: all
Version: 1

Package: firmware-brcm80211
Status: install ok installed
Section: non-free-firmware/kernel
Installed-Size: 20
Architecture: all
Version: 20250410-2

Package: sealcam-needs
Status: install ok installed
Section: video
Architecture: arm64
Version: 1.0~rc1
Pre-Depends: libavcodec
Depends: libc6
"""
DEP5 = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nLicense: not-of-a-file\n\n"
COPYRIGHT = {
    "libc6": "This is the Debian prepackaged version of the GNU C Library.\n\nLicense: GPL, in prose.\n",
    "libavcodec61": DEP5 + "Files: *\nCopyright: A\nLicense: LGPL-2.1+\n\nFiles: x/*\nCopyright: B\n"
                    "License: GPL-2+ or Artistic\n a text\n .\n more\n\nFiles: debian/*\nLicense:   LGPL-2.1+\n\nLicense: GPL-2+\n The text of it: long.\n",
    "firmware-brcm80211": DEP5 + "Files: *\nLicense: binary-redist-Broadcom-wifi\n\nFiles: a\nLicense: Expat\n\n"
                          "Files: b\nLicense: GPL-2 or BSD-3-clause\n",
    "sealcam-needs": DEP5 + "Files: *\nLicense: Apache-2\n",
}


def make_root(folder):
    (folder / "var/lib/dpkg/info").mkdir(parents=True)
    (folder / "var/lib/dpkg/status").write_text(STATUS)
    for name, text in COPYRIGHT.items():
        doc = folder / "usr/share/doc" / name
        doc.mkdir(parents=True)
        (doc / "copyright").write_text(text)
    # As in Debian, the folder of a package is a link to that of another. The link is absolute and must be resolved in the root.
    (folder / "usr/share/doc/libopenh264-8").symlink_to("/usr/share/doc/libavcodec61")
    (folder / "usr/lib").mkdir()
    (folder / "usr/lib/libavcodec.so.61.1").write_bytes(bytes(5000))
    (folder / "usr/lib/libavcodec.so.61").symlink_to("libavcodec.so.61.1")
    (folder / "var/lib/dpkg/info/libavcodec61.list").write_text(
        "/.\n/usr\n/usr/lib\n/usr/lib/libavcodec.so.61.1\n/usr/lib/libavcodec.so.61\n/usr/share/man/gone.gz\n")
    return folder


def faults(bom):
    """Returns violations of CycloneDX 1.6 (ECMA-424): missing fields, wrong formats, references to missing components."""
    found = []

    def need(truth, *texts):
        if not truth:
            found.append(" ".join(map(str, texts)))
    need(bom.get("bomFormat") == "CycloneDX" and bom.get("specVersion") == "1.6", "format and version")
    need(re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bom.get("serialNumber", "")), "serialNumber")
    need(type(bom.get("version")) is int and bom["version"] >= 1, "version")
    need(re.fullmatch(r"\d{4}(-\d\d){2}T\d\d(:\d\d){2}Z", bom["metadata"].get("timestamp", "1970-01-01T00:00:00Z")), "timestamp")
    product = bom["metadata"]["component"]
    parts = [product] + bom["components"]
    for part in parts + bom["metadata"]["tools"]["components"]:
        need(part.get("type") in {"application", "framework", "library", "container", "platform", "operating-system", "device",
                                  "device-driver", "firmware", "file", "machine-learning-model", "data", "cryptographic-asset"}, part, "type")
        need(isinstance(part.get("name"), str) and part["name"], part, "name")
        entries = part.get("licenses", [])
        alone = len(entries) == 1 and "expression" in entries[0]
        need(alone or all(len({"id", "name"} & e.get("license", {}).keys()) == 1 for e in entries), part["name"], "licenses")
        for entry in entries:
            need(entry.get("license", entry).get("acknowledgement") in ("declared", "concluded"), part["name"], "acknowledgement")
        for item in part.get("properties", []):
            need(isinstance(item.get("name"), str) and isinstance(item.get("value"), str), part["name"], "properties")
    for part in bom["components"]:
        need(re.fullmatch(r"pkg:(deb/[a-z]+/[a-z0-9.+%-]+@[\w.~%-]+\?arch=[a-z0-9]+(&distro=[\w-]+)?|npm/(%40[\w.-]+/)?[\w.-]+@[\w.-]+)",
                          part.get("purl", ""), re.ASCII | re.I),
             part["name"], "purl")
    references = [part.get("bom-ref") for part in parts]
    need(all(references) and len(set(references)) == len(references), "bom-ref")
    need(sorted(d["ref"] for d in bom["dependencies"]) == sorted(references), "dependencies, ref")
    for item in bom["dependencies"]:
        need(set(item["dependsOn"]) <= set(references) and len(set(item["dependsOn"])) == len(item["dependsOn"]), item["ref"], "dependsOn")
    return found


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.root = make_root(self.folder / "root")

    def run_sbom(self, *arguments, epoch="1700000000", code=0):
        out, err = io.StringIO(), io.StringIO()
        environment = {k: v for k, v in os.environ.items() if k != "SOURCE_DATE_EPOCH"} | ({"SOURCE_DATE_EPOCH": epoch} if epoch else {})
        with mock.patch.object(sys, "argv", ["sbom", *map(str, arguments)]), mock.patch.dict(os.environ, environment, clear=True), \
                contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                ended = sbom.main()
            except SystemExit as leaving:
                ended = leaving.code
        self.assertEqual(ended, code, err.getvalue())
        return out.getvalue() if code == 0 else err.getvalue()

    def bom(self, *arguments, **more):
        return json.loads(self.run_sbom(self.root, *arguments, **more))

    @staticmethod
    def part(bom, name):
        return next(c for c in bom["components"] if c["name"] == name)

    def value(self, part, name):
        return next((p["value"] for p in part["properties"] if p["name"] == name), None)


class List(Case):
    def test_output_conforms_to_the_specification(self):
        self.assertEqual(faults(self.bom()), [])
        self.assertEqual(faults(self.bom(epoch=None)), [])

    def test_the_check_finds_faults(self):
        """The control of the test above."""
        for message, spoil in {
                "serialNumber": lambda b: b.pop("serialNumber"), "format": lambda b: b.update(specVersion="1.5"),
                "timestamp": lambda b: b["metadata"].update(timestamp="yesterday"), "type": lambda b: b["components"][0].update(type="package"),
                "name": lambda b: b["components"][0].update(name=""), "purl": lambda b: b["components"][0].update(purl="pkg:deb/x"),
                "bom-ref": lambda b: b["components"][0].update({"bom-ref": b["components"][1]["bom-ref"]}),
                "dependsOn": lambda b: b["dependencies"][1].update(dependsOn=["nobody"]), "ref": lambda b: b["dependencies"].pop(),
                "licenses": lambda b: self.part(b, "firmware-brcm80211")["licenses"].append({"expression": "MIT"}),
                "acknowledgement": lambda b: self.part(b, "sealcam-needs")["licenses"][0]["license"].pop("acknowledgement"),
                "properties": lambda b: b["components"][0]["properties"][0].update(value=1), "version": lambda b: b.update(version=0)}.items():
            bom = self.bom()
            spoil(bom)
            self.assertTrue(any(message in fault for fault in faults(bom)), message)

    def test_packages(self):
        bom = self.bom("--name", "sealcam-test", "--version", "1.2")
        self.assertEqual([c["name"] for c in bom["components"]],
                         ["firmware-brcm80211", "libavcodec61", "libc6", "libopenh264-8", "sealcam-needs"])  # without 'removed'
        self.assertEqual((bom["metadata"]["component"]["name"], bom["metadata"]["component"]["version"]), ("sealcam-test", "1.2"))
        codec = self.part(bom, "libavcodec61")
        self.assertEqual(codec["purl"], "pkg:deb/debian/libavcodec61@7%3A7.1.2-0%2Bdeb13u1%2Bb1?arch=arm64&distro=debian-13")
        self.assertEqual(codec["supplier"], {"name": "Debian Multimedia Maintainers"})
        self.assertEqual((self.value(codec, "debian:source"), self.value(codec, "debian:source-version")), ("ffmpeg", "7:7.1.2-0+deb13u1"))
        libc = self.part(bom, "libc6")
        self.assertEqual((self.value(libc, "debian:source"), self.value(libc, "debian:source-version")), ("glibc", "2.41-12+deb13u1"))
        self.assertEqual([self.part(bom, n)["type"] for n in ("libc6", "firmware-brcm80211", "sealcam-needs")],
                         ["library", "firmware", "application"])
        self.assertIn("@1.0~rc1?", self.part(bom, "sealcam-needs")["purl"])

    def test_licenses(self):
        bom = self.bom()
        self.assertEqual(self.part(bom, "libavcodec61")["licenses"],
                         [{"expression": "(GPL-2.0-or-later OR Artistic-1.0) AND LGPL-2.1-or-later", "acknowledgement": "declared"}])
        self.assertEqual(self.part(bom, "libopenh264-8")["licenses"], self.part(bom, "libavcodec61")["licenses"])  # through the link
        self.assertEqual(self.part(bom, "sealcam-needs")["licenses"], [{"license": {"id": "Apache-2.0", "acknowledgement": "declared"}}])
        self.assertEqual([e["license"] | {"acknowledgement": None} for e in self.part(bom, "firmware-brcm80211")["licenses"]],
                         [{"id": "MIT", "acknowledgement": None}, {"name": "GPL-2.0-only OR BSD-3-Clause", "acknowledgement": None},
                          {"name": "binary-redist-Broadcom-wifi", "acknowledgement": None}])
        libc = self.part(bom, "libc6")
        self.assertNotIn("licenses", libc)  # a license in prose is not interpreted
        self.assertEqual(self.value(libc, "debian:copyright"), "not machine readable")
        (self.root / "usr/share/doc/libc6/copyright").unlink()
        self.assertEqual(self.value(self.part(self.bom(), "libc6"), "debian:copyright"), "missing")

    def test_dependencies(self):
        needs = {d["ref"].split("@")[0].rpartition("/")[2]: [n.split("@")[0].rpartition("/")[2] for n in d["dependsOn"]]
                 for d in self.bom()["dependencies"]}
        self.assertEqual(needs["libavcodec61"], ["libc6", "libopenh264-8"])  # the installed alternative, without missing packages
        self.assertEqual(needs["sealcam-needs"], ["libavcodec61", "libc6"])  # through Provides
        self.assertEqual(len(needs["sealcam-image"]), 5)

    def test_the_same_input_gives_the_same_bytes(self):
        first = self.run_sbom(self.root)
        other = make_root(self.folder / "other")
        status = other / "var/lib/dpkg/status"
        status.write_text("\n\n".join(reversed(status.read_text().strip().split("\n\n"))) + "\n")
        self.assertEqual(self.run_sbom(other), first)
        self.assertNotEqual(self.run_sbom(self.root, epoch="1700000001"), first)
        self.assertIn('"timestamp": "2023-11-14T22:13:20Z"', first)
        (self.root / "usr/lib/libavcodec.so.61.1").write_bytes(b"")
        self.assertNotEqual(json.loads(self.run_sbom(self.root))["serialNumber"], json.loads(first)["serialNumber"])

    def test_broken_and_circular_links(self):
        doc = self.root / "usr/share/doc/libopenh264-8"
        outside = self.folder / "outside"
        outside.mkdir()
        (outside / "copyright").write_text(DEP5 + "Files: *\nLicense: ISC\n")
        for target in ("libopenh264-8", "/none", str(outside), "../../../../outside"):
            doc.unlink()
            doc.symlink_to(target)
            self.assertEqual(self.value(self.part(self.bom(), "libopenh264-8"), "debian:copyright"), "missing", target)


class Sizes(Case):
    def test_size_is_the_sum_of_the_existing_files(self):
        bom = self.bom()
        self.assertEqual(self.value(self.part(bom, "libavcodec61"), "sealcam:bytes"), "5000")  # links and missing files count 0
        self.assertEqual(self.value(self.part(bom, "libc6"), "sealcam:bytes"), str(1000 * 1024))  # without a file list: Installed-Size

    def test_table(self):
        lines = self.run_sbom(self.root, "--sizes").splitlines()
        self.assertEqual([line.split()[2] for line in lines[:-1]],
                         ["libc6", "firmware-brcm80211", "libavcodec61", "libopenh264-8", "sealcam-needs"])
        self.assertEqual(lines[-1].split(), ["1025", "KiB", "5", "packages"])

    def test_only_the_packages_of_the_image(self):
        only = self.folder / "only.json"
        only.write_text('{"libc6": 123, "sealcam-image-init": 456}')
        bom = self.bom("--only", only, "--own", "sealcam-image-init", "--version", "1.2")
        self.assertEqual([c["name"] for c in bom["components"]], ["libc6", "sealcam-image-init"])
        self.assertEqual([self.value(c, "sealcam:bytes") for c in bom["components"]], ["123", "456"])
        own = self.part(bom, "sealcam-image-init")
        self.assertEqual((own["version"], own["supplier"], own["licenses"][0]["license"]["id"]), ("1.2", {"name": "Sealcam"}, "Apache-2.0"))
        self.assertEqual(faults(bom), [])
        self.assertIn("sealcam-image-init", self.run_sbom(self.root, "--only", only, code=os.EX_DATAERR))


class OtherParts(Case):
    def test_a_sealcam_package(self):
        if not shutil.which("dpkg-deb"):
            self.skipTest("dpkg-deb is not installed")
        tree = self.folder / "tree"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN/control").write_text("Package: sealcam-camera\nVersion: 0.1.0+g12\nArchitecture: arm64\nMaintainer: Sealcam <a@b.example>\n"
                                             "Section: video\nInstalled-Size: 7\nDepends: libc6, libavcodec61 | x\nDescription: camera\n")
        doc = tree / "usr/share/doc/sealcam-camera"
        doc.mkdir(parents=True)
        (doc / "copyright").write_text(DEP5 + "Files: *\nLicense: Apache-2.0\n")
        deb = self.folder / "camera.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, deb], check=True, capture_output=True)
        bom = self.bom("--deb", deb)
        own = self.part(bom, "sealcam-camera")
        self.assertEqual(own["purl"], "pkg:deb/sealcam/sealcam-camera@0.1.0%2Bg12?arch=arm64")
        self.assertEqual(own["licenses"][0]["license"]["id"], "Apache-2.0")
        self.assertEqual(next(len(d["dependsOn"]) for d in bom["dependencies"] if d["ref"] == own["bom-ref"]), 2)
        self.assertEqual(faults(bom), [])
        deb.write_bytes(b"no package")
        self.assertIn("not a Debian package", self.run_sbom(self.root, "--deb", deb, code=os.EX_DATAERR))

    def test_header_libraries_of_the_programs(self):
        build = self.folder / "build/var/lib/dpkg"
        build.mkdir(parents=True)
        (build / "status").write_text("Package: libboost1.88-dev\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.88.0-1\n")
        bom = self.bom("--compiled-in", "libboost1.88-dev", "--build-root", self.folder / "build")
        boost = self.part(bom, "libboost1.88-dev")
        self.assertEqual((self.value(boost, "sealcam:compiled-in"), self.value(boost, "sealcam:bytes")), ("true", "0"))
        self.assertEqual(faults(bom), [])
        self.assertIn("is not installed", self.run_sbom(self.root, "--compiled-in", "x", "--build-root", self.folder / "build", code=os.EX_NOINPUT))

    def test_packages_of_npm_in_the_app(self):
        folder = self.folder / "app"
        folder.mkdir()
        (folder / "packages.json").write_text(json.dumps([{"name": "@a/b", "version": "1.2.3", "license": "MIT", "integrity": "x"},
                                                          {"name": "libc6", "version": "1.0.0", "license": "ISC", "integrity": "x"}]))
        bom = self.bom("--app", folder)
        self.assertEqual(faults(bom), [])
        found = {part["purl"]: part for part in bom["components"]}
        scoped = found["pkg:npm/%40a/b@1.2.3"]
        self.assertEqual((scoped["type"], scoped["licenses"][0]["license"]["id"], self.value(scoped, "sealcam:contained-in")), ("library", "MIT", "mqtt.js"))
        needs = {entry["ref"]: entry["dependsOn"] for entry in bom["dependencies"]}
        self.assertNotIn("pkg:npm/libc6@1.0.0", [ref for purl, refs in needs.items() if purl.startswith("pkg:deb") for ref in refs])
        self.assertIn("scripts/app", self.run_sbom(self.root, "--app", self.folder / "none", code=os.EX_NOINPUT))

    def test_packages_of_npm_in_the_hubs_package(self):
        npm = "pkg:npm/mqtt@5.0.0"
        tree = self.folder / "hub"
        for name in ("DEBIAN", "usr/share/sealcam/app"):
            (tree / name).mkdir(parents=True)
        (tree / "DEBIAN/control").write_text("Package: sealcam-hub\nVersion: 0.1.0\nArchitecture: arm64\nMaintainer: Sealcam <maintainers@sealcam.invalid>\n"
                                             "Description: x\n")
        inside = tree / "usr/share/sealcam/app/packages.json"
        inside.write_text(json.dumps([{"name": "mqtt", "version": "5.0.0", "license": "MIT"}]))
        purls = lambda *arguments: [part["purl"] for part in self.bom(*arguments)["components"]]  # noqa: E731
        if shutil.which("dpkg-deb"):
            deb = self.folder / "hub.deb"
            subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, deb], check=True, capture_output=True)
            self.assertEqual(purls("--deb", deb, "--app", inside.parent).count(npm), 1)
            small = self.folder / "small.json"
            small.write_text('{"libc6": 1}')
            self.assertNotIn(npm, purls("--deb", deb, "--only", small))
        self.assertNotIn(npm, purls())
        status = self.root / "var/lib/dpkg/status"
        status.write_text(status.read_text() + "\nPackage: sealcam-hub\nStatus: install ok installed\nArchitecture: arm64\nVersion: 0.1.0\n")
        installed = self.root / "usr/share/sealcam/app/packages.json"
        installed.parent.mkdir(parents=True)
        shutil.copyfile(inside, installed)
        self.assertIn(npm, purls())
        installed.write_text("[{}]")
        self.assertIn("scripts/app", self.run_sbom(self.root, code=os.EX_NOINPUT))

    def test_bad_input(self):
        self.assertIn("give an unpacked Debian root", self.run_sbom(self.folder, code=os.EX_NOINPUT))
        self.assertIn("--help", self.run_sbom(code=os.EX_USAGE))
        self.assertIn("seconds", self.run_sbom(self.root, epoch="now", code=os.EX_USAGE))
        status = self.root / "var/lib/dpkg/status"
        status.write_text("Package: x\nStatus: install ok installed\nVersion: 1\n")
        self.assertIn("no field 'architecture'", self.run_sbom(self.root, code=os.EX_DATAERR))
        status.write_text("")
        self.assertIn("lists no package", self.run_sbom(self.root, code=os.EX_DATAERR))


class Licenses(unittest.TestCase):
    def test_short_names(self):
        for name, spdx in {
                "GPL-2": "GPL-2.0-only", "GPL-2+": "GPL-2.0-or-later", "GPL-2.0+": "GPL-2.0-or-later", "GPLv3+": "GPL-3.0-or-later",
                "GPL-2.0-only": "GPL-2.0-only", "LGPL-2": "LGPL-2.0-only", "LGPL-2.1+": "LGPL-2.1-or-later", "LGPLv2.1+": "LGPL-2.1-or-later",
                "Expat": "MIT", "expat": "MIT", "BSD-3-clause": "BSD-3-Clause", "ZLIB": "Zlib", "Apache-2": "Apache-2.0",
                "GPL-2 with Linux-syscall-note exception": "GPL-2.0-only WITH Linux-syscall-note",
                "Apache-2.0 with LLVM exception": "Apache-2.0 WITH LLVM-exception",
                "A": None, "GPL": None, "GPL-4": None, "LGPL-1": None, "public-domain": None, "BSD-3-clause-Google": None,
                "GPL-3+ with Autoconf exception": None, "BSD": None, "": None}.items():
            self.assertEqual(licenses.one(name), spdx, name)

    def test_and_or_and_commas(self):
        for synopsis, spdx in {
                "GPL-2+ or MIT": "GPL-2.0-or-later OR MIT", "MIT and ISC or Zlib": "MIT AND ISC OR Zlib",
                "GPL-2+ or AFL-2.1, and Expat": "(GPL-2.0-or-later OR AFL-2.1) AND MIT", "ISC, or MIT and Zlib": "ISC OR MIT AND Zlib",
                "MIT and Expat": "MIT", "MIT AND ISC": "MIT AND ISC", "MIT or secret": None, "MIT, and ISC, or Zlib": None}.items():
            self.assertEqual(licenses.expression(synopsis), spdx, synopsis)

    def test_no_machine_readable_file(self):
        for text in ("", "\n\n", "Format: of my own\n\nFiles: *\nLicense: MIT\n", DEP5, DEP5 + "License: GPL-2\n text\n"):
            self.assertIsNone(licenses.of_copyright(text))
        self.assertEqual(licenses.of_copyright(DEP5 + "Files: *\nLicense: MIT\n"), ["MIT"])  # control


if __name__ == "__main__":
    unittest.main()
