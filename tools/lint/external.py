"""The checks that other programs make: clang-format, the compiler on each header, cppcheck."""
import concurrent.futures
import os
import re
import shlex
import shutil
import subprocess

from source import C_SUFFIXES, Finding

LIBRARIES = ("libuv", "libpcre2-8", "libzstd", "libdeflate", "cmocka")
FORMATTED_FOLDERS = ("src", "include", "tests", "bench", "examples")
CPPCHECK_SECONDS_MAX = 900
MESSAGE = re.compile(r"^(?P<path>[^:\n]+):(?P<line>\d+):(?:\d+:)? *(?P<text>.*)$")


def find_clang_format():
    """The command of clang-format 14, or None: another version formats otherwise."""
    for command in ("clang-format-14", "clang-format"):
        if shutil.which(command):
            version = subprocess.run([command, "--version"], capture_output=True, text=True).stdout
            if "version 14." in version:
                return command
    return None


def formatted_paths(tree):
    return [source.path for source in tree.select(C_SUFFIXES, *FORMATTED_FOLDERS)]


def format_in_place(tree):
    subprocess.run([find_clang_format(), "-i", *formatted_paths(tree)], cwd=tree.root, check=True)


def check_format(tree):
    """clang-format 14 has nothing to change."""
    command = find_clang_format()
    if not command:
        yield Finding(".clang-format", 1, "clang-format 14 is not installed: tools/setup.sh lint")
        return
    paths = formatted_paths(tree)
    if not paths:
        return
    done = subprocess.run([command, "--dry-run", *paths], cwd=tree.root, capture_output=True,
                          text=True)
    seen = set()
    for line in done.stderr.splitlines():
        match = MESSAGE.match(line)
        if match and "clang-format" in match["text"] and match["path"] not in seen:
            seen.add(match["path"])
            yield Finding(match["path"], int(match["line"]), "not formatted: make format")


def compile_flags(tree):
    """What a file needs to compile, as CMakeLists.txt gives it."""
    flags = ["-std=gnu17", "-D_GNU_SOURCE", "-DNILO_DEBUG=1", '-DNILO_VERSION="lint"', "-Isrc",
             "-Iinclude", "-Itests/support"]
    for library in LIBRARIES:
        found = subprocess.run(["pkg-config", "--cflags", library], capture_output=True, text=True)
        flags += shlex.split(found.stdout)
    return flags


def check_headers(tree):
    """Every header compiles alone: it includes what it uses."""
    compiler = os.environ.get("CC", "cc")
    base = [compiler, "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function",
            *compile_flags(tree), "-x", "c"]

    def compile_header(path):
        # Included rather than compiled, so that "#pragma once in main file" and the like stay quiet.
        done = subprocess.run([*base, "-include", path, "/dev/null"], cwd=tree.root,
                              capture_output=True, text=True)
        if done.returncode == 0:
            return None
        for line in done.stderr.splitlines():
            match = MESSAGE.match(line)
            if match and "error" in match["text"]:
                return Finding(path, int(match["line"]) if match["path"].endswith(path) else 1,
                               f"does not compile alone: {match['text']}")
        return Finding(path, 1, "does not compile alone")

    paths = [source.path for source in tree.select({".h"}, "src", "include", "tests")]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        yield from filter(None, pool.map(compile_header, paths))


def check_cppcheck(tree):
    """cppcheck finds nothing but what tools/lint/cppcheck.txt argues away."""
    cache = tree.root / "build/lint/cppcheck"
    cache.mkdir(parents=True, exist_ok=True)
    paths = [source.path for source in tree.select({".c"}, "src")]
    if not paths:
        return
    command = ["cppcheck", "--quiet", "--std=c11", "--language=c", "--platform=unix64",
               "--enable=warning,performance,portability", "--inline-suppr", "--max-configs=1",
               f"-j{os.cpu_count() or 2}", f"--cppcheck-build-dir={cache}",
               "--suppressions-list=tools/lint/cppcheck.txt", "--library=posix,gnu",
               "--template={file}:{line}: {message} [{id}]", "-Isrc", "-Iinclude", "-D_GNU_SOURCE",
               "-D__GNUC__=12", "-D__x86_64__=1", '-DNILO_VERSION="lint"', "-DNILO_DEBUG=1", *paths]
    done = subprocess.run(command, cwd=tree.root, capture_output=True, text=True,
                          timeout=CPPCHECK_SECONDS_MAX)
    for line in (done.stdout + done.stderr).splitlines():
        match = MESSAGE.match(line)
        if match:
            yield Finding(match["path"], int(match["line"]), match["text"])
    if done.returncode:
        yield Finding("tools/lint/cppcheck.txt", 1, f"cppcheck ended with {done.returncode}")
