# SPDX-License-Identifier: Apache-2.0
"""
What the container tests share: a busybox bundle, a runtime with a root of its own, and a check that
nothing is left behind.

Each test has its own directory, its own --root and unique ids; containers that a test leaves behind
are deleted by id. The runtime is build/mailbox-run, or the program named by OCI_RUNTIME.
"""
import json
import os
import pathlib
import select
import shutil
import subprocess
import time
import uuid

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
RUNTIME = os.environ.get("OCI_RUNTIME", str(TOP / "build" / "mailbox-run"))
OPTIONS = os.environ.get("OCI_OPTIONS", "").split()  # global ones, for every call: "--systemd-cgroup"
BUSYBOX = "/bin/busybox"
DIRECTORIES = ("bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "var")
PATIENCE = min(float(os.environ.get("MR_SLOWER", "1")), 5)  # where a wait has a bound only so that nothing waits for ever
TIMEOUT = 60 * PATIENCE


def need_root():
    if os.geteuid() != 0:
        pytest.skip("needs root")


def need_program(name):
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")


def need_cgroupfs():
    if "--systemd-cgroup" in OPTIONS:
        pytest.skip("systemd makes the groups (OCI_OPTIONS)")


def need_busybox():
    if not os.access(BUSYBOX, os.X_OK):
        pytest.skip("busybox-static is not installed")
    kind = subprocess.run(["file", "-bL", BUSYBOX], capture_output=True, text=True)
    if kind.returncode == 0 and "dynamically" in kind.stdout:
        pytest.skip("busybox is not static")


def need_runtime():
    if not os.access(RUNTIME, os.X_OK):
        pytest.skip(f"{RUNTIME} is not built")


@pytest.fixture(scope="session")
def rootfs(tmp_path_factory):
    """A root file system of busybox, shared by all bundles that do not write to it."""
    need_busybox()
    root = tmp_path_factory.mktemp("rootfs")
    root.chmod(0o755)
    for name in DIRECTORIES:
        (root / name).mkdir()
    (root / "tmp").chmod(0o1777)
    shutil.copy(BUSYBOX, root / "bin" / "busybox")
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True)
    for name in applets.stdout.split():
        if name != "busybox":
            (root / "bin" / name).symlink_to("busybox")
    (root / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc" / "group").write_text("root:x:0:\n")
    return root


class Bundle:
    """A directory with config.json; `config` is changed in place and written by save()."""

    def __init__(self, path, config):
        self.path = path
        self.config = config

    @property
    def process(self):
        return self.config["process"]

    @property
    def linux(self):
        return self.config["linux"]

    def args(self, *args):
        self.process["args"] = list(args)
        return self

    def shell(self, script):
        return self.args("/bin/sh", "-c", script)

    def terminal(self, on):
        self.process["terminal"] = on
        return self

    def namespaces(self, *without):
        self.linux["namespaces"] = [
            ns for ns in self.linux["namespaces"] if ns["type"] not in without
        ]
        return self

    def mount(self, **mount):
        self.config["mounts"].append(mount)
        return self

    def save(self):
        (self.path / "config.json").write_text(json.dumps(self.config))
        return self


class Runtime:
    """Calls of the runtime with this test's root; knows which ids were used."""

    def __init__(self, path, program=RUNTIME, options=None):
        self.root = path / "state"
        self.program = program
        self.options = OPTIONS if options is None else list(options)
        self.ids = []

    def command(self, *args):
        return [self.program, "--root", str(self.root), *self.options, *map(str, args)]

    def __call__(self, *args, check=False, **more):
        more.setdefault("timeout", TIMEOUT)
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("capture_output", True)
        more.setdefault("text", True)
        result = subprocess.run(self.command(*args), **more)
        if check:
            assert result.returncode == 0, result.stderr
        return result

    def ok(self, *args, **more):
        """As a call, and it must succeed; its output."""
        return self(*args, check=True, **more).stdout

    def new_id(self):
        name = f"t{uuid.uuid4().hex[:12]}"
        self.ids.append(name)
        return name

    def run(self, bundle, *options, **more):
        bundle.save()
        return self("run", "--bundle", bundle.path, *options, self.new_id(), **more)

    def create(self, bundle, *options):
        """Creates; the outputs of the container go to files, so that nothing waits for a pipe."""
        bundle.save()
        name = self.new_id()
        self.outputs(bundle, "create", "--bundle", bundle.path, *options, name)
        return name

    def start_detached(self, bundle, *options):
        bundle.save()
        name = self.new_id()
        self.outputs(bundle, "run", "--detach", "--bundle", bundle.path, *options, name)
        return name

    def outputs(self, bundle, *args):
        with open(bundle.path / "out", "wb") as out, open(bundle.path / "err", "wb") as err:
            result = subprocess.run(
                self.command(*args),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                timeout=TIMEOUT,
                check=False,
            )
        assert result.returncode == 0, (bundle.path / "err").read_text()

    def state(self, name):
        return json.loads(self.ok("state", name))

    def wait_for(self, name, status, seconds=20):
        wait(lambda: self.state(name)["status"] == status, f"{name} {status}", seconds)

    def clean_up(self):
        for name in reversed(self.ids):  # of a pod, the members before its first
            self("delete", "--force", name)


RESTORING = """
import os, sys
def given(name):
    return [b for a, b in zip(sys.argv, sys.argv[1:]) if a == name]
if sys.argv[1] == "restore":
    if os.fork() == 0:
        pid = os.getpid()
        for group in given("--cgroup-root"):
            controllers, colon, path = group.rpartition(":")
            v2 = "/unified" if os.path.isdir("/sys/fs/cgroup/unified") else ""
            place = "/" + controllers.replace("name=", "") if colon else v2
            with open("/sys/fs/cgroup" + place + path + "/cgroup.procs", "w") as f:
                f.write(str(pid))
        with open(given("--pidfile")[0], "w") as f:
            f.write(str(pid))
        os.execv("/bin/sleep", ["sleep", "60"])
    os.wait4(-1, os.WNOHANG)
    while not os.path.exists(given("--pidfile")[0]) or not open(given("--pidfile")[0]).read():
        pass
"""


def restoring_criu(path):
    """A criu that restores one process, in the groups that it is told, and images of which it reads nothing."""
    images = path / "images"
    images.mkdir()
    (images / "descriptors.json").write_text('["/dev/null", "/dev/null", "/dev/null"]')
    program = path / "restoring"
    program.write_text("#!/usr/bin/python3" + RESTORING)
    program.chmod(0o755)
    return program, images


def wait(condition, what, seconds=20):
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for: {what}"
        time.sleep(0.02)


def mounts():
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as f:
        return {line.split()[4] for line in f}


def cgroups_named(names):
    """Groups whose path holds one of the names, in any hierarchy."""
    found = []
    for base in ("/sys/fs/cgroup",):
        for directory, subs, _ in os.walk(base):
            found += [os.path.join(directory, s) for s in subs if s in names]
    return found


@pytest.fixture
def runtime(tmp_path):
    """The runtime; afterwards no state, mount or cgroup of this test may be left."""
    need_root()
    need_runtime()
    r = Runtime(tmp_path)
    yield r
    r.clean_up()
    # Hidden names are the runtime's own: what it compiled once and keeps.
    left = [p for p in r.root.iterdir() if p.name[0] != "."] if r.root.exists() else []
    assert left == [], "state is left"
    assert [m for m in mounts() if m.startswith(str(tmp_path))] == [], "a mount is left"
    assert cgroups_named(set(r.ids)) == [], "a cgroup is left"


@pytest.fixture
def bundle(tmp_path, rootfs, runtime):
    """A bundle with the configuration of `spec`, without a terminal."""
    path = tmp_path / "bundle"
    path.mkdir()
    runtime.ok("spec", "--bundle", path)
    config = json.loads((path / "config.json").read_text())
    config["root"]["path"] = str(rootfs)
    return Bundle(path, config).terminal(False).args("true")


@pytest.fixture
def own_rootfs(tmp_path, rootfs, bundle):
    """The same bundle with a writable copy of the root file system."""
    copy = tmp_path / "rootfs"
    shutil.copytree(rootfs, copy, symlinks=True)
    bundle.config["root"] = {"path": str(copy), "readonly": False}
    return copy


def read_until(fd, text, seconds=30, seen=b""):
    """What a terminal has shown (`seen`) and shows up to `text`, its end, or the end of the time."""
    end = time.monotonic() + seconds
    while text not in seen:
        if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
            break
        try:
            part = os.read(fd, 4096)
        except OSError:
            break
        if not part:
            break
        seen += part
    return seen
