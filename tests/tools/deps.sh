#!/bin/bash
# deps.sh [--check] [--target NAME] PACKAGE... - see that Debian packages are there, and install those that are not
#
# Asks nothing of the network if nothing is missing. With --check, or as somebody else than root, it only says what is
# missing and exits with 1. Services that packages bring are not started. On a system without dpkg it believes.
set -eu

check=
if [ "${1-}" = --check ]; then
    check=1
    shift
fi
target=deps
if [ "${1-}" = --target ]; then
    target=$2
    shift 2
fi
command -v dpkg-query >/dev/null || exit 0

missing=()
for package in "$@"; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    case $status in
    installed*) ;;
    *) missing+=("$package") ;;
    esac
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ -n "$check" ] || [ "$(id -u)" != 0 ]; then
    printf "Debian packages are missing; 'make %s' as root installs them: %s\n" "$target" "${missing[*]}" >&2
    exit 1
fi

# One at a time, and then look again: the other one may have installed the same.
if [ -z "${MR_DEPS_LOCKED-}" ]; then
    MR_DEPS_LOCKED=1 exec flock "$0" "$0" "$@"
fi

# Debian asks this file before it starts a service. Somebody's own stays as it is.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
echo "installing Debian packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get -q -o DPkg::Lock::Timeout=300 update
apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}"
