"""Flushes that fail, disks that are full, records that are damaged."""

import contextlib
import os
import subprocess
import time

import pytest

from broker import ROOT, eventually
from wire import Refusal, as_map, tasks


def code(reply):
    return reply.code if isinstance(reply, Refusal) else None


@pytest.fixture(scope="session")
def failing_flush(tmp_path_factory):
    """The library that makes flushes fail."""
    library = tmp_path_factory.mktemp("shim") / "failing_flush.so"
    source = ROOT / "Tests/Conformance/failing_flush.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


def test_nothing_is_acknowledged_after_a_failed_flush(make_broker, failing_flush, tmp_path):
    trigger = tmp_path / "flushes-fail"
    broker = make_broker(environment={"LD_PRELOAD": str(failing_flush), "FLUSH_FAILS": str(trigger)})
    with broker.connect() as client, broker.connect() as blocked:
        promised = [client("TASK.ADD", "q", "t", str(number)) for number in range(200)]
        (held,) = tasks(client("TASK.RESERVE", 1, "q", "LEASE", 60000))
        acked = tasks(client("TASK.RESERVE", 1, "q", "COUNT", 10))
        assert all(client("TASK.ACK", task["id"], task["token"]) == "OK" for task in acked)
        blocked.send("TASK.RESERVE", 1, "later", "BLOCK", 0)
        trigger.touch()
        replies = client.pipeline([("TASK.ADD", "q", "t", "x"), ("TASK.ADD", "later", "t", "x"),
                                   ("TASK.ACK", held["id"], held["token"]), ("TASK.ADD", "q", "t", "x")])
        assert [code(reply) for reply in replies] == ["READONLY"] * 4, replies
        assert "error" in replies[0].lower() or "EIO" in replies[0], replies[0]
        trigger.unlink()
        assert code(client("TASK.ADD", "q", "t", "x")) == "READONLY"
        assert as_map(client("TASK.GET", promised[-1], "PAYLOAD"))["payload"] == b"199"
        assert as_map(client("TASK.WHY", promised[-1]))["reason"] == b"behind"
        assert as_map(client("QUEUE.INFO", "q"))["total_added"] == 200
    broker.kill()
    broker.environment = {}
    broker.start()
    with broker.connect() as client:
        states = {id: as_map(client("TASK.GET", id))["state"] for id in promised}
        assert all(states[task["id"]] == b"COMPLETED" for task in acked)
        assert sum(state == b"COMPLETED" for state in states.values()) in (10, 11)
        assert not isinstance(client("TASK.ADD", "q", "t", "x"), Refusal)


def test_a_large_group_whose_flush_failed_is_answered_by_nobody(make_broker, failing_flush, tmp_path):
    trigger = tmp_path / "flushes-fail"
    broker = make_broker(environment={"LD_PRELOAD": str(failing_flush), "FLUSH_FAILS": str(trigger)})
    with broker.connect() as client, broker.connect() as many, broker.connect() as blocked:
        promised = many.pipeline([("TASK.ADD", "q", "t", str(number)) for number in range(300)])
        blocked.send("TASK.RESERVE", 1, "later", "BLOCK", 0)
        trigger.touch()
        with pytest.raises(ConnectionError):
            many.pipeline([("TASK.ADD", "q", "t", "never answered") for _ in range(300)])
        with pytest.raises(ConnectionError):
            blocked.read()
        trigger.unlink()
        # What was answered can be read, what was not never was.
        assert code(client("TASK.ADD", "q", "t", "x")) == "READONLY"
        assert as_map(client("QUEUE.INFO", "q"))["pending"] == 300
        assert as_map(client("TASK.GET", promised[-1], "PAYLOAD"))["payload"] == b"299"
    broker.kill()
    broker.environment = {}
    broker.start()
    with broker.connect() as client:
        assert as_map(client("QUEUE.INFO", "q"))["pending"] == 300
        taken = tasks(client("TASK.RESERVE", 1, "q", "COUNT", 1000))
        assert [task["id"] for task in taken] == promised


def test_flushed_each_second_a_change_is_answered_before_its_flush(make_broker, failing_flush, tmp_path):
    trigger = tmp_path / "flushes-fail"
    broker = make_broker("--durability", "everysec",
                         environment={"LD_PRELOAD": str(failing_flush), "FLUSH_FAILS": str(trigger)})
    with broker.connect() as client:
        assert b"durability:everysec" in client("INFO")
        client("TASK.ADD", "q", "t", "first")
        trigger.touch()
        promised = client("TASK.ADD", "q", "t", "answered before the flush that fails")
        assert not isinstance(promised, Refusal), promised
        eventually(lambda: code(client("TASK.ADD", "q", "t", "x")) == "READONLY", within=5, what="the failed flush told")
        trigger.unlink()
    broker.kill()
    broker.environment = {}
    broker.start()
    with broker.connect() as client:
        assert as_map(client("TASK.GET", promised))["state"] == b"PENDING"


def test_flushed_each_second_the_end_of_the_process_loses_nothing(make_broker):
    broker = make_broker("--durability", "everysec")
    with broker.connect() as client:
        promised = [client("TASK.ADD", "q", "t", str(number)) for number in range(500)]
    broker.kill()
    broker.start()
    with broker.connect() as client:
        assert all(as_map(client("TASK.GET", id))["state"] == b"PENDING" for id in promised)


def fill(client, size=100_000, options=()):
    """Adds until the broker has no room; the ids it gave, the refusal, and how long that took."""
    ids, payload = [], os.urandom(size)
    for _ in range(20_000):
        started = time.monotonic()
        reply = client("TASK.ADD", "q", "t", payload, *options)
        if isinstance(reply, Refusal):
            return ids, reply, time.monotonic() - started
        ids.append(reply)
    raise AssertionError("it never fills")


def check_full(client, held, ids, refusal, took):
    """R6: refused at once with the cause, reads served, acknowledgements of work in hand succeed."""
    assert code(refusal) == "DISKFULL" and took <= 0.1, (refusal, took)
    for _ in range(20):
        started = time.monotonic()
        assert code(client("TASK.ADD", "q", "t", os.urandom(100_000))) == "DISKFULL"
        assert time.monotonic() - started <= 0.1
    assert as_map(client("TASK.GET", ids[0]))["payload_size"] == 100_000
    assert client("PING") == "PONG"
    # What adds to an acknowledgement what needs room is refused with it, and can be sent without.
    last = held[-1]
    assert code(client("TASK.ACK", last["id"], last["token"], "ADD", 3, "q", "t", os.urandom(100))) == "DISKFULL"
    for task in held:
        assert client("TASK.ACK", task["id"], task["token"], "RESULT", "done") == "OK"


def fill_up(path):
    """Takes what room the file system of `path` has left."""
    with open(path, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass


def room_returns(client):
    return eventually(lambda: code(reply := client("TASK.ADD", "q", "t", "small")) is None and reply, within=1.0,
                      what="room after space returned")


def nothing_lost(client, ids, held):
    assert all(as_map(client("TASK.GET", id))["state"] in (b"PENDING", b"ACTIVE") for id in ids)
    assert all(as_map(client("TASK.GET", task["id"]))["state"] == b"COMPLETED" for task in held)
    assert as_map(client("QUEUE.INFO", "q"))["total_added"] == len(ids)


def hold(client, count=50):
    client("TASK.MADD", "hand", "TASKS", count, *["t", "p"] * count)
    return tasks(client("TASK.RESERVE", 1, "hand", "COUNT", count, "LEASE", 600000))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, of 96 MiB."""
    mount = tmp_path / "disk"
    mount.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", mount], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mounting a small file system is not allowed here: {done.stderr.strip()}")
    yield mount
    subprocess.run(["umount", "-l", mount], check=True)


def test_a_full_disk_refuses_and_recovers_by_itself(make_broker, small_disk):
    filler = small_disk / "filler"
    with open(filler, "wb") as file:
        file.write(bytes(40 * 1024 * 1024))
    broker = make_broker(name="disk/data")
    try:
        with broker.connect() as client:
            held = hold(client)
            ids, refusal, took = fill(client)
            # Somebody else takes the last byte: what finishes work lives on the room the broker keeps for it.
            fill_up(small_disk / "somebody-else")
            check_full(client, held, ids, refusal, took)
            filler.unlink()
            ids.append(room_returns(client))
            nothing_lost(client, ids, held)
        broker.kill()
        broker.start()
        with broker.connect() as client:
            nothing_lost(client, ids, held)
    finally:
        broker.close()


def test_the_cap_of_the_data_file_refuses_and_recovers_by_itself(make_broker):
    broker = make_broker("--max-data-mb", 64)
    with broker.connect() as client:
        held = hold(client)
        ids, refusal, took = fill(client, options=("KEEP", 0))
        check_full(client, held, ids, refusal, took)
        assert broker.directory.joinpath("data.mdb").stat().st_size <= 64 * 1024 * 1024
        done = 0
        for task in tasks(client("TASK.RESERVE", 1, "q", "COUNT", 100)):
            assert client("TASK.ACK", task["id"], task["token"]) == "OK"
            ids.remove(task["id"])
            done += 1
        assert done > 0
        ids.append(room_returns(client))
        assert all(as_map(client("TASK.GET", id))["state"] in (b"PENDING", b"ACTIVE") for id in ids)


def rot(broker, *marks):
    """Spoils the records that hold `marks` while the broker is down."""
    broker.stop()
    data = broker.directory / "data.mdb"
    content = data.read_bytes()
    for mark in marks:
        assert mark in content
        # LMDB may hold older copies of the page: all of them rot.
        content = content.replace(mark, mark.swapcase())
    data.write_bytes(content)
    broker.start()


def test_damaged_records_hold_nothing_up(broker):
    """Their instants come: a time to live, a retry, a retention, a lease, the end of a parent; others go on."""
    marks = [b"the %s rots on the disk" % what for what in (b"ttl", b"delay", b"result", b"kept", b"lease", b"child")]
    ttl, delay, result, kept, lease, child = marks
    with broker.connect() as client:
        client("QUEUE.SET", "few", "KEEPMAX", 2)
        client("TASK.ADD", "waiting", "t", ttl, "TTL", 1200)
        client("TASK.ADD", "waiting", "t", delay, "DELAY", 1000)
        for queue, text, keep in (("one", result, 1000), ("few", kept, 100_000)):
            client("TASK.ADD", queue, "t", "p", "KEEP", keep)
            task = tasks(client("TASK.RESERVE", 1, queue))[0]
            assert client("TASK.ACK", task["id"], task["token"], "RESULT", text) == "OK"
        client("TASK.ADD", "leases", "t", lease)
        client("TASK.ADD", "leases", "t", "sound")
        assert len(tasks(client("TASK.RESERVE", 1, "leases", "COUNT", 2, "LEASE", 1500))) == 2
        parent = client("TASK.ADD", "parents", "t", "p")
        children = [client("TASK.ADD", "children", "t", text, "AFTER", 1, parent) for text in (child, "sound")]
        client("TASK.ADD", "late", "t", "p", "DELAY", 2000)
    rot(broker, *marks)
    with broker.connect() as client:
        assert tasks(client("TASK.RESERVE", 1, "leases", "BLOCK", 10_000))[0]["payload"] == b"sound"
        assert tasks(client("TASK.RESERVE", 1, "late", "BLOCK", 10_000))[0]["payload"] == b"p"
        for number in range(3):
            client("TASK.ADD", "few", "t", "p")
            task = tasks(client("TASK.RESERVE", 1, "few"))[0]
            assert client("TASK.ACK", task["id"], task["token"]) == "OK"
        task = tasks(client("TASK.RESERVE", 1, "parents"))[0]
        assert client("TASK.ACK", task["id"], task["token"]) == "OK"
        assert [task["id"] for task in tasks(client("TASK.RESERVE", 1, "children", "COUNT", 2))] == children[1:]
        assert "damaged" in client("TASK.GET", children[0])
        assert client("TASK.RESERVE", 1, "q") is None
        damaged = as_map(client("BROKER.CHECK"))
    broker.stop()
    assert "upkeep failed" not in broker.log_text()


def test_a_damaged_record_is_named_and_everything_else_served(broker):
    mark = b"the payload that rots on the disk"
    with broker.connect() as client:
        ids = [client("TASK.ADD", "q", "t", mark if number == 5 else str(number)) for number in range(10)]
    broker.stop()
    data = broker.directory / "data.mdb"
    content = data.read_bytes()
    assert mark in content
    # LMDB may hold an older copy of the page: all of them rot.
    data.write_bytes(content.replace(mark, mark.replace(b"rots", b"ROTS")))
    broker.start()
    with broker.connect() as client:
        reply = client("TASK.GET", ids[5], "PAYLOAD")
        assert isinstance(reply, Refusal) and "damaged" in reply and ids[5].decode() in reply
        served = []
        while taken := tasks(client("TASK.RESERVE", 1, "q", "COUNT", 3)):
            served += [task["id"] for task in taken]
            for task in taken:
                assert client("TASK.ACK", task["id"], task["token"]) == "OK"
        assert served == ids[:5] + ids[6:]
        assert b"damaged_tasks:1" in client("INFO") and b"damaged_newest:" + ids[5] in client("INFO")
        assert not isinstance(client("TASK.ADD", "q", "t", "more"), Refusal)
    broker.restart()
    with broker.connect() as client:
        assert len(tasks(client("TASK.RESERVE", 1, "q"))) == 1
