# SPDX-License-Identifier: Apache-2.0
"""queued with what is around it: dnsd in front of a DNS server of the test, lmtpd, its control socket; and an LMTP client."""
import json
import pathlib
import signal
import time

from dnslib import A, MX, Server
from maillib import Daemon, unix_connect


def wait_for(what, timeout=15, why="it did not come"):
    """The first true result of what()."""
    end = time.monotonic() + timeout
    while True:
        result = what()
        if result:
            return result
        assert time.monotonic() < end, why() if callable(why) else why
        time.sleep(0.02)


class Refused(Exception):
    pass


class Lmtp:
    """A connection to an LMTP server; replies are lists of lines."""

    def __init__(self, path):
        self.sock = unix_connect(path)
        self.file = self.sock.makefile("rb")
        self.reply()
        self.caps = self.ask("LHLO test.example")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.sock.close()

    def reply(self):
        lines = []
        while True:
            line = self.file.readline().decode()
            if not line:
                raise ConnectionError(f"closed after {lines}")
            lines.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                return lines

    def ask(self, line):
        self.sock.sendall(line.encode() + b"\r\n")
        return self.reply()

    def expect(self, line, code):
        got = self.ask(line)
        if not got[-1].startswith(code):
            raise Refused(f"{line}: {got}")
        return got

    def begin(self, sender, rcpts, mail_args="", rcpt_args=""):
        self.expect(f"MAIL FROM:<{sender}>{' ' if mail_args else ''}{mail_args}", "250")
        for r in rcpts:
            self.expect(f"RCPT TO:<{r}>{' ' if rcpt_args else ''}{rcpt_args}", "250")
        self.expect("DATA", "354")

    def finish(self, data, n):
        if isinstance(data, str):
            data = data.encode()
        body = b"".join(b"." + line if line.startswith(b".") else line for line in data.splitlines(keepends=True))
        self.sock.sendall(body + b".\r\n")
        return [self.reply()[-1] for _ in range(n)]

    def send(self, sender, rcpts, data="Subject: test\r\n\r\nhello\r\n", mail_args="", rcpt_args=""):
        """Returns the queue id."""
        self.begin(sender, rcpts, mail_args, rcpt_args)
        replies = self.finish(data, len(rcpts))
        assert all(r.startswith("250 ") for r in replies), replies
        return replies[0].split()[-1]


class Queue:
    """The daemons; `conf` changes queued's configuration. Records are added to .dns.records."""

    def __init__(self, directory, free_ports, records=None, lmtpd=False, domains=(), start=True, **conf):
        self.dir = pathlib.Path(directory)
        self.daemons = []
        dns_port, self.port = free_ports(2)
        self.dns = Server(dns_port, records or {})
        self.spool = self.dir / "spool"
        self.spool.mkdir()
        sockets = {"dns": str(self.dir / "dnsd.sock"), "lmtp": str(self.dir / "lmtpd.sock")}
        try:
            self.dnsd = self.run("dnsd", {"hostname": "mail.home.test", "servers": [f"127.0.0.1:{dns_port}"], "dnssec": False, "cache": 1 << 20,
                                          "listen": {"dns": [sockets["dns"]]}})
            if lmtpd:
                self.mail = self.dir / "mail"
                self.mail.mkdir()
                self.lmtpd = self.run("lmtpd", {"hostname": "mail.home.test", "mail": str(self.mail), "format": "maildir", "quota": 0,
                                                "domains": list(domains), "message_size": 1 << 20, "limits": {"workers": 2},
                                                "listen": {"lmtp": [sockets["lmtp"]]}})
            self.conf = {"hostname": "mail.home.test", "spool": str(self.spool), "domains": list(domains), "routes": {}, "relay": None,
                         "port": self.port, "retry": {"first_s": 1, "max_s": 2, "give_up_s": 600},
                         "limits": {"senders": 8, "per_domain": 4}, "sockets": sockets, "log_level": "debug",
                         "listen": {"lmtp": [str(self.dir / "queued.sock")], "control": [str(self.dir / "control.sock")]}, **conf}
            self.queued = self.run("queued", self.conf, start)
        except BaseException:
            self.close()
            raise

    def run(self, name, conf, ready=True):
        d = Daemon(self.dir, name, conf, ready)
        self.daemons.append(d)
        return d

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            print(self.queued.log() if hasattr(self, "queued") else "")
        codes = self.close()
        if not kind:
            assert not any(codes), codes

    def close(self):
        codes = [d.stop() for d in reversed(self.daemons)]
        self.dns.close()
        return codes

    def restart(self, signo=signal.SIGKILL):
        self.queued.stop(signo)
        self.queued.start()

    def lmtp(self):
        return Lmtp(self.dir / "queued.sock")

    def send(self, *args, **more):
        with self.lmtp() as c:
            return c.send(*args, **more)

    def control(self, line):
        with unix_connect(self.dir / "control.sock") as s:
            s.sendall(line.encode() + b"\n")
            with s.makefile("rb") as f:
                head, _, rest = f.read().decode().partition("\n")
        if head != "ok":
            raise Refused(head)
        return [json.loads(r) for r in rest.splitlines()]

    def list(self):
        return self.control("list")

    def wait_empty(self, timeout=15):
        wait_for(lambda: not self.list(), timeout, lambda: f"still there: {self.list()}\n{self.queued.log()}")

    def files(self):
        return sorted(p.name for p in (self.spool / "msg").iterdir())

    def add_mx(self, domain, *hosts):
        """hosts: (preference, name, address)."""
        self.dns.records[(domain, MX)] = [(p, n) for p, n, _ in hosts]
        for _, name, address in hosts:
            self.dns.records.setdefault((name, A), []).append(address)

    def mailbox(self, address):
        """The messages of a local account, as bytes."""
        local, domain = address.split("@")
        home = self.mail / domain / local
        return [p.read_bytes() for d in ("new", "cur") for p in sorted(home.glob(f"**/{d}/*"))]
