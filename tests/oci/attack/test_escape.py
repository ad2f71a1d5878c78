# SPDX-License-Identifier: Apache-2.0
"""Ways out of a container that other runtimes had to close."""
import hashlib
import json
import os
import shutil
import subprocess
import threading
import time

import pytest

from ocilib import Runtime, RUNTIME


@pytest.fixture
def victim(runtime, tmp_path):
    """A copy of the runtime, which may be destroyed."""
    copy = tmp_path / "victim"
    shutil.copy(RUNTIME, copy)
    r = Runtime(tmp_path, program=str(copy))
    yield r
    r.clean_up()


def digest(path):
    return hashlib.sha256(open(path, "rb").read()).hexdigest()


WRITER = """#!/bin/sh
for i in 1 2 3 4 5 6 7 8; do
    for p in /proc/[0-9]*/exe; do
        case "$(readlink $p)" in
            */busybox|"") ;;
            *) exec 3<$p && (echo overwritten > /proc/self/fd/3) 2>/dev/null && echo WROTE $p ;;
        esac
    done
done
"""


def test_the_runtime_as_entrypoint_cannot_be_overwritten(victim, bundle, own_rootfs):
    """CVE-2019-5736: an interpreter '/proc/self/exe' makes the runtime's file the program."""
    before = digest(victim.program)
    script = own_rootfs / "entry"
    script.write_text("#!/proc/self/exe\n")
    script.chmod(0o755)
    writer = own_rootfs / "writer"
    writer.write_text(WRITER)
    writer.chmod(0o755)
    bundle.process["capabilities"] = dict.fromkeys(
        ("bounding", "permitted", "effective"), ["CAP_DAC_OVERRIDE", "CAP_SYS_PTRACE"])
    for args in (["/entry"], ["/proc/self/exe"], ["/writer"]):
        bundle.args(*args).save()
        victim("run", "--bundle", bundle.path, victim.new_id())
        assert digest(victim.program) == before


def test_an_exec_cannot_be_used_to_overwrite_the_runtime(victim, bundle, own_rootfs):
    before = digest(victim.program)
    writer = own_rootfs / "writer"
    writer.write_text(WRITER.replace("1 2 3 4 5 6 7 8", "$(seq 1 300)"))
    writer.chmod(0o755)
    bundle.process["capabilities"] = dict.fromkeys(
        ("bounding", "permitted", "effective"), ["CAP_DAC_OVERRIDE", "CAP_SYS_PTRACE"])
    bundle.process["noNewPrivileges"] = False
    name = victim.start_detached(bundle.args("/bin/sh", "/writer"))
    for _ in range(30):
        victim("exec", name, "/proc/self/exe", "--version")
        victim("exec", name, "true")
    assert digest(victim.program) == before
    assert "WROTE" not in (bundle.path / "out").read_text()


def test_without_the_defence_the_file_would_be_writable(victim):
    """The same copy, not protected, is a plain writable file: what the defence keeps away."""
    with open(victim.program, "ab") as f:
        f.write(b"x")


@pytest.mark.parametrize("n", range(3, 16))
def test_the_directory_is_never_outside(runtime, bundle, n):
    """CVE-2024-21626: a working directory through a descriptor of the runtime."""
    for path in (f"/proc/self/fd/{n}", f"/proc/self/fd/{n}/../../.."):
        bundle.process["cwd"] = path
        out = runtime.run(bundle.shell("pwd; ls /; cat /bundle-is-here"))
        assert "vmlinuz" not in out.stdout and "home" not in out.stdout.split()


def test_no_descriptor_is_left_open(runtime, bundle):
    root = os.open("/", os.O_RDONLY)
    os.set_inheritable(root, True)
    try:
        out = runtime.run(bundle.shell("exec ls -l /proc/self/fd/"), close_fds=False)
    finally:
        os.close(root)
    targets = [l.split(" -> ")[1] for l in out.stdout.splitlines() if " -> " in l]
    assert len(targets) == 3 and "/" not in targets, out.stdout


def test_a_link_as_dev_null_is_not_used_to_mask(runtime, bundle, own_rootfs):
    """CVE-2025-31133: /dev/null of the image led elsewhere, and the mask with it."""
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if not
                               m["destination"].startswith("/dev")]
    (own_rootfs / "dev" / "null").symlink_to("/proc/sys/kernel/core_pattern")
    bundle.linux["maskedPaths"] = ["/proc/keys"]
    out = runtime.run(bundle.shell("echo reached"))
    assert out.returncode == 1 and "reached" not in out.stdout
    assert "/dev/null" in out.stderr


def test_a_link_as_proc_is_refused(runtime, bundle, own_rootfs):
    """CVE-2019-19921, CVE-2023-27561: /proc of the image is a link."""
    (own_rootfs / "proc").rmdir()
    (own_rootfs / "elsewhere").mkdir()
    (own_rootfs / "proc").symlink_to("elsewhere")
    out = runtime.run(bundle.shell("echo reached"))
    assert out.returncode == 1 and "/proc" in out.stderr


@pytest.mark.parametrize("target", ["/../../../../..", "/", "../../../../../../tmp"])
def test_links_in_mount_targets_stay_inside(runtime, bundle, own_rootfs, tmp_path, target):
    (own_rootfs / "link").symlink_to(target)
    (tmp_path / "source").mkdir()
    name = f"mr-escaped-{os.getpid()}"
    bundle.mount(destination=f"/link/{name}", type="bind", source=str(tmp_path / "source"),
                 options=["bind"])
    runtime.run(bundle)
    assert not os.path.exists(f"/{name}") and not os.path.exists(f"/tmp/{name}")


def test_exchanging_a_target_while_it_is_mounted(runtime, bundle, own_rootfs, tmp_path):
    """CVE-2021-30465: a directory of a shared volume becomes a link at the right moment."""
    volume = tmp_path / "volume"
    (volume / "dir").mkdir(parents=True)
    (volume / "link").symlink_to("/../../../../../../../../tmp")
    bundle.mount(destination="/v", type="bind", source=str(volume), options=["rbind"])
    name = f"mr-raced-{os.getpid()}"
    bundle.mount(destination=f"/v/dir/{name}", type="tmpfs", source="tmpfs")
    stop = threading.Event()

    def exchange():
        a, b, c = volume / "dir", volume / "link", volume / "spare"
        while not stop.is_set():
            try:
                os.rename(a, c)
                os.rename(b, a)
                os.rename(a, b)
                os.rename(c, a)
            except OSError:
                time.sleep(0.0001)

    racer = threading.Thread(target=exchange)
    racer.start()
    try:
        for _ in range(40):
            runtime.run(bundle)
            assert not os.path.exists(f"/tmp/{name}")
    finally:
        stop.set()
        racer.join()


def test_ids_and_groups_with_dots_are_refused(runtime, bundle):
    bundle.save()
    for name in ("../x", ".", "..", "a/b", ""):
        assert runtime("run", "--bundle", bundle.path, "--", name).returncode != 0
    bundle.linux["cgroupsPath"] = "/../../x"
    out = runtime.run(bundle)
    assert out.returncode == 1 and ".." in out.stderr


def test_the_state_is_private(runtime, bundle):
    name = runtime.start_detached(bundle.args("sleep", "60"))
    for path in (runtime.root / name, runtime.root / name / "state.json",
                 runtime.root / name / "config.json"):
        assert os.stat(path).st_mode & 0o077 == 0


def test_exec_gives_no_inheritable_capabilities(runtime, bundle):
    """CVE-2022-29162."""
    name = runtime.start_detached(bundle.args("sleep", "60"))
    text = runtime.ok("exec", "--cap", "CAP_NET_ADMIN", name, "cat", "/proc/self/status")
    lines = dict(l.split(":\t") for l in text.splitlines() if l.startswith("Cap"))
    assert int(lines["CapInh"], 16) == 0 and int(lines["CapAmb"], 16) == 0


def test_a_signal_never_reaches_a_recycled_pid(runtime, bundle):
    name = runtime.start_detached(bundle.args("sleep", "60"))
    time.sleep(0.1)  # start times are counted in hundredths of a second
    path = runtime.root / name / "state.json"
    state = json.loads(path.read_text())
    with subprocess.Popen(["sleep", "60"]) as other:
        real, state["pid"] = state["pid"], other.pid
        path.write_text(json.dumps(state))
        assert runtime("kill", name, "KILL").returncode == 1
        assert other.poll() is None
        state["pid"] = real
        path.write_text(json.dumps(state))
        other.kill()
