# SPDX-License-Identifier: Apache-2.0
"""
Terminals of containerd's tasks: ctr run -t, exec -t and attach.

ctr wants to run in a terminal, which it sets raw. It tells the task of the size when the task has started, and only then
listens for another: a program that asks at once is told of none. It has no keys to detach with; it detaches when its
terminal goes away.
"""
import contextlib

import pytest

from test_containerd import Ctr

SIZES = "trap 'stty size' WINCH; echo up; while :; do sleep 0.1; done"


@pytest.fixture
def task(ctr):
    return Ctr(ctr)


def follows(terminal):
    """A later size is seen inside, once the client listens for it."""
    terminal.reads("up")
    for columns in range(90, 105):
        terminal.resize(30, columns)
        with contextlib.suppress(AssertionError):
            terminal.reads(f"30 {columns}", 2)
            return
    raise AssertionError(terminal.rest)


def test_a_terminal(task):
    _, t = task.terminal("/bin/sh", "-c", "tty; test -t 1 && ls -l /dev/console; read x; echo got:$x; exit 6", options=("--rm",))
    with t:
        t.reads("/dev/pts/0")
        t.reads("crw")
        t.type("word\r")
        t.reads("got:word")
        assert t.status() == 6


def test_what_is_typed_is_echoed_once_and_keys_are_signals(task):
    """The client's terminal is raw: only the container's has a line discipline."""
    _, t = task.terminal("/bin/sh", "-c", "trap 'exit 9' INT; echo up; while :; do sleep 0.1; done", options=("--rm",))
    with t:
        t.reads("up")
        t.type("once")
        t.reads("once")
        t.type("\x03")
        assert t.status() == 9


def test_the_size_follows(task):
    name, t = task.terminal("/bin/sh", "-c", SIZES)
    with t:
        follows(t)
        task.engine.ok("tasks", "kill", "-s", "KILL", name)
        assert t.status() == 137
    task.engine.ok("containers", "rm", name)


def test_an_exec_with_a_terminal(ctr, task):
    name = task.detached("/bin/sleep", "60")
    with ctr.terminal("tasks", "exec", "-t", "--exec-id", "e1", name, "/bin/sh", "-c", SIZES) as t:
        follows(t)
        t.type("\x03")
        assert t.status() == 130
    with ctr.terminal("tasks", "exec", "-t", "--exec-id", "e2", name, "/bin/sh") as t:
        t.type("echo $((40+2)); tty; exit 4\r")
        t.reads("42")
        t.reads("/dev/pts/")
        assert t.status() == 4
    task.remove(name)


def test_attach_to_what_was_detached(ctr, task):
    name, t = task.terminal("/bin/sh", options=("-d",))
    with t:
        assert t.status() == 0
    with ctr.terminal("tasks", "attach", name) as t:
        t.type("X=here; echo $((40+2))\r")
        t.reads("42")
    assert task.is_in(name, "RUNNING")
    with ctr.terminal("tasks", "attach", name) as t:
        t.type("echo still:$X; exit 5\r")
        t.reads("still:here")
        assert t.status() == 5
    ctr("tasks", "delete", name)
    ctr("containers", "rm", name)
