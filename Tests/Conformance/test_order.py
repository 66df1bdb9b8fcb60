"""Order of hand-out under load: no priority inversion, first in first out among equals, by token order."""

import random
import threading

import pytest

from wire import encode, tasks


def fill(broker, count, batch=1000):
    """Adds `count` tasks of mixed priorities, many connections' worth in one; ids in the order of their addition."""
    priorities = {}
    source = random.Random(1)
    with broker.connect() as client:
        left = count
        while left:
            commands = []
            for _ in range(min(left // batch + 1, 20)):
                size = min(batch, left)
                if not size:
                    break
                priority = source.randint(1, 10)
                commands.append((priority, ("TASK.MADD", "q", "PRIORITY", priority, "TASKS", size, *["t", "p"] * size)))
                left -= size
            for (priority, _), ids in zip(commands, client.pipeline([command for _, command in commands])):
                priorities.update(dict.fromkeys(ids, priority))
    return priorities


def drain(broker, workers, batch):
    """Takes everything with many connections at once; (token, id) of every hand-out."""
    taken, lock = [], threading.Lock()

    def work():
        mine = []
        with broker.connect() as client:
            while got := tasks(client("TASK.RESERVE", 1, "q", "COUNT", batch, "LEASE", 3600000)):
                mine += [(task["token"], task["id"]) for task in got]
                client.socket.sendall(encode(
                    "TASK.MACK", len(got), *[part for task in got for part in (task["id"], task["token"])]))
                assert all(reply == "OK" for reply in client.read())
        with lock:
            taken.extend(mine)

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


@pytest.mark.parametrize("count", [20_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_no_inversion_in_many_hand_outs(broker, count):
    priorities = fill(broker, count, batch=max(10, count // 1000))
    taken = sorted(drain(broker, workers=16, batch=50))
    assert len(taken) == count and len({token for token, _ in taken}) == count
    assert {id for _, id in taken} == priorities.keys()
    order = [(-priorities[id], id) for _, id in taken]
    inversions = sum(left > right for left, right in zip(order, order[1:]))
    assert inversions == 0


def test_many_tasks_due_at_once_after_downtime_come_in_order(broker):
    with broker.connect() as client:
        source = random.Random(2)
        delays = [source.randint(100, 400) for _ in range(2_000)]
        added = client.pipeline([("TASK.ADD", "q", "t", "p", "DELAY", delay, "FULL") for delay in delays])
        due = {reply[1]: reply[7] for reply in added}
    broker.kill()
    threading.Event().wait(0.5)
    broker.start()
    taken = [id for _, id in sorted(drain(broker, workers=4, batch=7))]
    assert len(taken) == len(due)
    assert taken == sorted(taken, key=lambda id: (due[id], id))
