# SPDX-License-Identifier: Apache-2.0
"""lmtpd, line by line: transactions, folders, quota, sizes, what cannot be smuggled."""
import os
import smtplib
import socket
import stat

MESSAGE = b"Subject: x\r\n\r\nbody\r\n"


class Lmtp:
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(path)
        self.file = self.sock.makefile("rb")
        assert self.reply().startswith(b"220 ")

    def reply(self):
        while True:
            line = self.file.readline()
            if line[3:4] != b"-":
                return line

    def cmd(self, text):
        self.sock.sendall(text if isinstance(text, bytes) else text.encode() + b"\r\n")
        return self.reply()[:3].decode()

    def close(self):
        self.file.close()
        self.sock.close()


def new(mailstack, folder="", user="alice"):
    directory = mailstack.home(user) / folder / "new"
    return sorted(directory.iterdir()) if directory.exists() else []


def test_many_transactions_on_one_connection(mailstack):
    c = Lmtp(mailstack.path("lmtpd"))
    assert c.cmd("MAIL FROM:<a@b.example>") == "503"
    assert c.cmd("LHLO me") == "250"
    for i in range(20):
        c.sock.sendall(b"MAIL FROM:<a@b.example> SIZE=10 BODY=8BITMIME\r\nRCPT TO:<alice@example.org>\r\n"
                       b"RCPT TO:<bob@example.org>\r\nRCPT TO:<x@else.example>\r\nDATA\r\n")
        assert [c.reply()[:3] for _ in range(5)] == [b"250", b"250", b"250", b"550", b"354"]
        c.sock.sendall(MESSAGE + b".\r\n")
        assert [c.reply()[:3] for _ in range(2)] == [b"250", b"250"]
    assert c.cmd("RSET") == "250"
    assert c.cmd("QUIT") == "221"
    assert len(new(mailstack)) == len(new(mailstack, user="bob")) == 20
    c.close()


def test_only_crlf_dot_crlf_ends_a_message(mailstack):
    c = Lmtp(mailstack.path("lmtpd"))
    c.cmd("LHLO me")
    c.cmd("MAIL FROM:<>")
    c.cmd("RCPT TO:<alice@example.org>")
    c.cmd("DATA")
    body = b"Subject: s\r\n\r\na\n.\nb\r.\rc\r\n..\r\n.\rd\n.\r\ne\r\n"
    for i in range(len(body)):
        c.sock.sendall(body[i:i + 1])
    assert c.cmd(b".\r\n") == "250"
    [file] = new(mailstack)
    text = file.read_bytes()
    assert text.startswith(b"Return-Path: <>\nDelivered-To: alice@example.org\n")
    assert text.endswith(b"\n\na\n.\nb\r.\rc\n.\n\rd\n.\ne\n")
    c.close()


def test_bdat(mailstack):
    c = Lmtp(mailstack.path("lmtpd"))
    c.cmd("LHLO me")
    c.cmd("MAIL FROM:<a@b.example>")
    c.cmd("RCPT TO:<alice@example.org>")
    assert c.cmd(b"BDAT 14\r\nSubject: x\r\n\r\n") == "250"
    assert c.cmd(b"BDAT 5\r\n.a\r\n.") == "250"
    assert c.cmd("BDAT 0 LAST") == "250"
    assert new(mailstack)[0].read_bytes().endswith(b"\n\n.a\n.")
    c.close()


def test_folders_junk_and_detail(mailstack):
    mailstack.deliver("alice+Sent@example.org", message=MESSAGE)
    mailstack.deliver("alice+Nowhere@example.org", message=MESSAGE)
    mailstack.deliver("alice+..%2f@example.org", message=MESSAGE)
    mailstack.deliver("alice@example.org", message=b"X-Spam-Flag: YES\r\n" + MESSAGE)
    mailstack.deliver("alice@example.org", message=b"Subject: y\r\n\r\nX-Spam-Flag: YES\r\n")
    assert len(new(mailstack, ".Sent")) == 1
    assert len(new(mailstack, ".Junk")) == 1
    assert len(new(mailstack)) == 3


def test_modes_and_addresses_that_try_to_escape(mailstack):
    mailstack.deliver("alice@example.org", message=MESSAGE)
    mailstack.deliver('"../../x"@example.org', message=MESSAGE)
    mailstack.deliver("ALICE@EXAMPLE.ORG", message=MESSAGE)
    assert len(new(mailstack)) == 2
    assert sorted(p.name for p in (mailstack.mail / "example.org").iterdir()) == ["%2E.%2F..%2Fx", "alice"]
    assert os.listdir(mailstack.mail) == ["example.org"]
    assert stat.S_IMODE(new(mailstack)[0].stat().st_mode) == 0o660
    assert stat.S_IMODE((mailstack.home() / "new").stat().st_mode) == 0o2770


def test_quota_told_with_the_recipient(mailstack):
    c = Lmtp(mailstack.path("lmtpd"))
    c.cmd("LHLO me")
    codes = []
    for _ in range(12):
        c.cmd("MAIL FROM:<a@b.example>")
        code = c.cmd("RCPT TO:<alice@example.org> XQUOTA=10000")
        if code == "250":
            c.cmd("DATA")
            code = c.cmd(MESSAGE + b"x" * 950 + b"\r\n.\r\n")
        else:
            c.cmd("RSET")
        codes.append(code)
    assert codes[0] == "250" and codes[-1] == "552" and sorted(codes) == codes
    assert sum(p.stat().st_size for p in new(mailstack)) <= 10000
    c.cmd("MAIL FROM:<a@b.example>")
    assert c.cmd("RCPT TO:<alice@example.org> XQUOTA=100000") == "250"
    c.close()


def test_a_message_over_the_limit_is_read_and_refused(mailstack):
    c = Lmtp(mailstack.path("lmtpd"))
    c.cmd("LHLO me")
    assert c.cmd("MAIL FROM:<a@b.example> SIZE=10485761") == "552"
    c.cmd("MAIL FROM:<a@b.example>")
    c.cmd("RCPT TO:<alice@example.org>")
    c.cmd("DATA")
    assert c.cmd(MESSAGE + (b"y" * 1000 + b"\r\n") * 10600 + b".\r\n") == "552"
    assert c.cmd("NOOP") == "250"
    assert not new(mailstack) and not list((mailstack.home() / "tmp").glob("1*"))
    c.close()


def test_a_connection_cut_in_data_leaves_nothing(mailstack):
    c = Lmtp(mailstack.path("lmtpd"))
    c.cmd("LHLO me")
    c.cmd("MAIL FROM:<a@b.example>")
    c.cmd("RCPT TO:<alice@example.org>")
    c.cmd("DATA")
    c.sock.sendall(MESSAGE * 10)
    c.close()
    mailstack.deliver("bob@example.org", message=MESSAGE)
    mailstack.stop("lmtpd")
    mailstack.start("lmtpd")
    assert not new(mailstack) and not list((mailstack.home() / "tmp").glob("1*"))


def test_extensions_are_listed_and_unknown_parameters_refused(mailstack):
    with smtplib.LMTP(mailstack.path("lmtpd")) as lmtp:
        lmtp.ehlo_or_helo_if_needed()
        assert lmtp.has_extn("SMTPUTF8") and lmtp.has_extn("CHUNKING") and lmtp.has_extn("XQUOTA")
        assert lmtp.docmd("MAIL", "FROM:<a@b.example> SMTPUTF8")[0] == 250
        assert lmtp.docmd("RCPT", "TO:<alice@example.org> NOTIFY=NEVER")[0] == 501
