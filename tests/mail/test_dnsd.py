# SPDX-License-Identifier: Apache-2.0
"""dnsd by itself, forwarding to a server of the test: DNS messages over its unix socket."""
import signal
import struct
import time

import pytest

from maillib import Daemon, unix_connect
from dnslib import (A, AAAA, CNAME, FORMERR, MX, NOERROR, NOTIMP, NXDOMAIN, REFUSED, SERVFAIL, TXT, PTR, Server, Answer, ask, query,
                    receive, record, send)

BIG = "x" * 4000

RECORDS = {
    ("mail.test", A): ["192.0.2.1", "192.0.2.2"],
    ("mail.test", AAAA): ["2001:db8::1"],
    ("mail.test", MX): [(10, "mx1.mail.test"), (20, "mx2.mail.test")],
    ("alias.test", CNAME): ["mail.test"],
    ("big.test", TXT): [BIG],
    ("1.2.0.192.in-addr.arpa", PTR): ["mail.test"],
    ("silent.test", A): lambda msg: None,
    ("refused.test", A): lambda msg: msg[:2] + struct.pack(">H", 0x8185) + msg[4:6] + bytes(6) + msg[12:],
    ("garbage.test", A): lambda msg: msg[:12] + b"\xff" * 30,
}


@pytest.fixture
def upstream(free_ports):
    server = Server(free_ports(1)[0], RECORDS)
    server.port = server.udp.getsockname()[1]
    yield server
    server.close()


def conf(directory, port, **more):
    return {"hostname": "mail.test", "servers": [f"127.0.0.1:{port}"], "dnssec": False, "cache": 1 << 20, "log_level": "debug",
            "listen": {"dns": [str(directory / "dnsd.sock")]}, **more}


@pytest.fixture
def dnsd(short_dir, upstream):
    d = Daemon(short_dir, "dnsd", conf(short_dir, upstream.port))
    yield d
    assert d.stop() == 0


@pytest.fixture
def sock(dnsd):
    with unix_connect(dnsd.directory / "dnsd.sock") as s:
        yield s


@pytest.mark.parametrize("name, qtype, rcode, values", [
    ("mail.test", A, NOERROR, {"192.0.2.1", "192.0.2.2"}),
    ("MAIL.test", AAAA, NOERROR, {"2001:db8::1"}),
    ("mail.test", MX, NOERROR, {(10, "mx1.mail.test"), (20, "mx2.mail.test")}),
    ("alias.test", A, NOERROR, {"192.0.2.1", "192.0.2.2"}),
    ("big.test", TXT, NOERROR, {BIG}),
    ("1.2.0.192.in-addr.arpa", PTR, NOERROR, {"mail.test"}),
    ("mail.test", TXT, NOERROR, set()),
    ("nobody.test", A, NXDOMAIN, set()),
    ("refused.test", A, SERVFAIL, set()),
])
def test_an_answer_is_what_the_server_says(sock, name, qtype, rcode, values):
    a = ask(sock, name, qtype, qid=0xbeef)
    assert (a.id, a.qr, a.rcode, set(a.values(qtype))) == (0xbeef, True, rcode, values)
    assert a.question == name.lower() and a.question_type == qtype
    assert not a.ad
    assert a.flags & 0x0180 == 0x0180  # recursion was desired, and is available


def test_the_second_question_is_answered_from_the_cache(sock, upstream):
    assert ask(sock, "mail.test", A).rcode == NOERROR
    n = len(upstream.asked)
    a = ask(sock, "mail.test", A)
    assert set(a.values(A)) == {"192.0.2.1", "192.0.2.2"}
    assert all(0 < ttl <= 60 for _, _, ttl, _ in a.records)
    assert len(upstream.asked) == n


def test_answers_come_as_they_are_ready(sock):
    send(sock, query(1, "silent.test", A))
    for i in range(2, 40):
        send(sock, query(i, "mail.test" if i % 2 else "nobody.test", A))
    with sock.makefile("rb") as f:
        assert sorted(receive(f).id for _ in range(2, 40)) == list(range(2, 40))


def test_more_questions_than_may_be_outstanding_are_all_answered(sock):
    sock.sendall(b"".join(struct.pack(">H", len(q)) + q for q in (query(i, f"n{i}.test", A) for i in range(300))))
    with sock.makefile("rb") as f:
        assert sorted(receive(f).id for _ in range(300)) == list(range(300))


def test_a_cut_message_waits_for_its_rest(sock):
    q = query(9, "mail.test", A)
    data = struct.pack(">H", len(q)) + q
    for i in range(len(data)):
        sock.sendall(data[i:i + 1])
        time.sleep(0.001)
    with sock.makefile("rb") as f:
        assert receive(f).id == 9


@pytest.mark.parametrize("message, rcode", [
    (query(5, "mail.test", A, flags=0x0900), NOTIMP),
    (query(5, "mail.test", A, qclass=3), REFUSED),
    (query(5, "mail.test", A)[:20], FORMERR),
    (query(5, "mail.test", A, flags=0x8100), FORMERR),
    (struct.pack(">6H", 5, 0x0100, 2, 0, 0, 0) + query(5, "a.test", A)[12:] * 2, FORMERR),
], ids=["opcode", "class", "cut", "answer", "two questions"])
def test_what_is_no_question_is_refused_with_its_code(sock, message, rcode):
    send(sock, message)
    with sock.makefile("rb") as f:
        a = receive(f)
        assert (a.id, a.rcode) == (5, rcode)
    assert ask(sock, "mail.test", A).rcode == NOERROR  # and the connection goes on


@pytest.mark.parametrize("data", [b"\0\0", b"\0\x05hello", b"\xff\xff" + b"x" * 2000], ids=["empty", "short", "long"])
def test_what_cannot_be_framed_ends_the_connection(dnsd, data):
    with unix_connect(dnsd.directory / "dnsd.sock") as s:
        s.sendall(data)
        try:
            assert s.recv(100) == b""
        except ConnectionResetError:
            pass
    with unix_connect(dnsd.directory / "dnsd.sock") as s:
        assert ask(s, "mail.test", A).rcode == NOERROR


def test_a_client_that_leaves_takes_its_questions_along(dnsd):
    with unix_connect(dnsd.directory / "dnsd.sock") as s:
        for i in range(60):
            send(s, query(i, f"silent.test", A))
        send(s, query(99, "mail.test", A))
        with s.makefile("rb") as f:
            assert receive(f).id == 99
    with unix_connect(dnsd.directory / "dnsd.sock") as s:
        assert ask(s, "mail.test", A).rcode == NOERROR


def test_an_unsigned_root_is_bogus_where_validation_is_on(short_dir, upstream):
    key = short_dir / "root.key"
    key.write_text(". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n")
    d = Daemon(short_dir, "dnsd", conf(short_dir, upstream.port, dnssec=True, root_key=str(key)))
    try:
        with unix_connect(short_dir / "dnsd.sock") as s:
            a = ask(s, "mail.test", A)
            assert a.rcode == SERVFAIL and not a.ad and not a.records
        d.wait_log("dns.bogus")
    finally:
        assert d.stop() == 0


def test_a_reload_takes_another_server(dnsd, sock, free_ports):
    assert ask(sock, "only.other.test", A).rcode == NXDOMAIN
    other = Server(free_ports(1)[0], {("only.other.test", A): ["192.0.2.9"]})
    try:
        dnsd.configure(conf(dnsd.directory, other.udp.getsockname()[1]))
        dnsd.kill(signal.SIGHUP)
        dnsd.wait_log("daemon.reload")
        assert ask(sock, "only.other.test", A).values(A) == ["192.0.2.9"]
    finally:
        other.close()


@pytest.mark.parametrize("more, what", [
    ({"servers": ["not an address"]}, "not an address"),
    ({"dnssec": True, "root_key": "/nonexistent"}, "/nonexistent"),
])
def test_a_wrong_configuration_is_named(short_dir, more, what):
    d = Daemon(short_dir, "dnsd", conf(short_dir, 1, **more), ready=False)
    import subprocess
    r = subprocess.run([d.program, "-c", d.conf_path], capture_output=True, text=True, timeout=10, check=False)
    assert r.returncode in (1, 2) and what in r.stderr
