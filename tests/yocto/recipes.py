# SPDX-License-Identifier: Apache-2.0
"""A parser for the subset of BitBake's language that board/yocto/meta-sealcam uses. Other syntax is an error."""
import pathlib
import re

ASSIGNMENT = re.compile(r'^(?P<name>[A-Za-z0-9_./-]+(?::[A-Za-z0-9_${}.-]+)*)(?P<flag>\[[\w.-]+\])?\s+'
                        r'(?P<operator>\?\?=|\?=|\+=|=\+|:=|\.=|=\.|=)\s+"(?P<value>(?:[^"\\]|\\.|\\\n)*)"$', re.S)
FUNCTION = re.compile(r"^(?P<python>python\s+)?(?P<name>[\w:-]*)\s*\(\)\s*\{$")

# Yocto's installation folders with usrmerge and without multilib.
FOLDERS = {
    "prefix": "/usr", "bindir": "/usr/bin", "libdir": "/usr/lib", "datadir": "/usr/share", "sysconfdir": "/etc",
    "localstatedir": "/var", "nonarch_libdir": "/usr/lib", "systemd_system_unitdir": "/usr/lib/systemd/system", "base_sbindir": "/usr/sbin",
}
CONTAINS = re.compile(r"\$\{@bb\.utils\.contains\('(\w+)', '([^']*)', '([^']*)', '([^']*)', d\)\}")


class Malformed(Exception):
    pass


class Recipe:
    """A recipe, append or configuration, and the files that it requires. The last assignment counts; :append and += extend the value.
    `settings` are variables of the configuration."""

    def __init__(self, path, settings={}):
        self.path = pathlib.Path(path)
        self.files = []
        self.values = {}
        self.operators = set()  # ("NAME", "+="), ("NAME", ":append")
        self.functions = {}     # "" is the anonymous Python function
        self.inherits = []
        name = self.path.stem.split("_")
        self.values["PN"] = self.values["BPN"] = name[0]
        if len(name) > 1 and name[1] != "%":
            self.values["PV"] = name[1]
        self.values.update(FOLDERS | settings)
        self._read(self.path)

    def _read(self, path):
        if not path.exists():
            raise Malformed(f"{self.path.name}: {path.name} is required but does not exist")
        self.files.append(path)
        lines = iter(path.read_text().splitlines())
        for line in lines:
            if not line.strip() or line.startswith("#"):
                continue
            if function := FUNCTION.match(line):
                body = []
                for inner in lines:
                    if inner == "}":
                        break
                    body.append(inner)
                else:
                    raise Malformed(f"{path.name}: {line} has no end")
                self.functions[function["name"]] = "\n".join(body)
                continue
            while line.endswith("\\"):
                line = line[:-1] + " " + next(lines, "")
            self._statement(path, line)

    def _statement(self, path, line):
        keyword, _, rest = line.partition(" ")
        if keyword == "inherit":
            self.inherits += rest.split()
        elif keyword == "require":
            if required := self.expand(rest.strip()):
                base = next((b for b in path.parents if b.name == "meta-sealcam"), None) if required.startswith("conf/") else path.parent
                self._read(base / required)
        elif assigned := ASSIGNMENT.match(line):
            self._assign(assigned["name"] + (assigned["flag"] or ""), assigned["operator"], assigned["value"])
        else:
            raise Malformed(f"{path.name}: unknown syntax: {line}")

    def _assign(self, name, operator, value):
        base, colon, suffix = name.rpartition(":")
        self.operators.add((base, colon + suffix) if suffix in ("append", "remove") else (name, operator))
        for joined in (":append", ":remove"):
            if name.endswith(joined):
                name = name if joined == ":remove" else name.removesuffix(joined)
                operator = ".="
        if operator in ("?=", "??="):
            self.values.setdefault(name, value)
        elif operator in ("+=", ".="):
            self.values[name] = self.values.get(name, "") + (" " if operator == "+=" else "") + value
        elif operator in ("=+", "=."):
            self.values[name] = value + (" " if operator == "=+" else "") + self.values.get(name, "")
        else:
            self.values[name] = value

    def get(self, name):
        """Returns the expanded value of a variable, or "". Names with ${PN} are expanded, too."""
        for key, value in self.values.items():
            if self.expand(key) == name:
                return self.expand(value)
        return ""

    def expand(self, text):
        text = CONTAINS.sub(lambda m: self.expand(m[3] if set(m[2].split()) <= set(self.get(m[1]).split()) else m[4]), text)
        return re.sub(r"\$\{(\w+)\}", lambda m: self.expand(self.values[m[1]]) if m[1] in self.values else m[0], text)
