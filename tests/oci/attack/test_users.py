# SPDX-License-Identifier: Apache-2.0
"""Capabilities that come from the caller (CVE-2022-29162), how a user is read (CVE-2026-30892), and keyrings."""
import contextlib
import json
import os
import subprocess

import pytest

from attacklib import ATTACKER, both, with_attacker
from ocilib import need_program

SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def sets_of(text):
    lines = dict(line.split(":\t") for line in text.splitlines() if line.startswith("Cap"))
    return {name: int(lines[name], 16) for name in SETS}


def generous(attacked, *args):
    """From a caller who has some inheritable and ambient."""
    need_program("setpriv")
    some = "+kill,+net_bind_service,+sys_admin"
    return subprocess.run(["setpriv", "--inh-caps", some, "--ambient-caps", some, *attacked.command(*args)],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False)


@both("caps")
def test_nothing_is_inheritable_or_ambient_unless_asked_for(attacked, bundle):
    bundle.args("cat", "/proc/self/status").save()
    out = generous(attacked, "run", "--bundle", bundle.path, attacked.new_id())
    caps = sets_of(out.stdout)
    assert (caps["CapInh"] == 0 and caps["CapAmb"] == 0) == attacked.defended
    assert caps["CapBnd"] == caps["CapEff"] == caps["CapPrm"] == 1 << 5 | 1 << 10 | 1 << 29


@both("caps")
def test_nor_by_exec(attacked, bundle):
    name = attacked.start_detached(bundle.args("sleep", "60"))
    for more in ((), ("--cap", "CAP_NET_ADMIN")):
        caps = sets_of(generous(attacked, "exec", *more, name, "cat", "/proc/self/status").stdout)
        assert (caps["CapInh"] == 0 and caps["CapAmb"] == 0) == attacked.defended


def test_another_user_has_none_effective(runtime, bundle):
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    del bundle.process["capabilities"]["effective"]
    del bundle.process["capabilities"]["permitted"]
    caps = sets_of(runtime.run(bundle.args("cat", "/proc/self/status")).stdout)
    assert caps["CapEff"] == caps["CapPrm"] == caps["CapInh"] == caps["CapAmb"] == 0


WRONG = ["", ":", "1:", ":1", "-1", "+1", " 1", "1 ", "1:-1", "1: 1", "1:1:1", "4294967295", "1:4294967295", "4294967296",
         "18446744073709551616", "0x1", "1e3", "01 ", "root", "1\n", "1:1\t", "\u0661"]


@pytest.mark.parametrize("user", WRONG)
def test_a_user_that_is_no_number_is_refused(runtime, bundle, user):
    name = runtime.start_detached(bundle.args("sleep", "60"))
    out = runtime("exec", "--user", user, name, "id")
    assert out.returncode == 255 and out.stdout == "" and "--user" in out.stderr


# What becomes of it where digits are taken as they come: "user group".
READ_AS = {"": "0 0", ":": "0 0", "1:": "1 0", ":1": "0 1", "-1": "0 0", "4294967295": "0 0", " 1": "1 0", " 0": "0 0",
           "4294967296": "0 0", "1:-1": "1 0", "1:4294967295": "1 0", "0x1": "0 0", "1e3": "1 0", "root": "0 0", "1\n": "1 0"}


@both("number")
def test_no_user_is_read_as_another(attacked, bundle):
    """setresuid(-1) changes nothing: who reads "4294967295" or "-1" as a number stays root, and so does a group that is
    missing or wraps."""
    bundle.process["user"] = {"uid": 0, "gid": 0}
    name = attacked.start_detached(bundle.args("sleep", "60"))
    for user, read_as in READ_AS.items():
        out = attacked("exec", "--user", user, name, "sh", "-c", "echo $(id -u) $(id -g)")
        assert (out.stdout == f"{read_as}\n") != attacked.defended, (user, out.stdout, out.stderr)


@pytest.mark.parametrize("key", ["uid", "gid"])
@pytest.mark.parametrize("value", [-1, 4294967295, 4294967296, 1.5, "1", True, None, [1]])
def test_nor_in_the_configuration(runtime, bundle, key, value):
    bundle.process["user"] = {"uid": 1000, "gid": 1000, key: value}
    out = runtime.run(bundle.args("id"))
    if value is None:  # as if it were not there: 0, which is what the specification says
        return
    assert out.returncode == 1 and out.stdout == "" and f"user.{key}" in out.stderr


def says_little(tmp_path, *args):
    (tmp_path / "process.json").write_text(json.dumps({"args": args, "cwd": "/", "env": ["PATH=/bin"]}))
    return "--process", tmp_path / "process.json"


@both("inherit")
def test_nobody_gets_more_by_saying_less(attacked, bundle, tmp_path):
    """A process of an exec that says nothing of capabilities."""
    name = attacked.start_detached(bundle.args("sleep", "60"))
    caps = sets_of(attacked("exec", *says_little(tmp_path, "cat", "/proc/self/status"), name).stdout)
    assert (caps["CapBnd"] | caps["CapEff"] | caps["CapPrm"] == 1 << 5 | 1 << 10 | 1 << 29) == attacked.defended


@both("nocaps")
def test_nor_does_a_container(attacked, bundle):
    """As with runc and crun: what is not given is not there."""
    del bundle.process["capabilities"]
    caps = sets_of(attacked.run(bundle.args("cat", "/proc/self/status")).stdout)
    assert (set(caps.values()) == {0}) == attacked.defended


@pytest.mark.parametrize("off", [(), ("inherit",)], ids=["defended", "undefended"])
def test_nor_out_of_its_profile(undefended, bundle, tmp_path, off):
    """The kernel here may have no AppArmor: the runtime is told it has, when the container runs already, and then does not
    find where to write its profile to."""
    if os.path.exists("/sys/module/apparmor"):
        pytest.skip("the profile would have to be loaded")
    bundle.process["apparmorProfile"] = "confined"
    name = undefended().start_detached(bundle.args("sleep", "60"))
    out = undefended("apparmor", *off)("exec", *says_little(tmp_path, "echo", "unconfined"), name)
    assert ("unconfined" in out.stdout) == (off != ()), out.stderr
    assert off or "confined" in out.stderr


@contextlib.contextmanager
def lent(name):
    """A keyring of that name, for anybody to join, of an ordinary user of the host."""
    with open(ATTACKER, "rb") as f, subprocess.Popen(
            ["attacker", "lend", name], executable=f"/proc/self/fd/{f.fileno()}", pass_fds=[f.fileno()], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, user=12345, group=12345, extra_groups=[]) as p:
        try:
            if p.stdout.readline() != "ready\n":
                pytest.skip(f"no keyring can be made here: {p.stderr.read()}")
            yield
        finally:
            p.kill()
            p.wait(20)


@both("keyring")
def test_no_keyring_of_somebody_else_becomes_the_container_s(attacked, bundle, own_rootfs):
    """Whoever asks for a session keyring by its name gets what others have made under that name."""
    with_attacker(own_rootfs)
    bundle.args("/attacker", "key").save()
    name = attacked.new_id()
    with lent(f"_ses.{name}"):
        out = attacked("run", "--bundle", bundle.path, name)
    assert out.stdout == ("none\n" if attacked.defended else "found\n"), out.stderr
