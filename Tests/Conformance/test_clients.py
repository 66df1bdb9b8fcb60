"""The clients people have: redis-py with its defaults, and redis-cli."""

import socket
import subprocess
import threading
import time

import pytest
import redis

from wire import as_map, tasks


def cli(broker, *arguments, options=()):
    """What redis-cli prints."""
    command = ["redis-cli", "-p", str(broker.port), *options, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout.strip()


@pytest.fixture(params=[2, 3])
def client(broker, request):
    client = redis.Redis(port=broker.port, protocol=request.param)
    yield client
    client.close()


def test_redis_py_runs_a_life_cycle(client):
    id = client.execute_command("TASK.ADD", "q", "t", "p")
    (task,) = tasks(client.execute_command("TASK.RESERVE", 1, "q"))
    assert task["id"] == id
    assert client.execute_command("TASK.ACK", id, task["token"], "RESULT", "r") in (True, b"OK", "OK")
    assert client.execute_command("TASK.RESULT", id) == b"r"
    assert client.execute_command("TASK.RESERVE", 1, "q") is None
    assert as_map(client.execute_command("TASK.GET", id))["state"] == b"COMPLETED"
    with pytest.raises(redis.ResponseError):
        client.execute_command("TASK.ADD", "q", "t", "p", "PRIORITY", 11)
    assert client.ping()


def test_redis_py_pipelines_without_transaction(client):
    pipe = client.pipeline(transaction=False)
    for number in range(100):
        pipe.execute_command("TASK.ADD", "q", "t", str(number))
    assert len(set(pipe.execute())) == 100


class Relay:
    """Stands between a client and the broker and counts how often a word is sent."""

    def __init__(self, port, word):
        self.port, self.word, self.seen = port, word, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.port))
            threading.Thread(target=self.pump, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self.pump, args=(far, near, False), daemon=True).start()

    def pump(self, source, target, counted):
        try:
            while data := source.recv(65536):
                if counted:
                    self.seen += data.count(self.word)
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            end.close()


@pytest.mark.slow
def test_redis_py_blocks_for_twelve_seconds_with_one_send(broker):
    relay = Relay(broker.port, b"TASK.RESERVE")
    client = redis.Redis(port=relay.listener.getsockname()[1])
    started = time.monotonic()
    assert client.execute_command("TASK.RESERVE", 1, "q", "BLOCK", 12000) is None
    assert 11.9 <= time.monotonic() - started <= 13
    assert relay.seen == 1
    assert client.ping()


def test_a_blocked_redis_py_gets_the_task_that_comes(broker):
    client = redis.Redis(port=broker.port)
    got = []
    waiter = threading.Thread(target=lambda: got.append(client.execute_command("TASK.RESERVE", 1, "q", "BLOCK", 9000)))
    waiter.start()
    with broker.connect() as producer:
        id = producer("TASK.ADD", "q", "t", "p")
    waiter.join(5)
    assert tasks(got[0])[0]["id"] == id


def test_keepalive_pushes_come_only_when_asked_for(broker):
    with broker.connect(3) as asking, broker.connect(3) as silent:
        asking.send("TASK.RESERVE", 1, "q", "BLOCK", 1200, "KEEPALIVE", 300)
        silent.send("TASK.RESERVE", 1, "q", "BLOCK", 1200)
        pushes = []
        while type(reply := asking.read()).__name__ == "Push":
            pushes.append(reply)
        assert reply is None and pushes == [[b"keepalive", number] for number in range(1, len(pushes) + 1)]
        assert 3 <= len(pushes) <= 4
        assert silent.read() is None


def test_redis_cli_shows_native_tasks_as_keys(broker):
    with broker.connect() as client:
        ids = [client("TASK.ADD", "mail", "t", "hello", "PRIORITY", p).decode() for p in (5, 9)]
        later = client("TASK.ADD", "mail", "t", "p", "DELAY", 600000).decode()
        client("TASK.ADD", "bad", "t", "p")
        (dead,) = tasks(client("TASK.RESERVE", 1, "bad"))
        client("TASK.FAIL", dead["id"], dead["token"], "no", "DEAD")
        client("TASK.ADD", "run", "t", "p")
        (running,) = tasks(client("TASK.RESERVE", 1, "run"))
        view = as_map(client("TASK.GET", ids[1]))
    fields = cli(broker, "HGETALL", f"@task:{ids[1]}").splitlines()
    shown = dict(zip(fields[::2], fields[1::2]))
    assert (shown["queue"], shown["state"], shown["priority"]) == ("mail", "PENDING", "9")
    assert "payload" not in shown and "worker" not in shown
    assert cli(broker, "HGET", f"@task:{ids[1]}", "payload") == "hello"
    pending = cli(broker, "ZRANGE", "@queue:mail:pending", 0, 9, "WITHSCORES").splitlines()
    assert pending[::2] == [ids[1], ids[0]]
    assert int(float(pending[1])) == 1 * 10**13 + view["run_at"]
    assert cli(broker, "ZRANGE", "@queue:mail:scheduled", 0, -1) == later
    active = cli(broker, "ZRANGE", "@queue:run:active", 0, -1, "WITHSCORES").splitlines()
    assert active == [running["id"].decode(), str(running["deadline"])]
    assert cli(broker, "LRANGE", "@queue:bad:dlq", 0, -1) == dead["id"].decode()
    counts = [cli(broker, verb, key) for verb, key in [
        ("ZCARD", "@queue:mail:pending"), ("ZCARD", "@queue:mail:scheduled"), ("LLEN", "@queue:bad:dlq"),
        ("GET", "@metrics:tasks:state:pending"), ("SCARD", "@queues"), ("EXISTS", f"@task:{later}")]]
    assert counts == ["2", "1", "1", "2", "3", "1"]
    assert sorted(cli(broker, "SMEMBERS", "@queues").splitlines()) == ["bad", "mail", "run"]
    kinds = [cli(broker, "TYPE", key) for key in (f"@task:{later}", "@queue:mail:pending", "@queue:bad:dlq", "@queues")]
    assert kinds == ["hash", "zset", "list", "set"]


def test_reserved_keys_are_found_only_when_asked_for_and_never_written(broker):
    with broker.connect() as client:
        ids = {client("TASK.ADD", "q", "t", "p") for _ in range(30)}
    scanned = cli(broker, options=["--scan", "--pattern", "@task:*"]).splitlines()
    assert sorted(scanned) == sorted("@task:" + id.decode() for id in ids)
    assert cli(broker, options=["--scan"]) == ""
    assert cli(broker, "KEYS", "*") == ""
    assert "@queues" in cli(broker, "KEYS", "@*") and "@task" not in cli(broker, "KEYS", "@*")
    assert cli(broker, "DBSIZE") == "0"
    assert cli(broker, "SET", "@queues", "x").startswith("READONLY")
    assert cli(broker, "DEL", "@queues").startswith("READONLY")


def test_info_has_its_sections(broker):
    with broker.connect() as client:
        client("TASK.ADD", "q", "t", "p")
    text = cli(broker, "INFO")
    for section in ("Server", "Clients", "Memory", "Stats", "Keyspace", "Tasks", "Queues", "Storage"):
        assert f"# {section}" in text
