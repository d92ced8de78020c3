# SPDX-License-Identifier: BSD-2-Clause
"""viaductd, started in its namespace with a configuration, watched until it ends."""

import contextlib
import json
import os
import re
import shutil
import signal
import tempfile

import ordinary
from cli import Cli
from net import Namespace
from rtp import wait_until

try:
    import jsonschema
except ImportError:  # the machines of tests/kernel
    jsonschema = None

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("VIADUCT_BUILD", "build"))
SANITIZED = os.path.basename(BUILD) == "san"
BPF_DIR = "/sys/fs/bpf"
READY_TIMEOUT_S = 15
RECORDS_HELD_MAX = 500  # against the schema, of one daemon
SANITIZER_REPORT = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:")


def write_configuration(path, configuration):
    """Every JSON text is YAML: one key a line, so that mistakes have lines of their own."""
    with open(path, "w", encoding="utf-8") as f:
        json.dump(configuration, f, indent=1)


def remove_stale_pins():
    """Pins of runs that were killed: their instances are named after processes that are no more."""
    for name in os.listdir(BPF_DIR) if os.path.isdir(BPF_DIR) else ():
        match = re.fullmatch(r"viaduct-e2e-(?:[a-z]+-)?(\d+)", name)
        if match and not os.path.exists(f"/proc/{match.group(1)}"):
            shutil.rmtree(os.path.join(BPF_DIR, name), ignore_errors=True)


class Daemon:
    program = os.path.join(BUILD, "viaductd")

    def __init__(self, ns: Namespace, configuration, as_root=None):
        """as_root: what root runs it by, (): itself; else it runs as an ordinary user."""
        remove_stale_pins()
        self.ns, self.as_root = ns, as_root
        self.instance = configuration["instance"]
        self.dir = tempfile.mkdtemp(prefix="viaduct-e2e-")
        self.own_program = shutil.copy(self.program, self.dir)  # the tree may be hidden from others
        if as_root is None:
            ordinary.give(self.dir)
        else:
            os.chmod(self.dir, 0o1777)  # as whom it will run is the configuration's matter
        self.file = os.path.join(self.dir, "viaduct.yaml")
        self.log_path = os.path.join(self.dir, "log")
        self.records_path = os.path.join(self.dir, "records")
        self.state_dir = os.path.join(self.dir, "state")
        self.pins = os.path.join(configuration.get("bpf_dir", BPF_DIR),
                                 f"viaduct-{self.instance}")
        self.write(configuration)
        self.cli = Cli(ns, os.path.join(BUILD, "viaduct"))
        self.process = None
        self.start()

    def write(self, configuration):
        write_configuration(self.file, {"state_dir": self.state_dir, **configuration,
                                        "records": {"file": self.records_path}})
        if self.as_root is None:
            ordinary.give_named(configuration)

    def use(self, program):
        """The next start() is that program's, one of those that were built."""
        shutil.copy(program, self.own_program)

    def _writes_records(self):
        asked = self.cli.text("--json", "status", check=False)
        return asked.returncode == 0 and json.loads(asked.stdout).get("records_queued", 0) > 0

    def records(self):
        """The call detail records, oldest first: of all that ended before. A thread writes them, after
        the answers that calls end with."""
        if self.process.poll() is None:
            wait_until(lambda: not self._writes_records(), 5, "the records to be written")
        with open(self.records_path, encoding="utf-8") as f:
            return [json.loads(line) for line in f if line.endswith("\n")]

    def check_records(self):
        """Whatever the tests' calls came to, each record is as the schema has it; of many a part is looked at."""
        if not jsonschema or not os.path.exists(self.records_path):
            return
        with open(os.path.join(ROOT, "include", "viaduct_record.schema.json"), encoding="utf-8") as f:
            schema = jsonschema.Draft7Validator(json.load(f))
        found = self.records()
        for record in found[::len(found) // RECORDS_HELD_MAX + 1]:
            schema.validate(record)

    def argv(self, *options):
        """Of viaductd, as whom it runs."""
        command = (self.own_program, *options, self.file)
        return ordinary.argv(*command) if self.as_root is None else (*self.as_root, *command)

    def start(self):
        env = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1:quarantine_size_mb=32",
               "UBSAN_OPTIONS": "print_stacktrace=1"}
        with open(self.log_path, "a", encoding="utf-8") as log:
            self.process = self.ns.popen(*self.argv(), stdout=log, stderr=log, env=env)
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"viaductd exit {self.process.returncode}: {self.log_tail()}")
            return self.cli.text("status", check=False).returncode == 0
        wait_until(ready, READY_TIMEOUT_S, lambda: f"viaductd to be ready: {self.log_tail()}")

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def log_tail(self, lines=40):
        return "\n".join(self.log().splitlines()[-lines:])

    def memory_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as f:
            return int(re.search(r"VmRSS:\s+(\d+) kB", f.read()).group(1))

    def check_alive(self):
        code = self.process.poll()
        assert code is None, f"viaductd ended with {code}: {self.log_tail(120)}"
        report = SANITIZER_REPORT.search(self.log())
        assert not report, self.log()[max(0, report.start() - 500):report.start() + 4000]

    @contextlib.contextmanager
    def frozen(self):
        """What comes meanwhile waits in the kernel, all of it."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def kill(self):
        """As a crash would, whatever it is at."""
        self.process.kill()
        self.process.wait()

    def leave(self):
        """Ends it as a restart does: calls and media are left to the next start()."""
        self._end(signal.SIGTERM)

    def stop(self):
        """Ends it as an administrator would; everything it made in the kernel must be gone."""
        self._end(signal.SIGINT)
        self.check_records()

    def _end(self, sign):
        if self.process.poll() is None:
            self.process.send_signal(sign)
            try:
                self.process.wait(15)
            except Exception as e:
                raise AssertionError(f"viaductd does not end: {self.log_tail()}") from e
        assert self.process.returncode == 0, \
            f"viaductd exit {self.process.returncode}: {self.log_tail(120)}"
        report = SANITIZER_REPORT.search(self.log())
        assert not report, self.log()[max(0, report.start() - 500):report.start() + 8000]

    def pinned(self):
        found = []
        for folder, _, names in os.walk(self.pins):
            found += [os.path.join(folder, name) for name in names]
        return found

    def discard(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.pins, ignore_errors=True)
        shutil.rmtree(self.dir, ignore_errors=True)
