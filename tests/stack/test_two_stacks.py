# SPDX-License-Identifier: Apache-2.0
"""Two stacks in network namespaces of their own: mail finds its way by MX, is signed here and verified there."""
import re
import subprocess

import pytest

from realstack import MailStack, in_network

from dnslib import A, MX, TXT, Server

HERE, THERE = "10.77.0.1", "10.77.0.2"


def ip(*args):
    subprocess.run(["ip", *args], check=True, capture_output=True, timeout=20)


@pytest.fixture
def networks(need_root, need_tool, short_dir):
    """Two namespaces and a cable between them; their names."""
    need_tool("ip")
    names = [f"{short_dir.name}-{c}" for c in "ab"]
    made = []
    try:
        for name in names:
            ip("netns", "add", name)
            made.append(name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("link", "add", "eth0", "netns", names[0], "type", "veth", "peer", "name", "eth0", "netns", names[1])
        for name, address in zip(names, (HERE, THERE)):
            ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
        yield names
    finally:
        for name in made:
            ip("netns", "delete", name)


@pytest.fixture
def pair(networks, short_dir, build_dir, no_leaks):
    """a.example on the one side, b.example on the other, and the DNS of both."""
    stacks = []
    records = {("mail.a.example", A): [HERE], ("mail.b.example", A): [THERE], ("a.example", MX): [(10, "mail.a.example")],
               ("b.example", MX): [(20, "nowhere.b.example"), (10, "mail.b.example")],
               ("a.example", TXT): [f"v=spf1 ip4:{HERE} -all"], ("b.example", TXT): ["v=spf1 mx -all"],
               ("_dmarc.a.example", TXT): ["v=DMARC1; p=reject"]}
    with in_network(networks[0]):
        server = Server(53, records, host=HERE)
    try:
        for letter, host, network in zip("ab", (HERE, THERE), networks):
            directory = short_dir / letter
            directory.mkdir()
            s = MailStack(directory, build_dir, (25, 587, 465, 143, 993, 110, 995), f"{letter}.example", host, network,
                          dns={"servers": [HERE], "dnssec": False}, dial={"allow": ["10.77.0.0/24"]})
            s.prefix = f"{short_dir.name[3:].replace('_', 'x')}{letter}"
            s.file = s.file.rename(directory / f"{s.prefix}.json")
            stacks.append(s)
            s.up()
            server.records.update({(n.rstrip("."), t): v for (n, t), v in s.dkim_records().items()})
        yield stacks
    finally:
        for s in stacks:
            s.down()
        server.close()
    for s in stacks:
        no_leaks(s.prefix + "-")


def test_mail_is_routed_by_mx_signed_and_verified(pair):
    a, b = pair
    a.submit("alice", ["bob@b.example"], "From: alice@a.example\r\nTo: bob@b.example\r\nSubject: far away\r\n\r\nhello\r\n")
    message = b.wait_for("bob", "far away")
    results = " ".join(message["Authentication-Results"].split())
    assert results.startswith("mail.b.example;")
    assert results.count("dkim=pass") == 2, results  # Ed25519 and RSA
    assert "spf=pass" in results and "dmarc=pass" in results
    received = message.get_all("Received")
    assert "by mail.b.example" in received[0] and "ESMTPS" in received[0]  # STARTTLS, for it was offered
    assert a.call("queue", "list", str(a.file)).stdout.count("bob@b.example") == 0


def test_an_unknown_user_over_there_comes_back_as_a_report(pair):
    a, b = pair
    a.submit("alice", ["nobody@b.example", "bob@b.example"], "From: alice@a.example\r\nSubject: to two\r\n\r\nhello\r\n")
    b.wait_for("bob", "to two")
    end = a.wait_for_message("alice", lambda m: m.get_content_type() == "multipart/report")
    assert end["Return-Path"] == "<>"
    text = end.as_string()
    assert re.search(r"Final-Recipient: rfc822; ?nobody@b\.example", text) and "Action: failed" in text and "5.1.1" in text
