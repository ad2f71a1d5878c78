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
    IMAGE, RUNTIME, Engine, Session, groups, groups_below, make_root_tar, need_busybox, need_program, need_root,
    need_runtime, remove_groups, wait
)

# The default number of open files is more than some machines permit; the infra container is made of the test's image.
CONTAINERS_CONF = f"""
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
netns = "none"
init_path = "INIT"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
infra_image = "{IMAGE}"
infra_command = "/bin/sleep 1000000"
runtime = "mailbox-run"
runtime_supports_json = ["mailbox-run"]
runtime_supports_nocgroup = ["mailbox-run"]
[engine.runtimes]
mailbox-run = ["{RUNTIME}"]
[network]
network_backend = "cni"
cni_plugin_dirs = ["/usr/lib/cni"]
network_config_dir = "BASE/net"
"""
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


def containers_home(session, init_path):
    """The files that podman and buildah read, and the environment that names them."""
    base = session.base
    conf = CONTAINERS_CONF.replace("BASE", str(base)).replace("INIT", init_path or "")
    (base / "containers.conf").write_text(conf)
    (base / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\nrunroot = "{base}/run"\ngraphroot = "{base}/data"\n')
    (base / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    (base / "net").mkdir()
    return {"CONTAINERS_CONF": str(base / "containers.conf"), "CONTAINERS_STORAGE_CONF": str(base / "storage.conf"),
            "TMPDIR": str(base)}


@pytest.fixture(scope="module")
def podman(root_tar, init_path):
    need_program("podman")
    before = groups("libpod_parent")
    with Session() as session:
        engine = Engine(session, ["podman", "--tmpdir", session.base / "tmp"], containers_home(session, init_path))
        result = engine("import", root_tar, IMAGE)
        if result.returncode != 0:
            pytest.skip(f"podman does not work here: {result.stderr.strip()}")
        yield engine
        engine("pod", "rm", "--all", "--force", "--time", "0")
        engine("rm", "--all", "--force", "--time", "0")
        # podman mounts its storage on itself, for good.
        session.assert_clean(f"^{session.base}/data", "^cni-podman", "^{RUN}")
    remove_groups("libpod_parent", before)


def docker_config(base):
    """daemon.json, as runtime/README.md shows it, and where everything is."""
    return {
        "runtimes": {"mailbox-run": {"path": RUNTIME}}, "default-runtime": "mailbox-run",
        "exec-opts": ["native.cgroupdriver=cgroupfs"], "data-root": f"{base}/data", "exec-root": f"{base}/exec",
        "pidfile": f"{base}/pid", "hosts": [f"unix://{base}/docker.sock"], "cgroup-parent": f"/{base.name}",
        "live-restore": False,
    }


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
            wait(lambda: daemon.poll() is not None or engine("version").returncode == 0, "dockerd", 40)
            if daemon.poll() is not None:
                pytest.skip("dockerd does not start here: " + session.tail())
            engine.ok("import", root_tar, IMAGE)
            yield engine
            for name in engine("ps", "-aq").stdout.split():
                engine("rm", "-f", name)
            assert groups_below(base.name) == []
            session.stop_daemons()
            session.assert_clean("^docker0$", "^default$")
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
            f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "{base}/sock"\n')
        daemon = session.daemon("containerd", "--config", base / "config.toml")
        engine = Engine(session, ["ctr", "--address", base / "sock", "--namespace", base.name])
        engine.root = base / "root"
        engine.root.mkdir()
        with tarfile.open(root_tar) as tar:
            tar.extractall(engine.root)
        try:
            wait(lambda: daemon.poll() is not None or engine("version").returncode == 0, "containerd", 40)
            if daemon.poll() is not None:
                pytest.skip("containerd does not start here: " + session.tail())
            yield engine
            for name in engine("containers", "ls", "-q").stdout.split():
                engine("tasks", "kill", "-s", "9", name)
                engine("tasks", "delete", "-f", name)
                engine("containers", "rm", name)
            assert groups_below(base.name) == []
            session.stop_daemons()
            session.assert_clean()
        finally:
            session.end()
            remove_groups(base.name)
