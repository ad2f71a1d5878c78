#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
stack.py BUILD [--rounds N] [--messages N] - what the mail stack costs, beside Postfix with Dovecot

Starts, idle memory, and messages a second into Maildirs with flushes, both servers in turn in one run, medians of the
rounds. Both filter nothing but what they filter by default; Postfix delivers by LMTP to Dovecot. A message counts when
it is in its Maildir. CPU time is that of all processes of a server, its start taken off. Needs root; without Postfix and
Dovecot ours is measured alone.
"""
import argparse
import json
import os
import pathlib
import pwd
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "mail"))

from dnslib import Server

USERS = [f"user{i}@example.org" for i in range(8)]
SIZE, CONNECTIONS = 4096, 16
CLOCK = os.sysconf("SC_CLK_TCK")


def free_ports(n):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def descendants(pid):
    found = [pid]
    for p in found:
        try:
            for task in pathlib.Path(f"/proc/{p}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except OSError:
            pass
    return found


def pss(pids):
    total = 0
    for pid in pids:
        try:
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total / 1024


def cpu(pid):
    """Seconds that a process and all below it have used, those that ended and were waited for too."""
    total = 0
    for p in descendants(pid):
        try:
            fields = pathlib.Path(f"/proc/{p}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15]))
    return total / CLOCK


def wait_for(claim, what, seconds=30):
    end = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > end:
            sys.exit(f"stack.py: {what}: not within {seconds} s")
        time.sleep(0.002)


def answers(port, greeting):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as s:
            return s.recv(64).startswith(greeting)
    except OSError:
        return False


class Ours:
    name = "mailbox-run"

    def __init__(self, work, build):
        self.work, self.program = work, build / "mailbox-run"
        names = ("smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s")
        *ports, dns = free_ports(8)
        self.ports = dict(zip(names, ports))
        self.dns = Server(dns, {})  # knows no name: SPF, DKIM and DMARC are looked for, and not found
        self.file = work / "mailstack.json"
        self.file.write_text(json.dumps({
            "hostname": "mail.example.org", "domains": {"example.org": {}}, "storage": str(work / "data"),
            "dns": {"servers": [f"127.0.0.1:{dns}"], "dnssec": False, "network": "host"},
            "listen": {n: [f"127.0.0.1:{p}"] for n, p in self.ports.items()},
        }))
        locked = {"password": "!"}
        (work / "accounts.json").write_text(json.dumps({u: locked for u in USERS}))
        self.pid = 0

    def call(self, *args):
        return subprocess.run([self.program, *args, self.file], check=True, capture_output=True, text=True).stdout

    def up(self):
        began = time.monotonic()
        self.call("up", "-d")
        took = time.monotonic() - began
        self.pid = json.loads(self.call("status", "--json"))["pid"]
        return took

    def down(self):
        began = time.monotonic()
        self.call("down")
        return time.monotonic() - began

    def pids(self):
        return descendants(self.pid)

    def cpu(self):
        return cpu(self.pid)

    def maildir(self, user):
        local, _, domain = user.partition("@")
        return self.work / "data" / "mail" / domain / local


class Peers:
    """Postfix and Dovecot, with queue, configuration and mail in a directory of the benchmark's."""

    name = "Postfix + Dovecot"

    def __init__(self, work):
        self.work = work
        self.ports = dict(zip(("smtp", "imap"), free_ports(2)))
        work.chmod(0o755)
        self.mail = work / "mail"
        self.mail.mkdir()
        shutil.chown(self.mail, "mail", "mail")
        self.users = work / "users"
        uid, gid = pwd.getpwnam("mail").pw_uid, pwd.getpwnam("mail").pw_gid
        self.users.write_text("".join(f"{u}:{{PLAIN}}x:{uid}:{gid}::{self.mail}/{u}::\n" for u in USERS))
        self.postfix, self.dovecot = work / "postfix", work / "dovecot.conf"
        self.configure_postfix()
        self.configure_dovecot()
        self.processes = []

    def configure_postfix(self):
        (self.postfix / "etc").mkdir(parents=True)
        (self.postfix / "queue").mkdir()
        (self.postfix / "data").mkdir()
        shutil.chown(self.postfix / "data", "postfix")
        (self.postfix / "etc" / "main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {self.postfix}/queue
data_directory = {self.postfix}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.example.org
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = example.org
virtual_mailbox_maps = inline:{{ {", ".join(f"{u}=x" for u in USERS)} }}
virtual_transport = lmtp:unix:{self.work}/lmtp
smtpd_peername_lookup = no
smtpd_relay_restrictions = reject_unauth_destination
smtpd_client_connection_count_limit = 0
maillog_file = {self.postfix}/data/log
maillog_file_prefixes = {self.work}
""")
        services = """
smtp      inet  n       -       n       -       -       smtpd
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
lmtp      unix  -       -       n       -       -       lmtp
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
"""
        (self.postfix / "etc" / "master.cf").write_text(services.replace("smtp      inet", f"127.0.0.1:{self.ports['smtp']} inet"))

    def configure_dovecot(self):
        self.dovecot.write_text(f"""
base_dir = {self.work}/run
state_dir = {self.work}/state
protocols = imap lmtp
listen = 127.0.0.1
log_path = {self.work}/dovecot.log
ssl = no
disable_plaintext_auth = no
mail_location = maildir:~/
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
default_internal_user = dovecot
default_login_user = dovenull
passdb {{
  driver = passwd-file
  args = {self.users}
}}
userdb {{
  driver = passwd-file
  args = {self.users}
}}
service imap-login {{
  inet_listener imap {{
    port = {self.ports['imap']}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  unix_listener {self.work}/lmtp {{
    mode = 0666
  }}
}}
protocol lmtp {{
  auth_username_format = %Lu
}}
lmtp_save_to_detail_mailbox = no
""")

    def up(self):
        began = time.monotonic()
        with open(self.work / "out", "ab") as out:
            self.processes = [subprocess.Popen(["dovecot", "-F", "-c", self.dovecot], stdout=out, stderr=out),
                              subprocess.Popen(["postfix", "-c", self.postfix / "etc", "start-fg"], stdout=out, stderr=out)]
        wait_for(lambda: answers(self.ports["smtp"], b"220"), "Postfix")
        wait_for(lambda: answers(self.ports["imap"], b"* OK"), "Dovecot")
        return time.monotonic() - began

    def down(self):
        began = time.monotonic()
        subprocess.run(["postfix", "-c", self.postfix / "etc", "stop"], capture_output=True, check=False)
        self.processes[0].send_signal(signal.SIGTERM)
        for p in self.processes:
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        return time.monotonic() - began

    def pids(self):
        return [p for d in self.processes for p in descendants(d.pid)]

    def cpu(self):
        return sum(cpu(p.pid) for p in self.processes)

    def maildir(self, user):
        return self.mail / user


def count(server):
    """Messages in all Maildirs."""
    n = 0
    for user in USERS:
        for sub in ("new", "cur"):
            try:
                n += len(os.listdir(server.maildir(user) / sub))
            except OSError:
                pass
    return n


def load(server, build, messages):
    """Messages a second until all are in Maildirs, and milliseconds of CPU a message."""
    before, used = count(server), server.cpu()
    began = time.monotonic()
    r = subprocess.run([build / "bench/smtpload", "127.0.0.1", str(server.ports["smtp"]), str(CONNECTIONS), str(messages), str(SIZE),
                        *USERS], capture_output=True, text=True, check=False, timeout=300)
    if r.returncode != 0:
        sys.exit(f"stack.py: {server.name}: {r.stdout}{r.stderr}")
    accepted = time.monotonic() - began
    wait_for(lambda: count(server) - before >= messages, f"{server.name}: {messages} messages", 120)
    took = time.monotonic() - began
    return messages / took, (server.cpu() - used) / messages * 1000, messages / accepted


def median(values):
    return statistics.median(values)


def measure(servers, build, args):
    figures = {s.name: {k: [] for k in ("up", "idle", "rate", "cpu", "down")} for s in servers}
    for s in servers:
        figures[s.name]["cold"] = s.up()
        s.down()
    for _ in range(args.rounds):
        for s in servers:
            f = figures[s.name]
            f["up"].append(s.up())
            time.sleep(2)
            f["idle"].append(pss(s.pids()))
            rate, used, _ = load(s, build, args.messages)
            f["rate"].append(rate)
            f["cpu"].append(used)
            f["down"].append(s.down())
    return figures


ROWS = (("up, the first time (s)", lambda f: f["cold"], "{:.2f}"), ("up, later (s)", lambda f: median(f["up"]), "{:.2f}"),
        ("down (s)", lambda f: median(f["down"]), "{:.2f}"), ("memory idle, sum of PSS (MB)", lambda f: median(f["idle"]), "{:.1f}"),
        ("messages a second", lambda f: median(f["rate"]), "{:.0f}"), ("CPU a message (ms)", lambda f: median(f["cpu"]), "{:.2f}"))


def show(figures, args):
    print(f"\nmail stack: {args.rounds} rounds, {args.messages} messages of {SIZE} bytes over {CONNECTIONS} connections to {len(USERS)} users\n")
    print(f"{'':32}" + "".join(f"{name:>20}" for name in figures) + ("       theirs / ours" if len(figures) > 1 else ""))
    for label, get, form in ROWS:
        values = [get(f) for f in figures.values()]
        ratio = f"{values[1] / values[0]:20.2f}" if len(values) > 1 and values[0] else ""
        print(f"{label:32}" + "".join(f"{form.format(v):>20}" for v in values) + ratio)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("build", type=pathlib.Path, default=TOP / "build", nargs="?")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=2000)
    args = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("stack.py: needs root")
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    build = args.build.resolve()
    work = pathlib.Path(tempfile.mkdtemp(prefix="mr-bench-", dir="/var/tmp"))
    work.chmod(0o755)
    try:
        (work / "ours").mkdir()
        servers = [Ours(work / "ours", build)]
        if shutil.which("postfix") and shutil.which("dovecot"):
            (work / "peers").mkdir()
            servers.append(Peers(work / "peers"))
        show(measure(servers, build, args), args)
    finally:
        for s in servers:
            if s.name == "mailbox-run":
                subprocess.run([build / "mailbox-run", "down", s.file], capture_output=True, check=False)
            elif s.processes:
                s.down()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
