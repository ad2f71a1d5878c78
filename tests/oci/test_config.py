# SPDX-License-Identifier: Apache-2.0
"""A wrong config.json: one line with the JSON path, status 1, and nothing is left behind."""
import json
import time

import pytest

from ocilib import cgroups_named


def at(config, path, value):
    """Sets the value at a dotted path; numbers index lists."""
    *way, last = path.split(".")
    for key in way:
        config = config[int(key)] if isinstance(config, list) else config.setdefault(key, {})
    config[int(last) if isinstance(config, list) else last] = value


WRONG = [
    ("ociVersion", "2.0.0", "$.ociVersion"),
    ("ociVersion", None, "ociVersion"),
    ("root", None, "root"),
    ("root.path", 5, "$.root.path"),
    ("hostname", ["x"], "$.hostname"),
    ("process.args", [], "$.process.args"),
    ("process.args", "sh", "$.process.args"),
    ("process.args", ["a\0b"], "config.json: line 1"),
    ("process.cwd", "tmp", "$.process.cwd"),
    ("process.env", {"A": "b"}, "$.process.env"),
    ("process.user.uid", "root", "$.process.user.uid"),
    ("process.user.uid", -1, "$.process.user.uid"),
    ("process.user.gid", 2**32, "$.process.user.gid"),
    ("process.user.additionalGids", [2**64], "config.json: line 1"),
    ("process.user.additionalGids", [2**64 - 1], "$.process.user.additionalGids[0]"),
    ("process.capabilities.bounding", "ALL", "$.process.capabilities.bounding"),
    ("process.rlimits", [{"type": "RLIMIT_NOPE", "soft": 1, "hard": 1}], "$.process.rlimits[0]"),
    ("process.oomScoreAdj", 5000, "$.process.oomScoreAdj"),
    ("process.terminal", "yes", "$.process.terminal"),
    ("mounts", {}, "$.mounts"),
    ("mounts.0.destination", "", "$.mounts[0].destination"),
    ("mounts.1.options", ["ro", 5], "$.mounts[1].options[1]"),
    ("hooks.prestart", [{"path": "relative"}], "$.hooks.prestart[0].path"),
    ("annotations", {"a": 5}, "$.annotations.a"),
    ("linux.namespaces", [{"type": "planet"}], "$.linux.namespaces[0].type"),
    ("linux.namespaces", [{"type": "pid"}, {"type": "pid"}], "$.linux.namespaces[1]"),
    ("linux.uidMappings", [{"containerID": 0, "hostID": 0, "size": 1}], "$.linux.uidMappings"),
    ("linux.devices", [{"path": "/dev/x", "type": "q"}], "$.linux.devices[0].type"),
    ("linux.sysctl", {"vm.overcommit_memory": "1"}, "$.linux.sysctl"),
    ("linux.maskedPaths", ["proc"], "$.linux.maskedPaths[0]"),
    ("linux.rootfsPropagation", "nowhere", "$.linux.rootfsPropagation"),
    ("linux.resources", {"memory": {"limit": "1G"}}, "$.linux.resources.memory.limit"),
    ("linux.resources", {"cpu": {"cpus": "x"}}, "$.linux.resources.cpu.cpus"),
    ("linux.seccomp", {"defaultAction": "DENY"}, "$.linux.seccomp.defaultAction"),
    ("linux.timeOffsets", {"boottime": {"secs": 1}}, "$.linux.timeOffsets"),
]


@pytest.mark.parametrize("path, value, text", WRONG, ids=[f"{p}={v!r}"[:60] for p, v, _ in WRONG])
def test_a_wrong_value_is_refused_by_its_path(runtime, bundle, path, value, text):
    at(bundle.config, path, value)
    bundle.save()
    for verb in ("create", "run"):
        name = runtime.new_id()
        result = runtime(verb, "--bundle", bundle.path, name)
        assert result.returncode == 1
        assert text in result.stderr, result.stderr
        assert result.stderr.count("\n") == 1
    assert not runtime.root.exists() or list(runtime.root.iterdir()) == []
    assert cgroups_named(set(runtime.ids)) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"ociVersion":"1.0.0"', "\xff", "{}x"])
def test_what_is_no_config_is_refused(runtime, bundle, text):
    (bundle.path / "config.json").write_bytes(text.encode("latin-1"))
    result = runtime("run", "--bundle", bundle.path, runtime.new_id())
    assert result.returncode == 1 and result.stderr.count("\n") == 1


def test_a_missing_config_or_bundle_is_refused(runtime, bundle, tmp_path):
    result = runtime("run", "--bundle", tmp_path / "none", runtime.new_id())
    assert result.returncode == 1 and "none" in result.stderr
    (bundle.path / "config.json").unlink()
    result = runtime("run", "--bundle", bundle.path, runtime.new_id())
    assert result.returncode == 1 and "config.json" in result.stderr


def test_hundred_thousand_mappings_are_refused_at_once(runtime, bundle):
    bundle.linux["namespaces"].append({"type": "user"})
    bundle.linux["uidMappings"] = [
        {"containerID": i, "hostID": i, "size": 1} for i in range(100000)
    ]
    bundle.save()
    start = time.monotonic()
    result = runtime("run", "--bundle", bundle.path, runtime.new_id())
    assert result.returncode == 1
    assert time.monotonic() - start < 5


def test_a_huge_config_is_refused_at_once(runtime, bundle):
    bundle.config["annotations"] = {"a": "x" * (8 << 20)}
    bundle.save()
    start = time.monotonic()
    result = runtime("run", "--bundle", bundle.path, runtime.new_id())
    assert result.returncode == 1 and "config.json" in result.stderr
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("version", ["1.0.0", "1.0.2-dev", "1.2.0", "1.3.0", "1.42.0"])
def test_any_version_one_runs(runtime, bundle, version):
    bundle.config["ociVersion"] = version
    assert runtime.run(bundle).returncode == 0


def test_unknown_keys_are_extensions(runtime, bundle):
    bundle.config["x-vendor"] = {"a": 1}
    bundle.process["x"] = 1
    bundle.linux["x"] = []
    bundle.config["windows"] = {"layerFolders": 5}
    assert runtime.run(bundle).returncode == 0


def test_an_unknown_capability_is_a_warning(runtime, bundle):
    bundle.process["capabilities"]["bounding"].append("CAP_FUTURE")
    result = runtime.run(bundle)
    assert result.returncode == 0
    assert "warning" in result.stderr and "CAP_FUTURE" in result.stderr


def test_large_numbers_of_go_programs_are_accepted(runtime, bundle):
    bundle.process["rlimits"] = [{"type": "RLIMIT_CORE", "soft": 0, "hard": 2**64 - 1}]
    bundle.linux["resources"]["memory"] = {"swappiness": 2**64 - 1}
    result = runtime.run(bundle)
    # the hard limit of whoever runs this may be lower and cannot be raised then
    assert result.returncode == 0 or "RLIMIT_CORE" in result.stderr, result.stderr
    assert json.loads((bundle.path / "config.json").read_text())
