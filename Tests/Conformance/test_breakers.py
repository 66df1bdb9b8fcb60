"""Breakers, and limits of queues: they hold the very next hand-out, and let it go at its time."""

import time

import pytest

from broker import eventually
from wire import as_map, tasks

SETTINGS = ("FAILS", 2, "PER", 60000, "COOL", 400, "PROBES", 2)


def get(client, name="mail"):
    return as_map(client("BREAKER.GET", name))


def state(client, name="mail"):
    return get(client, name)["state"].decode()


def take(client, *options):
    return tasks(client("TASK.RESERVE", 1, "q", *options))


def fail(client, task, *options):
    return client("TASK.FAIL", task["id"], task["token"], "broke", "DEAD", *options)


def ack(client, task):
    assert client("TASK.ACK", task["id"], task["token"]) == "OK"


@pytest.fixture
def client(broker):
    with broker.connect() as client:
        assert client("BREAKER.SET", "mail", *SETTINGS) == "OK"
        assert client("QUEUE.SET", "q", "BREAKER", "mail") == "OK"
        client.pipeline([("TASK.ADD", "q", "t", "p")] * 20)
        yield client


def open_it(client):
    for _ in range(2):
        fail(client, take(client)[0])
    assert state(client) == "open"


def test_failures_hold_the_very_next_hand_out_then_probes_go(client):
    first, second, third = take(client, "COUNT", 3)
    fail(client, first)
    assert state(client) == "closed" and get(client)["failures"] == 1 and take(client)
    fail(client, second)
    assert state(client) == "open" and not take(client)
    ids = client("TASK.LIST", "q", "STATE", "PENDING", "COUNT", 1)[1]
    assert as_map(client("TASK.WHY", as_map(ids[0])["id"]))["reason"] == b"breaker"
    ack(client, third)
    view = get(client)
    assert view["retry_at"] - view["opened_at"] == 400
    started = time.monotonic()
    # A blocked caller is woken when the probes may go; there are two, and no more.
    probes = take(client, "BLOCK", 5000)
    assert 0.2 < time.monotonic() - started < 1.5 and state(client) == "half_open"
    probes += take(client, "COUNT", 5)
    assert len(probes) == 2 and not take(client)
    for probe in probes:
        ack(client, probe)
    assert state(client) == "closed" and len(take(client, "COUNT", 5)) == 5


def test_a_probe_that_fails_opens_it_again(client):
    open_it(client)
    probe = take(client, "BLOCK", 5000)[0]
    fail(client, probe)
    assert state(client) == "open" and not take(client)
    # A probe nobody tells of is forgotten after another COOL.
    probes = take(client, "BLOCK", 5000) + take(client)
    assert len(probes) == 2 and not take(client)
    assert take(client, "BLOCK", 5000)


def test_a_lease_that_runs_out_is_a_failure(client):
    take(client, "COUNT", 2, "LEASE", 50)
    eventually(lambda: state(client) == "open")
    assert not take(client)


def test_kinds_tell_which_failures_count(client):
    client("BREAKER.SET", "mail", *SETTINGS, "KINDS", 2, "net", "timeout")
    for kind in ("KIND", "bug"), ("KIND", "bug"), (), ("KIND", "net"):
        fail(client, take(client)[0], *kind)
    assert state(client) == "closed" and get(client)["kinds"] == [b"net", b"timeout"]
    fail(client, take(client)[0], "KIND", "net")
    assert state(client) == "open"


def test_trip_and_reset_by_hand(broker, client):
    assert client("BREAKER.TRIP", "mail") == "OK" and not take(client)
    with broker.connect() as worker:
        worker.send("TASK.RESERVE", 1, "q", "BLOCK", 0)
        assert "breaker_mail:state=open" in client("INFO", "breakers").decode()
        started = time.monotonic()
        assert client("BREAKER.RESET", "mail") == "OK"
        assert tasks(worker.read()) and time.monotonic() - started < 0.3
        assert client("BREAKER.TRIP", "mail") == "OK"
        worker.send("TASK.RESERVE", 1, "q", "BLOCK", 0)
        assert client("BREAKER.DEL", "mail") == "OK" and tasks(worker.read())
    for verb in ("GET", "ALLOW", "TRIP", "RESET", "DEL"):
        assert client(f"BREAKER.{verb}", "mail") == "ERR no such breaker 'mail'"
    assert client("BREAKER.REPORT", "mail", "OK") == "ERR no such breaker 'mail'"
    assert client("QUEUE.SET", "q", "BREAKER", "mail") == "ERR no such breaker 'mail'"
    assert client("BREAKER.LIST") == []
    assert client("BREAKER.SET", "mail", "FAILS", 2, "PER", 60000, "COOL", 400).code == "ERR"
    assert client("BREAKER.SET", "mail", *SETTINGS[:-1], 0).code == "ERR"


@pytest.mark.parametrize("protocol", [2, 3])
def test_allow_and_report(broker, protocol):
    with broker.connect(protocol) as client:
        client("BREAKER.SET", "pay", "FAILS", 1, "PER", 1000, "COOL", 200, "PROBES", 1)
        assert as_map(client("BREAKER.ALLOW", "pay")) == {"state": b"closed", "allowed": 1}
        assert client("BREAKER.REPORT", "pay", "FAIL") == "OK"
        assert as_map(client("BREAKER.ALLOW", "pay")) == {"state": b"open", "allowed": 0}
        eventually(lambda: state(client, "pay") == "half_open")
        assert as_map(client("BREAKER.ALLOW", "pay")) == {"state": b"half_open", "allowed": 1}
        assert as_map(client("BREAKER.ALLOW", "pay")) == {"state": b"half_open", "allowed": 0}
        assert client("BREAKER.REPORT", "pay", "OK") == "OK" and state(client, "pay") == "closed"


def test_a_crash_leaves_it_as_it_was(broker, client):
    client("BREAKER.SET", "mail", *SETTINGS[:4], "COOL", 60000, "PROBES", 2)
    client("BREAKER.SET", "pay", "FAILS", 3, "PER", 60000, "COOL", 1000, "PROBES", 1, "KINDS", 1, "net")
    client("BREAKER.REPORT", "pay", "FAIL")
    open_it(client)
    before = client("BREAKER.LIST")
    broker.kill()
    broker.start()
    with broker.connect() as client:
        assert client("BREAKER.LIST") == before and not take(client)
        assert get(client, "pay")["failures"] == 1
        assert as_map(client("QUEUE.GET", "q"))["BREAKER"] == b"mail"


def test_a_queues_limit_lets_tasks_go_as_tokens_come(broker):
    with broker.connect() as client, broker.connect() as worker:
        assert client("QUEUE.SET", "q", "LIMIT", "api") == "ERR no such limit 'api'"
        client("LIMIT.SET", "db", "SLOTS", 1)
        assert "SLOTS" in client("QUEUE.SET", "q", "LIMIT", "db")
        client("LIMIT.SET", "api", "RATE", 5, "PER", 1000, "BURST", 3)
        assert client("QUEUE.SET", "q", "LIMIT", "api") == "OK"
        client.pipeline([("TASK.ADD", "q", "t", "p")] * 20)
        assert len(take(client, "COUNT", 10)) == 3 and not take(client)
        # Its tasks stay PENDING; who waits gets each at its time.
        assert as_map(client("QUEUE.INFO", "q"))["pending"] == 17
        ids = client("TASK.LIST", "q", "STATE", "PENDING", "COUNT", 1)[1]
        assert as_map(client("TASK.WHY", as_map(ids[0])["id"]))["reason"] == b"queue_limit"
        started = time.monotonic()
        for _ in range(5):
            assert take(worker, "BLOCK", 5000)
        assert 0.75 < time.monotonic() - started < 1.5
        client("LIMIT.SET", "api", "RATE", 1, "PER", 3_600_000)
        worker.send("TASK.RESERVE", 1, "q", "BLOCK", 0)
        started = time.monotonic()
        client("LIMIT.RESET", "api")
        assert tasks(worker.read()) and time.monotonic() - started < 0.5
        assert as_map(client("LIMIT.GET", "api"))["granted"] == 1
