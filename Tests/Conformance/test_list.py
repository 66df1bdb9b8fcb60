"""TASK.LIST over real sockets: filters, orders, cursors."""

import time

from wire import as_map, tasks


def page(client, queue, *options, cursor="0"):
    """One page: the next cursor and the tasks as maps."""
    following, views = client("TASK.LIST", queue, *options, "CURSOR", cursor)
    return following.decode(), [as_map(view) for view in views]


def listed(client, queue, *options):
    """All pages."""
    cursor, found = "0", []
    while True:
        cursor, views = page(client, queue, *options, cursor=cursor)
        found += views
        if cursor == "0":
            return found


def ids(views):
    return [view["id"] for view in views]


def test_filters_choose_and_combine(broker):
    with broker.connect() as client:
        plain = client("TASK.ADD", "q", "mail", "p", "TAGS", 1, "red")
        later = client("TASK.ADD", "q", "mail", "p", "DELAY", 60_000, "TAGS", 2, "red", "blue")
        client("TASK.ADD", "other", "mail", "p")
        held = client("TASK.ADD", "w", "scan", "p", "PRIORITY", 10)
        client("TASK.RESERVE", 1, "w", "WORKER", "w1")
        dead = client("TASK.ADD", "w", "scan", "p", "RETRIES", 0)
        retry = client("TASK.ADD", "w", "scan", "p", "BACKOFF", "FIXED", 60_000, "RETRIES", 1)
        for task in tasks(client("TASK.RESERVE", 1, "w", "COUNT", 2, "WORKER", "w2")):
            client("TASK.FAIL", task["id"], task["token"], "x", "KIND", "net")
        assert ids(listed(client, "q")) == [plain, later]
        assert ids(listed(client, "q", "REV")) == [later, plain]
        assert ids(listed(client, "q", "STATE", "pending")) == [plain]
        assert ids(listed(client, "q", "STATE", "SCHEDULED")) == [later]
        assert ids(listed(client, "q", "TAG", "blue")) == [later]
        assert ids(listed(client, "*", "TYPE", "scan")) == [held, dead, retry]
        assert ids(listed(client, "*", "STATE", "ACTIVE")) == [held]
        assert ids(listed(client, "*", "WORKER", "w1")) == [held]
        assert ids(listed(client, "*", "STATE", "FAILED")) == [dead, retry]
        assert ids(listed(client, "w", "STATE", "FAILED", "KIND", "net", "BY", "ENDED")) == [dead]
        assert ids(listed(client, "w", "KIND", "net", "STATE", "SCHEDULED", "BY", "RUN")) == [retry]
        assert listed(client, "w", "KIND", "other") == listed(client, "nobody") == []
        assert listed(client, "q", "TYPE", "unheard") == []
        shown = listed(client, "q", "STATE", "PENDING")[0]
        assert shown == as_map(client("TASK.GET", plain))


def test_orders_are_by_age_by_due_time_and_by_the_end(broker):
    with broker.connect() as client:
        added = [client("TASK.ADD", "q", "t", "p", "DELAY", delay, "PRIORITY", priority)
                 for delay, priority in ((30_000, 1), (10_000, 9), (20_000, 5), (0, 2), (0, 3))]
        assert ids(listed(client, "q", "BY", "ADDED", "COUNT", 2)) == added
        by_run = listed(client, "q", "BY", "RUN", "COUNT", 2)
        assert [view["run_at"] for view in by_run] == sorted(view["run_at"] for view in by_run)
        assert ids(by_run) == [added[n] for n in (3, 4, 1, 2, 0)]
        assert ids(listed(client, "*", "BY", "RUN", "STATE", "SCHEDULED", "REV")) == [added[n] for n in (0, 2, 1)]
        for task in reversed(added):
            assert client("TASK.CANCEL", task) == b"CANCELLED"
            client("PING")
        ended = listed(client, "q", "BY", "ENDED", "COUNT", 1)
        assert sorted(ids(ended)) == sorted(added)
        assert [view["ended_at"] for view in ended] == sorted(view["ended_at"] for view in ended)
        assert ids(listed(client, "*", "BY", "ENDED", "REV")) == ids(ended)[::-1]
        assert listed(client, "q", "BY", "RUN") == []


def test_pages_neither_miss_nor_repeat_what_stays(broker):
    with broker.connect() as client:
        added = client("TASK.MADD", "q", "TASKS", 40, *["t", "p"] * 40)
        cursor, first = page(client, "q", "COUNT", 10)
        assert ids(first) == added[:10] and cursor != "0"
        client("TASK.DEL", *added[5:15])
        new = client("TASK.ADD", "q", "t", "p")
        rest = []
        while cursor != "0":
            cursor, views = page(client, "q", "COUNT", 7, cursor=cursor)
            rest += ids(views)
        assert rest == added[15:] + [new]


def test_wrong_lists_are_refused(broker):
    with broker.connect() as client:
        client("TASK.ADD", "q", "t", "p")
        refusals = {
            ("STATE", "LOST"): "ERR no such state 'LOST'", ("STATE",): "ERR syntax error near 'STATE'",
            ("CURSOR", "what"): "ERR invalid cursor", ("COUNT", 0): "ERR value is not an integer or out of range: COUNT",
            ("BY", "NAME"): "ERR syntax error near 'NAME'", ("ORDER", "g"): "ERR syntax error near 'ORDER'",
            ("BY", "RUN", "STATE", "DLQ"): "ERR BY RUN lists", ("BY", "ENDED", "STATE", "ACTIVE"): "ERR BY ENDED lists",
            ("REV", "REV"): "ERR syntax error near 'REV'",
        }
        for options, error in refusals.items():
            assert client("TASK.LIST", "q", *options).startswith(error), options
        for cursor in ("zik0zj-1y2p0ij32e8e7-3w5e11264sgsf", "0-3w5e11264sgsf-3w5e11264sgsf", "7-0-0", "0--0"):
            for order in ("ADDED", "RUN", "ENDED"):
                for direction in ([], ["REV"]):
                    reply = client("TASK.LIST", "*", "BY", order, *direction, "CURSOR", cursor)
                    assert isinstance(reply, list) or reply.startswith("ERR invalid cursor")
        assert client("PING") == "PONG"


def test_tasks_are_found_by_the_beginning_of_their_ids(broker):
    with broker.connect() as client:
        first = client("TASK.ADD", "q", "t", "p")
        time.sleep(0.3)
        rest = client("TASK.MADD", "q", "TASKS", 3000, *["t", "p"] * 3000)

        def search(prefix):
            cursor, found, pages = b"0", [], 0
            while pages == 0 or cursor != b"0":
                cursor, keys = client("SCAN", cursor, "MATCH", b"@task:" + prefix + b"*", "COUNT", 100)
                found, pages = found + keys, pages + 1
            return [key.removeprefix(b"@task:") for key in found], pages

        # All that is looked at is what begins so: one page, where a walk over all needs thirty.
        for length in (13, 18, 24, 36):
            assert search(first[:length]) == ([first], 1)
            assert search(rest[-1][:36]) == ([rest[-1]], 1)
        shared = next(length for length in range(36) if first[length] != rest[0][length])
        everything, pages = search(first[:shared])
        assert everything == [first, *rest] and pages >= 30
        for prefix in (b"ffffffff-", b"x", first[:13] + b"-4"):
            assert search(prefix) == ([], 1)
