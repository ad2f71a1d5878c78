# SPDX-License-Identifier: Apache-2.0
"""The system call filter, with and without no_new_privs."""
import pytest


def profile(action, *names, default="SCMP_ACT_ALLOW", **more):
    return {"defaultAction": default,
            "syscalls": [{"names": list(names), "action": action, **more}]}


@pytest.mark.parametrize("nnp", [True, False])
def test_a_rule_gives_its_error(runtime, bundle, nnp):
    bundle.process["noNewPrivileges"] = nnp
    bundle.linux["seccomp"] = profile("SCMP_ACT_ERRNO", "mkdir", "mkdirat", errnoRet=5)
    out = runtime.run(bundle.shell("grep Seccomp: /proc/self/status; mkdir /dev/shm/x"))
    assert out.stdout == "Seccomp:\t2\n"
    assert "Input/output error" in out.stderr


def test_an_argument_decides(runtime, bundle):
    bundle.linux["seccomp"] = profile(
        "SCMP_ACT_ERRNO", "kill", args=[{"index": 1, "value": 10, "op": "SCMP_CMP_EQ"}])
    out = runtime.run(bundle.shell("kill -USR1 $$; echo $?; kill -0 $$; echo $?"))
    assert out.stdout == "1\n0\n"


def test_killing_ends_the_process(runtime, bundle):
    bundle.linux["seccomp"] = profile("SCMP_ACT_KILL_PROCESS", "mkdir", "mkdirat")
    assert runtime.run(bundle.args("mkdir", "/dev/shm/x")).returncode == 128 + 31


def test_names_nobody_knows_are_left_out(runtime, bundle):
    bundle.linux["seccomp"] = profile("SCMP_ACT_ERRNO", "call_of_the_future")
    assert runtime.run(bundle).returncode == 0


def test_exec_has_the_same_filter(runtime, bundle):
    bundle.linux["seccomp"] = profile("SCMP_ACT_ERRNO", "mkdir", "mkdirat", errnoRet=5)
    name = runtime.start_detached(bundle.args("sleep", "60"))
    assert "Input/output error" in runtime("exec", name, "mkdir", "/dev/shm/x").stderr
