# SPDX-License-Identifier: Apache-2.0
"""One daemon by itself, without a container: its configuration, its readiness, its log, its end."""
import fcntl
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = TOP / os.environ.get("MR_BUILD", "build")


class Daemon:
    """Runs build/NAME with the configuration, as soon as it is made; directory holds its files. `sockets` are handed in,
    {name: socket}, as the supervisor does it."""

    def __init__(self, directory, name, conf, ready=True, sockets=None):
        self.name = name
        self.sockets = sockets or {}
        self.program = BUILD / name
        if not self.program.exists():
            pytest.skip(f"{name} is not built")
        self.directory = pathlib.Path(directory)
        self.conf_path = self.directory / f"{name}.json"
        self.log_path = self.directory / f"{name}.log"
        self.process = None
        self.configure(conf)
        if ready:
            self.start()

    def configure(self, conf):
        self.conf = conf
        self.conf_path.write_text(json.dumps(conf))

    def start(self):
        path = self.directory / f"{self.name}.notify"
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, open(self.log_path, "ab") as log:
            notify.bind(str(path))
            self.process = self.popen(log, {**os.environ, "NOTIFY_SOCKET": str(path)})
            notify.settimeout(0.2)
            end = time.monotonic() + 10
            while time.monotonic() < end:
                try:
                    if b"READY=1" in notify.recv(4096):
                        return
                except TimeoutError:
                    assert self.process.poll() is None, self.log()
        raise AssertionError(f"{self.name} did not become ready: {self.log()}")

    def popen(self, log, env):
        command = [self.program, "-c", self.conf_path]
        if not self.sockets:
            return subprocess.Popen(command, stderr=log, stdin=subprocess.DEVNULL, env=env)
        # Descriptors from 3 on are others' here: copies from 100 on are passed, and a shell puts them into their places.
        fds = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD_CLOEXEC, 100) for s in self.sockets.values()]
        places = " ".join(f"{3 + i}<&{fd}-" for i, fd in enumerate(fds))
        env = {**env, "LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": ":".join(self.sockets)}
        try:
            return subprocess.Popen(["bash", "-c", f'exec "$@" {places}', "bash", *command], stderr=log, stdin=subprocess.DEVNULL,
                                    env=env, pass_fds=fds)
        finally:
            for fd in fds:
                os.close(fd)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_log(self, text, timeout=10):
        end = time.monotonic() + timeout
        while text not in self.log():
            assert time.monotonic() < end, f"'{text}' is not in the log:\n{self.log()}"
            time.sleep(0.02)

    def kill(self, signo):
        self.process.send_signal(signo)

    def check(self):
        return subprocess.run([self.program, "-c", self.conf_path, "--check"], capture_output=True, text=True, timeout=10, check=False)

    def stop(self, signo=signal.SIGTERM, timeout=25):
        """Ends it and returns its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(signo)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process = None


def unix_connect(path, timeout=10):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(timeout)
    s.connect(str(path))
    return s
