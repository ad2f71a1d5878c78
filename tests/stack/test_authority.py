# SPDX-License-Identifier: Apache-2.0
"""The privilege table of specs/README.md, derived from the bundles and probed from inside the containers."""
import json
import os
import pathlib
import re
import socket
import subprocess
import threading

import pytest

from stacklib import SERVICES

TOP = pathlib.Path(__file__).resolve().parents[2]
OFF = "0000000000000000"
# What the table of specs/README.md says, in terms of a bundle.
VOLUMES = {"imapd": {"/var/mail"}, "pop3d": {"/var/mail"}, "lmtpd": {"/var/mail"}, "queued": {"/var/spool/mailstack"},
           "filterd": {"/var/state"}, "smtpd": {"/tmp"}}
TALKS = {"frontd": {"auth.sock", "imapd.sock", "pop3d.sock"}, "filterd": {"dnsd.sock"}, "queued": {"lmtpd.sock", "dnsd.sock"},
         "smtpd": {"auth.sock", "map.sock", "filterd.sock", "lmtpd.sock", "queued.sock", "dnsd.sock"}}
SECRETS = {"frontd": {"tls"}, "smtpd": {"tls"}, "filterd": {"dkim"}, "authd": {"accounts.json"}}


def bundle(stack, name):
    return json.loads(stack.call("bundle", "--exact", str(stack.file), name).stdout)


@pytest.mark.parametrize("name", SERVICES)
def test_a_bundle_grants_what_the_row_says_and_no_more(stack, name):
    b = bundle(stack, name)
    linux = b["linux"]
    process = b["process"]
    assert b["root"]["readonly"] is True and process["noNewPrivileges"] is True
    assert process["user"]["uid"] > 1000
    assert not any(process["capabilities"].values())
    kinds = {"user", "pid", "network", "ipc", "uts", "mount", "cgroup", "time"}
    assert {n["type"] for n in linux["namespaces"]} == kinds and not any("path" in n for n in linux["namespaces"])
    assert linux["seccomp"]["defaultAction"] == "SCMP_ACT_ERRNO"
    assert all(m["size"] == 1 for m in linux["uidMappings"]) and len(linux["uidMappings"]) == 2
    for limit in ("memory", "pids", "cpu"):
        assert limit in linux["resources"]
    at = {m["destination"] for m in b["mounts"]}
    fixed = {"/proc", "/dev", "/run", "/etc/mailstack", "/run/mailstack/notify.sock"}
    assert at - fixed == VOLUMES.get(name, set()) | {f"/run/mailstack/{s}" for s in TALKS.get(name, set())}
    names = [v.split("=", 1)[1] for v in process["env"] if v.startswith("LISTEN_FDNAMES=")][0].split(":")
    assert ("dial" in names) == (name == "queued")


def test_no_two_services_share_an_id(stack):
    assert len({bundle(stack, n)["process"]["user"]["uid"] for n in SERVICES}) == len(SERVICES)


def test_runc_takes_the_bundles_for_valid(stack, need_tool, short_dir):
    """runc makes a container of each while the stack is up, whose sockets it mounts; the program is not started."""
    need_tool("runc")
    stack.up()
    runc = ["runc", "--root", str(short_dir / "runc")]
    for name in SERVICES:
        path = short_dir / name
        stack.call("bundle", str(stack.file), name, str(path))
        config = json.loads((path / "config.json").read_text())
        config["linux"]["cgroupsPath"] = f"{stack.prefix}-runc-{name}"
        (path / "config.json").write_text(json.dumps(config))
        made = subprocess.run([*runc, "create", "--bundle", str(path), name], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=(path / "said").open("w"), timeout=30, check=False)
        gone = subprocess.run([*runc, "delete", "--force", name], capture_output=True, text=True, timeout=30, check=False)
        assert made.returncode == 0, (name, (path / "said").read_text())
        assert gone.returncode == 0, (name, gone.stderr)


def probe(stack, name):
    return json.loads(stack.ask(name, "probe"))


def test_from_inside(stack):
    stack.up()
    for name in SERVICES:
        p = probe(stack, name)
        assert p["uid"] > 1000 and p["gid"] > 1000 and p["pid"] == 1
        for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert p[key] == OFF, (name, key)
        assert p["NoNewPrivs"] == "1" and p["Seccomp"] == "2"
        assert set(p["interfaces"]) <= ({"lo", "dns0"} if name == "dnsd" else {"lo"}), name
        assert p["mounts"]["/"].split(",")[0] == "ro" and p["mounts"]["/etc/mailstack"].split(",")[0] == "ro"
        for key in ("write_root", "write_etc", "write_conf"):
            assert p[key] in (13, 30), (name, key)  # EACCES, EROFS
        if name != "dnsd":
            assert p["connect"] == 101, name  # ENETUNREACH
        assert set(p["sockets"]) == {"notify.sock"} | TALKS.get(name, set())


def test_no_file_beyond_the_table(stack):
    stack.up()
    for name in SERVICES:
        conf = f"/etc/mailstack/{name}.json"
        assert stack.ask(name, f"read {conf}") == "ok"
        listing = {p.name for p in pathlib.Path(stack.run_dir(), name, "conf").iterdir()}
        assert listing == {f"{name}.json"} | SECRETS.get(name, set())
        for path in ("/bin/sh", "/etc/shadow", "/etc/mailstack/other.json", "/root", str(stack.file)):
            assert stack.ask(name, f"read {path}") in ("ENOENT", "EACCES"), (name, path)
        for path in ("/proc/kcore", "/proc/keys", "/proc/timer_list"):
            assert stack.ask(name, f"read {path}") in ("ok", "ENOENT", "EACCES")
        for volume in ("/var/mail", "/var/spool/mailstack", "/var/state"):
            got = stack.ask(name, f"read {volume}")
            assert got == "ok" or volume in VOLUMES.get(name, set()), (name, volume, got)


def test_only_the_owner_enters_the_run_directory(stack):
    stack.up()
    assert os.stat(stack.run_dir()).st_mode & 0o777 == 0o700


def test_the_tables_of_the_readme_and_of_the_rows_agree():
    text = (TOP / "specs" / "README.md").read_text()
    rows = dict(re.findall(r"^\| (\w+d) \| ([^|]+) \| [^|]+ \| [^|]+ \| [^|]+ \|$", text, re.M))
    assert sorted(rows) == sorted(SERVICES)
    for name in SERVICES:
        spec = json.loads((TOP / "specs" / "services" / f"{name}.json").read_text())
        assert bool(spec["ports"]) == bool(re.search(r"\d", rows[name])), name


# --- dialling ------------------------------------------------------------------------------------


@pytest.fixture
def greeter(free_ports):
    """Something that listens on the loopback and says hello to whoever comes."""
    port, = free_ports(1)
    server = socket.create_server(("127.0.0.1", port))

    def run():
        while True:
            try:
                s, _ = server.accept()
            except OSError:
                return
            with s:
                s.sendall(b"220 hello")

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield port
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(5)


def test_only_queued_may_dial(stack):
    stack.up()
    for name in SERVICES:
        if name != "queued":
            assert stack.ask(name, "dial 127.0.0.1 25").startswith("no dial")


@pytest.mark.parametrize("where, why", [
    ("127.0.0.1 25", "refused 7"), ("10.1.2.3 25", "refused 7"), ("192.168.1.1 587", "refused 7"), ("169.254.1.1 25", "refused 7"),
    ("::1 25", "refused 7"), ("::ffff:127.0.0.1 25", "refused 7"), ("fe80::1 25", "refused 7"), ("ff02::1 25", "refused 7"),
    ("224.0.0.1 25", "refused 7"), ("0.0.0.0 25", "refused 7"), ("8.8.8.8 22", "refused 7 the port"),
])
def test_what_may_not_be_dialled(stack, where, why):
    stack.up()
    assert stack.ask("queued", "dial " + where).startswith(why)


def test_a_route_may_be_dialled(stack, greeter):
    stack.config["smtp"] = {"routes": {"partner.example": f"smtp://127.0.0.1:{greeter}"}}
    stack.write()
    stack.up()
    assert stack.ask("queued", f"dial 127.0.0.1 {greeter}") == "ok 7 heard: 220 hello"
    assert "dial service=queued" in stack.log()


def test_dial_allow_opens_a_network_for_the_ports_of_the_row(stack, greeter):
    stack.config["smtp"] = {"port": greeter}
    stack.config["dial"] = {"allow": ["127.0.0.0/8"]}
    stack.write()
    stack.up()
    assert stack.ask("queued", f"dial 127.0.0.1 {greeter}") == "ok 7 heard: 220 hello"
    assert stack.ask("queued", "dial 127.0.0.1 22").startswith("refused 7")
    assert stack.ask("queued", "dial 10.0.0.1 25").startswith("refused 7")


def test_a_refused_connection_is_the_kernels_answer(stack, free_ports):
    port, = free_ports(1)
    stack.config["smtp"] = {"port": port}
    stack.config["dial"] = {"allow": ["127.0.0.1"]}
    stack.write()
    stack.up()
    assert stack.ask("queued", f"dial 127.0.0.1 {port}").startswith("error 7 111")


def test_the_network_of_dnsd_lets_out_dns_alone(stack, need_tool):
    need_tool("nft")
    stack.up()
    if stack.status()["dns_network"] != "own":
        pytest.skip(stack.status()["dns_network"])
    table = "mailbox-run-" + os.path.basename(stack.run_dir()).lstrip(".")
    rules = subprocess.run(["nft", "list", "table", "ip", table], capture_output=True, text=True, check=True).stdout
    assert "udp dport 53 accept" in rules and "tcp dport 53 accept" in rules and rules.count(" drop") >= 3
