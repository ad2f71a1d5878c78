# SPDX-License-Identifier: Apache-2.0
"""The stack of an ordinary user, on high ports: no root, no subordinate ids, no control group."""
import os
import pathlib
import shutil
import subprocess

import pytest

from realstack import MailStack
from stacklib import SERVICES, alive

USER = 30000 + os.getpid() % 20000  # nobody else's, that of other tests not either


class UserStack(MailStack):
    limits = ()  # a command in front that lowers some

    def call(self, verb, *args, check=True, **more):
        for path in (self.dir, *self.dir.glob("*.json")):
            os.chown(path, USER, USER)
        r = subprocess.run([*self.limits, "setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups", "env",
                            f"XDG_RUNTIME_DIR={self.dir}/run", f"MAILBOX_RUN_IMAGES={self.dir}/images", self.dir / "mailbox-run", verb,
                            *args], capture_output=True, text=True, timeout=60, check=False, cwd="/", **more)
        assert not check or r.returncode == 0, (verb, r.returncode, r.stdout, r.stderr)
        return r

    def run_dir(self):
        found, = [p for p in (self.dir / "run/mailbox-run").iterdir() if p.name.startswith(f".{self.prefix}-")]
        return str(found)


@pytest.fixture
def mail(need_root, need_tool, short_dir, build_dir, free_ports, no_leaks):
    need_tool("setpriv")
    for name in ("mailbox-run", "mailbox-run-stack"):
        shutil.copy(build_dir / name, short_dir / name)
    shutil.copytree(build_dir / "images", short_dir / "images")
    (short_dir / "run").mkdir(mode=0o700)
    os.chown(short_dir / "run", USER, USER)
    s = UserStack(short_dir, build_dir, free_ports(8))
    yield s
    s.end()
    no_leaks(s.prefix + "-")
    assert not (short_dir / "run" / "mailbox-run").exists()
    assert not alive(subprocess.run(["pgrep", "-u", str(USER)], capture_output=True, text=True, check=False).stdout.split())


def test_an_ordinary_user_has_a_mail_server(mail):
    out = mail.up().stdout
    assert "is up" in out and "Limits of memory, processes and CPU: none" in out
    assert mail.status()["limits"].startswith("none")
    mail.submit("alice", ["sales@example.org"], "Subject: without root\r\n\r\nx\r\n")
    assert mail.subjects("bob") == mail.subjects("alice") == ["without root"]
    p = mail.pop3("bob", stls=True)
    assert p.stat()[0] == 1
    p.quit()
    with mail.smtp() as s:
        s.sendmail("eve@else.example", ["alice@example.org"], "Subject: from outside\r\n\r\nx\r\n")
    mail.wait_for("alice", "from outside")
    assert "nothing has changed" in mail.up().stdout
    assert not {p.stat().st_uid for p in (mail.dir / "data").rglob("*")} - {USER}


def test_each_service_is_confined_all_the_same(mail):
    mail.up()
    namespaces = set()
    for name, s in mail.services().items():
        proc = pathlib.Path(f"/proc/{s['pid']}")
        status = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines() if ":\t" in line)
        assert all(int(status[c], 16) == 0 for c in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")), name
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
        assert status["NSpid"].split()[1] == "1"
        assert (proc / "uid_map").read_text().split()[1:] == [str(USER), "1"]
        assert (proc / "uid_map").read_text().split()[0] != "0"
        namespaces.add(os.readlink(proc / "ns/mnt"))
        if name != "dnsd":
            assert os.readlink(proc / "ns/net") != os.readlink("/proc/self/ns/net")
    assert len(namespaces) == len(SERVICES)


def test_without_a_place_for_what_runs_it_says_so(mail):
    r = subprocess.run(["setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups", "env", "-i", mail.dir / "mailbox-run",
                        "up", "-d", mail.file], capture_output=True, text=True, timeout=20, check=False, cwd="/")
    assert r.returncode == 1 and "XDG_RUNTIME_DIR is not set" in r.stderr


def test_a_low_port_is_refused_by_the_kernel_and_named(mail):
    mail.config["listen"]["smtp"] = ["127.0.0.1:25"]
    mail.write()
    r = mail.up(check=False)
    assert r.returncode == 1 and "listen on 127.0.0.1:25 for smtp: permission denied" in r.stderr


def test_few_open_files_are_enough_for_a_small_server(mail):
    mail.limits = ("prlimit", "--nofile=1024:4096")
    out = mail.up().stdout
    assert "Open files: 4096 of 8192 for smtpd, 4096 of 16384 for frontd: raise the hard limit" in out
    assert "4096 of 16384 for frontd" in mail.status()["open_files"]
    mail.submit("alice", ["bob@example.org"], "Subject: few files\r\n\r\nx\r\n")
    assert mail.subjects("bob") == ["few files"]
    for name, s in mail.services().items():
        limits = pathlib.Path(f"/proc/{s['pid']}/limits").read_text()
        assert [line.split()[3:5] for line in limits.splitlines() if line.startswith("Max open files")] == [["4096", "4096"]], name
    assert "nothing has changed" in mail.up().stdout


def test_open_files_that_are_asked_for_and_too_few_are_refused(mail):
    mail.limits = ("prlimit", "--nofile=1024:4096")
    mail.config.setdefault("services", {})["frontd"] = {"nofile": 5000}
    mail.write()
    r = mail.up(check=False)
    assert r.returncode == 1 and "$.services.frontd.nofile: 5000 open files, and 4096 are permitted: raise the hard limit" in r.stderr
    del mail.config["services"]["frontd"]
    mail.limits = ("prlimit", "--nofile=128:128")
    mail.write()
    r = mail.up(check=False)
    assert r.returncode == 1 and "a service needs 256 open files, and 128 are permitted" in r.stderr
