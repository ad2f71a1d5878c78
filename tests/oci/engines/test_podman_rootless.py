# SPDX-License-Identifier: Apache-2.0
"""
podman of an ordinary user with our runtime beneath: with subordinate ids (newuidmap) and with the one id alone.

The user is made for the test: in the session's mount namespace the account, /etc/subuid and /etc/subgid are files of the
test, and everybody may open /dev/net/tun there, as is usual.
"""
import os
import shutil
import subprocess

import pytest

from enginelib import IMAGE, RUNTIME, Engine, Session, answers_on_a_terminal, need_program

USER = 60000 + os.getpid() % 5000
NAME = f"mr{USER}"
SUBORDINATE = 2000000000
CONTAINERS_CONF = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
netns = "none"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
SETUP = """
for f in passwd group subuid subgid; do mount --bind {base}/$f /etc/$f || exit 1; done
[ -d /dev/net ] || modprobe tun
mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 && : < /dev/net/tun || echo no tun
"""


def account(base, ids):
    """The files that make the user one."""
    line = f"{NAME}:{SUBORDINATE}:65536\n" if ids == "many" else ""
    for name, more in (("passwd", f"{NAME}:x:{USER}:{USER}::{base}/home:/bin/sh\n"), ("group", f"{NAME}:x:{USER}:\n")):
        with open(f"/etc/{name}", encoding="utf-8") as f:
            (base / name).write_text(f.read() + more)
    for name in ("subuid", "subgid"):
        (base / name).write_text(line)


def configure(base, root_tar):
    (base / "containers.conf").write_text(CONTAINERS_CONF)
    (base / "storage.conf").write_text(f'[storage]\ndriver = "vfs"\nrunroot = "{base}/run/c"\ngraphroot = "{base}/home/s"\n')
    shutil.copy(RUNTIME, base / "runtime")
    shutil.copy(root_tar, base / "root.tar")
    for name in ("home", "run"):
        (base / name).mkdir(mode=0o700)
        os.chown(base / name, USER, USER)
    base.chmod(0o755)


@pytest.fixture(scope="module", params=["many", "one"])
def podman(request, root_tar):
    for name in ("podman", "setpriv", "newuidmap"):
        need_program(name)
    with Session() as session:
        base = session.base
        account(base, request.param)
        configure(base, root_tar)
        set_up = subprocess.run([*session.enter, "sh", "-c", SETUP.format(base=base)], capture_output=True, text=True, timeout=20,
                                check=False)
        assert set_up.returncode == 0, set_up.stderr
        engine = Engine(session, [
            "setpriv", "--reuid", USER, "--regid", USER, "--clear-groups", "env", "-i", "-C", "/", f"HOME={base}/home",
            f"PATH={os.environ['PATH']}", f"XDG_RUNTIME_DIR={base}/run", f"CONTAINERS_CONF={base}/containers.conf",
            f"CONTAINERS_STORAGE_CONF={base}/storage.conf", f"TMPDIR={base}/home", "podman", "--runtime", base / "runtime"])
        engine.ids, engine.tun = request.param, "no tun" not in set_up.stdout
        result = engine("import", base / "root.tar", IMAGE)
        if result.returncode != 0:
            pytest.skip(f"podman does not work here for an ordinary user: {result.stderr.strip()[-300:]}")
        yield engine
        engine("rm", "--all", "--force", "--time", "0")
        assert not [p for p in (base / "run/mailbox-run").glob("*") if p.name[0] != "."], "state is left"


def test_run_output_status_and_ids(podman):
    out = podman.ok("run", "--rm", IMAGE, "sh", "-c", "id -u; cat /proc/self/uid_map").split()
    assert out[:4] == ["0", "0", str(USER), "1"]
    assert out[4:] == (["1", str(SUBORDINATE), "65536"] if podman.ids == "many" else [])
    assert podman("run", "--rm", IMAGE, "sh", "-c", "exit 7").returncode == 7


def test_another_user_needs_more_than_one_id(podman):
    if podman.ids == "many":
        assert podman.ok("run", "--rm", "--user", "7:8", IMAGE, "id", "-u") == "7\n"
    else:
        podman.fails(126, "become 7:8: ", "run", "--rm", "--user", "7:8", IMAGE, "id", "-u")


def test_detached_exec_logs_stop_and_rm(podman):
    name = podman.detached(IMAGE, "sh", "-c", "trap 'exit 3' TERM; echo up; while :; do sleep 0.1; done")
    podman.logged(name, "up")
    assert podman.ok("exec", name, "echo", "in") == "in\n"
    assert podman("exec", name, "sh", "-c", "exit 9").returncode == 9
    assert name[:12] in podman.ok("ps", "-q")
    podman.ok("stop", "-t", "10", name)
    assert podman.inspect(name, "{{.State.Status}} {{.State.ExitCode}}") == "exited 3"
    podman.ok("start", name)
    podman.ok("kill", name)
    podman.ok("rm", "-f", name)


def test_a_pod(podman):
    podman.ok("pod", "create", "--infra=false", "--name", "p1")
    podman.detached("--pod", "p1", IMAGE, "sleep", "60")
    assert podman.ok("run", "--rm", "--pod", "p1", IMAGE, "echo", "in") == "in\n"
    podman.ok("pod", "rm", "-f", "-t", "0", "p1")


def test_devices_are_bound_and_file_systems_there(podman):
    out = podman.ok("run", "--rm", "--read-only", "--tmpfs", "/scratch", "--device", "/dev/null:/dev/mynull", IMAGE, "sh", "-c",
              "echo x > /dev/null && stat -c '%t:%T' /dev/mynull; touch /scratch/x && echo written; touch /x || echo read-only; "
              "mount | grep -c -E 'mqueue|sysfs'; cat /proc/sys/net/ipv4/ping_group_range")
    assert out.split()[:4] == ["1:3", "written", "read-only", "2"]


def test_a_terminal(podman):
    assert answers_on_a_terminal(podman) == 6


def test_networks(podman):
    assert podman.ok("run", "--rm", "--network", "host", IMAGE, "ip", "-o", "link").count("\n") == 1
    if not podman.tun or not shutil.which("slirp4netns"):
        pytest.skip("no tun device or no slirp4netns")
    out = podman.ok("run", "--rm", "--network", "slirp4netns", IMAGE, "sh", "-c",  # which podman does not wait for
                    "n=0; until ip -o -4 addr show tap0 || [ $n -gt 100 ]; do sleep 0.1; n=$((n + 1)); done 2>/dev/null")
    assert " 10.0.2.100/24 " in out


def test_the_cgroup_namespace_and_privileged(podman):
    assert "::/" in podman.ok("run", "--rm", "--cgroupns", "private", IMAGE, "sh", "-c", "cat /proc/self/cgroup; sleep 0.3")
    podman.ok("run", "--rm", "--privileged", IMAGE, "true")
