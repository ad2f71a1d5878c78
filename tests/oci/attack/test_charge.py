# SPDX-License-Identifier: Apache-2.0
"""In whose control group something is done that a container or its image decides over: in the container's, so that its limits
and its device rules hold."""
import json

import pytest

from attacklib import both
from ocilib import need_cgroupfs

LIMIT = 24 << 20
MORE = 96 << 20


@pytest.fixture
def huge(bundle, own_rootfs):
    """A directory of the image, of which a copy in memory is more than the container may have."""
    need_cgroupfs()
    (own_rootfs / "data").mkdir()
    with open(own_rootfs / "data" / "big", "wb") as f:
        f.truncate(MORE)
    bundle.linux["resources"] = {"memory": {"limit": LIMIT, "swap": LIMIT}}
    return {"destination": "/data", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"]}


@both("copyup")
def test_what_is_copied_up_is_charged_to_the_container(attacked, bundle, huge):
    """Nothing before it shows the groups, so they need not be there yet."""
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["type"] != "cgroup"] + [huge]
    out = attacked.run(bundle.shell("wc -c </data/big"))
    assert (out.stdout.strip() == str(MORE)) != attacked.defended, out.stderr
    if attacked.defended:
        assert "memory" in out.stderr


@both("charge")
def test_nor_what_is_copied_up_later(attacked, bundle, huge, tmp_path):
    name = attacked.start_detached(bundle.args("sleep", "60"))
    (tmp_path / "mounts.json").write_text(json.dumps([huge]))
    out = attacked("mounts", "add", name, tmp_path / "mounts.json")
    assert (out.returncode == 0) != attacked.defended, out.stderr


def test_a_paused_container_does_not_hold_up_who_mounts(runtime, bundle, tmp_path):
    name = runtime.start_detached(bundle.args("sleep", "60"))
    runtime.ok("pause", name)
    (tmp_path / "mounts.json").write_text(json.dumps([{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}]))
    out = runtime("mounts", "add", name, tmp_path / "mounts.json", timeout=20)
    assert out.returncode == 1 and "paused" in out.stderr
    runtime.ok("resume", name)
    runtime.ok("mounts", "add", name, tmp_path / "mounts.json")
