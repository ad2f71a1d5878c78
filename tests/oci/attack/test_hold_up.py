# SPDX-License-Identifier: Apache-2.0
"""A container that tries to hold up, flood or deceive the runtime that waits for it."""
import json
import os
import pathlib
import pty
import signal
import subprocess
import time

import pytest

from attacklib import both, held_up, with_attacker
from ocilib import need_cgroupfs, wait


def foreground(runtime, bundle, *options, **more):
    bundle.save()
    more.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen(runtime.command("run", *options, "--bundle", bundle.path, runtime.new_id()), **more)


def ends_by(p, signo, seconds=5):
    """Does the signal still reach the container?"""
    p.send_signal(signo)
    try:
        return p.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        return False


OBEY = "trap 'exit 0' TERM; echo ready >/ready; "


@both("flow")
def test_input_that_is_not_read_holds_up_no_signal(attacked, bundle, own_rootfs):
    """Standard input is endless, and the container's terminal takes a few thousand bytes of it."""
    bundle.shell(OBEY + "stty raw; while :; do sleep 0.1; done").terminal(True)
    with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as yes:
        with foreground(attacked, bundle, stdin=yes.stdout, stdout=subprocess.DEVNULL) as p:
            try:
                wait(lambda: (own_rootfs / "ready").exists(), "the container")
                time.sleep(0.3)
                ended = ends_by(p, signal.SIGTERM, 5 if attacked.defended else 1)
            finally:
                yes.kill()
                attacked("delete", "--force", attacked.ids[-1])
                p.kill()
    assert ended == attacked.defended


@both("flow")
def test_output_that_nobody_takes_holds_up_no_signal(attacked, bundle, own_rootfs):
    """The container fills its terminal, and whoever should read what comes out of it does not."""
    bundle.namespaces("pid")  # a process 1 would ignore the signal
    bundle.shell("echo ready >/ready; while :; do echo and more; done").terminal(True)
    reader, writer = os.pipe()
    with foreground(attacked, bundle, stdout=writer) as p:
        try:
            wait(lambda: (own_rootfs / "ready").exists(), "the container")
            time.sleep(0.3)
            p.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            ended = attacked.state(attacked.ids[-1])["status"] == "stopped"
        finally:
            os.close(reader)
            os.close(writer)
            attacked("delete", "--force", attacked.ids[-1])
            p.kill()
    assert ended == attacked.defended


@pytest.mark.parametrize("off", [(), ("held",)], ids=["defended", "undefended"])
@pytest.mark.parametrize("command", [("exec", "ID", "mkdir", "/tmp/executed"), ("mounts", "add", "ID", "FILE")], ids=["exec", "mounts"])
def test_a_container_that_is_paused_meanwhile_holds_up_nobody(undefended, bundle, own_rootfs, tmp_path, command, off):
    """It was not when the runtime looked. Nothing is done there, now or later."""
    attacked = undefended(*off)
    name = attacked.start_detached(bundle.args("sleep", "60"))
    (tmp_path / "mounts.json").write_text(json.dumps([{"destination": "/tmp/executed", "type": "tmpfs", "source": "tmpfs"}]))
    with held_up(attacked, tmp_path / "go", *({"ID": name, "FILE": tmp_path / "mounts.json"}.get(word, word) for word in command)) as p:
        attacked.ok("pause", name)
        (tmp_path / "go").touch()
        try:
            ended = p.wait(4)
        except subprocess.TimeoutExpired:
            ended = None
        assert ended == (None if off else 255 if command[0] == "exec" else 1)
        attacked.ok("resume", name)
        p.wait(20)
        assert off or "the container is paused" in p.stderr.read()
    assert (own_rootfs / "tmp/executed").exists() == bool(off)
    assert len(attacked.ok("ps", name).splitlines()) == 2


UNIFIED = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
FROZEN = ("cd /sys/fs/cgroup && mkdir s && (sleep 1000 & echo $! >s/cgroup.procs) && echo 1 >s/cgroup.freeze; echo done; sleep 1000"
          if UNIFIED else
          "cd /sys/fs/cgroup/freezer && mkdir s && (sleep 1000 & echo $! >s/cgroup.procs) && echo FROZEN >s/freezer.state; echo done;"
          "sleep 1000")
# Once controllers are passed down, whoever comes goes where the first process is; another one freezes that.
FIRST_FROZEN = ("cd /sys/fs/cgroup && mkdir a b && (sleep 1000 & echo $! >b/cgroup.procs); echo $$ >a/cgroup.procs;"
                "read c _ <cgroup.controllers; echo +$c >cgroup.subtree_control; mkdir a/x;"
                "(read pid _ </proc/self/stat; echo $pid >b/cgroup.procs; sleep 0.2; echo 1 >a/cgroup.freeze; echo done) & sleep 1000")


def start_frozen(runtime, bundle, script):
    bundle.namespaces("cgroup")
    next(m for m in bundle.config["mounts"] if m["type"] == "cgroup")["options"].remove("ro")
    if not UNIFIED and not os.path.exists("/sys/fs/cgroup/freezer/cgroup.procs"):
        pytest.skip("nothing freezes here")
    name = runtime.start_detached(bundle.shell(script))
    wait(lambda: "done" in (bundle.path / "out").read_text(), "the group to be frozen")
    return name


@pytest.mark.parametrize("script, options", [(FROZEN, ("--cgroup", "s" if UNIFIED else "freezer:s")), (FIRST_FROZEN, ())],
                         ids=["named", "of the first"])
def test_nor_does_a_group_that_the_container_has_frozen(runtime, bundle, script, options):
    if not options and not UNIFIED:
        pytest.skip("an exec follows the first process on cgroup v2 alone")
    name = start_frozen(runtime, bundle, script)
    out = runtime("exec", *options, name, "true", timeout=20)
    assert out.returncode == 255 and "the container is paused: its cgroup '" in out.stderr
    runtime.ok("delete", "--force", name)


@pytest.mark.parametrize("verb", ["run", "create"])
def test_nor_does_one_above_the_container_hold_up_its_start(runtime, bundle, verb):
    name = runtime.new_id()
    above = pathlib.Path("/sys/fs/cgroup" if UNIFIED else "/sys/fs/cgroup/freezer", f"above-{name}")
    if not above.parent.is_dir():
        pytest.skip("nothing freezes here")
    need_cgroupfs()
    bundle.linux["cgroupsPath"] = f"/{above.name}/{name}"
    above.mkdir()
    state, on, off = ("cgroup.freeze", "1", "0") if UNIFIED else ("freezer.state", "FROZEN", "THAWED")
    try:
        (above / state).write_text(on)
        out = runtime(verb, "-b", bundle.args("true").save().path, name, timeout=30)
        assert out.returncode == 1 and "frozen" in out.stderr, out.stderr
        assert "does not exist" in runtime("state", name).stderr and not (above / name).exists()
    finally:
        (above / state).write_text(off)
        for path in pathlib.Path("/sys/fs/cgroup").glob(f"*/{above.name}"):
            path.rmdir()
        if UNIFIED:
            above.rmdir()


def freezer_of(name):
    base = pathlib.Path("/sys/fs/cgroup" if UNIFIED else "/sys/fs/cgroup/freezer")
    group = next((p for p in base.glob(f"**/{name}") if p.is_dir()), None)
    if group is None:
        pytest.skip("nothing freezes here")
    return (group / "cgroup.freeze", "1") if UNIFIED else (group / "freezer.state", "FROZEN")


def test_a_container_that_is_paused_is_not_started(runtime, bundle):
    """It is as it was: when it goes on it can be."""
    name = runtime.create(bundle.args("sleep", "60"))
    runtime.ok("pause", name)
    out = runtime("start", name, timeout=10)
    assert out.returncode == 1 and "the container is paused" in out.stderr
    runtime.ok("resume", name)
    runtime.ok("start", name)
    assert runtime.state(name)["status"] == "running"


def test_nor_is_one_waited_for_that_is_paused_while_it_starts(runtime, bundle, own_rootfs):
    bundle.config["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "echo there >/there; sleep 1"]}]}
    name = runtime.create(bundle.args("sleep", "60"))
    with subprocess.Popen(runtime.command("start", name), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as p:
        try:
            wait(lambda: (own_rootfs / "there").exists(), "the hook")
            file, word = freezer_of(name)
            file.write_text(word)
            assert p.wait(10) == 1 and "the container is paused" in p.stderr.read()
        finally:
            p.kill()
    runtime.ok("delete", "--force", name)


def test_but_an_exec_may_wait(runtime, bundle):
    name = runtime.start_detached(bundle.args("sleep", "60"))
    runtime.ok("pause", name)
    with subprocess.Popen(runtime.command("exec", "--ignore-paused", name, "echo", "went on"), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True) as p:
        with pytest.raises(subprocess.TimeoutExpired):
            p.wait(3)
        runtime.ok("resume", name)
        assert p.communicate(timeout=20)[0] == "went on\n" and p.returncode == 0


@pytest.mark.parametrize("terminal", [False, True])
def test_what_an_image_is_called_does_not_reach_a_terminal(runtime, bundle, terminal, tmp_path):
    """Names in errors: escape sequences in seven bits and in eight, lines that look like the runtime's own, broken bytes."""
    name = "/x\x1b]0;owned\x07\x9b2J\u009b31m\nmailbox-run: all is well\r\x7f\u2028\u202e"
    bundle.args(name).save()
    for options in ((), ("--log-format", "json"), ("--log", tmp_path / "log"), ("--log", tmp_path / "log", "--log-format", "json")):
        master, slave = pty.openpty() if terminal else os.pipe()
        os.set_blocking(master, False)
        runtime.options = list(options)
        runtime("run", "--bundle", bundle.path, runtime.new_id(), capture_output=False, stdout=subprocess.DEVNULL, stderr=slave)
        seen = os.read(master, 65536)
        if (tmp_path / "log").exists():
            seen += (tmp_path / "log").read_bytes()
            (tmp_path / "log").unlink()
        os.close(master)
        os.close(slave)
        assert b"all is well" in seen
        text = seen.decode("utf-8", "surrogateescape")
        assert not [c for c in text.replace("\r\n", "\n") if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160], seen
        assert not [c for c in text if c in "\u2028\u2029\u202e"], seen
        assert all(line.startswith(("mailbox-run:", "time=", "{")) for line in text.splitlines()), seen
        assert "\nmailbox-run: all is well" not in text


def test_a_flood_of_notifications_holds_up_no_signal(runtime, bundle, own_rootfs, tmp_path):
    """From the socket that passes on to the service manager."""
    import socket

    with_attacker(own_rootfs)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "manager"))
        bundle.shell(OBEY + "for i in 1 2 3 4; do /attacker flood $NOTIFY_SOCKET & done; while :; do sleep 0.1; done")
        with foreground(runtime, bundle, env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "manager")}) as p:
            try:
                wait(lambda: (own_rootfs / "ready").exists(), "the container")
                time.sleep(0.3)
                ended = ends_by(p, signal.SIGTERM, 5)
            finally:
                runtime("delete", "--force", runtime.ids[-1])
                p.kill()
        assert ended


@both("reap")
def test_a_caller_that_ignores_the_end_of_its_children(attacked, bundle):
    """It is inherited, and then nobody waits for a process that has an id of its own until then."""
    bundle.config["hooks"] = {"createRuntime": [{"path": "/bin/true"}]}
    out = attacked.run(bundle.shell("exit 7"), preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    assert (out.returncode == 7) == attacked.defended, out.stderr
