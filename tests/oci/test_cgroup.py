# SPDX-License-Identifier: Apache-2.0
"""Limits and groups, read through the container's own cgroup mount, for v1 and v2 alike."""
import os

import pytest

UNIFIED = os.path.exists("/sys/fs/cgroup/cgroup.controllers")


def group_file(v1, v2):
    return f"/sys/fs/cgroup/{v2}" if UNIFIED else f"/sys/fs/cgroup/{v1}"


def need(controller):
    if UNIFIED:
        with open("/sys/fs/cgroup/cgroup.controllers", encoding="ascii") as f:
            there = controller in f.read().split()
    else:
        there = os.path.isdir(f"/sys/fs/cgroup/{controller}")
    if not there:
        pytest.skip(f"no cgroup controller {controller}")


@pytest.mark.parametrize("controller,resources,v1,v2,want", [
    ("memory", {"memory": {"limit": 33554432}}, "memory/memory.limit_in_bytes", "memory.max",
     ("33554432", "33554432")),
    ("pids", {"pids": {"limit": 50}}, "pids/pids.max", "pids.max", ("50", "50")),
    ("cpu", {"cpu": {"quota": 50000, "period": 100000}}, "cpu/cpu.cfs_quota_us", "cpu.max",
     ("50000", "50000 100000")),
    ("cpu", {"cpu": {"shares": 512}}, "cpu/cpu.shares", "cpu.weight", ("512", "20")),
    ("cpuset", {"cpu": {"cpus": "0"}}, "cpuset/cpuset.cpus", "cpuset.cpus", ("0", "0")),
])
def test_limits(runtime, bundle, controller, resources, v1, v2, want):
    need(controller)
    bundle.linux["resources"].update(resources)
    out = runtime.run(bundle.args("cat", group_file(v1, v2)))
    assert out.stdout.strip() == want[UNIFIED], out.stderr


def test_devices_are_denied_unless_allowed(runtime, bundle):
    bundle.linux["devices"] = [{"path": "/dev/loop-x", "type": "b", "major": 7, "minor": 200},
                               {"path": "/dev/kmsg-x", "type": "c", "major": 1, "minor": 11}]
    bundle.process["capabilities"]["effective"] = bundle.process["capabilities"]["permitted"] = [
        "CAP_DAC_OVERRIDE", "CAP_MKNOD", "CAP_SYSLOG"]
    bundle.process["capabilities"]["bounding"] = ["CAP_DAC_OVERRIDE", "CAP_MKNOD", "CAP_SYSLOG"]
    out = runtime.run(bundle.shell("head -c 1 /dev/kmsg-x"))
    assert "not permitted" in out.stderr
    bundle.linux["resources"]["devices"].append(
        {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"})
    out = runtime.run(bundle.shell("exec 3< /dev/kmsg-x && echo opened"))
    assert out.stdout == "opened\n", out.stderr


def test_the_path_of_the_config_is_used_and_removed(runtime, bundle):
    name = runtime.new_id()
    bundle.linux["cgroupsPath"] = f"/{name}-parent/child"
    bundle.linux["namespaces"] = [n for n in bundle.linux["namespaces"] if n["type"] != "cgroup"]
    bundle.shell("cat /proc/self/cgroup").save()
    out = runtime("run", "--bundle", bundle.path, name)
    assert f"/{name}-parent/child" in out.stdout
    for base, subs, _ in os.walk("/sys/fs/cgroup"):
        if f"{name}-parent" in subs:
            assert not os.path.exists(f"{base}/{name}-parent/child")
            os.rmdir(f"{base}/{name}-parent")


def test_a_group_in_use_is_refused(runtime, bundle):
    first = runtime.new_id()
    bundle.linux["cgroupsPath"] = f"/{first}"
    bundle.args("sleep", "60").save()
    runtime.outputs(bundle, "run", "-d", "--bundle", bundle.path, first)
    second = runtime("run", "--bundle", bundle.path, runtime.new_id())
    assert second.returncode == 1
    assert "holds processes" in second.stderr
    assert runtime.state(first)["status"] == "running"


def test_all_processes_end_without_a_pid_namespace(runtime, bundle):
    bundle.linux["namespaces"] = [n for n in bundle.linux["namespaces"] if n["type"] != "pid"]
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["type"] != "proc"]
    bundle.linux["maskedPaths"] = bundle.linux["readonlyPaths"] = []
    name = runtime.start_detached(bundle.shell("sleep 7771 & sleep 7772 & wait"))
    runtime.ok("delete", "--force", name)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                assert b"777" not in f.read().replace(b"\0", b" ") or pid == str(os.getpid())
        except OSError:
            continue
