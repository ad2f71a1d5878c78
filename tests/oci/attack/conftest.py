# SPDX-License-Identifier: Apache-2.0
"""
Attacks from inside a container, and from a hostile image or configuration, on the runtime.

Each file is one group of weaknesses that other runtimes had to close. Each attack is made twice: on the runtime, where it
must fail, and on build/test/mailbox-run-undefended with the defence taken out (undefended.c), where it must succeed: a
test that cannot fail shows nothing.
"""
import os
import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from attacklib import UNDEFENDED  # noqa: E402
from ocilib import RUNTIME, Runtime  # noqa: E402


class Undefended(Runtime):
    def __init__(self, path, ids, program, off):
        super().__init__(path, program=str(program))
        self.ids = ids  # cleaned up with those of the fixture `runtime`
        self.off = off

    def command(self, *args):
        return ["/usr/bin/env", "MR_OFF=" + ",".join(self.off), *super().command(*args)]


@pytest.fixture
def undefended(runtime, tmp_path):
    """undefended("self", "cwd") is the runtime without these defences; its containers are in the same state directory."""
    if "OCI_RUNTIME" in os.environ:
        pytest.skip("another runtime's defences cannot be taken out")
    if not os.access(UNDEFENDED, os.X_OK):
        pytest.skip(f"{UNDEFENDED} is not built")

    def make(*off, program=UNDEFENDED):
        return Undefended(tmp_path, runtime.ids, program, off)

    return make


@pytest.fixture
def attacked(runtime, undefended, request, tmp_path):
    """For a test marked with @both("defence", ...): the runtime under attack, a copy that may be destroyed, once as it is
    and once without the defences; `attacked.defended` tells which."""
    off = request.param
    copy = tmp_path / "victim"
    shutil.copy(UNDEFENDED if off else RUNTIME, copy)
    if off:
        r = undefended(*off, program=copy)
    else:
        r = Runtime(tmp_path, program=str(copy))
        r.ids = runtime.ids
    r.defended = not off
    return r
