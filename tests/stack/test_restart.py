# SPDX-License-Identifier: Apache-2.0
"""Services that die, hang, or are restarted; supervisors that are killed."""
import os
import signal
import time

import pytest

from stacklib import SERVICES


@pytest.mark.parametrize("name", SERVICES)
def test_a_killed_service_is_back_within_a_second(stack, name):
    stack.up()
    pids = stack.pids()
    os.kill(pids[name], signal.SIGKILL)
    began = time.monotonic()
    assert stack.ask(name, "hello") == f"{name} 1 hups=0"  # it waits in the backlog
    assert time.monotonic() - began < 5.0  # a tenth of a second, where nothing else runs
    now = stack.wait(lambda s: s[name]["state"] == "up" and s[name]["restarts"] == 1)
    assert now[name]["last_exit"] == "killed by SIGKILL"
    assert {n: s["pid"] for n, s in now.items() if n != name} == {n: p for n, p in pids.items() if n != name}


def test_status_says_why_a_service_died(stack):
    stack.up()
    stack.ask("smtpd", "exit 5")
    assert stack.wait(lambda s: s["smtpd"]["restarts"] == 1)["smtpd"]["last_exit"] == "exited with 5"
    stack.ask("smtpd", "crash")
    assert stack.wait(lambda s: s["smtpd"]["restarts"] == 2)["smtpd"]["last_exit"].startswith("killed by SIGSEGV")


def test_a_service_that_dies_again_and_again_is_started_ever_later(stack):
    stack.up()
    began = time.monotonic()
    for n in range(1, 5):
        stack.ask("authd", "exit 1")
        stack.wait(lambda s, n=n: s["authd"]["restarts"] == n and s["authd"]["state"] == "up")
    assert time.monotonic() - began > 0.7  # 0 + 100 + 200 + 400 ms


def test_a_silent_service_is_killed_by_the_watchdog(stack):
    stack.up()
    stack.ask("pop3d", "silent")
    now = stack.wait(lambda s: s["pop3d"]["restarts"] == 1 and s["pop3d"]["state"] == "up", seconds=45)
    assert now["pop3d"]["last_exit"] == "watchdog: silent for 30 s"


def test_one_that_will_not_drain_is_killed_after_its_grace(stack):
    stack.up()
    stack.ask("imapd", "undrain")
    began = time.monotonic()
    stack.call("restart", str(stack.file), "imapd")
    assert 9 < time.monotonic() - began < 15
    assert stack.services()["imapd"]["last_exit"].startswith("killed: not ended 10 s after SIGTERM")


def test_restart_of_one_service_leaves_the_others(stack):
    stack.up()
    before = stack.pids()
    stack.call("restart", str(stack.file), "filterd")
    after = stack.pids()
    assert after.pop("filterd") != before.pop("filterd")
    assert after == before
    assert stack.call("restart", str(stack.file), "nosuch", check=False).returncode == 1


def test_restart_of_all(stack):
    stack.up()
    before = stack.pids()
    stack.call("restart", str(stack.file))
    after = stack.pids()
    assert all(after[n] != before[n] for n in SERVICES)
    assert all(s["state"] == "up" for s in stack.services().values())


def test_out_of_memory_is_told(stack):
    stack.config["services"] = {"authd": {"memory": "16M"}}
    stack.write()
    stack.up()
    stack.ask("authd", "eat 64")
    now = stack.wait(lambda s: s["authd"]["restarts"] == 1)
    assert now["authd"]["last_exit"] == "killed by SIGKILL (out of memory)"


@pytest.mark.parametrize("verb", ["up", "down"])
def test_what_a_killed_supervisor_left_is_cleaned(stack, no_leaks, verb):
    stack.up()
    pids = stack.pids()
    stack.kill_supervisor()
    if verb == "up":
        deadline = time.monotonic() + 5
        while stack.call("status", str(stack.file), check=False).returncode == 0:
            assert time.monotonic() < deadline
        stack.up()
        assert not [n for n, p in pids.items() if os.path.exists(f"/proc/{p}")]
        assert all(stack.ask(n, "hello") for n in SERVICES)
    else:
        stack.down()
        no_leaks(stack.prefix + "-")
