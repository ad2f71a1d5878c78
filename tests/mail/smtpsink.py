# SPDX-License-Identifier: Apache-2.0
"""Another server's SMTP, small: takes everything for everybody and keeps it."""
import socketserver
import threading


class Handler(socketserver.StreamRequestHandler):
    timeout = 60

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        sender, rcpts = "", []
        self.say("220 sink.test ESMTP")
        while line := self.rfile.readline(2048):
            verb = line[:4].upper().strip()
            if verb == b"EHLO":
                self.say("250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8")
            elif verb == b"MAIL":
                sender, rcpts = line.decode().strip(), []
                self.say("250 2.1.0 fine")
            elif verb == b"RCPT":
                rcpts.append(line.decode().strip())
                self.say("250 2.1.5 fine")
            elif verb == b"DATA":
                self.say("354 go on")
                lines = []
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(part[1:] if part.startswith(b".") else part)
                if not part:
                    return
                self.server.take(sender, rcpts, b"".join(lines))
                self.say("250 2.0.0 taken")
            elif verb == b"QUIT":
                self.say("221 2.0.0 bye")
                return
            else:
                self.say("250 2.0.0 fine" if verb in (b"HELO", b"RSET", b"NOOP") else "502 5.5.1 no")


class Sink(socketserver.ThreadingTCPServer):
    """`taken` is a list of (MAIL line, RCPT lines, message)."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port, host="127.0.0.1"):
        super().__init__((host, port), Handler)
        self.taken = []
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    def take(self, *message):
        with self.lock:
            self.taken.append(message)

    def close(self):
        self.shutdown()
        self.server_close()
        self.thread.join(10)
