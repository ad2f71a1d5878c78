# SPDX-License-Identifier: Apache-2.0
"""containerd's CRI plugin with mailbox-run as a Kubernetes node has it: runtime/README.md's configuration, pods without a kubelet."""
import contextlib
import os
import uuid

import pytest

from crilib import CONTAINER, EXITED, NODE, NOTREADY, POD, READY, RUNNING, Cri, Refused, first, image_archive
from enginelib import IMAGE, RUNTIME, Engine, Session, assert_no_groups, group_value, need_program, remove_groups, wait

PAUSE = "localhost/pause:test"
# What a machine may lack (huge pages, a lower oom_score_adj) is not asked for.
CONFIG = """
version = 2
root = "{base}/data"
state = "{base}/state"
[grpc]
  address = "{base}/sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{base}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  tolerate_missing_hugetlb_controller = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni}"
    conf_dir = "{base}/net"
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "native"
  default_runtime_name = "mailbox-run"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.mailbox-run]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.mailbox-run.options]
      BinaryName = "{runtime}"
"""
NETWORK = """
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "pods0", "isGateway": true,
   "ipam": {"type": "host-local", "dataDir": "BASE/ipam", "ranges": [[{"subnet": "10.99.0.0/24"}]]}}]}
"""
CNI = "/usr/lib/cni"


@pytest.fixture(scope="module")
def cri(root_tar):
    for name in ("containerd", "ctr", "curl"):
        need_program(name)
    with Session() as session:
        base = session.base
        (base / "net").mkdir()
        (base / "net/pods.conflist").write_text(NETWORK.replace("BASE", str(base)))
        (base / "config.toml").write_text(CONFIG.format(base=base, pause=PAUSE, runtime=RUNTIME, cni=CNI))
        daemon = session.daemon("containerd", "--config", base / "config.toml")
        client = Cri(session, base / "sock")
        try:
            wait(lambda: daemon.poll() is not None or answers(client), "containerd", 90)
            if daemon.poll() is not None:
                pytest.skip("containerd does not start here: " + session.tail())
            ctr = Engine(session, ["ctr", "--address", base / "sock", "--namespace", "k8s.io"])
            for name, command in ((IMAGE, ["sh"]), (PAUSE, ["sleep", "1000000"])):
                ctr.ok("images", "import", image_archive(base / "image.tar", name, root_tar, command))
            yield client
            remove_all(client)
            assert_no_groups(base.name)
            session.stop_daemons()
            session.assert_clean("^pods0$")
        finally:
            session.end()
            remove_groups(base.name)


def answers(client):
    try:
        return first(client("Version", 5), "runtime_name") == "containerd"
    except Refused:
        return False


def remove_all(cri):
    for pod in cri("ListPodSandbox").get("items", []):
        cri("StopPodSandbox", pod_sandbox_id=first(pod, "id"))
        cri("RemovePodSandbox", pod_sandbox_id=first(pod, "id"))


class Pod(contextlib.AbstractContextManager):
    """A sandbox, and the containers in it."""

    def __init__(self, cri, pid=CONTAINER, network=NODE, privileged=0):
        self.cri = cri
        self.security = {"namespace_options": {"network": network, "pid": pid, "ipc": POD}, "privileged": privileged}
        name = f"p{uuid.uuid4().hex[:12]}"
        self.logs = cri.session.base / name
        self.logs.mkdir()
        self.config = {
            "metadata": {"name": name, "uid": name, "namespace": "tests"}, "log_directory": self.logs,
            "linux": {"cgroup_parent": f"/{cri.session.base.name}", "security_context": self.security},
        }
        self.id = first(cri("RunPodSandbox", config=self.config), "pod_sandbox_id")

    def create(self, *command, security=None, resources=None, **more):
        name = f"c{uuid.uuid4().hex[:8]}"
        linux = {"security_context": {**self.security, **(security or {})}, "resources": resources or {}}
        config = {"metadata": {"name": name}, "image": {"image": IMAGE}, "command": command, "log_path": f"{name}.log",
                  "linux": linux, **more}
        made = self.cri("CreateContainer", pod_sandbox_id=self.id, config=config, sandbox_config=self.config)
        return first(made, "container_id"), self.logs / f"{name}.log"

    def start(self, *command, **more):
        container, log = self.create(*command, **more)
        self.cri("StartContainer", container_id=container)
        return container, log

    def status(self, container, *what):
        status = self.cri("ContainerStatus", container_id=container)
        return tuple(first(status, "status", name, default=0) for name in what)

    def end_of(self, container):
        """Waits for it; its exit code."""
        wait(lambda: self.status(container, "state") == (EXITED,), "the end of a container")
        return self.status(container, "exit_code")[0]

    def exec(self, container, *command):
        answer = self.cri("ExecSync", container_id=container, cmd=command, timeout=30)
        return first(answer, "stdout"), first(answer, "stderr"), first(answer, "exit_code", default=0)

    def __exit__(self, *_):
        self.cri("StopPodSandbox", pod_sandbox_id=self.id)
        self.cri("RemovePodSandbox", pod_sandbox_id=self.id)


def logged(log):
    """What was written, without the time, the stream and the tag before each line."""
    return [line.split(" ", 3)[3] for line in log.read_text().splitlines()]


def test_the_life_of_a_pod(cri):
    with Pod(cri) as pod:
        status = cri("PodSandboxStatus", pod_sandbox_id=pod.id)
        assert first(status, "status", "state", default=0) == READY
        container, log = pod.create("sh", "-c", "trap 'echo term; exit 3' TERM; echo up; while :; do sleep 0.1; done")
        assert pod.status(container, "state") == (0,)
        cri("StartContainer", container_id=container)
        wait(lambda: logged(log) == ["up"], "its trap")
        assert pod.status(container, "state") == (RUNNING,)
        assert pod.exec(container, "sh", "-c", "echo in; echo err >&2; exit 9") == ("in\n", "err\n", 9)
        cri("StopContainer", container_id=container, timeout=20)
        assert pod.status(container, "state", "exit_code") == (EXITED, 3) and logged(log) == ["up", "term"]
        cri("RemoveContainer", container_id=container)
        assert cri("ListContainers") == {}
        cri("StopPodSandbox", pod_sandbox_id=pod.id)
        status = cri("PodSandboxStatus", pod_sandbox_id=pod.id)
        assert first(status, "status", "state", default=0) == NOTREADY


def test_what_ends_by_itself_and_what_does_not_obey(cri):
    with Pod(cri) as pod:
        container, log = pod.start("sh", "-c", "echo $A; pwd; exit 7", envs=[{"key": "A", "value": "b"}], working_dir="/tmp")
        assert pod.end_of(container) == 7 and logged(log) == ["b", "/tmp"]
        container, _ = pod.start("sleep", "60")
        cri("StopContainer", container_id=container, timeout=1)
        assert pod.status(container, "state", "exit_code") == (EXITED, 137)


def test_containers_of_a_pod_share_namespaces(cri):
    look = ("sh", "-c", "for kind in ipc net uts pid mnt; do readlink /proc/self/ns/$kind; done")
    with Pod(cri, pid=POD) as pod:
        first_one, second = (pod.start("sleep", seconds)[0] for seconds in ("61", "62"))
        one, two = (pod.exec(container, *look)[0].split() for container in (first_one, second))
        assert one[:4] == two[:4] and one[4] != two[4]
        seen = pod.exec(first_one, "ps", "-o", "args")[0]
        assert "sleep 61" in seen and "sleep 62" in seen and "sleep 1000000" in seen
    with Pod(cri) as pod:
        first_one, second = (pod.start("sleep", seconds)[0] for seconds in ("61", "62"))
        one, two = (pod.exec(container, *look)[0].split() for container in (first_one, second))
        assert one[:3] == two[:3] and one[3] != two[3]


def test_a_pod_has_an_address(cri):
    if not os.access(f"{CNI}/bridge", os.X_OK):
        pytest.skip(f"no {CNI}/bridge (containernetworking-plugins)")
    with Pod(cri, network=POD) as pod:
        address = first(cri("PodSandboxStatus", pod_sandbox_id=pod.id), "status", "network", "ip")
        server, _ = pod.start("sh", "-c", "echo served > /tmp/x; exec httpd -f -p 80 -h /tmp")
        client, _ = pod.start("sleep", "60")
        wait(lambda: pod.exec(client, "wget", "-qO-", "http://127.0.0.1/x")[0] == "served\n", "the server")
        assert cri.session("busybox", "wget", "-qO-", f"http://{address}/x") == "served\n"
        assert f"inet {address}/24" in pod.exec(server, "ip", "address", "show", "eth0")[0]


def test_limits_and_their_update(cri):
    resources = {"cpu_period": 100000, "cpu_quota": 50000, "memory_limit_in_bytes": 64 << 20, "oom_score_adj": 500}
    with Pod(cri) as pod:
        container, _ = pod.start("sleep", "60", resources=resources)
        assert group_value(container, "memory.limit_in_bytes", "memory.max") == str(64 << 20)
        assert group_value(container, "cpu.cfs_quota_us", "cpu.max").split()[0] == "50000"
        assert pod.exec(container, "cat", "/proc/1/oom_score_adj")[0] == "500\n"
        cri("UpdateContainerResources", container_id=container, linux={"memory_limit_in_bytes": 96 << 20})
        assert group_value(container, "memory.limit_in_bytes", "memory.max") == str(96 << 20)
        used = cri("ContainerStats", container_id=container)
        assert first(used, "stats", "memory", "working_set_bytes", "value") > 0


def test_lack_of_memory_is_the_reason(cri):
    with Pod(cri) as pod:
        container, _ = pod.start("tail", "/dev/zero", resources={"memory_limit_in_bytes": 16 << 20})
        assert pod.end_of(container) == 137
        assert pod.status(container, "reason") == ("OOMKilled",)


def test_security(cri):
    security = {"run_as_user": {"value": 12}, "run_as_group": {"value": 34}, "supplemental_groups": [56], "readonly_rootfs": 1,
                "no_new_privs": 1, "capabilities": {"drop": ["ALL"]}}
    script = "id -u; id -G; cat /v/file; touch /x /v/x 2>/dev/null || echo ro; grep -E '^(NoNewPrivs|CapBnd):' /proc/self/status"
    with Pod(cri) as pod:
        (pod.logs / "file").write_text("outside\n")
        mount = {"container_path": "/v", "host_path": pod.logs, "readonly": 1}
        container, log = pod.start("sh", "-c", script, mounts=[mount], security=security)
        assert pod.end_of(container) == 0, logged(log)
        assert logged(log) == ["12", "34 56", "outside", "ro", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"]


def test_a_privileged_container(cri):
    with Pod(cri, privileged=1) as pod:
        container, log = pod.start("sh", "-c", "mount -t tmpfs none /v && ls /dev | wc -l")
        assert pod.end_of(container) == 0, logged(log)
        assert int(logged(log)[0]) > 10


def test_errors_are_told(cri):
    with Pod(cri) as pod:
        container, _ = pod.create("/no/such")
        with pytest.raises(Refused, match="/no/such.*no such file or directory"):
            cri("StartContainer", container_id=container)
        assert pod.status(container, "state", "exit_code") == (EXITED, 128)
        assert "no such file or directory" in pod.status(container, "message")[0]
        container, _ = pod.start("sleep", "60")
        with pytest.raises(Refused, match="executable file not found in \\$PATH"):
            pod.exec(container, "nosuch")
        assert pod.status(container, "state") == (RUNNING,)
