# SPDX-License-Identifier: Apache-2.0
"""podman with mailbox-run as its default runtime: the life of a container."""
import json
import os

import pytest

from enginelib import IMAGE, RUNTIME, group_value, passes_signals_on, wait

STATUS = "{{.State.Status}}"
CODE = "{{.State.ExitCode}}"
PATIENT = "trap 'echo term; exit 3' TERM; trap 'echo usr1' USR1; echo up; while :; do sleep 0.1; done"


def test_run_output_input_and_status(podman):
    assert podman.ok("run", "--rm", IMAGE, "echo", "hello") == "hello\n"
    result = podman("run", "--rm", "-i", IMAGE, "sh", "-c", "cat; echo err >&2; exit 7", input="in")
    assert (result.stdout, result.stderr, result.returncode) == ("in", "err\n", 7)
    assert podman.ok("--runtime", RUNTIME, "run", "--rm", IMAGE, "echo", "by path") == "by path\n"


def test_user_environment_and_directory(podman):
    out = podman.ok("run", "--rm", "-u", "12:34", "--group-add", "56", "-e", "A=b", "-w", "/tmp", IMAGE,
                    "sh", "-c", "id -u; id -g; id -G; echo $A; pwd")
    assert out == "12\n34\n34 56\nb\n/tmp\n"
    assert podman.ok("run", "--rm", "-u", "mail", "--umask", "0027", IMAGE, "sh", "-c", "id -un; umask") == "mail\n0027\n"


def test_detached_exec_logs_kill_and_stop(podman):
    name = podman.detached(IMAGE, "sh", "-c", PATIENT)
    podman.logged(name, "up")
    assert name[:12] in podman.ok("ps", "-q")
    podman.ok("kill", "-s", "USR1", name)
    podman.logged(name, "usr1")
    assert podman.ok("exec", name, "sh", "-c", "echo in") == "in\n"
    assert podman("exec", name, "sh", "-c", "exit 9").returncode == 9
    out = podman.ok("exec", "-u", "mail", "-w", "/tmp", "-e", "VAR=val", name, "sh", "-c", "id -u; id -G; pwd; echo $VAR")
    assert out == "8\n12 77\n/tmp\nval\n"
    assert podman.ok("exec", "-i", name, "cat", input="through") == "through"
    assert "CapEff:\t0000000000000000" in podman.ok("exec", "-u", "5", name, "grep", "CapEff", "/proc/self/status")
    full = podman.ok("exec", "--privileged", name, "grep", "CapEff", "/proc/self/status").split()[1]
    assert int(full, 16) & 1 << 21, "no CAP_SYS_ADMIN"
    podman.ok("stop", "-t", "10", name)
    assert podman.inspect(name, f"{STATUS} {CODE}") == "exited 3"
    podman.ok("rm", name)


def test_exec_in_the_background(podman):
    name = podman.detached(IMAGE, "sleep", "60")
    podman.ok("exec", "-d", name, "sh", "-c", "echo done > /tmp/made; exec sleep 50")
    wait(lambda: podman("exec", name, "cat", "/tmp/made").stdout == "done\n", "the background")
    assert "sleep 50" in podman.ok("top", name, "args")
    podman.remove(name)


def test_create_start_wait_and_restart(podman):
    name = podman.ok("create", IMAGE, "sh", "-c", "echo again; sleep 0.3; exit 5").strip()
    assert podman.inspect(name, STATUS) == "created"
    podman.ok("start", name)
    assert podman.ok("wait", name) == "5\n"
    podman.ok("restart", name)
    assert podman.ok("wait", name) == "5\n"
    assert podman.ok("logs", name) == "again\nagain\n"
    result = podman("start", "-a", name)
    assert (result.stdout, result.returncode) == ("again\n", 5)
    podman.ok("rm", name)


def test_pause_kills_nothing_and_unpause_goes_on(podman):
    name = podman.detached(IMAGE, "sleep", "60")
    podman.ok("pause", name)
    assert podman.inspect(name, STATUS) == "paused"
    assert podman("exec", name, "true").returncode != 0
    podman.ok("unpause", name)
    assert podman.inspect(name, STATUS) == "running"
    podman.ok("exec", name, "true")
    podman.ok("pause", name)
    podman.remove(name)


def test_stats_top_and_update(podman):
    name = podman.detached("--memory", "64m", "--pids-limit", "50", IMAGE, "sleep", "60")
    stats = json.loads(podman.ok("stats", "--no-stream", "--format", "json", name))
    assert "67.11MB" in stats[0]["mem_usage"] and stats[0]["pids"] == "1"
    assert "sleep 60" in podman.ok("top", name, "pid", "user", "args")
    podman.ok("update", "--memory", "96m", "--cpus", "0.5", name)
    assert group_value(name, "memory.limit_in_bytes", "memory.max") == str(96 << 20)
    podman.remove(name)


def test_a_terminal(podman):
    with podman.terminal("run", "--rm", "-it", IMAGE, "sh", "-c", "tty; read x; echo got:$x; exit 6") as t:
        t.reads("/dev/pts/")
        t.type("word\r")
        t.reads("got:word")
        assert t.status() == 6


def test_the_size_of_a_terminal_follows(podman):
    name = podman.detached("-t", IMAGE, "sleep", "60")
    script = "trap 'stty size' WINCH; stty size; while :; do sleep 0.1; done"
    with podman.terminal("exec", "-it", name, "sh", "-c", script) as t:
        t.reads("24 80")
        t.resize(31, 97)
        t.reads("31 97")
        t.type("\x03")
        assert t.status() == 130
    podman.remove(name)


def test_attach_and_detach_keys(podman):
    name = podman.detached("-it", IMAGE, "sh")
    with podman.terminal("attach", "--detach-keys", "ctrl-a,d", name) as t:
        t.type("echo $((40+2))\r")
        t.reads("42")
        t.keys("\x01d")
        assert t.status() == 0
    assert podman.inspect(name, STATUS) == "running"
    with podman.terminal("attach", name) as t:
        t.type("exit 4\r")
        t.status()
    podman.becomes(name, CODE, "4")
    podman.remove(name)


def test_signals_go_through_the_client(podman):
    assert passes_signals_on(podman, PATIENT) == 3


def test_copies_and_differences(podman, tmp_path):
    (tmp_path / "file").write_text("copied\n")
    name = podman.detached(IMAGE, "sleep", "60")
    podman.ok("cp", tmp_path / "file", f"{name}:/tmp/file")
    assert podman.ok("exec", name, "cat", "/tmp/file") == "copied\n"
    podman.ok("exec", name, "sh", "-c", "echo back > /tmp/back")
    podman.ok("cp", f"{name}:/tmp/back", tmp_path / "back")
    assert (tmp_path / "back").read_text() == "back\n"
    assert "A /tmp/back" in podman.ok("diff", name)
    podman.remove(name)


def test_a_restart_policy(podman):
    name = podman.detached("--restart", "on-failure:3", IMAGE, "sh", "-c", "exit 1")
    podman.becomes(name, "{{.RestartCount}} {{.State.Status}}", "3 exited")
    podman.ok("rm", name)


def test_health_checks(podman):
    name = podman.detached("--health-cmd", "test -e /tmp/well", "--health-interval", "disable", "--health-retries", "1",
                           IMAGE, "sleep", "60")
    assert podman("healthcheck", "run", name).returncode == 1
    podman.ok("exec", name, "touch", "/tmp/well")
    podman.ok("healthcheck", "run", name)
    assert podman.inspect(name, "{{.State.Health.Status}}") == "healthy"
    podman.remove(name)


def test_too_little_memory_ends_it(podman):
    """That conmon also tells podman so (OOMKilled) it does on cgroup v2 alone; docker's test looks at that."""
    name = podman.detached("--memory", "16m", "--memory-swap", "16m", IMAGE, "tail", "/dev/zero")
    assert podman.ok("wait", name) == "137\n"
    podman.ok("rm", name)


def test_an_init_reaps(podman, init_path):
    if not init_path:
        pytest.skip("no init for containers is installed")
    name = podman.detached("--init", IMAGE, "sh", "-c", "sleep 0.1 & exec sleep 60")
    assert "init" in podman.ok("exec", name, "cat", "/proc/1/cmdline")
    podman.ok("stop", "-t", "10", name)
    assert podman.inspect(name, CODE) == "143"
    podman.ok("rm", name)


def test_checkpoint_and_restore(podman):
    name = podman.detached(IMAGE, "sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done")
    podman.logged(name, "2\n")
    result = podman("container", "checkpoint", name)
    if result.returncode != 0:
        podman.remove(name)
        pytest.skip(f"no checkpoint here: {result.stderr.strip()[-200:]}")
    assert podman.inspect(name, STATUS) == "exited"
    podman.ok("container", "restore", name)
    before = podman.ok("logs", name).split()
    podman.logged(name, f"\n{int(before[-1]) + 1}\n")
    podman.remove(name)


def test_the_caller_s_groups_are_kept(podman):
    before = os.getgroups()
    os.setgroups([3001, 3002])
    try:
        out = podman("run", "--rm", "-u", "12:34", "--group-add", "keep-groups", IMAGE, "grep", "Groups:", "/proc/self/status")
    finally:
        os.setgroups(before)
    if "keep-groups" in out.stderr:
        pytest.skip(out.stderr.strip())  # by some versions only for a runtime of a certain name
    assert out.returncode == 0, out.stderr
    assert out.stdout.split()[1:] == ["3001", "3002"]


def test_a_build_runs_its_steps(podman):
    (podman.base / "Containerfile").write_text(f"FROM {IMAGE}\nRUN echo built > /made\nCMD cat /made\n")
    podman.ok("build", "-t", "localhost/made:test", "--isolation", "oci", "--runtime", RUNTIME, "--network", "none", podman.base)
    assert podman.ok("run", "--rm", "localhost/made:test") == "built\n"
