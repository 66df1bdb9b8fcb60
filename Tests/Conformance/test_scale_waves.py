"""A million tasks that hang together: by their group, their ORDER key, or by what they wait for. Others hardly notice.

    MARTLET_BIN=… python3 -m pytest -s -m slow Tests/Conformance/test_scale_waves.py
"""

import threading
import time

import pytest

from broker import eventually
from test_queues import info
from test_scale_search import say
from wire import tasks

MILLION = 1_000_000
# How long commands of others may take meanwhile, in milliseconds: nearly all of them, and each.
NEARLY_ALL, EACH = 40, 250


def add(client, payload, count, *options):
    for _ in range(count // 50_000):
        assert len(client("TASK.MADD", "q", *options, "TASKS", 50_000, *["t", payload] * 50_000)) == 50_000


class Others:
    """Somebody who adds, reserves and acknowledges tasks of another queue all the while, one at a time."""

    def __init__(self, broker):
        self.client = broker.connect(timeout=120)
        self.took, self.goes_on = [], True
        self.thread = threading.Thread(target=self.work)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.goes_on = False
        self.thread.join()
        self.client.close()

    def timed(self, *command):
        start = time.monotonic()
        reply = self.client(*command)
        self.took.append((time.monotonic() - start) * 1_000)
        return reply

    def work(self):
        while self.goes_on:
            id = self.timed("TASK.ADD", "others", "t", "p", "KEEP", 0)
            task, = tasks(self.timed("TASK.RESERVE", 1, "others"))
            assert task["id"] == id
            self.timed("TASK.ACK", id, task["token"])

    def check(self, what):
        took = sorted(self.took)
        middle, most = took[len(took) // 2], took[len(took) * 99 // 100]
        say(f"{what}: {len(took)} commands of others, p50 {middle:.2f}, p99 {most:.2f}, slowest {took[-1]:.2f} ms")
        assert len(took) > 100 and most <= NEARLY_ALL and took[-1] <= EACH


@pytest.mark.slow
def test_small_groups_come_soon_beside_one_of_a_million(broker):
    with broker.connect(timeout=120) as client:
        client("QUEUE.SET", "q", "FAIR", "ON")
        add(client, "large", MILLION, "GROUP", "large")
        for number in range(1_000):
            client("TASK.ADD", "q", "t", f"small-{number}", "GROUP", f"small-{number}")
        handed = tasks(client("TASK.RESERVE", 1, "q", "COUNT", 2_002, "LEASE", 600_000))
        small = {task["payload"] for task in handed} - {b"large"}
        say(f"{len(small)} small groups among the first {len(handed)} hand-outs")
        assert len(handed) == 2_002 and len(small) == 1_000


@pytest.mark.slow
def test_fair_is_switched_on_a_million_tasks_beside_others(broker):
    with broker.connect(timeout=120) as client:
        for group in ("a", "b"):
            add(client, group, MILLION // 2, "GROUP", group)
        for switch, expected in (("ON", [b"a", b"b"] * 5), ("OFF", [b"a"] * 10)):
            with Others(broker) as others:
                start = time.monotonic()
                client("QUEUE.SET", "q", "FAIR", switch)
                eventually(lambda: not info(client, "q")["lagging"], within=120, what="the end of the switch")
                took = time.monotonic() - start
            others.check(f"FAIR {switch} took {took:.1f} s")
            handed = tasks(client("TASK.RESERVE", 1, "q", "COUNT", 10, "LEASE", 600_000))
            assert sorted(task["payload"] for task in handed[:2]) == sorted(expected[:2])
            assert sorted(task["payload"] for task in handed) == sorted(expected)
            assert info(client, "q")["pending"] + info(client, "q")["active"] == MILLION


@pytest.mark.slow
def test_an_order_key_with_a_million_tasks_slows_nobody(broker):
    with broker.connect(timeout=120) as client:
        add(client, "p", MILLION, "ORDER", "deep")
        first, = tasks(client("TASK.RESERVE", 1, "q", "COUNT", 10, "LEASE", 600_000))
        with Others(broker) as others:
            for _ in range(1_000):
                client("TASK.ACK", first["id"], first["token"])
                last, (first,) = first, tasks(client("TASK.RESERVE", 1, "q", "COUNT", 10, "LEASE", 600_000))
                assert first["id"] > last["id"], "one at a time, in the order in which they were added"
        others.check("1,000 tasks of an ORDER key that a million have")


@pytest.mark.slow
@pytest.mark.parametrize("end", ["ACK", "FAIL"])
def test_the_end_of_a_task_that_a_million_wait_for_slows_nobody(broker, end):
    with broker.connect(timeout=120) as client:
        client("TASK.ADD", "first", "t", "p")
        task, = tasks(client("TASK.RESERVE", 1, "first", "LEASE", 600_000))
        add(client, "p", MILLION, "AFTER", 1, task["id"], "ONDEAD", "CANCEL")
        with Others(broker) as others:
            start = time.monotonic()
            if end == "ACK":
                client("TASK.ACK", task["id"], task["token"])
            else:
                client("TASK.FAIL", task["id"], task["token"], "no luck", "DEAD")
            eventually(lambda: info(client, "q")["blocked"] == 0, within=120, what="all being told")
            took = time.monotonic() - start
        others.check(f"{MILLION} dependents were told of {end} in {took:.1f} s")
        assert info(client, "q")["pending" if end == "ACK" else "cancelled"] == MILLION
