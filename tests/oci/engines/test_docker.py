# SPDX-License-Identifier: Apache-2.0
"""What docker alone does, with mailbox-run as its default runtime; what podman does, too, is in test_commands.py."""
from enginelib import IMAGE, group_value


def test_the_default_runtime(docker):
    assert docker.ok("info", "-f", "{{.DefaultRuntime}}") == "mailbox-run\n"


def test_an_update_of_all_limits(docker):
    name = docker.detached("--memory", "64m", "--pids-limit", "50", IMAGE, "sleep", "60")
    docker.ok("update", "--memory", "96m", "--memory-swap", "192m", "--pids-limit", "60", "--cpus", "0.5", name)
    assert group_value(name, "memory.limit_in_bytes", "memory.max") == str(96 << 20)
    assert group_value(name, "pids.max", "pids.max") == "60"
    docker.remove(name)


def test_health_checks_by_the_clock(docker):
    name = docker.detached("--health-cmd", "test -e /tmp/well", "--health-interval", "300ms", "--health-retries", "1", IMAGE,
                           "sleep", "60")
    docker.becomes(name, "{{.State.Health.Status}}", "unhealthy", 60)
    docker.ok("exec", name, "touch", "/tmp/well")
    docker.becomes(name, "{{.State.Health.Status}}", "healthy", 60)
    docker.remove(name)
