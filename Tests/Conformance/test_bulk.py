"""TASK.BULK: what can be done to one task, done to all that match; and DLQMAX."""

import pytest

from broker import eventually
from test_queues import ack_all, info, kill_tasks, operation
from wire import as_map, tasks


def state(client, id):
    return as_map(client("TASK.GET", id))["state"]


def bulk(client, *arguments):
    """Starts an operation, waits for its end and tells how it ended."""
    id = client("TASK.BULK", *arguments)
    assert id.startswith(b"op-")
    return eventually(lambda: (op := operation(client, id))["state"] == b"done" and op)


def outcome(operation):
    return operation["matched"], operation["done"], operation["failed"]


@pytest.mark.parametrize("protocol", [2, 3])
def test_each_verb_does_to_all_what_it_does_to_one(broker, protocol):
    with broker.connect(protocol) as client:
        dead = kill_tasks(client, 3)
        done = bulk(client, "RETRY", "WHERE", "QUEUE", "q", "STATE", "DLQ")
        assert done["verb"] == b"RETRY" and outcome(done) == (3, 3, 0) and done["rate"] is None
        retried = tasks(client("TASK.RESERVE", 1, "q", "COUNT", 10, "LEASE", 3600000))
        # As TASK.RETRY without RESET: the attempts count on, and there is one more.
        assert [(task["id"], task["attempt"], task["retries"]) for task in retried] == [(id, 2, 1) for id in dead]
        done = bulk(client, "CANCEL", "WHERE", "QUEUE", "q", "STATE", "ACTIVE")
        assert done["verb"] == b"CANCEL" and outcome(done) == (3, 3, 0)
        assert as_map(client("TASK.TOUCH", dead[0], retried[0]["token"]))["cancel"] == 1
        for task in retried:
            assert as_map(client("TASK.FAIL", task["id"], task["token"], "gone"))["state"] == b"CANCELLED"
        assert bulk(client, "DEL", "WHERE", "QUEUE", "q", "STATE", "CANCELLED")["verb"] == b"DEL"
        assert client("TASK.GET", dead[0]).code == "NOTASK" and info(client)["cancelled"] == 0
        waiting = [client("TASK.ADD", "q", "t", "p") for _ in range(3)]
        done = bulk(client, "MOVE", "PRIORITY", 9, "QUEUE", "r", "WHERE", "QUEUE", "q", "STATE", "PENDING", "MAX", 2)
        assert done["verb"] == b"MOVE" and outcome(done) == (2, 2, 0)
        moved = tasks(client("TASK.RESERVE", 1, "r", "COUNT", 10))
        assert [(task["id"], task["priority"]) for task in moved] == [(id, 9) for id in waiting[:2]]
        assert outcome(bulk(client, "CANCEL", "WHERE", "QUEUE", "q", "STATE", "PENDING")) == (1, 1, 0)
        assert state(client, waiting[2]) == b"CANCELLED"


def test_only_what_matches_is_changed(broker):
    with broker.connect() as client:
        red = client("TASK.ADD", "q", "t", "p", "TAGS", 1, "red")
        other = client("TASK.ADD", "q", "u", "p", "TAGS", 2, "old", "blue")
        later = client("TASK.ADD", "q", "t", "p", "DELAY", 600000)
        for filters, count in [((), 2), (("TYPE", "t"), 1), (("TAG", "blue"), 1), (("TAG", "none"), 0),
                               (("TYPE", "t", "TAG", "red"), 1), (("TYPE", "u", "TAG", "red"), 0), (("KIND", "net"), 0),
                               (("OLDER", 600000), 0), (("MAX", 1), 1)]:
            assert client("TASK.BULK", "DEL", "WHERE", "QUEUE", "q", "STATE", "PENDING", *filters, "DRYRUN") == count
        assert eventually(lambda: client("TASK.BULK", "DEL", "WHERE", "QUEUE", "q", "STATE", "PENDING", "OLDER", 1,
                                         "DRYRUN") == 2)
        assert info(client)["pending"] == 2 and info(client)["scheduled"] == 1
        assert outcome(bulk(client, "CANCEL", "WHERE", "QUEUE", "q", "STATE", "PENDING", "TAG", "red")) == (1, 1, 0)
        assert [state(client, id) for id in (red, other, later)] == [b"CANCELLED", b"PENDING", b"SCHEDULED"]
        assert outcome(bulk(client, "RETRY", "WHERE", "QUEUE", "q", "STATE", "SCHEDULED")) == (1, 1, 0)
        assert state(client, later) == b"PENDING"
        kill_tasks(client, 2, queue="dead", kind="net")
        kill_tasks(client, 1, queue="dead", kind="disk")
        assert outcome(bulk(client, "DEL", "WHERE", "QUEUE", "dead", "STATE", "DLQ", "KIND", "net")) == (2, 2, 0)
        assert info(client, "dead")["dlq"] == 1


def test_a_task_that_is_moved_ahead_of_the_operation_is_moved_once(broker):
    with broker.connect() as client:
        size = 1500
        client("TASK.MADD", "q", "PRIORITY", 9, "TASKS", size, *["t", "p"] * size)
        client("TASK.MADD", "q", "PRIORITY", 1, "TASKS", 5, *["t", "p"] * 5)
        # What has the priority already does not match; what gets it is not met again further on.
        done = bulk(client, "MOVE", "PRIORITY", 1, "WHERE", "QUEUE", "q", "STATE", "PENDING")
        assert outcome(done) == (size, size, 0)
        assert info(client)["pending"] == size + 5
        assert client("TASK.BULK", "MOVE", "PRIORITY", 1, "WHERE", "QUEUE", "q", "STATE", "PENDING", "DRYRUN") == 0


def test_a_unique_key_that_is_held_elsewhere_counts_as_failed(broker):
    with broker.connect() as client:
        first = client("TASK.ADD", "q", "t", "p", "UNIQUE", "k")
        client("TASK.ADD", "q", "t", "p")
        client("TASK.ADD", "r", "t", "p", "UNIQUE", "k")
        assert outcome(bulk(client, "MOVE", "QUEUE", "r", "WHERE", "QUEUE", "q", "STATE", "PENDING")) == (2, 1, 1)
        assert as_map(client("TASK.GET", first))["queue"] == b"q"


def test_wrong_bulks_change_nothing(broker):
    with broker.connect() as client:
        client("TASK.ADD", "q", "t", "p")
        tail = ("WHERE", "QUEUE", "q", "STATE", "PENDING")
        for wrong in [("DROP", *tail), ("MOVE", *tail), ("DEL", "QUEUE", "q", "STATE", "PENDING", "MAX", 1),
                      ("DEL", "WHERE", "STATE", "PENDING", "MAX", 1), ("DEL", "WHERE", "QUEUE", "q", "MAX", 1),
                      ("DEL", *tail, "PRIORITY", 1), ("DEL", *tail, "RATE", 0), ("DEL", *tail, "TYPE", "t", "TYPE", "t"),
                      ("MOVE", "PRIORITY", 11, *tail), ("DEL", *tail, "OLDER", -1), ("DEL", *tail, "MAX", 0)]:
            assert client("TASK.BULK", *wrong).code == "ERR", wrong
        for verb, at in [("RETRY", "PENDING"), ("RETRY", "ACTIVE"), ("DEL", "ACTIVE"), ("CANCEL", "DLQ"),
                         ("MOVE PRIORITY 1", "COMPLETED")]:
            assert client("TASK.BULK", *verb.split(), "WHERE", "QUEUE", "q", "STATE", at).code == "BADSTATE"
        assert client("TASK.BULK", "DEL", "WHERE", "QUEUE", "nobody", "STATE", "DLQ").code == "NOQUEUE"
        assert info(client)["pending"] == 1 and client("TASK.OPS") == []


def test_a_bulk_survives_a_crash_and_changes_each_task_once(broker):
    with broker.connect() as client:
        size = 3000
        client("TASK.MADD", "q", "TASKS", size, *["t", "p"] * size)
        id = client("TASK.BULK", "MOVE", "PRIORITY", 2, "QUEUE", "r", "WHERE", "QUEUE", "q", "STATE", "PENDING", "TYPE", "t",
                    "RATE", 2000, "REQ", "once")
        eventually(lambda: operation(client, id)["done"] >= 500)
    broker.kill()
    broker.start()
    with broker.connect() as client:
        assert client("TASK.BULK", "MOVE", "PRIORITY", 2, "QUEUE", "r", "WHERE", "QUEUE", "q", "STATE", "PENDING", "TYPE",
                      "t", "RATE", 2000, "REQ", "once") == id
        done = eventually(lambda: (op := operation(client, id))["state"] == b"done" and op, within=20)
        assert outcome(done) == (size, size, 0)
        assert (info(client)["pending"], info(client, "r")["pending"]) == (0, size)
        assert {task["priority"] for task in tasks(client("TASK.RESERVE", 1, "r", "COUNT", size))} == {2}


def test_dlqmax_lets_the_oldest_dead_letters_go(broker):
    with broker.connect() as client:
        assert client("QUEUE.SET", "q", "DLQMAX", 3) == "OK"
        dead = kill_tasks(client, 10)
        assert info(client)["dlq"] == 3
        assert [as_map(task)["id"] for task in client("DLQ.LIST", "q")[1]] == dead[-3:]
        assert as_map(client("DLQ.LIST", "q", "BY", "KIND")[1][0])["count"] == 3
        assert as_map(client("QUEUE.GET", "q"))["DLQMAX"] == 3
        # Lowered, it takes more than one slice.
        kill_tasks(client, 2500, queue="r")
        assert client("QUEUE.SET", "r", "DLQMAX", 2) == "OK"
        eventually(lambda: info(client, "r")["dlq"] == 2)
        assert client("QUEUE.SET", "q", "DLQMAX", 0) == "OK" and info(client)["dlq"] == 0
        assert client("QUEUE.SET", "q", "DLQMAX", "DEFAULT") == "OK"
        assert as_map(client("QUEUE.GET", "q"))["DLQMAX"] is None
        assert len(kill_tasks(client, 5)) == info(client)["dlq"] == 5
        assert ack_all(client) == []
