# SPDX-License-Identifier: Apache-2.0
"""A runtime that is itself in a chroot: the mount namespace's root stays the host's, and exec must not land there."""
import shutil
import subprocess

import pytest

from ocilib import BUSYBOX, RUNTIME, need_busybox, need_program, need_root, need_runtime

SCRIPT = """
set -e
mount --bind {top} {top}
mount -t proc proc {top}/proc
mount -t tmpfs tmpfs {top}/run
touch {top}/dev/null && mount --bind /dev/null {top}/dev/null
chroot {top} /bin/sh -c '
    mkdir /b && cd /b && /mailbox-run spec && sed -i "s/\\"terminal\\": true/\\"terminal\\": false/; s/\\"sh\\"/\\"sleep\\", \\"60\\"/" config.json
    mkdir -p rootfs/bin rootfs/proc rootfs/dev rootfs/sys && cp /bin/busybox rootfs/bin/ && for a in sh ls sleep; do ln -s busybox rootfs/bin/$a; done
    touch rootfs/of-the-container
    M="/mailbox-run --cgroup-manager disabled --root /run/m"
    $M run -d c </dev/null >/dev/null 2>/tmp/err || exec sh -c "cat /tmp/err >&2; exit 9"
    $M exec c ls / ; echo "status $?"
    $M exec c ls /b/rootfs ; echo "status $?"
    $M delete -f c
'
"""


def test_exec_lands_in_the_container(tmp_path):
    need_root()
    need_runtime()
    need_busybox()
    need_program("unshare")
    for name in ("bin", "proc", "run", "dev", "tmp"):
        (tmp_path / name).mkdir()
    shutil.copy(BUSYBOX, tmp_path / "bin/busybox")
    shutil.copy(RUNTIME, tmp_path / "mailbox-run")
    for applet in ("sh", "mkdir", "sed", "cat", "cp", "ln", "touch", "ls", "sleep", "echo"):
        (tmp_path / "bin" / applet).symlink_to("busybox")
    (tmp_path / "of-the-host").touch()
    r = subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", SCRIPT.format(top=tmp_path)],
                       capture_output=True, text=True, timeout=60, check=False)
    if r.returncode == 9:
        pytest.skip("the runtime makes no container in a chroot here: " + r.stderr.strip())
    assert r.returncode == 0, r.stdout + r.stderr
    first, second, _ = r.stdout.split("status")
    assert "of-the-container" in first and "of-the-host" not in r.stdout and "home" not in first.split(), r.stdout
    assert second.split()[0] == "0" and "of-the-container" not in second.split("\n", 1)[1], r.stdout
