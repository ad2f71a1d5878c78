# SPDX-License-Identifier: Apache-2.0
"""queued on a full disk: a message is refused for now and leaves nothing; what was sent is not sent again although it could not be
written down."""
import os
import subprocess
import time

import pytest

from queuelib import Queue, wait_for
from remotelib import Remote

PAGE = 4096


@pytest.fixture
def q(need_root, short_dir, free_ports):
    """A queue whose spool is a file system of 1 MiB."""
    q = Queue(short_dir, free_ports, start=False, retry={"first_s": 3600, "max_s": 3600, "give_up_s": 99999})
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M,mode=0700", "tmpfs", q.spool], check=True, timeout=20)
    try:
        q.queued.start()
        q.add_mx("far.test", (10, "mx.far.test", "127.0.0.2"))
        yield q
    finally:
        print(q.queued.log())
        q.close()
        subprocess.run(["umount", q.spool], check=True, timeout=20)


def fill(q):
    filler = q.spool / "filler"
    fd = os.open(filler, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        while True:
            os.write(fd, b"x" * PAGE)
    except OSError:
        pass
    finally:
        os.close(fd)
    return filler


def test_a_message_that_does_not_fit_is_refused_for_now(q):
    with Remote(q.port, "127.0.0.2", hook=lambda v, *_: "450 later" if v == "RCPT" else None):
        with q.lmtp() as c:
            c.begin("a@home.test", ["b@far.test", "c@far.test"])
            assert [r[:9] for r in c.finish(b"Subject: big\r\n\r\n" + b"y" * (2 << 20) + b"\r\n", 2)] == ["452 4.3.1"] * 2
            assert q.files() == [] and list((q.spool / "tmp").iterdir()) == []
            c.send("a@home.test", ["b@far.test"])  # a small one fits
        filler = fill(q)
        with q.lmtp() as c:
            c.expect("MAIL FROM:<a@home.test>", "250")
            c.expect("RCPT TO:<b@far.test>", "250")
            said = c.ask("DATA")[-1]  # whether the directory had room for the name depends on the file system
            assert said[:3] in ("354", "452")
            if said[:3] == "354":
                assert c.finish(b"Subject: x\r\n\r\n" + b"y" * PAGE + b"\r\n", 1)[0].startswith("452")
            filler.unlink()
            c.send("a@home.test", ["b@far.test"])
        assert len(q.files()) == 2


def test_what_was_sent_and_not_written_down_is_not_sent_again(q):
    with Remote(q.port, "127.0.0.2", hook=lambda v, line, _: "450 later" if "<slow@" in line else None) as r:
        first = q.send("a@home.test", ["fast@far.test", "slow@far.test"], "Subject: x\r\n\r\n\r\n")
        wait_for(lambda: q.list()[0]["recipients"][0]["state"] == "relayed")
        _, head_n, message_n, _ = (q.spool / "msg" / first).read_bytes()[:46].split()
        size = int(head_n) + int(message_n)
        q.control(f"rm {first}")
        # The next one ends with a page, so that its records need another.
        body = "Subject: x\r\n\r\n" + "y" * (PAGE - size % PAGE) + "\r\n"
        filler = []

        def hook(verb, line, _session):
            if verb == "END" and not filler:
                filler.append(fill(q))
            return "450 later" if "<slow@" in line else None

        r.hook = hook
        q.send("a@home.test", ["fast@far.test", "slow@far.test"], body)
        q.queued.wait_log("queue.write")
        assert q.list()[0]["recipients"][0]["state"] == "relayed"
        q.control("flush")
        time.sleep(0.3)
        filler[0].unlink()
        r.hook = None
        q.control("flush")
        wait_for(lambda: not q.list())
        assert [a for m in r.messages for a, _ in m.rcpts].count("fast@far.test") == 2  # one of each message
