# SPDX-License-Identifier: Apache-2.0
"""
Each system call of a verb fails in turn (strace injects it), or the process that makes it is killed.

Whatever fails, the verb ends, in success or with one sentence; a start that failed leaves nothing;
and whatever was left by a failure while cleaning up, `delete --force` takes away. The calls of the
first processes are numbered each by itself, so one injection may hit the runtime and the process it
makes alike.

A sample is taken; MR_FAULTS=all takes every call and more errors, MR_FAULTS=VERB those of one verb
(ten minutes for run).
"""
import collections
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import pathlib
import uuid

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "oci"))

import ocilib  # noqa: E402

PROGRAMS = {  # without a C library, whose calls would be failed as well
    "true": "mov $231,%eax; xor %edi,%edi; syscall; hlt",
    "pause": "1: mov $34,%eax; syscall; jmp 1b",
}

# strace leaves a failing close undone, which no kernel does; the others belong to the C library's
# start, or promise in their manual that they cannot fail.
NOT_THESE = {"close", "getrandom", "mprotect", "brk", "arch_prctl", "set_tid_address", "rseq",
             "set_robust_list", "exit_group", "rt_sigreturn", "geteuid", "umask", "getpid"}
# A failing one may hit the cleaning after a failure, too.
CLEANING = {"openat", "newfstatat", "fstatfs", "statfs", "read", "fcntl", "getdents64", "unlinkat",
            "rmdir", "lseek", "kill", "pidfd_send_signal", "waitid", "write", "poll"}

ALL = os.environ.get("MR_FAULTS", "")
SAMPLE = 7  # injections a verb, in `make test`


class Verb:
    """How a verb is called, and on which container: none, a created or a running one."""

    def __init__(self, on, *args, error=1):
        self.on = on
        self.args = args
        self.error = error


VERBS = {
    "run": Verb(None, "run", "-b", "BUNDLE", "ID"),
    "run-detached": Verb(None, "run", "-d", "-b", "BUNDLE", "ID"),
    "create": Verb(None, "create", "-b", "BUNDLE", "ID"),
    "start": Verb("created", "start", "ID"),
    "exec": Verb("running", "exec", "ID", "/bin/true", error=255),
    "delete": Verb("stopped", "delete", "ID"),
    "delete-force": Verb("running", "delete", "--force", "ID"),
    "kill": Verb("running", "kill", "ID", "KILL"),
    "pause": Verb("running", "pause", "ID"),
    "update": Verb("running", "update", "--pids-limit", "50", "ID"),
    "state": Verb("running", "state", "ID"),
    "ps": Verb("running", "ps", "--format", "json", "ID"),
    "events": Verb("running", "events", "--stats", "ID"),
    "list": Verb("running", "list"),
}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    ocilib.need_root()
    ocilib.need_runtime()
    ocilib.need_program("strace")
    ocilib.need_program("gcc")
    if platform.machine() != "x86_64":
        pytest.skip("the programs are written for x86-64")
    made = {}
    for name, code in PROGRAMS.items():
        path = tmp_path_factory.mktemp(name)
        root = path / "rootfs"
        for directory in ("bin", "dev", "proc", "sys", "tmp"):
            (root / directory).mkdir(parents=True)
        source = path / "program.c"
        source.write_text(f'__attribute__((naked)) void _start(void) {{ __asm__ volatile("{code}"); }}')
        for program in PROGRAMS:
            other = PROGRAMS[program].replace(";", "\\n")
            source.write_text(f'__attribute__((naked)) void _start(void) {{ __asm__ volatile("{other}"); }}')
            subprocess.run(["gcc", "-static", "-nostdlib", "-o", root / "bin" / program, source], check=True)
        subprocess.run([ocilib.RUNTIME, "spec", "-b", path], check=True)
        config = json.loads((path / "config.json").read_text())
        config["process"]["args"] = ["/bin/" + name]
        config["process"]["terminal"] = False
        (path / "config.json").write_text(json.dumps(config))
        made[name] = path
    return made


def processes_of(name):
    """Those in a group of that name, or with it in their arguments; zombies are nobody."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            text = "".join(pathlib.Path("/proc", pid, f).read_text(errors="replace") for f in ("cgroup", "cmdline"))
            state = pathlib.Path("/proc", pid, "stat").read_text(errors="replace").rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if name in text and state not in "ZX" and "strace" not in text:
            found.append(int(pid))
    return found


class Bench:
    def __init__(self, verb, bundles, path):
        self.verb = verb
        self.bundles = bundles
        self.path = path
        self.root = path / "state"
        self.name = None

    def plain(self, *args):
        return subprocess.run([ocilib.RUNTIME, "--root", self.root, *args], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=30, check=False)

    def prepare(self):
        self.name = f"f{uuid.uuid4().hex[:10]}"
        args = {None: None, "created": ("create", "-b", self.bundles["true"]),
                "running": ("run", "-d", "-b", self.bundles["pause"]),
                "stopped": ("run", "--keep", "-b", self.bundles["true"])}[self.verb.on]
        if args:  # its outputs are files: nobody waits for a pipe that it holds
            with open(self.path / "container", "wb") as out:
                done = subprocess.run([ocilib.RUNTIME, "--root", self.root, *args, self.name],
                                      stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=30, check=False)
            assert done.returncode == 0, (self.path / "container").read_text()

    def words(self):
        bundle = self.bundles["pause" if "-d" in self.verb.args else "true"]
        return [{"ID": self.name, "BUNDLE": bundle}.get(a, a) for a in self.verb.args]

    def traced(self, *options, out="/dev/null"):
        """strace is a grandchild, so that one that waits for a container holds up nobody."""
        with open(self.path / "err", "wb") as err, open(self.path / "out", "wb") as stdout:
            done = subprocess.run(["strace", "-D", "-f", "-qq", "-o", out, *options, ocilib.RUNTIME, "--root",
                                   self.root, *self.words()], stdin=subprocess.DEVNULL, stdout=stdout, stderr=err,
                                  timeout=30, check=False)
        return done.returncode, (self.path / "err").read_text(errors="replace")

    def left(self):
        states = [p.name for p in self.root.iterdir() if p.name[0] != "."] if self.root.exists() else []
        return states + ocilib.cgroups_named({self.name}) + [m for m in ocilib.mounts() if str(self.path) in m]

    def clean(self):
        """Takes all away by the means a person has; what could not be."""
        done = self.plain("delete", "--force", self.name)
        try:
            ocilib.wait(lambda: not processes_of(self.name), "processes end", 5)
            still = []
        except AssertionError:
            still = [f"process {p}" for p in processes_of(self.name)]
        still += self.left()
        if done.returncode != 0:
            still.append(done.stderr)
        self.wipe()
        return still

    def wipe(self):
        """So that one fault is told once."""
        for pid in processes_of(self.name):
            os.kill(pid, 9)
        shutil.rmtree(self.root / self.name, ignore_errors=True)
        for group in sorted(ocilib.cgroups_named({self.name}), reverse=True):
            try:
                os.rmdir(group)
            except OSError:
                pass

    def calls(self):
        """Each call that can be failed, with the number it has among those of its process."""
        self.prepare()
        trace = self.path / "trace"
        code, err = self.traced(out=str(trace))
        assert code == 0, err
        self.clean()
        count = collections.defaultdict(collections.Counter)
        for line in trace.read_text(errors="replace").splitlines():
            call = re.match(r"(\d+) +(\w+)\(", line)
            if call and call[2] not in NOT_THESE:
                count[call[2]][call[1]] += 1
        return [(c, n) for c in sorted(count) for n in range(1, max(count[c].values()) + 1)]

    def try_one(self, call, number, what):
        """What is wrong with how the verb takes it; empty: nothing."""
        self.prepare()
        wrong = []
        try:
            code, err = self.traced("-e", f"trace={call}", "-e", f"inject={call}:{what}:when={number}")
        except subprocess.TimeoutExpired:
            self.clean()
            return ["it hangs"]
        lines = err.splitlines()
        if what.startswith("error"):
            if code not in (0, self.verb.error):
                wrong.append(f"status {code}")
            if code != 0 and call != "write" and (len(lines) != 1 or not re.match(r"mailbox-run: .{12,}", lines[0])):
                wrong.append("it does not say one sentence")
            if re.search(r"\bEOF\b|end of file|unexpected message", err):
                wrong.append("it says nothing to a person")
            if code != 0 and self.verb.on is None and call not in CLEANING and self.left():
                wrong.append(f"left: {self.left()}")
        return wrong + [f"not deleted: {x}" for x in self.clean()] + ([err.strip()] if wrong else [])


def faults(verb, calls):
    if ALL in ("all", verb):
        signal.alarm(0)  # the limit of a test is for the sample
        kinds = ["error=EIO", "signal=KILL", "error=EPERM"]
        return [(c, n, k) for k in kinds for c, n in calls]
    step = max(1, len(calls) // SAMPLE)
    return [(c, n, "signal=KILL" if i % 4 == 3 else "error=EIO") for i, (c, n) in enumerate(calls[step // 2::step])]


@pytest.mark.parametrize("verb", VERBS)
def test_a_failing_call_is_told_and_leaves_nothing(verb, bundles, tmp_path):
    bench = Bench(VERBS[verb], bundles, tmp_path)
    wrong = {}
    for call, number, what in faults(verb, bench.calls()):
        found = bench.try_one(call, number, what)
        if found:
            wrong[f"{call} {number} {what}"] = found
            print(call, number, what, found, flush=True)
    assert not wrong, json.dumps(wrong, indent=1)
