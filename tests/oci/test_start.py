# SPDX-License-Identifier: Apache-2.0
"""The program's start, which is not the C library's own (runtime/cli/start.c): what it sets up must be there."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from ocilib import RUNTIME, need_root, need_runtime


def start(*args, **more):
    need_runtime()
    return subprocess.run([RUNTIME, *map(str, args)], capture_output=True, text=True, timeout=30, check=False, **more)


def test_the_environment_is_there():
    """secure_getenv and its kin: of an ordinary user the state is beneath $XDG_RUNTIME_DIR."""
    need_root()
    with tempfile.TemporaryDirectory(dir="/tmp") as session:
        found = pathlib.Path(session, "mailbox-run", "found")
        found.mkdir(parents=True)
        for path in (found, found.parent, found.parent.parent):
            path.chmod(0o700)
            os.chown(path, 65534, 65534)
        need_runtime()
        program = shutil.copy(RUNTIME, pathlib.Path(session, "program"))  # the tree may be where only root gets
        result = subprocess.run([program, "list", "--quiet"], env={"XDG_RUNTIME_DIR": session}, user=65534, group=65534,
                                capture_output=True, text=True, timeout=30, check=False)
        assert (result.returncode, result.stdout.split()) == (0, ["found"]), result.stderr


@pytest.mark.parametrize("env", [{}, {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0:glibc.cpu.hwcaps=-AVX2"},
                                 {f"V{i}": "x" * 1000 for i in range(500)}])
def test_any_environment_will_do(env):
    result = start("--version", env=env)
    assert result.returncode == 0 and result.stdout.startswith("mailbox-run version")


def test_errors_come_with_their_number():
    """errno is thread-local."""
    result = start("run", "--bundle", "/nonexistent", "x")
    assert result.returncode == 1 and "no such file or directory" in result.stderr


def test_large_copies_arrive(bundle, runtime):
    """From some size on memmove goes past the caches; the sizes of these are constants of ours."""
    value = "".join(chr(0x61 + i * i % 23) for i in range(950_000))
    bundle.config["annotations"] = {"large": value}
    bundle.args("/bin/true").save()
    name = runtime.new_id()
    runtime("create", "--bundle", bundle.path, name, capture_output=False, stdout=subprocess.DEVNULL, check=True)
    assert json.loads(runtime.ok("state", name))["annotations"] == {"large": value}
    runtime.ok("delete", "--force", name)
