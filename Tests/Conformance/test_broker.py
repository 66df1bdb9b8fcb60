"""The broker as a whole: a check and a snapshot while it works, and an order that nothing is to change."""

import concurrent.futures
import os
import stat
import subprocess
import threading

import pytest

from broker import BINARY, Broker, eventually
from wire import as_map, tasks


def fill(client, count=300):
    """Tasks in every state, options, limits, a cron entry and plain keys."""
    for start in range(0, count, 100):
        client("TASK.MADD", "q", "TASKS", 100, *["t", "x" * 1500 if start else "p"] * 100)
    got = tasks(client("TASK.RESERVE", 1, "q", "COUNT", 60, "LEASE", 3600000))
    for task in got[:20]:
        assert client("TASK.ACK", task["id"], task["token"], "RESULT", "r") == "OK"
    for task in got[20:40]:
        client("TASK.FAIL", task["id"], task["token"], "no", "KIND", "net", "DEAD")
    client("TASK.ADD", "q", "t", "p", "DELAY", 3600000, "UNIQUE", "k", "TTL", 7200000)
    client("QUEUE.SET", "q", "RETRIES", 7)
    client("LIMIT.SET", "api", "RATE", 5, "PER", 1000)
    client("CRON.SET", "nightly", "q", "t", "p", "SPEC", "0 3 * * *")
    client("SET", "greeting", "hello")
    return got[40:]


def counts(client):
    info = as_map(client("QUEUE.INFO", "q"))
    return {name: info[name] for name in ("pending", "scheduled", "active", "dlq", "completed", "total_added")}


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_check_of_a_sound_broker(broker, protocol):
    with broker.connect(protocol) as client:
        fill(client)
        report = as_map(client("BROKER.CHECK"))
        assert list(report) == ["ok", "problems"]
        assert report["ok"] in (1, True) and report["problems"] == []
        assert client("PING") == "PONG"


def test_a_check_names_what_is_wrong(broker, tmp_path):
    with broker.connect() as client:
        fill(client)
    broker.stop()
    # A payload, changed behind the broker's back.
    data = broker.directory / "data.mdb"
    content = data.read_bytes()
    place = content.index(b"x" * 1000)
    data.write_bytes(content[:place] + b"y" + content[place + 1:])
    broker.start()
    with broker.connect() as client:
        report = as_map(client("BROKER.CHECK"))
        assert report["ok"] in (0, False) and len(report["problems"]) >= 1
        assert all(b":" in line for line in report["problems"])


def test_commands_go_on_beside_a_check_and_only_one_runs(broker):
    with broker.connect() as client, broker.connect() as other:
        for _ in range(60):
            client("TASK.MADD", "q", "TASKS", 1000, *["t", "p"] * 1000)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            check = pool.submit(client, "BROKER.CHECK")
            second = None
            added = 0
            while not check.done():
                other("TASK.ADD", "q", "t", "p")
                added += 1
                if second is None or getattr(second, "code", "") != "ERR":
                    second = other("BROKER.CHECK") if not check.done() else second
            assert as_map(check.result())["ok"] in (1, True)
        assert added > 1
        if getattr(second, "code", "") == "ERR":
            assert "under way" in str(second)
        assert as_map(other("BROKER.CHECK"))["problems"] == []


def test_a_snapshot_is_what_was_answered_before_and_can_be_served(broker, tmp_path):
    place = tmp_path / "backups" / "one"
    place.parent.mkdir()
    with broker.connect() as client:
        held = fill(client)
        before = counts(client)
        assert client("BROKER.SNAPSHOT", place) == "OK"
        client("TASK.ADD", "q", "t", "later")
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert stat.S_IMODE((place / "data.mdb").stat().st_mode) == 0o600
        assert os.listdir(place.parent) == ["one"]
    copy = Broker(place)
    copy.start()
    try:
        with copy.connect() as client:
            assert counts(client) == before
            assert as_map(client("BROKER.CHECK"))["problems"] == []
            assert client("GET", "greeting") == b"hello"
            assert as_map(client("CRON.GET", "nightly"))["spec"] == b"0 3 * * *"
            # Leases and their tokens hold there, too.
            assert client("TASK.ACK", held[0]["id"], held[0]["token"]) == "OK"
            assert len(tasks(client("TASK.RESERVE", 1, "q", "COUNT", 1000))) == before["pending"]
    finally:
        copy.stop()


def test_a_snapshot_under_load_is_sound(broker, tmp_path):
    stop = threading.Event()

    def work():
        with broker.connect() as client:
            while not stop.is_set():
                client("TASK.MADD", "q", "TASKS", 50, *["t", "p"] * 50)
                got = tasks(client("TASK.RESERVE", 1, "q", "COUNT", 40))
                client("TASK.MACK", len(got), *[part for t in got for part in (t["id"], t["token"])])

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    with broker.connect() as client:
        for number in range(3):
            added = client("TASK.ADD", "mark", "t", str(number))
            assert client("BROKER.SNAPSHOT", tmp_path / f"s{number}") == "OK"
            result = subprocess.run(
                [BINARY, "check", "--data", tmp_path / f"s{number}"], capture_output=True, text=True, timeout=60)
            assert result.returncode == 0, result.stdout + result.stderr
            copy = Broker(tmp_path / f"s{number}")
            copy.start()
            with copy.connect() as other:
                assert as_map(other("TASK.GET", added))["state"] == b"PENDING"
            copy.stop()
    stop.set()
    for worker in workers:
        worker.join()


def test_where_a_snapshot_cannot_go(broker, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    (tmp_path / "empty").mkdir()
    with broker.connect() as client:
        fill(client)
        for path in (
            "relative", "", tmp_path / "full", tmp_path / "no" / "such", broker.directory, b"/tmp/a\0b",
            "/" + "x" * 5000):
            reply = client("BROKER.SNAPSHOT", path)
            assert reply.code == "ERR", (path, reply)
        assert (tmp_path / "full" / "file").read_text() == "mine"
        assert client("BROKER.SNAPSHOT", str(tmp_path / "empty") + "/") == "OK"
        assert client("BROKER.SNAPSHOT", tmp_path / "empty").code == "ERR"
        assert not list(tmp_path.glob("*.partial"))
        assert client("BROKER.SNAPSHOT").code == "ERR" and client("BROKER.CHECK", "now").code == "ERR"


def test_a_stop_tells_whoever_waits_for_a_check(broker):
    with broker.connect() as client:
        for _ in range(100):
            client("TASK.MADD", "q", "TASKS", 1000, *["t", "p"] * 1000)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            check = pool.submit(client, "BROKER.CHECK")
            with broker.connect() as other:
                eventually(lambda: b"cmd=broker.check" in other("CLIENT", "LIST").lower(), what="the check")
            assert broker.stop() == 0
            reply = check.result()
            assert getattr(reply, "code", None) == "STOPPING" or as_map(reply)["problems"] == []


def test_read_only_refuses_every_change_and_nothing_happens_by_itself(broker):
    with broker.connect() as client:
        late = client("TASK.ADD", "late", "t", "p", "DELAY", 300)
        client("TASK.ADD", "q", "t", "p")
        held = tasks(client("TASK.RESERVE", 1, "q", "LEASE", 200))[0]
        assert client("BROKER.READONLY", "on") == "OK"
        assert client("BROKER.READONLY", "ON") == "OK"
        for command in (
            ("TASK.ADD", "q", "t", "p"), ("TASK.RESERVE", 1, "late"), ("TASK.ACK", held["id"], held["token"]),
            ("QUEUE.PAUSE", "q"), ("SET", "k", "v"), ("WORKER.HELLO", "w"), ("TASK.DEL", late)):
            reply = client(*command)
            assert reply.code == "READONLY" and "BROKER.READONLY off" in str(reply), command
        info = as_map(client("BROKER.INFO"))
        assert info["read_only"] == b"BROKER.READONLY is on"
        assert b"read_only:1" in client("INFO", "persistence")
        # The lease is over, the delay too: seen on the broker's own clock.
        eventually(lambda: as_map(client("BROKER.INFO"))["now"] > held["deadline"] + 300)
        assert as_map(client("TASK.GET", held["id"]))["state"] == b"ACTIVE"
        assert as_map(client("BROKER.CHECK"))["problems"] == []
        assert client("BROKER.READONLY", "off") == "OK"
        eventually(lambda: as_map(client("TASK.GET", held["id"]))["state"] != b"ACTIVE")
        assert [task["id"] for task in tasks(client("TASK.RESERVE", 1, "late"))] == [late]
        assert client("BROKER.READONLY", "maybe").code == "ERR"
        assert as_map(client("BROKER.INFO"))["read_only"] is None


def test_read_only_leaves_blocked_workers_waiting(broker):
    with broker.connect() as worker, broker.connect() as client:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waiting = pool.submit(worker, "TASK.RESERVE", 1, "q", "BLOCK", 20000)
            eventually(lambda: b"blocked_clients:1" in client("INFO", "clients"))
            added = client("TASK.ADD", "q", "t", "p", "DELAY", 100)
            client("BROKER.READONLY", "on")
            due = as_map(client("TASK.GET", added))["run_at"]
            eventually(lambda: as_map(client("BROKER.INFO"))["now"] > due + 200)
            assert not waiting.done()
            client("BROKER.READONLY", "off")
            assert [task["id"] for task in tasks(waiting.result())] == [added]
