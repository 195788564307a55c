# SPDX-License-Identifier: Apache-2.0
"""Creates a software bill of materials as CycloneDX 1.6 JSON. It lists the packages of an unpacked Debian root and Sealcam's packages with
name, version, source package, supplier, machine-readable licenses, size and dependencies.

The same input gives the same bytes: the time is SOURCE_DATE_EPOCH, and the serial number depends on the content."""
import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import urllib.parse
import uuid

import licenses

SUPPLIER = "Sealcam"
DISTRIBUTION = "debian-13"
APP_PACKAGES = "usr/share/sealcam/app/packages.json"  # of the app in the hub's package, which scripts/app made
NAMESPACE = uuid.UUID("5ea1ca30-0000-4000-8000-000000000001")  # namespace of the serial numbers


class Failure(Exception):
    """An error message, and an exit code of sysexits.h."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


@dataclasses.dataclass
class Package:
    name: str
    version: str
    architecture: str
    source: str = ""
    source_version: str = ""
    supplier: str = ""
    section: str = ""
    depends: list = dataclasses.field(default_factory=list)  # lists of alternatives
    provides: list = dataclasses.field(default_factory=list)
    size: int = 0  # bytes
    licenses: list | None = None  # names in the copyright file
    copyright: str = "missing"  # or 'machine readable', 'not machine readable'
    compiled_in: bool = False
    vendor: str = "debian"

    @property
    def purl(self):
        """A package URL of type deb or npm. All characters except unreserved ones are percent-encoded, also in the epoch."""
        def quoted(text):
            return urllib.parse.quote(text, safe="~.-_")
        if self.vendor == "npm":
            return f"pkg:npm/{'/'.join(map(quoted, self.name.split('/')))}@{quoted(self.version)}"
        distro = f"&distro={DISTRIBUTION}" if self.vendor == "debian" else ""
        return f"pkg:deb/{self.vendor}/{quoted(self.name)}@{quoted(self.version)}?arch={quoted(self.architecture)}{distro}"

    @property
    def kind(self):
        if self.vendor == "npm":
            return "library"
        if self.name.startswith("linux-image"):
            return "operating-system"
        if "firmware" in self.section or "firmware" in self.name:
            return "firmware"
        return "library" if "lib" in self.section.rpartition("/")[2] else "application"


def relations(field):
    """'a (>= 1) | b, c:any' -> [[a, b], [c]]"""
    return [[re.split(r"[\s(:\[<]", alternative.strip(), maxsplit=1)[0] for alternative in group.split("|")]
            for group in field.replace("\n", " ").split(",") if group.strip()]


def package(fields):
    """Creates a Package from the fields of a control file."""
    try:
        name, version, architecture = fields["package"], fields["version"], fields["architecture"]
    except KeyError as missing:
        raise Failure(os.EX_DATAERR, f"a package has no field {missing}: {fields.get('package', fields)}") from None
    source = re.fullmatch(r"(\S+)(?:\s+\((.+)\))?", fields.get("source", name))
    maintainer = fields.get("maintainer", "").partition("<")[0].strip(' "')
    found = Package(name, version, architecture, source[1], source[2] or version, maintainer, fields.get("section", ""))
    found.depends = relations(fields.get("pre-depends", "")) + relations(fields.get("depends", ""))
    found.provides = [group[0] for group in relations(fields.get("provides", ""))]
    found.size = int(fields.get("installed-size", "0")) * 1024
    return found


def below(root, path, hops=10):
    """Returns the path of a file in the root, or None. Resolves symbolic links within the root."""
    here = pathlib.Path()
    parts = list(pathlib.PurePosixPath(path).parts)
    while parts:
        part = parts.pop(0)
        if part == "/":
            here = pathlib.Path()
        elif part == "..":
            here = here.parent
        elif (root / here / part).is_symlink():
            hops -= 1
            if hops < 0:
                return None
            parts = list(pathlib.PurePosixPath(os.readlink(root / here / part)).parts) + parts
        else:
            here /= part
    return root / here if (root / here).is_file() else None


def set_licenses(found, text):
    found.licenses = licenses.of_copyright(text)
    found.copyright = "machine readable" if found.licenses else "not machine readable"


def read_root(root):
    """Returns {name: Package} of the installed packages of a Debian root, with the sizes of their files."""
    status = root / "var/lib/dpkg/status"
    try:
        text = status.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise Failure(os.EX_NOINPUT, f"cannot read {status}: {error.strerror}; give an unpacked Debian root") from None
    packages = {}
    for fields in licenses.paragraphs(text):
        if not fields.get("status", "").endswith(" installed"):
            continue
        found = package(fields)
        if copyright_file := below(root, f"usr/share/doc/{found.name}/copyright"):
            set_licenses(found, copyright_file.read_text(encoding="utf-8", errors="replace"))
        for name in (found.name, f"{found.name}:{found.architecture}"):
            if (files := root / f"var/lib/dpkg/info/{name}.list").is_file():
                found.size = sum(bytes_of(root / line.lstrip("/")) for line in files.read_text().splitlines())
        packages[found.name if found.name not in packages else f"{found.name}:{found.architecture}"] = found
    if not packages:
        raise Failure(os.EX_DATAERR, f"{status} lists no package; give an unpacked Debian root")
    return packages


def bytes_of(path):
    return path.stat().st_size if path.is_file() and not path.is_symlink() else 0


def read_deb(path):
    """Reads a package of Sealcam, and the packages of npm that it contains. Its size is Installed-Size of its control file."""
    def output_of(*arguments):
        done = subprocess.run(["dpkg-deb", *arguments], capture_output=True)
        if done.returncode:
            raise Failure(os.EX_DATAERR, f"{path} is not a Debian package: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout
    found = package(licenses.paragraphs(output_of("-f", str(path)).decode())[0])
    found.vendor = SUPPLIER.lower()
    archive = output_of("--fsys-tarfile", str(path))

    def member(name):
        done = subprocess.run(["tar", "-x", "-O", "-f", "-", f"./{name}"], input=archive, capture_output=True)
        return done.stdout.decode(errors="replace") if done.returncode == 0 else None
    text, app = member(f"usr/share/doc/{found.name}/copyright"), member(APP_PACKAGES)
    if text is not None:
        set_licenses(found, text)
    return found, app_packages(app, path) if app is not None else []


def own_program(name, version, size):
    """Returns a Package for a program of Sealcam that is not in a package."""
    return Package(name, version, "all", name, version, SUPPLIER, "", size=size, licenses=["Apache-2.0"], copyright="machine readable",
                   vendor=SUPPLIER.lower())


def component(found):
    entry = {"type": found.kind, "bom-ref": found.purl, "name": found.name, "version": found.version, "purl": found.purl}
    if found.supplier:
        entry["supplier"] = {"name": found.supplier}
    if found.licenses:
        entry["licenses"] = licenses.cyclonedx(found.licenses)
    properties = {"sealcam:contained-in": "mqtt.js"} if found.vendor == "npm" else {
        "debian:source": found.source, "debian:source-version": found.source_version, "debian:copyright": found.copyright,
        "sealcam:bytes": str(found.size)}
    if found.compiled_in:
        properties["sealcam:compiled-in"] = "true"
    entry["properties"] = [{"name": name, "value": value} for name, value in sorted(properties.items())]
    return entry


def dependencies(packages, product):
    """Returns the dependencies between the packages. Of alternatives, it uses the first that is installed."""
    by_name = {}
    for found in packages:
        for name in found.provides:
            by_name.setdefault(name, found)
    by_name |= {found.name: found for found in packages if not found.compiled_in and found.vendor != "npm"}
    entries = [{"ref": product, "dependsOn": [found.purl for found in packages]}]
    for found in packages:
        needs = {next((by_name[name].purl for name in group if name in by_name), None) for group in found.depends}
        entries.append({"ref": found.purl, "dependsOn": sorted(needs - {None, found.purl})})
    return entries


def document(packages, name, version, epoch):
    """Returns the document as a dictionary."""
    packages = sorted(packages, key=lambda p: (p.name, p.version, p.architecture))
    product = f"{name}@{version}"
    metadata = {
        "tools": {"components": [{"type": "application", "name": "scripts/sbom", "supplier": {"name": SUPPLIER}}]},
        "component": {"type": "firmware", "bom-ref": product, "name": name, "version": version, "supplier": {"name": SUPPLIER}}}
    if epoch is not None:
        at = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc)
        metadata = {"timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ")} | metadata
    bom = {"$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.6",
            "version": 1, "metadata": metadata, "components": [component(p) for p in packages],
            "dependencies": dependencies(packages, product)}
    return bom | {"serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, json.dumps(bom, sort_keys=True))}"}


def gather(options):
    packages = read_root(options.root)
    inside = {"sealcam-hub": read_app((options.root / APP_PACKAGES).parent)} if (options.root / APP_PACKAGES).exists() else {}
    for path in options.deb:
        found, inside[found.name] = read_deb(path)
        packages[found.name] = found
    if options.only:
        packages = only(packages, options)
    found = list(packages.values())
    if options.compiled_in:
        built_with = read_root(options.build_root)
        for name in options.compiled_in:
            if name not in built_with:
                raise Failure(os.EX_NOINPUT, f"--compiled-in {name} is not installed in {options.build_root}")
            found.append(dataclasses.replace(built_with[name], compiled_in=True, size=0))
    for name, parts in inside.items():
        found += parts if name in packages else []
    for folder in options.app:
        found += read_app(folder)
    return list({each.purl: each for each in found}.values())


def app_packages(text, where):
    """The packages of npm in the app that scripts/app made, from its packages.json. Their code is in one file, so they have no size of their own."""
    try:
        return [Package(entry["name"], entry["version"], "all", licenses=[entry["license"]], vendor="npm") for entry in json.loads(text)]
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(os.EX_NOINPUT, f"{where}: {error}; make the app again with scripts/app") from None


def read_app(folder):
    try:
        return app_packages((folder / "packages.json").read_bytes(), f"--app {folder}")
    except OSError as error:
        raise Failure(os.EX_NOINPUT, f"--app {folder}: {error}; give a folder that scripts/app made") from None


def only(packages, options):
    """Returns the packages of an image, with their sizes in the image."""
    try:
        sizes = json.loads(options.only.read_text())
        selected = {str(name): int(size) for name, size in sizes.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise Failure(os.EX_NOINPUT, f"--only {options.only}: {error}; the file must contain {{\"package\": bytes}}") from None
    for name, size in selected.items():
        if name in packages:
            packages[name].size = size
        elif name in options.own:
            packages[name] = own_program(name, options.version, size)
        else:
            raise Failure(os.EX_DATAERR, f"--only contains {name}, which is not a package of {options.root}; "
                                         "give a program of Sealcam with --own")
    return {name: packages[name] for name in selected}


def print_sizes(packages):
    for found in sorted(packages, key=lambda p: (-p.size, p.name)):
        print(f"{found.size / 1024:10.0f} KiB  {found.name} {found.version}")
    print(f"{sum(p.size for p in packages) / 1024:10.0f} KiB  {len(packages)} packages")


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/sbom", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=pathlib.Path, help="an unpacked Debian root, with var/lib/dpkg/status and usr/share/doc")
    parser.add_argument("--deb", type=pathlib.Path, action="append", default=[], metavar="FILE",
                        help="also list this package of Sealcam, and the packages of npm in its app for phones")
    parser.add_argument("--only", type=pathlib.Path, metavar="FILE",
                        help='JSON {"package": bytes} with the packages of the image; omit all others')
    parser.add_argument("--own", action="append", default=[], metavar="NAME",
                        help="a name in the file of --only that is a program of Sealcam without a package")
    parser.add_argument("--compiled-in", action="append", default=[], metavar="NAME",
                        help="a header library that the programs contain")
    parser.add_argument("--app", type=pathlib.Path, action="append", default=[], metavar="DIR",
                        help="also list the packages of npm in this folder of scripts/app")
    parser.add_argument("--build-root", type=pathlib.Path, default=pathlib.Path("/"),
                        help="root with the packages of --compiled-in (default: /)")
    parser.add_argument("--name", default="sealcam-image", help="name of the product (default: %(default)s)")
    parser.add_argument("--version", default="unknown", help="version of the product (default: %(default)s)")
    parser.add_argument("--sizes", action="store_true", help="print the packages sorted by size")
    parser.add_argument("-o", "--output", type=pathlib.Path, metavar="FILE", help="default: standard output")
    return parser


def main():
    parser = arguments()
    parser.error = lambda message: parser.exit(os.EX_USAGE, f"error: {message}; see scripts/sbom --help\n")
    options = parser.parse_args()
    try:
        packages = gather(options)
        if options.sizes:
            print_sizes(packages)
            return 0
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        if epoch is not None and not epoch.isdecimal():
            raise Failure(os.EX_USAGE, "SOURCE_DATE_EPOCH must be a number of seconds since 1970")
        bom = document(packages, options.name, options.version, int(epoch) if epoch else None)
        text = json.dumps(bom, indent=1, sort_keys=True)
        if options.output:
            options.output.write_text(text + "\n", encoding="utf-8")
        else:
            print(text)
        return 0
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return failure.code
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return os.EX_IOERR


if __name__ == "__main__":
    sys.exit(main())
