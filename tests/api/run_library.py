#!/usr/bin/env python3
"""libnilo as another program meets it: installed into an empty folder, found by pkg-config alone, the
four examples compiled against it, shared and static, and run.

NILO_BUILD names the folder of the build; the last line is "N passed, N failed"."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("NILO_BUILD", TOP / "build" / "debug")).resolve()
EXAMPLES = ("engine", "by_time", "by_latency", "by_sequence", "by_score")
PROGRAM = """
#include <stdio.h>
#include <nilo/store.h>
/* names that a store has inside, too: they must not meet */
int err_set(void) { return 7; }
int store_flush(void) { return 8; }
int main(void) { printf("%s %d\\n", nilo_store_version(), err_set() + store_flush()); return 0; }
"""


def run(command, **options):
    """The output of a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        raise AssertionError(f"{command}: {done.stdout}{done.stderr}")
    return done.stdout


def sanitized():
    """The sanitizers of the build; a program of its own would have to be built with the same."""
    for line in (BUILD / "CMakeCache.txt").read_text().splitlines():
        if line.startswith(("NILO_SANITIZE:", "NILO_COVERAGE:")) and not line.endswith(("=", "=OFF")):
            return True
    return False


class Library(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="nilo-library-"))
        run(["cmake", "--install", str(BUILD), "--component", "library", "--prefix", "/usr/local"],
            env=dict(os.environ, DESTDIR=str(cls.folder)))
        cls.root = cls.folder / "usr" / "local"
        configs = list(cls.root.glob("lib*/**/nilo.pc"))
        assert len(configs) == 1, configs
        cls.libraries = configs[0].parent.parent
        cls.environment = dict(os.environ, PKG_CONFIG_PATH=str(configs[0].parent),
                               LD_LIBRARY_PATH=str(cls.libraries))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def compile(self, source, program, static):
        """Compiles with what pkg-config says and nothing else."""
        flags = run(["pkg-config", "--cflags", "--libs"] + (["--static"] if static else []) +
                    ["nilo"], env=self.environment).split()
        extra = ["-lm"]  # the example's own: llround
        run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror"] + (["-static"] if static else []) +
            [str(source), "-o", str(program)] + flags + extra)

    def run_examples(self, static):
        for example in EXAMPLES:
            with self.subTest(example):
                program = self.folder / f"{example}-{'static' if static else 'shared'}"
                self.compile(TOP / "examples" / f"{example}.c", program, static)
                data = self.folder / f"{program.name}.data"
                output = run([str(program), str(data)], env=self.environment)
                expected = (TOP / "examples" / f"{example}.expected").read_text()
                self.assertEqual(output, expected)

    @unittest.skipIf(sanitized(), "needs a build without sanitizers")
    def test_examples_shared(self):
        self.run_examples(static=False)

    @unittest.skipIf(sanitized(), "needs a build without sanitizers")
    def test_examples_static(self):
        self.run_examples(static=True)

    @unittest.skipIf(sanitized(), "needs a build without sanitizers")
    def test_names_of_the_archive_do_not_meet_a_programs(self):
        source = self.folder / "names.c"
        source.write_text(PROGRAM)
        for static in (False, True):
            self.compile(source, self.folder / "names", static)
            self.assertTrue(run([str(self.folder / "names")],
                                env=self.environment).endswith(" 15\n"))

    @unittest.skipIf(sanitized(), "sanitizers bring names of their own")
    def test_only_nilo_is_exported(self):
        shared = run(["nm", "-D", "--defined-only", str(self.libraries / "libnilo.so")])
        static = run(["nm", "-g", "--defined-only", str(self.libraries / "libnilo.a")])
        for listing in (shared, static):
            names = [line.split()[2] for line in listing.splitlines() if len(line.split()) == 3]
            self.assertIn("nilo_store_open", names)
            self.assertIn("nilo_query", names)
            self.assertEqual([name for name in names if not name.startswith("nilo_")], [])

    def test_shared_library_has_a_soname(self):
        listing = run(["readelf", "-d", str(self.libraries / "libnilo.so")])
        self.assertIn("[libnilo.so.0]", listing)

    def test_header_compiles_alone_in_c_and_cpp(self):
        include = f"-I{self.root / 'include'}"
        for language, standard in (("c", "c11"), ("c", "c17"), ("c++", "c++11")):
            probe = subprocess.run(["cc", "-x", language, "-fsyntax-only", "-"], input="",
                                   capture_output=True, text=True)
            if probe.returncode:
                continue  # no compiler for it here
            run(["cc", "-x", language, f"-std={standard}", "-pedantic", "-Wall", "-Wextra",
                 "-Werror", "-fsyntax-only", include, "-"],
                input="#include <nilo/store.h>\n#include <nilo/nilo.h>\n")

    def test_manual_page_is_installed(self):
        for page in ("nilo.3", "nilo-store.3"):
            self.assertTrue((self.root / "share" / "man" / "man3" / page).exists())


if __name__ == "__main__":
    result = unittest.main(exit=False).result
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
