# SPDX-License-Identifier: Apache-2.0
"""
What all end-to-end tests share: where things are, reasons to skip, short directories, free ports, and a check that
nothing was left behind. Fixtures for containers are in tests/oci, for a running stack in tests/stack.
"""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

TOP = pathlib.Path(__file__).resolve().parents[1]
TEST_SECONDS = 240  # one test, with its fixtures' share: beyond that it fails where it stands
PORT_FIRST = 20000  # up to 29999, below the range from which the kernel takes ports for connections


class TooLong(Exception):
    """A test that waits for what does not come."""


def too_long(_number, _frame):
    raise TooLong(f"no end after {TEST_SECONDS} s")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    del item
    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(TEST_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def build_dir():
    """The directory with the programs and images: $MR_BUILD, or build/."""
    path = TOP / os.environ.get("MR_BUILD", "build")
    if not path.is_dir():
        pytest.skip(f"{path} is not built")
    return path


@pytest.fixture(scope="session")
def test_data():
    """Test vectors that are too large for the tree: $MR_TEST_DATA, or ../shared/data."""
    path = pathlib.Path(os.environ.get("MR_TEST_DATA", TOP.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"no test data at {path} (set MR_TEST_DATA)")
    return path


@pytest.fixture
def need_root():
    if os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.fixture
def need_tool():
    """need_tool("swaks") returns its path, or skips."""

    def need(name):
        path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if path is None:
            pytest.skip(f"{name} is not installed")
        return path

    return need


def make_short_dir():
    path = pathlib.Path(tempfile.mkdtemp(prefix="mr-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def short_dir():
    """A directory of this test whose path is short enough for unix sockets; anybody may pass through it."""
    yield from make_short_dir()


@pytest.fixture(scope="module")
def module_dir():
    """The same for all tests of one file."""
    yield from make_short_dir()


def is_free(port):
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family) as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind((address, port))
        except OSError as e:
            if e.errno not in (socket.errno.EAFNOSUPPORT, socket.errno.EADDRNOTAVAIL):
                return False
    return True


TAKEN = set()


def take_ports(count):
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    n = int("".join(c for c in worker if c.isdigit()) or 0) % 10
    first, last = PORT_FIRST + 1000 * n, PORT_FIRST + 1000 * n + 999
    found = []
    start = os.getpid() * 37 % 1000
    for i in range(1000):
        port = first + (start + i) % (last - first + 1)
        if port not in TAKEN and is_free(port):
            TAKEN.add(port)
            found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("no free ports")


@pytest.fixture
def free_ports():
    """free_ports(3) returns three TCP ports that no other test of this run gets: each worker has a range of its own, and each
    test process begins at a place of its own in it."""
    before = set(TAKEN)
    yield take_ports
    TAKEN.intersection_update(before)


@pytest.fixture(scope="module")
def module_ports():
    """The same for all tests of one file."""
    before = set(TAKEN)
    yield take_ports
    TAKEN.intersection_update(before)


def lines_with(prefix, text):
    return [line for line in text.splitlines() if prefix in line]


def cgroups_with(prefix):
    found = []
    for directory, names, _ in os.walk("/sys/fs/cgroup"):
        found += [os.path.join(directory, n) for n in names if prefix in n]
    return found


def files_with(prefix):
    """Below /run; what another test takes away meanwhile is no error."""
    return [os.path.join(d, n) for d, dirs, files in os.walk("/run") for n in dirs + files if prefix in n]


def processes_with(prefix):
    found = []
    for proc in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            line = (proc / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if prefix in line and int(proc.name) not in (os.getpid(), os.getppid()):
            found.append(f"{proc.name} {line}")
    return found


def run(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
    except FileNotFoundError:
        return ""


def left_behind(prefix):
    """Processes (by command line), mounts, network namespaces and devices, cgroups, sockets and files in /run that carry
    the prefix in their name, as a dict without empty entries."""
    found = {
        "processes": processes_with(prefix),
        "mounts": lines_with(prefix, pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8")),
        "network namespaces": lines_with(prefix, run("ip", "netns", "list")),
        "network devices": lines_with(prefix, run("ip", "-o", "link")),
        "cgroups": cgroups_with(prefix),
        "unix sockets": lines_with(prefix, pathlib.Path("/proc/net/unix").read_text(encoding="utf-8")),
        "in /run": files_with(prefix),
    }
    return {kind: what for kind, what in found.items() if what}


@pytest.fixture
def no_leaks():
    """no_leaks("prefix") asserts that nothing with this in its name is there (any more)."""

    def check(prefix):
        found = left_behind(prefix)
        assert not found, found

    return check
