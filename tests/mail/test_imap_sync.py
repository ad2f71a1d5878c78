# SPDX-License-Identifier: Apache-2.0
"""What one session does and the others are told, and when (RFC 3501, 5.2 and 7.4.1; RFC 2177)."""
import time

MESSAGE = b"Subject: x\r\n\r\nbody\r\n"


def two(mailstack, n=3):
    for _ in range(n):
        mailstack.deliver(message=MESSAGE)
    a, b = mailstack.raw(), mailstack.raw()
    a.cmd("SELECT INBOX")
    b.cmd("SELECT INBOX")
    return a, b


def test_flags_are_told_at_the_next_command(mailstack):
    a, b = two(mailstack)
    a.cmd("STORE 2 +FLAGS (\\Seen)")
    assert b.cmd("NOOP")[0] == [b"* 2 FETCH (FLAGS (\\Seen))"]
    assert b.cmd("NOOP")[0] == []
    a.cmd("STORE 3 +FLAGS (kw)")
    lines = b.cmd("NOOP")[0]
    assert b"* 3 FETCH (FLAGS (kw))" in lines
    assert any(line.startswith(b"* FLAGS (") and b"kw" in line for line in lines)


def test_expunge_waits_while_sequence_numbers_are_in_use(mailstack):
    a, b = two(mailstack)
    a.cmd("STORE 1 +FLAGS (\\Deleted)")
    a.cmd("EXPUNGE")
    assert b.cmd("FETCH 3 UID")[0][0] == b"* 3 FETCH (UID 3)"
    lines, last = b.cmd("FETCH 1 BODY.PEEK[]")
    assert lines == [] and last.startswith(b"NO [EXPUNGEISSUED]")
    assert b.cmd("STORE 2 +FLAGS (\\Seen)")[0] == [b"* 2 FETCH (FLAGS (\\Seen))"]
    assert b.cmd("SEARCH ALL")[0] == [b"* SEARCH 2 3"]
    assert b.cmd("UID FETCH 2 FLAGS")[0] == [b"* 2 FETCH (FLAGS (\\Seen) UID 2)", b"* 1 EXPUNGE"]
    assert b.cmd("FETCH 1 UID")[0] == [b"* 1 FETCH (UID 2)"]


def test_a_delivery_is_told_as_exists_and_recent_to_one(mailstack):
    a, b = two(mailstack, 1)
    mailstack.deliver(message=MESSAGE)
    assert a.cmd("NOOP")[0] == [b"* 2 EXISTS", b"* 1 RECENT"] or a.n
    assert b.cmd("NOOP")[0] == [b"* 2 EXISTS"]


def test_idle_is_told_at_once(mailstack):
    a, b = two(mailstack, 1)
    b.send(b"i IDLE\r\n")
    assert b.line() == b"+ idling\r\n"
    began = time.monotonic()
    a.cmd("STORE 1 +FLAGS (\\Flagged)")
    assert b.line() == b"* 1 FETCH (FLAGS (\\Flagged))\r\n"
    mailstack.deliver(message=MESSAGE)
    assert b.line() == b"* 2 EXISTS\r\n"
    assert b.line() == b"* 1 RECENT\r\n"
    a.cmd("STORE 1 +FLAGS (\\Deleted)")
    a.cmd("EXPUNGE")
    assert b.line() == b"* 1 FETCH (FLAGS (\\Flagged \\Deleted))\r\n"
    assert b.line() == b"* 1 EXPUNGE\r\n"
    assert time.monotonic() - began < 3
    b.send(b"DONE\r\n")
    assert b.line() == b"i OK idle is over\r\n"
    b.send(b"j IDLE\r\nDONE\r\nk NOOP\r\n")
    assert b.until(b"k")[0] == [b"+ idling", b"j OK idle is over"]


def test_idle_sees_what_other_programs_do(mailstack):
    a, b = two(mailstack, 1)
    b.send(b"i IDLE\r\n")
    b.line()
    (mailstack.home() / "new" / "1234.other.host").write_bytes(b"Subject: y\n\nz\n")
    assert b.line() == b"* 2 EXISTS\r\n"
    b.line()
    [one] = [p for p in (mailstack.home() / "cur").iterdir() if "1234.other" in p.name]
    one.rename(one.with_name(one.name + "S"))
    assert b.line() == b"* 2 FETCH (FLAGS (\\Seen \\Recent))\r\n"
    [one] = [p for p in (mailstack.home() / "cur").iterdir() if "1234.other" in p.name]
    one.unlink()
    assert b.line() == b"* 2 EXPUNGE\r\n"


def test_a_pop3_deletion_is_told(mailstack):
    a, b = two(mailstack, 2)
    p = mailstack.pop3()
    p.dele(1)
    p.quit()
    assert a.cmd("NOOP")[0] == [b"* 1 EXPUNGE"]


def test_a_deleted_folder_does_not_break_its_sessions(mailstack):
    a, b = mailstack.raw(), mailstack.raw()
    a.cmd("CREATE F")
    a.cmd("SELECT F")
    b.cmd("DELETE F")
    assert a.cmd("NOOP")[1].startswith(b"OK")
    b.cmd("CREATE F")
    lines = b.cmd("SELECT F")[0]
    assert b"* 0 EXISTS" in lines
    assert a.cmd("SELECT F")[1].startswith(b"OK")


def test_a_process_that_lingered_serves_the_next_session(mailstack):
    for _ in range(3):
        r = mailstack.raw()
        r.cmd("SELECT INBOX")
        r.close()
        time.sleep(0.05)
    r = mailstack.raw()
    assert r.cmd("NOOP")[1].startswith(b"OK")
