"""Limits: never more than they allow, hardly less, whoever asks and however the broker ends."""

import threading
import time

import pytest

from broker import eventually
from wire import as_map, tasks


def get(client, name="api"):
    return as_map(client("LIMIT.GET", name))


class Hammers:
    """Connections that take from one limit without pause and note when each grant was read."""

    def __init__(self, broker, count, *arguments):
        self.grants, self.errors, self.is_over = [], [], False
        self.threads = [threading.Thread(target=self.hammer, args=(broker, arguments)) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def hammer(self, broker, arguments):
        try:
            with broker.connect() as client:
                while not self.is_over:
                    asked = time.monotonic()
                    if client("LIMIT.TAKE", *arguments)[0] == 0:
                        self.grants.append((asked, time.monotonic()))
        except Exception as error:  # seen by the test
            self.errors.append(error)

    def stop(self):
        self.is_over = True
        for thread in self.threads:
            thread.join()
        assert not self.errors, self.errors
        return sorted(self.grants, key=lambda grant: grant[1])


def assert_within(grants, burst, rate, per):
    """No window with more than BURST + RATE·t/PER grants: each is somewhere between its asking and its reply."""
    for first in range(len(grants)):
        for last in range(first + burst, len(grants)):
            window = grants[last][1] - min(grant[0] for grant in grants[first:first + 1])
            assert last - first + 1 <= burst + rate * (window * 1000 + 1) / per, (first, last, window)


def hammer_for(broker, seconds, rate, per, *more):
    with broker.connect() as client:
        assert client("LIMIT.SET", "api", "RATE", rate, "PER", per, *more) == "OK"
    check(Hammers(broker, 10, "api", "BLOCK", 1000), seconds, rate, per, *more)


def check(hammers, seconds, rate, per, *more):
    began = time.monotonic()
    time.sleep(seconds)
    ended = time.monotonic()
    grants = hammers.stop()
    burst = int(more[1]) if more else rate
    assert_within(grants, burst, rate, per)
    # What came in the time, and what was there at its beginning.
    allowed = burst + rate * (ended - began) * 1000 / per
    given = sum(1 for grant in grants if grant[1] <= ended)
    assert given >= 0.99 * allowed - 1, (given, allowed)


def test_ten_connections_get_all_and_no_more(broker):
    hammer_for(broker, 3, 230, 1000, "BURST", 20)


@pytest.mark.slow
def test_ten_connections_get_230_in_10_seconds_for_a_minute(broker):
    hammer_for(broker, 60, 230, 10_000)


class Crew(Hammers):
    """Workers of a queue that is bound to the limit: each takes a task, acknowledges it and waits for the next."""

    def hammer(self, broker, arguments):
        try:
            with broker.connect() as client:
                asked, taken = time.monotonic(), tasks(client("TASK.RESERVE", 1, "q", "BLOCK", 1000))
                while not self.is_over:
                    if not taken:
                        asked, taken = time.monotonic(), tasks(client("TASK.RESERVE", 1, "q", "BLOCK", 1000))
                        continue
                    self.grants.append((asked, time.monotonic()))
                    task, asked = taken[0], time.monotonic()
                    taken = tasks(client("TASK.ACK", task["id"], task["token"], "NEXT", "BLOCK", 1000))
        except Exception as error:  # seen by the test
            self.errors.append(error)


def work_for(broker, seconds, rate, per, *more):
    with broker.connect() as client:
        assert client("LIMIT.SET", "api", "RATE", rate, "PER", per, *more) == "OK"
        client("QUEUE.SET", "q", "LIMIT", "api", "KEEP", 0)
        client("TASK.MADD", "q", "TASKS", 10000, *["t", "p"] * 10000)
        check(Crew(broker, 10), seconds, rate, per, *more)
        assert get(client)["granted"] >= 0.99 * (rate * seconds * 1000 / per)


def test_ten_workers_of_a_limited_queue_get_all_and_no_more(broker):
    work_for(broker, 3, 230, 1000, "BURST", 20)


@pytest.mark.slow
def test_ten_workers_of_a_limited_queue_get_230_in_10_seconds_for_a_minute(broker):
    work_for(broker, 60, 230, 10_000)


@pytest.mark.parametrize("protocol", [2, 3])
def test_what_take_and_get_tell(broker, protocol):
    with broker.connect(protocol) as client:
        for command in (("LIMIT.TAKE", "api"), ("LIMIT.GET", "api"), ("LIMIT.DEL", "api"), ("LIMIT.RESET", "api"),
                        ("LIMIT.GIVE", "api", 1)):
            assert client(*command) == "ERR no such limit 'api'"
        assert client("LIMIT.SET", "api", "RATE", 3, "PER", 60000) == "OK"
        assert client("LIMIT.TAKE", "api")[:4] == [0, 3, 2, -1]
        assert client("LIMIT.TAKE", "api", "COST", 2)[:4] == [0, 3, 0, -1]
        limited, limit, remaining, retry_after, reset = client("LIMIT.TAKE", "api", "COST", 2)
        assert (limited, limit, remaining) == (1, 3, 0)
        assert 39000 < retry_after <= 40000 and 59000 < reset <= 60000
        view = get(client)
        assert list(view) == ["name", "rate", "per", "burst", "slots", "available", "waiting", "granted", "refused",
                              "utilisation"]
        assert (view["rate"], view["per"], view["burst"], view["slots"]) == (3, 60000, 3, None)
        assert (view["available"], view["waiting"], view["granted"], view["refused"]) == (0, 0, 2, 1)
        assert 0 < float(view["utilisation"]) <= 1
        assert "COST 4" in client("LIMIT.TAKE", "api", "COST", 4) and "HOLD" in client("LIMIT.TAKE", "api", "HOLD", 5)
        assert [as_map(view)["name"] for view in client("LIMIT.LIST")] == [b"api"]
        assert client("LIMIT.RESET", "api") == "OK" and get(client)["available"] == 3
        assert client("LIMIT.DEL", "api") == "OK" and client("LIMIT.LIST") == []
        for wrong in (("RATE", 0, "PER", 1), ("RATE", 1), ("PER", 1), ("SLOTS", 0), ("RATE", 1, "PER", 2**53),
                      ("RATE", 2**62, "PER", 1), ("RATE", 1, "PER", 1, "SLOTS", 1), ("SLOTS", 1, "BURST", 1)):
            assert client("LIMIT.SET", "api", *wrong).code == "ERR", wrong


def test_a_new_rate_works_at_once(broker):
    with broker.connect() as client, broker.connect() as waiting:
        client("LIMIT.SET", "api", "RATE", 1, "PER", 3_600_000)
        assert client("LIMIT.TAKE", "api")[0] == 0
        waiting.send("LIMIT.TAKE", "api", "BLOCK", 0)
        eventually(lambda: get(client)["waiting"] == 1)
        started = time.monotonic()
        client("LIMIT.SET", "api", "RATE", 10, "PER", 1000)
        assert waiting.read()[0] == 0 and time.monotonic() - started < 2
        # Who waits for what can never be is told so.
        client("LIMIT.SET", "api", "RATE", 5, "PER", 3_600_000)
        client("LIMIT.RESET", "api")
        client("LIMIT.TAKE", "api", "COST", 5)
        waiting.send("LIMIT.TAKE", "api", "COST", 5, "BLOCK", 0)
        eventually(lambda: get(client)["waiting"] == 1)
        client("LIMIT.SET", "api", "RATE", 1, "PER", 3_600_000)
        assert "COST 5" in waiting.read()
        waiting.send("LIMIT.TAKE", "api", "BLOCK", 0)
        eventually(lambda: get(client)["waiting"] == 1)
        client("LIMIT.DEL", "api")
        assert waiting.read() == "ERR no such limit 'api'"


def test_who_waits_is_served_in_order_and_at_its_time(broker):
    with broker.connect() as client, broker.connect() as first, broker.connect() as second:
        client("LIMIT.SET", "api", "RATE", 10, "PER", 1000, "BURST", 2)
        client("LIMIT.TAKE", "api", "COST", 2)
        started = time.monotonic()
        first.send("LIMIT.TAKE", "api", "COST", 2, "BLOCK", 0)
        eventually(lambda: get(client)["waiting"] == 1)
        second.send("LIMIT.TAKE", "api", "BLOCK", 0)
        eventually(lambda: get(client)["waiting"] == 2)
        # Nobody passes those who wait.
        assert client("LIMIT.TAKE", "api")[0] == 1
        assert first.read()[0] == 0 and 0.19 < time.monotonic() - started < 0.29
        assert second.read()[0] == 0 and 0.29 < time.monotonic() - started < 0.45
        client("LIMIT.SET", "api", "RATE", 1, "PER", 3_600_000)
        started = time.monotonic()
        limited = client("LIMIT.TAKE", "api", "BLOCK", 50)
        assert limited[0] == 1 and limited[3] > 0 and 0.045 < time.monotonic() - started < 1
        # Who hangs up waits no more.
        second.send("LIMIT.TAKE", "api", "BLOCK", 0)
        eventually(lambda: get(client)["waiting"] == 1)
        second.close()
        eventually(lambda: get(client)["waiting"] == 0)


def test_slots_are_given_back_or_run_out(broker):
    with broker.connect() as client, broker.connect() as waiting:
        client("LIMIT.SET", "db", "SLOTS", 2)
        assert "HOLD" in client("LIMIT.TAKE", "db")
        one = client("LIMIT.TAKE", "db", "HOLD", 60000)
        two = client("LIMIT.TAKE", "db", "HOLD", 60000)
        assert one[:4] == [0, 2, 1, -1] and two[:4] == [0, 2, 0, -1] and one[5] != two[5]
        full = client("LIMIT.TAKE", "db", "HOLD", 60000)
        assert full[0] == 1 and 50000 < full[3] <= 60000 and full[5:] == [None]
        waiting.send("LIMIT.TAKE", "db", "HOLD", 150, "BLOCK", 0)
        eventually(lambda: get(client, "db")["waiting"] == 1)
        assert client("LIMIT.GIVE", "db", one[5]) == 1 and client("LIMIT.GIVE", "db", one[5]) == 0
        assert waiting.read()[0] == 0
        # Its HOLD passes, and nobody asks before.
        started = time.monotonic()
        assert client("LIMIT.TAKE", "db", "HOLD", 60000, "BLOCK", 5000)[0] == 0
        assert 0.05 < time.monotonic() - started < 1
        assert get(client, "db")["available"] == 0


def test_a_nonce_takes_once(broker):
    with broker.connect() as client:
        client("LIMIT.SET", "db", "SLOTS", 2)
        taken = client("LIMIT.TAKE", "db", "HOLD", 60000, "REQ", "n")
    broker.kill()
    broker.start()
    with broker.connect() as client:
        assert client("LIMIT.TAKE", "db", "HOLD", 60000, "REQ", "n") == taken
        assert client("LIMIT.TAKE", "db", "HOLD", 60001, "REQ", "n").code == "ERR"
        assert get(client, "db")["available"] == 1


def test_a_crash_gives_nothing_away(broker):
    with broker.connect() as client:
        client("LIMIT.SET", "api", "RATE", 5, "PER", 3_600_000)
        client("LIMIT.SET", "db", "SLOTS", 3)
        assert client("LIMIT.TAKE", "api", "COST", 4)[2] == 1
        permit = client("LIMIT.TAKE", "db", "HOLD", 60000)[5]
        client("LIMIT.TAKE", "db", "HOLD", 300)
        before = get(client), get(client, "db")
    broker.kill()
    broker.start()
    with broker.connect() as client:
        after = get(client), get(client, "db")
        assert [{**view, "utilisation": 0} for view in after] == [{**view, "utilisation": 0} for view in before]
        assert client("LIMIT.TAKE", "api", "COST", 2)[0] == 1
        eventually(lambda: get(client, "db")["available"] == 2)
        assert client("LIMIT.GIVE", "db", permit) == 1 and get(client, "db")["available"] == 3


def test_hammering_over_a_crash_stays_within_the_bound(broker):
    with broker.connect() as client:
        client("LIMIT.SET", "api", "RATE", 100, "PER", 1000, "BURST", 10)
    grants = []
    for _ in range(3):
        end = time.monotonic() + 0.5
        with broker.connect() as client:
            while time.monotonic() < end:
                asked = time.monotonic()
                if client("LIMIT.TAKE", "api", "BLOCK", 20)[0] == 0:
                    grants.append((asked, time.monotonic()))
        broker.kill()
        broker.start()
    assert len(grants) > 100
    assert_within(grants, 10, 100, 1000)


def test_keepalives_tell_who_waits_that_the_broker_lives(broker):
    with broker.connect(3) as client:
        client("LIMIT.SET", "api", "RATE", 1, "PER", 600)
        client("LIMIT.TAKE", "api")
        client.send("LIMIT.TAKE", "api", "BLOCK", 0, "KEEPALIVE", 200)
        replies = [client.read()]
        while replies[-1][0] == b"keepalive":
            replies.append(client.read())
        assert len(replies) > 1 and replies[0] == [b"keepalive", 1] and replies[-1][0] == 0
