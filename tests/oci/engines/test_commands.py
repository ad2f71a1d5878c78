# SPDX-License-Identifier: Apache-2.0
"""The life of a container, from its start to its end, as podman and docker command it."""
import json

import pytest

from enginelib import IMAGE, RUNTIME, answers_on_a_terminal, group_value, passes_signals_on, wait

STATUS = "{{.State.Status}}"
CODE = "{{.State.ExitCode}}"
RESTARTS = "{{.RestartCount}} {{.State.Status}}"
PATIENT = "trap 'echo term; exit 3' TERM; trap 'echo usr1' USR1; echo up; while :; do sleep 0.1; done"


def test_run_output_input_and_status(engine):
    assert engine.ok("run", "--rm", IMAGE, "echo", "hello") == "hello\n"
    result = engine("run", "--rm", "-i", IMAGE, "sh", "-c", "cat; echo err >&2; exit 7", input="in")
    assert (result.stdout, result.stderr, result.returncode) == ("in", "err\n", 7)


def test_the_runtime_is_named(engine):
    words = engine.either(podman=("--runtime", RUNTIME, "run"), docker=("run", "--runtime", "mailbox-run"))
    assert engine.ok(*words, "--rm", IMAGE, "echo", "by name") == "by name\n"


def test_user_environment_and_directory(engine):
    out = engine.ok("run", "--rm", "-u", "12:34", "--group-add", "56", "-e", "A=b", "-w", "/tmp", IMAGE,
                    "sh", "-c", "id -u; id -g; id -G; echo $A; pwd")
    assert out == "12\n34\n34 56\nb\n/tmp\n"


def test_detached_exec_logs_kill_and_stop(engine):
    name = engine.detached(IMAGE, "sh", "-c", PATIENT)
    engine.logged(name, "up")
    assert name[:12] in engine.ok("ps", "-q")
    engine.ok("kill", "-s", "USR1", name)
    engine.logged(name, "usr1")
    assert engine.ok("exec", name, "echo", "in") == "in\n"
    assert engine("exec", name, "sh", "-c", "exit 9").returncode == 9
    out = engine.ok("exec", "-u", "mail", "-w", "/tmp", "-e", "VAR=val", name, "sh", "-c", "id -u; id -G; pwd; echo $VAR")
    assert out == "8\n12 77\n/tmp\nval\n"
    assert engine.ok("exec", "-i", name, "cat", input="through") == "through"
    engine.ok("stop", "-t", "10", name)
    assert engine.inspect(name, f"{STATUS} {CODE}") == "exited 3"
    engine.ok("rm", name)


def test_capabilities_of_an_exec(engine):
    name = engine.detached(IMAGE, "sleep", "60")
    assert "CapEff:\t0000000000000000" in engine.ok("exec", "-u", "5", name, "grep", "CapEff", "/proc/self/status")
    full = engine.ok("exec", "--privileged", name, "grep", "CapEff", "/proc/self/status").split()[1]
    assert int(full, 16) & 1 << 21, "no CAP_SYS_ADMIN"
    engine.remove(name)


def test_exec_in_the_background(engine):
    name = engine.detached(IMAGE, "sleep", "60")
    engine.ok("exec", "-d", name, "sh", "-c", "echo done > /tmp/made; exec sleep 50")
    wait(lambda: engine("exec", name, "cat", "/tmp/made").stdout == "done\n", "the background")
    listed = engine.ok("top", name, *engine.either(podman=("pid", "args"), docker=("-o", "pid,args")))
    assert "sleep 60" in listed and "sleep 50" in listed
    engine.remove(name)


def test_create_start_wait_and_restart(engine):
    name = engine.ok("create", IMAGE, "sh", "-c", "echo again; sleep 0.3; exit 5").strip()
    assert engine.inspect(name, STATUS) == "created"
    engine.ok("start", name)
    assert engine.ok("wait", name) == "5\n"
    engine.ok("restart", name)
    assert engine.ok("wait", name) == "5\n"
    assert engine.ok("logs", name) == "again\nagain\n"
    result = engine("start", "-a", name)
    assert (result.stdout, result.returncode) == ("again\n", 5)
    engine.ok("rm", name)


def test_pause_kills_nothing_and_unpause_goes_on(engine):
    name = engine.detached(IMAGE, "sleep", "60")
    engine.ok("pause", name)
    assert engine.inspect(name, STATUS) == "paused"
    assert engine("exec", name, "true").returncode != 0
    engine.ok("unpause", name)
    assert engine.inspect(name, STATUS) == "running"
    engine.ok("exec", name, "true")
    engine.ok("pause", name)
    engine.remove(name)


def test_stats_and_update(engine):
    name = engine.detached("--memory", "64m", "--memory-swap", "192m", "--pids-limit", "50", IMAGE, "sleep", "60")
    stats = engine.ok("stats", "--no-stream", "--format", engine.either(podman="json", docker="{{json .}}"), name)
    if engine.name == "podman":
        seen = json.loads(stats)[0]
        assert "67.11MB" in seen["mem_usage"] and seen["pids"] == "1"
    else:
        seen = json.loads(stats)
        assert "64MiB" in seen["MemUsage"] and seen["PIDs"] == "1"
    engine.ok("update", "--memory", "96m", "--cpus", "0.5", name)
    assert group_value(name, "memory.limit_in_bytes", "memory.max") == str(96 << 20)
    assert group_value(name, "cpu.cfs_quota_us", "cpu.max").split()[0] == "50000"
    engine.remove(name)


def test_a_terminal(engine):
    assert answers_on_a_terminal(engine) == 6


def test_the_size_of_a_terminal_follows(engine):
    name = engine.detached("-t", IMAGE, "sleep", "60")
    script = "trap 'stty size' WINCH; stty size; while :; do sleep 0.1; done"
    with engine.terminal("exec", "-it", name, "sh", "-c", script) as t:
        t.reads("24 80")
        t.resize(31, 97)
        t.reads("31 97")
        t.type("\x03")
        assert t.status() == 130
    engine.remove(name)


def test_attach_and_detach_keys(engine):
    name = engine.detached("-it", IMAGE, "sh")
    with engine.terminal("attach", "--detach-keys", "ctrl-a,d", name) as t:
        t.type("echo $((40+2))\r")
        t.reads("42")
        t.keys("\x01d")
        t.status()  # docker's is 1
    assert engine.inspect(name, STATUS) == "running"
    with engine.terminal("attach", name) as t:
        t.type("exit 4\r")
        t.status()  # podman's is 0, if the container is gone before it asks
    engine.becomes(name, CODE, "4")
    engine.remove(name)


def test_signals_go_through_the_client(engine):
    assert passes_signals_on(engine, PATIENT) == 3


def test_copies_and_differences(engine, tmp_path):
    (tmp_path / "file").write_text("copied\n")
    name = engine.detached(IMAGE, "sleep", "60")
    engine.ok("cp", tmp_path / "file", f"{name}:/tmp/file")
    assert engine.ok("exec", name, "cat", "/tmp/file") == "copied\n"
    engine.ok("exec", name, "sh", "-c", "echo back > /tmp/back")
    engine.ok("cp", f"{name}:/tmp/back", tmp_path / "back")
    assert (tmp_path / "back").read_text() == "back\n"
    assert "A /tmp/back" in engine.ok("diff", name)
    engine.remove(name)


def test_restart_policies(engine):
    name = engine.detached("--restart", "on-failure:2", IMAGE, "sh", "-c", "exit 1")
    always = engine.detached("--restart", "always", IMAGE, "sh", "-c", "test -e /tmp/x && exec sleep 60; touch /tmp/x")
    engine.becomes(name, RESTARTS, "2 exited", 60)
    engine.becomes(always, RESTARTS, "1 running", 60)
    engine.ok("rm", name)
    engine.remove(always)


def test_an_end_by_lack_of_memory_is_told(engine):
    """podman 4 looks for conmon's word in the container's directory, conmon before 2.1.13 puts it where podman was called."""
    name = engine.detached("--memory", "16m", "--memory-swap", "16m", IMAGE, "tail", "/dev/zero")
    assert engine.ok("wait", name) == "137\n"
    wait(lambda: engine.inspect(name, "{{.State.OOMKilled}}") == "true" or (engine.base / "oom").exists(), "the word", 30)
    engine.ok("rm", name)


def test_an_init_reaps(engine, init_path):
    if not init_path:
        pytest.skip("no init for containers is installed")
    name = engine.detached("--init", IMAGE, "sh", "-c", "sleep 0.1 & exec sleep 60")
    assert "init" in engine.ok("exec", name, "cat", "/proc/1/cmdline")
    engine.ok("stop", "-t", "10", name)
    assert engine.inspect(name, CODE) == "143"
    engine.ok("rm", name)


def test_a_build_runs_its_steps(engine, tmp_path):
    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE}\nRUN echo built > /made\nCMD cat /made\n")
    options = engine.either(podman=("--isolation", "oci", "--runtime", RUNTIME, "--network", "none"), docker=())
    engine.ok("build", "-t", "localhost/made:test", *options, tmp_path, environment={"DOCKER_BUILDKIT": "0"})
    assert engine.ok("run", "--rm", "localhost/made:test") == "built\n"


def test_a_published_port(engine):
    result = engine("run", "-d", "--network", engine.either(podman="podman", docker="bridge"), "-p", "8123:80", IMAGE, "sh", "-c",
                    "echo served > /tmp/x; exec httpd -f -p 80 -h /tmp")
    if result.returncode != 0:
        pytest.skip(f"no network for containers here: {result.stderr.strip()[-300:]}")
    name = result.stdout.strip()
    wait(lambda: engine("exec", name, "wget", "-qO-", "http://127.0.0.1/x").stdout == "served\n", "the server")
    network = engine.either(podman=".Networks.podman", docker="")
    address = engine.inspect(name, f"{{{{.NetworkSettings{network}.IPAddress}}}}")
    # Through the published port podman's is reached from other machines alone.
    for where in (f"{address}:80", *engine.either(podman=(), docker=("127.0.0.1:8123",))):
        assert engine.session("busybox", "wget", "-qO-", f"http://{where}/x") == "served\n"
    assert "8123" in engine.ok("port", name)
    engine.remove(name)
