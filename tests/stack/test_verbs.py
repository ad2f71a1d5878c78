# SPDX-License-Identifier: Apache-2.0
"""status, logs, user, bundle: what they print."""
import fcntl
import json
import os
import pty
import re
import subprocess
import termios
import time

import jsonschema
import pytest

from stacklib import read_until


def test_status_as_json_has_what_is_promised(stack):
    stack.up()
    s = stack.status()
    assert s["state"] == "running" and s["hostname"] == "mail.example.org"
    for v in s["services"]:
        assert {"name", "state", "pid", "restarts", "memory_bytes", "uptime_s", "last_exit"} <= set(v)
    assert {(e["protocol"], e["tls"]) for e in s["endpoints"]} == {("smtp", "STARTTLS"), ("imap", "STARTTLS"), ("pop3", "STARTTLS")}


def test_status_shows_the_counters_of_the_daemons(stack):
    stack.up()
    for _ in range(3):
        stack.ask("smtpd", "hello")
    assert stack.services()["smtpd"]["counters"] == {"fake_asked_total": 3}
    text = stack.call("status", "--prometheus", str(stack.file)).stdout
    assert 'mailstack_fake_asked_total{service="smtpd"} 3' in text and 'mailstack_up{service="authd"} 1' in text
    assert text.count("# TYPE mailstack_fake_asked_total counter") == 1
    for line in text.splitlines():
        assert line.startswith("# ") or re.fullmatch(r'[a-z_]+\{service="[a-z0-9]+"\} -?\d+', line), line


def test_logs_of_one_service_and_the_last_lines(stack):
    stack.up()
    out = stack.call("logs", str(stack.file), "smtpd").stdout
    assert out and all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z smtpd ", line) for line in out.splitlines())
    assert len(stack.call("logs", "-n", "3", str(stack.file)).stdout.splitlines()) == 3


def test_logs_can_be_followed(stack):
    stack.up()
    with subprocess.Popen([stack.program, "logs", "-f", "-n", "0", str(stack.file), "lmtpd"], stdout=subprocess.PIPE, text=True,
                          env=stack.env) as p:
        time.sleep(0.3)  # there is nothing to wait for: it has printed nothing yet
        stack.call("restart", str(stack.file), "lmtpd")
        line = p.stdout.readline()
        p.kill()
    assert " lmtpd info " in line


def test_a_log_is_rotated(stack):
    stack.config["log"] = {"size": 2000, "keep": 2}
    stack.write()
    stack.up()
    for _ in range(3):
        stack.call("restart", str(stack.file))
    names = sorted(p.name for p in (stack.dir / "data" / "log").iterdir())
    assert names == ["mailstack.log", "mailstack.log.1", "mailstack.log.2"]


def test_user_add_passwd_list_del(stack):
    stack.call("user", "add", str(stack.file), "Bob@Example.org", "--password-stdin", input="one two\n")
    accounts = json.loads((stack.dir / "accounts.json").read_text())
    assert list(accounts) == ["alice@example.org", "bob@example.org"]
    first = accounts["bob@example.org"]["password"]
    assert first.startswith("$y$")
    assert stack.call("user", "list", str(stack.file)).stdout == "alice@example.org\nbob@example.org\n"
    stack.call("user", "passwd", str(stack.file), "bob@example.org", "--password-stdin", input="three")
    assert json.loads((stack.dir / "accounts.json").read_text())["bob@example.org"]["password"] != first
    stack.call("user", "del", str(stack.file), "bob@example.org")
    assert list(json.loads((stack.dir / "accounts.json").read_text())) == ["alice@example.org"]


@pytest.mark.parametrize("args, given, words", [
    (("add", "alice@example.org"), "x", "already"),
    (("passwd", "nobody@example.org"), "x", "there is no account"),
    (("add", "bob@elsewhere.example"), "x", "is no domain of"),
    (("add", "bob"), "x", "is not an address"),
    (("add", "bob@example.org"), "", "is empty"),
    (("del", "nobody@example.org"), "", "there is no account"),
])
def test_what_user_refuses(stack, args, given, words):
    verb, address = args
    before = (stack.dir / "accounts.json").read_bytes()
    r = stack.call("user", verb, str(stack.file), address, "--password-stdin", input=given, check=False)
    assert r.returncode == 1 and words in r.stderr
    assert (stack.dir / "accounts.json").read_bytes() == before


def test_user_asks_twice_without_echo(stack):
    master, slave = pty.openpty()
    with subprocess.Popen([stack.program, "user", "add", str(stack.file), "carol@example.org"], stdin=slave, stdout=slave,
                          stderr=slave, env=stack.env, start_new_session=True,
                          preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)) as p:
        os.close(slave)
        seen = read_until(master, b"Password: ")
        os.write(master, b"s3cret\n")
        seen += read_until(master, b"Once more: ")
        os.write(master, b"s3cret\n")
        try:
            assert p.wait(20) == 0
        finally:
            p.kill()
    os.close(master)
    assert b"Once more: " in seen and b"s3cret" not in seen
    assert "carol@example.org" in json.loads((stack.dir / "accounts.json").read_text())


def test_a_running_authd_gets_the_new_user(stack):
    stack.up()
    stack.call("user", "add", str(stack.file), "bob@example.org", "--password-stdin", input="x")
    deadline = time.monotonic() + 5
    while stack.ask("authd", "hello") != "authd 1 hups=1":
        assert time.monotonic() < deadline


def test_removing_one_that_an_alias_needs_is_told(stack):
    r = stack.call("user", "del", str(stack.file), "alice@example.org")
    assert "now this is wrong" in r.stderr and "sales" in r.stderr
    stack.call("user", "add", str(stack.file), "alice@example.org", "--password-stdin", input="x")
    stack.call("validate", str(stack.file))


def test_help_and_the_manual_page_know_the_same_verbs_and_options(build_dir):
    def help_of(*verb):
        return subprocess.run([build_dir / "mailbox-run", *verb, "--help"], capture_output=True, text=True, check=True).stdout

    page = (build_dir.parent / "runtime" / "man" / "mailbox-run.1").read_text()
    verbs = re.findall(r"^  ([a-z]+) +(.*)$", help_of(), re.M)
    assert {"run", "exec", "up", "down", "image"} <= {name for name, _ in verbs}
    for name, words in verbs:
        text = help_of(name)
        assert text.splitlines()[2] == words, name
        assert re.search(rf"^\.It (?:.*, )?Cm {name}\b", page, re.M), name
        for option in re.findall(r"^ +(?:-\w, )?--([a-z0-9-]+)(?!.* refused: )", text, re.M):
            assert re.search(rf"\bFl {option}\b", page), (name, option)


def test_the_example_and_the_schema_agree(build_dir):
    top = build_dir.parent
    schema = json.loads((top / "specs" / "mailstack.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    for path in [top / "specs" / "mailstack.json", *sorted((top / "specs" / "examples").glob("*/mailstack.json"))]:
        jsonschema.validate(json.loads(path.read_text()), schema)
        r = subprocess.run([build_dir / "mailbox-run", "validate", path], capture_output=True, text=True, check=False)
        assert r.returncode == 0, r.stderr


def test_the_schema_knows_the_keys_that_the_program_knows(stack):
    """Each object of the schema, with one key too many, is refused by both."""
    for change in ({"x": 1}, {"smtp": {"x": 1}}, {"tls": {"x": 1}}, {"dns": {"x": 1}}, {"log": {"x": 1}}):
        saved = dict(stack.config)
        stack.config.update(change)
        stack.write()
        assert stack.call("validate", str(stack.file), check=False).returncode == 2
        stack.config = saved
