# SPDX-License-Identifier: Apache-2.0
"""podman's user namespaces, control groups modes and JSON errors: what docker has no option for."""
from enginelib import IMAGE


def test_user_namespaces(podman):
    out = podman.ok("run", "--rm", "--uidmap", "0:100000:5000", "--gidmap", "0:100000:5000", IMAGE, "sh", "-c",
                    "cat /proc/self/uid_map; id -u; stat -c %u /etc/passwd; touch /new && stat -c %u /new")
    assert out.split() == ["0", "100000", "5000", "0", "0", "0"]
    name = podman.detached("--uidmap", "0:100000:5000", IMAGE, "sleep", "60")
    assert podman.ok("exec", "-u", "mail", name, "id", "-u") == "8\n"
    assert podman.ok("exec", name, "cat", "/proc/1/uid_map").split() == ["0", "100000", "5000"]
    podman.remove(name)


def test_a_container_without_groups_of_its_own(podman):
    out = podman.ok("run", "--rm", "--cgroupns", "host", "--cgroups", "enabled", IMAGE, "grep", "-c", "libpod", "/proc/self/cgroup")
    assert int(out) > 0
    result = podman("run", "--rm", "--cgroups", "disabled", IMAGE, "echo", "in")
    assert result.stdout == "in\n", result.stderr
