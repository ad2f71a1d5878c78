# SPDX-License-Identifier: Apache-2.0
"""FETCH: envelopes, body structures, parts; and SEARCH, which reads the same parts."""
import base64
import re

import pytest

NESTED = b"\r\n".join([
    b"From: =?utf-8?q?J=C3=BCrgen?= <jurgen@else.example>",
    b"Sender: office@else.example",
    b"To: alice@example.org, undisclosed: ;, \"Bob \\\"B\\\" C\" <bob@example.org>",
    b"Cc: team: one@a.example, Two <two@b.example>;",
    b"Subject: =?utf-8?b?" + base64.b64encode("Größe und Maß".encode()) + b"?=",
    b"Date: Mon, 02 Feb 2026 23:30:00 -0500",
    b"Message-ID: <m@else.example>",
    b"In-Reply-To: <r@example.org>",
    b"MIME-Version: 1.0",
    b"Content-Type: multipart/mixed; boundary=outer",
    b"",
    b"preamble",
    b"--outer",
    b"Content-Type: multipart/alternative; boundary=\"in ner\"",
    b"",
    b"--in ner",
    b"Content-Type: text/plain; charset=iso-8859-1",
    b"Content-Transfer-Encoding: quoted-printable",
    b"",
    b"Stra=DFe nach K=F6ln",
    b"--in ner",
    b"Content-Type: text/html",
    b"",
    b"<p>html</p>",
    b"--in ner--",
    b"",
    b"--outer",
    b"Content-Type: application/octet-stream; name=\"a.bin\"",
    b"Content-Disposition: attachment; filename=\"a.bin\"",
    b"Content-Transfer-Encoding: base64",
    b"Content-ID: <c1@x>",
    b"Content-Description: the file",
    b"Content-Language: en, de",
    b"Content-Location: http://x.example/",
    b"",
    b"AAECAwQ=",
    b"--outer",
    b"Content-Type: message/rfc822",
    b"",
    b"Subject: inner subject",
    b"From: inner@else.example",
    b"Content-Type: multipart/mixed; boundary=deep",
    b"",
    b"--deep",
    b"",
    b"deep text",
    b"--deep--",
    b"",
    b"--outer--",
    b"",
])


@pytest.fixture
def box(mailstack):
    m = mailstack.imap()
    assert m.append("INBOX", None, '"03-Feb-2026 12:00:00 +0000"', NESTED)[0] == "OK"
    m.append("INBOX", "(\\Seen)", '"10-Mar-2026 12:00:00 +0000"',
             b"Subject: plain\r\nDate: Tue, 10 Mar 2026 00:30:00 +0200\r\nX-Empty:\r\n\r\nno mime here\r\n")
    m.select()
    yield m
    m.logout()


def part(m, section):
    data = m.fetch("1", f"(BODY.PEEK[{section}])")[1]
    return data[0][1] if isinstance(data[0], tuple) else None


def test_envelope(box):
    line = b"".join(x if isinstance(x, bytes) else x[0] + x[1] for x in box.fetch("1", "(ENVELOPE)")[1])
    assert line == (
        b'1 (ENVELOPE ("Mon, 02 Feb 2026 23:30:00 -0500" '
        b'"=?utf-8?b?' + base64.b64encode("Größe und Maß".encode()) + b'?=" '
        b'(("=?utf-8?q?J=C3=BCrgen?=" NIL "jurgen" "else.example")) '
        b'((NIL NIL "office" "else.example")) '
        b'(("=?utf-8?q?J=C3=BCrgen?=" NIL "jurgen" "else.example")) '
        b'((NIL NIL "alice" "example.org")(NIL NIL "undisclosed" NIL)(NIL NIL NIL NIL)'
        b'("Bob \\"B\\" C" NIL "bob" "example.org")) '
        b'((NIL NIL "team" NIL)(NIL NIL "one" "a.example")("Two" NIL "two" "b.example")(NIL NIL NIL NIL)) '
        b'NIL "<r@example.org>" "<m@else.example>"))')


def test_bodystructure(box):
    line = box.fetch("1", "(BODYSTRUCTURE)")[1][0]
    assert line == (
        b'1 (BODYSTRUCTURE ((("text" "plain" ("charset" "iso-8859-1") NIL NIL "quoted-printable" 20 0 NIL NIL NIL NIL)'
        b'("text" "html" ("charset" "us-ascii") NIL NIL "7bit" 11 0 NIL NIL NIL NIL) '
        b'"alternative" ("boundary" "in ner") NIL NIL NIL)'
        b'("application" "octet-stream" ("name" "a.bin") "<c1@x>" "the file" "base64" 8 NIL '
        b'("attachment" ("filename" "a.bin")) ("en" "de") "http://x.example/")'
        b'("message" "rfc822" NIL NIL NIL "7bit" %d (NIL "inner subject" ((NIL NIL "inner" "else.example")) '
        b'((NIL NIL "inner" "else.example")) ((NIL NIL "inner" "else.example")) NIL NIL NIL NIL NIL) '
        b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 9 0 NIL NIL NIL NIL) '
        b'"mixed" ("boundary" "deep") NIL NIL NIL) %d NIL NIL NIL NIL) '
        b'"mixed" ("boundary" "outer") NIL NIL NIL))' % (len(part(box, "3")), part(box, "3").count(b"\n")))
    body = box.fetch("2", "(BODY)")[1][0]
    assert body == b'2 (BODY ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 14 1))'


def test_parts(box):
    assert part(box, "1.1") == b"Stra=DFe nach K=F6ln"
    assert part(box, "1.1.MIME").startswith(b"Content-Type: text/plain; charset=iso-8859-1\r\n")
    assert part(box, "1.2") == b"<p>html</p>"
    assert part(box, "2") == b"AAECAwQ="
    assert part(box, "3.HEADER").startswith(b"Subject: inner subject\r\n")
    assert part(box, "3.HEADER.FIELDS (FROM)") == b"From: inner@else.example\r\n\r\n"
    assert part(box, "3.1") == b"deep text"
    assert part(box, "3.TEXT").startswith(b"--deep\r\n")
    assert part(box, "9") is None
    assert part(box, "1.1.HEADER") is None
    assert box.fetch("2", "(BODY.PEEK[1])")[1][0][1] == b"no mime here\r\n"
    assert part(box, "") == NESTED
    assert box.fetch("1", "(RFC822.HEADER)")[1][0][1] + box.fetch("1", "(RFC822.TEXT)")[1][0][1] == NESTED


def test_macros(box):
    line = b"".join(x if isinstance(x, bytes) else x[0] + x[1] for x in box.fetch("2", "FULL")[1])
    for word in (b"FLAGS (", b"INTERNALDATE ", b"RFC822.SIZE ", b"ENVELOPE (", b"BODY ("):
        assert word in line


@pytest.mark.parametrize("criteria, found", [
    ("ALL", "1 2"), ("1", "1"), ("2:*", "2"), ("UID 1:1", "1"), ("SEEN", "2"), ("UNSEEN", "1"), ("NOT SEEN", "1"),
    ("OR SEEN 1", "1 2"), ("(SEEN 2)", "2"), ("SEEN UNSEEN", ""), ("RECENT", "1 2"), ("NEW", "1"), ("OLD", ""),
    ("SUBJECT plain", "2"), ("SUBJECT PLAIN", "2"), ("FROM jurgen", "1"), ("TO bob@example", "1"), ("CC two@b", "1"),
    ("BCC x", ""), ("HEADER X-Empty \"\"", "2"), ("HEADER Message-ID m@else", "1"), ("BODY html", "1"),
    ("BODY \"no mime\"", "2"), ("BODY plain", ""), ("TEXT plain", "2"), ("TEXT \"inner subject\"", "1"),
    ("BODY \"inner subject\"", "1"), ("BODY \"deep text\"", "1"), ("BODY AAECAwQ", ""),
    ("BEFORE 1-Mar-2026", "1"), ("SINCE 10-Mar-2026", "2"), ("ON 3-Feb-2026", "1"), ("SENTON 2-Feb-2026", "1"),
    ("SENTBEFORE 3-Feb-2026", "1"), ("SENTSINCE 10-Mar-2026", "2"), ("LARGER 500", "1"), ("SMALLER 500", "2"),
    ("KEYWORD nothing", ""), ("UNKEYWORD nothing", "1 2"), ("UNDELETED UNANSWERED UNDRAFT UNFLAGGED", "1 2"),
    ("NOT (OR SUBJECT plain BODY html)", ""),
])
def test_search(box, criteria, found):
    kind, data = box._simple_command("SEARCH", criteria)
    assert kind == "OK"
    assert box._untagged_response(kind, data, "SEARCH")[1] == [found.encode()]


@pytest.mark.parametrize("key, text, found", [
    ("SUBJECT", "größe", b"1"), ("SUBJECT", "MASS", b""), ("SUBJECT", "MAß", b"1"), ("FROM", "JÜRGEN", b"1"),
    ("BODY", "straße nach KÖLN", b"1"), ("TEXT", "größe", b"1"),
])
def test_search_beyond_ascii(box, key, text, found):
    box.literal = text.encode()
    assert box.uid("SEARCH", "CHARSET", "UTF-8", key)[1] == [found]


def test_an_unknown_charset_is_said_to_be_so(box):
    kind, data = box.search("KOI8-R", "ALL")
    assert kind == "NO" and data[0].startswith(b"[BADCHARSET")


def test_a_slow_reader_of_much_gets_it_all(mailstack):
    text = b"Subject: big\r\n\r\n" + b"".join(b"line %d of many\r\n" % i for i in range(150000))
    for _ in range(3):
        mailstack.deliver(message=text)
    m = mailstack.imap()
    m.select()
    data = m.fetch("1:3", "(UID BODY.PEEK[])")[1]
    bodies = [d[1] for d in data if isinstance(d, tuple)]
    assert len(bodies) == 3 and all(b.endswith(text) for b in bodies)
    assert re.search(rb"UID 1", data[0][0])
    m.logout()
