"""Every command line of README and docs, run as it stands there, in the order in which it stands there."""

import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess

import pytest
import redis

from broker import BINARY, ROOT

DOCUMENTS = ["README.md", "Examples/README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))]
# What takes minutes: run by the slow tests.
LONG = {
    "tools/demo", "tools/compare", "tools/profiles", "tools/docs client", "swift build -c release --product martlet",
    "swift build -c release"}
# How they take less time.
SHORTER = {"tools/compare": " --quick --no-restart --cells 1x1 --rounds 1", "tools/profiles": " --quick"}
# How the examples are told where the broker under test is.
EXAMPLES = {
    ".build/release/jobs": "--url martlet://127.0.0.1:{}", ".build/release/summarizer": "--port {}",
    "Examples/python": "--port {}"}
# What starts a broker that stays, and on which data.
SERVE = re.compile(r"martlet serve(?: --data (\S+))?$")
# What runs this test.
SELF = {"tools/test"}


def blocks(document, language):
    """The fenced blocks of one language."""
    text = (ROOT / document).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def lines(document):
    """The command lines of its `sh` blocks, without the remarks behind them."""
    found = [line for block in blocks(document, "sh") for line in block.splitlines() if line.strip()]
    return [re.sub(r"\s+# .*$", "", line) for line in found]


class Shell:
    """A folder in which the documents' commands run: its `.build/release/martlet` is the one under test."""

    def __init__(self, folder):
        self.folder, self.server, self.workers = folder, None, []
        (folder / ".build/release").mkdir(parents=True)
        for program in "martlet", "jobs", "summarizer":
            (folder / ".build/release" / program).symlink_to(pathlib.Path(BINARY).resolve().with_name(program))
        for name in "tools", "docs", "Examples", "README.md":
            (folder / name).symlink_to(ROOT / name)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.environment = {**os.environ, "MARTLET_PORT": str(self.port)}

    def run(self, line):
        """Runs a line of shell; what it printed."""
        if SERVE.search(line):
            return self.serve(line)
        line = line.replace("7379", str(self.port))
        for program, option in EXAMPLES.items():
            line += f" {option}".format(self.port) if line.startswith(program) else ""
        if re.search(r"worker(\.py)? --", line):
            return self.work(line)
        done = subprocess.run(
            ["bash", "-c", line], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120,
            stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        if line.endswith("SHUTDOWN") and self.server:
            assert self.server.wait(20) == 0
        return done.stdout

    def work(self, line):
        log = open(self.folder / "log", "ab")
        self.workers.append(subprocess.Popen(shlex.split(line), cwd=self.folder, stdout=log, stderr=log))
        return ""

    def serve(self, line):
        if self.server and self.server.poll() is None:
            return ""  # It runs since another page.
        self.server = subprocess.Popen(
            shlex.split(line), cwd=self.folder, env=self.environment, stdout=subprocess.PIPE,
            stderr=open(self.folder / "log", "ab"))
        ready = self.server.stdout.readline().decode()
        data = (SERVE.search(line)[1] or "./martlet-data").removeprefix("./")
        assert "ready" in ready and f"/{data}, pid" in ready, ready
        return ""

    def close(self):
        for worker in self.workers:
            assert worker.poll() is None, (self.folder / "log").read_text()[-2000:]
            worker.kill()
            worker.wait()
        if self.server:
            if self.server.poll() is None:
                self.server.send_signal(signal.SIGKILL)
                self.server.wait()
            self.server.stdout.close()


@pytest.fixture
def shell(tmp_path):
    shell = Shell(tmp_path)
    yield shell
    shell.close()


def test_there_are_commands_to_run():
    assert len(lines("README.md")) > 15
    assert (LONG | SELF) <= {line for document in DOCUMENTS for line in lines(document)}


def test_every_command_line_works_in_order(shell):
    for document in DOCUMENTS:
        for line in lines(document):
            if line in LONG | SELF:
                assert line.startswith("swift") or os.access(ROOT / line.split()[0], os.X_OK)
                continue
            if shell.server and shell.server.poll() is not None and " check " not in line and not SERVE.search(line):
                shell.serve(".build/release/martlet serve")
            shell.run(line)


def test_what_readme_types_into_redis_cli_works(shell):
    shell.run(".build/release/martlet serve")
    (session,) = [block for block in blocks("README.md", "") if block.startswith("$ redis-cli")]
    known, seen = {}, 0
    for line in session.splitlines():
        if not line.startswith("> "):
            continue
        words = shlex.split(re.sub(r"\s+# .*$", "", line[2:]))
        words = [re.sub(r"<(\w+)>", lambda match: known[match.group(1)], word) for word in words]
        # With -e an error is an exit code.
        done = subprocess.run(
            ["redis-cli", "-e", "-p", str(shell.port), *words], capture_output=True, text=True, timeout=20)
        assert done.returncode == 0, (line, done.stdout)
        out = done.stdout
        if words[0] == "TASK.ADD":
            known["id"] = out.strip()
        if words[0] == "TASK.RESERVE":
            known["token"] = re.search(r"^token\n(\d+)$", out, re.MULTILINE).group(1)
        seen += 1
    assert seen > 4


def test_what_readme_does_in_python_works(shell):
    shell.run(".build/release/martlet serve")
    (code,) = blocks("README.md", "python")
    names = {}
    exec(code.replace("7379", str(shell.port)), names)
    with redis.Redis(port=shell.port) as client:
        assert client.execute_command("TASK.GET", names["task"])


@pytest.mark.slow
@pytest.mark.parametrize("line", sorted(LONG))
def test_every_long_command_line_works(line):
    arguments = SHORTER.get(line, "")
    environment = {**os.environ, "GENERATED": "40"}
    done = subprocess.run(
        ["bash", "-c", line + arguments], cwd=ROOT, capture_output=True, text=True, timeout=1800, env=environment)
    # The comparison ends with 1 when a ratio is below its bar, which one quick round does not decide.
    assert done.returncode == 0 or line == "tools/compare" and done.returncode == 1, done.stdout + done.stderr
