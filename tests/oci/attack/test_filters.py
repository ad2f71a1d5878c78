# SPDX-License-Identifier: Apache-2.0
"""The order of filter and privileges, recycled process ids, and terminals that are not the container's."""
import ctypes
import os
import pty
import signal
import struct
import subprocess
import sys
import time

import pytest

from attacklib import both, held_up, with_attacker
from ocilib import read_until, wait
from test_seccomp import agent, notify  # noqa: F401

# What the runtime itself needs between the earliest point of a filter and execve, and a program cannot use for good.
OWN_CALLS = ["setresuid", "setresgid", "setgroups", "capset", "close_range", "accept4", "recvmsg", "chdir"]


def deny(*names):
    return {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": list(names), "action": "SCMP_ACT_KILL_PROCESS"}]}


@both("late")
def test_with_no_new_privs_the_filter_is_the_last_thing(attacked, bundle):
    """It may deny everything that the runtime still has to do; in another place it must leave those calls open to the
    container for good."""
    bundle.process["noNewPrivileges"] = True
    bundle.linux["seccomp"] = deny(*OWN_CALLS)
    out = attacked.run(bundle.args("cat", "/proc/self/status"))
    assert ("Seccomp:\t2" in out.stdout) == attacked.defended, out.stderr
    if attacked.defended:
        name = attacked.create(bundle.args("sleep", "60"))
        attacked.ok("start", name)
        assert "Seccomp:\t2" in attacked.ok("exec", name, "cat", "/proc/self/status")


@both("early")
def test_without_it_the_filter_comes_before_privileges_go(attacked, bundle):
    """After they went it could not be loaded, unless with no_new_privs, which was not asked for."""
    bundle.process["noNewPrivileges"] = False
    bundle.linux["seccomp"] = deny("mkdir")
    out = attacked.run(bundle.args("cat", "/proc/self/status"))
    assert ("Seccomp:\t2" in out.stdout and "NoNewPrivs:\t0" in out.stdout) == attacked.defended, out.stderr


def test_without_it_the_filter_judges_the_runtime(runtime, bundle):
    """The defence of the test above is the order: here it cannot be had, and the same filter ends the start."""
    bundle.process["noNewPrivileges"] = False
    bundle.linux["seccomp"] = deny("setresuid", "capset")
    out = runtime.run(bundle.shell("echo reached"))
    assert out.returncode != 0 and "reached" not in out.stdout
    bundle.linux["seccomp"] = deny("mkdir")
    out = runtime.run(bundle.args("cat", "/proc/self/status"))
    assert "Seccomp:\t2" in out.stdout and "CapEff:\t0000000020000420" in out.stdout, out.stderr


@pytest.mark.parametrize("nnp", [True, False])
@both("execfilter")
def test_no_process_is_without_the_filter(attacked, bundle, nnp):
    bundle.process["noNewPrivileges"] = nnp
    bundle.linux["seccomp"] = deny("mkdir")
    bundle.mount(destination="/real", type="proc", source="proc")
    name = attacked.start_detached(bundle.shell("sleep 60 & sleep 60"))
    out = attacked("exec", name, "sh", "-c", "cat /proc/[0-9]*/status; mkdir /dev/shm/x && echo made").stdout
    modes = [line for line in out.splitlines() if line.startswith("Seccomp:")]
    assert len(modes) >= 3 and (set(modes) == {"Seccomp:\t2"}) == attacked.defended
    assert ("made" in out) != attacked.defended


# --- the descriptor by which another program answers for the kernel


@both("notify")
def test_the_notify_descriptor_is_not_the_containers(attacked, bundle, agent):
    """Who has it answers every call of the container as allowed. It goes to the agent alone, and what the container can
    see of its own descriptors, of other processes' and of the runtime's while it enters shows none."""
    bundle.linux["seccomp"] = notify(agent, "mkdir", "mkdirat")
    look = "for f in /proc/[0-9]*/fd/*; do readlink $f; done; mkdir /dev/shm/x"
    name = attacked.start_detached(bundle.shell(f"{look}; sleep 60"))
    wait(lambda: "Too many users" in (bundle.path / "err").read_text(), "the agent's answer")
    out = attacked("exec", name, "sh", "-c", look)
    assert "Too many users" in out.stderr
    for seen in (out.stdout, (bundle.path / "out").read_text()):
        assert "pipe:" in seen or "/dev/null" in seen
        assert ("seccomp" in seen) != attacked.defended, seen
        assert "socket" not in seen and "eventfd" not in seen, seen


# --- filters that were compiled before

HEAD = struct.Struct("=QQQQ")  # magic, checksum, bytes of the key, bytes of the code


def checksum(key_n, code_n, rest):
    """As runtime/kernel/seccomp_cache.c has it, over the key and then the code: eight bytes at once, and what is left."""
    value = 0xcbf29ce484222325 ^ (key_n << 32 | code_n)
    for part in (rest[:key_n], rest[key_n:]):
        for at in range(0, len(part) & ~7, 8):
            value = (value ^ int.from_bytes(part[at:at + 8], sys.byteorder)) * 0x100000001b3 & (1 << 64) - 1
            value ^= value >> 32
        for byte in part[len(part) & ~7:]:
            value = (value ^ byte) * 0x100000001b3 & (1 << 64) - 1
    return value


def plant(path):
    """A program that allows everything in place of the one that was kept, right in all else."""
    text = path.read_bytes()
    magic, _, key_n, _ = HEAD.unpack_from(text)
    code = struct.pack("=HBBI", 0x06, 0, 0, 0x7fff0000)  # return ALLOW
    rest = text[HEAD.size:HEAD.size + key_n] + code
    check = checksum(key_n, len(code), rest)
    path.unlink()
    path.write_bytes(HEAD.pack(magic, check, key_n, len(code)) + rest)
    path.chmod(0o600)


@pytest.mark.parametrize("more", [0, 200])  # of many rules the text alone is looked up
@both("private")
def test_a_planted_filter_is_not_loaded(attacked, bundle, more):
    bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "mkdirat", *(f"none_{i}" for i in range(more))], "action": "SCMP_ACT_ERRNO"}]}
    bundle.shell("mkdir /dev/shm/x && echo made")
    assert "made" not in attacked.run(bundle).stdout
    all_kept = list((attacked.root / ".filters").iterdir())
    assert len(all_kept) == (2 if more else 1)
    for kept in all_kept:
        plant(kept)
        os.chown(kept, 12345, 12345)
    assert ("made" in attacked.run(bundle).stdout) != attacked.defended


def test_a_filter_is_compiled_once(runtime, bundle):
    bundle.linux["seccomp"] = deny("mkdir")
    runtime.run(bundle)
    kept, = (runtime.root / ".filters").iterdir()
    first = kept.stat()
    assert first.st_mode & 0o777 == 0o600 and kept.parent.stat().st_mode & 0o777 == 0o700
    assert runtime.run(bundle).returncode == 0
    assert kept.stat().st_ino == first.st_ino
    bundle.linux["seccomp"] = deny("rmdir")
    runtime.run(bundle)
    assert len(list(kept.parent.iterdir())) == 2


# --- a process id that somebody else has now

CLONE3 = 435


def process_with_pid(pid):
    """A process of this very id: clone3 with set_tid."""
    tids = (ctypes.c_int * 1)(pid)
    args = struct.pack("QQQQQQQQQQQ", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, ctypes.addressof(tids), 1, 0)
    child = ctypes.CDLL(None, use_errno=True).syscall(CLONE3, args, len(args))
    if child == 0:
        os.execv("/bin/sleep", ["sleep", "60"])
    if child < 0:
        pytest.skip(f"clone3 with set_tid: {os.strerror(ctypes.get_errno())}")
    return child


@both("pid")
def test_a_signal_never_reaches_who_has_the_pid_now(attacked, bundle):
    name = attacked.start_detached(bundle.args("true"))
    pid_file = attacked.root / name / "state.json"
    pid = int(pid_file.read_text().split('"pid":')[1].split(",")[0])
    wait(lambda: not os.path.exists(f"/proc/{pid}"), "the container's end")
    time.sleep(0.05)  # start times are counted in hundredths of a second
    other = process_with_pid(pid)
    try:
        assert other == pid
        attacked("kill", name, "KILL")
        deadline = time.monotonic() + (0.1 if attacked.defended else 10)
        while (alive := os.waitpid(other, os.WNOHANG) == (0, 0)) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert alive == attacked.defended
        if alive:
            assert attacked.state(name)["status"] == "stopped"
            attacked("delete", "--force", name)
            assert os.waitpid(other, os.WNOHANG) == (0, 0)
    finally:
        if os.path.exists(f"/proc/{other}"):
            os.kill(other, signal.SIGKILL)
            os.waitpid(other, 0)


@pytest.mark.parametrize("off", [(), ("listed",)], ids=["defended", "undefended"])
def test_nor_by_a_signal_to_all(undefended, bundle, tmp_path, off):
    """The ids are read from the cgroup; while the runtime is held up, one of them ends and somebody else gets its id."""
    attacked = undefended(*off)
    bundle.namespaces("pid")
    bundle.shell("sleep 1000 & echo $!; wait; sleep 1000")
    name = attacked.start_detached(bundle)
    said = bundle.path / "out"
    wait(lambda: said.read_text().endswith("\n"), "the second process")
    pid = int(said.read_text())
    with held_up(attacked, tmp_path / "go", "kill", "--all", name, "USR1") as p:
        os.kill(pid, signal.SIGKILL)
        wait(lambda: not os.path.exists(f"/proc/{pid}"), "its end")
        other = process_with_pid(pid)
        (tmp_path / "go").touch()
        assert p.wait(20) == 0, p.stderr.read()
    time.sleep(0.1)
    alive = os.waitpid(other, os.WNOHANG) == (0, 0)
    if alive:
        os.kill(other, signal.SIGKILL)
        os.waitpid(other, 0)
    assert alive == (not off)


# --- the terminal of whoever called

STEAL = "(echo stolen >/dev/tty) 2>/dev/null && echo opened; echo done"


@both("session")
def test_the_callers_terminal_is_not_the_containers(attacked, bundle):
    """With it as controlling terminal, a container could type into it (TIOCSTI) and be the caller."""
    bundle.mount(destination="/dev/tty", type="bind", source="/dev/tty", options=["bind"])
    bundle.linux["resources"]["devices"] = [{"allow": True, "access": "rwm"}]
    bundle.shell(STEAL).save()
    command = attacked.command("run", "--bundle", bundle.path, attacked.new_id())
    pid, master = pty.fork()
    if pid == 0:
        os.execv(command[0], list(map(str, command)))
    try:
        seen = read_until(master, b"done", 30)
    finally:
        os.close(master)
        os.waitpid(pid, 0)
    assert (b"opened" in seen) != attacked.defended, seen


@both("pts")
def test_a_containers_terminal_is_its_own(attacked, bundle):
    """What the container opens as /dev/tty is the pseudo terminal that was made for it, and no other's."""
    bundle.shell("readlink /proc/self/fd/0; test -e /dev/pts/1 || echo alone; echo done").terminal(True).save()
    master, slave = pty.openpty()
    with subprocess.Popen(attacked.command("run", "--bundle", bundle.path, attacked.new_id()), stdin=slave, stdout=slave,
                          stderr=subprocess.DEVNULL) as p:
        seen = read_until(master, b"done", 30 if attacked.defended else 2)
        p.wait(30)
    os.close(master)
    os.close(slave)
    assert (b"/dev/pts/0" in seen and b"alone" in seen) == attacked.defended, seen


@both("passwd")
def test_no_exec_gets_a_terminal_of_the_containers_choice(attacked, bundle, own_rootfs):
    """A session without a terminal takes the first that is opened, and then no exec could be given its own."""
    with_attacker(own_rootfs)
    bundle.process["env"] = ["PATH=/bin"]
    name = attacked.start_detached(bundle.args("/attacker", "trap"))
    wait(lambda: "ready" in (bundle.path / "out").read_text(), "the attacker")
    out = attacked("exec", "--tty", name, "tty")
    assert (out.stdout.startswith("/dev/pts/")) == attacked.defended, out.stdout + out.stderr
    assert (out.returncode == 0) == attacked.defended
