# SPDX-License-Identifier: Apache-2.0
"""
--network pasta, slirp4netns, auto, none, host and --publish, as root and as an ordinary user.

The "host" of these tests is a pair of namespaces made for them: a network namespace whose only neighbour is another one
that the test made, the outside; and a mount namespace in which everybody may open /dev/net/tun, as is usual. Nothing
reaches the machine's own network. A process of a test is whatever is in the host's network namespace.
"""
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from ocilib import RUNTIME, Bundle, need_program, need_root, need_runtime, wait

USER = 50000 + os.getpid() % 10000
SUBORDINATE = 2000000000
PACKAGES = {"pasta": "passt", "slirp4netns": "slirp4netns"}
SETUP = """
[ -d /dev/net ] || modprobe tun 2>/dev/null
mount -t tmpfs none /dev/net 2>/dev/null || exit 11
mknod -m 666 /dev/net/tun c 10 200 && : < /dev/net/tun || exit 11
ip link set lo up
ip link add up0 type veth peer name far0 netns /proc/{outside}/ns/net || exit 12
ip addr add 192.0.2.1/24 dev up0 && ip addr add 2001:db8::1/64 dev up0 nodad
ip link set up0 up
ip route add default via 192.0.2.254 || exit 13
ip -6 route add default via 2001:db8::fe || echo no IPv6
"""
OUTSIDE = """
ip link set lo up
ip addr add 192.0.2.254/24 dev far0 && ip addr add 2001:db8::fe/64 dev far0 nodad
ip link set far0 up
"""
REASONS = {11: "no node of a tun device can be made and opened here", 12: "no veth pair can be made"}
# Answers a line with hello. (Nothing here closes one half of a connection first: pasta of 2023
# then and now passes the end of the other half on to nobody.)
SERVER = """
import socket, sys
s = socket.create_server((sys.argv[1], int(sys.argv[2])), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
print(s.getsockname()[1], flush=True)
s.settimeout(60)
while True:
    c, peer = s.accept()
    c.recv(1000)
    c.sendall(b"hello\\n")
    c.close()
"""
UDP_SERVER = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], int(sys.argv[2])))
print(s.getsockname()[1], flush=True)
s.settimeout(60)
while True:
    word, peer = s.recvfrom(1000)
    s.sendto(b"got " + word, peer)
"""
UDP_CLIENT = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
s.sendto(b"word", (sys.argv[1], int(sys.argv[2])))
print(s.recv(1000).decode())
"""
CLIENT = """
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
s.settimeout(4)
s.sendall(b"\\n")
sys.stdout.write(s.makefile().readline())
"""


def ask(address, port, seconds=5):
    """The command by which a container asks SERVER: nc(1) is not waited for, only what it has brought."""
    return ["sh", "-c", f"f=/dev/shm/$$; (echo; sleep {seconds}) | nc {address} {port} > $f & "
                        f"n=0; while [ ! -s $f ] && [ $n -lt {seconds}0 ]; do sleep 0.1; n=$((n + 1)); done; cat $f"]


def hold():
    """A process in new namespaces, and the words by which others enter them."""
    p = subprocess.Popen(["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", "echo; exec sleep 600"],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if p.stdout.read(1) != b"\n":
        p.wait()
        pytest.skip("no new network and mount namespace can be made")
    return p


class Host:
    def __init__(self):
        self.held = hold()
        self.outside = hold()
        self.inode = os.stat(f"/proc/{self.held.pid}/ns/net").st_ino
        self.ipv6 = True
        self.servers = []  # processes of ours in any of them

    @staticmethod
    def within(held, *args):
        return ["nsenter", f"--net=/proc/{held.pid}/ns/net", f"--mount=/proc/{held.pid}/ns/mnt", *map(str, args)]

    def enter(self, *args):
        return self.within(self.held, *args)

    def set_up(self):
        for held, script in ((self.held, SETUP), (self.outside, OUTSIDE)):
            r = subprocess.run(self.within(held, "sh", "-c", script.format(outside=self.outside.pid)), capture_output=True, text=True,
                               timeout=20, check=False)
            if r.returncode in REASONS:
                pytest.skip(REASONS[r.returncode])
            assert r.returncode == 0, r.stderr
            self.ipv6 &= "no IPv6" not in r.stdout

    def serve(self, pid, address, port=0, script=SERVER):
        """The port of a server in the network namespace of a process."""
        p = subprocess.Popen(["nsenter", f"--net=/proc/{pid}/ns/net", "/usr/bin/python3", "-c", script, address, str(port)],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.servers.append(p)
        return int(p.stdout.readline())

    def connect(self, address, port, held=None):
        return subprocess.run(self.within(held or self.held, "/usr/bin/python3", "-c", CLIENT, address, port), capture_output=True, text=True, timeout=30,
                              check=False)

    def send_from_outside(self, address, port):
        """The answer to a datagram. (To the host's own the helpers bring none while its loopback is out of reach.)"""
        return subprocess.run(self.within(self.outside, "/usr/bin/python3", "-c", UDP_CLIENT, address, port), capture_output=True,
                              text=True, timeout=30, check=False).stdout

    def free_port(self):
        """In a namespace of our own whatever nobody took is free."""
        return random.randrange(20000, 30000)

    def processes(self):
        """pid: name of all who are in this network namespace, but for us."""
        ours = {p.pid for p in (self.held, *self.servers)}
        found = {}
        for proc in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if os.stat(proc / "ns/net").st_ino == self.inode and int(proc.name) not in ours:
                    found[int(proc.name)] = (proc / "comm").read_text().strip()
            except OSError:
                continue
        return found

    def helpers(self):
        return {p: name for p, name in self.processes().items() if name in ("pasta", "pasta.avx2", "passt", "passt.avx2", "slirp4netns")}

    def minders(self):
        return [p for p, name in self.processes().items() if name == "network"]

    def end(self):
        for p in (*self.servers, self.held, self.outside):
            p.kill()
            p.wait()
            if p.stdout:
                p.stdout.close()


@pytest.fixture
def host():
    need_root()
    need_runtime()
    for name in ("unshare", "nsenter", "ip", "setpriv"):
        need_program(name)
    h = Host()
    try:
        h.set_up()
        yield h
        wait(lambda: h.processes() == {}, f"the end of all helpers: {h.processes()}", 10)
    finally:
        for pid in h.processes():
            os.kill(pid, signal.SIGKILL)
        h.end()


class Caller:
    """The runtime on that host, called by root or by an ordinary user."""

    def __init__(self, host, base, user):
        self.host, self.base, self.user = host, base, user
        self.root = base / "state"
        self.ids = []
        self.log = base / "out"

    def words(self, *args):
        who = ["setpriv", "--reuid", self.user, "--regid", self.user, "--clear-groups"] if self.user else []
        return self.host.enter(*who, "env", f"PATH={self.path}", self.base / "runtime", "--root", self.root, *args)

    path = os.environ["PATH"]

    def __call__(self, *args, check=False, **more):
        with open(self.log, "w+b") as out:
            r = subprocess.run(self.words(*args), stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=60, check=False, cwd="/", **more)
            out.seek(0)
            r.said = out.read().decode()
        assert not check or r.returncode == 0, r.said
        return r

    def new_id(self):
        self.ids.append(f"net{os.getpid()}-{self.base.name}-{len(self.ids)}")
        return self.ids[-1]

    def run(self, bundle, *options, **more):
        bundle.save()
        return self("run", "-b", bundle.path, *options, self.new_id(), **more)

    def start(self, bundle, *options, **more):
        r = self.run(bundle, "-d", *options, **more)
        assert r.returncode == 0, r.said
        return self.ids[-1]

    def state(self, name):
        return json.loads(self("state", name, check=True).said)


def give_ids(host, base):
    """Makes the user an account with subordinate ids, as that host sees it."""
    with open("/etc/passwd", encoding="utf-8") as f:
        (base / "passwd").write_text(f"{f.read()}mr-net:x:{USER}:{USER}::{base}:/bin/sh\n")
    for name in ("subuid", "subgid"):
        (base / name).write_text(f"mr-net:{SUBORDINATE}:65536\n")
    for name in ("passwd", "subuid", "subgid"):
        subprocess.run(host.enter("mount", "--bind", base / name, f"/etc/{name}"), check=True, timeout=20)


@pytest.fixture(params=["root", "user", "mapped"])
def caller(request, host, rootfs):
    """mapped: the user's container has none of the user's own ids, but subordinate ones."""
    if request.param == "mapped":
        need_program("newuidmap")
    base = pathlib.Path(tempfile.mkdtemp(prefix="mr-", dir="/tmp"))
    c = Caller(host, base, 0 if request.param == "root" else USER)
    c.mapped = request.param == "mapped"
    try:
        if c.mapped:
            give_ids(host, base)
        base.chmod(0o755)
        shutil.copy(RUNTIME, base / "runtime")
        shutil.copytree(rootfs, base / "rootfs", symlinks=True)
        (base / "bundle").mkdir()
        subprocess.run(["chown", "-R", f"{c.user}:{c.user}", base], check=True)
        c("spec", "-b", base / "bundle", *(["--rootless"] if c.user else []), check=True)
        yield c
        for name in c.ids:
            c("delete", "--force", name)
        assert not [p for p in c.root.glob("*")], "state is left"
    finally:
        shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def bundle(caller):
    b = Bundle(caller.base / "bundle", json.loads((caller.base / "bundle" / "config.json").read_text())).terminal(False)
    b.config["root"]["path"] = str(caller.base / "rootfs")
    b.linux["namespaces"] = [ns for ns in b.linux["namespaces"] if ns["type"] != "network"] + [{"type": "network"}]
    if caller.mapped:
        b.linux["uidMappings"] = b.linux["gidMappings"] = [{"containerID": 0, "hostID": SUBORDINATE, "size": 65536}]
    return b.args("sleep", "60")


@pytest.fixture(params=["pasta", "slirp4netns"])
def helper(request):
    need_program(request.param)
    return request.param


def test_it_reaches_a_server_outside(host, caller, bundle, helper):
    port = host.serve(host.outside.pid, "192.0.2.254")
    r = caller.run(bundle.args(*ask("192.0.2.254", port)), "--network", helper)
    assert r.said == "hello\n"


def need_ipv6(host):
    if not host.ipv6:
        pytest.skip("no IPv6 here")


def test_pasta_gives_it_ipv6(host, caller, bundle):
    need_program("pasta")
    need_ipv6(host)
    port = host.serve(host.outside.pid, "2001:db8::fe")
    for _ in range(3):  # for a second the kernel asks whether somebody else has the address
        r = caller.run(bundle.args(*ask("2001:db8::fe", port)), "--network", "pasta")
        if r.said:
            break
    assert r.said == "hello\n"


def test_published_ports_lead_to_it(host, caller, bundle, helper):
    every, one = host.free_port(), host.free_port()
    name = caller.start(bundle, "--network", helper, "-p", f"{every}:80", "--publish", f"192.0.2.1:{one}:81/tcp")
    pid = caller.state(name)["pid"]
    for port in (80, 81):
        host.serve(pid, "0.0.0.0", port)
    assert host.connect("192.0.2.1", every).stdout == "hello\n"
    assert host.connect("127.0.0.1", every).stdout == "hello\n"
    assert host.connect("192.0.2.1", one).stdout == "hello\n"
    for nobody in (("127.0.0.1", one), ("192.0.2.1", 80)):
        assert "refused" in host.connect(*nobody).stderr


def test_a_published_udp_port(host, caller, bundle, helper):
    port = host.free_port()
    name = caller.start(bundle, "--network", helper, "-p", f"192.0.2.1:{port}:53/udp")
    host.serve(caller.state(name)["pid"], "0.0.0.0", 53, UDP_SERVER)
    wait(lambda: host.send_from_outside("192.0.2.1", port) == "got word\n", "a datagram there and back")


def test_pasta_publishes_on_ipv6(host, caller, bundle):
    need_program("pasta")
    need_ipv6(host)
    port = host.free_port()
    name = caller.start(bundle, "--network", "pasta", "-p", f"[2001:db8::1]:{port}:80")
    host.serve(caller.state(name)["pid"], "::", 80)
    # Its link-local address is looked for on the link first, and pasta of 2023 prefers that.
    wait(lambda: host.connect("2001:db8::1", port, host.outside).stdout == "hello\n", "an answer", 30)
    assert "refused" in host.connect("192.0.2.1", port).stderr


def test_the_loopback_of_the_host_is_out_of_reach(host, caller, bundle, helper):
    port = host.serve(host.held.pid, "127.0.0.1")
    gateway = "192.0.2.254" if helper == "pasta" else "10.0.2.2"
    both = "; ".join(ask(a, port, 2)[2] for a in ("127.0.0.1", gateway))
    r = caller.run(bundle.shell(f"{both}; echo done"), "--network", helper)
    assert "hello" not in r.said and r.said.endswith("done\n"), r.said


def test_auto_takes_one_and_exec_sees_it(host, caller, bundle):
    need_program("pasta")
    name = caller.start(bundle, "--network", "auto")
    assert set(host.helpers().values()) & {"pasta", "pasta.avx2", "passt", "passt.avx2"}
    port = host.serve(host.outside.pid, "192.0.2.254")
    assert caller("exec", name, *ask("192.0.2.254", port)).said == "hello\n"


def test_create_has_it_before_start(host, caller, bundle, helper):
    bundle.args("ip", "-o", "-4", "addr").save()
    name = caller.new_id()
    caller("create", "-b", bundle.path, "--network", helper, name, check=True)
    assert len(host.helpers()) == 1
    caller("delete", "--force", name, check=True)
    assert host.processes() == {}


ENDS = {
    "its process ends": lambda c, name: c("kill", name, "KILL", check=True),
    "the kernel is asked": lambda c, name: os.kill(c.state(name)["pid"], signal.SIGKILL),
    "it is deleted": lambda c, name: c("delete", "-f", name, check=True),
}


@pytest.mark.parametrize("how", ENDS)
def test_the_helper_ends_with_the_container(host, caller, bundle, helper, how):
    name = caller.start(bundle, "--network", helper, "-p", f"{host.free_port()}:80")
    assert len(host.helpers()) == 1 and len(host.minders()) == 1
    ENDS[how](caller, name)
    if how == "it is deleted":
        assert host.processes() == {}, "they are there when delete has returned"
    wait(lambda: host.processes() == {}, "the end of the helper")


def test_a_member_of_a_pod_has_one(host, caller, bundle, helper):
    """It is made outside of the pod's pid namespace, and the helper is for the process that stays."""
    if caller.user:
        pytest.skip("in a user namespace nobody is made outside")
    first = caller.start(bundle)
    ns = f"/proc/{caller.state(first)['pid']}/ns/pid"
    bundle.namespaces("pid").linux["namespaces"].append({"type": "pid", "path": ns})
    port = host.serve(host.outside.pid, "192.0.2.254")
    assert caller.run(bundle.args(*ask("192.0.2.254", port)), "--network", helper).said == "hello\n"
    wait(lambda: host.processes().keys() <= {int(ns.split("/")[2])}, "the end of the helper")
    name = caller.start(bundle.args("sleep", "60"), "--network", helper)
    assert os.readlink(f"/proc/{caller.state(name)['pid']}/ns/pid") == os.readlink(ns) and len(host.helpers()) == 1
    caller("kill", name, "KILL", check=True)
    wait(lambda: host.helpers() == {} and host.minders() == [], "the end of the helper")
    assert caller.state(first)["status"] == "running"


def is_executed(caller, name):
    if caller("state", name).returncode != 0:
        return False
    pid = caller.state(name)["pid"]
    return pid > 0 and pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep")


def test_the_runtime_killed_in_the_foreground_takes_nothing_with_it(host, caller, bundle, helper):
    bundle.save()
    name = caller.new_id()
    with open(caller.log, "wb") as out:
        p = subprocess.Popen(caller.words("run", "-b", bundle.path, "--network", helper, name), stdin=subprocess.DEVNULL, stdout=out,
                             stderr=out)
    wait(lambda: is_executed(caller, name), "the container")
    p.kill()
    p.wait()
    port = host.serve(host.outside.pid, "192.0.2.254")
    assert caller("exec", name, *ask("192.0.2.254", port)).said == "hello\n"
    caller("kill", name, "KILL", check=True)
    wait(lambda: host.processes() == {}, "the end of the helper")


def test_the_minders_death_is_the_helpers(host, caller, bundle, helper):
    name = caller.start(bundle, "--network", helper)
    minder, = host.minders()
    os.kill(minder, signal.SIGKILL)
    wait(lambda: host.processes() == {}, "the end of the helper")
    assert caller.state(name)["status"] == "running"


def test_a_helper_that_dies_leaves_its_last_words(host, caller, bundle, helper):
    name = caller.start(bundle, "--network", helper)
    pid, = host.helpers()
    os.kill(pid, signal.SIGKILL)
    wait(lambda: host.processes() == {}, "the end of the minder")
    assert (caller.root / name / "network.log").read_text() == f"{helper} killed by SIGKILL\n"
    assert caller.state(name)["status"] == "running"


@pytest.mark.parametrize("rounds", range(3))
def test_killed_at_any_moment_nothing_stays(host, caller, bundle, helper, rounds):
    bundle.save()
    for i in range(6):
        name = caller.new_id()
        with open(caller.log, "wb") as out:
            p = subprocess.Popen(caller.words("run", "-d", "-b", bundle.path, "--network", helper, "-p", f"{host.free_port()}:80", name),
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        time.sleep(random.uniform(0, 0.06) + 0.02 * rounds)
        p.kill()
        p.wait()
        caller("delete", "-f", name)
    wait(lambda: host.processes() == {}, "the end of the helpers", 10)


def test_nothing_is_inherited(host, caller, bundle, helper):
    mine, theirs = os.pipe()
    os.set_inheritable(theirs, True)
    caller.start(bundle, "--network", helper, pass_fds=[theirs])
    os.close(theirs)
    assert len(host.helpers()) == 1
    os.set_blocking(mine, False)
    wait(lambda: at_end(mine), "the end of the pipe")
    os.close(mine)
    pid, = host.helpers()
    assert pathlib.Path(f"/proc/{pid}/environ").read_bytes() == b""


def at_end(fd):
    try:
        return os.read(fd, 1) == b""
    except BlockingIOError:
        return False


def test_a_port_that_is_taken_is_named(host, caller, bundle, helper):
    port = host.serve(host.held.pid, "0.0.0.0")
    r = caller.run(bundle, "--network", helper, "-p", f"{port}:80")
    assert r.returncode == 1 and r.said.endswith(
        f"connect the network: publish '{port}:80': bind port {port} of the host: address already in use\n"), r.said
    assert host.processes() == {}


def test_who_may_not_open_the_device_is_told(host, caller, bundle, helper):
    subprocess.run(host.enter("chmod", "600", "/dev/net/tun"), check=True)
    r = caller.run(bundle.args("true"), "--network", helper)
    if caller.user:
        assert r.returncode == 1 and "tun" in r.said and helper in r.said and "\n" not in r.said.strip(), r.said
    else:
        assert r.returncode == 0, r.said


def test_a_helper_that_is_missing_is_named_with_its_package(caller, bundle):
    caller.path = "/nowhere"
    for name, package in PACKAGES.items():
        assert f"'{name}' is not in $PATH: install the package {package}" in caller.run(bundle, "--network", name).said
    assert "neither 'pasta' nor 'slirp4netns' is in $PATH" in caller.run(bundle, "--network", "auto").said


def test_only_a_namespace_of_its_own_is_connected(host, caller, bundle, helper):
    network = bundle.linux["namespaces"][-1]
    network["path"] = f"/proc/{host.held.pid}/ns/net"
    said = caller.run(bundle, "--network", helper).said
    assert "named by its path" in said or "no network namespace of its own" in said  # the latter if it is the runtime's
    bundle.namespaces("network")
    assert "no network namespace of its own" in caller.run(bundle, "--network", helper).said
    assert "no network namespace of its own" in caller.run(bundle, "--network", "none").said


def test_none_and_host(host, caller, bundle):
    bundle.args("readlink", "/proc/self/ns/net")
    assert str(host.inode) not in caller.run(bundle, "--network", "none").said
    assert str(host.inode) not in caller.run(bundle).said
    r = caller.run(bundle, "--network", "host")
    assert r.said == f"net:[{host.inode}]\n"
    for how in ("none", "host"):
        assert "'--publish' needs '--network'" in caller.run(bundle, "--network", how, "-p", "8080:80").said
    assert "'--publish' needs '--network'" in caller.run(bundle, "-p", "8080:80").said


def test_what_is_published_is_checked(caller, bundle, helper):
    assert "option '--publish': '80': expected" in caller.run(bundle, "--network", helper, "-p", "80").said
    if helper == "slirp4netns":
        assert "IPv4 addresses only" in caller.run(bundle, "--network", helper, "-p", "[::1]:8080:80").said


def test_a_low_port_needs_privilege(caller, bundle, helper):
    r = caller.run(bundle.args("true"), "--network", helper, "-p", "80:80")
    if caller.user:
        assert "bind port 80 of the host: permission denied" in r.said
    else:
        assert r.returncode == 0, r.said


def test_it_cannot_be_checkpointed(caller, bundle, helper):
    name = caller.start(bundle, "--network", helper)
    r = caller("checkpoint", "--image-path", caller.base / "image", name)
    assert r.returncode == 1 and "a network by pasta or slirp4netns cannot be checkpointed" in r.said
