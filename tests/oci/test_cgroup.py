# SPDX-License-Identifier: Apache-2.0
"""Limits and groups, read through the container's own cgroup mount, for v1 and v2 alike."""
import json
import os
import select
import subprocess

import pytest

from ocilib import cgroups_named, need_cgroupfs, need_program, wait

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
    ("cpuset", {"cpu": {"mems": "0"}}, "cpuset/cpuset.mems", "cpuset.mems", ("0", "0")),
    ("cpu", {"cpu": {"quota": 50000, "period": 100000, "burst": 20000}}, "cpu/cpu.cfs_burst_us", "cpu.max.burst",
     ("20000", "20000")),
    ("cpu", {"cpu": {"idle": 1}}, "cpu/cpu.idle", "cpu.idle", ("1", "1")),
    ("cpu", {"cpu": {"period": 50000}}, "cpu/cpu.cfs_period_us", "cpu.max", ("50000", "max 50000")),
    ("memory", {"memory": {"reservation": 16777216}}, "memory/memory.soft_limit_in_bytes", "memory.low",
     ("16777216", "16777216")),
    ("memory", {"memory": {"limit": 33554432, "swap": 50331648}}, "memory/memory.memsw.limit_in_bytes", "memory.swap.max",
     ("50331648", "16777216")),
    ("memory", {"memory": {"limit": 33554432, "swap": -1}}, "memory/memory.memsw.limit_in_bytes", "memory.swap.max",
     ("9223372036854771712", "max")),
    ("memory", {"memory": {"limit": -1}}, "memory/memory.limit_in_bytes", "memory.max", ("9223372036854771712", "max")),
    ("pids", {"pids": {"limit": -1}}, "pids/pids.max", "pids.max", ("max", "max")),
])
def test_limits(runtime, bundle, controller, resources, v1, v2, want):
    need(controller)
    bundle.linux["resources"].update(resources)
    out = runtime.run(bundle.args("cat", group_file(v1, v2)))
    assert out.stdout.strip() == want[UNIFIED], out.stderr


def test_swap_alone_is_changed_where_the_kernel_counts_it_with_memory(runtime, bundle):
    need("memory")
    bundle.linux["resources"].update({"memory": {"limit": 33554432, "swap": 33554432}})
    name = runtime.start_detached(bundle.args("sleep", "60"))
    out = runtime("update", "--memory-swap", "50331648", name)
    if UNIFIED:  # swap is what is left without memory, whose limit nobody said
        assert out.returncode == 1 and "$.linux.resources.memory.limit" in out.stderr
    else:
        assert out.returncode == 0, out.stderr
        assert runtime.ok("exec", name, "cat", "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes").strip() == "50331648"


def test_memory_without_a_limit_is_without_one_of_swap_too(runtime, bundle):
    need("memory")
    bundle.linux["resources"].update({"memory": {"limit": 33554432, "swap": 50331648}})
    name = runtime.start_detached(bundle.args("sleep", "60"))
    runtime.ok("update", "--memory", "-1", name)
    files = (group_file("memory/memory.limit_in_bytes", "memory.max"), group_file("memory/memory.memsw.limit_in_bytes", "memory.swap.max"))
    assert set(runtime.ok("exec", name, "cat", *files).split()) == {"max" if UNIFIED else "9223372036854771712"}


def test_swap_has_a_limit_beside_memory_without_one(runtime, bundle):
    need("memory")
    if not UNIFIED:
        pytest.skip("with cgroup v1 memory and swap together cannot have a limit below that of memory")
    bundle.linux["resources"].update({"memory": {"limit": -1, "swap": 16777216}})
    out = runtime.run(bundle.shell("cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory.swap.max"))
    assert out.stdout.split() == ["max", "16777216"], out.stderr


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


def test_an_update_changes_what_devices_are_allowed(runtime, bundle):
    bundle.linux["devices"] = [{"path": "/dev/kmsg-x", "type": "c", "major": 1, "minor": 11}]
    caps = ["CAP_DAC_OVERRIDE", "CAP_MKNOD", "CAP_SYSLOG"]
    bundle.process["capabilities"] = dict.fromkeys(("bounding", "effective", "permitted"), caps)
    name = runtime.start_detached(bundle.args("sleep", "60"))
    look = ("exec", name, "sh", "-c", "exec 3< /dev/kmsg-x && echo opened")
    assert "not permitted" in runtime(*look).stderr
    deny = {"allow": False, "access": "rwm"}
    allow = {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}
    for rules, opens in (([deny, allow], True), ([deny], False), ([deny, allow], True)):
        runtime.ok("update", "-r", "-", name, input=json.dumps({"devices": rules}), stdin=None)
        assert (runtime(*look).stdout == "opened\n") == opens


def test_the_path_of_the_config_is_used_and_removed(runtime, bundle):
    need_cgroupfs()
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
    need_cgroupfs()
    first = runtime.new_id()
    bundle.linux["cgroupsPath"] = f"/{first}"
    bundle.args("sleep", "60").save()
    runtime.outputs(bundle, "run", "-d", "--bundle", bundle.path, first)
    second = runtime("run", "--bundle", bundle.path, runtime.new_id())
    assert second.returncode == 1
    assert "holds processes" in second.stderr
    assert runtime.state(first)["status"] == "running"


@pytest.fixture
def places(runtime, bundle):
    """The directories that the groups of a name have, and the name; they are removed at the end."""
    need_cgroupfs()
    name = runtime.new_id()
    bundle.linux["cgroupsPath"] = f"/{name}"
    made = runtime.start_detached(bundle.args("sleep", "60"))
    found = cgroups_named({name})
    runtime.ok("delete", "--force", made)
    assert found
    yield name, found
    for group in found:
        if os.path.isdir(group):
            os.rmdir(group)


def test_a_frozen_group_is_refused(runtime, bundle, places):
    _, found = places
    freezer = next((g for g in found if UNIFIED or "/freezer/" in g), None)
    if freezer is None:
        pytest.skip("nothing freezes here")
    os.mkdir(freezer)
    file, on, off = ("cgroup.freeze", "1", "0") if UNIFIED else ("freezer.state", "FROZEN", "THAWED")
    with open(f"{freezer}/{file}", "w", encoding="ascii") as f:
        f.write(on)
    result = runtime.run(bundle.args("true"))
    assert result.returncode == 1 and f"container's cgroup unexpectedly frozen: '{freezer}'" in result.stderr
    assert os.path.isdir(freezer) and [g for g in found if g != freezer and os.path.isdir(g)] == []
    with open(f"{freezer}/{file}", "w", encoding="ascii") as f:
        f.write(off)
    assert runtime.run(bundle).returncode == 0


def test_an_empty_group_that_is_there_is_used(runtime, bundle, places):
    _, found = places
    for group in found:
        os.mkdir(group)
    assert runtime.run(bundle.args("true")).returncode == 0


V2_MOUNT = "/sys/fs/cgroup" if UNIFIED else "/sys/fs/cgroup/unified"


def traced(runtime, calls, *args):
    need_program("strace")
    if not os.path.isdir(V2_MOUNT):
        pytest.skip("no cgroup v2 hierarchy")
    trace = runtime.root.parent / "trace"
    subprocess.run(["strace", "-D", "-f", "-qq", "-o", trace, "-e", f"trace={calls}", *runtime.command(*args)],
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=True)
    return trace.read_text()


def test_the_process_is_made_in_its_group(runtime, bundle):
    bundle.args("true").save()
    assert "CLONE_INTO_CGROUP" in traced(runtime, "clone3", "run", "--bundle", bundle.path, runtime.new_id())


def test_a_group_ends_by_cgroup_kill(runtime, bundle):
    bundle.namespaces("pid")
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["type"] != "proc"]
    bundle.linux["maskedPaths"] = bundle.linux["readonlyPaths"] = []
    name = runtime.start_detached(bundle.shell("sleep 60 & wait"))
    if not all(os.path.exists(f"{g}/cgroup.kill") for g in cgroups_named({name}) if g.startswith(V2_MOUNT)):
        pytest.skip("no cgroup.kill")
    assert "/cgroup.kill" in traced(runtime, "openat", "delete", "--force", name)


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


def test_the_figures_of_events(runtime, bundle):
    need("memory")
    bundle.linux["resources"]["memory"] = {"limit": 64 << 20}
    name = runtime.start_detached(bundle.args("sleep", "60"))
    event = json.loads(runtime.ok("events", "--stats", name))
    assert event["type"] == "stats" and event["id"] == name
    data = event["data"]
    assert data["cpu"]["usage"]["total"] > 0
    assert data["memory"]["usage"]["usage"] > 0 and data["memory"]["usage"]["limit"] == 64 << 20
    # The kernel sums these up every two seconds, or when there are many.
    wait(lambda: json.loads(runtime.ok("events", "--stats", name))["data"]["memory"]["raw"]["pgfault"] > 0, "page faults")
    assert data["pids"]["current"] == 1
    assert isinstance(data["blkio"]["ioServiceBytesRecursive"], list)


class Events:
    """`events` of a container, line by line, with a limit to each wait."""

    def __init__(self, runtime, name, interval):
        self.process = subprocess.Popen(runtime.command("events", "--interval", interval, name), stdout=subprocess.PIPE)
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(timeout=20)
        self.process.stdout.close()

    def next(self):
        while b"\n" not in self.rest:
            assert select.select([self.process.stdout], [], [], 20)[0], "waited 20 s for an event"
            more = os.read(self.process.stdout.fileno(), 1 << 16)
            assert more, "events ended"
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)


def test_events_come_at_their_interval_and_end_with_the_container(runtime, bundle):
    name = runtime.start_detached(bundle.args("sleep", "60"))
    with Events(runtime, name, "50ms") as events:
        assert [events.next()["type"] for _ in range(3)] == ["stats"] * 3
        runtime.ok("delete", "--force", name)
        assert events.process.wait(timeout=20) == 0


def test_running_out_of_memory_is_an_event(runtime, bundle, own_rootfs):
    need("memory")
    bundle.linux["resources"]["memory"] = {"limit": 16 << 20, "swap": 16 << 20}
    bundle.shell("while ! test -e /go; do sleep 0.1; done; (tail /dev/zero); sleep 60")
    name = runtime.start_detached(bundle)
    with Events(runtime, name, "60s") as events:
        assert events.next()["type"] == "stats"
        (own_rootfs / "go").touch()
        assert events.next() == {"type": "oom", "id": name}


@pytest.mark.parametrize("memory, expected", [({"swap": 0}, "0"), ({"swap": 0, "limit": 32 << 20}, "max")], ids=str)
def test_no_swap_is_said_by_0_without_a_limit(runtime, bundle, memory, expected):
    need_unified()
    bundle.linux["resources"]["memory"] = memory
    assert runtime.run(bundle.args("cat", "/sys/fs/cgroup/memory.swap.max")).stdout.strip() == expected


def test_swappiness_is_for_v1(runtime, bundle):
    need("memory")
    bundle.linux["resources"]["memory"] = {"swappiness": 10}
    out = runtime.run(bundle.args("cat", "/sys/fs/cgroup/memory/memory.swappiness"))
    assert out.stdout == "10\n" if not UNIFIED else "memory.swappiness" in out.stderr


def test_a_rate_of_a_device(runtime, bundle):
    need("io" if UNIFIED else "blkio")
    disks = [d for d in os.listdir("/sys/block") if os.path.exists(f"/sys/block/{d}/dev")]
    if not disks:
        pytest.skip("no disk")
    with open(f"/sys/block/{disks[0]}/dev", encoding="ascii") as f:
        device = f.read().strip()
    major, minor = map(int, device.split(":"))
    bundle.linux["resources"]["blockIO"] = {
        "throttleReadBpsDevice": [{"major": major, "minor": minor, "rate": 1048576}],
        "throttleWriteIOPSDevice": [{"major": major, "minor": minor, "rate": 200}]}
    text = runtime.run(bundle.shell("cd /sys/fs/cgroup; cat io.max 2>/dev/null || cat blkio/blkio.throttle.read_bps_device "
                                    "blkio/blkio.throttle.write_iops_device")).stdout
    assert text == (f"{device} rbps=1048576 wbps=max riops=max wiops=200\n" if UNIFIED
                    else f"{device} 1048576\n{device} 200\n")


def test_huge_pages_and_their_reservation(runtime, bundle):
    """The controller may be on v2 alone, also where the others are on v1."""
    bundle.linux["resources"]["hugepageLimits"] = [{"pageSize": "2MB", "limit": 4 << 20}]
    bundle.args("sleep", "60").save()
    name = runtime.new_id()
    out = runtime("run", "--detach", "--bundle", bundle.path, name, capture_output=False, stderr=open(bundle.path / "err", "wb"),
                  stdout=subprocess.DEVNULL)
    if out.returncode != 0:
        text = (bundle.path / "err").read_text()
        assert "hugetlb" in text
        pytest.skip(text.strip())
    with open(f"/proc/{runtime.state(name)['pid']}/cgroup", encoding="ascii") as f:
        rows = [l.strip().split(":") for l in f]
    row = next((r for r in rows if r[1] == "hugetlb"), None) or next(r for r in rows if r[1] == "")
    base = f"/sys/fs/cgroup/{'hugetlb' if row[1] else '' if UNIFIED else 'unified'}{row[2]}/hugetlb.2MB."
    for file in (("limit_in_bytes", "rsvd.limit_in_bytes") if row[1] else ("max", "rsvd.max")):
        with open(base + file, encoding="ascii") as f:
            assert f.read() == f"{4 << 20}\n", file


def need_unified():
    if not UNIFIED:
        pytest.skip("needs cgroup v2 alone")


@pytest.mark.parametrize("check", [True, False])
def test_a_limit_below_what_is_in_use(runtime, bundle, check):
    need_unified()
    need("memory")
    name = runtime.start_detached(bundle.shell("head -c 20000000 /dev/zero > /dev/shm/x; echo full; sleep 60"))
    wait(lambda: (bundle.path / "out").read_text() == "full\n", "20 MB in use")
    resources = {"memory": {"limit": 1 << 20, "swap": 1 << 20, "checkBeforeUpdate": check}}
    out = runtime("update", "-r", "-", name, input=json.dumps(resources), stdin=None)
    if check:
        assert out.returncode == 1 and "$.linux.resources.memory.limit" in out.stderr and "in use" in out.stderr
        assert runtime.state(name)["status"] == "running"
    else:
        assert "in use" not in out.stderr


@pytest.mark.parametrize("change, owner", [
    (lambda b: None, 0),
    (lambda b: cgroup_mount(b).update(options=["nosuid", "rw"]), 1000),
    (lambda b: (cgroup_mount(b).update(options=["rw"]), b.namespaces("cgroup")), 0),
    (lambda b: b.config["mounts"].remove(cgroup_mount(b)), 0),
], ids=["read-only", "writable", "without a namespace", "not mounted"])
def test_who_may_divide_the_group_owns_it(runtime, bundle, change, owner):
    need_unified()
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    change(bundle)
    name = runtime.start_detached(bundle.args("sleep", "60"))
    with open(f"/proc/{runtime.state(name)['pid']}/cgroup", encoding="ascii") as f:
        group = "/sys/fs/cgroup" + f.read().strip().split("::")[1]
    assert os.stat(group).st_uid == owner
    for file in ("cgroup.procs", "cgroup.subtree_control", "cgroup.threads"):
        assert os.stat(f"{group}/{file}").st_uid == owner, file
    for file in ("memory.max", "pids.max", "cgroup.freeze"):
        assert os.stat(f"{group}/{file}").st_uid == 0, file


def cgroup_mount(bundle):
    return next(m for m in bundle.config["mounts"] if m["type"] == "cgroup")


def test_no_process_more_than_the_first(runtime, bundle):
    """0 is a limit, as the specification has it, not the absence of one."""
    need("pids")
    bundle.linux["resources"]["pids"] = {"limit": 0}
    out = runtime.run(bundle.shell("echo one; (echo two); echo three"))
    assert "two" not in out.stdout and "fork" in out.stderr


@pytest.mark.parametrize("resources, text", [
    ({"unified": {"nosuch.max": "1"}}, "nosuch.max"), ({"unified": {"memory.nosuch": "1"}}, "memory.nosuch"),
    ({"unified": {"nodot": "1"}}, "$.linux.resources.unified"),
    ({"hugepageLimits": [{"pageSize": "3MB", "limit": 1}]}, "3MB"),
    ({"rdma": {"mlx5_1": {}}}, "$.linux.resources.rdma"),
    ({"cpu": {"quota": 1000, "burst": 2000}}, "burst"),
], ids=str)
def test_what_the_kernel_cannot_do_is_an_error(runtime, bundle, resources, text):
    bundle.linux["resources"].update(resources)
    out = runtime.run(bundle)
    assert out.returncode == 1 and text in out.stderr, out.stderr
    assert runtime.ok("list", "-q") == ""


def test_options_of_the_cgroup_mount_are_not_left_out(runtime, bundle):
    mount = next(m for m in bundle.config["mounts"] if m["type"] == "cgroup")
    mount["options"] = mount.get("options", []) + ["no_such_option"]
    out = runtime.run(bundle)
    assert out.returncode == 1 and "/sys/fs/cgroup" in out.stderr and "no_such_option" in out.stderr
