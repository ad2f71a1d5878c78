# SPDX-License-Identifier: Apache-2.0
"""/proc that is not what it seems, and writes to it led elsewhere (CVE-2019-16884, CVE-2019-19921, CVE-2023-27561,
CVE-2025-52881)."""
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
def test_nor_a_link_on_the_way(runtime, bundle, own_rootfs, what):
    (own_rootfs / what).rmdir()
    (own_rootfs / "deep").mkdir()
    (own_rootfs / "deep" / what).mkdir()
    (own_rootfs / "way").symlink_to("deep")
    (own_rootfs / what).symlink_to(f"way/{what}")
    out = runtime.run(bundle.shell("echo reached"))
    assert out.returncode == 1 and "reached" not in out.stdout and f"/{what}" in out.stderr


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


@pytest.mark.parametrize("key", ["net/../kernel/core_pattern", "net...kernel.core_pattern", "/net/ipv4/ip_default_ttl",
                                 "../sysrq-trigger", "net.", "", "kernel.core_pattern", "net/ipv4/../../kernel/x"])
def test_names_of_sysctls_lead_nowhere_else(runtime, bundle, key):
    bundle.linux["sysctl"] = {key: "1"}
    out = runtime.run(bundle.shell("echo reached"))
    assert out.returncode == 1 and "reached" not in out.stdout


def test_the_runtime_does_not_trust_a_proc_that_is_none(runtime, bundle, tmp_path):
    """Where /proc of the caller is a directory, it says so instead of reading and writing there."""
    (tmp_path / "fake").mkdir()
    script = f"mount --bind {tmp_path / 'fake'} /proc && exec \"$@\""
    bundle.save()
    command = runtime.command("run", "--bundle", bundle.path, runtime.new_id())
    out = runtime_in_namespace(script, command)
    assert out.returncode == 1 and "/proc" in out.stderr, out


def runtime_in_namespace(script, command):
    import subprocess  # only here

    return subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", *command], capture_output=True, text=True,
                          timeout=60, stdin=subprocess.DEVNULL, check=False)
