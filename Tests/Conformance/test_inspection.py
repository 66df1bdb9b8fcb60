"""What redis-cli and redis-py see of a broker: keys, commands, clients, settings, what is run."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

import pytest
import redis

from broker import eventually
from test_clients import cli
from wire import as_map, tasks


@pytest.fixture(params=[2, 3])
def client(broker, request):
    with broker.connect(request.param) as client:
        yield client


def test_a_worker_is_a_hash(broker, client):
    client("WORKER.HELLO", "w:1", "HOST", "here", "QUEUES", 2, "a", "b", "LIB", "lib", "2")
    client("TASK.ADD", "a", "t", "p")
    (task,) = tasks(client("TASK.RESERVE", 1, "a", "WORKER", "w:1"))
    lines = cli(broker, "HGETALL", "@worker:w:1").splitlines()
    shown = dict(zip(lines[::2], lines[1::2]))
    assert (shown["id"], shown["host"], shown["state"], shown["queues"]) == ("w:1", "here", "run", "a b")
    assert (shown["tasks"], shown["started"], shown["lib_name"]) == (task["id"].decode(), "1", "lib")
    assert "pid" not in shown
    assert cli(broker, "HLEN", "@worker:w:1") == str(len(shown))
    assert cli(broker, "HGET", "@worker:w:1", "host") == "here"
    assert [cli(broker, verb, "@worker:w:1") for verb in ("TYPE", "EXISTS", "TTL")] == ["hash", "1", "-1"]
    assert [cli(broker, verb, "@worker:x") for verb in ("EXISTS", "TTL", "HLEN")] == ["0", "-2", "0"]
    assert "@worker:w:1" in cli(broker, "KEYS", "@worker:*").splitlines()
    assert cli(broker, options=["--scan", "--pattern", "@worker:*"]) == "@worker:w:1"
    assert cli(broker, "HSET", "@worker:w:1", "host", "x").startswith("READONLY")


def test_every_state_is_counted_under_its_name(broker, client):
    for _ in range(3):
        client("TASK.ADD", "q", "t", "p")
    (first,) = tasks(client("TASK.RESERVE", 1, "q"))
    client("TASK.FAIL", first["id"], first["token"], "no", "DEAD")
    (second,) = tasks(client("TASK.RESERVE", 1, "q"))
    client("TASK.ADD", "q", "t", "p", "DELAY", 60000)
    counts = {state: cli(broker, "GET", f"@metrics:tasks:state:{state}") for state in (
        "scheduled", "pending", "active", "completed", "dlq", "cancelled", "expired", "blocked")}
    assert counts == {"scheduled": "1", "pending": "1", "active": "1", "completed": "0", "dlq": "1",
                      "cancelled": "0", "expired": "0", "blocked": "0"}
    client("TASK.ACK", second["id"], second["token"])
    assert cli(broker, "GET", "@metrics:tasks:state:completed") == "1"
    # The record of an ended task goes by itself, a dead letter does not.
    assert 86300 < int(cli(broker, "TTL", f"@task:{second['id'].decode()}")) <= 86400
    assert cli(broker, "TTL", f"@task:{first['id'].decode()}") == "-1"


def test_memory_usage_follows_what_is_stored(client):
    small = client("TASK.ADD", "q", "t", "p").decode()
    large = client("TASK.ADD", "q", "t", os.urandom(100000)).decode()
    small, large = client("MEMORY", "USAGE", f"@task:{small}"), client("MEMORY", "USAGE", f"@task:{large}", "SAMPLES", 0)
    assert 10 < small < 200 and 100000 < large < 110000
    assert client("MEMORY", "USAGE", "nothing") is None
    assert client("MEMORY", "USAGE", "@queue:q:pending") > 0
    assert client("MEMORY", "DOCTOR").code == "ERR"


def test_redis_cli_helps_with_every_command(broker):
    usages = {}
    with broker.connect() as client:
        docs = client("COMMAND", "DOCS")
        for name, entry in zip(docs[::2], docs[1::2]):
            usages[name.decode().upper()] = as_map(entry)["usage"].decode()
    assert len(usages) > 60
    for name, usage in usages.items():
        # Its first line is `NAME arguments` in colours.
        first = cli(broker, "HELP", name, options=["--no-raw"]) or ""
        shown = [line for line in strip(first).splitlines() if line.strip()]
        assert shown, f"no help for {name}"
        assert shown[0].strip().upper().startswith(name)
    text = strip(cli(broker, "HELP", "TASK.ACK"))
    assert "id token [RESULT bytes]" in text and "Marks a task in hand as completed" in text
    text = strip(cli(broker, "HELP", "EXISTS"))
    assert "key [key ...]" in text


def strip(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_redis_cli_hints_while_typing(broker):
    parent, child = pty.openpty()
    # Without a size it would ask the terminal, which is nobody here.
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    process = subprocess.Popen(["redis-cli", "-p", str(broker.port)], stdin=child, stdout=child, stderr=child,
                               env=environment, close_fds=True, start_new_session=True)
    os.close(child)
    seen = b""

    def read_until(wanted):
        nonlocal seen
        deadline = time.monotonic() + 10
        while wanted not in seen:
            assert time.monotonic() < deadline, seen
            if select.select([parent], [], [], 0.1)[0]:
                seen += os.read(parent, 65536)

    try:
        read_until(b"> ")
        os.write(parent, b"worker.quiet ")
        read_until(b"id|*")
        os.write(parent, b"w\r")
        read_until(b"no such worker")
    finally:
        process.kill()
        process.wait()
        os.close(parent)


def test_config_get_knows_the_settings(make_broker):
    broker = make_broker("--max-clients", "77")
    client = redis.Redis(port=broker.port, decode_responses=True)
    settings = client.config_get("*")
    assert settings["max-clients"] == settings["maxclients"] == "77"
    assert settings["durability"] == "always" and settings["appendfsync"] == "always"
    assert set(client.config_get("max*")) >= {"max-clients", "maxclients", "max-data-mb", "maxmemory"}
    assert client.config_get("nothing") == {}
    with pytest.raises(redis.ResponseError):
        client.config_set("maxclients", "1")


def test_clients_are_listed_and_killed(broker):
    with broker.connect() as admin, broker.connect() as victim, broker.connect() as waiting:
        victim("CLIENT", "SETNAME", "victim")
        ids = [int(line.split()[0][3:]) for line in admin("CLIENT", "LIST").decode().splitlines()]
        assert len(ids) == 3 and ids == sorted(ids)
        me, other = admin("CLIENT", "ID"), victim("CLIENT", "ID")
        assert b"name=victim" in admin("CLIENT", "LIST", "ID", other) and admin("CLIENT", "LIST", "TYPE", "pubsub") == b""
        assert admin("CLIENT", "INFO").startswith(b"id=%d " % me)
        assert victim("CLIENT", "GETNAME") == b"victim"
        assert admin("CLIENT", "KILL", "ID", 999999) == 0
        assert admin("CLIENT", "KILL", "1.2.3.4:5") == "ERR No such client"
        assert admin("CLIENT", "KILL", "ID", other) == 1 and victim.at_end()
        waiting.send("TASK.RESERVE", 1, "q", "BLOCK", 0)
        eventually(lambda: b"flags=b" in admin("CLIENT", "LIST"), what="the blocked call")
        address = next(line.split()[1][5:] for line in admin("CLIENT", "LIST").decode().splitlines() if "flags=b" in line)
        assert admin("CLIENT", "KILL", address) == "OK" and waiting.at_end()
        # The killed call takes no task.
        admin("TASK.ADD", "q", "t", "p")
        assert len(tasks(admin("TASK.RESERVE", 1, "q"))) == 1
        assert admin("CLIENT", "KILL", "TYPE", "normal") == 0
        assert admin("CLIENT", "KILL", "ID", me, "SKIPME", "no") == 1 and admin.at_end()


def test_monitor_shows_what_is_run_but_no_passwords(make_broker, tmp_path):
    password = tmp_path / "password"
    password.write_text("opensesame\n")
    password.chmod(0o600)
    broker = make_broker("--password-file", password)
    with broker.connect() as monitor, broker.connect() as client:
        assert monitor("MONITOR").code == "NOAUTH"
        monitor("AUTH", "opensesame")
        assert monitor("MONITOR") == "OK"
        client("AUTH", "default", "opensesame")
        client("HELLO", 3, "AUTH", "default", "opensesame")
        client("TASK.ADD", "q", 'a"b', "x" * 1000)
        client("PING")
        lines = [monitor.read() for _ in range(4)]
        assert not any("opensesame" in line for line in lines)
        assert lines[0].endswith('"AUTH" "(redacted)" "(redacted)"') and '"HELLO" "(redacted)"' in lines[1]
        assert lines[2].endswith('"TASK.ADD" "q" "a\\"b" "' + "x" * 128 + '... (872 more bytes)"')
        assert lines[3].endswith('"PING"') and " [0 127.0.0.1:" in lines[3]
        assert abs(float(lines[3].split()[0]) - time.time()) < 5
        client("ECHO", "last")
        assert '"ECHO"' in monitor.read()
        monitor.send("RESET")
        while (reply := monitor.read()) != "RESET":
            assert '"RESET"' in reply


def test_a_monitor_that_does_not_read_holds_nobody_up(broker):
    with broker.connect() as monitor, broker.connect() as client:
        monitor("MONITOR")
        for _ in range(40):
            client.pipeline([("ECHO", "y" * 100)] * 1000)
        clients = client("CLIENT", "LIST").decode().splitlines()
        unread = max(int(part[5:]) for line in clients for part in line.split() if part.startswith("omem="))
        assert unread < 2 * 1024 * 1024
        seen = []
        monitor.socket.settimeout(0.5)
        client("ECHO", "now")
        try:
            while True:
                seen.append(monitor.read())
        except (TimeoutError, ConnectionError):
            pass
        assert 1000 < len(seen)


def test_slow_commands_are_remembered(broker, client):
    assert client("SLOWLOG", "RESET") == "OK" and client("SLOWLOG", "LEN") == 0
    # A hundred thousand tasks in one command take longer than 10 ms anywhere.
    many = [word for number in range(50000) for word in ("t", str(number))]
    client("TASK.MADD", "q", "TASKS", 50000, *many)
    assert client("SLOWLOG", "LEN") >= 1
    entry = client("SLOWLOG", "GET", 1)[0]
    assert entry[2] >= 10000 and entry[3][0] == b"TASK.MADD" and len(entry[3]) == 32
    assert b"more arguments" in entry[3][-1] and entry[4].startswith(b"127.0.0.1:")
    decoded = redis.Redis(port=broker.port).slowlog_get(10)
    assert decoded[0]["duration"] == entry[2]
    assert len(client("SLOWLOG", "GET", -1)) == client("SLOWLOG", "LEN")
    assert client("SLOWLOG", "RESET") == "OK" and client("SLOWLOG", "GET") == []


def test_redis_py_understands_the_inspection_commands(broker):
    for protocol in (2, 3):
        client = redis.Redis(port=broker.port, protocol=protocol)
        assert client.time()[0] == pytest.approx(time.time(), abs=5)
        assert client.command_count() == len(client.command_list())
        assert client.command_getkeys("EXISTS", "a", "b") in (["a", "b"], [b"a", b"b"])
        assert "task.add" in client.command()
        assert client.memory_usage("@queues") is not None
        info = client.execute_command("BROKER.INFO")
        assert as_map(info)["pid"] == client.info()["process_id"]
        assert client.client_list()[0]["addr"].startswith("127.0.0.1:")
        assert client.client_kill_filter(_id=99999) == 0
        assert client.slowlog_len() == 0
        client.close()


def test_config_set_says_how_settings_are_changed(broker):
    with broker.connect() as client:
        refusal = client("CONFIG", "SET", "maxmemory", "1gb")
        assert refusal.code == "ERR" and all(word in refusal for word in ("flags", "MARTLET_", "configuration file"))


# What dashboards for Redis look for in INFO, and in which section.
INFO_FIELDS = {
    "server": ["redis_version", "redis_mode", "os", "arch_bits", "process_id", "tcp_port", "uptime_in_seconds"],
    "clients": ["connected_clients", "blocked_clients"],
    "memory": ["used_memory", "used_memory_human", "used_memory_rss", "used_memory_peak", "maxmemory",
               "maxmemory_policy", "mem_fragmentation_ratio"],
    "persistence": ["loading", "aof_enabled"],
    "stats": ["total_connections_received", "total_commands_processed", "rejected_connections", "pubsub_channels",
              "evicted_keys"],
    "replication": ["role", "connected_slaves"],
    "cpu": ["used_cpu_sys", "used_cpu_user"],
    "cluster": ["cluster_enabled"],
}


def test_info_has_what_redis_tools_read(broker):
    client = redis.Redis(port=broker.port, protocol=3)
    for section, fields in INFO_FIELDS.items():
        assert set(fields) <= set(client.info(section)), section
    memory = client.info("memory")
    assert memory["used_memory_peak"] >= memory["used_memory"] > 0 and memory["used_memory_human"][-1] in "KMG"
    assert client.info("server")["os"].startswith("Linux ") and client.info("keyspace") == {}
    client.set("a", "1")
    client.execute_command("TASK.ADD", "q", "t", "p")
    assert client.info("keyspace") == {"db0": {"keys": 1}}, "the reserved keys do not count"
    heard = client.pubsub()
    heard.subscribe("news")
    heard.psubscribe("task:*")
    assert heard.get_message(timeout=5) and heard.get_message(timeout=5)
    assert [client.info("stats")[name] for name in ("pubsub_channels", "pubsub_patterns")] == [1, 1]
    heard.close()
    client.close()


@pytest.mark.parametrize("protocol", [2, 3])
def test_scan_and_keys_show_every_reserved_key_there_is(broker, protocol):
    with broker.connect(protocol) as client:
        client("TASK.ADD", "q", "t", "p")
        client("WORKER.HELLO", "w")
        named = {b"@events", b"@queues", b"@worker:w", b"@metrics:tasks:state:pending", b"@queue:q:dlq"}
        assert named <= set(client("KEYS", "@*")) and client("KEYS", "@e*") == [b"@events"]
        assert named <= set(client("SCAN", 0, "MATCH", "@*")[1])
        assert client("SCAN", 0, "MATCH", "@*", "TYPE", "stream") == [b"0", [b"@events"]]
        assert client("KEYS", "*") == [] and client("SCAN", 0)[1] == []


def test_settings_and_clients_as_redis_tells_them(broker):
    client = redis.Redis(port=broker.port, decode_responses=True)
    assert client.config_get("MAX-CLIENTS") == client.config_get("max-clients") == {"max-clients": "10000"}
    heard = client.pubsub()
    heard.subscribe("a", "b")
    heard.psubscribe("task:*")
    eventually(lambda: client.info("stats")["pubsub_patterns"] == 1)
    (listener,) = [row for row in client.client_list() if row["psub"] == "1"]
    assert (listener["sub"], listener["flags"], listener["laddr"]) == ("2", "P", f"127.0.0.1:{broker.port}")
    heard.close()
    client.close()
