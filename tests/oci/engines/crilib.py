# SPDX-License-Identifier: Apache-2.0
"""
A client of Kubernetes' container runtime interface (CRI, runtime.v1), as much of it as the tests call.

Nothing of gRPC is needed but curl: a call is a POST over HTTP/2 on a unix socket, its body one message with five bytes before
it, the status in the trailer. Messages are protobuf by hand: each is a table of its fields' names and numbers, by which a
dictionary is packed and unpacked; what the table does not name is left out.
"""
import hashlib
import io
import json
import re
import subprocess
import tarfile
import urllib.parse

NAMESPACES = {"network": 1, "pid": 2, "ipc": 3}
POD, CONTAINER, NODE = range(3)  # whose namespace
NUMBER = {"value": 1}
METADATA = {"name": 1, "uid": 2, "namespace": 3}
RESOURCES = {"cpu_period": 1, "cpu_quota": 2, "cpu_shares": 3, "memory_limit_in_bytes": 4, "oom_score_adj": 5}
SANDBOX = {
    "metadata": (1, METADATA), "hostname": 2, "log_directory": 3,
    "linux": (8, {"cgroup_parent": 1, "security_context": (2, {"namespace_options": (1, NAMESPACES), "privileged": 6})}),
}
SECURITY = {
    "capabilities": (1, {"add": 1, "drop": 2}), "privileged": 2, "namespace_options": (3, NAMESPACES), "run_as_user": (5, NUMBER),
    "readonly_rootfs": 7, "supplemental_groups": 8, "no_new_privs": 11, "run_as_group": (12, NUMBER),
}
CONFIG = {
    "metadata": (1, {"name": 1}), "image": (2, {"image": 1}), "command": 3, "args": 4, "working_dir": 5,
    "envs": (6, {"key": 1, "value": 2}), "mounts": (7, {"container_path": 1, "host_path": 2, "readonly": 3}),
    "log_path": 11, "linux": (15, {"resources": (1, RESOURCES), "security_context": (2, SECURITY)}),
}
BY_SANDBOX, BY_CONTAINER = {"pod_sandbox_id": 1}, {"container_id": 1}
# What is asked and what is answered.
CALLS = {
    "Version": ({}, {"runtime_name": 2, "runtime_version": 3}),
    "RunPodSandbox": ({"config": (1, SANDBOX), "runtime_handler": 2}, BY_SANDBOX),
    "PodSandboxStatus": (BY_SANDBOX, {"status": (1, {"id": 1, "state": 3, "network": (5, {"ip": 1})})}),
    "ListPodSandbox": ({}, {"items": (1, {"id": 1, "state": 3})}),
    "StopPodSandbox": (BY_SANDBOX, {}),
    "RemovePodSandbox": (BY_SANDBOX, {}),
    "CreateContainer": ({"pod_sandbox_id": 1, "config": (2, CONFIG), "sandbox_config": (3, SANDBOX)}, BY_CONTAINER),
    "StartContainer": (BY_CONTAINER, {}),
    "StopContainer": ({"container_id": 1, "timeout": 2}, {}),
    "RemoveContainer": (BY_CONTAINER, {}),
    "ListContainers": ({}, {"containers": (1, {"id": 1, "state": 6})}),
    "ContainerStatus": (BY_CONTAINER, {"status": (1, {"id": 1, "state": 3, "exit_code": 7, "reason": 10, "message": 11})}),
    "UpdateContainerResources": ({"container_id": 1, "linux": (2, RESOURCES)}, {}),
    "ExecSync": ({"container_id": 1, "cmd": 2, "timeout": 3}, {"stdout": 1, "stderr": 2, "exit_code": 3}),
    "ContainerStats": (BY_CONTAINER, {"stats": (1, {"memory": (3, {"working_set_bytes": (2, NUMBER)})})}),
}
CREATED, RUNNING, EXITED = range(3)
READY, NOTREADY = range(2)


def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out) + bytes([n])


def pack(fields, values):
    """The message of those values; a list is a field repeated."""
    out = b""
    for name, value in values.items():
        number, below = fields[name] if isinstance(fields[name], tuple) else (fields[name], None)
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(one, int):
                out += varint(number << 3) + varint(one)
            else:
                data = pack(below, one) if below is not None else str(one).encode()
                out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def raw_fields(data):
    """(number, integer or bytes) of each field of a message."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        if key & 7 == 0:
            value, at = read_varint(data, at)
        else:
            size, at = {1: (8, at), 5: (4, at)}.get(key & 7) or read_varint(data, at)
            value, at = data[at:at + size], at + size
        yield key >> 3, value


def unpack(fields, data):
    """{name: list of values}, with strings as text."""
    found = {}
    names = {(f[0] if isinstance(f, tuple) else f): (name, f) for name, f in fields.items()}
    for number, value in raw_fields(data):
        if number in names:
            name, field = names[number]
            if isinstance(field, tuple):
                value = unpack(field[1], value)
            elif isinstance(value, bytes):
                value = value.decode()
            found.setdefault(name, []).append(value)
    return found


class Refused(Exception):
    """The status was not 0; what was said."""


class Cri:
    """Calls on a socket, each of which must succeed; the answers' values are read by first()."""

    def __init__(self, session, socket):
        self.session = session
        self.socket = socket

    def __call__(self, method, seconds=60, **values):
        asked, answered = CALLS[method]
        body = pack(asked, values)
        command = [*self.session.enter, "curl", "-sS", "-i", "--http2-prior-knowledge", "--max-time", str(seconds), "--unix-socket",
                   self.socket, "-H", "content-type: application/grpc", "-H", "te: trailers", "--data-binary", "@-",
                   f"http://localhost/runtime.v1.RuntimeService/{method}"]
        result = subprocess.run(list(map(str, command)), input=b"\0" + len(body).to_bytes(4, "big") + body, capture_output=True,
                                timeout=seconds + 10, check=False)
        head, _, rest = result.stdout.partition(b"\r\n\r\n")
        # The trailers come after the message, or are all there is.
        said = re.search(rb"(?i)grpc-status: *(\d+)", head + b"\n" + rest[-4096:])
        if result.returncode != 0 or said is None or said[1] != b"0":
            words = re.search(rb"(?i)grpc-message: *([^\r\n]*)", head + b"\n" + rest) or [b"", result.stderr]
            raise Refused(f"{method}: {urllib.parse.unquote(words[1].decode())}")
        size = int.from_bytes(rest[1:5], "big")
        return unpack(answered, rest[5:5 + size])


def first(answer, *names, default=""):
    """One value of an answer; what is not sent is the default of its type."""
    for name in names:
        if name not in answer:
            return default
        answer = answer[name][0]
    return answer


def image_archive(path, name, root_tar, command):
    """An image of one layer as docker saves it, for `ctr images import`."""
    layer = root_tar.read_bytes()
    config = {"architecture": "amd64", "os": "linux", "config": {"Cmd": command, "Env": ["PATH=/bin"]},
              "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as tar:
        for file, data in (("config.json", json.dumps(config).encode()), ("manifest.json", json.dumps(manifest).encode()),
                           ("layer.tar", layer)):
            entry = tarfile.TarInfo(file)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path
