# SPDX-License-Identifier: Apache-2.0
"""buildah with mailbox-run: the steps of a build, each a container."""
import shutil

import pytest

from enginelib import RUNTIME, Engine, Session, all_groups, containers_home, need_program, remove_groups

CONTAINERFILE = """
FROM scratch
ADD root.tar /
ENV A=b
RUN echo built > /made && test "$A" = b
USER mail
WORKDIR /tmp
RUN id -un > who; pwd >> who
CMD cat /made
"""


@pytest.fixture(scope="module")
def buildah(root_tar):
    need_program("buildah")
    before = all_groups("buildah")
    with Session() as session:
        engine = Engine(session, ["buildah"], containers_home(session, None))
        shutil.copy(root_tar, session.base / "root.tar")
        (session.base / "Containerfile").write_text(CONTAINERFILE)
        yield engine
        engine("rm", "--all")
        session.assert_clean(f"^{session.base}/data", "^cni-podman")  # a bridge that its network keeps
    remove_groups("buildah", before)


def test_a_build_runs_its_steps(buildah):
    buildah.ok("build", "--isolation", "oci", "--runtime", RUNTIME, "--network", "none", "-t", "localhost/made", buildah.base)
    name = buildah.ok("from", "--pull-never", "localhost/made").strip()
    run = ("run", "--isolation", "oci", "--runtime", RUNTIME)
    assert buildah.ok(*run, name, "--", "cat", "/made", "who") == "built\nmail\n/tmp\n"
    assert buildah.ok(*run, "-v", f"{buildah.base}:/v:ro", name, "--", "ls", "/v/Containerfile") == "/v/Containerfile\n"
    assert buildah(*run, name, "--", "sh", "-c", "exit 7").returncode == 7
    buildah.fails(1, "executable file not found|no such file", *run, name, "--", "nosuch")
    buildah.ok("rm", name)


def test_a_step_that_fails_ends_the_build(buildah):
    (buildah.base / "bad").write_text("FROM localhost/made\nRUN exit 5\n")
    result = buildah("build", "--isolation", "oci", "--runtime", RUNTIME, "--network", "none", "--pull-never", "-f",
                     buildah.base / "bad", buildah.base)
    assert result.returncode == 5 and "exit status 5" in result.stderr
