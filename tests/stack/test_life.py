# SPDX-License-Identifier: Apache-2.0
"""The real stack over its life: up twice, down, up again; nothing left behind, nothing lost."""
from realstack import MailStack
from stacklib import alive

import pytest


@pytest.fixture
def mail(need_root, short_dir, build_dir, free_ports, no_leaks):
    s = MailStack(short_dir, build_dir, free_ports(8))
    yield s
    s.end()
    no_leaks(s.prefix + "-")


def uids(mail, user):
    m = mail.imap(user)
    m.select(readonly=True)
    validity = m.response("UIDVALIDITY")[1]
    _, data = m.uid("SEARCH", None, "ALL")
    m.logout()
    return validity, data


def test_mail_is_there_after_the_next_up(mail, no_leaks):
    mail.up()
    for i in range(5):
        mail.submit("alice", ["bob@example.org"], f"Subject: number {i}\r\n\r\nbody\r\n")
    before = uids(mail, "bob")
    pids = mail.pids()
    assert "nothing has changed" in mail.up().stdout
    assert mail.pids() == pids
    mail.down()
    no_leaks(mail.prefix + "-")
    assert not alive(pids.values())
    mail.up()
    assert mail.subjects("bob") == [f"number {i}" for i in range(5)]
    assert uids(mail, "bob") == before


def test_a_killed_supervisor_leaves_mail_and_the_next_up_cleans(mail, no_leaks):
    mail.up()
    mail.submit("alice", ["bob@example.org"], "Subject: before\r\n\r\nbody\r\n")
    old = mail.pids()
    mail.kill_supervisor()
    mail.up()
    assert mail.subjects("bob") == ["before"]
    assert not alive(old.values())
    mail.submit("alice", ["bob@example.org"], "Subject: after\r\n\r\nbody\r\n")
    assert mail.subjects("bob") == ["after", "before"]
    mail.down()
    no_leaks(mail.prefix + "-")
