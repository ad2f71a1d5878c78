# SPDX-License-Identifier: Apache-2.0
"""podman --cgroup-manager systemd with our runtime beneath, where systemd is process 1 (`make test-vm`)."""
import json
import pathlib
import shutil
import subprocess
import tempfile
import types

import pytest

from enginelib import IMAGE, RUNTIME, Engine, need_program, wait

TOP = pathlib.Path("/sys/fs/cgroup")
CONTAINERS_CONF = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
netns = "none"
[engine]
cgroup_manager = "systemd"
events_logger = "file"
"""


@pytest.fixture(scope="module")
def podman(root_tar):
    need_program("podman")
    if pathlib.Path("/proc/1/comm").read_text() != "systemd\n" or not (TOP / "cgroup.controllers").exists():
        pytest.skip("process 1 is not systemd with cgroup v2 alone")
    # No namespaces of its own: systemd is told process ids as they are here.
    host = types.SimpleNamespace(base=pathlib.Path(tempfile.mkdtemp(prefix="mr-", dir="/tmp")), enter=[])
    base = host.base
    (base / "containers.conf").write_text(CONTAINERS_CONF)
    (base / "storage.conf").write_text(f'[storage]\ndriver = "vfs"\nrunroot = "{base}/run"\ngraphroot = "{base}/data"\n')
    engine = Engine(host, ["podman", "--runtime", RUNTIME, "--tmpdir", base / "tmp"],
                    {"CONTAINERS_CONF": str(base / "containers.conf"), "CONTAINERS_STORAGE_CONF": str(base / "storage.conf"),
                     "TMPDIR": str(base)})
    result = engine("import", root_tar, IMAGE)
    if result.returncode != 0:
        pytest.skip(f"podman does not work here: {result.stderr.strip()}")
    yield engine
    engine("rm", "--all", "--force", "--time", "0")
    engine("pod", "rm", "--all", "--force")
    engine("rmi", "--all", "--force")
    subprocess.run(["umount", "-R", base / "data"], capture_output=True, check=False)
    shutil.rmtree(base, ignore_errors=True)


def unit_of(name, prefix="libpod-"):
    return f"{prefix}{name}.scope"


def show(unit):
    out = subprocess.run(["systemctl", "show", unit], capture_output=True, text=True, timeout=60, check=True).stdout
    return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)


def test_a_container_is_a_scope_of_the_machine_slice(podman):
    name = podman.ok("run", "-d", "--memory", "64m", "--cpus", "0.5", "--pids-limit", "40", IMAGE, "sleep", "600").strip()
    group = TOP / "machine.slice" / unit_of(name)
    pid = podman.ok("inspect", "-f", "{{.State.Pid}}", name).strip()
    assert pid in (p.read_text().split()[0] for p in group.rglob("cgroup.procs") if p.read_text())
    seen = show(group.name)
    assert (seen["MemoryMax"], seen["TasksMax"], seen["CPUQuotaPerSecUSec"]) == (str(64 << 20), "40", "500ms")
    assert (group / "memory.max").read_text() == f"{64 << 20}\n" and (group / "cpu.max").read_text() == "50000 100000\n"
    assert podman.ok("exec", name, "sh", "-c", "cat /sys/fs/cgroup/memory.max") == f"{64 << 20}\n"
    stats = json.loads(podman.ok("stats", "--no-stream", "--format", "json", name))[0]
    assert stats["mem_usage"].endswith("/ 67.11MB") and int(stats["pids"]) >= 1
    podman.ok("pause", name)
    assert podman.ok("inspect", "-f", "{{.State.Status}}", name) == "paused\n"
    podman.ok("unpause", name)
    podman.ok("rm", "--force", "--time", "0", name)
    wait(lambda: not group.exists(), "the scope is gone")
    assert show(group.name)["LoadState"] == "not-found"


def test_an_end_leaves_no_unit(podman):
    assert podman("run", "--rm", IMAGE, "sh", "-c", "exit 7").returncode == 7
    out = subprocess.run(["systemctl", "list-units", "--all", "--plain", "--no-legend", "libpod-*.scope"], capture_output=True,
                         text=True, timeout=60, check=True).stdout
    wait(lambda: not list((TOP / "machine.slice").glob("libpod-[0-9a-f]*.scope")), "no scope is left")
    assert "failed" not in out


def test_a_container_beyond_its_memory_ends(podman):
    assert podman("run", "--rm", "--memory", "32m", "--memory-swap", "32m", IMAGE, "sh", "-c",
                  "tail -c 100m /dev/zero").returncode == 137


def test_a_pod_s_container_is_a_scope_too(podman):
    pod = podman.ok("pod", "create", "--infra=false").strip()
    name = podman.ok("run", "-d", "--pod", pod, IMAGE, "sleep", "600").strip()
    group = TOP / podman.ok("inspect", "-f", "{{.State.CgroupPath}}", name).strip().lstrip("/")
    assert group.is_dir() and group.name == unit_of(name) and group.parent.name.endswith(".slice")
    podman.ok("pod", "rm", "--force", "--time", "0", pod)
    wait(lambda: not group.exists(), "the scope is gone")


def test_the_profile_of_podman_confines(podman):
    """Where AppArmor is, podman loads a profile of its own and names it."""
    on = pathlib.Path("/sys/module/apparmor/parameters/enabled")
    if not on.exists() or on.read_text() != "Y\n" or shutil.which("apparmor_parser", path="/sbin:/usr/sbin") is None:
        pytest.skip("AppArmor is not enabled, or apparmor_parser not installed")
    name = podman.ok("run", "-d", IMAGE, "sleep", "600").strip()
    for current in (podman.ok("exec", name, "cat", "/proc/self/attr/current"), podman.ok("exec", name, "cat", "/proc/1/attr/current")):
        assert current.startswith("containers-default-") and current.endswith(" (enforce)\n")
    podman.ok("rm", "--force", "--time", "0", name)
