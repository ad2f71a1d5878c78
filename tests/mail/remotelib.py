# SPDX-License-Identifier: Apache-2.0
"""A remote mail server for tests: takes SMTP, keeps what it took, and misbehaves on request."""
import base64
import collections
import socket
import ssl
import subprocess
import threading
import time

CAPS = ("PIPELINING", "SIZE 10000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
Message = collections.namedtuple("Message", "sender mail_args rcpts data tls auth ehlo session")


class Hangup(Exception):
    """Raised by a hook: the connection is closed without a word."""


class Remote:
    """Listens on address:port. hook(verb, line, session) may return a whole reply ("550 5.1.1 no"), or None for the usual one, or
    raise Hangup. Verbs are those of SMTP, "CONNECT" for the greeting and "END" for the reply to the message."""

    def __init__(self, port, address="127.0.0.1", caps=CAPS, hook=None, tls=None, implicit=False, name="mx.test"):
        self.caps, self.hook, self.tls, self.implicit, self.name = tuple(caps), hook, tls, implicit, name
        self.messages, self.sessions, self.lines = [], 0, []
        self.lock = threading.Lock()
        self.open = set()
        self.closed = False
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, port))
        self.listener.listen(64)
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.closed = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.threads[0].join()
        self.listener.close()
        with self.lock:
            for s in self.open:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        for t in self.threads[1:]:
            t.join(10)

    def accept(self):
        while not self.closed:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # replies to pipelined commands do not wait for each other
            s.settimeout(30)
            with self.lock:
                self.sessions += 1
                self.open.add(s)
                session = self.sessions
            t = threading.Thread(target=self.serve, args=(s, session), daemon=True)
            self.threads.append(t)
            t.start()

    def serve(self, s, number):
        session = Session(self, s, number)
        try:
            session.run()
        except (OSError, Hangup, ValueError):
            pass
        finally:
            with self.lock:
                self.open.discard(s)
            session.sock.close()
            s.close()

    def wait(self, n=1, timeout=15):
        """Waits until n messages were taken and returns them."""
        end = time.monotonic() + timeout
        while len(self.messages) < n:
            assert time.monotonic() < end, f"{len(self.messages)} of {n} messages came; heard: {self.lines}"
            time.sleep(0.01)
        return self.messages


class Session:
    def __init__(self, remote, sock, number):
        self.remote, self.sock, self.number = remote, sock, number
        self.is_tls, self.auth, self.ehlo = False, None, None
        self.reset()

    def reset(self):
        self.sender, self.mail_args, self.rcpts = None, "", []

    def start_tls(self):
        self.sock = self.remote.tls.wrap_socket(self.sock, server_side=True)
        self.file = self.sock.makefile("rb")
        self.is_tls = True

    def send(self, text):
        self.sock.sendall(text.encode() + b"\r\n")

    def ask(self, verb, line, usual):
        said = self.remote.hook(verb, line, self) if self.remote.hook else None
        self.send(said or usual)
        return (said or usual)[0] in "23"

    def run(self):
        if self.remote.implicit:
            self.start_tls()
        self.file = self.sock.makefile("rb")
        self.ask("CONNECT", "", f"220 {self.remote.name} ESMTP")
        while True:
            raw = self.file.readline()
            if not raw:
                return
            assert raw.endswith(b"\r\n"), raw
            line = raw[:-2].decode()
            self.remote.lines.append(line)
            verb = line.split(" ")[0].upper()
            getattr(self, "do_" + verb.lower(), self.do_unknown)(line)
            if verb == "QUIT":
                return

    def do_unknown(self, line):
        self.ask(line.split(" ")[0].upper(), line, "500 5.5.2 what?")

    def do_ehlo(self, line):
        self.ehlo = line
        self.reset()
        caps = [c for c in self.remote.caps if not (c == "STARTTLS" and self.is_tls)]
        lines = [self.remote.name, *caps]
        self.ask("EHLO", line, "\r\n".join(("250-" if i < len(lines) - 1 else "250 ") + t for i, t in enumerate(lines)))

    def do_helo(self, line):
        self.ehlo = line
        self.reset()
        self.ask("HELO", line, f"250 {self.remote.name}")

    def do_starttls(self, line):
        if self.ask("STARTTLS", line, "220 2.0.0 go ahead"):
            self.start_tls()

    def do_auth(self, line):
        _, mechanism, initial = line.split(" ")
        assert mechanism == "PLAIN"
        self.auth = base64.b64decode(initial).split(b"\0")[1:]
        self.ask("AUTH", line, "235 2.7.0 welcome")

    def do_mail(self, line):
        path, _, self.mail_args = line[len("MAIL FROM:"):].partition(" ")
        if self.ask("MAIL", line, "250 2.1.0 ok"):
            self.sender = path.strip("<>")

    def do_rcpt(self, line):
        path, _, args = line[len("RCPT TO:"):].partition(" ")
        if self.sender is None:
            self.send("503 5.5.1 MAIL first")
        elif self.ask("RCPT", line, "250 2.1.5 ok"):
            self.rcpts.append((path.strip("<>"), args))

    def do_data(self, line):
        if not self.rcpts:
            self.send("554 5.5.1 no valid recipients")
            return
        if not self.ask("DATA", line, "354 go"):
            return
        data = b""
        while True:
            part = self.file.readline()
            if not part:
                return
            assert part.endswith(b"\r\n") and part.count(b"\r") == 1, part
            if part == b".\r\n":
                break
            data += part[1:] if part.startswith(b".") else part
        message = Message(self.sender, self.mail_args, self.rcpts, data, self.is_tls, self.auth, self.ehlo, self.number)
        said = self.remote.hook("END", "", self) if self.remote.hook else None
        if not said or said[0] == "2":
            self.remote.messages.append(message)
        self.reset()
        self.send(said or "250 2.0.0 taken")

    def do_rset(self, line):
        self.reset()
        self.ask("RSET", line, "250 2.0.0 ok")

    def do_quit(self, line):
        self.ask("QUIT", line, "221 2.0.0 bye")


def server_tls(directory):
    """A context with a certificate that nobody signed."""
    cert, key = directory / "remote.pem", directory / "remote.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key,
                    "-out", cert, "-subj", "/CN=mx.test", "-days", "2"], check=True, capture_output=True, timeout=30)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context
