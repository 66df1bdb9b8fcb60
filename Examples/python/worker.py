#!/usr/bin/env python3
"""Runs tasks from Martlet with plain redis-py, one at a time. SIGTERM lets the task in hand finish."""

import argparse
import collections
import json
import os
import signal
import threading
import uuid

import redis
from producer import as_map, ask


def word_count(payload, task, check):
    for _ in range(payload.get("rounds", 1)):
        check()  # raises when the task was cancelled or its lease is lost
    return dict(collections.Counter(payload["text"].split()))


def flaky(payload, task, check):
    if task["attempt"] <= payload["failures"]:
        raise ConnectionError(f"attempt {task['attempt']} was to fail")
    return {"attempt": task["attempt"]}


class Worker:
    def __init__(self, given, handlers):
        self.broker, self.beats = (redis.Redis(given.host, given.port, protocol=given.protocol) for _ in range(2))
        self.queue, self.beat, self.handlers = given.queue, given.beat, handlers
        self.name = f"python-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self.stopping, self.resting, self.held, self.given_up = threading.Event(), False, None, None

    def keep_beating(self):  # on a connection of its own: extends the lease, brings cancellations and orders
        while not threading.Event().wait(self.beat):
            extend = ("EXTEND", 1, *held) if (held := self.held) else ()
            orders = as_map(ask(self.beats, "WORKER.BEAT", self.name, *extend, until=self.stopping))
            self.given_up = held if held and held[0] in orders["cancel"] + orders["lost"] else self.given_up
            self.resting = orders["state"] == b"quiet"
            if orders["state"] == b"stop":
                self.stopping.set()

    def run(self):
        hello = "WORKER.HELLO", self.name, "PID", os.getpid(), "SLOTS", 1, "QUEUES", 1, self.queue
        ask(self.beats, *hello, until=self.stopping)
        threading.Thread(target=self.keep_beating, daemon=True).start()
        while not self.stopping.wait(self.beat if self.resting else 0):
            # redis-py gives up on 5 silent seconds; in RESP2 there are no signs of life, so BLOCK has to be shorter.
            command = ("TASK.RESERVE", 1, self.queue, "BLOCK", 1000, "WORKER", self.name, "REQ", uuid.uuid4().hex)
            for task in not self.resting and ask(self.broker, *command, until=self.stopping) or []:
                self.work(as_map(task))
        ask(self.beats, "WORKER.BYE", self.name, "REQ", uuid.uuid4().hex, until=self.stopping)

    def check(self):
        if self.given_up == self.held:
            raise InterruptedError("cancelled")

    def work(self, task):
        self.held = (task["id"], task["token"])
        try:
            result = self.handlers[task["type"].decode()](json.loads(task["payload"]), task, self.check)
            answer = "TASK.ACK", *self.held, "RESULT", json.dumps(result)
        except Exception as error:
            answer = "TASK.FAIL", *self.held, str(error) or "failed", "KIND", type(error).__name__
        try:
            ask(self.broker, *answer, "REQ", uuid.uuid4().hex, until=self.stopping)
        except redis.ResponseError as error:  # LEASELOST: another worker has it by now
            print(f"{task['id'].decode()}: {error}", flush=True)
        self.held = None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Runs tasks from Martlet.")
    for name, default in ("host", "127.0.0.1"), ("port", 7379), ("protocol", 3), ("queue", "python"), ("beat", 10.0):
        parser.add_argument(f"--{name}", type=type(default), default=default)
    worker = Worker(parser.parse_args(), {"word_count": word_count, "flaky": flaky})
    signal.signal(signal.SIGTERM, lambda *_: worker.stopping.set())
    worker.run()
