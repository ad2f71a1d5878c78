#!/bin/bash
# run.sh [BUILD] - every benchmark, each printing its table (make bench builds what they need)
set -eu

build=${1:-build}
cd "$(dirname "$0")/../.."
/usr/bin/python3 tests/bench/runtime.py "$build"
/usr/bin/python3 tests/bench/engines.py "$build"
/usr/bin/python3 tests/bench/stack.py "$build"
