# SPDX-License-Identifier: Apache-2.0
"""authd by itself: Dovecot's auth protocol and socketmap over unix sockets, as Postfix would speak them."""
import base64
import json
import os
import signal
import socket
import subprocess
import time

import pytest

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BUILD = os.path.join(TOP, os.environ.get("MR_BUILD", "build"))
PROGRAM = os.path.join(BUILD, "authd")

ACCOUNTS = {
    "alice@example.org": {"password": "{PLAIN}secret", "aliases": ["al@example.org"], "quota": "1M"},
    "bob@example.org": {"password": "{SSHA}c2FsdHNhbHQ=", "aliases": []},
}


class Authd:
    def __init__(self, directory, accounts):
        self.auth_path = str(directory / "auth.sock")
        self.map_path = str(directory / "map.sock")
        self.accounts = directory / "accounts.json"
        self.conf = directory / "authd.json"
        self.accounts.write_text(json.dumps(accounts))
        self.conf.write_text(json.dumps({
            "hostname": "mail.example.org",
            "accounts": str(self.accounts),
            "domains": {"example.org": {"aliases": {"postmaster": ["alice"], "sales": ["alice", "bob", "x@else.example"]}},
                        "catch.example": {"catch_all": "alice@example.org"}},
            "lists": {"team@example.org": {"members": ["alice@example.org"], "post": "members"}},
            "quota": "2G",
            "listen": {"auth": [self.auth_path], "map": [self.map_path]},
        }))
        self.process = subprocess.Popen([PROGRAM, "-c", str(self.conf)], stderr=subprocess.PIPE)
        end = time.monotonic() + 5
        while time.monotonic() < end:
            try:
                self.connect(self.map_path).close()
                return
            except OSError:
                time.sleep(0.01)
        raise AssertionError("authd did not come up")

    @staticmethod
    def connect(path):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(5)
        s.connect(path)
        return s

    def login(self, user, password):
        with self.connect(self.auth_path) as s:
            f = s.makefile("rwb")
            while f.readline() != b"DONE\n":
                pass
            resp = base64.b64encode(b"\0" + user + b"\0" + password)
            f.write(b"VERSION\t1\t2\nCPID\t1\nAUTH\t7\tPLAIN\tservice=imap\tresp=" + resp + b"\n")
            f.flush()
            return f.readline()

    def ask(self, question):
        with self.connect(self.map_path) as s:
            s.sendall(b"%d:%s," % (len(question), question))
            got = b""
            while not got.endswith(b","):
                got += s.recv(4096)
            return got.split(b":", 1)[1][:-1]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(5)
        self.process.stderr.close()
        return code


@pytest.fixture
def authd(tmp_path):
    if not os.path.exists(PROGRAM):
        pytest.skip("authd is not built")
    a = Authd(tmp_path, ACCOUNTS)
    yield a
    assert a.stop() == 0


def test_the_right_password_gives_the_canonical_user_and_the_quota(authd):
    assert authd.login(b"al@Example.org", b"secret") == b"OK\t7\tuser=alice@example.org\tquota=1048576\n"


@pytest.mark.parametrize("user", [b"alice@example.org", b"nobody@example.org"])
def test_a_refusal_takes_its_time_whether_the_user_exists_or_not(authd, user):
    begin = time.monotonic()
    assert authd.login(user, b"wrong").startswith(b"FAIL\t7\t")
    assert time.monotonic() - begin > 1.4


@pytest.mark.parametrize("question, answer", [
    (b"resolve sales@example.org\tx@y", b"OK L1048576:alice@example.org\tL2147483648:bob@example.org\tR:x@else.example"),
    (b"resolve Alice+work@example.org\tx@y", b"OK L1048576:alice+work@example.org"),
    (b"resolve nobody@example.org\tx@y", b"NOTFOUND no such user here"),
    (b"resolve anything@catch.example\tx@y", b"OK L1048576:alice@example.org"),
    (b"resolve postmaster\t", b"OK L1048576:alice@example.org"),
    (b"resolve team@example.org\tbob@example.org", b"NOTFOUND only members may post to this list"),
    (b"resolve team@example.org\talice@example.org", b"OK L1048576:alice@example.org"),
    (b"may-send alice@example.org\tsales@example.org", b"OK "),
    (b"may-send alice@example.org\tbob@example.org", b"NOTFOUND "),
    (b"may-send alice@example.org\tteam@example.org", b"NOTFOUND "),
    (b"domains example.org", b"OK example.org"),
    (b"domains other.example", b"NOTFOUND "),
    (b"mailboxes alice@example.org", b"OK example.org/alice/"),
    (b"aliases sales@example.org", b"OK alice@example.org,bob@example.org,x@else.example"),
    (b"nonsense key", b"PERM there is no such map"),
])
def test_a_map_answers(authd, question, answer):
    assert authd.ask(question) == answer


def test_a_reload_takes_new_accounts_and_refuses_wrong_ones(authd):
    authd.accounts.write_text(json.dumps({"carol@example.org": {"password": "{PLAIN}x"}}))
    authd.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 5
    while authd.ask(b"mailboxes carol@example.org") == b"NOTFOUND " and time.monotonic() < end:
        time.sleep(0.02)
    assert authd.ask(b"mailboxes carol@example.org") == b"OK example.org/carol/"
    authd.accounts.write_text('{"carol@example.org": {"pass": 1}}')
    authd.process.send_signal(signal.SIGHUP)
    for line in authd.process.stderr:
        if b"old configuration stays" in line:
            assert b"unknown key" in line and b".pass" in line
            break
    assert authd.ask(b"mailboxes carol@example.org") == b"OK example.org/carol/"


def test_a_wrong_configuration_is_named_and_exits_with_2(tmp_path):
    if not os.path.exists(PROGRAM):
        pytest.skip("authd is not built")
    conf = tmp_path / "authd.json"
    conf.write_text('{"hostname": "h", "acounts": "x"}')
    r = subprocess.run([PROGRAM, "-c", str(conf), "--check"], stderr=subprocess.PIPE, check=False)
    assert r.returncode == 2
    assert b"acounts" in r.stderr and b"accounts" in r.stderr
