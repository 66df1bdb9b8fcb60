"""ORDER: of the tasks with one key one runs at a time, in the order in which they were added."""

import pytest

from broker import eventually
from test_queues import info
from test_workflows import finish, get, state, take, why
from wire import as_map, tasks


@pytest.mark.parametrize("protocol", [2, 3])
def test_one_task_of_a_key_runs_at_a_time_in_order(broker, protocol):
    with broker.connect(protocol) as client, broker.connect() as worker:
        first = as_map(client("TASK.ADD", "q", "t", "p", "ORDER", "k", "PRIORITY", 1, "FULL"))
        second = as_map(client("TASK.ADD", "q", "t", "p", "ORDER", "k", "PRIORITY", 10, "FULL"))
        assert (first["state"], second["state"]) == (b"PENDING", b"BLOCKED")
        first, second = first["id"], second["id"]
        other, none = client("TASK.ADD", "q", "t", "p", "ORDER", "other"), client("TASK.ADD", "q", "t", "p")
        assert get(client, second)["order"] == b"k" and get(client, none)["order"] is None
        assert client("HGET", f"@task:{second.decode()}", "order") == b"k"
        assert info(client)["blocked"] == 1 and info(client)["pending"] == 3
        seen = why(client, second)
        assert (seen["reason"], seen["until"]) == (b"order", None) and first in seen["detail"]
        given = tasks(client("TASK.RESERVE", 1, "q", "COUNT", 10, "LEASE", 3600000))
        assert [task["id"] for task in given] == [other, none, first]
        worker.send("TASK.RESERVE", 1, "q", "BLOCK", 0)
        client("TASK.ACK", first, given[2]["token"])
        assert tasks(worker.read())[0]["id"] == second
        assert [(move["from"], move["to"], move["reason"])
                for move in map(as_map, as_map(client("TASK.GET", second, "HISTORY"))["history"])] == [
            (None, b"BLOCKED", b"add"), (b"BLOCKED", b"PENDING", b"unblock"), (b"PENDING", b"ACTIVE", b"reserve")]
        # The same key in another queue is another order.
        assert as_map(client("TASK.ADD", "r", "t", "p", "ORDER", "k", "FULL"))["state"] == b"PENDING"


def test_a_scheduled_or_retrying_task_holds_the_rest_and_a_dead_one_frees_it(broker):
    with broker.connect() as client:
        later = client("TASK.ADD", "q", "t", "p", "ORDER", "k", "DELAY", 3600000, "RETRIES", 1, "BACKOFF", "FIXED", 3600000)
        rest = client("TASK.MADD", "q", "ORDER", "k", "TASKS", 3, *["t", "p"] * 3)
        assert client("TASK.RESERVE", 1, "q") is None and info(client)["blocked"] == 3
        assert b"SCHEDULED" in why(client, rest[0])["detail"]
        assert client("TASK.RETRY", later) == b"PENDING"
        client("TASK.FAIL", later, take(client)["token"], "broke")
        assert state(client, later) == b"SCHEDULED" and client("TASK.RESERVE", 1, "q") is None
        assert client("TASK.RETRY", later) == b"PENDING"
        client("TASK.FAIL", later, take(client)["token"], "broke")
        assert state(client, later) == b"DLQ"
        task = take(client)
        assert task["id"] == rest[0] and client("TASK.RESERVE", 1, "q") is None
        # What is retried comes before those that were added after it, but not before the one that runs.
        assert client("TASK.RETRY", later) == b"BLOCKED" and rest[0] in why(client, later)["detail"]
        assert client("TASK.MOVE", later, "PRIORITY", 9) == b"BLOCKED"
        assert client("TASK.MOVE", rest[2], "QUEUE", "s") == b"PENDING", "it is the first of its key there"
        assert client("TASK.MOVE", rest[2], "QUEUE", "q") == b"BLOCKED"
        client("TASK.ACK", rest[0], task["token"])
        finish(client, later)
        assert client("TASK.CANCEL", rest[1]) == b"CANCELLED" and state(client, rest[2]) == b"PENDING"
        assert client("TASK.RETRY", rest[1]) == b"PENDING" and state(client, rest[2]) == b"BLOCKED"
        assert client("TASK.MOVE", rest[1], "QUEUE", "r") == b"PENDING" and state(client, rest[2]) == b"PENDING"


def test_a_lost_lease_and_a_release_keep_the_order(broker):
    with broker.connect() as client:
        ids = client("TASK.MADD", "q", "ORDER", "k", "TASKS", 2, *["t", "p"] * 2)
        assert tasks(client("TASK.RESERVE", 1, "q", "LEASE", 20))[0]["id"] == ids[0]
        eventually(lambda: state(client, ids[0]) == b"PENDING")
        task = take(client)
        assert task["id"] == ids[0] and client("TASK.RELEASE", ids[0], task["token"]) == "OK"
        finish(client, ids[0])
        finish(client, ids[1])


def test_orders_survive_a_crash(broker):
    with broker.connect() as client:
        older = client("TASK.ADD", "q", "t", "p", "ORDER", "k")
        finish(client, older)
        ids = client("TASK.MADD", "q", "ORDER", "k", "TASKS", 3, *["t", "p"] * 3)
        token = take(client)["token"]
    broker.kill()
    broker.start()
    with broker.connect() as client:
        assert client("TASK.RESERVE", 1, "q") is None and info(client)["blocked"] == 2
        # Who is in hand is known again: an older one that comes back waits for it.
        assert client("TASK.RETRY", older) == b"BLOCKED" and ids[0] in why(client, older)["detail"]
        assert client("TASK.CANCEL", older) == b"CANCELLED"
        client("TASK.ACK", ids[0], token)
        finish(client, ids[1])
        finish(client, ids[2])
        assert info(client)["blocked"] == 0


def test_order_goes_with_after_children_and_cron(broker):
    with broker.connect() as client:
        gate = client("TASK.ADD", "gate", "t", "p")
        first = client("TASK.ADD", "q", "t", "p", "ORDER", "k", "AFTER", 1, gate)
        second = client("TASK.ADD", "q", "t", "p", "ORDER", "k")
        assert (why(client, first)["reason"], why(client, second)["reason"]) == (b"after", b"order")
        finish(client, gate, "gate")
        task = take(client)
        assert task["id"] == first
        # What follows from a task with its key runs when that has ended.
        client("TASK.CANCEL", second)
        assert client("TASK.ACK", first, task["token"], "ADD", 5, "q", "t", "child", "ORDER", "k") == "OK"
        assert take(client)["payload"] == b"child"
        client("CRON.SET", "c", "r", "t", "p", "EVERY", 60000, "ORDER", "clock")
        assert [state(client, client("CRON.RUN", "c")) for _ in range(2)] == [b"PENDING", b"BLOCKED"]


def test_a_deep_key_slows_nobody(broker):
    """A hundred thousand tasks of one key: what others get does not depend on how many there are."""
    with broker.connect() as client:
        for _ in range(10):
            client("TASK.MADD", "q", "ORDER", "deep", "TASKS", 10000, *["t", "p"] * 10000)
        ids = client("TASK.MADD", "q", "TASKS", 100, *["t", "p"] * 100)
        assert info(client)["blocked"] == 99999
        given = tasks(client("TASK.RESERVE", 1, "q", "COUNT", 200))
        assert [task["id"] for task in given[1:]] == ids
        assert client("QUEUE.PURGE", "q", "STATE", "BLOCKED") == 99999
