# SPDX-License-Identifier: Apache-2.0
"""Lists the security issues of an image. Compares its bill of materials, which scripts/sbom makes, with the data of Debian's security
tracker. Both are files; the program does not use the network.

The tracker publishes its data at https://security-tracker.debian.org/tracker/data/json. It names source packages, so the program compares
the source package of each component, and its version. dpkg compares the versions.

exit codes: 0 no open issue, 1 open issues, 64 wrong arguments, 65 a file is wrong, old or truncated, 66 a file cannot be read,
69 dpkg is missing

--ignore FILE is JSON. Each entry has a reason, and has no effect after its last day, which is at most a year ahead:

  {"ignore": [{"id": "CVE-2026-12345", "source": "glibc", "reason": "the image does not contain nscd", "until": "2027-03-31"}]}
"""
import argparse
import dataclasses
import datetime
import functools
import hashlib
import json
import os
import pathlib
import re
import stat
import subprocess
import sys

from sbom import SUPPLIER, Failure

RELEASES = {"debian-12": "bookworm", "debian-13": "trixie", "debian-14": "forky"}  # the qualifier 'distro' of a purl -> codename
# Each of these has issues in each release. If the data does not name one that the image contains, then the data is incomplete.
ALWAYS_LISTED = ("linux", "glibc", "openssl", "systemd", "ffmpeg")
MAX_BYTES = 512 << 20
LAST_TIME = 253_402_214_400  # 9999-12-31, the last day of Python's dates
VERSION = re.compile(r"(?:[0-9]{1,9}:)?[0-9][A-Za-z0-9.+~-]{0,254}")
ISSUE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,10}|TEMP-[0-9]{7}-[0-9A-F]{6}")
PURL = re.compile(r"pkg:([a-z]+)/(?:([^/@?]+)/)?[^?]*(?:\?(.*))?")
BACKPORT = re.compile(r"~bpo[0-9]+\+[0-9]+$")
STATES = {"update": "update the image", "undetermined": "Debian has not examined it", "unfixed": "no fix in this release"}


def today():
    return datetime.datetime.now(datetime.timezone.utc).date()


def shown(text, limit=200):
    """Text of a file, for a terminal: without control characters and characters that change the direction."""
    text = "".join(c if c.isprintable() else "?" for c in str(text))
    return text if len(text) <= limit else text[:limit - 1] + "…"


def need(truth, path, what):
    if not truth:
        raise Failure(os.EX_DATAERR, f"{path}: {what}")


def checked_version(text, path, place):
    need(isinstance(text, str) and VERSION.fullmatch(text), path, f"{place} has no version of Debian: {shown(text, 60)!r}")
    return text


@functools.cache
def older(one, other):
    """Whether the version `one` is lower than `other`. Both passed checked_version()."""
    try:
        done = subprocess.run(["dpkg", "--compare-versions", one, "lt", other], capture_output=True, text=True)
    except FileNotFoundError:
        raise Failure(os.EX_UNAVAILABLE, "dpkg is missing, which compares versions; install the package dpkg") from None
    if done.returncode not in (0, 1) or done.stderr:
        raise Failure(os.EX_DATAERR, f"dpkg cannot compare the versions {one} and {other}: {shown(done.stderr.strip())}")
    return done.returncode == 0


def read_json(path, kind):
    """Returns the object in a file, the time of its last modification and its SHA-256."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:  # a FIFO does not block
            status = os.fstat(file.fileno())
            need(stat.S_ISREG(status.st_mode), path, f"not a regular file; give {kind}")
            need(status.st_size <= MAX_BYTES, path, f"larger than {MAX_BYTES >> 20} MiB; give {kind}")
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Failure(os.EX_NOINPUT, f"{path}: {error.strerror}; give {kind}") from None
    need(data.strip(), path, f"empty; give {kind}")
    need(not data.startswith((b"\x1f\x8b", b"\xfd7zXZ", b"BZh", b"\x28\xb5\x2f\xfd")), path, "compressed; decompress it first")
    try:
        value = json.loads(data.decode(), object_pairs_hook=unique, parse_constant=no_constant)
    except UnicodeDecodeError:
        raise Failure(os.EX_DATAERR, f"{path}: not UTF-8; give {kind}") from None
    except json.JSONDecodeError as error:
        at_end = error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string")
        raise Failure(os.EX_DATAERR, f"{path}: truncated; get the file again" if at_end and error.pos else
                      f"{path}: not JSON (line {error.lineno}, column {error.colno}); give {kind}") from None
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else shown(error)
        raise Failure(os.EX_DATAERR, f"{path}: {why}; give {kind}") from None
    need(isinstance(value, dict), path, f"not a JSON object; give {kind}")
    return value, min(max(status.st_mtime, 0), LAST_TIME), hashlib.sha256(data).hexdigest()


def unique(pairs):
    """With a key that occurs twice, one reader would see another value than the next one."""
    if len(found := dict(pairs)) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(n for n in found if names.count(n) > 1)!r} occurs twice")
    return found


def no_constant(name):
    raise ValueError(f"{name} is not JSON")


@dataclasses.dataclass
class Source:
    """A source package of the image, in one version."""
    name: str
    version: str
    packages: list  # names of its binary packages in the image

    @property
    def backport(self):
        return BACKPORT.search(self.version) is not None


@dataclasses.dataclass
class Image:
    name: str
    version: str
    release: str
    sources: list
    not_covered: list  # {"name", "version", "why"}


def read_image(path, release):
    bom, _, _ = read_json(path, "the bill of materials of an image, which scripts/sbom makes")
    need(bom.get("bomFormat") == "CycloneDX", path, "not a bill of materials (CycloneDX); scripts/sbom makes one")
    try:
        product = bom["metadata"]["component"]
        name, version, components = str(product["name"]), str(product["version"]), bom["components"]
    except (KeyError, TypeError):
        raise Failure(os.EX_DATAERR, f"{path}: names no product or no components; make it again with scripts/sbom") from None
    need(isinstance(components, list) and components, path, "lists no component; make it again with scripts/sbom")
    image = Image(name, version, release, [], [{"name": name, "version": version, "why": "the image itself"}])
    sources, distributions = {}, set()
    for component in components:
        add_component(image, sources, distributions, component, path)
    image.sources = [sources[key] for key in sorted(sources)]
    need(image.sources, path, "lists no package of Debian")
    if not release:
        known = {RELEASES.get(distribution) for distribution in distributions}
        need(len(known) == 1 and None not in known, path,
             f"the release of Debian is unknown ({shown(', '.join(sorted(distributions)) or 'no distro in the purl')}); give it with --release")
        image.release = known.pop()
    return image


def add_component(image, sources, distributions, component, path):
    """Adds a component to the sources, or to the list of components that the tracker does not cover."""
    need(isinstance(component, dict) and all(isinstance(component.get(k), str) for k in ("name", "version")), path,
         "a component has no name or no version")
    name, version = component["name"], component["version"]
    purl, listed = PURL.fullmatch(str(component.get("purl", ""))), component.get("properties", [])
    kind, vendor, more = purl.groups() if purl else (None,) * 3
    need(isinstance(listed, list) and all(isinstance(p, dict) and isinstance(p.get("name"), str) and isinstance(p.get("value"), str)
                                          for p in listed), path, f"{shown(name)} has wrong properties")
    properties = {p["name"]: p["value"] for p in listed}
    source, source_version = properties.get("debian:source"), properties.get("debian:source-version")

    def leave(why):
        image.not_covered.append({"name": name, "version": version, "why": why})
    if kind != "deb":
        return leave(f"a package of {kind}" if kind else "not a package of Debian")
    if vendor != "debian":
        return leave("a program of Sealcam" if vendor == SUPPLIER.lower() else f"a package of {vendor}")
    need(source and source_version, path, f"{shown(name)} has no property debian:source; make the file with scripts/sbom")
    if re.search(r"\+rp[it]", source_version):
        return leave("a package of Raspberry Pi's archive")
    # The kernel in a signed package is that of the package linux, whose version the binary package has.
    if re.fullmatch(r"linux-signed-[a-z0-9]+", source):
        source, source_version = "linux", version
    elif re.search(r"-signed(-|$)", source):
        return leave("a signed copy; see the package without '-signed'")
    distributions.update(q.removeprefix("distro=") for q in (more or "").split("&") if q.startswith("distro="))
    checked_version(source_version, path, f"the source package of {shown(name)}")
    found = sources.setdefault((source, source_version), Source(source, source_version, []))
    found.packages.append(name + (" (compiled in)" if properties.get("sealcam:compiled-in") == "true" else ""))


@dataclasses.dataclass
class Issue:
    id: str
    source: Source
    state: str  # a key of STATES
    fixed: str | None
    urgency: str
    note: str

    def json(self):
        return {"id": self.id, "source": self.source.name, "version": self.source.version, "packages": self.source.packages,
                "state": self.state, "fixed_version": self.fixed, "urgency": self.urgency, "note": self.note,
                "url": f"https://security-tracker.debian.org/tracker/{self.id}"}


class Tracker:
    """The data of the tracker: {source package: {issue: {"releases": {codename: record}}}}."""

    def __init__(self, path):
        self.path = path
        self.data, self.modified, self.digest = read_json(path, "the data of Debian's security tracker")
        need("bomFormat" not in self.data, path, "a bill of materials; give it first, and the tracker's data second")
        need(self.data and all(isinstance(issues, dict) for issues in self.data.values()), path, "not the data of Debian's security tracker")

    def check_age(self, max_age):
        """The data has no date, so the time of the file counts. Programs that download keep the time of the server, if it is told."""
        day = datetime.datetime.fromtimestamp(self.modified, datetime.timezone.utc).date()
        need((day - today()).days <= 1, self.path, f"its time is in the future ({day}); set the clock, or download the file again")
        age = (today() - day).days
        need(age <= max_age, self.path, f"{age} days old; download it again, or allow old data with --max-age {age}")

    def check_content(self, image):
        names = {source.name for source in image.sources}
        missing = [name for name in ALWAYS_LISTED if name in names and not self.data.get(name)]
        need(not missing, self.path, f"incomplete: no issue of {', '.join(missing)}; download it again")
        releases = {release for name in names for _, records in self.issues(name) for release in records}
        need(image.release in releases, self.path, f"does not name the release {shown(image.release)!r}; it names: "
                                                   f"{shown(', '.join(sorted(map(str, releases)))) or 'none'}")

    def issues(self, name):
        """Yields each issue of a source package, with {release: record}."""
        for issue, about in self.data.get(name, {}).items():
            releases = about.get("releases") if isinstance(about, dict) else None
            need(ISSUE.fullmatch(issue) and isinstance(releases, dict) and all(isinstance(r, dict) for r in releases.values()), self.path,
                 f"the entry {shown(name)}/{shown(issue, 60)} is not as the tracker publishes it")
            yield issue, releases

    def newest(self, source, release):
        """The highest version of the source package in the release that the data knows, or None."""
        newest = None
        for _, releases in self.issues(source.name):
            repositories = releases.get(release, {}).get("repositories", {})
            need(isinstance(repositories, dict), self.path, f"{shown(source.name)} has no list of repositories")
            for version in repositories.values():
                version = checked_version(version, self.path, shown(source.name))
                newest = version if newest is None or older(newest, version) else newest
        return newest

    def judge(self, source, release):
        """Yields the issues that the version of the source package has. A backport is a version of sid, and sid's records count."""
        version = BACKPORT.sub("", source.version)
        for issue, releases in self.issues(source.name):
            record = releases.get("sid" if source.backport else release)
            if record is None:
                continue
            state, place = record.get("status"), f"{source.name}/{issue}"
            urgency, fixed = shown(record.get("urgency", ""), 40), None
            if state == "resolved":
                # The tracker leaves the version out if it knows none. The newest package of the release does not have the issue then.
                fixed = (checked_version(record["fixed_version"], self.path, place) if "fixed_version" in record
                         else self.newest(source, "sid" if source.backport else release))
                if fixed is None:
                    state = "undetermined"
                elif not older(version, fixed):  # no version is older than 0, which stands for "this release never had the issue"
                    continue
            need(state in ("resolved", "open", "undetermined"), self.path, f"{shown(place)} has the unknown status {shown(state, 40)!r}")
            note = shown(record.get("nodsa", ""))
            yield Issue(issue, source, {"resolved": "update", "open": "unfixed"}.get(state, state), fixed, urgency, note)


@dataclasses.dataclass
class Ignore:
    id: str
    source: str
    reason: str
    until: datetime.date
    used: bool = False

    def json(self):
        return {"id": self.id, "source": self.source, "reason": self.reason, "until": self.until.isoformat()}


def read_ignores(path):
    content, _, _ = read_json(path, "a file as in scripts/cve --help")
    need(content.keys() == {"ignore"} and isinstance(content["ignore"], list), path, 'must contain {"ignore": [...]}; see scripts/cve --help')
    entries = {}
    for number, entry in enumerate(content["ignore"]):
        place = f"/ignore/{number}"
        need(isinstance(entry, dict) and entry.keys() == {"id", "source", "reason", "until"}
             and all(isinstance(value, str) for value in entry.values()), path, f"{place} must have the texts id, source, reason and until")
        need(ISSUE.fullmatch(entry["id"]), path, f"{place}/id: {shown(entry['id'], 60)!r} is not the id of an issue")
        need(entry["reason"].strip(), path, f"{place}/reason is empty")
        try:
            until = datetime.datetime.strptime(entry["until"], "%Y-%m-%d").date()
        except ValueError:
            raise Failure(os.EX_DATAERR, f"{path}: {place}/until: {shown(entry['until'], 60)!r} is not a date such as 2027-03-31") from None
        need((until - today()).days <= 366, path, f"{place}/until: {until} is more than a year ahead")
        key = entry["id"], entry["source"]
        need(key not in entries, path, f"{place}: {key[0]} of {shown(key[1])} occurs twice")
        entries[key] = Ignore(*key, entry["reason"].strip(), until)
    return entries


def compare(image, tracker, ignores, accept_newer):
    """Returns the result as a dictionary, which --json prints."""
    tracker.check_content(image)
    result = {"open": [], "ignored": [], "without_effect": [], "newer_than_data": []}
    for source in image.sources:
        release = "sid" if source.backport else image.release
        listed = [records for _, records in tracker.issues(source.name)]
        if listed and not any(release in records for records in listed):
            image.not_covered.append({"name": source.name, "version": source.version, "why": f"the data does not have it in {release}"})
            continue
        newest = None if source.backport else tracker.newest(source, release)
        if newest and older(newest, source.version):
            result["newer_than_data"].append({"source": source.name, "version": source.version, "newest": newest})
        for issue in tracker.judge(source, image.release):
            entry = ignores.get((issue.id, source.name))
            if issue.urgency == "unimportant":
                result["without_effect"].append(issue.json())
            elif entry and entry.until >= today():
                result["ignored"].append(issue.json() | {"reason": entry.reason, "until": entry.until.isoformat()})
            else:
                result["open"].append(issue.json())
            if entry:
                entry.used = True
    newer = [f"{n['source']} {n['version']} (the data knows {n['newest']})" for n in result["newer_than_data"]]
    need(accept_newer or not newer, tracker.path, f"older than packages of the image: {shown(', '.join(newer), 300)}; download it again, or "
                                                  "allow this with --accept-newer")
    for issues in (result["open"], result["ignored"], result["without_effect"]):
        issues.sort(key=lambda i: (list(STATES).index(i["state"]), i["source"], i["id"]))
    return {"format": 1, "product": {"name": image.name, "version": image.version}, "release": image.release,
            "data": {"modified": datetime.datetime.fromtimestamp(int(tracker.modified), datetime.timezone.utc).isoformat(),
                     "sha256": tracker.digest},
            "sources": len(image.sources), **result,
            "ignores_expired": [e.json() for e in ignores.values() if e.used and e.until < today()],
            "ignores_unused": [e.json() for e in ignores.values() if not e.used], "not_covered": image.not_covered}


def table(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def to_text(result):
    product, lines = result["product"], []
    if result["open"]:
        rows = [("issue", "source package", "version", "fixed in", "urgency", "state")]
        rows += [(i["id"], shown(i["source"], 40), i["version"], i["fixed_version"] or "-", i["urgency"] or "-", STATES[i["state"]]
                  + (f": {shown(i['note'], 60)}" if i["note"] else "")) for i in result["open"]]
        lines += [*table(rows), ""]
    for entry in result["ignored"]:
        lines.append(f"ignored until {entry['until']}: {entry['id']} of {shown(entry['source'])}: {shown(entry['reason'])}")
    for entry in result["ignores_expired"]:
        lines.append(f"no longer ignored since {entry['until']}: {entry['id']} of {shown(entry['source'])}: {shown(entry['reason'])}")
    for entry in result["ignores_unused"]:
        lines.append(f"ignored without need: {entry['id']} of {shown(entry['source'])}: the image does not have the issue; remove the entry")
    for entry in result["newer_than_data"]:
        lines.append(f"newer than the data: {shown(entry['source'])} {entry['version']}")
    if result["without_effect"]:
        lines.append(f"without effect on security in Debian's packages: {len(result['without_effect'])} (--json lists them)")
    for entry in result["not_covered"]:
        lines.append(f"not covered by this data: {shown(entry['name'])} {shown(entry['version'])}: {shown(entry['why'])}")
    updates = sum(i["state"] == "update" for i in result["open"])
    lines.append(f"{shown(product['name'])} {shown(product['version'])}, {result['sources']} source packages of {result['release']}, data of "
                 f"{result['data']['modified'][:10]}: open issues: {len(result['open'])}, fixed by an update: {updates}")
    return "\n".join(lines)


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/cve", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sbom", type=pathlib.Path, metavar="IMAGE-SBOM", help="bill of materials, such as build/image/sealcam-qemu-virt.cdx.json")
    parser.add_argument("tracker", type=pathlib.Path, metavar="TRACKER-JSON", help="data of the tracker")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--ignore", type=pathlib.Path, metavar="FILE", help="issues that do not count, with reasons and last days")
    parser.add_argument("--release", metavar="NAME", help="codename of the release of Debian (default: as in the bill of materials)")
    parser.add_argument("--max-age", type=int, default=7, metavar="DAYS", help="maximum age of the data (default: %(default)s)")
    parser.add_argument("--accept-newer", action="store_true", help="accept data that is older than packages of the image")
    return parser


def main():
    parser = arguments()
    parser.error = lambda message: parser.exit(os.EX_USAGE, f"error: {message}; see scripts/cve --help\n")
    options = parser.parse_args()
    try:
        image = read_image(options.sbom, options.release)
        tracker = Tracker(options.tracker)
        tracker.check_age(options.max_age)
        result = compare(image, tracker, read_ignores(options.ignore) if options.ignore else {}, options.accept_newer)
        print(json.dumps(result, indent=1) if options.json else to_text(result))
        return 1 if result["open"] else 0
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return failure.code


if __name__ == "__main__":
    sys.exit(main())
