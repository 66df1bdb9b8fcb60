"""The power fails under load: unflushed sectors are lost, reordered, torn. What was answered is there all the same."""

import random

import pytest

import power_cut
from broker import Broker
from wire import Refusal, as_map, encode, tasks


def size_of(reply):
    """Bytes of a reply of RESP2."""
    if reply is None:
        return 5
    if isinstance(reply, str):
        return len(reply.encode()) + 3
    if isinstance(reply, int):
        return len(str(reply)) + 3
    inner = sum(map(size_of, reply)) if isinstance(reply, list) else len(reply) + 2
    return len(str(len(reply))) + 3 + inner


class Load:
    """One client that adds and acknowledges, and what it was promised: [(bytes it had read by then, promise)]."""

    def __init__(self, client, seed):
        self.client, self.random = client, random.Random(seed)
        self.read = 0
        self.promises = []
        # Gone once they are acknowledged, and an acknowledgement was sent: these may be missing.
        self.fleeting, self.acking = set(), set()

    def ask(self, commands):
        """Sends all at once; each answer as it comes."""
        self.client.socket.sendall(b"".join(encode(*command) for command in commands))
        for _ in commands:
            reply = self.client.read()
            self.read += size_of(reply)
            yield reply

    def round(self, number):
        size = self.random.choice([10, 10, 300, 300, 3_000, 300_000 if number % 40 == 0 else 20_000])
        payload, keep = self.random.randbytes(size), self.random.choice([0, 86_400_000])
        add = ("TASK.ADD", "q", "t", payload, "KEEP", keep)
        # Now and then so many in one read that their group is flushed beside the next one.
        count = 80 if size == 10 else self.random.randint(1, 6)
        for id in self.ask([add] * count):
            self.promises.append((self.read, ("added", id, payload)))
            if not keep:
                self.fleeting.add(id)
        if self.random.random() < 0.6:
            reserve = ("TASK.RESERVE", 1, "q", "COUNT", self.random.randint(1, 5), "LEASE", 86_400_000)
            held = tasks(*self.ask([reserve]))
            self.acking |= {task["id"] for task in held}
            for task, answer in zip(held, self.ask([("TASK.ACK", task["id"], task["token"]) for task in held])):
                assert answer == "OK", answer
                self.promises.append((self.read, ("acked", task["id"], None)))


def check(broker, promises, may_be_gone):
    """Everything promised is so, and the counters are what the queue gives."""
    acked = {id for kind, id, _ in promises if kind == "acked"}
    payloads = {id: payload for kind, id, payload in promises if kind == "added"}
    with broker.connect() as client:
        waiting = set()
        for id, reply in zip(payloads, client.pipeline([("TASK.GET", id, "PAYLOAD") for id in payloads])):
            if isinstance(reply, Refusal):
                # KEEP 0: gone with its acknowledgement, which may have become durable unanswered.
                assert reply.code == "NOTASK" and id in may_be_gone, f"{id} was promised: {reply}"
                continue
            view = as_map(reply)
            assert view["payload"] == payloads[id]
            assert view["state"] == b"COMPLETED" or id not in acked, f"{id} was acknowledged: {view['state']}"
            if view["state"] == b"PENDING":
                waiting.add(id)
        info = client("QUEUE.INFO", "q")
        pending = 0 if isinstance(info, Refusal) else as_map(info)["pending"]
        taken = []
        while some := tasks(client("TASK.RESERVE", 1, "q", "COUNT", 1_000)):
            taken += [task["id"] for task in some]
        assert len(taken) == len(set(taken)) == pending and waiting <= set(taken)
        assert not isinstance(client("TASK.ADD", "q", "t", "goes on"), Refusal)


@pytest.mark.parametrize("cuts", [15, pytest.param(250, marks=pytest.mark.slow)])
def test_a_power_cut_takes_nothing_back_that_was_answered(make_broker, recorder, tmp_path, cuts):
    record, chance = tmp_path / "record", random.Random(cuts)
    environment = {"LD_PRELOAD": str(recorder), "RECORD_TO": str(record), "RECORD_BELOW": str(tmp_path / "data")}
    broker = make_broker("--journal-mb", 1, environment=environment)
    with broker.connect() as client:
        load = Load(client, cuts)
        for number in range(400):
            load.round(number)
    broker.kill()
    everything = list(power_cut.records(record))
    flushed = {name.rsplit("/", 1)[-1] for kind, name, _, _ in everything if kind == "f"}
    assert {"journal", "data.mdb"} <= flushed, flushed
    started = next(number for number, (kind, *_) in enumerate(everything) if kind == "s")
    # Half of the cuts anywhere, half just after replies, the more the more was told.
    told = [number + 1 for number, (kind, *_) in enumerate(everything) if kind == "s"]
    weights = [everything[number - 1][3].count(b"\r\n") for number in told]
    moments = chance.sample(range(started, len(everything)), cuts // 2)
    moments = sorted({*moments, *chance.choices(told, weights, k=cuts - cuts // 2)})
    replayed = 0
    for number, (disk, sent) in enumerate(power_cut.images(record, moments)):
        answered = max(sent.values(), default=0)
        promises = [promise for at, promise in load.promises if at <= answered]
        directory = tmp_path / f"cut{number}"
        directory.mkdir(mode=0o700)
        disk.cut(directory, chance, survive=chance.choice([0, 0.5, 0.9, 1]))
        after = Broker(directory)
        try:
            check(after.start(), promises, load.fleeting & load.acking)
        finally:
            after.close()
        replayed += len(promises)
    print(f"{len(moments)} power cuts, {replayed} promises looked after")
    assert replayed > 100 * len(moments)
