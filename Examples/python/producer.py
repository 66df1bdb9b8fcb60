#!/usr/bin/env python3
"""Submits tasks to Martlet with plain redis-py and waits for their results.

    producer.py word_count '{"text": "to be or not to be"}' '{"text": "..."}'
"""

import argparse
import json
import sys
import threading
import uuid

import redis


def as_map(reply):
    """A map of either protocol with text for keys: RESP2 has it as a flat list."""
    pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2])
    return {key.decode(): value for key, value in pairs}


def ask(broker, *command, until=threading.Event()):
    """The broker's answer; while it is away it is asked again, unless `until` is set. A nonce makes that harmless."""
    while True:
        try:
            return broker.execute_command(*command)
        except (redis.ConnectionError, redis.TimeoutError):
            if until.wait(1):
                raise


def submit(broker, queue, type, payload, *options):
    """The id of a new task. The nonce makes sending the command again harmless, whatever became of the first."""
    nonce = uuid.uuid4().hex
    return ask(broker, "TASK.ADD", queue, type, json.dumps(payload), *options, "REQ", nonce).decode()


def wait(broker, ids):
    """How the tasks ended, in their order, once all have."""
    while True:
        reply = ask(broker, "TASK.WAIT", len(ids), *ids, "BLOCK", 3000)
        ends = [as_map(end) for end in reply]
        if all(end["state"] in (None, b"COMPLETED", b"DLQ", b"CANCELLED", b"EXPIRED") for end in ends):
            return ends


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7379)
    parser.add_argument("--protocol", type=int, choices=(2, 3), default=3)
    parser.add_argument("--queue", default="python")
    parser.add_argument("--priority", type=int, default=5)
    parser.add_argument("--retries", type=int, default=3)
    parser.add_argument("type", help="what the worker calls it: word_count or flaky")
    parser.add_argument("payload", nargs="+", type=json.loads, help="JSON, one task each")
    given = parser.parse_args()
    broker = redis.Redis(given.host, given.port, protocol=given.protocol)
    options = ("PRIORITY", given.priority, "RETRIES", given.retries, "BACKOFF", "EXPONENTIAL", 50, 1000)
    ids = [submit(broker, given.queue, given.type, payload, *options) for payload in given.payload]
    failed = 0
    for id, end in zip(ids, wait(broker, ids)):
        text = (end["result"] if end["state"] == b"COMPLETED" else end["error"]) or b""
        failed += end["state"] != b"COMPLETED"
        print(id, (end["state"] or b"GONE").decode(), text.decode())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
