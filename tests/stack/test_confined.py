# SPDX-License-Identifier: Apache-2.0
"""What the real daemons may do while they run: system calls are made in them, under their own confinement (inject.c)."""
import errno
import os
import pathlib
import socket
import struct
import subprocess

import pytest

from realstack import MailStack
from stacklib import SERVICES
from test_authority import TALKS, VOLUMES

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
NR = {"open": 2, "socket": 41, "connect": 42, "execve": 59, "chmod": 90, "ptrace": 101, "setuid": 105, "mount": 165, "openat": 257,
      "unshare": 272, "execveat": 322, "bpf": 321, "io_uring_setup": 425, "clone3": 435, "mkdirat": 258, "setns": 308,
      "keyctl": 250, "userfaultfd": 323, "perf_event_open": 298, "init_module": 175, "reboot": 169, "kill": 62}
AT_FDCWD = (1 << 64) - 100
REFUSED = {-errno.EPERM, -errno.EACCES, -errno.ENOSYS}
ABSENT = {-errno.ENOENT, -errno.EACCES, -errno.EPERM, -errno.ENOTDIR}


def data(b):
    return "x" + b.hex()


def path(text):
    return data(os.fsencode(text) + b"\0")


@pytest.fixture(scope="module")
def inject(build_dir, module_dir):
    if os.uname().machine != "x86_64":
        pytest.skip("inject.c knows the registers of x86_64")
    program = module_dir / "inject"
    subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-I.", "-O1", "-Wall", "-Wextra", "-o", program, HERE / "inject.c",
                    build_dir / "lib" / "libmrbase.a"], cwd=TOP, check=True)

    def calls(pid, *lines):
        text = "".join(" ".join(str(NR.get(w, w)) for w in line) + "\n" for line in lines)
        r = subprocess.run([program, str(pid)], input=text, capture_output=True, text=True, timeout=30, check=False)
        if "operation not permitted" in r.stderr.lower():
            pytest.skip("this machine lets nobody trace a process")
        assert r.returncode == 0, r.stderr
        return [int(v) if int(v) < 1 << 63 else int(v) - (1 << 64) for v in r.stdout.split()]

    return calls


@pytest.fixture(scope="module")
def mail(build_dir, module_dir, module_ports):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    s = MailStack(module_dir, build_dir, module_ports(8))
    s.up()
    yield s
    s.end()


def children(pid):
    return [int(c) for t in pathlib.Path(f"/proc/{pid}/task").iterdir() for c in (t / "children").read_text().split()]


@pytest.fixture(params=SERVICES)
def service(request, mail):
    """(name, the pids of all its processes)"""
    first = mail.services()[request.param]["pid"]
    pids = [first]
    for pid in pids:
        pids += children(pid)
    return request.param, pids


def test_status(service):
    _, pids = service
    for pid in pids:
        status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
        assert 0 not in map(int, status["Uid"].split()) and 0 not in map(int, status["Gid"].split())
        assert all(int(status[c], 16) == 0 for c in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"))
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"


def test_nothing_is_executed(service, inject):
    name, pids = service
    for pid in pids:
        for program in (f"/{name}", f"/usr/bin/{name}", "/proc/self/exe", "/bin/sh"):
            got = inject(pid, ("execve", path(program), 0, 0), ("execveat", AT_FDCWD, path(program), 0, 0, 0))
            assert set(got) <= REFUSED, (name, program, got)


def test_calls_that_no_daemon_needs(service, inject):
    name, pids = service
    for pid in pids:
        lines = [("mount", path("/"), path("/"), path("tmpfs"), 0, 0), ("unshare", 0x10000000), ("ptrace", 16, 1, 0, 0),
                 ("bpf", 0, 0, 0), ("io_uring_setup", 1, path("")), ("setns", 0, 0), ("keyctl", 0, 0), ("userfaultfd", 0),
                 ("perf_event_open", 0, 0), ("init_module", 0, 0, 0), ("reboot", 0, 0, 0), ("setuid", 0)]
        for line, got in zip(lines, inject(pid, *lines)):
            assert got in REFUSED or (line[0] == "setuid" and got == -errno.EINVAL), (name, line[0], got)


def test_the_root_is_read_only(service, inject):
    name, pids = service
    create = os.O_CREAT | os.O_WRONLY
    for where in ("/x", "/etc/x", "/etc/mailstack/x", "/run/x", "/run/mailstack/x", "/proc/sys/kernel/core_pattern", "/dev/x"):
        got, = inject(pids[0], ("openat", AT_FDCWD, path(where), create, 0o600))
        assert got in ABSENT | {-errno.EROFS}, (name, where, got)


def test_files_beyond_the_table(service, mail, inject):
    name, pids = service
    others = [v for v in ("/var/mail", "/var/spool/mailstack", "/var/state") if v not in VOLUMES.get(name, set())]
    secrets = {"/etc/mailstack/tls/key.pem": {"frontd", "smtpd"}, "/etc/mailstack/dkim/example.org/s1.pem": {"filterd"},
               "/etc/mailstack/accounts.json": {"authd"}}
    for where in others + ["/etc/shadow", "/root", "/home", "/sys/kernel", "/dev/sda", str(mail.file),
                           str(mail.dir / "data")] + [f"/etc/mailstack/{n}.json" for n in SERVICES if n != name]:
        got, = inject(pids[0], ("openat", AT_FDCWD, path(where), os.O_RDONLY, 0))
        if where in others and got >= 0:  # the mount point is in the image, empty
            assert not os.listdir(f"/proc/{pids[0]}/root{where}"), (name, where)
            continue
        assert got in ABSENT, (name, where, got)
    got, = inject(pids[0], ("openat", AT_FDCWD, path("/proc/kcore"), os.O_RDONLY, 0))
    if got >= 0:  # a kernel that has it: the mask opens, and is /dev/null
        assert os.stat(f"/proc/{pids[0]}/fd/{got}").st_rdev == os.makedev(1, 3), name
    else:
        assert got in ABSENT, (name, got)
    assert pathlib.Path(f"/proc/{pids[0]}/root/etc/passwd").read_text() == (TOP / "images/files/passwd").read_text()  # the image's
    for where, who in secrets.items():
        got, = inject(pids[0], ("openat", AT_FDCWD, path(where), os.O_RDONLY, 0))
        assert got in ABSENT or name in who, (name, where, got)


def test_sockets_beyond_the_row(service, inject):
    name, pids = service
    fd, = inject(pids[0], ("socket", socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK, 0))
    if fd < 0:
        assert fd in REFUSED
        return
    for file in ("auth.sock", "map.sock", "imapd.sock", "pop3d.sock", "lmtpd.sock", "filterd.sock", "queued.sock", "dnsd.sock", "control.sock"):
        address = struct.pack("<H", socket.AF_UNIX) + f"/run/mailstack/{file}".encode() + b"\0"
        got, = inject(pids[0], ("connect", fd, data(address), len(address)))
        if got in ABSENT:
            continue
        assert file in TALKS.get(name, set()), (name, file, got)


def test_no_way_to_the_network(service, inject):
    name, pids = service
    fd, = inject(pids[0], ("socket", socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK, 0))
    if fd < 0:
        assert fd in REFUSED, (name, fd)
        return
    address = struct.pack("<H", socket.AF_INET) + struct.pack(">H", 25) + socket.inet_aton("192.0.2.2") + bytes(8)
    got, = inject(pids[0], ("connect", fd, data(address), len(address)))
    if name != "dnsd":
        assert got in REFUSED | {-errno.ENETUNREACH}, (name, got)


def test_it_goes_on_after_all_this(mail):
    for name, s in mail.services().items():
        assert s["state"] == "up" and s["restarts"] == 0, (name, s)
    with mail.smtp() as s:
        s.sendmail("eve@else.example", ["bob@example.org"], "Subject: still here\r\n\r\nx\r\n")
    mail.wait_for("bob", "still here")
