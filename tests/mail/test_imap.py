# SPDX-License-Identifier: Apache-2.0
"""imapd through Python's imaplib and line by line: states, folders, APPEND, STORE, COPY, MOVE, EXPUNGE."""
import os
import re
import time

import pytest

MESSAGE = (b"From: Bob <bob@else.example>\r\nTo: alice@example.org\r\nSubject: hello\r\n"
           b"Date: Tue, 24 Nov 2026 10:00:00 +0100\r\nMessage-ID: <1@else.example>\r\n\r\nfirst line\r\nsecond\r\n")


def names(listed):
    return sorted(line.split(b' "." ')[1].strip(b'"') for line in listed if line)


def uids(m, criteria="ALL"):
    return m.uid("SEARCH", criteria)[1][0].split()


def test_the_login_is_answered_with_its_tag_and_the_capabilities(mailstack):
    m = mailstack.imap()
    assert b"[CAPABILITY IMAP4rev1 " in m.login_line
    for word in ("IDLE", "NAMESPACE", "UIDPLUS", "MOVE", "SPECIAL-USE", "LITERAL+", "UNSELECT", "ID"):
        assert word in m.capabilities
    assert m.logout()[0] == "BYE"


def test_input_behind_the_login_is_worked_off(mailstack):
    r = mailstack.raw(pending=b"a NOOP\r\nb SEL")
    assert r.line() == b"a OK done\r\n"
    r.send(b"ECT INBOX\r\n")
    assert r.until(b"b")[1].startswith(b"OK [READ-WRITE]")
    r.close()


def test_a_new_home_has_special_folders_that_are_subscribed(mailstack):
    m = mailstack.imap()
    listed = m.list()[1]
    assert names(listed) == [b"Archive", b"Drafts", b"INBOX", b"Junk", b"Sent", b"Trash"]
    assert any(b"\\Sent" in line and b"Sent" in line for line in listed)
    assert names(m.lsub()[1]) == [b"Archive", b"Drafts", b"Junk", b"Sent", b"Trash"]
    m.logout()


def test_a_delivered_message_is_selected_fetched_and_seen(mailstack):
    mailstack.deliver(message=MESSAGE)
    m = mailstack.imap()
    assert m.select()[1] == [b"1"]
    assert m.recent()[1] == [b"1"]
    assert m.response("UIDNEXT")[1] == [b"2"]
    assert uids(m, "UNSEEN") == [b"1"]
    kind, data = m.fetch("1", "(FLAGS RFC822.SIZE BODY.PEEK[])")
    body = data[0][1]
    assert body.endswith(MESSAGE) and b"Return-Path: <bob@else.example>\r\n" in body
    assert int(re.search(rb"RFC822.SIZE (\d+)", data[0][0] + data[1]).group(1)) == len(body)
    assert uids(m, "UNSEEN") == [b"1"]
    data = m.fetch("1", "(BODY[TEXT])")[1]
    assert data[0][1] == b"first line\r\nsecond\r\n"
    assert uids(m, "UNSEEN") == []
    assert uids(m, "SEEN") == [b"1"]
    assert [p.name[-4:] for p in (mailstack.home() / "cur").iterdir()] == [":2,S"]
    m.logout()


def test_sections_and_partials_are_cut_out_exactly(mailstack):
    mailstack.deliver(message=MESSAGE)
    m = mailstack.imap()
    m.select(readonly=True)
    full = m.fetch("1", "(BODY[])")[1][0][1]
    for start, count in ((0, 10), (5, 70), (len(full) - 3, 100), (len(full) + 5, 10), (0, 100000)):
        data = m.fetch("1", f"(BODY[]<{start}.{count}>)")[1]
        assert data[0][0].startswith(b"1 (BODY[]<%d> {" % start)
        assert data[0][1] == full[start:start + count]
    assert m.fetch("1", "(BODY[HEADER.FIELDS (SUBJECT from)])")[1][0][1] == \
        b"From: Bob <bob@else.example>\r\nSubject: hello\r\n\r\n"
    header = m.fetch("1", "(BODY[HEADER])")[1][0][1]
    assert header + b"first line\r\nsecond\r\n" == full
    rest = m.fetch("1", "(BODY[HEADER.FIELDS.NOT (SUBJECT FROM TO DATE MESSAGE-ID)])")[1][0][1]
    assert rest == b"Return-Path: <bob@else.example>\r\nDelivered-To: alice@example.org\r\n\r\n"
    assert uids(m, "UNSEEN") == [b"1"]
    m.logout()


def test_append_keeps_flags_date_and_every_octet(mailstack):
    m = mailstack.imap()
    text = b"Subject: x\r\n\r\n" + b"".join(b"%d\r\n" % i for i in range(20000))
    kind, data = m.append("Sent", "(\\Seen $Label1 \\Flagged)", '"05-Feb-2020 10:20:30 +0100"', text)
    assert kind == "OK" and data[0].startswith(b"[APPENDUID ")
    m.select("Sent")
    data = m.fetch("1", "(FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")[1]
    line = data[0][0] + data[1]
    assert b"\\Seen" in line and b"\\Flagged" in line and b"$Label1" in line
    assert b'INTERNALDATE "05-Feb-2020 09:20:30 +0000"' in line
    assert data[0][1] == text
    assert m.search(None, "KEYWORD", "$label1")[1] == [b"1"]
    assert m.search(None, "ON", "5-Feb-2020")[1] == [b"1"]
    assert m.search(None, "LARGER", str(len(text) - 1), "SMALLER", str(len(text) + 1))[1] == [b"1"]
    m.logout()


def test_append_to_the_selected_folder_is_told_before_its_end(mailstack):
    r = mailstack.raw()
    r.cmd("SELECT INBOX")
    lines, last = r.cmd("APPEND INBOX {5+}\r\nhello")
    assert last.startswith(b"OK [APPENDUID") and b"* 1 EXISTS" in lines
    assert r.cmd("SEARCH ALL")[0] == [b"* SEARCH 1"]
    r.close()


def test_append_without_a_folder_says_trycreate_before_the_message(mailstack):
    r = mailstack.raw()
    lines, last = r.cmd("APPEND Nowhere {10}")
    assert last.startswith(b"NO [TRYCREATE]")
    r.send(b"x APPEND Nowhere {10+}\r\n0123456789\r\n")
    assert r.until(b"x")[1].startswith(b"NO [TRYCREATE]")
    assert r.cmd("NOOP")[1].startswith(b"OK")
    r.send(b"y APPEND INBOX {99999999}\r\n")
    assert r.until(b"y")[1].startswith(b"NO [LIMIT]")
    r.send(b"z APPEND INBOX (\\Bad) {5}\r\n")
    assert r.until(b"z")[1].startswith(b"BAD")
    assert not list((mailstack.home() / "tmp").iterdir())
    r.close()


def test_literal_plus_and_split_commands(mailstack):
    r = mailstack.raw()
    for part in (b"a CRE", b"ATE {8+}\r\nLite", b"rals\r", b"\n"):
        r.send(part)
        time.sleep(0.02)
    assert r.until(b"a")[1].startswith(b"OK")
    r.send(b"b SELECT {8}\r\n")
    assert r.line() == b"+ go ahead\r\n"
    r.send(b"Nowhere!\r\n")
    assert r.until(b"b")[1].startswith(b"NO")
    r.send(b"c NOOP\r\nd NOOP\r\ne SELECT Literals\r\nf NOOP\r\n")
    assert r.until(b"f")[1].startswith(b"OK")
    r.close()


def test_folders_are_created_renamed_and_deleted(mailstack):
    m = mailstack.imap()
    for name in ("A", "A.B", "A.B.C", "Entw&APw-rfe"):
        assert m.create(name)[0] == "OK"
    assert m.create("A")[0] == "NO"
    assert m.create("inbox")[0] == "NO"
    for bad in ("A..B", ".A", "a/b", "&bad", '"x y/../z"'):
        assert m.create(bad)[0] == "NO", bad
    assert names(m.list('""', "A%")[1]) == [b"A", b"Archive"]
    assert names(m.list('""', "A.%")[1]) == [b"A.B"]
    assert names(m.list('"A."', "*")[1]) == [b"A.B", b"A.B.C"]
    assert b"\\HasChildren" in m.list('""', "A")[1][0]
    assert m.rename("A", "X")[0] == "OK"
    assert names(m.list('""', "X*")[1]) == [b"X", b"X.B", b"X.B.C"]
    assert m.delete("X.B")[0] == "OK"
    listed = m.list('""', "X.%")[1]
    assert names(listed) == [b"X.B"] and b"\\Noselect" in listed[0]
    assert m.select("X.B")[0] == "NO"
    assert m.delete("INBOX")[0] == "NO"
    assert m.delete("Nowhere")[0] == "NO"
    assert m.list('""', '""')[1] == [b'(\\Noselect) "." ""']
    m.logout()


def test_renaming_inbox_moves_its_messages(mailstack):
    mailstack.deliver(message=MESSAGE)
    m = mailstack.imap()
    assert m.rename("INBOX", "Old")[0] == "OK"
    assert m.select("INBOX")[1] == [b"0"]
    assert m.select("Old")[1] == [b"1"]
    m.logout()


def test_subscriptions(mailstack):
    m = mailstack.imap()
    m.subscribe("INBOX")
    m.unsubscribe("Junk")
    m.subscribe("Not.There")
    assert names(m.lsub()[1]) == [b"Archive", b"Drafts", b"INBOX", b"Not.There", b"Sent", b"Trash"]
    assert names(m.lsub('""', "%")[1]) == [b"Archive", b"Drafts", b"INBOX", b"Not", b"Sent", b"Trash"]
    m.logout()


def test_store_in_all_its_forms(mailstack):
    mailstack.deliver(message=MESSAGE)
    mailstack.deliver(message=MESSAGE)
    r = mailstack.raw()
    r.cmd("SELECT INBOX")
    lines, last = r.cmd("STORE 1:2 +FLAGS (\\Flagged)")
    assert lines == [b"* 1 FETCH (FLAGS (\\Flagged \\Recent))", b"* 2 FETCH (FLAGS (\\Flagged \\Recent))"]
    assert r.cmd("STORE 1 +FLAGS.SILENT (\\Seen)")[0] == []
    assert r.cmd("STORE 1 FLAGS (\\Draft)")[0] == [b"* 1 FETCH (FLAGS (\\Draft \\Recent))"]
    assert r.cmd("STORE 1 -FLAGS \\Draft")[0] == [b"* 1 FETCH (FLAGS (\\Recent))"]
    assert r.cmd("UID STORE 2 FLAGS (a-keyword)")[0][-1] == b"* 2 FETCH (UID 2 FLAGS (a-keyword \\Recent))"
    assert r.cmd("STORE 2 +FLAGS (a-keyword)")[0] == [b"* 2 FETCH (FLAGS (a-keyword \\Recent))"]
    assert r.cmd("STORE 3 FLAGS ()")[1].startswith(b"BAD")
    assert r.cmd("UID STORE 77 FLAGS ()")[1].startswith(b"OK")
    assert r.cmd("STORE 1 FLAGS (\\Nonsense)")[1].startswith(b"BAD")
    r.cmd("EXAMINE INBOX")
    assert r.cmd("STORE 1 FLAGS (\\Seen)")[1].startswith(b"NO [READ-ONLY]")
    r.close()


def test_expunge_close_and_uid_expunge(mailstack):
    for _ in range(5):
        mailstack.deliver(message=MESSAGE)
    r = mailstack.raw()
    r.cmd("SELECT INBOX")
    r.cmd("STORE 1,3,5 +FLAGS.SILENT (\\Deleted)")
    assert r.cmd("UID EXPUNGE 3")[0] == [b"* 3 EXPUNGE"]
    assert r.cmd("EXPUNGE")[0] == [b"* 1 EXPUNGE", b"* 3 EXPUNGE"]
    r.cmd("STORE 1 +FLAGS (\\Deleted)")
    assert r.cmd("UNSELECT") == ([], b"OK unselected")
    assert r.cmd("CHECK")[1].startswith(b"BAD")
    lines, last = r.cmd("SELECT INBOX")
    assert b"* 2 EXISTS" in lines
    assert r.cmd("CLOSE") == ([], b"OK closed")
    assert b"* 1 EXISTS" in r.cmd("SELECT INBOX")[0]
    assert r.cmd("FETCH 1 UID")[0] == [b"* 1 FETCH (UID 4)"]
    r.close()


def test_copy_and_move_tell_the_uids(mailstack):
    for _ in range(4):
        mailstack.deliver(message=MESSAGE)
    r = mailstack.raw()
    r.cmd("SELECT INBOX")
    r.cmd("STORE 2 FLAGS (\\Seen kw)")
    assert re.fullmatch(rb"OK \[COPYUID \d+ 1:2,4 1:3\] copied", r.cmd("COPY 1:2,4 Sent")[1])
    lines, last = r.cmd("UID MOVE 2:3 Archive")
    assert re.fullmatch(rb"\* OK \[COPYUID \d+ 2:3 1:2\] moved", lines[0])
    assert lines[1:] == [b"* 2 EXPUNGE", b"* 2 EXPUNGE"]
    assert r.cmd("COPY 1 Nowhere")[1].startswith(b"NO [TRYCREATE]")
    assert r.cmd("UID COPY 99 Sent")[1].startswith(b"OK")
    lines, last = r.cmd("SELECT Archive")
    assert b"* 2 EXISTS" in lines
    assert r.cmd("FETCH 1 FLAGS")[0] == [b"* 1 FETCH (FLAGS (\\Seen kw \\Recent))"]
    r.close()


def test_status_counts(mailstack):
    mailstack.deliver(message=MESSAGE)
    r = mailstack.raw()
    lines, last = r.cmd("STATUS INBOX (MESSAGES RECENT UIDNEXT UNSEEN)")
    assert lines == [b"* STATUS INBOX (MESSAGES 1 RECENT 1 UIDNEXT 2 UNSEEN 1)"]
    assert r.cmd("STATUS Nowhere (MESSAGES)")[1].startswith(b"NO")
    assert r.cmd("STATUS INBOX (NONSENSE)")[1].startswith(b"BAD")
    r.close()


def test_quota_is_shown_and_kept(mailstack):
    m = mailstack.imap(quota=20000)
    assert m.getquotaroot("INBOX")[1][1] == [b'"" (STORAGE 0 19)']
    assert m.append("INBOX", None, None, b"x" * 15000)[0] == "OK"
    kind, data = m.append("INBOX", None, None, b"x" * 15000)
    assert kind == "NO" and b"OVERQUOTA" in data[0]
    m.select()
    assert m.copy("1", "Sent")[0] == "NO"
    m.store("1", "+FLAGS", "\\Deleted")
    m.expunge()
    assert m.append("INBOX", None, None, b"x" * 15000)[0] == "OK"
    m.logout()


def test_nonsense_is_answered_and_the_session_survives(mailstack):
    r = mailstack.raw()
    for bad in ("NONSENSE", "FETCH 1 FLAGS", "SELECT", "SELECT a b", "LOGIN a b", "UID NOOP", "LIST", "STATUS INBOX",
                'CREATE "unended', "SEARCH ALL", "ID", "APPEND INBOX"):
        assert r.cmd(bad)[1].startswith(b"BAD"), bad
    r.cmd("SELECT INBOX")
    for bad in ("FETCH", "FETCH 1", "FETCH 1 NOTHING", "FETCH 0 FLAGS", "FETCH 1 BODY[", "SEARCH NOTHING"):
        assert r.cmd(bad)[1].startswith(b"BAD"), bad
    r.close()
    r = mailstack.raw()
    r.send(b"x" * 300000)
    assert b"BAD" in r.line()
    r.close()


def test_too_many_sessions_of_one_user_are_refused(make_mailstack):
    stack = make_mailstack(limits={"sessions_per_user": 2})
    first, second = stack.raw(), stack.raw()
    with pytest.raises(AssertionError):
        stack.raw()
    other = stack.raw(user="bob@example.org")
    first.close()
    time.sleep(0.1)
    third = stack.raw()
    for r in (second, other, third):
        r.close()


def test_the_index_may_be_deleted_and_uids_stay(mailstack):
    for _ in range(3):
        mailstack.deliver(message=MESSAGE)
    m = mailstack.imap()
    m.select()
    m.store("2", "+FLAGS", "\\Deleted")
    m.expunge()
    validity = m.response("UIDVALIDITY")[1]
    before = uids(m)
    m.logout()
    mailstack.stop("imapd")
    for path in mailstack.home().glob("mailstack-index.db*"):
        path.unlink()
    mailstack.start("imapd")
    m = mailstack.imap()
    m.select()
    assert m.response("UIDVALIDITY")[1] == validity
    assert uids(m) == before == [b"1", b"3"]
    mailstack.deliver(message=MESSAGE)
    m.noop()
    assert uids(m) == [b"1", b"3", b"4"]
    m.logout()


def test_a_users_process_sees_only_that_users_home(mailstack):
    a, b = mailstack.raw(), mailstack.raw(user="bob@example.org")
    pids = [int(p) for p in os.listdir("/proc") if p.isdigit() and _parent(p) == mailstack.processes["imapd"].pid]
    assert len(pids) == 2
    for pid in pids:
        targets = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        homes = {t for t in targets if str(mailstack.mail) in t}
        assert len({h.split("example.org/")[1].split("/")[0] for h in homes}) == 1
    a.close()
    b.close()


def _parent(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            return int(f.read().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0
