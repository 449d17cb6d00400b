#!/usr/bin/env python3
"""tools/setup.sh and its table, without a package manager: a PATH that holds only what a row allows."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
ALWAYS = ("sh", "awk", "cat", "cksum", "tr", "id", "mkdir", "rm", "sort", "dirname")
BUILD_TOOLS = ("gcc", "cmake", "ninja", "pkg-config", "lemon", "re2c")


def rows():
    lines = (TOP / "tools/packages.txt").read_text().splitlines()
    return [line.split(None, 5) for line in lines if line and not line.startswith("#")]


class Setup(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = pathlib.Path(folder.name)
        (self.top / "tools").mkdir()
        (self.top / "bin").mkdir()
        for name in ("setup.sh", "packages.txt"):
            shutil.copy(TOP / "tools" / name, self.top / "tools" / name)

    def run_setup(self, release, groups, commands):
        for command in (*ALWAYS, *commands):
            link = self.top / "bin" / command
            if not link.exists():
                link.symlink_to(shutil.which(command) or "/bin/true")
        (self.top / "os-release").write_text(release)
        environment = {"PATH": str(self.top / "bin"), "NILO_OS_RELEASE": str(self.top / "os-release")}
        return subprocess.run([str(self.top / "tools/setup.sh"), *groups], env=environment,
                              capture_output=True, text=True)

    def test_what_is_missing_is_listed_as_the_distribution_names_it(self):
        without_ninja = [tool for tool in BUILD_TOOLS if tool != "ninja"]
        table = [
            ("ID=fedora\n", "sudo dnf install ninja-build \n"),
            ("ID=rocky\nID_LIKE='rhel centos fedora'\n", "sudo dnf install ninja-build \n"),
            ("ID=arch\n", "sudo pacman -S ninja \n"),
            ("ID=alpine\n", "ninja-build: the build's runner"),
            ("", "ninja-build: the build's runner"),
        ]
        for release, expected in table:
            done = self.run_setup(release, ["build"], without_ninja)
            self.assertEqual(done.returncode, 1, release)
            self.assertIn(expected, done.stderr, release)
            self.assertNotIn("cmake", done.stderr, release)

    def test_what_is_there_is_accepted_once_and_remembered(self):
        done = self.run_setup("ID=fedora\n", ["build"], BUILD_TOOLS)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        (self.top / "bin/ninja").unlink()
        self.assertEqual(self.run_setup("ID=fedora\n", ["build"], []).returncode, 0)

    def test_a_changed_table_is_looked_at_again(self):
        self.assertEqual(self.run_setup("ID=fedora\n", ["build"], BUILD_TOOLS).returncode, 0)
        with (self.top / "tools/packages.txt").open("a") as table:
            table.write("build soup cmd:soup soup soup a spoon\n")
        done = self.run_setup("ID=fedora\n", ["build"], BUILD_TOOLS)
        self.assertEqual(done.returncode, 1)
        self.assertIn("dnf install soup", done.stderr)

    def test_an_unknown_group_is_refused(self):
        done = self.run_setup("ID=fedora\n", ["build", "soup"], BUILD_TOOLS)
        self.assertEqual(done.returncode, 2)
        self.assertIn("no group 'soup'", done.stderr)


class Table(unittest.TestCase):
    def test_every_row_is_whole(self):
        for row in rows():
            self.assertEqual(len(row), 6, row)
            self.assertRegex(row[2], r"^((cmd|pc|py):\S+|-)$", row)

    def test_the_build_asks_for_nothing_that_is_not_in_the_table(self):
        probes = {row[2].removeprefix("pc:") for row in rows() if row[2].startswith("pc:")}
        build = (TOP / "CMakeLists.txt").read_text()
        asked = re.findall(r"nilo_find\(\w+ ([\w-]+)\)", build)
        asked += re.findall(r"pkg_check_modules\(\w+ REQUIRED IMPORTED_TARGET ([\w-]+)\)", build)
        self.assertTrue(asked)
        self.assertEqual(set(asked) - probes, set())


if __name__ == "__main__":
    result = unittest.TextTestRunner(stream=sys.stdout).run(
        unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__]))
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
