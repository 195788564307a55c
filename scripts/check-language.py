#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that code and pages use the terms of firmware/docs/glossary.md.

    check-language.py            list every hit; exit status 1 if there is one
    check-language.py --count    the number of hits per folder

Identifiers (C++, Python, JavaScript, shell, CMake, code in pages) are split into their parts and compared with IDENTIFIERS. Comments,
strings and pages are compared with PROSE. A word with an ordinary meaning, such as "text" or "host", is in neither table.
"""
import collections
import io
import pathlib
import re
import subprocess
import sys
import tokenize

top = pathlib.Path(__file__).resolve().parent.parent

# Part of an identifier -> term of the glossary.
IDENTIFIERS = {
    "ask asks asked asking asker": "request",
    "keeper keepers": "Validator, Store or Controller",
    "hear hears heard hearing": "observed, received",
    "want wants wanted wish wishes wished": "desired, requested",
    "say says said words sentence sentences": "log, message, text",
    "maker makers": "builder",
    "refuse refuses refused refusing refusal refusals": "reject, RejectReason",
    "most largest longest highest": "max",
    "fewest lowest shortest": "min",
    "admit admits admitted admission admittance": "authorize, authorization",
    "expel expelled": "revoke",
    "goodbye farewell": "deregistration notice",
    "lane lanes": "verification queue",
    "orders obey obeys obeyed": "command executor, apply",
    "patience": "timeout",
    "welcome": "EnrollmentBundle",
    "terms": "EnrollmentOptions",
    "pace": "RateController, FramePacer, frame_duration",
    "learn learned unlearned": "resync, out_of_sync",
    "otherwise": "fallback",
    "station": "PairingService",
    "stamp stamps": "TimestampNormalizer, timestamp",
    "conversation conversations": "session",
    "leftovers": "stale profiles",
    "shrink": "downscale",
    "steering": "controller",
    "barred": "blocked",
    "foreign": "other account, unknown",
    "appliance": "image_init",
    "mend mends mended": "correct",
    "travelling traveling": "InFlightPicture",
    "seam seams": "Dependencies",
    "veil": "stale overlay",
    "trouble": "fault",
    "examination": "diagnostics",
    "elsewhere": "RemoteOperator",
}

# Pattern in comments, strings and pages -> term. Case does not matter.
PROSE = {
    r"(?<!connection )refus(e[sd]?|als?|ing)": "reject, rejection",
    r"(an|the|each|every|live|no|of) asks?(?! )": "view request",
    r"keepers?": "validator, store or controller",
    r"hears?|heard|hearing": "receive, observe",
    r"wants?|wanted|wish(es|ed)?": "require, request, desired",
    r"makers? of (frames|stills)": "builder",
    r"admit(s|ted|ting)?|admissions?": "authorize, authorization",
    r"expel(s|led|ling)?": "revoke",
    r"goodbyes?|farewells?": "deregistration notice",
    r"lanes?": "verification queue",
    r"obey(s|ed|ing)?": "apply",
    r"patien(ce|t)": "timeout",
    r"unlearn(s|ed)?|learns? again": "resync, out of sync",
    r"conversations?": "session",
    r"leftovers?": "stale profiles",
    r"shrink(s|ing)?|shrunk": "downscale",
    r"steer(s|ed|ing)?": "control, adjust",
    r"barred": "blocked",
    r"foreign": "other account, unknown",
    r"appliances?": "image_init",
    r"mend(s|ed|ing)?": "correct, fix",
    r"travell?ing": "in flight",
    r"veil(s|ed)?": "stale overlay",
    r"troubles?": "fault",
    r"examinations?": "diagnostics",
    r"belong(s|ing)? to nobody|waits? for an owner|somebody's": "unpaired, paired",
    r"vouch(es|ed)?": "authorize",
    r"signs? of life": "activity",
    r"reliv(e|es|ed|ing)": "replay",
    r"under way": "in flight, running",
    r"thrown off|throws? off": "disconnect",
    r"pass(es|ed|ing)? over": "skip",
    r"seams?": "interface",
    r"that is none|as it is|said once|says? so": "a full statement",
    r"ask-\w+": "request-",
    # American spelling
    r"(colou|behaviou|neighbou|favou|honou)r\w*": "-or",
    r"(normal|recogn|author|initial|optim|serial|synchron|organ|minim|maxim|random|util|summar|final|memor|categor|prior|sanit|custom|special|general"
    r"|emphas|visual|stabil|capital)is(e[sdr]?|ing|ation)": "-ize",
    r"enrol(s|ment|ments)?|catalogue|dialogue|centre|grey|licence|metre|artefact|fulfil|analys(e[sd]?|ing)|cancell(ed|ing)|labell(ed|ing)"
    r"|signall(ed|ing)|modell(ed|ing)|programmes?": "American spelling",
}

# Hits only in these folders, because the word has an ordinary meaning elsewhere.
LOCAL = {
    "card cards": (("firmware/protocol", "firmware/pairing", "firmware/crypto", "hal/networkmanager"), "descriptor, adapter"),
    "door doors": (("hal",), "plugin ABI"),
    "trial trials": (("hal",), "join attempt"),
    "viewer viewers": (("firmware/hub",), "WebSession, browser"),
    "pump pumps pumped pumping": (("firmware/transport",), "drain"),
    "tap taps": (("firmware/transport", "tests/unit/transport"), "publish parser"),
}

# Names of other projects' interfaces, and ordinary words: token or text around the hit -> reason.
EXCEPTIONS = {
    r"at_most\w*|at_least\w*": "MQTT's name of a QoS, and an ordinary phrase",
    r"get_lowest_layer|lowest_layer\w*": "Boost.Beast",
    r"connection_refused|ECONNREFUSED": "errno",
    r"WantedBy|Wants(?==)|[\w@.-]+\.target\.wants|(systemd-|plymouth )?ask-(for-)?password\w*": "systemd.unit(5), systemd-ask-password(1)",
    r"\w*_WANT_(READ|WRITE)": "Mbed TLS",
    r"shrink_to_fit": "C++ standard library",
    r"(SD|memory|network)[ -]cards?": "hardware",
    r"-webkit-tap\S*": "CSS",
    r"aria-labelledby": "WAI-ARIA",
    r"([Ff]ront|[Bb]ack|[Gg]arage)[_ ]?[Dd]oor\w*": "name of a camera in examples",
    r"([Yy]ou|[Uu]sers?|[Oo]wners?|[Rr]eaders?) (who )?want": "wishes of people",
    r"Colour(Temperature|Gains|CorrectionMatrix|Space)\w*": "libcamera",
    r"CHROMA_LOCATION_\w*|V4L2_\w*|AV\w+|SCHED_\w*": "FFmpeg, V4L2",
    r"[\"']trial[\"']": "state of updates",
    r"GREY": "name of a pixel format in the kernel",
}

SKIP = re.compile(r"^(LICENSE|tests/fuzz/corpus/|tests/vectors/data/|tests/conformance/rules/|tests/browser/package-lock\.json|firmware/docs/(glossary|style)\.md|"
                  r"scripts/check-language\.py)|\.(jpg|png|svg)$")
CODE = (".cpp", ".hpp", ".h", ".js", ".mjs", ".css")
PAGES = (".md", ".html", ".cddl", ".json", ".yml", ".yaml")

parts_of = {word: term for words, term in IDENTIFIERS.items() for word in words.split()}
prose = [(re.compile(rf"\b(?:{p})\b", re.I), term) for p, term in PROSE.items()]
local = {word: (folders, term) for words, (folders, term) in LOCAL.items() for word in words.split()}
excepted = re.compile("|".join(f"(?:{p})" for p in EXCEPTIONS))
identifier = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
pieces = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
c_tokens = re.compile(r'R"(\w*)\((?:.|\n)*?\)\1"|"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*(?:.|\n)*?\*/')
js_tokens = re.compile(r"'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|" + c_tokens.pattern)


def split_c(text, pattern):
    """Yields (is code, offset, part)."""
    at = 0
    for match in pattern.finditer(text):
        yield True, at, text[at:match.start()]
        if not re.search(r'#include\s*$', text[max(0, match.start() - 12):match.start()]):
            # A string of one word is a JSON member, a command or a topic level.
            yield bool(re.fullmatch(r"[\"'][A-Za-z_]\w*[\"']", match[0])), match.start(), match[0]
        at = match.end()
    yield True, at, text[at:]


def split_python(text):
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        offset = starts[token.start[0] - 1] + token.start[1]
        if token.type == tokenize.NAME:
            yield True, offset, token.string
        elif token.type in (tokenize.STRING, tokenize.COMMENT) or tokenize.tok_name[token.type] == "FSTRING_MIDDLE":
            yield bool(re.fullmatch(r"[\"'][A-Za-z_]\w*[\"']", token.string)), offset, token.string


def split_page(text):
    """Code in backticks is code as well as prose."""
    yield False, 0, text
    for match in re.finditer(r"`([^`\n]+)`", text):
        yield True, match.start(1), match[1]


def split_script(text):
    """Shell, CMake, units: names that are joined, assigned or called are code; all of it is prose."""
    yield False, 0, text
    for match in re.finditer(r"\b\w+(?:\(\)|=)|\b\w+_\w+\b", text):
        yield True, match.start(), match[0]


def split(path, text):
    if path.endswith(CODE):
        return split_c(text, c_tokens if path.endswith((".cpp", ".hpp", ".h")) else js_tokens)
    if path.endswith(".py"):
        return split_python(text)
    return split_page(text) if path.endswith(PAGES) else split_script(text)


def code_hits(path, text):
    exceptions = [m.span() for m in excepted.finditer(text)]
    for match in identifier.finditer(text):
        if any(start <= match.start() and match.end() <= end for start, end in exceptions):
            continue
        for piece in map(str.lower, pieces.findall(match[0])):
            folders, term = local.get(piece, ((), ""))
            if piece in parts_of or path.startswith(folders):
                yield match.start(), match[0], parts_of.get(piece, term)


def prose_hits(path, text):
    exceptions = [m.span() for m in excepted.finditer(text)]
    here = [(re.compile(rf"\b{word}\b", re.I), term) for word, (folders, term) in local.items() if path.startswith(folders)]
    for pattern, term in prose + here:
        for match in pattern.finditer(text):
            if not any(start <= match.start() < end for start, end in exceptions):
                yield match.start(), match[0], term


def check(path):
    try:
        text = (top / path).read_text()
    except (UnicodeDecodeError, FileNotFoundError):
        return set()
    hits = set()
    for is_code, offset, part in split(path, text):
        for at, word, term in code_hits(path, part) if is_code else prose_hits(path, part):
            hits.add((text.count("\n", 0, offset + at) + 1, word, term))
    for at, word, term in code_hits(path, pathlib.Path(path).name):
        hits.add((0, word, term))
    return hits


files = subprocess.run(["git", "ls-files"], cwd=top, capture_output=True, text=True, check=True).stdout.splitlines()
found = [(path, *hit) for path in files if not SKIP.search(path) for hit in sorted(check(path))]
if "--count" in sys.argv:
    folders = collections.Counter("/".join(path.split("/")[:-1][:3]) or "." for path, *_ in found)
    for folder, number in sorted(folders.items()):
        print(f"{number:6} {folder}")
else:
    for path, line, word, term in found:
        print(f"{path}:{line}: '{word}' is not a term of the glossary; use: {term}")
print(f"{len(found)} words outside of the glossary")
sys.exit(1 if found else 0)
