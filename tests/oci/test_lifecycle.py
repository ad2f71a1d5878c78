# SPDX-License-Identifier: Apache-2.0
"""The life of a container as runtime.md of the specification tells it: which operation may follow which, and what is passed on."""
import json
import os
import resource
import subprocess
import time

import pytest

from ocilib import cgroups_named

CLOCK = "while :; do sleep 0.1; done"


def hook(script, **more):
    return {"path": "/bin/sh", "args": ["sh", "-c", script], **more}


# --- operations and the states they need ---------------------------------------------------------

def test_a_created_container_is_deleted_and_a_running_one_not_without_force(runtime, bundle):
    name = runtime.create(bundle.args("sleep", "60"))
    runtime.ok("delete", name)
    assert runtime("state", name).returncode == 1
    name = runtime.create(bundle)
    runtime.ok("start", name)
    out = runtime("delete", name)
    assert out.returncode == 1 and "is running" in out.stderr
    assert runtime.state(name)["status"] == "running"


def test_a_created_container_can_be_killed_and_deleted(runtime, bundle):
    name = runtime.create(bundle.args("sleep", "60"))
    runtime.ok("kill", name, "KILL")
    runtime.wait_for(name, "stopped")
    assert runtime("start", name).returncode == 1
    assert runtime("kill", name).returncode == 1
    runtime.ok("delete", name)


@pytest.mark.parametrize("signal, ends", [("TERM", True), ("INT", True), ("HUP", True), ("USR1", False), ("WINCH", False)])
def test_a_created_container_hears_who_asks_for_its_end(runtime, bundle, signal, ends):
    """The kernel would keep from it, as the first process of a namespace, what it has no handler for."""
    name = runtime.create(bundle.args("sleep", "60"))
    runtime.ok("kill", name, signal)
    if ends:
        runtime.wait_for(name, "stopped")
    else:
        runtime.ok("start", name)
        assert runtime.state(name)["status"] == "running"


def test_only_a_created_container_is_started(runtime, bundle):
    name = runtime.start_detached(bundle.args("sleep", "60"))
    out = runtime("start", name)
    assert out.returncode == 1 and "is running, not created" in out.stderr
    runtime.ok("kill", name, "KILL")
    runtime.wait_for(name, "stopped")
    out = runtime("start", name)
    assert out.returncode == 1 and "is stopped, not created" in out.stderr


@pytest.mark.parametrize("verb", ["state", "start", "kill", "delete", "create", "run", "exec"])
def test_every_operation_needs_an_id(runtime, bundle, verb):
    bundle.save()
    assert runtime(verb, cwd=bundle.path).returncode != 0
    assert runtime.ok("list", "-q") == ""


def test_the_id_of_a_deleted_container_is_free_again(runtime, bundle):
    bundle.save()
    name = runtime.new_id()
    for _ in range(2):
        assert runtime("run", "--bundle", bundle.path, name).returncode == 0


# --- process absent ------------------------------------------------------------------------------

def test_without_a_process_it_is_created_but_not_started(runtime, bundle):
    del bundle.config["process"]
    name = runtime.create(bundle)
    pid = runtime.state(name)["pid"]
    assert runtime.state(name)["status"] == "created"
    assert os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")
    for _ in range(2):
        out = runtime("start", name)
        assert out.returncode == 1 and "$.process" in out.stderr
    assert runtime.state(name)["status"] == "created"
    runtime.ok("kill", name, "KILL")
    runtime.wait_for(name, "stopped")
    runtime.ok("delete", name)


def test_run_needs_a_process(runtime, bundle):
    del bundle.config["process"]
    out = runtime.run(bundle)
    assert out.returncode == 1 and "$.process" in out.stderr


@pytest.mark.parametrize("section", ["linux", "mounts", "hostname", "annotations"])
def test_a_section_that_is_absent_asks_for_nothing(runtime, bundle, own_rootfs, section):
    bundle.config.pop(section, None)
    if section == "linux":
        bundle.config.pop("hostname")
    out = runtime.run(bundle.args("echo", "there"))
    assert out.stdout == "there\n", out.stderr


def test_the_least_that_is_a_configuration(runtime, bundle, own_rootfs):
    bundle.config = {"ociVersion": "1.0.0", "root": {"path": str(own_rootfs)},
                     "process": {"cwd": "/", "args": ["/bin/sh", "-c", "id -u; ls -d /dev/null /bin"]}}
    assert runtime.run(bundle).stdout == "0\n/bin\n/dev/null\n"


# --- config.json is read once --------------------------------------------------------------------

def test_what_happens_to_config_json_afterwards_does_not_matter(runtime, bundle, tmp_path):
    bundle.config["hooks"] = {k: [hook(f"echo {k} >> {tmp_path}/log")] for k in ("poststart", "poststop")}
    bundle.config["annotations"] = {"org.example.a": "first"}
    name = runtime.create(bundle.shell("echo first"))
    bundle.config["hooks"] = {}
    bundle.config["annotations"] = {"org.example.a": "second"}
    bundle.shell("echo second").save()
    runtime.ok("start", name)
    runtime.wait_for(name, "stopped")
    assert runtime.state(name)["annotations"] == {"org.example.a": "first"}
    (bundle.path / "config.json").unlink()
    runtime.ok("delete", name)
    assert (bundle.path / "out").read_text() == "first\n"
    assert (tmp_path / "log").read_text() == "poststart\npoststop\n"


# --- state ---------------------------------------------------------------------------------------

def test_state_has_what_the_specification_wants(runtime, bundle):
    bundle.config["annotations"] = {"org.example.empty": "", "org.example.key": "välue \"x\""}
    name = runtime.create(bundle.shell(CLOCK))
    for status in ("created", "running", "stopped"):
        if status == "running":
            runtime.ok("start", name)
        if status == "stopped":
            runtime.ok("kill", name, "KILL")
        runtime.wait_for(name, status)
        state = runtime.state(name)
        assert state["ociVersion"].split(".")[0] == "1" and state["id"] == name
        assert state["bundle"] == str(bundle.path) and os.path.isabs(state["bundle"])
        assert state["annotations"] == bundle.config["annotations"]
        assert isinstance(state["pid"], int) and (state["pid"] > 0) == (status != "stopped")


# --- hooks ---------------------------------------------------------------------------------------

KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
INSIDE = ("createContainer", "startContainer")


@pytest.fixture
def noted(bundle, own_rootfs, tmp_path):
    """Each hook appends its kind, its place and the state it was given to one log."""
    bundle.mount(destination="/log", type="bind", source=str(tmp_path), options=["bind"])
    bundle.config["annotations"] = {"org.example.key": "value"}

    def note(kind, extra=""):
        log = "/log/hooks" if kind == "startContainer" else str(tmp_path / "hooks")
        return hook(f'printf "%s\\n" "{kind} $(readlink /proc/self/ns/net) $(cat)" >> {log}; {extra}')

    bundle.config["hooks"] = {k: [note(k)] for k in KINDS}
    bundle.note = note
    bundle.log = lambda: [line.split(" ", 2) for line in (tmp_path / "hooks").read_text().splitlines()]
    return bundle


def test_each_hook_has_its_place_and_state(runtime, noted):
    name = runtime.create(noted.args("sleep", "60"))
    pid = runtime.state(name)["pid"]
    assert [r[0] for r in noted.log()] == list(KINDS[:3])
    inside, outside = os.readlink(f"/proc/{pid}/ns/net"), os.readlink("/proc/self/ns/net")
    runtime.ok("start", name)
    assert [r[0] for r in noted.log()] == list(KINDS[:5])
    runtime.ok("kill", name, "KILL")
    runtime.wait_for(name, "stopped")
    assert [r[0] for r in noted.log()] == list(KINDS[:5])
    runtime.ok("delete", name)
    rows = {kind: (place, json.loads(state)) for kind, place, state in noted.log()}
    assert list(rows) == list(KINDS)
    for kind, (place, state) in rows.items():
        assert place == (inside if kind in INSIDE else outside), kind
        assert state["id"] == name and state["bundle"] == str(noted.path), kind
        assert state["annotations"] == {"org.example.key": "value"} and state["ociVersion"], kind
        assert state["pid"] == {"poststop": 0}.get(kind, 1 if kind in INSIDE else pid), kind
        assert state["status"] == {"poststart": "running", "poststop": "stopped"}.get(kind, "created"), kind


@pytest.mark.parametrize("verb", ["run", "create"])
def test_a_hook_that_asks_for_the_state_hears_what_it_was_given(runtime, bundle, tmp_path, verb):
    kinds = ("prestart", "createRuntime", "poststart")
    name = runtime.new_id()
    ask = " ".join(runtime.command("state", name))
    bundle.config["hooks"] = {k: [hook(f"{ask} > {tmp_path}/{k}")] for k in kinds}
    bundle.args("sleep", "60").save()
    options = ("--detach",) if verb == "run" else ()
    runtime.outputs(bundle, verb, "--bundle", bundle.path, *options, name)
    if verb == "create":
        runtime.ok("start", name)
    seen = {k: json.loads((tmp_path / k).read_text()) for k in kinds}
    assert {k: s["status"] for k, s in seen.items()} == {"prestart": "created", "createRuntime": "created", "poststart": "running"}
    assert {s["pid"] for s in seen.values()} == {runtime.state(name)["pid"]}
    assert runtime.state(name)["status"] == "running"


def test_hooks_of_one_kind_run_in_their_order(runtime, noted, tmp_path):
    noted.config["hooks"] = {"createRuntime": [hook(f"echo {i} >> {tmp_path}/order") for i in range(5)]}
    assert runtime.run(noted).returncode == 0
    assert (tmp_path / "order").read_text().split() == list("01234")


@pytest.mark.parametrize("kind", KINDS[:5])
@pytest.mark.parametrize("by", ["run", "create and start"])
def test_after_a_failed_hook_the_container_is_gone_and_poststop_ran(runtime, noted, kind, by):
    noted.config["hooks"][kind] = [noted.note(kind, "exit 3"), noted.note("second")]
    noted.args("sleep", "60").save()
    name = runtime.new_id()
    verb = "run" if by == "run" else "create"
    out = runtime(verb, "--bundle", noted.path, name, capture_output=False,
                  stdout=open(noted.path / "out", "wb"), stderr=open(noted.path / "err", "wb"))
    if by != "run" and kind in ("startContainer", "poststart"):
        assert out.returncode == 0
        out = runtime("start", name)
        text = out.stderr
    else:
        text = (noted.path / "err").read_text()
    assert out.returncode == 1 and f"$.hooks.{kind}[0]" in text and "exit code 3" in text
    assert "does not exist" in runtime("state", name).stderr
    names = [r[0] for r in noted.log()]
    assert names == list(KINDS[:KINDS.index(kind) + 1]) + ["poststop"]
    assert json.loads(noted.log()[-1][2])["status"] == "stopped"


def test_what_hooks_did_is_undone_when_a_later_step_fails(runtime, noted):
    out = runtime.run(noted.args("/no/such/program"))
    assert out.returncode == 1
    assert [r[0] for r in noted.log()] == list(KINDS[:4]) + ["poststop"]


def test_without_hooks_before_the_failure_there_is_no_poststop(runtime, noted, tmp_path):
    noted.mount(destination="/x", type="nofs")
    assert runtime.run(noted).returncode == 1
    assert not (tmp_path / "hooks").exists()


def test_empty_arguments_are_none(runtime, bundle, tmp_path):
    script = tmp_path / "hook"
    script.write_text(f"#!/bin/sh\necho \"$0 $#\" > {tmp_path}/seen\n")
    script.chmod(0o755)
    bundle.config["hooks"] = {"createRuntime": [{"path": str(script), "args": []}]}
    out = runtime.run(bundle)
    assert out.returncode == 0, out.stderr
    assert (tmp_path / "seen").read_text() == f"{script} 0\n"


@pytest.mark.parametrize("kind", ("createRuntime", "createContainer", "startContainer", "poststart"))
def test_a_slow_hook_of_any_kind_is_ended(runtime, bundle, kind):
    bundle.config["hooks"] = {kind: [hook("sleep 60", timeout=1)]}
    out = runtime.run(bundle.args("sleep", "60"), timeout=30)
    assert out.returncode == 1 and f"$.hooks.{kind}[0]" in out.stderr and "1 s" in out.stderr


def test_a_slow_poststop_is_a_warning(runtime, bundle):
    bundle.config["hooks"] = {"poststop": [hook("sleep 60", timeout=1)]}
    out = runtime.run(bundle, timeout=30)
    assert out.returncode == 0 and "warning" in out.stderr and "1 s" in out.stderr


# --- what a failed create leaves -----------------------------------------------------------------

@pytest.mark.parametrize("change", [
    lambda c: c["root"].update(path="/no/such/root"),
    lambda c: c["root"].update(path="/bin/busybox"),
    lambda c: c["linux"].update(namespaces=c["linux"]["namespaces"] + [{"type": "user", "path": "/proc/self/ns/uts"}]),
    lambda c: c["process"].update(cwd="/bin/busybox"),
    lambda c: c["mounts"].append({"destination": "/proc/1/x", "type": "tmpfs"}),
], ids=["no root", "a root that is a file", "a namespace of another kind", "a directory that is a file", "no such place"])
def test_a_create_that_fails_leaves_nothing(runtime, bundle, change):
    change(bundle.config)
    bundle.save()
    name = runtime.new_id()
    out = runtime("create", "--bundle", bundle.path, name)
    assert out.returncode == 1 and out.stderr.count("\n") == 1
    assert runtime.ok("list", "-q") == ""


def test_where_descriptors_end_a_create_leaves_nothing(runtime, bundle):
    """With each number of files from too few to enough: the start, and taking back what it began."""
    bundle.args("true").save()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    codes = []
    for few in range(6, 40):
        name = runtime.new_id()
        out = runtime("run", "--bundle", bundle.path, name,
                      preexec_fn=lambda few=few: resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard)))
        assert out.returncode == 0 or out.stderr.count("\n") == 1, out.stderr
        codes.append(out.returncode)
        assert not (runtime.root / name).exists() and cgroups_named({name}) == [], few
    assert codes[0] == 1 and codes[-1] == 0


@pytest.mark.parametrize("kind, other", [("network", "uts"), ("uts", "ipc"), ("ipc", "net"), ("pid", "net"),
                                         ("cgroup", "net"), ("time", "net"), ("mount", "net")])
def test_a_path_of_another_kind_of_namespace_is_refused(runtime, bundle, kind, other):
    bundle.namespaces(kind).linux["namespaces"].append({"type": kind, "path": f"/proc/self/ns/{other}"})
    del bundle.config["hostname"]
    out = runtime.run(bundle)
    assert out.returncode == 1 and kind in out.stderr, out.stderr


def test_a_create_in_the_background_is_waited_for(runtime, bundle):
    bundle.args("sleep", "60").save()
    for _ in range(10):
        name = runtime.new_id()
        with subprocess.Popen(runtime.command("create", "--bundle", bundle.path, name), stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as creating:
            deadline = time.monotonic() + 20
            while "does not exist" in (out := runtime("state", name)).stderr and time.monotonic() < deadline:
                time.sleep(0.001)
            assert json.loads(out.stdout)["status"] == "created"
            runtime.ok("start", name)
            assert creating.wait(20) == 0
        assert runtime.state(name)["status"] == "running"


# --- signals -------------------------------------------------------------------------------------

def test_what_is_over_is_not_running(runtime, bundle):
    name = runtime.start_detached(bundle)
    runtime.wait_for(name, "stopped")
    for signal in ("TERM", "KILL"):
        out = runtime("kill", name, signal)
        assert out.returncode == 1 and "container not running" in out.stderr  # the words that containerd knows
    assert "cannot exec in a stopped container" in runtime("exec", name, "true").stderr


@pytest.mark.parametrize("first_is_gone", [False, True])
def test_SIGKILL_is_for_all_where_the_first_process_is_nobody_s_init(runtime, bundle, first_is_gone):
    name = runtime.start_detached(bundle.namespaces("pid").args("sleep", "60"))
    for _ in range(3):
        runtime.ok("exec", "-d", name, "sleep", "60", capture_output=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pids = json.loads(runtime.ok("ps", "--format", "json", name))
    assert len(pids) == 4
    if first_is_gone:
        os.kill(runtime.state(name)["pid"], 9)
        runtime.wait_for(name, "stopped")
    runtime.ok("kill", name, "KILL")
    runtime.wait_for(name, "stopped")
    assert json.loads(runtime.ok("ps", "--format", "json", name)) in ([], None)


def test_other_signals_are_for_the_first_process(runtime, bundle):
    name = runtime.start_detached(bundle.namespaces("pid").args("sleep", "60"))
    runtime.ok("exec", "-d", name, "sleep", "60", capture_output=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    runtime.ok("kill", name, "TERM")
    runtime.wait_for(name, "stopped")
    assert len(json.loads(runtime.ok("ps", "--format", "json", name))) == 1
