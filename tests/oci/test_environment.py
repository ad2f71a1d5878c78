# SPDX-License-Identifier: Apache-2.0
"""What the specification promises a container to find: devices, links, the process's properties, and what is refused."""
import json
import os
import socket
import stat

import pytest

from ocilib import read_until

# --- devices -------------------------------------------------------------------------------------

def device(path, **more):
    return {"path": path, "type": "c", "major": 10, "minor": 229, **more}


def test_default_devices_have_their_numbers(runtime, bundle):
    names = {"null": "1:3", "zero": "1:5", "full": "1:7", "random": "1:8", "urandom": "1:9", "tty": "5:0"}
    out = runtime.run(bundle.shell("cd /dev; stat -c '%n %a %F %t:%T' " + " ".join(names)))
    rows = dict(l.split(" ", 1) for l in out.stdout.splitlines())
    assert rows == {n: f"666 character special file {v}" for n, v in names.items()}


@pytest.mark.parametrize("own_dev", [False, True], ids=["a tmpfs", "the root's own /dev"])
def test_links_in_dev(runtime, bundle, own_rootfs, own_dev):
    if own_dev:
        bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["destination"] != "/dev"]
    out = runtime.run(bundle.shell("cd /dev; for i in fd stdin stdout stderr ptmx; do readlink $i; done"))
    assert out.stdout.split() == ["/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "pts/ptmx"]


def test_dev_console_is_the_terminal_and_has_the_size_of_the_config(runtime, bundle, short_dir):
    assert "console" not in runtime.run(bundle.shell("ls /dev")).stdout.split(), "without one"
    bundle.process["consoleSize"] = {"height": 33, "width": 101}
    bundle.terminal(True).shell("stty size; tty; stat -c 'same %t:%T' /dev/console /dev/pts/0; echo over")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(short_dir / "console"))
        listener.listen(1)
        listener.settimeout(30)
        runtime.start_detached(bundle, "--console-socket", short_dir / "console")
        peer = listener.accept()[0]
        _, fds, _, _ = socket.recv_fds(peer, 256, 1)
        peer.close()
    seen = read_until(fds[0], b"over").decode().split("\r\n")
    os.close(fds[0])
    assert seen[0] == "33 101" and seen[1] == "/dev/pts/0"
    assert len({l for l in seen if l.startswith("same ")}) == 1 and len([l for l in seen if l.startswith("same ")]) == 2


@pytest.mark.parametrize("kind, text", [("c", "character special file"), ("u", "character special file"),
                                        ("b", "block special file")])
def test_a_device_may_be_anywhere(runtime, bundle, own_rootfs, kind, text):
    bundle.linux["devices"] = [device("/some/where/node", type=kind)]
    out = runtime.run(bundle.args("stat", "-c", "%a %u %g %t:%T %F", "/some/where/node"))
    assert out.stdout == f"666 0 0 a:e5 {text}\n", out.stderr


def test_a_fifo_needs_no_numbers(runtime, bundle):
    bundle.linux["devices"] = [{"path": "/dev/pipe", "type": "p", "fileMode": 0o600}]
    assert runtime.run(bundle.args("stat", "-c", "%F %a", "/dev/pipe")).stdout == "fifo 600\n"


def test_a_file_in_the_place_of_a_device_is_an_error(runtime, bundle, own_rootfs):
    (own_rootfs / "node").touch()
    bundle.linux["devices"] = [device("/node")]
    out = runtime.run(bundle)
    assert out.returncode == 1 and "/node" in out.stderr and "not that device" in out.stderr


def test_another_device_in_its_place_is_an_error(runtime, bundle, own_rootfs):
    os.mknod(own_rootfs / "node", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    bundle.linux["devices"] = [device("/node")]
    assert "not that device" in runtime.run(bundle).stderr
    bundle.linux["devices"] = [device("/node", major=1, minor=3)]
    assert runtime.run(bundle).returncode == 0


# --- the process ---------------------------------------------------------------------------------

SETS = {"effective": "CapEff", "permitted": "CapPrm", "inheritable": "CapInh", "bounding": "CapBnd", "ambient": "CapAmb"}
NUMBER = {"CAP_CHOWN": 0, "CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7, "CAP_NET_RAW": 13}


@pytest.mark.parametrize("uid", [0, 1000])
def test_each_of_the_five_sets(runtime, bundle, uid):
    wanted = {"bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SETGID", "CAP_NET_RAW"],
              "permitted": ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"], "effective": ["CAP_CHOWN", "CAP_KILL"],
              "inheritable": ["CAP_KILL", "CAP_CHOWN"], "ambient": ["CAP_KILL"]}
    bundle.process["capabilities"] = wanted
    bundle.process["user"] = {"uid": uid, "gid": uid}
    text = runtime.run(bundle.args("cat", "/proc/self/status")).stdout
    seen = {l.split(":")[0]: int(l.split()[1], 16) for l in text.splitlines() if l.startswith("Cap")}
    mask = {k: sum(1 << NUMBER[c] for c in v) for k, v in wanted.items()}
    # execve of user 0 makes all effective that is permitted; of others, the ambient set is all that stays.
    mask["permitted"] = mask["effective"] = mask["permitted"] if uid == 0 else mask["ambient"]
    if uid == 0:
        del mask["ambient"], seen["CapAmb"]
    assert {SETS[k]: v for k, v in mask.items()} == seen


def test_the_umask(runtime, bundle):
    assert runtime.run(bundle.shell("umask"), preexec_fn=lambda: os.umask(0o77)).stdout == "0022\n"
    bundle.process["user"]["umask"] = 0o27
    assert runtime.run(bundle).stdout == "0027\n"


def test_a_name_of_a_user_is_for_others(runtime, bundle):
    bundle.process["user"] = {"uid": 7, "gid": 8, "username": "root"}
    assert runtime.run(bundle.shell("id -u; id -g")).stdout == "7\n8\n"


@pytest.mark.parametrize("name, soft, hard, text", [
    ("RLIMIT_NOFILE", 100, 200, "Max open files"), ("RLIMIT_CORE", 0, 0, "Max core file size"),
    ("RLIMIT_CPU", 1000, 2000, "Max cpu time"), ("RLIMIT_MSGQUEUE", 10000, 20000, "Max msgqueue size"),
    ("RLIMIT_SIGPENDING", 50, 60, "Max pending signals"), ("RLIMIT_FSIZE", 1 << 20, 1 << 21, "Max file size"),
])
def test_each_limit_is_as_configured(runtime, bundle, name, soft, hard, text):
    bundle.process["rlimits"] = [{"type": name, "soft": soft, "hard": hard}]
    out = runtime.run(bundle.args("cat", "/proc/self/limits"))
    row = next(l for l in out.stdout.splitlines() if l.startswith(text))
    assert row[len(text):].split()[:2] == [str(soft), str(hard)]


def test_a_limit_that_may_not_be_granted_is_an_error_but_for_locked_memory(runtime, bundle):
    import resource
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= 1 << 20 or resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] < 0:
        pytest.skip("this machine's limits are high already")
    bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 10, "hard": 1 << 40}]
    out = runtime.run(bundle)
    assert out.returncode == 1 and "RLIMIT_NOFILE" in out.stderr
    bundle.process["rlimits"] = [{"type": "RLIMIT_MEMLOCK", "soft": 1 << 60, "hard": 1 << 60}]
    out = runtime.run(bundle)
    assert out.returncode == 0
    assert "RLIMIT_MEMLOCK" in out.stderr or out.stderr == ""


def test_the_oom_score_is_left_alone_where_nothing_is_said(runtime, bundle):
    with open("/proc/self/oom_score_adj", encoding="ascii") as f:
        here = f.read()
    assert runtime.run(bundle.args("cat", "/proc/self/oom_score_adj")).stdout == here


def test_the_environment_is_the_config_s_alone(runtime, bundle):
    bundle.process["env"] = ["A=b c", "EMPTY=", "HOME=/h", "B=x=y"]
    out = runtime.run(bundle.args("/bin/env"), env={"FOREIGN": "1", "PATH": os.environ["PATH"]})
    assert sorted(out.stdout.splitlines()) == ["A=b c", "B=x=y", "EMPTY=", "HOME=/h"]


def test_a_program_is_looked_up_in_the_container_s_path(runtime, bundle, own_rootfs):
    (own_rootfs / "tools").mkdir()
    (own_rootfs / "tools" / "mine").write_text("#!/bin/sh\necho found\n")
    (own_rootfs / "tools" / "mine").chmod(0o755)
    bundle.process["env"] = ["PATH=/bin:/tools"]
    assert runtime.run(bundle.args("mine")).stdout == "found\n"
    out = runtime.run(bundle.args("theirs"))
    assert out.returncode == 1 and "theirs" in out.stderr


@pytest.mark.parametrize("domain, machine", [("LINUX", os.uname().machine), ("LINUX32", None)])
def test_the_personality(runtime, bundle, domain, machine):
    bundle.linux["personality"] = {"domain": domain}
    seen = runtime.run(bundle.args("uname", "-m")).stdout.strip()
    assert seen == machine or (machine is None and seen != os.uname().machine)


def test_the_console_size_counts_only_with_a_terminal(runtime, bundle):
    bundle.process["consoleSize"] = {"height": 100000}
    assert runtime.run(bundle).returncode == 0
    bundle.terminal(True).save()
    out = runtime("create", "--bundle", bundle.path, "--console-socket", bundle.path / "no-socket", runtime.new_id())
    assert out.returncode == 1 and "$.process.consoleSize" in out.stderr


# --- sysctl --------------------------------------------------------------------------------------

@pytest.mark.parametrize("key, kind", [
    ("kernel.shmmax", "ipc"), ("kernel.sem", "ipc"), ("fs.mqueue.msg_max", "ipc"), ("net.ipv4.ip_forward", "network"),
    ("net/ipv4/conf/all/forwarding", "network"), ("kernel.domainname", "uts"),
])
def test_a_sysctl_needs_the_namespace_it_belongs_to(runtime, bundle, key, kind):
    bundle.linux["sysctl"] = {key: "1"}
    bundle.namespaces(kind)
    bundle.config.pop("hostname", None)
    out = runtime.run(bundle)
    assert out.returncode == 1 and "$.linux.sysctl" in out.stderr and f"{kind} namespace" in out.stderr


@pytest.mark.parametrize("key", ["kernel.panic", "vm.swappiness", "kernel.core_pattern", "fs.file-max", "dev.tty.ldisc_autoload",
                                 "kernel/core_pattern", "net/../kernel/panic", "../x"])
def test_a_sysctl_of_the_host_is_refused(runtime, bundle, key):
    bundle.linux["sysctl"] = {key: "1"}
    out = runtime.run(bundle)
    assert out.returncode == 1 and "$.linux.sysctl" in out.stderr


# --- what cannot be honoured with control groups off ---------------------------------------------

@pytest.mark.parametrize("resources", [
    {"memory": {"limit": 1 << 25}}, {"pids": {"limit": 0}}, {"cpu": {"idle": 1}}, {"network": {"classID": 5}},
    {"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}]}},
], ids=str)
def test_limits_without_control_groups_are_refused(runtime, bundle, resources):
    runtime.options = ["--cgroup-manager", "disabled"]
    bundle.linux["resources"] = resources
    out = runtime.run(bundle)
    assert out.returncode == 1 and "$.linux.resources" in out.stderr


# --- features ------------------------------------------------------------------------------------

def test_features_are_accepted_where_they_belong(runtime, bundle):
    f = json.loads(runtime.ok("features"))
    assert all(a.startswith("run.oci.") or a == "org.systemd.property." for a in f["potentiallyUnsafeConfigAnnotations"])
    for version in (f["ociVersionMin"], f["ociVersionMax"]):
        bundle.config["ociVersion"] = version
        assert runtime.run(bundle).returncode == 0
    for action in f["linux"]["seccomp"]["actions"]:
        if action != "SCMP_ACT_NOTIFY":
            bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": f["linux"]["seccomp"]["archs"],
                                       "syscalls": [{"names": ["swapon"], "action": action}]}
            assert runtime.run(bundle).returncode == 0, action
    for operator in f["linux"]["seccomp"]["operators"]:
        bundle.linux["seccomp"]["syscalls"] = [{"names": ["swapon"], "action": "SCMP_ACT_ERRNO", "args": [
            {"index": 0, "value": 1, "valueTwo": 1, "op": operator}]}]
        assert runtime.run(bundle).returncode == 0, operator
    bundle.linux["seccomp"]["flags"] = [x for x in f["linux"]["seccomp"]["supportedFlags"] if "KILLABLE" not in x]
    assert runtime.run(bundle).returncode == 0
    bundle.process["capabilities"] = {"bounding": f["linux"]["capabilities"]}
    assert "unknown" not in runtime.run(bundle).stderr


@pytest.mark.parametrize("more", [0, 100])
def test_of_a_variable_that_is_set_twice_the_last_counts(runtime, bundle, more):
    others = [f"V{i}=x" for i in range(more)]
    bundle.process["env"] = ["A=1", "HOME=/h", *others, "B=2", "A=", "HOME=/i", "ALONE", "A=3"]
    assert runtime.run(bundle.args("/bin/env")).stdout.split() == [*others, "B=2", "HOME=/i", "ALONE", "A=3"]


def test_an_empty_home_is_looked_up(runtime, bundle):
    bundle.process["env"] = ["HOME=/h", "HOME="]
    assert runtime.run(bundle.args("/bin/env")).stdout == "HOME=/root\n"


def test_exec_has_the_personality_too(runtime, bundle):
    if os.uname().machine != "x86_64":
        pytest.skip("the name of the other machine is that of x86")
    bundle.linux["personality"] = {"domain": "LINUX32"}
    name = runtime.start_detached(bundle.args("sleep", "60"))
    assert runtime.ok("exec", name, "uname", "-m") == "i686\n"
