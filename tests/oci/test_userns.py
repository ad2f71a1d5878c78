# SPDX-License-Identifier: Apache-2.0
"""User namespaces, and the whole as an ordinary user."""
import json
import json
import os
import shutil
import socket
import subprocess

import pytest

from ocilib import RUNTIME, need_program, need_root, need_runtime


def map_ids(bundle, size=65536):
    bundle.linux["namespaces"].append({"type": "user"})
    bundle.linux["uidMappings"] = [{"containerID": 0, "hostID": 100000, "size": size}]
    bundle.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": size}]
    return bundle


def test_ids_are_mapped(runtime, bundle, rootfs):
    for parent in [rootfs, *rootfs.parents]:
        if str(parent).startswith("/tmp/"):
            os.chmod(parent, os.stat(parent).st_mode | 0o011)
    out = runtime.run(map_ids(bundle).shell("id -u; cat /proc/self/uid_map; touch /dev/shm/x"))
    assert out.returncode == 0, out.stderr
    assert out.stdout.split() == ["0", "0", "100000", "65536"]


def test_without_mappings_the_caller_is_root(runtime, bundle, rootfs):
    for parent in [rootfs, *rootfs.parents]:
        if str(parent).startswith("/tmp/"):
            os.chmod(parent, os.stat(parent).st_mode | 0o011)
    bundle.linux["namespaces"].append({"type": "user"})
    pts = next(m for m in bundle.config["mounts"] if m["type"] == "devpts")
    pts["options"] = [o for o in pts["options"] if not o.startswith("gid=")]
    out = runtime.run(bundle.shell("cat /proc/self/uid_map /proc/self/gid_map; touch /dev/shm/x"))
    assert out.returncode == 0, out.stderr
    assert out.stdout.split() == ["0", str(os.geteuid()), "1", "0", str(os.getegid()), "1"]
    assert "$.linux.uidMappings: there are none: root in the container is this user" in out.stderr


def test_a_source_in_a_private_directory_is_bound(runtime, bundle, own_rootfs, tmp_path):
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    (private / "file").write_text("reached\n")
    (private / "file").chmod(0o644)
    own_rootfs.chmod(0o755)
    (own_rootfs / "f").touch()
    bundle.mount(destination="/f", type="bind", source=str(private / "file"), options=["bind"])
    out = runtime.run(map_ids(bundle).shell("cat /f"))
    assert out.stdout == "reached\n", out.stderr


def test_another_user_inside(runtime, bundle, own_rootfs):
    own_rootfs.chmod(0o755)
    bundle.process["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [5]}
    name = runtime.start_detached(map_ids(bundle).args("sleep", "60"))
    with open(f"/proc/{runtime.state(name)['pid']}/status", encoding="ascii") as f:
        uid = next(l for l in f if l.startswith("Uid:")).split()[1]
    assert uid == "101000"
    assert runtime.ok("exec", "--user", "0", name, "id", "-u") == "0\n"


@pytest.fixture
def ordinary(tmp_path_factory, rootfs):
    """A copy of the runtime and of the root file system that belong to an ordinary user."""
    need_root()
    need_runtime()
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    base = subprocess.run(["mktemp", "-d", "/tmp/mr-oci-XXXXXX"], capture_output=True, text=True,
                          check=True).stdout.strip()
    shutil.copy(RUNTIME, f"{base}/runtime")
    shutil.copytree(rootfs, f"{base}/rootfs", symlinks=True)
    subprocess.run(["chown", "-R", "12345:12345", base], check=True)
    yield base
    shutil.rmtree(base)


def as_user(base, *args, **more):
    return subprocess.run(
        ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "env",
         f"XDG_RUNTIME_DIR={base}", *args], cwd=base, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=60, check=False, **more)


def test_an_ordinary_user_runs_a_container(ordinary):
    assert as_user(ordinary, "./runtime", "spec", "--rootless").returncode == 0
    with open(f"{ordinary}/config.json", encoding="utf-8") as f:
        text = f.read().replace('"terminal": true', '"terminal": false')
    text = text.replace('"sh"', '"sh", "-c", "id -u; cat /proc/self/uid_map; sleep 1; exit 5"')
    with open(f"{ordinary}/config.json", "w", encoding="utf-8") as f:
        f.write(text)
    out = as_user(ordinary, "./runtime", "--root", f"{ordinary}/state", "run", "c1")
    assert out.returncode == 5, out.stderr
    assert out.stdout.split() == ["0", "0", "12345", "1"]


def test_an_ordinary_user_gets_a_user_namespace_where_none_is_asked_for(ordinary):
    assert as_user(ordinary, "./runtime", "spec", "--rootless").returncode == 0
    with open(f"{ordinary}/config.json", encoding="utf-8") as f:
        config = json.load(f)
    linux, process = config["linux"], config["process"]
    del linux["uidMappings"], linux["gidMappings"]
    linux["namespaces"] = [n for n in linux["namespaces"] if n["type"] != "user"]
    process.update({"terminal": False, "args": ["sleep", "60"]})
    with open(f"{ordinary}/config.json", "w", encoding="utf-8") as f:
        json.dump(config, f)
    call = ("./runtime", "--root", f"{ordinary}/state")
    out = as_user(ordinary, *call, "--rootless", "false", "run", "c1")
    assert out.returncode == 1 and "there is no user namespace" not in out.stderr
    # The container keeps what create was given for its outputs.
    out = as_user(ordinary, "sh", "-c", 'exec "$@" > /dev/null 2> warnings', "sh", *call, "create", "c1")
    try:
        with open(f"{ordinary}/warnings", encoding="utf-8") as f:
            assert "there is no user namespace" in f.read() and out.returncode == 0
        assert as_user(ordinary, *call, "start", "c1").returncode == 0
        out = as_user(ordinary, *call, "exec", "c1", "sh", "-c", "id -u; cat /proc/1/uid_map")
        assert out.stdout.split() == ["0", "0", "12345", "1"], out.stderr
    finally:
        assert as_user(ordinary, *call, "delete", "--force", "c1").returncode == 0


def test_devices_of_the_config_are_made(runtime, bundle, own_rootfs):
    own_rootfs.chmod(0o755)
    bundle.linux["devices"] = [{"path": "/dev/some", "type": "c", "major": 1, "minor": 3, "uid": 10, "gid": 11,
                                "fileMode": 0o640}]
    out = runtime.run(map_ids(bundle).shell("stat -c '%F %a %u:%g %t:%T' /dev/some; grep ' /dev/null ' /proc/mounts"))
    assert out.stdout.splitlines()[0] == "character special file 640 10:11 1:3", out.stderr
    assert "nosuid" in out.stdout and "noexec" in out.stdout


def share_network(config):
    config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != "network"]


SYSFS = "grep ' /sys[ /]' /proc/mounts; ls /sys/class/net; touch /sys/new 2>/dev/null || echo read-only"


def test_sysfs_of_a_shared_network_is_the_runtime_s(runtime, bundle, own_rootfs):
    own_rootfs.chmod(0o755)
    share_network(map_ids(bundle).config)
    out = runtime.run(bundle.shell(SYSFS))
    assert out.returncode == 0, out.stderr
    first, *others = [l for l in out.stdout.splitlines() if l.startswith(("sysfs", "cgroup"))]
    assert first.split()[1:3] == ["/sys", "sysfs"] and "ro,nosuid,nodev,noexec" in first
    assert all(l.split()[1].startswith("/sys/fs/cgroup") for l in others)  # nothing else of the host's
    assert set(os.listdir("/sys/class/net")) <= set(out.stdout.split()) and "read-only" in out.stdout


def test_an_ordinary_user_gets_the_sysfs_of_a_shared_network(ordinary):
    assert as_user(ordinary, "./runtime", "spec", "--rootless").returncode == 0
    with open(f"{ordinary}/config.json", encoding="utf-8") as f:
        config = json.load(f)
    share_network(config)
    config["mounts"] = [m for m in config["mounts"] if not m["destination"].startswith("/sys")]
    config["mounts"].append({"destination": "/sys", "type": "sysfs", "source": "sysfs",
                             "options": ["nosuid", "noexec", "nodev", "ro"]})
    config["process"].update(args=["/bin/sh", "-c", SYSFS], terminal=False)
    with open(f"{ordinary}/config.json", "w", encoding="utf-8") as f:
        json.dump(config, f)
    out = as_user(ordinary, "./runtime", "--root", f"{ordinary}/state", "run", "c1")
    assert out.returncode == 0, out.stderr
    rows = [l for l in out.stdout.splitlines() if " /sys" in l]
    assert rows and all({"ro", "nosuid", "nodev", "noexec"} <= set(l.split()[3].split(",")) for l in rows)  # the tree
    assert "read-only" in out.stdout


SUBORDINATE = 2000000000


class Account:
    """An ordinary user with subordinate ids, in a mount namespace in which /etc/passwd and the like are the test's."""

    def __init__(self, base, subuid):
        self.base = base
        with open("/etc/passwd", encoding="utf-8") as f:
            passwd = f.read()
        for name, text in (("passwd", f"{passwd}mr-ordinary:x:12345:12345::{base}:/bin/sh\n"),
                           ("subuid", subuid), ("subgid", f"mr-ordinary:{SUBORDINATE}:65536\n")):
            with open(f"{base}/{name}", "w", encoding="utf-8") as f:
                f.write(text)

    def __call__(self, *args, path=os.environ["PATH"]):
        mounts = " && ".join(f"mount --bind {self.base}/{f} /etc/{f}" for f in ("passwd", "subuid", "subgid"))
        return as_user_of(["unshare", "--mount", "--propagation", "private", "sh", "-c", f'{mounts} && exec "$@"', "sh"], self.base,
                          f"PATH={path}", "./runtime", *args)


def as_user_of(front, base, *args):
    return subprocess.run([*front, "setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "env", f"XDG_RUNTIME_DIR={base}",
                           *args], cwd=base, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False)


def many_ids(base, inside=0):
    """A configuration with one's own id and 65536 others; `inside` is what one's own is there."""
    assert as_user(base, "./runtime", "spec", "--rootless").returncode == 0
    with open(f"{base}/config.json", encoding="utf-8") as f:
        config = json.load(f)
    config["process"]["terminal"] = False
    for kind in ("uidMappings", "gidMappings"):
        config["linux"][kind] = [{"containerID": inside, "hostID": 12345, "size": 1},
                                 {"containerID": 0 if inside else 1, "hostID": SUBORDINATE, "size": 65536 if not inside else inside}]
    return config


def save(base, config):
    with open(f"{base}/config.json", "w", encoding="utf-8") as f:
        json.dump(config, f)


def test_an_ordinary_user_with_many_ids(ordinary):
    need_program("newuidmap")
    call = Account(ordinary, f"mr-ordinary:{SUBORDINATE}:65536\n")
    config = many_ids(ordinary)
    config["process"]["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [5, 6]}
    config["process"]["args"] = ["sh", "-c", "id -u; id -G; cat /proc/self/setgroups"]
    save(ordinary, config)
    out = call("run", "c1")
    assert out.stdout.splitlines() == ["1000", "1000 5 6", "allow"], out.stderr


def test_ids_that_are_not_the_users_are_refused_with_the_range(ordinary):
    need_program("newuidmap")
    call = Account(ordinary, f"mr-ordinary:{SUBORDINATE}:100\n")
    save(ordinary, many_ids(ordinary))
    out = call("run", "c1")
    assert out.returncode == 1
    assert "write the id maps: 'newuidmap' refused the map; /etc/subuid says what is yours: newuidmap: uid range [1-65537)" in out.stderr
    assert out.stderr.count("\n") == 1
    out = call("run", "c1", path="/nowhere")
    assert "'newuidmap', which maps more than one's own id, is not in $PATH: install the package uidmap" in out.stderr
    assert not [p for p in os.listdir(f"{ordinary}/mailbox-run") if p[0] != "."]


def test_with_one_id_setgroups_is_denied_and_others_cannot_be_had(ordinary):
    config = many_ids(ordinary)
    for kind in ("uidMappings", "gidMappings"):
        del config["linux"][kind][1]
    config["process"]["args"] = ["cat", "/proc/self/setgroups"]
    save(ordinary, config)
    assert as_user(ordinary, "./runtime", "run", "c1").stdout == "deny\n"
    config["process"]["user"] = {"uid": 0, "gid": 0, "additionalGids": [5]}
    save(ordinary, config)
    assert "additional groups cannot be set by an unprivileged user" in as_user(ordinary, "./runtime", "run", "c1").stderr


def test_limits_without_a_group_of_ones_own_are_refused_unless_there_are_none(ordinary):
    config = many_ids(ordinary)
    for kind in ("uidMappings", "gidMappings"):
        del config["linux"][kind][1]
    config["process"]["args"] = ["true"]
    config["linux"]["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
    save(ordinary, config)
    assert as_user(ordinary, "./runtime", "run", "c1").returncode == 0
    assert "permission denied" in as_user(ordinary, "./runtime", "--rootless", "false", "run", "c1").stderr
    config["linux"]["resources"] = {"pids": {"limit": 10}}
    save(ordinary, config)
    out = as_user(ordinary, "./runtime", "run", "c1")
    assert out.returncode == 1 and "no control group is delegated to this user" in out.stderr


def test_file_systems_of_an_ordinary_user(ordinary):
    config = many_ids(ordinary)
    for kind in ("uidMappings", "gidMappings"):
        del config["linux"][kind][1]
    config["process"]["args"] = ["sh", "-c", "grep -E ' (/sys|/dev/mqueue|/dev/null) ' /proc/mounts | cut -d' ' -f2 | sort; "
                                             "readlink /proc/self/ns/cgroup; cat /proc/self/cgroup; cat /proc/sys/net/ipv4/ping_group_range"]
    save(ordinary, config)
    out = as_user(ordinary, "./runtime", "run", "c1")
    assert out.stdout.splitlines()[:3] == ["/dev/mqueue", "/dev/null", "/sys"], out.stderr
    assert os.readlink("/proc/self/ns/cgroup") not in out.stdout


def test_where_the_state_of_an_ordinary_user_is(ordinary):
    config = many_ids(ordinary)
    for kind in ("uidMappings", "gidMappings"):
        del config["linux"][kind][1]
    config["process"]["args"] = ["true"]
    save(ordinary, config)
    run = ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "env"]

    def call(*environment):
        return subprocess.run([*run, *environment, "./runtime", "run", "c1"], cwd=ordinary, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60, check=False)
    out = call("-u", "XDG_RUNTIME_DIR")
    assert "open '/run/user/12345', for want of another XDG_RUNTIME_DIR or --root: no such file" in out.stderr
    os.mkdir(f"{ordinary}/open")
    os.chown(f"{ordinary}/open", 12345, 12345)
    os.chmod(f"{ordinary}/open", 0o777)
    out = call(f"XDG_RUNTIME_DIR={ordinary}/open")
    assert out.returncode == 1 and "open' belongs to somebody else or may be written by others" in out.stderr
    os.chmod(f"{ordinary}/open", 0o700)
    assert call(f"XDG_RUNTIME_DIR={ordinary}/open").returncode == 0
    os.mkdir(f"{ordinary}/state", 0o777)
    os.chown(f"{ordinary}/state", 54321, 54321)
    out = subprocess.run([*run, "./runtime", "--root", f"{ordinary}/state", "run", "c1"], cwd=ordinary, capture_output=True, text=True,
                         stdin=subprocess.DEVNULL, timeout=60, check=False)
    assert "belongs to somebody else or may be written by others" in out.stderr


def test_user_0_of_a_namespace_asks_the_users_own_systemd(ordinary):
    """And says who it is outside, for that is what the other end of the socket sees."""
    assert as_user(ordinary, "./runtime", "spec").returncode == 0
    save(ordinary, {**json.load(open(f"{ordinary}/config.json", encoding="utf-8")), "hostname": "x"})
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind(f"{ordinary}/bus")
        os.chmod(f"{ordinary}/bus", 0o777)
        bus.listen()
        bus.settimeout(20)
        with subprocess.Popen(["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", "env", "-u", "USER",
                               f"XDG_RUNTIME_DIR={ordinary}", f"DBUS_SESSION_BUS_ADDRESS=unix:path={ordinary}/bus", "unshare", "--user",
                               "--map-root-user", "--mount", "./runtime", "--systemd-cgroup", "run", "--console-socket", "none", "-d",
                               "c1"], cwd=ordinary, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) as run:
            try:
                conn, _ = bus.accept()
                with conn:
                    assert conn.recv(100) == b"\0AUTH EXTERNAL " + b"12345".hex().encode() + b"\r\n"
            except TimeoutError:
                pytest.fail(f"nobody asked: {run.communicate(timeout=20)[1]}")
            assert run.wait(20) == 1
    assert os.listdir(f"{ordinary}/mailbox-run") in ([], [".filters"])
