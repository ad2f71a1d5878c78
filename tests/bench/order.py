#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
order.py BUILD [SCRIPT] >NEW - what mailbox-run executes for a container, for the linker to lay side by side

The kernel maps a program's text in pieces of sixteen pages, where it is touched. The functions of a start are a fifth of the
text, but lie everywhere in it: almost every piece was mapped, once by the runtime and again by the process it makes, and
unmapped again. This runs the verbs of a container's life with a breakpoint on each function (walked.c) and prints a
linker script that puts the sections of those that were met first: what the runtime alone needs, then what its children
need, too. A script that is out of date is slower, not wrong: what it names and is no more is ignored.

What SCRIPT, an earlier one, names and is not met now is kept: a machine has cgroup v1 or v2. Where v1 has a unified
hierarchy beside it, v2 is had in a mount namespace in which that alone is mounted at /sys/fs/cgroup.

After `make programs bench-build`, as root.
"""
import bisect
import pathlib
import re
import subprocess
import sys
import tempfile

from runtime import Bench

PLACED = re.compile(r"^ (\.text\S*)?\s+0x([0-9a-f]+)\s+0x([0-9a-f]+)\s+(\S+)$")
MEMBER = re.compile(r"([^/]+\.a)\(([^)]+)\)$")
HEAD = """/* SPDX-License-Identifier: Apache-2.0 */
/* Written by tests/bench/order.py, which says what it is for. */
SECTIONS
{
    .text.walked :
    {
"""
# What a runtime in the foreground goes on executing once it has given back the rest (runtime/base/slim.h): in one piece.
WAITING = ("*libmailrun.a:attend.o(.text .text.*)", "*libmrbase.a:slim.o(.text .text.*)", "*libc.a:poll.o(.text)",
           "*libc.a:madvise.o(.text)")
TAIL = """    }
}
INSERT BEFORE .text;
"""


def sections(path):
    """(address, size, name, file) of each piece of text, from the linker's map."""
    found, name = [], None
    body = path.read_text(encoding="utf-8").partition("Linker script and memory map")[2]
    for line in body.splitlines():
        m = PLACED.match(line)
        if m and (m[1] or name) and int(m[2], 16) > 0 and int(m[3], 16) > 0:
            found.append((int(m[2], 16), int(m[3], 16), m[1] or name, m[4]))
        alone = re.match(r"^ (\.text\S*)$", line)  # a long name has a line of its own
        name = alone[1] if alone else None
    return sorted(found)


def pattern(section):
    """As a linker script names it; a file by what is left of its path in another build."""
    _, _, name, path = section
    m = MEMBER.search(path)
    return f"*{m[1]}:{m[2]}({name})" if m else f"*/{pathlib.PurePath(path).name}({name})"


def holding(text, addresses):
    """The names of the sections in which the addresses are."""
    starts = [s[0] for s in text]
    places = ((a, bisect.bisect_right(starts, a) - 1) for a in addresses)
    return {pattern(text[i]) for a, i in places if i >= 0 and a < text[i][0] + text[i][1]}


class Walker:
    def __init__(self, build):
        self.build = build
        self.ours = build / "mailbox-run"
        head = subprocess.run(["readelf", "-hW", self.ours], capture_output=True, text=True, check=True).stdout
        self.entry = re.search(r"Entry point address:\s+0x([0-9a-f]+)", head)[1]
        names = subprocess.run(["nm", self.ours], capture_output=True, text=True, check=True).stdout
        self.functions = "".join(f"{line.split()[0]}\n" for line in names.splitlines() if line.split()[-2] in "tTiW")
        self.met = {"p": set(), "c": set()}

    def walk(self, *args):
        """The container's own output goes where ours does not."""
        with tempfile.TemporaryFile("w+") as stdin, tempfile.TemporaryFile("w+") as stdout:
            stdin.write(self.functions)
            stdin.seek(0)
            subprocess.run([self.build / "bench/walked", self.entry, self.ours, *args], stdin=stdin, stdout=stdout,
                           timeout=60, check=True)
            stdout.seek(0)
            for line in stdout:
                who, at = line.split()
                self.met[who].add(int(at, 16))


def walk_all(walker, bench, state):
    root = ["--root", state / "ours"]

    def call(*args):
        subprocess.run([bench.ours, *root, *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60,
                       check=True)

    call("run", "--bundle", bench.true, "order-run")  # what is made once and kept, a filter, is made here
    walker.walk(*root, "run", "--bundle", bench.true, "order-run")
    walker.walk(*root, "create", "--bundle", bench.sleep, "order-life")
    try:
        walker.walk(*root, "start", "order-life")
        call("exec", "order-life", "/bin/true")
        walker.walk(*root, "exec", "order-life", "/bin/true")
        walker.walk(*root, "delete", "--force", "order-life")
    finally:
        call("delete", "--force", "order-life")


def earlier(scripts, but):
    """What they name, in their order."""
    lines = [line.strip() for path in scripts for line in pathlib.Path(path).read_text(encoding="ascii").splitlines()]
    return [line for line in lines if line.startswith("*") and line not in but]


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    walker = Walker(build)
    with tempfile.TemporaryDirectory(prefix="mr-order-") as work, \
            tempfile.TemporaryDirectory(prefix="mr-order-", dir="/dev/shm") as state:
        walk_all(walker, Bench(pathlib.Path(work), pathlib.Path(state), build, {}), pathlib.Path(state))
    text = sections(build / "mailbox-run.map")
    children = holding(text, walker.met["c"])
    mine = sorted(holding(text, walker.met["p"]) - children)
    lines = dict.fromkeys(name for group in (WAITING, mine, earlier(sys.argv[2:], children), sorted(children)) for name in group)
    sys.stdout.write(HEAD + "".join(f"        {line}\n" for line in lines) + TAIL)


if __name__ == "__main__":
    main()
