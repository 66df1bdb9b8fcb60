"""The operator's commands, each as a process against a real broker."""

import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import time

import fcntl
import pytest
import termios

from broker import BINARY, ROOT, eventually
from wire import as_map, tasks


def test_add_prints_the_id_of_a_task_with_all_that_was_asked_for(run, json_of):
    code, out, error = run(
        "add", "mail", "welcome", "hello", "--priority", 8, "--delay", "5m", "--retries", 1, "--ttl", "2h",
        "--keep", "1d", "--tag", "a", "--tag", "b")
    assert code == 0 and error == "" and re.fullmatch(r"[0-9a-f-]{36}\n", out)
    task = json_of("task", out.strip(), "--payload", "--history")
    assert (task["queue"], task["type"], task["payload"]) == ("mail", "welcome", "hello")
    assert (task["state"], task["priority"], task["retries"]) == ("SCHEDULED", 8, 1)
    assert task["run_at"] - task["enqueued_at"] == 300_000 and task["tags"] == ["a", "b"]
    assert [move["reason"] for move in task["history"]] == ["add"]


def test_add_reads_payloads_and_keeps_unique_keys(run, json_of, tmp_path):
    (tmp_path / "payload").write_bytes(b"\xff\x00")
    from_file = json_of("add", "q", "t", "--file", tmp_path / "payload", "--unique", "k")
    again = json_of("add", "q", "t", "--unique", "k")
    assert from_file["created"] and not again["created"] and from_file["id"] == again["id"]
    assert json_of("task", from_file["id"], "--payload")["payload"] == {"base64": "/wA="}
    piped = json_of("add", "q", "t", "-", input="typed")
    assert json_of("task", piped["id"], "--payload")["payload"] == "typed"


# Each keyword of TASK.ADD as the tool says it, and what becomes of it.
ADD_FLAGS = {
    "PRIORITY": (("--priority", 8), ("priority", 8)),
    "AT": (("--at", "2100-01-31T12:00:00Z"), ("run_at", 4_105_080_000_000)),
    "DELAY": (("--delay", "5m"), ("state", "SCHEDULED")),
    "RETRIES": (("--retries", 1), ("retries", 1)),
    "BACKOFF": (("--backoff", "fixed 250ms"), ("next_try", 250)),
    "JITTER": (("--jitter", 0, "--backoff", "fixed 1h"), ("next_try", 3_600_000)),
    "LEASE": (("--lease", "7s"), ("lease_ms", 7_000)),
    "TIMEOUT": (("--timeout", "4s"), ("allowed", 4_000)),
    "TTL": (("--ttl", "200ms"), ("expires", True)),
    "KEEP": (("--keep", "0"), ("kept", False)),
    "GROUP": (("--group", "seven"), ("group", "seven")),
    "ORDER": (("--order", "customer 7"), ("order", "customer 7")),
    "LIMIT": (("--limit", "api=2"), ("left", 3)),
    "TAGS": (("--tag", "a", "--tag", "b"), ("tags", ["a", "b"])),
    "META": (("--meta", "trace=a=b", "--meta", "by="), ("meta", {"trace": "a=b", "by": ""})),
    "UNIQUE": (("--unique", "k"), ("unique", "k")),
    "AFTER": (("--after", "FIRST"), ("state", "BLOCKED")),
    "BATCH": (("--batch", "BATCH"), ("total", 1)),
    "REQ": (("--request", "once"), ("again", True)),
    "FULL": (("--json",), ("state", "PENDING")),
}


def test_every_option_of_add_has_a_flag():
    usage = re.search(r"^    TASK\.ADD (.*)$", (ROOT / "docs/commands.md").read_text(), re.MULTILINE)[1]
    while re.search(r"\[[^][]*\[[^][]*\]", usage):  # Options of options are in theirs.
        usage = re.sub(r"(\[[^][]*)\[[^][]*\]", r"\1", usage)
    keywords = set(re.findall(r"(?:\[|\| )([A-Z]+)", usage)) - {"LINEAR", "FIXED", "LIST"}
    assert keywords == set(ADD_FLAGS)


@pytest.mark.parametrize("keyword", ADD_FLAGS)
def test_a_flag_of_add_does_what_the_option_does(broker, run, json_of, keyword):
    flags, (field, expected) = ADD_FLAGS[keyword]
    run("limits", "set", "api", "--rate", 5, "--per", "1h")
    known = {"FIRST": json_of("add", "other", "t")["id"], "BATCH": json_of("batch", "new")}
    add = ("add", "q", "t", "p", *(known.get(flag, flag) for flag in flags))
    id = json_of(*add)["id"]
    task = json_of("task", id)
    if field in task:
        assert task[field] == expected
        return
    with broker.connect() as client:
        if field == "expires":
            eventually(lambda: json_of("task", id)["state"] == "EXPIRED")
            return
        handed = tasks(client("TASK.RESERVE", 1, "q"))[0]
        if field == "lease_ms":
            assert handed["lease_ms"] == expected
        elif field == "allowed":
            assert handed["deadline"] - json_of("task", id)["started_at"] == expected
        elif field == "next_try":
            before = json_of("queues", "q")
            failed = as_map(client("TASK.FAIL", id, handed["token"], "broke"))
            history = json_of("task", id, "--history")["history"]
            assert expected <= failed["run_at"] - history[-1]["at"] <= expected * (1 if keyword == "JITTER" else 1.1)
            assert before["active"] == 1
        elif field == "kept":
            assert client("TASK.ACK", id, handed["token"]) == "OK" and run("task", id)[0] == 66
        elif field == "left":
            assert json_of("limits", "list", "api")["available"] == expected
        elif field == "total":
            assert json_of("batch", known["BATCH"])["total"] == expected
        elif field == "again":
            assert json_of(*add)["id"] == id and json_of("queues", "q")["total_added"] == 1
        else:
            raise AssertionError(field)


def test_add_says_how_unique_a_task_is(run, json_of):
    first = json_of("add", "q", "t", "--unique", "k", "--unique-until", "expire", "--unique-for", "1h")["id"]
    code, _, error = run("add", "q", "t", "--unique", "k", "--on-duplicate", "error")
    assert code == 65 and "DUPLICATE" in error and first in error
    second = json_of("add", "q", "t", "--unique", "k", "--on-duplicate", "replace")
    assert second["created"] and json_of("task", first)["state"] == "CANCELLED"
    short = json_of("add", "q", "t", "--unique", "l", "--unique-for", "1ms")["id"]
    eventually(lambda: json_of("add", "q", "t", "--unique", "l")["id"] != short)
    for wrong in ("--unique-for", "1h"), ("--unique-until", "done"), ("--on-duplicate", "skip"):
        code, out, error = run("add", "q", "t", *wrong)
        assert (code, out) == (64, "") and "--unique" in error


def test_add_makes_a_task_of_each_line(run, json_of, tmp_path):
    lines = "".join(f'{{"n": {n}}}\n' for n in range(2_500))
    (tmp_path / "lines").write_text(lines)
    code, out, error = run("add", "q", "t", "--lines", "--file", tmp_path / "lines", "--priority", 9, "--tag", "a")
    ids = out.split()
    assert code == 0 and len(ids) == 2_500 and ids == sorted(ids), error
    last = json_of("task", ids[-1], "--payload")
    assert (last["payload"], last["priority"], last["tags"]) == ('{"n": 2499}', 9, ["a"])
    assert len(json_of("add", "q", "t", "-", "--lines", input="one\n\ntwo")) == 2
    assert json_of("add", "q", "t", "--lines") == [] and run("add", "q", "t", "x", "--lines", "--unique", "k")[0] == 64


def test_tasks_are_found_by_how_their_ids_begin(run, json_of):
    ids = [json_of("add", queue, "t")["id"] for queue in ("a", "b")]
    assert {task["id"] for task in json_of("tasks", "--id", ids[0][:8])} == set(ids)
    assert [task["id"] for task in json_of("tasks", "--id", ids[1].upper())] == ids[1:]
    assert len(json_of("tasks", "--id", ids[0][:8], "-n", 1)) == 1 and json_of("tasks", "--id", "ffff") == []
    assert run("tasks", "--id", "*")[0] == 64 and run("tasks", "a", "--id", ids[0])[0] == 64


def test_add_takes_instants_as_the_tool_prints_them(run, json_of):
    later = "2100-01-31T12:00:00.250Z"
    assert later in run("task", run("add", "q", "t", "--at", later)[1].strip())[1]
    assert json_of("add", "q", "t", "--at", 4_105_080_000_250)["run_at"] == 4_105_080_000_250
    for wrong in ("--at", "tomorrow"), ("--at", later, "--delay", "1s"), ("--backoff", "fixed"), ("--meta", "x"):
        code, out, error = run("add", "q", "t", *wrong)
        assert (code, out) == (64, "") and wrong[0] in error, error


def test_add_puts_tasks_of_a_key_in_a_line(run, json_of):
    first, second = (json_of("add", "q", "t", "--order", "customer 7") for _ in range(2))
    assert (first["state"], second["state"]) == ("PENDING", "BLOCKED")
    assert re.search(r"^reason +order$", run("task", "why", second["id"])[1], re.MULTILINE)
    assert json_of("task", second["id"])["order"] == "customer 7"


def test_add_names_limits_a_task_waits_for(run, json_of):
    run("limits", "set", "api", "--rate", "2", "--per", "1h")
    run("limits", "set", "db", "--rate", "1", "--per", "1h")
    assert json_of("add", "q", "t", "--limit", "api=2", "--limit", "db")["state"] == "PENDING"
    code, _, error = run("add", "q", "t", "--limit", "api=3")
    assert code != 0 and "COST 3 is above" in error


def test_add_names_what_a_task_waits_for(run, json_of):
    first = run("add", "q", "t")[1].strip()
    assert json_of("add", "q", "t", "--after", first)["state"] == "BLOCKED"
    later = json_of("add", "q", "t", "--after", first, "--on-dead", "cancel")["id"]
    assert re.search(r"^reason +after$", run("task", "why", later)[1], re.MULTILINE)
    run("task", "cancel", first)
    assert json_of("task", later)["state"] == "CANCELLED"
    code, out, error = run("add", "q", "t", "--on-dead", "run")
    assert (code, out) == (64, "") and "--after" in error
    code, _, error = run("add", "q", "t", "--after", "nothing")
    assert code == 66 and "NOTASK" in error


def test_a_task_is_shown_for_people(run):
    id = run("add", "q", "t", "x\x1b[2Jy\nz")[1].strip()
    code, out, _ = run("task", id, "--payload", "--history")
    assert code == 0 and "\x1b" not in out and re.search(r"^payload +x\\u\{1b\}\[2Jy\\nz$", out, re.MULTILINE)
    assert re.search(r"^state +PENDING$", out, re.MULTILINE) and "REASON" in out


@pytest.mark.parametrize("arguments, code, word", [
    (("task", "0199d3a1-7c40-7000-81f3-5b0c9e2a7d41"), 66, "NOTASK"),
    (("queues", "nowhere"), 66, "NOQUEUE"),
    (("add", "q", "t", "--priority", "11"), 64, "1 to 10"),
    (("add", "q", "t", "--delay", "soon"), 64, "--delay"),
    (("add", "q"), 64, "<type>"),
    (("add", "q", "t", "--file", "/nowhere"), 66, "/nowhere"),
    (("queues", "--password-file", "/nowhere"), 66, "/nowhere"),
    (("queues", "--url", "http://x"), 64, "martlet://"),
    (("inject", "q", "-n", "0"), 64, "--count"),
    (("nonsense",), 64, "nonsense"),
], ids=lambda value: " ".join(value) if isinstance(value, tuple) else None)
def test_what_is_wrong_is_one_line_and_an_exit_code(run, arguments, code, word):
    got, out, error = run(*arguments)
    assert got == code and out == "" and word in error and len(error.strip().splitlines()) == 1, (got, error)


def test_without_a_broker_it_says_at_once_what_to_do(run):
    started = time.monotonic()
    code, _, error = run("queues", port=1)
    assert code == 69 and "martlet serve" in error and "--port" in error and time.monotonic() - started < 5


def test_a_password_is_taken_from_a_file(make_broker, tmp_path):
    (tmp_path / "password").write_text("s3cret\n")
    broker = make_broker("--password-file", tmp_path / "password", name="locked")
    command = [BINARY, "stats", "--port", str(broker.port)]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 77 and "--password-file" in refused.stderr
    assert subprocess.run([*command, "--password-file", tmp_path / "password"], capture_output=True).returncode == 0
    url = f"martlet://:s3cret@127.0.0.1:{broker.port}"
    assert subprocess.run([BINARY, "stats", "--url", url], capture_output=True).returncode == 0


def test_queues_are_listed_and_one_is_told_about(run, json_of):
    assert run("queues")[1] == "no queues\n"
    json_of("add", "mail", "t")
    json_of("add", "later", "t", "--delay", "1h")
    listed = json_of("queues")
    assert {queue["name"]: (queue["pending"], queue["scheduled"]) for queue in listed} == {
        "mail": (1, 0), "later": (0, 1)}
    assert json_of("queues", "mail")["pending"] == 1
    lines = run("queues")[1].splitlines()
    assert lines[0].split()[:3] == ["QUEUE", "PENDING", "SCHEDULED"] and len(lines) == 3


def test_stats_are_the_figures_of_info(run, json_of):
    json_of("add", "q", "t")
    stats = json_of("stats")
    assert stats["tasks"]["pending"] == 1 and stats["server"]["martlet_version"]
    code, out, _ = run("stats", "tasks")
    assert code == 0 and re.search(r"^pending +1$", out, re.MULTILINE) and "SERVER" not in out


def test_inject_fills_queues_and_makes_dead_letters(broker, run, json_of):
    assert json_of("inject", "load", "-n", 1234) == {"queue": "load", "added": 1234}
    code, out, error = run("inject", "dead", "-n", 60, "--dead")
    assert code == 0 and "60 dead letters" in out and error == "", "no progress when piped"
    counts = {queue["name"]: queue for queue in json_of("queues")}
    assert counts["load"]["pending"] == 1234 and counts["dead"]["dlq"] == 60
    with broker.connect() as client:
        first = tasks(client("TASK.RESERVE", 1, "load", "COUNT", 1234))
    assert {task["priority"] for task in first} == set(range(1, 11))
    assert len({json.loads(task["payload"])["number"] for task in first}) == 1234
    assert json_of("dlq") == [{"name": "dead", "dlq": 60}]


def test_reset_shows_what_goes_and_wants_a_confirmation(run, json_of):
    json_of("inject", "doomed", "-n", 20)
    json_of("inject", "spared", "-n", 20)
    code, out, error = run("reset", "doomed")
    assert code == 64 and "--confirm" in error and "doomed" in out and "20" in out
    assert json_of("queues", "doomed")["pending"] == 20
    code, out, _ = run("reset", "doomed", "--confirm")
    assert code == 0 and "doomed" in out
    assert [queue["name"] for queue in json_of("queues") if queue["pending"]] == ["spared"]
    assert run("reset", "--confirm")[0] == 0
    assert sum(queue["pending"] for queue in json_of("queues")) == 0


def test_tasks_are_listed_filtered_and_paged(run, json_of):
    json_of("inject", "load", "-n", 1500)
    json_of("inject", "dead", "-n", 10, "--dead")
    assert len(json_of("tasks", "load", "--limit", 1400)) == 1400
    assert {task["queue"] for task in json_of("tasks", "--limit", 2000)} == {"load", "dead"}
    dead = json_of("tasks", "--state", "dlq", "--kind", "injected")
    assert len(dead) == 5 and all(task["state"] == "DLQ" for task in dead)
    newest = json_of("tasks", "load", "--reverse", "--limit", 1)[0]
    assert newest["id"] == json_of("tasks", "load", "--limit", 1500)[-1]["id"]
    assert run("tasks", "dead")[1].splitlines()[0].startswith("ID")
    id = run("add", "load", "t", "--group", "seven")[1].strip()
    assert [task["id"] for task in json_of("tasks", "load", "--group", "seven")] == [id]


def test_a_task_is_retried_cancelled_deleted(run, json_of):
    json_of("inject", "dead", "-n", 2, "--dead")
    first, second = (task["id"] for task in json_of("tasks", "dead"))
    assert run("task", "retry", first, "--reset")[1] == "PENDING\n"
    assert run("task", "cancel", first, "--reason", "no more")[1] == "CANCELLED\n"
    assert run("task", "delete", first, second)[1] == "2 deleted\n"
    assert run("task", first)[0] == 66


def test_a_tasks_result_is_printed_as_it_is(broker, run):
    id = run("add", "q", "t")[1].strip()
    code, out, error = run("task", "result", id, "--wait", "50ms")
    assert (code, out) == (75, "") and "PENDING" in error
    assert run("task", "result", id)[0] == 75 and run("task", "result", "nonsense")[0] == 66
    with broker.connect() as client:
        task = tasks(client("TASK.RESERVE", 1, "q"))[0]
        client("TASK.ACK", id, task["token"], "RESULT", b"\x1b[2J\n\xff")
        raw = subprocess.run([BINARY, "task", "result", id, "--port", str(broker.port)], capture_output=True)
        assert (raw.returncode, raw.stdout) == (0, b"\x1b[2J\n\xff")
        screen = Terminal("task", "result", id, port=broker.port)
        text, code = screen.end()
        assert code == 0 and "\x1b" not in text
        assert json.loads(run("task", "result", id, "--json")[1]) == {"base64": "G1sySgr/"}
        dead = run("add", "q", "t")[1].strip()
        task = tasks(client("TASK.RESERVE", 1, "q"))[0]
        client("TASK.FAIL", dead, task["token"], "broke", "DEAD")
    code, out, error = run("task", "result", dead)
    assert (code, out) == (65, "") and "DLQ" in error and "broke" in error


def test_a_waiting_task_is_moved(run, json_of):
    id = run("add", "q", "t")[1].strip()
    assert run("task", "move", id, "--priority", 9, "--to", "other", "--in", "1h") == (0, "SCHEDULED\n", "")
    task = json_of("task", id)
    assert (task["queue"], task["priority"]) == ("other", 9)
    assert 3_590_000 < task["run_at"] - task["enqueued_at"] < 3_700_000
    assert json_of("task", "move", id, "--in", "0") == "PENDING"
    code, out, error = run("task", "move", id)
    assert code == 64 and out == "" and "--priority" in error


def test_a_queue_is_paused_and_resumed(run, json_of):
    json_of("add", "q", "t")
    assert run("queues", "pause", "q")[0] == 0
    assert json_of("queues", "q")["paused"] and "paused" in run("queues")[1]
    assert run("queues", "resume", "q")[0] == 0
    assert not json_of("queues", "q")["paused"]


def test_a_queues_tasks_of_a_state_are_purged(run, json_of):
    json_of("inject", "q", "-n", 20)
    code, out, error = run("queues", "purge", "q", "--state", "pending")
    assert (code, out) == (64, "") and "20 tasks" in error and "--confirm" in error
    assert run("queues", "purge", "q", "--state", "pending", "--confirm") == (0, "20 deleted\n", "")
    assert json_of("queues", "q")["pending"] == 0


def test_a_queue_is_given_options(run, json_of):
    options = ("fair=on", "GroupConcurrency=4", "keep=7d", "backoff=fixed 2s", "retryshare=adaptive")
    assert run("queues", "set", "q", *options) == (0, "OK\n", "")
    told = json_of("queues", "options", "q")
    assert (told["FAIR"], told["GROUPCONCURRENCY"], told["KEEP"]) == ("on", 4, 7 * 86_400_000)
    assert told["BACKOFF"] == "FIXED 2000" and told["RETRYSHARE"] == "ADAPTIVE" and told["MAXLEN"] is None
    assert re.search(r"^FAIR +on$", run("queues", "options", "q")[1], re.MULTILINE)
    assert run("queues", "set", "q", "keep=default")[0] == 0
    assert json_of("queues", "options", "q")["KEEP"] == 86_400_000
    for wrong, word in [("fair", "name=value"), ("speed=9", "SPEED"), ("limit=nothing", "no such limit")]:
        code, out, error = run("queues", "set", "q", wrong)
        assert code in (64, 66) and out == "" and word in error and len(error.splitlines()) == 1, error


def test_dead_letters_are_counted_replayed_purged(run, json_of):
    json_of("inject", "dead", "-n", 100, "--dead")
    kinds = {kind["kind"]: kind["count"] for kind in json_of("dlq", "dead", "--by-kind")}
    assert kinds == {"injected": 50, "injected_other": 50}
    assert len(json_of("dlq", "dead")) == 50
    assert run("dlq", "replay", "dead", "--kind", "injected", "--dry-run")[1] == "50 would be replayed\n"
    assert run("dlq", "replay", "dead", "--kind", "injected")[1] == "50 replayed, 0 failed\n"
    assert json_of("queues", "dead")["pending"] == 50
    code, _, error = run("dlq", "purge", "dead")
    assert code == 64 and "50 dead letters" in error and "--confirm" in error
    assert run("dlq", "purge", "dead", "--confirm")[1] == "50 deleted\n"
    assert json_of("dlq") == []


def test_workers_are_listed_and_told(broker, run, json_of):
    assert run("workers")[1] == "no workers\n"
    with broker.connect() as client:
        assert client("WORKER.HELLO", "w1", "HOST", "h", "PID", 7, "SLOTS", 2, "QUEUES", 1, "q") == "OK"
        (worker,) = json_of("workers")
        assert (worker["id"], worker["host"], worker["slots"], worker["queues"]) == ("w1", "h", 2, ["q"])
        assert "w1" in run("workers")[1]
        assert run("workers", "quiet", "w1")[0] == 0
        assert json_of("workers", "w1")["state"] == "quiet"
        assert run("workers", "forget", "w1")[0] == 0 and json_of("workers") == []
        assert run("workers", "forget", "w1")[0] == 66


# top


def test_top_without_a_terminal_is_one_look(run, json_of):
    json_of("inject", "load", "-n", 5)
    code, out, _ = run("top")
    assert code == 0 and "load" in out and "5 pending" in out and "\x1b" not in out
    # The broker's own rates, since there is no look before.
    assert float(re.search(r"^load( +\S+){4} +(\S+)", out, re.MULTILINE)[2]) > 0
    assert json_of("top")["queues"][0]["name"] == "load"


class Terminal:
    """`martlet …` on a terminal of its own."""

    def __init__(self, *arguments, port, rows=24, columns=80):
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.environ["MARTLET_PORT"] = str(port)
            os.execv(BINARY, ["martlet", *arguments])
        self.resize(rows, columns)
        self.text = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds=0.05):
        if select.select([self.descriptor], [], [], seconds)[0]:
            try:
                self.text += os.read(self.descriptor, 65536)
            except OSError:
                pass
        return self.text.decode(errors="replace")

    def frame(self):
        """The lines of the newest whole frame."""
        frames = self.read().split("\x1b[H")[1:]
        whole = [frame for frame in frames if "\x1b[J" in frame]
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", whole[-1]).replace("\r", "").split("\n") if whole else []

    def press(self, key):
        os.write(self.descriptor, key)

    def end(self):
        """What the rest of the output was, and the exit code."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return self.text.decode(errors="replace"), os.waitstatus_to_exitcode(status)
        os.kill(self.pid, signal.SIGKILL)
        raise AssertionError("it does not end")


@pytest.mark.parametrize("end", [b"q", b"\x03", signal.SIGTERM], ids=["q", "ctrl-c", "SIGTERM"])
def test_top_shows_what_happens_and_leaves_the_terminal_as_it_was(broker, json_of, end):
    screen = Terminal("top", "--interval", "100ms", port=broker.port)
    eventually(lambda: any("0 pending" in line for line in screen.frame()))
    json_of("inject", "load", "-n", 7)
    eventually(lambda: any(line.startswith("load") and " 7 " in line for line in screen.frame()))
    screen.press(end) if isinstance(end, bytes) else os.kill(screen.pid, end)
    text, code = screen.end()
    assert code == 0 and text.endswith("\x1b[?25h\x1b[?1049l")


def test_top_fits_whatever_size_the_terminal_takes(broker, json_of):
    for number in range(30):
        json_of("add", f"queue-{number}", "t")
    screen = Terminal("top", "--interval", "1h", port=broker.port, rows=50, columns=200)
    eventually(lambda: len(screen.frame()) > 30)
    for rows, columns in [(10, 40), (3, 10), (40, 120)]:
        screen.resize(rows, columns)
        eventually(
            lambda: 0 < len(screen.frame()) <= rows and all(len(line) <= columns for line in screen.frame()),
            what=f"a frame of {rows} x {columns}")
    screen.press(b"q")
    assert screen.end()[1] == 0


def test_progress_is_shown_on_a_terminal(broker):
    screen = Terminal("inject", "load", "-n", "3000", port=broker.port)
    text, code = screen.end()
    assert code == 0 and " of 3000 tasks (" in text and "3000 tasks in queue load" in text


# check


def test_check_finds_nothing_in_sound_data_and_leaves_a_broker_alone(broker, run, json_of):
    json_of("inject", "load", "-n", 500)
    json_of("inject", "dead", "-n", 20, "--dead")
    code, _, error = run("check", "--data", broker.directory)
    assert code == 75 and str(broker.process.pid) in error
    broker.kill()
    code, out, _ = run("check", "--data", broker.directory)
    assert code == 0 and "520 tasks: all tables agree" in out
    report = json_of("check", "--data", broker.directory)
    assert report == {"tasks": 520, "disagreements": 0, "left": 0, "found": []}


def test_check_finds_damage_and_mends_it(broker, run, json_of):
    id = json_of("add", "q", "t", "a payload to be damaged")["id"]
    json_of("add", "q", "t", "another")
    broker.stop()
    file = broker.directory / "data.mdb"
    data = file.read_bytes()
    assert data.count(b"a payload to be damaged") >= 1
    file.write_bytes(data.replace(b"a payload to be damaged", b"A payload to be damaged"))
    code, out, _ = run("check", "--data", broker.directory)
    assert code == 1 and id in out and "damaged record" in out and "--repair" in out
    report = json_of("check", "--data", broker.directory, "--repair")
    assert report["disagreements"] >= 1 and report["left"] == 0
    assert run("check", "--data", broker.directory)[0] == 0
    broker.start()
    assert json_of("queues", "q")["pending"] == 1 and run("task", id)[0] == 64


def test_check_of_nothing_says_so(run, tmp_path):
    nothing = tmp_path / "nothing"
    code, _, error = run("check", "--data", nothing)
    assert code == 66 and str(nothing) in error and not nothing.exists()
