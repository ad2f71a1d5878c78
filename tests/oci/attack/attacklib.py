# SPDX-License-Identifier: Apache-2.0
"""What the attacks share."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import time

import pytest

from ocilib import TIMEOUT, TOP, wait

BUILT = TOP / os.environ.get("MR_BUILD", "build") / "test"
UNDEFENDED = BUILT / "mailbox-run-undefended"
ATTACKER = BUILT / "attacker"
MOMENTS = pathlib.Path(__file__).resolve().parent / "moments.py"


def both(*defences):
    """The test is made on the runtime as it is, and on one without these defences."""
    return pytest.mark.parametrize("attacked", [(), defences], ids=["defended", "undefended"], indirect=True)


def executable(path, text):
    path.write_text(text)
    path.chmod(0o755)
    return path


def with_attacker(rootfs):
    """The program attacker.c is /attacker in the container."""
    if not os.access(ATTACKER, os.X_OK):
        pytest.skip(f"{ATTACKER} is not built")
    shutil.copy(ATTACKER, rootfs / "attacker")


def waits(pid):
    """It sleeps, again and again, with no time of its own."""
    def times():
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(") ", 1)[1].split()[11:13]

    before = times()
    time.sleep(0.1)
    return times() == before


@contextlib.contextmanager
def held_up(attacked, go, *command):
    """A call of the undefended runtime that goes on, before it opens a process, when the file `go` is there; it is made at the end."""
    words = ["/usr/bin/env", f"MR_HELD_UP={go}", *attacked.command(*command)]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
        try:
            wait(lambda: p.poll() is not None or waits(p.pid), "the runtime to be held up")
            yield p
        finally:
            go.touch()


def tries(count, seconds=60):
    """So many, but on a slow machine as many as there is time for."""
    end = time.monotonic() + seconds
    for n in range(count):
        if time.monotonic() > end:
            return
        yield n


def stop(rootfs, said, *ends):
    """What the attacker has said, when one of these was its last word."""
    (rootfs / "stop").touch()
    wait(lambda: any(end in said.read_text() for end in ends), f"the attacker to end, which said: {said.read_text()}")
    return said.read_text()


def judge_race(attacked, word, said):
    """Of an attack that must be quicker than the runtime. That it is not, with the defence off, says nothing: on a machine
    with one processor, or an emulated one, it may come too late each time."""
    if attacked.defended:
        assert word not in said
    elif word not in said:
        pytest.skip("the race was not won this time")


def held_at_every_moment(attacked, rootfs, *args, **more):
    """A call of the runtime, while the attacker in that root looks at each process between any two of its system calls; no
    race. The last line of its output is how many looks it had."""
    command = [sys.executable, MOMENTS, rootfs / "rounds", str(TIMEOUT), *attacked.command(*args)]
    out = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=4 * TIMEOUT, **more)
    assert out.returncode != 125, out.stdout
    return out


def at_every_moment(attacked, rootfs, *args, **more):
    """The same, which succeeds if it is defended; how many looks it had."""
    out = held_at_every_moment(attacked, rootfs, *args, **more)
    assert out.returncode == 0 or not attacked.defended, out.stdout + out.stderr
    return int(out.stdout.split()[-1])


EXCHANGE = """
import ctypes, signal, sys
libc, a, b = ctypes.CDLL(None), sys.argv[1].encode(), sys.argv[2].encode()
def end(*_):
    print(n, flush=True)
    sys.exit(0)
n = 0
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
while True:
    libc.renameat2(-100, a, -100, b, 2)
    n += 1
"""


@contextlib.contextmanager
def exchanging(a, b, counts):
    """While it lasts, the two names change places as fast as the kernel can; how often is appended to counts."""
    with subprocess.Popen([sys.executable, "-c", EXCHANGE, str(a), str(b)], stdout=subprocess.PIPE, text=True) as p:
        try:
            assert p.stdout.readline() == "ready\n"
            yield
        finally:
            p.terminate()
            counts.append(int(p.stdout.readline()))
            p.wait(20)
