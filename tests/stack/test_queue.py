# SPDX-License-Identifier: Apache-2.0
"""mailbox-run queue, against the real queued in its container; and mail that leaves through the supervisor's dialler."""
import json
import sys
import time

import pytest

from realstack import PASSWORDS, PORTS, MailStack

sys.path.insert(0, str(__import__("pathlib").Path(__file__).resolve().parents[1] / "mail"))
from remotelib import Remote  # noqa: E402

MESSAGE = "From: alice@example.org\r\nTo: x@far.test\r\nSubject: outbound\r\n\r\nhello\r\n"


@pytest.fixture
def stack(need_root, build_dir, short_dir, free_ports, no_leaks):
    *ports, remote = free_ports(len(PORTS) + 2)
    s = MailStack(short_dir, build_dir, ports, smtp={"routes": {"*": f"smtp://127.0.0.1:{remote}"}})
    s.remote = remote
    try:
        s.up()
        yield s
    finally:
        s.end()
    no_leaks(s.prefix + "-")


def queue(stack, *args, check=True):
    return stack.call("queue", *args, check=check)


def listed(stack):
    return [json.loads(line) for line in queue(stack, "--json", "list", str(stack.file)).stdout.splitlines()]


def wait(what, seconds=20):
    end = time.monotonic() + seconds
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < end
        time.sleep(0.1)


def test_list_show_flush_and_rm(stack):
    file = str(stack.file)
    assert queue(stack, "list", file).stdout == "the queue is empty\n"
    stack.submit("alice", ["x@far.test"], MESSAGE)
    message = wait(lambda: [m for m in listed(stack) if m["recipients"][0]["attempts"]])[0]
    wait(lambda: stack.services()["queued"]["status"] == "1 in the queue")
    text = queue(stack, "list", file).stdout
    assert message["id"] in text and "to <x@far.test>  1 attempt, next in" in text and "refused" in text and "1 message, " in text
    shown = queue(stack, "show", file, message["id"]).stdout
    assert "from       <alice@example.org>" in shown and "Subject: outbound" in shown and "DKIM-Signature:" in shown
    assert json.loads(queue(stack, "show", file, message["id"], "--json").stdout)["id"] == message["id"]
    with Remote(stack.remote) as r:
        assert queue(stack, "flush", file, "other.test").stdout == "0 messages are tried now\n"
        assert queue(stack, "flush", file, message["id"]).stdout == "1 message is tried now\n"
        sent = r.wait()[0]
        assert sent.sender == "alice@example.org" and sent.ehlo == "EHLO mail.example.org"
        wait(lambda: not listed(stack))
    stack.submit("alice", ["y@far.test"], MESSAGE)
    second = wait(lambda: [m for m in listed(stack) if m["recipients"][0]["attempts"]])[0]["id"]
    assert queue(stack, "rm", file, second).stdout == f"message {second} is removed\n"
    assert listed(stack) == []


def test_what_is_wrong_is_said(stack):
    file = str(stack.file)
    for args in (("show", file, "4ZNOTHERE"), ("rm", file, "4ZNOTHERE"), ("flush", file, "4ZNOTHERE")):
        r = queue(stack, *args, check=False)
        assert r.returncode == 1 and "queue: no message 4ZNOTHERE" in r.stderr
    for args in (("dance", file), ("show", file), ("list", file, "x"), ("rm", file, "a b"), ("list",)):
        assert queue(stack, *args, check=False).returncode == 2, args


def test_a_stack_that_is_down_has_no_queue(stack):
    stack.down()
    r = queue(stack, "list", str(stack.file), check=False)
    assert r.returncode == 1 and "is not up" in r.stderr


def test_mail_waits_in_the_spool_while_the_stack_is_down(stack):
    stack.submit("alice", ["x@far.test"], MESSAGE)
    wait(lambda: listed(stack))
    stack.down()
    with Remote(stack.remote) as r:
        stack.up()
        queue(stack, "flush", str(stack.file))
        assert r.wait()[0].rcpts == [("x@far.test", "")]


def test_who_sent_as_an_alias_hears_of_the_failure(stack):
    with Remote(stack.remote, hook=lambda v, *_: "550 5.1.1 nobody" if v == "RCPT" else None):
        with stack.smtp("submission") as s:
            s.starttls(context=stack.context())
            s.login(stack.address("alice"), PASSWORDS["alice"])
            s.sendmail("sales@example.org", ["x@far.test"], MESSAGE.replace("alice@", "sales@"))
        report = stack.wait_for_message("alice", lambda m: m.get_content_type() == "multipart/report")
    assert report["To"] == "<sales@example.org>" and "5.1.1" in report.as_string()
