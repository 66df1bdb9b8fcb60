"""AFTER, and what an ACK adds: tasks that follow from tasks."""

import time

import pytest

from broker import eventually
from test_queues import info
from wire import as_map, tasks


def get(client, id):
    return as_map(client("TASK.GET", id))


def state(client, id):
    return get(client, id)["state"]


def why(client, id):
    return as_map(client("TASK.WHY", id))


def take(client, queue="q"):
    return tasks(client("TASK.RESERVE", 1, queue, "LEASE", 3600000))[0]


def finish(client, id, queue="q"):
    task = take(client, queue)
    assert task["id"] == id
    assert client("TASK.ACK", id, task["token"]) == "OK"


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_task_waits_until_all_it_comes_after_have_completed(broker, protocol):
    with broker.connect(protocol) as client, broker.connect() as worker:
        first, second = client("TASK.ADD", "q", "t", "1"), client("TASK.ADD", "q", "t", "2")
        added = as_map(client("TASK.ADD", "r", "t", "3", "AFTER", 2, first, second, "FULL"))
        assert added["state"] == b"BLOCKED" and state(client, added["id"]) == b"BLOCKED"
        seen = why(client, added["id"])
        assert (seen["state"], seen["reason"], seen["until"]) == (b"BLOCKED", b"after", None) and first in seen["detail"]
        assert (info(client, "r")["blocked"], info(client, "r")["pending"]) == (1, 0)
        assert [as_map(task)["id"] for task in client("TASK.LIST", "r", "STATE", "BLOCKED")[1]] == [added["id"]]
        assert client("TASK.RESERVE", 1, "r") is None
        worker.send("TASK.RESERVE", 1, "r", "BLOCK", 0)
        finish(client, first)
        assert state(client, added["id"]) == b"BLOCKED" and second in why(client, added["id"])["detail"]
        finish(client, second)
        assert tasks(worker.read())[0]["id"] == added["id"]
        assert [(move["from"], move["to"], move["reason"])
                for move in map(as_map, as_map(client("TASK.GET", added["id"], "HISTORY"))["history"])] == [
            (None, b"BLOCKED", b"add"), (b"BLOCKED", b"PENDING", b"unblock"), (b"PENDING", b"ACTIVE", b"reserve")]
        # What has completed is not waited for.
        assert as_map(client("TASK.ADD", "q", "t", "p", "AFTER", 1, first, "FULL"))["state"] == b"PENDING"
        later = as_map(client("TASK.ADD", "q", "t", "p", "AFTER", 1, added["id"], "DELAY", 60000, "FULL"))["id"]
        assert client("TASK.MADD", "q", "AFTER", 1, added["id"], "TASKS", 2, "t", "p", "t", "p")
        held = get(client, added["id"])
        assert info(client)["blocked"] == 3 and client("TASK.ACK", added["id"], held["token"]) == "OK"
        assert state(client, later) == b"SCHEDULED" and info(client)["blocked"] == 0


@pytest.mark.parametrize("how, outcome", [(None, b"BLOCKED"), ("WAIT", b"BLOCKED"), ("CANCEL", b"CANCELLED"),
                                          ("RUN", b"PENDING")])
def test_a_dead_dependency_follows_the_policy(broker, how, outcome):
    policy = ("ONDEAD", how) if how else ()
    with broker.connect() as client:
        for end in ("DLQ", "CANCELLED", "deleted"):
            first = client("TASK.ADD", "q", "t", "p", "RETRIES", 0)
            after = client("TASK.ADD", f"r-{end}", "t", "p", "AFTER", 1, first, *policy)
            chain = client("TASK.ADD", "s", "t", "p", "AFTER", 1, after, *policy)
            if end == "DLQ":
                client("TASK.FAIL", first, take(client)["token"], "broke")
            else:
                client("TASK.CANCEL" if end == "CANCELLED" else "TASK.DEL", first)
            # Who waits for a task that is gone waits no longer.
            if end == "deleted" and outcome == b"BLOCKED":
                assert state(client, after) == b"CANCELLED"
                continue
            assert state(client, after) == outcome
            assert state(client, chain) == (b"CANCELLED" if how == "CANCEL" else b"BLOCKED")
            if end == "deleted":
                continue
            # The same when it ended before.
            assert as_map(client("TASK.ADD", "u", "t", "p", "AFTER", 1, first, *policy, "FULL"))["state"] == outcome
            if outcome == b"BLOCKED":
                assert first in why(client, after)["detail"] and b"TASK.RETRY" in why(client, after)["detail"]
                client("TASK.RETRY", first)
                finish(client, first)
                assert state(client, after) == b"PENDING"


def test_a_parked_task_can_be_moved(broker):
    with broker.connect() as client:
        first = client("TASK.ADD", "q", "t", "p")
        urgent, later, elsewhere, plain = (client("TASK.ADD", "r", "t", "p", "AFTER", 1, first) for _ in range(4))
        assert client("TASK.MOVE", urgent, "PRIORITY", 9) == b"BLOCKED"
        due = int(time.time() * 1000) + 3600000
        assert client("TASK.MOVE", later, "AT", due) == b"BLOCKED"
        assert client("TASK.MOVE", elsewhere, "QUEUE", "s", "PRIORITY", 2) == b"BLOCKED"
        assert info(client, "r")["blocked"] == 3 and info(client, "s")["blocked"] == 1
        moved = as_map(client("TASK.GET", elsewhere, "HISTORY"))
        assert (moved["queue"], moved["priority"]) == (b"s", 2)
        rows = [as_map(row) for row in moved["history"]]
        assert [(row["reason"], row["to"]) for row in rows] == [(b"add", b"BLOCKED"), (b"move", b"BLOCKED")]
        broker.kill()
        broker.start()
    with broker.connect() as client:
        finish(client, first)
        assert (state(client, later), as_map(client("TASK.GET", later))["run_at"]) == (b"SCHEDULED", due)
        assert [take(client, "r")["id"] for _ in range(2)] == [urgent, plain]
        assert take(client, "s")["id"] == elsewhere
        assert as_map(client("BROKER.CHECK"))["problems"] == []


def test_a_parked_task_can_be_cancelled_deleted_and_can_expire(broker):
    with broker.connect() as client:
        first = client("TASK.ADD", "q", "t", "p")
        ids = [client("TASK.ADD", "r", "t", "p", "AFTER", 1, first) for _ in range(4)]
        brief = client("TASK.ADD", "r", "t", "p", "AFTER", 1, first, "TTL", 50)
        assert client("TASK.RETRY", ids[0]).code == "BADSTATE"
        assert client("TASK.CANCEL", ids[0]) == b"CANCELLED" and client("TASK.DEL", ids[1]) == 1
        eventually(lambda: state(client, brief) == b"EXPIRED")
        assert client("QUEUE.PURGE", "r", "STATE", "BLOCKED") == 2 and info(client, "r")["blocked"] == 0
        finish(client, first)
        assert client("TASK.RESERVE", 1, "r") is None


def test_wrong_dependencies_add_nothing(broker):
    with broker.connect() as client:
        first = client("TASK.ADD", "q", "t", "p")
        for wrong, code in [(("AFTER", 1, "nobody"), "NOTASK"), (("AFTER", 2, first), "ERR"), (("AFTER", 0), "ERR"),
                            (("AFTER", 1, "0199d3a1-7c40-7000-81f3-5b0c9e2a7d41"), "NOTASK"), (("ONDEAD", "RUN"), "ERR"),
                            (("AFTER", 1, first, "ONDEAD", "PANIC"), "ERR"),
                            (("AFTER", 1, first, "AFTER", 1, first), "ERR"), (("AFTER", 101, *[first] * 101), "ERR")]:
            assert client("TASK.ADD", "q", "t", "p", *wrong).code == code, wrong
        assert client("TASK.MADD", "q", "AFTER", 1, "nobody", "TASKS", 1, "t", "p").code == "NOTASK"
        assert info(client)["total_added"] == 1


def test_blocked_tasks_survive_a_crash_and_are_released_many_at_once(broker):
    with broker.connect() as client:
        first = client("TASK.ADD", "q", "t", "p")
        size = 2500
        client("TASK.MADD", "r", "AFTER", 1, first, "TASKS", size, *["t", "p"] * size)
        assert info(client, "r")["blocked"] == size
    broker.kill()
    broker.start()
    with broker.connect() as client:
        assert info(client, "r")["blocked"] == size
        finish(client, first)
        # A hundred go with the end itself, the others follow in slices.
        assert info(client, "r")["pending"] >= 100
        eventually(lambda: info(client, "r")["pending"] == size and info(client, "r")["blocked"] == 0)


def test_children_are_added_with_the_acknowledgement_or_not_at_all(broker):
    with broker.connect() as client:
        parent = client("TASK.ADD", "q", "t", "p")
        token = take(client)["token"]
        for wrong, code in [(("ADD", 3, "r", "t"), "ERR"), (("ADD", 2, "r", "t"), "ERR"),
                            (("ADD", 5, "r", "t", "p", "AFTER", "1", "nobody"), "ERR"),
                            (("ADD", 3, "r", "t", "p", "ADD", 6, "r", "t", "p", "AFTER", 1, "nobody"), "NOTASK"),
                            (("ADD", 5, "r", "t", "p", "REQ", "n"), "ERR"), (("ADD", 4, "r", "t", "p", "FULL"), "ERR"),
                            (("ADD", 7, "r", "t", "p", "UNIQUE", "k", "ON", "ERROR",
                              "ADD", 7, "r", "t", "p", "UNIQUE", "k", "ON", "ERROR"), "ERR")]:
            assert client("TASK.ACK", parent, token, *wrong).code == code, wrong
        assert client("TASK.ACK", parent, token + 1, "ADD", 3, "r", "t", "p").code == "LEASELOST"
        assert client("QUEUE.INFO", "r").code == "NOQUEUE" and state(client, parent) == b"ACTIVE"
        assert client("TASK.ACK", parent, token, "RESULT", "done", "ADD", 5, "r", "t", "one", "PRIORITY", 9,
                      "ADD", 6, "r", "t", "two", "AFTER", 1, parent) == "OK"
        # A repeat with the same token completes nothing and adds nothing.
        assert client("TASK.ACK", parent, token, "ADD", 3, "r", "t", "again") == "OK"
        children = tasks(client("TASK.RESERVE", 1, "r", "COUNT", 10))
        assert [(child["payload"], child["priority"]) for child in children] == [(b"one", 9), (b"two", 5)]
        assert state(client, parent) == b"COMPLETED"
        client("QUEUE.PAUSE", "r", "IN")
        held = tasks(client("TASK.RESERVE", 1, "q")) or [take(client) for _ in [client("TASK.ADD", "q", "t", "p")]]
        assert client("TASK.ACK", held[0]["id"], held[0]["token"], "ADD", 3, "r", "t", "p").code == "PAUSED"
        assert state(client, held[0]["id"]) == b"ACTIVE"


@pytest.mark.parametrize("goes", ["kept", "deleted", "purged", "queue"])
def test_who_waits_for_a_task_whose_record_goes_waits_no_longer(broker, goes):
    """ONDEAD WAIT hopes for a retry; without a record there is none."""
    with broker.connect() as client:
        dead = client("TASK.ADD", "q", "t", "p", "KEEP", 300)
        waiting = client("TASK.ADD", "r", "t", "p", "AFTER", 1, dead)
        if goes == "kept":
            client("TASK.CANCEL", dead)
        elif goes != "queue":
            client("TASK.FAIL", dead, take(client)["token"], "broke", "DEAD")
        assert state(client, waiting) == b"BLOCKED"
        if goes == "deleted":
            assert client("TASK.DEL", dead) == 1
        elif goes == "purged":
            assert client("DLQ.PURGE", "q") == 1
        elif goes == "queue":
            assert client("QUEUE.DEL", "q") == "OK"
        eventually(lambda: state(client, waiting) == b"CANCELLED")
        assert dead.decode() in as_map(as_map(client("TASK.GET", waiting, "HISTORY"))["history"][-1])["message"].decode()
