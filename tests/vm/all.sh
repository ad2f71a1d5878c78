#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# all.sh BUILD: what `make test-vm` runs: a boot of the guest for each part of suite.sh that VM_PARTS (base systemd selinux engines)
# names.
#
# The last line is "N passed, N failed, N skipped", summed over all of them. Exit status 1 if anything failed. Each boot is bounded
# (VM_TIME, if it is set; else 3000, 1800, 300 and 600 seconds), and ends with this process.
set -u

build=$1
read -r -a parts <<<"${VM_PARTS:-base systemd selinux engines}"
declare -A init=([systemd]=systemd) lsm=([selinux]=selinux) seconds=([base]=3000 [systemd]=1800 [selinux]=300 [engines]=600)
total=(0 0 0)
lines=()
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

for part in "${parts[@]}"; do
    echo "== in the guest: $part"
    time=${VM_TIME:-${seconds[$part]:-3000}}
    # pytest ends before the guest does, so that what it found is told.
    VM_PART=$part VM_INIT=${init[$part]-} VM_LSM=${lsm[$part]:-apparmor} VM_TIME=$time \
        PYTEST_SECONDS=${PYTEST_SECONDS:-$((time > 600 ? time - 200 : time / 2))} \
        setpriv --pdeathsig TERM tests/vm/vm.py run "$build/vm" tests/vm/suite.sh "$build" | tee "$log"
    line=$(tail -n 1 "$log" | tr -d "\r")
    if [[ ! $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
        line="0 passed, 1 failed, 0 skipped: it did not come to its end"
        [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+) ]]
    fi
    for i in 0 1 2; do
        total[i]=$((total[i] + BASH_REMATCH[i + 1]))
    done
    lines+=("$part: $line")
done

printf '%s\n' "${lines[@]}"
echo "${total[0]} passed, ${total[1]} failed, ${total[2]} skipped"
[ "${total[1]}" = 0 ]
