# SPDX-License-Identifier: Apache-2.0
"""podman --runtime mailbox-run: run, detached, exec, tty, logs, stop, kill, pause, limits, build."""
import json
import pty
import os
import shutil
import subprocess

import pytest

from enginelib import (
    IMAGE, RUNTIME, Engine, groups, home, need_program, read_until, remove_groups, wait
)

CONTAINERS_CONF = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
netns = "none"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


@pytest.fixture(scope="module")
def podman(root_tar):
    need_program("podman")
    base = home()
    before = groups("libpod_parent")
    (base / "containers.conf").write_text(CONTAINERS_CONF)
    (base / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\nrunroot = "{base}/run"\ngraphroot = "{base}/data"\n'
    )
    engine = Engine(
        ["podman", "--runtime", RUNTIME, "--tmpdir", base / "tmp"],
        {
            "CONTAINERS_CONF": str(base / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(base / "storage.conf"),
            "TMPDIR": str(base),
        },
    )
    result = engine("import", root_tar, IMAGE)
    if result.returncode != 0:
        pytest.skip(f"podman does not work here: {result.stderr.strip()}")
    yield engine
    engine("rm", "--all", "--force", "--time", "0")
    engine("rmi", "--all", "--force")
    subprocess.run(["umount", "-R", base / "data"], capture_output=True, check=False)
    shutil.rmtree(base, ignore_errors=True)
    remove_groups("libpod_parent", before)


def test_run_output_input_and_status(podman):
    assert podman.ok("run", "--rm", IMAGE, "echo", "hello") == "hello\n"
    result = podman("run", "--rm", "-i", IMAGE, "sh", "-c", "cat; exit 7", input="in", stdin=None)
    assert (result.stdout, result.returncode) == ("in", 7)
    assert podman("run", "--rm", IMAGE, "/no/such").returncode in (126, 127)


def test_user_environment_and_directory(podman):
    out = podman.ok("run", "--rm", "-u", "12:34", "-e", "A=b", "-w", "/tmp", IMAGE,
                    "sh", "-c", "id -u; id -g; echo $A; pwd")
    assert out == "12\n34\nb\n/tmp\n"


def test_detached_exec_logs_and_stop(podman):
    name = podman.ok("run", "-d", IMAGE, "sh", "-c",
                     "trap 'exit 3' TERM; echo up; while :; do sleep 0.1; done").strip()
    wait(lambda: podman.ok("logs", name) == "up\n", "the log")
    assert podman.ok("exec", name, "sh", "-c", "echo in; exit 0") == "in\n"
    assert podman("exec", name, "sh", "-c", "exit 9").returncode == 9
    assert podman.ok("exec", "-u", "5", name, "id", "-u") == "5\n"
    assert name[:12] in podman.ok("ps", "-q")
    podman.ok("stop", "-t", "10", name)
    assert podman.ok("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", name) == "exited 3\n"
    podman.ok("start", name)
    podman.ok("kill", name)
    podman.ok("rm", "-f", name)


def test_pause_and_unpause(podman):
    name = podman.ok("run", "-d", IMAGE, "sleep", "60").strip()
    podman.ok("pause", name)
    assert podman.ok("inspect", "-f", "{{.State.Status}}", name) == "paused\n"
    podman.ok("unpause", name)
    assert podman.ok("inspect", "-f", "{{.State.Status}}", name) == "running\n"
    podman.ok("rm", "-f", "-t", "0", name)


def test_limits(podman):
    name = podman.ok("run", "-d", "--memory", "64m", "--pids-limit", "50", IMAGE,
                     "sleep", "60").strip()
    stats = json.loads(podman.ok("stats", "--no-stream", "--format", "json", name))
    assert len(stats) == 1
    podman.ok("top", name)
    podman.ok("rm", "-f", "-t", "0", name)


def test_a_terminal(podman):
    master, slave = pty.openpty()
    with subprocess.Popen(
        [*podman.prefix, "run", "--rm", "-it", IMAGE, "sh", "-c", "tty; read x; echo got:$x"],
        stdin=slave, stdout=slave, stderr=slave, env=podman.environment, start_new_session=True,
    ) as process:
        os.close(slave)
        assert b"/dev/pts/" in read_until(master, b"/dev/pts/")
        os.write(master, b"word\r")
        assert b"got:word" in read_until(master, b"got:word")
        assert process.wait(60) == 0
    os.close(master)


def test_volume_tmpfs_readonly_and_hostname(podman, tmp_path):
    (tmp_path / "file").write_text("outside\n")
    out = podman.ok("run", "--rm", "--read-only", "--hostname", "box", "-v", f"{tmp_path}:/v:ro",
                    "--tmpfs", "/scratch", IMAGE, "sh", "-c",
                    "hostname; cat /v/file; touch /scratch/x && echo ok; touch /v/y 2>/dev/null || echo ro")
    assert out == "box\noutside\nok\nro\n"


def test_capabilities_and_privileged(podman):
    out = podman.ok("run", "--rm", "--cap-drop", "all", IMAGE, "grep", "CapBnd", "/proc/self/status")
    assert out.split()[1] == "0" * 16
    podman.ok("run", "--rm", "--privileged", IMAGE, "true")


def test_build_from_scratch(podman, tmp_path, root_tar):
    shutil.copy(root_tar, tmp_path / "root.tar")
    (tmp_path / "Containerfile").write_text(
        "FROM scratch\nADD root.tar /\nRUN echo built > /made\nCMD cat /made\n"
    )
    podman.ok("build", "-t", "localhost/made:test", "--isolation", "oci", "--runtime", RUNTIME,
              tmp_path)
    assert podman.ok("run", "--rm", "localhost/made:test") == "built\n"


def test_a_pod(podman):
    infra = podman("pod", "create", "--infra=false", "--name", "p1")
    assert infra.returncode == 0, infra.stderr
    podman.ok("run", "-d", "--pod", "p1", "--name", "p1a", IMAGE, "sleep", "60")
    assert podman.ok("run", "--rm", "--pod", "p1", IMAGE, "echo", "in") == "in\n"
    podman.ok("pod", "rm", "-f", "-t", "0", "p1")
