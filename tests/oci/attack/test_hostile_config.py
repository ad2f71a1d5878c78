# SPDX-License-Identifier: Apache-2.0
"""Configurations that are huge, deep, malformed or just mean: an answer in little time, with little memory, and no start.

The parser itself is fuzzed with the sanitizers on: tests/fuzz/runtime/spec/fuzz_oci.c.
"""
import json
import os
import resource
import subprocess
import time

import pytest

from attacklib import both
from ocilib import restoring_criu

SECONDS = 5
KIB = 160 * 1024  # of a configuration of 4 MiB, the largest that is taken


def limited():
    resource.setrlimit(resource.RLIMIT_AS, (KIB * 1024 * 2, KIB * 1024 * 2))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


def attempt(runtime, bundle, text):
    """Runs it as it is; how it ended and the text of the error."""
    if text is not None:
        (bundle.path / "config.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    start = time.monotonic()
    with subprocess.Popen(runtime.command("run", "--bundle", bundle.path, runtime.new_id()), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=limited) as p:
        out = p.stdout.read().decode("utf-8", "replace")
        _, status, use = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
    assert time.monotonic() - start < 4 * SECONDS
    assert use.ru_maxrss < KIB, use.ru_maxrss
    assert p.returncode >= 0, f"ended by signal {-p.returncode}"
    return p.returncode, out


def refused(runtime, bundle, text, *words):
    code, out = attempt(runtime, bundle, text)
    assert code == 1 and "STARTED" not in out, out
    assert out.count("\n") == 1 and len(out) < 2000, out
    for word in words or ("config.json",):
        assert word in out, out


def misread(runtime, bundle, text):
    code, out = attempt(runtime, bundle, text)
    assert code == 1 and out.count("\n") == 1 and ("config.json" in out or "$" in out), out


@pytest.fixture
def valid(bundle):
    return bundle.shell("echo STARTED").config


def accepted(runtime, bundle, text):
    """Without the defence: it starts, with whatever was read."""
    (bundle.path / "config.json").write_text(text)
    out = runtime("run", "--bundle", bundle.path, runtime.new_id())
    assert "STARTED" in out.stdout, out.stderr


def test_a_configuration_beyond_the_limit(runtime, bundle, valid):
    valid["annotations"] = {"a": "x" * (5 << 20)}
    refused(runtime, bundle, json.dumps(valid))


def test_the_limit_is_what_keeps_memory(runtime, undefended, bundle):
    """A file of 8 GiB, all holes. Without the limit it is read until there is no memory left."""
    bundle.save()
    os.truncate(bundle.path / "config.json", 8 << 30)
    attempt(runtime, bundle, None)
    out = subprocess.run(undefended("limits").command("run", "--bundle", bundle.path, runtime.new_id()),
                         stdin=subprocess.DEVNULL, capture_output=True, preexec_fn=limited, timeout=60, check=False)
    assert out.returncode < 0


@both("limits", "regular")
def test_an_endless_file(attacked, bundle):
    bundle.save()
    (bundle.path / "config.json").unlink()
    (bundle.path / "config.json").symlink_to("/dev/zero")
    out = attacked("run", "--bundle", bundle.path, attacked.new_id(), timeout=20, preexec_fn=limited)
    assert out.returncode == 1 if attacked.defended else out.returncode < 0


@both("regular")
def test_a_pipe_as_configuration_does_not_hold_it(attacked, bundle):
    bundle.save()
    (bundle.path / "config.json").unlink()
    os.mkfifo(bundle.path / "config.json")
    if attacked.defended:
        assert attacked("run", "--bundle", bundle.path, attacked.new_id(), timeout=20).returncode == 1
        return
    with pytest.raises(subprocess.TimeoutExpired):
        attacked("run", "--bundle", bundle.path, attacked.new_id(), timeout=1)


@pytest.mark.parametrize("kind", ["uidMappings", "gidMappings"])
def test_a_hundred_thousand_mappings(runtime, bundle, valid, kind):
    one = [{"containerID": i, "hostID": 100000 + i, "size": 1} for i in range(80000)]
    valid["linux"]["namespaces"].append({"type": "user"})
    valid["linux"].update(uidMappings=one[:1], gidMappings=one[:1])
    valid["linux"][kind] = one
    refused(runtime, bundle, json.dumps(valid, separators=(",", ":")), kind)


@both("counts")
def test_mappings_are_counted_before_anything_is_done(attacked, bundle, valid):
    """Where nobody counts them, the kernel is the first to say that it takes 340, when a process was made already."""
    valid["linux"]["namespaces"].append({"type": "user"})
    one = [{"containerID": i, "hostID": 100000 + i, "size": 1} for i in range(5000)]
    valid["linux"].update(uidMappings=one, gidMappings=one[:1])
    (bundle.path / "config.json").write_text(json.dumps(valid, separators=(",", ":")))
    out = attacked("run", "--bundle", bundle.path, attacked.new_id())
    assert out.returncode == 1 and ("expected at most 340" in out.stderr) == attacked.defended, out.stderr
    assert ("uid_map" in out.stderr) != attacked.defended


@pytest.mark.parametrize("opener, closer", ["[]", ("{\"a\":", "}")])
def test_a_hundred_thousand_levels(runtime, bundle, opener, closer):
    refused(runtime, bundle, opener * 100000 + "1" + closer * 100000)
    refused(runtime, bundle, opener * 100000)


@pytest.mark.parametrize("path", [("process", "args"), ("process", "env"), ("linux", "maskedPaths"), ("linux", "readonlyPaths")])
def test_many_short_strings(runtime, bundle, valid, path):
    valid[path[0]][path[1]] = ["/a=b"] * 500000
    refused(runtime, bundle, json.dumps(valid, separators=(",", ":")), path[1])


def test_many_mounts(runtime, bundle, valid):
    valid["mounts"] += [{"destination": "/m", "type": "tmpfs"}] * 100000
    refused(runtime, bundle, json.dumps(valid, separators=(",", ":")), "mounts")


def test_an_argument_that_no_kernel_takes(runtime, bundle, valid):
    valid["process"]["args"].append("x" * (1 << 20))
    refused(runtime, bundle, json.dumps(valid), "argument list too long")


def test_many_rules_for_many_calls(runtime, bundle, valid):
    """100,000 rules with conditions: libseccomp's time grows with the square of some."""
    valid["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_LOG", "args": [{"index": 0, "value": i, "op": "SCMP_CMP_EQ"}]}
        for i in range(30000)]}
    refused(runtime, bundle, json.dumps(valid, separators=(",", ":")), "seccomp")


NUL = [("process", "cwd"), ("root", "path"), (None, "hostname"), ("linux", "cgroupsPath"), ("linux", "mountLabel")]


@pytest.mark.parametrize("section, key", NUL)
def test_a_nul_in_a_text(runtime, bundle, valid, section, key):
    (valid if section is None else valid[section])[key] = "/tmp\0/x"
    refused(runtime, bundle, json.dumps(valid), "NUL", "config.json")


@both("nul")
def test_a_nul_does_not_cut_what_was_checked(attacked, bundle, valid):
    """What is in front of it would be taken for the whole: a name that passes every check, and another that is used."""
    valid["process"]["cwd"] = "/tmp\0/that/was/checked"
    valid["process"]["env"].append("A=b\0c")
    (refused if attacked.defended else accepted)(attacked, bundle, json.dumps(valid))


MALFORMED = [
    b"", b"{", b"[]", b"null", b"1", b"\"x\"", b"{}", b"{}{}", b"{\"ociVersion\": \"1.0.2\"} x", b"\xff\xfe{\x00}\x00",
    b"{\"ociVersion\": \"1.0.2\", \"ociVersion\": \"1.0.2\"}", b"{\"hostname\": \"\xff\xff\"}",
    b"{\"hostname\": \"\\ud800\"}", b"{\"ociVersion\": 1e400}", b"{\"a\": 99999999999999999999999999}", b"{'a': 1}",
    b"\xef\xbb\xbf{}", b"{\"ociVersion\": \"99.0.0\"}", b"{\"ociVersion\": \"1.0.2\", \"process\": []}",
    b"{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": {}}}", b"{\"a\":" * 20 + b"1",
]


@pytest.mark.parametrize("text", MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_no_configuration(runtime, bundle, text):
    misread(runtime, bundle, text)


LOGS = """
def log():
    with open(given("--work-dir")[0] + "/" + given("--log-file")[0], "w") as f:
        f.write("log")
if sys.argv[1] == "restore":
    log()
"""


@pytest.fixture
def foreign(bundle, tmp_path):
    """A criu, and images that came from somewhere else."""
    program, images = restoring_criu(tmp_path)
    head, tail = program.read_text().split('if sys.argv[1] == "restore":\n')
    program.write_text(head + LOGS + tail)
    bundle.save()
    return ["--criu", program, "restore", "--detach", "--bundle", bundle.path, "--image-path", images], images


@both("criulog")
def test_a_log_is_not_written_through_a_link_among_the_images(attacked, bundle, foreign, tmp_path):
    args, images = foreign
    (tmp_path / "precious").write_text("the host's own\n")
    (images / "restore.log").symlink_to(tmp_path / "precious")
    attacked.outputs(bundle, *args, attacked.new_id())
    assert ((tmp_path / "precious").read_text() == "the host's own\n") == attacked.defended


def test_nor_is_a_pipe_among_them_waited_for(runtime, foreign):
    args, images = foreign
    (images / "descriptors.json").unlink()
    os.mkfifo(images / "descriptors.json")
    out = runtime(*args, runtime.new_id(), timeout=20)
    assert out.returncode == 1 and "regular" in out.stderr
