#!/bin/bash
# run_unit.sh [-l LOGDIR] PROGRAM... - run cmocka programs in parallel on all cores
#
# Prints the whole output of each program that failed, and the reason of each test that was skipped; the last line
# is "N passed, N failed, N skipped", counted over test cases. A program that crashes, hangs for longer than
# UNIT_TIMEOUT seconds or fails outside a test case counts as one failure more. Exit status 1 if anything failed.
set -u

UNIT_TIMEOUT=${UNIT_TIMEOUT:-60}

# One program, in a process of its own: run_unit.sh --one LOGDIR PROGRAM
if [ "${1-}" = --one ]; then
    log=$2/${3//\//_}
    timeout -k 5 "$UNIT_TIMEOUT" "./$3" </dev/null >"$log.log" 2>&1
    echo $? >"$log.status"
    exit 0
fi

log_dir=$(mktemp -d "${TMPDIR:-/tmp}/mr-unit.XXXXXX") || exit 1
trap 'rm -rf "$log_dir"' EXIT
if [ $# -gt 0 ]; then
    printf '%s\0' "$@" | xargs -0 -n 1 -P "$(nproc)" "$0" --one "$log_dir"
fi

# The sum of the numbers in cmocka's closing lines "[  WORD  ] N test(s)".
count() {
    awk -v word="$1" '$1 == "[" && $2 == word && $4 ~ /^[0-9]+$/ && $5 ~ /^test/ {n += $4} END {print n + 0}' "$2"
}

passed=0 failed=0 skipped=0
for program in "$@"; do
    log=$log_dir/${program//\//_}
    status=$(cat "$log.status" 2>/dev/null || echo "not run")
    f=$(count FAILED "$log.log")
    passed=$((passed + $(count PASSED "$log.log")))
    skipped=$((skipped + $(count SKIPPED "$log.log")))
    if [ "$status" != 0 ] && [ "$f" = 0 ]; then
        f=1
    fi
    failed=$((failed + f))
    if [ "$status" = 124 ] || [ "$status" = 137 ]; then
        status="$status (after $UNIT_TIMEOUT s)"
    fi
    if [ "$status" != 0 ] || [ "$f" != 0 ]; then
        printf -- '--- %s: status %s\n' "$program" "$status"
        cat "$log.log"
    else
        grep -a '^skip: ' "$log.log" | sed "s|^|$program: |"
    fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
