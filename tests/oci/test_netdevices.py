# SPDX-License-Identifier: Apache-2.0
"""Network devices of the host that move into the container, and Intel RDT where there is none."""
import os
import shutil
import subprocess
import uuid

import pytest


def ip(*args, check=True):
    return subprocess.run(["ip", *args], capture_output=True, text=True, check=check)


@pytest.fixture
def device():
    """One end of a pair, with addresses of both kinds; it goes with the namespace it was moved into."""
    if shutil.which("ip") is None:
        pytest.skip("iproute2 is not installed")
    name = f"mr{uuid.uuid4().hex[:8]}"
    if ip("link", "add", name, "type", "veth", "peer", "name", f"{name}p", check=False).returncode != 0:
        pytest.skip("no pair of network devices can be made")
    ip("addr", "add", "192.0.2.7/28", "brd", "+", "dev", name)
    ip("addr", "add", "192.0.2.9/28", "dev", name)
    ip("-6", "addr", "add", "2001:db8::5/64", "dev", name, "nodad", check=False)
    ip("link", "set", name, "mtu", "1400")
    ip("link", "set", f"{name}p", "up")
    ip("link", "set", name, "up")
    yield name
    ip("link", "del", name, check=False)


def test_a_device_moves_with_its_addresses(runtime, bundle, device):
    bundle.linux["netDevices"] = {device: {"name": "inner0"}}
    out = runtime.run(bundle.shell("ip addr show inner0"))
    assert out.returncode == 0, out.stderr
    assert "inet 192.0.2.7/28 brd 192.0.2.15" in out.stdout and "inet 192.0.2.9/28" in out.stdout
    assert "mtu 1400" in out.stdout and ",UP" in out.stdout.split(">")[0]
    if os.path.exists("/proc/net/if_inet6"):
        assert "2001:db8::5/64" in out.stdout
    assert ip("link", "show", device, check=False).returncode != 0


def test_it_keeps_its_name(runtime, bundle, device):
    bundle.linux["netDevices"] = {device: {}}
    assert "192.0.2.7" in runtime.run(bundle.args("ip", "addr", "show", device)).stdout


def test_into_a_user_namespace(runtime, bundle, own_rootfs, device):
    own_rootfs.chmod(0o755)
    bundle.linux["namespaces"].append({"type": "user"})
    bundle.linux["uidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    bundle.linux["gidMappings"] = bundle.linux["uidMappings"]
    bundle.linux["netDevices"] = {device: {}}
    out = runtime.run(bundle.args("ip", "addr", "show", device))
    assert "192.0.2.7" in out.stdout, out.stderr


def test_a_name_that_is_taken_is_told(runtime, bundle, device):
    bundle.linux["netDevices"] = {device: {"name": "lo"}}
    out = runtime.run(bundle)
    assert out.returncode == 1 and f"move network device {device}" in out.stderr
    assert "192.0.2.7" in ip("addr", "show", device).stdout, "it stays as it was"


def test_the_kernel_finds_a_number(runtime, bundle, device):
    bundle.linux["netDevices"] = {device: {"name": "inner%d"}}
    out = runtime.run(bundle.args("ip", "addr", "show", "inner0"))
    assert out.returncode == 0, out.stderr
    assert "inet 192.0.2.7/28 brd 192.0.2.15" in out.stdout and ",UP" in out.stdout.split(">")[0]


@pytest.mark.parametrize("name", ["lo%d", "%d"])
def test_a_number_that_is_free(runtime, bundle, device, name):
    bundle.linux["netDevices"] = {device: {"name": name}}
    assert f" {name.replace('%d', '0')}: " in runtime.run(bundle.args("ip", "link")).stdout.replace("@", ": ")


@pytest.mark.parametrize("name", ["a%", "a%s", "a%d%d", "a%%d", "a/b", ".", "a" * 16, "a b"])
def test_what_is_no_name_is_refused(runtime, bundle, name):
    bundle.linux["netDevices"] = {"eth0": {"name": name}}
    out = runtime.run(bundle)
    assert out.returncode == 1 and "$.linux.netDevices" in out.stderr


def test_a_device_that_is_not_there_is_told(runtime, bundle):
    bundle.linux["netDevices"] = {"mr-none": {}}
    out = runtime.run(bundle)
    assert out.returncode == 1 and "'mr-none'" in out.stderr


def test_it_needs_a_network_namespace(runtime, bundle, device):
    bundle.namespaces("network")
    bundle.linux["netDevices"] = {device: {}}
    out = runtime.run(bundle)
    assert out.returncode == 1 and "$.linux.netDevices" in out.stderr


def test_without_resctrl_a_share_of_the_cache_is_refused(runtime, bundle):
    if os.path.exists("/sys/fs/resctrl/schemata"):
        pytest.skip("resctrl is mounted")
    bundle.linux["intelRdt"] = {"l3CacheSchema": "L3:0=f"}
    out = runtime.run(bundle)
    assert out.returncode == 1 and "$.linux.intelRdt" in out.stderr
