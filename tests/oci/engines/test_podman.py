# SPDX-License-Identifier: Apache-2.0
"""What podman alone does, with mailbox-run as its default runtime; what docker does, too, is in test_commands.py."""
import os

import pytest

from enginelib import IMAGE


def test_the_umask_and_a_user_by_name(podman):
    assert podman.ok("run", "--rm", "-u", "mail", "--umask", "0027", IMAGE, "sh", "-c", "id -un; umask") == "mail\n0027\n"


def test_health_checks_on_demand(podman):
    name = podman.detached("--health-cmd", "test -e /tmp/well", "--health-interval", "disable", "--health-retries", "1",
                           IMAGE, "sleep", "60")
    assert podman("healthcheck", "run", name).returncode == 1
    podman.ok("exec", name, "touch", "/tmp/well")
    podman.ok("healthcheck", "run", name)
    assert podman.inspect(name, "{{.State.Health.Status}}") == "healthy"
    podman.remove(name)


def test_checkpoint_and_restore(podman):
    name = podman.detached(IMAGE, "sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done")
    podman.logged(name, "2\n")
    result = podman("container", "checkpoint", name)
    if result.returncode != 0:
        podman.remove(name)
        pytest.skip(f"no checkpoint here: {result.stderr.strip()[-200:]}")
    assert podman.inspect(name, "{{.State.Status}}") == "exited"
    podman.ok("container", "restore", name)
    before = podman.ok("logs", name).split()
    podman.logged(name, f"\n{int(before[-1]) + 1}\n")
    podman.remove(name)


def test_the_caller_s_groups_are_kept(podman):
    before = os.getgroups()
    os.setgroups([3001, 3002])
    try:
        out = podman("run", "--rm", "-u", "12:34", "--group-add", "keep-groups", IMAGE, "grep", "Groups:", "/proc/self/status")
    finally:
        os.setgroups(before)
    if "keep-groups" in out.stderr:
        pytest.skip(out.stderr.strip())  # by some versions only for a runtime of a certain name
    assert out.returncode == 0, out.stderr
    assert out.stdout.split()[1:] == ["3001", "3002"]
