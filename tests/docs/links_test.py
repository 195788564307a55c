#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that each relative link of a page, and each page that another file names, leads to a file and a heading, and that README.md has at
most 120 lines. Also runs controls."""
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ["firmware", "hal", "board", "tests", "scripts"]
MAX_README = 120


def pages():
    found = sorted(TOP.glob("*.md"))
    for folder in FOLDERS:
        found += sorted((TOP / folder).rglob("*.md"))
    return [page for page in found if "node_modules" not in page.parts]


def anchors(text):
    """The anchors of the headings, as GitHub and GitLab make them. A comment in a code block is no heading."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", text, flags=re.M)}


def broken(page, text):
    for target in re.findall(r"\]\(([^)\s]+)\)", text.replace("\n", " ")):
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        if not file.exists():
            yield f"{page.relative_to(TOP)}: {target} does not exist"
        elif anchor and anchor not in anchors(text if file == page else file.read_text()):
            yield f"{page.relative_to(TOP)}: {target} is not a heading"


def named(name, text):
    """Faults of the pages that a comment or a text of another file names, such as firmware/docs/hub.md#access."""
    for path, anchor in re.findall(r"(?<![\w/.-])((?:firmware|hal|board|tests)/[\w./-]+\.md)(?:#([\w-]+))?", text):
        if not (TOP / path).is_file():
            yield f"{name}: {path} does not exist"
        elif anchor and anchor not in anchors((TOP / path).read_text()):
            yield f"{name}: {path}#{anchor} is not a heading"


def other_files():
    listed = subprocess.run(["git", "ls-files", "firmware", "hal", "board", "tests", "scripts"], cwd=TOP, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        path = TOP / name
        if path.suffix in (".cpp", ".hpp", ".js", ".mjs", ".py", ".txt", ".cmake", ".json", ".service", "") and path.is_file():
            try:
                yield name, path.read_text()
            except UnicodeDecodeError:
                continue


def main():
    wrong = [fault for page in pages() for fault in broken(page, page.read_text())]
    wrong += [fault for name, text in other_files() if name != "tests/docs/links_test.py" for fault in named(name, text)]
    readme = (TOP / "README.md").read_text()
    if (lines := readme.count("\n")) > MAX_README:
        wrong.append(f"README.md has {lines} lines; the limit is {MAX_README}")
    for link, expected in (("[x](firmware/docs/no-such-page.md)", "does not exist"), ("[x](CONTRIBUTING.md#no-such-heading)", "is not a heading"),
                           ("[x](CONTRIBUTING.md#build-and-test)", "")):
        found = " ".join(broken(TOP / "README.md", link))
        if expected not in found or bool(expected) != bool(found):
            wrong.append(f"control {link}: found '{found}'")
    for text, expected in (("firmware/docs/no-such-page.md", "does not exist"), ("see firmware/docs/hub.md#no-such-heading", "is not a heading"),
                           ("firmware/docs/hub.md#access", "")):
        found = " ".join(named("control", text))
        if expected not in found or bool(expected) != bool(found):
            wrong.append(f"control {text}: found '{found}'")
    if "a-comment" in anchors("```\n# a comment\n```\n"):
        wrong.append("control: a comment in a code block is a heading")
    print("\n".join(wrong) if wrong else f"the links of {len(pages())} pages lead to files and headings")
    return 1 if wrong else 0


sys.exit(main())
