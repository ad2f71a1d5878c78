# SPDX-License-Identifier: Apache-2.0
"""kill -9 of lmtpd's workers, and of users' imapd processes, under load: a 250 is kept, no UID is given twice."""
import os
import random
import re
import signal
import smtplib
import threading
import time

SECONDS = 4
SENDERS = 4


def children(pid):
    found = []
    for p in os.listdir("/proc"):
        if not p.isdigit():
            continue
        try:
            with open(f"/proc/{p}/stat", encoding="ascii", errors="replace") as f:
                if int(f.read().rsplit(")", 1)[1].split()[1]) == pid:
                    found.append(int(p))
        except OSError:
            pass
    return found


class Sender(threading.Thread):
    """Sends until told to stop; remembers what was acknowledged, and what may have been."""

    def __init__(self, stack, number, stop):
        super().__init__()
        self.stack, self.number, self.stop = stack, number, stop
        self.acknowledged, self.unknown = [], []

    def run(self):
        n = 0
        while not self.stop.is_set():
            try:
                with smtplib.LMTP(self.stack.path("lmtpd"), timeout=10) as lmtp:
                    while not self.stop.is_set():
                        n += 1
                        self.send(lmtp, f"{self.number}-{n}")
            except (OSError, smtplib.SMTPException):
                time.sleep(0.01)

    def send(self, lmtp, name):
        text = f"Subject: {name}\r\n\r\n" + "x" * random.randrange(20000) + "\r\n"
        self.unknown.append(name)
        lmtp.sendmail("bob@else.example", ["alice@example.org"], text)
        self.unknown.pop()
        self.acknowledged.append(name)


def stored(home):
    files = [p for sub in ("new", "cur") for p in (home / sub).iterdir()]
    return {re.search(rb"Subject: (\S+)\n", p.read_bytes()).group(1).decode(): p.name for p in files}, files


def test_what_was_acknowledged_is_there_and_uids_are_unique(mailstack):
    stop = threading.Event()
    senders = [Sender(mailstack, i, stop) for i in range(SENDERS)]
    for s in senders:
        s.start()
    end = time.monotonic() + SECONDS
    kills = 0
    while time.monotonic() < end:
        time.sleep(random.uniform(0.05, 0.2))
        workers = children(mailstack.processes["lmtpd"].pid)
        if workers:
            os.kill(random.choice(workers), signal.SIGKILL)
            kills += 1
    stop.set()
    for s in senders:
        s.join()
    names, files = stored(mailstack.home())
    acknowledged = [n for s in senders for n in s.acknowledged]
    assert kills > 10 and len(acknowledged) > 50
    assert not [n for n in acknowledged if n not in names]
    unknown = {n for s in senders for n in s.unknown}
    assert set(names) <= set(acknowledged) | unknown  # nothing else, nothing half written
    uids = [re.search(r",U=(\d+),", p.name).group(1) for p in files]
    assert len(set(uids)) == len(uids) == len(names)
    m = mailstack.imap()
    assert m.select()[1] == [b"%d" % len(files)]
    m.logout()


def session(mailstack):
    """A session of alice's; one that was handed to her process in its last moment ended with it."""
    try:
        return mailstack.raw()
    except AssertionError:
        return mailstack.raw()


def test_a_killed_user_process_costs_its_sessions_and_nothing_else(mailstack):
    for i in range(10):
        mailstack.deliver(message=b"Subject: %d-0\r\n\r\nx\r\n" % i)
    for _ in range(10):
        r = session(mailstack)
        other = mailstack.raw(user="bob@example.org")
        r.cmd("SELECT INBOX")
        mine = [p for p in children(mailstack.processes["imapd"].pid)
                if any(os.readlink(f"/proc/{p}/fd/{fd}").endswith("/alice") for fd in os.listdir(f"/proc/{p}/fd"))]
        r.send(b"a STORE 1:* +FLAGS (\\Seen)\r\nb STORE 1:* -FLAGS (\\Seen)\r\n")
        time.sleep(random.uniform(0, 0.003))
        os.kill(mine[0], signal.SIGKILL)
        assert other.cmd("NOOP")[1].startswith(b"OK")
        other.close()
        r.close()
    names, files = stored(mailstack.home())
    assert len(files) == 10
    r = session(mailstack)
    lines, last = r.cmd("SELECT INBOX")
    assert b"* 10 EXISTS" in lines and last.startswith(b"OK")
    r.close()
