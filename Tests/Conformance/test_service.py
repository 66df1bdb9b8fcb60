"""Settings, profiles and logs of the process, and the files that deploy it."""

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import time

import pytest
import yaml

import power_cut
from broker import BINARY, ROOT, eventually, run_serve
from wire import Refusal, encode

DEPLOY = ROOT / "deploy"


def settings(*arguments, environment=None):
    """What `--print-config` prints."""
    code, out, error = run_serve(*arguments, "--print-config", environment=environment)
    assert code == 0, error
    return json.loads(out)


def statistic(client, name):
    text = client("INFO", "stats").decode()
    return int(re.search(rf"^{name}:(\d+)", text, re.MULTILINE).group(1))


def test_the_printed_configuration_can_be_served_from(make_broker, tmp_path):
    printed = settings("--port", 0, "--max-clients", 3, "--profile", "low-memory")
    assert printed["max-clients"] == 3 and printed["output-limit-mb"] == 4
    (tmp_path / "martlet.json").write_text(json.dumps(printed))
    assert settings("--config", tmp_path / "martlet.json") == printed
    make_broker("--config", tmp_path / "martlet.json")


def test_every_setting_is_a_flag_a_variable_and_a_key(tmp_path):
    defaults = settings()
    text = subprocess.run([BINARY, "serve", "--help"], capture_output=True, text=True).stdout
    for name, value in defaults.items():
        assert f"--{name}" in text
        other = {"port": 1, "max-data-mb": 7, "data": "elsewhere"}.get(name, value)
        variable = "MARTLET_" + name.upper().replace("-", "_")
        word = str(other).lower() if isinstance(other, bool) else str(other)
        assert settings(environment={variable: word}) == defaults | {name: other}
        (tmp_path / "file.json").write_text(json.dumps({name: other}))
        assert settings("--config", tmp_path / "file.json") == defaults | {name: other}


def test_an_unknown_key_is_refused_by_name(tmp_path):
    (tmp_path / "martlet.json").write_text('{"prot": 1}')
    code, out, error = run_serve("--config", tmp_path / "martlet.json", "--data", tmp_path / "data")
    assert 64 <= code <= 78 and out == "" and "'prot'" in error and len(error.splitlines()) == 1


def test_a_client_without_commands_is_disconnected_and_a_blocked_one_is_not(make_broker):
    broker = make_broker("--idle-timeout", 1)
    with broker.connect() as idle, broker.connect() as blocked, broker.connect() as busy:
        blocked.send("TASK.RESERVE", 1, "q", "BLOCK", 2500)
        assert idle("PING") == "PONG"
        started = time.monotonic()
        while time.monotonic() - started < 2:
            assert busy("PING") == "PONG"
            time.sleep(0.1)
        assert idle.at_end()
        assert blocked.read() is None
        assert statistic(busy, "idle_clients_closed") == 1


def test_broker_and_tool_need_no_capability(make_broker, tmp_path):
    # A unit and a container give none; whoever is not root has none.
    without = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    broker = make_broker("--log-format", "json", wrapper=without)
    with broker.connect() as client:
        assert client("PING") == "PONG"
    words = [*without, BINARY, "add", "q", "t", "--port", broker.port]
    added = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=20)
    assert added.returncode == 0 and added.stderr == "", added.stderr
    assert broker.stop() == 0
    assert [json.loads(line)["message"] for line in broker.log_text().splitlines()] == ["stopping"]


# Each profile and its measured difference.


def test_the_development_profile_logs_what_happens(make_broker):
    broker, plain = make_broker("--profile", "development"), make_broker(name="plain")
    for each in (broker, plain):
        with each.connect() as client:
            assert isinstance(client("TASK.AD", "q", "t"), Refusal)
    for line in ("a client connected", "a command was refused"):
        eventually(lambda: line in broker.log_text())
        assert line not in plain.log_text()
    assert "'TASK.AD'" in broker.log_text()


def test_the_production_profile_logs_json(make_broker):
    broker, plain = make_broker("--profile", "production"), make_broker(name="plain")
    assert broker.stop() == 0 and plain.stop() == 0
    lines = [json.loads(line) for line in broker.log_text().splitlines()]
    assert any(line["message"] == "stopping" and line["level"] == "notice" for line in lines)
    assert "stopping" in plain.log_text() and not plain.log_text().startswith("{")


def test_the_high_throughput_profile_does_not_wait_for_the_disk(make_broker, recorder, tmp_path):
    flushes = {}
    for profile in ("none", "high-throughput"):
        record = tmp_path / f"{profile}.record"
        preload = {"LD_PRELOAD": str(recorder), "RECORD_TO": str(record), "RECORD_BELOW": str(tmp_path / profile)}
        broker = make_broker("--profile", profile, name=profile, environment=preload)
        with broker.connect() as client:
            before = flushes_in(record)
            for number in range(200):
                client("TASK.ADD", "q", "t", number)
            flushes[profile] = flushes_in(record) - before
        broker.close()
    assert flushes["none"] >= 200 and flushes["high-throughput"] < 50, flushes


def flushes_in(record):
    return sum(kind in "fd" for kind, *_ in power_cut.records(record))


def test_the_low_memory_profile_holds_less_for_a_client_that_does_not_read(make_broker):
    held = {}
    for profile in ("none", "low-memory"):
        broker = make_broker("--profile", profile, name=profile)
        with broker.connect() as client, broker.connect() as deaf:
            id = client("TASK.ADD", "q", "t", "x" * 500_000)
            deaf.socket.sendall(encode("TASK.GET", id, "PAYLOAD") * 200)
            sizes = []

            def settled():
                text = client("INFO", "clients").decode()
                sizes.append(int(re.search(r"client_output_bytes:(\d+)", text).group(1)))
                time.sleep(0.05)
                return len(sizes) > 5 and sizes[-1] > 0 and len(set(sizes[-5:])) == 1

            eventually(settled)
            held[profile] = sizes[-1]
    assert held["low-memory"] < held["none"] / 3, held


# Logs.


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_clients_send_cannot_forge_a_line_of_the_log(make_broker, form):
    broker = make_broker("--log-format", form, "--log-level", "trace")
    with broker.connect() as client:
        forged = b"x\r\n2026-01-01T00:00:00Z error forged\x1b[2J"
        client("CLIENT", "SETNAME", forged)
        client("TASK.ADD", forged, forged, forged)
        client(forged, forged)
    assert broker.stop() == 0
    for line in broker.log_text().splitlines():
        assert not re.search(r"^\S+ error forged", line) and "\x1b" not in line
        if form == "json":
            json.loads(line)


# The files that deploy it.


def known_variables():
    return {"MARTLET_" + name.upper().replace("-", "_") for name in settings()} | {"MARTLET_CONFIG"}


@pytest.mark.parametrize("name", ["Dockerfile", "compose.yaml", ".env.example", "martlet.service"])
def test_deployment_files_name_only_settings_that_there_are(name):
    named = set(re.findall(r"MARTLET_[A-Z_]+", (DEPLOY / name).read_text())) - {"MARTLET_"}
    assert named and named <= known_variables()


def test_the_example_environment_is_accepted():
    lines = (DEPLOY / ".env.example").read_text().splitlines()
    environment = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    printed = settings(environment=environment)
    assert printed["profile"] == "production" and printed["log-format"] == "json"


def test_the_dockerfile_copies_what_is_there_and_runs_commands_that_there_are():
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    stages = [line for line in text.splitlines() if line.startswith("FROM ")]
    assert len(stages) == 2 and stages[0].endswith(" AS build")
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["COPY"] and not words[1].startswith("--from"):
            assert (ROOT / words[1]).exists(), line
    for command in re.findall(r'(?:HEALTHCHECK.*CMD|^CMD) (\[.*\])', text, re.MULTILINE):
        words = [word for word in json.loads(command) if word != "martlet"]
        assert subprocess.run([BINARY, *words, "--help"], capture_output=True).returncode == 0
    # What Package.swift names has to be in the build stage, or the package does not load.
    for path in re.findall(r'path: "([^/"]+)', (ROOT / "Package.swift").read_text()):
        assert f"COPY {path} " in text


def test_the_health_check_of_the_container_gets_past_the_password(make_broker, tmp_path):
    (tmp_path / "password").write_text("of all\n")
    broker = make_broker("--password-file", tmp_path / "password")
    (command,) = re.findall(r"^HEALTHCHECK .*\\\n +CMD (\[.*\])$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    words = [BINARY if word == "martlet" else word for word in json.loads(command)]
    password = {"MARTLET_PASSWORD_FILE": str(tmp_path / "password")}
    for variables, healthy in ((password, True), ({}, False)):
        environment = {**os.environ, "MARTLET_PORT": str(broker.port), **variables}
        done = subprocess.run(words, capture_output=True, text=True, timeout=20, env=environment)
        assert (done.returncode == 0) == healthy, done.stdout + done.stderr


def test_the_unit_starts_the_broker_as_its_settings_say(tmp_path):
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    parser.read(DEPLOY / "martlet.service")
    start = shlex.split(parser["Service"]["ExecStart"])
    assert start[0].endswith("/martlet")
    environment = dict([parser["Service"]["Environment"].split("=", 1)])
    assert settings(*start[2:], environment=environment)["data"] == "/var/lib/" + parser["Service"]["StateDirectory"]
    if shutil.which("systemd-analyze"):
        unit = tmp_path / "martlet.service"
        unit.write_text((DEPLOY / "martlet.service").read_text().replace("/usr/local/bin/martlet", str(BINARY.resolve())))
        checked = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
        assert "martlet.service" not in checked.stderr, checked.stderr


def test_the_compose_file_is_one():
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["martlet"]
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).exists()
    assert service["ports"] == ["127.0.0.1:7379:7379"]
