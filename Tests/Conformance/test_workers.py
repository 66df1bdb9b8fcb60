"""Workers as a whole, a task's log, and waiting for the end of tasks."""

import threading
import time

import pytest
import redis

from broker import eventually
from wire import Push, as_map, field_names, tasks

BEAT_FIELDS = ["state", "cancel", "lost"]
WORKER_FIELDS = [
    "id", "host", "pid", "state", "slots", "busy", "queues", "rss", "last_beat", "started", "completed", "failed",
    "tasks"]


@pytest.fixture(params=[2, 3])
def client(broker, request):
    with broker.connect(request.param) as client:
        yield client


def take(client, queue="q", *options):
    (task,) = tasks(client("TASK.RESERVE", 1, queue, *options))
    return task


def test_a_worker_is_known_from_hello_on(client):
    assert client("WORKER.HELLO", "w:1", "HOST", "h", "PID", 4711, "SLOTS", 8, "QUEUES", 2, "a", "b",
                  "LIB", "lib", "1.0") == "OK"
    client("TASK.ADD", "a", "t", "p")
    task = take(client, "a", "WORKER", "w:1")
    reply = client("WORKER.INFO", "w:1")
    assert field_names(reply) == WORKER_FIELDS
    worker = as_map(reply)
    assert (worker["id"], worker["host"], worker["pid"], worker["slots"]) == (b"w:1", b"h", 4711, 8)
    assert worker["state"] == b"run" and worker["queues"] == [b"a", b"b"] and worker["tasks"] == [task["id"]]
    assert worker["busy"] == 1 and worker["rss"] is None, "what it holds, until it says how many"
    assert abs(worker["last_beat"] / 1000 - time.time()) < 5
    client("TASK.ACK", task["id"], task["token"])
    client("WORKER.BEAT", "w:1", "RSS", 1 << 20, "BUSY", 3)
    (worker,) = map(as_map, client("WORKER.LIST"))
    assert (worker["started"], worker["completed"], worker["failed"]) == (1, 1, 0)
    assert (worker["busy"], worker["rss"], worker["tasks"]) == (3, 1 << 20, [])


def test_a_beat_extends_what_is_held_and_tells_what_is_lost(client):
    for _ in range(2):
        client("TASK.ADD", "q", "t", "p", "LEASE", 60000)
    held, other = take(client, "q", "LEASE", 5000, "WORKER", "w"), take(client, "q")
    reply = client("WORKER.BEAT", "w", "EXTEND", 3, held["id"], held["token"], other["id"], other["token"] + 7,
                   "01941f33-b5a5-7000-8f0a-8baf49f6c99c", 1)
    assert field_names(reply) == BEAT_FIELDS
    beat = as_map(reply)
    assert beat["state"] == b"run" and beat["cancel"] == []
    assert beat["lost"] == [other["id"], b"01941f33-b5a5-7000-8f0a-8baf49f6c99c"]
    extended = as_map(client("TASK.GET", held["id"]))["deadline"]
    # By the lease length of the hand-out, not by the task's own.
    assert held["deadline"] <= extended <= held["deadline"] + 5000
    assert client("WORKER.BEAT", "w", "EXTEND", 1, "no-id", 1).code == "NOTASK"


def test_a_lease_is_shortened_only_by_who_says_so(client):
    id = client("TASK.ADD", "q", "t", "p", "LEASE", 5000)
    token = take(client)["token"]
    long = as_map(client("TASK.TOUCH", id, token, "LEASE", 60000))["deadline"]
    assert as_map(client("TASK.TOUCH", id, token, "PROGRESS", 50))["deadline"] == long
    client("WORKER.BEAT", "w", "EXTEND", 1, id, token)
    assert as_map(client("TASK.GET", id))["deadline"] == long
    assert as_map(client("TASK.TOUCH", id, token, "LEASE", 1000))["deadline"] <= long - 50000


def test_orders_are_told_with_the_beat_and_last_until_hello(broker, client):
    for worker in ("a", "b"):
        client("WORKER.HELLO", worker)
    assert client("WORKER.QUIET", "a") == "OK"
    assert as_map(client("WORKER.BEAT", "a"))["state"] == b"quiet"
    assert as_map(client("WORKER.BEAT", "b"))["state"] == b"run"
    assert client("WORKER.STOP", "*") == "OK"
    client("WORKER.QUIET", "*")
    broker.kill()
    broker.start()
    with broker.connect() as again:
        assert [as_map(worker)["state"] for worker in again("WORKER.LIST")] == [b"stop", b"stop"]
        assert as_map(again("WORKER.BEAT", "b"))["state"] == b"stop"
        again("WORKER.HELLO", "b")
        assert as_map(again("WORKER.BEAT", "b"))["state"] == b"run"
        for command in ("WORKER.INFO", "WORKER.QUIET", "WORKER.STOP"):
            assert again(command, "nobody") == "ERR no such worker 'nobody'"


def test_a_cancelled_task_is_told_with_the_beat(client):
    id = client("TASK.ADD", "q", "t", "p")
    task = take(client, "q", "WORKER", "w")
    client("TASK.CANCEL", id)
    beat = as_map(client("WORKER.BEAT", "w", "EXTEND", 1, id, task["token"]))
    assert beat["cancel"] == [id] and beat["lost"] == []
    # A lease that need not be extended yet is told of, too.
    assert as_map(client("WORKER.BEAT", "w"))["cancel"] == [id]
    assert as_map(client("WORKER.BEAT", "other"))["cancel"] == []


def test_who_says_goodbye_is_known_no_more(broker, client):
    for worker in ("a", "b"):
        client("WORKER.HELLO", worker)
    id = client("TASK.ADD", "q", "t", "p")
    task = take(client, "q", "WORKER", "a")
    for _ in range(2):
        assert client("WORKER.BYE", "a", "REQ", "once") == "OK"
    assert client("WORKER.BYE", "a") == "ERR no such worker 'a'"
    # What it holds is its own until the lease runs out.
    assert client("TASK.ACK", id, task["token"]) == "OK"
    broker.kill()
    broker.start()
    with broker.connect() as again:
        assert [as_map(worker)["id"] for worker in again("WORKER.LIST")] == [b"b"]
        assert again("HGETALL", "@worker:a") in ([], {})
        again("WORKER.BEAT", "a")
        assert as_map(again("WORKER.INFO", "a"))["completed"] == 0


def test_a_queue_counts_who_takes_from_it(broker, client):
    def workers(queue):
        return as_map(client("QUEUE.INFO", queue))["workers"]

    for queue in ("a", "b"):
        client("TASK.ADD", queue, "t", "p")
    assert workers("a") == 0
    client("WORKER.HELLO", "w", "QUEUES", 2, "a", "b")
    client("WORKER.HELLO", "x", "QUEUES", 1, "a")
    take(client, "a", "WORKER", "w")
    assert (workers("a"), workers("b")) == (2, 1), "each once, whether it holds a task or only said so"
    take(client, "b", "WORKER", "never introduced")
    assert workers("b") == 2
    broker.kill()
    broker.start()
    with broker.connect() as again:
        assert [as_map(row)["workers"] for row in again("QUEUE.LIST")] == [2, 2]
        again("WORKER.HELLO", "x", "QUEUES", 1, "b")
        assert [as_map(row)["workers"] for row in again("QUEUE.LIST")] == [1, 3]
        again("WORKER.HELLO", "x")
        assert [as_map(row)["workers"] for row in again("QUEUE.LIST")] == [1, 2]


@pytest.mark.slow
def test_a_worker_that_missed_three_beats_is_stale_until_the_next(broker):
    with broker.connect() as client:
        client("WORKER.HELLO", "w")
        eventually(lambda: as_map(client("WORKER.INFO", "w"))["state"] == b"stale", within=33, what="stale")
        assert as_map(client("WORKER.BEAT", "w"))["state"] == b"run"
        assert as_map(client("WORKER.INFO", "w"))["state"] == b"run"


def test_log_lines_are_read_page_by_page(client):
    id = client("TASK.ADD", "q", "t", "p", "BACKOFF", "FIXED", 0)
    first = take(client)
    assert client("TASK.LOG", id, first["token"], "one", "two", b"\x00\xff") == "OK"
    assert client("TASK.LOG", id, first["token"] + 1, "x").code == "LEASELOST"
    client("TASK.FAIL", id, first["token"], "no")
    second = take(client)
    client("TASK.LOG", id, second["token"], "three")
    cursor, lines = client("TASK.LOGS", id, "COUNT", 2)
    assert field_names(lines[0]) == ["at", "attempt", "line"]
    assert [as_map(line)["line"] for line in lines] == [b"one", b"two"] and cursor != b"0"
    cursor, lines = client("TASK.LOGS", id, "COUNT", 100, "CURSOR", cursor)
    assert [(as_map(line)["attempt"], as_map(line)["line"]) for line in lines] == [(1, b"\x00\xff"), (2, b"three")]
    assert cursor == b"0"
    assert [as_map(line)["line"] for line in client("TASK.LOGS", id, "ATTEMPT", 2)[1]] == [b"three"]
    assert client("TASK.LOGS", "nothing").code == "NOTASK"


def test_lines_sent_again_with_their_nonce_are_kept_once(broker):
    with broker.connect() as client:
        id = client("TASK.ADD", "q", "t", "p")
        token = take(client)["token"]
        command = ["TASK.LOG", id, token, "REQ", "REQ", "once", "req", "nonce 1"]
        assert client(*command) == client(*command) == "OK"
        assert "other arguments" in str(client("TASK.LOG", id, token, "another", "REQ", "nonce 1"))
        assert client("TASK.LOG", id, token, "x", "REQ", "n" * 65).code == "ERR"
        client("TASK.LOG", id, token, "REQ", "a line")
        client("TASK.ACK", id, token)
    broker.kill()
    broker.start()
    with broker.connect() as client:
        assert client(*command) == "OK"
        lines = [as_map(line)["line"] for line in client("TASK.LOGS", id)[1]]
        assert lines == [b"REQ", b"REQ", b"once", b"REQ", b"a line"]


def test_a_log_keeps_its_newest_mebibyte(client):
    id = client("TASK.ADD", "q", "t", "p")
    task = take(client)
    line = "x" * 1000
    for number in range(0, 1400, 100):
        client("TASK.LOG", id, task["token"], *[f"{number + i:04} {line}" for i in range(100)])
    cursor, lines = client("TASK.LOGS", id, "COUNT", 10000)
    numbers = [int(as_map(line)["line"][:4]) for line in lines]
    assert cursor == b"0" and numbers == list(range(numbers[0], 1400))
    assert 1000 <= len(numbers) <= 1048576 / 1021
    # A page that begins before the oldest line that is left begins with it.
    assert int(as_map(client("TASK.LOGS", id, "CURSOR", 2, "COUNT", 1)[1][0])["line"][:4]) == numbers[0]
    client("TASK.ACK", id, task["token"])
    assert len(client("TASK.LOGS", id, "COUNT", 10000)[1]) == len(numbers)


def test_waiting_ends_when_all_have_ended(broker, client):
    done, dead, kept_short = (
        client("TASK.ADD", "q", "t", "p"), client("TASK.ADD", "q", "t", "p"),
        client("TASK.ADD", "q", "t", "p", "KEEP", 0))
    answer = []

    def wait():
        with broker.connect(client.protocol) as waiter:
            answer.append(waiter("TASK.WAIT", 4, done, dead, kept_short, "nothing", "BLOCK", 20000))

    thread = threading.Thread(target=wait)
    thread.start()
    result = "r" * 5000
    for id in (done, dead, kept_short):
        task = take(client)
        assert task["id"] == id and not answer
        if id == dead:
            client("TASK.FAIL", id, task["token"], "broke", "DEAD")
        else:
            eventually(lambda: b"blocked_clients:1" in client("INFO", "clients"), what="the wait")
            client("TASK.ACK", id, task["token"], "RESULT", result)
    thread.join(10)
    assert [as_map(entry) for entry in answer[0]] == [
        {"id": done, "state": b"COMPLETED", "result": result.encode(), "error": None},
        {"id": dead, "state": b"DLQ", "result": None, "error": b"broke"},
        {"id": kept_short, "state": b"COMPLETED", "result": result.encode(), "error": None},
        {"id": b"nothing", "state": None, "result": None, "error": None}]


def test_waiting_gives_up_when_block_has_passed(client):
    id = client("TASK.ADD", "q", "t", "p")
    (entry,) = client("TASK.WAIT", 1, id)
    assert as_map(entry) == {"id": id, "state": b"PENDING", "result": None, "error": None}
    started = time.monotonic()
    (entry,) = client("TASK.WAIT", 1, id, "BLOCK", 200)
    assert 0.19 <= time.monotonic() - started < 2 and as_map(entry)["state"] == b"PENDING"
    assert client("TASK.WAIT", 2, id).code == "ERR"


def test_waiting_is_kept_alive_and_told_of_a_stop(broker):
    with broker.connect() as producer, broker.connect(3) as waiter:
        id = producer("TASK.ADD", "q", "t", "p")
        waiter.send("TASK.WAIT", 1, id, "BLOCK", 0, "KEEPALIVE", 50)
        assert [waiter.read(), waiter.read()] == [[b"keepalive", 1], [b"keepalive", 2]]
        broker.process.terminate()
        while isinstance(reply := waiter.read(), Push):
            pass
        assert reply.code == "STOPPING"


def test_redis_py_waits_and_works_with_beats(broker):
    for protocol in (2, 3):
        client = redis.Redis(port=broker.port, protocol=protocol)
        client.execute_command("WORKER.HELLO", "py", "LIB", "redis-py", redis.__version__)
        id = client.execute_command("TASK.ADD", "q", "t", "p")
        (task,) = tasks(client.execute_command("TASK.RESERVE", 1, "q", "WORKER", "py"))
        beat = as_map(client.execute_command("WORKER.BEAT", "py", "EXTEND", 1, id, task["token"]))
        assert beat == {"state": b"run", "cancel": [], "lost": []}
        client.execute_command("TASK.ACK", id, task["token"], "RESULT", "r")
        (entry,) = client.execute_command("TASK.WAIT", 1, id, "BLOCK", 1000)
        assert as_map(entry)["result"] == b"r"
        client.close()


def test_what_workers_say_is_repeated_with_its_nonce(broker):
    with broker.connect() as client:
        assert client("WORKER.HELLO", "w", "SLOTS", 3, "REQ", "n1") == "OK"
        id = client("TASK.ADD", "q", "t", "p")
        (task,) = tasks(client("TASK.RESERVE", 1, "q", "WORKER", "w", "LEASE", 3600000))
        client("TASK.CANCEL", id)
        other = "0199d3a1-7c40-7000-81f3-5b0c9e2a7d41"
        beat = ("WORKER.BEAT", "w", "BUSY", 1, "EXTEND", 2, id, task["token"], other, 1, "REQ", "n2")
        first = as_map(client(*beat))
        assert (first["cancel"], first["lost"]) == ([id], [other.encode()])
        assert client("WORKER.STOP", "w", "REQ", "n3") == "OK" and client("WORKER.QUIET", "*", "REQ", "n4") == "OK"
        assert client("WORKER.STOP", "w", "REQ", "n3") == "OK"
        client("TASK.ACK", id, task["token"])
        broker.kill()
    broker.start()
    with broker.connect() as client:
        # The first answer, although there is another state now and nothing to cancel.
        assert as_map(client(*beat)) == first and as_map(client("WORKER.BEAT", "w"))["state"] == b"stop"
        assert client("WORKER.HELLO", "w", "SLOTS", 3, "REQ", "n1") == "OK"
        assert as_map(client("WORKER.INFO", "w"))["state"] == b"stop"
        assert client("WORKER.HELLO", "w", "SLOTS", 4, "REQ", "n1").code == "ERR"
        assert client("WORKER.QUIET", "w", "REQ").code == "ERR"
