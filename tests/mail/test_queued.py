# SPDX-License-Identifier: Apache-2.0
"""queued with a remote server of the test, real dnsd and real lmtpd: what it takes, where it brings it, what it reports."""
import email
import email.policy
import signal
import time
import zlib

import pytest

from dnslib import A, AAAA, CNAME, MX
from queuelib import Queue, Refused, wait_for
from remotelib import CAPS, Hangup, Remote, server_tls


@pytest.fixture
def make(short_dir, free_ports):
    """make(...) is a Queue that is ended with the test."""
    made = []

    def queue(**more):
        made.append(Queue(short_dir, free_ports, **more))
        return made[-1]

    yield queue
    for q in made:
        codes = q.close()
        if any(codes):
            print(q.queued.log())
        assert not any(codes), codes


def report_of(raw):
    """A delivery report: the message, and the fields of message and recipients."""
    m = email.message_from_bytes(raw, policy=email.policy.default)
    assert m.get_content_type() == "multipart/report", raw.decode()
    text, status, original = m.iter_parts()
    blocks = [dict(b.items()) for b in status.iter_parts()] if status.is_multipart() else [dict(b.items()) for b in status.get_payload()]
    return m, blocks, text.get_content(), original


# --- where it goes --------------------------------------------------------------------------------


def test_a_message_reaches_the_mx_of_its_domain(make):
    q = make()
    q.add_mx("far.test", (10, "mx1.far.test", "127.0.0.2"))
    body = "Subject: hi\r\nFrom: a@home.test\r\n\r\n.dot\r\n..two\r\nlast\r\n"
    with Remote(q.port, "127.0.0.2") as r:
        q.send("a@home.test", ["b@far.test"], body)
        m = r.wait()[0]
        assert (m.sender, m.rcpts, m.data.decode()) == ("a@home.test", [("b@far.test", "")], body)
        assert m.ehlo == "EHLO mail.home.test" and "SIZE=" in m.mail_args
        q.wait_empty()
    assert q.files() == []


def test_without_mx_the_domain_itself_is_the_server(make):
    q = make()
    q.dns.records[("far.test", A)] = ["127.0.0.2"]
    with Remote(q.port, "127.0.0.2") as r:
        q.send("a@home.test", ["b@far.test"])
        r.wait()


def test_the_best_preference_is_tried_first_and_the_next_when_it_is_away(make):
    q = make()
    q.add_mx("far.test", (20, "mx2.far.test", "127.0.0.3"), (10, "mx1.far.test", "127.0.0.2"), (5, "gone.far.test", "127.0.0.9"))
    with Remote(q.port, "127.0.0.2") as first, Remote(q.port, "127.0.0.3") as second:
        q.send("a@home.test", ["b@far.test"])
        first.wait()
        assert second.sessions == 0


def test_several_addresses_of_a_host_are_tried(make):
    q = make()
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.8"))
    q.dns.records[("mx.far.test", A)] = ["127.0.0.8", "127.0.0.9", "127.0.0.2"]
    q.dns.records[("mx.far.test", AAAA)] = ["::1"]
    with Remote(q.port, "127.0.0.2") as r:
        q.send("a@home.test", ["b@far.test"])
        r.wait()


def test_an_mx_behind_a_cname_is_followed(make):
    q = make()
    q.add_mx("real.test", (10, "mx.real.test", "127.0.0.2"))
    q.dns.records[("alias.test", CNAME)] = ["real.test"]
    with Remote(q.port, "127.0.0.2") as r:
        q.send("a@home.test", ["b@alias.test"])
        assert r.wait()[0].rcpts == [("b@alias.test", "")]


def test_a_route_comes_before_mx_and_star_is_for_the_others(make, free_ports):
    special, star = free_ports(2)
    q = make(routes={"near.test": f"smtp://127.0.0.1:{special}", "*": f"smtp://named.test:{star}"})
    q.dns.records[("named.test", A)] = ["127.0.0.1"]
    with Remote(special) as near, Remote(star) as other:
        q.send("a@home.test", ["b@near.test", "c@else.test"])
        assert near.wait()[0].rcpts == [("b@near.test", "")]
        assert other.wait()[0].rcpts == [("c@else.test", "")]


def test_an_address_literal_needs_no_dns(make):
    q = make()
    with Remote(q.port, "127.0.0.2") as r:
        q.send("a@home.test", ["b@[127.0.0.2]"])
        assert r.wait()[0].rcpts == [("b@[127.0.0.2]", "")]


def test_the_relay_gets_a_password_under_tls_only(make, free_ports, short_dir):
    port = free_ports(1)[0]
    q = make(relay={"host": "127.0.0.1", "port": port, "user": "u", "password": "secret"})
    with Remote(port, caps=(*CAPS, "AUTH PLAIN")) as r:
        q.send("a@home.test", ["b@far.test"])
        wait_for(lambda: "4.7.4" in str(q.list()))
        assert not any(line.startswith("AUTH") for line in r.lines)
    with Remote(port, caps=(*CAPS, "STARTTLS", "AUTH PLAIN LOGIN"), tls=server_tls(short_dir)) as r:
        m = r.wait()[0]
        assert m.tls and m.auth == [b"u", b"secret"]
    assert "secret" not in q.queued.log()


def test_port_465_begins_with_tls(make, short_dir):
    try:
        r = Remote(465, "127.0.0.65", caps=(*CAPS, "AUTH PLAIN"), tls=server_tls(short_dir), implicit=True)
    except PermissionError:
        pytest.skip("needs a port below 1024")
    with r:
        q = make(relay={"host": "127.0.0.65", "port": 465, "user": "u", "password": "secret"})
        q.send("a@home.test", ["b@far.test"])
        m = r.wait()[0]
        assert m.tls and m.auth == [b"u", b"secret"]


def test_a_relay_with_an_authority_must_show_its_certificate(make, free_ports, short_dir):
    port = free_ports(1)[0]
    tls = server_tls(short_dir)
    relay = {"host": "mx.test", "port": port, "user": "u", "password": "secret"}
    q = make(relay=relay | {"ca": str(short_dir / "remote.pem")})
    q.dns.records[("mx.test", A)] = ["127.0.0.1"]
    q.dns.records[("other.test", A)] = ["127.0.0.1"]
    with Remote(port, caps=(*CAPS, "STARTTLS", "AUTH PLAIN"), tls=tls) as r:
        q.send("a@home.test", ["b@far.test"])
        assert r.wait()[0].auth == [b"u", b"secret"]
        q.queued.configure(q.conf | {"relay": q.conf["relay"] | {"host": "other.test"}})
        q.queued.kill(signal.SIGHUP)
        q.queued.wait_log("daemon.reload")
        q.send("a@home.test", ["b@far.test"])
        wait_for(lambda: "4.7.4" in str(q.list()))
        assert len(r.messages) == 1 and sum(line.startswith("AUTH") for line in r.lines) == 1


def test_recipients_of_one_domain_share_a_transaction_and_domains_do_not(make):
    q = make()
    q.add_mx("one.test", (10, "mx.one.test", "127.0.0.2"))
    q.add_mx("two.test", (10, "mx.two.test", "127.0.0.3"))
    with Remote(q.port, "127.0.0.2") as one, Remote(q.port, "127.0.0.3") as two:
        q.send("a@home.test", ["x@one.test", "y@two.test", "z@ONE.test"])
        assert [a for a, _ in one.wait()[0].rcpts] == ["x@one.test", "z@one.test"]
        assert [a for a, _ in two.wait()[0].rcpts] == ["y@two.test"]
        q.wait_empty()


def test_more_recipients_than_one_transaction_takes_are_split(make):
    q = make()
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    with Remote(q.port, "127.0.0.2") as r:
        q.send("a@home.test", [f"u{i}@far.test" for i in range(250)])
        r.wait(3)
        q.wait_empty()
        assert sorted(len(m.rcpts) for m in r.messages) == [50, 100, 100]
        assert len({a for m in r.messages for a, _ in m.rcpts}) == 250


def test_local_recipients_go_to_lmtpd_also_when_it_was_away(make):
    q = make(lmtpd=True, domains=["home.test"])
    q.lmtpd.stop()
    q.send("x@far.test", ["alice@home.test"])
    wait_for(lambda: q.list()[0]["recipients"][0]["attempts"] > 0)
    q.lmtpd.start()
    q.wait_empty()
    assert len(q.mailbox("alice@home.test")) == 1


def test_connections_are_reused_and_limited(make):
    q = make(limits={"senders": 8, "per_domain": 2})
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    at_once, most = [0], [0]

    def hook(verb, _line, _session):
        if verb == "MAIL":
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        if verb == "END":
            time.sleep(0.02)
            at_once[0] -= 1

    with Remote(q.port, "127.0.0.2", hook=hook) as r:
        with q.lmtp() as c:
            for i in range(30):
                c.send("a@home.test", [f"b{i}@far.test"])
        r.wait(30)
        q.wait_empty()
        assert r.sessions < 20 and most[0] <= 2


def test_a_connection_waits_a_little_for_the_next_message(make):
    q = make()
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    with Remote(q.port, "127.0.0.2") as r:
        for i in range(5):
            q.send("a@home.test", [f"b{i}@far.test"])
            r.wait(i + 1)
            time.sleep(0.05)
        assert r.sessions < 3
        wait_for(lambda: "QUIT" in r.lines)


def test_an_idle_connection_makes_room_for_another_domain(make):
    q = make(limits={"senders": 1, "per_domain": 1})
    q.add_mx("one.test", (10, "mx.one.test", "127.0.0.2"))
    q.add_mx("two.test", (10, "mx.two.test", "127.0.0.3"))
    with Remote(q.port, "127.0.0.2") as one, Remote(q.port, "127.0.0.3") as two:
        start = time.monotonic()
        for i in range(3):
            q.send("a@home.test", ["x@one.test"])
            one.wait(i + 1)
            q.send("a@home.test", ["x@two.test"])
            two.wait(i + 1)
        assert time.monotonic() - start < 7  # five changes, each of which would wait for two seconds


def test_an_idle_connection_that_the_server_closes_costs_nothing(make):
    q = make()
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    with Remote(q.port, "127.0.0.2") as r:
        for i in range(5):
            q.send("a@home.test", ["b@far.test"])
            r.wait(i + 1)
            q.wait_empty()
            with r.lock:
                for s in r.open:
                    s.shutdown(2)
        assert len(r.messages) == 5 and q.queued.log().count("queue.deferred") == 0


# --- failures -------------------------------------------------------------------------------------


def test_a_temporary_failure_is_tried_again(make):
    q = make()
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    tries = []

    def hook(verb, line, _session):
        if verb == "RCPT":
            tries.append(time.monotonic())
            return "450 4.2.1 greylisted\r\n".strip() if len(tries) < 3 else None
        return None

    with Remote(q.port, "127.0.0.2", hook=hook) as r:
        q.send("a@home.test", ["b@far.test"])
        wait_for(lambda: "4.2.1 greylisted" in q.list()[0]["recipients"][0]["error"])
        r.wait()
        q.wait_empty()
    assert len(tries) == 3 and tries[1] - tries[0] >= 0.9 and tries[2] - tries[1] >= 1.9


def test_a_permanent_failure_is_reported_to_the_local_sender(make):
    q = make(lmtpd=True, domains=["home.test"])
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    with Remote(q.port, "127.0.0.2", hook=lambda v, *_: "550-5.1.1 no\r\n550 5.1.1 such user" if v == "RCPT" else None):
        q.send("alice@home.test", ["b@far.test"], "Subject: Original\r\nFrom: alice@home.test\r\n\r\nsecret body\r\n", mail_args="ENVID=abc+2B1",
               rcpt_args="ORCPT=rfc822;b+2Bx@far.test")
        q.wait_empty()
    [raw] = q.mailbox("alice@home.test")
    m, blocks, text, original = report_of(raw)
    assert "alice@home.test" in m["To"] and m["Auto-Submitted"].startswith("auto-")
    assert "Return-Path: <>" in raw.decode().split("\n\n")[0] or b"MAILER-DAEMON" in raw
    assert blocks[0]["Reporting-MTA"] == "dns; mail.home.test" and blocks[0]["Original-Envelope-Id"] == "abc+1"
    assert blocks[1]["Final-Recipient"] == "rfc822; b@far.test" and blocks[1]["Original-Recipient"] == "rfc822;b+x@far.test"
    assert (blocks[1]["Action"], blocks[1]["Status"]) == ("failed", "5.1.1")
    assert "550 5.1.1 no such user" in " ".join(blocks[1]["Diagnostic-Code"].split()) and "mx.far.test" in blocks[1]["Remote-MTA"]
    assert "no such user" in " ".join(text.split())
    assert b"Subject: Original" in raw and b"secret body" not in raw
    assert original.get_content_type() == "text/rfc822-headers"


def test_the_whole_message_comes_back_with_ret_full(make):
    q = make(lmtpd=True, domains=["home.test"])
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    with Remote(q.port, "127.0.0.2", hook=lambda v, *_: "554 5.7.1 spam" if v == "END" else None):
        q.send("alice@home.test", ["b@far.test"], "Subject: Original\r\n\r\nbody line\r\n", mail_args="RET=FULL")
        q.wait_empty()
    [raw] = q.mailbox("alice@home.test")
    assert b"body line" in raw and report_of(raw)[1][1]["Status"] == "5.7.1"


def test_mixed_results_of_one_transaction(make):
    q = make(lmtpd=True, domains=["home.test"])
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    tried = []

    def hook(verb, line, _session):
        if verb == "RCPT" and "<bad@" in line:
            return "550 5.1.1 unknown"
        if verb == "RCPT" and "<later@" in line:
            tried.append(1)
            return "451 4.2.0 later" if len(tried) == 1 else None
        return None

    with Remote(q.port, "127.0.0.2", hook=hook) as r:
        q.send("alice@home.test", ["good@far.test", "bad@far.test", "later@far.test"])
        r.wait(2)
        q.wait_empty()
        assert [[a for a, _ in m.rcpts] for m in r.messages] == [["good@far.test"], ["later@far.test"]]
    [raw] = q.mailbox("alice@home.test")
    blocks = report_of(raw)[1]
    assert len(blocks) == 2 and "bad@far.test" in blocks[1]["Final-Recipient"]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("verb", ["MAIL", "DATA", "END"])
def test_a_refusal_anywhere_is_heard(make, verb, pipelining):
    q = make(lmtpd=True, domains=["home.test"])
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    caps = CAPS if pipelining else [c for c in CAPS if c != "PIPELINING"]
    with Remote(q.port, "127.0.0.2", caps=caps, hook=lambda v, *_: "554 5.7.9 not you" if v == verb else None):
        with q.lmtp() as c:
            c.send("alice@home.test", ["b@far.test", "c@far.test"])
            c.send("alice@home.test", ["d@far.test"])
        q.wait_empty()
    reports = [report_of(raw)[1] for raw in q.mailbox("alice@home.test")]
    assert sorted(len(b) for b in reports) == [2, 3] and all(b["Status"] == "5.7.9" for r in reports for b in r[1:])


@pytest.mark.parametrize("reply, reports", [("552 5.2.2 mailbox full", 1), ("552 too many recipients", 0), ("552 5.5.3 too many", 0)])
def test_too_many_recipients_is_not_a_failure_and_a_full_mailbox_is(make, reply, reports):
    q = make(lmtpd=True, domains=["home.test"])
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    said = []

    def hook(verb, line, _session):
        if verb == "RCPT" and "<c@" in line and not said:
            said.append(1)
            return reply
        return None

    with Remote(q.port, "127.0.0.2", hook=hook) as r:
        q.send("alice@home.test", ["b@far.test", "c@far.test"])
        q.wait_empty()
        assert len(r.messages) == 2 - reports and len(q.mailbox("alice@home.test")) == reports


def test_a_clock_that_was_set_back_makes_nobody_wait_for_it(make):
    q = make(retry={"first_s": 3600, "max_s": 3600, "give_up_s": 99999})
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    name = q.send("a@home.test", ["b@far.test"])
    wait_for(lambda: q.list()[0]["recipients"][0]["attempts"])
    q.queued.stop()
    record = f"0 pending 0 1 {int(time.time())} {int(time.time()) + 10**6} 4.4.1 - refused"
    with open(q.spool / "msg" / name, "a", encoding="ascii") as f:
        f.write(f"{zlib.crc32(record.encode()):08x} {record}\n")
    with Remote(q.port, "127.0.0.2") as r:
        q.queued.start()
        r.wait()


def test_a_failure_beyond_the_time_is_reported(make):
    q = make(lmtpd=True, domains=["home.test"], retry={"first_s": 1, "max_s": 1, "give_up_s": 2})
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    q.send("alice@home.test", ["b@far.test"])
    q.wait_empty()
    [raw] = q.mailbox("alice@home.test")
    _, blocks, text, _ = report_of(raw)
    assert blocks[1]["Status"] == "4.4.7" and "refused" in text


def test_a_report_is_never_made_for_a_report(make):
    q = make()
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    with Remote(q.port, "127.0.0.2", hook=lambda v, *_: "550 no" if v == "RCPT" else None) as r:
        q.send("", ["b@far.test"])
        q.wait_empty()
        assert "MAIL FROM:<>" in r.lines[1] and "queue.report" not in q.queued.log()


@pytest.mark.parametrize("notify, reports", [("NEVER", 0), ("FAILURE", 1), ("SUCCESS", 0), ("DELAY", 0), ("SUCCESS,FAILURE", 1), (None, 1)])
def test_notify_is_honoured(make, notify, reports):
    q = make(lmtpd=True, domains=["home.test"])
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    with Remote(q.port, "127.0.0.2", hook=lambda v, *_: "550 no" if v == "RCPT" else None):
        q.send("alice@home.test", ["b@far.test"], rcpt_args=f"NOTIFY={notify}" if notify else "")
        q.wait_empty()
    assert len(q.mailbox("alice@home.test")) == reports


def test_success_is_reported_where_the_next_server_does_not(make):
    q = make(lmtpd=True, domains=["home.test"])
    q.add_mx("plain.test", (10, "mx.plain.test", "127.0.0.2"))
    q.add_mx("dsn.test", (10, "mx.dsn.test", "127.0.0.3"))
    with Remote(q.port, "127.0.0.2") as plain, Remote(q.port, "127.0.0.3", caps=(*CAPS, "DSN")) as dsn:
        q.send("alice@home.test", ["b@plain.test", "c@dsn.test", "bob@home.test"], mail_args="RET=HDRS ENVID=e1",
               rcpt_args="NOTIFY=SUCCESS,FAILURE")
        q.wait_empty()
        assert plain.wait()[0].rcpts == [("b@plain.test", "")]
        assert dsn.wait()[0].rcpts == [("c@dsn.test", "NOTIFY=SUCCESS,FAILURE")]
        assert "RET=HDRS ENVID=e1" in dsn.messages[0].mail_args
    actions = {b["Final-Recipient"].split("; ")[1]: b["Action"] for raw in q.mailbox("alice@home.test") for b in report_of(raw)[1][1:]}
    assert actions == {"b@plain.test": "relayed", "bob@home.test": "delivered"}


def test_a_delay_is_reported_once_to_who_asked(make):
    q = make(lmtpd=True, domains=["home.test"], retry={"first_s": 1, "max_s": 1, "give_up_s": 4})
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    q.send("alice@home.test", ["b@far.test"], rcpt_args="NOTIFY=DELAY,FAILURE")
    q.wait_empty(25)
    assert [report_of(raw)[1][1]["Action"] for raw in q.mailbox("alice@home.test")] == ["delayed", "failed"]


@pytest.mark.parametrize("records, status", [
    ({("far.test", MX): [(0, ".")]}, "5.1.10"),
    ({}, "5.1.2"),
    ({("far.test", MX): [(10, "mail.home.test")]}, "5.4.6"),
    ({("far.test", MX): [(10, "nowhere.far.test")]}, "5.4.4"),
], ids=["null MX", "no domain", "ourselves", "no address"])
def test_a_domain_that_takes_no_mail_is_reported_at_once(make, records, status):
    q = make(lmtpd=True, domains=["home.test"], records={("other.test", A): ["127.0.0.2"], **records})
    q.send("alice@home.test", ["b@far.test"])
    q.wait_empty()
    [raw] = q.mailbox("alice@home.test")
    assert report_of(raw)[1][1]["Status"] == status


def test_servers_that_are_not_better_than_ourselves_are_left_out(make):
    q = make()
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"), (20, "mail.home.test", "127.0.0.3"), (20, "peer.far.test", "127.0.0.3"))
    with Remote(q.port, "127.0.0.3") as r:
        q.send("a@home.test", ["b@far.test"])
        wait_for(lambda: q.list()[0]["recipients"][0]["attempts"] >= 2)
        assert r.sessions == 0


def test_dns_that_does_not_answer_is_a_temporary_failure(make):
    q = make(records={("far.test", MX): lambda msg: msg[:2] + b"\x81\x82" + msg[4:6] + bytes(6) + msg[12:]})
    q.send("a@home.test", ["b@far.test"])
    wait_for(lambda: q.list()[0]["recipients"][0]["status"] == "4.4.3")


# --- the protocol ---------------------------------------------------------------------------------


def test_starttls_is_used_where_it_is_offered(make, short_dir):
    q = make()
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    with Remote(q.port, "127.0.0.2", caps=(*CAPS, "STARTTLS"), tls=server_tls(short_dir)) as r:
        q.send("a@home.test", ["b@far.test"], "Subject: x\r\n\r\n" + "0123456789\r\n" * 50000)
        m = r.wait()[0]
        assert m.tls and len(m.data) == 14 + 12 * 50000
        assert [line.split()[0] for line in r.lines].count("EHLO") == 2


def test_a_handshake_that_fails_is_followed_by_clear_text(make):
    q = make()
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))

    def hook(verb, _line, session):
        if verb == "STARTTLS":
            session.send("220 go")
            session.sock.sendall(b"this is not TLS at all\r\n")
            time.sleep(0.1)
            raise Hangup
        return None

    with Remote(q.port, "127.0.0.2", caps=(*CAPS, "STARTTLS"), hook=hook) as r:
        q.send("a@home.test", ["b@far.test"])
        assert not r.wait()[0].tls and r.sessions == 2


def test_starttls_that_is_offered_and_refused_is_done_without(make):
    q = make()
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    with Remote(q.port, "127.0.0.2", caps=(*CAPS, "STARTTLS"), hook=lambda v, *_: "454 4.7.0 not now" if v == "STARTTLS" else None) as r:
        q.send("a@home.test", ["b@far.test"])
        assert not r.wait()[0].tls and r.sessions == 1


def test_a_server_without_ehlo_is_greeted_with_helo(make):
    q = make()
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    with Remote(q.port, "127.0.0.2", hook=lambda v, *_: "502 what?" if v == "EHLO" else None) as r:
        q.send("a@home.test", ["b@far.test"])
        m = r.wait()[0]
        assert m.ehlo == "HELO mail.home.test" and m.mail_args == ""


@pytest.mark.parametrize("greeting, status", [("554 5.7.1 go away", "5.7.1"), ("421 4.3.2 busy", None)])
def test_a_greeting_that_says_no(make, greeting, status):
    q = make(lmtpd=True, domains=["home.test"])
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    with Remote(q.port, "127.0.0.2", hook=lambda v, *_: greeting if v == "CONNECT" else None):
        q.send("alice@home.test", ["b@far.test"])
        if status:
            q.wait_empty()
            assert report_of(q.mailbox("alice@home.test")[0])[1][1]["Status"] == status
        else:
            wait_for(lambda: q.list()[0]["recipients"][0]["attempts"] >= 2)


def test_a_message_over_the_size_of_the_server_is_not_sent(make):
    q = make(lmtpd=True, domains=["home.test"])
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    with Remote(q.port, "127.0.0.2", caps=("SIZE 100",)) as r:
        q.send("alice@home.test", ["b@far.test"], "Subject: x\r\n\r\n" + "y" * 200 + "\r\n")
        q.wait_empty()
        assert not any(line.startswith("MAIL") for line in r.lines)
    assert report_of(q.mailbox("alice@home.test")[0])[1][1]["Status"] == "5.3.4"


def test_smtputf8_is_used_where_it_is_needed_and_missed_where_it_is_not_there(make):
    q = make(lmtpd=True, domains=["home.test"])
    q.add_mx("xn--bcher-kva.test", (10, "mx.far.test", "127.0.0.2"))
    q.add_mx("old.test", (10, "mx.old.test", "127.0.0.3"))
    with Remote(q.port, "127.0.0.2") as new, Remote(q.port, "127.0.0.3", caps=("8BITMIME",)) as old:
        q.send("alice@home.test", ["jürgen@bücher.test"], mail_args="SMTPUTF8 BODY=8BITMIME")
        m = new.wait()[0]
        assert m.rcpts == [("jürgen@bücher.test", "")] and "SMTPUTF8" in m.mail_args and "BODY=8BITMIME" in m.mail_args
        q.send("alice@home.test", ["plain@old.test"], mail_args="SMTPUTF8")
        assert old.wait()[0].mail_args == ""
        q.send("alice@home.test", ["jürgen@old.test"], mail_args="SMTPUTF8")
        q.wait_empty()
        assert len(old.messages) == 1
    [raw] = q.mailbox("alice@home.test")
    assert "Final-Recipient: utf-8; jürgen@old.test\nAction: failed\nStatus: 5.6.7\n".encode() in raw


def test_a_connection_that_breaks_in_the_message_is_tried_again(make):
    q = make()
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    broken = []

    def hook(verb, *_):
        if verb in ("DATA", "MAIL", "END") and verb not in broken:
            broken.append(verb)
            raise Hangup

    with Remote(q.port, "127.0.0.2", hook=hook) as r:
        q.send("a@home.test", ["b@far.test"])
        r.wait()
        q.wait_empty(20)
    assert sorted(broken) == ["DATA", "END", "MAIL"] and len(r.messages) == 1


def test_rubbish_for_a_reply_is_a_temporary_failure(make):
    q = make()
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    with Remote(q.port, "127.0.0.2", hook=lambda v, *_: "\x00\xff rubbish" if v == "MAIL" else None):
        q.send("a@home.test", ["b@far.test"])
        wait_for(lambda: q.list()[0]["recipients"][0]["status"] == "4.4.2")


def test_a_second_connection_that_is_refused_leaves_the_first_in_peace(make):
    q = make()
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    open_now = set()

    def hook(verb, _line, session):
        if verb == "CONNECT":
            if open_now:
                return "421 4.7.0 one at a time"
            open_now.add(session.number)
        if verb == "END":
            time.sleep(0.05)
        if verb == "QUIT":
            open_now.discard(session.number)
        return None

    with Remote(q.port, "127.0.0.2", hook=hook) as r:
        with q.lmtp() as c:
            for i in range(10):
                c.send("a@home.test", [f"b{i}@far.test"])
        r.wait(10, 25)
        q.wait_empty()
        assert r.sessions < 30


# --- LMTP in --------------------------------------------------------------------------------------


def test_the_lmtp_side_says_what_it_can_and_refuses_what_it_must(make):
    q = make()
    with q.lmtp() as c:
        caps = {line[4:].split()[0] for line in c.caps}
        assert caps >= {"PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN", "SIZE", "CHUNKING", "XOWNER"}
        for line, code in [("DATA", "503"), ("RCPT TO:<a@b.test>", "503"), ("MAIL FROM:<a@b.test> SIZE=99999999999", "552"),
                           ("MAIL FROM:<a@b.test> FOO=1", "555"), ("MAIL FROM:a@b.test", "501"), ("BDAT 0 LAST", "503"), ("NOOP", "250"),
                           ("VRFY a", "252"), ("MAIL FROM:<a@b.test>", "250"), ("MAIL FROM:<a@b.test>", "503"), ("DATA", "503"),
                           ("RCPT TO:<postmaster>", "550"), ("RCPT TO:<ü@b.test>", "553"), ("RCPT TO:<a@b.test> NOTIFY=NEVER,DELAY", "501"),
                           ("RSET", "250"), ("QUIT", "221")]:
            got = c.ask(line)[-1]
            assert got.startswith(code) or (line == "RCPT TO:<postmaster>" and got[0] == "5"), (line, got)
    assert q.list() == [] and q.files() == []


def test_a_bare_line_feed_is_no_message(make):
    q = make()
    with q.lmtp() as c:
        c.begin("a@home.test", ["b@far.test"])
        c.sock.sendall(b"Subject: x\r\n\r\nbody\n.\nMAIL FROM:<evil@x.test>\r\n.\r\n")
        assert c.reply()[-1].startswith("554 5.6.0")
    assert q.files() == [] and list((q.spool / "tmp").iterdir()) == []


@pytest.mark.parametrize("cuts", [(), (0,), (1, 2, 3), (18, 19), (25, 25)])
def test_a_message_in_chunks_is_the_same_however_it_is_cut(make, cuts):
    q = make()
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    data = b"Subject: chunks\r\n\r\n.dot\r\n.\r\nlast\r\n"
    edges = [0, *cuts, len(data)]
    parts = [data[a:b] for a, b in zip(edges, edges[1:])]
    with Remote(q.port, "127.0.0.2") as r, q.lmtp() as c:
        c.sock.sendall(b"MAIL FROM:<a@home.test>\r\nRCPT TO:<b@far.test>\r\nRCPT TO:<c@far.test>\r\n" +
                       b"".join(b"BDAT %d%s\r\n" % (len(p), b" LAST" if i == len(parts) - 1 else b"") + p for i, p in enumerate(parts)))
        assert [c.reply()[-1][:3] for _ in range(3 + len(parts) - 1 + 2)] == ["250"] * (len(parts) + 4)
        assert r.wait()[0].data == data
        c.expect("NOOP", "250")


@pytest.mark.parametrize("data, code", [(b"Subject: x\r\n\r\nbare\nlf\r\n", "554"), (b"x\r", "554"), (b"no end", "250"), (b"", "250")])
def test_chunks_are_held_to_crlf_too(make, data, code):
    q = make(routes={"*": "smtp://127.0.0.1:1"})
    with q.lmtp() as c:
        c.expect("MAIL FROM:<a@home.test>", "250")
        c.expect("RCPT TO:<b@far.test>", "250")
        c.sock.sendall(b"BDAT %d LAST\r\n" % len(data) + data)
        assert c.reply()[-1].startswith(code)
        c.sock.sendall(b"BDAT 5 LAST\r\nQUIT\r")  # a chunk without a transaction is thrown away
        assert c.reply()[-1].startswith("503")
        c.expect("NOOP", "250")
    assert len(q.files()) == (code == "250")


def test_reports_go_to_the_account_that_submitted_where_an_alias_is_the_sender(make):
    q = make(lmtpd=True, domains=["home.test"])
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"), )
    with Remote(q.port, "127.0.0.2", hook=lambda v, *_: "550 no" if v == "RCPT" else None) as r:
        q.send("sales@home.test", ["b@far.test"], mail_args="RET=HDRS XOWNER=alice@home.test")
        q.wait_empty()
        q.send("x@else.test", ["b@far.test"], mail_args="XOWNER=alice@home.test")  # not ours to redirect
        wait_for(lambda: "to=x@else.test" in q.queued.log())
        assert not any("XOWNER" in line for line in r.lines)
    [raw] = q.mailbox("alice@home.test")
    assert b"To: <sales@home.test>" in raw and q.mailbox("sales@home.test") == []


def test_pipelined_commands_and_messages_are_all_answered(make):
    q = make(routes={"*": "smtp://127.0.0.1:1"})
    with q.lmtp() as c:
        one = b"MAIL FROM:<a@home.test>\r\nRCPT TO:<b@far.test>\r\nRCPT TO:<c@far.test>\r\nDATA\r\nSubject: x\r\n\r\ny\r\n.\r\n"
        c.sock.sendall(one * 20 + b"QUIT\r\n")
        codes = [c.reply()[-1][:3] for _ in range(20 * 6 + 1)]
        assert codes == ["250", "250", "250", "354", "250", "250"] * 20 + ["221"]
    assert len(q.list()) == 20


def test_half_a_message_leaves_nothing(make):
    q = make()
    with q.lmtp() as c:
        c.begin("a@home.test", ["b@far.test"])
        c.sock.sendall(b"Subject: x\r\n" + b"y" * 100000)
    wait_for(lambda: not list((q.spool / "tmp").iterdir()))
    assert q.files() == []


# --- the control socket ---------------------------------------------------------------------------


def test_the_control_socket_lists_shows_flushes_and_removes(make):
    q = make(retry={"first_s": 3600, "max_s": 3600, "give_up_s": 99999})
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    first = q.send("a@home.test", ["b@far.test"], "Subject: One\r\n\r\nbody\r\n", mail_args="RET=HDRS ENVID=e")
    second = q.send("a@home.test", ["c@other.test"], rcpt_args="NOTIFY=NEVER")
    wait_for(lambda: "refused" in q.list()[0]["recipients"][0]["error"])
    assert [m["id"] for m in q.list()][:1] == [first]
    shown = q.control(f"show {first}")[0]
    assert shown["header"] == "Subject: One\r\n\r\n" and shown["envid"] == "e" and shown["ret"] == "hdrs"
    assert shown["recipients"][0]["attempts"] == 1 and shown["recipients"][0]["status"] == "4.4.1"
    assert shown["recipients"][0]["next_s"] > time.time() + 3000
    wait_for(lambda: len(q.list()) == 1)  # the other domain does not exist
    for line in ("show 4ZNOTHERE", "rm 4ZNOTHERE", "flush 4ZNOTHERE", "show ../../etc/passwd"):
        with pytest.raises(Refused, match="no message"):
            q.control(line)
    with pytest.raises(Refused, match="unknown command"):
        q.control("dance")
    del second
    with Remote(q.port, "127.0.0.2") as r:
        assert q.control("flush nobody.test") == [{"flushed": 0}]
        assert q.control("flush far.test") == [{"flushed": 1}]
        r.wait()
        q.wait_empty()
    third = q.send("a@home.test", ["b@far.test"])
    wait_for(lambda: q.list()[0]["recipients"][0]["attempts"] and not q.list()[0]["sending"])
    assert q.control(f"rm {third}") == [{"removed": third}]
    assert q.list() == [] and q.files() == []


# --- its own life ---------------------------------------------------------------------------------


def test_the_state_of_each_recipient_survives_a_kill(make):
    q = make(retry={"first_s": 3600, "max_s": 3600, "give_up_s": 99999})
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
    with Remote(q.port, "127.0.0.2", hook=lambda v, line, _: "450 later" if v == "RCPT" and "<slow@" in line else None) as r:
        q.send("a@home.test", ["fast@far.test", "slow@far.test"])
        r.wait()
        wait_for(lambda: q.list()[0]["recipients"][0]["state"] == "relayed")
        q.restart(signal.SIGKILL)
        states = {x["address"]: (x["state"], x["attempts"]) for x in q.list()[0]["recipients"]}
        assert states == {"fast@far.test": ("relayed", 1), "slow@far.test": ("pending", 1)}
        r.hook = None
        q.control("flush")
        r.wait(2)
        q.wait_empty()
        assert [a for m in r.messages for a, _ in m.rcpts] == ["fast@far.test", "slow@far.test"]


def test_a_damaged_file_is_set_aside_and_the_rest_goes_on(make):
    q = make(start=False)
    (q.spool / "msg").mkdir()
    (q.spool / "msg" / "0123456789ABCD").write_bytes(b"not a message")
    q.queued.start()
    assert q.list() == [] and (q.spool / "bad" / "0123456789ABCD").exists()
    assert "queue.damaged" in q.queued.log()


def test_a_second_queued_does_not_touch_the_spool(make, short_dir):
    q = make()
    other = q.queued.conf | {"listen": {"lmtp": [str(short_dir / "other.sock")]}}
    (short_dir / "other.json").write_text(__import__("json").dumps(other))
    import subprocess
    r = subprocess.run([q.queued.program, "-c", short_dir / "other.json"], capture_output=True, text=True, timeout=10, check=False)
    assert r.returncode == 1 and "lock the spool" in r.stderr


def test_drain_ends_what_is_under_way_and_begins_nothing(make):
    q = make()
    q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))

    def hook(verb, *_):
        if verb == "END":
            time.sleep(1)

    with Remote(q.port, "127.0.0.2", hook=hook) as r:
        q.send("a@home.test", ["b@far.test"])
        wait_for(lambda: "DATA" in r.lines)
        assert q.queued.stop(signal.SIGTERM) == 0
        assert len(r.messages) == 1 and q.files() == []
        q.queued.start()
        time.sleep(0.3)
        assert len(r.messages) == 1


def test_a_reload_changes_where_mail_goes(make, free_ports):
    port = free_ports(1)[0]
    q = make(routes={"*": "smtp://127.0.0.1:1"})
    q.send("a@home.test", ["b@far.test"])
    wait_for(lambda: q.list()[0]["recipients"][0]["attempts"])
    with Remote(port) as r:
        q.queued.configure(q.conf | {"routes": {"*": f"smtp://127.0.0.1:{port}"}})
        q.queued.kill(signal.SIGHUP)
        r.wait()


@pytest.mark.parametrize("change, what", [
    ({"spool": ""}, "spool"), ({"routes": {"a.test": "http://x"}}, "routes"), ({"relay": {"host": "h", "user": "u"}}, "belong together"),
    ({"nonsense": 1}, "nonsense"), ({"retry": {"first_s": 10, "max_s": 5}}, "max_s"), ({"limits": {"senders": 0}}, "senders"),
])
def test_a_wrong_configuration_is_named(make, change, what):
    q = make(start=False)
    q.queued.configure(q.conf | change)
    r = q.queued.check()
    assert r.returncode == 2 and what in r.stderr
