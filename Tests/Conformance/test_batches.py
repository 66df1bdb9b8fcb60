"""BATCH.*: tasks that are one undertaking."""

import pytest
import redis

from broker import eventually
from test_queues import info
from test_workflows import get, state, take
from wire import Refusal, as_map, tasks


def batch(client, id):
    return as_map(client("BATCH.INFO", id))


def counts(client, id):
    seen = batch(client, id)
    return tuple(seen[name] for name in ("total", "pending", "completed", "failed"))


def finish(client, queue="q"):
    task = take(client, queue)
    assert client("TASK.ACK", task["id"], task["token"]) == "OK"
    return task["id"]


def lose(client, queue="q"):
    task = take(client, queue)
    client("TASK.FAIL", task["id"], task["token"], "broke", "DEAD")
    return task["id"]


def waiting(client, queue):
    return [task["payload"] for task in tasks(client("TASK.RESERVE", 1, queue, "COUNT", 100, "LEASE", 1000)) or []]


@pytest.mark.parametrize("protocol", [2, 3])
def test_what_follows_is_added_when_the_last_task_of_a_sealed_batch_has_ended(broker, protocol):
    with broker.connect(protocol) as client, broker.connect(protocol) as worker:
        id = client("BATCH.NEW", "ON", "SUCCESS", "s", "t", "good", "ON", "COMPLETE", "c", "t", "over",
                    "ON", "SUCCESS", "s", "t", "also")
        assert len(id) == 36
        client("TASK.ADD", "q", "t", "1", "BATCH", id)
        assert len(client("TASK.MADD", "q", "BATCH", id, "TASKS", 2, "t", "2", "t", "3")) == 2
        client("TASK.ADD", "q", "t", "of no batch")
        assert list(batch(client, id)) == ["id", "total", "pending", "completed", "failed", "sealed", "state"]
        assert batch(client, id) == {"id": id, "total": 3, "pending": 3, "completed": 0, "failed": 0,
                                     "sealed": 0, "state": b"open"}
        for _ in range(2):
            finish(client)
        assert counts(client, id) == (3, 1, 2, 0) and waiting(client, "c") == []
        assert client("BATCH.SEAL", id) == "OK" and batch(client, id)["state"] == b"running"
        worker.send("TASK.RESERVE", 1, "c", "BLOCK", 0)
        finish(client)
        # In the transaction of the last acknowledgement: whoever waits for it is woken by that.
        assert tasks(worker.read())[0]["payload"] == b"over"
        assert waiting(client, "s") == [b"good", b"also"]
        assert counts(client, id) == (3, 0, 3, 0)
        assert batch(client, id)["state"] == b"succeeded" and batch(client, id)["sealed"] == 1


def test_a_batch_is_not_over_before_it_is_sealed_and_then_takes_no_more(broker):
    with broker.connect() as client:
        id = client("BATCH.NEW", "ON", "SUCCESS", "s", "t", "p")
        client("TASK.ADD", "q", "t", "1", "BATCH", id)
        finish(client)
        assert batch(client, id)["state"] == b"open" and waiting(client, "s") == []
        assert client("BATCH.SEAL", id) == "OK" and waiting(client, "s") == [b"p"]
        assert client("BATCH.SEAL", id) == "OK" and waiting(client, "s") == []
        refused = client("TASK.ADD", "q", "t", "2", "BATCH", id)
        assert refused.code == "BADSTATE" and "sealed" in str(refused)
        assert client("TASK.MADD", "q", "BATCH", id, "TASKS", 1, "t", "p").code == "BADSTATE"
        # A batch without tasks is over when it is sealed.
        empty = client("BATCH.NEW", "ON", "SUCCESS", "s", "t", "none", "ON", "COMPLETE", "s", "t", "none either")
        assert client("BATCH.SEAL", empty) == "OK" and waiting(client, "s") == [b"none", b"none either"]
        assert batch(client, empty)["state"] == b"succeeded"


def test_every_way_to_end_counts_once(broker):
    with broker.connect() as client:
        id = client("BATCH.NEW", "ON", "COMPLETE", "c", "t", "over", "ON", "SUCCESS", "s", "t", "good")
        ids = [client("TASK.ADD", "q", "t", str(number), "BATCH", id, "KEEP", number % 2 * 1000) for number in range(3)]
        ids.append(client("TASK.ADD", "r", "t", "p", "BATCH", id, "TTL", 1))
        ids.append(client("TASK.ADD", "r", "t", "p", "BATCH", id, "AFTER", 1, ids[0], "ONDEAD", "CANCEL"))
        ids.append(client("TASK.ADD", "u", "t", "p", "BATCH", id, "UNIQUE", "k"))
        again = client("TASK.ADD", "u", "t", "p", "BATCH", id, "UNIQUE", "k")
        assert again == ids[-1] and counts(client, id)[0] == 6
        eventually(lambda: counts(client, id) == (6, 5, 0, 1), what="the time to live")
        assert client("TASK.CANCEL", ids[1]) == b"CANCELLED"
        assert counts(client, id) == (6, 4, 0, 2)
        task = take(client)
        assert task["id"] == ids[0]
        # A retry is no end.
        client("TASK.FAIL", task["id"], task["token"], "broke", "RETRY", 0)
        assert counts(client, id) == (6, 4, 0, 2)
        assert lose(client) == ids[2]
        assert client("BATCH.SEAL", id) == "OK"
        client("TASK.ADD", "u", "t", "p", "UNIQUE", "k", "ON", "REPLACE")
        assert counts(client, id) == (6, 2, 0, 4)
        client("TASK.DEL", ids[4])
        assert waiting(client, "c") == [] and counts(client, id) == (6, 1, 0, 5)
        assert finish(client) == ids[0]
        assert counts(client, id) == (6, 0, 1, 5) and batch(client, id)["state"] == b"failed"
        assert waiting(client, "c") == [b"over"] and waiting(client, "s") == []


def test_a_retried_task_counts_again_and_may_bring_success(broker):
    with broker.connect() as client:
        id = client("BATCH.NEW", "ON", "SUCCESS", "s", "t", "good", "ON", "COMPLETE", "c", "t", "over")
        for number in range(2):
            client("TASK.ADD", "q", "t", str(number), "BATCH", id)
        client("BATCH.SEAL", id)
        lose(client), finish(client)
        assert batch(client, id)["state"] == b"failed" and waiting(client, "c") == [b"over"]
        client("DLQ.REPLAY", "q")
        eventually(lambda: counts(client, id) == (2, 1, 1, 0), what="the replay")
        assert batch(client, id)["state"] == b"running" and waiting(client, "s") == []
        finish(client)
        assert batch(client, id)["state"] == b"succeeded"
        assert waiting(client, "s") == [b"good"] and waiting(client, "c") == []


def test_cancel_reaches_all_tasks_and_complete_still_follows(broker):
    with broker.connect() as client:
        id = client("BATCH.NEW", "ON", "SUCCESS", "s", "t", "good", "ON", "COMPLETE", "c", "t", "over")
        client("TASK.MADD", "q", "BATCH", id, "TASKS", 1000, *["t", "p"] * 1000)
        other = client("TASK.ADD", "q", "t", "of no batch")
        held, done = take(client), take(client)
        client("TASK.ACK", done["id"], done["token"])
        assert client("BATCH.CANCEL", id) == "OK" and client("BATCH.CANCEL", id) == "OK"
        assert batch(client, id)["state"] == b"cancelled" and batch(client, id)["sealed"] == 1
        eventually(lambda: counts(client, id) == (1000, 1, 1, 998), what="the cancellation")
        assert info(client)["pending"] == 1 and state(client, other) == b"PENDING"
        assert waiting(client, "c") == [] and get(client, held["id"])["cancel"] == 1
        # A task in hand may still complete.
        assert client("TASK.ACK", held["id"], held["token"]) == "OK"
        assert counts(client, id) == (1000, 0, 2, 998)
        assert waiting(client, "c") == [b"over"] and waiting(client, "s") == []
        assert client("BATCH.CANCEL", id).code == "BADSTATE"
        # One without tasks is over at once.
        empty = client("BATCH.NEW", "ON", "SUCCESS", "s", "t", "good", "ON", "COMPLETE", "c", "t", "over")
        assert client("BATCH.CANCEL", empty) == "OK" and waiting(client, "c") == [b"over"]
        assert waiting(client, "s") == [] and client("BATCH.SEAL", empty) == "OK"


def test_children_join_the_batch_of_their_parent(broker):
    with broker.connect() as client:
        id = client("BATCH.NEW", "ON", "SUCCESS", "s", "t", "good")
        client("TASK.ADD", "q", "t", "parent", "BATCH", id)
        task = take(client)
        child = ("ADD", 5, "q", "t", "child", "BATCH", id)
        assert client("TASK.ACK", task["id"], task["token"], *child, *child) == "OK"
        assert counts(client, id) == (3, 2, 1, 0)
        client("BATCH.SEAL", id)
        task = take(client)
        assert client("TASK.ACK", task["id"], task["token"], *child).code == "BADSTATE"
        assert counts(client, id) == (3, 2, 1, 0)
        client("TASK.ACK", task["id"], task["token"])
        finish(client)
        assert waiting(client, "s") == [b"good"]


def test_what_follows_comes_even_where_nothing_is_taken(broker):
    with broker.connect() as client:
        for queue in ("paused", "full", "drained"):
            client("TASK.ADD", queue, "t", "first")
        client("QUEUE.PAUSE", "paused", "IN"), client("QUEUE.SET", "full", "MAXLEN", 1), client("QUEUE.DRAIN", "drained")
        id = client("BATCH.NEW", *(word for queue in ("paused", "full", "drained")
                                   for word in ("ON", "COMPLETE", queue, "t", "over")))
        client("BATCH.SEAL", id)
        for queue in ("paused", "full", "drained"):
            assert waiting(client, queue) == [b"first", b"over"]


def test_what_a_command_says_that_cannot_be(broker):
    with broker.connect() as client:
        task = client("TASK.ADD", "q", "t", "p")
        for wrong in ("x", task, "0" * 36):
            for command in (("BATCH.INFO", wrong), ("BATCH.SEAL", wrong), ("BATCH.CANCEL", wrong),
                            ("TASK.ADD", "q", "t", "p", "BATCH", wrong)):
                refused = client(*command)
                named = wrong if isinstance(wrong, str) else wrong.decode()
                assert (refused.code, refused) == ("ERR", f"ERR no such batch '{named}'"), command
        for command in (("BATCH.NEW", "ON"), ("BATCH.NEW", "ON", "FAILURE", "q", "t", "p"), ("BATCH.NEW", "x"),
                        ("BATCH.NEW", *("ON", "SUCCESS", "q", "t", "p") * 11), ("BATCH.SEAL",),
                        ("TASK.ADD", "q", "t", "p", "BATCH", "x", "BATCH", "y")):
            assert isinstance(client(*command), Refusal), command
        assert client("BATCH.NEW", "ON", "SUCCESS", "q", "t", b"x" * (8 * 1024 * 1024 + 1)).code == "TOOBIG"
        assert isinstance(client("BATCH.NEW", *("ON", "SUCCESS", "q", "t", "p") * 10), bytes)
        assert info(client)["pending"] == 1


def test_a_repeated_command_is_done_once(broker):
    with broker.connect() as client:
        id = client("BATCH.NEW", "ON", "COMPLETE", "c", "t", "over", "REQ", "n1")
        assert client("BATCH.NEW", "ON", "COMPLETE", "c", "t", "over", "REQ", "n1") == id
        assert client("BATCH.NEW", "ON", "SUCCESS", "c", "t", "over", "REQ", "n1").code == "ERR"
        client("TASK.ADD", "q", "t", "p", "BATCH", id)
        for _ in range(2):
            assert client("BATCH.CANCEL", id, "REQ", "n2") == "OK"
        assert waiting(client, "c") == [b"over"]


def test_a_killed_broker_comes_back_with_its_batches(broker):
    """redis-py over crashes: half way through the batch, right behind CANCEL, and right before its end."""
    client = redis.Redis(port=broker.port, protocol=3)
    id = client.execute_command("BATCH.NEW", "ON", "SUCCESS", "s", "t", "good", "ON", "COMPLETE", "c", "t", "x" * 100_000)
    large = client.execute_command("BATCH.NEW", "ON", "COMPLETE", "c", "t", "cancelled")
    for number in range(10):
        client.execute_command("TASK.ADD", "q", "t", number, "BATCH", id)
    for _ in range(20):
        client.execute_command("TASK.MADD", "large", "BATCH", large, "TASKS", 1000, *["t", "p"] * 1000)
    for _ in range(5):
        task, = client.execute_command("TASK.RESERVE", 1, "q", "LEASE", 3600000)
        client.execute_command("TASK.ACK", task[b"id"], task[b"token"])
    held, = client.execute_command("TASK.RESERVE", 1, "q", "LEASE", 3600000)
    client.execute_command("BATCH.SEAL", id)
    client.execute_command("BATCH.CANCEL", large)
    broker.kill()
    broker.start()
    client = redis.Redis(port=broker.port, protocol=3)
    seen = client.execute_command("BATCH.INFO", id)
    assert (seen[b"total"], seen[b"pending"], seen[b"completed"], seen[b"state"]) == (10, 5, 5, b"running")
    with pytest.raises(redis.ResponseError, match="sealed"):
        client.execute_command("TASK.ADD", "q", "t", "p", "BATCH", id)
    ended = lambda: client.execute_command("BATCH.INFO", large)[b"pending"] == 0
    eventually(ended, what="the rest of the cancellation")
    assert client.execute_command("QUEUE.INFO", "large")[b"cancelled"] == 20_000
    client.execute_command("TASK.ACK", held[b"id"], held[b"token"])
    for _ in range(4):
        task, = client.execute_command("TASK.RESERVE", 1, "q", "LEASE", 3600000)
        client.execute_command("TASK.ACK", task[b"id"], task[b"token"])
    broker.kill()
    broker.start()
    client = redis.Redis(port=broker.port, protocol=3)
    assert client.execute_command("BATCH.INFO", id)[b"state"] == b"succeeded"
    assert len(client.execute_command("TASK.RESERVE", 1, "s", "COUNT", 10)) == 1
    follower, other = sorted(client.execute_command("TASK.RESERVE", 1, "c", "COUNT", 10), key=lambda t: -len(t[b"payload"]))
    assert (len(follower[b"payload"]), other[b"payload"]) == (100_000, b"cancelled")
