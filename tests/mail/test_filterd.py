# SPDX-License-Identifier: Apache-2.0
"""filterd by itself: this test is the MTA and dnsd."""
import base64
import concurrent.futures
import io
import signal
import subprocess
import threading
import zipfile

import pytest

from dnslib import A, MX, TXT
from maillib import Daemon
from milterlib import ALL, LEADING_SPACE, Dnsd, Mta, applied

GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-" + b"EMAIL*C.34X"
HOST = "mail.local.example"
PLAIN = (b"From: Ann <ann@sender.example>\r\nTo: bob@local.example\r\nSubject: hello\r\n"
         b"Date: Tue, 01 Jan 2030 00:00:00 +0000\r\nMessage-ID: <1@sender.example>\r\n\r\nHello.\r\n\r\n\r\n")

RECORDS = {
    ("sender.example", TXT): ["v=spf1 ip4:192.0.2.1 include:other.example -all"],
    ("sender.example", MX): [(10, "mx.sender.example")],
    ("other.example", TXT): ["v=spf1 a:mx.sender.example -all"],
    ("mx.sender.example", A): ["192.0.2.99"],
    ("_dmarc.sender.example", TXT): ["v=DMARC1; p=reject"],
    ("client.example", TXT): ["v=spf1 ip4:192.0.2.0/24 -all"],
    ("broken.example", TXT): ["v=spf1 nonsense:x -all"],
    ("slow.example", TXT): Dnsd.TIMEOUT,
}


def keys(directory):
    """Two keys, as the supervisor makes them, and their DNS records."""
    records = {}
    for selector, args in (("s1", ["-algorithm", "ed25519"]), ("r1", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"])):
        path = directory / f"{selector}.pem"
        subprocess.run(["openssl", "genpkey", *args, "-out", path], check=True, capture_output=True, timeout=60)
        der = subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"], check=True, capture_output=True, timeout=60).stdout
        kind, public = ("ed25519", der[-32:]) if selector == "s1" else ("rsa", der)
        records[(f"{selector}._domainkey.local.example", TXT)] = [f"v=DKIM1; k={kind}; p={base64.b64encode(public).decode()}"]
    return records


@pytest.fixture
def dns(short_dir):
    server = Dnsd(short_dir / "dnsd.sock", {**RECORDS, **keys(short_dir)})
    yield server
    server.close()


def conf(directory, **more):
    return {"hostname": HOST, "domains": ["local.example"], "log_level": "debug", "spf": True, "dkim": True, "dmarc": True,
            "executables": "junk", "state": "/var/state", "limits": {"workers": 2}, "sockets": {"dns": str(directory / "dnsd.sock")},
            "sign": [{"domain": "local.example", "selector": "s1", "algorithm": "ed25519", "key": str(directory / "s1.pem")},
                     {"domain": "local.example", "selector": "r1", "algorithm": "rsa2048", "key": str(directory / "r1.pem")}],
            "listen": {"milter": [str(directory / "filterd.sock")]}, **more}


@pytest.fixture
def filterd(short_dir, dns):
    assert dns
    d = Daemon(short_dir, "filterd", conf(short_dir))
    d.socket = short_dir / "filterd.sock"
    yield d
    assert d.stop() == 0


@pytest.fixture
def mta(filterd):
    with Mta(filterd.socket) as m:
        m.connect()
        yield m


def message(*header, body=b"Hello.\r\n"):
    first = [b"From: ann@sender.example", b"To: bob@local.example", b"Date: Tue, 01 Jan 2030 00:00:00 +0000"]
    return b"\r\n".join([*first, *header]) + b"\r\n\r\n" + body


def attachment(name, data=b"hello", kind="application/octet-stream", disposition=None):
    disposition = disposition or f'attachment; filename="{name}"'
    return message(b"MIME-Version: 1.0", b'Content-Type: multipart/mixed; boundary="=_b"', body=(
        b"preamble\r\n--=_b\r\n\r\nSee there.\r\n--=_b\r\n" + f"Content-Type: {kind}\r\nContent-Disposition: {disposition}\r\n".encode()
        + b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(data).replace(b"\n", b"\r\n") + b"--=_b--\r\n"))


def zipped(name):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for member, text in (("readme.txt", "x" * 1000), (name, "y" * 1000)):
            z.writestr(zipfile.ZipInfo(member), text, zipfile.ZIP_DEFLATED)  # of a fixed date: the same each time
    return out.getvalue()


@pytest.mark.parametrize("sender, address, result", [
    ("ann@sender.example", "192.0.2.1", "pass"),
    ("ann@sender.example", "192.0.2.99", "pass"),
    ("ann@sender.example", "192.0.2.2", "fail"),
    ("ann@nobody.example", "192.0.2.1", "none"),
    ("ann@broken.example", "192.0.2.1", "permerror"),
    ("ann@slow.example", "192.0.2.1", "temperror"),
    ("", "192.0.2.7", "pass"),
    ("", "198.51.100.7", "fail"),
])
def test_spf_is_checked_for_the_sender_or_the_greeting(filterd, sender, address, result):
    with Mta(filterd.socket) as mta:
        mta.connect(address)
        a = mta.send(PLAIN, sender)
    results = a.header("Authentication-Results")
    assert a.verdict == "a" and results.startswith(f"{HOST}; ")
    assert f"spf={result} " in results + " "
    assert (f"smtp.mailfrom={sender}" if sender else "smtp.helo=client.example") in results


def test_a_message_of_an_aligned_client_passes_dmarc(mta):
    a = mta.send(PLAIN, "ann@sender.example")
    assert "dmarc=pass (p=reject) header.from=sender.example" in a.header("Authentication-Results")
    assert a.headers("X-Spam-Flag") == []


def test_a_forged_author_is_filed_to_junk(mta):
    a = mta.send(PLAIN, "mallory@other.example")
    assert a.verdict == "a"
    assert "dmarc=fail (p=reject) header.from=sender.example" in a.header("Authentication-Results")
    assert a.header("X-Spam-Flag") == "YES" and "DMARC" in a.header("X-Spam-Reason")


def test_a_forgers_broken_name_server_excuses_nothing(mta):
    a = mta.send(b"DKIM-Signature: v=1; a=rsa-sha256; d=slow.example; s=x; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n"
                 + PLAIN, "mallory@slow.example")
    assert "spf=temperror" in a.header("Authentication-Results") and "dmarc=fail" in a.header("Authentication-Results")
    assert a.header("X-Spam-Flag") == "YES"


def test_what_claims_to_be_ours_is_taken_out(mta):
    before = message(b"Authentication-Results: MAIL.local.example; spf=pass", b"Authentication-Results: other.example; spf=pass",
                     b"X-Spam-Flag: YES", b"Authentication-Results: (hm) \"mail.local.example\" 1; dkim=pass", b"x-spam-flag: no")
    a = mta.send(before, "ann@sender.example")
    after = applied(before, a)
    assert after.count(b"Authentication-Results:") == 2 and b"other.example; spf=pass" in after
    assert b"spam-flag" not in after.lower()
    assert after.startswith(b"Authentication-Results: mail.local.example;")


def test_signatures_are_verified_by_others_and_by_ourselves(mta, dns):
    dkim = pytest.importorskip("dkim", reason="needs python3-dkim")
    before = PLAIN.replace(b"sender.example", b"local.example")
    a = mta.send(before, "ann@local.example", user="ann@local.example")
    assert a.verdict == "a" and a.headers("Authentication-Results") == []
    signatures = a.headers("DKIM-Signature")
    assert sorted("ed25519" in s for s in signatures) == [False, True]
    after = applied(before, a)

    def txt(name, timeout=5):
        del timeout
        return dns.records[(name.decode().rstrip("."), TXT)][0].encode()

    def verifies(text, i):
        try:
            return dkim.DKIM(text).verify(idx=i, dnsfunc=txt)
        except dkim.DKIMException:
            return False

    for i in range(2):
        assert verifies(after, i)
        assert not verifies(after.replace(b"Hello.", b"Hellp."), i)
        assert not verifies(b"From: x@local.example\r\n" + after, i)
    results = mta.send(after, "ann@local.example").header("Authentication-Results")
    assert results.count("dkim=pass") == 2 and "header.a=ed25519-sha256" in results and "(2048-bit key)" in results
    for changed in (after.replace(b"Hello.", b"Hellp."), after.replace(b"Subject: hello", b"Subject: hallo"), b"From: x@local.example\r\n" + after):
        results = mta.send(changed, "ann@local.example").header("Authentication-Results")
        assert results.count("dkim=fail") == 2 and "dkim=pass" not in results


@pytest.mark.parametrize("header, body", [("simple", "simple"), ("simple", "relaxed"), ("relaxed", "simple"), ("relaxed", "relaxed")])
@pytest.mark.parametrize("algorithm", ["rsa-sha256", "ed25519-sha256"])
def test_signatures_of_others_are_verified(mta, short_dir, header, body, algorithm):
    dkim = pytest.importorskip("dkim", reason="needs python3-dkim")
    if algorithm == "rsa-sha256":
        selector = "r1"
        key = subprocess.run(["openssl", "rsa", "-in", short_dir / "r1.pem", "-traditional"], check=True, capture_output=True, timeout=60).stdout
    else:
        selector = "s1"
        der = subprocess.run(["openssl", "pkey", "-in", short_dir / "s1.pem", "-outform", "DER"], check=True, capture_output=True, timeout=60).stdout
        key = base64.b64encode(der[-32:])
    text = message(b"Subject: a  subject\t with \r\n\t  folds  ", b"X-Other: y", body=b"one \t two \r\n\r\n \t\r\nthree\r\n\r\n\t\r\n\r\n")
    signature = dkim.sign(text, selector.encode(), b"local.example", key, canonicalize=(header.encode(), body.encode()),
                          include_headers=[b"from", b"to", b"subject", b"date"], signature_algorithm=algorithm.encode())
    results = mta.send(signature + text, "x@other.example", chunk=7).header("Authentication-Results")
    assert "dkim=pass" in results and f"header.a={algorithm}" in results
    results = mta.send(signature + text.replace(b"three", b"Three"), "x@other.example").header("Authentication-Results")
    assert "dkim=fail (body hash did not verify)" in results


def test_the_login_counts_for_one_message_only(mta):
    assert mta.send(PLAIN, "ann@local.example", user="ann").headers("Authentication-Results") == []
    assert len(mta.send(PLAIN, "ann@local.example").headers("Authentication-Results")) == 1
    mta.mail("ann@local.example", user="ann")
    mta.packet("A")
    assert len(mta.send(PLAIN, "ann@local.example").headers("Authentication-Results")) == 1


def test_mail_of_a_domain_without_keys_is_not_signed(mta):
    assert mta.send(PLAIN, "ann@sender.example", user="ann").inserted == []


def test_the_connection_serves_the_next_client(mta):
    assert "spf=pass" in mta.send(PLAIN, "ann@sender.example").header("Authentication-Results")
    mta.packet("K")
    mta.connect("203.0.113.5")
    assert "spf=fail" in mta.send(PLAIN, "ann@sender.example").header("Authentication-Results")


@pytest.mark.parametrize("body", [
    message(body=b"text\r\n" + GTUBE + b"\r\n"),
    message(b"Content-Transfer-Encoding: base64", body=base64.encodebytes(b"a" * 50 + GTUBE).replace(b"\n", b"\r\n")),
    message(b"Content-Transfer-Encoding: quoted-printable", body=GTUBE[:20] + b"=\r\n" + GTUBE[20:].replace(b"E", b"=45")),
    attachment("note.txt", b"x" + GTUBE, "text/plain"),
    attachment("mail", b"Subject: x\r\n\r\n" + GTUBE, "message/rfc822"),
], ids=["plain", "base64", "quoted-printable", "attached", "message"])
@pytest.mark.parametrize("user", [None, "ann@local.example"])
def test_the_test_string_is_refused(mta, body, user):
    a = mta.send(body, "ann@sender.example", user=user)
    assert (a.verdict, a.text.split()[:2]) == ("y", ["550", "5.7.1"]) and a.inserted == []


PROGRAMS = {
    "name": attachment("setup.exe"),
    "case": attachment("SETUP.ExE"),
    "end": attachment("setup.exe. "),
    "double": attachment("photo.jpg.sh"),
    "encoded word": attachment("=?utf-8?q?setup=2Eexe?="),
    "rfc 2231": attachment("", disposition="attachment; filename*0*=utf-8''se%74up.; filename*1*=e%78e"),
    "name of the type": attachment("", kind='application/x; name="run.vbs"', disposition="inline"),
    "windows": attachment("data", b"MZ\x90\0\x03\0\0\0" + bytes(100)),
    "elf": attachment("data", b"\x7fELF\x02\x01\x01" + bytes(100)),
    "zip": attachment("files.zip", zipped("invoice.pdf.js")),
    "zip of another name": attachment("files.dat", zipped("a.exe")),
    "alone": message(b"Content-Type: application/x-msdownload; name=a.exe", body=b"x\r\n"),
    "in a message": message(b'Content-Type: multipart/mixed; boundary="o"', body=b"--o\r\nContent-Type: message/rfc822\r\n\r\n"
                            + attachment("a.scr") + b"--o--\r\n"),
    "in an encoded message": attachment("mail", attachment("a.scr"), "message/rfc822", "inline"),
    "uuencoded": message(body=b"See there:\r\nbegin 644 a.exe\r\n#86)C\r\n`\r\nend\r\n"),
    "without an end": message(b'Content-Type: multipart/mixed; boundary="o"', body=b"--o\r\nContent-Disposition: attachment; filename=a.exe"),
}


@pytest.mark.parametrize("text", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_programs_are_filed_to_junk(mta, text):
    for chunk in (65535, 1000, 3):
        a = mta.send(text, "ann@sender.example", chunk=chunk)
        assert a.verdict == "a" and a.header("X-Spam-Flag") == "YES" and "program" in a.header("X-Spam-Reason")


@pytest.mark.parametrize("text", [
    attachment("report.pdf", b"%PDF-1.4"), attachment("build.sh", b"#!/bin/sh\n"), attachment("files.zip", zipped("a.txt")),
    message(body=b"MZ is a county.\r\n"), attachment("exe", b"exe"), attachment("exe.txt", b"x"), message(body=b"--o\r\nfilename=a.exe\r\n"),
], ids=["pdf", "script", "zip", "text of MZ", "named exe", "exe.txt", "text like a field"])
def test_other_attachments_are_not(mta, text):
    assert mta.send(text, "ann@sender.example").headers("X-Spam-Flag") == []


@pytest.mark.parametrize("rule, verdict, flags", [("accept", "a", 0), ("junk", "a", 1), ("reject", "y", 0)])
def test_the_rule_for_programs_is_what_the_configuration_says(short_dir, dns, rule, verdict, flags):
    assert dns
    d = Daemon(short_dir, "filterd", conf(short_dir, executables=rule))
    try:
        with Mta(short_dir / "filterd.sock") as mta:
            mta.connect()
            a = mta.send(attachment("a.exe"), "ann@sender.example")
    finally:
        assert d.stop() == 0
    assert (a.verdict, len(a.headers("X-Spam-Flag"))) == (verdict, flags)


def test_without_dnsd_everything_is_a_temporary_failure(filterd, dns):
    dns.close()
    (filterd.directory / "dnsd.sock").unlink()
    with Mta(filterd.socket) as mta:
        mta.connect()
        a = mta.send(b"DKIM-Signature: v=1; a=ed25519-sha256; d=sender.example; s=x; h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n\r\n",
                     "ann@sender.example")
        assert a.verdict == "a"
        results = a.header("Authentication-Results")
        assert "spf=temperror" in results
        a = mta.send(PLAIN, "ann@sender.example")
        assert "dmarc=temperror" in a.header("Authentication-Results") and a.headers("X-Spam-Flag") == []
    (filterd.directory / "dnsd.sock").unlink(missing_ok=True)
    # The fixture closes its server once more.
    dns.__init__(filterd.directory / "dnsd.sock", RECORDS)


@pytest.mark.parametrize("protocol", [0, LEADING_SPACE, ALL & ~LEADING_SPACE])
def test_an_mta_with_fewer_options_is_served(filterd, protocol):
    with Mta(filterd.socket, protocol=protocol) as mta:
        assert mta.protocol & ~protocol == 0
        mta.connect()
        before = PLAIN.replace(b"sender.example", b"local.example")
        a = mta.send(before, "ann@local.example", user="ann")
        after = applied(before, a, mta.protocol & LEADING_SPACE)
        assert after.startswith(b"DKIM-Signature: v=1;")
        assert mta.send(after, "ann@x.example").header("Authentication-Results").count("dkim=pass") == 2


def test_rubbish_ends_one_connection_only(filterd, mta):
    for rubbish in (b"\0\0\0\0", b"\xff\xff\xff\xffX", b"\0\0\0\x01Z", b"\0\0\0\x01M", b"\0\0\0\x02Lx", b"\0\0\0\x01E"):
        with Mta(filterd.socket) as bad:
            bad.sock.sendall(rubbish)
            with pytest.raises((EOFError, ConnectionError)):
                bad.receive()
    assert mta.send(PLAIN, "ann@sender.example").verdict == "a"


def test_a_header_without_end_is_refused(mta):
    mta.mail("ann@sender.example")
    mta.body([("X", " " + "y" * 60000)] * 20, b"")
    a = mta.end()
    assert a.verdict == "y" and a.text.startswith("552 5.3.4")
    assert mta.send(PLAIN, "ann@sender.example").verdict == "a"


def test_many_at_once(filterd):
    def one(i):
        with Mta(filterd.socket) as mta:
            mta.connect(f"192.0.2.{i % 250 + 1}")
            return [mta.send(PLAIN, "ann@sender.example").verdict for _ in range(5)]

    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        assert list(pool.map(one, range(60))) == [["a"] * 5] * 60


def test_one_that_waits_keeps_nobody_waiting(short_dir, dns):
    dns.add("stuck.example", TXT, lambda msg: None)
    d = Daemon(short_dir, "filterd", conf(short_dir, limits={"workers": 1}))
    try:
        with Mta(short_dir / "filterd.sock") as slow, Mta(short_dir / "filterd.sock") as quick:
            for m in (slow, quick):
                m.connect()
            slow.mail("a@stuck.example")
            slow.body([("From", " a@stuck.example")], b"x\r\n")
            slow.packet("E")
            for _ in range(10):
                assert quick.send(PLAIN, "ann@sender.example").verdict == "a"
    finally:
        assert d.stop() == 0


def test_a_message_in_hand_is_judged_before_the_end(short_dir, dns):
    asked = threading.Event()
    go_on = threading.Event()

    def late(msg):
        asked.set()
        go_on.wait(5)
        return msg[:2] + b"\x81\x83" + msg[4:6] + bytes(6) + msg[12:]

    dns.add("late.example", TXT, late)
    d = Daemon(short_dir, "filterd", conf(short_dir, limits={"workers": 1}))
    try:
        with Mta(short_dir / "filterd.sock") as busy, Mta(short_dir / "filterd.sock") as idle:
            busy.connect()
            busy.mail("a@late.example")
            busy.body([("From", " a@late.example")], b"x\r\n")
            busy.packet("E")
            assert asked.wait(10)
            d.kill(signal.SIGTERM)
            with pytest.raises((EOFError, ConnectionError)):
                idle.receive()
            go_on.set()
            assert busy.answer().verdict == "a"
            with pytest.raises((EOFError, ConnectionError)):
                busy.receive()
        assert d.process.wait(5) == 0
    finally:
        go_on.set()
        assert d.stop() == 0


def test_a_reload_takes_the_new_rules(filterd, short_dir):
    filterd.configure(conf(short_dir, executables="reject"))
    filterd.kill(signal.SIGHUP)
    filterd.wait_log("daemon.reload result=done")
    for _ in range(200):
        with Mta(filterd.socket) as mta:
            mta.connect()
            if mta.send(attachment("a.exe"), "ann@sender.example").verdict == "y":
                return
    raise AssertionError(filterd.log())


@pytest.mark.parametrize("change, path", [
    ({"hostname": 1}, "$.hostname"), ({"spf": "yes"}, "$.spf"), ({"executables": "burn"}, "$.executables"), ({"unknown": 1}, "unknown"),
    ({"sign": [{"domain": "other.example", "selector": "s1", "algorithm": "ed25519", "key": "/k"}]}, "$.sign[0].domain"),
    ({"sign": [{"domain": "local.example", "selector": "s1", "algorithm": "ed25519", "key": "/nowhere"}]}, "/nowhere"),
    ({"state": "relative"}, "$.state"), ({"limits": {"workers": 0}}, "$.limits.workers"), ({"sockets": {}}, "sockets"),
])
def test_a_wrong_configuration_is_refused_with_its_path(short_dir, dns, change, path):
    assert dns
    done = Daemon(short_dir, "filterd", conf(short_dir, **change), ready=False).check()
    assert done.returncode == 2 and path in done.stderr
