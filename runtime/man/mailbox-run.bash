# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Completion of mailbox-run for bash. What there is to complete is asked of the program, so that this file need not be
# kept in step with it: verbs and options of --help, the ids of list, and files for the rest.

_mailbox_run_options() {
    "$@" --help 2>/dev/null | sed -nE 's/^ +(-., )?(--[a-z0-9-]+).*/\2/p'
}

_mailbox_run_verbs() {
    "$1" --help 2>/dev/null | sed -nE '/^Options:/q; s/^  ([a-z]+) .*/\1/p'
}

_mailbox_run_values() {
    case $1 in
    --format) echo table json ;;
    --log-format) echo text json ;;
    --cgroup-manager) echo cgroupfs systemd disabled ;;
    --rootless) echo auto true false ;;
    --manage-cgroups-mode) echo soft full strict ignore ;;
    esac
}

_mailbox_run() {
    local program=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local verb="" i offer=""
    local -a root=()

    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --root) root=(--root "${COMP_WORDS[i + 1]}") ;;
        -*) ;;
        *) # a value of the option in front of it, or the verb
            case ${COMP_WORDS[i - 1]} in
            --root | --log | --log-format | --cgroup-manager | --rootless | --criu) ;;
            *)
                verb=${COMP_WORDS[i]}
                break
                ;;
            esac
            ;;
        esac
    done
    offer=$(_mailbox_run_values "$before")
    if [[ -n $offer ]]; then
        :
    elif [[ $word == -* ]]; then
        offer=$(_mailbox_run_options "$program" ${verb:+"$verb"})
    elif [[ -z $verb && $before != -* ]]; then
        offer=$(_mailbox_run_verbs "$program")
    else
        case $verb in
        start | exec | state | kill | delete | ps | pause | resume | update | events | checkpoint)
            [[ $before == -* && $before != --force && $before != -f ]] ||
                offer=$("$program" "${root[@]}" list --quiet 2>/dev/null)
            ;;
        mounts) [[ $before == mounts ]] && offer="add remove" || offer=$("$program" "${root[@]}" list --quiet 2>/dev/null) ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$offer" -- "$word")
}

complete -o default -F _mailbox_run mailbox-run
