# SPDX-License-Identifier: Apache-2.0
"""
What the kernel still holds above a container's root: a container may enter the root of its own mount namespace anew
(setns), with CAP_SYS_ADMIN, and must find itself there.

A runtime that is itself in a chroot has the host's root above its own; a root that pivot_root cannot leave, an initramfs,
stays beneath the container's.
"""
import json
import shutil
import subprocess

import pytest

from attacklib import both, with_attacker
from ocilib import need_program

POWER = ["CAP_SYS_ADMIN", "CAP_SYS_CHROOT"]


def powerful(bundle):
    for kind in ("bounding", "effective", "permitted"):
        bundle.process["capabilities"][kind] += POWER
    return bundle


INSIDE = """
set -e
{mount}
mount -t proc proc {top}/proc
mount -t tmpfs tmpfs {top}/run
mount --bind /dev/null {top}/dev/null
chroot {top} /bin/sh -c '
    m="env MR_OFF={off} /mailbox-run --cgroup-manager disabled --root /run/m"
    $m run -d -b /b c </dev/null >/dev/null 2>/tmp/err || cat /tmp/err >&2
    for command in "{command}" "ls /b/rootfs"; do
        $m exec c $command </dev/null; echo "status $?"
    done
    $m delete -f c
'
"""


@pytest.fixture(params=["mount private", "mount shared", "directory shared"])
def in_chroot(attacked, bundle, own_rootfs, tmp_path, request):
    """in_chroot(command): what the command in a container says, whose runtime is in a chroot that is, or is not, a mount."""
    need_program("unshare")
    top = tmp_path / "top"
    for name in ("bin", "proc", "run", "dev", "tmp", "b"):
        (top / name).mkdir(parents=True)
    for applet in ("sh", "cat", "env"):
        (top / "bin" / applet).symlink_to("busybox")
    (top / "dev/null").touch()
    (tmp_path / "of-the-host").touch()
    shutil.copy(own_rootfs / "bin/busybox", top / "bin/busybox")
    shutil.copy(attacked.program, top / "mailbox-run")
    shutil.move(own_rootfs, top / "b/rootfs")
    (top / "b/rootfs/of-the-container").touch()
    powerful(bundle.args("sleep", "60")).config["root"]["path"] = "rootfs"
    (top / "b/config.json").write_text(json.dumps(bundle.config))

    def run(command):
        mount = f"mount --bind {top} {top}" if "mount" in request.param else ""
        script = INSIDE.format(top=top, mount=mount, off=",".join(getattr(attacked, "off", ())), command=command)
        if "shared" in request.param:  # whatever the runtime detaches would be detached here, too
            script = f"mount --make-rshared /\n{script}\nls {top}/proc/1/status {top}/run/m >/dev/null"
        out = subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
                             capture_output=True, text=True, timeout=60, check=False)
        shutil.move(top / "b/rootfs", own_rootfs)
        assert out.returncode == 0 and out.stdout.count("status") == 2, out.stdout + out.stderr
        return out.stdout.split("status") + [out.stderr]

    return run


@both("root")
def test_a_container_of_a_runtime_in_a_chroot_finds_no_host_above_it(attacked, in_chroot, request):
    if not attacked.defended and "mount private" not in request.node.callspec.id:
        pytest.skip("pivot_root itself refuses it without the defence")
    seen, *rest = in_chroot("nsenter -m/proc/self/ns/mnt ls /")
    assert ("of-the-container" in seen) == attacked.defended, seen
    assert ("home" in seen.split()) != attacked.defended, (seen, rest)


@pytest.mark.parametrize("attacked", [()], indirect=True)
def test_exec_lands_in_the_container(in_chroot):
    first, second, *_ = in_chroot("ls /")
    assert "of-the-container" in first and "home" not in first.split()
    assert second.split()[0] == "0" and "of-the-container" not in second.split("\n", 1)[1]


# --- a root that cannot be left


@pytest.mark.parametrize("user", [False, True])
@pytest.mark.parametrize("attacked", [["pivot"], ["pivot", "uncover"]], ids=["defended", "undefended"], indirect=True)
def test_a_root_that_stays_beneath_is_not_uncovered(attacked, bundle, own_rootfs, user):
    """The right to detach mounts uncovers the host's root, in a user namespace as well; it is refused there."""
    with_attacker(own_rootfs)
    if user:
        maps = [{"containerID": 0, "hostID": 100000, "size": 65536}]
        bundle.linux["namespaces"].append({"type": "user"})
        bundle.linux.update(uidMappings=maps, gidMappings=maps)
        own_rootfs.parent.chmod(0o755)
    out = attacked.run(powerful(bundle.args("/attacker", "uncover")), "--no-pivot")
    if "uncover" in attacked.off:
        assert "home" in out.stdout.split() and out.returncode == 0, out.stderr
    else:
        assert out.returncode == 1 and out.stdout == "" and "CAP_SYS_ADMIN" in out.stderr


@pytest.mark.parametrize("attacked", [["pivot"]], indirect=True)
def test_without_the_right_it_runs_on_such_a_root(attacked, bundle, own_rootfs):
    with_attacker(own_rootfs)
    (own_rootfs / "of-the-container").touch()
    out = attacked.run(bundle.shell("ls /; ls /../..; cat /proc/self/mountinfo; /attacker uncover"), "--no-pivot")
    assert out.stdout.count("of-the-container") == 2 and "home" not in out.stdout.split(), out.stdout
    assert "uncover: Operation not permitted" in out.stderr


@pytest.mark.parametrize("attacked", [["pivot"], ["pivot", "uncover"]], ids=["defended", "undefended"], indirect=True)
@pytest.mark.parametrize("how", ["create", "run", "process"])
def test_nor_by_an_exec_with_the_right(attacked, bundle, own_rootfs, how, tmp_path):
    """The container was made without it; who executes in it may not bring it along."""
    with_attacker(own_rootfs)
    bundle.args("sleep", "60")
    name = attacked.create(bundle, "--no-pivot") if how == "create" else attacked.start_detached(bundle, "--no-pivot")
    if how == "create":
        attacked.ok("start", name)
    words = ["--cap", "CAP_SYS_ADMIN", "--cap", "CAP_SYS_CHROOT", name, "/attacker", "uncover"]
    if how == "process":
        process = {"args": ["/attacker", "uncover"], "cwd": "/", "user": {"uid": 0, "gid": 0},
                   "capabilities": {kind: POWER for kind in ("bounding", "effective", "permitted")}}
        (tmp_path / "process.json").write_text(json.dumps(process))
        words = ["--process", tmp_path / "process.json", name]
    out = attacked("exec", *words)
    if "uncover" in attacked.off:
        assert "home" in out.stdout.split() and out.returncode == 0, out.stderr
    else:
        assert out.returncode == 255 and out.stdout == "" and "CAP_SYS_ADMIN" in out.stderr, out.stderr
        assert attacked.ok("exec", name, "ls", "/").split() != []


def test_where_the_kernel_pivots_no_pivot_gives_nothing_away(runtime, bundle, own_rootfs):
    with_attacker(own_rootfs)
    (own_rootfs / "of-the-container").touch()
    out = runtime.run(powerful(bundle.args("/attacker", "uncover")), "--no-pivot")
    assert "home" not in out.stdout.split(), out.stdout
    name = runtime.start_detached(bundle.args("sleep", "60"), "--no-pivot")
    assert "of-the-container" in runtime.ok("exec", "--cap", "CAP_SYS_ADMIN", name, "ls", "/")
