# SPDX-License-Identifier: Apache-2.0
"""pop3d: RFC 1939 and CAPA, UIDL, TOP, pipelining, the exclusive maildrop."""
import poplib
import time

import pytest

from storelib import handoff

MESSAGE = b"Subject: x\r\n\r\none\r\n.two\r\n..three\r\n\r\nfour\r\n"


def test_stat_list_retr_top_uidl_agree(mailstack):
    for _ in range(2):
        mailstack.deliver(message=MESSAGE)
    p = mailstack.pop3()
    n, size = p.stat()
    sizes = [int(line.split()[1]) for line in p.list()[1]]
    assert n == 2 and size == sum(sizes)
    lines = p.retr(1)[1]
    assert sum(len(line) + 2 for line in lines) == sizes[0]
    assert b"\r\n".join(lines) + b"\r\n" == b"Return-Path: <bob@else.example>\r\nDelivered-To: alice@example.org\r\n" + MESSAGE
    assert p.top(2, 2)[1][-3:] == [b"", b"one", b".two"]
    assert p.top(2, 0)[1][-1] == b""
    ids = [line.split()[1] for line in p.uidl()[1]]
    assert len(set(ids)) == 2 and p.uidl(2).split()[2] == ids[1]
    assert p.list(1).split()[1:] == [b"1", b"%d" % sizes[0]]
    p.quit()


def test_capabilities(mailstack):
    p = mailstack.pop3()
    assert {"TOP", "UIDL", "PIPELINING", "RESP-CODES"} <= set(p.capa())
    p.quit()


def test_the_maildrop_is_exclusive(mailstack):
    p = mailstack.pop3()
    with pytest.raises(poplib.error_proto, match="IN-USE"):
        mailstack.pop3()
    p.quit()
    time.sleep(0.1)
    mailstack.pop3().quit()


def test_deletions_happen_at_quit_only_and_rset_takes_them_back(mailstack):
    for _ in range(3):
        mailstack.deliver(message=MESSAGE)
    p = mailstack.pop3()
    p.dele(2)
    with pytest.raises(poplib.error_proto):
        p.retr(2)
    with pytest.raises(poplib.error_proto):
        p.dele(2)
    assert p.stat()[0] == 2
    p.rset()
    assert p.stat()[0] == 3
    p.dele(1)
    p.close()
    time.sleep(0.1)
    p = mailstack.pop3()
    assert p.stat()[0] == 3
    p.dele(1)
    p.retr(2)
    p.quit()
    time.sleep(0.1)
    p = mailstack.pop3()
    assert p.stat()[0] == 2
    p.quit()
    m = mailstack.imap()
    m.select()
    assert m.search(None, "SEEN")[1] == [b"1"]
    m.logout()


def test_wrong_commands_are_answered(mailstack):
    mailstack.deliver(message=MESSAGE)
    p = mailstack.pop3()
    for bad in ("RETR 0", "RETR 2", "RETR x", "RETR", "RETR 1 2", "TOP 1", "TOP 1 -1", "DELE", "NONSENSE", "USER x", "STAT 1"):
        with pytest.raises(poplib.error_proto):
            p._shortcmd(bad)
    assert p.noop().startswith(b"+OK")
    p.quit()


def test_pipelining_also_behind_the_login(mailstack):
    mailstack.deliver(message=MESSAGE)
    s = handoff(mailstack.path("pop3d"), "alice@example.org", pending=b"STAT\r\nUIDL\r\nRE")
    s.sendall(b"TR 1\r\nNOOP\r\nQUIT\r\n")
    text = b""
    while chunk := s.recv(65536):
        text += chunk
    assert text.count(b"+OK") == 6 and text.count(b"\r\n.\r\n") == 2
    s.close()
