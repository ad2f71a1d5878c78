# SPDX-License-Identifier: Apache-2.0
"""A container says READY=1, and the service manager that started the runtime hears of it."""
import os
import socket

import pytest

SAY = ("import os,socket; s=socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM);"
       "s.sendto(b'STATUS=x\\nREADY=1', os.environ['NOTIFY_SOCKET'])")


@pytest.fixture
def manager(short_dir):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(short_dir / "manager"))
        s.settimeout(20)
        yield s


@pytest.fixture
def speaker(bundle, own_rootfs):
    """busybox cannot send datagrams to unix sockets: the host's python is bound into the container, with its libraries."""
    if not os.access("/usr/bin/python3", os.X_OK):
        pytest.skip("python3 is not installed")
    for path in ("/usr", "/lib", "/lib64"):
        if os.path.exists(path):
            bundle.mount(destination=path, type="bind", source=path, options=["rbind", "ro"])
    return bundle


def env(manager):
    return dict(os.environ, NOTIFY_SOCKET=manager.getsockname())


def said(manager):
    return manager.recv(4096), manager.recv(4096)


def test_run_detached_waits_and_passes_it_on(runtime, speaker, manager):
    speaker.shell(f'/usr/bin/python3 -c "{SAY}"; sleep 60').save()
    name = runtime.new_id()
    with open(speaker.path / "out", "wb") as out:
        runtime("run", "--detach", "--bundle", speaker.path, name, env=env(manager), check=True,
                capture_output=False, stdout=out, stderr=out)
    assert said(manager) == (b"MAINPID=%d\n" % runtime.state(name)["pid"], b"READY=1\n")


def test_start_waits_and_passes_it_on(runtime, speaker, manager):
    speaker.process["user"] = {"uid": 1000, "gid": 1000}
    speaker.shell(f'/usr/bin/python3 -c "{SAY}"; sleep 60').save()
    name = runtime.new_id()
    with open(speaker.path / "out", "wb") as out:
        runtime("create", "--bundle", speaker.path, name, env=env(manager), check=True,
                capture_output=False, stdout=out, stderr=out)
    pid = runtime.state(name)["pid"]
    runtime("start", name, env=env(manager), check=True)
    assert said(manager) == (b"MAINPID=%d\n" % pid, b"READY=1\n")


def test_the_foreground_passes_it_on(runtime, speaker, manager):
    speaker.shell(f'/usr/bin/python3 -c "{SAY}"; sleep 0.3')
    assert runtime.run(speaker, env=env(manager)).returncode == 0
    first, second = said(manager)
    assert first.startswith(b"MAINPID=") and second == b"READY=1\n"


def test_a_process_that_ends_is_not_waited_for(runtime, bundle, own_rootfs, manager):
    bundle.args("true").save()
    name = runtime.new_id()
    with open(bundle.path / "out", "wb") as out:
        runtime("run", "--detach", "--bundle", bundle.path, name, env=env(manager), check=True,
                capture_output=False, stdout=out, stderr=out)


def test_the_container_s_socket_is_its_own(runtime, bundle, own_rootfs, manager):
    out = runtime.run(bundle.shell("echo $NOTIFY_SOCKET; ls /run/notify; touch /run/notify/x"), env=env(manager))
    assert out.stdout == "/run/notify/notify.sock\nnotify.sock\n"
    assert "Read-only" in out.stderr
