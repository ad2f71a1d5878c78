# SPDX-License-Identifier: Apache-2.0
"""What a process finds when it starts: user, limits, environment, namespaces, descriptors."""
import os
import subprocess

import pytest

from ocilib import wait


def test_user_groups_umask_and_directory(runtime, bundle):
    bundle.process["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [10, 20], "umask": 0o77}
    bundle.process["cwd"] = "/tmp"
    out = runtime.run(bundle.shell("id -u; id -g; id -G; umask; pwd")).stdout.split("\n")
    assert out[:2] == ["1000", "1001"]
    assert set(out[2].split()) == {"1001", "10", "20"}
    assert out[3:5] == ["0077", "/tmp"]


def test_home_comes_from_passwd_unless_it_is_set(runtime, bundle):
    assert runtime.run(bundle.shell("echo $HOME")).stdout == "/root\n"
    bundle.process["env"].append("HOME=/x")
    assert runtime.run(bundle).stdout == "/x\n"


def test_a_missing_directory_is_made(runtime, bundle, own_rootfs):
    bundle.process["cwd"] = "/not/there/yet"
    assert runtime.run(bundle.shell("pwd")).stdout == "/not/there/yet\n"


def test_resource_limits(runtime, bundle):
    bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]
    assert runtime.run(bundle.shell("ulimit -Sn; ulimit -Hn")).stdout == "100\n200\n"


def test_a_lock_limit_that_cannot_be_raised_is_not_fatal(runtime, bundle):
    bundle.process["rlimits"] = [{"type": "RLIMIT_MEMLOCK", "soft": 2**63, "hard": 2**63}]
    assert runtime.run(bundle).returncode == 0


def test_names_and_sysctl(runtime, bundle):
    bundle.config["hostname"] = "web"
    bundle.config["domainname"] = "example.org"
    bundle.linux["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel/msgmax": "4096"}
    out = runtime.run(bundle.shell("hostname; cat /proc/sys/kernel/domainname "
                                   "/proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax"))
    assert out.stdout == "web\nexample.org\n1\n4096\n"


def test_every_namespace_is_new(runtime, bundle):
    bundle.linux["namespaces"] = [{"type": t} for t in
                                  ("pid", "mount", "network", "ipc", "uts", "cgroup", "time")]
    script = "for n in pid mnt net ipc uts cgroup time; do readlink /proc/self/ns/$n; done"
    inside = runtime.run(bundle.shell(script)).stdout.split()
    outside = [os.readlink(f"/proc/self/ns/{n}")
               for n in ("pid", "mnt", "net", "ipc", "uts", "cgroup", "time")]
    assert len(inside) == 7 and not set(inside) & set(outside)


def test_namespaces_by_path_are_joined(runtime, bundle):
    first = runtime.start_detached(bundle.args("sleep", "60"))
    pid = runtime.state(first)["pid"]
    for ns in bundle.linux["namespaces"]:
        if ns["type"] in ("pid", "network", "ipc", "uts"):
            ns["path"] = f"/proc/{pid}/ns/" + {"network": "net"}.get(ns["type"], ns["type"])
    del bundle.config["hostname"]
    want = [os.readlink(f"/proc/{pid}/ns/{n}") for n in ("pid", "net", "ipc", "uts")]
    script = "for n in pid net ipc uts; do readlink /proc/self/ns/$n; done; ps"
    out = runtime.run(bundle.shell(script)).stdout
    assert out.split("\n")[:4] == want
    assert "sleep 60" in out


def test_time_offsets(runtime, bundle):
    bundle.linux["namespaces"].append({"type": "time"})
    bundle.linux["timeOffsets"] = {"boottime": {"secs": 1000000}}
    up = float(runtime.run(bundle.shell("cat /proc/uptime")).stdout.split()[0])
    here = float(open("/proc/uptime", encoding="ascii").read().split()[0])
    assert 999000 < up - here < 1001000


@pytest.mark.parametrize("offsets", [
    {"monotonic": {"secs": 172800, "nanosecs": 5}}, {"boottime": {"secs": 604800}}, {"boottime": {"nanosecs": 1}},
    {"monotonic": {"secs": 172800}, "boottime": {"secs": 604800, "nanosecs": 7}},
], ids=str)
def test_offsets_are_as_written(runtime, bundle, offsets):
    bundle.linux["namespaces"].append({"type": "time"})
    bundle.linux["timeOffsets"] = offsets
    name = runtime.start_detached(bundle.args("sleep", "60"))
    with open(f"/proc/{runtime.state(name)['pid']}/timens_offsets", encoding="ascii") as f:
        seen = {l.split()[0]: tuple(map(int, l.split()[1:])) for l in f}
    assert seen == {c: (offsets.get(c, {}).get("secs", 0), offsets.get(c, {}).get("nanosecs", 0)) for c in seen}
    assert set(seen) == {"monotonic", "boottime"}


@pytest.mark.parametrize("user", [False, True])
def test_exec_has_the_clocks_of_the_container(runtime, bundle, own_rootfs, user):
    bundle.linux["namespaces"].append({"type": "time"})
    bundle.linux["timeOffsets"] = {"boottime": {"secs": 1000000}}
    if user:
        bundle.linux["namespaces"].append({"type": "user"})
        ids = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        bundle.linux.update({"uidMappings": ids, "gidMappings": ids})
        own_rootfs.chmod(0o755)
    name = runtime.start_detached(bundle.args("sleep", "60"))
    assert float(runtime.ok("exec", name, "cat", "/proc/uptime").split()[0]) > 1000000


def test_the_oom_score(runtime, bundle):
    bundle.process["oomScoreAdj"] = 321
    assert runtime.run(bundle.shell("cat /proc/self/oom_score_adj")).stdout == "321\n"


def test_default_devices_and_links(runtime, bundle):
    out = runtime.run(bundle.shell("ls -l /dev; echo x > /dev/null; head -c 2 /dev/zero | wc -c"))
    for name in ("null", "zero", "full", "random", "urandom", "tty", "fd", "stdin", "ptmx"):
        assert name in out.stdout
    assert out.stdout.rstrip().endswith("2")


def test_devices_of_the_config(runtime, bundle):
    bundle.linux["devices"] = [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229,
                                "fileMode": 0o640, "uid": 5, "gid": 6}]
    out = runtime.run(bundle.shell("stat -c '%a %u %g %t:%T' /dev/fuse"))
    assert out.stdout == "640 5 6 a:e5\n"


def test_bin_true_starts_in_256_kilobytes(runtime, bundle):
    bundle.linux["resources"]["memory"] = {"limit": 262144}
    assert runtime.run(bundle.args("/bin/true")).returncode == 0


def test_the_runtime_uses_little_memory(runtime, bundle):
    bundle.args("sleep", "60").save()
    name = runtime.new_id()
    command = runtime.command("run", "--bundle", bundle.path, name)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as p:
        wait(lambda: name in runtime.ok("list"), "the container")
        runtime.wait_for(name, "running")
        with open(f"/proc/{p.pid}/status", encoding="ascii") as f:
            peak = next(int(l.split()[1]) for l in f if l.startswith("VmHWM"))
        runtime("kill", name, "KILL")
    assert peak < 4096, f"{peak} kB"
