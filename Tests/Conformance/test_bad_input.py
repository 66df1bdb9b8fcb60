"""Bad input: a clear error, nothing changed, the connection alive. Malformed RESP: an error and the end."""

import pytest

from wire import as_map, tasks

MISSING = "01890000-0000-7000-8000-000000000000"
BIG = 2**63

COMMANDS = [
    ("unknown option", ("TASK.ADD", "q", "t", "p", "COLOUR", "red"), "ERR", "COLOUR"),
    ("option twice", ("TASK.ADD", "q", "t", "p", "RETRIES", 1, "RETRIES", 2), "ERR", "RETRIES"),
    ("option of a queue", ("TASK.ADD", "q", "t", "p", "FAIR", "on"), "ERR", "FAIR"),
    ("option without value", ("TASK.ADD", "q", "t", "p", "PRIORITY"), "ERR", ""),
    ("priority 11", ("TASK.ADD", "q", "t", "p", "PRIORITY", 11), "ERR", "PRIORITY"),
    ("priority 0", ("TASK.ADD", "q", "t", "p", "PRIORITY", 0), "ERR", "PRIORITY"),
    ("priority in words", ("TASK.ADD", "q", "t", "p", "PRIORITY", "high"), "ERR", "PRIORITY"),
    ("negative delay", ("TASK.ADD", "q", "t", "p", "DELAY", -1), "ERR", "DELAY"),
    ("delay past 2^53", ("TASK.ADD", "q", "t", "p", "DELAY", 2**53), "ERR", "DELAY"),
    ("overflowing delay", ("TASK.ADD", "q", "t", "p", "DELAY", BIG), "ERR", "DELAY"),
    ("overflowing time", ("TASK.ADD", "q", "t", "p", "AT", BIG), "ERR", "AT"),
    ("a number of 300 digits", ("TASK.ADD", "q", "t", "p", "TTL", "9" * 300), "ERR", "TTL"),
    ("TTL 0", ("TASK.ADD", "q", "t", "p", "TTL", 0), "ERR", "TTL"),
    ("jitter 101", ("TASK.ADD", "q", "t", "p", "JITTER", 101), "ERR", "JITTER"),
    ("negative retries", ("TASK.ADD", "q", "t", "p", "RETRIES", -1), "ERR", "RETRIES"),
    ("back-off of no kind", ("TASK.ADD", "q", "t", "p", "BACKOFF", "SLOWLY", 1), "ERR", ""),
    ("back-off list too long", ("TASK.ADD", "q", "t", "p", "BACKOFF", "LIST", 1000000, 1), "ERR", ""),
    ("queue name of 300 bytes", ("TASK.ADD", "q" * 300, "t", "p"), "ERR", ""),
    ("empty queue name", ("TASK.ADD", "", "t", "p"), "ERR", ""),
    ("control character in a queue name", ("TASK.ADD", "a\nb", "t", "p"), "ERR", ""),
    ("queue name not UTF-8", ("TASK.ADD", b"\xff\xfe", "t", "p"), "ERR", ""),
    ("type of 300 bytes", ("TASK.ADD", "q", "t" * 300, "p"), "ERR", ""),
    ("nonce of 65 bytes", ("TASK.ADD", "q", "t", "p", "REQ", "n" * 65), "ERR", "REQ"),
    ("payload past the limit", ("TASK.ADD", "q", "t", b"x" * (8 * 1024 * 1024 + 1)), "TOOBIG", ""),
    ("payload far past the limit", ("TASK.ADD", "q", "t", b"x" * (20 * 1024 * 1024)), "TOOBIG", ""),
    ("too few arguments", ("TASK.ADD", "q"), "ERR", "arguments"),
    ("no tasks", ("TASK.MADD", "q", "PRIORITY", 1, "TASKS", 0), "ERR", ""),
    ("fewer tasks than said", ("TASK.MADD", "q", "TASKS", 3, "t", "p", "t", "p"), "ERR", ""),
    ("more tasks than there can be", ("TASK.MADD", "q", "TASKS", BIG, "t", "p"), "ERR", ""),
    ("no queues", ("TASK.RESERVE", 0, "q"), "ERR", ""),
    ("fewer queues than said", ("TASK.RESERVE", 3, "q"), "ERR", ""),
    ("negative queues", ("TASK.RESERVE", -1, "q"), "ERR", ""),
    ("count 0", ("TASK.RESERVE", 1, "q", "COUNT", 0), "ERR", "COUNT"),
    ("negative block", ("TASK.RESERVE", 1, "q", "BLOCK", -1), "ERR", "BLOCK"),
    ("lease 0", ("TASK.RESERVE", 1, "q", "LEASE", 0), "ERR", "LEASE"),
    ("missing id", ("TASK.ACK", MISSING, 1), "NOTASK", ""),
    ("no id", ("TASK.ACK", "not-an-id", 1), "NOTASK", ""),
    ("empty id", ("TASK.GET", ""), "NOTASK", ""),
    ("missing id to GET", ("TASK.GET", MISSING), "NOTASK", ""),
    ("missing id to FAIL", ("TASK.FAIL", MISSING, 1, "m"), "NOTASK", ""),
    ("missing id to RESULT", ("TASK.RESULT", MISSING), "NOTASK", ""),
    ("NEXT without a RESERVE", ("TASK.ACK", MISSING, 1, "NEXT"), "ERR", "RESERVE"),
    ("unknown command", ("TASK.NONSENSE", "a"), "ERR", "TASK.NONSENSE"),
    ("unknown queue", ("QUEUE.INFO", "none"), "NOQUEUE", "none"),
    ("a list by nothing", ("TASK.LIST", "q", "BY", "AGE"), "ERR", "syntax error near 'AGE'"),
    ("dead letters by nothing", ("DLQ.LIST", "q", "BY", "AGE"), "ERR", "syntax error near 'AGE'"),
    ("no end for a key", ("SET", "k", "v", "PX", 0), "ERR", "invalid expire time in 'set' command"),
    ("an end too far", ("EXPIRE", "k", 2**62), "ERR", "invalid expire time in 'expire' command"),
    ("no such operation", ("TASK.STOPOP", "op-99"), "ERR", "no such operation 'op-99'"),
    ("line breaks in a name", ("NO\r\n+OK\r\nSUCH", "x"), "ERR", ""),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """One broker for the whole table, with one task in hand."""
    from broker import Broker

    broker = Broker(tmp_path_factory.mktemp("bad") / "data").start()
    with broker.connect() as client:
        client("TASK.ADD", "held", "t", "p")
        (task,) = tasks(client("TASK.RESERVE", 1, "held", "LEASE", 600000))
    yield broker, task
    broker.close()


def contents(client, task):
    # What moves with the clock is left out.
    queues = [{name: value for name, value in as_map(queue).items() if not name.endswith("_rate")}
              for queue in client("QUEUE.LIST")]
    return queues, client("TASK.GET", task["id"], "HISTORY", "PAYLOAD")


@pytest.mark.parametrize("command, code, names", [row[1:] for row in COMMANDS], ids=[row[0] for row in COMMANDS])
def test_a_bad_command_is_refused_and_changes_nothing(served, command, code, names):
    broker, task = served
    with broker.connect() as client:
        before = contents(client, task)
        reply = client(*command)
        assert getattr(reply, "code", reply) == code
        assert names in reply and len(reply) < 500
        assert client("PING") == "PONG"
        assert contents(client, task) == before


@pytest.mark.parametrize("verb", [("TASK.ACK",), ("TASK.FAIL", "m"), ("TASK.RELEASE",), ("TASK.TOUCH",)])
@pytest.mark.parametrize("token", ["0", "-1", "1000000", "9223372036854775807"])
def test_a_wrong_token_is_refused(served, verb, token):
    broker, task = served
    with broker.connect() as client:
        before = contents(client, task)
        reply = client(verb[0], task["id"], token, *verb[1:])
        assert reply.code == "LEASELOST"
        assert contents(client, task) == before


@pytest.mark.parametrize("token", ["9223372036854775808", "x", "", "1.5", "99999999999999999999999"])
def test_a_token_that_is_no_number_is_refused(served, token):
    broker, task = served
    with broker.connect() as client:
        assert client("TASK.ACK", task["id"], token).code in ("ERR", "LEASELOST")
        assert as_map(client("TASK.GET", task["id"]))["state"] == b"ACTIVE"


MALFORMED = [
    b"*x\r\n",
    b"*9999999999\r\n",
    b"*99999999999999999999999\r\n",
    b"*1\r\n:1\r\n",
    b"*1\r\n$x\r\n",
    b"*1\r\n$-5\r\n",
    b"*1\r\n$999999999999\r\n",
    b"*2\r\n$4\r\nPING\r\n+x\r\n",
    b"*1\r\n$18446744073709551617\r\n",
    b"*1048577\r\n",
    b"x" * (65 * 1024),
    b'PING "unbalanced\r\n',
]


@pytest.mark.parametrize("data", MALFORMED, ids=[repr(data[:24]) for data in MALFORMED])
def test_malformed_requests_end_the_connection_with_a_protocol_error(served, data):
    broker, _ = served
    with broker.connect() as client, broker.connect() as other:
        client.socket.sendall(data)
        reply = client.read()
        assert reply.startswith("ERR Protocol error"), reply
        assert client.at_end()
        assert other("PING") == "PONG"
