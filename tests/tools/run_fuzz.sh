#!/bin/bash
# run_fuzz.sh BUILD SECONDS SOURCE... - run each fuzz target for SECONDS, as many at once as there are cores
#
# For tests/fuzz/PATH/fuzz_NAME.c the program is BUILD/tests/fuzz/PATH/fuzz_NAME. Beside the source there may be a
# dictionary, fuzz_NAME.dict, and seeds, corpus_NAME/. What is found stays below BUILD/tests/fuzz/PATH/: the grown
# corpus in found_NAME/, inputs that broke something as crash-*, timeout-*, oom-*. Exit status 1 if there are any.
set -u

if [ "${1-}" = --one ]; then
    build=$2 seconds=$3 source=$4
    target=$build/${source%.c}
    name=$(basename "${source%.c}")
    found=$(dirname "$target")/found_${name#fuzz_}
    seeds=$(dirname "$source")/corpus_${name#fuzz_}
    args=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=8192 -print_final_stats=1
        -artifact_prefix="$found/")
    [ -f "${source%.c}.dict" ] && args+=(-dict="${source%.c}.dict")
    mkdir -p "$found"
    [ -d "$seeds" ] || seeds=
    "./$target" "${args[@]}" "$found" ${seeds:+"$seeds"} >"$target.log" 2>&1
    status=$?
    if [ "$status" = 0 ]; then
        printf '  FUZZ    %s: %s runs\n' "$source" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$target.log")"
    else
        printf -- '--- %s: status %s\n%s\n' "$source" "$status" "$(tail -40 "$target.log")"
        exit 255
    fi
    exit 0
fi

build=$1 seconds=$2
shift 2
[ $# -gt 0 ] || exit 0
printf '%s\0' "$@" | xargs -0 -n 1 -P "$(nproc)" "$0" --one "$build" "$seconds"
