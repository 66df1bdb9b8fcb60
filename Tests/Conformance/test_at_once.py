"""What stops hand-outs stops the very next one, whoever asks."""

import threading
import time

import pytest

from wire import Refusal, as_map, encode, tasks

BREAKER = ("BREAKER.SET", "mail", "FAILS", 1, "PER", 60000, "COOL", 60000, "PROBES", 1)
TAKE = ("TASK.RESERVE", 1, "q")


@pytest.fixture
def client(broker):
    with broker.connect() as client:
        assert client(*BREAKER) == "OK" and client("QUEUE.SET", "q", "BREAKER", "mail") == "OK"
        client("LIMIT.SET", "api", "RATE", 1, "PER", 3600000, "BURST", 2)
        client("TASK.MADD", "q", "TASKS", 1000, *["t", "p"] * 1000)
        yield client


@pytest.mark.parametrize("stop, reason", [
    (("QUEUE.PAUSE", "q"), b"paused"), (("QUEUE.PAUSE", "q", "ALL", "FOR", 60000), b"paused"),
    (("BREAKER.TRIP", "mail"), b"breaker"), (("BREAKER.REPORT", "mail", "FAIL"), b"breaker"),
    (("QUEUE.SET", "q", "CONCURRENCY", 1), b"concurrency")])
def test_in_one_pipeline_the_next_reserve_gets_nothing(client, stop, reason):
    first, done, second, third = client.pipeline([TAKE, stop, TAKE, ("TASK.RESERVE", 1, "q", "COUNT", 5)])
    assert len(tasks(first)) == 1 and done == "OK" and second is None and third is None
    head = as_map(client("TASK.LIST", "q", "STATE", "PENDING", "BY", "RUN", "COUNT", 1)[1][0])["id"]
    assert as_map(client("TASK.WHY", head))["reason"] == reason


def test_a_failure_that_opens_a_breaker_holds_its_own_next(client):
    (task,) = tasks(client(*TAKE))
    failed, nothing = client.pipeline([("TASK.FAIL", task["id"], task["token"], "broke"), TAKE])
    assert as_map(failed)["state"] == b"SCHEDULED" and nothing is None
    assert as_map(client("BREAKER.GET", "mail"))["state"] == b"open"


def test_ack_next_finds_the_queue_closed(client):
    (task,) = tasks(client(*TAKE))
    replies = client.pipeline([("QUEUE.PAUSE", "q"), ("TASK.ACK", task["id"], task["token"], "NEXT")])
    assert replies == ["OK", None]
    assert client("QUEUE.RESUME", "q") == "OK" and tasks(client(*TAKE))


def test_the_last_token_of_a_limit_is_the_last(client):
    client("QUEUE.SET", "q", "LIMIT", "api")
    assert len(tasks(client("TASK.RESERVE", 1, "q", "COUNT", 10))) == 2 and client(*TAKE) is None


def test_a_drained_queue_takes_nothing_and_finishes_what_it_has(client):
    done, refused, many, taken = client.pipeline([
        ("QUEUE.DRAIN", "q"), ("TASK.ADD", "q", "t", "p"), ("TASK.MADD", "q", "TASKS", 1, "t", "p"), TAKE])
    assert done == "OK" and isinstance(refused, Refusal) and refused.code == many.code == "DRAINING"
    assert len(tasks(taken)) == 1
    assert client("TASK.ADD", "other", "t", "p", "REQ", "n")
    moved = client("TASK.MOVE", client("TASK.ADD", "other", "t", "p"), "QUEUE", "q")
    assert moved.code == "DRAINING"


@pytest.mark.parametrize("stop", [("QUEUE.PAUSE", "q"), ("BREAKER.TRIP", "mail")])
def test_nobody_who_asks_after_the_reply_gets_a_task(broker, client, stop):
    """Eight workers ask without end; the stop is answered in their midst."""
    takes, errors, is_over = [], [], threading.Event()

    def work():
        try:
            with broker.connect() as worker:
                while not is_over.is_set():
                    asked = time.monotonic()
                    taken = tasks(worker("TASK.RESERVE", 1, "q"))
                    takes.append((asked, len(taken or [])))
        except Exception as error:  # seen by the test
            errors.append(error)

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    while sum(count for _, count in takes) < 100:
        time.sleep(0.001)
    assert client(*stop) == "OK"
    stopped = time.monotonic()
    while sum(asked > stopped for asked, _ in takes) < 100:
        time.sleep(0.001)
    is_over.set()
    for worker in workers:
        worker.join()
    assert not errors and not [take for take in takes if take[0] > stopped and take[1]]
    assert as_map(client("QUEUE.INFO", "q"))["pending"] > 0
