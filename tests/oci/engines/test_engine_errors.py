# SPDX-License-Identifier: Apache-2.0
"""What a person sees when a start fails: the status that the engine makes of the runtime's words, and the words."""
from enginelib import IMAGE

# Options and command; the status of podman and of docker; what is said. 125 is the engine's own.
STARTS = [
    ((), ("nosuch",), 127, 127, r"'?nosuch'?.*executable file not found in \$PATH"),
    ((), ("/no/such",), 127, 127, "/no/such.*no such file or directory"),
    ((), ("/etc/plain",), 126, 126, "/etc/plain.*permission denied"),
    ((), ("/etc",), 126, 126, "/etc.*permission denied"),
    (("--security-opt", "seccomp=unconfined"), ("nosuch",), 127, 127, "executable file not found"),
    (("--security-opt", "no-new-privileges"), ("nosuch",), 127, 127, "executable file not found"),
    (("-u", "mail"), ("/root/x",), 127, 127, "/root/x.*no such file or directory"),
    (("-t",), ("nosuch",), 127, 127, "executable file not found"),
    (("--network", "none", "--sysctl", "net.nosuch=1"), ("true",), 127, 127, "net[./]nosuch.*no such file"),
    (("-v", "/etc/passwd:/etc"), ("true",), 126, 125, "not a directory"),
    (("--memory", "6m"), ("true",), 0, 0, ""),
]
EXECS = [
    ((), ("nosuch",), 127, 126, "executable file not found"),
    ((), ("/etc/plain",), 126, 126, "permission denied"),
    (("-w", "/no/dir"), ("true",), 127, 126, "/no/dir.*no such file or directory"),
    (("-t",), ("nosuch",), 127, 126, "executable file not found"),
    ((), ("sh", "-c", "exit 126"), 126, 126, ""),
    ((), ("sh", "-c", "kill -9 $$"), 137, 137, ""),
]


def test_failed_starts(engine):
    for options, command, in_podman, in_docker, words in STARTS:
        said = engine.fails(engine.either(in_podman, in_docker), words, "run", "--rm", *options, IMAGE, *command)
        assert "level=" not in said and '"msg"' not in said, said
    assert engine.ok("ps", "-aq") == ""


def test_failed_execs(engine):
    name = engine.detached(IMAGE, "sleep", "60")
    for options, command, in_podman, in_docker, words in EXECS:
        result = engine("exec", *options, name, *command)
        assert result.returncode == engine.either(in_podman, in_docker), f"{command}: {result}"
        engine.says(words, result)
    assert engine.inspect(name, "{{.State.Running}}") == "true"
    engine.remove(name)


def test_a_failed_start_can_be_mended(engine, tmp_path):
    """The container stays as it was made, and starts once the program is there."""
    name = engine.ok("create", "-v", f"{tmp_path}:/v", IMAGE, "/v/program").strip()
    engine.fails(engine.either(125, 1), "/v/program.*no such file", "start", name)
    (tmp_path / "program").write_text("#!/bin/sh\necho mended\n")
    (tmp_path / "program").chmod(0o755)
    assert engine.ok("start", "-a", name) == "mended\n"
    engine.remove(name)
