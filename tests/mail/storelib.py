# SPDX-License-Identifier: Apache-2.0
"""lmtpd, imapd and pop3d of the build, without containers and without frontd: a test is frontd itself.

`mailstack` starts the three on a mail volume of the test's own. Sessions are handed over as frontd does it
(mailstack/lib/proto/handoff.h), so that a test needs neither TLS nor passwords.
"""
import array
import imaplib
import json
import os
import poplib
import signal
import smtplib
import socket
import struct
import subprocess
import time

import pytest

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BUILD = os.path.join(TOP, os.environ.get("MR_BUILD", "build"))


def handoff(path, user, tag="", pending=b"", quota=0):
    """Gives one end of a socket pair to the daemon at `path`; returns the other."""
    ours, theirs = socket.socketpair()
    fields = [user.encode(), b"192.0.2.1:1234", tag.encode(), pending, str(quota).encode(), b"1"]
    message = b"\1" + b"".join(struct.pack(">BH", t, len(v)) + v for t, v in enumerate(fields, 1))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.connect(path)
        s.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs.fileno()]))])
    theirs.close()
    ours.settimeout(20)
    return ours


class Imap(imaplib.IMAP4):
    """imaplib on a session that was handed over; it sees the login's tagged OK as a PREAUTH greeting."""

    def __init__(self, path, user, quota=0):
        self._how = (path, user, quota)
        super().__init__()

    def open(self, host="", port=0, timeout=None):
        path, user, quota = self._how
        self.sock = handoff(path, user, "login", quota=quota)
        self.file = self.sock.makefile("rb")
        self.login_line = self.file.readline()
        self._first = b"* PREAUTH\r\n" if self.login_line.startswith(b"login OK ") else b"* BYE refused\r\n"

    def readline(self):
        first, self._first = self._first, None
        return first or super().readline()

    def shutdown(self):
        self.file.close()
        self.sock.close()


class Pop(poplib.POP3):
    def __init__(self, path, user):
        self._how = (path, user)
        super().__init__("handoff")

    def _create_socket(self, timeout):
        return handoff(self._how[0], self._how[1])


class Stack:
    def __init__(self, directory, **imapd):
        self.dir = directory
        self.mail = directory / "mail"
        self.mail.mkdir()
        self.processes = {}
        store = {"hostname": "mail.example.org", "mail": str(self.mail), "format": "maildir", "quota": 0}
        self.start("lmtpd", {**store, "domains": ["example.org"], "message_size": 10 << 20,
                             "listen": {"lmtp": [self.path("lmtpd")]}})
        self.start("pop3d", {**store, "listen": {"session": [self.path("pop3d")]}})
        self.start("imapd", {**store, "message_size": 10 << 20, "listen": {"session": [self.path("imapd")]}, **imapd})

    def path(self, name):
        return str(self.dir / f"{name}.sock")

    def start(self, name, conf=None):
        file = self.dir / f"{name}.json"
        if conf is not None:
            file.write_text(json.dumps(conf))
        log = open(self.dir / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen([os.path.join(BUILD, name), "-c", str(file)], stderr=log)
        log.close()
        end = time.monotonic() + 10
        kind = socket.SOCK_STREAM if name == "lmtpd" else socket.SOCK_SEQPACKET
        while True:
            with socket.socket(socket.AF_UNIX, kind) as s:
                try:
                    s.connect(self.path(name))
                    return
                except OSError:
                    assert time.monotonic() < end and self.processes[name].poll() is None, self.log(name)
            time.sleep(0.01)

    def log(self, name):
        return (self.dir / f"{name}.log").read_text()

    def stop(self, name):
        p = self.processes.pop(name)
        p.send_signal(signal.SIGTERM)
        return p.wait(25)

    def deliver(self, *rcpts, message, sender="bob@else.example"):
        with smtplib.LMTP(self.path("lmtpd")) as lmtp:
            return lmtp.sendmail(sender, list(rcpts) or ["alice@example.org"], message)

    def imap(self, user="alice@example.org", **kw):
        return Imap(self.path("imapd"), user, **kw)

    def pop3(self, user="alice@example.org"):
        return Pop(self.path("pop3d"), user)

    def raw(self, user="alice@example.org", pending=b""):
        """A socket file to an IMAP session whose login had the tag `login`."""
        sock = handoff(self.path("imapd"), user, "login", pending)
        return Raw(sock)

    def home(self, user="alice"):
        return self.mail / "example.org" / user


class Raw:
    """An IMAP client that sees every line."""

    def __init__(self, sock):
        self.sock = sock
        self.file = sock.makefile("rb")
        self.n = 0
        assert self.line().startswith(b"login OK "), "refused"

    def line(self):
        return self.file.readline()

    def send(self, data):
        self.sock.sendall(data)

    def cmd(self, text):
        """Sends a command; its untagged lines (with literals) and the tagged one without the tag."""
        self.n += 1
        tag = b"t%d" % self.n
        self.send(tag + b" " + (text if isinstance(text, bytes) else text.encode()) + b"\r\n")
        return self.until(tag)

    def until(self, tag):
        lines = []
        while True:
            line = self.line()
            assert line, lines
            while line.endswith(b"}\r\n") and b"{" in line:
                n = int(line[line.rindex(b"{") + 1:-3])
                line += self.file.read(n) + self.file.readline()
            line = line[:-2]
            if line.startswith(tag + b" "):
                return lines, line[len(tag) + 1:]
            lines.append(line)

    def close(self):
        self.file.close()
        self.sock.close()


@pytest.fixture
def make_mailstack(tmp_path):
    made = []

    def make(**imapd):
        missing = [n for n in ("lmtpd", "imapd", "pop3d") if not os.path.exists(os.path.join(BUILD, n))]
        if missing:
            pytest.skip(f"not built: {missing}")
        made.append(Stack(tmp_path, **imapd))
        return made[-1]

    yield make
    for stack in made:
        codes = {name: stack.stop(name) for name in list(stack.processes)}
        assert set(codes.values()) <= {0}, (codes, [stack.log(n) for n in codes])
        for name in ("lmtpd", "imapd", "pop3d"):
            assert "error " not in stack.log(name), stack.log(name)


@pytest.fixture
def mailstack(make_mailstack):
    return make_mailstack()
