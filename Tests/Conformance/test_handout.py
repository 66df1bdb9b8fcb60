"""Which queue, which task, and how many at a time: MODE, MAXLEN, DRAIN, CONCURRENCY, AGING."""

import threading
import time

import pytest

from broker import eventually
from wire import as_map, tasks


def info(client, queue="q"):
    return as_map(client("QUEUE.INFO", queue))


def take(client, *arguments, queue="q"):
    """One task, or None."""
    got = tasks(client("TASK.RESERVE", 1, queue, *arguments))
    return got[0] if got else None


def test_ordered_takes_the_first_named_queue_that_has_a_task(broker):
    with broker.connect() as client:
        urgent = client("TASK.ADD", "b", "t", "p", "PRIORITY", 10)
        plain = client("TASK.ADD", "a", "t", "p", "PRIORITY", 1)
        got = tasks(client("TASK.RESERVE", 2, "a", "b", "COUNT", 2, "MODE", "ORDERED"))
        assert [task["id"] for task in got] == [plain, urgent]
        urgent, plain = (client("TASK.ADD", queue, "t", "p", "PRIORITY", p) for queue, p in (("b", 10), ("a", 1)))
        got = tasks(client("TASK.RESERVE", 2, "a", "b", "COUNT", 2, "MODE", "STRICT"))
        assert [task["id"] for task in got] == [urgent, plain]


def test_weighted_gives_every_queue_its_share_from_the_first_hand_outs_on(broker):
    with broker.connect() as client:
        for queue in "abc":
            client("TASK.MADD", queue, "TASKS", 400, *["t", "p"] * 400)
        shares = {"a": 5, "b": 2, "c": 1}
        for part in (40, 360):
            got = tasks(client("TASK.RESERVE", 3, "a", "b", "c", "COUNT", part, "MODE", "WEIGHTED", 5, 2, 1))
            for queue, weight in shares.items():
                share = sum(task["queue"] == queue.encode() for task in got)
                assert abs(share - part * weight / 8) <= 3, (queue, share, part)
        # What is empty takes no turns.
        rest = tasks(client("TASK.RESERVE", 3, "none", "b", "c", "COUNT", 90, "MODE", "WEIGHTED", 9, 2, 1))
        assert abs(sum(task["queue"] == b"b" for task in rest) - 60) <= 3


def test_next_reserves_in_the_mode_of_the_last_reserve(broker):
    with broker.connect() as client:
        for queue, priority in (("a", 1), ("a", 1), ("b", 10)):
            client("TASK.ADD", queue, "t", "p", "PRIORITY", priority)
        task = tasks(client("TASK.RESERVE", 2, "a", "b", "MODE", "ORDERED"))[0]
        assert task["queue"] == b"a"
        assert tasks(client("TASK.ACK", task["id"], task["token"], "NEXT"))[0]["queue"] == b"a"


@pytest.mark.parametrize("mode", [("WEIGHTED", 1), ("WEIGHTED", 1, 0), ("WEIGHTED", 1, 1, 1), ("ANY",), ()])
def test_a_mode_that_says_nothing_is_refused(broker, mode):
    with broker.connect() as client:
        assert client("TASK.RESERVE", 2, "a", "b", "MODE", *mode).code == "ERR"


def test_a_full_queue_takes_no_more_until_something_ends(broker):
    with broker.connect() as client:
        assert client("QUEUE.SET", "q", "MAXLEN", 3) == "OK"
        client("TASK.ADD", "q", "t", "p", "UNIQUE", "k")
        assert client("TASK.MADD", "q", "TASKS", 3, *["t", "p"] * 3).code == "QUEUEFULL"
        assert info(client)["pending"] == 1
        client("TASK.MADD", "q", "DELAY", 60000, "TASKS", 2, *["t", "p"] * 2)
        refused = client("TASK.ADD", "q", "t", "p")
        assert refused.code == "QUEUEFULL" and "'q'" in refused and "3" in refused
        # These add nothing.
        first = client("TASK.ADD", "q", "t", "p", "UNIQUE", "k")
        assert isinstance(first, bytes)
        replacing = client("TASK.ADD", "q", "t", "p", "UNIQUE", "k", "ON", "REPLACE")
        assert isinstance(replacing, bytes) and replacing != first
        # A task in hand does not count; brought back it does, refused by nobody.
        task = take(client)
        assert isinstance(client("TASK.ADD", "q", "t", "p"), bytes)
        assert client("TASK.RELEASE", task["id"], task["token"]) == "OK"
        assert info(client)["pending"] + info(client)["scheduled"] == 4
        assert client("TASK.ADD", "q", "t", "p").code == "QUEUEFULL"
        assert client("QUEUE.SET", "q", "MAXLEN", "DEFAULT") == "OK"
        assert isinstance(client("TASK.ADD", "q", "t", "p"), bytes)


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_draining_queue_finishes_what_it_has(broker, protocol):
    with broker.connect(protocol) as client, broker.connect(protocol) as waiting:
        assert client("QUEUE.DRAIN", "q").code == "NOQUEUE"
        client("TASK.ADD", "q", "t", "p", "BACKOFF", "FIXED", 50, "JITTER", 0)
        assert client("QUEUE.DRAIN", "q") == "OK"
        assert info(client)["draining"] == 1
        assert client("TASK.ADD", "q", "t", "p").code == "DRAINING"
        assert client("TASK.MADD", "q", "TASKS", 1, "t", "p").code == "DRAINING"
        began = time.monotonic()
        assert client("QUEUE.DRAIN", "q", "BLOCK", 100) is None
        assert 0.09 <= time.monotonic() - began < 2
        waiting.send("QUEUE.DRAIN", "q", "BLOCK", 0)
        task = take(client)
        assert as_map(client("TASK.FAIL", task["id"], task["token"], "no"))["state"] == b"SCHEDULED"
        task = take(client, "BLOCK", 5000)
        assert task["attempt"] == 2 and client("TASK.ACK", task["id"], task["token"]) == "OK"
        assert waiting.read() == "OK"
        assert client("QUEUE.DRAIN", "q", "BLOCK", 0) == "OK"
        assert client("QUEUE.RESUME", "q") == "OK"
        assert info(client)["draining"] == 0 and isinstance(client("TASK.ADD", "q", "t", "p"), bytes)


def test_draining_outlives_a_kill_and_those_who_wait_are_told_of_its_end(broker):
    with broker.connect() as client:
        client("TASK.ADD", "q", "t", "p")
        assert client("QUEUE.DRAIN", "q") == "OK"
    broker.kill()
    broker.start()
    with broker.connect() as client, broker.connect() as waiting:
        assert client("TASK.ADD", "q", "t", "p").code == "DRAINING"
        waiting.send("QUEUE.DRAIN", "q", "BLOCK", 0)
        eventually(lambda: b"cmd=queue.drain" in client("CLIENT", "LIST"), what="the blocked call")
        assert client("QUEUE.RESUME", "q") == "OK"
        assert waiting.read() is None


def test_concurrency_bounds_what_is_in_hand_over_all_workers(broker):
    with broker.connect() as client:
        client("QUEUE.SET", "q", "CONCURRENCY", 3)
        client("TASK.MADD", "q", "TASKS", 40, *["t", "p"] * 40)
    most, held, lock = 0, 0, threading.Lock()

    def work():
        nonlocal most, held
        with broker.connect() as client:
            while task := take(client, "BLOCK", 300):
                with lock:
                    held += 1
                    most = max(most, held)
                threading.Event().wait(0.005)
                with lock:
                    held -= 1
                assert client("TASK.ACK", task["id"], task["token"]) == "OK"

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 3
    with broker.connect() as client:
        assert info(client)["completed"] == 40


@pytest.mark.parametrize("end", ["ack", "fail", "release", "expire", "more"])
def test_a_freed_slot_wakes_whoever_waits(broker, end):
    with broker.connect() as client, broker.connect() as waiting:
        client("QUEUE.SET", "q", "CONCURRENCY", 1)
        client("TASK.MADD", "q", "RETRIES", 0, "TASKS", 2, *["t", "p"] * 2)
        task = take(client, "LEASE", 200 if end == "expire" else 60000)
        assert take(client) is None
        waiting.send("TASK.RESERVE", 1, "q", "BLOCK", 5000)
        eventually(lambda: b"cmd=task.reserve" in client("CLIENT", "LIST"), what="the blocked call")
        match end:
            case "ack": client("TASK.ACK", task["id"], task["token"])
            case "fail": client("TASK.FAIL", task["id"], task["token"], "no")
            case "release": client("TASK.RELEASE", task["id"], task["token"])
            case "more": client("QUEUE.SET", "q", "CONCURRENCY", 2)
        began = time.monotonic()
        assert len(tasks(waiting.read())) == 1
        assert time.monotonic() - began < 1


def test_slots_are_still_taken_after_a_kill(broker):
    with broker.connect() as client:
        client("QUEUE.SET", "q", "CONCURRENCY", 1)
        client("TASK.MADD", "q", "TASKS", 2, *["t", "p"] * 2)
        task = take(client)
        waiting = client("TASK.LIST", "q", "STATE", "PENDING")[1]
        assert as_map(client("TASK.WHY", as_map(waiting[0])["id"]))["reason"] == b"concurrency"
    broker.kill()
    broker.start()
    with broker.connect() as client:
        assert take(client) is None
        assert client("TASK.ACK", task["id"], task["token"]) == "OK"
        assert take(client) is not None


def test_with_aging_a_low_task_starts_within_its_bound_under_endless_urgent_load(broker):
    aging = 50
    with broker.connect() as client:
        client("QUEUE.SET", "q", "AGING", aging)
        low = client("TASK.ADD", "q", "t", "p", "PRIORITY", 1)
        began = time.monotonic()
        for _ in range(20_000):
            client("TASK.ADD", "q", "t", "p", "PRIORITY", 10)
            task = take(client)
            client("TASK.ACK", task["id"], task["token"])
            if task["id"] == low:
                break
        waited = (time.monotonic() - began) * 1000
        # It rises by nine, and is the oldest of the most urgent then.
        assert task["id"] == low and 9 * aging - 20 <= waited < 9 * aging + 500
        assert task["priority"] == 1


def test_without_aging_a_low_task_waits_for_ever(broker):
    with broker.connect() as client:
        low = client("TASK.ADD", "q", "t", "p", "PRIORITY", 1)
        began = time.monotonic()
        while time.monotonic() - began < 0.7:
            client("TASK.ADD", "q", "t", "p", "PRIORITY", 2)
            task = take(client)
            assert task["id"] != low
            client("TASK.ACK", task["id"], task["token"])


def test_a_group_is_shown_and_listed_by(broker):
    with broker.connect() as client:
        mine = client("TASK.ADD", "q", "t", "p", "GROUP", "mine")
        also = client("TASK.MADD", "q", "GROUP", "mine", "TASKS", 2, *["t", "p"] * 2)
        none = client("TASK.ADD", "q", "t", "p")
        client("TASK.ADD", "q", "t", "p", "GROUP", "other")
        assert as_map(client("TASK.GET", mine))["group"] == b"mine"
        assert as_map(client("TASK.GET", none))["group"] is None
        assert client("HGET", f"@task:{mine.decode()}", "group") == b"mine"
        listed = [as_map(task)["id"] for task in client("TASK.LIST", "q", "GROUP", "mine")[1]]
        assert listed == [mine, *also]
        assert client("TASK.ADD", "q", "t", "p", "GROUP", "x" * 257).code == "ERR"
        client("CRON.SET", "c", "q", "t", "p", "EVERY", 60000, "GROUP", "clock")
    broker.kill()
    broker.start()
    with broker.connect() as client:
        assert as_map(client("TASK.GET", mine))["group"] == b"mine"
        assert as_map(client("TASK.GET", client("CRON.RUN", "c")))["group"] == b"clock"
