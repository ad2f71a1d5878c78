# SPDX-License-Identifier: Apache-2.0
"""up and down: everything up, nothing twice, nothing left, and failures that clean up after themselves."""
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from stacklib import SERVICES


def test_up_returns_when_all_are_ready_and_down_leaves_nothing(stack, no_leaks):
    out = stack.up().stdout
    assert "mail.example.org is up" in out and f"127.0.0.1:{stack.ports['smtp']}" in out and "alice@example.org" in out
    services = stack.services()
    assert sorted(services) == sorted(SERVICES)
    for s in services.values():
        assert s["state"] == "up" and s["pid"] > 1 and s["restarts"] == 0 and s["memory_bytes"] > 0
    for name in SERVICES:
        assert stack.ask(name, "hello") == f"{name} 1 hups=0"
    stack.down()
    no_leaks(stack.prefix + "-")
    assert not [p for p in services.values() if os.path.exists(f"/proc/{p['pid']}")]
    assert stack.call("status", str(stack.file), check=False).returncode == 1


def test_warm_up_takes_less_than_a_second(stack):
    stack.up()
    stack.down()
    took = []
    for _ in range(3):
        began = time.monotonic()
        stack.up()
        took.append(time.monotonic() - began)
        stack.down()
    assert min(took) < 1.0 * float(os.environ.get("MR_SLOWER", "1")), took  # the figures are tests/bench's


def test_up_twice_changes_nothing(stack):
    stack.up()
    before = stack.pids()
    r = stack.up()
    assert "up already; nothing has changed" in r.stdout
    assert stack.pids() == before


def test_down_twice_is_no_error(stack):
    stack.up()
    stack.down()
    assert "is not up" in stack.down().stdout


def test_services_start_and_stop_in_order(stack):
    stack.up()
    stack.down()
    lines = [re.findall(r"(\w+)=(\S+)", line) for line in stack.log().splitlines() if " unit.state " in line]
    seen = [(dict(f)["service"], dict(f)["now"]) for f in lines]
    for later, before in (("smtpd", "authd"), ("smtpd", "filterd"), ("filterd", "dnsd"), ("queued", "lmtpd"), ("frontd", "imapd")):
        assert seen.index((before, "up")) < seen.index((later, "starting"))
        assert seen.index((later, "down")) < seen.index((before, "stopping"))


@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_foreground(stack, no_leaks, signo):
    with subprocess.Popen([stack.program, "up", str(stack.file)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=stack.env) as p:
        lines = []
        for line in p.stdout:
            lines.append(line)
            if line.startswith("Stop it with"):
                break
        stack.all_up()
        p.send_signal(signo)
        rest = p.stdout.read()
        assert p.wait(timeout=30) == 0
    assert "Ctrl-C" in "".join(lines) and "smtpd    info stopping" in rest
    no_leaks(stack.prefix + "-")


@pytest.mark.parametrize("name", ["authd", "filterd", "smtpd"])
def test_a_service_that_fails_makes_up_fail_with_its_last_lines(stack, no_leaks, name):
    stack.config["hostname"] = f"fail-{name}.example.org"
    stack.write()
    r = stack.up(check=False)
    assert r.returncode == 1
    assert f"service '{name}' did not start: exited with 3" in r.stderr
    for line in ("info first of three", "warn second of three", "error third of three"):
        assert "  " + line in r.stderr
    no_leaks(stack.prefix + "-")


def test_a_busy_port_is_an_error_that_names_it(stack, no_leaks):
    with socket.create_server(("127.0.0.1", stack.ports["imap"])):
        r = stack.up(check=False)
    assert r.returncode == 1
    assert f"listen on 127.0.0.1:{stack.ports['imap']} for imap: address already in use" in r.stderr
    no_leaks(stack.prefix + "-")


def test_a_wrong_file_touches_nothing(stack, no_leaks):
    stack.config["smtp"] = {"mesage_size": 5}
    stack.write()
    r = stack.up(check=False)
    assert r.returncode == 2
    line, = r.stderr.splitlines()
    assert "$.smtp" in line and "mesage_size" in line and "message_size" in line
    assert not (stack.dir / "data").exists()
    no_leaks(stack.prefix + "-")


def test_data_stay_over_down_and_up(stack):
    stack.up()
    mark = stack.dir / "data" / "mail" / "mark"
    mark.write_text("here")
    key = (stack.dir / "data" / "dkim" / "example.org" / "s1.pem").read_bytes()
    cert = (stack.dir / "data" / "tls" / "cert.pem").read_bytes()
    stack.down()
    stack.up()
    assert mark.read_text() == "here"
    assert (stack.dir / "data" / "dkim" / "example.org" / "s1.pem").read_bytes() == key
    assert (stack.dir / "data" / "tls" / "cert.pem").read_bytes() == cert


def test_the_record_of_a_dkim_key_lies_beside_it(stack):
    stack.up()
    record = (stack.dir / "data" / "dkim" / "example.org.s1.txt").read_text()
    assert re.fullmatch(r's1\._domainkey\.example\.org\. IN TXT \( "v=DKIM1; k=ed25519; p=[A-Za-z0-9+/]{43}=" \)\n', record)


def test_a_new_host_name_gets_a_new_certificate(stack):
    stack.up()
    stack.down()
    old = (stack.dir / "data" / "tls" / "cert.pem").read_bytes()
    stack.config["hostname"] = "mx.example.net"
    stack.write()
    stack.up()
    new = stack.dir / "data" / "tls" / "cert.pem"
    assert new.read_bytes() != old
    text = subprocess.run(["openssl", "x509", "-in", new, "-noout", "-text"], capture_output=True, text=True, check=True).stdout
    assert "DNS:mx.example.net" in text and "CN = mx.example.net" in text
