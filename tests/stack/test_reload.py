# SPDX-License-Identifier: Apache-2.0
"""reload does what the difference asks, and nothing else."""
import json
import socket
import time

import pytest

from stacklib import HASH


def reload(stack, check=True):
    stack.write()
    return stack.call("reload", str(stack.file), check=check)


def changed(stack, before):
    after = stack.pids()
    return {n for n in after if after[n] != before[n]}


def test_an_unchanged_file_changes_nothing(stack):
    stack.up()
    before = stack.pids()
    assert reload(stack).stdout == "nothing has changed\n"
    assert not changed(stack, before)


@pytest.mark.parametrize("key, value, lines", [
    ("smtp", {"recipients": 7}, {"reloaded smtpd"}),
    ("mailbox", {"quota": "3G"}, {"reloaded authd", "reloaded imapd", "reloaded pop3d", "reloaded lmtpd"}),
    ("lists", {"team@example.org": {"members": ["alice@example.org"]}}, {"reloaded authd"}),
    ("services", {"imapd": {"memory": "96M"}}, {"restarted imapd"}),
    ("dial", {"allow": ["10.0.0.0/8"]}, set()),
    ("filter", {"executables": "reject"}, {"reloaded filterd"}),
    ("services", {"authd": {"workers": 3}}, {"restarted authd"}),
    ("tls", {"plaintext_login": ["127.0.0.0/8"]}, {"reloaded smtpd", "restarted frontd"}),
])
def test_only_what_the_difference_asks(stack, key, value, lines):
    stack.up()
    before = stack.pids()
    stack.config[key] = value
    out = reload(stack).stdout
    assert set(out.splitlines()) == (lines or {"nothing has changed"})
    now = stack.all_up()
    assert changed(stack, before) == {line.split()[1] for line in lines if line.startswith("restarted")}
    for line in lines:
        how, name = line.split()
        if how == "reloaded":
            deadline = time.monotonic() + 5
            while stack.ask(name, "hello") != f"{name} 1 hups=1":
                assert time.monotonic() < deadline
    assert len(now) == 9


def test_the_service_sees_its_new_configuration(stack):
    stack.up()
    stack.config["smtp"] = {"recipients": 7}
    reload(stack)
    deadline = time.monotonic() + 5
    while json.loads(stack.ask("smtpd", "conf"))["recipients"] != 7:
        assert time.monotonic() < deadline


def test_a_new_port_is_bound_and_an_old_one_given_up(stack, free_ports):
    stack.up()
    before = stack.pids()
    old = stack.ports["imap"]
    stack.ports["imap"], = free_ports(1)
    stack.config["listen"]["imap"] = [f"127.0.0.1:{stack.ports['imap']}"]
    assert reload(stack).stdout == "restarted frontd\n"
    stack.all_up()
    assert changed(stack, before) == {"frontd"}
    assert stack.ask("frontd", "hello")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", old), timeout=5)


def test_a_busy_port_changes_nothing(stack, free_ports):
    stack.up()
    before = stack.pids()
    port, = free_ports(1)
    stack.config["listen"]["imap"] = [f"127.0.0.1:{port}"]
    stack.config["smtp"] = {"recipients": 7}
    with socket.create_server(("127.0.0.1", port)):
        r = reload(stack, check=False)
    assert r.returncode == 1 and "address already in use" in r.stderr
    assert not changed(stack, before)
    assert stack.ask("frontd", "hello") and stack.ask("smtpd", "hello") == "smtpd 1 hups=0"


def test_a_protocol_that_goes_takes_its_services_along_and_comes_back(stack):
    stack.up()
    listen = stack.config["listen"].pop("pop3")
    assert set(reload(stack).stdout.splitlines()) == {"stopped pop3d", "restarted frontd"}
    stack.wait(lambda s: s["pop3d"]["state"] == "off" and s["frontd"]["state"] == "up")
    stack.config["listen"]["pop3"] = listen
    assert set(reload(stack).stdout.splitlines()) == {"started pop3d", "restarted frontd"}
    stack.all_up()


def test_a_wrong_file_changes_nothing_and_shows_all_faults(stack):
    stack.up()
    before = stack.pids()
    stack.config["smtp"] = {"recipients": "many"}
    stack.config["listn"] = {}
    r = reload(stack, check=False)
    assert r.returncode == 2 and len(r.stderr.splitlines()) == 2
    assert not changed(stack, before)


def test_storage_does_not_move_under_a_running_stack(stack):
    stack.up()
    stack.config["storage"] = str(stack.dir / "elsewhere")
    r = reload(stack, check=False)
    assert r.returncode == 1 and "storage" in r.stderr


def test_up_with_a_changed_file_does_what_reload_does(stack):
    stack.up()
    before = stack.pids()
    stack.config["services"] = {"queued": {"pids": 50}}
    stack.write()
    assert "restarted queued" in stack.up().stdout
    stack.all_up()
    assert changed(stack, before) == {"queued"}


def test_authd_notices_a_changed_accounts_file(stack):
    stack.up()
    before = stack.pids()
    stack.accounts({"alice@example.org": {"password": HASH}, "bob@example.org": {"password": HASH}})
    deadline = time.monotonic() + 5
    while stack.ask("authd", "hello") != "authd 1 hups=1":
        assert time.monotonic() < deadline
    assert not changed(stack, before)


def test_a_wrong_accounts_file_changes_nothing(stack):
    stack.up()
    stack.accounts({"alice@example.org": {"passwort": HASH}})
    deadline = time.monotonic() + 5
    while "accounts.reload" not in stack.log():
        assert time.monotonic() < deadline
    assert stack.ask("authd", "hello") == "authd 1 hups=0"
    stack.accounts({"alice@example.org": {"password": HASH}})
