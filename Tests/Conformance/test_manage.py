"""UNIQUE, TAGS, META, CANCEL, MOVE and DEL over real sockets."""

import time

from broker import eventually
from wire import Refusal, as_map, tasks


def reserve(client, queue="q", **options):
    words = [word for pair in options.items() for word in pair]
    return tasks(client("TASK.RESERVE", 1, queue, *words))[0]


def full(reply):
    return as_map(reply)


def test_tags_and_meta_travel_with_the_task(broker):
    for protocol in (2, 3):
        with broker.connect(protocol) as client:
            labels = ["TAGS", 3, "red", "blue", "red", "META", 3, "trace", "1-a", "tenant", b"\x00\xff", "trace", "2-b"]
            task = client("TASK.ADD", "q", "t", "p", *labels)
            many = client("TASK.MADD", "m", "TAGS", 0, "META", 1, "k", "", "TASKS", 2, "t", "1", "t", "2")
            given = reserve(client)
            view = as_map(client("TASK.GET", task))
            for shown in (given, view):
                assert shown["tags"] == [b"red", b"blue"]
                assert as_map(shown["meta"]) == {"trace": b"2-b", "tenant": b"\x00\xff"}
            assert as_map(as_map(client("TASK.GET", many[1]))["meta"]) == {"k": b""}
            key = b"@task:" + task
            assert (client("HGET", key, "tags"), client("HGET", key, "meta")) == (b"red,blue", b"trace=2-b,tenant=\x00\xff")
            client("TASK.ACK", given["id"], given["token"])


def test_a_unique_key_is_held_by_one_task_of_a_queue(broker):
    with broker.connect() as client:
        first = client("TASK.ADD", "q", "t", "p", "UNIQUE", "k")
        assert client("TASK.ADD", "q", "t", "other", "UNIQUE", "k") == first
        again = full(client("TASK.ADD", "q", "t", "p", "UNIQUE", "k", "ON", "SKIP", "FULL"))
        assert (again["id"], again["created"], again["state"]) == (first, 0, b"PENDING")
        assert client("TASK.ADD", "q", "t", "p", "UNIQUE", "k", "ON", "ERROR") == f"DUPLICATE {first.decode()}"
        assert client("TASK.ADD", "elsewhere", "t", "p", "UNIQUE", "k") != first
        second = full(client("TASK.ADD", "q", "t", "new", "UNIQUE", "k", "ON", "REPLACE", "FULL"))
        assert second["created"] == 1 and second["id"] != first
        assert as_map(client("TASK.GET", first))["state"] == b"CANCELLED"
        task = reserve(client)
        assert (task["id"], task["payload"]) == (second["id"], b"new")
        held = client("TASK.ADD", "q", "t", "p", "UNIQUE", "k", "ON", "REPLACE")
        assert held == f"DUPLICATE {second['id'].decode()}"
        assert as_map(client("TASK.GET", task["id"]))["unique"] == b"k"
        client("TASK.ACK", task["id"], task["token"])
        assert client("TASK.ADD", "q", "t", "p", "UNIQUE", "k") not in (first, second["id"])


def test_every_end_frees_a_key_dead_letters_too(broker):
    with broker.connect() as client:
        for end in ("DEAD", "CANCEL", "DEL", "TTL", "KEEP 0"):
            options = {"TTL": ["TTL", 30], "KEEP 0": ["KEEP", 0]}.get(end, [])
            task = client("TASK.ADD", "q", "t", "p", "UNIQUE", "k", *options)
            assert client("TASK.ADD", "q", "t", "p", "UNIQUE", "k", "ON", "ERROR").code == "DUPLICATE"
            if end == "CANCEL":
                assert client("TASK.CANCEL", task) == b"CANCELLED"
            elif end == "DEL":
                assert client("TASK.DEL", task) == 1
            elif end == "TTL":
                eventually(lambda: as_map(client("TASK.GET", task))["state"] == b"EXPIRED")
            else:
                held = reserve(client)
                done = ["TASK.FAIL", task, held["token"], "x", "DEAD"] if end == "DEAD" else ["TASK.ACK", task, held["token"]]
                assert not isinstance(client(*done), Refusal)
            other = client("TASK.ADD", "q", "t", "p", "UNIQUE", "k")
            assert other != task, end
            assert client("TASK.DEL", other) == 1


def test_until_and_for_say_how_long_a_key_is_held(broker):
    with broker.connect() as client:
        started = client("TASK.ADD", "s", "t", "p", "UNIQUE", "k", "UNTIL", "START")
        assert client("TASK.ADD", "s", "t", "p", "UNIQUE", "k") == started
        reserve(client, "s")
        assert client("TASK.ADD", "s", "t", "p", "UNIQUE", "k") != started

        once = client("TASK.ADD", "e", "t", "p", "KEEP", 0, "UNIQUE", "k", "UNTIL", "EXPIRE", "FOR", 400)
        task = reserve(client, "e")
        client("TASK.ACK", once, task["token"])
        assert client("TASK.GET", once).code == "NOTASK"
        again = full(client("TASK.ADD", "e", "t", "p", "UNIQUE", "k", "FULL"))
        assert (again["id"], again["created"], again["state"], again["run_at"]) == (once, 0, None, None)
        broker.kill()
        broker.start()
    with broker.connect() as client:
        assert client("TASK.ADD", "e", "t", "p", "UNIQUE", "k") == once
        eventually(lambda: client("TASK.ADD", "e", "t", "p", "UNIQUE", "k") != once)

        kept = client("TASK.ADD", "r", "t", "p", "KEEP", 200, "UNIQUE", "k", "UNTIL", "EXPIRE")
        client("TASK.ACK", kept, reserve(client, "r")["token"])
        assert client("TASK.ADD", "r", "t", "p", "UNIQUE", "k") == kept
        eventually(lambda: client("TASK.ADD", "r", "t", "p", "UNIQUE", "k") != kept)

        capped = client("TASK.ADD", "f", "t", "p", "UNIQUE", "k", "FOR", 150)
        begin = time.monotonic()
        eventually(lambda: client("TASK.ADD", "f", "t", "p", "UNIQUE", "k") != capped)
        assert time.monotonic() - begin > 0.1


def test_a_task_in_hand_is_told_that_it_is_cancelled(broker):
    with broker.connect() as client:
        ids = client("TASK.MADD", "q", "RETRIES", 5, "TASKS", 3, "t", "1", "t", "2", "t", "3")
        held = {ids[n]: reserve(client)["token"] for n in range(3)}
        for task in ids:
            assert client("TASK.CANCEL", task, "REASON", "not wanted") == b"ACTIVE"
            assert client("TASK.CANCEL", task) == b"ACTIVE"
            assert as_map(client("TASK.TOUCH", task, held[task]))["cancel"] == 1
            assert as_map(client("TASK.GET", task))["cancel"] == 1
        assert client("TASK.ACK", ids[0], held[ids[0]]) == "OK"
        failed = as_map(client("TASK.FAIL", ids[1], held[ids[1]], "stopped"))
        assert (failed["state"], failed["retries_left"], failed["run_at"]) == (b"CANCELLED", 0, None)
        assert client("TASK.RELEASE", ids[2], held[ids[2]]) == "OK"
        states = [as_map(client("TASK.GET", task))["state"] for task in ids]
        assert states == [b"COMPLETED", b"CANCELLED", b"CANCELLED"]
        history = [as_map(entry) for entry in as_map(client("TASK.GET", ids[1], "HISTORY"))["history"]]
        assert [entry["reason"] for entry in history] == [b"add", b"reserve", b"cancel", b"fail"]
        assert history[2]["message"] == b"not wanted"
        assert client("TASK.CANCEL", ids[0]).code == "BADSTATE"

        lost = client("TASK.ADD", "q", "t", "p", "LEASE", 100)
        reserve(client)
        assert client("TASK.CANCEL", lost) == b"ACTIVE"
        eventually(lambda: as_map(client("TASK.GET", lost))["state"] == b"CANCELLED")


def test_a_waiting_task_is_moved(broker):
    with broker.connect() as client:
        first, second = client("TASK.MADD", "q", "TTL", 60000, "TASKS", 2, "t", "1", "t", "2")
        assert client("TASK.MOVE", second, "PRIORITY", 9) == b"PENDING"
        later = as_map(client("TASK.GET", first))["run_at"] + 60_000
        assert client("TASK.MOVE", first, "AT", later) == b"SCHEDULED"
        assert as_map(client("TASK.GET", first))["run_at"] == later
        assert client("TASK.MOVE", first, "AT", 1, "QUEUE", "other", "REQ", "n") == b"PENDING"
        assert client("TASK.MOVE", first, "AT", 1, "QUEUE", "other", "REQ", "n") == b"PENDING"
        counts = [as_map(client("QUEUE.INFO", queue)) for queue in ("q", "other")]
        assert [(info["pending"], info["scheduled"]) for info in counts] == [(1, 0), (1, 0)]
        task = reserve(client, "other")
        assert (task["id"], task["queue"]) == (first, b"other")
        assert client("TASK.MOVE", first, "PRIORITY", 1).code == "BADSTATE"
        moved = [as_map(entry) for entry in as_map(client("TASK.GET", first, "HISTORY"))["history"]]
        assert [(entry["reason"], entry["to"]) for entry in moved[1:3]] == [(b"move", b"SCHEDULED"), (b"move", b"PENDING")]
        assert reserve(client)["priority"] == 9


def test_a_move_wakes_a_blocked_caller_and_keeps_keys_unique(broker):
    with broker.connect() as client, broker.connect() as worker:
        here = client("TASK.ADD", "q", "t", "p", "UNIQUE", "k", "DELAY", 60_000)
        there = client("TASK.ADD", "other", "t", "p", "UNIQUE", "k", "DELAY", 60_000)
        assert client("TASK.MOVE", here, "QUEUE", "other") == f"DUPLICATE {there.decode()}"
        assert client("TASK.DEL", there) == 1
        worker.send("TASK.RESERVE", 1, "other", "BLOCK", 5_000)
        assert client("TASK.MOVE", here, "QUEUE", "other", "AT", 0) == b"PENDING"
        assert tasks(worker.read())[0]["id"] == here
        assert client("TASK.ADD", "q", "t", "p", "UNIQUE", "k") != here
        assert client("TASK.ADD", "other", "t", "p", "UNIQUE", "k") == here


def test_a_queue_that_takes_no_tasks_takes_none_by_a_move(broker):
    with broker.connect() as client:
        first, second = client("TASK.MADD", "q", "TASKS", 2, "t", "1", "t", "2")
        assert client("QUEUE.PAUSE", "other", "IN") == "OK"
        assert client("TASK.MOVE", first, "QUEUE", "other").code == "PAUSED"
        client("QUEUE.RESUME", "other")
        client("QUEUE.SET", "other", "MAXLEN", 1)
        assert client("TASK.MOVE", first, "QUEUE", "other") == b"PENDING"
        assert client("TASK.MOVE", second, "QUEUE", "other").code == "QUEUEFULL"
        assert client("TASK.MOVE", first, "QUEUE", "other", "PRIORITY", 9) == b"PENDING"
        operation = client("TASK.BULK", "MOVE", "QUEUE", "other", "WHERE", "QUEUE", "q", "STATE", "PENDING")
        done = eventually(lambda: next((entry for entry in map(as_map, client("TASK.OPS"))
                                        if entry["id"] == operation and entry["state"] == b"done"), None))
        assert (done["done"], done["failed"]) == (0, 1)
        client("QUEUE.DRAIN", "other")
        assert client("TASK.MOVE", second, "QUEUE", "other").code == "DRAINING"
        assert as_map(client("TASK.GET", second))["queue"] == b"q"


def test_delete_takes_all_or_none(broker):
    with broker.connect() as client:
        ids = client("TASK.MADD", "q", "TASKS", 3, "t", "1", "t", "2", "t", "3")
        held = reserve(client)
        assert client("TASK.DEL", *ids).code == "BADSTATE"
        assert as_map(client("QUEUE.INFO", "q"))["pending"] == 2
        client("TASK.ACK", held["id"], held["token"])
        unknown = "0199d3a1-7c40-7000-8000-000000000000"
        assert client("TASK.DEL", *ids, ids[0], unknown, "nonsense", "REQ", "n") == 3
        assert client("TASK.DEL", *ids, ids[0], unknown, "nonsense", "REQ", "n") == 3
        assert client("TASK.DEL", *ids) == 0
        info = as_map(client("QUEUE.INFO", "q"))
        assert [info[name] for name in ("pending", "scheduled", "active", "completed", "dlq")] == [0] * 5
