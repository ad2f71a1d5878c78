#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# suite.sh BUILD: what `make test-vm` runs in the guest: the runtime's unit tests, the container tests, the stack's.
#
# The last line is "N passed, N failed, N skipped", summed over all of them. Exit status 1 if anything failed.
# The engines' tests are left out: they try the engine more than the kernel, and take longest.
# VM_TESTS: other files or directories for pytest; VM_UNIT=no: no unit tests; PYTEST_ARGS: more arguments for pytest.
# PYTEST_SECONDS (2700) bounds the whole of pytest.
set -u

export MR_SLOWER=30 # what a test may take longer under emulation where it measures time
build=$1
results=/tmp/results
mkdir -p "$results"
total=(0 0 0)

# One more "N N N" to the sum.
add() {
    total=($((total[0] + $1)) $((total[1] + $2)) $((total[2] + $3)))
}

if [ "${VM_UNIT-}" != no ]; then
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
read -r -a tests <<<"${VM_TESTS:-tests/oci tests/stack --ignore=tests/oci/engines}"
# shellcheck disable=SC2086 # PYTEST_ARGS is a list
MR_BUILD=$build PYTHONDONTWRITEBYTECODE=1 tests/tools/reap.py "${PYTEST_SECONDS:-2700}" /usr/bin/python3 -m pytest \
    -p no:cacheprovider --color=no -v -ra --dist loadfile -n 2 --junit-xml="$results/junit.xml" ${PYTEST_ARGS-} "${tests[@]}"
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
