# SPDX-License-Identifier: Apache-2.0
"""smtpd: every rule of its man page, spoken by smtplib, by bare sockets and by swaks."""
import base64
import os
import pathlib
import re
import resource
import smtplib
import socket
import struct
import subprocess
import time

import pytest

from dnslib import A, PTR
from maillib import Daemon
from milterlib import Dnsd
from smtpdlib import PASSWORD, Client, Mail, add_header, change_header, insert_header, no_check

MESSAGE = b"From: out@else.example\r\nTo: alice@example.org\r\nSubject: hello\r\n\r\nfirst line\r\n..dot\r\n"
END = b".\r\n"


@pytest.fixture(scope="module")
def mail():
    m = Mail()
    yield m
    assert set(m.stop().values()) == {0}


@pytest.fixture(scope="module")
def filtered():
    m = Mail(milter=True)
    yield m
    assert set(m.stop().values()) == {0}


@pytest.fixture
def start():
    """start(conf=..., ...) makes a Mail of its own."""
    made = []

    def one(**options):
        made.append(Mail(**options))
        return made[-1]

    yield one
    codes = [m.stop() for m in made]
    assert all(set(c.values()) == {0} for c in codes), codes


# --- EHLO and the first commands ----------------------------------------------------------------------------------------

def test_a_stranger_is_offered_the_extensions_but_no_login(mail):
    with mail.raw(ehlo=False) as c:
        words = [line[4:] for line in c.command("EHLO client.example", 250)]
    assert words[0] == "mx.example.org"
    assert set(words[1:]) == {"PIPELINING", "SIZE 20000000", "8BITMIME", "SMTPUTF8", "CHUNKING", "STARTTLS", "ENHANCEDSTATUSCODES", "DSN"}


def test_login_is_offered_under_tls_only_and_starttls_in_clear_only(mail):
    with mail.raw("submission", ehlo=False) as c:
        words = [line[4:] for line in c.command("EHLO client.example", 250)]
        assert "STARTTLS" in words and not any(w.startswith("AUTH") for w in words)
        c.command("AUTH PLAIN AGEAYg==", "538 5.7.11")
        c.command("MAIL FROM:<alice@example.org>", "530 5.7.0")
        c.starttls()
        c.command("MAIL FROM:<alice@example.org>", 503)  # what was said in clear is forgotten
        words = [line[4:] for line in c.command("EHLO client.example", 250)]
        assert "AUTH PLAIN LOGIN" in words and "STARTTLS" not in words
        c.command("STARTTLS", "503 5.5.1")


def test_a_plain_helo_gets_one_line_and_is_enough(mail):
    with mail.raw(ehlo=False) as c:
        assert c.command("HELO client.example", 250) == ["250 mx.example.org"]
        c.message(MESSAGE + END, "250 2.0.0")
    assert " with SMTP id " in mail.last("alice")["Received"].replace("\r\n\t", " ")


@pytest.mark.parametrize("line,reply", [
    ("EHLO", "501 5.5.4"), ("EHLO a b", "501 5.5.4"), ("HELO <x>", "501 5.5.4"), ("MAIL FROM:<a@b.example>", "503 5.5.1"),
    ("RCPT TO:<a@b.example>", "503 5.5.1"), ("DATA", "503 5.5.1"), ("RSET", 250), ("RSET x", "501 5.5.4"), ("NOOP anything", 250),
    ("VRFY alice", "252 2.0.0"), ("EXPN list", "502 5.5.1"), ("HELP", 214), ("BLAH", "500 5.5.2"), ("", "500 5.5.2"),
    ("AUTH PLAIN", "502 5.5.1"), ("QUIT x", "501 5.5.4"), ("QUIT", 221), ("quit", 221), ("ehlo [192.0.2.1]", 250),
])
def test_before_the_greeting(mail, line, reply):
    with mail.raw(ehlo=False) as c:
        c.command(line, reply)


@pytest.mark.parametrize("args,reply", [
    ("FROM:<a@b.example>", "250 2.1.0"), ("from:<>", 250), ("FROM: <a@b.example>", 250), ("FROM:<@relay.example:a@b.example>", 250),
    ("FROM:<a@b.example> SIZE=100 BODY=8BITMIME SMTPUTF8", 250), ("FROM:<a@b.example> RET=HDRS ENVID=q+2B1 AUTH=<>", 250),
    ("FROM:<a@b.example> SIZE=20000001", "552 5.3.4"), ("FROM:<a@b.example> SIZE=-1", "501 5.5.4"),
    ("FROM:<a@b.example> SIZE=1 SIZE=1", "501 5.5.4"), ("FROM:<a@b.example> BODY=BINARYMIME", "501 5.5.4"),
    ("FROM:<a@b.example> XFOO=1", "555 5.5.4"), ("FROM:<a@b.example", "501 5.1.7"), ("FROM:a@b.example", "501 5.1.7"),
    ("FROM:<a@-b.example>", "501 5.1.7"), ("FROM:<postmaster>", "501 5.1.7"), ("FROM:<a@b..example>", "501 5.1.7"), ("TO:<a@b>", "501"),
    ("FROM:<\"a b\"@b.example>", 250), ("FROM:<a@b.example>X", "501 5.1.7"), ("FROM:<ä@b.example>", "553 5.6.7"),
    ("FROM:<ä@b.example> SMTPUTF8", 250), ("FROM:<a@b.example> ENVID=a=b", "501 5.5.4"), ("FROM:<" + "a" * 65 + "@b.example>", "501 5.1.7"),
])
def test_mail_takes_what_the_grammar_has(mail, args, reply):
    with mail.raw() as c:
        c.command(f"MAIL {args}", reply)


@pytest.mark.parametrize("args,reply", [
    ("TO:<alice@example.org>", "250 2.1.5"), ("to:<ALICE@Example.ORG>", 250), ("TO:<al@example.org>", 250), ("TO:<postmaster>", 250),
    ("TO:<alice+Lists@example.org>", 250), ("TO:<anybody@catch.example>", 250), ("TO:<both@example.org>", 250),
    ("TO:<alice@example.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a@b", 250), ("TO:<alice@example.org> NOTIFY=NEVER,DELAY", "501 5.5.4"),
    ("TO:<alice@example.org> XQUOTA=1", "555 5.5.4"), ("TO:<nobody@example.org>", "550 5.1.1"), ("TO:<a@elsewhere.example>", "550 5.7.1"),
    ("TO:<a%elsewhere.example@example.org>", "550 5.1.1"), ("TO:<@example.org:a@elsewhere.example>", "550 5.7.1"),
    ("TO:<\"a@elsewhere.example\"@example.org>", "550 5.1.1"), ("TO:<alice@[127.0.0.1]>", "550 5.7.1"), ("TO:<>", "501 5.1.3"),
    ("TO:<list@example.org>", "550 5.7.1"), ("TO:<sales@example.org>", 250), ("TO:<al ice@example.org>", "501 5.1.3"),
    ("TO:<nobody>", "501 5.1.3"),
])
def test_a_stranger_reaches_our_domains_and_no_others(mail, args, reply):
    with mail.raw() as c:
        c.command("MAIL FROM:<out@else.example>", 250)
        c.command(f"RCPT {args}", reply)


def test_the_order_of_commands_is_kept(mail):
    with mail.raw() as c:
        c.command("MAIL FROM:<a@b.example>", 250)
        c.command("MAIL FROM:<a@b.example>", "503 5.5.1")
        c.command("DATA", "554 5.5.1")
        c.command("RCPT TO:<alice@example.org>", 250)
        c.command("RSET", 250)
        c.command("RCPT TO:<alice@example.org>", "503 5.5.1")
        c.command("MAIL FROM:<a@b.example>", 250)
        c.command("EHLO again.example", 250)
        c.command("RCPT TO:<alice@example.org>", "503 5.5.1")


def test_recipients_have_a_limit_and_the_rest_is_told_to_come_again(mail):
    with mail.raw() as c:
        c.command("MAIL FROM:<a@b.example>", 250)
        for i in range(10):
            c.command(f"RCPT TO:<alice+{i}@example.org>", 250)
        c.command("RCPT TO:<bob@example.org>", "452 4.5.3")


def test_too_many_bad_commands_end_the_session(mail):
    with mail.raw() as c:
        for _ in range(9):
            c.command("BLAH", 500)
        c.command("BLAH", 500)
        c.expect("421 4.7.0")
        assert c.ended()


def test_a_dictionary_of_recipients_ends_the_session(mail):
    with mail.raw() as c:
        c.command("MAIL FROM:<a@b.example>", 250)
        for i in range(50):
            c.command(f"RCPT TO:<guess{i}@example.org>", "550 5.1.1")
        c.expect("421 4.7.0")
        assert c.ended()


# --- lines, and what must not be one ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("line", [b"NOOP\n", b"NOOP\rRSET\r\n", b"NOOP\nRSET\r\n", b"NO\0OP\r\n", b"NOOP " + b"x" * 5000 + b"\r\n"])
def test_a_line_that_is_none_ends_the_session(mail, line):
    with mail.raw() as c:
        c.send(line)
        c.expect("500 5.5.2")
        assert c.ended()


SMUGGLED = b"MAIL FROM:<evil@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n", b"\r\n\x00.\r\n"])
def test_only_one_sequence_ends_a_message(mail, end):
    before = len(mail.mailbox("bob"))
    with mail.raw() as c:
        bare = end != b"\r\n\x00.\r\n"
        c.message(MESSAGE + b"x" + end + SMUGGLED, "554 5.6.0" if bare else "250")
        c.command("NOOP", 250)
    assert len(mail.mailbox("bob")) == before


def test_dots_are_taken_off_and_the_message_is_whole(mail):
    with mail.raw() as c:
        c.message(MESSAGE + END, "250 2.0.0")
    got = mail.mailbox("alice")[-1]
    assert got.endswith(b"Subject: hello\r\n\r\nfirst line\r\n.dot\r\n") or got.endswith(b"Subject: hello\n\nfirst line\n.dot\n")


def test_a_message_arrives_the_same_however_it_is_cut(mail):
    whole = MESSAGE + END
    for n in range(1, len(whole), 7):
        with mail.raw() as c:
            c.envelope()
            c.command("DATA", 354)
            c.send(whole[:n])
            time.sleep(0.005)
            c.send(whole[n:])
            c.expect("250 2.0.0")
        got = mail.mailbox("alice")[-1].replace(b"\r\n", b"\n")
        assert got.endswith(b"\n\nfirst line\n.dot\n")


def test_pipelined_commands_are_answered_in_their_order(mail):
    with mail.raw() as c:
        c.send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<nobody@example.org>\r\nRCPT TO:<alice@example.org>\r\nRCPT TO:<x@y.example>\r\nDATA\r\n")
        for start in ("250 2.1.0", "550 5.1.1", "250 2.1.5", "550 5.7.1", 354):
            c.expect(start)
        c.send(MESSAGE + END + b"RSET\r\nMAIL FROM:<b@b.example>\r\nNOOP\r\nQUIT\r\n")
        for start in ("250 2.0.0", 250, "250 2.1.0", 250, 221):
            c.expect(start)
        assert c.ended()


def test_all_of_it_in_one_packet_by_a_client_that_closes_its_side(mail):
    with mail.raw(ehlo=False) as c:
        c.send(b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<alice@example.org>\r\nBDAT 6 LAST\r\nA: b\r\nQUIT\r\n")
        c.socket.shutdown(socket.SHUT_WR)
        for start in (250, 250, 250, "250 2.0.0", 221):
            c.expect(start)


# --- BDAT -----------------------------------------------------------------------------------------------------------------

def test_chunks_make_a_message_and_a_dot_in_them_is_only_a_dot(mail):
    with mail.raw() as c:
        c.envelope()
        c.send(b"BDAT 24\r\nSubject: chunks\r\n\r\n.\r\n.x")
        c.expect("250 2.0.0")
        c.command("DATA", "503 5.5.1")
        c.command("NOOP", 250)
        c.send(b"BDAT 4\r\n\r\ny\r")
        c.expect("250 2.0.0")
        c.send(b"BDAT 1\r\n\n")
        c.expect("250 2.0.0")
        c.command("BDAT 0 LAST", "250 2.0.0")
        c.command("DATA", "503 5.5.1")
    assert mail.mailbox("alice")[-1].replace(b"\r\n", b"\n").endswith(b"Subject: chunks\n\n.\n.x\ny\n")


def test_a_chunk_without_recipients_is_read_and_refused(mail):
    with mail.raw() as c:
        c.send(b"BDAT 10 LAST\r\nRSET\r\nRSET")
        c.expect("503 5.5.1")
        c.command("MAIL FROM:<a@b.example>", 250)
        c.send(b"BDAT 6\r\nQUIT\r\n")
        c.expect("503 5.5.1")
        c.command("NOOP", 250)


def test_a_chunk_whose_size_cannot_be_read_ends_the_session(mail):
    for args in ("x", "", "-1", "10 FIRST", "99999999999999999999"):
        with mail.raw() as c:
            c.envelope()
            c.command(f"BDAT {args}".strip(), "501 5.5.4")
            assert c.ended()


def test_bare_line_ends_are_refused_in_chunks_too(mail):
    for data in (b"A: b\n", b"A: b\r\n\r\nx\ry\r\n", b"A: b\r"):
        with mail.raw() as c:
            c.envelope()
            c.send(b"BDAT %d LAST\r\n" % len(data) + data)
            c.expect("554 5.6.0")
            c.command("NOOP", 250)


def test_a_last_line_without_end_gets_one(mail):
    with mail.raw() as c:
        c.envelope()
        c.send(b"BDAT 9 LAST\r\nA: b\r\n\r\nx")
        c.expect("250 2.0.0")
    assert mail.mailbox("alice")[-1].endswith(b"\nx\r\n") or mail.mailbox("alice")[-1].endswith(b"\nx\n")


# --- size -------------------------------------------------------------------------------------------------------------------

def test_a_message_beyond_the_limit_is_read_and_refused(start):
    mail = start(conf={"message_size": 100_000})
    with mail.raw() as c:
        c.message(b"A: b\r\n\r\n" + b"x" * 70 * 1500 + b"\r\n" + END, "552 5.3.4")
        c.envelope()
        c.send(b"BDAT 100001 LAST\r\n" + b"x" * 100_001)
        c.expect("552 5.3.4")
        c.message(b"A: b\r\n\r\n" + (b"x" * 68 + b"\r\n") * 1400 + END, "250 2.0.0")


@pytest.mark.parametrize("n", [60_000, 65_000, 70_000, 200_000, 3_000_000])
def test_a_large_message_comes_through_a_scratch_file_that_leaves_nothing(mail, n):
    body = b"".join(b"%08d" % i + b"y" * 60 + b"\r\n" for i in range(n // 70))
    fds = mail.descriptors()
    with mail.raw() as c:
        c.message(b"Subject: big\r\n\r\n" + body + END, "250 2.0.0")
    got = mail.mailbox("alice")[-1]
    assert got.replace(b"\r\n", b"\n").endswith(b"Subject: big\n\n" + body.replace(b"\r\n", b"\n"))
    assert list((mail.dir / "scratch").iterdir()) == []
    time.sleep(0.1)
    assert mail.descriptors() <= fds + 1  # a connection to lmtpd may stay


def test_without_room_for_the_scratch_file_the_client_comes_again(start):
    mail = start(conf={"scratch": "/proc/nowhere/at/all"})
    with mail.raw() as c:
        c.message(MESSAGE + END, "250 2.0.0")
        c.message(b"A: b\r\n\r\n" + (b"x" * 68 + b"\r\n") * 3000 + END, ("250 2.0.0"))  # anonymous memory does as well


# --- TLS and login ------------------------------------------------------------------------------------------------------------

def test_what_is_pipelined_behind_starttls_is_thrown_away(mail):
    with mail.raw("submission") as c:
        c.send(b"STARTTLS\r\nEHLO evil.example\r\nMAIL FROM:<evil@example.org>\r\n")
        c.expect(220)
        c.use(no_check().wrap_socket(c.socket))
        c.command("NOOP", 250)  # the first reply under TLS is to the first command under TLS
        c.command("RCPT TO:<alice@example.org>", "503 5.5.1")


def test_a_transaction_in_clear_ends_with_starttls(mail):
    with mail.raw() as c:
        c.envelope()
        c.starttls()
        c.command("DATA", "503 5.5.1")
        c.command("EHLO client.example", 250)
        c.message(MESSAGE + END, "250 2.0.0")
    received = " ".join(mail.last("alice")["Received"].split())
    assert re.search(r"\(using TLSv1\.[23] cipher [A-Z0-9_-]+\) by mx\.example\.org with ESMTPS id [0-9a-f]+ for <alice@example\.org>;", received)
    assert received.startswith("from client.example (unknown [127.0.0.1])")


def test_a_handshake_that_is_none_ends_the_session(mail):
    with mail.raw() as c:
        c.command("STARTTLS", 220)
        c.send(b"EHLO client.example\r\n" * 20)
        end = time.monotonic() + 10
        with pytest.raises((ConnectionError, AssertionError)):
            while time.monotonic() < end:
                assert c.socket.recv(1000)


def test_who_logs_in_sends_as_himself_only(mail):
    with mail.login() as s:
        assert s.mail("bob@example.org")[0] == 553
        assert s.mail("alice@elsewhere.example")[0] == 553
        assert b"5.7.1" in s.mail("bob@example.org")[1]
        for own in ("alice@example.org", "al@example.org", "sales@example.org", "Alice+tag@example.org", ""):
            assert s.mail(own)[0] == 250, own
            s.rset()


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("initial", [True, False])
def test_both_mechanisms_work_with_and_without_an_initial_response(mail, mechanism, initial):
    with mail.raw("submissions") as c:
        def b(text):
            return base64.b64encode(text.encode()).decode()

        steps = [b(f"\0alice@example.org\0{PASSWORD}")] if mechanism == "PLAIN" else [b("alice@example.org"), b(PASSWORD)]
        first = f"AUTH {mechanism}" + (f" {steps.pop(0)}" if initial else "")
        c.send(first.encode() + b"\r\n")
        for step in steps:
            c.expect(334)
            c.send(step.encode() + b"\r\n")
        c.expect("235 2.7.0")
        c.command("AUTH PLAIN AGEAYg==", "503 5.5.1")
        assert not any("AUTH" in line for line in c.command("EHLO client.example", 250))


def test_refused_logins_are_counted_and_cancelling_is_not_one(mail):
    with mail.raw("submissions") as c:
        c.command("AUTH LOGIN", 334)
        c.command("*", "501")
        c.command("AUTH CRAM-MD5", "504 5.5.4")
        c.command("AUTH PLAIN !!!!", "501 5.5.2")
        bad = base64.b64encode(b"\0alice@example.org\0wrong").decode()
        c.command(f"AUTH PLAIN {bad}", "535 5.7.8")
        c.command("MAIL FROM:<alice@example.org>", "530 5.7.0")
        c.command(f"AUTH PLAIN {bad}", "535 5.7.8")
        c.command(f"AUTH PLAIN {bad}", "535 5.7.8")
        c.expect("421 4.7.0")
        assert c.ended()


def test_login_in_clear_is_for_the_networks_that_may(start):
    mail = start(conf={"plaintext_login": ["127.0.0.0/8"]})
    with mail.raw("submission") as c:
        c.command("AUTH PLAIN " + base64.b64encode(f"\0alice@example.org\0{PASSWORD}".encode()).decode(), "235 2.7.0")
        c.command("MAIL FROM:<alice@example.org>", 250)
    with mail.raw() as c:
        c.command("AUTH PLAIN AGEAYg==", "502 5.5.1")


def test_submitted_mail_gets_the_fields_it_lacks(mail):
    with mail.login() as s:
        s.sendmail("alice@example.org", ["bob@example.org"], b"From: alice@example.org\r\n\r\nx\r\n")
    m = mail.last("bob")
    assert re.fullmatch(r"<[0-9a-f]+\.\d+@mx\.example\.org>", m["Message-ID"])
    assert re.fullmatch(r"\w{3}, \d\d? \w{3} \d{4} \d\d:\d\d:\d\d \+0000", m["Date"])
    assert " with ESMTPSA id " in m["Received"].replace("\r\n\t", " ").replace("\n\t", " ")
    with mail.login() as s:
        s.sendmail("alice@example.org", ["bob@example.org"], b"From: alice@example.org\r\nDate: x\r\nMessage-ID: <y@z>\r\n\r\nx\r\n")
    m = mail.last("bob")
    assert (m.get_all("Date"), m.get_all("Message-ID")) == (["x"], ["<y@z>"])


def test_a_strangers_mail_is_left_as_it_is(mail):
    with mail.plain() as s:
        s.sendmail("out@else.example", ["bob@example.org"], b"From: x@y\r\n\r\nx\r\n")
    m = mail.last("bob")
    assert m["Date"] is None and m["Message-ID"] is None and m["Return-Path"] == "<out@else.example>"


# --- where it goes ------------------------------------------------------------------------------------------------------------

def test_aliases_subaddresses_and_catch_all_reach_their_mailboxes(mail):
    boxes = {who: len(mail.mailbox(who)) for who in ("alice", "bob")}
    with mail.plain() as s:
        s.sendmail("out@else.example", ["al@example.org", "both@example.org", "x@catch.example", "alice+none@example.org"], MESSAGE)
    got = {who: len(mail.mailbox(who)) - n for who, n in boxes.items()}
    assert got == {"alice": 1, "bob": 1} or got == {"alice": 2, "bob": 1}  # a subaddress is a target of its own for lmtpd to merge


def test_a_member_posts_to_a_list_and_each_gets_one_copy(mail):
    boxes = {who: len(mail.mailbox(who)) for who in ("alice", "bob")}
    with mail.login() as s:
        s.sendmail("alice@example.org", ["list@example.org", "alice@example.org"], MESSAGE)
    assert {who: len(mail.mailbox(who)) - n for who, n in boxes.items()} == {"alice": 1, "bob": 1}


def test_submitted_mail_to_others_is_queued_with_what_was_asked_for(mail):
    with mail.login() as s:
        s.mail("alice@example.org", ["RET=HDRS", "ENVID=abc", "BODY=8BITMIME"])
        s.rcpt("x@elsewhere.example", ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;x@y"])
        s.rcpt("bob@example.org")
        assert s.data(MESSAGE)[0] == 250
    m = mail.queue.messages[-1]
    assert m["from"].startswith("FROM:<alice@example.org> ")
    assert {"RET=HDRS", "ENVID=abc", "BODY=8BITMIME"} <= set(m["from"].split())
    assert m["rcpts"] == [("x@elsewhere.example", "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x@y")]
    assert m["data"].startswith(b"Received: from client.example ") and m["data"].endswith(b"\r\n\r\nfirst line\r\n..dot\r\n")
    assert mail.last("bob")["Subject"] == "hello"


def test_who_wants_to_hear_of_a_delivery_here_hears_it_from_the_queue(mail):
    n = len(mail.mailbox("bob"))
    with mail.raw() as c:
        c.command("MAIL FROM:<out@else.example> RET=HDRS ENVID=1", 250)
        c.command("RCPT TO:<bob@example.org> NOTIFY=SUCCESS", 250)
        c.command("RCPT TO:<alice@example.org> NOTIFY=NEVER", 250)
        c.command("DATA", 354)
        c.send(MESSAGE + END)
        c.expect("250 2.0.0")
    assert mail.queue.messages[-1]["rcpts"] == [("bob@example.org", "NOTIFY=SUCCESS")]
    assert len(mail.mailbox("bob")) == n


@pytest.mark.parametrize("header,reply", [
    ("From: alice@example.org", 250), ("From: Al <al@example.org>", 250), ("From: alice@elsewhere.example", 250), ("X: y", 250),
    ("From: Bob <bob@example.org>", 550), ("From: alice@example.org, bob@Example.ORG", 550), ("From: x@catch.example", 550),
    ("From: alice@example.org\r\nFrom: bob@example.org", 550), ("From: =?utf-8?q?bob?= <bob(c)@ example.org>", 550),
    ("From: " + ", ".join(["alice@example.org"] * 11), 550), ("From: g: bob@example.org;", 550), ("From: \"bob\"@example.org", 550),
    ("From:\r\n <bob@example.org>", 550), ("fROM : bob@example.org", 550),
])
def test_who_logs_in_does_not_write_as_a_colleague(mail, header, reply):
    with mail.login() as s:
        s.mail("alice@example.org")
        s.rcpt("alice@example.org")
        code, text = s.data(header.encode() + b"\r\n\r\nx\r\n")
    assert code == reply and (reply == 250 or b"5.7.1" in text)


def test_a_stranger_may_forward_our_own_mail(mail):
    with mail.raw() as c:
        c.message(b"From: bob@example.org\r\n\r\n" + END, "250 2.0.0")


def test_an_alias_that_leads_away_is_queued_for_a_stranger_too(mail):
    n = len(mail.mailbox("alice"))
    with mail.plain() as s:
        s.sendmail("out@else.example", ["sales@example.org", "away@example.org"], MESSAGE)
    assert [r[0] for r in mail.queue.messages[-1]["rcpts"]] == ["out@elsewhere.example", "x@elsewhere.example"]
    assert len(mail.mailbox("alice")) == n + 1


def test_a_queue_without_chunking_gets_dots(start):
    mail = start(chunking=False)
    with mail.login() as s:
        s.sendmail("alice@example.org", ["x@elsewhere.example", "y@elsewhere.example"], b"From: a\r\n\r\n.x\r\n..\r\n.\r\n" + b"z" * 60 + b"\r\n")
    assert mail.queue.messages[-1]["data"].endswith(b"\r\n\r\n.x\r\n..\r\n.\r\n" + b"z" * 60 + b"\r\n")
    assert len(mail.queue.messages[-1]["rcpts"]) == 2
    mail.queue.refuse = {"x@elsewhere.example": "550 5.1.2 no"}
    with mail.login() as s:
        with pytest.raises(smtplib.SMTPDataError) as e:
            s.sendmail("alice@example.org", ["x@elsewhere.example"], MESSAGE)
        assert e.value.smtp_code == 554
        s.sendmail("alice@example.org", ["y@elsewhere.example"], MESSAGE)


def test_what_the_queue_does_not_take_is_not_promised_and_nothing_is_delivered(start):
    mail = start()
    n = len(mail.mailbox("bob"))

    def send(code, *rcpts):
        with mail.login() as s:
            with pytest.raises(smtplib.SMTPDataError) as e:
                s.sendmail("alice@example.org", list(rcpts), MESSAGE)
            assert str(e.value.smtp_code) + " " + e.value.smtp_error.decode() == code

    mail.queue.refuse = {"x@elsewhere.example": "550 5.1.2 no such domain", "y@elsewhere.example": "451 4.4.1 not now"}
    send("554 5.1.2 no such domain", "x@elsewhere.example", "bob@example.org")
    send("451 4.4.1 not now", "y@elsewhere.example", "bob@example.org")
    send("451 4.4.1 not now", "x@elsewhere.example", "y@elsewhere.example")
    mail.queue.refuse, mail.queue.verdict = {}, {"x@elsewhere.example": "452 4.3.1 disk full"}
    send("451 4.3.1 disk full", "x@elsewhere.example")
    assert len(mail.mailbox("bob")) == n
    mail.queue.stop()
    send("451 4.3.0 the next server cannot be reached, try again later", "x@elsewhere.example", "bob@example.org")
    assert len(mail.mailbox("bob")) == n


def fill(mail):
    """full@example.org has room for 2,000 bytes."""
    with mail.plain() as s:
        s.sendmail("out@else.example", ["full@example.org"], b"A: b\r\n\r\n" + b"x" * 70 * 20 + b"\r\n")


def test_a_full_mailbox_is_refused_at_rcpt(start):
    mail = start()
    with mail.raw() as c:
        c.command("MAIL FROM:<a@b.example> SIZE=5000", 250)
        c.command("RCPT TO:<full@example.org>", "552 5.2.2")
        c.command("RCPT TO:<alice@example.org>", 250)
        c.command("RCPT TO:<team@example.org>", 250)  # one of them has room
    with mail.raw() as c:
        c.message(b"A: b\r\n\r\n" + b"x" * 3000 + b"\r\n" + END, "552 5.2.2", "full@example.org")  # it did not say how large
    fill(mail)
    with mail.raw() as c:
        c.command("MAIL FROM:<a@b.example> SIZE=1500", 250)
        c.command("RCPT TO:<full@example.org>", "552 5.2.2")


def test_who_fails_behind_others_is_the_queues_matter(start):
    mail = start()
    with mail.raw() as c:
        c.message(b"A: b\r\n\r\n" + b"x" * 3000 + b"\r\n" + END, "250 2.0.0", "alice@example.org", "full@example.org")
    assert [r[0] for r in mail.queue.messages[-1]["rcpts"]] == ["full@example.org"]
    assert len(mail.mailbox("alice")) == 1 and mail.mailbox("full") == []
    mail.queue.refuse = {"full@example.org": "550 5.3.0 no"}
    with mail.raw() as c:
        c.message(b"A: b\r\n\r\n" + b"x" * 3000 + b"\r\n" + END, "451 4.3.0", "alice@example.org", "full@example.org")


def test_with_lmtpd_away_the_client_comes_again_and_then_it_works(start):
    mail = start()
    with mail.raw() as c:
        c.envelope()
        mail.daemons["lmtpd"].stop()
        c.command("DATA", 354)
        c.send(MESSAGE + END)
        c.expect("451 4.3.0")
        c.command("MAIL FROM:<a@b.example>", 250)
        c.command("RCPT TO:<bob@example.org>", "451 4.3.0")  # of alice's mailbox it was told a moment ago that there is room
        mail.daemons["lmtpd"].start()
        c.command("RCPT TO:<alice@example.org>", 250)
        c.command("DATA", 354)
        c.send(MESSAGE + END)
        c.expect("250 2.0.0")
    assert len(mail.mailbox("alice")) == 1


def test_with_authd_away_nothing_is_said_about_recipients(start):
    mail = start()
    mail.daemons["authd"].stop()
    with mail.raw() as c:
        c.command("MAIL FROM:<a@b.example>", 250)
        c.command("RCPT TO:<alice@example.org>", "451 4.3.0")
        mail.daemons["authd"].start()
        c.command("RCPT TO:<alice@example.org>", 250)


def test_connections_to_the_others_are_used_again(start):
    mail = start(milter=True)
    for _ in range(5):
        with mail.login() as s:
            s.sendmail("alice@example.org", ["x@elsewhere.example"], MESSAGE)
    assert (mail.queue.accepted, mail.milter.accepted) == (1, 1)
    assert mail.milter.commands.count(b"K") == 4
    mail.queue.drop_all()
    mail.milter.drop_all()
    time.sleep(0.1)
    with mail.login() as s:
        s.sendmail("alice@example.org", ["x@elsewhere.example"], MESSAGE)
    assert (mail.queue.accepted, mail.milter.accepted) == (2, 2)


def test_a_mail_in_a_loop_is_refused(mail):
    with mail.raw() as c:
        c.message(b"Received: x\r\n" * 51 + b"\r\n" + END, "554 5.4.6")
        c.message(b"Received: x\r\n" * 50 + b"\r\n" + END, "250 2.0.0")


@pytest.mark.parametrize("data", [b"", b"\r\n", b"no header at all\r\n", b"\r\nbody only\r\n", b"A: b\r\n", b": x\r\n", b" folded\r\nA: b\r\n"])
def test_odd_messages_arrive(mail, data):
    n = len(mail.mailbox("alice"))
    with mail.raw() as c:
        c.message(data + END, "250 2.0.0")
    assert len(mail.mailbox("alice")) == n + 1
    want = data.replace(b"\r\n", b"\n") + (b"\n" if data == b"A: b\r\n" else b"")  # the header's end was missing
    assert mail.mailbox("alice")[-1].replace(b"\r\n", b"\n").endswith(want)


def test_a_nul_in_the_header_is_refused(mail):
    with mail.raw() as c:
        c.message(b"A: b\0c\r\n\r\n" + END, "554 5.6.0")


def test_utf8_addresses_travel_when_announced(mail):
    with mail.raw() as c:
        c.command("MAIL FROM:<ä@else.example> SMTPUTF8", 250)
        c.command("RCPT TO:<ö@example.org>", "550 5.1.1")
        c.command("RCPT TO:<alice@example.org>", 250)
        c.command("DATA", 354)
        c.send("Subject: ü\r\n\r\nx\r\n.\r\n")
        c.expect("250 2.0.0")
        c.command("MAIL FROM:<a@else.example>", 250)
        c.command("RCPT TO:<ö@example.org>", "553 5.6.7")
    got = mail.mailbox("alice")[-1]
    assert b" with UTF8SMTP id " in got and "Return-Path: <ä@else.example>".encode() in got


# --- the filter -----------------------------------------------------------------------------------------------------------------

def say(filtered, code, *packets, rcpts=("alice@example.org",), data=MESSAGE + END):
    filtered.milter.script = lambda m: list(packets)
    with filtered.raw() as c:
        return c.message(data, code, *rcpts)


def test_the_filter_sees_the_whole_session(filtered):
    say(filtered, 250, (b"c", b""))
    m = filtered.milter.seen[-1]
    assert m["connect"].startswith(b"[127.0.0.1]\x004") and m["connect"].endswith(b"127.0.0.1\0")
    assert (m["helo"], m["from"], m["rcpts"]) == ("client.example", "<out@else.example>", ["<alice@example.org>"])
    assert m["headers"] == [("From", " out@else.example"), ("To", " alice@example.org"), ("Subject", " hello")]
    assert m["body"] == b"first line\r\n.dot\r\n"
    macros = m["macros"]
    assert macros["j"] == "mx.example.org" and macros["{daemon_name}"] == "smtp" and macros["{client_addr}"] == "127.0.0.1"
    assert re.fullmatch("[0-9a-f]+", macros["i"]) and "{auth_authen}" not in macros and "{tls_version}" not in macros


def test_the_filter_is_told_who_logged_in(filtered):
    filtered.milter.script = lambda m: [(b"c", b"")]
    with filtered.login() as s:
        s.sendmail("alice@example.org", ["bob@example.org"], b"From: a\r\n\r\n")
    m = filtered.milter.seen[-1]
    macros = m["macros"]
    assert macros["{auth_authen}"] == "alice@example.org" and macros["{daemon_name}"] == "submissions"
    assert macros["{tls_version}"].startswith("TLSv1.")
    assert [h[0] for h in m["headers"]] == ["From", "Date", "Message-ID"]


def test_verdicts_are_the_reply(filtered):
    n = len(filtered.mailbox("alice"))
    say(filtered, "550 5.7.1", (b"r", b""))
    say(filtered, "451 4.7.1", (b"t", b""))
    assert say(filtered, "550 5.7.9", (b"y", b"550 5.7.9 100%% spam\0")) == ["550 5.7.9 100% spam"]
    say(filtered, "452 4.2.0 slow down", (b"y", b"452 4.2.0 slow down\0"))
    assert say(filtered, 554, (b"y", b"554-5.7.1 two\r\n554 5.7.1 lines\0")) == ["554 5.7.1 two lines"]
    say(filtered, "451 4.7.1", (b"y", b"250 no\0"))
    assert len(filtered.mailbox("alice")) == n
    say(filtered, "250 2.0.0", (b"d", b""))
    assert len(filtered.mailbox("alice")) == n
    say(filtered, "250 2.0.0", (b"a", b""))
    assert len(filtered.mailbox("alice")) == n + 1


def test_the_filter_changes_the_header(filtered):
    say(filtered, 250, add_header("X-Added", " at the end"), insert_header(0, "X-Top", " first"), insert_header(2, "X-Second", " below ours"),
        change_header(1, "Subject", " other"), change_header(1, "To", ""), change_header(1, "X-New", " made"), (b"p", b""), (b"c", b""))
    m = filtered.last("alice")
    names = [n for n in m.keys() if n not in ("Return-Path", "Delivered-To", "X-Original-To")]
    received = [i for i, n in enumerate(names) if n == "Received"]
    names = [n for i, n in enumerate(names) if n != "Received" or i == received[-1]]
    assert names == ["X-Top", "Received", "X-Second", "From", "Subject", "X-Added", "X-New"]
    assert m["Subject"] == "other" and m.get_payload().replace("\r\n", "\n") == "first line\n.dot\n"


def test_a_value_of_the_filter_makes_no_second_field(filtered):
    say(filtered, 250, add_header("X-A", " one\nX-B: two\r\n\r\nbody"), (b"c", b""))
    m = filtered.last("alice")
    assert m["X-B"] is None and "X-B: two" in m["X-A"] and m.get_payload().startswith("first")


def test_the_filter_replaces_the_body(filtered):
    say(filtered, 250, (b"b", b"new "), (b"b", b"body\r\n.\r\n" + b"z" * 60000), (b"b", b"z" * 60000 + b"\r\n"), (b"c", b""))
    got = filtered.mailbox("alice")[-1].replace(b"\r\n", b"\n")
    assert got.endswith(b"Subject: hello\n\nnew body\n.\n" + b"z" * 120000 + b"\n")


def test_what_is_quarantined_goes_to_junk_and_not_to_others(filtered):
    n = len(filtered.mailbox("bob", ".Junk"))
    say(filtered, 250, (b"q", b"odd\0"), (b"c", b""), rcpts=["bob@example.org"])
    assert len(filtered.mailbox("bob", ".Junk")) == n + 1
    with filtered.login() as s:
        with pytest.raises(smtplib.SMTPDataError) as e:
            s.sendmail("alice@example.org", ["x@elsewhere.example"], MESSAGE)
        assert e.value.smtp_code == 550


def test_a_filter_that_breaks_off_or_lies_holds_the_mail_up(filtered):
    say(filtered, "451 4.3.0", (b"+", b"<evil@example.org>\0"), (b"c", b""))
    say(filtered, "451 4.3.0", (b"O", b""))
    say(filtered, "451 4.3.0", (b"h", b"no-nul"))
    say(filtered, "451 4.3.0", (b"4", b""))
    say(filtered, 250, (b"c", b""))


def test_a_filter_that_is_away_holds_the_mail_up(start):
    mail = start(milter=True)
    mail.milter.stop()
    with mail.raw() as c:
        c.message(MESSAGE + END, "451 4.3.0")


@pytest.mark.parametrize("protocol", [0, 0x100000, 0x80, 0x10 | 0x20, 0x01 | 0x02 | 0x04 | 0x08 | 0x200])
def test_filters_that_want_replies_or_less_work_too(start, protocol):
    mail = start(milter=True, milter_options={"protocol": protocol})
    mail.milter.script = lambda m: [add_header("X-Seen", "yes"), (b"c", b"")]
    data = b"Subject:  two spaces\r\nX: a\r\n\tb\r\n\r\n" + b"y" * 70 * 2000 + b"\r\n"
    with mail.raw() as c:
        for _ in range(2):
            c.message(data + END, 250, "alice@example.org", "bob@example.org")
    m = mail.milter.seen[-1]
    assert m["body"] == (b"" if protocol & 0x10 else data.partition(b"\r\n\r\n")[2])
    space = " " if protocol & 0x100000 else ""
    assert m["headers"] == ([] if protocol & 0x20 else [("Subject", space + " two spaces"), ("X", space + "a\n\tb")])
    assert m["rcpts"] == ([] if protocol & 0x08 else ["<alice@example.org>", "<bob@example.org>"])
    assert mail.last("alice")["X-Seen"].strip() == "yes"


def test_an_early_verdict_counts(start):
    mail = start(milter=True, milter_options={"protocol": 0})
    for command, answer, reply in [(b"C", (b"r", b""), "550 5.7.1"), (b"M", (b"a", b""), "250 2.0.0"), (b"R", (b"t", b""), "451 4.7.1"),
                                   (b"B", (b"s", b""), "250 2.0.0"), (b"L", (b"d", b""), "250 2.0.0")]:
        mail.milter.early = {command: answer}
        with mail.raw() as c:
            c.message(MESSAGE + END, reply)


def test_a_filter_of_an_older_protocol_gets_a_connection_a_message(start):
    mail = start(milter=True, milter_options={"protocol": 0, "version": 2})
    for _ in range(2):
        with mail.raw() as c:
            c.message(MESSAGE + END, 250)
    assert mail.milter.accepted == 2 and b"K" not in mail.milter.commands


def test_a_client_has_its_name_if_the_name_has_the_client(start, short_dir):
    names = {("1.0.0.127.in-addr.arpa", PTR): ["client.example"], ("client.example", A): ["192.0.2.1", "127.0.0.1"]}
    server = Dnsd(short_dir / "dnsd.sock", names)
    try:
        mail = start(milter=True, name_server=short_dir / "dnsd.sock")
        for known in (True, False):
            with mail.raw() as c:
                c.envelope()
                time.sleep(0.3)  # nobody waits for the name
                c.command("DATA", 354)
                c.send(MESSAGE + END)
                c.expect("250 2.0.0")
            name = "client.example" if known else "unknown"
            assert f"({name} [127.0.0.1])" in mail.last("alice")["Received"]
            assert mail.milter.seen[-1]["macros"]["{client_name}"] == name
            server.records[("client.example", A)] = ["192.0.2.1"]
    finally:
        server.close()


def cpu(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- limits, ends -------------------------------------------------------------------------------------------------------------------

def test_an_address_has_a_number_of_connections(start):
    mail = start(conf={"limits": {"connections_per_ip": 3, "workers": 2}})
    held = [mail.raw() for _ in range(3)]
    with Client(("127.0.0.1", mail.ports["smtp"]), greeting=421) as c:
        assert c.ended()
    held.pop().close()
    time.sleep(0.2)
    held.append(mail.raw())
    for c in held:
        c.close()


def test_a_killed_worker_takes_its_connections_out_of_the_count(start):
    mail = start(conf={"limits": {"connections_per_ip": 2}})
    held = [mail.raw() for _ in range(2)]
    pid = mail.daemons["smtpd"].process.pid
    os.kill(int(pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]), 9)
    mail.daemons["smtpd"].wait_log("worker.exit")
    held += [mail.raw() for _ in range(2)]
    with Client(("127.0.0.1", mail.ports["smtp"]), greeting=421) as c:
        assert c.ended()
    for c in held:
        c.close()


def test_all_together_have_a_number_of_connections(start):
    mail = start(conf={"limits": {"connections": 2, "workers": 3}})
    held = [mail.raw() for _ in range(2)]
    with Client(("127.0.0.1", mail.ports["smtp"]), greeting=421) as c:
        assert c.ended()
    for c in held:
        c.close()


def test_a_client_that_asks_and_does_not_read_is_not_read_from(mail):
    with mail.raw() as c:
        c.send(b"NOOP\r\n" * 20_000)
        for _ in range(20_000):
            c.expect("250 2.0.0")
        c.command("QUIT", 221)


def test_without_descriptors_clients_wait_and_are_served_later(start):
    mail = start()
    pid = mail.daemons["smtpd"].process.pid
    mail.raw().close()  # the worker is up
    worker = int(pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
    time.sleep(0.2)
    open_now = max(int(n) for n in os.listdir(f"/proc/{worker}/fd")) + 1
    limits = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (open_now + 2, limits[1]))
    held = [mail.raw() for _ in range(2)]
    with Client(("127.0.0.1", mail.ports["smtp"]), greeting=None) as late:
        mail.daemons["smtpd"].wait_log("smtp.accept_failed")
        used = cpu(worker)
        time.sleep(0.5)
        assert cpu(worker) - used < 0.2
        resource.prlimit(worker, resource.RLIMIT_NOFILE, limits)
        late.expect(220)
    for c in held:
        c.close()


def test_who_says_nothing_is_told_so(start):
    mail = start(conf={"limits": {"idle_s": 1}})
    with mail.raw() as c, mail.raw() as in_data:
        in_data.envelope()
        in_data.command("DATA", 354)
        in_data.send(b"half a ")
        c.expect("421 4.4.2")
        assert c.ended()
        in_data.expect("421 4.4.2")
        assert in_data.ended()
    assert mail.mailbox("alice") == []


def test_draining_says_goodbye_but_finishes_what_is_under_way(start):
    mail = start()
    with mail.raw() as idle, mail.raw() as busy:
        busy.envelope()
        busy.command("DATA", 354)
        mail.daemons["smtpd"].kill(15)
        idle.expect("421 4.3.2")
        assert idle.ended()
        busy.send(MESSAGE + END)
        busy.expect("250 2.0.0")
        busy.expect("421 4.3.2")
        assert busy.ended()
    assert mail.daemons["smtpd"].process.wait(20) == 0
    assert len(mail.mailbox("alice")) == 1


def test_a_new_configuration_is_taken_while_messages_are_under_way(start):
    mail = start()
    smtpd = mail.daemons["smtpd"]
    with mail.raw() as busy:
        busy.envelope()
        busy.command("DATA", 354)
        smtpd.configure({**smtpd.conf, "recipients": 1})
        smtpd.kill(1)
        smtpd.wait_log("daemon.reload")
        with mail.raw() as c:
            c.envelope("alice@example.org")
            c.command("RCPT TO:<bob@example.org>", "452 4.5.3")
        busy.send(MESSAGE + END)
        busy.expect("250 2.0.0")
        busy.expect("421 4.3.2")
    smtpd.configure({**smtpd.conf, "recipients": 2, "tls": {"cert": "/nowhere", "key": "/nowhere"}})
    smtpd.kill(1)
    smtpd.wait_log("the old configuration stays")
    with mail.raw() as c:
        c.envelope("alice@example.org")
        c.command("RCPT TO:<bob@example.org>", "452 4.5.3")


def test_it_binds_what_was_not_handed_in(mail, free_ports):
    smtpd = mail.daemons["smtpd"]
    port = free_ports(1)[0]
    d = Daemon(mail.dir / "scratch", "smtpd", {**smtpd.conf, "listen": {"smtp": [f"127.0.0.1:{port}"]}})
    try:
        with Client(("127.0.0.1", port)) as c:
            c.command("QUIT", 221)
    finally:
        assert d.stop() == 0
        for p in (mail.dir / "scratch").iterdir():
            p.unlink()


def test_a_restart_loses_no_connection_attempt(start):
    mail = start()
    smtpd = mail.daemons["smtpd"]
    smtpd.stop()
    with Client(("127.0.0.1", mail.ports["smtp"]), greeting=None) as c:
        smtpd.start()
        c.expect(220)
        c.command("EHLO client.example", 250)
        c.message(MESSAGE + END, "250 2.0.0")


def test_a_client_that_goes_away_in_the_middle_leaves_nothing(mail):
    n = len(mail.mailbox("alice"))
    with mail.raw() as c:
        c.envelope()
        c.command("DATA", 354)
        c.send(MESSAGE)
    with mail.raw() as c:
        c.command("NOOP", 250)
    assert len(mail.mailbox("alice")) == n


def test_a_client_that_goes_away_in_front_of_the_reply(start):
    mail = start(milter=True)

    def leave(what):
        what.go_on.clear()
        with mail.raw("submissions") as c:
            c.command("AUTH PLAIN " + base64.b64encode(f"\0alice@example.org\0{PASSWORD}".encode()).decode(), 235)
            c.envelope("x@elsewhere.example", sender="alice@example.org")
            c.command("DATA", 354)
            c.send(MESSAGE + END)
            end = time.monotonic() + 10
            while not (what.seen if what is mail.milter else what.messages) and time.monotonic() < end:
                time.sleep(0.01)
            c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
        time.sleep(0.2)
        what.go_on.set()

    leave(mail.milter)  # nothing was promised, nothing was done
    mail.daemons["smtpd"].wait_log("the client went away")
    assert mail.queue.messages == []
    leave(mail.queue)  # what is being taken over is taken over
    mail.daemons["smtpd"].wait_log("smtp.accept")
    assert len(mail.queue.messages) == 1


def test_each_message_has_a_line_in_the_log(mail):
    with mail.raw() as c:
        ident = c.message(MESSAGE + END, "250 2.0.0")[0].split()[-1]
        c.command("MAIL FROM:<out@else.example>", 250)
        c.command("RCPT TO:<nobody@example.org>", 550)
    lines = mail.log.splitlines()
    accept = next(line for line in lines if f"smtp.accept id={ident} " in line)
    for part in ("from=out@else.example", "rcpts=1", "local=1", "remote=0", "bytes=", "client=127.0.0.1", "service=smtp", "tls="):
        assert part in accept
    assert any("smtp.refuse" in line and "to=nobody@example.org" in line for line in lines)
    assert PASSWORD not in mail.log


@pytest.mark.parametrize("bad", [{"nonsense": 1}, {"domains": "example.org"}, {"recipients": 0}, {"tls": {"cert": "/x"}},
                                 {"plaintext_login": ["nowhere"]}, {"sockets": {"auth": "/a", "map": "/b"}}, {"limits": {"workers": 0}}])
def test_a_wrong_configuration_is_refused_with_its_place(mail, bad):
    d = mail.daemons["smtpd"]
    good = d.conf
    try:
        d.configure({**good, **bad})
        done = d.check()
        assert done.returncode == 2 and "$." + next(iter(bad)) in done.stderr, done.stderr
    finally:
        d.configure(good)
    assert d.check().returncode == 0


def test_swaks_is_served(mail, need_tool):
    swaks = need_tool("swaks")

    def run(service, *more):
        return subprocess.run([swaks, "--server", f"127.0.0.1:{mail.ports[service]}", "--helo", "client.example", "--timeout", "20", *more],
                              capture_output=True, text=True, timeout=60, check=False)

    assert run("smtp", "--from", "out@else.example", "--to", "bob@example.org").returncode == 0
    assert run("smtp", "--from", "out@else.example", "--to", "bob@example.org", "--tls").returncode == 0
    assert run("smtp", "--from", "out@else.example", "--to", "x@elsewhere.example").returncode == 24
    auth = ("--auth-user", "alice@example.org", "--auth-password", PASSWORD, "--from", "alice@example.org", "--to", "sales@example.org")
    done = run("submission", "--tls", "--auth", "PLAIN", *auth)
    assert done.returncode == 0, done.stdout
    assert run("submissions", "--tls-on-connect", "--auth", "LOGIN", *auth).returncode == 0
    assert run("submission", "--auth", "PLAIN", *auth).returncode == 28  # no login in clear
