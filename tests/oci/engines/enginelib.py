# SPDX-License-Identifier: Apache-2.0
"""Container engines with our runtime beneath; each engine keeps its data in the test's directory."""
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from ocilib import (  # noqa: F401
    BUSYBOX, RUNTIME, need_busybox, need_program, need_root, need_runtime, read_until, wait
)

IMAGE = "localhost/busybox:test"


@pytest.fixture(scope="session")
def root_tar(tmp_path_factory):
    """A root file system of busybox as a tar file, for `import`."""
    need_root()
    need_runtime()
    need_busybox()
    path = tmp_path_factory.mktemp("engine") / "busybox.tar"
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True)
    with tarfile.open(path, "w") as tar:
        for name in ("bin", "dev", "etc", "proc", "root", "run", "sys", "tmp"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        tar.add(BUSYBOX, "bin/busybox")
        for name in applets.stdout.split():
            if name != "busybox":
                entry = tarfile.TarInfo(f"bin/{name}")
                entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(entry)
        passwd = b"root:x:0:0:root:/root:/bin/sh\n"
        entry = tarfile.TarInfo("etc/passwd")
        entry.size = len(passwd)
        tar.addfile(entry, io.BytesIO(passwd))
    return path


class Engine:
    """Calls of an engine's command line."""

    def __init__(self, command, environment=None):
        self.prefix = [str(word) for word in command]
        self.environment = {**os.environ, **(environment or {})}

    def __call__(self, *args, **more):
        more.setdefault("timeout", 120)
        more.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(
            [*self.prefix, *map(str, args)],
            capture_output=True,
            text=True,
            check=False,
            env=self.environment,
            **more,
        )

    def ok(self, *args, **more):
        result = self(*args, **more)
        assert result.returncode == 0, f"{args}: {result.stdout}{result.stderr}"
        return result.stdout


def home():
    """A directory for an engine. Short: podman refuses a run directory of more than 50 characters,
    and not before its first clean-up, for which a container's end then waits in vain."""
    return pathlib.Path(tempfile.mkdtemp(prefix="mr-", dir="/tmp"))


def groups(name):
    """The control groups of that name, at the top of every hierarchy."""
    tops = [pathlib.Path("/sys/fs/cgroup"), *pathlib.Path("/sys/fs/cgroup").glob("*/")]
    return {top / name for top in tops if (top / name).is_dir()}


def remove_groups(name, keep):
    """Engines never remove the parent of their containers' groups: a test does."""
    for top in groups(name) - keep:
        for directory, _, _ in os.walk(top, topdown=False):
            os.rmdir(directory)


def end_shims(base):
    """A shim that lost its engine stays for ever: containerd that ends while it removes a container leaves one now and
    then, whatever the runtime."""
    for proc in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command = (proc / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if command[0].endswith(b"containerd-shim-runc-v2") and str(base).encode() in b" ".join(command):
            os.kill(int(proc.name), signal.SIGKILL)


def stop(process, seconds=20):
    """Ends a daemon that a test started."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
