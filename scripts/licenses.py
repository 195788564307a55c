# SPDX-License-Identifier: Apache-2.0
"""Reads the licenses of Debian packages from machine-readable copyright files, and converts them to SPDX if possible.

The format is Debian's copyright-format 1.0 (DEP-5). Its short names differ from SPDX. As in SPDX, 'and' has a higher precedence than
'or'; a comma before 'and' or 'or' lowers the precedence. Licenses without an SPDX identifier (public-domain, many exceptions) keep
Debian's name.
"""
import re

# Lower-case short name -> SPDX identifier of a license with the same text.
SAME = {name.lower(): name for name in (
    "0BSD AFL-2.1 Apache-2.0 Artistic-1.0 Artistic-2.0 BSD-1-Clause BSD-2-Clause BSD-3-Clause BSD-3-Clause-Attribution "
    "BSD-3-Clause-Clear BSD-4-Clause BSD-4-Clause-UC BSL-1.0 Beerware CC-BY-3.0 CC-BY-4.0 CC-BY-SA-3.0 CC-BY-SA-4.0 CC0-1.0 "
    "FSFAP FSFUL FSFULLR FTL HPND-sell-variant ICU IJG ISC Latex2e MIT MIT-CMU MPL-1.1 MPL-2.0 NTP OFL-1.1 OLDAP-2.8 PHP-3.01 "
    "Python-2.0 TCL TU-Berlin-2.0 Unicode-DFS-2016 Unlicense WTFPL X11 Zlib bzip2-1.0.6 curl libtiff").split()}
SAME |= {"expat": "MIT", "apache-2": "Apache-2.0", "cc0": "CC0-1.0", "openldap-2.8": "OLDAP-2.8", "artistic": "Artistic-1.0"}
EXCEPTIONS = {"linux-syscall-note": "Linux-syscall-note", "llvm": "LLVM-exception"}
VERSIONS = {"GPL": {"1": "1.0", "2": "2.0", "3": "3.0"}, "LGPL": {"2": "2.0", "2.1": "2.1", "3": "3.0"}, "AGPL": {"3": "3.0"}}


def one(name):
    """Returns the SPDX expression of a license's short name, or None."""
    text, _, exception = re.sub(r"\s+", " ", name.strip()).partition(" with ")
    known = SAME.get(text.lower())
    family = re.fullmatch(r"(A?GPL|LGPL)-?v?(\d(?:\.\d)?)(\+|-or-later|-only)?", text, re.IGNORECASE)
    if family:
        kind = family[1].upper()
        version = VERSIONS[kind].get(family[2].removesuffix(".0"))
        known = version and f"{kind}-{version}-{'or-later' if family[3] in ('+', '-or-later') else 'only'}"
    if known and exception:
        spdx = EXCEPTIONS.get(re.sub(r"[ -]exception$", "", exception.lower()))
        return f"{known} WITH {spdx}" if spdx else None
    return known


def expression(synopsis):
    """Returns the SPDX expression of the first line of a License field, or None if a part has no SPDX identifier."""
    def joined(parts, operator):
        if None in parts:
            return None
        parts = list(dict.fromkeys(parts))
        if len(parts) == 1:
            return parts[0]
        return f" {operator} ".join(f"({p})" if " OR " in p and operator == "AND" else p for p in parts)

    loose = re.split(r",\s*(and|or)\s+", synopsis.strip(), flags=re.IGNORECASE)
    operands = [joined([joined([one(t) for t in re.split(r"\s+and\s+", alternative, flags=re.IGNORECASE)], "AND")
                     for alternative in re.split(r"\s+or\s+", term, flags=re.IGNORECASE)], "OR") for term in loose[0::2]]
    operators = {o.upper() for o in loose[1::2]}
    if len(operators) > 1:
        return None  # 'a, and b, or c' is ambiguous
    return joined(operands, operators.pop() if operators else "AND")


def paragraphs(text):
    """Returns the fields of each paragraph of a Debian control file, with names in lower case."""
    found, fields, name = [], {}, None
    for line in text.splitlines() + [""]:
        if not line.strip():
            if fields:
                found.append(fields)
            fields, name = {}, None
        elif line[0] in " \t":
            if name:
                fields[name] += "\n" + line.strip()
        elif ":" in line and not line.startswith("#"):
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return found


def of_copyright(text):
    """Returns the sorted first lines of the License fields of all files, or None if the file is not machine readable."""
    parts = paragraphs(text)
    if not parts or "copyright-format" not in parts[0].get("format", "") and "dep5" not in parts[0].get("format", "").lower():
        return None
    names = {re.sub(r"\s+", " ", p["license"].splitlines()[0]).strip(" ;,.") for p in parts if p.get("license") and "files" in p}
    return sorted(names - {""}) or None


def cyclonedx(names):
    """Returns `licenses` of CycloneDX: one expression if all names have an SPDX identifier, otherwise one entry for each name."""
    spdx_of = {name: expression(name) for name in names}
    if all(spdx_of.values()):
        parts = sorted(set(spdx_of.values()))
        if len(parts) == 1 and re.fullmatch(r"[\w.-]+", parts[0]):
            return [{"license": {"id": parts[0], "acknowledgement": "declared"}}]
        whole = " AND ".join(f"({p})" if " OR " in p and len(parts) > 1 else p for p in parts)
        return [{"expression": whole, "acknowledgement": "declared"}]
    entries = {}
    for name, spdx in sorted(spdx_of.items()):
        key = "id" if spdx and re.fullmatch(r"[\w.-]+", spdx) else "name"
        value = spdx or name
        entries[key, value] = {"license": {key: value, "acknowledgement": "declared"}}
    return [entries[key] for key in sorted(entries)]
