#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
reap.py SECONDS COMMAND... - runs a command as an init would, for so long at most

What tests leave without a parent for a moment (conmon, containerd's shims) becomes a child of this process and is
reaped; where process 1 reaps nothing, as in a bare container, their engines would wait for such a process for ever.
After SECONDS the command, and what it left, is killed; exit status 124.
"""
import ctypes
import os
import pathlib
import signal
import sys

PR_SET_CHILD_SUBREAPER = 36


def children(pid):
    try:
        return [int(p) for t in pathlib.Path(f"/proc/{pid}/task").iterdir() for p in (t / "children").read_text().split()]
    except OSError:
        return []


def descendants(pid):
    found = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


def kill_all(_number, _frame):
    print("reap.py: the time is over: killing what still runs", file=sys.stderr, flush=True)
    for pid in descendants(os.getpid()):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    os._exit(124)


def main():
    seconds, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    first = os.posix_spawnp(command[0], command, os.environ)
    signal.signal(signal.SIGALRM, kill_all)
    signal.signal(signal.SIGTERM, kill_all)
    signal.alarm(int(seconds))
    while True:
        pid, status = os.wait()
        if pid == first:
            return os.waitstatus_to_exitcode(status) & 255


sys.exit(main())
