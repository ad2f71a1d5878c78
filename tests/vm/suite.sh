#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# suite.sh BUILD: what `make test-vm` runs in the guest: the runtime's unit tests, the container tests, the stack's.
# $VM_TESTS names other tests for pytest.
set -u
build=$1
bad=0 good=0

while read -r test; do
    if "$test" > /tmp/unit.log 2>&1; then
        good=$((good + 1))
    else
        bad=$((bad + 1))
        echo "FAILED $test"
        tail -n 15 /tmp/unit.log
    fi
done < <(find "$build/tests/unit/runtime" -type f -name 'test_*' -perm -u+x ! -path '*/stack/*')
echo "unit tests: $good passed, $bad failed"

# Under emulation everything takes five to ten times as long. criu reads all of a process: one at a time is enough for it.
read -ra tests <<< "${VM_TESTS:-tests/oci tests/stack}"
MR_BUILD=$build /usr/bin/python3 -m pytest -q -n 2 -p no:cacheprovider --maxfail 20 "${tests[@]}" || bad=$((bad + 1))
exit $((bad > 0))
