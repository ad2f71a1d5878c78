#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
engines.py BUILD [--rounds N] - how long `run --rm busybox true` takes with podman and docker, with mailbox-run, runc and crun

Each engine runs in namespaces of its own (tests/oci/engines/enginelib.py) and starts every runtime in turn, round after
round; the figures are medians. What is not installed, or cannot start a container here, is left out. Needs root.
"""
import argparse
import json
import os
import pathlib
import statistics
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "oci/engines"))
os.environ.setdefault("OCI_RUNTIME", str(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build").resolve() / "mailbox-run"))

import enginelib  # noqa: E402

PEERS = {"runc": ("/usr/sbin/runc", "/usr/bin/runc"), "crun": ("/usr/bin/crun", "/usr/local/bin/crun")}


def runtimes():
    found = {"mailbox-run": enginelib.RUNTIME}
    for name, paths in PEERS.items():
        found.update((name, path) for path in paths if os.access(path, os.X_OK))
    return found


def session_of_v1(session):
    """Debian's crun refuses a unified hierarchy beside those of v1, so all do without it."""
    if os.path.ismount("/sys/fs/cgroup/unified"):
        session("umount", "/sys/fs/cgroup/unified")
    return session.base


def measure(engine, commands, rounds):
    """{name: milliseconds}; a runtime that fails once is left out."""
    times = {}
    for name, command in commands.items():
        result = engine(*command)
        if result.returncode == 0:
            times[name] = []
        else:
            print(f"  {name}: {result.stderr.strip().splitlines()[0][:150]}")
    for _ in range(rounds):
        for name, taken in times.items():
            start = time.monotonic()
            engine.ok(*commands[name])
            taken.append((time.monotonic() - start) * 1000)
    return {name: statistics.median(taken) for name, taken in times.items()}


def podman(tar, rounds):
    with enginelib.Session() as session:
        base = session_of_v1(session)
        engine = enginelib.Engine(session, ["podman", "--tmpdir", base / "tmp"],
                                  enginelib.containers_home(session, None))
        engine.ok("import", tar, enginelib.IMAGE)
        yield "run --rm", measure(engine, {name: ("--runtime", path, "run", "--rm", enginelib.IMAGE, "true")
                                           for name, path in runtimes().items()}, rounds)
        names = {name: engine.ok("--runtime", path, "run", "-d", enginelib.IMAGE, "sleep", "1000").strip()
                 for name, path in runtimes().items()}
        yield "exec", measure(engine, {name: ("exec", container, "true") for name, container in names.items()}, rounds)
        engine("rm", "--all", "--force", "--time", "0")
    enginelib.remove_groups("libpod_parent")


def docker(tar, rounds):
    with enginelib.Session() as session:
        base = session_of_v1(session)
        config = enginelib.docker_config(base)
        # runc is docker's own name for itself.
        config["runtimes"].update({f"bench-{name}": {"path": path} for name, path in runtimes().items()})
        (base / "daemon.json").write_text(json.dumps(config))
        daemon = session.daemon("dockerd", "--config-file", base / "daemon.json")
        engine = enginelib.Engine(session, ["docker", "-H", f"unix://{base}/docker.sock"], {"DOCKER_API_VERSION": "1.41"})
        try:
            enginelib.wait(lambda: daemon.poll() is not None or engine("version").returncode == 0, "dockerd", 40)
            if daemon.poll() is not None:
                print("  dockerd does not start here: " + session.tail())
                return
            engine.ok("import", tar, enginelib.IMAGE)
            yield "run --rm", measure(engine, {name: ("run", "--rm", "--network", "none", "--runtime", f"bench-{name}",
                                                      enginelib.IMAGE, "true") for name in runtimes()}, rounds)
            names = {name: engine.ok("run", "-d", "--network", "none", "--runtime", f"bench-{name}", enginelib.IMAGE, "sleep",
                                     "1000").strip() for name in runtimes()}
            yield "exec", measure(engine, {name: ("exec", container, "true") for name, container in names.items()}, rounds)
            for container in engine.ok("ps", "-aq").split():
                engine("rm", "-f", container)
            session.stop_daemons()
        finally:
            session.end()
            enginelib.remove_groups(base.name)


def show(title, figures):
    print(f"\n{title:<40}{'ms':>8}{'ratio':>8}")
    for runtime, ms in figures.items():
        print(f"  {runtime:<38}{ms:>8.0f}{ms / figures['mailbox-run']:>8.2f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("the benchmark of the engines needs root")
    for name, bench, program in (("podman", podman, "podman"), ("docker", docker, "dockerd")):
        if enginelib.shutil.which(program) is None:
            print(f"\n{name} is not installed")
            continue
        with enginelib.tempfile.TemporaryDirectory(prefix="mr-bench-") as d:
            tar = enginelib.make_root_tar(pathlib.Path(d) / "root.tar")
            try:
                for what, figures in bench(tar, args.rounds):
                    show(f"{name} {what} busybox true", figures)
            except enginelib.pytest.skip.Exception as why:
                print(f"\n{name}: {why}")


if __name__ == "__main__":
    main()
