# SPDX-License-Identifier: Apache-2.0
"""The systemd cgroup manager, against a bus of our own that does what systemd would with the groups."""
import json
import os
import pathlib
import socket
import struct
import threading

import pytest

from ocilib import Runtime, need_root, need_runtime, restoring_criu

UNIFIED = os.path.exists("/sys/fs/cgroup/cgroup.controllers")

TOP = pathlib.Path("/sys/fs/cgroup" if UNIFIED else "/sys/fs/cgroup/systemd")
ALIGN = {"y": 1, "g": 1, "v": 1, "b": 4, "u": 4, "s": 4, "o": 4, "a": 4, "t": 8, "(": 8}


class Reader:
    """Values of a signature out of bytes, little-endian."""

    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def number(self, n):
        self.at += -self.at % n
        self.at += n
        return int.from_bytes(self.data[self.at - n:self.at], "little")

    def text(self, n):
        self.at += n + 1
        return self.data[self.at - n - 1:self.at - 1].decode()

    def one(self, sig):
        """The value of the first complete type of sig, and what is left of sig."""
        kind, rest = sig[0], sig[1:]
        if kind in "so":
            return self.text(self.number(4)), rest
        if kind == "g":
            return self.text(self.number(1)), rest
        if kind == "v":
            return self.one(self.text(self.number(1)))[0], rest
        if kind == "b":
            return bool(self.number(4)), rest
        if kind in "yut":
            return self.number(ALIGN[kind]), rest
        self.at += -self.at % ALIGN[kind]
        if kind == "(":
            out = []
            while rest[0] != ")":
                value, rest = self.one(rest)
                out.append(value)
            return tuple(out), rest[1:]
        end, out = self.number(4), []
        self.at += -self.at % ALIGN[rest[0]]
        end += self.at
        left = self.skip(rest)
        while self.at < end:
            out.append(self.one(rest)[0])
        return out, left

    @staticmethod
    def skip(sig):
        if sig[0] == "a":
            return Reader.skip(sig[1:])
        if sig[0] != "(":
            return sig[1:]
        depth = 0
        for i, c in enumerate(sig):
            depth += (c == "(") - (c == ")")
            if depth == 0:
                return sig[i + 1:]
        raise ValueError(sig)

    def all(self, sig):
        out = []
        while sig:
            value, sig = self.one(sig)
            out.append(value)
        return out


def pad(data, n):
    return data + bytes(-len(data) % n)


def string(text):
    return struct.pack("<I", len(text)) + text.encode() + b"\0"


def message(kind, serial, fields, body=b""):
    """fields: number -> (signature, value)."""
    out = b""
    for number, (sig, value) in fields.items():
        out = pad(out, 8) + bytes([number, len(sig)]) + sig.encode() + b"\0"
        if sig == "u":
            out = pad(out, 4) + struct.pack("<I", value)
        elif sig == "g":
            out += bytes([len(value)]) + value.encode() + b"\0"
        else:
            out = pad(out, 4) + string(value)
    return pad(struct.pack("<cBBBIII", b"l", kind, 0, 1, len(body), serial, len(out)) + out, 8) + body


class Systemd(threading.Thread):
    def __init__(self, path):
        super().__init__(daemon=True)
        self.calls, self.units, self.fail, self.version = [], {}, None, "252.38-1~deb12u1"
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen(8)
        self.serial = 0

    def run(self):
        while True:
            try:
                peer = self.socket.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        stream = peer.makefile("rb")
        line = stream.readline()
        assert line == b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\n"
        peer.sendall(b"OK 0123456789abcdef\r\n")
        assert stream.readline() == b"BEGIN\r\n"
        while True:
            head = stream.read(16)
            if len(head) < 16:
                return
            _, kind, _, _, body_n, serial, fields_n = struct.unpack("<cBBBIII", head)
            fields_data = head + stream.read(fields_n + -fields_n % 8)
            reader = Reader(fields_data[:16 + fields_n], 12)
            fields = dict(reader.one("a(yv)")[0])
            body = Reader(stream.read(body_n)).all(fields.get(8, ""))
            assert kind == 1
            self.answer(peer, serial, fields[3], body)

    def send(self, peer, kind, fields, body=b""):
        self.serial += 1
        peer.sendall(message(kind, self.serial, fields, body))

    def answer(self, peer, serial, member, body):
        self.calls.append((member, body))
        job = "/org/freedesktop/systemd1/job/7"
        if member == self.fail:
            self.send(peer, 3, {4: ("s", "org.freedesktop.systemd1.Broken"), 5: ("u", serial), 8: ("g", "s")},
                      string("it rains"))
        elif member == "Get":
            self.send(peer, 2, {5: ("u", serial), 8: ("g", "v")}, b"\1s\0\0" + string(self.version))
        elif member in ("StartTransientUnit", "StopUnit"):
            (self.start_unit if member == "StartTransientUnit" else self.stop_unit)(body)
            self.send(peer, 2, {5: ("u", serial), 8: ("g", "o")}, string(job))
            removed = pad(struct.pack("<I", 7) + string(job), 4) + string(body[0])
            self.send(peer, 4, {1: ("o", "/org/freedesktop/systemd1"), 2: ("s", "org.freedesktop.systemd1.Manager"),
                                3: ("s", "JobRemoved"), 8: ("g", "uoss")}, pad(removed, 4) + string("done"))
        else:
            self.send(peer, 2, {5: ("u", serial), 8: ("g", "s")}, string(":1.1"))

    def start_unit(self, body):
        properties = dict(body[2])
        group = TOP / properties["Slice"] / body[0]
        group.mkdir(parents=True)
        (group / "cgroup.procs").write_text(str(properties["PIDs"][0]))
        self.units[body[0]] = group

    def stop_unit(self, body):
        group = self.units.pop(body[0])
        if group.exists():
            group.rmdir()

    def properties(self, member, index):
        found = [body for name, body in self.calls if name == member]
        assert found, [name for name, _ in self.calls]
        return dict(found[0][index])


@pytest.fixture
def systemd(short_dir, monkeypatch):
    need_root()
    need_runtime()
    if not TOP.is_dir():
        pytest.skip(f"there is no {TOP}")
    s = Systemd(short_dir / "bus")
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={short_dir}/bus")
    s.start()
    yield s
    s.socket.shutdown(socket.SHUT_RDWR)  # which ends the thread's accept, unlike close
    s.join(timeout=20)
    s.socket.close()


@pytest.fixture
def managed(runtime, systemd, bundle):
    """The runtime with the manager, and a slice that is removed afterwards."""
    runtime.options = ["--systemd-cgroup"]
    slice_name = f"mr{os.getpid()}.slice"
    runtime.slice = slice_name
    bundle.linux["cgroupsPath"] = f"{slice_name}:test:x{os.getpid()}"
    bundle.linux["resources"]["memory"] = {"limit": 64 << 20}
    bundle.linux["resources"]["pids"] = {"limit": 50}
    yield runtime
    runtime.clean_up()
    for top in {TOP, *(p for p in pathlib.Path("/sys/fs/cgroup").iterdir() if p.is_dir())}:
        group = top / slice_name
        if group.is_dir():
            group.rmdir()


def test_a_scope_holds_the_container(managed, bundle, systemd):
    name = managed.start_detached(bundle.args("sleep", "60"))
    unit = f"test-x{os.getpid()}.scope"
    properties = systemd.properties("StartTransientUnit", 2)
    assert properties["Slice"] == managed.slice and properties["Delegate"] is True
    assert properties["MemoryMax" if UNIFIED else "MemoryLimit"] == 64 << 20
    assert properties["TasksMax"] == 50
    pids = (systemd.units[unit] / "cgroup.procs").read_text().split()
    assert pids == [str(managed.state(name)["pid"])]
    stats = json.loads(managed.ok("events", "--stats", name))["data"]
    assert stats["memory"]["usage"]["limit"] == 64 << 20 and stats["pids"]["limit"] == 50
    managed.ok("pause", name)
    managed.ok("resume", name)
    assert managed.ok("exec", name, "cat", "/proc/self/cgroup").count(unit) >= 0
    managed.ok("delete", "--force", name)
    assert "StopUnit" in [c[0] for c in systemd.calls] and systemd.units == {}


@pytest.mark.parametrize("mode", ["soft", "ignore"])
def test_a_restored_container_is_in_a_scope(managed, bundle, systemd, tmp_path, mode):
    program, images = restoring_criu(tmp_path)
    name = managed.new_id()
    managed.outputs(bundle.args("sleep", "60").save(), "--criu", program, "restore", "--detach", "--manage-cgroups-mode", mode,
                    "--image-path", images, "--bundle", bundle.path, name)
    group = systemd.units[f"test-x{os.getpid()}.scope"]
    assert (group / "cgroup.procs").read_text().split() == [str(managed.state(name)["pid"])]
    assert systemd.properties("StartTransientUnit", 2)["MemoryMax" if UNIFIED else "MemoryLimit"] == 64 << 20
    managed.ok("delete", "--force", name)
    assert systemd.units == {} and not group.exists()


@pytest.mark.parametrize("spoil", [lambda f: f.write_text("{"), lambda f: f.unlink()], ids=["damaged", "missing"])
def test_a_scope_whose_state_is_lost_is_stopped_by_force(managed, bundle, systemd, spoil):
    name = managed.start_detached(bundle.args("sleep", "60"))
    spoil(managed.root / name / "state.json")
    managed.options = []  # whoever cleans up need not know how it was made
    managed.ok("delete", "--force", name)
    assert [f"test-x{os.getpid()}.scope", "replace"] in [body for name, body in systemd.calls if name == "StopUnit"]
    assert systemd.units == {}
    assert not (managed.root / name).exists()


def test_update_is_told_to_systemd(managed, bundle, systemd):
    name = managed.start_detached(bundle.args("sleep", "60"))
    managed.ok("update", "--memory", "32M", name)
    assert systemd.properties("SetUnitProperties", 2)["MemoryMax" if UNIFIED else "MemoryLimit"] == 32 << 20


@pytest.mark.parametrize("version, known", [("252.38-1~deb12u1", True), ("v244", True), ("239 (239-82.el8)", False)])
def test_an_older_systemd_is_not_told_what_it_does_not_know(managed, bundle, systemd, version, known):
    systemd.version = version
    bundle.linux["resources"]["cpu"] = {"quota": 50000, "period": 100000, "cpus": "0-1", "mems": "0"}
    managed.start_detached(bundle.args("sleep", "60"))
    properties = systemd.properties("StartTransientUnit", 2)
    assert properties.get("AllowedCPUs") == ([3] if known and UNIFIED else None)
    assert properties.get("CPUQuotaPeriodUSec") == (100000 if known else None)
    assert properties["CPUQuotaPerSecUSec"] == 500000


def test_devices_and_annotations_are_told(managed, bundle, systemd):
    bundle.config["annotations"] = {"org.systemd.property.TimeoutStopSec": "3",
                                    "org.systemd.property.Documentation": "['man:sh(1)']"}
    managed.start_detached(bundle.args("sleep", "60"))
    _, body = next(call for call in systemd.calls if call[0] == "StartTransientUnit")
    properties = dict(body[2])
    assert properties["TimeoutStopUSec"] == 3000000 and properties["Documentation"] == ["man:sh(1)"]
    assert properties["DevicePolicy"] == "strict"
    assert [value for name, value in body[2] if name == "DeviceAllow"][0] == []
    assert ("/dev/char/1:3", "rwm") in properties["DeviceAllow"]


@pytest.mark.parametrize("member", ["StartTransientUnit", "Hello"])
def test_a_refusal_of_systemd_is_told_and_leaves_nothing(managed, bundle, systemd, member):
    systemd.fail = member
    out = managed.run(bundle)
    assert out.returncode == 1 and "org.freedesktop.systemd1.Broken: it rains" in out.stderr


def test_a_path_that_names_no_unit_is_refused(managed, bundle, systemd):
    bundle.linux["cgroupsPath"] = "/a/b"
    out = managed.run(bundle)
    assert out.returncode == 1 and "$.linux.cgroupsPath" in out.stderr and "SLICE:PREFIX:NAME" in out.stderr
    assert systemd.calls == []


def test_without_a_bus_the_start_is_refused(runtime, bundle, short_dir, monkeypatch):
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={short_dir}/none")
    other = Runtime(short_dir, options=["--cgroup-manager", "systemd"])
    other.root = runtime.root
    bundle.linux.pop("cgroupsPath", None)
    out = other.run(bundle)
    assert out.returncode == 1 and "none" in out.stderr
