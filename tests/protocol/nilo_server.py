"""Starts the built server for a script suite, on a free loopback port and a directory of its own."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
START_SECONDS_MAX = 60


def program():
    """The program under test."""
    build = os.environ.get("NILO_BUILD", str(TOP / "build" / "release"))
    return str(pathlib.Path(build) / "nilo")


class Server:
    """A running `nilo serve`. Use as a context manager; stop() tells the exit code."""

    def __init__(self, settings=(), folder=None):
        self.own_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="nilo-test-")
        self.settings = list(settings)
        self.process = None
        self.port = 0
        self.log = None

    def start(self):
        log_path = pathlib.Path(self.folder) / "server.log"
        self.log = open(log_path, "ab")
        # NILO_… variables are settings to the program, and those of the suite are none.
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("NILO_")}
        suppressions = TOP / "tests" / "support" / "tsan.supp"
        environment["TSAN_OPTIONS"] = (environment.get("TSAN_OPTIONS", "") +
                                       f":suppressions={suppressions}")
        begin = self.log.tell()
        command = [program(), "serve", "--data", str(pathlib.Path(self.folder) / "data"),
                   "--http", "127.0.0.1:0", "--no-collector"] + self.settings
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT,
                                        env=environment, cwd=self.folder)
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            text = log_path.read_bytes()[begin:].decode("utf-8", "replace")
            found = re.search(r"listens on http://[0-9.]+:(\d+)", text)
            if found:
                self.port = int(found[1])
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        self.kill()
        raise RuntimeError("the server did not start:\n" + log_path.read_text(errors="replace"))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def connect(self):
        """A raw socket."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def stop(self):
        """Ends it as an operator would; its exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        self.process = None
        self.log.close()
        return code

    def kill(self):
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
            self.log.close()

    def log_text(self):
        return (pathlib.Path(self.folder) / "server.log").read_text(errors="replace")

    def remove(self):
        self.kill()
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.remove()


def run_suite(module):
    """Runs the unittest cases of a module; the last line is what tools/run_tests.py counts."""
    import sys
    import unittest
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    result = unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(suite)
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    passed = max(0, result.testsRun - failed - len(result.skipped))
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
