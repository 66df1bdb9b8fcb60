"""Every command in RESP2 and RESP3: the fields of the contract, in its order, with the same content."""

import itertools
import re

import pytest

from wire import as_map, field_names, tasks

UUID7 = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
HAND_OUT = (
    "id queue type payload priority attempt retries token lease_ms deadline enqueued_at run_at meta tags last_error"
).split()
TASK = (
    "id queue type state priority attempt retries retries_left token worker enqueued_at run_at started_at deadline "
    "ended_at last_error error_kind progress note cancel unique group order tags meta keep_until result_size "
    "payload_size"
).split()
MOVE = "at from to attempt reason kind message trace worker".split()
QUEUE = (
    "name pending scheduled active blocked dlq completed cancelled expired total_added total_completed total_failed "
    "oldest_ms in_rate out_rate fail_rate wait_p50 wait_p99 run_p50 run_p99 paused draining retry_share workers lagging"
).split()


def same(two, three):
    """The content of both protocols, in one form."""

    def plain(value):
        if isinstance(value, dict):
            return [item for pair in value.items() for item in map(plain, pair)]
        if isinstance(value, list):
            return [plain(item) for item in value]
        if isinstance(value, float):
            return b"%g" % value
        return int(value) if isinstance(value, bool) else value

    return plain(two) == plain(three)


@pytest.fixture
def both(broker):
    with broker.connect(2) as two, broker.connect(3) as three:
        yield two, three


def test_add_gives_an_id_and_with_full_a_map(both):
    seen = []
    for client in both:
        id = client("TASK.ADD", "q", "t", "p")
        assert UUID7.match(id)
        full = client("TASK.ADD", "q", "t", "p", "DELAY", 60000, "FULL")
        assert field_names(full) == ["id", "state", "created", "run_at"]
        assert as_map(full)["state"] == b"SCHEDULED" and as_map(full)["created"] == 1
        seen += [id, as_map(full)["id"]]
    assert seen == sorted(seen) and len(set(seen)) == 4


def test_madd_gives_the_ids_in_order(both):
    for client in both:
        ids = client("TASK.MADD", "q", "PRIORITY", 7, "TASKS", 3, "t", "1", "t", "2", "t", "3")
        assert len(ids) == 3 and ids == sorted(ids) and all(UUID7.match(id) for id in ids)
        assert as_map(client("TASK.GET", ids[2], "PAYLOAD"))["payload"] == b"3"


def test_reserve_gives_its_fifteen_fields_and_nothing_is_the_null_array(both):
    for client in both:
        client.send("TASK.RESERVE", 1, "none")
        assert client.stream.readline() == (b"*-1\r\n" if client.protocol == 2 else b"_\r\n")
        client("TASK.ADD", "q", "t", b"\x00\r\n\xff", "PRIORITY", 9)
        reply = client("TASK.RESERVE", 1, "q", "WORKER", "w", "LEASE", 5000)
        assert len(reply) == 1 and field_names(reply[0]) == HAND_OUT
        task = as_map(reply[0])
        assert task["payload"] == b"\x00\r\n\xff" and task["priority"] == 9 and task["attempt"] == 1
        assert task["lease_ms"] == 5000 and task["last_error"] is None and task["retries"] == 3
        assert task["meta"] == ([] if client.protocol == 2 else {}) and task["tags"] == []
        assert client("TASK.ACK", task["id"], task["token"]) == "OK"


def test_get_tells_the_same_in_both_protocols(both):
    two, three = both
    id = two("TASK.ADD", "q", "t", "hello", "RETRIES", 1, "BACKOFF", "FIXED", 0)
    (task,) = tasks(two("TASK.RESERVE", 1, "q", "WORKER", "w1"))
    two("TASK.TOUCH", id, task["token"], "PROGRESS", 40, "NOTE", "well")
    for options in [(), ("PAYLOAD",), ("HISTORY",), ("PAYLOAD", "HISTORY")]:
        replies = [client("TASK.GET", id, *options) for client in both]
        assert same(*replies)
        assert field_names(replies[0]) == TASK + [option.lower() for option in options]
    two("TASK.FAIL", id, task["token"], "broke", "KIND", "net", "TRACE", "line 1")
    replies = [client("TASK.GET", id, "HISTORY") for client in both]
    assert same(*replies)
    view = as_map(replies[1])
    assert [field_names(move) for move in view["history"]] == [MOVE] * 3
    assert [as_map(move)["to"] for move in view["history"]] == [b"PENDING", b"ACTIVE", b"PENDING"]
    assert (view["state"], view["error_kind"], view["last_error"]) == (b"PENDING", b"net", b"broke")


def test_work_commands_answer_as_promised(both):
    for client in both:
        client("TASK.MADD", "w", "RETRIES", 1, "JITTER", 0, "TASKS", 4, *itertools.chain(*[("t", "p")] * 4))
        one, two, three, four = tasks(client("TASK.RESERVE", 1, "w", "COUNT", 10))
        touched = client("TASK.TOUCH", one["id"], one["token"], "LEASE", 60000)
        assert field_names(touched) == ["deadline", "cancel"] and as_map(touched)["cancel"] == 0
        assert as_map(touched)["deadline"] > one["deadline"]
        failed = client("TASK.FAIL", one["id"], one["token"], "no")
        assert field_names(failed) == ["state", "attempt", "retries_left", "run_at"]
        assert (as_map(failed)["state"], as_map(failed)["retries_left"]) == (b"SCHEDULED", 0)
        dead = as_map(client("TASK.FAIL", two["id"], two["token"], "no", "DEAD"))
        assert (dead["state"], dead["run_at"]) == (b"DLQ", None)
        assert client("TASK.RELEASE", three["id"], three["token"], "DELAY", 600000) == "OK"
        many = client("TASK.MACK", 2, four["id"], four["token"], four["id"], four["token"] + 1)
        assert many[0] == "OK" and many[1].code == "LEASELOST"


def test_ack_next_is_one_round_trip(both):
    for client in both:
        client("TASK.MADD", "n", "TASKS", 2, "t", "1", "t", "2")
        (first,) = tasks(client("TASK.RESERVE", 1, "n", "LEASE", 7000))
        (second,) = tasks(client("TASK.ACK", first["id"], first["token"], "RESULT", "r", "NEXT"))
        assert second["payload"] == b"2" and second["lease_ms"] == 7000
        assert client("TASK.RESULT", first["id"]) == b"r"
        assert client("TASK.RESULT", second["id"]).code == "BADSTATE"
        assert client("TASK.ACK", second["id"], second["token"], "NEXT") is None
        assert client("TASK.RESULT", second["id"]) is None


def test_queue_info_and_list_have_every_field(both):
    both[0]("TASK.ADD", "a", "t", "p", "DELAY", 60000)
    both[0]("TASK.ADD", "b", "t", "p")
    replies = [client("QUEUE.INFO", "a") for client in both]
    assert same(*replies) and field_names(replies[1]) == QUEUE
    assert as_map(replies[0])["scheduled"] == 1 and as_map(replies[0])["wait_p50"] is None
    assert float(as_map(replies[0])["in_rate"]) == as_map(replies[1])["in_rate"] == 1.0
    lists = [client("QUEUE.LIST") for client in both]
    assert [len(reply) for reply in lists] == [2, 2]
    assert sorted(as_map(queue)["name"] for queue in lists[1]) == [b"a", b"b"]
    assert both[0]("QUEUE.INFO", "none").code == "NOQUEUE"


def test_names_without_the_dot_any_case_and_inline(broker):
    with broker.connect() as client:
        assert UUID7.match(client("taskadd", "q", "t", "p"))
        client.socket.sendall(b'task.add q t "two words" priority 10\r\n')
        assert UUID7.match(client.read())
        (task,) = tasks(client("Task.Reserve", 1, "q"))
        assert task["payload"] == b"two words"


def test_req_makes_a_blind_retry_safe_even_across_a_restart(broker):
    with broker.connect() as client:
        first = client("TASK.ADD", "q", "t", "p", "REQ", "n1")
        assert client("TASK.ADD", "q", "t", "p", "REQ", "n1") == first
        assert client("TASK.ADD", "q", "t", "other", "REQ", "n1").code == "ERR"
    broker.kill()
    broker.start()
    with broker.connect() as client:
        assert client("TASK.ADD", "q", "t", "p", "REQ", "n1") == first
        assert as_map(client("QUEUE.INFO", "q"))["total_added"] == 1
        taken = tasks(client("TASK.RESERVE", 1, "q", "REQ", "n2"))
        assert tasks(client("TASK.RESERVE", 1, "q", "REQ", "n2")) == taken
        assert client("TASK.RESERVE", 1, "q") is None
