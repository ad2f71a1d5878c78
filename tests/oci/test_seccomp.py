# SPDX-License-Identifier: Apache-2.0
"""The system call filter, with and without no_new_privs."""
import errno
import fcntl
import json
import os
import select
import socket
import struct
import threading

import pytest

from ocilib import wait


def profile(action, *names, default="SCMP_ACT_ALLOW", **more):
    return {"defaultAction": default,
            "syscalls": [{"names": list(names), "action": action, **more}]}


@pytest.mark.parametrize("nnp", [True, False])
def test_a_rule_gives_its_error(runtime, bundle, nnp):
    bundle.process["noNewPrivileges"] = nnp
    bundle.linux["seccomp"] = profile("SCMP_ACT_ERRNO", "mkdir", "mkdirat", errnoRet=5)
    out = runtime.run(bundle.shell("grep Seccomp: /proc/self/status; mkdir /dev/shm/x"))
    assert out.stdout == "Seccomp:\t2\n"
    assert "Input/output error" in out.stderr


def test_an_argument_decides(runtime, bundle):
    bundle.linux["seccomp"] = profile(
        "SCMP_ACT_ERRNO", "kill", args=[{"index": 1, "value": 10, "op": "SCMP_CMP_EQ"}])
    out = runtime.run(bundle.shell("kill -USR1 $$; echo $?; kill -0 $$; echo $?"))
    assert out.stdout == "1\n0\n"


def test_two_conditions_for_one_argument_are_alternatives(runtime, bundle):
    bundle.linux["seccomp"] = profile(
        "SCMP_ACT_ERRNO", "kill", args=[{"index": 1, "value": v, "op": "SCMP_CMP_EQ"} for v in (17, 28)])
    out = runtime.run(bundle.shell("; ".join(f"kill -{s} $$ || echo {s}" for s in SIGNALS)))
    assert out.stdout == "17\n28\n", out.stderr


@pytest.mark.parametrize("nnp", [True, False])
def test_a_startContainer_hook_has_the_filter_of_its_process(runtime, bundle, nnp):
    bundle.process["noNewPrivileges"] = nnp
    bundle.linux["seccomp"] = profile("SCMP_ACT_ERRNO", "mkdir", "mkdirat", errnoRet=5)
    bundle.config["hooks"] = {"startContainer": [
        {"path": "/bin/sh", "args": ["sh", "-c", "! mkdir /dev/shm/x && grep Seccomp: /proc/self/status >&2; exit 4"]}]}
    out = runtime.run(bundle)
    assert out.returncode == 1 and "Input/output error" in out.stderr and "Seccomp: 2" in out.stderr


# What these signals do by default is nothing; 17, 18, 23 and 28.
SIGNALS = (17, 18, 23, 28)


@pytest.mark.parametrize("op, value, two, denied", [
    ("SCMP_CMP_NE", 18, 0, {17, 23, 28}), ("SCMP_CMP_LT", 23, 0, {17, 18}), ("SCMP_CMP_LE", 18, 0, {17, 18}),
    ("SCMP_CMP_EQ", 28, 0, {28}), ("SCMP_CMP_GE", 23, 0, {23, 28}), ("SCMP_CMP_GT", 23, 0, {28}),
    ("SCMP_CMP_MASKED_EQ", 1, 1, {17, 23}),
])
def test_each_operator(runtime, bundle, op, value, two, denied):
    bundle.linux["seccomp"] = profile(
        "SCMP_ACT_ERRNO", "kill", args=[{"index": 1, "value": value, "valueTwo": two, "op": op}])
    script = "; ".join(f"kill -{s} $$ || echo {s}" for s in SIGNALS)
    assert set(runtime.run(bundle.shell(script)).stdout.split()) == {str(s) for s in denied}


@pytest.mark.parametrize("more, text", [({}, "not permitted"), ({"errnoRet": 12}, "memory"), ({"errnoRet": 17}, "exists")])
def test_the_error_is_eperm_unless_another_is_named(runtime, bundle, more, text):
    bundle.linux["seccomp"] = profile("SCMP_ACT_ERRNO", "mkdir", "mkdirat", **more)
    assert text in runtime.run(bundle.args("mkdir", "/dev/shm/x")).stderr


def test_the_default_has_an_error_of_its_own(runtime, bundle):
    """All is allowed by name but what makes a directory, which falls to the default."""
    number = errno.EXDEV
    bundle.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": number,
        "syscalls": [{"names": CALLS, "action": "SCMP_ACT_ALLOW"}]}
    assert "cross-device" in runtime.run(bundle.args("mkdir", "/dev/shm/x")).stderr.lower()


# What busybox and the runtime's last steps need.
CALLS = """access arch_prctl brk capget capset chdir chmod clone close close_range connect dup dup2 dup3 epoll_create1 execve exit
exit_group faccessat faccessat2 fchdir fchown fcntl fstat futex getcwd getdents64 getegid geteuid getgid getgroups getpgrp getpid
getppid getrandom getuid ioctl lseek lstat mmap mprotect munmap nanosleep newfstatat open openat openat2 pipe pipe2 poll prctl
prlimit64 read readlink readlinkat recvmsg rseq rt_sigaction rt_sigprocmask rt_sigreturn sendmsg sendto setgid setgroups setresgid
setresuid setuid set_robust_list set_tid_address sigaltstack stat statfs statx sysinfo time umask uname vfork wait4 write
writev""".split()


@pytest.mark.parametrize("action", ["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"])
def test_each_way_to_die(runtime, bundle, action):
    bundle.linux["seccomp"] = profile(action, "mkdir", "mkdirat")
    assert runtime.run(bundle.args("mkdir", "/dev/shm/x")).returncode == 128 + 31


@pytest.mark.parametrize("action, done", [("SCMP_ACT_LOG", True), ("SCMP_ACT_ALLOW", True), ("SCMP_ACT_TRACE", False)])
def test_what_goes_on(runtime, bundle, action, done):
    """Without a tracer the call that is to be traced fails with ENOSYS."""
    bundle.linux["seccomp"] = profile(action, "mkdir", "mkdirat")
    out = runtime.run(bundle.args("mkdir", "/dev/shm/x"))
    assert (out.returncode == 0) == done and ("not implemented" in out.stderr) != done


@pytest.mark.parametrize("seccomp, text", [
    ({"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x"}, "listenerPath"),
    ({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 5}, "takes no errno"),
    ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [], "action": "SCMP_ACT_LOG"}]}, "names"),
    ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["open"], "action": "SCMP_ACT_KILL", "errnoRet": 5}]},
     "takes no errno"),
    ({"defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_NEW_LISTENER"]}, "flags[0]"),
], ids=str)
def test_a_profile_that_contradicts_itself_is_refused(runtime, bundle, seccomp, text):
    bundle.linux["seccomp"] = seccomp
    out = runtime.run(bundle)
    assert out.returncode == 1 and "$.linux.seccomp" in out.stderr and text in out.stderr


def test_a_path_of_a_listener_nobody_needs_is_ignored(runtime, bundle, short_dir):
    bundle.linux["seccomp"] = dict(profile("SCMP_ACT_LOG", "mkdir"), listenerPath=str(short_dir / "none"))
    assert runtime.run(bundle).returncode == 0


def test_killing_ends_the_process(runtime, bundle):
    bundle.linux["seccomp"] = profile("SCMP_ACT_KILL_PROCESS", "mkdir", "mkdirat")
    assert runtime.run(bundle.args("mkdir", "/dev/shm/x")).returncode == 128 + 31


def test_names_nobody_knows_are_left_out(runtime, bundle):
    bundle.linux["seccomp"] = profile("SCMP_ACT_ERRNO", "call_of_the_future")
    assert runtime.run(bundle).returncode == 0


def test_exec_has_the_same_filter(runtime, bundle):
    bundle.linux["seccomp"] = profile("SCMP_ACT_ERRNO", "mkdir", "mkdirat", errnoRet=5)
    name = runtime.start_detached(bundle.args("sleep", "60"))
    assert "Input/output error" in runtime("exec", name, "mkdir", "/dev/shm/x").stderr


class Agent(threading.Thread):
    """Takes the notify descriptors that come and answers each call with the errno 87 (EUSERS)."""

    NOTIF, ANSWER = "=QIIiIQ6Q", "=QqiI"

    def __init__(self, path):
        super().__init__(daemon=True)
        self.states, self.calls = [], []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen(8)

    def run(self):
        while True:
            try:
                peer = self.socket.accept()[0]
            except OSError:
                return
            text, fds, _, _ = socket.recv_fds(peer, 1 << 16, 1)
            self.states.append(json.loads(text))
            threading.Thread(target=self.answer, args=(fds[0],), daemon=True).start()

    def answer(self, fd):
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        while any(events & select.POLLIN for _, events in poll.poll(20000)):
            notif = bytearray(struct.calcsize(self.NOTIF))
            try:
                fcntl.ioctl(fd, 0xC0502100, notif)
                self.calls.append(struct.unpack(self.NOTIF, notif)[3])
                fcntl.ioctl(fd, 0xC0182101, struct.pack(self.ANSWER, struct.unpack_from("=Q", notif)[0], 0, -87, 0))
            except OSError as e:
                if e.errno != errno.ENOENT:
                    break
        os.close(fd)


@pytest.fixture
def agent(short_dir):
    a = Agent(short_dir / "agent")
    a.start()
    yield a
    a.socket.shutdown(socket.SHUT_RDWR)  # which ends the thread's accept, unlike close
    a.join(timeout=20)
    a.socket.close()


def notify(agent, *names):
    return dict(profile("SCMP_ACT_NOTIFY", *names), listenerPath=agent.socket.getsockname(),
                listenerMetadata="for the agent")


@pytest.mark.parametrize("nnp", [True, False])
@pytest.mark.parametrize("how", ["run", "create"])
def test_another_program_is_asked(runtime, bundle, agent, nnp, how):
    bundle.process["noNewPrivileges"] = nnp
    bundle.config["annotations"] = {"a": "b"}
    bundle.linux["seccomp"] = notify(agent, "mkdir", "mkdirat")
    bundle.shell("mkdir /dev/shm/x; sleep 60")
    name = runtime.start_detached(bundle) if how == "run" else runtime.create(bundle)
    if how == "create":
        runtime.ok("start", name)
    wait(lambda: "Too many users" in (bundle.path / "err").read_text(), "the agent's answer")
    pid = runtime.state(name)["pid"]
    state = agent.states[0]
    assert state["pid"] == pid and state["fds"] == ["seccompFd"]
    assert state["metadata"] == "for the agent"
    assert state["state"]["id"] == name and state["state"]["annotations"] == {"a": "b"}
    assert "Too many users" in runtime("exec", name, "mkdir", "/dev/shm/y").stderr
    assert agent.states[1]["pid"] != pid and agent.states[1]["state"]["pid"] == pid


def test_the_runtime_itself_may_be_asked_about(runtime, bundle, agent):
    """sendmsg is what the runtime passes the descriptor with."""
    bundle.linux["seccomp"] = notify(agent, "sendmsg", "write")
    assert "too many users" in runtime.run(bundle.args("echo", "x")).stderr.lower() or agent.calls


def test_no_agent_is_told(runtime, bundle, short_dir):
    bundle.linux["seccomp"] = dict(profile("SCMP_ACT_NOTIFY", "mkdir"), listenerPath=str(short_dir / "none"))
    out = runtime.run(bundle)
    assert out.returncode == 1 and "$.linux.seccomp.listenerPath" in out.stderr


def test_exec_reads_what_was_kept_for_it(runtime, bundle):
    """A long profile is kept compiled from the first exec on; every later one has the same, and so it has without the
    short cut."""
    names = [f"call_{i}" for i in range(40)] + ["mkdir", "mkdirat"]
    bundle.linux["seccomp"] = profile("SCMP_ACT_ERRNO", *names, errnoRet=5)
    name = runtime.start_detached(bundle.args("sleep", "60"))
    kept = [runtime.root / name / f for f in ("exec.json", "exec.filter")]
    for _ in range(2):
        for _ in range(2):
            assert "Input/output error" in runtime("exec", name, "mkdir", "/dev/shm/x").stderr
            assert runtime("exec", "--user", "7", name, "id", "-u").stdout == "7\n"
        assert "call_" not in kept[0].read_text()
        for path in kept:
            assert path.stat().st_mode & 0o777 == 0o600
            path.unlink()
