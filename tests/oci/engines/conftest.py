# SPDX-License-Identifier: Apache-2.0
"""The engines: podman, buildah, docker and containerd, each in a session that the tests of one file share."""
import json
import os
import pathlib
import sys
import tarfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from enginelib import (  # noqa: E402
    IMAGE, Engine, Session, all_groups, assert_no_groups, containers_home, docker_config, make_root_tar, need_busybox,
    need_program, need_root, need_runtime, remove_groups, wait
)

INITS = ("/usr/bin/catatonit", "/usr/libexec/podman/catatonit", "/usr/bin/docker-init", "/usr/bin/tini")


@pytest.fixture(scope="session")
def root_tar(tmp_path_factory):
    """A root file system of busybox as a tar file, for `import`."""
    need_root()
    need_runtime()
    need_busybox()
    return make_root_tar(tmp_path_factory.mktemp("engine") / "busybox.tar")


@pytest.fixture(scope="session")
def init_path():
    """A small init that engines put into a container for --init."""
    return next((path for path in INITS if os.access(path, os.X_OK)), None)


@pytest.fixture(scope="module")
def podman(root_tar, init_path):
    need_program("podman")
    before = all_groups("libpod_parent")
    with Session() as session:
        # conmon leaves a file where podman was called, if a container ends for lack of memory.
        engine = Engine(session, ["env", "-C", session.base, "podman", "--tmpdir", session.base / "tmp"],
                        containers_home(session, init_path))
        # The first container of a pod is made of the same image, and has no command of its own.
        result = engine("import", "--change", 'CMD ["/bin/sleep", "1000000"]', root_tar, IMAGE)
        if result.returncode != 0:
            pytest.skip(f"podman does not work here: {result.stderr.strip()}")
        yield engine
        engine("pod", "rm", "--all", "--force", "--time", "0")
        engine("rm", "--all", "--force", "--time", "0")
        # podman mounts its storage on itself, for good.
        session.assert_clean(f"^{session.base}/data", "^cni-podman")
    remove_groups("libpod_parent", before)


@pytest.fixture(scope="module")
def docker(root_tar, init_path):
    for name in ("dockerd", "docker", "containerd"):
        need_program(name)
    with Session() as session:
        base = session.base
        config = docker_config(base)
        if init_path:
            config["init-path"] = init_path
        (base / "daemon.json").write_text(json.dumps(config))
        daemon = session.daemon("dockerd", "--config-file", base / "daemon.json")
        engine = Engine(session, ["docker", "-H", f"unix://{base}/docker.sock"], {"DOCKER_API_VERSION": "1.41"})
        try:
            wait(lambda: daemon.poll() is not None or engine("version").returncode == 0, "dockerd", 90)
            if daemon.poll() is not None:
                pytest.skip("dockerd does not start here: " + session.tail())
            engine.ok("import", root_tar, IMAGE)
            yield engine
            for name in engine("ps", "-aq").stdout.split():
                engine("rm", "-f", name)
            assert_no_groups(base.name)
            session.stop_daemons()
            # For --network host it keeps a handle of the network namespace it is in.
            session.assert_clean("^docker0$", "netns/default$", "^default$")
        finally:
            session.end()
            remove_groups(base.name)


@pytest.fixture(scope="module")
def ctr(root_tar):
    for name in ("containerd", "ctr"):
        need_program(name)
    with Session() as session:
        base = session.base
        (base / "config.toml").write_text(
            f'version = 2\nroot = "{base}/data"\nstate = "{base}/state"\n'
            f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "{base}/sock"\n'
            f'[plugins."io.containerd.internal.v1.opt"]\npath = "{base}/opt"\n')
        daemon = session.daemon("containerd", "--config", base / "config.toml")
        engine = Engine(session, ["ctr", "--address", base / "sock", "--namespace", base.name])
        engine.root = base / "root"
        engine.root.mkdir()
        with tarfile.open(root_tar) as tar:
            tar.extractall(engine.root)
        try:
            wait(lambda: daemon.poll() is not None or engine("version").returncode == 0, "containerd", 90)
            if daemon.poll() is not None:
                pytest.skip("containerd does not start here: " + session.tail())
            yield engine
            for name in engine("containers", "ls", "-q").stdout.split():
                engine("tasks", "kill", "-s", "9", name)
                engine("tasks", "delete", "-f", name)
                engine("containers", "rm", name)
            assert_no_groups(base.name)
            session.stop_daemons()
            session.assert_clean()
        finally:
            session.end()
            remove_groups(base.name)


@pytest.fixture(scope="module", params=["podman", "docker"])
def engine(request):
    """Each of the two whose command lines are alike."""
    return request.getfixturevalue(request.param)
