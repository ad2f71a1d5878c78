# SPDX-License-Identifier: Apache-2.0
"""The MTA's side of the milter protocol, and dnsd played by a table, for tests of filterd."""
import socket
import struct
import threading

import dnslib

(NO_RCPT, NO_DATA, NO_UNKNOWN, LEADING_SPACE) = (0x08, 0x200, 0x100, 0x100000)
ALL = 0x1FFFFF
NO_REPLY = {"C": 0x1000, "H": 0x2000, "M": 0x4000, "R": 0x8000, "T": 0x10000, "L": 0x80, "N": 0x40000, "B": 0x80000}


class Answer:
    """What came at the end of a message."""

    def __init__(self):
        self.inserted = []  # (index, name, value)
        self.changed = []  # (index, name, value)
        self.verdict = None
        self.text = ""

    def header(self, name):
        """The one inserted header of that name, unfolded."""
        found = self.headers(name)
        assert len(found) == 1, (name, self.inserted)
        return found[0]

    def headers(self, name):
        return [" ".join(v.split()) for _, n, v in self.inserted if n.lower() == name.lower()]


class Mta:
    """One milter connection."""

    def __init__(self, path, protocol=ALL, changes=0x1FF):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(str(path))
        self.file = self.sock.makefile("rb")
        self.packet("O", struct.pack(">III", 6, changes, protocol))
        command, data = self.receive()
        assert command == "O"
        self.version, self.changes, self.protocol = struct.unpack(">III", data[:12])

    def close(self):
        self.file.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def packet(self, command, data=b""):
        self.sock.sendall(struct.pack(">I", len(data) + 1) + command.encode() + data)

    def receive(self):
        head = self.file.read(4)
        if len(head) < 4:
            raise EOFError("the filter closed the connection")
        body = self.file.read(struct.unpack(">I", head)[0])
        return chr(body[0]), body[1:]

    def command(self, command, data=b""):
        """Sends it and waits for the reply where one is due."""
        self.packet(command, data)
        if not self.protocol & NO_REPLY[command]:
            reply, _ = self.receive()
            assert reply == "c", reply

    def macros(self, command, **macros):
        data = b"".join(k.encode() + b"\0" + v.encode() + b"\0" for k, v in macros.items())
        self.packet("D", command.encode() + data)

    def connect(self, address="192.0.2.1", helo="client.example", name="client.example"):
        family = b"6" if ":" in address else b"4"
        self.command("C", name.encode() + b"\0" + family + struct.pack(">H", 1025) + address.encode() + b"\0")
        self.command("H", helo.encode() + b"\0")

    def mail(self, sender, user=None):
        self.macros("M", i="Q1", **({"{auth_authen}": user, "{auth_type}": "PLAIN"} if user else {}))
        self.command("M", b"<" + sender.encode("latin-1") + b">\0")

    def body(self, header, body, chunk=65535):
        """header: list of (name, value as behind the colon)."""
        for name, value in header:
            if not self.protocol & LEADING_SPACE:
                value = value.lstrip(" ")
            self.command("L", name.encode() + b"\0" + value.replace("\r\n", "\n").encode("latin-1") + b"\0")
        self.command("N")
        for i in range(0, len(body), chunk):
            self.command("B", body[i:i + chunk])

    def end(self):
        self.packet("E")
        return self.answer()

    def answer(self):
        answer = Answer()
        while answer.verdict is None:
            command, data = self.receive()
            if command in "im":
                index = struct.unpack(">I", data[:4])[0]
                name, value = data[4:].split(b"\0")[:2]
                (answer.inserted if command == "i" else answer.changed).append((index, name.decode(), value.decode("latin-1")))
            elif command != "p":
                answer.verdict, answer.text = command, data.rstrip(b"\0").decode("latin-1")
        return answer

    def send(self, message, sender="a@sender.example", user=None, chunk=65535):
        """A whole message (bytes, CRLF) of the client that is connected."""
        header, body = split(message)
        self.mail(sender, user)
        self.body(header, body, chunk)
        return self.end()


def split(message):
    head, _, body = message.partition(b"\r\n\r\n")
    lines = []
    for line in head.decode("latin-1").split("\r\n"):
        if line[:1] in (" ", "\t") and lines:
            lines[-1] += "\r\n" + line
        elif line:
            lines.append(line)
    return [tuple(line.split(":", 1)) for line in lines], body


def applied(message, answer, leading_space=True):
    """The message with the filter's changes, as an MTA makes them."""
    header, body = split(message)
    for index, name, value in answer.changed:
        at = [i for i, (n, _) in enumerate(header) if n.lower() == name.lower()][index - 1]
        assert value == ""
        del header[at]
    for index, name, value in answer.inserted:
        header.insert(index, (name, ("" if leading_space else " ") + value.replace("\n", "\r\n")))
    text = "".join(f"{n}:{v}\r\n" for n, v in header)
    return text.encode("latin-1") + b"\r\n" + body


class Dnsd(dnslib.Server):
    """dnsd's socket, answered from a table {(name, type): [value, ...]}. A value of TIMEOUT for the type gives SERVFAIL."""

    TIMEOUT = "timeout"

    def __init__(self, path, records):  # pylint: disable=super-init-not-called
        self.records = {(n.lower().rstrip("."), t): v for (n, t), v in records.items()}
        self.asked = []
        self.path = str(path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def add(self, name, qtype, values):
        self.records[(name.lower().rstrip("."), qtype)] = values

    def accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve_one, args=(s,), daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()

    def answer(self, msg):
        qname, at = dnslib.read_name(msg, 12)
        qtype = struct.unpack_from(">H", msg, at)[0]
        owner = qname
        while (owner, dnslib.CNAME) in self.records:
            owner = self.records[(owner, dnslib.CNAME)][0].lower()
        if self.records.get((owner, qtype)) == self.TIMEOUT:
            self.asked.append((qname, qtype))
            return msg[:2] + struct.pack(">5H", 0x8182, 1, 0, 0, 0) + msg[12:at + 4]
        return super().answer(msg)
