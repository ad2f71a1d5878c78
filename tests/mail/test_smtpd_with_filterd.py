# SPDX-License-Identifier: Apache-2.0
"""smtpd, filterd and lmtpd together: what a sender is told, and where the message is."""
import smtplib

import pytest

from dnslib import TXT
from maillib import Daemon
from milterlib import Dnsd
from smtpdlib import Mail
from test_filterd import GTUBE, attachment, keys, message

RECORDS = {
    ("else.example", TXT): ["v=spf1 ip4:127.0.0.1 -all"],
    ("_dmarc.else.example", TXT): ["v=DMARC1; p=reject"],
    ("victim.example", TXT): ["v=spf1 -all"],
    ("_dmarc.victim.example", TXT): ["v=DMARC1; p=quarantine"],
}


@pytest.fixture
def dns(short_dir):
    records = {(n.replace("local.example", "example.org"), t): v for (n, t), v in keys(short_dir).items()}
    server = Dnsd(short_dir / "dnsd.sock", {**RECORDS, **records})
    yield server
    server.close()


@pytest.fixture
def mail(short_dir, dns):
    assert dns
    sign = [{"domain": "example.org", "selector": s, "algorithm": a, "key": str(short_dir / f"{s}.pem")}
            for s, a in (("s1", "ed25519"), ("r1", "rsa2048"))]
    d = Daemon(short_dir, "filterd", {"hostname": "mx.example.org", "domains": ["example.org"], "limits": {"workers": 1}, "sign": sign,
                                      "sockets": {"dns": str(short_dir / "dnsd.sock")},
                                      "listen": {"milter": [str(short_dir / "filterd.sock")]}})
    try:
        m = Mail(conf={"sockets": {"milter": str(short_dir / "filterd.sock")}})
        yield m
        assert set(m.stop().values()) == {0}
    finally:
        assert d.stop() == 0


def text(data):
    return data.replace(b"sender.example", b"else.example")


def deliver(mail, data, sender="out@else.example"):
    with mail.plain() as s:
        s.sendmail(sender, ["alice@example.org"], data)


def results(mail, folder=""):
    return " ".join(mail.last("alice", folder)["Authentication-Results"].split())


def test_a_strangers_message_has_its_results_on_top(mail):
    deliver(mail, text(message(b"Authentication-Results: mx.example.org; dkim=pass", b"X-Spam-Flag: YES")))
    m = mail.last("alice")
    assert m.get_all("Authentication-Results") == [m["Authentication-Results"]] and m["X-Spam-Flag"] is None
    assert results(mail) == ("mx.example.org; spf=pass smtp.mailfrom=out@else.example; dkim=none; "
                             "dmarc=pass (p=reject) header.from=else.example")


def test_programs_and_forgeries_are_in_junk(mail):
    deliver(mail, text(attachment("a.exe")))
    assert mail.last("alice", ".Junk")["X-Spam-Flag"] == "YES"
    deliver(mail, message().replace(b"sender.example", b"victim.example"), "out@victim.example")
    assert "spf=fail" in results(mail, ".Junk") and "dmarc=fail" in results(mail, ".Junk")
    assert len(mail.mailbox("alice", ".Junk")) == 2 and mail.mailbox("alice") == []


def test_the_test_string_is_refused_to_the_senders_face(mail):
    with pytest.raises(smtplib.SMTPDataError) as e:
        deliver(mail, text(message(body=GTUBE + b"\r\n")))
    assert e.value.smtp_code == 550 and e.value.smtp_error.startswith(b"5.7.1")
    deliver(mail, text(message()))  # and the filter's connection is as good as before
    assert len(mail.mailbox("alice")) == 1


def test_submitted_mail_is_signed_and_verifies_where_it_arrives(mail, dns):
    dkim = pytest.importorskip("dkim", reason="needs python3-dkim")
    with mail.login() as s:
        s.sendmail("alice@example.org", ["x@elsewhere.example"], b"From: Alice <alice@example.org>\r\nSubject: signed\r\n\r\nHello.\r\n.\r\n")
    sent = mail.queue.messages[-1]["data"]
    assert sent.count(b"DKIM-Signature:") == 2 and b"Authentication-Results" not in sent
    for i in range(2):
        assert dkim.DKIM(sent).verify(idx=i, dnsfunc=lambda name, timeout=5: dns.records[(name.decode().rstrip("."), TXT)][0].encode())
    deliver(mail, sent[sent.index(b"DKIM-Signature:"):], "alice@example.org")
    assert results(mail).count("dkim=pass") == 2
