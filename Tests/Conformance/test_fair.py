"""FAIR: the groups of a queue take turns within a priority."""

import collections
import time

from broker import eventually
from test_queues import info
from test_workflows import take, why
from wire import as_map, tasks


def add(client, count, *options, queue="q"):
    ids = []
    for start in range(0, count, 10000):
        size = min(10000, count - start)
        ids += client("TASK.MADD", queue, *options, "TASKS", size, *["t", "p"] * size)
    return ids


def reserve(client, count=10000):
    answer = client("TASK.RESERVE", 1, "q", "COUNT", count, "LEASE", 3600000)
    return [task["id"] for task in tasks(answer)] if answer else []


def test_groups_take_turns(broker):
    with broker.connect() as client:
        assert client("QUEUE.SET", "q", "FAIR", "on") == "OK" and as_map(client("QUEUE.GET", "q"))["FAIR"] == b"on"
        a, b = add(client, 4, "GROUP", "a"), add(client, 2, "GROUP", "b")
        none = add(client, 2)
        assert reserve(client) == [a[0], b[0], none[0], a[1], b[1], none[1], a[2], a[3]]
        for wrong in (("FAIR",), ("FAIR", "yes"), ("FAIR", "on", "FAIR", "off")):
            assert client("QUEUE.SET", "q", *wrong).code == "ERR"
        client("QUEUE.SET", "q", "FAIR", "off")
        a, b = add(client, 2, "GROUP", "a"), add(client, 2, "GROUP", "b")
        assert reserve(client) == a + b


def test_whoever_comes_waits_for_those_whose_turn_it_is_already(broker):
    with broker.connect() as client:
        client("QUEUE.SET", "q", "FAIR", "on")
        big = add(client, 6, "GROUP", "big")
        other = add(client, 3, "GROUP", "other")
        assert reserve(client, 2) == [big[0], other[0]]
        # Within one millisecond whoever comes precedes whoever was served.
        time.sleep(0.005)
        late = add(client, 1, "GROUP", "late")
        assert reserve(client, 3) == [big[1], other[1], late[0]]
        # A group that was served and comes again comes last.
        time.sleep(0.005)
        again = add(client, 1, "GROUP", "late")
        assert reserve(client, 3) == [big[2], other[2], again[0]]


def test_priorities_come_first_and_retries_share_the_turn_of_their_group(broker):
    with broker.connect() as client:
        client("QUEUE.SET", "q", "FAIR", "on", "RETRYSHARE", 50, "BACKOFF", "FIXED", 0)
        a = add(client, 3, "GROUP", "a")
        urgent = add(client, 2, "GROUP", "a", "PRIORITY", 9)
        b = add(client, 1, "GROUP", "b")
        assert reserve(client, 2) == urgent
        task = take(client)
        assert task["id"] == a[0]
        client("TASK.FAIL", a[0], task["token"], "broke")
        # Of group a the retry and the fresh tasks compete: half of its turns go to each.
        assert reserve(client, 4) == [b[0], a[1], a[0], a[2]]


def test_what_is_due_later_has_its_turn_when_it_is_due(broker):
    with broker.connect() as client:
        client("QUEUE.SET", "q", "FAIR", "on", "CONCURRENCY", 2)
        later = add(client, 1, "GROUP", "later", "DELAY", 60)
        a = add(client, 4, "GROUP", "a")
        assert reserve(client) == a[:2]
        eventually(lambda: info(client)["scheduled"] == 0)
        assert reserve(client) == [] and why(client, later[0])["reason"] == b"concurrency"
        client("QUEUE.PAUSE", "q")
        assert why(client, later[0])["reason"] == b"paused" and reserve(client) == []
        client("QUEUE.RESUME", "q")
        client("QUEUE.SET", "q", "CONCURRENCY", "DEFAULT")
        assert sorted(reserve(client)) == sorted([later[0], *a[2:]])


def test_a_thousand_small_groups_beside_a_large_one_are_served_at_once(broker):
    with broker.connect() as client:
        client("QUEUE.SET", "q", "FAIR", "on")
        add(client, 100000, "GROUP", "large")
        small = [client("TASK.ADD", "q", "t", "p", "GROUP", f"g{number}") for number in range(1000)]
        first = reserve(client, 2002)
        assert set(small) <= set(first)
        assert first.index(small[-1]) <= 1001


def test_switching_a_deep_queue_goes_on_after_a_crash(broker):
    with broker.connect() as client:
        large = add(client, 60000, "GROUP", "large")
        small = add(client, 1, "GROUP", "small")
        client("QUEUE.SET", "q", "FAIR", "on")
        # It is not done yet: hand-outs go by the plain order.
        assert reserve(client, 2) == large[:2]
    broker.kill()
    broker.start()
    with broker.connect() as client:
        assert as_map(client("QUEUE.GET", "q"))["FAIR"] == b"on"
        eventually(lambda: info(client)["lagging"] == 0)
        assert small[0] in reserve(client, 2)
        client("QUEUE.SET", "q", "FAIR", "off")
        eventually(lambda: info(client)["lagging"] == 0)
        assert reserve(client, 3) == large[3:6]
        assert client("QUEUE.PURGE", "q", "STATE", "PENDING") == 60000 - 6


def test_every_group_gets_its_share_of_the_hand_outs(broker):
    with broker.connect() as client:
        client("QUEUE.SET", "q", "FAIR", "on")
        for number in range(5):
            add(client, 20 * (number + 1), "GROUP", f"g{number}")
        shares = collections.Counter()
        for _ in range(50):
            task = take(client)
            shares[as_map(client("TASK.GET", task["id"]))["group"]] += 1
            client("TASK.ACK", task["id"], task["token"])
        assert set(shares.values()) == {10}
