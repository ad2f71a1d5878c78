# SPDX-License-Identifier: Apache-2.0
"""Scheduler, I/O priority, CPU affinity of exec, memory policy; read from the kernel by other means."""
import json
import os
import subprocess

import pytest

from ocilib import wait

SHOW = "cut -d ' ' -f 19,41 /proc/self/stat; ionice"


def show(runtime, bundle):
    out = runtime.run(bundle.shell(SHOW))
    assert out.returncode == 0, out.stderr
    return out.stdout.split("\n")


# Where a policy has no niceness, the one that was inherited stays.
@pytest.mark.parametrize("policy, more, expected", [
    ("SCHED_BATCH", {"nice": 7}, "7 3"),
    ("SCHED_IDLE", {}, "{inherited} 5"),
    ("SCHED_OTHER", {"nice": -3}, "-3 0"),
    ("SCHED_FIFO", {"priority": 5}, "{inherited} 1"),
    ("SCHED_RR", {"priority": 9, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}, None),
])
def test_the_scheduler(runtime, bundle, policy, more, expected):
    bundle.process["scheduler"] = {"policy": policy, **more}
    out = runtime.run(bundle.shell("exec cut -d ' ' -f 19,41 /proc/self/stat"))
    if "has not that much realtime left" in out.stderr:
        pytest.skip("the group of these tests may give away no realtime")
    assert out.returncode == 0, out.stderr
    if expected is not None:
        assert out.stdout.strip() == expected.format(inherited=os.nice(0))


REALTIME = "cpu/cpu.rt_runtime_us"


@pytest.mark.skipif(not os.path.exists("/sys/fs/cgroup/" + REALTIME), reason="no groups of realtime")
@pytest.mark.parametrize("given, has", [(None, "100000"), (20000, "20000")])
def test_a_group_of_v1_gets_realtime_where_the_process_wants_it(runtime, bundle, given, has):
    bundle.process["scheduler"] = {"policy": "SCHED_RR", "priority": 3}
    if given is not None:
        bundle.linux.setdefault("resources", {})["cpu"] = {"realtimeRuntime": given}
    name = runtime.start_detached(bundle.args("sleep", "60"))
    pid = runtime.state(name)["pid"]
    group = next(l.split(":")[2].strip() for l in open(f"/proc/{pid}/cgroup") if l.split(":")[1] == "cpu")
    assert open(f"/sys/fs/cgroup/cpu{group}/cpu.rt_runtime_us").read().strip() == has
    assert os.sched_getscheduler(pid) == os.SCHED_RR


@pytest.mark.skipif(not os.path.exists("/sys/fs/cgroup/" + REALTIME), reason="no groups of realtime")
def test_more_realtime_than_there_is_is_told(runtime, bundle):
    bundle.process["scheduler"] = {"policy": "SCHED_FIFO", "priority": 3}
    bundle.linux.setdefault("resources", {})["cpu"] = {"realtimeRuntime": 999999}
    out = runtime.run(bundle)
    assert out.returncode == 1 and "resources.cpu: the group above has not that much realtime left" in out.stderr


def test_what_the_kernel_refuses_is_told(runtime, bundle):
    bundle.process["scheduler"] = {"policy": "SCHED_DEADLINE", "runtime": 2000, "deadline": 3000, "period": 4000}
    out = runtime.run(bundle)  # shorter than any period may be
    assert out.returncode == 1 and "set the scheduler" in out.stderr


@pytest.mark.parametrize("given, said", [
    ({"deadline": 9000}, "requires `runtime`"),
    ({"runtime": 9000}, "requires `deadline`"),
    ({"runtime": 0, "deadline": 9000}, "greater than 0"),
    ({"runtime": 1023, "deadline": 9000}, "must be between 1024 and"),
    ({"runtime": 1 << 63, "deadline": 1 << 63}, "must be between 1024 and"),
    ({"runtime": 9000, "deadline": 8000, "period": 9000}, "must be <= the deadline"),
    ({"runtime": 7000, "deadline": 8000, "period": 7500}, "must be <= the period"),
])
def test_what_a_deadline_needs_is_told_with_its_numbers(runtime, bundle, given, said):
    bundle.process["scheduler"] = {"policy": "SCHED_DEADLINE", **given}
    out = runtime.run(bundle)
    assert out.returncode == 1 and "$.process.scheduler: " in out.stderr and said in out.stderr


@pytest.mark.parametrize("name, level, expected", [
    ("IOPRIO_CLASS_BE", 6, "best-effort: prio 6"),
    ("IOPRIO_CLASS_IDLE", 0, "idle"),
    ("IOPRIO_CLASS_RT", 3, "realtime: prio 3"),
])
def test_the_io_priority(runtime, bundle, name, level, expected):
    bundle.process["ioPriority"] = {"class": name, "priority": level}
    assert show(runtime, bundle)[1].startswith(expected)


def test_exec_is_scheduled_as_the_container(runtime, bundle):
    bundle.process["scheduler"] = {"policy": "SCHED_BATCH", "nice": 7}
    bundle.process["ioPriority"] = {"class": "IOPRIO_CLASS_BE", "priority": 1}
    name = runtime.start_detached(bundle.args("sleep", "60"))
    assert runtime.ok("exec", name, "sh", "-c", SHOW).split("\n")[:2] == ["7 3", "best-effort: prio 1"]


def cpus_of(text):
    return next(l.split()[1] for l in text.splitlines() if l.startswith("Cpus_allowed_list"))


def test_the_cpus_of_exec(runtime, bundle, tmp_path):
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        pytest.skip("needs two CPUs")
    bundle.process["execCPUAffinity"] = {"initial": str(cpus[0]), "final": str(cpus[1])}
    name = runtime.start_detached(bundle.args("sleep", "60"))
    status = ("cat", "/proc/self/status")
    assert cpus_of(runtime.ok("exec", name, *status)) == str(cpus[1])
    process = dict(bundle.process, args=list(status), execCPUAffinity={"initial": str(cpus[0])})
    (tmp_path / "p.json").write_text(json.dumps(process))
    alone = subprocess.run(["cat", "/proc/self/status"], capture_output=True, text=True, check=True)
    assert cpus_of(runtime.ok("exec", "--process", tmp_path / "p.json", name)) == cpus_of(alone.stdout)


def test_a_cpu_that_is_not_there_is_told(runtime, bundle):
    bundle.process["execCPUAffinity"] = {"initial": "4000"}
    name = runtime.start_detached(bundle.args("sleep", "60"))
    out = runtime("exec", name, "true")
    assert out.returncode == 255 and "execCPUAffinity.initial" in out.stderr


def test_the_memory_policy(runtime, bundle):
    if not os.path.exists("/proc/self/numa_maps"):
        pytest.skip("the kernel has no memory policies")
    bundle.linux["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "0",
                                    "flags": ["MPOL_F_STATIC_NODES"]}
    name = runtime.start_detached(bundle.args("sleep", "60"))
    for out in (runtime.ok("exec", name, "cat", "/proc/self/numa_maps"),
                runtime.ok("exec", name, "cat", "/proc/1/numa_maps")):
        assert "bind=static:0" in out.splitlines()[0]


def test_a_node_that_is_not_there_is_told(runtime, bundle):
    bundle.linux["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "700"}
    out = runtime.run(bundle)
    assert out.returncode == 1 and "set the memory policy" in out.stderr


def test_what_binds_the_runtime_to_cpus_does_not_bind_the_container(runtime, bundle):
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        pytest.skip("needs two CPUs")
    bundle.shell("grep Cpus_allowed_list /proc/self/status; sleep 60").save()
    name = runtime.new_id()

    def bound(*args):
        with open(bundle.path / "out", "wb") as out:
            subprocess.run(["taskset", "-c", str(cpus[0]), *runtime.command(*args)], stdin=subprocess.DEVNULL,
                           stdout=out, timeout=60, check=True)
        wait(lambda: (bundle.path / "out").read_text(), "the output")
        return cpus_of((bundle.path / "out").read_text())

    assert bound("run", "-d", "--bundle", bundle.path, name) != str(cpus[0])
    assert bound("exec", name, "grep", "Cpus_allowed_list", "/proc/self/status") != str(cpus[0])


def test_but_its_cpuset_does(runtime, bundle):
    bundle.linux["resources"]["cpu"] = {"cpus": "0"}
    assert cpus_of(runtime.run(bundle.args("cat", "/proc/self/status")).stdout) == "0"
