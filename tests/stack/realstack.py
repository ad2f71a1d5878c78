# SPDX-License-Identifier: Apache-2.0
"""The stack as its users see it: the real daemons in their containers, two accounts, ports of the test's own."""
import contextlib
import ctypes
import email
import imaplib
import os
import pathlib
import poplib
import shutil
import smtplib
import ssl
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "mail"))

from dnslib import Server
from stacklib import SERVICES, Stack

PORTS = ("smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s")
PASSWORDS = {"alice": "alice's password", "bob": "bob's password"}
CLONE_NEWNET = 0x40000000


@contextlib.contextmanager
def in_network(name):
    """What this thread opens meanwhile belongs to the network namespace of that name; None: to this one."""
    if name is None:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net", "rb") as here, open(f"/run/netns/{name}", "rb") as there:
        assert libc.setns(there.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            assert libc.setns(here.fileno(), CLONE_NEWNET) == 0


class MailStack(Stack):
    """`up` returns with everything ready. Without a network of its own it listens on the loopback; the eighth port is that
    of a DNS server that knows no name."""

    def __init__(self, directory, build_dir, ports, domain="example.org", host="127.0.0.1", network=None, **config):
        super().__init__(directory, build_dir / "mailbox-run", build_dir / "images", ports)
        missing = [n for n in SERVICES if not (build_dir / n).exists()]
        if missing:
            pytest.skip(f"not built: {', '.join(missing)}")
        self.network = network
        self.host = host
        self.domain = domain
        self.ports = dict(zip(PORTS, ports))
        self.config = {
            "hostname": f"mail.{domain}",
            "domains": {domain: {"aliases": {"sales": ["alice", "bob"], "postmaster": ["alice"]},
                                 "dkim": [{"selector": "s1", "algorithm": "ed25519"}, {"selector": "r1", "algorithm": "rsa2048"}]}},
            "listen": {name: [f"{host}:{port}"] for name, port in self.ports.items()},
            "storage": str(directory / "data"),
            **config,
        }
        self.dns = None
        if "dns" not in config:
            self.dns = Server(ports[7], {})
            self.config["dns"] = {"servers": [f"127.0.0.1:{ports[7]}"], "dnssec": False, "network": "host"}
        self.write()
        self.accounts({})
        for user, password in PASSWORDS.items():
            self.call("user", "add", str(self.file), self.address(user), "--password-stdin", input=password + "\n")

    def end(self):
        self.down()
        if self.dns:
            self.dns.close()

    def call(self, verb, *args, check=True, **more):
        with in_network(self.network):
            return super().call(verb, *args, check=check, **more)

    def address(self, user):
        return f"{user}@{self.domain}"

    def cert(self):
        return self.dir / "data" / "tls" / "cert.pem"

    def context(self):
        context = ssl.create_default_context(cafile=str(self.cert()))
        context.check_hostname = False
        return context

    def imap(self, user, starttls=False):
        with in_network(self.network):
            if starttls:
                m = imaplib.IMAP4(self.host, self.ports["imap"], timeout=30)
                m.starttls(ssl_context=self.context())
            else:
                m = imaplib.IMAP4_SSL(self.host, self.ports["imaps"], ssl_context=self.context(), timeout=30)
        m.login(self.address(user), PASSWORDS[user])
        return m

    def pop3(self, user, stls=False):
        with in_network(self.network):
            if stls:
                p = poplib.POP3(self.host, self.ports["pop3"], timeout=30)
                p.stls(context=self.context())
            else:
                p = poplib.POP3_SSL(self.host, self.ports["pop3s"], context=self.context(), timeout=30)
        p.user(self.address(user))
        p.pass_(PASSWORDS[user])
        return p

    def smtp(self, port="smtp"):
        with in_network(self.network):
            return smtplib.SMTP(self.host, self.ports[port], local_hostname="client.test", timeout=30)

    def rcpt(self, to):
        """What a stranger who has mail for `to` is told."""
        with self.smtp() as s:
            s.ehlo()
            s.mail("eve@else.example")
            return s.rcpt(to)[0]

    def submit(self, user, to, message):
        with self.smtp("submission") as s:
            s.starttls(context=self.context())
            s.login(self.address(user), PASSWORDS[user])
            return s.sendmail(self.address(user), to, message)

    def swaks(self, *args):
        r = self.run("swaks", "--server", self.host, "--helo", "client.test", "--timeout", "30s", *args)
        return r.returncode, r.stdout + r.stderr

    def run(self, program, *args, **more):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
        more.setdefault("stdin", subprocess.DEVNULL)
        with in_network(self.network):
            return subprocess.run([program, *map(str, args)], capture_output=True, text=True, timeout=60, check=False, **more)

    def messages(self, user, folder="INBOX"):
        """All of a folder, as email.message."""
        m = self.imap(user)
        assert m.select(folder, readonly=True)[0] == "OK"
        _, data = m.fetch("1:*", "(BODY.PEEK[])") if m.untagged_responses.get("EXISTS", [b"0"])[-1] != b"0" else (None, [])
        found = [email.message_from_bytes(d[1]) for d in data if isinstance(d, tuple)]
        m.logout()
        return found

    def subjects(self, user, folder="INBOX"):
        return sorted(str(m["Subject"]) for m in self.messages(user, folder))

    def wait_for(self, user, subject, folder="INBOX", seconds=30):
        return self.wait_for_message(user, lambda m: m["Subject"] == subject, folder, seconds)

    def wait_for_message(self, user, claim, folder="INBOX", seconds=30):
        end = time.monotonic() + seconds
        while True:
            found = [m for m in self.messages(user, folder) if claim(m)]
            if found:
                return found[0]
            assert time.monotonic() < end, (self.subjects(user, folder), self.log()[-4000:])
            time.sleep(0.1)

    def dkim_records(self):
        """The TXT records that `up` wrote beside the keys, as {(name, 16): [text]}."""
        records = {}
        for path in sorted((self.dir / "data" / "dkim").glob("*.txt")):
            owner, _, rest = path.read_text().partition(" IN TXT ( ")
            records[(owner, 16)] = ["".join(part for i, part in enumerate(rest.split('"')) if i % 2)]
        return records
