"""TASK.WHY: every reason a task may have for not running, told by name."""

import time

import pytest

from wire import as_map, tasks


def why(client, id):
    return as_map(client("TASK.WHY", id))


@pytest.mark.parametrize("protocol", [2, 3])
def test_every_reason_is_named_with_what_would_change_it(broker, protocol):
    with broker.connect(protocol) as client:
        first, second = client("TASK.ADD", "q", "t", "p"), client("TASK.ADD", "q", "t", "p")
        seen = why(client, first)
        assert list(seen) == ["state", "reason", "until", "detail"]
        assert (seen["state"], seen["reason"], seen["until"]) == (b"PENDING", b"no_worker", None)
        assert b"TASK.RESERVE" in seen["detail"]
        seen = why(client, second)
        assert seen["reason"] == b"behind" and first in seen["detail"]
        client("QUEUE.PAUSE", "q", "OUT", "FOR", 60000)
        seen = why(client, first)
        assert seen["reason"] == b"paused" and b"QUEUE.RESUME q" in seen["detail"]
        assert 0 < seen["until"] - time.time() * 1000 <= 60500
        client("QUEUE.PAUSE", "q")
        assert why(client, first)["until"] is None
        client("QUEUE.RESUME", "q")
        held = tasks(client("TASK.RESERVE", 1, "q", "WORKER", "w1"))[0]
        seen = why(client, first)
        assert (seen["state"], seen["reason"], seen["until"]) == (b"ACTIVE", b"running", held["deadline"])
        assert b"w1" in seen["detail"] and why(client, second)["reason"] == b"no_worker"
        run_at = as_map(client("TASK.FAIL", first, held["token"], "broke", "RETRY", 60000))["run_at"]
        seen = why(client, first)
        assert (seen["state"], seen["reason"], seen["until"]) == (b"SCHEDULED", b"backoff", run_at)
        assert b"TASK.RETRY" in seen["detail"]
        later = client("TASK.ADD", "q", "t", "p", "DELAY", 60000)
        assert why(client, later)["reason"] == b"scheduled"
        client("TASK.CANCEL", later)
        seen = why(client, later)
        assert (seen["state"], seen["reason"]) == (b"CANCELLED", b"ended") and seen["until"] > time.time() * 1000
        assert client("TASK.WHY", "nobody").code == "NOTASK"
        assert client("TASK.WHY", "0199d3a1-7c40-7000-81f3-5b0c9e2a7d41").code == "NOTASK"


def scheduled(client):
    return ("DELAY", 3600000), {b"scheduled"}


def plain(client):
    return (), {b"behind", b"no_worker"}


def fair(client):
    client("QUEUE.SET", "q", "FAIR", "ON")
    return ("GROUP", "large"), {b"behind", b"no_worker"}


def full_group(client):
    client("QUEUE.SET", "q", "GROUPCONCURRENCY", 1)
    client("TASK.ADD", "q", "t", "p", "GROUP", "full")
    assert len(tasks(client("TASK.RESERVE", 1, "q", "LEASE", 3600000))) == 1
    return ("GROUP", "full"), {b"group_concurrency"}


def deep_key(client):
    return ("ORDER", "deep"), {b"order", b"no_worker"}


def dependents(client):
    return ("AFTER", 1, client("TASK.ADD", "first", "t", "p")), {b"after"}


def limited(client):
    client("LIMIT.SET", "api", "RATE", 1, "PER", 3600000)
    assert client("LIMIT.TAKE", "api")[0] == 0
    return ("LIMIT", "api"), {b"limit", b"behind"}


@pytest.mark.slow
@pytest.mark.parametrize("way", [plain, scheduled, fair, full_group, deep_key, dependents, limited])
def test_it_answers_within_a_millisecond_among_a_million_tasks(broker, way):
    with broker.connect(timeout=120) as client:
        options, reasons = way(client)
        ids = []
        for _ in range(20):
            ids += client("TASK.MADD", "q", *options, "TASKS", 50_000, *["t", "p"] * 50_000)
        took, seen = [], set()
        for id in ids[::500]:
            started = time.perf_counter()
            seen.add(why(client, id)["reason"])
            took.append(time.perf_counter() - started)
        took.sort()
        print(f"{way.__name__}: p50 {took[len(took) // 2] * 1000:.3f} ms, p99 {took[len(took) * 99 // 100] * 1000:.3f} ms")
        assert seen and seen <= reasons
        assert took[len(took) * 99 // 100] < 0.001
