# SPDX-License-Identifier: Apache-2.0
import pathlib
import shutil
import subprocess

import pytest

from stacklib import SERVICES, Stack

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]


@pytest.fixture(scope="session")
def fake_images(build_dir, tmp_path_factory):
    """An image layout in which all nine daemons are fake_daemon.c."""
    work = tmp_path_factory.mktemp("fake")
    programs = work / "programs"
    programs.mkdir()
    fake = work / "fake"
    subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-I.", "-O1", "-static", "-s", "-Wall", "-Wextra", "-o", fake,
                    HERE / "fake_daemon.c", build_dir / "lib" / "libmrbase.a", "-ljansson"], cwd=TOP, check=True)
    for name in SERVICES:
        shutil.copy(fake, programs / name)
        subprocess.run([build_dir / "mb-image", "build", "-o", work / "images", "--programs", programs, "--files",
                        TOP / "images" / "files", TOP / "images" / "recipes" / f"{name}.json"],
                       check=True, stdout=subprocess.DEVNULL)
    return work / "images"


@pytest.fixture
def stack(need_root, build_dir, fake_images, short_dir, free_ports, no_leaks):
    """A stack of fake daemons, not up yet. At the end it is taken down, and nothing of it may be left."""
    s = Stack(short_dir, build_dir / "mailbox-run", fake_images, free_ports(3))
    yield s
    s.down()
    no_leaks(s.prefix + "-")
