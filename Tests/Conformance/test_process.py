"""The process: how it starts, refuses to start, and stops."""

import os
import pathlib
import re
import select
import signal
import stat
import subprocess
import threading

import pytest

from broker import BINARY, eventually, run_serve
from wire import tasks


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_orderly_stop_tells_blocked_callers_and_exits_with_0(broker, number):
    with broker.connect() as client, broker.connect() as idle:
        client.send("TASK.RESERVE", 1, "q", "BLOCK", 0)
        eventually(lambda: b"blocked_clients:1" in idle("INFO", "clients"))
        assert broker.stop(number) == 0
        assert client.read().code == "STOPPING"
        assert client.at_end()


def traps(process, number):
    """Whether a process has a handler for this signal."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"^SigCgt:\s*([0-9a-f]+)", status, re.M).group(1), 16) >> (number - 1) & 1


def fill(pipe):
    """Whoever writes to the pipe next waits until somebody reads."""
    os.set_blocking(pipe, False)
    try:
        while True:
            os.write(pipe, b"." * 4096)
    except BlockingIOError:
        os.set_blocking(pipe, True)


def test_signals_are_trapped_before_anybody_can_know_that_it_runs(tmp_path):
    password = tmp_path / "password"
    password.write_text("secret\n")
    password.chmod(0o644)
    log, full = os.pipe()
    fill(full)
    # It warns of the password file that others may read, before it listens, and cannot go on.
    process = subprocess.Popen(
        [BINARY, "serve", "--port", "0", "--data", tmp_path / "data", "--password-file", password],
        stdout=subprocess.PIPE, stderr=full)
    os.close(full)
    try:
        eventually(lambda: traps(process, signal.SIGTERM) and traps(process, signal.SIGINT), what="a trap")
        assert not select.select([process.stdout], [], [], 0)[0]
        threading.Thread(target=lambda: os.fdopen(log, "rb").read(), daemon=True).start()
        assert b"ready" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()


def test_what_was_acknowledged_is_there_after_a_stop_and_a_start(broker):
    with broker.connect() as client:
        ids = [client("TASK.ADD", "q", "t", str(n)) for n in range(50)]
        (task,) = tasks(client("TASK.RESERVE", 1, "q", "LEASE", 60000))
    broker.restart()
    with broker.connect() as client:
        assert client("TASK.ACK", task["id"], task["token"]) == "OK"
        rest = tasks(client("TASK.RESERVE", 1, "q", "COUNT", 100))
        assert [task["id"] for task in rest] == ids[1:]


def test_a_second_start_says_who_holds_the_directory(broker):
    code, out, error = run_serve("--port", 0, "--data", broker.directory)
    assert 64 <= code <= 78 and out == ""
    assert len(error.strip().splitlines()) == 1
    assert str(broker.process.pid) in error and str(broker.directory) in error


def test_an_occupied_port_is_named_in_one_line(broker, tmp_path):
    code, out, error = run_serve("--port", broker.port, "--data", tmp_path / "other")
    assert 64 <= code <= 78 and out == ""
    assert len(error.strip().splitlines()) == 1 and str(broker.port) in error


@pytest.mark.parametrize("arguments", [
    ("--nonsense",), ("--port", "x"), ("--port", 65536), ("--port", -1), ("--max-data-mb", 0),
    ("--durability", "never"),
    ("--log-level", "loud"), ("--bind", "0.0.0.0"), ("--config", "/nonexistent.json"),
    ("--password-file", "/nonexistent"),
], ids=lambda arguments: " ".join(map(str, arguments)))
def test_a_wrong_flag_ends_it_with_a_code_of_sysexits(tmp_path, arguments):
    code, out, error = run_serve("--data", tmp_path / "data", *arguments)
    assert 64 <= code <= 78, (code, error)
    assert "ready" not in out and len(error.strip().splitlines()) == 1


def test_a_directory_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    code, _, error = run_serve("--port", 0, "--data", tmp_path / "file" / "data")
    assert 64 <= code <= 78 and len(error.strip().splitlines()) == 1


def test_flags_come_before_variables_and_variables_before_the_file(make_broker, tmp_path):
    (tmp_path / "martlet.json").write_text('{"max-clients": 7, "log-level": "error"}')
    broker = make_broker("--config", tmp_path / "martlet.json", environment={"MARTLET_LOG_LEVEL": "debug"})
    assert str(broker.port) in broker.ready
    clients = [broker.connect() for _ in range(7)]
    assert all(client("PING") == "PONG" for client in clients)
    assert "max number of clients" in broker.connect().read()


def test_the_data_belongs_to_its_owner_alone(broker):
    with broker.connect() as client:
        client("TASK.ADD", "q", "t", "p")
    assert stat.S_IMODE(os.stat(broker.directory).st_mode) == 0o700
    for file in broker.directory.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_a_password_is_asked_for(make_broker, tmp_path):
    password = tmp_path / "password"
    password.write_text("s3cret\n")
    password.chmod(0o600)
    broker = make_broker("--password-file", password)
    with broker.connect() as client:
        assert client("TASK.ADD", "q", "t", "p").code == "NOAUTH"
        assert client("AUTH", "wrong").code == "WRONGPASS"
        assert client("AUTH", "s3cret") == "OK"
        assert client("PING") == "PONG"
    listed = subprocess.run(["ps", "-o", "args=", "-p", str(broker.process.pid)], capture_output=True, text=True)
    assert "s3cret" not in listed.stdout + broker.log_text()
