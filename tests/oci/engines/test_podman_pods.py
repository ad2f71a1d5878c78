# SPDX-License-Identifier: Apache-2.0
"""podman's pods, and `kube play`."""
from enginelib import IMAGE

KUBE = f"""
apiVersion: v1
kind: Pod
metadata: {{name: kube}}
spec:
  restartPolicy: Never
  containers:
  - {{name: a, image: "{IMAGE}", imagePullPolicy: Never, command: ["sleep", "60"], env: [{{name: A, value: b}}]}}
  - {{name: b, image: "{IMAGE}", imagePullPolicy: Never, command: ["sleep", "61"], resources: {{limits: {{memory: 64Mi}}}}}}
"""


def test_a_pod_shares_what_its_first_container_holds(podman):
    podman.ok("pod", "create", "--name", "p1", "--share", "net,ipc,uts,pid", "--hostname", "podhost")
    podman.ok("run", "-d", "--pod", "p1", "--name", "p1a", IMAGE, "sleep", "61")
    out = podman.ok("run", "--rm", "--pod", "p1", IMAGE, "sh", "-c", "hostname; ps -o args | grep -c 'sleep [6]1'")
    assert out == "podhost\n1\n"
    look = ("sh", "-c", "for kind in net ipc uts pid; do readlink /proc/self/ns/$kind; done")
    assert podman.ok("exec", "p1a", *look) == podman.ok("run", "--rm", "--pod", "p1", IMAGE, *look)
    podman.ok("pod", "pause", "p1")
    podman.ok("pod", "unpause", "p1")
    podman.ok("pod", "stop", "-t", "0", "p1")
    podman.ok("pod", "start", "p1")
    assert podman.ok("exec", "p1a", "echo", "again") == "again\n"
    podman.ok("pod", "rm", "-f", "-t", "0", "p1")


def test_a_pod_without_a_first_container(podman):
    podman.ok("pod", "create", "--infra=false", "--name", "p2")
    assert podman.ok("run", "--rm", "--pod", "p2", IMAGE, "echo", "in") == "in\n"
    podman.ok("pod", "rm", "-f", "-t", "0", "p2")


def test_kube_play_and_down(podman):
    (podman.base / "kube.yaml").write_text(KUBE)
    podman.ok("kube", "play", "--network", "none", podman.base / "kube.yaml")
    assert podman.ok("exec", "kube-a", "sh", "-c", "echo $A") == "b\n"
    assert podman.inspect("kube-b", "{{.HostConfig.Memory}}") == str(64 << 20)
    podman.ok("kube", "play", "--down", podman.base / "kube.yaml")
    assert podman.ok("ps", "-aq") == ""
