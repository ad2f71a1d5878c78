# SPDX-License-Identifier: Apache-2.0
"""smtpd with the real authd and lmtpd, a milter and a queue that are played by threads, and an SMTP client on a bare socket."""
import contextlib
import email
import functools
import json
import os
import pathlib
import shutil
import smtplib
import socket
import ssl
import struct
import subprocess
import tempfile
import threading

from maillib import Daemon

HOST = "mx.example.org"
PASSWORD = "secret"


# --- the other ends ---------------------------------------------------------------------------------------------------

class Server:
    """A unix socket whose connections are served by a thread each."""

    def __init__(self, path):
        self.path = str(path)
        self.threads, self.open = [], []
        self.accepted = 0
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen(64)
        self.socket.settimeout(60)
        self.main = threading.Thread(target=self.run, daemon=True)
        self.main.start()

    def run(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            peer.settimeout(30)
            self.accepted += 1
            self.open.append(peer)
            t = threading.Thread(target=self.guarded, args=(peer,), daemon=True)
            t.start()
            self.threads.append(t)

    def guarded(self, peer):
        with contextlib.suppress(OSError, EOFError), peer:
            self.serve(peer)

    def serve(self, peer):
        raise NotImplementedError

    def drop_all(self):
        """Breaks the connections that are open."""
        for peer in self.open:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        self.open.clear()

    def stop(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.drop_all()
        pathlib.Path(self.path).unlink(missing_ok=True)


class Queue(Server):
    """An LMTP server with DSN that keeps what it takes; `refuse` maps an address to its reply at RCPT, `verdict` to the one
    behind the message."""

    def __init__(self, path, chunking=True):
        self.messages, self.refuse, self.verdict, self.chunking = [], {}, {}, chunking
        self.go_on = threading.Event()  # a message is answered only while it is set
        self.go_on.set()
        super().__init__(path)

    def serve(self, peer):
        f = peer.makefile("rwb")

        def say(text):
            f.write(text.encode() + b"\r\n")
            f.flush()

        def results(sender, rcpts, data):
            self.messages.append({"from": sender, "rcpts": [r for r in rcpts if self.verdict.get(r[0], "2").startswith("2")],
                                  "data": data})
            self.go_on.wait(20)
            for address, _ in rcpts:
                say(self.verdict.get(address, "250 2.0.0 kept"))

        say("220 queue LMTP")
        sender, rcpts, data = None, [], b""
        for line in f:
            verb, _, args = line.decode().strip().partition(" ")
            verb = verb.upper()
            if verb == "LHLO":
                words = ["queue", "PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN"]
                words += ["CHUNKING"] if self.chunking else []
                for w in words:
                    say(f"250-{w}")
                say("250 SIZE")
            elif verb == "MAIL":
                sender, rcpts, data = args, [], b""
                say("250 2.1.0 ok")
            elif verb == "RCPT":
                address, _, rest = args[len("TO:<"):].partition(">")
                if address in self.refuse:
                    say(self.refuse[address])
                else:
                    rcpts.append((address, rest.strip()))
                    say("250 2.1.5 ok")
            elif verb == "DATA":
                say("354 go on")
                data = b""
                for row in f:
                    if row == b".\r\n":
                        break
                    data += row[1:] if row.startswith(b".") else row
                results(sender, rcpts, data)
            elif verb == "BDAT":
                n, _, last = args.partition(" ")
                data += f.read(int(n))
                assert last == "LAST"
                if rcpts:
                    results(sender, rcpts, data)
                else:
                    say("503 5.5.1 nobody")
            elif verb in ("RSET", "NOOP"):
                sender, rcpts, data = None, [], b""
                say("250 2.0.0 ok")
            elif verb == "QUIT":
                say("221 bye")
                return
            else:
                say("500 5.5.1 what?")


ALL_NR = 0x80 | 0x1000 | 0x2000 | 0x4000 | 0x8000 | 0x10000 | 0x20000 | 0x40000 | 0x80000


class Milter(Server):
    """A filter: `script` is a function of the message seen that returns the packets of its answer at the end."""

    def __init__(self, path, protocol=ALL_NR | 0x100000, version=6):
        self.protocol, self.version = protocol, version
        self.seen, self.commands = [], []
        self.script = lambda m: [(b"c", b"")]
        self.early = {}
        self.go_on = threading.Event()  # the end of a message is answered only while it is set
        self.go_on.set()
        super().__init__(path)

    @staticmethod
    def packet(command, data):
        return struct.pack("!I", len(data) + 1) + command + data

    def serve(self, peer):
        f = peer.makefile("rb")
        m = self.new()
        while True:
            head = f.read(5)
            if len(head) < 5:
                return
            command = head[4:5]
            data = f.read(struct.unpack("!I", head[:4])[0] - 1)
            self.commands.append(command)
            self.take(m, command, data)
            if command == b"O":
                peer.sendall(self.packet(b"O", struct.pack("!III", self.version, 0x1 | 0x2 | 0x10 | 0x20, self.protocol)))
            elif command == b"E":
                self.seen.append(m)
                self.go_on.wait(20)
                peer.sendall(b"".join(self.packet(c, d) for c, d in self.script(m)))
            elif command in self.early:
                peer.sendall(self.packet(*self.early[command]))
            elif command in (b"K", b"A"):
                m = self.new() if command == b"K" else m
            elif command == b"Q":
                return
            elif command != b"D" and not self.no_reply(command):
                peer.sendall(self.packet(b"c", b""))

    def no_reply(self, command):
        bits = {b"C": 0x1000, b"H": 0x2000, b"M": 0x4000, b"R": 0x8000, b"T": 0x10000, b"L": 0x80, b"N": 0x40000, b"B": 0x80000}
        return self.protocol & bits.get(command, 0)

    @staticmethod
    def new():
        return {"macros": {}, "headers": [], "rcpts": [], "body": b"", "helo": None, "from": None, "connect": None}

    @staticmethod
    def take(m, command, data):
        fields = data.split(b"\0")
        if command == b"D":
            pairs = [f.decode() for f in data[1:].split(b"\0")]
            m["macros"].update(zip(pairs[0::2], pairs[1::2]))
        elif command == b"C":
            m["connect"] = data
        elif command == b"H":
            m["helo"] = fields[0].decode()
        elif command == b"M":
            m["from"] = fields[0].decode()
        elif command == b"R":
            m["rcpts"].append(fields[0].decode())
        elif command == b"L":
            m["headers"].append((fields[0].decode(), fields[1].decode()))
        elif command == b"B":
            m["body"] += data


def add_header(name, value):
    return (b"h", f"{name}\0{value}\0".encode())


def insert_header(index, name, value):
    return (b"i", struct.pack("!I", index) + f"{name}\0{value}\0".encode())


def change_header(nth, name, value):
    return (b"m", struct.pack("!I", nth) + f"{name}\0{value}\0".encode())


# --- smtpd and its neighbours -------------------------------------------------------------------------------------------

class Mail:
    """authd, lmtpd and smtpd, with a queue and, if wanted, a milter."""

    accounts = {"alice@example.org": {"aliases": ["al@example.org"]}, "bob@example.org": {}, "full@example.org": {"quota": 2000}}

    def __init__(self, milter=False, conf=None, chunking=True, milter_options=None, name_server=None):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="mr-smtpd-", dir="/tmp"))
        self.daemons = {}
        self.queue = Queue(self.dir / "queue.sock", chunking)
        self.milter = Milter(self.dir / "milter.sock", **(milter_options or {})) if milter else None
        self.sockets = {name: socket.create_server(("127.0.0.1", 0), backlog=128) for name in ("smtp", "submission", "submissions")}
        self.ports = {name: s.getsockname()[1] for name, s in self.sockets.items()}
        try:
            self.begin(conf or {}, name_server)
        except BaseException:
            self.stop()
            raise

    def begin(self, conf, name_server):
        d = self.dir
        (d / "mail").mkdir()
        (d / "scratch").mkdir()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                        "/CN=localhost", "-keyout", d / "key.pem", "-out", d / "cert.pem"], check=True, capture_output=True, timeout=30)
        (d / "accounts.json").write_text(json.dumps({a: {"password": "{PLAIN}" + PASSWORD, **more} for a, more in self.accounts.items()}))
        aliases = {"sales": ["alice", "out@elsewhere.example"], "both": ["alice", "bob"], "away": ["x@elsewhere.example"],
                   "postmaster": ["alice"], "team": ["alice", "full"]}
        self.run("authd", {"accounts": str(d / "accounts.json"), "subaddress": "+", "lists": {
            "list@example.org": {"members": ["alice@example.org", "bob@example.org"], "post": "members"}},
                           "domains": {"example.org": {"aliases": aliases}, "catch.example": {"catch_all": "bob@example.org"}},
                           "listen": {"auth": [str(d / "auth.sock")], "map": [str(d / "map.sock")]}})
        self.run("lmtpd", {"mail": str(d / "mail"), "format": "maildir", "quota": 1 << 30, "domains": ["example.org", "catch.example"],
                           "message_size": 30_000_000, "limits": {"workers": 2}, "listen": {"lmtp": [str(d / "lmtpd.sock")]}})
        sockets = {"auth": str(d / "auth.sock"), "map": str(d / "map.sock"), "lmtp": str(d / "lmtpd.sock"), "queue": self.queue.path}
        if self.milter:
            sockets["milter"] = self.milter.path
        if name_server:
            sockets["dns"] = str(name_server)
        base = {"domains": ["example.org", "Catch.Example"], "message_size": 20_000_000, "recipients": 10, "subaddress": "+",
                "tls": {"cert": str(d / "cert.pem"), "key": str(d / "key.pem")}, "plaintext_login": [], "limits": {"workers": 1},
                "scratch": str(d / "scratch"), "sockets": sockets}
        base["limits"].update(conf.pop("limits", {}))
        sockets.update(conf.pop("sockets", {}))
        self.run("smtpd", {**base, **conf}, self.sockets)

    def run(self, name, conf, sockets=None):
        self.daemons[name] = Daemon(self.dir, name, {"hostname": HOST, **conf}, sockets=sockets)
        return self.daemons[name]

    def stop(self):
        """Ends all, whatever the end of one of them is like, and returns their exit codes."""
        codes = {}
        with contextlib.ExitStack() as last:
            last.callback(shutil.rmtree, self.dir, ignore_errors=True)
            for server in filter(None, (self.queue, self.milter)):
                last.callback(server.stop)
            for s in self.sockets.values():
                last.callback(s.close)
            for name, daemon in self.daemons.items():
                last.callback(lambda n=name, d=daemon: codes.__setitem__(n, d.stop()))
        return codes

    @property
    def log(self):
        return self.daemons["smtpd"].log()

    def raw(self, service="smtp", ehlo=True):
        c = Client(("127.0.0.1", self.ports[service]), tls=service == "submissions")
        if ehlo:
            c.command("EHLO client.example", 250)
        return c

    def login(self, user="alice@example.org"):
        s = smtplib.SMTP_SSL("127.0.0.1", self.ports["submissions"], local_hostname="client.example", context=no_check(), timeout=20)
        s.login(user, PASSWORD)
        return s

    def plain(self):
        return smtplib.SMTP("127.0.0.1", self.ports["smtp"], local_hostname="client.example", timeout=20)

    def mailbox(self, who, folder=""):
        """The messages of a mailbox, as bytes, the oldest first."""
        home = self.dir / "mail" / "example.org" / who / folder
        files = [p for sub in ("new", "cur") for p in (home / sub).glob("*")]
        return [p.read_bytes() for p in sorted(files, key=lambda p: p.stat().st_mtime_ns)]

    def last(self, who, folder=""):
        return email.message_from_bytes(self.mailbox(who, folder)[-1])

    def descriptors(self):
        """Of smtpd's worker."""
        pid = self.daemons["smtpd"].process.pid
        child = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0]
        return len(os.listdir(f"/proc/{child}/fd"))


@functools.lru_cache
def no_check():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Client:
    """A connection that says what it is told to, byte for byte."""

    def __init__(self, address, tls=False, greeting=220):
        self.socket = socket.create_connection(address, timeout=20)
        self.file = None
        self.use(no_check().wrap_socket(self.socket) if tls else self.socket)
        if greeting:
            self.expect(greeting)

    def use(self, s):
        self.socket = s
        self.file = s.makefile("rb")

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def reply(self):
        """The lines of one reply; [] at the end."""
        lines = []
        while True:
            line = self.file.readline()
            if not line:
                return lines
            assert line.endswith(b"\r\n"), line
            lines.append(line[:-2].decode())
            if line[3:4] != b"-":
                return lines

    def expect(self, start):
        """The next reply must begin so."""
        lines = self.reply()
        assert lines and lines[-1].startswith(str(start)), f"expected {start}, got {lines}"
        return lines

    def command(self, text, start):
        self.send((text if isinstance(text, bytes) else text.encode()) + b"\r\n")
        return self.expect(start)

    def starttls(self):
        self.command("STARTTLS", 220)
        self.use(no_check().wrap_socket(self.socket))

    def envelope(self, *rcpts, sender="out@else.example"):
        self.command(f"MAIL FROM:<{sender}>", 250)
        for r in rcpts or ("alice@example.org",):
            self.command(f"RCPT TO:<{r}>", 250)

    def message(self, data, start, *rcpts):
        """An envelope and DATA; data goes out as it is, its end too."""
        self.envelope(*rcpts)
        self.command("DATA", 354)
        self.send(data)
        return self.expect(start)

    def ended(self):
        try:
            return self.file.read(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        with contextlib.suppress(OSError):
            self.file.close()
            self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
