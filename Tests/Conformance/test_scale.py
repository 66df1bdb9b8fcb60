"""Many adders of one key, and lists of a million tasks."""

import resource
import statistics
import time

import pytest

from wire import Wire, as_map, encode, tasks

TASKS = 1_000_000
SCHEDULED = 200_000
DEAD, DONE = 500, 20_000
RARE = 1_000
# What one page may look at, by the contract.
EXAMINED = 10_000


@pytest.mark.slow
def test_a_thousand_adders_of_one_key_add_one_task(broker):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4_096, most), most))
    command = encode("TASK.ADD", "q", "t", "p", "UNIQUE", "k")
    clients = [Wire(broker.port) for _ in range(1_000)]
    try:
        for client in clients:
            client.socket.sendall(command)
        replies = {client.read() for client in clients}
    finally:
        for client in clients:
            client.close()
    assert len(replies) == 1
    with broker.connect() as client:
        info = as_map(client("QUEUE.INFO", "q"))
        assert (info["pending"], info["total_added"]) == (1, 1)


def add_a_million(client):
    """Pending ones of two types, a few with a tag; scheduled, dead and completed ones."""
    def add(count, *options, kind="mail"):
        while count > 0:
            some = min(count, 50_000)
            assert len(client("TASK.MADD", "q", *options, "TASKS", some, *[kind, "payload"] * some)) == some
            count -= some

    add(DEAD, "RETRIES", 0)
    for task in tasks(client("TASK.RESERVE", 1, "q", "COUNT", DEAD, "LEASE", 600_000)):
        client("TASK.FAIL", task["id"], task["token"], "no luck", "KIND", "net")
    add(DONE, kind="scan")
    for _ in range(DONE // 10_000):
        held = tasks(client("TASK.RESERVE", 1, "q", "COUNT", 10_000, "WORKER", "w1", "LEASE", 600_000))
        client("TASK.MACK", len(held), *[word for task in held for word in (task["id"], task["token"])])
    add(SCHEDULED, "DELAY", 3_600_000)
    pending = TASKS - SCHEDULED - DEAD - DONE
    add(pending // 2, kind="scan")
    add(RARE, "TAGS", 1, "rare")
    add(pending - pending // 2 - RARE)
    return pending


def walk(client, *options):
    """How many tasks, how many pages, and the milliseconds each page took as its reader saw it."""
    cursor, found, times = b"0", 0, []
    while True:
        start = time.monotonic()
        client.send("TASK.LIST", *options, "CURSOR", cursor)
        client.socket.recv(1, 2)  # MSG_PEEK: the page begins to arrive
        times.append((time.monotonic() - start) * 1_000)
        cursor, views = client.read()
        found += len(views)
        if cursor == b"0":
            return found, len(times), times


@pytest.mark.slow
def test_lists_of_a_million_tasks_are_exact_and_pages_are_bounded(broker):
    with broker.connect(timeout=120) as client:
        pending = add_a_million(client)
        info = as_map(client("QUEUE.INFO", "q"))
        counts = {name: info[name] for name in ("pending", "scheduled", "dlq", "completed")}
        assert counts == {"pending": pending, "scheduled": SCHEDULED, "dlq": DEAD, "completed": DONE}
        exact = {
            ("q", "TAG", "rare"): RARE, ("*", "TAG", "rare", "REV"): RARE, ("q", "TAG", "none"): 0,
            ("q", "STATE", "DLQ"): DEAD, ("q", "STATE", "FAILED"): DEAD, ("q", "STATE", "DLQ", "KIND", "net"): DEAD,
            ("*", "STATE", "DLQ", "BY", "ENDED", "REV"): DEAD, ("q", "STATE", "ACTIVE"): 0,
            ("q", "WORKER", "w1"): DONE, ("q", "STATE", "COMPLETED", "BY", "ENDED"): DONE,
            ("q", "BY", "RUN", "TAG", "rare"): RARE, ("q", "STATE", "SCHEDULED", "KIND", "net", "BY", "RUN"): 0,
            ("*", "STATE", "COMPLETED", "TYPE", "mail"): 0,
        }
        report = []
        for options, expected in exact.items():
            found, pages, times = walk(client, *options, "COUNT", 1_000)
            report.append((statistics.median(times), max(times), pages, " ".join(options)))
            assert found == expected, options
        for options in (["q"], ["*"], ["q", "REV"], ["q", "STATE", "PENDING"], ["q", "STATE", "SCHEDULED"],
                        ["q", "BY", "RUN"], ["*", "BY", "RUN", "REV"], ["q", "TYPE", "scan"]):
            times = []
            cursor = b"0"
            for _ in range(10):
                start = time.monotonic()
                client.send("TASK.LIST", *options, "COUNT", 100, "CURSOR", cursor)
                client.socket.recv(1, 2)
                times.append((time.monotonic() - start) * 1_000)
                cursor, views = client.read()
            report.append((statistics.median(times), max(times), 10, " ".join(options)))
        # Whoever looks through everything for what is not there needs many pages: none looks at more than it may.
        assert walk(client, "q", "TAG", "none")[1] >= TASKS // EXAMINED
        for median, slowest, pages, options in report:
            print(f"{median:7.2f} ms median {slowest:7.2f} ms slowest of {pages:4} pages: TASK.LIST {options}")
        anonymous = [line for line in open(f"/proc/{broker.process.pid}/status") if line.startswith("RssAnon")]
        print(anonymous[0].strip())
        assert int(anonymous[0].split()[1]) <= 100 * 1024
