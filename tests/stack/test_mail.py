# SPDX-License-Identifier: Apache-2.0
"""Real mail programs and the whole stack: swaks, imaplib, poplib, mbsync, mutt, over TLS as users do it."""
import json
import os
import smtplib
import time

import pytest

from realstack import PASSWORDS, MailStack


@pytest.fixture(scope="module")
def mail(module_dir, build_dir, module_ports):
    """One stack for all tests of this file: each uses subjects of its own."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    s = MailStack(module_dir, build_dir, module_ports(8))
    s.up()
    yield s
    s.end()


def login(mail, user):
    return ("--port", mail.ports["submission"], "--tls", "--auth", "PLAIN", "--auth-user", mail.address(user),
            "--auth-password", PASSWORDS[user], "--from", mail.address(user))


def test_alice_writes_to_bob_and_to_an_alias(mail):
    status, out = mail.swaks(*login(mail, "alice"), "--to", "bob@example.org", "--h-Subject", "to bob")
    assert status == 0, out
    status, out = mail.swaks(*login(mail, "alice"), "--to", "sales@example.org", "--h-Subject", "to sales")
    assert status == 0, out
    message = mail.wait_for("bob", "to bob")
    assert message["Return-Path"] == "<alice@example.org>"
    assert "ESMTPSA" in message["Received"] and "mail.example.org" in message["Received"]
    assert {"DKIM-Signature"} <= set(message.keys())
    assert "to sales" in mail.subjects("alice") and "to sales" in mail.subjects("bob")


def test_implicit_tls(mail):
    status, out = mail.swaks("--port", mail.ports["submissions"], "--tls-on-connect", "--auth", "LOGIN", "--auth-user",
                             "bob@example.org", "--auth-password", PASSWORDS["bob"], "--from", "bob@example.org",
                             "--to", "alice@example.org", "--h-Subject", "by 465")
    assert status == 0, out
    mail.wait_for("alice", "by 465")


def test_a_stranger_writes_to_bob(mail):
    status, out = mail.swaks("--port", mail.ports["smtp"], "--from", "eve@else.example", "--to", "bob@example.org",
                             "--h-Subject", "from a stranger")
    assert status == 0, out
    message = mail.wait_for("bob", "from a stranger")
    results = message["Authentication-Results"]
    assert results.startswith("mail.example.org") and "dkim=none" in results
    assert "by mail.example.org" in message["Received"] and "client.test" in message["Received"]


def test_a_stranger_may_use_starttls(mail):
    status, out = mail.swaks("--port", mail.ports["smtp"], "--tls", "--from", "eve@else.example", "--to", "bob@example.org",
                             "--h-Subject", "a stranger's TLS")
    assert status == 0, out
    assert "ESMTPS" in mail.wait_for("bob", "a stranger's TLS")["Received"]


@pytest.mark.parametrize("to, code", [("someone@else.example", b"5.7.1"), ("nobody@example.org", b"5.1.1")])
def test_no_relay_and_no_unknown_user(mail, to, code):
    with mail.smtp() as s:
        s.ehlo()
        assert s.mail("eve@else.example")[0] == 250
        status, text = s.rcpt(to)
        assert status == 550 and code in text


def test_submission_needs_a_login_and_the_own_address(mail):
    with mail.smtp("submission") as s:
        s.ehlo()
        assert not s.has_extn("auth")
        assert s.mail("alice@example.org")[0] == 530
        s.starttls(context=mail.context())
        s.ehlo()
        assert s.has_extn("auth")
        s.login("alice@example.org", PASSWORDS["alice"])
        code, text = s.mail("bob@example.org")
        if code == 250:
            code, text = s.rcpt("alice@example.org")
        assert code == 553 and b"5.7.1" in text


def test_a_wrong_password(mail):
    with mail.smtp("submission") as s:
        s.starttls(context=mail.context())
        with pytest.raises(smtplib.SMTPAuthenticationError) as e:
            s.login("alice@example.org", "wrong")
        assert e.value.smtp_code == 535


def test_gtube_is_refused_and_an_executable_is_junk(mail):
    gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
    with mail.smtp() as s, pytest.raises(smtplib.SMTPDataError) as e:
        s.sendmail("eve@else.example", ["bob@example.org"], f"Subject: spam\r\n\r\n{gtube}\r\n")
    assert e.value.smtp_code == 550
    exe = ("Subject: an exe\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n--b\r\n"
           "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"bill.exe\"\r\n\r\nMZ\r\n--b--\r\n")
    with mail.smtp() as s:
        s.sendmail("eve@else.example", ["bob@example.org"], exe)
    mail.wait_for("bob", "an exe", "Junk")
    assert "an exe" not in mail.subjects("bob")


@pytest.mark.parametrize("starttls", [False, True])
def test_imap_and_pop3_over_tls(mail, starttls):
    subject = f"by imap and pop3 {starttls}"
    mail.submit("bob", ["alice@example.org"], f"Subject: {subject}\r\n\r\nbody\r\n")
    mail.wait_for("alice", subject)
    m = mail.imap("alice", starttls)
    m.select(readonly=True)
    assert m.search(None, "SUBJECT", f'"{subject}"')[1][0]
    m.logout()
    p = mail.pop3("alice", starttls)
    n = p.stat()[0]
    assert any(f"Subject: {subject}".encode() in p.top(i, 0)[1] for i in range(1, n + 1))
    p.quit()


def test_mbsync_both_ways_over_tls(mail, tmp_path):
    mail.submit("bob", ["alice@example.org"], "Subject: synchronised\r\n\r\nbody\r\n")
    mail.wait_for("alice", "synchronised")
    local = tmp_path / "local"
    local.mkdir()
    rc = tmp_path / "mbsyncrc"
    rc.write_text(f"""
IMAPAccount a
Host {mail.host}
Port {mail.ports['imaps']}
User alice@example.org
Pass "{PASSWORDS['alice']}"
SSLType IMAPS
CertificateFile {mail.cert()}

IMAPStore far
Account a

MaildirStore near
Path {local}/
Inbox {local}/INBOX
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
""")

    def sync():
        r = mail.run("mbsync", "-c", rc, "-a", env={**os.environ, "HOME": str(tmp_path)})
        assert r.returncode == 0, r.stdout + r.stderr

    sync()
    inbox = [p for sub in ("new", "cur") for p in (local / "INBOX" / sub).iterdir()]
    assert sum(b"Subject: synchronised" in p.read_bytes() for p in inbox) == 1
    (local / "Sent" / "new" / "1.local").write_bytes(b"Subject: written here\n\nx\n")
    sync()
    assert mail.subjects("alice", "Sent") == ["written here"]


def test_mutt_sees_it(mail, tmp_path):
    mail.submit("alice", ["bob@example.org"], "Subject: for mutt\r\n\r\nread by mutt\r\n")
    mail.wait_for("bob", "for mutt")
    out = tmp_path / "piped"
    rc = tmp_path / "muttrc"
    rc.write_text(f"""
set imap_user="bob@example.org"
set imap_pass="{PASSWORDS['bob']}"
set ssl_ca_certificates_file="{mail.cert()}"
set ssl_verify_host=no
set folder="imaps://{mail.host}:{mail.ports['imaps']}/"
set spoolfile="+INBOX"
set record=""
set wait_key=no
push "<search>for mutt<enter><pipe-message>cat > {out}<enter><quit>"
""")
    r = mail.run("script", "-qec", f"mutt -n -F {rc}", "/dev/null", env={**os.environ, "TERM": "xterm", "HOME": str(tmp_path)})
    assert out.exists() and "read by mutt" in out.read_text(), r.stdout[-2000:]


def test_quota_is_told_in_the_session(mail):
    """A mailbox of 20 kB: what does not fit is refused with 552, not bounced."""
    accounts = json.loads((mail.dir / "accounts.json").read_text())
    accounts["small@example.org"] = {"password": "!", "quota": "20K"}
    mail.accounts(accounts)
    end = time.monotonic() + 5
    while mail.rcpt("small@example.org") != 250:
        assert time.monotonic() < end
    body = "x" * 70 + "\r\n"
    codes = []
    for _ in range(20):
        with mail.smtp() as s:
            s.ehlo()
            s.mail("eve@else.example")
            code, text = s.rcpt("small@example.org")
            if code == 250:
                code, text = s.data("Subject: fill\r\n\r\n" + body * 100)
            codes.append((code, text))
        if code == 552:
            break
    assert codes[0][0] == 250 and codes[-1][0] == 552 and b"5.2.2" in codes[-1][1], codes
