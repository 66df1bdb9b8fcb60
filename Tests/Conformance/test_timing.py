"""When things happen: idle means idle, due tasks start on time, blocked callers are woken at once."""

import pathlib
import time

import pytest

from wire import as_map, tasks


def voluntary_switches(pid):
    """Context switches that the threads of a process chose to make."""
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


def idle_switches(broker, seconds):
    before = voluntary_switches(broker.process.pid)
    time.sleep(seconds)
    return voluntary_switches(broker.process.pid) - before


def schedule(client, count, batch=1000):
    command = ("TASK.MADD", "q", "DELAY", 86_400_000, "TASKS", batch, *["t", "p"] * batch)
    for _ in range(count // batch // 10):
        client.pipeline([command] * 10)


@pytest.mark.parametrize("count, seconds", [(10_000, 2), pytest.param(1_000_000, 10, marks=pytest.mark.slow)])
def test_nothing_wakes_while_nothing_is_due(broker, count, seconds):
    with broker.connect() as client, broker.connect() as waiting:
        schedule(client, count)
        assert as_map(client("QUEUE.INFO", "q"))["scheduled"] == count
        waiting.send("TASK.RESERVE", 1, "q", "BLOCK", 0)
        assert client("PING") == "PONG"
        switches = idle_switches(broker, seconds)
        print(f"{count} scheduled tasks: {switches} voluntary context switches in {seconds} s")
        assert switches <= 20


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def lateness(broker, count=80, spacing=25):
    """How late a waiting worker gets tasks that become due one after another, and what one durable command takes at
    the same time: the 99th percentiles, in milliseconds."""
    with broker.connect() as client, broker.connect() as worker:
        client.pipeline([("TASK.ADD", "q", "t", "p", "DELAY", 300 + spacing * number) for number in range(count)])
        late, durable = [], []
        for _ in range(count):
            (task,) = tasks(worker("TASK.RESERVE", 1, "q", "BLOCK", 5000))
            late.append(time.time() * 1000 - task["run_at"])
            started = time.monotonic()
            client("TASK.ADD", "other", "t", "p")
            durable.append((time.monotonic() - started) * 1000)
    assert min(late) >= -1
    return percentile(late, 0.99), percentile(durable, 0.99)


def test_due_tasks_start_on_time(broker):
    # The goal is 5 ms on an idle machine. Tests may share theirs, with its disk: then a start, which is one durable
    # command, is measured against another; and one quiet run of three is enough.
    for _ in range(3):
        late, durable = lateness(broker)
        print(f"lateness p99 {late:.1f} ms, a durable command beside it p99 {durable:.1f} ms")
        if late <= max(5, 2 * durable):
            return
    raise AssertionError(f"p99 lateness {late:.1f} ms")


def test_a_blocked_caller_gets_nothing_when_its_time_is_up(broker):
    with broker.connect() as client:
        started = time.monotonic()
        assert client("TASK.RESERVE", 1, "q", "BLOCK", 300) is None
        assert 0.29 <= time.monotonic() - started <= 1


def test_blocked_callers_are_served_in_the_order_in_which_they_came(broker):
    clients = [broker.connect() for _ in range(10)]
    with broker.connect() as producer:
        for number, client in enumerate(clients):
            client.send("TASK.RESERVE", 2, "none", "q", "BLOCK", 0)
            while f"blocked_clients:{number + 1}\r".encode() not in producer("INFO", "clients"):
                pass
        ids = [producer("TASK.ADD", "q", "t", "p") for _ in clients]
        assert [tasks(client.read())[0]["id"] for client in clients] == ids
    for client in clients:
        client.close()


def test_a_caller_that_hung_up_is_given_nothing(broker):
    with broker.connect() as producer:
        with broker.connect() as gone:
            gone.send("TASK.RESERVE", 1, "q", "BLOCK", 0)
            while b"blocked_clients:1\r" not in producer("INFO", "clients"):
                pass
        while b"blocked_clients:0\r" not in producer("INFO", "clients"):
            pass
        id = producer("TASK.ADD", "q", "t", "p")
        (task,) = tasks(producer("TASK.RESERVE", 1, "q"))
        assert task["id"] == id and task["attempt"] == 1
