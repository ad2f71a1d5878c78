# SPDX-License-Identifier: Apache-2.0
"""The session keyring: the container's and an exec's are their own, and hold no key of the caller's, unless that is asked for."""
import ctypes
import os
import shutil

import pytest

from ocilib import need_root

ADD_KEY, KEYCTL = 248, 250
JOIN, SEARCH, SESSION = 1, 10, -3
LOOK = (f"import ctypes; c = ctypes.CDLL(None, use_errno=True); "
        f"print('found' if c.syscall({KEYCTL}, {SEARCH}, {SESSION}, b'user', b'mr-secret', 0) > 0 else 'none')")


def with_a_key():
    """For a child: a session of its own with a key in it."""
    c = ctypes.CDLL(None, use_errno=True)
    if c.syscall(KEYCTL, JOIN, None) < 0 or c.syscall(ADD_KEY, b"user", b"mr-secret", b"x", 1, SESSION) < 0:
        os._exit(99)


@pytest.fixture
def looking(runtime, bundle, own_rootfs):
    need_root()
    if os.uname().machine != "x86_64":
        pytest.skip("the numbers of the system calls are those of x86-64")
    for directory in ("/usr", "/lib", "/lib64"):
        (own_rootfs / directory[1:]).mkdir(exist_ok=True)
        bundle.mount(destination=directory, type="bind", source=directory, options=["rbind", "ro"])
    return [shutil.which("python3", path="/usr/bin"), "-SEc", LOOK]


@pytest.mark.parametrize("shared", [False, True])
def test_the_caller_s_keys_are_not_the_container_s(runtime, bundle, looking, shared):
    options = ["--no-new-keyring"] if shared else []
    expected = "found\n" if shared else "none\n"
    out = runtime.run(bundle.args(*looking), *options, preexec_fn=with_a_key)
    if out.returncode == 99:
        pytest.skip("no key can be made here")
    assert out.stdout == expected, out.stderr
    name = runtime.start_detached(bundle.args("sleep", "60"), *options)
    assert runtime("exec", name, *looking, preexec_fn=with_a_key).stdout == expected
