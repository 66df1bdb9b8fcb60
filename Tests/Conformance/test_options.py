"""Options come in any order, each with every other, each at most once: for every command that has several."""

import itertools

import pytest

from broker import Broker
from wire import Refusal, tasks

ADD = ["PRIORITY 7", "DELAY 100000", "RETRIES 2", "BACKOFF FIXED 100", "JITTER 0", "LEASE 5000", "TIMEOUT 60000",
       "TTL 600000", "KEEP 1000", "GROUP g", "ORDER o", "LIMIT api COST 1", "TAGS 2 a b", "META 1 k v", "FULL"]
ONE = ["UNIQUE {new} FOR 60000 ON ERROR", "AFTER 1 {task} ONDEAD RUN", "BATCH {batch}", "REQ {new}"]
WHERE = ["QUEUE q", "STATE PENDING", "TYPE t", "TAG a", "KIND k", "OLDER 1", "MAX 5", "RATE 100", "DRYRUN", "REQ {new}"]

# What comes before the options, the options, and what comes behind them. `{held}` is a task in hand with its token.
COMMANDS = {
    "TASK.ADD": ("q t p", ADD + ONE, ""),
    "TASK.MADD": ("q", ADD + ONE[1:], "TASKS 1 t p"),
    "TASK.RESERVE": ("1 empty", ["COUNT 2", "BLOCK 1", "LEASE 100", "WORKER w", "MODE WEIGHTED 3", "KEEPALIVE 50",
                                 "REQ {new}"], ""),
    "TASK.ACK": ("{held}", ["RESULT r", "REQ {new}", "ADD 5 q t p PRIORITY 9"], ""),
    "TASK.FAIL": ("{held} m", ["KIND k", "TRACE t", "RETRY 5", "REQ {new}"], ""),
    "TASK.RELEASE": ("{held}", ["DELAY 5", "PRIORITY 9", "REQ {new}"], ""),
    "TASK.TOUCH": ("{held}", ["LEASE 60000", "PROGRESS 5", "NOTE n", "REQ {new}"], ""),
    "TASK.LOGS": ("{task}", ["ATTEMPT 1", "CURSOR 0", "COUNT 5"], ""),
    "TASK.GET": ("{task}", ["PAYLOAD", "HISTORY"], ""),
    "TASK.LIST": ("q", ["STATE PENDING", "TYPE t", "TAG a", "KIND k", "WORKER w", "GROUP g", "BY ADDED", "REV",
                        "CURSOR 0", "COUNT 5"], ""),
    "TASK.MOVE": ("{task}", ["PRIORITY 8", "AT 5", "QUEUE q", "REQ {new}"], ""),
    "TASK.BULK": ("MOVE PRIORITY 5 QUEUE other WHERE", WHERE, ""),
    "WORKER.HELLO": ("w", ["HOST h", "PID 5", "SLOTS 2", "QUEUES 2 a b", "LIB py 1", "REQ {new}"], ""),
    "WORKER.BEAT": ("w", ["RSS 5", "BUSY 1", "EXTEND 1 {task} 1", "REQ {new}"], ""),
    "QUEUE.SET": ("set", ADD[:1] + ADD[2:9] + [
        "KEEPMAX 5", "RETRYSHARE 20", "DLQMAX 5", "MAXLEN 100", "CONCURRENCY 5", "GROUPCONCURRENCY 2", "AGING 1000",
        "FAIR on", "LIMIT api", "BREAKER calls", "REQ {new}"], ""),
    "QUEUE.PAUSE": ("set", ["ALL", "FOR 1000", "REQ {new}"], ""),
    "DLQ.LIST": ("q", ["BY KIND", "CURSOR 0", "COUNT 5"], ""),
    "DLQ.REPLAY": ("q", ["TYPE t", "KIND k", "MAX 5", "RATE 5", "DRYRUN", "REQ {new}"], ""),
    "CRON.SET": ("c q t p", ["EVERY 100000", "TZ UTC", "OVERLAP SKIP", "CATCHUP ALL", "REQ {new}", *ADD[:-1]], ""),
    "LIMIT.SET": ("rate", ["RATE 5", "PER 1000", "BURST 9", "REQ {new}"], ""),
    "LIMIT.TAKE": ("slots", ["COST 1", "HOLD 1", "BLOCK 1", "KEEPALIVE 50", "REQ {new}"], ""),
    "BREAKER.SET": ("b", ["FAILS 5", "PER 1000", "COOL 1000", "PROBES 1", "KINDS 2 a b", "REQ {new}"], ""),
}
# Without all of these the command is refused.
NEEDED = {"TASK.BULK": 2, "CRON.SET": 1, "LIMIT.SET": 2, "BREAKER.SET": 4, "LIMIT.TAKE": 2, "QUEUE.PAUSE": 1}


class Sender:
    """Fills in what a command needs to be accepted."""

    def __init__(self, client):
        self.client, self.number = client, 0
        client("TASK.ADD", "q", "t", "p")
        client("LIMIT.SET", "api", "RATE", 1_000_000, "PER", 1)
        client("LIMIT.SET", "slots", "SLOTS", 10_000)
        client("BREAKER.SET", "calls", "FAILS", 1000, "PER", 1, "COOL", 1, "PROBES", 1)
        self.batch = client("BATCH.NEW").decode()

    def __call__(self, name, *parts):
        text = " ".join(part for part in parts if part)
        self.number += 1
        known = {"new": f"n{self.number}", "batch": self.batch, "task": "", "held": ""}
        if "{task}" in text:
            known["task"] = self.client("TASK.ADD", "other", "t", "p").decode()
        if "{held}" in text:
            self.client("TASK.ADD", "held", "t", "p")
            (task,) = tasks(self.client("TASK.RESERVE", 1, "held"))
            known["held"] = f"{task['id'].decode()} {task['token']}"
        return self.client(name, *text.format(**known).split())


@pytest.fixture(scope="module")
def send(tmp_path_factory):
    broker = Broker(tmp_path_factory.mktemp("options") / "data").start()
    with broker.connect() as client:
        yield Sender(client)
    broker.close()


@pytest.mark.parametrize("name", COMMANDS)
def test_options_go_with_each_other_in_any_order(send, name):
    before, options, behind = COMMANDS[name]
    needed = options[:NEEDED.get(name, 0)]
    for pair in itertools.permutations(options, 2):
        rest = [option for option in needed if option not in pair]
        reply = send(name, before, *rest, *pair, behind)
        assert not isinstance(reply, Refusal), (pair, reply)
    for order in (options, options[::-1]):
        reply = send(name, before, *order, behind)
        assert not isinstance(reply, Refusal), reply


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_comes_once(send, name):
    before, options, behind = COMMANDS[name]
    for option in options:
        word = option.split()[0]
        if word in ("LIMIT", "ADD") and name != "QUEUE.SET":
            continue
        rest = [other for other in options[:NEEDED.get(name, 0)] if other != option]
        reply = send(name, before, *rest, option, option.lower() if "{" not in option else option, behind)
        near = word if option.islower() or "{" in option else word.lower()
        assert getattr(reply, "code", reply) == "ERR" and f"syntax error near '{near}'" in reply, (option, reply)
        reply = send(name, before, *rest, option, "NONSENSE", behind)
        assert reply == "ERR syntax error near 'NONSENSE'" or name == "TASK.RESERVE" and "NONSENSE" in reply, reply
