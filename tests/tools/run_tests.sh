#!/bin/bash
# run_tests.sh BUILD UNIT-TEST-PROGRAM... - all tests: rules of the tree, unit tests, end-to-end tests
#
# The last line is "N passed, N failed, N skipped", summed over all of them. Exit status 1 if anything failed.
# PYTEST_WORKERS (2) end-to-end tests run at a time, for PYTEST_SECONDS (1500) at most. PYTEST_ARGS: more arguments for
# pytest.
set -u

build=$1
shift
work=$(mktemp -d "${TMPDIR:-/tmp}/mr-test.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0

add() {
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

echo "== rules"
for rule in layers mirror shape; do
    if "tests/tools/$rule.py"; then
        add 1 0 0
    else
        echo "FAILED tests/tools/$rule.py"
        add 0 1 0
    fi
done

echo "== unit tests"
tests/tools/run_unit.sh "$@" >"$work/unit"
sed '$d' "$work/unit"
line=$(tail -n 1 "$work/unit")
echo "unit tests: $line"
if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
    add "${BASH_REMATCH[@]:1}"
else
    add 0 1 0
fi

echo "== end-to-end tests"
dirs=()
for dir in oci stack mail faults bugs; do
    [ -n "$(find "tests/$dir" -name 'test_*.py' -print -quit 2>/dev/null)" ] && dirs+=("tests/$dir")
done
if [ ${#dirs[@]} -gt 0 ]; then
    # Words as a shell would have them: -k 'a or b' is two.
    mapfile -d '' -t args < <(xargs -r printf '%s\0' <<<"${PYTEST_ARGS-}")
    MR_BUILD=$build PYTHONDONTWRITEBYTECODE=1 tests/tools/reap.py "${PYTEST_SECONDS:-1500}" /usr/bin/python3 -m pytest -p no:cacheprovider -q -ra --dist loadfile \
        -n "${PYTEST_WORKERS:-2}" --junit-xml="$work/junit.xml" "${args[@]}" "${dirs[@]}"
    status=$?
    counts=$(/usr/bin/python3 tests/tools/junit.py "$work/junit.xml") || counts="0 1 0"
    # shellcheck disable=SC2086 # three numbers
    add $counts
    # A worker that died, or a file that does not load, may leave no failed case behind.
    if [ "$status" -gt 1 ] && [[ $counts == *" 0 "* ]]; then
        add 0 1 0
    fi
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
