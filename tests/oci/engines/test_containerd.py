# SPDX-License-Identifier: Apache-2.0
"""ctr run --runc-binary mailbox-run, on a containerd of the test's own."""
import shutil
import subprocess
import tarfile
import uuid

import pytest

from enginelib import (
    RUNTIME, Engine, end_shims, groups, home, need_program, need_root, remove_groups, stop, wait
)


@pytest.fixture(scope="module")
def ctr(root_tar):
    need_root()
    need_program("containerd")
    need_program("ctr")
    base = home()
    before = groups("default")
    (base / "config.toml").write_text(
        f'version = 2\nroot = "{base}/data"\nstate = "{base}/state"\n'
        f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        f'[grpc]\naddress = "{base}/sock"\n'
    )
    log = open(base / "log", "wb")
    daemon = subprocess.Popen(
        ["containerd", "--config", base / "config.toml"],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
    )
    engine = Engine(["ctr", "--address", base / "sock"])
    engine.root = base / "root"
    engine.root.mkdir()
    with tarfile.open(root_tar) as tar:
        tar.extractall(engine.root)
    try:
        try:
            wait(lambda: daemon.poll() is None and engine("version").returncode == 0,
                 "containerd", 40)
        except AssertionError:
            pytest.skip("containerd does not start here: " + (base / "log").read_text()[-300:])
        yield engine
        for name in engine("containers", "ls", "-q").stdout.split():
            engine("tasks", "kill", "-s", "9", name)
            engine("tasks", "delete", "-f", name)
            engine("containers", "rm", name)
    finally:
        stop(daemon)
        end_shims(base)
        log.close()
        shutil.rmtree(base, ignore_errors=True)
        remove_groups("default", before)


def new_id():
    return f"c{uuid.uuid4().hex[:12]}"


def test_run_output_and_status(ctr):
    args = ("run", "--rm", "--runc-binary", RUNTIME, "--rootfs", ctr.root)
    assert ctr.ok(*args, new_id(), "/bin/echo", "hello") == "hello\n"
    assert ctr(*args, new_id(), "/bin/sh", "-c", "exit 7").returncode == 7


def test_detached_exec_pause_and_kill(ctr):
    name = new_id()
    ctr.ok("run", "-d", "--runc-binary", RUNTIME, "--rootfs", ctr.root, name, "/bin/sleep", "60")
    assert "RUNNING" in ctr.ok("tasks", "ls")
    assert ctr.ok("tasks", "exec", "--exec-id", "e1", name, "/bin/echo", "in") == "in\n"
    ctr.ok("tasks", "pause", name)
    assert "PAUSED" in ctr.ok("tasks", "ls")
    ctr.ok("tasks", "resume", name)
    ctr.ok("tasks", "kill", "-s", "9", name)
    wait(lambda: "STOPPED" in ctr.ok("tasks", "ls"), "the end")
    ctr.ok("tasks", "delete", name)
    ctr.ok("containers", "rm", name)
