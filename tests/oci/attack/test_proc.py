# SPDX-License-Identifier: Apache-2.0
"""/proc that is not what it seems, and writes to it led elsewhere (CVE-2019-16884, CVE-2019-19921, CVE-2023-27561,
CVE-2025-52881)."""
import subprocess
import sys

import pytest

from attacklib import both


@both("proc")
def test_a_link_as_proc_is_refused(attacked, bundle, own_rootfs):
    """Mounted where the link leads, the real /proc is out of reach of masks and of everything that trusts it."""
    (own_rootfs / "proc").rmdir()
    (own_rootfs / "elsewhere").mkdir()
    (own_rootfs / "proc").symlink_to("elsewhere")
    bundle.linux["maskedPaths"] = []
    bundle.linux["readonlyPaths"] = []
    out = attacked.run(bundle.shell("ls /elsewhere/1/status"))
    assert (out.returncode == 0) != attacked.defended
    if attacked.defended:
        assert out.returncode == 1 and "/proc" in out.stderr


@pytest.mark.parametrize("what", ["proc", "sys"])
@both("proc")
def test_nor_a_link_on_the_way(attacked, bundle, own_rootfs, what):
    (own_rootfs / what).rmdir()
    (own_rootfs / "deep").mkdir()
    (own_rootfs / "deep" / what).mkdir()
    (own_rootfs / "way").symlink_to("deep")
    (own_rootfs / what).symlink_to(f"way/{what}")
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if "cgroup" not in m["destination"]]
    bundle.linux["maskedPaths"] = []
    bundle.linux["readonlyPaths"] = []
    out = attacked.run(bundle.shell(f"ls /deep/{what}/* && echo reached"))
    assert ("reached" in out.stdout) != attacked.defended, out.stderr
    if attacked.defended:
        assert out.returncode == 1 and f"/{what}" in out.stderr


def fake_proc(bundle, own_rootfs, tmp_path):
    """A directory of the image's making that covers /proc; what looks like a sysctl is a way to a file of the host."""
    host = tmp_path / "host"
    host.write_text("untouched")
    fake = own_rootfs / "fake"
    (fake / "sys/net/ipv4").mkdir(parents=True)
    (fake / "sys/net/ipv4/ip_default_ttl").symlink_to(host)
    bundle.mount(destination="/proc", type="bind", source=str(fake), options=["rbind"])
    bundle.linux["maskedPaths"] = []
    bundle.linux["readonlyPaths"] = []
    bundle.linux["sysctl"] = {"net.ipv4.ip_default_ttl": "77"}
    return host


@both("sysctl")
def test_a_sysctl_is_not_written_through_the_containers_proc(attacked, bundle, own_rootfs, tmp_path):
    host = fake_proc(bundle, own_rootfs, tmp_path)
    bundle.mount(destination="/real", type="proc", source="proc")
    out = attacked.run(bundle.shell("cat /real/sys/net/ipv4/ip_default_ttl"))
    assert (host.read_text() == "untouched") == attacked.defended
    assert (out.stdout == "77\n") == attacked.defended, out.stderr


@both("apparmor", "label")
def test_a_label_is_not_written_through_the_containers_proc(attacked, undefended, bundle, own_rootfs, tmp_path):
    """What looks like the attribute of the own process leads to a file that takes whatever is written, as
    /proc/sysrq-trigger would. There is no AppArmor on most test machines: both runtimes are told that there is."""
    if attacked.defended:
        attacked = undefended("apparmor")
        attacked.defended = True
    fake_proc(bundle, own_rootfs, tmp_path)
    for name in ("attr", "attr/apparmor"):
        (own_rootfs / "fake/thread-self" / name).mkdir(parents=True)
        (own_rootfs / "fake/thread-self" / name / "exec").symlink_to("/taken")
    (own_rootfs / "taken").write_text("")
    bundle.linux["sysctl"] = {}
    bundle.process["apparmorProfile"] = "profile-of-the-attacker"
    out = attacked.run(bundle.shell("echo reached"))
    assert ((own_rootfs / "taken").read_text() == "") == attacked.defended
    if attacked.defended:
        assert out.returncode == 1 and "reached" not in out.stdout


@both("cross")
def test_a_sysctl_that_is_covered_is_not_written(attacked, bundle, tmp_path):
    """In the runtime's own /proc something is mounted above the file: whoever may mount there takes what is written."""
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel/shmmni").write_text("")
    bundle.linux["sysctl"] = {"kernel.shmmni": "77"}
    bundle.shell("echo reached").save()
    out = in_namespace(f"mount --bind {tmp_path / 'kernel'} /proc/sys/kernel",
                       attacked.command("run", "--bundle", bundle.path, attacked.new_id()))
    assert ((tmp_path / "kernel/shmmni").read_text() == "") == attacked.defended, out.stderr
    if attacked.defended:
        assert out.returncode == 1 and "reached" not in out.stdout and "kernel/shmmni" in out.stderr


@pytest.mark.parametrize("key", ["net/../kernel/core_pattern", "net...kernel.core_pattern", "/net/ipv4/ip_default_ttl",
                                 "../sysrq-trigger", "net.", "", "kernel.core_pattern", "net/ipv4/../../kernel/x"])
def test_names_of_sysctls_lead_nowhere_else(runtime, bundle, key):
    bundle.linux["sysctl"] = {key: "1"}
    out = runtime.run(bundle.shell("echo reached"))
    assert out.returncode == 1 and "reached" not in out.stdout


FALSE_PROC = """
import os, sys
for n in range(os.getpid(), os.getpid() + 500):
    os.symlink(f"{sys.argv[1]}/{n}", f"{sys.argv[2]}/{n}")
"""


@both("procfs")
def test_the_runtime_does_not_trust_a_proc_that_is_none(attacked, bundle, tmp_path):
    """The caller's /proc is a directory in which everything is there, but the sysctl is a file of the attacker's."""
    fake = tmp_path / "fake"
    (fake / "sys/net/ipv4").mkdir(parents=True)
    (fake / "sys/net/ipv4/ip_default_ttl").write_text("")
    (tmp_path / "real").mkdir()
    for name in ("self", "thread-self", "cgroups", "filesystems"):
        (fake / name).symlink_to(f"{tmp_path}/real/{name}")
    (tmp_path / "false_proc.py").write_text(FALSE_PROC)
    bundle.linux["sysctl"] = {"net.ipv4.ip_default_ttl": "77"}
    bundle.shell("echo reached").save()
    out = in_namespace(f"{sys.executable} {tmp_path}/false_proc.py {tmp_path}/real {fake}\n"
                       f"mount -t proc proc {tmp_path}/real && mount --bind {fake} /proc",
                       attacked.command("run", "--bundle", bundle.path, attacked.new_id()))
    assert ((fake / "sys/net/ipv4/ip_default_ttl").read_text() == "") == attacked.defended, out.stderr
    if attacked.defended:
        assert out.returncode == 1 and "reached" not in out.stdout and "/proc" in out.stderr, out


def in_namespace(script, command):
    return subprocess.run(["unshare", "-m", "sh", "-c", f'{script}\nexec "$@"', "sh", *command], capture_output=True, text=True,
                          timeout=60, stdin=subprocess.DEVNULL, check=False)
