# SPDX-License-Identifier: Apache-2.0
"""Capabilities and no_new_privs, read from the kernel."""

import subprocess

from ocilib import need_program

NET_BIND = 1 << 10
KILL = 1 << 5


def status(runtime, bundle, *options):
    out = runtime.run(bundle.args("cat", "/proc/self/status"), *options)
    assert out.returncode == 0, out.stderr
    return dict(l.split(":\t", 1) for l in out.stdout.splitlines() if ":\t" in l)


def masks(s):
    return {k: int(s[k], 16) for k in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}


def test_the_five_sets(runtime, bundle):
    bundle.process["capabilities"] = {
        "bounding": ["CAP_NET_BIND_SERVICE", "CAP_KILL"],
        "permitted": ["CAP_NET_BIND_SERVICE", "CAP_KILL"],
        "effective": ["CAP_KILL"],
        "inheritable": ["CAP_NET_BIND_SERVICE"],
        "ambient": ["CAP_NET_BIND_SERVICE"],
    }
    m = masks(status(runtime, bundle))
    assert m["CapBnd"] == NET_BIND | KILL
    assert m["CapInh"] == NET_BIND and m["CapAmb"] == NET_BIND


def test_ambient_ones_reach_an_ordinary_user(runtime, bundle):
    both = ["CAP_NET_BIND_SERVICE"]
    bundle.process["capabilities"] = dict.fromkeys(
        ("bounding", "permitted", "effective", "inheritable", "ambient"), both)
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    m = masks(status(runtime, bundle))
    assert m["CapEff"] == NET_BIND and m["CapPrm"] == NET_BIND


def test_an_ordinary_user_has_none(runtime, bundle):
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    m = masks(status(runtime, bundle))
    assert m["CapEff"] == m["CapPrm"] == m["CapInh"] == m["CapAmb"] == 0


def test_empty_sets_are_empty(runtime, bundle):
    bundle.process["capabilities"] = {}
    assert set(masks(status(runtime, bundle)).values()) == {0}


def test_no_new_privs(runtime, bundle):
    bundle.process["noNewPrivileges"] = True
    assert status(runtime, bundle)["NoNewPrivs"] == "1"
    bundle.process["noNewPrivileges"] = False
    assert status(runtime, bundle)["NoNewPrivs"] == "0"


def test_what_the_runtime_does_not_hold_is_warned_about(runtime, bundle, tmp_path):
    """setpriv takes CAP_SYS_TIME from the runtime itself."""
    need_program("setpriv")
    bundle.process["capabilities"] = {"bounding": ["CAP_SYS_TIME", "CAP_KILL"],
                                      "permitted": ["CAP_SYS_TIME", "CAP_KILL"]}
    bundle.save()
    command = ["setpriv", "--bounding-set", "-sys_time", *runtime.command(
        "--log", str(tmp_path / "log"), "run", "--bundle", bundle.path, runtime.new_id())]
    out = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert out.returncode == 0, out.stderr
    log = (tmp_path / "log").read_text()
    assert "level=warning" in log and "CAP_SYS_TIME" in log and "CAP_KILL" not in log


def test_what_cannot_be_ambient_is_warned_about(runtime, bundle):
    some = ["CAP_KILL", "CAP_CHOWN"]
    bundle.process["capabilities"] = {"bounding": some, "permitted": some, "effective": some, "inheritable": ["CAP_KILL"], "ambient": some}
    out = runtime.run(bundle.args("grep", "CapAmb", "/proc/self/status"))
    assert out.stdout.split() == ["CapAmb:", f"{1 << 5:016x}"]
    assert "can't raise ambient capability CAP_CHOWN" in out.stderr and "CAP_KILL" not in out.stderr
