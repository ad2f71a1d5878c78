# SPDX-License-Identifier: Apache-2.0
"""checkpoint and restore where criu is installed and able, and what is said where it is not."""
import os
import shutil
import subprocess

import pytest

from ocilib import need_root, restoring_criu, wait


def criu_works():
    if shutil.which("criu") is None:
        return False
    return subprocess.run(["criu", "check"], capture_output=True, check=False).returncode == 0


@pytest.fixture
def images(tmp_path):
    return tmp_path / "images"


COUNT = "i=0; while :; do i=$((i+1)); echo $i > /run/count; sleep 0.05; done"


@pytest.fixture
def counter(runtime, bundle, own_rootfs, tmp_path):
    """A container that counts in a file of a tmpfs, and one of the host that shows it."""
    if not criu_works():
        pytest.skip("criu is not installed, or not able to work with this kernel")
    bundle.mount(destination="/run", type="tmpfs", source="tmpfs")
    bundle.shell(COUNT).save()
    name = runtime.new_id()
    runtime("run", "--detach", "--bundle", bundle.path, name, check=True, capture_output=False, text=None,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait(lambda: count(runtime, name) > 3, "the container counts")
    return name


def count(runtime, name):
    return int(runtime("exec", name, "cat", "/run/count").stdout or 0)


def test_it_goes_on_where_it_was(runtime, bundle, counter, images):
    before = count(runtime, counter)
    runtime.ok("checkpoint", "--image-path", images, counter, timeout=120)
    assert "does not exist" in runtime("state", counter).stderr
    runtime("restore", "--detach", "--image-path", images, "--bundle", bundle.path, counter, check=True,
            capture_output=False, text=None, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
    assert runtime.state(counter)["status"] == "running"
    wait(lambda: count(runtime, counter) > before, "it counts on")
    groups = (lambda pid: open(f"/proc/{pid}/cgroup", encoding="ascii").read())(runtime.state(counter)["pid"])
    assert counter in groups


def test_it_may_be_left_running(runtime, counter, images):
    runtime.ok("checkpoint", "--leave-running", "--image-path", images, counter, timeout=120)
    assert runtime.state(counter)["status"] == "running"
    assert (images / "inventory.img").exists()


def test_a_paused_one_stays_so(runtime, counter, images):
    runtime.ok("pause", counter)
    runtime.ok("checkpoint", "--leave-running", "--image-path", images, counter, timeout=120)
    assert runtime.state(counter)["status"] == "paused"
    runtime.ok("resume", counter)
    before = count(runtime, counter)
    wait(lambda: count(runtime, counter) > before, "it counts on")


def test_without_criu_it_is_refused(runtime, bundle, images):
    name = runtime.start_detached(bundle.args("sleep", "60"))
    for args in (("checkpoint",), ("restore", "--bundle", bundle.path)):
        out = runtime("--criu", "/no/such/criu", *args, "--image-path", images, name)
        assert out.returncode == 1 and "criu" in out.stderr and "not installed" in out.stderr
    assert runtime.state(name)["status"] == "running"
    assert not os.path.exists(images)


def test_a_criu_that_is_not_able_is_told(runtime, bundle, images):
    name = runtime.start_detached(bundle.args("sleep", "60"))
    out = runtime("--criu", "/bin/false", "checkpoint", "--image-path", images, name)
    assert out.returncode == 1 and "not able" in out.stderr


@pytest.fixture
def fake_criu(tmp_path):
    """A criu that writes down how it is called, and does nothing; and what it was called with last."""
    program, words = tmp_path / "criu", tmp_path / "words"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{words}\n')
    program.chmod(0o755)
    return program, lambda: words.read_text().split("\n")[:-1]


def test_options_reach_criu(runtime, bundle, images, fake_criu):
    program, words = fake_criu
    name = runtime.start_detached(bundle.args("sleep", "60"))
    runtime.ok("--criu", program, "checkpoint", "--image-path", images, "--pre-dump", "--parent-path", "../before",
               "--page-server", "[::1]:99", "--manage-cgroups-mode", "full", "--link-remap", "--tcp-skip-in-flight",
               "--empty-ns", "network", "--auto-dedup", name)
    said = words()
    assert said[0] == "pre-dump" and "--manage-cgroups=full" in said
    for pair in (("--prev-images-dir", "../before"), ("--address", "::1"), ("--port", "99"), ("--empty-ns", "net")):
        assert said[said.index(pair[0]) + 1] == pair[1]
    assert {"--link-remap", "--skip-in-flight", "--auto-dedup", "--track-mem"} < set(said)
    assert runtime.state(name)["status"] == "running"  # a pre-dump ends nothing


def freezer(pid):
    """The group of a process in the hierarchy that freezes."""
    unified = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
    with open(f"/proc/{pid}/cgroup", encoding="ascii") as f:
        groups = dict(line.rstrip("\n").split(":", 2)[1:] for line in f)
    return "/sys/fs/cgroup" + groups[""] if unified else "/sys/fs/cgroup/freezer" + groups["freezer"]


def test_of_a_paused_one_criu_is_told_the_group(runtime, bundle, images, fake_criu):
    """As containerd does it, which pauses first."""
    need_root()
    program, words = fake_criu
    name = runtime.start_detached(bundle.args("sleep", "60"))
    group = freezer(runtime.state(name)["pid"])
    for verb in ("pause", "resume"):
        runtime.ok("--criu", program, "checkpoint", "--leave-running", "--image-path", images, name)
        assert words()[words().index("--freeze-cgroup") + 1] == group
        runtime.ok(verb, name)
    runtime.ok("pause", name)
    runtime.ok("--criu", program, "checkpoint", "--pre-dump", "--image-path", images, name)
    assert runtime.state(name)["status"] == "paused"
    runtime.ok("--criu", program, "checkpoint", "--image-path", images, name)
    assert "--freeze-cgroup" in words() and "--leave-running" not in words()
    assert "does not exist" in runtime("state", name).stderr


def test_one_that_was_not_started_is_refused(runtime, bundle, images, fake_criu):
    name = runtime.create(bundle.args("sleep", "60"))
    out = runtime("--criu", fake_criu[0], "checkpoint", "--image-path", images, name)
    assert out.returncode == 1 and "the container is created, not running" in out.stderr


@pytest.mark.parametrize("mode", ["soft", "ignore"])
def test_what_is_restored_is_in_the_groups_made_for_it(runtime, bundle, tmp_path, mode):
    """Also where criu is told to leave groups alone."""
    program, images = restoring_criu(tmp_path)
    name = runtime.new_id()
    runtime.outputs(bundle.args("sleep", "60").save(), "--criu", program, "restore", "--detach", "--manage-cgroups-mode", mode,
                    "--image-path", images, "--bundle", bundle.path, name)
    pid = runtime.state(name)["pid"]
    with open(f"/proc/{pid}/cgroup", encoding="ascii") as f:
        groups = [line.split(":", 2) for line in f.read().split()]
    group = f"{name}.scope" if "--systemd-cgroup" in runtime.options else name
    assert any(group in path for _, _, path in groups)
    runtime.ok("delete", "--force", name)
    wait(lambda: not os.path.exists(f"/proc/{pid}"), "it has ended")


@pytest.mark.parametrize("options, text", [
    (("--page-server", "nowhere"), "option '--page-server': expected ADDRESS:PORT, found 'nowhere'"),
    (("--status-fd", "77"), "option '--status-fd': descriptor 77 is not open"),
    (("--parent-path", "/before"), "option '--parent-path': expected a path relative to the images"),
    (("--empty-ns", "pid"), "option '--empty-ns': expected 'network', found 'pid'"),
    (("--manage-cgroups-mode", "x"), "option '--manage-cgroups-mode': expected 'soft' or 'full'"),
])
def test_wrong_options_are_told(runtime, options, text):
    out = runtime("checkpoint", *options, "x")
    assert out.returncode == 1 and text in out.stderr
