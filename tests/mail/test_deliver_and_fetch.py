# SPDX-License-Identifier: Apache-2.0
"""lmtpd, authd, frontd and pop3d together, without containers: delivered by LMTP, read by POP3 over TLS."""
import json
import os
import poplib
import signal
import smtplib
import socket
import ssl
import subprocess
import time

import pytest

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BUILD = os.path.join(TOP, os.environ.get("MR_BUILD", "build"))
DAEMONS = ("authd", "lmtpd", "pop3d", "frontd")
MESSAGE = b"From: bob@else.example\r\nTo: alice@example.org\r\nSubject: hello\r\n\r\nfirst line\r\n.dot\r\n"


def wait_for(connect):
    end = time.monotonic() + 5
    while True:
        try:
            connect().close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def unix(path):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    return s


@pytest.fixture
def stack(tmp_path):
    missing = [n for n in DAEMONS if not os.path.exists(os.path.join(BUILD, n))]
    if missing:
        pytest.skip(f"not built: {missing}")
    d = tmp_path
    (d / "mail").mkdir()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/CN=localhost", "-keyout", d / "key.pem", "-out", d / "cert.pem"],
                   check=True, capture_output=True)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    (d / "accounts.json").write_text(json.dumps({"alice@example.org": {"password": "{PLAIN}secret"}}))
    store = {"mail": str(d / "mail"), "format": "maildir", "quota": 1 << 20}
    conf = {
        "authd": {"accounts": str(d / "accounts.json"), "domains": {"example.org": {}},
                  "listen": {"auth": [str(d / "auth.sock")], "map": [str(d / "map.sock")]}},
        "lmtpd": {**store, "domains": ["example.org"], "message_size": 100000, "listen": {"lmtp": [str(d / "lmtpd.sock")]}},
        "pop3d": {**store, "listen": {"session": [str(d / "pop3d.sock")]}},
        "frontd": {"tls": {"cert": str(d / "cert.pem"), "key": str(d / "key.pem")},
                   "sockets": {"auth": str(d / "auth.sock"), "imapd": str(d / "none.sock"), "pop3d": str(d / "pop3d.sock")},
                   "listen": {"pop3s": [f"127.0.0.1:{port}"]}},
    }
    processes = []
    for name in DAEMONS:
        (d / f"{name}.json").write_text(json.dumps({"hostname": "localhost", **conf[name]}))
        processes.append(subprocess.Popen([os.path.join(BUILD, name), "-c", str(d / f"{name}.json")],
                                          stderr=subprocess.PIPE))
    try:
        wait_for(lambda: unix(str(d / "lmtpd.sock")))
        wait_for(lambda: unix(str(d / "map.sock")))
        wait_for(lambda: socket.create_connection(("127.0.0.1", port)))
        yield {"lmtp": str(d / "lmtpd.sock"), "pop3s": port, "mail": d / "mail"}
    finally:
        for p in processes:
            p.send_signal(signal.SIGTERM)
        codes = [p.wait(25) for p in processes]
        for p in processes:
            p.stderr.close()
    assert codes == [0] * len(DAEMONS)


def deliver(stack, *rcpts, message=MESSAGE):
    with smtplib.LMTP(stack["lmtp"]) as lmtp:
        return lmtp.sendmail("bob@else.example", list(rcpts), message)


def pop3(stack):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    p = poplib.POP3_SSL("127.0.0.1", stack["pop3s"], context=context)
    p.user("alice@example.org")
    p.pass_("secret")
    return p


def test_a_delivered_message_is_read_with_its_lines_as_they_were(stack):
    assert deliver(stack, "alice@example.org") == {}
    p = pop3(stack)
    assert p.stat()[0] == 1
    lines = p.retr(1)[1]
    at = lines.index(b"From: bob@else.example")
    assert b"\r\n".join(lines[at:]) + b"\r\n" == MESSAGE
    assert lines[0].startswith(b"Return-Path: <bob@else.example>")
    p.quit()


def test_deletion_holds_from_quit_on_and_the_uidl_stays(stack):
    deliver(stack, "alice@example.org")
    deliver(stack, "alice@example.org")
    p = pop3(stack)
    first, second = [line.split()[1] for line in p.uidl()[1]]
    p.dele(1)
    p.close()  # no QUIT: nothing is deleted
    time.sleep(0.2)
    p = pop3(stack)
    assert [line.split()[1] for line in p.uidl()[1]] == [first, second]
    p.dele(1)
    p.quit()
    p = pop3(stack)
    assert [line.split()[1] for line in p.uidl()[1]] == [second]
    p.quit()


def test_a_foreign_domain_is_refused_and_the_others_get_theirs(stack):
    refused = deliver(stack, "alice@example.org", "x@else.example")
    assert list(refused) == ["x@else.example"] and refused["x@else.example"][0] in (550, 551, 553)
    p = pop3(stack)
    assert p.stat()[0] == 1
    p.quit()


def test_a_junk_verdict_files_to_junk(stack):
    deliver(stack, "alice@example.org", message=b"X-Spam-Flag: YES\r\n" + MESSAGE)
    home = stack["mail"] / "example.org" / "alice"
    assert len(list((home / ".Junk" / "new").iterdir())) == 1
    assert not list((home / "new").iterdir())


def test_a_full_mailbox_is_refused_at_rcpt_and_a_large_message_at_mail(stack):
    for _ in range(11):
        deliver(stack, "alice@example.org", message=MESSAGE + (b"y" * 70 + b"\r\n") * 1300)
    with smtplib.LMTP(stack["lmtp"]) as lmtp:
        lmtp.ehlo_or_helo_if_needed()
        assert lmtp.docmd("MAIL", "FROM:<bob@else.example> SIZE=100001")[0] == 552
        assert lmtp.docmd("MAIL", "FROM:<bob@else.example> SIZE=95000")[0] == 250
        assert lmtp.docmd("RCPT", "TO:<alice@example.org>")[0] == 552
