# SPDX-License-Identifier: Apache-2.0
"""AppArmor profiles where the kernel enforces them: a small one is loaded, and what it denies is denied."""
import os
import pathlib
import subprocess

import pytest

from ocilib import need_program, need_root, need_runtime, wait

# Everything but writing to names that begin with "denied", and from OTHER on nothing in /tmp.
PROFILE = """
profile {name} flags=(attach_disconnected, mediate_deleted) {{
  file,
  capability,
  network,
  mount,
  umount,
  signal,
  ptrace,
  unix,
  deny /tmp/{denied} w,
}}
"""


@pytest.fixture(scope="module")
def profiles(tmp_path_factory):
    need_root()
    need_runtime()
    try:
        on = pathlib.Path("/sys/module/apparmor/parameters/enabled").read_text().startswith("Y")
    except OSError:
        on = False
    if not on:
        pytest.skip("AppArmor is not enabled")
    need_program("apparmor_parser")
    first, second = f"mr-test-{os.getpid()}", f"mr-test-{os.getpid()}-other"
    path = tmp_path_factory.mktemp("profiles") / "profiles"
    path.write_text(PROFILE.format(name=first, denied="denied*") + PROFILE.format(name=second, denied="*"))
    subprocess.run(["apparmor_parser", "--replace", "--skip-cache", path], check=True, timeout=60, capture_output=True)
    yield first, second
    subprocess.run(["apparmor_parser", "--remove", path], check=True, timeout=60, capture_output=True)


@pytest.fixture
def confined(profiles, bundle, own_rootfs):
    bundle.process["apparmorProfile"] = profiles[0]
    return bundle


WRITES = "cat /proc/self/attr/current; for f in free denied; do (echo $f > /tmp/$f) 2>&1 && cat /tmp/$f; done; true"


def expected(name, *denied):
    lines = [f"{name} (enforce)"]
    for word in ("free", "denied"):
        lines.append(f"/bin/sh: can't create /tmp/{word}: Permission denied" if word in denied else word)
    return lines


def said(text):
    return [line.replace("sh: ", "/bin/sh: ", 1) if line.startswith("sh: ") else line for line in text.splitlines()]


@pytest.mark.parametrize("no_new_privs", [True, False])
@pytest.mark.parametrize("user", [0, 1000])
def test_the_profile_confines(runtime, confined, profiles, own_rootfs, no_new_privs, user):
    confined.process["noNewPrivileges"] = no_new_privs
    confined.process["user"] = {"uid": user, "gid": user}
    (own_rootfs / "tmp").chmod(0o1777)
    out = runtime.run(confined.args("/bin/sh", "-c", WRITES))
    assert said(out.stdout) == expected(profiles[0], "denied"), out.stderr


@pytest.mark.parametrize("filtered", [True, False])
def test_exec_is_confined_as_the_container_or_as_asked(runtime, confined, profiles, filtered):
    if filtered:
        confined.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}]}
    name = runtime.start_detached(confined.args("sleep", "60"))
    assert pathlib.Path(f"/proc/{runtime.state(name)['pid']}/attr/apparmor/current").read_text() == f"{profiles[0]} (enforce)\n"
    assert said(runtime.ok("exec", name, "/bin/sh", "-c", WRITES)) == expected(profiles[0], "denied")
    out = runtime.ok("exec", "--apparmor", profiles[1], name, "/bin/sh", "-c", WRITES)
    assert said(out) == expected(profiles[1], "free", "denied")


def test_it_is_set_while_created_and_holds_from_the_start(runtime, confined, profiles):
    name = runtime.create(confined.args("sleep", "60"))
    runtime.ok("start", name)
    current = pathlib.Path(f"/proc/{runtime.state(name)['pid']}/attr/current")
    wait(lambda: current.read_text() == f"{profiles[0]} (enforce)\n", "the profile")


def test_in_a_user_namespace(runtime, confined, profiles, own_rootfs):
    confined.linux["namespaces"].append({"type": "user"})
    confined.linux["uidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    confined.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    for parent in [own_rootfs, *own_rootfs.parents]:
        if str(parent).startswith("/tmp/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    (own_rootfs / "tmp").chmod(0o1777)
    out = runtime.run(confined.args("/bin/sh", "-c", WRITES))
    assert said(out.stdout) == expected(profiles[0], "denied"), out.stderr


def test_a_profile_that_is_not_loaded_is_told(runtime, confined):
    confined.process["apparmorProfile"] = "mr-no-such-profile"
    out = runtime.run(confined)
    assert out.returncode == 1 and "AppArmor profile 'mr-no-such-profile' is not loaded" in out.stderr
    confined.process.pop("apparmorProfile")
    name = runtime.start_detached(confined.args("sleep", "60"))
    out = runtime("exec", "--apparmor", "mr-no-such-profile", name, "true")
    assert out.returncode == 255 and "AppArmor profile 'mr-no-such-profile' is not loaded" in out.stderr


def test_unconfined_is_none(runtime, confined):
    confined.process["apparmorProfile"] = "unconfined"
    assert runtime.run(confined.args("cat", "/proc/self/attr/current")).stdout == "unconfined\n"
