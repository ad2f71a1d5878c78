# SPDX-License-Identifier: Apache-2.0
"""frontd with the real authd; imapd and pop3d are played by a thread that takes the handed-over sessions."""
import array
import imaplib
import json
import os
import poplib
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BUILD = os.path.join(TOP, os.environ.get("MR_BUILD", "build"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fields(message):
    assert message[0] == 1
    out, at = {}, 1
    while at < len(message):
        n = int.from_bytes(message[at + 1:at + 3], "big")
        out[message[at]] = message[at + 3:at + 3 + n]
        at += 3 + n
    return out


class Taker(threading.Thread):
    """The mailbox daemon: takes one hand-off after the other, greets, and echoes lines."""

    def __init__(self, path, greeting):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(path)
        self.socket.listen(16)
        self.path = path
        self.greeting = greeting
        self.taken = []

    def run(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            message, fds, _, _ = peer.recvmsg(80000, socket.CMSG_SPACE(4))
            fd = array.array("i", fds[0][2])[0]
            peer.close()
            got = fields(message)
            self.taken.append(got)
            try:
                self.serve(socket.socket(fileno=fd), got)
            except OSError:
                pass  # the client went away, as clients do

    def serve(self, session, got):
        session.sendall(self.greeting(got))
        session.sendall(got[4])  # what was pipelined behind the login
        with session, session.makefile("rb") as lines:
            for line in lines:
                if line == b"c BIG\r\n":
                    session.sendall(b"x" * 1_000_000 + b"\r\n")
                    break
                session.sendall(line)


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    for name in ("authd", "frontd"):
        if not os.path.exists(os.path.join(BUILD, name)):
            pytest.skip(f"{name} is not built")
    d = tmp_path_factory.mktemp("front")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/CN=localhost", "-keyout", d / "key.pem", "-out", d / "cert.pem"],
                   check=True, capture_output=True)
    (d / "accounts.json").write_text(json.dumps({"alice@example.org": {"password": "{PLAIN}secret", "quota": 4096}}))
    (d / "authd.json").write_text(json.dumps({
        "hostname": "localhost", "accounts": str(d / "accounts.json"), "domains": {"example.org": {}},
        "listen": {"auth": [str(d / "auth.sock")], "map": [str(d / "map.sock")]}}))
    ports = {name: free_port() for name in ("imap", "imaps", "pop3", "pop3s")}
    (d / "frontd.json").write_text(json.dumps({
        "hostname": "localhost", "tls": {"cert": str(d / "cert.pem"), "key": str(d / "key.pem")},
        "limits": {"workers": 2, "connections_per_ip": 20, "login_s": 20},
        "sockets": {"auth": str(d / "auth.sock"), "imapd": str(d / "imapd.sock"), "pop3d": str(d / "pop3d.sock")},
        "listen": {name: [f"127.0.0.1:{port}"] for name, port in ports.items()}}))
    imapd = Taker(str(d / "imapd.sock"), lambda got: got[3] + b" OK [CAPABILITY IMAP4rev1] logged in\r\n")
    pop3d = Taker(str(d / "pop3d.sock"), lambda got: b"+OK logged in\r\n")
    imapd.start()
    pop3d.start()
    processes = [subprocess.Popen([os.path.join(BUILD, n), "-c", str(d / f"{n}.json")], stderr=subprocess.DEVNULL)
                 for n in ("authd", "frontd")]
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", ports["imap"])).close()
            break
        except OSError:
            time.sleep(0.02)
    yield {"ports": ports, "imapd": imapd, "pop3d": pop3d, "authd": processes[0]}
    for p in processes:
        p.send_signal(signal.SIGTERM)
    codes = [p.wait(25) for p in processes]
    imapd.socket.close()
    pop3d.socket.close()
    assert codes == [0, 0]


def no_check():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_imap_under_implicit_tls_is_handed_over(front):
    with imaplib.IMAP4_SSL("127.0.0.1", front["ports"]["imaps"], ssl_context=no_check()) as m:
        assert "AUTH=PLAIN" in m.capabilities
        assert m.login("alice@example.org", "secret")[0] == "OK"
        got = front["imapd"].taken[-1]
        assert got[1] == b"alice@example.org" and got[5] == b"4096" and got[6] == b"1"
        m.send(b"* BYE\r\n")
        m.shutdown()
        m.state = "LOGOUT"


def test_imap_starttls_then_authenticate_plain(front):
    m = imaplib.IMAP4("127.0.0.1", front["ports"]["imap"])
    assert "LOGINDISABLED" in m.capabilities and "STARTTLS" in m.capabilities
    with pytest.raises(imaplib.IMAP4.error, match="PRIVACYREQUIRED"):
        m.login("alice@example.org", "secret")
    m.starttls(no_check())
    assert "LOGINDISABLED" not in m.capabilities
    assert m.authenticate("PLAIN", lambda _: b"\0alice@example.org\0secret")[0] == "OK"
    m.shutdown()


def test_a_wrong_password_is_refused_and_the_third_ends_the_connection(front):
    m = imaplib.IMAP4_SSL("127.0.0.1", front["ports"]["imaps"], ssl_context=no_check())
    for _ in range(2):
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            m.login("alice@example.org", "wrong")
    with pytest.raises(imaplib.IMAP4.error):
        m.login("alice@example.org", "wrong")
    with pytest.raises((imaplib.IMAP4.abort, OSError)):
        m.noop()
    m.shutdown()


def test_input_behind_the_login_goes_along(front):
    raw = no_check().wrap_socket(socket.create_connection(("127.0.0.1", front["ports"]["imaps"])))
    with raw, raw.makefile("rb") as lines:
        raw.sendall(b"a LOGIN {17+}\r\nalice@example.org secret\r\nb NOOP\r\n")
        assert lines.readline().startswith(b"* OK")
        assert lines.readline().startswith(b"a OK")
        assert lines.readline() == b"b NOOP\r\n"
        raw.sendall(b"c echo\r\n")
        assert lines.readline() == b"c echo\r\n"


def test_a_synchronising_literal_is_asked_for(front):
    raw = no_check().wrap_socket(socket.create_connection(("127.0.0.1", front["ports"]["imaps"])))
    with raw, raw.makefile("rb") as lines:
        assert lines.readline().startswith(b"* OK")
        raw.sendall(b"a LOGIN {17}\r\n")
        assert lines.readline().startswith(b"+ ")
        raw.sendall(b"alice@example.org {6}\r\n")
        assert lines.readline().startswith(b"+ ")
        raw.sendall(b"secret\r\n")
        assert lines.readline().startswith(b"a OK")


def test_clear_text_behind_starttls_is_thrown_away(front):
    raw = socket.create_connection(("127.0.0.1", front["ports"]["imap"]))
    with raw:
        lines = raw.makefile("rb", buffering=0)
        assert lines.readline().startswith(b"* OK")
        raw.sendall(b"a STARTTLS\r\nb LOGOUT\r\n")
        assert lines.readline().startswith(b"a OK")
        lines.close()
        with no_check().wrap_socket(raw) as secure:
            secure.sendall(b"c NOOP\r\n")
            assert secure.recv(100).startswith(b"c OK")


def test_a_megabyte_to_a_slow_reader_arrives_whole(front):
    raw = no_check().wrap_socket(socket.create_connection(("127.0.0.1", front["ports"]["imaps"])))
    with raw, raw.makefile("rb") as lines:
        raw.sendall(b"a LOGIN alice@example.org secret\r\nb BIG\r\n")
        assert lines.readline().startswith(b"* OK")
        assert lines.readline().startswith(b"a OK")
        assert lines.readline() == b"b BIG\r\n"
        raw.sendall(b"c BIG\r\n")
        time.sleep(0.3)
        rest = lines.read()
        assert len(rest) == 1_000_002


def test_pop3_under_tls_and_stls(front):
    p = poplib.POP3_SSL("127.0.0.1", front["ports"]["pop3s"], context=no_check())
    assert b"UIDL" in b" ".join(c.encode() for c in p.capa())
    p.user("alice@example.org")
    assert p.pass_("secret") == b"+OK logged in"
    assert front["pop3d"].taken[-1][1] == b"alice@example.org"
    p.close()
    p = poplib.POP3("127.0.0.1", front["ports"]["pop3"])
    with pytest.raises(poplib.error_proto, match="TLS"):
        p.user("alice@example.org")
    p.stls(no_check())
    p.user("alice@example.org")
    assert p.pass_("secret") == b"+OK logged in"
    p.close()


def greetings(front, n):
    held = [socket.create_connection(("127.0.0.1", front["ports"]["imap"]), timeout=10) for _ in range(n)]
    said = [c.recv(4096)[:5] for c in held]
    for c in held:
        c.close()
    return said


def test_an_address_has_a_number_of_connections_with_all_workers(front):
    end = time.monotonic() + 10
    while (said := sorted(greetings(front, 25))) != [b"* BYE"] * 5 + [b"* OK "] * 20 and time.monotonic() < end:
        time.sleep(0.1)  # the connections of other tests are not quite gone
    assert said == [b"* BYE"] * 5 + [b"* OK "] * 20


def test_an_absent_mailbox_daemon_is_a_temporary_failure(front):
    os.rename(front["imapd"].path, front["imapd"].path + ".away")
    try:
        m = imaplib.IMAP4_SSL("127.0.0.1", front["ports"]["imaps"], ssl_context=no_check())
        with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
            m.login("alice@example.org", "secret")
        m.logout()
    finally:
        os.rename(front["imapd"].path + ".away", front["imapd"].path)
