# SPDX-License-Identifier: Apache-2.0
"""/dev/null and /dev/console of the image replaced, masked paths led elsewhere (CVE-2025-31133, CVE-2025-52565)."""
import os
import pty
import subprocess

import pytest

from attacklib import both
from ocilib import read_until


def image_dev(bundle):
    """/dev as the image has it: no mount covers it."""
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if not m["destination"].startswith("/dev")]
    return bundle


@both("device")
def test_a_file_as_dev_null_is_not_used_to_mask(attacked, bundle, own_rootfs):
    (own_rootfs / "dev/null").write_text("what the attacker wants to be read\n")
    bundle.linux["maskedPaths"] = ["/proc/version"]
    out = attacked.run(image_dev(bundle).shell("cat /proc/version"))
    assert ("attacker" in out.stdout) != attacked.defended
    if attacked.defended:
        assert out.returncode == 1 and "/dev/null" in out.stderr


@pytest.mark.parametrize("kind", ["link", "link to nothing", "directory", "another device", "pipe"])
def test_nothing_else_passes_for_dev_null(runtime, bundle, own_rootfs, kind):
    null = own_rootfs / "dev/null"
    {"link": lambda: null.symlink_to("/proc/sys/kernel/core_pattern"),
     "link to nothing": lambda: null.symlink_to("/absent"),
     "directory": null.mkdir,
     "another device": lambda: os.mknod(null, 0o20666, os.makedev(1, 5)),
     "pipe": lambda: os.mkfifo(null)}[kind]()
    out = runtime.run(image_dev(bundle).shell("echo reached"))
    assert out.returncode == 1 and "reached" not in out.stdout and "/dev/null" in out.stderr


def test_dev_itself_may_be_a_link_but_leads_nowhere_else(runtime, bundle, own_rootfs, tmp_path):
    (tmp_path / "host").mkdir()
    (own_rootfs / "dev").rmdir()
    (own_rootfs / "dev").symlink_to(tmp_path / "host")
    runtime.run(image_dev(bundle))
    assert list((tmp_path / "host").iterdir()) == []


@both("console")
def test_a_link_as_dev_console_is_not_followed_out(attacked, bundle, own_rootfs, tmp_path):
    """Bound over what the link names, the terminal would cover a file of the host's choosing for the rest of the start."""
    host = tmp_path / "host"
    host.write_text("")
    (own_rootfs / "dev/console").symlink_to(host)
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["destination"] != "/dev"]
    bundle.shell("echo reached").terminal(True).save()
    master, slave = pty.openpty()
    try:
        out = attacked("run", "--bundle", bundle.path, attacked.new_id(), stdin=slave, stdout=slave,
                       capture_output=False, stderr=subprocess.PIPE)
        seen = read_until(master, b"reached", 0.2 if attacked.defended else 5)
    finally:
        os.close(master)
        os.close(slave)
    assert (b"reached" not in seen) == attacked.defended, seen
    assert ("/dev/console" in out.stderr) == attacked.defended, out.stderr


@pytest.mark.parametrize("target", ["/proc/sysrq-trigger", "../proc/self/attr/current", "pts/0", "/absent"])
def test_dev_console_leads_nowhere_in_the_container_either(runtime, bundle, own_rootfs, target):
    """Bound before the masks, it could take the place of what they are to cover."""
    (own_rootfs / "dev/console").symlink_to(target)
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["destination"] != "/dev"]
    bundle.shell("echo reached").terminal(True).save()
    master, slave = pty.openpty()
    try:
        out = runtime("run", "--bundle", bundle.path, runtime.new_id(), stdin=slave, stdout=slave, capture_output=False,
                      stderr=subprocess.PIPE)
    finally:
        os.close(master)
        os.close(slave)
    assert out.returncode == 1 and "/dev/console" in out.stderr


def test_a_masked_path_that_is_a_link_is_masked_where_it_leads(runtime, bundle, own_rootfs, tmp_path):
    """Within the root: an absolute link does not lead to the host's directory of that name."""
    (own_rootfs / "hidden").mkdir()
    (own_rootfs / "hidden/key").write_text("secret")
    for name, target in (("way", "/hidden"), ("up", "../../../hidden"), ("far", "way")):
        (own_rootfs / name).symlink_to(target)
        bundle.linux["maskedPaths"] = [f"/{name}"]
        assert "secret" not in runtime.run(bundle.shell("cat /hidden/key")).stdout


@both("mask")
def test_a_mask_covers_what_is_there_or_the_start_fails(attacked, bundle, own_rootfs):
    """A link through /proc could lead a mask anywhere, or nowhere, and what it was to hide would be open."""
    (own_rootfs / "secret").mkdir()
    (own_rootfs / "secret/key").write_text("seen")
    (own_rootfs / "secret/way").symlink_to("/proc/self/fd/0")
    bundle.linux["maskedPaths"] = ["/secret/way"]
    out = attacked.run(bundle.shell("echo STARTED"))
    assert ("STARTED" in out.stdout) != attacked.defended
