#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
moments.py ROUNDS SECONDS COMMAND... - runs a command, and holds each process of it that is in another pid namespace at every
moment, until the attacker there has looked at it

A process that is seen from inside of a container is stopped when it comes to be, before each system call and after it, for as
long as it takes the attacker (attacker.c) to go through all processes once, which it counts in the file ROUNDS. So no machine
is too quick for the attack and none is too slow. SECONDS bounds each wait. The last line that is printed says for how many
moments the command was held; the exit status is the command's, or 125 if the attacker does not look. What the command leaves
behind is killed.
"""
import ctypes
import mmap
import os
import signal
import sys
import time

TRACEME, SYSCALL, SETOPTIONS = 0, 24, 0x4200
SYSGOOD, FORK, VFORK, CLONE, EXEC, EXITKILL = 1, 2, 4, 8, 16, 0x100000
OPTIONS = SYSGOOD | FORK | VFORK | CLONE | EXEC | EXITKILL
WALL = 0x40000000
CALL = signal.SIGTRAP | 0x80
FOUND = 2**64 - 1  # the attacker has what it wants

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, pid, data=0):
    """One that was killed meanwhile says so when it is waited for."""
    return libc.ptrace(request, pid, None, data)


class Rounds:
    def __init__(self, path, seconds):
        with open(path, "rb") as f:
            self.view = mmap.mmap(f.fileno(), 8, prot=mmap.PROT_READ)
        self.seconds = seconds

    def count(self):
        return int.from_bytes(self.view[:8], sys.byteorder)

    def wait(self):
        """For the end of the round that is going on, and of a whole one."""
        end = time.monotonic() + self.seconds
        goal = min(self.count() + 2, FOUND)
        while self.count() < goal:
            if time.monotonic() > end:
                print("the attacker does not look", flush=True)
                os._exit(125)  # which ends all that is traced
            time.sleep(0.0002)


def is_inside(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
            return any(line.startswith("NSpid:") and len(line.split()) > 2 for line in f)
    except OSError:
        return False


def trace(first, rounds):
    """The status of the process and for how many moments others were held."""
    inside = {first: False}  # of each process
    held = 0
    ptrace(SETOPTIONS, first, OPTIONS)
    ptrace(SYSCALL, first)
    while True:
        pid, status = os.waitpid(-1, WALL)
        if not os.WIFSTOPPED(status):
            if pid == first:
                return os.waitstatus_to_exitcode(status), held
            continue
        signo = os.WSTOPSIG(status)
        if signo in (CALL, signal.SIGTRAP) or pid not in inside:  # it begins with a stop
            signo = 0
        if inside.setdefault(pid, is_inside(pid)):
            held += 1
            rounds.wait()
        ptrace(SYSCALL, pid, signo)


def main():
    rounds = Rounds(sys.argv[1], float(sys.argv[2]))
    first = os.fork()
    if first == 0:
        ptrace(TRACEME, 0)
        os.execv(sys.argv[3], sys.argv[3:])
    os.waitpid(first, WALL)
    status, held = trace(first, rounds)
    print(held, flush=True)
    return status & 255


sys.exit(main())
