#!/bin/sh
# Builds a preset's tests and runs everything: the test programs and fuzz corpora through ctest, then
# the script suites, tests/*/run_*.py. Ends with one line, "N passed, N failed", and fails if a test
# failed or none ran.
#
# Usage: tools/test.sh [test|asan|tsan|coverage|debug]
#
# A script suite gets the folder of the build in NILO_BUILD, finds the program as $NILO_BUILD/nilo,
# and prints "N passed, N failed" as its last line.
set -eu
cd "$(dirname -- "$0")/.."
preset=${1:-test}
case $preset in
  coverage) tools/setup.sh build test coverage ;;
  *) tools/setup.sh build test ;;
esac
tools/build.sh "$preset"

# A report of a sanitizer is a failure wherever it happens, in a server's child process too.
# (Not detect_stack_use_after_return: gcc 12 aligns its false stack frames to 32 bytes, AVX-512 wants 64.)
export ASAN_OPTIONS="strict_string_checks=1:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS:-}"
tsan_options="halt_on_error=1:second_deadlock_stack=1:suppressions=$PWD/tests/support/tsan.supp"
export TSAN_OPTIONS="$tsan_options:${TSAN_OPTIONS:-}"

status=0
python3 tools/run_tests.py "build/$preset" || status=$?
if [ "$preset" = coverage ]; then
  gcovr --root . --object-directory build/coverage --filter 'src/' >build/coverage/report.txt || true
  echo "coverage: build/coverage/report.txt; $(tail -n 3 build/coverage/report.txt | grep TOTAL || true)"
  # The store has a mark of its own.
  gcovr --root . --object-directory build/coverage --filter 'src/store/' --fail-under-line 90 \
    >build/coverage/store.txt || status=$?
  echo "coverage of src/store (lines, executed, %): $(grep TOTAL build/coverage/store.txt || echo none)"
fi
exit "$status"
