# SPDX-License-Identifier: Apache-2.0
"""Messages that others signed: those of RFC 6376 and RFC 8463, and of other implementations' tests."""
import base64
import re
import subprocess

import pytest

from dnslib import TXT
from maillib import Daemon
from milterlib import Dnsd, Mta


@pytest.fixture
def dns(short_dir):
    server = Dnsd(short_dir / "dnsd.sock", {})
    yield server
    server.close()


@pytest.fixture
def mta(short_dir, dns):
    assert dns
    d = Daemon(short_dir, "filterd", {"hostname": "mail.test", "domains": [], "spf": False, "dmarc": False, "limits": {"workers": 1},
                                      "sockets": {"dns": str(short_dir / "dnsd.sock")},
                                      "listen": {"milter": [str(short_dir / "filterd.sock")]}})
    try:
        with Mta(short_dir / "filterd.sock") as m:
            m.connect()
            yield m
    finally:
        assert d.stop() == 0


def crlf(text):
    return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def read(test_data, name):
    path = test_data / "dkim" / name
    if not path.exists():
        pytest.skip(f"{path} is missing")
    return path.read_bytes()


def verify(mta, message, chunk=65535):
    """The dkim results, from the top."""
    text = mta.send(message, chunk=chunk).header("Authentication-Results")
    return re.findall(r"dkim=(\w+)(?: \(([^)]*)\))?", text)


def rfc_keys(test_data):
    rows = re.findall(r'^(\S+)\. TXT "(.*)"$', read(test_data, "KEYS.dns").decode(), re.M)
    return {(name, TXT): [value] for name, value in rows}


@pytest.mark.parametrize("name, results", [
    ("001", ["pass", "pass"]), ("002", ["pass"]), ("003", ["pass", "pass"]), ("004", ["pass"]), ("005", ["fail"]), ("006", ["pass"]),
])
def test_mail_of_the_world_verifies(mta, dns, test_data, name, results):
    keys, message = crlf(read(test_data, f"mail-auth/{name}.txt")).split(b"\r\n\r\n", 1)
    for line in keys.decode().split("\r\n"):
        owner, value = line.split(" ", 1)
        dns.add(owner, TXT, [value])
    for chunk in (65535, 1, 76):
        assert [r for r, _ in verify(mta, message, chunk)] == results


@pytest.mark.parametrize("name, results", [
    ("rfc6376.signed.msg", ["pass", "pass"]), ("rfc6376.signed.rsa.msg", ["pass"]),
])
def test_the_rfcs_examples_verify(mta, dns, test_data, name, results):
    dns.records.update({(n.lower(), t): v for (n, t), v in rfc_keys(test_data).items()})
    message = crlf(read(test_data, f"dkimpy/{name}"))
    assert [r for r, _ in verify(mta, message)] == results
    damaged = message.replace(b"dinner", b"supper").replace(b"hungry", b"thirsty")
    assert damaged != message and [r for r, _ in verify(mta, damaged)] == ["fail"] * len(results)


def test_a_weak_key_is_not_enough(mta, dns):
    dkim = pytest.importorskip("dkim", reason="needs python3-dkim")

    def openssl(*args, data=None):
        return subprocess.run(["openssl", *args], input=data, check=True, capture_output=True, timeout=60).stdout

    pem = openssl("genrsa", "-traditional", "768")
    der = openssl("rsa", "-pubout", "-outform", "DER", data=pem)
    dns.add("s._domainkey.weak.test", TXT, ["p=" + base64.b64encode(der).decode()])
    message = b"From: a@weak.test\r\n\r\nHello.\r\n"
    signed = dkim.sign(message, b"s", b"weak.test", pem) + message
    assert verify(mta, signed) == [("policy", "key is too short")]


def test_what_stands_behind_the_signed_length_spoils_it(mta, dns):
    dkim = pytest.importorskip("dkim", reason="needs python3-dkim")
    pem = subprocess.run(["openssl", "genrsa", "-traditional", "1024"], check=True, capture_output=True, timeout=60).stdout
    der = subprocess.run(["openssl", "rsa", "-RSAPublicKey_out", "-outform", "DER"], input=pem, check=True, capture_output=True, timeout=60).stdout
    dns.add("s._domainkey.len.test", TXT, ["p=" + base64.b64encode(der).decode()])  # a bare RSAPublicKey
    message = b"From: a@len.test\r\n\r\nHello.\r\n"
    signed = dkim.sign(message, b"s", b"len.test", pem, length=True) + message
    assert b"l=8;" in signed
    assert verify(mta, signed) == [("pass", "1024-bit key")]
    assert verify(mta, signed + b"Buy!\r\n") == [("policy", "part of the body is not signed")]
    assert verify(mta, signed.replace(b"Hello.\r\n", b"Hell")) == [("fail", "body is shorter than signed")]


@pytest.mark.parametrize("record, result", [
    (["v=DKIM1; p="], ("permerror", "key revoked")), ([], ("permerror", "no key for signature")), (Dnsd.TIMEOUT, ("temperror", "key could not be looked up")),
    (["k=ed25519; p=QUJD"], ("permerror", "key is malformed")), (["k=rsa; p=QUJD"], ("permerror", "key is of another kind")),
    (["v=DKIM2; p=QUJD"], ("permerror", "not a key record of DKIM1")),
])
def test_a_key_that_cannot_be_had(mta, dns, record, result):
    dns.add("s._domainkey.x.test", TXT, record)
    message = (b"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=x.test; s=s; h=from;\r\n"
               b" bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=QUJD\r\nFrom: a@x.test\r\n\r\n")
    assert verify(mta, message) == [result]


def test_no_more_than_eight_signatures_are_looked_at(mta, dns):
    one = b"DKIM-Signature: v=1; a=rsa-sha256; d=d%d.test; s=s; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=QUJD; c=relaxed/relaxed\r\n"
    message = b"".join(one % i for i in range(50)) + b"From: a@x.test\r\n\r\n"
    assert verify(mta, message) == [("permerror", "no key for signature")] * 8
    assert len(dns.asked) == 8
