"""kill -9 of the broker under load, and of workers: nothing acknowledged is lost, nothing comes twice."""

import collections
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from broker import ROOT, eventually
from wire import Refusal, as_map, encode, tasks

QUEUES = ["a", "b", "c"]


class Load:
    """What clients were promised, over all lives of the broker."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.added = set()
        self.acked = set()
        self.held = collections.deque()
        self.problems = []
        self.stale_tried = 0

    def produce(self, broker, stop):
        """Adds without end, some with a delay; only what was answered counts."""
        with broker.connect() as client:
            while not stop.is_set():
                options = ["PRIORITY", self.random.randint(1, 10), "LEASE", self.random.choice([50, 400, 60000])]
                if self.random.random() < 0.2:
                    options += ["DELAY", self.random.randint(1, 80)]
                commands = [("TASK.ADD", self.random.choice(QUEUES), "t", "p", *options) for _ in range(8)]
                client.socket.sendall(b"".join(encode(*command) for command in commands))
                for _ in commands:
                    self.added.add(client.read())

    def work(self, broker, stop):
        """Takes tasks: acknowledges most, fails some, keeps some for a stale acknowledgement later."""
        with broker.connect() as client:
            while not stop.is_set():
                for task in tasks(client("TASK.RESERVE", 3, *QUEUES, "COUNT", 4, "BLOCK", 20)):
                    self.take(client, task)
                self.try_stale(client)

    def take(self, client, task):
        id, token = task["id"], task["token"]
        if id in self.acked:
            self.problems.append(f"{id} came again after its acknowledgement was confirmed")
        roll = self.random.random()
        if roll < 0.75:
            reply = client("TASK.ACK", id, token)
            if reply == "OK":
                self.acked.add(id)
            elif not (isinstance(reply, Refusal) and reply.code == "LEASELOST"):
                self.problems.append(f"ack of {id}: {reply!r}")
        elif roll < 0.85:
            client("TASK.FAIL", id, token, "no", "RETRY", 5)
        else:
            self.held.append((id, token))

    def try_stale(self, client):
        """A task that another hand-out holds, or that ended by one, takes no acknowledgement of an older token."""
        if not self.held:
            return
        id, token = self.held.popleft()
        view = as_map(client("TASK.GET", id))
        if view["token"] == token:
            self.held.append((id, token))
            return
        self.stale_tried += 1
        reply = client("TASK.ACK", id, token)
        if not (isinstance(reply, Refusal) and reply.code == "LEASELOST"):
            self.problems.append(f"stale ack of {id} with {token}: {reply!r}")

    def run(self, broker, seconds):
        """Loads the broker until it is killed in the middle of it."""
        stop = threading.Event()
        threads = [threading.Thread(target=self.until_cut, args=(work, broker, stop))
                   for work in (self.produce, self.work, self.work)]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        broker.kill()
        stop.set()
        for thread in threads:
            thread.join()

    def until_cut(self, work, broker, stop):
        try:
            work(broker, stop)
        except (OSError, ValueError):
            pass  # The broker was killed: what was not answered was not promised.
        except Exception as error:
            self.problems.append(repr(error))


def every_task(client):
    """The state of every task there is, by a scan of the reserved keys."""
    cursor, ids = b"0", []
    while True:
        cursor, page = client("SCAN", cursor, "MATCH", "@task:*", "COUNT", 1000)
        ids += [key.removeprefix(b"@task:") for key in page]
        if cursor == b"0":
            break
    views = []
    for start in range(0, len(ids), 1000):
        views += client.pipeline([("TASK.GET", id) for id in ids[start:start + 1000]])
    return {as_map(view)["id"]: as_map(view) for view in views}


def check(broker, load):
    with broker.connect() as client:
        eventually(lambda: not any(as_map(queue)["lagging"] for queue in client("QUEUE.LIST")), what="bookkeeping")
        found = every_task(client)
        lost = load.added - found.keys()
        assert not lost, f"{len(lost)} acknowledged adds are lost"
        undone = [id for id in load.acked if found[id]["state"] != b"COMPLETED"]
        assert not undone, f"{len(undone)} acknowledged tasks are not completed"
        assert not load.problems, load.problems[:5]
        states = collections.Counter((view["queue"], view["state"]) for view in found.values())
        for queue in map(as_map, client("QUEUE.LIST")):
            # Leases run out while the counting goes on: what moves between these three is counted together.
            moving = (b"PENDING", b"SCHEDULED", b"ACTIVE")
            assert queue["completed"] == states[queue["name"], b"COMPLETED"]
            assert sum(queue[name] for name in ("pending", "scheduled", "active", "dlq")) == \
                sum(states[queue["name"], state] for state in (*moving, b"DLQ"))
            assert queue["total_added"] == sum(n for (name, _), n in states.items() if name == queue["name"])


@pytest.mark.parametrize("rounds", [4, pytest.param(50, marks=pytest.mark.slow)])
def test_kill_9_under_load_loses_and_doubles_nothing(broker, rounds):
    load = Load(seed=rounds)
    for number in range(rounds):
        load.run(broker, 0.1 + load.random.random() * 0.4)
        broker.start()
        if number % 10 == 3 or number == rounds - 1:
            check(broker, load)
    assert len(load.added) > 50 * rounds and len(load.acked) > 10 * rounds and load.stale_tried > rounds
    print(f"{rounds} rounds: {len(load.added)} adds, {len(load.acked)} acks, {load.stale_tried} stale acks refused")


WORKER = """
import sys
sys.path.insert(0, sys.argv[1])
from wire import Wire, tasks
client = Wire(int(sys.argv[2]))
task = tasks(client("TASK.RESERVE", 1, "q", "BLOCK", 5000, "LEASE", 700))[0]
print(task["id"].decode(), flush=True)
sys.stdin.read()
"""


def test_a_killed_workers_task_runs_again_within_its_lease_and_a_second(broker):
    here = str(ROOT / "Tests/Conformance")
    with broker.connect() as client:
        id = client("TASK.ADD", "q", "t", "p")
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, here, str(broker.port)], stdout=subprocess.PIPE, stdin=subprocess.PIPE)
        assert worker.stdout.readline().strip() == id
        taken = time.monotonic()
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        (task,) = tasks(client("TASK.RESERVE", 1, "q", "BLOCK", 5000))
        waited = time.monotonic() - taken
        assert task["id"] == id and task["attempt"] == 2
        assert waited <= 0.7 + 1, f"{waited:.2f} s"
        view = as_map(client("TASK.GET", id))
        assert view["error_kind"] == b"lease_expired"


@pytest.mark.slow
def test_a_million_tasks_are_ready_again_quickly_after_kill_9(broker):
    with broker.connect() as client:
        batch = ("TASK.MADD", "q", "TASKS", 1000, *["t", "x" * 256] * 1000)
        for _ in range(100):
            assert all(len(ids) == 1000 for ids in client.pipeline([batch] * 10))
    broker.kill()
    started = time.monotonic()
    broker.start()
    with broker.connect() as client:
        (task,) = tasks(client("TASK.RESERVE", 1, "q"))
        taken = time.monotonic() - started
        assert task["attempt"] == 1 and as_map(client("QUEUE.INFO", "q"))["pending"] == 999_999
    print(f"start to first reply at a million tasks: {taken * 1000:.0f} ms")
    assert taken <= 1.0


def standing(client):
    """What must be the same after a crash."""
    moving = ("oldest_ms", "in_rate", "out_rate", "fail_rate", "wait_p50", "wait_p99", "run_p50", "run_p99", "workers",
              "lagging")
    queues = [as_map(queue) for queue in client("QUEUE.LIST")]
    for queue in queues:
        for field in moving:
            queue.pop(field)
    return {"queues": [queue for queue in queues if queue["name"] != b"bulk"],
            "options": [client("QUEUE.GET", queue["name"]) for queue in queues],
            "crons": client("CRON.LIST"), "breakers": client("BREAKER.LIST"), "limits": client("LIMIT.LIST"),
            "why": [as_map(client("TASK.WHY", as_map(task)["id"])) for task in client("TASK.LIST", "*", "COUNT", 50)[1]
                    if as_map(task)["queue"] != b"bulk"]}


def operations(client):
    return [as_map(operation) for operation in client("TASK.OPS")]


def test_a_killed_broker_comes_back_as_it_was(broker):
    """Crons, limits, permits, breakers, pauses, drains, parked tasks, and operations that run."""
    with broker.connect() as client:
        client("CRON.SET", "hourly", "q", "t", "p", "EVERY", 3600000)
        client("CRON.SET", "nightly", "q", "t", "p", "SPEC", "0 3 * * *", "TZ", "Europe/Berlin")
        client("CRON.PAUSE", "nightly")
        client("CRON.RUN", "hourly")
        client("LIMIT.SET", "api", "RATE", 5, "PER", 86400000)
        client("LIMIT.SET", "db", "SLOTS", 2)
        assert client("LIMIT.TAKE", "api", "COST", 2)[0] == 0
        permit = client("LIMIT.TAKE", "db", "HOLD", 3600000)[5]
        for name in "mail", "pay":
            client("BREAKER.SET", name, "FAILS", 2, "PER", 3600000, "COOL", 3600000, "PROBES", 1)
            client("BREAKER.REPORT", name, "FAIL")
        client("BREAKER.TRIP", "mail")
        for queue in "broken", "limited", "drained", "full", "paused":
            client("TASK.MADD", queue, "TASKS", 3, "t", "p", "t", "p", "t", "p")
        client("QUEUE.SET", "broken", "BREAKER", "mail")
        client("QUEUE.SET", "limited", "LIMIT", "api")
        assert len(tasks(client("TASK.RESERVE", 1, "limited", "LEASE", 3600000, "COUNT", 5))) == 3
        client("TASK.ADD", "limited", "t", "p")
        client("QUEUE.SET", "full", "MAXLEN", 3, "CONCURRENCY", 1)
        client("TASK.RESERVE", 1, "full", "LEASE", 3600000)
        client("QUEUE.DRAIN", "drained")
        client("QUEUE.PAUSE", "paused", "ALL", "FOR", 3600000)
        dead = client("TASK.ADD", "q", "t", "p", "PRIORITY", 10, "RETRIES", 0)
        client("TASK.ADD", "q", "t", "p", "AFTER", 1, dead)
        (task,) = tasks(client("TASK.RESERVE", 1, "q"))
        assert task["id"] == dead
        client("TASK.FAIL", dead, task["token"], "broke", "DEAD")
        client("TASK.MADD", "bulk", "TASKS", 300, *["t", "p"] * 300)
        client("TASK.BULK", "MOVE", "PRIORITY", 9, "WHERE", "QUEUE", "bulk", "STATE", "PENDING", "RATE", 100)
        eventually(lambda: operations(client)[0]["done"] > 20)
        before, (operation,) = standing(client), operations(client)
    broker.kill()
    broker.start()
    with broker.connect() as client:
        after, (resumed,) = standing(client), operations(client)
        assert after == before
        assert resumed["state"] == b"running" and resumed["done"] >= operation["done"]
        for field in "id", "verb", "matched", "rate", "started":
            assert resumed[field] == operation[field]
        assert client("LIMIT.GIVE", "db", permit) == 1
        assert client("TASK.RESERVE", 4, "broken", "limited", "full", "paused") is None
        assert [client("TASK.ADD", queue, "t", "p").code for queue in ("drained", "paused")] == ["DRAINING", "PAUSED"]
        assert client("TASK.ADD", "full", "t", "p") and client("TASK.ADD", "full", "t", "p").code == "QUEUEFULL"
        ended = eventually(lambda: next((one for one in operations(client) if one["state"] == b"done"), None))
        assert (ended["matched"], ended["done"], ended["failed"]) == (300, 300, 0)
        assert {as_map(task)["priority"] for task in client("TASK.LIST", "bulk", "COUNT", 1000)[1]} == {9}
