# SPDX-License-Identifier: Apache-2.0
"""What a container gets of the runtime's descriptors, directory and memory (CVE-2024-21626, CVE-2016-9962)."""
import contextlib
import copy
import os
import pathlib
import shutil
import stat

import pytest

from attacklib import at_every_moment, both, held_at_every_moment, judge_race, stop, tries, with_attacker
from ocilib import Bundle, wait

LIST = "for f in /proc/self/fd/*; do readlink $f; done"


@pytest.fixture
def leaked(tmp_path):
    """A directory of the host that the runtime's caller has left open, as descriptor 20; the runtime inherits it."""
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "secret").write_text("the host's secret\n")
    with contextlib.ExitStack() as stack:
        fd = os.open(tmp_path / "host", os.O_RDONLY)
        stack.callback(os.close, fd)
        os.dup2(fd, 20)
        stack.callback(os.close, 20)
        yield 20


@both("descriptors", "leaks")
def test_an_open_descriptor_of_the_caller_does_not_come_in(attacked, bundle, leaked):
    out = attacked.run(bundle.shell(f"cat /proc/self/fd/{leaked}/secret"), pass_fds=[leaked])
    assert ("secret" in out.stdout) != attacked.defended
    name = attacked.start_detached(bundle.args("sleep", "60"))
    out = attacked("exec", name, "sh", "-c", f"cat /proc/self/fd/{leaked}/secret", pass_fds=[leaked])
    assert ("secret" in out.stdout) != attacked.defended


@both("descriptors", "hookenv")
def test_a_hook_of_the_container_has_nothing_of_the_caller(attacked, bundle, leaked):
    """A startContainer hook is a program of the image."""
    bundle.config["hooks"] = {"startContainer": [{
        "path": "/bin/sh", "args": ["sh", "-c", f"cat /proc/self/fd/{leaked}/secret; echo $TOKEN; exit 1"]}]}
    out = attacked.run(bundle, pass_fds=[leaked], env=dict(os.environ, TOKEN="of-the-host"))
    for found in ("the host's secret", "of-the-host"):
        assert (found in out.stderr) != attacked.defended, out.stderr


@both("given")
def test_what_is_read_from_is_not_given_away(attacked, bundle, tmp_path):
    """The process's user owns what it writes to, so that it can be opened anew; a file that the caller only has it read, it
    could then change."""
    (tmp_path / "input").write_text("the host's own\n")
    bundle.process["user"] = {"uid": 1234, "gid": 1234}
    with open(tmp_path / "input", encoding="ascii") as f:
        attacked.run(bundle.shell("echo changed >/proc/self/fd/0"), stdin=f)
    assert ((tmp_path / "input").stat().st_uid == 0) == attacked.defended
    assert ((tmp_path / "input").read_text() == "the host's own\n") == attacked.defended


def test_nor_are_devices_and_directories(runtime, bundle, tmp_path):
    bundle.process["user"] = {"uid": 1234, "gid": 1234}
    os.mknod(tmp_path / "zero", 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    for name in ("zero", "."):
        fd = os.open(tmp_path / name, os.O_RDWR if name == "zero" else os.O_RDONLY)
        assert runtime.run(bundle.args("true"), stdin=fd).returncode == 0
        os.close(fd)
        assert (tmp_path / name).stat().st_uid == 0


def test_nothing_is_open_but_the_three(runtime, bundle):
    """ls has one more open, that of the directory, which is gone by the time it is looked at."""
    ls = ("ls", "-l", "/proc/self/fd/")
    name = runtime.start_detached(bundle.args("sleep", "60"))
    for out in (runtime.run(bundle.args(*ls)), runtime("exec", name, *ls)):
        open_now = [line.split()[-3] for line in out.stdout.splitlines() if " -> " in line]
        assert open_now == ["0", "1", "2"], out.stdout


@both("cwd", "descriptors")
def test_the_directory_through_a_leaked_descriptor(attacked, bundle, leaked):
    bundle.process["cwd"] = f"/proc/self/fd/{leaked}"
    out = attacked.run(bundle.shell("cat secret"), pass_fds=[leaked])
    assert ("secret" in out.stdout) != attacked.defended
    if attacked.defended:
        assert out.returncode == 1 and "outside" in out.stderr


@both("cwd", "descriptors", "leaks")
def test_the_directory_of_an_exec_through_a_leaked_descriptor(attacked, bundle, own_rootfs, leaked):
    (own_rootfs / "innocent").symlink_to(f"/proc/self/fd/{leaked}")
    name = attacked.start_detached(bundle.args("sleep", "60"))
    out = attacked("exec", "--cwd", "/innocent", name, "cat", "secret", pass_fds=[leaked])
    assert ("secret" in out.stdout) != attacked.defended


@both("cwd")
def test_no_descriptor_of_the_runtime_leads_out(attacked, bundle):
    """Whatever number the runtime has something of the host open as, its /proc for one: none of them becomes the directory."""
    bundle.shell(f"cat {os.getpid()}/comm; test -e of-the-host; pwd; echo REACHED")
    seen = ""
    for n in range(3, 24):
        for path in (f"/proc/self/fd/{n}", f"/proc/self/fd/{n}/../../.."):
            bundle.process["cwd"] = path
            out = attacked.run(bundle)
            assert not attacked.defended or out.returncode != 0 or out.stdout == "/\nREACHED\n", out.stdout
            seen += out.stdout
    name = pathlib.Path(f"/proc/{os.getpid()}/comm").read_text()
    assert (name in seen) != attacked.defended


@both("cwd", "stage")
def test_nor_one_of_an_exec(attacked, bundle, own_rootfs):
    name = attacked.start_detached(bundle.args("sleep", "60"))
    seen = ""
    for n in range(3, 24):
        (own_rootfs / "way").unlink(missing_ok=True)
        (own_rootfs / "way").symlink_to(f"/proc/self/fd/{n}")
        seen += attacked("exec", "--cwd", "/way", name, "cat", f"{os.getpid()}/comm").stdout
    assert seen == "" if attacked.defended else pathlib.Path(f"/proc/{os.getpid()}/comm").read_text() in seen


LOOK = "p=/proc/$(cat /pid); ls $p/fd/ && readlink $p/exe && echo seen"


@both("dumpable")
def test_a_process_that_waits_for_its_start_cannot_be_looked_into(attacked, bundle, own_rootfs, tmp_path):
    """It is in the pod's pid namespace, as the same user with the same capabilities, and still holds what the runtime
    holds."""
    name = attacked.start_detached(bundle.args("sleep", "60"))
    pid = attacked.state(name)["pid"]
    (tmp_path / "second").mkdir()
    second = Bundle(tmp_path / "second", bundle.config).args("true").namespaces("pid")
    second.linux["namespaces"].append({"type": "pid", "path": f"/proc/{pid}/ns/pid"})
    waiting = attacked.state(attacked.create(second))["pid"]
    with open(f"/proc/{waiting}/status", encoding="ascii") as f:
        inside = next(line for line in f if line.startswith("NSpid:")).split()[-1]
    (own_rootfs / "pid").write_text(inside)
    out = attacked("exec", name, "sh", "-c", LOOK)
    assert ("seen" in out.stdout) != attacked.defended, out.stdout + out.stderr


EXECS = 300


def start_attacker(attacked, bundle, rootfs, *args):
    """A container that looks into all that it sees; its id, and where it says what it found."""
    with_attacker(rootfs)
    for kind in ("bounding", "effective", "permitted"):
        bundle.process["capabilities"][kind].append("CAP_SYS_PTRACE")
    name = attacked.start_detached(bundle.args("/attacker", *args))
    said = bundle.path / "out"
    wait(lambda: "ready" in said.read_text(), "the attacker")
    return name, said


def start_lurking(attacked, bundle, rootfs, path):
    """It looks for a way to that file of the host."""
    path.touch()
    return start_attacker(attacked, bundle, rootfs, "lurk", str(path))


def judge(attacked, rootfs, said):
    judge_race(attacked, "through", stop(rootfs, said, "through", "nothing"))


@both("stage")
def test_no_exec_is_seen_before_it_is_inside(attacked, bundle, own_rootfs, tmp_path):
    """With CAP_SYS_PTRACE a container may look into every process that it can see, undumpable or not. None of them may be
    still on the host, by its root, its directory or a descriptor of the host's /proc."""
    name, said = start_lurking(attacked, bundle, own_rootfs, tmp_path / "of-the-host")
    for _ in tries(EXECS):
        attacked("exec", name, "true")
        if "through" in said.read_text():
            break
    judge(attacked, own_rootfs, said)


def without_groups(bundle):
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["type"] != "cgroup"]


@pytest.mark.parametrize("attacked, change", [((), None), ((), without_groups), (("stage",), None), (("leaks",), None),
                                              (("environ",), None), (("door",), None)],
                         ids=["defended", "no-group", "stage", "leaks", "environ", "door"], indirect=["attacked"])
def test_nor_at_any_moment(attacked, bundle, own_rootfs, tmp_path, leaked, change, request):
    """The same without a race: at each moment the exec waits until it was looked at. And its caller has a directory of the
    host open, and a secret in its environment; and on v1 the use of all devices."""
    if "door" in request.node.name and not os.path.isdir("/sys/fs/cgroup/devices"):
        pytest.skip("there is no v1 hierarchy of devices")
    if change is not None:
        change(bundle)
    name, said = start_lurking(attacked, bundle, own_rootfs, tmp_path / "of-the-host")
    env = dict(os.environ, SECRET=str(tmp_path / "of-the-host"))
    looks = at_every_moment(attacked, own_rootfs, "exec", name, "true", pass_fds=[leaked], env=env)
    found = stop(own_rootfs, said, "through", "nothing")
    assert ("through" in found) != attacked.defended, found
    assert looks > 100 or not attacked.defended


@pytest.mark.parametrize("kind", "hmnslcg")
def test_nor_is_its_word_taken_for_that_of_another(runtime, bundle, own_rootfs, kind):
    """Who may look into an exec can speak for it to the runtime: of hooks, a root that was moved, a terminal."""
    name, said = start_attacker(runtime, bundle, own_rootfs, "forge", kind)
    out = held_at_every_moment(runtime, own_rootfs, "exec", name, "true")
    assert "forged" in stop(own_rootfs, said, "nothing")
    assert out.returncode == 255 and "unexpected message" in out.stderr, out.stderr


def pod_member(bundle, tmp_path):
    (tmp_path / "second").mkdir()
    return Bundle(tmp_path / "second", copy.deepcopy(bundle.config)).args("true").namespaces("pid")


def join_pod(attacked, second, name):
    second.linux["namespaces"].append({"type": "pid", "path": f"/proc/{attacked.state(name)['pid']}/ns/pid"})
    return second


@both("stage")
@pytest.mark.parametrize("how", ["run", "create"])
def test_nor_a_container_that_joins_its_pid_namespace(attacked, bundle, own_rootfs, tmp_path, how):
    """A member of the pod is made while another one, which may look into all it sees, watches."""
    def start(second):
        if how == "run":
            return attacked.run(second)
        name = attacked.new_id()
        with open(tmp_path / "out", "wb") as out:  # a pipe would be waited for
            r = attacked("create", "-b", second.save().path, name, capture_output=False, text=None, stdout=out, stderr=out)
        attacked("delete", "--force", name)
        return r

    second = pod_member(bundle, tmp_path)
    name, said = start_lurking(attacked, bundle, own_rootfs, tmp_path / "of-the-host")
    join_pod(attacked, second, name)
    for _ in tries(EXECS // 3):
        made = start(second).returncode == 0
        if "through" in said.read_text():
            break
        assert made
    judge(attacked, own_rootfs, said)


def with_one_process(second):
    second.linux["resources"]["pids"] = {"limit": 1}


def with_a_hook(second):
    second.config["hooks"] = {"startContainer": [{"path": "/bin/true"}]}


@pytest.mark.parametrize("attacked", [(), ("stage",), ("environ",)], ids=["defended", "stage", "environ"], indirect=True)
@pytest.mark.parametrize("how, change", [("run", None), ("create", None), ("run", with_one_process), ("run", with_a_hook)],
                         ids=["run", "create", "one-process", "a-hook"])
def test_nor_that_at_any_moment(attacked, bundle, own_rootfs, tmp_path, leaked, how, change):
    """And the caller has a directory of the host open, and a secret in its environment."""
    second = pod_member(bundle, tmp_path)
    if change is not None:
        change(second)
    name, said = start_lurking(attacked, bundle, own_rootfs, tmp_path / "of-the-host")
    join_pod(attacked, second, name).save()
    env = dict(os.environ, SECRET=str(tmp_path / "of-the-host"))
    looks = at_every_moment(attacked, own_rootfs, how, "-b", second.path, attacked.new_id(), pass_fds=[leaked], env=env)
    found = stop(own_rootfs, said, "through", "nothing")
    assert ("through" in found) != attacked.defended, found
    assert looks > 100 or not attacked.defended


@both("dumpable")
@pytest.mark.parametrize("idmap", [False, True])
def test_nor_one_that_gets_a_user_namespace(attacked, bundle, own_rootfs, tmp_path, idmap):
    """User 0 of the host, be it without capabilities and in a container, has all of them over a user namespace that the
    runtime has just made; with the host's pid namespace it sees what is in there."""
    with_attacker(own_rootfs)
    (tmp_path / "of-the-host").touch()
    (tmp_path / "second").mkdir()
    second = Bundle(tmp_path / "second", copy.deepcopy(bundle.config)).args("true")
    ids = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    if idmap:
        for n in range(10):
            second.mount(destination=f"/m{n}", type="bind", source=str(tmp_path / "second"), options=["bind", "idmap"],
                         uidMappings=ids, gidMappings=ids)
    else:
        second.linux["namespaces"].append({"type": "user"})
        second.linux["uidMappings"] = second.linux["gidMappings"] = ids
    name = f"v{os.getpid()}{idmap}"  # processes of others are seen, too
    attacked.program = shutil.copy(attacked.program, tmp_path / name)
    bundle.process["env"].append(f"NAME={name}")
    attacked.start_detached(bundle.namespaces("pid").args("/attacker", "lurk", str(tmp_path / "of-the-host")))
    said = bundle.path / "out"
    wait(lambda: "ready" in said.read_text(), "the attacker")
    for _ in tries(EXECS // 2):
        out = attacked.run(second)
        if "map the ids" in out.stderr:
            (own_rootfs / "stop").touch()
            pytest.skip("no id-mapped mounts on this file system")
        assert out.returncode == 0, out.stderr
        if "through" in said.read_text():
            break
    judge(attacked, own_rootfs, said)
