# SPDX-License-Identifier: Apache-2.0
"""Ids, cgroup paths, the state directory, and a cgroup that can be written to (CVE-2023-25809)."""
import json
import os
import pathlib
import subprocess
import time

import pytest

from attacklib import both
from ocilib import RUNTIME, cgroups_named, need_program, wait

IDS = ["", ".", "..", "../x", "a/b", "/x", "a/../../x", ".x", "...", "a b", "a\n", "a\x01", "a:b", "a%b", "\u00e4", "x" * 1025]


@pytest.mark.parametrize("name", IDS)
def test_an_id_is_a_name_and_nothing_else(runtime, bundle, name):
    bundle.save()
    for verb in (("run", "--bundle", bundle.path), ("create", "--bundle", bundle.path), ("state",), ("delete", "--force"),
                 ("kill",), ("start",)):
        assert runtime(*verb, "--", name).returncode == 1, verb
    assert not runtime.root.exists() or list(runtime.root.iterdir()) == []


@both("id")
def test_no_id_leads_out_of_the_state(attacked, bundle, tmp_path):
    """A state that was planted beside the state directory would be found by a name with '..'."""
    attacked.start_detached(bundle.args("sleep", "60"))
    (tmp_path / "planted").mkdir()
    assert (attacked("state", "../planted").returncode == 1) == attacked.defended


@both("cgrouppath")
def test_a_cgroup_path_does_not_climb(attacked, bundle):
    bundle.linux["cgroupsPath"] = f"/a/../../../{attacked.new_id()}"
    out = attacked.run(bundle.shell("echo reached"))
    assert ("reached" in out.stdout) != attacked.defended, out.stderr


@pytest.mark.parametrize("path", ["/../x", "../x", "/a/../../x", "a/..", "/", ".", "/.", "", "/a/../.."])
def test_a_cgroup_path_stays_beneath(runtime, bundle, path):
    bundle.linux["cgroupsPath"] = path
    out = runtime.run(bundle.shell("echo reached"))
    if path:  # an empty one is none
        assert out.returncode == 1 and "reached" not in out.stdout and "cgroup" in out.stderr


@both("hidden")
def test_a_hidden_cgroup_does_not_outlive_its_container(attacked, runtime, bundle):
    """Made inside with a name that begins with a dot, with a process in it, and no pid namespace that would end it."""
    cgroup = next(m for m in bundle.config["mounts"] if m["type"] == "cgroup")
    cgroup["options"].remove("ro")
    bundle.namespaces("pid")
    end = "" if attacked.defended else "; break"  # in each hierarchy it would be waited for that they go
    bundle.shell(f"for c in /sys/fs/cgroup/*/; do mkdir -p $c/.hidden/.deeper{end}; done; sleep 1000 & p=$!;"
                 f"for c in /sys/fs/cgroup/*/; do echo $p >$c/.hidden/.deeper/cgroup.procs{end}; done; echo ready; wait")
    name = attacked.start_detached(bundle)
    wait(lambda: "ready" in (bundle.path / "out").read_text(), "the hidden groups")
    inside = [int(p) for d in cgroups_named({".deeper"}) if f"/{name}/" in d
              for p in (pathlib.Path(d) / "cgroup.procs").read_text().split()]
    assert inside
    assert (attacked("delete", "--force", name).returncode == 0) == attacked.defended
    assert (cgroups_named({name}) == []) == attacked.defended
    assert not attacked.defended or not any(is_busybox(pid) for pid in inside)
    runtime("delete", "--force", name)  # and what the other one left, this one finds
    assert cgroups_named({name}) == [] and not any(is_busybox(pid) for pid in inside)


@both("hidden")
def test_nested_cgroups_are_signalled_and_removed_however_deep(attacked, runtime, bundle):
    """A container with a cgroup to write to nests 300 levels, and has a process in the deepest."""
    cgroup = next(m for m in bundle.config["mounts"] if m["type"] == "cgroup")
    cgroup["options"].remove("ro")
    bundle.namespaces("pid")
    bundle.shell("c=/sys/fs/cgroup; test -e $c/freezer && c=$c/freezer; d=$c; for i in $(seq 300); do d=$d/d; done;"
                 "mkdir -p $d; sleep 1000 & p=$!; cd $d; echo $p >cgroup.procs; cd /; echo ready $p; wait")
    name = attacked.start_detached(bundle)
    wait(lambda: "ready" in (bundle.path / "out").read_text(), "the nested groups")
    inside = int((bundle.path / "out").read_text().split()[1])
    assert (attacked("kill", "--all", name, "KILL").returncode == 0) == attacked.defended
    assert not attacked.defended or not is_busybox(inside)
    assert (attacked("delete", "--force", name).returncode == 0) == attacked.defended
    runtime.ok("delete", "--force", name)
    assert cgroups_named({name}) == [] and not is_busybox(inside)


def is_busybox(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe").endswith("busybox")
    except OSError:
        return False


@both("modes", "private")
def test_the_state_is_private(attacked, bundle):
    """Whatever the caller's umask is."""
    bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}]}
    os.umask(0)
    try:
        name = attacked.create(bundle.args("sleep", "60"))
    finally:
        os.umask(0o022)
    paths = [attacked.root, *attacked.root.rglob("*"), attacked.root / ".filters", *(attacked.root / ".filters").iterdir()]
    others = [path for path in paths if os.lstat(path).st_mode & 0o077 != 0]
    assert (others == []) == attacked.defended, others
    for path in others:
        path.chmod(os.lstat(path).st_mode & 0o700)
    attacked.ok("start", name)


@both("private")
def test_a_planted_state_is_not_believed(attacked, bundle, tmp_path):
    """A directory that others may write to, with a container in it whose process is somebody else's."""
    name = attacked.start_detached(bundle.args("sleep", "60"))
    state = json.loads((attacked.root / name / "state.json").read_text())
    planted = attacked.root / "planted"
    planted.mkdir(mode=0o755)
    with subprocess.Popen(["sleep", "60"]) as other:
        fields = pathlib.Path(f"/proc/{other.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        state.update(id="planted", pid=other.pid, pidStartTicks=int(fields[19]), cgroups="")
        (planted / "state.json").write_text(json.dumps(state))
        (planted / "config.json").write_text((attacked.root / name / "config.json").read_text())
        os.chown(planted, 12345, 12345)
        attacked("kill", "planted", "KILL")
        time.sleep(0.1)
        assert (other.poll() is None) == attacked.defended
        other.kill()
    (planted / "state.json").unlink()
    (planted / "config.json").unlink()
    planted.rmdir()


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o722])
@both("private")
def test_a_state_directory_that_others_may_write_is_refused(attacked, bundle, mode):
    attacked.root.mkdir(mode=0o700)
    attacked.root.chmod(mode)
    out = attacked.run(bundle.shell("echo reached"))
    assert ("reached" in out.stdout) != attacked.defended
    assert not attacked.defended or (out.returncode == 1 and str(attacked.root) in out.stderr)
    attacked.root.chmod(0o700)


@both("nofollow")
def test_a_link_in_place_of_a_state_is_not_followed(attacked, bundle):
    name = attacked.start_detached(bundle.args("sleep", "60"))
    (attacked.root / "link").symlink_to(name)
    for verb in (("state",), ("kill", "--all"), ("kill",)):
        assert (attacked(*verb, "link").returncode == 1) == attacked.defended
    if attacked.defended:
        assert attacked("delete", "--force", "link").returncode == 1
        assert attacked.state(name)["status"] == "running"
    (attacked.root / "link").unlink()


@both("put")
def test_a_link_in_place_of_the_pid_file_is_replaced(attacked, bundle, tmp_path):
    """In a directory that others write to, it leads to a file that would be overwritten."""
    victim = tmp_path / "taken"
    victim.write_text("untouched")
    (tmp_path / "pid").symlink_to(victim)
    name = attacked.start_detached(bundle.args("sleep", "60"), "--pid-file", tmp_path / "pid")
    assert (victim.read_text() == "untouched") == attacked.defended
    assert int((tmp_path / "pid").read_text()) == attacked.state(name)["pid"]


# --- the cgroup file system of an ordinary user


def as_user(base, off, *args):
    program = UNDEFENDED_COPY if off else "runtime"
    return subprocess.run(
        ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "env", f"XDG_RUNTIME_DIR={base}",
         f"MR_OFF={off}", f"{base}/{program}", "--root", f"{base}/state", *args], cwd=base, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=60, check=False)


UNDEFENDED_COPY = "undefended"


@pytest.fixture
def ordinary(short_dir, rootfs, undefended):
    """A directory of an ordinary user with both runtimes and a root file system."""
    subprocess.run(["cp", RUNTIME, short_dir / "runtime"], check=True)
    subprocess.run(["cp", undefended().program, short_dir / UNDEFENDED_COPY], check=True)
    subprocess.run(["cp", "-a", rootfs, short_dir / "rootfs"], check=True)
    subprocess.run(["chown", "-R", "12345:12345", short_dir], check=True)
    return short_dir


@pytest.mark.parametrize("namespace", [True, False])
@pytest.mark.parametrize("off", ["", "cgroup"])
def test_an_ordinary_user_has_no_writable_cgroup_of_the_host(ordinary, namespace, off):
    assert as_user(ordinary, "", "spec", "--rootless").returncode == 0
    config = json.loads((ordinary / "config.json").read_text())
    config["process"].update(terminal=False, args=["cat", "/proc/self/mountinfo"])
    config["mounts"] = [m for m in config["mounts"] if not m["destination"].startswith("/sys")]
    config["mounts"] += [{"destination": "/sys", "type": "none", "source": "/sys", "options": ["rbind", "nosuid", "ro"]},
                         {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"}]
    spaces = [n for n in config["linux"]["namespaces"] if n["type"] != "cgroup"]
    config["linux"]["namespaces"] = spaces + ([{"type": "cgroup"}] if namespace else [])
    (ordinary / "config.json").write_text(json.dumps(config))
    out = as_user(ordinary, off, "run", "c1")
    assert out.returncode == 0, out.stderr
    lines = [line.split() for line in out.stdout.splitlines()]
    # What covers what: of several mounts at one place only the last can be reached.
    last = {line[4]: line for line in lines if line[4].startswith("/sys/fs/cgroup")}
    top = max(i for i, line in enumerate(lines) if line[4] == "/sys/fs/cgroup")
    reached = [line for line in lines[top:] if line in last.values()]
    assert reached
    writable = [line[4] for line in reached if "rw" in line[5].split(",")]
    assert bool(writable) == bool(off), out.stdout


@both("umask")
def test_what_a_hook_makes_is_not_for_everybody_to_write_to(attacked, bundle, own_rootfs):
    """A createContainer hook that writes a file into the root, as those for graphics cards do; the container's user is another."""
    bundle.config["hooks"] = {"createContainer": [
        {"path": "/bin/sh", "args": ["sh", "-c", f"echo of-root >{own_rootfs}/etc/ld.so.cache"]}]}
    bundle.process["user"] = {"uid": 1234, "gid": 1234}
    out = attacked.run(bundle.shell("echo mine >/etc/ld.so.cache; cat /etc/ld.so.cache"), umask=0o022)
    assert (out.stdout == "of-root\n") == attacked.defended, out.stdout + out.stderr


def in_namespaces_of_its_own(attacked, bundle, flags, script):
    """The runtime, whose own namespaces are not the machine's, and then the script there."""
    need_program("unshare")
    bundle.save()
    words = attacked.command("run", "--bundle", bundle.path, attacked.new_id())
    return subprocess.run(["unshare", *flags, "sh", "-c", '"$@" >&2 </dev/null; ' + script, "sh", *words],
                          capture_output=True, text=True, timeout=60, check=False)


@both("own")
def test_a_path_to_the_runtimes_own_network_is_none(attacked, bundle):
    bundle.namespaces("network")
    bundle.linux["namespaces"].append({"type": "network", "path": "/proc/self/ns/net"})
    bundle.linux["sysctl"] = {"net.ipv4.ip_default_ttl": "77"}
    out = in_namespaces_of_its_own(attacked, bundle.args("true"), ["--net"], "cat /proc/sys/net/ipv4/ip_default_ttl")
    assert (out.stdout != "77\n") == attacked.defended, out.stderr
    assert not attacked.defended or "needs a network namespace" in out.stderr


@both("own")
def test_nor_is_one_to_its_own_mounts(attacked, bundle, tmp_path):
    """There the container's root would become everybody's."""
    bundle.namespaces("mount")
    bundle.linux["namespaces"].append({"type": "mount", "path": "/proc/self/ns/mnt"})
    (tmp_path / "of-the-host").touch()
    script = f"test -e {tmp_path}/of-the-host && echo untouched"
    out = in_namespaces_of_its_own(attacked, bundle.args("true"), ["--mount"], script)
    assert ("untouched" in out.stdout) == attacked.defended, out.stderr


FREEZE = ("cd /sys/fs/cgroup/freezer && mkdir s && (sleep 1000 & echo $! >s/cgroup.procs) && echo FROZEN >s/freezer.state;"
          "cat s/freezer.state; sleep 1000")


def start_frozen(runtime, bundle):
    """A container that has frozen a process of its own."""
    next(m for m in bundle.config["mounts"] if m["type"] == "cgroup")["options"].remove("ro")
    if not os.path.exists("/sys/fs/cgroup/freezer/cgroup.procs"):
        pytest.skip("there is no v1 freezer")
    name = runtime.start_detached(bundle.shell(FREEZE))
    wait(lambda: "FR" in (bundle.path / "out").read_text(), "what is to be frozen")
    return name


@both("thaw")
def test_what_a_container_has_frozen_dies_with_it(attacked, bundle):
    """On v1 a frozen process does not die, nor then does the init of its pid namespace."""
    name = start_frozen(attacked, bundle)
    try:
        out = attacked("delete", "--force", name)
        assert (out.returncode == 0) == attacked.defended, out.stderr
    finally:
        for state in cgroups_named({"s"}):
            if f"/{name}/" in state and "freezer" in state:
                (pathlib.Path(state) / "freezer.state").write_text("THAWED")


def test_also_where_a_signal_reaches_each(runtime, bundle):
    name = start_frozen(runtime, bundle)
    runtime.ok("kill", "--all", name, "KILL")
    runtime.ok("delete", name)
