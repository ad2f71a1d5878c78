# SPDX-License-Identifier: Apache-2.0
"""What the attacks share."""
import contextlib
import os
import shutil
import subprocess
import sys

import pytest

from ocilib import TOP

BUILT = TOP / os.environ.get("MR_BUILD", "build") / "test"
UNDEFENDED = BUILT / "mailbox-run-undefended"
ATTACKER = BUILT / "attacker"


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


def judge_race(attacked, won):
    """Of an attack that must be quicker than the runtime. That it is not, with the defence off, says nothing: on a machine
    with one processor, or an emulated one, it may come too late each time."""
    if attacked.defended:
        assert not won
    elif not won:
        pytest.skip("the race was not won this time")


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
