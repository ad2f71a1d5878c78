# SPDX-License-Identifier: Apache-2.0
"""Each example of specs/examples comes up as it is, but for its ports, storage and certificate, and carries a message."""
import imaplib
import json
import pathlib
import shutil
import smtplib
import ssl
import subprocess

import pytest

from stacklib import SERVICES, Stack

EXAMPLES = sorted((pathlib.Path(__file__).resolve().parents[2] / "specs" / "examples").glob("*/mailstack.json"))


def take(stack, source, ports):
    """The example as the stack's file; the accounts and other files beside it."""
    for path in source.parent.iterdir():
        shutil.copy(path, stack.dir)
    stack.config = json.loads(source.read_text())
    stack.ports = dict(zip(stack.config["listen"], ports))
    stack.config["listen"] = {name: [f"127.0.0.1:{port}"] for name, port in stack.ports.items()}
    stack.config["storage"] = str(stack.dir / "data")
    cert, key = stack.dir / "cert.pem", stack.dir / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "1",
                    "-subj", "/CN=mail.example.org"], check=True, capture_output=True)
    if stack.config["tls"].get("mode") == "files":
        stack.config["tls"] |= {"cert": str(cert), "key": str(key)}
    relay = stack.config.get("smtp", {}).get("relay")
    if relay:
        relay["ca"] = str(cert)
    stack.write()


@pytest.fixture
def stack(need_root, build_dir, short_dir, free_ports, no_leaks):
    s = Stack(short_dir, build_dir / "mailbox-run", build_dir / "images", free_ports(3))
    yield s
    s.down()
    no_leaks(s.prefix + "-")


@pytest.mark.parametrize("source", EXAMPLES, ids=[p.parent.name for p in EXAMPLES])
def test_an_example_carries_a_message(stack, need_tool, free_ports, source):
    need_tool("openssl")
    take(stack, source, free_ports(7))
    user = next(iter(json.loads((stack.dir / "accounts.json").read_text())))
    stack.call("user", "passwd", str(stack.file), user, "--password-stdin", input="pw\n")
    stack.up()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP_SSL("127.0.0.1", stack.ports["submissions"], context=context, timeout=30) as s:
        s.login(user, "pw")
        s.sendmail(user, [user], f"From: {user}\r\nTo: {user}\r\nSubject: an example\r\n\r\nhello\r\n")
    m = imaplib.IMAP4_SSL("127.0.0.1", stack.ports["imaps"], ssl_context=context, timeout=30)
    m.login(user, "pw")
    assert m.select() == ("OK", [b"1"])
    m.logout()


def test_what_nobody_asks_for_is_not_started_until_somebody_does(stack, free_ports):
    """frontd without POP3 has nobody to hand such sessions to; a reload brings pop3d."""
    ports = free_ports(3)
    stack.config["listen"] = {"smtp": [f"127.0.0.1:{ports[0]}"], "imaps": [f"127.0.0.1:{ports[1]}"]}
    stack.write()
    stack.up()
    assert {n for n, s in stack.services().items() if s["state"] == "off"} == {"pop3d"}
    stack.config["listen"]["pop3s"] = [f"127.0.0.1:{ports[2]}"]
    stack.write()
    assert set(stack.call("reload", str(stack.file)).stdout.splitlines()) == {"started pop3d", "restarted frontd"}
    stack.call("restart", str(stack.file), "frontd")
    assert {s["state"] for n, s in stack.services().items() if n in SERVICES} == {"up"}
