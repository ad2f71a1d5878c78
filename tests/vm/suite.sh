#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# suite.sh BUILD: what runs in the guest. VM_PART names which:
#   base     the runtime's unit tests, the container tests (with AppArmor), the stack's; the engines' tests are left out: they try
#            the engine more than the kernel, and take longest; a sample of them is a part of its own
#   systemd  the container tests with systemd's groups (--systemd-cgroup), as root and as a user with a manager of its own; podman
#   selinux  the tests of labels, under a policy of our own
#   engines  ten sessions of docker, ten of ctr, and some of containerd's CRI: those that meet the groups and devices of cgroup v2
#
# The last line is "N passed, N failed, N skipped", summed over all of them. Exit status 1 if anything failed.
# VM_TESTS: other files or directories for pytest; VM_UNIT=no: no unit tests; PYTEST_ARGS: more arguments for pytest, quoted
# as for a shell.
# PYTEST_SECONDS (2700) bounds the whole of pytest.
set -u

export MR_SLOWER=30 # what a test may take longer under emulation where it measures time
build=$1
results=/tmp/results
part=${VM_PART:-base}
mkdir -p "$results"
total=(0 0 0)

case $part in
base)
    tests=(tests/oci tests/stack --ignore=tests/oci/engines)
    ;;
systemd)
    export OCI_OPTIONS=--systemd-cgroup MR_USER=guest
    tests=(tests/oci/test_*.py tests/oci/engines/test_podman_systemd.py --ignore=tests/oci/test_image.py --ignore=tests/oci/test_selinux.py --ignore=tests/oci/test_usernet.py)
    ;;
selinux)
    export MR_SELINUX=load
    tests=(tests/oci/test_selinux.py tests/oci/test_labels.py)
    ;;
engines)
    of=tests/oci/engines
    tests=("$of"/test_commands.py::test_{run_output_input_and_status,detached_exec_logs_kill_and_stop,pause_kills_nothing_and_unpause_goes_on}"[docker]"
        "$of"/test_commands.py::test_{stats_and_update,a_terminal,an_end_by_lack_of_memory_is_told,a_published_port}"[docker]"
        "$of"/test_options.py::test_{privileged,devices,cpus}"[docker]"
        "$of/test_containerd.py" "$of"/test_containerd_tty.py::test_{a_terminal,the_size_follows,an_exec_with_a_terminal}
        "$of"/test_containerd_cri.py::test_{the_life_of_a_pod,limits_and_their_update,lack_of_memory_is_the_reason})
    ;;
*)
    echo "no part '$part'" >&2
    exit 2
    ;;
esac

# One more "N N N" to the sum.
add() {
    total=($((total[0] + $1)) $((total[1] + $2)) $((total[2] + $3)))
}

if [ "${VM_UNIT-}" != no ] && [ "$part" = base ]; then
    echo "== unit tests"
    mapfile -t unit < <(find "$build/tests/unit/runtime" -type f -name 'test_*' -perm -u+x | sort)
    UNIT_TIMEOUT=300 tests/tools/run_unit.sh "${unit[@]}" >"$results/unit"
    sed '$d' "$results/unit"
    line=$(tail -n 1 "$results/unit")
    echo "unit tests: $line (${SECONDS} s)"
    if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
        add "${BASH_REMATCH[@]:1}"
    else
        add 0 1 0
    fi
fi

echo "== end-to-end tests"
[ -z "${VM_TESTS-}" ] || read -r -a tests <<<"$VM_TESTS"
# Words as a shell would have them: -k 'a or b' is two.
mapfile -d '' -t args < <(xargs -r printf '%s\0' <<<"${PYTEST_ARGS-}")
MR_BUILD=$build PYTHONDONTWRITEBYTECODE=1 tests/tools/reap.py "${PYTEST_SECONDS:-2700}" /usr/bin/python3 -m pytest \
    -p no:cacheprovider --color=no -v -ra --dist loadfile -n 2 --junit-xml="$results/junit.xml" "${args[@]}" "${tests[@]}"
status=$?
counts=$(/usr/bin/python3 tests/tools/junit.py "$results/junit.xml" 2>/dev/null) || counts="0 1 0"
# shellcheck disable=SC2086 # three numbers
add $counts
# A worker that died, or a file that does not load, may leave no failed case behind.
if [ "$status" -gt 1 ] && [[ $counts == *" 0 "* ]]; then
    add 0 1 0
fi

echo "in the guest: ${SECONDS} s"
echo "${total[0]} passed, ${total[1]} failed, ${total[2]} skipped"
[ "${total[1]}" = 0 ]
