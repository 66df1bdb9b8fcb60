"""Servers on directories of their own, the load generator, and tables: what tools/compare and tools/profiles share."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Server:
    """A server process on a directory of its own. `start` returns when it answers."""

    def __init__(self, name, folder, command, peer="martlet"):
        self.peer = peer
        self.name, self.folder = name, os.path.join(folder, name)
        self.log = os.path.join(self.folder, "log")
        os.makedirs(self.folder, mode=0o700)
        self.port = free_port()
        self.command = [part.format(port=self.port, folder=self.folder) for part in command]
        self.process = None

    def start(self):
        with open(os.path.join(self.folder, "output"), "ab") as output, open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=output, stderr=log)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if answers(self):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.0005)
        sys.exit(f"{self.name} did not start; see output and log in {self.folder}")

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait()

    def disk(self):
        """Bytes its directory holds on disk."""
        paths = (os.path.join(at, name) for at, _, names in os.walk(self.folder) for name in names)
        return sum(os.stat(path).st_blocks * 512 for path in paths)

    def private_memory(self):
        """Bytes of memory that are its alone, without pages of files."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"RssAnon:\s+(\d+)", status.read()).group(1)) * 1024


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(server):
    question, answer = (b"list-tubes\r\n", b"OK ") if server.peer == "beanstalkd" else (b"PING\r\n", b"+PONG")
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
            connection.sendall(question)
            return connection.recv(64).startswith(answer)
    except OSError:
        return False


def martlet(binary, folder, name="martlet", *options):
    return Server(name, folder, [binary, "serve", "--port", "{port}", "--data", "{folder}/data", "--no-http", *options])


class Bench:
    """Runs the load generator and keeps every result."""

    def __init__(self, binary, quick):
        self.binary, self.quick, self.runs = binary, quick, 0

    def run(self, server, connections, pipeline, jobs, mode="cycle", queue=None, **options):
        self.runs += 1
        command = [self.binary, "bench", "--json", "--peer", server.peer, "--port", str(server.port), "--mode", mode]
        command += ["-c", str(connections), "-P", str(pipeline), "-n", str(jobs)]
        command += ["--queue", queue or f"run{self.runs}", "--server-pid", str(server.process.pid)]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        show(f"{server.name} {mode} {connections}x{pipeline}")
        began, busy = time.monotonic(), busy_seconds()
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)}\nended with {done.returncode}: {done.stdout}")
        result = json.loads(done.stdout)
        ours = result["seconds"] * result["client_share"] + (result["server_us_per_job"] or 0) * result["jobs"] / 1e6
        result["others"] = (busy_seconds() - busy - ours) / (time.monotonic() - began)
        return result


def busy_seconds():
    """How long this machine's cores have been busy so far, added up."""
    with open("/proc/stat") as stat:
        user, nice, system, _, _, interrupts, soft = (int(field) for field in stat.readline().split()[1:8])
    return (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")


def show(text):
    """One line of progress on a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


class Table:
    """Rows as they are printed and, at the end, written as Markdown."""

    def __init__(self, first=34):
        """`first` is how wide the first column is printed."""
        self.sections, self.first = [], first

    def begin(self, title, *heads):
        self.heads = heads
        self.sections.append((title, heads, []))
        print(f"\n{title}\n" + self.line(heads), flush=True)

    def row(self, *cells):
        self.sections[-1][2].append(cells)
        print(self.line(cells), flush=True)

    def line(self, cells):
        widths = [max(12, len(head) + 2) for head in self.heads[1:]]
        return f"{cells[0]:<{self.first}}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells[1:], widths))

    def markdown(self):
        lines = []
        for title, heads, rows in self.sections:
            lines += [f"## {title}", "", "| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
            lines += ["| " + " | ".join(cells) + " |" for cells in rows] + [""]
        return "\n".join(lines)


class Wire:
    """A connection that sends commands and reads replies, in RESP or beanstalkd's protocol."""

    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb")
        self.is_tube = server.peer == "beanstalkd"

    def __call__(self, *words):
        self.send(*words)
        return self.read()

    def send(self, *words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        if self.is_tube:
            return self.socket.sendall(b" ".join(words) + b"\r\n")
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))

    def read(self):
        line = self.stream.readline().rstrip(b"\r\n")
        if self.is_tube:
            words = line.split()
            return (words[1], self.stream.read(int(words[2]) + 2)) if words[0] == b"RESERVED" else line
        if line[:1] == b"-":
            sys.exit(f"the server answered {line}")
        if line[:1] == b"$":
            return self.stream.read(int(line[1:]) + 2)[:-2] if line != b"$-1" else None
        return [self.read() for _ in range(int(line[1:]))] if line[:1] == b"*" and line != b"*-1" else line[1:]


def build(purpose):
    """Installs what is missing, builds, and returns the binary's path."""
    subprocess.run([os.path.join(ROOT, "tools/setup"), purpose], check=True)
    flags = ["-c", "release", "--explicit-target-dependency-import-check", "error"]
    subprocess.run(["swift", "build", *flags, "--product", "martlet"], cwd=ROOT, check=True, stdout=sys.stderr)
    where = ["swift", "build", *flags, "--show-bin-path"]
    folder = subprocess.run(where, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    return os.path.join(folder, "martlet")
