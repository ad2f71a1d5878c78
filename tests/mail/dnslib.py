# SPDX-License-Identifier: Apache-2.0
"""DNS for tests: just enough of the wire format, a server with a few records, a client over dnsd's socket."""
import socket
import struct
import threading

A, NS, CNAME, SOA, PTR, MX, TXT, AAAA, OPT, DS, RRSIG, DNSKEY = 1, 2, 5, 6, 12, 15, 16, 28, 41, 43, 46, 48
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)


def name(text):
    return b"".join(bytes([len(p)]) + p.encode() for p in text.rstrip(".").split(".") if p) + b"\0"


def read_name(msg, at):
    labels, end = [], None
    while msg[at]:
        if msg[at] & 0xC0:
            end = end or at + 2
            at = struct.unpack_from(">H", msg, at)[0] & 0x3FFF
        else:
            labels.append(msg[at + 1:at + 1 + msg[at]].decode())
            at += 1 + msg[at]
    return ".".join(labels).lower(), end or at + 1


def query(qid, qname, qtype, flags=0x0100, qclass=1):
    return struct.pack(">6H", qid, flags, 1, 0, 0, 0) + name(qname) + struct.pack(">HH", qtype, qclass)


def rdata(qtype, value):
    if qtype == A:
        return socket.inet_aton(value)
    if qtype == AAAA:
        return socket.inet_pton(socket.AF_INET6, value)
    if qtype == MX:
        return struct.pack(">H", value[0]) + name(value[1])
    if qtype == TXT:
        raw = value.encode("latin-1")
        parts = [raw[i:i + 255] for i in range(0, len(raw), 255)]
        return b"".join(bytes([len(p)]) + p for p in parts)
    if qtype in (CNAME, PTR, NS):
        return name(value)
    return value  # raw


def record(owner, qtype, value, ttl=60):
    data = rdata(qtype, value)
    return name(owner) + struct.pack(">HHIH", qtype, 1, ttl, len(data)) + data


SOA_DATA = name("ns.test") + name("root.test") + struct.pack(">5I", 1, 3600, 600, 86400, 60)


class Server:
    """Answers over UDP and TCP on host:port. records: {(name, type): [value, ...]}; a value for a name that is a
    callable is called with the query and returns the whole message, or None for silence."""

    def __init__(self, port, records, host="127.0.0.1"):
        self.records = {(n.lower().rstrip("."), t): v for (n, t), v in records.items()}
        self.asked = []
        self.closed = False
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((host, port))
        self.tcp = socket.create_server((host, port))
        self.threads = [threading.Thread(target=f, daemon=True) for f in (self.serve_udp, self.serve_tcp)]
        for t in self.threads:
            t.start()

    def close(self):
        """The threads leave their waits, so that the port is free again."""
        self.closed = True
        self.tcp.shutdown(socket.SHUT_RDWR)
        self.udp.sendto(b"", self.udp.getsockname())  # from itself: it may be in a network namespace
        for t in self.threads:
            t.join()
        self.udp.close()
        self.tcp.close()

    def answer(self, msg):
        qid, flags = struct.unpack_from(">HH", msg)
        qname, at = read_name(msg, 12)
        qtype = struct.unpack_from(">H", msg, at)[0]
        self.asked.append((qname, qtype))
        found, owner = [], qname
        while (owner, CNAME) in self.records and qtype != CNAME:
            target = self.records[(owner, CNAME)][0]
            found.append(record(owner, CNAME, target))
            owner = target.lower()
        values = self.records.get((owner, qtype), [])
        if callable(values):
            return values(msg)
        found += [record(owner, qtype, v) for v in values]
        exists = any(n == owner or n.endswith("." + owner) or owner == "" for n, _ in self.records)
        authority = [] if values else [record("test" if owner.endswith("test") else "", SOA, SOA_DATA)]
        rcode = NOERROR if exists else NXDOMAIN
        head = struct.pack(">6H", qid, 0x8480 | (flags & 0x0100) | rcode, 1, len(found), len(authority), 0)
        return head + msg[12:at + 4] + b"".join(found + authority)

    def serve_udp(self):
        while True:
            try:
                msg, peer = self.udp.recvfrom(4096)
                if self.closed:
                    return
                reply = self.answer(msg)
                if reply is not None:
                    if len(reply) > 1232:  # truncated: ask over TCP
                        reply = reply[:2] + struct.pack(">H", struct.unpack_from(">H", reply, 2)[0] | 0x0200) + msg[4:6] + bytes(6) + msg[12:]
                        at = read_name(reply, 12)[1] + 4
                        reply = reply[:at]
                    self.udp.sendto(reply, peer)
            except OSError:
                return

    def serve_tcp(self):
        while True:
            try:
                s, _ = self.tcp.accept()
            except OSError:
                return
            threading.Thread(target=self.serve_one, args=(s,), daemon=True).start()

    def serve_one(self, s):
        with s, s.makefile("rb") as f:
            while True:
                head = f.read(2)
                if len(head) < 2:
                    return
                reply = self.answer(f.read(struct.unpack(">H", head)[0]))
                if reply is not None:
                    s.sendall(struct.pack(">H", len(reply)) + reply)


class Answer:
    def __init__(self, msg):
        self.raw = msg
        self.id, self.flags, qd, an, _, _ = struct.unpack_from(">6H", msg)
        self.rcode, self.ad, self.qr = self.flags & 15, bool(self.flags & 0x20), bool(self.flags & 0x8000)
        at = 12
        self.question = None
        for _ in range(qd):
            self.question, at = read_name(msg, at)
            self.question_type = struct.unpack_from(">H", msg, at)[0]
            at += 4
        self.records = []
        for _ in range(an):
            owner, at = read_name(msg, at)
            rtype, _, ttl, n = struct.unpack_from(">HHIH", msg, at)
            at += 10
            self.records.append((owner, rtype, ttl, self.value(msg, at, rtype, n)))
            at += n

    @staticmethod
    def value(msg, at, rtype, n):
        data = msg[at:at + n]
        if rtype == A:
            return socket.inet_ntoa(data)
        if rtype == AAAA:
            return socket.inet_ntop(socket.AF_INET6, data)
        if rtype == MX:
            return struct.unpack(">H", data[:2])[0], read_name(msg, at + 2)[0]
        if rtype in (CNAME, PTR, NS):
            return read_name(msg, at)[0]
        if rtype == TXT:
            out, i = b"", 0
            while i < n:
                out += data[i + 1:i + 1 + data[i]]
                i += 1 + data[i]
            return out.decode()
        return data

    def values(self, rtype):
        return [v for _, t, _, v in self.records if t == rtype]


def send(sock, msg):
    sock.sendall(struct.pack(">H", len(msg)) + msg)


def receive(f):
    head = f.read(2)
    if len(head) < 2:
        return None
    return Answer(f.read(struct.unpack(">H", head)[0]))


def ask(sock, qname, qtype, qid=7):
    send(sock, query(qid, qname, qtype))
    with sock.makefile("rb") as f:
        return receive(f)
