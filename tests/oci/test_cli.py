# SPDX-License-Identifier: Apache-2.0
"""The command line: forms of options, outputs, exit codes, errors; beside runc's where it is there."""
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess

import pytest

from ocilib import RUNTIME, Runtime, cgroups_named, need_cgroupfs, need_program, need_runtime, read_until, wait

VERBS = (
    "create start run exec state kill delete list ps pause resume update events spec features".split()
)
STACK_VERBS = "up down status logs restart reload validate bundle user queue image".split()


def call(*args, **more):
    need_runtime()
    return subprocess.run(
        [RUNTIME, *map(str, args)], capture_output=True, text=True, timeout=30, check=False, **more
    )


# --- without containers


def test_help_names_every_verb():
    for args in ((), ("--help",), ("-h",), ("help",)):
        result = call(*args)
        assert result.returncode == 0
        for verb in VERBS + STACK_VERBS:
            assert re.search(rf"^  {verb} ", result.stdout, re.M), verb


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help(verb):
    for args in ((verb, "--help"), ("help", verb)):
        result = call(*args)
        assert result.returncode == 0
        assert result.stdout.startswith(f"usage: mailbox-run {verb}")


def test_version_says_name_version_and_spec():
    result = call("--version")
    assert re.match(r"mailbox-run version \d+\.\d+\.\d+\nspec: 1\.\d+\.\d+\n", result.stdout)


@pytest.mark.parametrize(
    "args, text",
    [
        (("frob",), "there is no command 'frob'"),
        (("--frob", "list"), "unknown option '--frob'"),
        (("run", "--frob", "x"), "run: unknown option '--frob'"),
        (("run",), "usage: mailbox-run run"),
        (("run", "a", "b"), "usage: mailbox-run run"),
        (("state",), "usage: mailbox-run state"),
        (("kill", "a", "KILL", "x"), "usage: mailbox-run kill"),
        (("list", "--format", "xml"), "expected 'table' or 'json', found 'xml'"),
        (("--cgroup-manager", "else", "list"), "--cgroup-manager"),
        (("--log-format", "xml", "list"), "--log-format"),
        (("--root", "/", "list"), "--root"),
        (("events", "nosuch"), "container 'nosuch' does not exist"),
        (("events", "--interval", "5x", "a"), "expected a time such as 500ms, 5s or 1m30s, found '5x'"),
        (("events", "--interval", "0s", "a"), "from 1ms to 24h"),
        (("kill", "a", "NOPE"), "there is no signal 'NOPE': expected a name such as SIGTERM"),
        (("kill", "--regex", "a(", "9"), "'a(' is no regular expression: "),
        (("run", "a" * 2000), "a container id has 1 to 1024 characters"),
    ],
)
def test_wrong_calls_give_one_line_and_status_1(args, text):
    result = call(*args)
    assert result.returncode == 1
    assert result.stdout == ""
    assert text in result.stderr
    assert result.stderr.startswith("mailbox-run: ") and result.stderr.count("\n") == 1


def test_the_log_is_used_also_when_an_option_behind_it_is_wrong(tmp_path):
    log = tmp_path / "log"
    assert call("--log", log, "--log-format", "json", "--frob", "list").returncode == 1
    assert json.loads(log.read_text())["msg"] == "unknown option '--frob'"


def test_spec_may_be_called_otherwise(tmp_path):
    assert call("spec", "-b", tmp_path, "-f", "other.json").returncode == 0
    assert call("spec", "-b", tmp_path, "--file", tmp_path / "third.json").returncode == 0
    assert [json.loads((tmp_path / name).read_text())["ociVersion"] for name in ("other.json", "third.json")]
    assert not (tmp_path / "config.json").exists()
    for name, said in (("other.json", f"'{tmp_path}/other.json' exists"), (tmp_path / "third.json", f"'{tmp_path}/third.json' exists")):
        assert said in call("spec", "-b", tmp_path, "-f", name).stderr


def test_spec_writes_what_it_can_load(tmp_path):
    assert call("spec", cwd=tmp_path).returncode == 0
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["process"]["args"] == ["sh"]
    again = call("spec", cwd=tmp_path)
    assert again.returncode == 1 and "exists" in again.stderr
    (tmp_path / "config.json").unlink()
    assert call("spec", "--rootless", "-b", tmp_path).returncode == 0
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["linux"]["uidMappings"][0]["hostID"] == os.geteuid()


def test_features_has_the_keys_of_runc():
    mine = json.loads(call("features").stdout)
    for key in ("ociVersionMin", "ociVersionMax", "hooks", "mountOptions", "linux", "annotations"):
        assert key in mine
    need_program("runc")
    theirs = json.loads(subprocess.run(["runc", "features"], capture_output=True).stdout)
    assert set(theirs) <= set(mine)
    assert set(theirs["linux"]) <= set(mine["linux"])
    assert set(theirs["linux"]["seccomp"]) <= set(mine["linux"]["seccomp"])
    assert set(theirs["linux"]["namespaces"]) <= set(mine["linux"]["namespaces"])
    # runc of Debian 12 still lists acl and noacl, which never did anything
    assert set(theirs["mountOptions"]) - {"acl", "noacl"} <= set(mine["mountOptions"])


def test_a_missing_helper_is_a_clear_error(tmp_path):
    need_runtime()
    copy = tmp_path / "mailbox-run"
    shutil.copy(RUNTIME, copy)
    result = subprocess.run([copy, "up", "x.json"], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "mailbox-run-stack" in result.stderr


def test_the_helper_gets_the_same_arguments(tmp_path):
    need_runtime()
    copy = tmp_path / "mailbox-run"
    shutil.copy(RUNTIME, copy)
    helper = tmp_path / "mailbox-run-stack"
    helper.write_text('#!/bin/sh\necho "$@"\nexit 7\n')
    helper.chmod(0o755)
    result = subprocess.run(
        [copy, "--debug", "up", "-d", "x.json"], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (7, "--debug up -d x.json\n")


def test_the_installed_place_of_the_helper(tmp_path):
    need_runtime()
    for directory in ("bin", "libexec/mailbox-run"):
        (tmp_path / directory).mkdir(parents=True)
    shutil.copy(RUNTIME, tmp_path / "bin" / "mailbox-run")
    helper = tmp_path / "libexec/mailbox-run/mailbox-run-stack"
    helper.write_text("#!/bin/sh\nexit 9\n")
    helper.chmod(0o755)
    assert subprocess.run([tmp_path / "bin" / "mailbox-run", "down"], check=False).returncode == 9


def test_errors_go_into_the_log_in_both_formats(tmp_path):
    log = tmp_path / "log"
    result = call("--root", tmp_path / "r", "--log", log, "--log-format", "json", "state", "none")
    assert result.returncode == 1 and "none" in result.stderr
    line = json.loads(log.read_text())
    assert line["level"] == "error" and "none" in line["msg"]
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", line["time"])
    log.unlink()
    call("--root", tmp_path / "r", "--log", log, "state", "none")
    assert re.match(r'time="[^"]+" level=error msg="state of container', log.read_text())
    call("--root", tmp_path / "r", "--log", log, "state", "none")
    assert log.read_text().count("\n") == 2, "the log is appended to"
    result = call("--root", tmp_path / "r", "--log-format", "json", "state", "none")
    assert json.loads(result.stderr)["level"] == "error"


def test_a_name_cannot_forge_a_second_line(tmp_path):
    result = call("--root", tmp_path / "r", "state", "a\nmailbox-run: b")
    assert result.returncode == 1 and result.stderr.count("\n") == 1


# --- with containers


def test_run_passes_the_exit_status_on(runtime, bundle):
    for script, status in (("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -15 $$", 143)):
        # the shell is not the container's init here: init ignores deadly signals it sends itself
        result = runtime.run(bundle.shell(f"sh -c '{script}'; exit $?"))
        assert result.returncode == status, result.stderr


def test_run_shows_output_and_reads_input(runtime, bundle):
    result = runtime.run(bundle.shell("cat; echo err >&2"), input="hello\n", stdin=None)
    assert (result.stdout, result.stderr, result.returncode) == ("hello\n", "err\n", 0)


def test_debug_logs_the_plan(runtime, bundle):
    runtime.options = ["--debug"]
    result = runtime.run(bundle)
    assert result.returncode == 0
    lines = [line for line in result.stderr.splitlines() if "plan: " in line]
    assert len(lines) > 10 and all(line.startswith("mailbox-run: debug: ") for line in lines)
    assert any("pivot" in line for line in lines)


def test_run_in_the_current_directory(runtime, bundle):
    bundle.save()
    assert runtime("run", runtime.new_id(), cwd=bundle.path).returncode == 0


def test_run_leaves_nothing_and_keep_leaves_a_stopped_container(runtime, bundle):
    assert runtime.run(bundle).returncode == 0
    assert runtime.ok("list", "-q") == ""
    assert runtime.run(bundle, "--keep").returncode == 0
    name = runtime.ids[-1]
    assert runtime.ok("list", "-q") == f"{name}\n"
    assert runtime.state(name)["status"] == "stopped"
    runtime.ok("delete", name)


def test_a_program_that_is_missing_is_an_error(runtime, bundle):
    result = runtime.run(bundle.args("/no/such/program"))
    assert result.returncode == 1
    assert "/no/such/program" in result.stderr and "no such file" in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_life_of_a_container(runtime, bundle):
    pid_file = bundle.path / "pid"
    name = runtime.create(bundle.shell("trap 'exit 3' TERM; echo up; while :; do sleep 0.1; done"),
                          "--pid-file", pid_file)
    state = runtime.state(name)
    assert state["status"] == "created"
    assert state["id"] == name and state["bundle"] == str(bundle.path)
    assert state["pid"] == int(pid_file.read_text())
    assert (bundle.path / "out").read_text() == ""
    runtime.ok("start", name)
    wait(lambda: (bundle.path / "out").read_text() == "up\n", "output")
    assert runtime.state(name)["status"] == "running"
    assert runtime("start", name).returncode == 1
    assert runtime("delete", name).returncode == 1
    runtime.ok("kill", name, "TERM")
    runtime.wait_for(name, "stopped")
    assert runtime.state(name)["pid"] == 0
    assert runtime("kill", name, "TERM").returncode == 1
    runtime.ok("delete", name)
    assert runtime("state", name).returncode == 1
    assert runtime("delete", name).returncode == 1
    assert runtime("delete", "--force", name).returncode == 0


@pytest.mark.parametrize("signal_name", ["KILL", "SIGKILL", "kill", "9"])
def test_kill_takes_names_and_numbers(runtime, bundle, signal_name):
    name = runtime.start_detached(bundle.args("sleep", "60"))
    runtime.ok("kill", name, signal_name)
    runtime.wait_for(name, "stopped")
    assert runtime("kill", name, "NOSUCH").returncode == 1


def test_signal_0_asks_whether_it_is_there(runtime, bundle):
    name = runtime.start_detached(bundle.args("sleep", "60"))
    runtime.ok("kill", name, "0")
    runtime.ok("kill", name, "KILL")
    runtime.wait_for(name, "stopped")
    assert runtime("kill", name, "0").returncode == 1
    assert runtime("kill", "--all", name, "KILL").returncode == 0  # as runc has it: none is left


def test_an_id_is_used_once(runtime, bundle):
    name = runtime.start_detached(bundle.args("sleep", "60"))
    result = runtime("run", "--bundle", bundle.path, name)
    assert result.returncode == 1 and name in result.stderr
    assert runtime.state(name)["status"] == "running"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "a b", "a\tb", "x" * 2000])
def test_a_wrong_id_is_refused(runtime, bundle, name):
    bundle.save()
    for verb in ("create", "run"):
        assert runtime(verb, "--bundle", bundle.path, name).returncode == 1
    for verb in ("state", "start", "delete", "kill"):
        assert runtime(verb, name).returncode == 1


def test_list_in_its_formats(runtime, bundle):
    assert runtime.ok("list").split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    assert json.loads(runtime.ok("list", "--format", "json")) == []
    name = runtime.start_detached(bundle.args("sleep", "60"))
    row = runtime.ok("list").splitlines()[1].split()
    assert row[0] == name and row[2] == "running" and row[3] == str(bundle.path)
    assert row[5] == "root"
    (entry,) = json.loads(runtime.ok("list", "-f", "json"))
    assert entry["id"] == name and entry["pid"] == int(row[1])
    assert runtime.ok("list", "--quiet") == f"{name}\n"


def test_state_and_list_have_the_keys_of_runc(runtime, bundle, tmp_path):
    need_program("runc")
    theirs = Runtime(tmp_path / "runc", "runc")
    bundle.config["ociVersion"] = "1.0.2"
    bundle.config["annotations"] = {"key": "value"}
    name = runtime.start_detached(bundle.args("sleep", "60"))
    try:
        other = theirs.start_detached(bundle)
        their_state, their_list = theirs.state(other), json.loads(theirs.ok("list", "-f", "json"))
    finally:
        theirs.clean_up()
    assert set(runtime.state(name)) == set(their_state)
    assert set(json.loads(runtime.ok("list", "-f", "json"))[0]) == set(their_list[0])


def test_exec_in_a_running_container(runtime, bundle):
    name = runtime.start_detached(bundle.args("sleep", "60"))
    result = runtime("exec", name, "sh", "-c", "echo out; echo err >&2; exit 5")
    assert (result.stdout, result.stderr, result.returncode) == ("out\n", "err\n", 5)
    assert runtime.ok("exec", "-e", "A=b c", "--env", "D=", name, "sh", "-c", 'echo "$A|$D"') == \
        "b c|\n"
    assert runtime.ok("exec", "--cwd", "/tmp", name, "pwd") == "/tmp\n"
    assert runtime.ok("exec", "--user", "12:34", "-g", "56", name, "id").startswith(
        "uid=12 gid=34 groups=")
    assert runtime.ok("exec", name, "cat", input="in", stdin=None) == "in"


def test_create_looks_for_the_program(runtime, bundle, own_rootfs):
    """Engines tell 127 from 126, and both from other failures, by what create says."""
    (own_rootfs / "plain").write_text("no program\n")
    refused, missing = "permission denied", "no such file or directory"
    for name, words in (("no-such-program", "executable file not found in $PATH"), ("/no/such", missing), ("/plain/x", missing),
                        ("/plain", refused), ("/etc", refused), ("./no", missing)):
        for seccomp in (None, {"defaultAction": "SCMP_ACT_ALLOW"}):
            for privileges in (True, False):
                bundle.linux["seccomp"] = seccomp
                bundle.process["noNewPrivileges"] = privileges
                bundle.args(name).save()
                result = runtime("create", "--bundle", bundle.path, runtime.new_id())
                assert result.returncode == 1 and f"look for {name}: '{name}': {words}" in result.stderr
    bundle.process.update(env=["PATH=/no:bin"], cwd="/")
    bundle.linux.pop("seccomp")
    runtime.ok("start", runtime.create(bundle.args("true")))


def test_exec_errors_have_status_255(runtime, bundle):
    name = runtime.start_detached(bundle.args("sleep", "60"))
    for args in (("no-such-program",), ("/no/such",)):
        result = runtime("exec", name, *args)
        assert result.returncode == 255 and args[0] in result.stderr
    assert runtime("exec", name).returncode == 255
    assert runtime("exec", "none", "true").returncode == 255
    for user in ("1:", ":1", "-1", "4294967295", " 1", "x", "1:2:3"):
        assert runtime("exec", "--user", user, name, "true").returncode == 255, user
    assert runtime("exec", "--cap", "CAP_X", name, "true").returncode == 255
    assert runtime("exec", "--env", "X", name, "true").returncode == 255
    assert runtime("exec", "--cwd", "tmp", name, "true").returncode == 255


def test_exec_of_a_process_file(runtime, bundle):
    name = runtime.start_detached(bundle.args("sleep", "60"))
    process = bundle.path / "process.json"
    process.write_text(json.dumps(
        {"cwd": "/tmp", "args": ["/bin/sh", "-c", "pwd; id -u; echo $X"], "env": ["X=y", "PATH=/bin"],
         "user": {"uid": 3, "gid": 3}}))
    assert runtime.ok("exec", "--process", process, name) == "/tmp\n3\ny\n"
    process.write_text(json.dumps({"cwd": "/tmp", "args": "sh"}))
    result = runtime("exec", "-p", process, name)
    assert result.returncode == 255 and "$.args: expected an array" in result.stderr


def test_exec_detached_writes_its_pid(runtime, bundle):
    name = runtime.start_detached(bundle.args("sleep", "60"))
    pid_file = bundle.path / "exec-pid"
    with open(bundle.path / "exec-out", "wb") as out:
        result = subprocess.run(
            runtime.command("exec", "-d", "--pid-file", pid_file, name, "sleep", "50"),
            stdout=out, stderr=out, stdin=subprocess.DEVNULL, timeout=30, check=False)
    assert result.returncode == 0
    pid = int(pid_file.read_text())
    assert pid in json.loads(runtime.ok("ps", "--format", "json", name))
    os.kill(pid, signal.SIGKILL)


def test_ps_shows_the_processes(runtime, bundle):
    need_program("ps")
    name = runtime.start_detached(bundle.shell("sleep 61 & sleep 62; true"))
    wait(lambda: "sleep 62" in runtime.ok("ps", name), "the processes")
    table = runtime.ok("ps", name)
    assert "PID" in table.splitlines()[0] and "sleep 61" in table
    pids = json.loads(runtime.ok("ps", "-f", "json", name))
    assert runtime.state(name)["pid"] in pids and len(pids) == 3
    # -e: else ps means the processes of its own terminal, if there is one
    short = runtime.ok("ps", name, "-eo", "pid,comm").splitlines()
    assert len(short) == 4
    assert runtime("ps", name, "--no-such-option").returncode == 1


def test_pause_and_resume(runtime, bundle):
    name = runtime.start_detached(bundle.args("sleep", "60"))
    runtime.ok("pause", name)
    assert runtime.state(name)["status"] == "paused"
    result = runtime("exec", name, "true")
    assert result.returncode == 255 and "paused" in result.stderr
    runtime.ok("resume", name)
    assert runtime.state(name)["status"] == "running"
    assert runtime("exec", name, "true").returncode == 0


def test_a_pattern_stands_for_many_containers(runtime, bundle):
    names = [runtime.start_detached(bundle.args("sleep", "60")) for _ in range(3)]
    runtime.ok("kill", "--regex", f"^({names[0]}|{names[1]})$", "KILL")
    assert runtime.state(names[2])["status"] == "running"
    wait(lambda: all(runtime.state(n)["status"] == "stopped" for n in names[:2]), "both have ended")
    out = runtime("delete", "--regex", "^t[0-9a-f]{12}$")
    assert out.returncode == 1 and f"container '{names[2]}'" in out.stderr
    assert "1 of those that match" in out.stderr
    assert runtime.ok("list", "-q").split() == [names[2]]
    runtime.ok("delete", "--force", "-r", "t")
    assert runtime.ok("list", "-q") == ""
    runtime.ok("delete", "--regex", "t")


def test_a_paused_container_can_be_deleted(runtime, bundle):
    name = runtime.start_detached(bundle.args("sleep", "60"))
    runtime.ok("pause", name)
    runtime.ok("delete", "--force", name)


def test_update_changes_limits(runtime, bundle):
    name = runtime.start_detached(bundle.args("sleep", "60"))
    runtime.ok("update", "--memory", "64M", "--pids-limit", "77", name)
    stats = json.loads(runtime.ok("events", "--stats", name))
    assert stats["type"] == "stats" and stats["id"] == name
    assert stats["data"]["memory"]["usage"]["limit"] == 64 << 20
    assert stats["data"]["pids"]["limit"] == 77
    runtime.ok("update", "-r", "-", name, input='{"pids": {"limit": 78}}', stdin=None)
    assert json.loads(runtime.ok("events", "--stats", name))["data"]["pids"]["limit"] == 78
    result = runtime("update", "-r", "-", name, input='{"pids": {"limit": "x"}}', stdin=None)
    assert result.returncode == 1 and "$.pids.limit" in result.stderr


def test_signals_are_forwarded_from_the_first_moment_on(runtime, bundle):
    bundle.shell("trap 'echo got; exit 4' USR1; echo ready; while :; do sleep 0.02; done").save()
    for _ in range(20):
        with subprocess.Popen(
            runtime.command("run", "--bundle", bundle.path, runtime.new_id()),
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
        ) as process:
            assert read_until(process.stdout.fileno(), b"ready\n") == b"ready\n"
            process.send_signal(signal.SIGUSR1)
            assert read_until(process.stdout.fileno(), b"got\n") == b"got\n"
            assert process.wait(20) == 4


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_an_end_that_was_asked_for_during_the_start_comes(runtime, bundle, tmp_path, name):
    """Also if the program, the first of its namespace, never handles the signal."""
    script = f"touch {tmp_path}/on; while test -e {tmp_path}/wait; do sleep 0.02; done"
    bundle.args("sleep", "60").config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", script]}]}
    bundle.save()
    (tmp_path / "wait").touch()
    with subprocess.Popen(runtime.command("run", "--bundle", bundle.path, runtime.new_id()), stdin=subprocess.DEVNULL) as process:
        try:
            wait(lambda: (tmp_path / "on").exists(), "the hook")
            process.send_signal(signal.Signals[name])
            (tmp_path / "wait").unlink()
            assert process.wait(20) == 128 + signal.Signals[name]
        finally:
            process.kill()


def test_no_signal_is_blocked_inside(runtime, bundle):
    out = runtime.run(bundle.shell("grep SigBlk /proc/self/status")).stdout
    assert out.split()[1] == "0" * 16
    name = runtime.start_detached(bundle.shell("sleep 60"))
    assert runtime.ok("exec", name, "grep", "SigBlk", "/proc/self/status").split()[1] == "0" * 16


def test_preserved_descriptors_arrive(runtime, bundle):
    bundle.shell("echo through >&3").save()
    command = runtime.command("run", "--preserve-fds", "1", "--bundle", bundle.path, runtime.new_id())
    target = bundle.path / "through"
    subprocess.run(["sh", "-c", 'exec "$@" 3>"$0"', target, *command], check=True, timeout=30)
    assert target.read_text() == "through\n"


def test_no_other_descriptor_leaks(runtime, bundle):
    with open("/dev/null", "rb") as extra:
        os.set_inheritable(extra.fileno(), True)
        result = runtime.run(bundle.shell("ls /proc/self/fd"), close_fds=False)
    # 3 is the directory that ls reads
    assert result.stdout.split() == ["0", "1", "2", "3"]


# --- terminals


def test_a_terminal_in_the_foreground(runtime, bundle):
    bundle.terminal(True).shell("tty; stty size; read x; echo got:$x; exit 6").save()
    master, slave = pty.openpty()
    subprocess.run(["stty", "rows", "33", "cols", "77"], stdin=slave, check=True)
    with subprocess.Popen(
        runtime.command("run", "--bundle", bundle.path, runtime.new_id()),
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    ) as process:
        os.close(slave)
        seen = read_until(master, b"33 77")
        assert b"/dev/pts/0" in seen or b"/dev/console" in seen, seen
        assert b"33 77" in seen
        os.write(master, b"word\r")
        assert b"got:word" in read_until(master, b"got:word")
        assert process.wait(20) == 6
    os.close(master)


def test_a_terminal_gives_a_pipe_the_line_ends_of_the_program(runtime, bundle):
    out = runtime.run(bundle.terminal(True).shell("tty; echo two"))
    assert out.stdout.splitlines(keepends=True)[1] == "two\n", out
    name = runtime.start_detached(bundle.terminal(False).args("sleep", "60"))
    assert runtime.ok("exec", "--tty", name, "echo", "word", text=False) == b"word\n"


def test_a_terminal_of_a_terminal_shows_whole_lines(runtime, bundle):
    bundle.terminal(True).shell("echo one; echo two").save()
    master, slave = pty.openpty()
    with subprocess.Popen(runtime.command("run", "--bundle", bundle.path, runtime.new_id()),
                          stdin=slave, stdout=slave, stderr=slave, start_new_session=True) as process:
        os.close(slave)
        assert b"one\r\ntwo\r\n" in read_until(master, b"two\r\n")
        assert process.wait(20) == 0
    os.close(master)


def test_debug_says_what_exec_does(runtime, bundle, tmp_path):
    name = runtime.start_detached(bundle.args("sleep", "60"))
    runtime.ok("--debug", "--log", tmp_path / "log", "exec", "--user", "3:4", name, "true")
    assert 'level=debug msg="process: execute true in / as 3:4"' in (tmp_path / "log").read_text()


def test_a_terminal_needs_somebody_to_serve_it(runtime, bundle):
    bundle.terminal(True).save()
    result = runtime("run", "-d", "--bundle", bundle.path, runtime.new_id())
    assert result.returncode == 1 and "--console-socket" in result.stderr
    result = runtime("create", "--bundle", bundle.path, runtime.new_id())
    assert result.returncode == 1 and "--console-socket" in result.stderr
    bundle.terminal(False).save()
    result = runtime("create", "--console-socket", "/x", "--bundle", bundle.path, runtime.new_id())
    assert result.returncode == 1 and "--console-socket" in result.stderr


def test_exec_replaces_variables(runtime, bundle):
    bundle.process["env"] = ["PATH=/bin", "A=old", "AB=other"]
    name = runtime.start_detached(bundle.args("sleep", "60"))
    out = runtime.ok("exec", "--env", "A=new", "--env", "C=d", name, "env").splitlines()
    assert [l for l in out if l.startswith("A=")] == ["A=new"]
    assert "AB=other" in out and "C=d" in out


def test_a_working_directory_is_made_in_a_root_that_is_read_only_then(runtime, bundle, own_rootfs):
    bundle.config["root"]["readonly"] = True
    bundle.process["cwd"] = "/not/there"
    assert runtime.run(bundle.args("pwd")).stdout == "/not/there\n"


def test_only_descriptors_that_are_there_are_preserved(runtime, bundle):
    read, write = os.pipe()
    os.set_inheritable(read, True)
    bundle.save()
    n = read - 3 + 50
    with open(runtime.root.parent / "log", "w", encoding="ascii"):
        out = subprocess.run(
            [runtime.program, "--root", str(runtime.root), "--log", str(runtime.root.parent / "log"), "run",
             "--preserve-fds", str(n), "--bundle", bundle.args("ls", "-l", "/proc/self/fd").save().path, runtime.new_id()],
            capture_output=True, text=True, timeout=60, close_fds=False, stdin=subprocess.DEVNULL)
    os.close(read)
    os.close(write)
    assert out.returncode == 0, out.stderr
    assert f" {read} -> pipe:" in out.stdout
    assert "log" not in out.stdout and "config.json" not in out.stdout


def test_a_container_that_somebody_froze_elsewhere_is_deleted(runtime, bundle):
    freezer = pathlib.Path("/sys/fs/cgroup/freezer")
    if not (freezer / "cgroup.procs").exists():
        pytest.skip("there is no v1 freezer")
    name = runtime.start_detached(bundle.args("sleep", "60"))
    other = freezer / f"{name}-other"
    other.mkdir()
    try:
        (other / "cgroup.procs").write_text(str(runtime.state(name)["pid"]))
        (other / "freezer.state").write_text("FROZEN")
        runtime.ok("delete", "--force", name)
    finally:
        (other / "freezer.state").write_text("THAWED")
        other.rmdir()


def test_a_link_in_place_of_dev_is_refused(runtime, bundle, own_rootfs, tmp_path):
    (own_rootfs / "dev").rmdir()
    (own_rootfs / "dev").symlink_to(tmp_path / "elsewhere")
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if not m["destination"].startswith("/dev")]
    out = runtime.run(bundle)
    assert out.returncode == 1 and "/dev" in out.stderr
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("level, warned, debugged", [("error", False, False), ("warning", True, False), ("debug", True, True)])
def test_how_much_is_told(runtime, bundle, level, warned, debugged):
    bundle.linux["mountLabel"] = "system_u:object_r:container_file_t:s0"
    if pathlib.Path("/sys/fs/selinux/enforce").exists():
        pytest.skip("a kernel with SELinux does not warn of a label")
    runtime.options = [*runtime.options, "--log-level", level]
    said = runtime.run(bundle).stderr
    assert ("$.linux.mountLabel" in said) == warned and ("maker: clone" in said) == debugged
    assert "option '--log-level'" in call("--log-level", "trace", "list").stderr


def test_all_can_be_killed_without_a_group_by_the_first_process(runtime, bundle):
    need_cgroupfs()
    bundle.config["linux"].pop("resources", None)
    runtime.options = ["--cgroup-manager", "disabled"]
    name = runtime.start_detached(bundle.args("sleep", "60"))
    assert "no cgroup" in runtime("kill", "--all", name, "USR1").stderr
    runtime.ok("kill", "--all", name, "KILL")
    runtime.wait_for(name, "stopped")


def test_what_was_cut_off_is_deleted_by_force(runtime, bundle):
    """state.json cut short, or not yet written: what was made for the container goes."""
    for spoil in (lambda f: f.write_text('{"id"'), lambda f: f.unlink()):
        name = runtime.start_detached(bundle.args("sleep", "60"))
        state = runtime.root / name / "state.json"
        pid = runtime.state(name)["pid"]
        spoil(state)
        assert runtime("delete", name).returncode == 1
        runtime.ok("delete", "--force", name)
        assert not state.parent.exists() and not is_alive(pid)


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_where_groups_are_only_asked_for_nothing_is_killed(runtime, bundle):
    """They may be somebody else's, which was why the container could not be created."""
    need_cgroupfs()
    name = runtime.start_detached(bundle.args("sleep", "60"))
    pid = runtime.state(name)["pid"]
    for file in ("state.json", "groups"):
        (runtime.root / name / file).unlink()
    refused = runtime("delete", "--force", name)
    assert refused.returncode == 1 and "its cgroup holds processes" in refused.stderr
    os.kill(pid, signal.SIGKILL)
    runtime.ok("delete", "--force", name)
    assert not (runtime.root / name).exists()


def in_group(name):
    return {pid for group in cgroups_named({name}) for pid in pathlib.Path(group, "cgroup.procs").read_text().split()}


def test_a_runtime_killed_before_it_wrote_the_state_leaves_what_force_finds(runtime, bundle, tmp_path):
    """The program runs by then, and nobody has written down its process. (Of a scope: test_systemd.)"""
    need_program("strace")
    need_cgroupfs()
    name = runtime.new_id()
    bundle.args("sleep", "60").save()
    held = ["strace", "-D", "-qq", "-o", "/dev/null", "-e", "inject=renameat:delay_enter=4000000"]
    with open(tmp_path / "held", "wb") as out:
        with subprocess.Popen([*held, *runtime.command("run", "-d", "-b", bundle.path, name)], stdin=subprocess.DEVNULL,
                              stdout=out, stderr=out) as process:
            try:
                wait(lambda: any(pathlib.Path(f"/proc/{p}/comm").read_text() == "sleep\n" for p in in_group(name)), "it runs")
                assert not (runtime.root / name / "state.json").exists()
            finally:
                process.kill()
    pids = in_group(name)
    runtime.ok("delete", "--force", name)
    assert pids and not any(is_alive(pid) for pid in pids)
    assert not (runtime.root / name).exists()


def test_a_damaged_state_is_told_with_its_file(runtime, bundle):
    name = runtime.create(bundle)
    file = runtime.root / name / "state.json"
    kept = file.read_text()
    file.write_text(kept.replace('"pid"', '"dip"'))
    said = runtime("state", name).stderr
    assert f"'{file}' is damaged" in said and "$.pid: expected a whole number, found nothing" in said
    assert name not in runtime.ok("list", "-q")
    file.write_text(kept)


def test_the_shell_completes_verbs_options_and_ids(runtime, bundle):
    need_program("bash")
    name = runtime.create(bundle)
    script = """
        source runtime/man/mailbox-run.bash
        try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mailbox_run; echo "${COMPREPLY[@]}"; }
        try "$1" sta; try "$1" run --no; try "$1" list --format ''; try "$1" --root "$2" start ''
    """
    top = pathlib.Path(__file__).resolve().parents[2]
    out = subprocess.run(["bash", "-c", script, "bash", RUNTIME, runtime.root], cwd=top, capture_output=True, text=True, timeout=30, check=True)
    verbs, options, values, ids = out.stdout.splitlines()
    assert verbs.split() == ["start", "state", "status"]
    assert {"--no-pivot", "--no-new-keyring", "--no-subreaper"} <= set(options.split())
    assert (values, ids, out.stderr) == ("table json", name, "")
