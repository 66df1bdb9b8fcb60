"""Plain keys: SET, GET and how long they live."""

import subprocess
import time

import pytest
import redis

from broker import eventually


@pytest.fixture(params=[2, 3])
def client(broker, request):
    client = redis.Redis(port=broker.port, protocol=request.param)
    yield client
    client.close()


def test_redis_py_sets_under_conditions(client):
    assert client.set("k", b"\x00\xff") is True and client.get("k") == b"\x00\xff"
    assert client.set("k", "x", nx=True) is None and client.set("new", "x", xx=True) is None
    assert client.set("k", "y", get=True) == b"\x00\xff" and client.set("new", "1", nx=True, px=60000) is True
    assert 59000 < client.pttl("new") <= 60000 and client.ttl("new") == 60
    assert client.set("new", "2", keepttl=True) and client.pttl("new") > 59000
    assert client.persist("new") and client.ttl("new") == -1 and client.ttl("none") == -2
    assert client.expire("new", 10) and not client.expire("none", 10)
    assert client.pexpire("new", 20000, gt=True) and not client.pexpire("new", 5, gt=True)
    assert client.exists("k", "new", "none", "k") == 3 and client.type("k") == b"string" and client.dbsize() == 2
    assert client.delete("k", "none") == 1 and client.get("k") is None
    assert client.expire("new", -1) and client.get("new") is None and client.dbsize() == 0


def test_a_value_is_replaced_only_by_who_knows_it(broker):
    with broker.connect() as connection:
        assert connection("SET", "k", "a", "IFEQ", "") is None and connection("GET", "k") is None
        connection("SET", "k", "a")
        assert connection("SET", "k", "b", "IFEQ", "c") is None and connection("GET", "k") == b"a"
        assert connection("SET", "k", "b", "PX", 60000, "IFEQ", "a") == "OK" and connection("PTTL", "k") > 59000
        assert connection("SET", "k", "c", "IFEQ", "a", "GET") == b"b" and connection("GET", "k") == b"b"
        assert connection("SET", "k", "c", "ifeq", "b", "KEEPTTL") == "OK" and connection("PTTL", "k") > 59000
        for words in (["IFEQ"], ["IFEQ", "c", "NX"], ["XX", "IFEQ", "c"], ["IFEQ", "c", "IFEQ", "c"]):
            assert connection("SET", "k", "d", *words).code == "ERR", words
        assert connection("GET", "k") == b"c"


def test_a_key_goes_at_its_end_and_may_be_taken_again(client):
    assert client.set("lock", "a", nx=True, px=80)
    assert client.set("lock", "b", nx=True, px=80) is None
    assert eventually(lambda: client.set("lock", "b", nx=True, px=60000), within=3)
    assert client.get("lock") == b"b"


def test_keys_outlive_a_kill_and_their_ends_too(broker):
    long = "k" * 60_000
    with broker.connect() as connection:
        assert connection("SET", long, b"v" * 100_000) == "OK"
        assert connection("SET", "gone", "v", "PX", 150) == "OK"
        assert connection("SET", "stays", "v", "EX", 100) == "OK"
    broker.kill()
    time.sleep(0.2)
    broker.start()
    with broker.connect() as connection:
        assert connection("GET", long) == b"v" * 100_000
        assert connection("GET", "gone") is None and 90 < connection("TTL", "stays") <= 100
        assert eventually(lambda: connection("DBSIZE") == 2)


def test_what_is_refused(broker):
    with broker.connect() as connection:
        connection("SET", "k", "v")
        for command in (["HGETALL", "k"], ["LLEN", "k"], ["ZCARD", "k"], ["SMEMBERS", "k"]):
            assert connection(*command).code == "WRONGTYPE", command
        for command in (["SET", "@k", "v"], ["DEL", "@queues"], ["EXPIRE", "@queues", "1"]):
            assert connection(*command).code == "READONLY", command
        for command in (
            ["SET", "k", "v", "PX", "0"], ["SET", "k", "v", "PX", 2**63 - 1], ["SET", "k", "v", "EX", 2**62],
            ["SET", "k", "v", "NX", "XX"], ["SET", "k", "v", "PX"], ["SET", "k", "v", "PX", "1", "EX", "1"],
            ["EXPIRE", "k", "x"], ["PEXPIRE", "k", 2**63 - 1], ["EXPIRE", "k", "1", "ZZ"],
        ):
            assert connection(*command).code == "ERR", command
        assert connection("SET", "x" * 70_000, "v").code == "ERR"
        assert connection("SET", "big", b"x" * (8 << 20)) == "OK"
        assert connection("SET", "big", b"x" * ((8 << 20) + 1)).code == "TOOBIG"
        assert connection("GET", "k") == b"v"


def test_a_broker_that_held_nothing_but_keys_finds_them_again(make_broker):
    broker = make_broker()
    for stop in (broker.kill, broker.stop):
        with broker.connect() as connection:
            assert connection("SET", "only", stop.__name__) == "OK"
        stop()
        broker.start()
        with broker.connect() as connection:
            assert connection("GET", "only") == stop.__name__.encode()


def test_keys_count_in_the_data_limit(make_broker):
    broker = make_broker("--max-data-mb", 64)
    with broker.connect() as connection:
        for number in range(200):
            reply = connection("SET", f"k{number}", b"v" * 1_000_000)
            if reply != "OK":
                break
        assert reply.code == "DISKFULL" and 5 < number < 70
        # What makes room goes on.
        assert connection("DEL", *[f"k{n}" for n in range(number)]) == number
        assert eventually(lambda: connection("SET", "again", b"v" * 1_000_000) == "OK")


def test_keys_are_walked_and_flushed(client, broker):
    client.execute_command("TASK.ADD", "q", "t", "p")
    names = {b"user:%d" % number for number in range(250)} | {b"\x00odd\xff", b"user:gone"}
    for name in names:
        client.set(name, "v" * 100)
    client.pexpire("user:gone", 1)
    names.remove(b"user:gone")
    eventually(lambda: client.get("user:gone") is None)
    assert set(client.keys()) == names == set(client.scan_iter(count=7))
    assert set(client.keys("user:1?")) == {b"user:1%d" % number for number in range(10)}
    assert set(client.scan_iter("user:2*", _type="string")) == {name for name in names if name.startswith(b"user:2")}
    assert client.keys("none*") == [] and list(client.scan_iter(_type="hash")) == []
    cursor, page = client.scan(count=10)
    assert 0 < len(page) <= 10 and int(cursor) > 0
    # The reserved ones are shown to those who ask for them, and those are not plain ones.
    assert b"@queues" in client.keys("@*") and not names & set(client.scan_iter("@*", count=1000))
    assert client.dbsize() == len(names)
    client.expire("user:1", 1000)
    assert client.flushall() is True and client.dbsize() == 0 and client.keys() == [] and client.get("user:1") is None
    assert client.scan() == (0, []) and client.exists("@queue:q:pending") == 1
    assert client.set("user:1", "again") and client.keys() == [b"user:1"] and client.ttl("user:1") == -1
    assert client.flushdb(asynchronous=True) is True and client.dbsize() == 0
    for words in (["FLUSHALL", "NOW"], ["FLUSHDB", "SYNC", "SYNC"], ["SCAN", "x"]):
        with pytest.raises(redis.ResponseError):
            client.execute_command(*words)


def test_redis_cli_walks_them(broker):
    with broker.connect() as connection:
        for number in range(30):
            connection("SET", f"k{number}", "v")
    cli = ["redis-cli", "-p", str(broker.port)]
    shown = subprocess.run([*cli, "--scan", "--pattern", "k1*"], capture_output=True, check=True, text=True).stdout
    assert sorted(shown.split()) == sorted(f"k{n}" for n in range(30) if str(n).startswith("1"))
    assert subprocess.run([*cli, "DBSIZE"], capture_output=True, check=True, text=True).stdout.strip() == "30"
    big = subprocess.run([*cli, "--bigkeys"], capture_output=True, check=True, text=True).stdout
    assert "Sampled 30 keys" in big
    assert subprocess.run([*cli, "FLUSHALL"], capture_output=True, check=True, text=True).stdout.strip() == "OK"
    assert subprocess.run([*cli, "KEYS", "*"], capture_output=True, check=True, text=True).stdout.strip() == ""


def test_what_was_flushed_stays_away_and_its_room_comes_back(make_broker):
    broker = make_broker("--max-data-mb", 64)
    for _ in range(3):
        with broker.connect() as connection:
            for number in range(30):
                assert eventually(lambda: connection("SET", f"k{number}", b"v" * 1_000_000, "EX", 1000) == "OK")
            assert connection("FLUSHALL") == "OK"
            connection("SET", "kept", "v")
        broker.kill()
        broker.start()
        with broker.connect() as connection:
            assert connection("KEYS", "*") == [b"kept"] and connection("DBSIZE") == 1
            assert connection("BROKER.INFO")
