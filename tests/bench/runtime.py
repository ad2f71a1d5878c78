#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
runtime.py BUILD [--rounds N] [--rest MS] [--many N] [--parallel N] [--runc PATH] [--crun PATH]
    - what mailbox-run costs, beside runc, crun and a bare C program

The bundle is busybox with the configuration that `spec` prints: six namespaces, a cgroup, and a seccomp profile of 400
system calls. All are started by timer.c in one run, round after round and each round in another order, so that what disturbs
one disturbs all; each call is given 10 ms of rest before it (--rest), for what a call leaves to the kernel, which takes a
network namespace apart in the background, would else be paid by the next. The figures are medians. Ratios are to the bare
program (bare.c). Needs root; what is not installed is left out. Another runc or crun than the installed one is named by
--runc and --crun, or BENCH_RUNC and BENCH_CRUN for `make bench`.

crun refuses a unified hierarchy beside those of v1: where there is one, it is started, and lives, where that one is
not mounted (timer.c's "@", APART here).
"""
import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

BUSYBOX = "/bin/busybox"
SYSCALLS = 400
TIMEOUT = 600
# The bare program makes one cgroup, or on v1 one in each hierarchy, as a runtime has to.
BARE = {"one": "bare", "all": "bare,all-v1-hierarchies"}
NUMBERS = ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/x86_64-linux-gnu/asm/unistd_32.h",
           "/usr/include/asm-generic/unistd.h")
PATHS = {"runc": ("/usr/sbin/runc", "/usr/bin/runc"), "crun": ("/usr/bin/crun", "/usr/local/bin/crun")}
REST_MS = 10
APART = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"', "sh"]


def syscall_names():
    """The machine's own, then those that only its 32-bit sibling has, as profiles of engines list both."""
    names = {}
    for path in NUMBERS:
        if os.path.exists(path):
            text = pathlib.Path(path).read_text(encoding="ascii")
            names.update(dict.fromkeys(re.findall(r"#define __NR_(\w+)\s+\d+$", text, re.M)))
    if len(names) < SYSCALLS:
        sys.exit("no list of system calls: linux-libc-dev is not installed")
    return list(names)[:SYSCALLS]


def make_rootfs(path):
    for name in ("bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "var"):
        (path / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, path / "bin/busybox")
    for name in ("true", "sleep", "sh"):
        (path / "bin" / name).symlink_to("busybox")


class Bench:
    def __init__(self, work, state, build, peers, rest=REST_MS):
        self.work = work
        self.rest = rest
        self.peers = {name: (path,) if path else PATHS[name] for name, path in peers.items()}
        self.state = state
        self.build = build
        self.bare = build / "bench/bare"
        self.ours = build / "mailbox-run"
        self.rootfs = work / "rootfs"
        make_rootfs(self.rootfs)
        names = syscall_names()
        self.filter = work / "filter"
        with open(self.filter, "wb") as out:
            subprocess.run([build / "bench/mkfilter"], input="\n".join(names).encode(), stdout=out, check=True)
        self.config = json.loads(self.spec())
        self.config["ociVersion"] = "1.0.2"  # the newest that Debian's crun takes
        self.config["root"]["path"] = str(self.rootfs)
        self.config["process"]["terminal"] = False
        self.config["linux"]["seccomp"] = {
            "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": [{"names": names, "action": "SCMP_ACT_ALLOW"}]}
        self.true = self.bundle("true", "/bin/true")
        self.sleep = self.bundle("sleep", "/bin/sleep", "1000")

    def spec(self):
        with tempfile.TemporaryDirectory() as d:
            subprocess.run([self.ours, "spec", "--bundle", d], check=True)
            return pathlib.Path(d, "config.json").read_text(encoding="utf-8")

    def bundle(self, name, *args, **resources):
        path = self.work / name
        path.mkdir()
        config = json.loads(json.dumps(self.config))
        config["process"]["args"] = list(args)
        config["linux"]["resources"].update(resources)
        (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
        return path

    def runtimes(self):
        """Name, how timer.c is to call it, and its command with a root of its own."""
        yield "mailbox-run", "", [self.ours, "--root", self.state / "ours"]
        for name, paths in self.peers.items():
            for path in paths:
                if os.access(path, os.X_OK):
                    yield name, "@ " if name == "crun" else "", [path, "--root", self.state / name]
                    break

    def timer(self, lines, rounds):
        """{name: (milliseconds, KiB, milliseconds)}: the median, the largest peak, the least."""
        lines = list(lines)
        text = "".join(line + "\n" for line in lines)
        out = subprocess.run([self.build / "bench/timer", str(rounds), str(self.rest)], input=text, capture_output=True,
                             text=True, timeout=TIMEOUT, check=False)
        if out.returncode != 0:
            sys.exit(out.stderr)
        found = {line.split()[0]: [] for line in lines}
        for line in out.stdout.splitlines():
            name, ns, kib = line.split()
            found[name].append((int(ns) / 1e6, int(kib)))
        return {name: (statistics.median(t for t, _ in v), max(k for _, k in v), min(t for t, _ in v))
                for name, v in found.items()}


def here(how, command):
    """The command as a program that is not started by timer.c is to be called."""
    return [*(APART if how else []), *command]


def words(command):
    return " ".join(map(str, command))


def run_lines(b):
    for groups in ("one", "all"):
        yield f"{BARE[groups]} {b.bare} run {groups} {b.rootfs} {b.filter} bench-bare /bin/true"
    for name, how, command in b.runtimes():
        yield f"{name} {how}{words(command)} run --bundle {b.true} bench-{name}"


def cycle_lines(b):
    """create, start, delete; the wait for the end of the process is the runtime's own or not timed."""
    for groups in ("one", "all"):
        yield f"{BARE[groups]} {b.bare} run {groups} {b.rootfs} {b.filter} bench-bare /bin/true"
    for name, how, command in b.runtimes():
        c, i = f"{how}{words(command)}", f"bench-{name}"
        yield f"{name} {c} create --bundle {b.true} {i} ; {c} start {i} ; {c} delete --force {i}"


def pid_of(command, name):
    state = subprocess.run([*command, "state", name], capture_output=True, text=True, check=True).stdout
    return json.loads(state)["pid"]


@contextlib.contextmanager
def sleeping(command, bundle, name, *options, **more):
    subprocess.run([*command, "run", "--detach", "--bundle", bundle, *options, name], stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, check=True, timeout=60, **more)
    try:
        yield pid_of(command, name)
    finally:
        subprocess.run([*command, "delete", "--force", name], check=True, timeout=60)


def measure_exec(b, rounds):
    """All enter a container of mailbox-run's but the others' own, which they alone can enter."""
    lines = []
    with contextlib.ExitStack() as stack:
        for name, how, command in b.runtimes():
            pid = stack.enter_context(sleeping(here(how, command), b.sleep, f"bench-exec-{name}"))
            if name == "mailbox-run":
                lines += [f"{BARE[groups]} {b.bare} exec {groups} {b.filter} {pid} /bin/true" for groups in BARE]
            lines.append(f"{name} {how}{words(command)} exec bench-exec-{name} /bin/true")
        return b.timer(lines, rounds)


def table(title, figures, limit=None):
    """Medians with their ratios to the two bare rows; and the least of all rounds with its ratio, which is what counts on a
    machine that has other things to do."""
    base, every = (figures[name] for name in BARE.values())
    print(f"\n{title:<34}{'ms':>8}{'ratio':>8}{'to all':>8}{'least':>8}{'ratio':>8}{'to all':>8}{'peak KiB':>10}")
    for name, (ms, kib, least) in figures.items():
        goal = f"   at most {limit}" if limit and name == "mailbox-run" else ""
        shown = name.replace(",", ", ").replace("-v1-", " v1 ")
        print(f"  {shown:<32}{ms:>8.2f}{ms / base[0]:>8.2f}{ms / every[0]:>8.2f}"
              f"{least:>8.2f}{least / base[2]:>8.2f}{least / every[2]:>8.2f}{kib:>10}{goal}")


def resident(b):
    """What stays in memory for a container in the foreground, beside the container itself."""
    print(f"\n{'resident while it runs (PSS)':<34}{'KiB':>8}")
    for name, how, bare in b.runtimes():
        command = here(how, bare)
        with subprocess.Popen([*command, "run", "--bundle", b.sleep, f"bench-fg-{name}"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL) as p:
            time.sleep(1)
            rollup = pathlib.Path(f"/proc/{p.pid}/smaps_rollup").read_text(encoding="ascii")
            pss = int(re.search(r"^Pss:\s+(\d+)", rollup, re.M)[1])
            subprocess.run([*command, "kill", f"bench-fg-{name}", "KILL"], check=True, timeout=60)
            p.wait(60)
            subprocess.run([*command, "delete", "--force", f"bench-fg-{name}"], stderr=subprocess.DEVNULL, timeout=60,
                           check=False)
        print(f"  {name:<32}{pss:>8}{'   below 600' if name == 'mailbox-run' else ''}")


def smallest(b):
    """The lowest memory limit under which /bin/true still runs, by halving."""
    print(f"\n{'smallest memory limit':<34}{'KiB':>8}")
    for name, how, bare in b.runtimes():
        command = here(how, bare)
        low, high = 16, 65536
        while high - low > 16:
            middle = (low + high) // 2 // 8 * 8
            bundle = b.bundle(f"limit-{name}-{middle}", "/bin/true", memory={"limit": middle * 1024})
            out = subprocess.run([*command, "run", "--bundle", bundle, f"bench-small-{name}"], capture_output=True,
                                 stdin=subprocess.DEVNULL, timeout=60, check=False)
            subprocess.run([*command, "delete", "--force", f"bench-small-{name}"], capture_output=True, timeout=60,
                           check=False)
            low, high = (low, middle) if out.returncode == 0 else (middle, high)
        print(f"  {name:<32}{high:>8}{'   at most 256' if name == 'mailbox-run' else ''}")


def many(b, count, parallel):
    """Containers alive at once: does the time of one start grow with their number?"""
    command = next(b.runtimes())[2]
    lines = list(run_lines(b))[:3]
    before = b.timer(lines, 20)
    alive = [f"bench-many-{i}" for i in range(count)]
    start = time.monotonic()
    try:
        for at in range(0, count, parallel):
            batch = [subprocess.Popen([*command, "run", "--detach", "--bundle", b.sleep, name],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
                     for name in alive[at:at + parallel]]
            if any(p.wait(120) != 0 for p in batch):
                sys.exit("a start failed")
        all_ms = (time.monotonic() - start) * 1000
        after = b.timer(lines, 20)
    finally:
        for name in alive:
            subprocess.run([*command, "delete", "--force", name], check=False, timeout=60)
    print(f"\n{count} containers, {parallel} at a time: {all_ms / count:.2f} ms for each")
    for when, f in (("before", before), (f"with {count} alive", after)):
        print(f"  one more, {when:<22}{f['mailbox-run'][0]:>8.2f}{f['mailbox-run'][0] / f['bare'][0]:>8.2f}"
              f"   (bare {f['bare'][0]:.2f})")


def version(program):
    out = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
    return out.splitlines()[0]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--rest", type=int, default=REST_MS, help="milliseconds before each call")
    parser.add_argument("--many", type=int, default=1000)
    parser.add_argument("--parallel", type=int, default=50)
    for name in PATHS:
        parser.add_argument(f"--{name}", default=os.environ.get(f"BENCH_{name.upper()}"), help=f"another {name}")
    args = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("the benchmark of the runtime needs root")
    with tempfile.TemporaryDirectory(prefix="mr-bench-") as d, \
            tempfile.TemporaryDirectory(prefix="mr-bench-", dir="/dev/shm") as state:  # a tmpfs, as /run is
        b = Bench(pathlib.Path(d), pathlib.Path(state), args.build.resolve(), {n: getattr(args, n) for n in PATHS},
                  args.rest)
        for name, _, command in b.runtimes():
            print(f"{name}: {version(command[0])} ({command[0]})")
        table("run, to the end of /bin/true", b.timer(run_lines(b), args.rounds), 1.4)
        table("create, start, delete", b.timer(cycle_lines(b), args.rounds), 2)
        table("exec /bin/true", measure_exec(b, args.rounds), 1.5)
        resident(b)
        smallest(b)
        if args.many > 0:
            many(b, args.many, args.parallel)


if __name__ == "__main__":
    main()
