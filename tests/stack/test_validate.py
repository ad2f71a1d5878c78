# SPDX-License-Identifier: Apache-2.0
"""mailbox-run validate: one line a fault, with the JSON path, and exit status 2; nothing is touched."""
import json
import os
import subprocess

import pytest

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PROGRAM = os.path.join(TOP, os.environ.get("MR_BUILD", "build"), "mailbox-run")

GOOD = {"hostname": "mail.example.org", "domains": {"example.org": {"aliases": {"sales": ["alice"]}}},
        "accounts": {"file": "accounts.json"}}


def validate(tmp_path, conf):
    (tmp_path / "accounts.json").write_text('{"alice@example.org": {"password": "{PLAIN}x"}}')
    (tmp_path / "stack.json").write_text(json.dumps(conf))
    before = sorted(os.listdir(tmp_path))
    r = subprocess.run([PROGRAM, "validate", str(tmp_path / "stack.json")], capture_output=True, text=True, check=False)
    assert sorted(os.listdir(tmp_path)) == before
    return r


def test_a_good_file_is_valid(tmp_path):
    r = validate(tmp_path, GOOD)
    assert (r.returncode, r.stderr) == (0, "")
    assert r.stdout.endswith(": valid\n")


def test_a_link_leads_to_the_same_paths(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "link.json").symlink_to(tmp_path / "stack.json")
    assert validate(tmp_path, GOOD).returncode == 0
    r = subprocess.run([PROGRAM, "validate", tmp_path / "elsewhere" / "link.json"], capture_output=True, text=True, check=False)
    assert (r.returncode, r.stderr) == (0, "")


def test_an_account_has_no_plus_in_its_name(tmp_path):
    (tmp_path / "accounts.json").write_text('{"alice@example.org": {"password": "{PLAIN}x"}, "a+b@example.org": {"password": "!"}}')
    (tmp_path / "stack.json").write_text(json.dumps(GOOD))
    r = subprocess.run([PROGRAM, "validate", str(tmp_path / "stack.json")], capture_output=True, text=True, check=False)
    line, = r.stderr.splitlines()
    assert r.returncode == 2 and "accounts.json" in line and "'+'" in line


@pytest.mark.parametrize("change, path, words", [
    ({"listn": {}}, "$.listn", "lists"),
    ({"mailbox": {"format": 5}}, "$.mailbox.format", "number"),
    ({"domains": {"example.org": {"aliases": {"x": ["nobody"]}}}}, "aliases.x[0]", "nobody"),
    ({"smtp": {"message_size": "50X"}}, "$.smtp.message_size", "50X"),
    ({"smtp": {"message_size": "2G"}}, "$.smtp.message_size", "up to 1G"),
    ({"smtp": {"idle": 0}}, "$.smtp.idle", "one second"),
    ({"smtp": {"relay": {"host": "r.example", "port": 65536}}}, "$.smtp.relay.port", "65535"),
    ({"services": {"smtpd": {"workers": 65}}}, "$.services.smtpd.workers", "64"),
    ({"dns": {"cache": "5G"}}, "$.dns.cache", "up to 4G"),
    ({"queue": {"senders": 1001}}, "$.queue.senders", "1000"),
    ({"storage": ""}, "$.storage", "empty"),
    ({"domains": {"example.org": {"aliases": {"a": ["b"], "b": ["alice", "c@example.org"], "c": ["a+x"]}}}}, "aliases.a",
     "a@example.org -> b@example.org -> c@example.org -> a@example.org"),
    ({"domains": {"example.org": {"aliases": {"a": ["who-knows"]}, "catch_all": "a"}}}, "aliases.a", "a@example.org -> a@example.org"),
    ({"lists": {"l@example.org": {"members": ["alice@example.org", "l@example.org"]}}}, "$.lists", "circle"),
    ({"domains": {"example.org": {"catch_all": "nobody@example.org"}}}, "catch_all", "nobody"),
    ({"listen": {"smtp": ["127.0.0.1:2525"], "imap": ["127.0.0.1:2525"]}}, "$.listen", "2525"),
])
def test_a_fault_is_one_line_with_its_path(tmp_path, change, path, words):
    r = validate(tmp_path, {**GOOD, **change})
    assert r.returncode == 2 and r.stdout == ""
    line, = r.stderr.splitlines()
    assert path in line and words in line
