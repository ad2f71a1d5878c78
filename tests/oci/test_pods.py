# SPDX-License-Identifier: Apache-2.0
"""Containers that share one's pid namespace: they are made outside of it, and what is promised of a container holds all the same."""
import copy
import json
import os
import pty
import subprocess

import pytest

from ocilib import Bundle, read_until


@pytest.fixture
def member(runtime, bundle, tmp_path):
    """A bundle whose container joins the pid namespace of another, which sleeps; member.first is that one's process."""
    name = runtime.start_detached(bundle.args("sleep", "600"))
    (tmp_path / "member").mkdir()
    second = Bundle(tmp_path / "member", copy.deepcopy(bundle.config)).args("true").namespaces("pid")
    second.first = runtime.state(name)["pid"]
    second.linux["namespaces"].append({"type": "pid", "path": f"/proc/{second.first}/ns/pid"})
    return second


def ns_pids(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(line for line in f if line.startswith("NSpid:")).split()[1:]


def test_it_sees_the_others_and_begins_a_session(runtime, member):
    out = runtime.run(member.shell("cat /proc/1/comm; cut -d' ' -f6 /proc/self/stat; cut -d' ' -f1,6 /proc/$$/stat; ls -d /proc/[0-9]* | wc -l"))
    first, session, own, count = out.stdout.splitlines()
    assert first == "sleep" and own.split() == [session, session] and session != "0"
    assert int(count) <= 5


@pytest.mark.parametrize("wait", [True, False])
def test_the_process_that_stays_is_the_one_that_is_told(runtime, member, tmp_path, wait):
    member.args("sleep", "500")
    file = tmp_path / "pid"
    name = runtime.create(member, "--pid-file", file) if wait else runtime.start_detached(member, "--pid-file", file)
    pid = runtime.state(name)["pid"]
    assert file.read_text() == str(pid) and len(ns_pids(pid)) == 2 and pid != member.first
    assert os.readlink(f"/proc/{pid}/ns/pid") == os.readlink(f"/proc/{member.first}/ns/pid")
    if wait:
        assert runtime.state(name)["status"] == "created"
        runtime.ok("start", name)
    assert runtime.state(name)["pid"] == pid
    with open(f"/proc/{pid}/cmdline", encoding="ascii") as f:
        assert f.read() == "sleep\x00500\x00"
    assert runtime.ok("ps", "--format", "json", name).strip() == f"[{pid}]"
    assert runtime.ok("exec", name, "cat", "/proc/1/comm") == "sleep\n"
    runtime.ok("delete", "--force", name)
    assert os.path.exists(f"/proc/{member.first}")


def test_what_its_maker_gives_is_inherited(runtime, member):
    member.process.update(oomScoreAdj=321, rlimits=[{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 99}])
    member.linux["resources"]["pids"] = {"limit": 20}
    out = runtime.run(member.shell("cat /proc/self/oom_score_adj; ulimit -n; cat /proc/self/cgroup; ls /proc/self/fd"))
    score, files, *rest = out.stdout.splitlines()
    assert (score, files) == ("321", "77") and out.returncode == 0
    assert rest[-4:] == ["0", "1", "2", "3"]  # the last is that of ls itself


@pytest.mark.parametrize("limit", [0, 1, 4])
@pytest.mark.parametrize("wait", [True, False])
def test_a_limit_of_processes_is_for_the_container_alone(runtime, member, limit, wait):
    """It is not what its making would have to keep to; but then it holds."""
    member.linux["resources"]["pids"] = {"limit": limit}
    member.args("sleep", "500")
    name = runtime.create(member) if wait else runtime.start_detached(member)
    pid = runtime.state(name)["pid"]
    assert len(ns_pids(pid)) == 2
    with open(f"/proc/{pid}/cgroup", encoding="ascii") as f:
        groups = dict(line.rstrip("\n").split(":", 2)[1:] for line in f)
    unified = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
    file = f"/sys/fs/cgroup{groups['']}/pids.max" if unified else f"/sys/fs/cgroup/pids{groups['pids']}/pids.max"
    with open(file, encoding="ascii") as f:
        assert int(f.read()) == max(limit, 1)
    if wait:
        runtime.ok("start", name)
    runtime.ok("delete", "--force", name)


@pytest.mark.parametrize("files", [True, False])
def test_hooks_of_the_container_are_in_it_and_told_its_process(runtime, member, tmp_path, files):
    """Who is in the pid namespace runs them, and knows itself as those in there do; what they print is the host's."""
    member.mount(destination="/log", type="bind", source=str(tmp_path), options=["bind"])
    said = '"$(cat); $(readlink /proc/self/ns/pid)"'
    member.config["hooks"] = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", f"echo {said} >/log/told; echo printed"]}]}
    if files:
        member.config["annotations"] = {"run.oci.hooks.stdout": str(tmp_path / "out")}
    out = runtime.run(member.shell("echo $$; ls /proc/self/fd | wc -l"))
    assert out.returncode == 0, out.stderr
    own, descriptors = out.stdout.split()
    told = (tmp_path / "told").read_text()
    assert f"pid:{own}," in told.replace('"', "") and f"; {os.readlink(f'/proc/{member.first}/ns/pid')}" in told
    assert descriptors == "4" and (not files or (tmp_path / "out").read_text() == "printed\n")


def test_what_poststop_prints_goes_to_its_file(runtime, member, tmp_path):
    """The files of the host are closed before the pid namespace is entered, and known to be: descriptors of the caller may be beyond."""
    member.config["hooks"] = {"poststop": [{"path": "/bin/echo", "args": ["echo", "stopped"]}]}
    member.config["annotations"] = {"run.oci.hooks.stdout": str(tmp_path / "out")}
    out = runtime.run(member, "--preserve-fds", "30")
    assert out.returncode == 0 and (tmp_path / "out").read_text() == "stopped\n", out.stderr


def test_descriptors_and_masks(runtime, member, tmp_path):
    (tmp_path / "given").write_text("given\n")
    fd = os.open(tmp_path / "given", os.O_RDONLY)
    try:
        out = runtime.run(member.shell("cat <&3; cat /proc/keys | wc -c; (echo x >/proc/sys/kernel/hostname); cat /proc/sys/kernel/hostname; hostname"),
                          "--preserve-fds", "1", close_fds=False, preexec_fn=lambda: os.dup2(fd, 3))  # 3 is not ours in this process
    finally:
        os.close(fd)
    given, masked, *names = out.stdout.splitlines()
    assert given == "given" and masked.split()[0] == "0" and names[0] == names[1] == member.config["hostname"]
    assert "Read-only" in out.stderr


def test_a_terminal(runtime, member):
    master, slave = pty.openpty()
    try:
        member.terminal(True).shell("tty; ps -o tty= -p $$ 2>/dev/null; echo end").save()
        with subprocess.Popen(runtime.command("run", "-b", member.path, runtime.new_id()), stdin=slave, stdout=slave, stderr=slave) as p:
            assert b"/dev/pts/0" in read_until(master, b"end")
            assert p.wait(20) == 0
    finally:
        os.close(master)
        os.close(slave)


def test_hooks_are_told_the_process_that_stays(runtime, member, tmp_path):
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ncat >{tmp_path}/told\n")
    hook.chmod(0o755)
    member.config["hooks"] = {"createRuntime": [{"path": str(hook)}]}
    name = runtime.start_detached(member.args("sleep", "500"))
    assert json.loads((tmp_path / "told").read_text())["pid"] == runtime.state(name)["pid"]


def test_a_failure_on_either_side_is_told(runtime, member):
    out = runtime.run(member.args("/no/such"))
    assert out.returncode == 1 and "/no/such" in out.stderr and len(out.stderr.splitlines()) == 1
    member.mount(destination="/proc", type="proc", source="proc", options=["hidepid=nonsense"])
    out = runtime.run(member.args("true"))
    assert out.returncode == 1 and "mount /proc (proc)" in out.stderr and len(out.stderr.splitlines()) == 1, out.stderr
