# SPDX-License-Identifier: Apache-2.0
"""Other people's mail programs against frontd, authd, imapd, pop3d: mbsync, mutt, fetchmail, imaplib over TLS."""
import imaplib
import json
import os
import shutil
import socket
import ssl
import subprocess
import time

import pytest

from storelib import BUILD

MESSAGE = b"From: bob@else.example\r\nTo: alice@example.org\r\nSubject: number %d\r\nMessage-ID: <%d@x>\r\n\r\nbody %d\r\n"
USER, PASSWORD = "alice@example.org", "secret"


class Front:
    def __init__(self, stack, directory):
        self.stack = stack
        self.dir = directory
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                        "-keyout", directory / "key.pem", "-out", directory / "cert.pem"], check=True, capture_output=True)
        (directory / "accounts.json").write_text(json.dumps({USER: {"password": "{PLAIN}" + PASSWORD}}))
        self.port = {name: _free_port() for name in ("imap", "imaps", "pop3")}
        sockets = {n: str(directory / f"{n}.sock") for n in ("auth", "map")}
        conf = {
            "authd": {"accounts": str(directory / "accounts.json"), "domains": {"example.org": {}},
                      "listen": {n: [p] for n, p in sockets.items()}},
            "frontd": {"tls": {"cert": str(directory / "cert.pem"), "key": str(directory / "key.pem")},
                       "plaintext_login": ["127.0.0.0/8"],
                       "sockets": {"auth": sockets["auth"], "imapd": stack.path("imapd"), "pop3d": stack.path("pop3d")},
                       "listen": {n: [f"127.0.0.1:{p}"] for n, p in self.port.items()}},
        }
        self.processes = []
        for name, c in conf.items():
            file = directory / f"{name}.json"
            file.write_text(json.dumps({"hostname": "localhost", **c}))
            with open(directory / f"{name}.log", "ab") as log:
                self.processes.append(subprocess.Popen([os.path.join(BUILD, name), "-c", str(file)], stderr=log))
        for port in self.port.values():
            _wait_for(port)

    def stop(self):
        for p in self.processes:
            p.terminate()
        return [p.wait(25) for p in self.processes]


def _free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def _wait_for(port):
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.02)


@pytest.fixture
def front(mailstack, tmp_path):
    missing = [n for n in ("authd", "frontd") if not os.path.exists(os.path.join(BUILD, n))]
    if missing:
        pytest.skip(f"not built: {missing}")
    f = Front(mailstack, tmp_path)
    yield f
    assert f.stop() == [0, 0]


def need(program):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def run(args, **kw):
    r = subprocess.run(args, capture_output=True, timeout=60, **kw)
    assert r.returncode == 0, (r.stdout + r.stderr).decode(errors="replace")
    return r.stdout


def deliver(front, *numbers):
    for n in numbers:
        front.stack.deliver(message=MESSAGE % (n, n, n))


def test_imaplib_over_tls_and_starttls(front):
    context = ssl.create_default_context(cafile=str(front.dir / "cert.pem"))
    context.check_hostname = False
    deliver(front, 1)
    m = imaplib.IMAP4_SSL("127.0.0.1", front.port["imaps"], ssl_context=context)
    m.login(USER, PASSWORD)
    assert m.select()[1] == [b"1"]
    assert m.fetch("1", "BODY[TEXT]")[1][0][1] == b"body 1\r\n"
    m.logout()
    m = imaplib.IMAP4("127.0.0.1", front.port["imap"])
    m.starttls(ssl_context=context)
    m.login(USER, PASSWORD)
    assert m.select()[1] == [b"1"]
    m.logout()


def mbsync(front):
    local = front.dir / "local"
    local.mkdir(exist_ok=True)
    rc = front.dir / "mbsyncrc"
    rc.write_text(f"""
IMAPAccount a
Host 127.0.0.1
Port {front.port['imap']}
User {USER}
Pass {PASSWORD}
SSLType None
AuthMechs LOGIN

IMAPStore far
Account a

MaildirStore near
Path {local}/
Inbox {local}/INBOX
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
""")
    run(["mbsync", "-c", str(rc), "-a"], env={**os.environ, "HOME": str(front.dir)})
    return local


def messages(directory):
    return sorted((p for sub in ("new", "cur") for p in (directory / sub).iterdir()), key=lambda p: p.name)


def test_mbsync_both_ways(front):
    need("mbsync")
    deliver(front, *range(20))
    local = mbsync(front)
    inbox = messages(local / "INBOX")
    assert len(inbox) == 20 and {p.name for p in local.iterdir()} >= {"INBOX", "Sent", "Drafts", "Trash", "Junk", "Archive"}
    assert all(b"body" in p.read_bytes() for p in inbox)
    # here: a flag, a deletion, a new message, a new folder
    first, second = inbox[0], inbox[1]
    first.rename(local / "INBOX" / "cur" / (first.name.split(":")[0] + ":2,FS"))
    second.unlink()
    (local / "Sent" / "new" / "1.local").write_bytes(b"Subject: sent from here\n\nx\n")
    for sub in ("cur", "new", "tmp"):
        os.makedirs(local / "Fresh" / sub)
    (local / "Fresh" / "new" / "2.local").write_bytes(b"Subject: fresh\n\ny\n")
    mbsync(front)
    m = front.stack.imap()
    assert m.select()[1] == [b"19"]
    assert len(m.search(None, "FLAGGED", "SEEN")[1][0].split()) == 1
    assert m.select("Sent")[1] == [b"1"]
    assert m.search(None, "SUBJECT", '"sent from here"')[1] == [b"1"]
    assert m.select("Fresh")[1] == [b"1"]
    # there: an answer, a deletion, a move
    m.select()
    m.store("1", "+FLAGS", "\\Answered")
    m.store("2", "+FLAGS", "\\Deleted")
    m.expunge()
    m._simple_command("MOVE", "2:3", "Archive")
    m.logout()
    mbsync(front)
    assert len(messages(local / "INBOX")) == 16 and len(messages(local / "Archive")) == 2
    assert sum("R" in p.name.split(":2,")[-1] for p in messages(local / "INBOX")) == 1
    before = {p.name for p in messages(local / "INBOX")}
    mbsync(front)
    assert {p.name for p in messages(local / "INBOX")} == before


def test_mutt_reads_and_saves(front):
    need("mutt")
    need("script")
    deliver(front, 1, 2)
    out = front.dir / "piped"
    rc = front.dir / "muttrc"
    rc.write_text(f"""
set imap_user="{USER}"
set imap_pass="{PASSWORD}"
set imap_authenticators="login"
set ssl_starttls=no
set ssl_force_tls=no
set folder="imap://127.0.0.1:{front.port['imap']}/"
set spoolfile="+INBOX"
set record=""
set confirmappend=no
set wait_key=no
set delete=yes
push "<first-entry><pipe-message>cat > {out}<enter><flag-message><next-entry><save-message>=Archive<enter><sync-mailbox><quit>"
""")
    run(["script", "-qec", f"mutt -n -F {rc}", "/dev/null"], env={**os.environ, "TERM": "xterm", "HOME": str(front.dir)},
        stdin=subprocess.DEVNULL)
    assert b"body 1" in out.read_bytes()
    m = front.stack.imap()
    assert m.select("Archive")[1] == [b"1"]
    assert m.select("INBOX")[1] == [b"1"]
    assert m.search(None, "FLAGGED")[1] == [b"1"]
    m.logout()


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_fetchmail(front, protocol):
    need("fetchmail")
    deliver(front, 1, 2, 3)
    out = front.dir / "fetched"
    rc = front.dir / "fetchmailrc"
    rc.write_text(f"""
poll 127.0.0.1 service {front.port[protocol]} protocol {protocol} auth password
  user "{USER}" password "{PASSWORD}" sslproto "" mda "cat >> {out}"
""")
    rc.chmod(0o600)
    run(["fetchmail", "-f", str(rc), "--idfile", str(front.dir / "ids"), "--pidfile", str(front.dir / "pid"), "-v"],
        env={**os.environ, "HOME": str(front.dir)})
    text = out.read_bytes()
    assert all(b"body %d" % n in text for n in (1, 2, 3))
    m = front.stack.imap()
    assert m.select()[1] == [b"0"]
    m.logout()
