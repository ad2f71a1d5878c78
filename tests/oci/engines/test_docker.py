# SPDX-License-Identifier: Apache-2.0
"""docker run --runtime mailbox-run, on a dockerd of the test's own."""
import json
import shutil
import subprocess

import pytest

from enginelib import (
    IMAGE, RUNTIME, Engine, end_shims, groups, home, need_program, need_root, remove_groups, stop, wait
)


@pytest.fixture(scope="module")
def docker(root_tar):
    need_root()
    for name in ("dockerd", "docker", "containerd", "unshare"):
        need_program(name)
    base = home()
    before = groups("docker")
    socket = base / "docker.sock"
    (base / "daemon.json").write_text("{}")
    log = open(base / "log", "wb")
    daemon = subprocess.Popen(
        ["unshare", "--net", "dockerd", "--config-file", base / "daemon.json",
         "-H", f"unix://{socket}", "--data-root", base / "data", "--exec-root", base / "exec",
         "--pidfile", base / "pid", "--storage-driver", "vfs", "--bridge", "none",
         "--iptables=false", "--exec-opt", "native.cgroupdriver=cgroupfs",
         "--add-runtime", f"mine={RUNTIME}", "--default-runtime", "mine"],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
    )
    engine = Engine(["docker", "-H", f"unix://{socket}"], {"DOCKER_API_VERSION": "1.41"})
    try:
        try:
            wait(lambda: daemon.poll() is None and engine("version").returncode == 0, "dockerd", 40)
        except AssertionError:
            pytest.skip("dockerd does not start here: " + (base / "log").read_text()[-300:])
        engine.ok("import", root_tar, IMAGE)
        yield engine
        for name in engine("ps", "-aq").stdout.split():
            engine("rm", "-f", name)
    finally:
        stop(daemon)
        end_shims(base)
        log.close()
        shutil.rmtree(base, ignore_errors=True)
        remove_groups("docker", before)


def test_run_output_input_and_status(docker):
    assert docker.ok("run", "--rm", "--network", "none", IMAGE, "echo", "hello") == "hello\n"
    result = docker("run", "--rm", "-i", "--network", "none", IMAGE, "sh", "-c", "cat; exit 7",
                    input="in", stdin=None)
    assert (result.stdout, result.returncode) == ("in", 7)
    assert docker("run", "--rm", "--network", "none", IMAGE, "/no/such").returncode == 127


def test_detached_exec_logs_stop_and_restart(docker):
    name = docker.ok("run", "-d", "--network", "none", IMAGE, "sh", "-c",
                     "trap 'exit 3' TERM; echo up; while :; do sleep 0.1; done").strip()
    wait(lambda: docker.ok("logs", name) == "up\n", "the log")
    assert docker.ok("exec", name, "echo", "in") == "in\n"
    assert docker("exec", name, "sh", "-c", "exit 9").returncode == 9
    assert docker.ok("exec", "-u", "5", name, "id", "-u") == "5\n"
    docker.ok("restart", "-t", "5", name)
    assert docker.ok("inspect", "-f", "{{.State.Status}}", name) == "running\n"
    docker.ok("stop", "-t", "10", name)
    assert docker.ok("inspect", "-f", "{{.State.ExitCode}}", name) == "3\n"
    docker.ok("rm", name)


def test_pause_update_stats_and_top(docker):
    name = docker.ok("run", "-d", "--network", "none", "--memory", "64m", "--pids-limit", "50",
                     IMAGE, "sleep", "60").strip()
    docker.ok("pause", name)
    assert docker.ok("inspect", "-f", "{{.State.Status}}", name) == "paused\n"
    docker.ok("unpause", name)
    docker.ok("update", "--memory", "96m", "--memory-swap", "192m", name)
    stats = json.loads(docker.ok("stats", "--no-stream", "--format", "{{json .}}", name))
    assert "96MiB" in stats["MemUsage"]
    assert "sleep" in docker.ok("top", name)
    docker.ok("kill", name)
    docker.ok("rm", name)


def test_a_restart_policy(docker):
    name = docker.ok("run", "-d", "--network", "none", "--restart", "on-failure:2", IMAGE,
                     "sh", "-c", "exit 1").strip()
    wait(lambda: docker.ok("inspect", "-f", "{{.RestartCount}} {{.State.Status}}", name) ==
         "2 exited\n", "two restarts", 60)
    docker.ok("rm", name)


def test_health_checks(docker):
    name = docker.ok("run", "-d", "--network", "none", "--health-cmd", "true",
                     "--health-interval", "1s", IMAGE, "sleep", "60").strip()
    wait(lambda: docker.ok("inspect", "-f", "{{.State.Health.Status}}", name) == "healthy\n",
         "health", 60)
    docker.ok("rm", "-f", name)
