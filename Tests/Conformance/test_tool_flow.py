"""The operator's commands for cron entries, limits and breakers, each as a process against a real broker."""

import json
import re
import subprocess

import pytest

from broker import BINARY


def test_cron_entries_are_set_listed_run_and_deleted(run, json_of):
    assert run("cron")[1] == "no cron entries\n"
    assert run("cron", "set", "nightly", "reports", "sales", '{"day":1}', "--spec", "30 7 * * MON-FRI", "--zone",
               "Europe/Berlin", "--overlap", "skip", "--catchup", "all", "--priority", 8, "--tag", "clock") == (
        0, "OK\n", "")
    entry = json_of("cron", "list", "nightly")
    assert (entry["spec"], entry["tz"], entry["overlap"], entry["catchup"]) == (
        "30 7 * * MON-FRI", "Europe/Berlin", "SKIP", "ALL")
    times = json_of("cron", "next", "nightly", "-n", 3)
    assert len(times) == 3 and times[0] == entry["next_run"] and times == sorted(times)
    assert len(run("cron", "next", "nightly")[1].splitlines()) == 10
    task = json_of("task", json_of("cron", "run", "nightly"), "--payload")
    assert (task["queue"], task["type"], task["payload"]) == ("reports", "sales", '{"day":1}')
    assert task["priority"] == 8 and task["tags"] == ["clock"]
    history = json_of("cron", "list", "nightly", "--history")["history"]
    assert [run["id"] for run in history] == [task["id"]]
    assert task["id"] in run("cron", "list", "nightly", "--history")[1].splitlines()[-1]
    assert run("cron", "list", "--history")[0] == 64
    assert run("cron", "pause", "nightly")[0] == 0
    lines = run("cron")[1].splitlines()
    assert lines[0].split()[:4] == ["NAME", "QUEUE", "TYPE", "WHEN"] and lines[1].endswith("paused")
    assert json_of("cron")[0]["next_run"] is None and json_of("cron")[0]["runs"] == 1
    assert run("cron", "resume", "nightly")[0] == 0 and json_of("cron")[0]["next_run"] == entry["next_run"]
    assert run("cron", "set", "often", "q", "t", "--every", "90s")[0] == 0
    assert re.search(r"^often .* every 90s ", run("cron")[1], re.MULTILINE)
    assert run("cron", "delete", "nightly")[0] == 0 and [entry["name"] for entry in json_of("cron")] == ["often"]


def test_limits_are_set_taken_listed_and_deleted(run, json_of):
    assert run("limits")[1] == "no limits\n"
    assert run("limits", "set", "provider", "--rate", 2, "--per", "10m") == (0, "OK\n", "")
    assert run("limits", "set", "crawler", "--slots", 1)[0] == 0
    assert json_of("limits", "list", "provider")["per"] == 600_000
    assert json_of("limits", "take", "provider") == {
        "limited": False, "limit": 2, "remaining": 1, "retry_after_ms": -1, "reset_ms": pytest.approx(300_000, abs=5_000)}
    assert run("limits", "take", "provider")[1] == "taken, 0 of 2 left\n"
    code, out, error = run("limits", "take", "provider", "--wait", "50ms")
    assert code == 75 and out.startswith("not taken, 0 of 2 left; more in ") and "limit provider" in error
    permit = json_of("limits", "take", "crawler", "--hold", "10m")
    assert permit["permit"] > 0 and run("limits", "take", "crawler", "--hold", "1s")[0] == 75
    lines = run("limits")[1].splitlines()
    assert lines[0].split() == ["NAME", "LIMIT", "AVAILABLE", "WAITING", "GRANTED", "REFUSED", "USED"]
    assert re.search(r"^crawler +1 slots +0 ", lines[1]) and re.search(r"^provider +2 in 10m +0 ", lines[2])
    assert run("limits", "reset", "provider")[0] == 0 and run("limits", "take", "provider", "--cost", 2)[0] == 0
    assert run("limits", "delete", "crawler")[0] == 0 and [limit["name"] for limit in json_of("limits")] == ["provider"]


def test_a_limits_slot_is_given_back(run, json_of):
    run("limits", "set", "crawler", "--slots", 1)
    permit = json_of("limits", "take", "crawler", "--hold", "10m")["permit"]
    assert run("limits", "take", "crawler", "--hold", "10m")[0] == 75
    assert run("limits", "give", "crawler", permit)[0] == 0
    assert run("limits", "take", "crawler", "--hold", "10m")[0] == 0


def test_a_breaker_is_asked_and_told(run, json_of):
    run("breakers", "set", "mailer", "--fails", 1, "--per", "1m", "--cool", "10m")
    assert run("breakers", "allow", "mailer") == (0, "closed\n", "")
    assert run("breakers", "report", "mailer", "ok")[0] == 0
    assert run("breakers", "report", "mailer", "fail") == (0, "OK\n", "")
    code, out, error = run("breakers", "allow", "mailer")
    assert (code, out) == (75, "open\n") and "breaker mailer" in error
    assert run("breakers", "report", "mailer", "perhaps")[0] == 64


def test_operations_are_listed_and_stopped(run, json_of):
    assert run("ops")[1] == "no operations\n"
    run("inject", "broken", "-n", 200, "--dead")
    id = run("dlq", "replay", "broken", "--rate", 1, "--no-wait")[1].strip()
    (operation,) = json_of("ops")
    assert (operation["id"], operation["ended"]) == (id, None)
    lines = run("ops")[1].splitlines()
    assert lines[0].split()[:3] == ["ID", "VERB", "STATE"] and lines[1].startswith(id)
    assert run("ops", "stop", id)[0] == 0
    stopped = json_of("ops")[0]
    assert stopped["ended"] and stopped["done"] < 200
    assert run("ops", "stop", "nothing")[0] != 0


def test_breakers_are_set_tripped_listed_and_deleted(run, json_of):
    assert run("breakers")[1] == "no breakers\n"
    assert run("breakers", "set", "mailer", "--fails", 5, "--per", "1m", "--cool", "10m", "--kind", "timeout",
               "--kind", "http_503") == (0, "OK\n", "")
    breaker = json_of("breakers", "list", "mailer")
    assert (breaker["state"], breaker["fails"], breaker["probes"]) == ("closed", 5, 1)
    assert breaker["kinds"] == ["timeout", "http_503"]
    assert run("breakers", "trip", "mailer")[0] == 0
    lines = run("breakers")[1].splitlines()
    assert lines[0].split()[:3] == ["NAME", "STATE", "FAILURES"] and re.search(r"^mailer +open .* 5 in 1m +10m", lines[1])
    assert run("breakers", "reset", "mailer")[0] == 0 and json_of("breakers")[0]["state"] == "closed"
    assert run("breakers", "delete", "mailer")[0] == 0 and json_of("breakers") == []


@pytest.mark.parametrize("arguments, code, word", [
    (("cron", "list", "nothing"), 66, "no such cron entry"),
    (("cron", "set", "a", "q", "t"), 64, "--spec or --every"),
    (("cron", "set", "a", "q", "t", "--spec", "* * * * *", "--every", "1s"), 64, "--spec or --every"),
    (("cron", "set", "a", "q", "t", "--spec", "61 * * * *"), 64, "minute"),
    (("cron", "set", "a", "q", "t", "--every", "1s", "--zone", "Mars/Olympus"), 64, "no such time zone"),
    (("limits", "take", "nothing"), 66, "no such limit"),
    (("limits", "set", "a", "--rate", "3"), 64, "--per"),
    (("limits", "set", "a", "--slots", "3", "--burst", "3"), 64, "--slots"),
    (("batch", "seal", "nothing"), 66, "no such batch"),
    (("batch", "new", "--on-success", "reports"), 64, "a queue, a type and a payload"),
    (("breakers", "trip", "nothing"), 66, "no such breaker"),
    (("breakers", "set", "a", "--fails", "3"), 64, "--per"),
], ids=lambda value: " ".join(value) if isinstance(value, tuple) else None)
def test_what_is_wrong_is_one_line_and_an_exit_code(run, arguments, code, word):
    got, out, error = run(*arguments)
    assert got == code and out == "" and word in error and len(error.strip().splitlines()) == 1, (got, error)


def test_bulk_does_to_many_what_task_does_to_one(run, json_of):
    run("inject", "broken", "-n", 40, "--dead")
    select = ("broken", "--state", "dlq")
    assert json_of("bulk", "retry", *select, "--dry-run") == 40
    assert 0 < json_of("bulk", "retry", *select, "--kind", "injected", "--dry-run") < 40
    assert run("bulk", "retry", *select, "--max", 30) == (0, "30 done, 0 failed\n", "")
    assert json_of("queues", "broken")["pending"] == 30
    done = json_of("bulk", "move", "broken", "--state", "pending", "--to", "mended", "--priority", 9)
    assert done["done"] == 30 and {task["priority"] for task in json_of("tasks", "mended")} == {9}
    assert json_of("bulk", "move", "mended", "--state", "pending", "--in", "1h")["done"] == 30
    assert json_of("queues", "mended")["scheduled"] == 30
    assert json_of("bulk", "move", "mended", "--state", "scheduled", "--in", "0")["done"] == 30
    assert run("bulk", "cancel", "mended", "--state", "pending", "--rate", 1_000)[0] == 0
    assert json_of("queues", "mended")["cancelled"] == 30
    code, _, error = run("bulk", "delete", "mended", "--state", "cancelled")
    assert code == 64 and "30 tasks" in error and "--confirm" in error
    assert run("bulk", "delete", "mended", "--state", "cancelled", "--confirm")[1] == "30 done, 0 failed\n"
    assert json_of("queues", "mended")["cancelled"] == 0 and run("bulk", "move", *select)[0] == 64


def test_a_queue_is_drained(run, json_of):
    id = run("add", "q", "t", "--group", "seven")[1].strip()
    assert json_of("task", id)["group"] == "seven"
    assert run("queues", "drain", "q")[1] == "OK\n" and run("add", "q", "t")[0] == 75
    code, out, error = run("queues", "drain", "q", "--wait", "50ms")
    assert code == 75 and out == "" and "still has tasks" in error
    assert run("task", "cancel", id)[0] == 0 and run("queues", "drain", "q", "--wait", "5s")[1] == "OK\n"
    assert run("queues", "resume", "q")[0] == 0 and run("add", "q", "t")[0] == 0


def test_why_a_task_does_not_run_is_told(run, json_of):
    id = run("add", "q", "t")[1].strip()
    assert json_of("task", "why", id)["reason"] == "no_worker"
    run("queues", "pause", "q")
    code, out, _ = run("task", "why", id)
    assert code == 0 and re.search(r"^reason +paused$", out, re.MULTILINE) and "QUEUE.RESUME" in out


def test_batches_are_opened_filled_sealed_and_cancelled(run, json_of):
    id = json_of("batch", "new", "--on-success", "reports", "monthly", "{}", "--on-complete", "reports", "note", "-")
    member = json_of("add", "q", "t", "--batch", id)["id"]
    assert json_of("batch", id)["state"] == "open" and run("batch", "seal", id) == (0, "OK\n", "")
    shown = run("batch", id)[1]
    assert re.search(r"^state +running$", shown, re.MULTILINE) and re.search(r"^total +1$", shown, re.MULTILINE)
    assert run("batch", "cancel", id)[0] == 0
    assert json_of("batch", id)["state"] == "cancelled" and json_of("task", member)["state"] == "CANCELLED"
    assert [task["type"] for task in json_of("tasks", "reports")] == ["note"]
    assert run("batch", "new")[0] == 0


def test_events_are_shown_and_followed(broker, run):
    ids = [run("add", queue, "t")[1].strip() for queue in ("a", "b", "a")]
    lines = run("events")[1].splitlines()
    assert [line.split()[1] for line in lines] == ids and lines[0].endswith(" a t PENDING")
    shown = [json.loads(line) for line in run("events", "--json", "--queue", "a")[1].splitlines()]
    assert [event["id"] for event in shown] == [ids[0], ids[2]] and shown[0]["to"] == "PENDING"
    assert shown[0]["from"] is None and shown[0]["seq"] < shown[1]["seq"] and type(shown[0]["at"]) is int
    assert [line.split()[1] for line in run("events", "--after", shown[0]["position"])[1].splitlines()] == ids[1:]
    assert [line.split()[1] for line in run("events", "-n", 1)[1].splitlines()] == ids[2:]
    follow = [BINARY, "events", "--follow", "--after", shown[1]["position"], "--port", str(broker.port)]
    process = subprocess.Popen(follow, stdout=subprocess.PIPE, text=True)
    try:
        run("task", "cancel", ids[0])
        assert process.stdout.readline().endswith(f"{ids[0]} a t PENDING -> CANCELLED\n")
    finally:
        process.kill()
        process.wait()
