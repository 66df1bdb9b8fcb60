"""Operations on very many tasks beside hand-outs: how much of the throughput they leave.

    MARTLET_BIN=… python3 -m pytest -s -m slow Tests/Conformance/test_scale_bulk.py
"""

import os
import pathlib
import statistics
import subprocess
import time

import pytest

from broker import BINARY, eventually
from test_queues import info
from wire import as_map, encode, tasks

# One measurement under one long load, with and without the operation by turns: seconds of a window, and windows of each.
SECONDS, ROUNDS = 3, 12
LEAVES = 0.90


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def bury(client, queue, count):
    """Adds tasks and lets them fail for good."""
    for _ in range(count // 50_000):
        client("TASK.MADD", queue, "TASKS", 50_000, *["t", "payload"] * 50_000)
    for buried in range(0, count, 10_000):
        held = tasks(client("TASK.RESERVE", 1, queue, "COUNT", 10_000, "LEASE", 600_000))
        client.socket.sendall(b"".join(
            encode("TASK.FAIL", task["id"], task["token"], "no luck", "KIND", "net", "DEAD") for task in held))
        for _ in held:
            client.read()
        if buried % 100_000 == 0:
            say(f"{buried} of {count} tasks are dead")
    assert info(client, queue)["dlq"] == count


def load(broker):
    """Jobs are added, handed out and acknowledged without end; kill it."""
    return subprocess.Popen(
        [BINARY, "bench", "--port", str(broker.port), "-c", "16", "-P", "16", "-n", "1000000000", "--queue", "load"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def throughput(client, broker):
    """Jobs a second over a while, and the broker's CPU time for each in microseconds."""
    def look():
        fields = pathlib.Path(f"/proc/{broker.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return time.monotonic(), info(client, "load")["total_completed"], cpu

    began, before, spent = look()
    time.sleep(SECONDS)
    ended, after, total = look()
    assert after > before, "the load generator does nothing"
    return (after - before) / (ended - began), (total - spent) / (after - before) * 1e6


def operation(client, id):
    return next(op for op in map(as_map, client("TASK.OPS")) if op["id"] == id)


def measure(client, broker, start):
    """The throughput with the operation running against that without, the median over neighbours in time."""
    generator = load(broker)
    try:
        time.sleep(2)
        ratios, costs = zip(*(compare(client, broker, start, turn) for turn in range(ROUNDS)))
    finally:
        generator.kill()
        generator.wait()
    say(f"CPU a job: median {statistics.median(costs):.3f} times as much, with that of the operation")
    say(f"median {statistics.median(ratios):.3f} of {min(ratios):.3f} to {max(ratios):.3f}")
    return statistics.median(ratios)


def compare(client, broker, start, turn):
    """How the throughput and the CPU time of a job with the operation stand to those without."""
    figures = {}
    for runs in (True, False) if turn % 2 else (False, True):
        if not runs:
            figures[runs] = throughput(client, broker)
            continue
        id = start()
        eventually(lambda: operation(client, id)["done"] > 0, within=60, what="the first slice")
        before = operation(client, id)["done"]
        figures[runs] = throughput(client, broker)
        seen = operation(client, id)
        assert seen["state"] == b"running", "it must run all the while"
        client("TASK.STOPOP", id)
    (alone, own), (beside, more) = figures[False], figures[True]
    say(f"round {turn + 1}: {alone:.0f} jobs/s alone, {beside:.0f} beside it "
        f"({(seen['done'] - before) / SECONDS:.0f} tasks/s): {beside / alone:.3f}; CPU {own:.2f} and {more:.2f} us a job")
    return beside / alone, more / own


@pytest.mark.slow
def test_a_bulk_retry_of_a_million_tasks_leaves_room_for_hand_outs(broker):
    with broker.connect(timeout=120) as client:
        bury(client, "dead", 1_000_000)
        start = lambda: client("TASK.BULK", "RETRY", "WHERE", "QUEUE", "dead", "STATE", "DLQ", "RATE", 10_000)
        assert measure(client, broker, start) >= LEAVES
        before = info(client, "dead")["dlq"]
        id = client("TASK.BULK", "RETRY", "WHERE", "QUEUE", "dead", "STATE", "DLQ")
        began = time.monotonic()
        eventually(lambda: operation(client, id)["state"] == b"done", within=60, what="the rest of it")
        say(f"without RATE, beside somebody who looks a hundred times a second: "
            f"{before / (time.monotonic() - began):.0f} tasks/s")
        seen = info(client, "dead")
        assert (seen["dlq"], seen["pending"]) == (0, 1_000_000)


@pytest.mark.slow
def test_a_replay_of_a_hundred_thousand_dead_letters_leaves_room_for_hand_outs(broker):
    with broker.connect(timeout=120) as client:
        bury(client, "dead", 100_000)
        assert measure(client, broker, lambda: client("DLQ.REPLAY", "dead", "RATE", 1_000)) >= LEAVES
