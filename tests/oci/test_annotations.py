# SPDX-License-Identifier: Apache-2.0
"""Annotations that change what is done: those that podman sets, or that its users know from crun."""
import os

import pytest

from ocilib import need_root

KEEP = "run.oci.keep_original_groups"
STDOUT, STDERR = "run.oci.hooks.stdout", "run.oci.hooks.stderr"
STRICT = "run.oci.seccomp_fail_unknown_syscall"


@pytest.fixture
def groups():
    """The caller is a member of three groups that no container knows."""
    need_root()
    before = os.getgroups()
    os.setgroups([3001, 3002, 3003])
    yield [3001, 3002, 3003]
    os.setgroups(before)


def groups_in(text):
    line = next(l for l in text.splitlines() if l.startswith("Groups:"))
    return [int(g) for g in line.split()[1:]]


def test_groups_are_kept_by_run_and_exec(groups, runtime, bundle):
    bundle.config["annotations"] = {KEEP: "1"}
    bundle.process["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [7]}
    out = runtime.run(bundle.args("cat", "/proc/self/status"))
    assert out.returncode == 0, out.stderr
    assert groups_in(out.stdout) == groups
    name = runtime.start_detached(bundle.args("sleep", "60"))
    out = runtime("exec", name, "cat", "/proc/self/status")
    assert out.returncode == 0, out.stderr
    assert groups_in(out.stdout) == groups


@pytest.mark.parametrize("annotations", [{}, {KEEP: "0"}, {"run.oci.keep": "1"}])
def test_groups_are_dropped_without_it(groups, runtime, bundle, annotations):
    bundle.config["annotations"] = annotations
    bundle.process["user"]["additionalGids"] = [7]
    out = runtime.run(bundle.args("cat", "/proc/self/status"))
    assert groups_in(out.stdout) == [7]


def test_groups_are_kept_in_a_user_namespace(groups, runtime, bundle):
    bundle.linux["namespaces"].append({"type": "user"})
    bundle.linux["uidMappings"] = bundle.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 1000}]
    bundle.config["annotations"] = {KEEP: "1"}
    out = runtime.run(bundle.args("cat", "/proc/self/status"))
    if "not permitted" in out.stderr.lower() or "denied" in out.stderr.lower():
        pytest.skip("no user namespace here")
    assert out.returncode == 0, out.stderr
    assert groups_in(out.stdout) == [65534] * 3  # they are not mapped, and still there


def hook(script):
    return {"path": "/bin/sh", "args": ["sh", "-c", script]}


def test_what_hooks_print_goes_to_files(runtime, bundle, tmp_path):
    out, err = tmp_path / "out", tmp_path / "err"
    out.write_text("before\n")
    bundle.config["annotations"] = {STDOUT: str(out), STDERR: str(err)}
    kinds = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
    bundle.config["hooks"] = {k: [hook(f"echo {k}; echo no {k} >&2")] for k in kinds}
    result = runtime.run(bundle)
    assert result.returncode == 0, result.stderr
    assert out.read_text().split() == ["before", *kinds]  # startContainer writes to the host's file, too
    assert err.read_text().splitlines() == [f"no {k}" for k in kinds]
    assert err.stat().st_mode & 0o777 == 0o600  # nobody else's business
    name = runtime.create(bundle.args("sleep", "60"))
    assert runtime("start", name).returncode == 0
    assert out.read_text().split()[-1] == "poststart"


def test_so_does_what_those_print_that_take_back_a_failed_start(runtime, bundle, tmp_path):
    out = tmp_path / "out"
    bundle.config["annotations"] = {STDOUT: str(out)}
    bundle.config["hooks"] = {"createRuntime": [hook("echo made")], "createContainer": [hook("exit 3")],
                              "poststop": [hook("grep -o '\"status\":\"stopped\",\"pid\":0'")]}
    assert runtime.run(bundle).returncode == 1
    assert out.read_text().splitlines() == ["made", '"status":"stopped","pid":0']


def test_a_failing_hook_is_told_with_what_is_not_in_a_file(runtime, bundle, tmp_path):
    bundle.config["annotations"] = {STDOUT: str(tmp_path / "out")}
    bundle.config["hooks"] = {"prestart": [hook("echo sun; echo rain >&2; exit 3")]}
    result = runtime.run(bundle)
    assert result.returncode == 1
    assert "prestart hook failed with exit code 3, saying: rain" in result.stderr
    assert (tmp_path / "out").read_text() == "sun\n"


@pytest.mark.parametrize("path, said", [("relative", "absolute path"), ("/nowhere/file", "/nowhere/file"),
                                        ("FIFO", "no such device")])
def test_a_file_that_cannot_be_opened_stops_the_start(runtime, bundle, tmp_path, path, said):
    if path == "FIFO":  # which nobody reads: not waited for
        path = str(tmp_path / "fifo")
        os.mkfifo(path)
    bundle.config["annotations"] = {STDERR: path}
    bundle.config["hooks"] = {"prestart": [hook("true")]}
    result = runtime.run(bundle)
    assert result.returncode == 1
    assert STDERR in result.stderr and said in result.stderr


def test_an_unknown_system_call_is_an_error_where_it_is_wished(runtime, bundle):
    bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["mkdir", "of_the_future"], "action": "SCMP_ACT_ERRNO"}]}
    assert runtime.run(bundle).returncode == 0
    bundle.config["annotations"] = {STRICT: "1"}
    result = runtime.run(bundle)
    assert result.returncode == 1
    assert "$.linux.seccomp.syscalls[0].names[1]" in result.stderr and "of_the_future" in result.stderr


@pytest.mark.parametrize("handler", ["krun", "wasm"])
def test_less_than_a_virtual_machine_is_not_given_silently(runtime, bundle, handler):
    bundle.config["annotations"] = {"run.oci.handler": handler}
    result = runtime.run(bundle)
    assert result.returncode == 1 and f"'{handler}' is not available" in result.stderr
