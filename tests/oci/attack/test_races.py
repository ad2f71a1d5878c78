# SPDX-License-Identifier: Apache-2.0
"""Links, and directories that become links at the right moment, in targets of mounts and devices (CVE-2021-30465,
CVE-2024-45310)."""
import os

import pytest

from attacklib import both, exchanging

EXCHANGES = 10000
STARTS = 40  # and more, until there were so many exchanges
UNLUCKY = 4000  # starts without the defence, until one goes wrong


@pytest.fixture
def volume(bundle, tmp_path):
    """A volume that another container may write to: `dir` and a link to a directory of the host change places."""
    (tmp_path / "host").mkdir()
    (tmp_path / "volume" / "dir").mkdir(parents=True)
    (tmp_path / "volume" / "link").symlink_to(tmp_path / "host")
    bundle.mount(destination="/run", type="bind", source=str(tmp_path / "volume"), options=["bind", "rw"])
    return tmp_path / "volume"


def starts_during(attacked, bundle, names, is_lost):
    """Starts, until there were enough exchanges and starts, or one of them was lost. Whether one was."""
    counts, starts = [], 0
    bundle.save()
    while sum(counts) < EXCHANGES or starts < (STARTS if attacked.defended else UNLUCKY):
        assert starts < UNLUCKY, f"only {counts} exchanges, or not one of {starts} starts went wrong"
        with exchanging(*names, counts):
            for _ in range(STARTS):
                if is_lost(attacked("run", "--bundle", bundle.path, attacked.new_id())):
                    return True
        starts += STARTS
    return False


def attack(attacked, bundle, volume, tmp_path):
    """One of them came out at the host's directory."""
    return starts_during(attacked, bundle, (volume / "dir", volume / "link"), lambda _: list((tmp_path / "host").iterdir()))


@both("beneath")
def test_a_device_never_lands_outside(attacked, bundle, volume, tmp_path):
    bundle.linux["devices"] = [{"path": f"/run/dir/null{i}", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666}
                               for i in range(4)]
    assert attack(attacked, bundle, volume, tmp_path) != attacked.defended


@both("beneath")
def test_no_directory_is_made_outside(attacked, bundle, volume, tmp_path):
    """CVE-2024-45310: the directories of a mount's target, and the file that something is bound to."""
    for i in range(4):
        bundle.mount(destination=f"/run/dir/a{i}/b", type="tmpfs", source="tmpfs")
    (tmp_path / "file").touch()
    bundle.mount(destination="/run/dir/file", type="bind", source=str(tmp_path / "file"), options=["bind"])
    assert attack(attacked, bundle, volume, tmp_path) != attacked.defended


@both("beneath")
def test_no_mount_lands_outside(attacked, bundle, volume, tmp_path):
    """CVE-2021-30465. What the namespace has mounted before the pivot is seen by a hook."""
    (tmp_path / "host/a").mkdir()
    (volume / "dir/a").mkdir()
    bundle.mount(destination="/run/dir/a", type="tmpfs", source="tmpfs")
    lost = tmp_path / "lost"
    look = f"while read a b c d at rest; do test $at = {tmp_path}/host/a && echo lost >{lost}; done </proc/self/mountinfo; true"
    bundle.config["hooks"] = {"createContainer": [{"path": "/bin/sh", "args": ["sh", "-c", look]}]}
    names = (volume / "dir", volume / "link")
    assert starts_during(attacked, bundle, names, lambda _: lost.exists()) != attacked.defended


@both("beneath")
def test_a_working_directory_is_never_made_outside(attacked, bundle, volume, tmp_path):
    bundle.config["root"]["readonly"] = True  # then it is made early, while the host is still in reach
    bundle.process["cwd"] = "/run/dir/made/here"
    assert attack(attacked, bundle, volume, tmp_path) != attacked.defended


@both("mask")
def test_what_was_to_be_masked_is_masked_or_the_start_fails(attacked, bundle, tmp_path):
    """Two masked directories change places while they are masked. Whoever may rename in the volume can always show one of
    the two, but not by means of the masks."""
    volume = tmp_path / "volume"
    for name in ("dir", "other"):
        (volume / name).mkdir(parents=True)
        (volume / name / "secret").write_text("seen")
    bundle.mount(destination="/run", type="bind", source=str(volume), options=["bind", "rw"])
    bundle.linux["maskedPaths"] = ["/run/dir", "/run/other"]
    bundle.shell("cat /run/dir/secret /run/other/secret; true")
    names = (volume / "dir", volume / "other")
    lost = starts_during(attacked, bundle, names, lambda out: out.returncode == 0 and "seen" in out.stdout)
    assert lost != attacked.defended


@pytest.mark.parametrize("target", ["/../../../../..", "/", "../../../../../../tmp", "/proc/self/root", "/proc/1/root"])
def test_links_in_mount_targets_stay_inside(runtime, bundle, own_rootfs, tmp_path, target):
    (own_rootfs / "link").symlink_to(target)
    (tmp_path / "source").mkdir()
    name = f"mr-escaped-{os.getpid()}"
    bundle.mount(destination=f"/link/{name}", type="bind", source=str(tmp_path / "source"), options=["bind"])
    runtime.run(bundle)
    for at in ("/", "/tmp"):
        assert not os.path.exists(os.path.join(at, name))


def test_what_is_copied_up_comes_from_inside(runtime, bundle, own_rootfs, tmp_path):
    """A tmpfs takes over what the image has in its place: of a link the directory that it leads to, but in the container."""
    (tmp_path / "host").mkdir()
    (tmp_path / "host/secret").write_text("of the host")
    (own_rootfs / "data").symlink_to(tmp_path / "host")
    (own_rootfs / "other").mkdir()
    (own_rootfs / "other/file").symlink_to(tmp_path / "host/secret")
    for at in ("/data", "/other"):
        bundle.mount(destination=at, type="tmpfs", source="tmpfs", options=["tmpcopyup"])
    out = runtime.run(bundle.shell("cat /data/* /other/*; ls -l /other"))
    assert "of the host" not in out.stdout and "file -> " in out.stdout, out.stderr


def test_a_loop_of_links_ends(runtime, bundle, own_rootfs):
    (own_rootfs / "a").symlink_to("b")
    (own_rootfs / "b").symlink_to("a")
    bundle.mount(destination="/a/x", type="tmpfs", source="tmpfs")
    out = runtime.run(bundle)
    assert out.returncode == 1 and "symbolic links" in out.stderr
