# SPDX-License-Identifier: Apache-2.0
"""A stack under test: its mailstack.json, the program, and what its fake daemons say (fake_daemon.c)."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "oci"))

from ocilib import read_until  # noqa: E402,F401

SERVICES = ["authd", "dnsd", "lmtpd", "imapd", "pop3d", "filterd", "queued", "smtpd", "frontd"]
# Who to ask: the services without a port by a unix socket of theirs.
SOCKETS = {"authd": ("auth.sock", socket.SOCK_STREAM), "dnsd": ("dnsd.sock", socket.SOCK_STREAM),
           "lmtpd": ("lmtpd.sock", socket.SOCK_STREAM), "imapd": ("imapd.sock", socket.SOCK_SEQPACKET),
           "pop3d": ("pop3d.sock", socket.SOCK_SEQPACKET), "filterd": ("filterd.sock", socket.SOCK_STREAM),
           "queued": ("queued.sock", socket.SOCK_STREAM)}
PORT_OF = {"smtpd": "smtp", "frontd": "imap"}
HASH = "$y$j9T$3z2GIG.eiemUBfUIOH.k3/$/fB/pGUkQdjcTv/WRDEs2HYkhc87ePwiAn.S0cqQCt6"


class Stack:
    def __init__(self, directory, program, images, ports):
        self.dir = directory
        self.program = str(program)
        self.env = {**os.environ, "MAILBOX_RUN_IMAGES": str(images)}
        self.prefix = "mr" + directory.name[-8:].replace("-", "x").replace("_", "x")
        self.file = directory / f"{self.prefix}.json"
        self.ports = dict(zip(("smtp", "imap", "pop3"), ports))
        self.config = {
            "hostname": "mail.example.org",
            "domains": {"example.org": {"aliases": {"sales": ["alice"]}, "dkim": [{"selector": "s1", "algorithm": "ed25519"}]}},
            "listen": {name: [f"127.0.0.1:{port}"] for name, port in self.ports.items()},
            "storage": str(directory / "data"),
        }
        self.write()
        self.accounts({"alice@example.org": {"password": HASH}})

    def write(self):
        self.file.write_text(json.dumps(self.config))

    def accounts(self, value):
        new = self.dir / "accounts.new"
        new.write_text(json.dumps(value))
        new.rename(self.dir / "accounts.json")

    def call(self, verb, *args, check=True, **more):
        r = subprocess.run([self.program, verb, *args], capture_output=True, text=True, env=self.env, timeout=60, check=False, **more)
        assert not check or r.returncode == 0, (verb, r.returncode, r.stdout, r.stderr)
        return r

    def up(self, check=True):
        return self.call("up", "-d", str(self.file), check=check)

    def down(self):
        return self.call("down", str(self.file))

    def status(self):
        return json.loads(self.call("status", "--json", str(self.file)).stdout)

    def services(self):
        return {s["name"]: s for s in self.status()["services"]}

    def pids(self):
        return {name: s["pid"] for name, s in self.services().items()}

    def run_dir(self):
        found = [p for p in os.listdir("/run/mailbox-run") if p.startswith(f".{self.prefix}-")]
        assert len(found) == 1, found
        return os.path.join("/run/mailbox-run", found[0])

    def ask(self, service, line):
        """The answer of a fake daemon; a connection waits in the backlog while it is being restarted."""
        if service in PORT_OF:
            s = socket.create_connection(("127.0.0.1", self.ports[PORT_OF[service]]), timeout=20)
        else:
            name, kind = SOCKETS[service]
            s = socket.socket(socket.AF_UNIX, kind)
            s.settimeout(20)
            s.connect(os.path.join(self.run_dir(), "sock", name))
        with s:
            s.sendall(line.encode() + b"\n")
            answer = b""
            try:
                while chunk := s.recv(65536):
                    answer += chunk
            except ConnectionResetError:
                pass
        return answer.decode().rstrip("\n")

    def wait(self, claim, seconds=10):
        """Until claim(services) holds; the services are returned."""
        end = time.monotonic() + seconds
        while True:
            now = self.services()
            if claim(now):
                return now
            assert time.monotonic() < end, now
            time.sleep(0.02)

    def all_up(self, seconds=10):
        return self.wait(lambda s: all(v["state"] == "up" for v in s.values()), seconds)

    def log(self):
        path = self.dir / "data" / "log" / "mailstack.log"
        return path.read_text() if path.exists() else ""

    def kill_supervisor(self):
        os.kill(self.status()["pid"], signal.SIGKILL)


def alive(pids):
    """Those that are there and no zombie: whose parent was killed is reaped by process 1 when it likes."""
    found = []
    for pid in pids:
        try:
            state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        found += [pid] if state not in "ZX" else []
    return found
