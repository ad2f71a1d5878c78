# SPDX-License-Identifier: Apache-2.0
"""docker with mailbox-run as its default runtime, on a dockerd of the test's own: the life of a container."""
import json

import pytest

from enginelib import IMAGE, group_value, passes_signals_on, wait

STATUS = "{{.State.Status}}"
CODE = "{{.State.ExitCode}}"
PATIENT = "trap 'echo term; exit 3' TERM; trap 'echo usr1' USR1; echo up; while :; do sleep 0.1; done"


def test_run_output_input_and_status(docker):
    assert docker.ok("run", "--rm", IMAGE, "echo", "hello") == "hello\n"
    result = docker("run", "--rm", "-i", "--runtime", "mailbox-run", IMAGE, "sh", "-c", "cat; echo err >&2; exit 7", input="in")
    assert (result.stdout, result.stderr, result.returncode) == ("in", "err\n", 7)
    assert "mailbox-run" in docker.ok("info", "-f", "{{.DefaultRuntime}}")


def test_user_environment_and_directory(docker):
    out = docker.ok("run", "--rm", "-u", "12:34", "--group-add", "56", "-e", "A=b", "-w", "/tmp", IMAGE,
                    "sh", "-c", "id -u; id -g; id -G; echo $A; pwd")
    assert out == "12\n34\n34 56\nb\n/tmp\n"


def test_detached_exec_logs_kill_and_stop(docker):
    name = docker.detached(IMAGE, "sh", "-c", PATIENT)
    docker.logged(name, "up")
    docker.ok("kill", "-s", "USR1", name)
    docker.logged(name, "usr1")
    assert docker.ok("exec", name, "echo", "in") == "in\n"
    assert docker("exec", name, "sh", "-c", "exit 9").returncode == 9
    out = docker.ok("exec", "-u", "mail", "-w", "/tmp", "-e", "VAR=val", name, "sh", "-c", "id -u; id -G; pwd; echo $VAR")
    assert out == "8\n12 77\n/tmp\nval\n"
    assert docker.ok("exec", "-i", name, "cat", input="through") == "through"
    assert "CapEff:\t0000000000000000" in docker.ok("exec", "-u", "5", name, "grep", "CapEff", "/proc/self/status")
    full = docker.ok("exec", "--privileged", name, "grep", "CapEff", "/proc/self/status").split()[1]
    assert int(full, 16) & 1 << 21, "no CAP_SYS_ADMIN"
    docker.ok("exec", "-d", name, "sh", "-c", "echo done > /tmp/made")
    wait(lambda: docker("exec", name, "cat", "/tmp/made").stdout == "done\n", "the background")
    docker.ok("stop", "-t", "10", name)
    assert docker.inspect(name, f"{STATUS} {CODE}") == "exited 3"
    docker.ok("rm", name)


def test_create_start_wait_and_restart(docker):
    name = docker.ok("create", IMAGE, "sh", "-c", "echo again; sleep 0.3; exit 5").strip()
    assert docker.inspect(name, STATUS) == "created"
    docker.ok("start", name)
    assert docker.ok("wait", name) == "5\n"
    docker.ok("restart", name)
    assert docker.ok("wait", name) == "5\n"
    assert docker.ok("logs", name) == "again\nagain\n"
    result = docker("start", "-a", name)
    assert (result.stdout, result.returncode) == ("again\n", 5)
    docker.ok("rm", name)


def test_pause_update_stats_and_top(docker):
    name = docker.detached("--memory", "64m", "--pids-limit", "50", IMAGE, "sleep", "60")
    docker.ok("pause", name)
    assert docker.inspect(name, STATUS) == "paused"
    assert docker("exec", name, "true").returncode != 0
    docker.ok("unpause", name)
    docker.ok("exec", name, "true")
    docker.ok("update", "--memory", "96m", "--memory-swap", "192m", "--pids-limit", "60", "--cpus", "0.5", name)
    assert group_value(name, "memory.limit_in_bytes", "memory.max") == str(96 << 20)
    assert group_value(name, "pids.max", "pids.max") == "60"
    stats = json.loads(docker.ok("stats", "--no-stream", "--format", "{{json .}}", name))
    assert "96MiB" in stats["MemUsage"] and stats["PIDs"] == "1"
    assert "sleep 60" in docker.ok("top", name, "-o", "pid,args")
    docker.ok("pause", name)
    docker.remove(name)


def test_the_size_of_a_terminal_follows(docker):
    name = docker.detached("-t", IMAGE, "sleep", "60")
    script = "trap 'stty size' WINCH; tty; stty size; while :; do sleep 0.1; done"
    with docker.terminal("exec", "-it", name, "sh", "-c", script) as t:
        t.reads("24 80")
        t.resize(31, 97)
        t.reads("31 97")
        t.type("\x03")
        assert t.status() == 130
    docker.remove(name)


def test_attach_and_detach_keys(docker):
    name = docker.detached("-it", IMAGE, "sh")
    with docker.terminal("attach", "--detach-keys", "ctrl-a,d", name) as t:
        t.type("echo $((40+2))\r")
        t.reads("42")
        t.keys("\x01d")
        t.status()
    assert docker.inspect(name, STATUS) == "running"
    with docker.terminal("attach", name) as t:
        t.type("exit 4\r")
        assert t.status() == 4
    docker.remove(name)


def test_signals_go_through_the_client(docker):
    assert passes_signals_on(docker, PATIENT) == 3


def test_copies_and_differences(docker, tmp_path):
    (tmp_path / "file").write_text("copied\n")
    name = docker.detached(IMAGE, "sleep", "60")
    docker.ok("cp", tmp_path / "file", f"{name}:/tmp/file")
    assert docker.ok("exec", name, "cat", "/tmp/file") == "copied\n"
    docker.ok("exec", name, "sh", "-c", "echo back > /tmp/back")
    docker.ok("cp", f"{name}:/tmp/back", tmp_path / "back")
    assert (tmp_path / "back").read_text() == "back\n"
    assert "A /tmp/back" in docker.ok("diff", name)
    docker.remove(name)


def test_restart_policies(docker):
    name = docker.detached("--restart", "on-failure:2", IMAGE, "sh", "-c", "exit 1")
    always = docker.detached("--restart", "always", IMAGE, "sh", "-c", "test -e /tmp/x && exec sleep 60; touch /tmp/x")
    docker.becomes(name, "{{.RestartCount}} {{.State.Status}}", "2 exited", 60)
    docker.becomes(always, "{{.RestartCount}} {{.State.Status}}", "1 running", 60)
    docker.ok("rm", name)
    docker.remove(always)


def test_health_checks(docker):
    name = docker.detached("--health-cmd", "test -e /tmp/well", "--health-interval", "300ms", "--health-retries", "1", IMAGE,
                           "sleep", "60")
    docker.becomes(name, "{{.State.Health.Status}}", "unhealthy", 60)
    docker.ok("exec", name, "touch", "/tmp/well")
    docker.becomes(name, "{{.State.Health.Status}}", "healthy", 60)
    docker.remove(name)


def test_an_end_by_lack_of_memory_is_told(docker):
    name = docker.detached("--memory", "16m", "--memory-swap", "16m", IMAGE, "tail", "/dev/zero")
    assert docker.ok("wait", name) == "137\n"
    docker.becomes(name, "{{.State.OOMKilled}}", "true")
    docker.ok("rm", name)


def test_an_init_reaps(docker, init_path):
    if not init_path:
        pytest.skip("no init for containers is installed")
    name = docker.detached("--init", IMAGE, "sh", "-c", "sleep 0.1 & exec sleep 60")
    assert "init" in docker.ok("exec", name, "cat", "/proc/1/cmdline")
    docker.ok("stop", "-t", "10", name)
    assert docker.inspect(name, CODE) == "143"
    docker.ok("rm", name)


def test_a_build_runs_its_steps(docker, tmp_path):
    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE}\nRUN echo built > /made\nCMD cat /made\n")
    docker.ok("build", "-t", "localhost/made:test", tmp_path, environment={"DOCKER_BUILDKIT": "0"})
    assert docker.ok("run", "--rm", "localhost/made:test") == "built\n"



def test_a_published_port(docker):
    name = docker.detached("-p", "8123:80", IMAGE, "sh", "-c", "echo served > /tmp/x; exec httpd -f -p 80 -h /tmp")
    wait(lambda: docker("exec", name, "wget", "-qO-", "http://127.0.0.1/x").stdout == "served\n", "the server")
    address = docker.inspect(name, "{{.NetworkSettings.IPAddress}}")
    for where in (f"{address}:80", "127.0.0.1:8123"):
        assert docker.session("busybox", "wget", "-qO-", f"http://{where}/x") == "served\n"
    docker.remove(name)
