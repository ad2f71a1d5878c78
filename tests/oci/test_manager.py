# SPDX-License-Identifier: Apache-2.0
"""The systemd cgroup manager against the real systemd: where it is process 1 and has the groups of v2, as in `make test-vm`."""
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import time

import pytest

from ocilib import Runtime, need_root, need_runtime, wait

TOP = pathlib.Path("/sys/fs/cgroup")
MEMORY = 64 << 20


def need_systemd():
    need_root()
    need_runtime()
    if pathlib.Path("/proc/1/comm").read_text() != "systemd\n" or not pathlib.Path("/run/systemd/system").is_dir():
        pytest.skip("process 1 is not systemd")
    if not (TOP / "cgroup.controllers").exists():
        pytest.skip("there is not cgroup v2 alone")


def systemctl(*args, check=True):
    out = subprocess.run(["systemctl", *args], capture_output=True, text=True, timeout=60, check=False)
    assert not check or out.returncode == 0, out.stderr
    return out.stdout


def properties(unit, *flags):
    text = systemctl(*flags, "show", unit)
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def is_gone(unit):
    return properties(unit)["LoadState"] == "not-found"


@pytest.fixture
def managed(runtime, bundle):
    """The runtime with the manager; the container's unit is in a slice of a slice. None of them may be left."""
    need_systemd()
    runtime.options = ["--systemd-cgroup"]
    mark = f"mr{os.getpid()}"
    runtime.unit = f"test-{mark}.scope"
    runtime.group = TOP / f"{mark}.slice" / f"{mark}-a.slice" / runtime.unit
    bundle.linux["cgroupsPath"] = f"{mark}-a.slice:test:{mark}"
    bundle.args("sleep", "600")
    yield runtime
    runtime.clean_up()
    systemctl("stop", f"{mark}.slice")  # systemd keeps what it was not told to end
    wait(lambda: mark not in systemctl("list-units", "--all", "--plain", f"*{mark}*"), "no unit is left")
    assert not runtime.group.parent.parent.exists()


def read(group, name):
    return (group / name).read_text().strip()


def test_limits_are_properties_and_files(managed, bundle):
    bundle.linux["resources"].update({
        "memory": {"limit": MEMORY, "reservation": MEMORY // 2, "swap": MEMORY * 2},
        "cpu": {"shares": 512, "quota": 25000, "period": 50000, "cpus": "0", "mems": "0"},
        "pids": {"limit": 50}, "blockIO": {"weight": 505}})
    name = managed.start_detached(bundle)
    assert read(managed.group, "cgroup.procs").split() == [str(managed.state(name)["pid"])]
    seen = properties(managed.unit)
    expected = {
        "ActiveState": "active", "Delegate": "yes", "Slice": managed.group.parent.name, "Description": f"container {name}",
        "MemoryMax": str(MEMORY), "MemoryLow": str(MEMORY // 2), "MemorySwapMax": str(MEMORY), "CPUWeight": "20",
        "CPUQuotaPerSecUSec": "500ms", "CPUQuotaPeriodUSec": "50ms", "AllowedCPUs": "0", "AllowedMemoryNodes": "0",
        "TasksMax": "50", "IOWeight": "5000", "MemoryAccounting": "yes", "IOAccounting": "yes", "TasksAccounting": "yes",
        "CPUAccounting": "yes", "DefaultDependencies": "no",
    }
    assert {key: seen.get(key) for key in expected} == expected
    files = {"memory.max": str(MEMORY), "memory.low": str(MEMORY // 2), "memory.swap.max": str(MEMORY), "cpu.weight": "20",
             "cpu.max": "25000 50000", "cpuset.cpus": "0", "cpuset.mems": "0", "pids.max": "50"}
    assert {f: read(managed.group, f) for f in files} == files
    systemctl("daemon-reload")
    assert {f: read(managed.group, f) for f in files} == files
    stats = json.loads(managed.ok("events", "--stats", name))["data"]
    assert stats["memory"]["usage"]["limit"] == MEMORY and stats["pids"]["limit"] == 50


def test_files_of_v2_and_idle_are_told_too(managed, bundle):
    bundle.linux["resources"].update({"cpu": {"idle": 1}, "unified": {
        "memory.high": str(MEMORY), "memory.min": "4096", "cpu.max": "10000 100000", "pids.max": "33", "cpuset.cpus": "0"}})
    managed.start_detached(bundle)
    seen = properties(managed.unit)
    assert (seen["MemoryHigh"], seen["MemoryMin"], seen["TasksMax"]) == (str(MEMORY), "4096", "33")
    assert (seen["CPUQuotaPerSecUSec"], seen["AllowedCPUs"], seen["CPUWeight"]) == ("100ms", "0", "idle")
    systemctl("daemon-reload")
    assert (read(managed.group, "cpu.idle"), read(managed.group, "memory.high")) == ("1", str(MEMORY))


def test_an_end_of_the_container_is_one_of_the_scope(managed, bundle):
    out = managed.run(bundle.shell("cat /proc/self/cgroup; exit 3"))
    assert (out.returncode, out.stdout) == (3, "0::/\n"), out.stderr
    assert is_gone(managed.unit) and not managed.group.exists()


def test_create_start_kill_delete(managed, bundle):
    name = managed.create(bundle)
    assert properties(managed.unit)["ActiveState"] == "active"
    managed.ok("start", name)
    managed.ok("kill", name, "KILL")
    managed.wait_for(name, "stopped")
    wait(lambda: is_gone(managed.unit), "the scope ends with its last process")
    managed.ok("delete", name)
    assert not managed.group.exists()


def test_exec_goes_into_the_scope(managed, bundle):
    name = managed.start_detached(bundle)
    process = subprocess.Popen(managed.command("exec", name, "sleep", "600"))
    try:
        wait(lambda: len(read(managed.group, "cgroup.procs").split()) == 2, "both are in the group")
    finally:
        managed.ok("kill", name, "KILL")
        assert process.wait(30) == 137


def test_pause_and_resume(managed, bundle):
    name = managed.start_detached(bundle)
    managed.ok("pause", name)
    assert managed.state(name)["status"] == "paused" and read(managed.group, "cgroup.freeze") == "1"
    managed.ok("resume", name)
    assert managed.state(name)["status"] == "running"
    managed.ok("pause", name)
    managed.ok("delete", "--force", name)
    assert is_gone(managed.unit)


def test_update_holds_when_systemd_reads_its_units_anew(managed, bundle):
    bundle.linux["resources"]["memory"] = {"limit": MEMORY}
    name = managed.start_detached(bundle)
    managed.ok("update", "--memory", "32M", "--pids-limit", "20", "--cpu-quota", "30000", "--cpuset-cpus", "0", name)
    systemctl("daemon-reload")
    seen = properties(managed.unit)
    assert (seen["MemoryMax"], seen["TasksMax"], seen["CPUQuotaPerSecUSec"], seen["AllowedCPUs"]) == (
        str(32 << 20), "20", "300ms", "0")
    assert [read(managed.group, f) for f in ("memory.max", "pids.max", "cpu.max", "cpuset.cpus")] == [
        str(32 << 20), "20", "30000 100000", "0"]


def may_read_the_log(bundle):
    """/dev/kmsg is a device that is there and that no container has by default, but it wants a capability as well."""
    for kind in ("bounding", "effective", "permitted"):
        bundle.process["capabilities"][kind].append("CAP_SYSLOG")


def devices(managed, name):
    """What the container may open: the numbers of some devices, each read from."""
    script = "for d in null zero full kmsg; do (: < /tmp/$d) 2>/dev/null && echo $d; done; true"
    return managed.ok("exec", name, "sh", "-c", script).split()


def test_device_rules_are_told_and_hold(managed, bundle, own_rootfs):
    nodes = {"null": ("c", 3), "zero": ("c", 5), "full": ("c", 7), "kmsg": ("c", 11)}
    for node, (kind, minor) in nodes.items():
        subprocess.run(["mknod", own_rootfs / "tmp" / node, kind, "1", str(minor)], check=True)
    bundle.linux["resources"]["devices"] = [
        {"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"},
        {"allow": True, "type": "b", "major": 7, "access": "r"}]
    may_read_the_log(bundle)
    name = managed.start_detached(bundle)
    assert properties(managed.unit)["DevicePolicy"] == "strict"
    assert {"/dev/char/10:229 rw", "block-7 r", "/dev/char/1:3 rwm", "char-136 rwm", "char-* m"} <= set(
        systemctl("show", "-p", "DeviceAllow", "--value", managed.unit).splitlines())
    assert devices(managed, name) == ["null", "zero", "full"]
    systemctl("daemon-reload")
    assert devices(managed, name) == ["null", "zero", "full"]
    more = {"devices": [{"allow": False, "access": "rwm"},
                        {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}]}
    (bundle.path / "more").write_text(json.dumps(more))
    managed.ok("update", "--resources", bundle.path / "more", name)
    assert devices(managed, name) == ["null", "zero", "full", "kmsg"]
    systemctl("daemon-reload")
    assert devices(managed, name) == ["null", "zero", "full", "kmsg"]


def test_where_all_devices_are_allowed_systemd_forbids_none(managed, bundle, own_rootfs):
    subprocess.run(["mknod", own_rootfs / "tmp" / "kmsg", "c", "1", "11"], check=True)
    bundle.linux["resources"]["devices"] = [{"allow": True, "access": "rwm"}]
    may_read_the_log(bundle)
    name = managed.start_detached(bundle)
    assert properties(managed.unit)["DevicePolicy"] == "auto"
    assert devices(managed, name) == ["kmsg"]


def test_annotations_are_properties(managed, bundle):
    bundle.config["annotations"] = {
        "org.systemd.property.TimeoutStopUSec": "uint64 1234567", "org.systemd.property.RuntimeMaxSec": "3600",
        "org.systemd.property.CollectMode": "'inactive-or-failed'", "org.systemd.property.SendSIGHUP": "true",
        "org.systemd.property.Documentation": "['man:sh(1)', 'man:true(1)']", "com.example.other": "x"}
    managed.start_detached(bundle)
    seen = properties(managed.unit)
    assert (seen["TimeoutStopUSec"], seen["RuntimeMaxUSec"], seen["CollectMode"], seen["SendSIGHUP"]) == (
        "1.234567s", "1h", "inactive-or-failed", "yes")
    assert seen["Documentation"] == '"man:sh(1)" "man:true(1)"'


@pytest.mark.parametrize("key, value, part", [
    ("TasksMax", "fifty", "org.systemd.property.TasksMax"),
    ("NoSuchThing", "uint64 1", "NoSuchThing"),
    ("TasksMax", "'50'", "set unit properties"),
])
def test_a_property_that_is_none_is_refused(managed, bundle, key, value, part):
    bundle.config["annotations"] = {f"org.systemd.property.{key}": value}
    out = managed.run(bundle)
    assert out.returncode == 1 and part in out.stderr
    assert is_gone(managed.unit)


def ended_by_systemd(managed, bundle):
    """The id of a container whose scope systemd has ended, which is a failure of the unit."""
    bundle.config["annotations"] = {"org.systemd.property.RuntimeMaxUSec": "uint64 300000",
                                    "org.systemd.property.TimeoutStopUSec": "uint64 300000"}
    name = managed.start_detached(bundle)
    managed.wait_for(name, "stopped")
    wait(lambda: properties(managed.unit)["ActiveState"] == "failed", "the scope has failed")
    return name


def test_a_scope_that_systemd_ends_is_an_end_and_its_failure_is_forgotten(managed, bundle):
    managed.ok("delete", ended_by_systemd(managed, bundle))
    assert is_gone(managed.unit)


def test_a_failed_scope_of_a_lost_container_is_no_obstacle(managed, bundle):
    shutil.rmtree(managed.root / ended_by_systemd(managed, bundle))
    bundle.config["annotations"] = {}
    assert managed.run(bundle.args("true")).returncode == 0
    assert is_gone(managed.unit)


def test_a_scope_that_is_in_use_is_refused(managed, bundle):
    name = managed.start_detached(bundle)
    out = managed.run(bundle)
    assert out.returncode == 1 and managed.unit in out.stderr and "UnitExists" in out.stderr
    assert managed.state(name)["status"] == "running"
    assert properties(managed.unit)["ActiveState"] == "active"


def test_stopping_the_unit_ends_the_container(managed, bundle):
    name = managed.start_detached(bundle)
    systemctl("kill", "--signal=KILL", managed.unit)
    managed.wait_for(name, "stopped")
    managed.ok("delete", name)


def test_without_a_path_the_scope_is_one_of_the_system(managed, bundle):
    del bundle.linux["cgroupsPath"]
    name = managed.start_detached(bundle)
    assert (TOP / "system.slice" / f"mailbox-run-{name}.scope").is_dir()
    managed.ok("delete", "--force", name)
    assert is_gone(f"mailbox-run-{name}.scope")


def test_a_failed_start_leaves_no_scope(managed, bundle):
    out = managed.run(bundle.args("/no/such/program"))
    assert out.returncode != 0
    assert is_gone(managed.unit) and not managed.group.exists()


@pytest.mark.parametrize("verb", ["run", "create"])
def test_a_killed_runtime_leaves_no_scope(managed, bundle, verb):
    """At whatever moment it is killed: what it had started so far ends, and with it the scope."""
    bundle.save()
    for step in range(12):
        name = managed.new_id()
        with open(bundle.path / "out", "wb") as out:
            process = subprocess.Popen(managed.command(verb, "--bundle", bundle.path, name), stdin=subprocess.DEVNULL,
                                       stdout=out, stderr=out)
        time.sleep(step * 0.025)
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        managed("delete", "--force", name)
        wait(lambda: is_gone(managed.unit), f"no scope is left after {step * 25} ms")
        assert not managed.group.exists()


# --- an ordinary user --------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def user():
    """The user that MR_USER names, with a manager of its own."""
    need_systemd()
    name = os.environ.get("MR_USER")
    if name is None:
        pytest.skip("MR_USER names no ordinary user")
    entry = pwd.getpwnam(name)
    systemctl("start", f"user@{entry.pw_uid}.service")
    yield entry
    systemctl("stop", f"user@{entry.pw_uid}.service")


class UserRuntime(Runtime):
    """As the user, from where a login would put it, or from inside of what is delegated to the user."""

    def __init__(self, entry, within):
        super().__init__(pathlib.Path(f"/run/user/{entry.pw_uid}"), options=["--systemd-cgroup"])
        self.entry = entry
        self.within = ["systemd-run", "--user", "--scope", "--quiet", "--collect"] if within else []

    def command(self, *args):
        run = f"/run/user/{self.entry.pw_uid}"
        return ["setpriv", "--reuid", str(self.entry.pw_uid), "--regid", str(self.entry.pw_gid), "--clear-groups", "env",
                "-u", "DBUS_SYSTEM_BUS_ADDRESS", f"XDG_RUNTIME_DIR={run}", f"HOME={run}", *self.within, *super().command(*args)]


@pytest.fixture(params=["from a session", "from inside"])
def ordinary(request, user, bundle, rootfs):
    runtime = UserRuntime(user, request.param == "from inside")
    for path in [bundle.path, *bundle.path.parents, rootfs, *rootfs.parents]:
        if str(path).startswith("/tmp/"):
            path.chmod(path.stat().st_mode | 0o755)
    bundle.linux["namespaces"] = [n for n in bundle.linux["namespaces"] if n["type"] != "network"] + [{"type": "user"}]
    bundle.linux["uidMappings"] = [{"containerID": 0, "hostID": user.pw_uid, "size": 1}]
    bundle.linux["gidMappings"] = [{"containerID": 0, "hostID": user.pw_gid, "size": 1}]
    bundle.linux["resources"] = {"memory": {"limit": MEMORY}, "pids": {"limit": 50},
                                 "cpu": {"shares": 512, "quota": 50000, "period": 100000, "cpus": "0"}}
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["destination"] not in ("/sys", "/sys/fs/cgroup")]
    for mount in bundle.config["mounts"]:
        mount["options"] = [o for o in mount.get("options", []) if not o.startswith(("gid=", "uid="))]
    bundle.args("sleep", "600")
    yield runtime
    runtime.clean_up()
    group = TOP / "user.slice" / f"user-{user.pw_uid}.slice" / f"user@{user.pw_uid}.service" / "user.slice"
    wait(lambda: not group.exists() or not [p for p in group.iterdir() if p.name.endswith(".scope")], "no scope is left")


def user_group(user, unit):
    uid = user.pw_uid
    return TOP / "user.slice" / f"user-{uid}.slice" / f"user@{uid}.service" / "user.slice" / unit


def test_an_ordinary_user_has_limits(ordinary, bundle, user):
    name = ordinary.start_detached(bundle)
    group = user_group(user, f"mailbox-run-{name}.scope")
    assert read(group, "cgroup.procs").split() == [str(ordinary.state(name)["pid"])]
    files = {"memory.max": str(MEMORY), "cpu.weight": "20", "cpu.max": "50000 100000", "pids.max": "50", "cpuset.cpus": "0"}
    assert {f: read(group, f) for f in files} == files
    ordinary.ok("update", "--memory", "32M", name)
    assert read(group, "memory.max") == str(32 << 20)
    ordinary.ok("pause", name)
    ordinary.ok("resume", name)
    process = subprocess.Popen(ordinary.command("exec", name, "sleep", "600"))
    try:
        wait(lambda: len(read(group, "cgroup.procs").split()) == 2, "what is executed is in the group")
    finally:
        ordinary.ok("kill", name, "KILL")
        assert process.wait(30) == 137
    ordinary.ok("delete", "--force", name)
    assert not group.exists()


def test_an_ordinary_user_s_end_leaves_no_scope(ordinary, bundle):
    out = ordinary.run(bundle.shell("exit 5"))
    assert out.returncode == 5, out.stderr


def test_an_ordinary_user_without_a_bus_is_told(ordinary, bundle, tmp_path):
    command = ordinary.command("run", "--bundle", bundle.save().path, ordinary.new_id())
    command = [word if not word.startswith("XDG_RUNTIME_DIR=") else f"XDG_RUNTIME_DIR={tmp_path}" for word in command]
    if ordinary.within:
        pytest.skip("there is no inside without a bus")
    out = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert out.returncode == 1 and f"{tmp_path}/bus" in out.stderr
