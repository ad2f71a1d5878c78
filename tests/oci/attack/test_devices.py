# SPDX-License-Identifier: Apache-2.0
"""/dev/null and /dev/console of the image replaced, masked paths led elsewhere (CVE-2025-31133, CVE-2025-52565, and
the like: CVE-2026-41579, CVE-2026-88264, CVE-2026-88265)."""
import os
import pathlib
import pty
import subprocess

import pytest

from attacklib import both
from ocilib import read_until


def image_dev(bundle):
    """/dev as the image has it: no mount covers it."""
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if not m["destination"].startswith("/dev")]
    return bundle


def in_terminal(runtime, bundle):
    bundle.terminal(True).save()
    master, slave = pty.openpty()
    try:
        return runtime("run", "--bundle", bundle.path, runtime.new_id(), stdin=slave, stdout=slave, capture_output=False,
                       stderr=subprocess.PIPE)
    finally:
        os.close(master)
        os.close(slave)


@both("device")
def test_a_file_as_dev_null_is_not_used_to_mask(attacked, bundle, own_rootfs):
    (own_rootfs / "dev/null").write_text("what the attacker wants to be read\n")
    bundle.linux["maskedPaths"] = ["/proc/version"]
    out = attacked.run(image_dev(bundle).shell("cat /proc/version"))
    assert ("attacker" in out.stdout) != attacked.defended
    if attacked.defended:
        assert out.returncode == 1 and "/dev/null" in out.stderr


# What the image has as /dev/null, and what a naive mask then makes of a file of /proc.
CORE_PATTERN = pathlib.Path("/proc/sys/kernel/core_pattern")
IN_PLACE_OF_NULL = {
    "link": (lambda null: null.symlink_to(CORE_PATTERN), "cat /proc/version", lambda seen: seen == CORE_PATTERN.read_text()),
    "link to nothing": (lambda null: null.symlink_to("/absent"), "cat /proc/version", lambda seen: "Linux" in seen),
    "directory": (lambda null: null.mkdir(), "cat /proc/version", lambda seen: "Linux" in seen),
    "another device": (lambda null: os.mknod(null, 0o20666, os.makedev(1, 5)), "head -c 4 /proc/version | wc -c",
                       lambda seen: seen == "4\n"),
    "pipe": (os.mkfifo, "test -p /proc/version && echo pipe", lambda seen: seen == "pipe\n"),
}


@pytest.mark.parametrize("kind", IN_PLACE_OF_NULL)
@both("device", "mask")
def test_nothing_else_passes_for_dev_null(attacked, bundle, own_rootfs, kind):
    """A link in its place is bound instead, with write access to what the mask was to cover, or nothing is."""
    make, look, is_open = IN_PLACE_OF_NULL[kind]
    make(own_rootfs / "dev/null")
    bundle.linux["maskedPaths"] = ["/proc/version"]
    out = attacked.run(image_dev(bundle).shell(look))
    assert is_open(out.stdout) != attacked.defended, out.stdout + out.stderr
    if attacked.defended:
        assert out.returncode == 1 and out.stdout == "" and "/dev/null" in out.stderr


@both("null")
def test_what_the_image_calls_dev_null_is_not_handed_to_the_process(attacked, bundle, own_rootfs):
    """CVE-2026-88265: a standard input that is the null device is opened again in the container; a link in its place would
    be opened by root and given to the user."""
    (own_rootfs / "secret").write_text("of root")
    (own_rootfs / "secret").chmod(0o600)
    (own_rootfs / "dev/null").symlink_to("/secret")
    bundle.linux["maskedPaths"] = []
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    if attacked.defended:
        out = attacked.run(image_dev(bundle).shell("cat /secret"))
        assert out.returncode == 1 and "/dev/null" in out.stderr  # not even begun with
    image_dev(bundle)
    bundle.config["mounts"].append({"destination": "/dev", "type": "bind", "source": str(own_rootfs / "dev"), "options": ["bind"]})
    out = attacked.run(bundle.shell("cat <&0"))  # the image's own /dev is taken as it is
    assert ("of root" in out.stdout) != attacked.defended
    assert ((own_rootfs / "secret").stat().st_uid == 0) == attacked.defended


@pytest.mark.parametrize("relative", [False, True])
@both("dev")
def test_dev_itself_may_be_a_link_but_leads_nowhere_else(attacked, bundle, own_rootfs, tmp_path, relative):
    """CVE-2026-41579, CVE-2026-47766: links are made and a ptmx is removed where the image's /dev leads on the host."""
    host = tmp_path / "host"
    host.mkdir()
    (host / "ptmx").write_text("of the host")
    (own_rootfs / "dev").rmdir()
    (own_rootfs / "dev").symlink_to("../host" if relative else host)
    (own_rootfs / "host").mkdir()  # where it leads within the root
    bundle.linux["maskedPaths"] = []
    image_dev(bundle).config["linux"]["devices"] = []
    attacked.run(bundle)
    names = sorted(p.name for p in host.iterdir())
    assert (names == ["ptmx"] and not (host / "ptmx").is_symlink()) == attacked.defended, names


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


@both("console")
def test_no_console_is_made_outside(attacked, bundle, own_rootfs, tmp_path):
    """CVE-2026-88264: a link to a file that is not there yet."""
    (own_rootfs / "dev/console").symlink_to(tmp_path / "made")
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["destination"] != "/dev"]
    in_terminal(attacked, bundle.shell("echo reached"))
    assert (tmp_path / "made").exists() != attacked.defended


@both("pts")
def test_the_other_side_of_a_terminal_is_not_what_the_image_says(attacked, bundle, own_rootfs):
    """CVE-2025-52565: what the image has as /dev/pts/0 is bound to /dev/console, before the masks, and can be written to."""
    (own_rootfs / "dev/pts").mkdir()
    for n in range(64):
        (own_rootfs / f"dev/pts/{n}").symlink_to(CORE_PATTERN)
    bundle.linux["readonlyPaths"] = ["/proc/sys"]
    bundle.shell("mount 2>/dev/null; cat /dev/console >/seen; (exec 8>>/dev/console) 2>/dev/null && echo open >>/seen")
    out = in_terminal(attacked, image_dev(bundle))
    seen = (own_rootfs / "seen").read_text() if (own_rootfs / "seen").exists() else ""
    assert (CORE_PATTERN.read_text() in seen and "open" in seen) != attacked.defended, (seen, out)
    if attacked.defended:
        assert out.returncode == 1 and "terminal" in out.stderr


@pytest.mark.parametrize("target", ["/proc/sysrq-trigger", "../proc/self/attr/current", "pts/0", "/absent"])
def test_dev_console_leads_nowhere_in_the_container_either(runtime, bundle, own_rootfs, target):
    """Bound before the masks, it could take the place of what they are to cover."""
    (own_rootfs / "dev/console").symlink_to(target)
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["destination"] != "/dev"]
    out = in_terminal(runtime, bundle.shell("echo reached"))
    assert out.returncode == 1 and "/dev/console" in out.stderr


def test_a_masked_path_that_is_a_link_is_masked_where_it_leads(runtime, bundle, own_rootfs):
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
