# SPDX-License-Identifier: Apache-2.0
"""What the options of `run` promise, seen from inside: the same for podman and docker."""
import contextlib
import json
import os

import pytest

from enginelib import IMAGE, group_value

NO_MKDIR = {"defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}


def inside(engine, script, *options, image=IMAGE):
    """What a shell script prints in a container of those options."""
    return engine.ok("run", "--rm", *options, image, "sh", "-c", script)


def status(engine, key, *options):
    return inside(engine, f"sed -n 's/^{key}:[[:space:]]*//p' /proc/self/status", *options).strip()


def test_capabilities(engine):
    assert int(status(engine, "CapBnd", "--cap-drop", "all"), 16) == 0
    assert int(status(engine, "CapEff", "--cap-drop", "all", "--cap-add", "NET_RAW", "--cap-add", "CHOWN"), 16) == 1 << 13 | 1
    default = int(status(engine, "CapEff"), 16)
    assert default & 1 << 5 and not default & 1 << 21
    assert int(status(engine, "CapEff", "-u", "mail"), 16) == 0


def test_privileged(engine):
    script = "mount -t tmpfs none /v && ls /dev | wc -l && grep -c ' /proc/sys ' /proc/mounts; sed -n 's/^Seccomp:.//p' /proc/1/status"
    devices, masks, seccomp = inside(engine, script, "--privileged").split()
    assert int(devices) > 10 and (masks, seccomp) == ("0", "0")
    assert engine("run", "--rm", IMAGE, "mount", "-t", "tmpfs", "none", "/v").returncode != 0


def test_a_read_only_root_with_tmpfs(engine):
    script = "touch /x 2>/dev/null || echo ro; touch /scratch/x && stat -c %a /scratch; df -m /scratch | tail -1 | awk '{print $2}'"
    out = inside(engine, script, "--read-only", "--tmpfs", "/scratch:rw,size=4m,mode=1770")
    assert out.split() == ["ro", "1770", "4"]


def test_names(engine):
    out = inside(engine, "hostname; grep -c ' box$' /etc/hosts; grep 10.9.8.7 /etc/hosts; cat /proc/sys/kernel/domainname", "--hostname", "box",
                 "--add-host", "far:10.9.8.7")
    assert out.split()[0] == "box" and "far" in out


def test_devices(engine):
    if not os.path.exists("/dev/kmsg"):
        pytest.skip("no /dev/kmsg")
    script = "ls -l /dev/mine; : > /dev/mine && echo written; head -c 0 /dev/mine 2>/dev/null || echo unread"
    out = inside(engine, script, "--device", "/dev/kmsg:/dev/mine:w")
    assert "1,  11" in out and out.split()[-2:] == ["written", "unread"]


def test_limits_of_processes(engine):
    out = inside(engine, "ulimit -n; ulimit -Hn; ulimit -c", "--ulimit", "nofile=500:600", "--ulimit", "core=0", "--ulimit", "nproc=900")
    assert out.split() == ["500", "600", "0"]
    assert int(status(engine, "Seccomp")) == 2


def test_sysctls_and_shared_memory(engine):
    out = inside(engine, "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced; df -m /dev/shm | tail -1 | awk '{print $2}'",
                 "--network", "none", "--sysctl", "net.ipv4.ip_forward=1", "--sysctl", "kernel.shm_rmid_forced=1", "--shm-size", "8m")
    assert out.split() == ["1", "1", "8"]


def test_namespaces_of_the_host_and_of_others(engine):
    first = engine.detached("--ipc", "shareable", "--name", "first", IMAGE, "sleep", "61")
    kinds = ("ipc", "pid", "net", "uts")
    look = "for kind in " + " ".join(kinds) + "; do readlink /proc/self/ns/$kind; done"
    theirs = engine.ok("exec", first, "sh", "-c", look).split()
    options = ("--ipc", "container:first", "--pid", "container:first", "--network", "container:first")
    assert inside(engine, look, *options).split()[:3] == theirs[:3]
    assert "sleep 61" in inside(engine, "ps -o args", "--pid", "container:first")
    hosts = engine.session("sh", "-c", look).split()
    out = inside(engine, look, "--ipc", "host", "--pid", "host", "--network", "host", "--uts", "host").split()
    assert out == hosts
    engine.remove(first)


def test_seccomp_and_no_new_privileges(engine, tmp_path):
    (tmp_path / "profile.json").write_text(json.dumps(NO_MKDIR))
    out = inside(engine, "mkdir /tmp/x 2>&1 || echo refused", "--security-opt", f"seccomp={tmp_path}/profile.json")
    assert "not permitted" in out and "refused" in out
    assert status(engine, "Seccomp", "--security-opt", "seccomp=unconfined") == "0"
    assert status(engine, "NoNewPrivs", "--security-opt", "no-new-privileges") == "1"
    assert status(engine, "NoNewPrivs") == "0"


def test_cpus(engine):
    name = engine.detached("--cpus", "0.5", "--cpuset-cpus", "0", "--cpu-shares", "512", "--memory", "64m", "--memory-reservation", "32m",
                           "--oom-score-adj", "500", IMAGE, "sleep", "60")
    assert group_value(name, "cpu.cfs_quota_us", "cpu.max").split()[0] == "50000"
    assert group_value(name, "cpuset.cpus", "cpuset.cpus") == "0"
    assert group_value(name, "memory.soft_limit_in_bytes", "memory.low") == str(32 << 20)
    assert engine.ok("exec", name, "cat", "/proc/1/oom_score_adj") == "500\n"
    assert engine.ok("exec", name, "nproc") == "1\n"
    engine.remove(name)


def test_too_many_processes_are_refused(engine):
    result = engine("run", "--rm", "--pids-limit", "10", IMAGE, "sh", "-c", "for i in $(seq 20); do sleep 3 & done; echo all")
    assert "all" not in result.stdout and "fork" in result.stderr


@contextlib.contextmanager
def shared_mount(session):
    """A mount in the session that spreads what is mounted beneath it, with one mount beneath it."""
    top = session.base / "shared"
    top.mkdir()
    session("sh", "-c", f"mount -t tmpfs shared {top} && mount --make-shared {top} && mkdir {top}/a {top}/b")
    try:
        yield top
    finally:
        session("umount", "-R", top)
        os.rmdir(top)


def test_volumes(engine, tmp_path):
    (tmp_path / "file").write_text("outside\n")
    out = inside(engine, "cat /v/file; touch /v/y 2>/dev/null || echo ro; echo more > /w/new", "-v", f"{tmp_path}:/v:ro", "-v", f"{tmp_path}:/w")
    assert out == "outside\nro\n" and (tmp_path / "new").read_text() == "more\n"
    assert inside(engine, "cat /f", "-v", f"{tmp_path}/file:/f:ro") == "outside\n"
    engine.ok("volume", "create", "vol")
    inside(engine, "echo kept > /v/x", "-v", "vol:/v")
    assert inside(engine, "cat /v/x", "-v", "vol:/v:ro") == "kept\n"
    engine.ok("volume", "rm", "vol")


def test_mounts_spread_as_asked(engine):
    with shared_mount(engine.session) as top:
        for how, comes_in in (("rslave", True), ("rshared", True), ("rprivate", False)):
            name = engine.detached("--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "-v", f"{top}:/s:{how}", IMAGE, "sleep",
                                   "60")
            engine.session("mount", "-t", "tmpfs", "later", top / "a")
            assert ("later /s/a" in engine.ok("exec", name, "cat", "/proc/mounts")) == comes_in, how
            engine.session("umount", top / "a")
            engine.ok("exec", name, "mount", "-t", "tmpfs", "within", "/s/b")
            table = engine.session("cat", "/proc/mounts")
            assert (f"within {top}/b" in table) == (how == "rshared"), how
            engine.remove(name)
            if how == "rshared":
                engine.session("umount", top / "b")


def test_masked_paths(engine):
    script = "cat /proc/keys 2>&1 | wc -c; (: > /proc/sys/kernel/hostname) 2>&1 | grep -c Read-only; ls /sys/firmware | wc -l"
    assert inside(engine, script).split() == ["0", "1", "0"]
    assert inside(engine, "grep -c ' /proc/[a-z]* ' /proc/mounts || :", "--privileged") == "0\n"


def test_the_workdir_is_made_and_entrypoints_are_taken(engine, tmp_path):
    assert engine.ok("run", "--rm", "--entrypoint", "/bin/echo", IMAGE, "a", "b") == "a b\n"
    (tmp_path / "env").write_text("FROM_FILE=yes\n")
    assert inside(engine, "echo $FROM_FILE; echo $HOME", "--env-file", tmp_path / "env") == "yes\n/root\n"


def test_two_hundred_mounts_and_variables(engine, tmp_path):
    options = [word for i in range(100) for word in ("-v", f"{tmp_path}:/m/{i}", "-e", f"V{i}=" + "x" * 1000)]
    assert inside(engine, "grep -c ' /m/' /proc/mounts; echo ${#V99}", *options).split() == ["100", "1000"]
