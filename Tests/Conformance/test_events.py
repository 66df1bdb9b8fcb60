"""What happens to tasks, told: channels, and the stream @events."""

import json
import socket
import subprocess
import threading
import time

import redis
from broker import eventually
from wire import Push, as_map, tasks


def client(broker, protocol=2, **more):
    return redis.Redis(port=broker.port, protocol=protocol, socket_timeout=10, **more)


def messages(subscription, count):
    """The next messages, without confirmations."""
    found = []
    while len(found) < count:
        message = subscription.get_message(timeout=5)
        assert message is not None, found
        if message["type"].endswith("message"):
            found.append(message)
    return found


def run_one(connection, queue="q"):
    """One task, from ADD to ACK; its id."""
    task = connection("TASK.ADD", queue, "mail", "p")
    got = tasks(connection("TASK.RESERVE", 1, queue))[0]
    assert connection("TASK.ACK", got["id"], got["token"]) == "OK"
    return task


def test_redis_py_hears_channels_and_patterns_in_both_protocols(broker):
    for protocol in (2, 3):
        reader, writer = client(broker, protocol), client(broker, protocol)
        subscription = reader.pubsub()
        subscription.subscribe("news", "other")
        subscription.psubscribe("n*s", "x*")
        assert [subscription.get_message(timeout=5)["data"] for _ in range(4)] == [1, 2, 3, 4]
        assert writer.publish("news", b"\x00\xff") == 2
        assert writer.publish("nobody", "x") == 0
        both = messages(subscription, 2)
        assert sorted(m["type"] for m in both) == ["message", "pmessage"]
        assert {m["data"] for m in both} == {b"\x00\xff"} and {m["channel"] for m in both} == {b"news"}
        assert writer.pubsub_channels("n*") == [b"news"]
        assert writer.pubsub_numsub("news", "none") == [(b"news", 1), (b"none", 0)]
        assert writer.pubsub_numpat() == 2
        subscription.unsubscribe()
        subscription.punsubscribe()
        eventually(lambda: writer.publish("news", "x") == 0)
        subscription.close()


def test_resp2_can_do_little_else_while_it_listens_and_resp3_everything(broker):
    with broker.connect() as two, broker.connect(3) as three:
        assert two("SUBSCRIBE", "c") == [b"subscribe", b"c", 1]
        assert "only (P)SUBSCRIBE" in two("GET", "x")
        assert two("PING") == [b"pong", b""] and two("PING", "hi") == [b"pong", b"hi"]
        assert two("UNSUBSCRIBE", "c") == [b"unsubscribe", b"c", 0]
        assert two("UNSUBSCRIBE") == [b"unsubscribe", None, 0]
        assert two("PING") == "PONG"
        assert three("SUBSCRIBE", "c") == Push([b"subscribe", b"c", 1])
        assert three("PING") == "PONG"
        # Its own message follows the reply: as a push it cannot be taken for one.
        assert three("PUBLISH", "c", "m") == 1
        assert three.read() == Push([b"message", b"c", b"m"])
        two("SUBSCRIBE", "d")
        assert two("RESET") == "RESET" and three("PUBLISH", "d", "m") == 0


def test_redis_cli_subscribes(broker):
    command = ["redis-cli", "-p", str(broker.port), "--csv", "SUBSCRIBE", "task:q:PENDING"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        while "subscribe" not in process.stdout.readline():
            assert process.poll() is None
        with broker.connect() as connection:
            task = connection("TASK.ADD", "q", "mail", "p").decode()
        assert task in process.stdout.readline()
    finally:
        process.kill()
        process.wait()


def test_every_move_of_a_task_is_told_on_its_channel(broker):
    subscription = client(broker).pubsub()
    subscription.psubscribe("task:*")
    assert subscription.get_message(timeout=5)["type"] == "psubscribe"
    with broker.connect() as connection:
        task = run_one(connection, 'a"b')
        connection("TASK.ADD", "late", "t", "p", "DELAY", 30)
    told = messages(subscription, 5)
    assert [m["channel"].decode() for m in told] == [
        'task:a"b:PENDING', 'task:a"b:ACTIVE', 'task:a"b:COMPLETED', "task:late:SCHEDULED", "task:late:PENDING"]
    events = [json.loads(m["data"]) for m in told]
    assert [list(event) for event in events] == [["seq", "at", "id", "queue", "type", "from", "to"]] * 5
    assert [event["from"] for event in events] == [None, "PENDING", "ACTIVE", None, "SCHEDULED"]
    assert events[0]["id"] == task.decode() and events[0]["queue"] == 'a"b' and events[0]["type"] == "mail"
    assert [event["seq"] for event in events] == list(range(events[0]["seq"], events[0]["seq"] + 5))


def test_queue_updates_have_the_shapes_that_dashboards_know(broker):
    subscription = client(broker).pubsub()
    subscription.subscribe("queue-updates")
    assert subscription.get_message(timeout=5)["type"] == "subscribe"
    with broker.connect() as connection:
        task = connection("TASK.ADD", "q", "t", "p").decode()
        created = json.loads(messages(subscription, 1)[0]["data"])
        assert (created["type"], created["task_id"], created["queue_depths"]) == ("task_created", task, {"primary": 1})
        got = tasks(connection("TASK.RESERVE", 1, "q"))[0]
        connection("TASK.FAIL", got["id"], got["token"], "no", "RETRY", 60000)
    changed = [json.loads(m["data"]) for m in messages(subscription, 2)]
    assert [(c["old_state"], c["new_state"]) for c in changed] == [("PENDING", "ACTIVE"), ("ACTIVE", "SCHEDULED")]
    assert changed[1]["queue_depths"] == {"primary": 0, "retry": 0, "scheduled": 1, "dlq": 0}
    assert abs(changed[1]["timestamp"] - time.time()) < 60


def test_a_subscriber_that_does_not_read_is_dropped_and_holds_nobody_up(make_broker):
    broker = make_broker("--output-limit-mb", 4)
    with broker.connect() as slow, broker.connect() as writer:
        slow("SUBSCRIBE", "c")
        body = b"x" * 100_000
        longest = 0.0
        for _ in range(400):
            start = time.monotonic()
            if writer("PUBLISH", "c", body) == 0:
                break
            longest = max(longest, time.monotonic() - start)
        eventually(lambda: writer("PUBLISH", "c", body) == 0)
        assert longest < 1
    assert "does not read" in broker.log_text()


def unread(port, *channels):
    """A subscriber that never reads, with little room in its socket."""
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect(("127.0.0.1", port))
    slow.sendall(b"PSUBSCRIBE " + b" ".join(channels) + b"\r\n")
    return slow


def latencies(writer, queue, count):
    """Seconds of each command of so many life cycles."""
    found = []
    for _ in range(count):
        start = time.monotonic()
        writer("TASK.ADD", queue, "t", "p", "KEEP", 0)
        added = time.monotonic()
        got = tasks(writer("TASK.RESERVE", 1, queue))[0]
        reserved = time.monotonic()
        writer("TASK.ACK", got["id"], got["token"])
        found += [added - start, reserved - added, time.monotonic() - reserved]
    return found


def test_subscribers_that_never_read_do_not_slow_the_others(make_broker):
    broker = make_broker("--output-limit-mb", 8)
    slow = [unread(broker.port, b"task:*", b"queue-up*") for _ in range(8)]
    reader = client(broker).pubsub()
    reader.psubscribe("task:mine:COMPLETED")
    assert reader.get_message(timeout=5)["type"] == "psubscribe"
    with broker.connect() as writer, broker.connect() as flood:
        eventually(lambda: writer("PUBSUB", "NUMPAT") == 3)
        over = threading.Event()

        def pour():
            while not over.is_set():
                flood("TASK.MADD", "flood", "KEEP", 0, "TASKS", 50, *["t", "p"] * 50)

        pouring = threading.Thread(target=pour)
        pouring.start()
        try:
            spans = latencies(writer, "mine", 700)
            eventually(lambda: broker.log_text().count("does not read") == 8, within=60)
        finally:
            over.set()
            pouring.join()
        spans.sort()
        assert spans[int(len(spans) * 0.99)] <= 0.05, spans[-30:]
        # Who reads hears everything, in order.
        numbers = [json.loads(m["data"])["seq"] for m in messages(reader, 700)]
        assert numbers == sorted(set(numbers))
        assert writer("PUBSUB", "NUMPAT") == 1
    for connection in slow:
        connection.close()


def test_breakers_are_told_too(broker):
    with broker.connect() as writer:
        writer("BREAKER.SET", "mail", "FAILS", 1, "PER", 1000, "COOL", 20, "PROBES", 1)
        subscription = client(broker).pubsub()
        subscription.psubscribe("breaker:*")
        assert subscription.get_message(timeout=5)["type"] == "psubscribe"
        writer("BREAKER.REPORT", "mail", "FAIL")
        # That it has cooled down is told at that instant, whether somebody asks or not.
        told = messages(subscription, 2)
        opened, cooled = (json.loads(m["data"])["at"] for m in told)
        assert 20 <= cooled - opened < 1000
        assert as_map(writer("BREAKER.ALLOW", "mail"))["allowed"]
        writer("BREAKER.REPORT", "mail", "OK")
        told += messages(subscription, 1)
        assert [m["channel"] for m in told] == [b"breaker:mail:open", b"breaker:mail:half_open", b"breaker:mail:closed"]
        events = [json.loads(m["data"]) for m in told]
        assert [(e["id"], e["queue"], e["type"]) for e in events] == [("mail", "", "@breaker")] * 3
        assert [(e["from"], e["to"]) for e in events] == [
            ("closed", "open"), ("open", "half_open"), ("half_open", "closed")]
        entries = entries_of(client(broker).xread({"@events": "0"}))
        assert [fields(e)["to"] for e in entries] == ["open", "half_open", "closed"]
        assert list(fields(entries[0])) == ["seq", "at", "id", "queue", "type", "from", "to"]


def entries_of(reply):
    """The entries of XREAD, in either protocol's form."""
    stream = reply[b"@events"] if isinstance(reply, dict) else reply[0][1]
    return stream[0] if isinstance(stream[0], list) else stream


def fields(entry):
    return {key.decode(): value.decode() for key, value in entry[1].items()}


def test_xread_resumes_over_kill_nine(broker):
    with broker.connect() as connection:
        first = run_one(connection).decode()
    reader = client(broker)
    entries = entries_of(reader.xread({"@events": "0"}))
    assert [fields(e)["to"] for e in entries] == ["PENDING", "ACTIVE", "COMPLETED"]
    assert {fields(e)["id"] for e in entries} == {first}
    assert fields(entries[0]) == {
        "seq": "1", "at": entries[0][0].split(b"-")[0].decode(), "id": first, "queue": "q", "type": "mail",
        "from": "", "to": "PENDING"}
    place = entries[1][0]
    broker.kill()
    broker.start()
    reader = client(broker, 3)
    with broker.connect() as connection:
        second = run_one(connection).decode()
    rest = entries_of(reader.xread({"@events": place}))
    ids = [e[0] for e in rest]
    assert [fields(e)["to"] for e in rest] == ["COMPLETED", "PENDING", "ACTIVE", "COMPLETED"]
    assert [fields(e)["id"] for e in rest] == [first] + [second] * 3
    assert [int(fields(e)["seq"]) for e in rest] == [3, 4, 5, 6]
    assert ids == sorted(ids, key=lambda i: tuple(map(int, i.split(b"-")))) and reader.xlen("@events") == 6


def test_xread_blocks_until_something_happens_or_its_time_is_over(broker):
    with broker.connect(timeout=5) as reader, broker.connect() as writer:
        start = time.monotonic()
        assert reader("XREAD", "BLOCK", 50, "STREAMS", "@events", "$") is None
        assert 0.04 < time.monotonic() - start < 2
        reader.send("XREAD", "BLOCK", 0, "STREAMS", "@events", "$")
        reader.send("PING")
        time.sleep(0.05)
        task = writer("TASK.ADD", "q", "t", "p")
        [[key, [entry]]] = reader.read()
        assert key == b"@events" and as_map(entry[1])["id"] == task
        assert reader.read() == "PONG"
        # What came in the same pipeline before is not new.
        reader.send("TASK.ADD", "q", "t", "p")
        reader.send("XREAD", "BLOCK", 30, "STREAMS", "@events", "$")
        assert len(reader.read()) == 36 and reader.read() is None


def test_blocked_readers_are_told_of_the_stop(broker):
    with broker.connect(timeout=10) as reader:
        reader.send("XREAD", "BLOCK", 0, "STREAMS", "@events", "$")
        time.sleep(0.05)
        assert broker.stop() == 0
        assert reader.read().code == "STOPPING"


def test_ranges_and_what_cannot_be_done(broker):
    with broker.connect() as connection:
        for _ in range(3):
            run_one(connection)
        everything = connection("XRANGE", "@events", "-", "+")
        assert len(everything) == 9 and connection("XREVRANGE", "@events", "+", "-") == everything[::-1]
        ids = [entry[0] for entry in everything]
        assert [e[0] for e in connection("XRANGE", "@events", ids[2], ids[5])] == ids[2:6]
        assert [e[0] for e in connection("XRANGE", "@events", b"(" + ids[2], b"(" + ids[5])] == ids[3:5]
        assert [e[0] for e in connection("XRANGE", "@events", ids[2], "+", "COUNT", 2)] == ids[2:4]
        assert [e[0] for e in connection("XREVRANGE", "@events", ids[5], "-", "COUNT", 2)] == [ids[5], ids[4]]
        assert connection("XRANGE", "@events", "-", ids[0].split(b"-")[0])[0][0] == ids[0]
        info = as_map(connection("XINFO", "STREAM", "@events"))
        assert info["length"] == 9 and info["last-generated-id"] == ids[8] and info["last-entry"][0] == ids[8]
        assert connection("TYPE", "@events") == "stream" and connection("XLEN", "other") == 0
        assert connection("XRANGE", "other", "-", "+") == [] and connection("XLEN", "@queues").code == "WRONGTYPE"
        assert connection("GET", "@events").code == "WRONGTYPE"
        assert "Invalid stream ID" in connection("XREAD", "STREAMS", "@events", "x")
        assert "Unbalanced" in connection("XREAD", "STREAMS", "@events", "a", "0")
        assert connection("XADD", "@events", "*", "a", "b").code == "READONLY"


def test_the_stream_is_bounded_and_trimmed_whole_records_at_a_time(make_broker):
    broker = make_broker("--events-max", 1000)
    with broker.connect() as connection:
        for _ in range(40):
            connection("TASK.MADD", "q", "TASKS", 50, *["t", "p"] * 50)
        length = connection("XLEN", "@events")
        assert 1000 <= length <= 1050
        entries = connection("XRANGE", "@events", "-", "+")
        numbers = [int(as_map(entry[1])["seq"]) for entry in entries]
        assert len(numbers) == length and numbers == list(range(2001 - length, 2001))


def test_off_means_that_nothing_is_kept(make_broker):
    broker = make_broker("--events", "off")
    with broker.connect() as connection:
        run_one(connection)
        assert connection("XLEN", "@events") == 0
        assert connection("XREAD", "STREAMS", "@events", "0") is None
