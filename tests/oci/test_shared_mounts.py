# SPDX-License-Identifier: Apache-2.0
"""
A container without a mount namespace: it shares the runtime's, has its mounts all the same, and none
of them is seen outside, neither while it lives nor afterwards.
"""
import json
import os

import pytest

from ocilib import wait

HOST = os.readlink("/proc/self/ns/mnt")


@pytest.fixture
def shared(bundle, own_rootfs):
    (own_rootfs / "of-the-container").touch()
    return bundle.namespaces("mount")


def its_mounts(bundle):
    """Those of the host's namespace that lie in its root, or where it could have put them by a path of its own; others
    come and go meanwhile."""
    root = bundle.config["root"]["path"]
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as f:
        rows = [line.split() for line in f]
    return [tuple(r[4:6]) for r in rows if r[4].startswith(root) or r[4] in ("/", "/tmp", "/proc", "/sys")]


def test_it_is_in_the_runtime_s_namespace_and_mounts_nothing_there(runtime, shared):
    before = its_mounts(shared)
    name = runtime.create(shared.shell("touch /dev/shm/x; ls /dev/shm /proc/self/status; sleep 60"))
    pid = runtime.state(name)["pid"]
    assert os.readlink(f"/proc/{pid}/ns/mnt") == HOST
    assert its_mounts(shared) == before
    runtime.ok("start", name)
    wait(lambda: "/proc/self/status" in (shared.path / "out").read_text(), "what it lists")
    out = runtime.ok("exec", name, "sh", "-c", "ls / /dev/shm; readlink /proc/self/ns/mnt; echo > /dev/null")
    assert "of-the-container" in out and "\nx\n" in out and HOST in out
    assert its_mounts(shared) == before
    runtime.ok("kill", name, "KILL")
    runtime.wait_for(name, "stopped")
    runtime.ok("delete", name)
    assert its_mounts(shared) == before


def test_masked_and_read_only_paths_hold(runtime, shared):
    shared.linux["maskedPaths"] = ["/proc/keys", "/proc/bus"]
    shared.linux["readonlyPaths"] = ["/proc/sys"]
    out = runtime.run(shared.shell("cat /proc/keys; ls /proc/bus; echo x > /proc/sys/kernel/hostname; umount /proc/keys"))
    assert out.stdout == "" and "Read-only" in out.stderr and "umount" in out.stderr


def test_everything_the_runtime_shares_with_its_caller(runtime, shared):
    """No namespace at all: exec has nothing to join but the root."""
    del shared.config["hostname"]
    shared.linux["namespaces"] = []
    name = runtime.start_detached(shared.args("sleep", "60"))
    pid = runtime.state(name)["pid"]
    for ns in ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts"):
        assert os.readlink(f"/proc/{pid}/ns/{ns}") == os.readlink(f"/proc/self/ns/{ns}")
    assert "of-the-container" in runtime.ok("exec", name, "ls", "/")


def test_a_chroot_of_its_own_does_not_lead_out(runtime, shared, own_rootfs):
    """The classic way: a root beneath the working directory, then upwards."""
    (own_rootfs / "below" / "bin").mkdir(parents=True)
    os.link(own_rootfs / "bin" / "busybox", own_rootfs / "below" / "bin" / "busybox")
    for kind in shared.process["capabilities"].values():
        kind.append("CAP_SYS_CHROOT")
    script = "cd /; chroot /below /bin/busybox ls ../../../../; chroot ../../../../../ /bin/ls /"
    out = runtime.run(shared.shell(script))
    assert "of-the-container" in out.stdout and "boot" not in out.stdout.split(), out.stdout + out.stderr


def test_a_root_that_is_the_host_s_is_still_a_copy(runtime, shared):
    """The same file as "/" of the host, but another mount: exec must find the container's."""
    shared.config["root"] = {"path": "/", "readonly": True}
    shared.mount(destination="/mnt", type="tmpfs", source="tmpfs")
    name = runtime.start_detached(shared.args(os.path.realpath("/bin/sh"), "-c", "echo > /mnt/inside; sleep 60"))
    assert runtime.ok("exec", name, "/bin/sh", "-c", "while ! test -e /mnt/inside; do sleep 0.1; done; ls /mnt") == "inside\n"
    assert not os.path.exists("/mnt/inside")


def test_hooks_see_its_mounts(runtime, shared, own_rootfs, tmp_path):
    script = f"test -e {own_rootfs}/proc/self && mount -t tmpfs -o size=4k none {own_rootfs}/run"
    shared.config["hooks"] = {"createContainer": [{"path": "/bin/sh", "args": ["sh", "-c", script]}]}
    before = its_mounts(shared)
    out = runtime.run(shared.shell("stat -f -c %T /run; readlink /proc/self/ns/mnt"))
    assert out.stdout.split() == ["tmpfs", HOST], out.stderr
    assert its_mounts(shared) == before


@pytest.mark.parametrize("change, path", [
    (lambda b: b.linux.update(rootfsPropagation="shared"), "$.linux.rootfsPropagation"),
    (lambda b: b.mount(destination="/s", type="tmpfs", options=["rslave"]), "$.mounts[7].options"),
    (lambda b: b.linux.update(namespaces=[{"type": "user"}],
                              uidMappings=[{"containerID": 0, "hostID": 1000, "size": 1}],
                              gidMappings=[{"containerID": 0, "hostID": 1000, "size": 1}]),
     "$.linux.namespaces"),
], ids=["root propagation", "propagation of a mount", "user namespace"])
def test_what_cannot_be_honoured_is_refused(runtime, shared, change, path):
    change(shared)
    shared.config.pop("hostname", None)
    out = runtime.run(shared)
    assert out.returncode == 1 and path in out.stderr, out.stderr


def test_private_propagation_is_what_it_has(runtime, shared):
    shared.linux["rootfsPropagation"] = "rprivate"
    shared.mount(destination="/s", type="tmpfs", options=["private"])
    assert runtime.run(shared).returncode == 0


def test_mounts_are_not_added_later(runtime, shared):
    (shared.path / "m.json").write_text(json.dumps([{"destination": "/tmp", "type": "tmpfs"}]))
    name = runtime.start_detached(shared.args("sleep", "60"))
    out = runtime("mounts", "add", name, shared.path / "m.json")
    assert out.returncode == 1 and "no mount namespace of its own" in out.stderr


def test_without_pivot_it_is_the_same(runtime, shared):
    out = runtime.run(shared.shell("ls / /dev/shm; readlink /proc/self/ns/mnt"), "--no-pivot")
    assert "of-the-container" in out.stdout and HOST in out.stdout


def test_with_cap_sys_admin_it_mounts_and_unmounts_nothing_by_path(runtime, shared):
    """Its tree belongs to no namespace; what belongs to the runtime's is not to be reached by a path."""
    for kind in shared.process["capabilities"].values():
        kind.append("CAP_SYS_ADMIN")
    before = its_mounts(shared)
    script = ("mount -t tmpfs none /tmp && echo mounted; mount --bind /bin /tmp && echo bound; "
              "mount -o remount,rw /sys && echo remounted; umount /proc && echo gone; umount -l / && echo gone; echo end")
    out = runtime.run(shared.shell(script))
    assert out.stdout == "end\n", out.stderr
    assert its_mounts(shared) == before
