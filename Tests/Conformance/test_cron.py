"""Tasks that the clock adds."""

import datetime
import time
import zoneinfo

import pytest

from broker import eventually
from wire import Refusal, as_map, field_names, tasks

FIELDS = ("name queue type spec every tz overlap catchup paused last_run last_id next_run runs").split()


def entry(client, name):
    return as_map(client("CRON.GET", name))


def runs(client, name):
    return entry(client, name)["runs"]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])
@pytest.mark.parametrize("protocol", [2, 3])
def test_next_runs_are_at_the_local_time_the_line_says(broker, zone, protocol):
    with broker.connect(protocol) as client:
        assert client("CRON.SET", "daily", "q", "t", "p", "SPEC", "30 7 * * MON-FRI", "TZ", zone) == "OK"
        times = client("CRON.NEXT", "daily", 400)
        assert len(times) == 400 and times == sorted(set(times)) and times[0] > time.time() * 1000
        for at in times:
            local = datetime.datetime.fromtimestamp(at / 1000, zoneinfo.ZoneInfo(zone))
            assert (local.hour, local.minute, local.second) == (7, 30, 0) and local.weekday() < 5
        assert field_names(client("CRON.GET", "daily")) == FIELDS
        assert entry(client, "daily")["next_run"] == times[0]


@pytest.mark.parametrize("protocol", [2, 3])
def test_the_last_fifty_runs_are_told_after_a_crash_too(broker, protocol):
    with broker.connect(protocol) as client:
        client("CRON.SET", "daily", "q", "t", "p", "SPEC", "30 7 * * *")
        assert as_map(client("CRON.GET", "daily", "HISTORY"))["history"] == []
        ids = [client("CRON.RUN", "daily") for _ in range(60)]
    broker.kill()
    broker.start()
    with broker.connect(protocol) as client:
        reply = client("CRON.GET", "daily", "HISTORY")
        assert field_names(reply) == [*FIELDS, "history"]
        runs = [as_map(run) for run in as_map(reply)["history"]]
        assert [run["id"] for run in runs] == ids[10:]
        assert [run["at"] for run in runs] == sorted(run["at"] for run in runs)
        assert runs[-1]["at"] == entry(client, "daily")["last_run"]
        assert "syntax" in client("CRON.GET", "daily", "EVER")


def test_each_tick_runs_once_however_many_look(broker):
    with broker.connect() as client, broker.connect() as other:
        client("CRON.SET", "often", "q", "t", "payload", "EVERY", 100, "PRIORITY", 7, "TAGS", 1, "cron")
        ids = []
        for turn in range(12):
            looking = other if turn % 2 else client
            for task in tasks(looking("TASK.RESERVE", 1, "q", "COUNT", 10, "BLOCK", 3_000)):
                assert (task["payload"], task["priority"], task["tags"]) == (b"payload", 7, [b"cron"])
                ids.append(task["id"])
        client("CRON.PAUSE", "often")
        ids += [task["id"] for task in tasks(client("TASK.RESERVE", 1, "q", "COUNT", 100))]
        found = entry(client, "often")
        assert found["paused"] == 1 and found["next_run"] is None and found["last_id"] == ids[-1]
        assert len(ids) == len(set(ids)) == found["runs"] >= 12


def test_what_was_missed_is_made_up_for_as_it_says(broker):
    with broker.connect() as client:
        for catchup in ("NONE", "ONE", "ALL"):
            client("CRON.SET", catchup, catchup, "t", "p", "EVERY", 4_000, "CATCHUP", catchup)
        starts = {name: entry(client, name)["next_run"] for name in ("NONE", "ONE", "ALL")}
    broker.kill()
    last = max(starts.values())
    eventually(lambda: time.time() * 1000 > last + 4_000 + 1_500, within=20, what="two ticks and a second")
    broker.start()
    with broker.connect() as client:
        counts = {name: len(tasks(client("TASK.RESERVE", 1, name, "COUNT", 100))) for name in starts}
        assert counts["NONE"] == 0 and counts["ONE"] == 1 and counts["ALL"] == 2, counts


def test_a_run_is_left_out_while_the_last_one_goes_on(broker):
    with broker.connect() as client:
        client("CRON.SET", "alone", "q", "t", "p", "EVERY", 100, "OVERLAP", "SKIP")
        (task,) = tasks(client("TASK.RESERVE", 1, "q", "BLOCK", 3_000))
        assert client("TASK.RESERVE", 1, "q", "BLOCK", 450) is None and runs(client, "alone") == 1
        client("TASK.ACK", task["id"], task["token"])
        assert tasks(client("TASK.RESERVE", 1, "q", "BLOCK", 3_000)) and runs(client, "alone") == 2


def test_an_entry_is_changed_run_paused_and_removed_and_outlives_the_process(broker):
    with broker.connect() as client:
        yearly = ("CRON.SET", "yearly", "q", "t", "p", "SPEC", "0 0 1 1 *", "TZ", "Pacific/Auckland", "DELAY", 60_000)
        assert client(*yearly, "REQ", "a") == "OK" and client(*yearly, "REQ", "a") == "OK"
        id = client("CRON.RUN", "yearly", "REQ", "b")
        assert client("CRON.RUN", "yearly", "REQ", "b") == id
        assert as_map(client("TASK.GET", id))["state"] == b"SCHEDULED"
        before = entry(client, "yearly")
        assert client(*yearly) == "OK" and entry(client, "yearly") == before
        assert client("CRON.PAUSE", "yearly") == "OK"
    broker.kill()
    broker.start()
    with broker.connect() as client:
        assert entry(client, "yearly") == {**before, "paused": 1, "next_run": None}
        assert client("CRON.RESUME", "yearly") == "OK" and entry(client, "yearly") == before
        assert [as_map(view) for view in client("CRON.LIST")] == [before]
        assert client("CRON.DEL", "yearly") == "OK" and client("CRON.LIST") == []
        for command in ("CRON.GET", "CRON.DEL", "CRON.RUN", "CRON.PAUSE", "CRON.RESUME"):
            assert client(command, "yearly") == "ERR no such cron entry 'yearly'"


@pytest.mark.parametrize("options, error", [
    (["SPEC", "61 * * * *"], "minute"), (["SPEC", "* * *"], "five fields"), (["EVERY", 99], "EVERY"),
    (["EVERY", 10**30], "EVERY"), (["EVERY", 1000, "SPEC", "* * * * *"], "syntax error"), (["PRIORITY", 3], "SPEC or EVERY"),
    (["EVERY", 1000, "TZ", "Mars/Olympus"], "no such time zone"), (["EVERY", 1000, "TZ", "../../etc/passwd"], "zone"),
    (["EVERY", 1000, "OVERLAP", "MAYBE"], "syntax error"), (["EVERY", 1000, "AT", 1], "syntax error"),
    (["EVERY", 1000, "PRIORITY", 11], "PRIORITY"), (["EVERY", 1000, "EVERY", 1000], "syntax error"),
])
def test_bad_entries_are_refused_clearly(broker, options, error):
    with broker.connect() as client:
        reply = client("CRON.SET", "bad", "q", "t", "p", *options)
        assert isinstance(reply, Refusal) and error in reply, reply
        assert client("CRON.LIST") == [] and client("PING") == "PONG"
        assert isinstance(client("CRON.NEXT", "bad", 0), Refusal)
