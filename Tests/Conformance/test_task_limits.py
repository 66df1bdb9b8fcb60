"""LIMIT of a task: it waits in the broker and is handed out as tokens come."""

import time

import pytest
from broker import eventually
from test_fair import add, reserve
from test_queues import info
from test_workflows import take, why
from wire import as_map, tasks


def limit(client, name, rate=1, per=60000, burst=None):
    assert client("LIMIT.SET", name, "RATE", rate, "PER", per, *(("BURST", burst) if burst else ())) == "OK"


def test_a_task_waits_for_its_limit_and_holds_nobody_who_does_not_need_it(broker):
    with broker.connect() as client:
        limit(client, "api", 1, 60000)
        paid = add(client, 3, "LIMIT", "api", "PRIORITY", 9)
        free = add(client, 2)
        assert reserve(client) == [paid[0], *free]
        answer = why(client, paid[1])
        assert answer["reason"] == b"limit" and b"'api'" in answer["detail"]
        assert 0 < answer["until"] - time.time() * 1000 <= 60000
        assert as_map(client("LIMIT.GET", "api"))["granted"] == 1
        limit(client, "api", 100, 1)  # a new rate works at once
        eventually(lambda: client("LIMIT.GET", "api") and as_map(client("LIMIT.GET", "api"))["available"] > 1)
        assert reserve(client) == paid[1:]


def test_tokens_that_come_wake_whoever_waits(broker):
    with broker.connect() as client, broker.connect() as blocked:
        limit(client, "api", 10, 1000, 1)
        ids = add(client, 4, "LIMIT", "api")
        assert reserve(client) == ids[:1]
        began = time.monotonic()
        for id in ids[1:]:
            assert tasks(blocked("TASK.RESERVE", 1, "q", "BLOCK", 5000))[0]["id"] == id
        assert 0.25 < time.monotonic() - began < 1.5


def test_cost_is_taken_and_the_dear_one_is_not_overtaken_by_cheaper_ones(broker):
    with broker.connect() as client:
        limit(client, "api", 5, 60000)
        two = add(client, 1, "LIMIT", "api", "COST", 2)
        dear = add(client, 1, "LIMIT", "api", "COST", 4)
        cheap = add(client, 2, "LIMIT", "api")
        assert reserve(client) == two
        assert why(client, dear[0])["reason"] == b"limit"
        assert why(client, cheap[0])["reason"] == b"limit", "a task that comes first waits for the limit"
        client("LIMIT.RESET", "api")
        assert reserve(client) == dear + cheap[:1]


def test_several_limits_are_all_needed(broker):
    with broker.connect() as client:
        limit(client, "a", 2)
        limit(client, "b", 1)
        both = add(client, 2, "LIMIT", "a", "LIMIT", "b")
        only_a, only_b = add(client, 1, "LIMIT", "a"), add(client, 1, "LIMIT", "b")
        assert reserve(client) == [both[0], only_a[0]], "without a token of b nobody waits for a"
        client("LIMIT.RESET", "b")
        assert reserve(client) == only_b
        client("LIMIT.DEL", "a")
        client("LIMIT.RESET", "b")
        assert reserve(client) == both[1:], "a limit that is gone bounds nobody"


@pytest.mark.parametrize("options, code", [
    (("LIMIT", "none"), "no such limit 'none'"),
    (("LIMIT", "slots"), "SLOTS"),
    (("LIMIT", "api", "COST", 6), "COST 6 is above"),
    (("LIMIT", "api", "COST", 0), "COST"),
    (("LIMIT", "api", "LIMIT", "api"), "named twice"),
    (("LIMIT",), "syntax error"),
    (("COST", 1), "syntax error near 'COST'"),
])
def test_what_can_never_be_granted_is_refused(broker, options, code):
    with broker.connect() as client:
        limit(client, "api", 5)
        client("LIMIT.SET", "slots", "SLOTS", 2)
        answer = client("TASK.ADD", "q", "t", "p", *options)
        assert answer.code == "ERR" and code in answer
        answer = client("CRON.SET", "c", "q", "t", "p", "EVERY", 100000, *options)
        assert answer.code == "ERR" and code in answer


def now(client):
    seconds, microseconds = client("TIME")
    return int(seconds) * 1_000 + int(microseconds) // 1_000


def test_retries_moves_lists_and_bulk_go_on_with_limits(broker):
    with broker.connect() as client:
        limit(client, "api", 100)
        ids = add(client, 5, "LIMIT", "api")
        task = take(client)
        # It is to be due after the others, not in the same millisecond.
        last = as_map(client("TASK.GET", ids[4]))["enqueued_at"]
        eventually(lambda: now(client) > last, what="the next millisecond")
        client("TASK.FAIL", task["id"], task["token"], "no", "RETRY", 0)
        assert [as_map(row)["id"] for row in client("TASK.LIST", "q", "STATE", "PENDING")[1]] == ids
        due = ids[1:] + ids[:1]
        assert [as_map(row)["id"] for row in client("TASK.LIST", "q", "STATE", "PENDING", "BY", "RUN")[1]] == due
        assert client("ZRANGE", "@queue:q:pending", 0, -1) == due
        assert client("TASK.MOVE", ids[4], "PRIORITY", 9) == b"PENDING"
        assert take(client)["id"] == ids[4]
        client("TASK.MOVE", ids[3], "QUEUE", "other")
        assert take(client, "other")["id"] == ids[3]
        assert client("TASK.CANCEL", ids[2]) == b"CANCELLED"
        assert client("QUEUE.PURGE", "q", "STATE", "PENDING") == 2 and info(client)["pending"] == 0


@pytest.mark.parametrize("options", [(), ("FAIR", "on"), ("GROUPCONCURRENCY", 1), ("FAIR", "on", "GROUPCONCURRENCY", 1),
                                     ("AGING", 50)])
def test_it_survives_a_kill_and_goes_with_groups(broker, options):
    with broker.connect() as client:
        if options:
            client("QUEUE.SET", "q", *options)
        limit(client, "api", 1, 86400000)
        paid = add(client, 3, "LIMIT", "api", "GROUP", "a")
        free = add(client, 1, "GROUP", "b")
        assert reserve(client) == [paid[0], *free]
    broker.kill()
    broker.start()
    with broker.connect() as client, broker.connect() as blocked:
        assert reserve(client) == []
        expected = b"group_concurrency" if "GROUPCONCURRENCY" in options else b"limit"
        assert why(client, paid[1])["reason"] == expected
        client("QUEUE.SET", "q", "GROUPCONCURRENCY", "DEFAULT")
        blocked.send("TASK.RESERVE", 1, "q", "BLOCK", 5000)
        eventually(lambda: b"cmd=task.reserve" in client("CLIENT", "LIST"), what="the blocked call")
        client("LIMIT.RESET", "api")
        assert tasks(blocked.read())[0]["id"] == paid[1]


def test_a_thousand_limits_of_one_queue(broker):
    with broker.connect() as client:
        for number in range(500):
            limit(client, f"tenant{number}", 1, 86400000)
        first = [client("TASK.ADD", "q", "t", "p", "LIMIT", f"tenant{number}") for number in range(500)]
        second = [client("TASK.ADD", "q", "t", "p", "LIMIT", f"tenant{number}") for number in range(500)]
        assert reserve(client) == first
        free = add(client, 1)
        assert reserve(client) == free and why(client, second[7])["reason"] == b"limit"


def test_never_more_than_the_limit_over_many_workers(broker):
    with broker.connect() as client:
        limit(client, "api", 23, 1000)
        add(client, 500, "LIMIT", "api", "KEEP", 0)
        workers = [broker.connect() for _ in range(5)]
        taken, end = [], time.monotonic() + 3
        for worker in workers:
            worker.send("TASK.RESERVE", 1, "q", "BLOCK", 300)
        while time.monotonic() < end:
            for worker in workers:
                if answer := tasks(worker.read()):
                    taken.append(time.monotonic())
                    worker("TASK.ACK", answer[0]["id"], answer[0]["token"])
                worker.send("TASK.RESERVE", 1, "q", "BLOCK", 300)
        for worker in workers:
            worker.close()
    span = taken[-1] - taken[0]
    assert len(taken) <= 23 + 23 * (span + 0.05) + 1
    assert len(taken) >= 0.9 * (23 + 23 * span)
