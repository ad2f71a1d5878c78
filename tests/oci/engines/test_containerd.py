# SPDX-License-Identifier: Apache-2.0
"""ctr run --runc-binary mailbox-run, on a containerd of the test's own."""
import shutil
import uuid

import pytest

from enginelib import RUNTIME, wait


class Ctr:
    """ctr's `run` with our runtime, and names of its own."""

    def __init__(self, engine):
        self.engine = engine

    def words(self, options, args):
        """The name of a new container, and what makes and starts it."""
        name = f"c{uuid.uuid4().hex[:12]}"
        return name, ("run", "--runc-binary", RUNTIME, *options, "--rootfs", self.engine.root, name, *args)

    def run(self, *args, options=()):
        name, words = self.words(options, args)
        return name, self.engine(*words)

    def terminal(self, *args, options=()):
        name, words = self.words(("-t", *options), args)
        return name, self.engine.terminal(*words)

    def detached(self, *args, options=()):
        name, result = self.run(*args, options=("-d", *options))
        assert result.returncode == 0, result.stderr
        return name

    def is_in(self, name, status):
        return any(line.split()[::2] == [name, status] for line in self.engine.ok("tasks", "ls").splitlines())

    def remove(self, name):
        self.engine.ok("tasks", "kill", "-s", "KILL", name)
        wait(lambda: self.is_in(name, "STOPPED"), "the end")
        self.engine.ok("tasks", "delete", name)
        self.engine.ok("containers", "rm", name)


@pytest.fixture
def task(ctr):
    return Ctr(ctr)


def test_run_output_input_and_status(task):
    assert task.run("/bin/echo", "hello", options=("--rm",))[1].stdout == "hello\n"
    _, result = task.run("/bin/sh", "-c", "echo err >&2; exit 7", options=("--rm",))
    assert (result.stderr, result.returncode) == ("err\n", 7)
    out = task.run("/bin/sh", "-c", "echo $A; pwd", options=("--rm", "--env", "A=b", "--cwd", "/tmp"))
    assert out[1].stdout == "b\n/tmp\n"


def test_detached_exec_ps_and_metrics(ctr, task):
    name = task.detached("/bin/sleep", "60", options=("--memory-limit", str(64 << 20)))
    assert task.is_in(name, "RUNNING")
    assert ctr.ok("tasks", "exec", "--exec-id", "e1", name, "/bin/echo", "in") == "in\n"
    assert ctr("tasks", "exec", "--exec-id", "e2", name, "/bin/sh", "-c", "exit 9").returncode == 9
    assert "bin" in ctr.ok("tasks", "exec", "--exec-id", "e3", "--user", "8", "--cwd", "/", name, "/bin/ls")
    assert len(ctr.ok("tasks", "ps", name).splitlines()) == 2
    assert str(64 << 20) in ctr.ok("tasks", "metrics", name)
    task.remove(name)


def test_pause_and_resume(ctr, task):
    name = task.detached("/bin/sleep", "60")
    ctr.ok("tasks", "pause", name)
    assert task.is_in(name, "PAUSED")
    ctr.ok("tasks", "resume", name)
    assert task.is_in(name, "RUNNING")
    ctr.ok("tasks", "exec", "--exec-id", "e1", name, "/bin/true")
    task.remove(name)


def test_kill_tells_the_status(ctr, task):
    name = task.detached("/bin/sh", "-c", "trap 'exit 3' TERM; touch /tmp/up; while :; do sleep 0.1; done")
    wait(lambda: (ctr.root / "tmp/up").exists(), "its trap")
    ctr.ok("tasks", "kill", "-s", "TERM", name)
    wait(lambda: task.is_in(name, "STOPPED"), "the end")
    assert "exit code 3" in ctr("tasks", "delete", name).stderr
    ctr.ok("containers", "rm", name)


def test_what_the_options_ask_for(ctr, task, tmp_path):
    (tmp_path / "file").write_text("outside\n")
    options = ("--rm", "--read-only", "--mount", f"type=bind,src={tmp_path},dst=/v,options=rbind:ro", "--seccomp")
    _, result = task.run("/bin/sh", "-c", "cat /v/file; touch /x /v/y 2>/dev/null || echo ro; grep Seccomp: /proc/self/status",
                         options=options)
    assert result.stdout.split() == ["outside", "ro", "Seccomp:", "2"], result.stderr
    _, result = task.run("/bin/sh", "-c", "ip link | wc -l; hostname", options=("--rm", "--net-host", "--privileged"))
    assert result.returncode == 0, result.stderr


def test_a_checkpoint(ctr, task):
    name = task.detached("/bin/sleep", "60")
    result = ctr("tasks", "checkpoint", name)
    task.remove(name)
    if result.returncode != 0:
        pytest.skip(f"no checkpoint here: {result.stderr.strip()[-300:]}")


def test_a_checkpoint_is_asked_for_of_a_container_that_is_paused(ctr, task):
    """In place of criu, which cannot work everywhere, a program that notes how it is called and what stands still."""
    criu, words, state = shutil.which("criu"), ctr.base / "words", ctr.base / "frozen"
    if criu is None:
        pytest.skip("criu is not installed, in whose place another program could be")
    fake = ctr.base / "criu"
    fake.write_text(f"""#!/bin/sh
printf '%s\\n' "$@" >{words}
while [ $# -gt 0 ]; do [ "$1" = --freeze-cgroup ] && cat "$2/freezer.state" "$2/cgroup.freeze" >{state} 2>/dev/null; shift; done
exit 0
""")
    fake.chmod(0o755)
    ctr.session("mount", "--bind", fake, criu)
    try:
        name = task.detached("/bin/sleep", "60")
        ctr("tasks", "checkpoint", name)  # which may miss files of criu
        said = words.read_text().split()
        assert said[0] == "dump" and "--leave-running" in said
        assert state.read_text().strip() in ("FROZEN", "1")
        assert task.is_in(name, "RUNNING")
        task.remove(name)
    finally:
        ctr.session("umount", criu)


def test_errors_are_told(ctr, task):
    for program, words in (("/no/such", "no such file or directory"), ("nosuch", "executable file not found in $PATH"),
                           ("/etc/plain", "permission denied")):
        name, result = task.run(program, options=("--rm",))
        assert result.returncode != 0 and words in result.stderr and program in result.stderr
        ctr("containers", "rm", name)
    name = task.detached("/bin/sleep", "60")
    result = ctr("tasks", "exec", "--exec-id", "e1", name, "nosuch")
    assert result.returncode != 0 and "executable file not found in $PATH" in result.stderr
    task.remove(name)
