#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""shape - how long functions and files may be, and words that may not stand in the sources

A function is at most 80 lines, unless the comment above it says "long because" and why (a flat table or switch). A file is
at most 800 lines. Functions that cannot be used safely or have hidden state, and
goto, are refused in code, not in comments and strings.
`shape.py --stats` prints median, 90th percentile and the longest functions.
"""
import json
import pathlib
import re
import subprocess
import sys

FUNCTION_MAX, FILE_MAX = 80, 800
MARK = "long because"
BANNED = re.compile(r"\b(?:(?:strcpy|strcat|sprintf|vsprintf|strncpy|strncat|strtok(?:_r)?|ato(?:i|l|ll|f)|gets|alloca|mktemp|tmpnam"
                    r"|[vf]*s*scanf|strtou?ll?|strtod|strerror|strsignal|asctime|ctime|gmtime|localtime|inet_ntoa|gethostbyname"
                    r"|getpwnam|getpwuid|getgrnam|getgrgid|setenv|putenv|basename|dirname)\s*\(|goto\b)")
# Where a banned word has a good reason: nolookup.c is the refusal of the name service; a unit test is a process of its own.
ALLOWED = [("mailstack/lib/daemon/nolookup.c", "gethostbyname"), ("mailstack/lib/daemon/nolookup.c", "getpwnam"), ("tests/unit/", "setenv")]
NOISE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)
UNFINISHED = re.compile(r"\b(?:XXX|TODO|FIXME)\b")


def sources(root):
    return [p for top in ("runtime", "images", "mailstack", "tests") for p in sorted((root / top).rglob("*.[ch]"))]


def functions(root, paths):
    out = subprocess.run(["ctags", "--output-format=json", "--languages=C", "--kinds-C=f", "--fields=+ne", "-o", "-", "-L", "-"],
                         input="\n".join(str(p.relative_to(root)) for p in paths), capture_output=True, text=True, check=True, cwd=root).stdout
    for line in out.splitlines():
        tag = json.loads(line)
        if "end" in tag:
            yield pathlib.Path(tag["path"]), tag["name"], tag["line"], tag["end"] - tag["line"] + 1


def is_marked(lines, at):
    above = at - 2
    while above >= 0 and lines[above].strip() and not lines[above].startswith("}"):
        if MARK in lines[above]:
            return True
        above -= 1
    return False


def words(path):
    text = path.read_text(encoding="utf-8")
    blank = NOISE.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)
    for m in BANNED.finditer(blank):
        yield text.count("\n", 0, m.start()) + 1, m[0].rstrip("( ")
    for m in UNFINISHED.finditer(text):
        yield text.count("\n", 0, m.start()) + 1, m[0]


def is_allowed(rel, word):
    return any(str(rel).startswith(place) and word == allowed for place, allowed in ALLOWED)


def stats(found):
    own = [f for f in found if f[0].parts[0] != "tests"]
    sizes = sorted(f[3] for f in own)
    print(f"{len(sizes)} functions, median {sizes[len(sizes) // 2]}, 90 % below {sizes[len(sizes) * 9 // 10]}")
    for path, name, _, n in sorted(own, key=lambda f: -f[3])[:10]:
        print(f"{n:5} {path} {name}")


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    paths = sources(root)
    found = list(functions(root, paths))
    bad = []
    for path, name, line, n in found:
        if n > FUNCTION_MAX and not is_marked((root / path).read_text(encoding="utf-8").splitlines(), line):
            bad.append(f"{path}:{line}: {name} has {n} lines, more than {FUNCTION_MAX}")
    for path in paths:
        rel = path.relative_to(root)
        n = path.read_text(encoding="utf-8").count("\n")
        if n > FILE_MAX:
            bad.append(f"{rel}: {n} lines, more than {FILE_MAX}")
        bad += [f"{rel}:{line}: '{word}' is not used here" for line, word in words(path) if not is_allowed(rel, word)]
    if "--stats" in sys.argv:
        stats(found)
    print("\n".join(bad), end="\n" if bad else "")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
