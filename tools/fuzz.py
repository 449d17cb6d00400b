#!/usr/bin/env python3
"""Builds the fuzz preset and runs each target for a while.

Inputs that reach something new are kept under build/fuzz/found/<name>/; an input that breaks a target
is written to build/fuzz/broken/ and named. Move it to tests/fuzz/corpus/<name>/ with the repair, so
that it is replayed as a test from then on.

Usage: fuzz.py [--seconds N] [--name NAME]
"""
import argparse
import pathlib
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
INPUT_BYTES_MAX = 1 << 16
INPUT_SECONDS_MAX = 10


def run_target(name, seconds):
    """Runs one target; True when nothing broke."""
    found = TOP / "build/fuzz/found" / name
    broken = TOP / "build/fuzz/broken"
    corpus = TOP / "tests/fuzz/corpus" / name
    found.mkdir(parents=True, exist_ok=True)
    broken.mkdir(parents=True, exist_ok=True)
    log = TOP / "build/fuzz" / f"{name}.log"
    command = [str(TOP / "build/fuzz" / f"fuzz_{name}"), f"-max_total_time={seconds}",
               f"-max_len={INPUT_BYTES_MAX}", f"-timeout={INPUT_SECONDS_MAX}",
               "-print_final_stats=1", f"-artifact_prefix={broken}/{name}-", str(found)]
    if corpus.is_dir():
        command.append(str(corpus))
    with log.open("w") as output:
        code = subprocess.run(command, cwd=TOP, stdout=output, stderr=subprocess.STDOUT).returncode
    text = log.read_text(errors="replace")
    runs = next((line.split()[-1] for line in text.splitlines()
                 if line.startswith("stat::number_of_executed_units")), "?")
    if code == 0:
        print(f"ok      fuzz_{name}: {runs} inputs in {seconds} s", flush=True)
        return True
    print("\n".join(text.splitlines()[-40:]))
    print(f"FAILED  fuzz_{name}: see {log.relative_to(TOP)} and build/fuzz/broken/", flush=True)
    return False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--name")
    options = parser.parse_args()
    names = sorted(path.stem.removeprefix("fuzz_") for path in (TOP / "tests/fuzz").glob("fuzz_*.c"))
    if options.name:
        names = [name for name in names if name == options.name]
    if not names:
        print("no such fuzz target" if options.name else "there are no fuzz targets")
        return 1
    subprocess.run([str(TOP / "tools/build.sh"), "fuzz", *(f"fuzz_{name}" for name in names)],
                   check=True)
    results = [run_target(name, options.seconds) for name in names]
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
