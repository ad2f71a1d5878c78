# SPDX-License-Identifier: Apache-2.0
"""The six hooks: order, place, state, failure, time."""
import json
import os

import pytest

KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


def hook(script, **more):
    return {"path": "/bin/sh", "args": ["sh", "-c", script], **more}


def test_order_and_state(runtime, bundle, own_rootfs, tmp_path):
    log = tmp_path / "log"
    line = 'printf "%s\\n" "KIND $(cat)" >> FILE'  # in one write: poststart and the process are side by side
    bundle.mount(destination="/log", type="bind", source=str(tmp_path), options=["bind"])
    bundle.config["hooks"] = {
        k: [hook(line.replace("KIND", k).replace(
            "FILE", "/log/log" if k == "startContainer" else str(log)))] for k in KINDS}
    out = runtime.run(bundle.shell("echo process >> /log/log"))
    assert out.returncode == 0, out.stderr
    rows = log.read_text().splitlines()
    names = [r.split()[0] for r in rows]
    assert names[:4] == ["prestart", "createRuntime", "createContainer", "startContainer"]
    assert set(names[4:6]) == {"poststart", "process"}
    assert names[6] == "poststop"
    states = {r.split()[0]: json.loads(r.split(" ", 1)[1]) for r in rows if "{" in r}
    assert states["prestart"]["status"] == "created" and states["prestart"]["pid"] > 1
    assert states["poststop"]["status"] == "stopped"
    assert states["poststart"]["bundle"] == str(bundle.path)


@pytest.mark.parametrize("kind", KINDS[:5])
def test_a_failing_hook_stops_the_start_and_says_why(runtime, bundle, kind):
    bundle.config["hooks"] = {kind: [hook("echo it is raining >&2; exit 4")]}
    out = runtime.run(bundle.args("sleep", "60"))
    assert out.returncode == 1
    assert f"$.hooks.{kind}[0]" in out.stderr
    assert "failed with exit code 4" in out.stderr and "it is raining" in out.stderr


def test_a_slow_hook_is_ended(runtime, bundle):
    bundle.config["hooks"] = {"createRuntime": [hook("sleep 60", timeout=1)]}
    out = runtime.run(bundle)
    assert out.returncode == 1 and "1 s" in out.stderr


def test_the_environment_of_a_hook_is_its_own(runtime, bundle, tmp_path):
    bundle.config["hooks"] = {"prestart": [hook(f"/usr/bin/env > {tmp_path}/env", env=["A=b"])]}
    assert runtime.run(bundle).returncode == 0
    text = (tmp_path / "env").read_text().splitlines()
    assert "A=b" in text and not [l for l in text if l.startswith("HOME=")]


def test_a_hook_without_an_environment_has_the_runtime_s(runtime, bundle, tmp_path):
    bundle.config["hooks"] = {"prestart": [hook(f"echo $MARK > {tmp_path}/mark")]}
    assert runtime.run(bundle, env=dict(os.environ, MARK="here")).returncode == 0
    assert (tmp_path / "mark").read_text() == "here\n"


def test_but_in_the_container_it_has_that_of_the_process(runtime, bundle, own_rootfs):
    bundle.config["hooks"] = {"startContainer": [hook("env > /env")]}
    bundle.process["env"] = ["PATH=/bin", "MINE=yes"]
    assert runtime.run(bundle, env=dict(os.environ, MARK="here")).returncode == 0
    assert {"MINE=yes", "PATH=/bin"} <= set((own_rootfs / "env").read_text().split())
    assert "MARK" not in (own_rootfs / "env").read_text()


def test_createContainer_sees_the_mounts_of_the_root(runtime, bundle, own_rootfs):
    bundle.config["hooks"] = {"createContainer": [
        hook(f"test -e {own_rootfs}/proc/self && mount -t tmpfs -o size=4k none {own_rootfs}/run")]}
    out = runtime.run(bundle.shell("grep ' /run ' /proc/mounts"))
    assert out.returncode == 0, out.stderr


def test_the_hooks_of_the_host_are_in_the_bundle(runtime, bundle, tmp_path):
    # That of createContainer, too, as crun has it: runc starts it in the root.
    bundle.config["hooks"] = {k: [hook(f"pwd > {tmp_path}/{k}")] for k in KINDS if k != "startContainer"}
    assert runtime.run(bundle, cwd="/").returncode == 0
    for kind in bundle.config["hooks"]:
        assert (tmp_path / kind).read_text().strip() == str(bundle.path), kind
        (tmp_path / kind).unlink()
    name = runtime.create(bundle)
    runtime.ok("start", name, cwd="/")
    runtime.wait_for(name, "stopped")
    runtime.ok("delete", name, cwd="/")
    for kind in bundle.config["hooks"]:
        assert (tmp_path / kind).read_text().strip() == str(bundle.path), kind


def test_a_failing_poststop_is_a_warning(runtime, bundle, tmp_path):
    bundle.config["hooks"] = {"poststop": [hook("exit 4"), hook(f"touch {tmp_path}/second")]}
    out = runtime.run(bundle)
    assert out.returncode == 0
    assert "warning" in out.stderr and "$.hooks.poststop[0]" in out.stderr
    assert (tmp_path / "second").exists()


def test_a_failing_poststart_ends_and_removes_the_container(runtime, bundle):
    bundle.config["hooks"] = {"poststart": [hook("exit 4")]}
    name = runtime.create(bundle.args("sleep", "60"))
    out = runtime("start", name)
    assert out.returncode == 1 and "$.hooks.poststart[0]" in out.stderr
    assert "does not exist" in runtime("state", name).stderr
