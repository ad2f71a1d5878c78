# SPDX-License-Identifier: Apache-2.0
"""SELinux labels where the kernel enforces them: in a guest without a policy, which gets that of selinux.cil (MR_SELINUX=load)."""
import os
import pathlib
import shutil
import subprocess

import pytest

from ocilib import need_program, need_root, need_runtime

SELINUX = pathlib.Path("/sys/fs/selinux")
PROCESS = "system_u:system_r:container_t:s0:c1,c2"
OTHER = "system_u:system_r:container_t:s0:c1,c3"
FILES = "system_u:object_r:container_file_t:s0:c1,c2"
HOST_FILES = "system_u:object_r:object_t:s0"
# What the label of the session keyring is: keyctl(KEYCTL_GET_SECURITY, KEY_SPEC_SESSION_KEYRING).
KEYRING = ("import ctypes; b = ctypes.create_string_buffer(256); c = ctypes.CDLL(None, use_errno=True); "
           "print(c.syscall(250, 17, -3, b, 256) > 0 and b.value.decode())")


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    need_root()
    need_runtime()
    if not SELINUX.is_dir() or not (SELINUX / "load").exists():
        pytest.skip("SELinux is not enabled")
    if os.environ.get("MR_SELINUX") != "load":
        pytest.skip("the policy of this machine is not to be replaced (MR_SELINUX=load)")
    need_program("secilc")
    compiled = tmp_path_factory.mktemp("policy") / "policy"
    version = (SELINUX / "policyvers").read_text()
    subprocess.run(["secilc", "-M", "1", "-c", str(min(int(version), 33)), "-o", compiled, "-f", "/dev/null",
                    pathlib.Path(__file__).with_name("selinux.cil")], check=True, timeout=60)
    with open(SELINUX / "load", "wb", buffering=0) as load:
        load.write(compiled.read_bytes())
    (SELINUX / "enforce").write_text("1")
    yield
    (SELINUX / "enforce").write_text("0")


@pytest.fixture
def labelled(policy, bundle):
    bundle.process["selinuxLabel"] = PROCESS
    bundle.linux["mountLabel"] = FILES
    return bundle


def label(pid, path):
    return os.getxattr(f"/proc/{pid}/root{path}", "security.selinux").rstrip(b"\0").decode()


def test_the_process_has_the_label(runtime, labelled):
    out = runtime.run(labelled.args("cat", "/proc/self/attr/current"))
    assert out.stdout.strip("\0\n") == PROCESS, out.stderr


@pytest.mark.parametrize("new_privs", [False, True])
def test_the_label_confines(runtime, labelled, own_rootfs, new_privs):
    labelled.process["noNewPrivileges"] = not new_privs
    out = runtime.run(labelled.shell("echo x > /tmp/x; echo y > /dev/shm/y && cat /dev/shm/y; cat /etc/passwd"))
    assert "/tmp/x: Permission denied" in out.stderr and out.stdout == "y\nroot:x:0:0:root:/root:/bin/sh\n"
    labelled.process.pop("selinuxLabel")
    assert runtime.run(labelled.shell("echo x > /tmp/x && cat /tmp/x")).stdout == "x\n"


def test_exec_has_the_container_s_label_or_its_own(runtime, labelled):
    name = runtime.start_detached(labelled.args("sleep", "60"))
    assert runtime.ok("exec", name, "cat", "/proc/self/attr/current").strip("\0\n") == PROCESS
    out = runtime.ok("exec", "--process-label", OTHER, name, "cat", "/proc/self/attr/current")
    assert out.strip("\0\n") == OTHER
    out = runtime("exec", name, "sh", "-c", "echo x > /proc/sys/kernel/domainname")
    assert out.returncode != 0


def test_mounts_have_the_mount_label(runtime, labelled, own_rootfs):
    (own_rootfs / "var" / "here").write_text("text\n")
    labelled.mount(destination="/run", type="tmpfs", source="tmpfs")
    labelled.mount(destination="/var", type="tmpfs", source="tmpfs", options=["tmpcopyup"])
    labelled.mount(destination="/root", type="bind", source=str(own_rootfs / "etc"), options=["rbind"])
    name = runtime.start_detached(labelled.args("sleep", "60"))
    pid = runtime.state(name)["pid"]
    ours = ["/dev", "/dev/null", "/dev/pts", "/dev/shm", "/dev/mqueue", "/run", "/var", "/var/here", "/proc/acpi", "/sys/firmware"]
    assert {path: label(pid, path) for path in ours if os.path.exists(f"/proc/{pid}/root{path}")} == {
        path: FILES for path in ours if os.path.exists(f"/proc/{pid}/root{path}")}
    for path in ("/", "/root", "/proc", "/sys"):
        assert label(pid, path) == HOST_FILES, path


def test_a_mount_that_is_added_has_it_too(runtime, labelled, own_rootfs, tmp_path):
    name = runtime.start_detached(labelled.args("sleep", "60"))
    (tmp_path / "mounts").write_text('[{"destination": "/run", "type": "tmpfs", "source": "tmpfs"}]')
    runtime.ok("mounts", "add", name, tmp_path / "mounts")
    assert label(runtime.state(name)["pid"], "/run") == FILES


def test_a_terminal_has_it(runtime, labelled):
    labelled.terminal(True).shell("cat /proc/self/attr/current; test -c /dev/console && echo yes")
    labelled.save()
    command = runtime.command("run", "--bundle", labelled.path, runtime.new_id())
    out = subprocess.run(["script", "-qec", " ".join(command), "/dev/null"], capture_output=True, text=True, timeout=60,
                         stdin=subprocess.DEVNULL, check=False)
    assert PROCESS in out.stdout and "yes" in out.stdout


def test_keyrings_have_the_label_of_the_process(runtime, labelled, own_rootfs):
    for directory in ("/usr", "/lib", "/lib64"):
        (own_rootfs / directory[1:]).mkdir(exist_ok=True)
        labelled.mount(destination=directory, type="bind", source=directory, options=["rbind", "ro"])
    python = shutil.which("python3", path="/usr/bin")
    out = runtime.run(labelled.args(python, "-SEc", KEYRING))
    assert out.stdout == PROCESS + "\n", out.stderr
    name = runtime.start_detached(labelled.args("sleep", "60"))
    assert runtime.ok("exec", name, python, "-SEc", KEYRING) == PROCESS + "\n"
    assert runtime.ok("exec", "--process-label", OTHER, name, python, "-SEc", KEYRING) == OTHER + "\n"


@pytest.mark.parametrize("key, value", [("selinuxLabel", "system_u:system_r:nobody_t:s0"), ("selinuxLabel", "nonsense")])
def test_a_label_that_the_policy_does_not_know_is_told(runtime, labelled, key, value):
    labelled.process[key] = value
    out = runtime.run(labelled)
    assert out.returncode == 1 and value in out.stderr and "label" in out.stderr


def test_a_mount_label_that_the_policy_does_not_know_is_told(runtime, labelled):
    labelled.linux["mountLabel"] = "system_u:object_r:nothing_t:s0"
    out = runtime.run(labelled)
    assert out.returncode == 1 and "nothing_t" in out.stderr


def test_a_transition_that_is_forbidden_is_told(runtime, labelled):
    labelled.process["selinuxLabel"] = "system_u:system_r:lonely_t:s0"
    out = runtime.run(labelled)
    assert out.returncode != 0 and "execute true" in out.stderr and "the policy may forbid it the SELinux label" in out.stderr

