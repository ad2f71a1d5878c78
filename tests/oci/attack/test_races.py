# SPDX-License-Identifier: Apache-2.0
"""Links, and directories that become links at the right moment, in targets of mounts and devices (CVE-2021-30465,
CVE-2024-45310)."""
import os

import pytest

from attacklib import both, exchanging

EXCHANGES = 10000
STARTS = 40  # and more, until there were so many exchanges
STARTS_MAX = 600


@pytest.fixture
def volume(bundle, tmp_path):
    """A volume that another container may write to: `dir` and a link to a directory of the host change places."""
    (tmp_path / "host").mkdir()
    (tmp_path / "volume" / "dir").mkdir(parents=True)
    (tmp_path / "volume" / "link").symlink_to(tmp_path / "host")
    bundle.mount(destination="/run", type="bind", source=str(tmp_path / "volume"), options=["bind", "rw"])
    return tmp_path / "volume"


def attack(attacked, bundle, volume, tmp_path):
    """Starts, until there were enough exchanges and starts, or one of them came out at the host's directory."""
    host, counts, starts = tmp_path / "host", [], 0
    bundle.save()
    while (starts < STARTS or sum(counts) < EXCHANGES) and starts < STARTS_MAX and not list(host.iterdir()):
        with exchanging(volume / "dir", volume / "link", counts):
            for _ in range(STARTS):
                attacked("run", "--bundle", bundle.path, attacked.new_id())
        starts += STARTS
    return list(host.iterdir()), counts


@both("beneath")
def test_a_device_never_lands_outside(attacked, bundle, volume, tmp_path):
    bundle.linux["devices"] = [{"path": f"/run/dir/null{i}", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666}
                               for i in range(4)]
    outside, counts = attack(attacked, bundle, volume, tmp_path)
    assert bool(outside) != attacked.defended, (outside, counts)
    assert outside or sum(counts) >= EXCHANGES


def test_a_mount_target_never_lands_outside(runtime, bundle, volume, tmp_path):
    for i in range(4):
        bundle.mount(destination=f"/run/dir/a{i}/b", type="tmpfs", source="tmpfs")
    (tmp_path / "file").touch()
    bundle.mount(destination="/run/dir/file", type="bind", source=str(tmp_path / "file"), options=["bind"])
    outside, counts = attack(runtime, bundle, volume, tmp_path)
    assert outside == [] and sum(counts) >= EXCHANGES


def test_a_working_directory_is_never_made_outside(runtime, bundle, volume, tmp_path):
    bundle.process["cwd"] = "/run/dir/made/here"
    outside, counts = attack(runtime, bundle, volume, tmp_path)
    assert outside == [] and sum(counts) >= EXCHANGES


def test_what_was_to_be_masked_is_masked_or_the_start_fails(runtime, bundle, tmp_path):
    """The masked directory changes places with an empty one while it is masked."""
    volume = tmp_path / "volume"
    for name in ("dir", "other"):
        (volume / name).mkdir(parents=True)
        (volume / name / "secret").write_text("seen")
    bundle.mount(destination="/run", type="bind", source=str(volume), options=["bind", "rw"])
    bundle.linux["maskedPaths"] = ["/run/dir", "/run/other"]
    counts = []
    bundle.shell("cat /run/dir/secret /run/other/secret").save()
    with exchanging(volume / "dir", volume / "other", counts):
        for _ in range(STARTS):
            out = runtime("run", "--bundle", bundle.path, runtime.new_id())
            # Whoever may rename in the volume can always show one of the two, but not by means of the mask.
            assert out.returncode != 0 or "seen" not in out.stdout


@pytest.mark.parametrize("target", ["/../../../../..", "/", "../../../../../../tmp", "/proc/self/root", "/proc/1/root"])
def test_links_in_mount_targets_stay_inside(runtime, bundle, own_rootfs, tmp_path, target):
    (own_rootfs / "link").symlink_to(target)
    (tmp_path / "source").mkdir()
    name = f"mr-escaped-{os.getpid()}"
    bundle.mount(destination=f"/link/{name}", type="bind", source=str(tmp_path / "source"), options=["bind"])
    runtime.run(bundle)
    for at in ("/", "/tmp"):
        assert not os.path.exists(os.path.join(at, name))


def test_a_loop_of_links_ends(runtime, bundle, own_rootfs):
    (own_rootfs / "a").symlink_to("b")
    (own_rootfs / "b").symlink_to("a")
    bundle.mount(destination="/a/x", type="tmpfs", source="tmpfs")
    out = runtime.run(bundle)
    assert out.returncode == 1 and "symbolic links" in out.stderr
