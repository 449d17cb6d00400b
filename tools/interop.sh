#!/usr/bin/env bash
# Nilo beside PostgreSQL: the same statements, the same answers. tools/interop.sh [SEED [COUNT]].
# Where PostgreSQL is not installed there is nothing to compare with, which is no failure.
set -eu
cd "$(dirname "$0")/.."
export NILO_BUILD="${NILO_BUILD:-$PWD/build/release}"
status=0
python3 tests/interop/run_sql_difference.py --seed "${1:-1}" --count "${2:-300}" || status=1
python3 tests/interop/run_tpch.py || status=1
exit "$status"
