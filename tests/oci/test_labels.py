# SPDX-License-Identifier: Apache-2.0
"""SELinux labels and AppArmor profiles: set where the kernel enforces them; where it does not,
a process's label is refused; of its profile, and of the mounts' label, there is a warning."""
import os
import pathlib

import pytest

LABEL = "system_u:system_r:container_t:s0:c1,c2"


def has_apparmor():
    try:
        return pathlib.Path("/sys/module/apparmor/parameters/enabled").read_text().startswith("Y")
    except OSError:
        return False


def has_selinux():
    return os.path.ismount("/sys/fs/selinux")


def test_a_selinux_label_nobody_enforces_is_refused(runtime, bundle):
    if has_selinux():
        pytest.skip("SELinux is enabled")
    bundle.process["selinuxLabel"] = LABEL
    out = runtime.run(bundle)
    assert out.returncode == 1
    assert "$.process.selinuxLabel: SELinux is not enabled" in out.stderr


def test_a_profile_without_apparmor_is_a_warning(runtime, bundle):
    """So OCI's validation suite has it; in its container, exec runs as it does."""
    if has_apparmor():
        pytest.skip("AppArmor is enabled")
    bundle.process["apparmorProfile"] = "some-profile"
    out = runtime.run(bundle.args("true"))
    assert out.returncode == 0, out.stderr
    assert "warning" in out.stderr and "$.process.apparmorProfile: AppArmor is not enabled" in out.stderr
    name = runtime.start_detached(bundle.args("sleep", "60"))
    runtime.ok("exec", name, "true")
    runtime.ok("exec", "--apparmor", "some-profile", name, "true")
    out = runtime("exec", "--apparmor", "other-profile", name, "true")
    assert out.returncode == 255 and "AppArmor is not enabled" in out.stderr


def test_a_mount_label_without_selinux_is_a_warning(runtime, bundle):
    """It protects files from other containers' processes; without SELinux no process has a label to be judged by."""
    if has_selinux():
        pytest.skip("SELinux is enabled")
    bundle.linux["mountLabel"] = LABEL
    out = runtime.run(bundle.shell("grep -c context= /proc/mounts"))
    assert out.stdout == "0\n"
    assert "warning" in out.stderr and "$.linux.mountLabel" in out.stderr and "SELinux" in out.stderr


@pytest.mark.parametrize("option", [("--apparmor", "p"), ("--process-label", LABEL)])
def test_exec_refuses_it_too(runtime, bundle, option):
    if has_apparmor() or has_selinux():
        pytest.skip("a security module is enabled")
    name = runtime.start_detached(bundle.args("sleep", "60"))
    out = runtime("exec", *option, name, "true")
    assert out.returncode == 255 and "is not enabled" in out.stderr


def test_unconfined_needs_nothing(runtime, bundle):
    bundle.process["apparmorProfile"] = "unconfined"
    assert runtime.run(bundle).returncode == 0


def test_a_profile_that_is_not_loaded_is_told(runtime, bundle):
    if not has_apparmor():
        pytest.skip("AppArmor is not enabled")
    bundle.process["apparmorProfile"] = "mailbox-run-no-such-profile"
    out = runtime.run(bundle)
    assert out.returncode == 1 and "mailbox-run-no-such-profile" in out.stderr
