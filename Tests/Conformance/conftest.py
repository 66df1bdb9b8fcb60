import pytest

from broker import BINARY, Broker


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
