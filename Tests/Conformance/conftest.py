import json
import os
import subprocess

import pytest

from broker import BINARY, ROOT, Broker


def pytest_sessionstart(session):
    assert BINARY.exists(), f"there is no {BINARY}: build it, or name it in MARTLET_BIN"


@pytest.fixture
def broker(tmp_path):
    """A broker on an empty directory."""
    broker = Broker(tmp_path / "data")
    try:
        yield broker.start()
    finally:
        broker.close()


@pytest.fixture
def make_broker(tmp_path):
    """Starts brokers with options of their own."""
    made = []

    def make(*options, name="data", start=True, **more):
        broker = Broker(tmp_path / name, *options, **more)
        made.append(broker)
        return broker.start() if start else broker

    yield make
    for broker in made:
        broker.close()


@pytest.fixture
def run(broker):
    """Runs the tool, `martlet …` against the broker: exit code, standard output, standard error."""

    def run(*arguments, input=None, port=None):
        environment = {**os.environ, "MARTLET_PORT": str(port or broker.port)}
        result = subprocess.run(
            [BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=60, input=input, env=environment)
        return result.returncode, result.stdout, result.stderr

    return run


@pytest.fixture
def json_of(run):
    """The same with `--json`: what it prints, parsed; it must succeed."""

    def read(*arguments, **more):
        code, out, error = run(*arguments, "--json", **more)
        assert code == 0, error
        return json.loads(out)

    return read


@pytest.fixture(scope="session")
def recorder(tmp_path_factory):
    """The library that records what the broker writes."""
    library = tmp_path_factory.mktemp("shim") / "recording_writes.so"
    source = ROOT / "Tests/Conformance/recording_writes.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl", "-lpthread"], check=True)
    return library
