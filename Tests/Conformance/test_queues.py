"""What is said of queues as a whole: options, pauses, purges, their end; dead letters and their replay."""

import threading
import time

import pytest

from broker import eventually
from wire import as_map, tasks


def info(client, queue="q"):
    return as_map(client("QUEUE.INFO", queue))


def ack_all(client, queue="q", count=1000):
    """Takes and acknowledges everything there is; the ids, in the order of hand-out."""
    done = []
    while got := tasks(client("TASK.RESERVE", 1, queue, "COUNT", count, "LEASE", 3600000)):
        assert all(reply == "OK" for reply in client(
            "TASK.MACK", len(got), *[part for task in got for part in (task["id"], task["token"])]))
        done += [task["id"] for task in got]
    return done


def kill_tasks(client, count, queue="q", kind="net", type="t"):
    """Adds tasks and lets all of them die; their ids."""
    ids = []
    while len(ids) < count:
        size = min(1000, count - len(ids))
        ids += client("TASK.MADD", queue, "RETRIES", 0, "TASKS", size, *[type, "p"] * size)
        got = tasks(client("TASK.RESERVE", 1, queue, "COUNT", size, "LEASE", 3600000))
        replies = client.pipeline([("TASK.FAIL", t["id"], t["token"], f"no {kind}", "KIND", kind) for t in got])
        assert len(replies) == size and all(as_map(reply)["state"] == b"DLQ" for reply in replies)
    return ids


def operation(client, id):
    return next(op for op in map(as_map, client("TASK.OPS")) if op["id"] == id)


@pytest.mark.parametrize("protocol", [2, 3])
def test_options_are_told_and_outlive_a_restart(broker, protocol):
    with broker.connect(protocol) as client:
        assert client("QUEUE.GET", "q").code == "NOQUEUE"
        assert client("QUEUE.SET", "q", "RETRIES", 1, "BACKOFF", "LINEAR", 5, 50, "LEASE", 70, "TTL", 90000, "KEEPMAX", 7,
                      "RETRYSHARE", 40, "PRIORITY", 9) == "OK"
    broker.kill()
    broker.start()
    with broker.connect(protocol) as client:
        options = as_map(client("QUEUE.GET", "q"))
        assert list(options) == ["PRIORITY", "RETRIES", "BACKOFF", "JITTER", "LEASE", "TIMEOUT", "TTL", "KEEP", "KEEPMAX",
                                 "RETRYSHARE", "DLQMAX", "MAXLEN", "CONCURRENCY", "GROUPCONCURRENCY", "AGING",
                                 "LIMIT", "BREAKER", "FAIR"]
        assert options["BACKOFF"] == b"LINEAR 5 50" and options["JITTER"] == 10 and options["TIMEOUT"] is None
        assert (options["PRIORITY"], options["RETRIES"], options["LEASE"], options["KEEPMAX"]) == (9, 1, 70, 7)
        assert info(client)["retry_share"] == 40
        assert client("QUEUE.SET", "q", "RETRYSHARE", "ADAPTIVE", "KEEPMAX", "DEFAULT") == "OK"
        options = as_map(client("QUEUE.GET", "q"))
        assert options["RETRYSHARE"] == b"ADAPTIVE" and options["KEEPMAX"] == 1_000_000
        assert options["FAIR"] == b"off" and "syntax error" in client("QUEUE.SET", "q", "FAIR", 1)


def test_a_task_keeps_the_options_it_was_added_with(broker):
    with broker.connect() as client:
        before = client("TASK.ADD", "q", "t", "p")
        assert client("QUEUE.SET", "q", "RETRIES", 0, "LEASE", 70, "PRIORITY", 2) == "OK"
        after, own = client("TASK.ADD", "q", "t", "p"), client("TASK.ADD", "q", "t", "p", "RETRIES", 5)
        seen = {task["id"]: task for task in tasks(client("TASK.RESERVE", 1, "q", "COUNT", 10))}
        assert (seen[before]["retries"], seen[before]["lease_ms"], seen[before]["priority"]) == (3, 30000, 5)
        assert (seen[after]["retries"], seen[after]["lease_ms"], seen[after]["priority"]) == (0, 70, 2)
        assert seen[own]["retries"] == 5


def test_keepmax_lets_the_oldest_go(broker):
    with broker.connect() as client:
        client("QUEUE.SET", "q", "KEEPMAX", 3)
        client.pipeline([("TASK.ADD", "q", "t", "p")] * 10)
        done = ack_all(client, count=1)
        states = [client("TASK.GET", id) for id in done]
        assert [getattr(state, "code", "kept") for state in states] == ["NOTASK"] * 7 + ["kept"] * 3
        assert info(client)["completed"] == 3 and info(client)["total_completed"] == 10


def test_a_pause_holds_from_the_next_hand_out_on_and_over_a_crash(broker):
    with broker.connect() as client:
        client.pipeline([("TASK.ADD", "q", "t", "p")] * 3)
        assert len(tasks(client("TASK.RESERVE", 1, "q"))) == 1
        assert client("QUEUE.PAUSE", "q") == "OK" and info(client)["paused"] == 1
        assert client("TASK.RESERVE", 1, "q") is None
        client("TASK.ADD", "q", "t", "p")
    broker.kill()
    broker.start()
    with broker.connect() as client, broker.connect() as worker:
        assert info(client)["paused"] == 1 and client("TASK.RESERVE", 1, "q", "BLOCK", 50) is None
        worker.send("TASK.RESERVE", 1, "q", "BLOCK", 0)
        assert client("QUEUE.RESUME", "q") == "OK" and info(client)["paused"] == 0
        assert len(tasks(worker.read())) == 1
        assert client("QUEUE.PAUSE", "q", "ALL") == "OK"
        assert client("TASK.ADD", "q", "t", "p").code == "PAUSED" and client("TASK.RESERVE", 1, "q") is None
        assert client("QUEUE.RESUME", "q") == "OK" and client("TASK.ADD", "q", "t", "p")
        assert client("QUEUE.RESUME", "nobody").code == "NOQUEUE"


def test_a_pause_ends_by_itself_and_wakes_who_waits(broker):
    with broker.connect() as client:
        assert client("QUEUE.PAUSE", "q", "FOR", 200) == "OK"
        started = time.monotonic()
        client("TASK.ADD", "q", "t", "p")
        assert len(tasks(client("TASK.RESERVE", 1, "q", "BLOCK", 5000))) == 1
        assert 0.15 < time.monotonic() - started < 2


def test_purge_removes_one_state_and_frees_unique_keys(broker):
    with broker.connect() as client, broker.connect() as other:
        first = client("TASK.ADD", "q", "t", "p", "UNIQUE", "k")
        client("TASK.ADD", "q", "t", "p", "DELAY", 60000)
        size = 4000
        client("TASK.MADD", "q", "TASKS", size, *["t", "p"] * size)
        # Many are purged in slices: others are served meanwhile, the answer counts all.
        client.send("QUEUE.PURGE", "q", "STATE", "PENDING")
        assert other("PING") == "PONG"
        assert client.read() == size + 1
        assert (info(client)["pending"], info(client)["scheduled"]) == (0, 1)
        assert client("TASK.ADD", "q", "t", "p", "UNIQUE", "k") != first
        assert client("QUEUE.PURGE", "q", "STATE", "SCHEDULED") == 1
        assert client("QUEUE.PURGE", "q", "STATE", "ACTIVE").code == "BADSTATE"
        assert "no such state" in client("QUEUE.PURGE", "q", "STATE", "ASLEEP")
        assert client("QUEUE.PURGE", "nobody", "STATE", "DLQ").code == "NOQUEUE"


def test_a_deleted_queue_is_gone_with_all_its_tasks(broker):
    with broker.connect() as client:
        client("TASK.MADD", "q", "TASKS", 3000, *["t", "p"] * 3000)
        held = tasks(client("TASK.RESERVE", 1, "q"))[0]
        dead = tasks(client("TASK.RESERVE", 1, "q"))[0]
        client("TASK.FAIL", dead["id"], dead["token"], "no", "DEAD")
        assert client("QUEUE.DEL", "q").code == "BADSTATE"
        assert client("TASK.ACK", held["id"], held["token"]) == "OK"
        assert client("QUEUE.DEL", "q") == "OK"
        assert client("QUEUE.LIST") == [] and client("QUEUE.INFO", "q").code == "NOQUEUE"
        assert client("TASK.GET", dead["id"]).code == "NOTASK" and client("TASK.RETRY", dead["id"]).code == "NOTASK"
        again = client("TASK.ADD", "q", "t", "p")
        assert info(client)["total_added"] == 1 and ack_all(client) == [again]


def test_retry_gives_one_more_attempt_or_all_of_them(broker):
    with broker.connect() as client:
        [id] = kill_tasks(client, 1)
        assert client("TASK.RETRY", id) == b"PENDING"
        assert client("TASK.RETRY", id).code == "BADSTATE"
        task = tasks(client("TASK.RESERVE", 1, "q"))[0]
        assert (task["attempt"], task["retries"], task["last_error"]) == (2, 1, b"no net")
        assert client("TASK.RETRY", id).code == "BADSTATE"
        assert as_map(client("TASK.FAIL", id, task["token"], "no"))["state"] == b"DLQ"
        assert client("TASK.RETRY", id, "RESET", "REQ", "n1") == b"PENDING"
        assert client("TASK.RETRY", id, "RESET", "REQ", "n1") == b"PENDING"
        task = tasks(client("TASK.RESERVE", 1, "q"))[0]
        assert task["attempt"] == 1
        client("TASK.ACK", id, task["token"], "RESULT", "r")
        assert client("TASK.RETRY", id) == b"PENDING" and client("TASK.RESULT", id).code == "BADSTATE"
        late = client("TASK.ADD", "q", "t", "p", "DELAY", 60000)
        assert client("TASK.RETRY", late) == b"PENDING"
        assert {task["id"] for task in tasks(client("TASK.RESERVE", 1, "q", "COUNT", 5))} == {id, late}
        reasons = [as_map(move)["reason"] for move in as_map(client("TASK.GET", id, "HISTORY"))["history"]]
        assert reasons.count(b"retry") == 3 and reasons.count(b"ack") == 1


def test_retry_takes_its_unique_key_again(broker):
    with broker.connect() as client:
        first = client("TASK.ADD", "q", "t", "p", "RETRIES", 0, "UNIQUE", "k")
        task = tasks(client("TASK.RESERVE", 1, "q"))[0]
        client("TASK.FAIL", first, task["token"], "no")
        second = client("TASK.ADD", "q", "t", "p", "UNIQUE", "k")
        assert first != second and client("TASK.RETRY", first) == f"DUPLICATE {second.decode()}"
        replay = client("DLQ.REPLAY", "q")
        done = eventually(lambda: (op := operation(client, replay))["state"] == b"done" and op)
        assert (done["matched"], done["done"], done["failed"]) == (1, 0, 1)
        assert client("TASK.DEL", second) == 1 and client("TASK.RETRY", first) == b"PENDING"
        assert client("TASK.ADD", "q", "t", "p", "UNIQUE", "k") == first


@pytest.mark.parametrize("protocol", [2, 3])
def test_dead_letters_are_listed_by_kind_and_replayed_by_filter(broker, protocol):
    with broker.connect(protocol) as client:
        net = kill_tasks(client, 5)
        disk = kill_tasks(client, 3, kind="disk", type="u")
        cursor, kinds = client("DLQ.LIST", "q", "BY", "KIND")
        kinds = {kind["kind"]: kind for kind in map(as_map, kinds)}
        assert cursor == b"0" and {kind: kinds[kind]["count"] for kind in kinds} == {b"net": 5, b"disk": 3}
        assert kinds[b"disk"]["message"] == b"no disk" and kinds[b"disk"]["newest_at"] >= kinds[b"net"]["newest_at"]
        cursor, page = client("DLQ.LIST", "q", "BY", "KIND", "COUNT", 1)
        rest = client("DLQ.LIST", "q", "BY", "KIND", "CURSOR", cursor)
        assert cursor != b"0" and len(page) == len(rest[1]) == 1 and rest[0] == b"0"
        cursor, page = client("DLQ.LIST", "q", "COUNT", 6)
        rest = client("DLQ.LIST", "q", "CURSOR", cursor)
        assert [as_map(task)["id"] for task in page + rest[1]] == net + disk and rest[0] == b"0"
        assert client("DLQ.LIST", "nobody") == [b"0", []] == client("DLQ.LIST", "nobody", "BY", "KIND")
        for filters, count in [((), 8), (("KIND", "net"), 5), (("TYPE", "u"), 3), (("TYPE", "u", "KIND", "net"), 0),
                               (("MAX", 2), 2), (("KIND", "none"), 0)]:
            assert client("DLQ.REPLAY", "q", *filters, "DRYRUN") == count
        assert info(client)["dlq"] == 8
        replay = client("DLQ.REPLAY", "q", "KIND", "net", "MAX", 4, "REQ", "once")
        assert client("DLQ.REPLAY", "q", "KIND", "net", "MAX", 4, "REQ", "once") == replay
        done = eventually(lambda: (op := operation(client, replay))["state"] == b"done" and op)
        assert (done["verb"], done["matched"], done["done"], done["failed"], done["rate"]) == (b"REPLAY", 4, 4, 0, None)
        assert done["ended"] >= done["started"]
        assert ack_all(client) == net[:4] and info(client)["dlq"] == 4
        assert client("DLQ.PURGE", "q", "KIND", "disk") == 3 and client("DLQ.PURGE", "q") == 1
        assert client("DLQ.LIST", "q", "BY", "KIND") == [b"0", []]


def test_a_replay_keeps_its_rate_and_stops_when_told(broker):
    with broker.connect() as client:
        kill_tasks(client, 1000)
        replay = client("DLQ.REPLAY", "q", "RATE", 200)
        started = time.monotonic()
        done = eventually(lambda: (op := operation(client, replay))["done"] >= 150 and op["done"])
        elapsed = time.monotonic() - started
        assert done <= 200 * (elapsed + 0.2) + 1 and elapsed < 5
        assert operation(client, replay)["rate"] == 200
        assert client("TASK.STOPOP", replay) == "OK"
        stopped = operation(client, replay)
        assert stopped["state"] == b"stopped" and stopped["matched"] == 1000 and stopped["done"] < 1000
        assert info(client)["dlq"] == 1000 - stopped["done"] and info(client)["pending"] == stopped["done"]
        assert client("TASK.STOPOP", replay).code == "BADSTATE" and client("TASK.STOPOP", "op-99").code == "ERR"


@pytest.mark.parametrize("count, rate", [(4_000, 2_000), pytest.param(100_000, 5_000, marks=pytest.mark.slow)])
def test_a_replay_survives_a_crash_and_replays_each_task_once(broker, count, rate):
    with broker.connect() as client:
        dead = kill_tasks(client, count)
        replay = client("DLQ.REPLAY", "q", "RATE", rate)
    taken, progress, stop, lock = [], [], threading.Event(), threading.Lock()

    def work():
        """A worker that lives through the crash; a hand-out whose reply was lost is found by its REQ."""
        mine, number = [], 0
        while not stop.is_set():
            try:
                with broker.connect() as client:
                    while not stop.is_set():
                        nonce = f"{threading.get_ident()}-{number}"
                        got = tasks(client("TASK.RESERVE", 1, "q", "COUNT", 50, "LEASE", 3600000, "BLOCK", 100, "REQ", nonce))
                        if got:
                            mine += [(task["id"], task["token"], task["attempt"]) for task in got]
                            client("TASK.MACK", len(got), *[part for t in got for part in (t["id"], t["token"])])
                        number += 1
            except (ConnectionError, OSError):
                time.sleep(0.05)
        with lock:
            taken.extend(mine)

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()

    def reached(share):
        with broker.connect() as client:
            progress.append(operation(client, replay)["done"])
        return progress[-1] >= count * share

    eventually(lambda: reached(0.3), within=120, what="a third")
    broker.kill()
    broker.start()
    with broker.connect() as client:
        after = operation(client, replay)
        assert after["state"] == b"running" and after["matched"] == count
    eventually(lambda: reached(0.5), within=120, what="half")
    eventually(lambda: reached(1), within=180, what="all")
    with broker.connect() as client:
        eventually(lambda: info(client)["pending"] + info(client)["active"] == 0, within=120, what="the end of all")
        stop.set()
        for worker in workers:
            worker.join()
        done = operation(client, replay)
        assert (done["state"], done["matched"], done["done"], done["failed"]) == (b"done", count, count, 0)
        assert info(client)["dlq"] == 0 and info(client)["total_completed"] == count
        assert client("DLQ.LIST", "q", "BY", "KIND") == [b"0", []]
    assert progress == sorted(progress) and any(0 < step < count for step in progress)
    attempts = {(id, token) for id, token, _ in taken}
    assert {id for id, _ in attempts} == set(dead) and len(attempts) == count
    assert all(attempt == 1 for _, _, attempt in taken)
