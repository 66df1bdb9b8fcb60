"""Ten million tasks: the first page of any list or search, exact counts, memory, and the start after a crash.

    MARTLET_BIN=… python3 -m pytest -s -m slow Tests/Conformance/test_scale_search.py
"""

import time

import pytest

from wire import as_map, encode, tasks

TASKS = 10_000_000
# How many of them are dead, completed, in hand, scheduled, and carry a tag of their own; the rest waits.
DEAD, DONE, HELD, SCHEDULED, RARE = 10_000, 100_000, 1_000, 1_000_000, 1_000
PAGE_MS, MEMORY_KIB = 20, 100 * 1024
# Seconds from kill -9 to the first reply.
START = 1


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def add(client, count, *options, kind="mail"):
    """Adds so many tasks, 50,000 a command; the ids of the last command."""
    ids, reported = [], time.monotonic()
    command = encode("TASK.MADD", "q", *options, "TASKS", 50_000, *[kind, "payload"] * 50_000)
    while count > 0:
        some = min(count, 50_000)
        client.socket.sendall(
            command if some == 50_000 else encode("TASK.MADD", "q", *options, "TASKS", some, *[kind, "payload"] * some))
        ids = client.read()
        assert len(ids) == some
        count -= some
        if time.monotonic() - reported > 10:
            reported = time.monotonic()
            say(f"{count} {kind} tasks are still to be added")
    return ids


def ten_million(client):
    """Tasks in many states; the ids of a few of them."""
    add(client, DEAD, "RETRIES", 0, "PRIORITY", 10)
    for task in tasks(client("TASK.RESERVE", 1, "q", "COUNT", DEAD, "LEASE", 3_600_000)):
        client.send("TASK.FAIL", task["id"], task["token"], "no luck", "KIND", "net")
    for _ in range(DEAD):
        client.read()
    add(client, DONE, "PRIORITY", 10, kind="scan")
    for _ in range(DONE // 10_000):
        held = tasks(client("TASK.RESERVE", 1, "q", "COUNT", 10_000, "WORKER", "w1", "LEASE", 3_600_000))
        client("TASK.MACK", len(held), *[word for task in held for word in (task["id"], task["token"])])
    add(client, HELD, "PRIORITY", 10)
    client("TASK.RESERVE", 1, "q", "COUNT", HELD, "WORKER", "w2", "LEASE", 3_600_000)
    add(client, SCHEDULED, "DELAY", 3_600_000)
    waiting = TASKS - DEAD - DONE - HELD - SCHEDULED
    add(client, waiting // 2, kind="scan")
    add(client, RARE, "TAGS", 1, "rare")
    return waiting, add(client, waiting - waiting // 2 - RARE)


def first_page(client, *command):
    """The median of five: milliseconds until the page begins to arrive."""
    took = []
    for _ in range(5):
        start = time.monotonic()
        client.send(*command)
        client.socket.recv(1, 2)  # MSG_PEEK
        took.append((time.monotonic() - start) * 1_000)
        client.read()
    return sorted(took)[2], took[0]


@pytest.mark.slow
def test_first_pages_of_ten_million_tasks_come_at_once(broker):
    with broker.connect(timeout=120) as client:
        waiting, ids = ten_million(client)
        info = as_map(client("QUEUE.INFO", "q"))
        counts = [info[name] for name in ("pending", "scheduled", "active", "dlq", "completed", "total_added")]
        assert counts == [waiting, SCHEDULED, HELD, DEAD, DONE, TASKS]
        say("added, and counted right")
        lists = [("TASK.LIST", queue, *options, *order) for queue in ("q", "*") for order in ((), ("REV",))
                 for options in (
                     (), ("BY", "RUN"), ("STATE", "PENDING"), ("STATE", "SCHEDULED", "BY", "RUN"), ("STATE", "ACTIVE"),
                     ("STATE", "DLQ", "BY", "ENDED"), ("STATE", "FAILED"), ("STATE", "COMPLETED"), ("TYPE", "scan"),
                     ("TYPE", "mail", "STATE", "PENDING"), ("TAG", "rare"), ("TAG", "none"), ("KIND", "net"),
                     ("KIND", "none", "STATE", "SCHEDULED"), ("WORKER", "w1"), ("WORKER", "w2", "STATE", "ACTIVE"),
                     ("GROUP", "none"))]
        lists += [("DLQ.LIST", "q"), ("DLQ.LIST", "q", "BY", "KIND"), ("TASK.OPS",), ("QUEUE.INFO", "q"), ("QUEUE.LIST",),
                  ("TASK.WHY", ids[-1]), ("TASK.GET", ids[0]), ("ZRANGE", "@queue:q:pending", 0, 99),
                  ("ZRANGE", "@queue:q:scheduled", 0, 99), ("LRANGE", "@queue:q:dlq", 0, 99),
                  ("SCAN", 0, "MATCH", b"@task:" + ids[0][:13] + b"*", "COUNT", 100),
                  ("SCAN", 0, "MATCH", b"@task:" + ids[-1] + b"*", "COUNT", 100)]
        seen = sorted(((*first_page(client, *command), command) for command in lists), reverse=True)
        for median, cold, command in seen[:12]:
            say(f"{median:6.2f} ms (the first time {cold:.2f}): {' '.join(map(str, command))}")
        anonymous = next(line for line in open(f"/proc/{broker.process.pid}/status") if line.startswith("RssAnon"))
        say(anonymous.strip())
        assert seen[0][0] <= PAGE_MS
        assert int(anonymous.split()[1]) <= MEMORY_KIB
    broker.kill()
    start = time.monotonic()
    with broker.start().connect() as client:
        assert as_map(client("QUEUE.INFO", "q"))["total_added"] == TASKS
    say(f"{(time.monotonic() - start) * 1_000:.0f} ms from the start after kill -9 to the first reply")
    assert time.monotonic() - start <= START
