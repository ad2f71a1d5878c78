# SPDX-License-Identifier: Apache-2.0
"""The test suite that goes with RFC 7208, each test as a message through filterd."""
import ipaddress

import pytest

import dnslib
from maillib import Daemon
from milterlib import Dnsd, Mta

yaml = pytest.importorskip("yaml", reason="needs python3-yaml")

TYPES = {"A": dnslib.A, "AAAA": dnslib.AAAA, "MX": dnslib.MX, "TXT": dnslib.TXT, "PTR": dnslib.PTR, "CNAME": dnslib.CNAME}
MESSAGE = b"From: x@unrelated.test\r\nSubject: x\r\n\r\nx\r\n"


def strings(value):
    parts = value if isinstance(value, list) else [value]
    return "".join(parts)


def wire(kind, value):
    if kind == "TXT":
        return strings(value)
    if kind == "MX":
        return value[0], value[1]
    return value


def records(zone):
    """The suite's zone as a table. SPF records stand for TXT where there is no TXT; a lone TIMEOUT is for every type."""
    table, silent = {}, set()
    for name, entries in zone.items():
        kinds = [k for e in entries if isinstance(e, dict) for k in e]
        for entry in entries:
            if entry == "TIMEOUT":
                silent.add(name.lower())
                continue
            for kind, value in entry.items():
                if kind == "SPF":
                    if "TXT" in kinds:
                        continue
                    kind = "TXT"
                if value == "NONE" or kind not in TYPES:
                    continue
                if value == "TIMEOUT":
                    table[(name, TYPES[kind])] = Dnsd.TIMEOUT
                    continue
                table.setdefault((name, TYPES[kind]), []).append(wire(kind, value))
    for name in silent:
        for qtype in set(TYPES.values()) - {dnslib.CNAME}:
            table.setdefault((name, qtype), Dnsd.TIMEOUT)
    return table


def scenarios(path):
    with open(path, encoding="utf-8") as f:
        return list(yaml.safe_load_all(f))


class Zone(Dnsd):
    """Strings of a TXT record are bytes; a name that the wire cannot carry is not asked for."""

    def answer(self, msg):
        try:
            return super().answer(msg)
        except UnicodeError:
            return msg[:2] + b"\x81\x83" + msg[4:6] + bytes(6) + msg[12:]


def result_of(answer):
    words = answer.header("Authentication-Results").split()
    return [w.split("=")[1] for w in words if w.startswith("spf=")][0].rstrip(";")


def test_the_suite(short_dir, test_data):
    path = test_data / "spf" / "rfc7208-tests.yml"
    if not path.exists():
        pytest.skip(f"{path} is missing")
    conf = {"hostname": "mail.test", "domains": [], "dkim": False, "dmarc": False, "limits": {"workers": 1},
            "sockets": {"dns": str(short_dir / "dnsd.sock")}, "listen": {"milter": [str(short_dir / "filterd.sock")]}}
    wrong, n = [], 0
    server = Zone(short_dir / "dnsd.sock", {})
    d = Daemon(short_dir, "filterd", conf)
    try:
        for scenario in scenarios(path):
            server.records = {(k[0].lower().rstrip("."), k[1]): v for k, v in records(scenario["zonedata"]).items()}
            for name, test in scenario["tests"].items():
                n += 1
                with Mta(short_dir / "filterd.sock") as mta:
                    mta.connect(str(ipaddress.ip_address(test["host"])), test["helo"])
                    got = result_of(mta.send(MESSAGE, test["mailfrom"].encode().decode("latin-1")))
                want = test["result"] if isinstance(test["result"], list) else [test["result"]]
                if got not in want:
                    wrong.append(f"{scenario['description']}/{name}: {got}, not {want}")
    finally:
        d.stop()
        server.close()
    assert n > 190
    assert not wrong, "\n".join(wrong)
