#!/usr/bin/env bash
# Nilo beside PostgreSQL: the same statements, the same answers. tools/interop.sh [SEED [COUNT]].
# Where PostgreSQL is not installed there is nothing to compare with, which is no failure.
set -eu
cd "$(dirname "$0")/.."
status=0
NILO_BUILD=${NILO_BUILD:-build/release} python3 tests/interop/run_sql_difference.py --seed "${1:-1}" --count "${2:-300}" || status=1
NILO_BUILD=${NILO_BUILD:-build/release} python3 tests/interop/run_tpch.py || status=1
exit "$status"
