#!/usr/bin/env python3
"""make lint: every check that is not a test. Prints findings as file:line: text, then their count.

A check is a function that takes a Tree and yields Findings; its docstring is its rule. To add one,
write it, list it in CHECKS, and show it a good and a bad sample in tests/lint/run_lint_tests.py.

Usage: lint.py [--format] [CHECK…]      --format: format the C sources instead
"""
import argparse
import pathlib
import sys
import time

import banned
import contracts
import edges
import external
import leftovers
import sizes
from source import Tree

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CHECKS = {
    "includes": edges.check_includes,
    "modules": edges.check_modules,
    "names": edges.check_names,
    "banned": banned.check,
    "sizes": sizes.check,
    "contracts": contracts.check,
    "marks": leftovers.check_marks,
    "commented-code": leftovers.check_commented_code,
    "whitespace": leftovers.check_whitespace,
    "links": leftovers.check_links,
    "format": external.check_format,
    "headers": external.check_headers,
    "cppcheck": external.check_cppcheck,
}


def main():
    parser = argparse.ArgumentParser(description="Every check that is not a test.")
    parser.add_argument("--format", action="store_true", help="format the C sources in place")
    parser.add_argument("--times", action="store_true", help="say how long each check took")
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=" ".join(CHECKS))
    options = parser.parse_args()
    tree = Tree(ROOT)
    if options.format:
        external.format_in_place(tree)
        return 0
    unknown = [name for name in options.checks if name not in CHECKS]
    if unknown:
        parser.error(f"no check {unknown[0]}; there are {', '.join(CHECKS)}")
    count = 0
    for name in options.checks or CHECKS:
        begin = time.monotonic()
        for finding in sorted(CHECKS[name](tree), key=lambda f: (f.path, f.line)):
            print(f"{finding} ({name})", flush=True)
            count += 1
        if options.times:
            print(f"{name}: {time.monotonic() - begin:.1f} s", file=sys.stderr)
    print(f"lint: {count} finding{'' if count == 1 else 's'} in {len(tree.paths)} files")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
