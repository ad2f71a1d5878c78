# SPDX-License-Identifier: Apache-2.0
"""
Errors a person can act on: one sentence with the JSON path or the step, what was tried, and the kernel's answer.

Each row spoils a sound configuration in one way. The sentence must hold the words of the row, stand alone on its line,
be a JSON object with --log-format json, and nothing may be left of the container.
"""
import json
import os
import pathlib
import re
import signal
import stat
import struct
import subprocess

import pytest



def process(**more):
    return lambda c: c["process"].update(more)


def linux(**more):
    return lambda c: c["linux"].update(more)


def resources(**more):
    return lambda c: c["linux"].setdefault("resources", {}).update(more)


def root(path):
    return lambda c: c["root"].update(path=path)


def mount(**m):
    return lambda c: c["mounts"].append(m)


def hook(kind, *args, **more):
    return lambda c: c.update(hooks={kind: [{"path": args[0], "args": list(args), **more}]})


def join(kind, path):
    def change(c):
        for ns in c["linux"]["namespaces"]:
            if ns["type"] == kind:
                ns["path"] = path

    return change


def seccomp(action, *names, default="SCMP_ACT_ALLOW"):
    return linux(seccomp={"defaultAction": default, "syscalls": [{"names": list(names), "action": action}] if names else []})


def new_user(uid_maps):
    def change(c):
        c["linux"]["namespaces"].append({"type": "user"})
        c["linux"].update(uidMappings=uid_maps, gidMappings=uid_maps)

    return change


ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 2, 183, 1) + bytes(40)
PROGRAMS = {"no-x": (b"#!/bin/sh\n", 0o644), "no-sh": (b"#!/no/such/sh -e\n", 0o755), "empty": (b"", 0o755),
            "text": (b"hello\n", 0o755), "other": (ELF, 0o755)}
SAYING = ("sh", "-c", "echo what went wrong >&2; exit 3")

STARTS = {
    "missing": (process(args=["nosuch"]), "'nosuch': executable file not found in $PATH"),
    "missing-path": (process(args=["/no/such"]), "'/no/such': no such file or directory"),
    "not-executable": (process(args=["/bin/no-x"]), "permission denied: its mode 0644 has no right to execute"),
    "directory": (process(args=["/bin"]), "permission denied: it is a directory"),
    "interpreter": (process(args=["/bin/no-sh"]), "no such file or directory: its interpreter '/no/such/sh' is missing"),
    "empty": (process(args=["/bin/empty"]), "Exec format error: it is empty"),
    "text": (process(args=["/bin/text"]), "it is neither an ELF program nor a script that begins with '#!'"),
    "machine": (process(args=["/bin/other"]), "it is a program for"),
    "long": (process(args=["true", "x" * 200000]), "argument list too long"),
    "cwd": (process(cwd="/bin/text"), "enter /bin/text: chdir: not a directory"),
    "root": (root("/no/such"), "$.root.path: open '/no/such': no such file or directory"),
    "root-file": (root("/etc/passwd"), "$.root.path: '/etc/passwd': not a directory"),
    "source": (mount(destination="/tmp", type="bind", source="/no/such", options=["bind"]),
               "mount /tmp (bind): bind '/no/such': no such file or directory"),
    "dir-on-file": (mount(destination="/etc/passwd", type="bind", source="/etc", options=["bind"]),
                    "mount /etc/passwd (bind): attach the mount: a directory onto something else: not a directory"),
    "file-system": (mount(destination="/tmp", type="nosuch", source="x"), "open file system 'nosuch': no such device"),
    "option": (mount(destination="/tmp", type="tmpfs", source="x", options=["nosuch=1"]),
               "mount /tmp (tmpfs): mount option 'nosuch': set: Invalid argument (tmpfs: Unknown parameter 'nosuch')"),
    "value": (mount(destination="/tmp", type="tmpfs", source="x", options=["size=abc"]), "tmpfs: Bad value for 'size'"),
    "device": (linux(devices=[{"path": "/etc/passwd", "type": "c", "major": 1, "minor": 3}]),
               "'/etc/passwd' is there and is not that device"),
    "sysctl": (linux(sysctl={"vm.swappiness": "1"}), "$.linux.sysctl: 'vm.swappiness' belongs to no namespace"),
    "sysctl-value": (linux(sysctl={"kernel.shmmax": "abc"}), "write 'abc' to '/proc/sys/kernel/shmmax': invalid argument"),
    "rlimit": (process(rlimits=[{"type": "RLIMIT_NOFILE", "soft": 1 << 40, "hard": 1 << 40}]), "limit RLIMIT_NOFILE: "),
    "unmapped": (new_user([{"containerID": 5, "hostID": 100000, "size": 10}]), "are not in $.linux.uidMappings"),
    "namespace": (join("network", "/no/such"), "$.linux.namespaces: open the network namespace '/no/such': no such file"),
    "no-namespace": (join("pid", "/etc/passwd"), "$.linux.namespaces: '/etc/passwd' is no namespace"),
    "wrong-namespace": (join("uts", "/proc/self/ns/ipc"), "'/proc/self/ns/ipc' is a namespace of the type ipc, not uts"),
    "own-namespace": (lambda c: c["linux"]["namespaces"].append({"type": "user", "path": "/proc/self/ns/user"}),
                      "'/proc/self/ns/user' is the runtime's own"),
    "quota": (resources(cpu={"quota": 1}), "set the limits: resources.cpu: write '1"),
    "cpus": (resources(cpu={"cpus": "999"}), "set the limits: resources.cpu: write '999' to 'cpuset.cpus'"),
    "swap": (resources(memory={"swap": 50 << 20}), "it needs $.linux.resources.memory.limit"),
    "memory": (resources(memory={"limit": 4096}), "$.linux.resources.memory.limit, 4096 bytes, is too low for the start"),
    "no-execve": (seccomp("SCMP_ACT_KILL_PROCESS", "execve"), "was killed by SIGSYS before it could start: the seccomp profile"),
    "nothing-allowed": (seccomp("", default="SCMP_ACT_KILL_PROCESS"), "was killed by SIGSYS before it could start"),
    "not-even-exit": (seccomp("", default="SCMP_ACT_ERRNO"), "the seccomp profile forbids a system call that the start needs"),
    "execve-refused": (seccomp("SCMP_ACT_ERRNO", "execve"), "Operation not permitted: the seccomp profile may forbid execve"),
    "seccomp-name": (seccomp("SCMP_ACT_NOSUCH", "read"), "$.linux.seccomp.syscalls[0].action: found 'SCMP_ACT_NOSUCH'"),
    "no-hook": (hook("createRuntime", "/no/such"), "$.hooks.createRuntime[0] '/no/such': createRuntime hook failed with exit code 127, saying: execute"),
    "hook": (hook("createRuntime", "/bin/sh", *SAYING[1:]), "$.hooks.createRuntime[0] '/bin/sh': createRuntime hook failed with exit code 3, saying: what went wrong"),
    "inner-hook": (hook("startContainer", "/bin/sh", *SAYING[1:]), "$.hooks.startContainer[0] '/bin/sh': startContainer hook failed with exit code 3, saying: what went wrong"),
    "slow-hook": (hook("createRuntime", "/bin/sh", "-c", "echo asleep; sleep 60", timeout=1),
                  "$.hooks.createRuntime[0] '/bin/sh': createRuntime hook not done after 1 s, saying: asleep"),
    "killed-hook": (hook("poststart", "/bin/sh", "-c", "kill -9 $$"), "$.hooks.poststart[0] '/bin/sh': poststart hook killed by SIGKILL"),
    "nul": (process(args=["a\0b"]), "config.json: line 1, column "),
    "type": (process(args="true"), "$.process.args: expected an array, found a string"),
}


@pytest.fixture
def spoilt(bundle, own_rootfs):
    bundle.config["root"]["readonly"] = False
    for name, (content, mode) in PROGRAMS.items():
        (own_rootfs / "bin" / name).write_bytes(content)
        (own_rootfs / "bin" / name).chmod(mode)
    return bundle


@pytest.mark.parametrize("name", STARTS)
def test_a_start_that_fails_says_why(runtime, spoilt, name):
    change, words = STARTS[name]
    change(spoilt.config)
    plain = runtime.run(spoilt)
    assert plain.returncode == 1
    assert words in plain.stderr
    assert plain.stderr.startswith("mailbox-run: run container '") and plain.stderr.count("\n") == 1
    spoilt.save()
    logged = runtime("--log-format", "json", "run", "--bundle", spoilt.path, runtime.new_id())
    line = json.loads(logged.stderr)
    assert line["level"] == "error" and words in line["msg"] and set(line) == {"level", "msg", "time"}


def test_a_program_that_is_written_to_is_told(runtime, spoilt, own_rootfs):
    busy = own_rootfs / "bin" / "busy"
    busy.write_bytes((own_rootfs / "bin" / "busybox").read_bytes())
    busy.chmod(0o755)
    with open(busy, "r+b"):
        assert "Text file busy: somebody has it open for writing" in runtime.run(spoilt.args("/bin/busy", "true")).stderr


def test_odd_bytes_of_a_hook_stay_one_line(runtime, spoilt):
    hook("createRuntime", "/bin/sh", "-c", r"printf 'a\001\377\033[31m\nb' >&2; exit 1")(spoilt.config)
    spoilt.save()
    plain = runtime.run(spoilt, text=False).stderr
    assert plain.count(b"\n") == 1 and b"\x1b" not in plain and b"\x01" not in plain
    logged = runtime("--log-format", "json", "run", "--bundle", spoilt.path, runtime.new_id(), text=False).stderr
    assert "failed with exit code 1, saying: a" in json.loads(logged)["msg"]


def test_a_process_that_was_killed_before_its_start_is_told(runtime, bundle):
    name = runtime.create(bundle)
    os.kill(runtime.state(name)["pid"], signal.SIGKILL)
    runtime.wait_for(name, "stopped")
    assert "the container is stopped, not created" in runtime("start", name).stderr


@pytest.mark.parametrize("args, words", [
    (("exec", "ID", "/bin"), "'/bin': permission denied: it is a directory"),
    (("exec", "--cwd", "/no", "ID", "true"), "enter /no: chdir: no such file or directory"),
    (("exec", "--cgroup", "nosuch", "ID", "true"), "cgroup 'nosuch' of the container: no such file or directory"),
    (("exec", "--cgroup", "nosuch:/", "ID", "true"), "no cgroup controller 'nosuch'|cgroup 'nosuch"),
    (("exec", "--process", "/etc/passwd", "ID"), "option '--process', '/etc/passwd': /etc/passwd: line 1"),
    (("exec", "--pid-file", "/no/pid", "ID", "true"), "the pid file '/no/pid': create '/no/pid': no such file"),
    (("start", "ID"), "the container is running, not created"),
    (("delete", "ID"), "the container is running; kill it first, or use force"),
    (("resume", "ID"), "the container is running, not paused"),
    (("update", "--cpuset-cpus", "999", "ID"), "resources.cpu: write '999' to 'cpuset.cpus' of cgroup"),
    (("update", "--cpu-idle", "4", "ID"), "cpu-idle|resources.cpu: write '4' to 'cpu.idle'"),
    (("ps", "ID", "-o", "args"), "the output of ps has no column PID"),
    (("mounts", "remove", "ID", "/no/such"), "open '/no/such': no such file or directory"),
])
def test_a_verb_that_fails_says_why(runtime, bundle, args, words):
    if "nosuch:/" in args and pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists():
        pytest.skip("cgroup v2 has one tree, whatever the controller")
    name = runtime.start_detached(bundle.args("sleep", "60"))
    result = runtime(*[name if a == "ID" else a for a in args])
    assert result.returncode == (255 if args[0] == "exec" else 1)
    assert any(w in result.stderr for w in words.split("|")) and result.stderr.count("\n") == 1
    assert runtime.state(name)["status"] == "running"


def test_more_memory_in_use_than_the_new_limit_is_told(runtime, bundle):
    if pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists():
        pytest.skip("cgroup v2 takes any limit, and kills")
    name = runtime.start_detached(bundle.args("sleep", "60"))
    assert "resources.memory: the processes of the container hold more than that" in runtime("update", "--memory", "1", name).stderr


def test_events_of_a_container_that_is_over_are_none(runtime, bundle):
    name = runtime.start_detached(bundle.args("true"))
    runtime.wait_for(name, "stopped")
    for args in (("events",), ("events", "--stats")):
        result = runtime(*args, name)
        assert result.returncode == 1 and "the container is stopped, not running" in result.stderr


@pytest.fixture
def small_root(tmp_path, runtime):
    """A root of 16 KiB."""
    path = tmp_path / "small"
    path.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k,mode=700", "small", path], check=True)
    yield path
    subprocess.run(["umount", path], check=True)


def test_a_root_without_room_is_told(runtime, bundle, small_root):
    (small_root / "fill").write_bytes(bytes(12288))
    bundle.save()
    result = runtime("--root", small_root, "run", "--bundle", bundle.path, "x")
    assert result.returncode == 1 and "no space left on device" in result.stderr
    assert re.search(r"'(config.json|groups|state.json)' of the state", result.stderr) or "'state.json'" in result.stderr
    assert [p.name for p in small_root.iterdir() if p.name[0] != "."] == ["fill"]


def test_a_root_that_is_read_only_is_told(runtime, bundle, small_root):
    subprocess.run(["mount", "-o", "remount,ro", small_root], check=True)
    bundle.save()
    result = runtime("--root", small_root, "run", "--bundle", bundle.path, "x")
    assert f"make '{small_root}/x': read-only file system" in result.stderr


def test_a_pid_file_may_be_a_pipe(runtime, bundle, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        runtime.ok("run", "--bundle", bundle.save().path, "--pid-file", pipe, runtime.new_id())
        assert int(os.read(reader, 32)) > 1
    finally:
        os.close(reader)
    assert pipe.is_fifo()


@pytest.mark.parametrize("verb", ["create", "run", "exec"])
@pytest.mark.parametrize("kind", ["a directory", "a socket", "a block device"])
def test_a_pid_file_that_can_hold_none_is_told_before_anything_is_made(runtime, bundle, tmp_path, kind, verb):
    """It is not replaced either, as a device was."""
    path = tmp_path / "node"
    if kind == "a directory":
        path.mkdir()
    else:
        os.mknod(path, 0o600 | (stat.S_IFBLK if kind == "a block device" else stat.S_IFSOCK), os.makedev(1, 0))
    before = path.stat()
    marker = tmp_path / "made"
    name = runtime.start_detached(bundle.args("sleep", "60")) if verb == "exec" else runtime.new_id()
    bundle.config["hooks"] = {"createRuntime": [{"path": "/bin/touch", "args": ["touch", str(marker)]}]}
    words = {"exec": ["exec", "--pid-file", path, name, "touch", "/tmp/x"]}.get(
        verb, [verb, "--bundle", bundle.save().path, "--pid-file", path, name])
    out = runtime(*words)
    assert out.returncode == (255 if verb == "exec" else 1)
    assert f"the pid file '{path}': it is {kind}" in out.stderr
    assert path.stat().st_ino == before.st_ino and stat.S_IFMT(path.stat().st_mode) == stat.S_IFMT(before.st_mode)
    assert not marker.exists()


def test_a_pid_file_may_be_what_the_caller_writes_to(runtime, bundle, tmp_path):
    """/dev/stdout is a link, which must stay, whatever it leads to."""
    link = tmp_path / "stdout"  # as /dev/stdout
    link.symlink_to("/proc/self/fd/1")
    bundle.args("echo", " said").save()
    with open(tmp_path / "out", "wb") as out:
        runtime("run", "--bundle", bundle.path, "--pid-file", link, runtime.new_id(), check=True, capture_output=False,
                stdout=out, text=None)
    assert re.fullmatch(r"\d+ said\n| said\n\d+", (tmp_path / "out").read_text())
    assert link.is_symlink()
