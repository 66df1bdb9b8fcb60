"""BLOCKED: a due task that its own LIMIT or the slots of its GROUP hold up, wherever its state is told or counted."""

import random
import time

import pytest
from broker import eventually
from test_fair import add, reserve
from test_workflows import take, why
from wire import as_map, tasks

OWN = {b"after", b"order", b"limit", b"group_concurrency"}


def state(client, id):
    return as_map(client("TASK.GET", id))["state"]


def counts(client, queue="q"):
    info = as_map(client("QUEUE.INFO", queue))
    return info["pending"], info["blocked"]


def listed(client, wanted, *more, queue="q"):
    """The ids of a state, by following the cursor to its end."""
    ids, cursor = [], 0
    while True:
        cursor, page = client("TASK.LIST", queue, "STATE", wanted, *more, "CURSOR", cursor)
        ids += [as_map(task)["id"] for task in page]
        if cursor in (0, "0", b"0"):
            return ids


def agree(client, pending, blocked, queue="q"):
    """Everything that tells states says that these tasks are PENDING, and those BLOCKED."""
    for ids, name in ((pending, b"PENDING"), (blocked, b"BLOCKED")):
        assert [state(client, id) for id in ids] == [name] * len(ids)
        assert all(why(client, id)["state"] == name for id in ids)
        assert all((why(client, id)["reason"] in OWN) == (name == b"BLOCKED") for id in ids)
        for order in ((), ("REV",), ("BY", "RUN"), ("BY", "RUN", "REV"), ("COUNT", 1)):
            assert sorted(listed(client, name, *order, queue=queue)) == sorted(ids), order
    assert counts(client, queue) == (len(pending), len(blocked))
    view = f"@queue:{queue}:pending"
    assert client("ZCARD", view) == len(pending)
    assert sorted(client("ZRANGE", view, 0, -1)) == sorted(pending)
    for ids, name in ((pending, b"PENDING"), (blocked, b"BLOCKED")):
        assert not ids or client("HGET", f"@task:{ids[0].decode()}", "state") == name
        assert int(client("GET", f"@metrics:tasks:state:{name.decode().lower()}")) == len(ids)


@pytest.mark.parametrize("fair", ["off", "on"])
def test_a_group_without_a_slot(broker, fair):
    with broker.connect() as client:
        client("QUEUE.SET", "q", "GROUPCONCURRENCY", 2, "FAIR", fair)
        a, none = add(client, 5, "GROUP", "a"), add(client, 2)
        b = add(client, 2, "GROUP", "b")
        agree(client, a + none + b, [])
        held = tasks(client("TASK.RESERVE", 1, "q", "COUNT", 9, "LEASE", 3600000))
        assert len(held) == 6
        agree(client, [], a[2:])
        later = add(client, 1, "GROUP", "a", "DELAY", 100000)
        shown = as_map(client("TASK.ADD", "q", "t", "p", "GROUP", "a", "FULL"))
        assert shown["state"] == b"BLOCKED"
        more = as_map(client("TASK.ADD", "q", "t", "p", "GROUP", "c", "FULL"))
        assert more["state"] == b"PENDING"
        agree(client, [more["id"]], a[2:] + [shown["id"]])
        assert client("TASK.RETRY", later[0]) == b"BLOCKED"
        broker.kill()
        broker.start()
    with broker.connect() as client:
        agree(client, [more["id"]], a[2:] + [shown["id"], later[0]])
        client("QUEUE.SET", "q", "GROUPCONCURRENCY", 3)
        agree(client, a[2:] + [shown["id"], later[0], more["id"]], [])
        client("QUEUE.SET", "q", "GROUPCONCURRENCY", 1)
        agree(client, [more["id"]], a[2:] + [shown["id"], later[0]])
        first = next(task for task in held if task["id"] == a[0])
        assert client("TASK.ACK", first["id"], first["token"]) == "OK"
        agree(client, [more["id"]], a[2:] + [shown["id"], later[0]])
        second = next(task for task in held if task["id"] == a[1])
        assert client("TASK.ACK", second["id"], second["token"]) == "OK"
        agree(client, a[2:] + [shown["id"], later[0], more["id"]], [])
        assert as_map(client("BROKER.CHECK"))["problems"] == []


def test_a_limit_without_tokens(broker):
    with broker.connect() as client:
        assert client("LIMIT.SET", "api", "RATE", 2, "PER", 3600000) == "OK"
        ids, free = add(client, 5, "LIMIT", "api"), add(client, 2)
        agree(client, ids + free, [])
        assert reserve(client) == ids[:2] + free
        agree(client, [], ids[2:])
        assert as_map(client("LIMIT.GET", "api"))["waiting"] == 3
        assert as_map(client("TASK.ADD", "q", "t", "p", "LIMIT", "api", "FULL"))["state"] == b"BLOCKED"
        later = add(client, 1, "LIMIT", "api", "DELAY", 50)[0]
        eventually(lambda: state(client, later) == b"BLOCKED")
        eventually(lambda: counts(client) == (0, 5))
        broker.kill()
        broker.start()
    with broker.connect() as client:
        assert counts(client) == (0, 5)
        assert client("LIMIT.RESET", "api") == "OK"
        assert counts(client) == (5, 0) and state(client, later) == b"PENDING"
        assert client("QUEUE.PAUSE", "q") == "OK"
        assert why(client, ids[2])["reason"] == b"paused", "a queue-wide reason leaves it PENDING"
        assert as_map(client("LIMIT.GET", "api"))["waiting"] == 0
        client("QUEUE.SET", "bound", "LIMIT", "api")
        add(client, 4, queue="bound")
        client("TASK.RESERVE", 1, "bound", "COUNT", 2)
        assert counts(client, "bound") == (2, 0), "its queue's LIMIT leaves a task PENDING"
        assert as_map(client("LIMIT.GET", "api"))["waiting"] == 2 + 5
        assert client("LIMIT.DEL", "api") == "OK"
        assert counts(client) == (5, 0)


def test_a_dear_task_that_comes_first_holds_its_line_up(broker):
    with broker.connect() as client:
        client("LIMIT.SET", "api", "RATE", 10, "PER", 3600000)
        first = add(client, 1, "LIMIT", "api", "COST", 8)
        dear = add(client, 1, "LIMIT", "api", "COST", 8)
        cheap = add(client, 2, "LIMIT", "api")
        agree(client, first + dear + cheap, [])
        assert reserve(client) == first
        agree(client, [], dear + cheap)
        assert b"8 of limit 'api', which has 2" in why(client, dear[0])["detail"]
        seen = why(client, cheap[0])
        assert seen["reason"] == b"limit" and b"first of those" in seen["detail"] and seen["until"] > time.time() * 1000
        assert client("TASK.CANCEL", dear[0]) == b"CANCELLED"
        agree(client, cheap, [])
        assert reserve(client) == cheap


def test_what_is_held_up_can_be_moved_cancelled_expire_and_be_found(broker):
    with broker.connect() as client:
        client("LIMIT.SET", "api", "RATE", 1, "PER", 3600000)
        ids = add(client, 8, "LIMIT", "api")
        assert reserve(client) == ids[:1]
        assert client("TASK.MOVE", ids[1], "PRIORITY", 9) == b"BLOCKED"
        assert as_map(client("TASK.GET", ids[1]))["priority"] == 9
        assert client("TASK.MOVE", ids[2], "QUEUE", "other") == b"BLOCKED" and counts(client, "other") == (0, 1)
        assert client("TASK.CANCEL", ids[3]) == b"CANCELLED"
        refused = client("TASK.RETRY", ids[4])
        assert refused.code == "BADSTATE" and "is BLOCKED" in str(refused)
        brief = add(client, 1, "LIMIT", "api", "TTL", 60)[0]
        eventually(lambda: state(client, brief) == b"EXPIRED")
        eventually(lambda: counts(client) == (0, 5))
        waited = as_map(client("TASK.WAIT", 1, ids[4], "BLOCK", 1)[0])
        assert waited["state"] == b"BLOCKED"
        history = as_map(client("TASK.GET", ids[4], "HISTORY"))["history"]
        assert [as_map(row)["to"] for row in history] == [b"PENDING"], "no move of its own"
        plain = add(client, 3)
        assert client("TASK.BULK", "CANCEL", "WHERE", "QUEUE", "q", "STATE", "PENDING", "DRYRUN") == 3
        assert client("TASK.BULK", "CANCEL", "WHERE", "QUEUE", "q", "STATE", "BLOCKED", "DRYRUN") == 5
        client("TASK.BULK", "CANCEL", "WHERE", "QUEUE", "q", "STATE", "BLOCKED")
        eventually(lambda: counts(client) == (3, 0))
        assert counts(client) == (3, 0) and counts(client, "other") == (0, 1)


def test_switching_slots_on_in_a_deep_queue_counts_all_of_it(broker):
    with broker.connect() as client:
        many = add(client, 5000, "GROUP", "a")
        few = add(client, 300, "GROUP", "b")
        held = take(client)
        client("QUEUE.SET", "q", "GROUPCONCURRENCY", 1)
        assert state(client, many[-1]) == b"BLOCKED", "at once"
        eventually(lambda: counts(client) == (300, 4999))
        assert sorted(listed(client, "BLOCKED")) == many[1:]
        assert sorted(listed(client, "PENDING", "COUNT", 50)) == few
        assert len(client("ZRANGE", "@queue:q:pending", 0, -1)) == 300
        client("QUEUE.SET", "q", "FAIR", "on")
        eventually(lambda: counts(client) == (300, 4999))
        client("QUEUE.SET", "q", "GROUPCONCURRENCY", "DEFAULT")
        assert counts(client) == (5299, 0)
        client("QUEUE.SET", "q", "GROUPCONCURRENCY", 1, "FAIR", "off")
        eventually(lambda: counts(client) == (300, 4999))
        client("TASK.ACK", held["id"], held["token"])
        eventually(lambda: counts(client) == (5299, 0))
        assert as_map(client("BROKER.CHECK"))["problems"] == []


def test_whatever_happens_states_reasons_lists_and_counts_agree(broker):
    """A random life of two queues with groups and limits; after every step all that is told is held against GET."""
    chance = random.Random(7)
    with broker.connect() as client:
        client("LIMIT.SET", "api", "RATE", 3, "PER", 3600000)
        client("LIMIT.SET", "gpu", "RATE", 4, "PER", 3600000)
        client("QUEUE.SET", "q", "FAIR", "off")
        known, soon, held = [], [], []
        for step in range(150):
            match chance.randrange(10):
                case 0 | 1 | 2:
                    options = chance.choice([(), ("GROUP", chance.choice("ab")), ("LIMIT", "api"),
                                             ("LIMIT", "gpu", "COST", chance.choice([1, 3])),
                                             ("GROUP", "a", "LIMIT", "api", "LIMIT", "gpu")])
                    more = chance.choice([("PRIORITY", chance.randint(1, 10)), ("DELAY", chance.choice([5, 100000]))])
                    known += add(client, 1, *options, *more)
                    soon += known[-1:] if 5 in more else []
                case 3 | 4:
                    taken = client("TASK.RESERVE", 1, "q", "COUNT", chance.choice([1, 3]), "LEASE", 3600000)
                    held += tasks(taken) if taken else []
                case 5 | 6 if held:
                    task = held.pop(chance.randrange(len(held)))
                    way = chance.choice([("TASK.ACK",), ("TASK.RELEASE",), ("TASK.FAIL", "no", "RETRY", "0")])
                    client(way[0], task["id"], task["token"], *way[1:])
                case 7: client("LIMIT.RESET", chance.choice(["api", "gpu"]))
                case 8: client("QUEUE.SET", "q", "GROUPCONCURRENCY", chance.choice(["1", "2", "DEFAULT"]),
                               "FAIR", chance.choice(["on", "off"]))
                case 9 if known: client("TASK.CANCEL", chance.choice(known))
            eventually(lambda: all(state(client, id) != b"SCHEDULED" for id in soon))
            eventually(lambda: not as_map(client("QUEUE.INFO", "q"))["lagging"])
            waiting = {id: state(client, id) for id in known}
            told = {name: [id for id, is_in in waiting.items() if is_in == name] for name in (b"PENDING", b"BLOCKED")}
            assert counts(client) == (len(told[b"PENDING"]), len(told[b"BLOCKED"])), step
            for name, ids in told.items():
                assert sorted(listed(client, name)) == sorted(ids), (step, name)
                assert all((why(client, id)["reason"] in OWN) == (name == b"BLOCKED") for id in ids), step
        assert as_map(client("BROKER.CHECK"))["problems"] == []
