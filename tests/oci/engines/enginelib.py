# SPDX-License-Identifier: Apache-2.0
"""
Container engines with our runtime beneath.

Each engine runs in a session: mount, network and process namespaces of its own with an empty /run and /dev/shm, whose first process
waits and is killed with the test. So nothing of an engine can outlive its tests, whoever forgot it: daemons, shims,
conmon, mounts, bridges, network namespaces. What would have outlived them is looked for before that, and is an error:
Session.left(). Control groups have no such end; they are looked for and removed by name.

OCI_RUNTIME=/usr/sbin/runc runs the same sessions with another runtime.
"""
import contextlib
import fcntl
import io
import json
import os
import pathlib
import pty
import re
import secrets
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import termios
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from ocilib import (  # noqa: F401
    BUSYBOX, RUNTIME, need_busybox, need_program, need_root, need_runtime, read_until, wait
)

IMAGE = "localhost/busybox:test"
TIMEOUT = 60
# The default number of open files is more than some machines permit; the infra container is made of the test's image.
CONTAINERS_CONF = f"""
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
netns = "none"
init_path = "INIT"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
infra_image = "{IMAGE}"
runtime = "mailbox-run"
runtime_supports_json = ["mailbox-run"]
runtime_supports_nocgroup = ["mailbox-run"]
[engine.runtimes]
mailbox-run = ["{RUNTIME}"]
[network]
network_backend = "cni"
cni_plugin_dirs = ["/usr/lib/cni"]
network_config_dir = "BASE/net"
"""
# Ignored, the end of a child is not waited for: the first process of a session has nothing else to do with orphans.
HOLDER = ("trap '' CHLD; mount -t tmpfs -o mode=755 none /run && mkdir -p /run/lock && mount -t tmpfs -o mode=1777 none /dev/shm && "
          "ip link set lo up && echo ready && exec sleep 100000")


def make_root_tar(path):
    """A root file system of busybox as a tar file, for `import`."""
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True)
    files = {"etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nmail:x:8:12:mail:/var/mail:/bin/sh\n",
             "etc/group": b"root:x:0:\nmail:x:12:\nextra:x:77:mail\n", "etc/plain": b"no program\n"}
    with tarfile.open(path, "w") as tar:
        for name in ("bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "v", "var"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(entry)
        tar.add(BUSYBOX, "bin/busybox")
        for name in applets.stdout.split():
            if name != "busybox":
                entry = tarfile.TarInfo(f"bin/{name}")
                entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(entry)
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


class Engine:
    """Calls of an engine's command line."""

    def __init__(self, session, command, environment=None):
        self.session = session
        self.base = session.base
        self.command = [str(word) for word in command]
        self.name = next(name for name in ("podman", "docker", "buildah", "ctr") if name in self.command)
        self.prefix = [*session.enter, *self.command]
        self.environment = {**os.environ, **(environment or {})}

    def __call__(self, *args, environment=None, **more):
        more.setdefault("timeout", TIMEOUT)
        if "input" not in more:
            more.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(
            [*self.prefix, *map(str, args)],
            capture_output=True,
            text=True,
            check=False,
            env={**self.environment, **(environment or {})},
            **more,
        )

    def ok(self, *args, **more):
        """As a call, and it must succeed; its output."""
        result = self(*args, **more)
        assert result.returncode == 0, f"{args}: {result.stdout}{result.stderr}"
        return result.stdout

    def either(self, podman, docker):
        """What is right for this engine."""
        return podman if self.name == "podman" else docker

    def fails(self, status, text, *args, **more):
        """The call must end with that status and say that; what it said."""
        result = self(*args, **more)
        assert result.returncode == status, f"{args}: wanted {status}: {result.returncode} {result.stdout}{result.stderr}"
        return self.says(text, result)

    @staticmethod
    def says(text, result):
        """It said so, on either output, as docker exec does; what it said."""
        said = result.stdout + result.stderr
        assert re.search(text, said), f"wanted '{text}': {said}"
        return said

    def detached(self, *args, **more):
        """`run -d` and the options; the name of the container."""
        return self.ok("run", "-d", *args, **more).strip()

    def inspect(self, name, template, *options):
        return self.ok("inspect", *options, "-f", template, name).strip()

    def becomes(self, name, template, value, seconds=30):
        wait(lambda: self.inspect(name, template) == value, f"{name}: {template} is '{value}'", seconds)

    def remove(self, *names):
        """Ends containers at once, whatever they do; podman would wait for them to obey. It cleans up after their end beside that, and
        one of the two may find /dev/shm busy."""
        command = ("rm", "-f", *self.either(("-t", "0"), ()), *names)
        first = self(*command)
        if "device or resource busy" in first.stderr:
            self.ok(*command)
        else:
            assert first.returncode == 0, f"{command}: {first.stdout}{first.stderr}"

    def logged(self, name, text, seconds=20):
        """Waits until the log of the container holds the text; the log."""
        wait(lambda: text in self.ok("logs", name), f"'{text}' in the log of {name}", seconds)
        return self.ok("logs", name)

    def terminal(self, *args):
        return Terminal([*self.prefix, *map(str, args)], self.environment)


def passes_signals_on(engine, script):
    """A client in the foreground passes SIGUSR1 and SIGTERM on; the script says `up`, and of the first `usr1`. Signals are
    sent again: what comes before the engine has written down that the container runs is lost, whatever the runtime."""
    command = [*engine.prefix, "run", "--rm", IMAGE, "sh", "-c", script]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=engine.environment) as process:
        try:
            fd = process.stdout.fileno()
            assert b"up" in read_until(fd, b"up", 60)
            client = int(pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()[0])
            seen = b""
            for _ in range(10):
                os.kill(client, signal.SIGUSR1)
                seen += read_until(fd, b"usr1", 3)
                if b"usr1" in seen:
                    break
            os.kill(client, signal.SIGTERM)
            assert b"usr1" in seen
            return process.wait(30)
        finally:
            process.kill()


def answers_on_a_terminal(engine):
    """A container with a terminal reads what is typed there; its exit status."""
    with engine.terminal("run", "--rm", "-it", IMAGE, "sh", "-c", "tty; read x; echo got:$x; exit 6") as t:
        t.reads("/dev/pts/")
        t.type("word\r")
        t.reads("got:word")
        return t.status()


class Terminal(contextlib.AbstractContextManager):
    """A command with a terminal of its own as its controlling one, as a person has."""

    def __init__(self, command, environment, rows=24, columns=80):
        pid, self.fd = pty.fork()
        if pid == 0:
            os.execvpe(command[0], command, environment)
        self.pid = pid
        self.rest = b""
        self.resize(rows, columns)

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.fd, text.encode())

    def keys(self, text):
        """One at a time, as a person types: engines know detach keys only so."""
        for key in text:
            self.type(key)
            time.sleep(0.2)

    def reads(self, text, seconds=30):
        """Waits for the text; what came after it is there for the next call."""
        seen = read_until(self.fd, text.encode(), seconds, self.rest)
        assert text.encode() in seen, seen
        seen, found, self.rest = seen.partition(text.encode())
        return (seen + found).decode("utf-8", "replace")

    def status(self, seconds=30):
        """The exit status; what is still written meanwhile is thrown away."""
        end = time.monotonic() + seconds
        os.set_blocking(self.fd, False)
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                os.read(self.fd, 4096)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid == self.pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        raise AssertionError(f"no end after {seconds} s")

    def __exit__(self, *_):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


class Session(contextlib.AbstractContextManager):
    """
    A directory and namespaces for one engine.

    The directory is short: podman refuses a run directory of more than 50 characters, and not before its first
    clean-up, for which a container's end then waits in vain.
    """

    def __init__(self):
        need_root()
        need_runtime()
        need_busybox()
        for name in ("unshare", "setpriv", "nsenter", "ip"):
            need_program(name)
        # A name for containerd, too, which takes no "-_", as mkdtemp may give.
        self.base = pathlib.Path("/tmp", f"mr-{secrets.token_hex(4)}")
        self.base.mkdir(mode=0o755)
        self.daemons = []
        self.log = open(self.base / "log", "ab")
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork",
             "--kill-child", "--mount-proc", "sh", "-c", HOLDER],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            why = self.process.communicate()[1].strip()
            self.end()
            pytest.skip(f"no namespaces for an engine: {why}")
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        self.holder = children.read_text(encoding="ascii").split()[0]
        self.enter = ["nsenter", "-t", self.holder, "-m", "-n", "-p", "-i", "-u", "--"]
        self.bare = {kind: set(what) for kind, what in self.things().items()}

    def __call__(self, *command, **more):
        """A command in the session, which must succeed; its output."""
        result = subprocess.run([*self.enter, *map(str, command)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=TIMEOUT, check=False, **more)
        assert result.returncode == 0, f"{command}: {result.stderr}"
        return result.stdout

    def daemon(self, *command):
        process = subprocess.Popen([*self.enter, *map(str, command)], stdin=subprocess.DEVNULL, stdout=self.log,
                                   stderr=self.log)
        self.daemons.append(process)
        return process

    def tail(self):
        return (self.base / "log").read_text(encoding="utf-8", errors="replace")[-400:]

    def processes(self):
        """{pid in the session: command line}, without what only looks or has ended."""
        table = self("ps", "-eo", "pid=,stat=,args=")
        found = {}
        for line in table.splitlines():
            pid, state, args = line.split(None, 2)
            if state[0] != "Z" and args != "ps -eo pid=,stat=,args=":
                found[pid] = args
        return found

    def things(self):
        """What is in the session's namespaces now."""
        mounts = pathlib.Path(f"/proc/{self.holder}/mountinfo").read_text(encoding="utf-8")
        return {
            "processes": [f"{pid} {args}" for pid, args in self.processes().items()],
            "mounts": [line.split()[4] for line in mounts.splitlines()],
            "network devices": [line.split(":")[1].strip() for line in self("ip", "-o", "link").splitlines()],
            "network namespaces": self("sh", "-c", "ls /run/netns 2>/dev/null || :").split(),
        }

    def stop_daemons(self):
        """Asks each daemon to end, and waits for it."""
        for process in reversed(self.daemons):
            with contextlib.suppress(IndexError, FileNotFoundError):
                children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
                os.kill(int(children.read_text(encoding="ascii").split()[0]), signal.SIGTERM)
            process.wait(30)

    def left(self, *expected):
        """What is there that was not at the beginning; names that match one of the expressions do not count."""
        known = re.compile("|".join(expected) or "$^")
        found = {}
        for kind, what in self.things().items():
            more = [name for name in what if name not in self.bare[kind] and not known.search(name)]
            if more:
                found[kind] = more
        return found

    def assert_clean(self, *expected, seconds=10):
        """Nothing may be left; what is on its way out is given a moment."""
        with contextlib.suppress(AssertionError):
            wait(lambda: not self.left(*expected), "the end of what the engine made", seconds)
        left = self.left(*expected)
        assert left == {}, f"an engine or its runtime left behind: {left}"

    def end(self):
        self.process.kill()
        self.process.communicate()
        for process in self.daemons:
            process.kill()
            process.wait()
        self.log.close()
        shutil.rmtree(self.base, ignore_errors=True)

    def __exit__(self, *_):
        self.end()


def groups(name):
    """The control groups of that name, at the top of every hierarchy."""
    tops = [pathlib.Path("/sys/fs/cgroup"), *pathlib.Path("/sys/fs/cgroup").glob("*/")]
    return {top / name for top in tops if (top / name).is_dir()}


def groups_below(name):
    """The groups of containers below that name, which may go meanwhile."""
    return sorted(f"{path}/{d}" for top in groups(name) for path, below, _ in os.walk(top) for d in below)


def assert_no_groups(name):
    """No container's group may be left; an engine says that one has ended before it has it deleted."""
    with contextlib.suppress(AssertionError):
        wait(lambda: not groups_below(name), "the end of the groups", 10)
    left = groups_below(name)
    assert left == [], f"an engine or its runtime left behind: {left}"


def group_value(name, v1, v2):
    """What a file of the container's group holds, on either version; the name is part of the group's."""
    tops = [top for top in ("/sys/fs/cgroup/*", "/sys/fs/cgroup") for top in pathlib.Path("/").glob(top[1:])]
    for top in tops:
        for file in (v1, v2):
            # Groups of other tests come and go meanwhile, so only the two levels of an engine are looked at.
            for path in (*top.glob(f"libpod_parent/*{name}*/{file}"), *top.glob(f"mr-*/*{name}*/{file}")):
                with contextlib.suppress(FileNotFoundError):
                    return path.read_text(encoding="ascii").strip()
    raise AssertionError(f"no group of {name} has {v1} or {v2}")


def remove_groups(name, keep=frozenset()):
    """Engines never remove the parent of their containers' groups, nor podman those of its pods: a test does, but for those to keep
    and those that somebody is in."""
    for path in sorted(groups_below(name) + [str(top) for top in groups(name)], reverse=True):
        if path not in keep:
            with contextlib.suppress(OSError):
                os.rmdir(path)


def all_groups(name):
    """What is there before a test, for remove_groups to keep."""
    return {*groups_below(name), *map(str, groups(name))}


def containers_home(session, init_path):
    """The files that podman and buildah read, and the environment that names them."""
    base = session.base
    conf = CONTAINERS_CONF.replace("BASE", str(base)).replace("INIT", init_path or "")
    (base / "containers.conf").write_text(conf)
    (base / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\nrunroot = "{base}/run"\ngraphroot = "{base}/data"\n')
    (base / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    (base / "net").mkdir()
    return {"CONTAINERS_CONF": str(base / "containers.conf"), "CONTAINERS_STORAGE_CONF": str(base / "storage.conf"),
            "TMPDIR": str(base)}


def docker_config(base):
    """daemon.json, as runtime/README.md shows it, and where everything is."""
    return {
        "runtimes": {"mailbox-run": {"path": RUNTIME}}, "default-runtime": "mailbox-run",
        "exec-opts": ["native.cgroupdriver=cgroupfs"], "data-root": f"{base}/data", "exec-root": f"{base}/exec",
        "pidfile": f"{base}/pid", "hosts": [f"unix://{base}/docker.sock"], "cgroup-parent": f"/{base.name}",
        "live-restore": False,
    }
