"""The operator's commands for the broker as a whole: snapshot, check --live, readonly."""

import os
import subprocess

from broker import BINARY
from wire import Refusal


def damage(broker):
    """Makes a payload in the data file another than the one whose checksum is there."""
    with broker.connect() as client:
        client("TASK.ADD", "q", "t", "a payload to be damaged")
    broker.stop()
    file = broker.directory / "data.mdb"
    file.write_bytes(file.read_bytes().replace(b"a payload to be damaged", b"A payload to be damaged"))
    broker.start()


def test_a_snapshot_is_a_directory_that_is_served(broker, run, json_of, make_broker, tmp_path):
    json_of("inject", "load", "-n", 500)
    json_of("inject", "dead", "-n", 20, "--dead")
    code, out, error = run("snapshot", tmp_path / "one")
    assert code == 0 and error == "" and str(tmp_path / "one") in out and "MiB" in out
    report = json_of("snapshot", tmp_path / "two")
    size = (tmp_path / "two/data.mdb").stat().st_size
    assert report == {"path": str(tmp_path / "two"), "bytes": size} and size > 100_000
    json_of("add", "load", "t")
    assert run("check", "--data", tmp_path / "one")[1] == "520 tasks: all tables agree\n"
    copy = make_broker(name="one")
    queues = {queue["name"]: queue for queue in json_of("queues", port=copy.port)}
    assert queues["load"]["pending"] == 500 and queues["dead"]["dlq"] == 20
    assert json_of("check", "--live", port=copy.port) == {"ok": True, "problems": []}


def test_a_relative_path_counts_from_where_the_tool_runs(broker, tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    done = subprocess.run(
        [BINARY.resolve(), "snapshot", "./copies/../copy/"], cwd=folder, capture_output=True, text=True, timeout=60,
        env={**os.environ, "MARTLET_PORT": str(broker.port)})
    assert done.returncode == 0 and f"{folder}/copy," in done.stdout, done.stderr
    assert (folder / "copy/data.mdb").is_file()


def test_a_snapshot_that_cannot_be_is_told(run, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").write_text("mine")
    for place in "full", "full/mine", "missing/copy":
        code, out, error = run("snapshot", tmp_path / place)
        assert (code, out) == (73, "") and str(tmp_path / place) in error
    assert (tmp_path / "full/mine").read_text() == "mine" and not (tmp_path / "missing").exists()
    assert run("snapshot", "")[0] == 64 and run("snapshot")[0] == 64
    assert run("snapshot", tmp_path / "copy", port=1)[0] == 69


def test_a_running_broker_is_checked(broker, run, json_of):
    json_of("inject", "load", "-n", 500)
    assert run("check", "--live") == (0, "all tables agree\n", "")
    damage(broker)
    code, out, error = run("check", "--live")
    assert code == 1 and "damaged record" in out and "--repair" in error
    code, out, _ = run("check", "--live", "--json")
    assert code == 1 and '"ok":false' in out
    assert json_of("queues", "load")["pending"] == 500


def test_check_is_of_a_directory_or_of_a_broker(broker, run):
    for mixed in ("--live", "--data", broker.directory), ("--live", "--repair"), ("--port", broker.port):
        code, out, error = run("check", *mixed)
        assert (code, out) == (64, "") and "--live" in error
    assert run("check", "--live", port=1)[0] == 69


def test_a_broker_is_held_and_let_go(broker, run, json_of):
    assert json_of("readonly", "on") == "OK"
    code, _, error = run("add", "q", "t")
    assert code == 75 and "READONLY" in error and "off" in error
    with broker.connect() as client:
        assert isinstance(client("TASK.ADD", "q", "t", "x"), Refusal)
    assert run("check", "--live")[0] == 0
    code, out, _ = run("readonly", "off")
    assert code == 0 and out == "OK\n" and run("add", "q", "t")[0] == 0
    assert run("readonly", "perhaps")[0] == 64 and run("readonly")[0] == 64


def test_one_check_or_snapshot_goes_on_at_a_time(broker, run, json_of, tmp_path):
    json_of("inject", "load", "-n", 20_000)
    with broker.connect() as client:
        for _ in range(20):  # One after the other, for longer than the tool takes to ask.
            client.send("BROKER.CHECK")
        code, out, error = run("snapshot", tmp_path / "copy")
        assert (code, out) == (75, "") and "under way" in error
        for _ in range(20):
            assert client.read()
    assert run("snapshot", tmp_path / "copy")[0] == 0
