#!/usr/bin/env python3
"""Runs the tests of a build folder and adds up what they counted.

First ctest, two programs at a time or as many as there are cores; a program's own cases are counted
where it reports them (cmocka does), otherwise it counts as one. Then the script suites
(tests/*/run_*.py), one after the other, since they start servers; a suite's last line is
"N passed, N failed". The output of what failed is shown, the rest is one line each.

Usage: run_tests.py BUILD_FOLDER
"""
import os
import pathlib
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

TOP = pathlib.Path(__file__).resolve().parent.parent
SUITE_SECONDS_MAX = 1800  # a suite that hangs must not hang the checks with it
PASSED = re.compile(r"^\[  PASSED  \] (\d+) test\(s\)", re.MULTILINE)
FAILED = re.compile(r"^\[  FAILED  \] (\d+) test\(s\), listed below", re.MULTILINE)
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed$")
OUTPUT_LINES_MAX = 200


def show(title, output):
    """Prints the end of a failed test's output."""
    lines = output.splitlines()
    cut = len(lines) - OUTPUT_LINES_MAX
    print(f"---- {title}" + (f" (last {OUTPUT_LINES_MAX} lines of {len(lines)})" if cut > 0 else ""))
    print("\n".join(lines[max(cut, 0):]))
    print("----")


def count_case(case):
    """The (passed, failed) of one ctest entry."""
    output = case.findtext("system-out") or ""
    passed = sum(int(n) for n in PASSED.findall(output))
    failed = sum(int(n) for n in FAILED.findall(output))
    if case.get("status") == "run":
        return (passed, 0) if passed else (1, 0)
    return passed, max(failed, 1)


def run_ctest(build):
    """Runs ctest; the sum of (passed, failed)."""
    report = build / "ctest.xml"
    report.unlink(missing_ok=True)
    command = ["ctest", "--test-dir", str(build), "--parallel", str(max(2, os.cpu_count() or 2)),
               "--output-junit", str(report.resolve()), "--test-output-size-passed", "1000000",
               "--test-output-size-failed", "1000000", "--quiet"]
    ctest = subprocess.run(command, cwd=TOP)
    if not report.exists():
        print("ctest wrote no report" if ctest.returncode else "ctest found no tests")
        return 0, 1 if ctest.returncode else 0
    total_passed = total_failed = 0
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        passed, failed = count_case(case)
        total_passed += passed
        total_failed += failed
        if failed:
            show(case.get("name"), case.findtext("system-out") or "no output")
        word = "ok" if not failed else "FAILED"
        print(f"{word:7}{case.get('name')}: {passed} passed, {failed} failed "
              f"({float(case.get('time') or 0):.1f} s)")
    return total_passed, total_failed


def run_suite(path, build):
    """Runs one script suite; its (passed, failed)."""
    name = str(path.relative_to(TOP))
    environment = dict(os.environ, NILO_BUILD=str(build.resolve()), PYTHONDONTWRITEBYTECODE="1")
    begin = time.monotonic()
    try:
        done = subprocess.run([sys.executable, str(path)], cwd=TOP, env=environment, text=True,
                              errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=SUITE_SECONDS_MAX)
        output, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired as expired:
        output, code = f"{expired.stdout or ''}\nno end after {SUITE_SECONDS_MAX} s", 1
    lines = output.rstrip().splitlines()
    counts = COUNTS.match(lines[-1]) if lines else None
    passed, failed = (int(counts[1]), int(counts[2])) if counts else (0, 1)
    if code and not failed:
        failed = 1
    if failed or not counts:
        show(f"{name} (exit {code})", output)
    word = "ok" if not failed else "FAILED"
    print(f"{word:7}{name}: {passed} passed, {failed} failed ({time.monotonic() - begin:.1f} s)",
          flush=True)
    return passed, failed


def main():
    build = pathlib.Path(sys.argv[1])
    passed, failed = run_ctest(build)
    for path in sorted(TOP.glob("tests/*/run_*.py")):
        if path.parent.name == "interop":  # beside other programs: make interop
            continue
        suite_passed, suite_failed = run_suite(path, build)
        passed += suite_passed
        failed += suite_failed
    if not passed and not failed:
        print("no test ran")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
