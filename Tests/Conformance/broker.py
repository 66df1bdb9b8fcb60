"""A real broker process: started, killed, started again."""

import os
import pathlib
import re
import select
import signal
import subprocess
import time

import wire

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = pathlib.Path(os.environ.get("MARTLET_BIN", ROOT / ".build/release/martlet"))


def eventually(condition, within=10.0, what="the condition"):
    """Waits until `condition` gives something true, and returns it."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come about within {within} s"
        time.sleep(0.01)


def run_serve(*arguments, environment=None, within=20):
    """Runs `martlet serve` to its end: exit code, standard output, standard error."""
    result = subprocess.run(
        [BINARY, "serve", *map(str, arguments)], capture_output=True, text=True, timeout=within,
        env={**os.environ, **(environment or {})})
    return result.returncode, result.stdout, result.stderr


class Broker:
    """One broker on a directory of its own; `port` is free for the taking."""

    def __init__(self, directory, *options, environment=None, wrapper=()):
        self.directory = pathlib.Path(directory)
        self.options = options
        self.environment = environment or {}
        self.wrapper = wrapper
        self.process = None
        self.port = 0
        self.ready = ""
        self.log = self.directory.parent / f"{self.directory.name}.log"

    def start(self, within=20.0):
        """Returns when it says that it is ready."""
        command = [*self.wrapper, BINARY, "serve", "--port", str(self.port), "--data", self.directory, *self.options]
        self.process = subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=open(self.log, "ab"),
            env={**os.environ, **self.environment})
        readable, _, _ = select.select([self.process.stdout], [], [], within)
        self.ready = self.process.stdout.readline().decode() if readable else ""
        assert "ready" in self.ready, f"not ready: {self.ready!r}; log:\n{self.log_text()[-2000:]}"
        self.port = int(re.search(r"resp \S+:(\d+)", self.ready).group(1))
        return self

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self, number=signal.SIGTERM, within=15):
        """An orderly stop; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(within)

    def restart(self):
        self.stop()
        return self.start()

    def connect(self, protocol=2, timeout=30):
        return wire.Wire(self.port, protocol, timeout)

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def close(self):
        if self.process and self.process.poll() is None:
            self.kill()
        if self.process:
            self.process.stdout.close()
