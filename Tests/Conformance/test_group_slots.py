"""GROUPCONCURRENCY: so many tasks of a GROUP key are in hand at a time, over all workers."""

import time

import pytest
from broker import eventually
from test_fair import add, reserve
from test_queues import info
from test_workflows import take, why
from wire import as_map, tasks


def test_a_group_has_so_many_slots_and_others_go_on(broker):
    with broker.connect() as client, broker.connect() as other:
        assert client("QUEUE.SET", "q", "GROUPCONCURRENCY", 2) == "OK"
        assert as_map(client("QUEUE.GET", "q"))["GROUPCONCURRENCY"] == 2
        a, b = add(client, 4, "GROUP", "a"), add(client, 1, "GROUP", "b")
        none = add(client, 3)
        assert [take(other)["id"] for _ in range(2)] == a[:2]
        assert reserve(client) == b + none, "tasks without a group have no bound"
        answer = why(client, a[2])
        assert answer["reason"] == b"group_concurrency" and b"'a'" in answer["detail"] and answer["until"] is None
        for wrong in (0, -1, "x", 2**60):
            assert client("QUEUE.SET", "q", "GROUPCONCURRENCY", wrong).code == "ERR"
        assert "syntax error" in client("TASK.ADD", "q", "t", "p", "GROUPCONCURRENCY", 1)


def leave(client, way, task):
    """Takes a task out of hand in one of all ways."""
    match way:
        case "ack": assert client("TASK.ACK", task["id"], task["token"]) == "OK"
        case "next": assert tasks(client("TASK.ACK", task["id"], task["token"], "NEXT"))
        case "macked": assert client("TASK.MACK", 1, task["id"], task["token"]) == ["OK"]
        case "fail": client("TASK.FAIL", task["id"], task["token"], "no")
        case "dead": client("TASK.FAIL", task["id"], task["token"], "no", "DEAD")
        case "release": assert client("TASK.RELEASE", task["id"], task["token"], "DELAY", 100000) == "OK"
        case "cancelled":
            client("TASK.CANCEL", task["id"])
            client("TASK.FAIL", task["id"], task["token"], "no")
        case "lease": assert client("TASK.TOUCH", task["id"], task["token"], "LEASE", 1)
        case "more": client("QUEUE.SET", "q", "GROUPCONCURRENCY", 2)
        case "off": client("QUEUE.SET", "q", "GROUPCONCURRENCY", "DEFAULT")


WAYS = ["ack", "next", "macked", "fail", "dead", "release", "cancelled", "lease", "more", "off"]


@pytest.mark.parametrize("fair", ["off", "on"])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_out_of_hand_frees_the_slot_and_wakes_who_waits(broker, way, fair):
    with broker.connect() as client, broker.connect() as blocked:
        client("QUEUE.SET", "q", "GROUPCONCURRENCY", 1, "FAIR", fair)
        add(client, 3, "GROUP", "a")
        client("TASK.RESERVE", 1, "q")  # for NEXT, which takes as this one did
        first = client("TASK.LIST", "q", "STATE", "ACTIVE")[1]
        task = as_map(first[0])
        assert reserve(client) == []
        if way == "next":
            return leave(client, way, task)
        blocked.send("TASK.RESERVE", 1, "q", "BLOCK", 10000)
        time.sleep(0.1)
        leave(client, way, task)
        assert tasks(blocked.read())[0]["id"] != task["id"] or way == "lease"
        assert (reserve(client) == []) == (way != "off")


@pytest.mark.parametrize("fair", ["off", "on"])
def test_a_full_group_a_million_deep_slows_nobody(broker, fair):
    with broker.connect() as client:
        client("QUEUE.SET", "q", "GROUPCONCURRENCY", 1, "FAIR", fair, "KEEP", 0)
        deep = add(client, 50000, "GROUP", "deep", "PRIORITY", 9)
        others = [add(client, 1, "GROUP", f"g{n}")[0] for n in range(500)]
        assert take(client)["id"] == deep[0]
        begin = time.monotonic()
        assert [take(client)["id"] for _ in range(500)] == others
        assert reserve(client) == []
        assert time.monotonic() - begin < 5


def test_priority_order_holds_among_groups_that_have_a_slot(broker):
    with broker.connect() as client:
        client("QUEUE.SET", "q", "GROUPCONCURRENCY", 1)
        low = add(client, 2, "GROUP", "a", "PRIORITY", 2)
        b = add(client, 2, "GROUP", "b", "PRIORITY", 5)
        high = add(client, 2, "GROUP", "a", "PRIORITY", 8)
        first = take(client)
        assert first["id"] == high[0]
        assert reserve(client) == [b[0]]
        client("TASK.ACK", first["id"], first["token"])
        assert reserve(client) == [high[1]], "the most urgent of the group, not the oldest"
        assert {why(client, task)["reason"] for task in (*low, b[1])} == {b"group_concurrency"}


def test_switching_it_counts_what_is_in_hand_and_lines_up_what_waits(broker):
    with broker.connect() as client:
        a = add(client, 5000, "GROUP", "a")
        b = add(client, 3, "GROUP", "b")
        held = reserve(client, 3)
        assert held == a[:3]
        client("QUEUE.SET", "q", "GROUPCONCURRENCY", 3)
        eventually(lambda: not info(client)["lagging"])
        assert reserve(client) == b
        client("QUEUE.SET", "q", "GROUPCONCURRENCY", 4)
        assert reserve(client) == [a[3]], "one more at once"
        client("QUEUE.SET", "q", "GROUPCONCURRENCY", 1)
        for task in a[:3]:
            token = as_map(client("TASK.GET", task))["token"]
            client("TASK.ACK", task, token)
            assert reserve(client) == []
        client("QUEUE.SET", "q", "FAIR", "on")
        eventually(lambda: not info(client)["lagging"])
        assert reserve(client) == [] and why(client, a[4])["reason"] == b"group_concurrency"
        client("QUEUE.SET", "q", "GROUPCONCURRENCY", "DEFAULT", "FAIR", "off")
        assert reserve(client, 2) == a[4:6]


def test_slots_survive_a_kill(broker):
    with broker.connect() as client:
        client("QUEUE.SET", "q", "GROUPCONCURRENCY", 2)
        a = add(client, 4000, "GROUP", "a")
        held = reserve(client)
        assert held == a[:2]
    broker.kill()
    broker.start()
    with broker.connect() as client:
        assert reserve(client) == [] and why(client, a[2])["reason"] == b"group_concurrency"
        client("TASK.ACK", held[0], as_map(client("TASK.GET", held[0]))["token"])
        assert reserve(client) == [a[2]]
