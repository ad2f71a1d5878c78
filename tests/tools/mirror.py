#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""mirror - every module has its test, every parser its fuzz target

A module is a source file with a header of the same name. Its unit test is tests/unit/PATH/test_NAME.c; where another test
is the better one (an end-to-end test of what only exists as root, say), the header names it in its line "Tests:". What a
header names in its lines "Tests:" and "Fuzz:" must exist. A header that declares a parser (NAME_parse...) names a fuzz target.

Python's tests have names of their own in all of tests/: pytest imports them by it, and two of one name end the run.
"""
import pathlib
import re
import sys

LABEL = re.compile(r"^ \* ?(?:([A-Z]\w+):)?(.*)$")
PATH = re.compile(r"tests/[\w./-]+\.(?:c|py|sh)")
PARSER = re.compile(r"\b\w+_parse(?:_\w+)?\s*\(\s*struct str\b")


def named(text):
    """The paths behind the labels Tests and Fuzz of the comment at the top, also on continued lines."""
    result = {"Tests": [], "Fuzz": []}
    label = None
    for line in text.split("*/", 2)[1].splitlines():
        m = LABEL.match(line)
        label = m[1] or label if m else None
        if m and label in result:
            result[label] += PATH.findall(m[2])
    return result


def check(root, header):
    rel = header.relative_to(root)
    text = header.read_text(encoding="utf-8")
    lines = named(text)
    for path in lines["Tests"] + lines["Fuzz"]:
        if not (root / path).is_file():
            yield f"{rel}: names {path}, which does not exist"
    mirrored = root / "tests/unit" / rel.parent / f"test_{rel.stem}.c"
    if header.with_suffix(".c").is_file() and not mirrored.is_file() and not lines["Tests"]:
        yield f"{rel}: has no test {mirrored.relative_to(root)} and names no other"
    if PARSER.search(text) and not lines["Fuzz"]:
        yield f"{rel}: declares a parser and names no fuzz target"


def twice(root):
    seen = {}
    for path in sorted((root / "tests").rglob("*.py")):
        if path.name != "conftest.py" and seen.setdefault(path.name, path) != path:
            yield f"{path.relative_to(root)}: {seen[path.name].relative_to(root)} has the same name"


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    found = [line for top in ("runtime", "images", "mailstack") for h in sorted((root / top).rglob("*.h"))
             for line in check(root, h)] + list(twice(root))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
