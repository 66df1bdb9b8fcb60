"""The examples as people run them: processes on a real broker."""

import base64
import hashlib
import http.client
import json
import pathlib
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time

import pytest

from broker import BINARY, ROOT, eventually
from wire import as_map

PYTHON = ROOT / "Examples/python"
JOBS = BINARY.resolve().parent / "jobs"


@pytest.fixture
def start():
    """Starts processes; what still runs at the end is killed."""
    processes = []

    def start(*command, **more):
        process = subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def end(process, within=30):
    """Its exit code, output and errors."""
    output, errors = process.communicate(timeout=within)
    return process.returncode, output, errors


def info(client, queue):
    return as_map(client("QUEUE.INFO", queue))


# Python


@pytest.mark.parametrize("script", ["producer.py", "worker.py"])
def test_the_python_examples_are_short(script):
    assert len((PYTHON / script).read_text().splitlines()) < 80


@pytest.fixture(params=[2, 3])
def python(broker, start, request):
    """Starts one of the scripts in one of the protocols."""
    def run(script, *arguments):
        return start(sys.executable, PYTHON / script, "--port", broker.port, "--protocol", request.param, *arguments)

    return run


def test_python_submits_works_retries_and_gives_up(broker, python):
    worker = python("worker.py")
    code, output, errors = end(python("producer.py", "word_count", '{"text": "to be or not to be"}', '{"text": "x"}'))
    assert code == 0, errors
    first, second = [line.split(" ", 2) for line in output.splitlines()]
    assert first[1] == "COMPLETED" and json.loads(first[2]) == {"to": 2, "be": 2, "or": 1, "not": 1}
    assert json.loads(second[2]) == {"x": 1}
    code, output, errors = end(python("producer.py", "flaky", '{"failures": 2}'))
    assert code == 0 and output.split(" ", 2)[1:] == ["COMPLETED", '{"attempt": 3}\n'], errors
    code, output, _ = end(python("producer.py", "--retries", 1, "flaky", '{"failures": 9}'))
    assert code == 1 and output.split(" ", 2)[1:] == ["DLQ", "attempt 2 was to fail\n"]
    worker.send_signal(signal.SIGTERM)
    assert end(worker)[0] == 0
    with broker.connect() as client:
        counts = info(client, "python")
        assert (counts["completed"], counts["dlq"], counts["active"]) == (3, 1, 0)


def test_a_python_worker_hears_of_a_cancellation_and_of_sigterm(broker, python):
    worker = python("worker.py", "--beat", 0.1)
    with broker.connect() as client:
        # So many rounds never end by themselves.
        id = client("TASK.ADD", "python", "word_count", '{"text": "a b", "rounds": 1000000000000}').decode()
        view = eventually(lambda: as_map(client("TASK.GET", id))["worker"], what="a worker")
        known = as_map(client("WORKER.INFO", view))
        assert known["pid"] == worker.pid and known["state"] == b"run" and known["queues"] == [b"python"]
        assert client("TASK.CANCEL", id) == b"ACTIVE"
        eventually(lambda: as_map(client("TASK.GET", id))["state"] == b"CANCELLED", 5, "the cancellation")
        worker.send_signal(signal.SIGTERM)
        assert end(worker)[0] == 0



def test_a_python_worker_outlives_its_broker_and_rests_when_told(broker, python):
    """redis-py asks again for some seconds by itself; an outage may be longer."""
    worker = python("worker.py", "--beat", 0.1)
    with broker.connect() as client:
        name = eventually(lambda: client("WORKER.LIST"), what="a worker") and as_map(client("WORKER.LIST")[0])["id"]
    broker.kill()
    time.sleep(7)
    assert worker.poll() is None
    broker.start()
    assert end(python("producer.py", "word_count", '{"text": "a b"}'))[0] == 0
    with broker.connect() as client:
        client("WORKER.QUIET", name)
        eventually(lambda: as_map(client("WORKER.INFO", name))["state"] == b"quiet")
        time.sleep(1.5)
        client("TASK.ADD", "python", "word_count", '{"text": "a"}')
        time.sleep(1)
        assert info(client, "python")["pending"] == 1
    broker.stop()
    worker.send_signal(signal.SIGTERM)
    assert end(worker)[0] in (0, 1)


def test_the_python_producer_waits_through_a_restart(broker, python):
    producer = python("producer.py", "word_count", '{"text": "a b"}')
    with broker.connect() as client:
        eventually(lambda: client("QUEUE.LIST") and info(client, "python")["pending"] == 1)
    broker.kill()
    time.sleep(7)
    broker.start()
    python("worker.py")
    code, output, errors = end(producer)
    assert code == 0 and " COMPLETED " in output, errors


# Swift


@pytest.fixture
def jobs(broker, start, tmp_path):
    """Runs the jobs example in a folder of its own."""
    if not JOBS.exists():
        pytest.fail(f"there is no {JOBS}: build it")

    def run(verb, *arguments):
        url = f"martlet://127.0.0.1:{broker.port}"
        return start(JOBS, verb, "--url", url, *arguments, cwd=tmp_path)

    return run


def submit(jobs, type, *payloads, options=()):
    code, output, errors = end(jobs("submit", "--wait", *options, type, *map(json.dumps, payloads)))
    assert code == 0, errors
    return [json.loads(line) for line in output.splitlines()]


def stop(worker, reason="shutdown"):
    worker.send_signal(signal.SIGTERM)
    code, _, errors = end(worker)
    assert code == 0 and errors.endswith(f"worker ended: {reason}\n"), errors


def test_a_worker_that_ends_in_order_is_known_no_more(broker, jobs, python):
    for worker in jobs("worker"), python("worker.py", "--beat", 0.5):
        with broker.connect() as client:
            eventually(lambda: len(client("WORKER.LIST")) == 1, what="a worker")
            worker.send_signal(signal.SIGTERM)
            assert end(worker)[0] == 0 and client("WORKER.LIST") == []


def test_mail_goes_to_the_outbox(jobs, tmp_path):
    worker = jobs("worker")
    (sent,) = submit(jobs, "send_email", {"to": "a@example.org", "subject": "Grüße", "body": "one\n.\ntwo"})
    text = (tmp_path / "outbox" / pathlib.Path(sent["deliveredTo"]).name).read_bytes().decode()
    head, _, body = text.partition("\r\n\r\n")
    assert f"Message-ID: {sent['messageID']}" in head and "To: <a@example.org>" in head
    assert "Subject: =?utf-8?B?R3LDvMOfZQ==?=" in head and body == "one\r\n.\r\ntwo\r\n"
    bad = {"to": "a@example.org\r\nBcc: b@example.org", "subject": "s", "body": "b"}
    code, _, errors = end(jobs("submit", "--wait", "send_email", json.dumps(bad)))
    assert code != 0 and "not a mail address" in errors
    stop(worker)


class Sink(socketserver.ThreadingTCPServer):
    """A mail server that keeps what it takes; it is too busy for the first mail."""

    daemon_threads = allow_reuse_address = True

    def __init__(self):
        self.mails, self.busy = [], 1
        super().__init__(("127.0.0.1", 0), Conversation)


class Conversation(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(f"{text}\r\n".encode())

    def handle(self):
        self.say("220 sink")
        while line := self.rfile.readline().decode().strip():
            verb = line.split(" ")[0]
            if verb == "EHLO":
                self.say("250-sink\r\n250 8BITMIME")
            elif verb == "RCPT" and self.server.busy:
                self.server.busy -= 1
                self.say("450 try again")
            elif verb == "DATA":
                self.say("354 go on")
                lines = list(iter(self.rfile.readline, b".\r\n"))
                self.server.mails.append(b"".join(line.removeprefix(b".") for line in lines).decode())
                self.say("250 taken")
            elif verb == "QUIT":
                return self.say("221 bye")
            else:
                self.say("250 fine")


def test_mail_goes_to_a_server_that_was_busy_at_first(jobs, broker):
    sink = Sink()
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    worker = jobs("worker", "--smtp", f"127.0.0.1:{sink.server_address[1]}")
    with broker.connect() as client:
        mail = {"to": "a@example.org", "subject": "s", "body": ".dot\nend"}
        code, output, errors = end(jobs("submit", "send_email", json.dumps(mail)))
        id = output.strip()
        view = eventually(lambda: (view := as_map(client("TASK.GET", id)))["last_error"] and view, what="a failure")
        assert view["state"] == b"SCHEDULED" and view["error_kind"] == b"ServiceUnavailable"
        # It waits five seconds, as its schedule says, unless somebody is in a hurry.
        assert view["run_at"] - view["enqueued_at"] >= 5000
        client("TASK.MOVE", id, "AT", 0)
        (ended,) = client("TASK.WAIT", 1, id, "BLOCK", 10000)
    sent = json.loads(as_map(ended)["result"])
    assert len(sink.mails) == 1 and sink.mails[0].endswith("\r\n\r\n.dot\r\nend\r\n")
    assert sent["messageID"] in sink.mails[0]
    stop(worker)
    sink.shutdown()


def test_tables_are_summed_up(jobs, broker):
    worker = jobs("worker")
    rows = "\n".join(f"{n}, {n * n},x" for n in range(1, 30001))
    (small,) = submit(jobs, "process_data", {"csv": "a,b\n1,5\n2,\n4,7\n"})
    assert small["rows"] == 3
    assert small["columns"]["b"] == {
        "count": 2, "minimum": 5, "maximum": 7, "mean": 6, "median": 6, "deviation": pytest.approx(2 ** 0.5)}
    assert small["columns"]["a"]["median"] == 2
    with broker.connect() as client:
        csv = json.dumps({"csv": "n,square,text\n" + rows})
        id = client("TASK.ADD", "default", "process_data", csv).decode()
        large = json.loads(as_map(client("TASK.WAIT", 1, id, "BLOCK", 20000)[0])["result"])
        assert large["columns"]["n"]["mean"] == pytest.approx(15000.5) and "text" not in large["columns"]
        assert as_map(client("TASK.GET", id))["progress"] == 90
        lines = [as_map(line)["line"] for line in client("TASK.LOGS", id)[1]]
        assert lines == [b"info summed up columns=3 rows=30000"]
    stop(worker)


def computed(client, ids):
    """Those of the tasks that summed up by themselves."""
    for ended in client("TASK.WAIT", len(ids), *ids, "BLOCK", 60000):
        assert as_map(ended)["state"] == b"COMPLETED"
    return [id for id in ids if client("TASK.LOGS", id)[1]]


def test_two_processes_sum_up_a_table_once(jobs, broker):
    workers = [jobs("worker", "--slots", 4, "--cache", 600) for _ in range(2)]
    table = json.dumps({"csv": "n,m\n" + "\n".join(f"{n},{n % 7}" for n in range(60000))})
    with broker.connect() as client:
        eventually(lambda: len(client("WORKER.LIST")) == 2, 10, "two workers")
        # One command, so that all eight slots begin with it at once.
        ids = client("TASK.MADD", "default", "TASKS", 40, *["process_data", table] * 40)
        assert len(computed(client, ids)) == 1
        results = {as_map(client("TASK.GET", id))["worker"]: client("TASK.RESULT", id) for id in ids}
        assert len(results) == 2 and len(set(map(lambda text: json.dumps(json.loads(text), sort_keys=True),
                                                 results.values()))) == 1
        other = client("TASK.ADD", "default", "process_data", json.dumps({"csv": "n\n1"}))
        assert computed(client, [other]) == [other]
    for worker in workers:
        stop(worker)


def test_a_process_that_dies_while_it_computes_holds_up_nobody_for_long(jobs, broker):
    first = jobs("worker", "--slots", 1, "--hard-limit", 4, "--cache", 600)
    csv = "n,m\n" + "\n".join(f"{n},{n % 7}" for n in range(600000))
    table, key = json.dumps({"csv": csv}), "jobs:figures:" + hashlib.sha256(csv.encode()).hexdigest()
    with broker.connect() as client:
        client("TASK.ADD", "default", "process_data", table, "LEASE", 3600000)
        mark = eventually(lambda: client("GET", key), 20, "the computation")
        first.kill()
        assert mark.startswith(b"computing ") and client("GET", key) == mark
        second = jobs("worker", "--slots", 1, "--hard-limit", 60, "--cache", 600)
        id = client("TASK.ADD", "default", "process_data", table)
        assert computed(client, [id]) == [id]
    stop(second)


def ppm(width, height, pixel):
    return b"P6\n# a comment\n%d %d\n255\n" % (width, height) + b"".join(
        bytes(pixel(x, y)) for y in range(height) for x in range(width))


def test_images_are_resized(jobs, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    (images / "in.ppm").write_bytes(ppm(64, 32, lambda x, y: (255, 0, 0) if x < 32 else (0, 0, 255)))
    worker = jobs("worker")
    (small,) = submit(jobs, "resize_image", {"source": "in.ppm", "destination": "small.bmp", "width": 7})
    assert (small["width"], small["height"]) == (7, 4)
    data = (images / "small.bmp").read_bytes()
    assert data[:2] == b"BM" and struct.unpack_from("<ii", data, 18) == (7, 4)
    assert struct.unpack_from("<I", data, 2)[0] == len(data) == small["bytes"] == 54 + 4 * 24
    row = [tuple(data[54 + 3 * x:57 + 3 * x]) for x in range(7)]  # blue, green, red
    # The middle pixel is half red and half blue; the outer ones are clean.
    assert row[0] == (0, 0, 255) and row[6] == (255, 0, 0) and row[3] in ((127, 0, 128), (128, 0, 127), (128, 0, 128))
    submit(jobs, "resize_image", {"source": "small.bmp", "destination": "large.ppm", "width": 70, "height": 40})
    head, pixels = (images / "large.ppm").read_bytes().split(b"255\n", 1)
    assert head == b"P6\n70 40\n" and len(pixels) == 70 * 40 * 3
    assert pixels[:3] == b"\xff\0\0" and pixels[-3:] == b"\0\0\xff"
    for bad in ({"source": "../in.ppm"}, {"source": "none.ppm"}, {"width": 0}, {"destination": "x.png"}):
        payload = {"source": "in.ppm", "destination": "x.ppm", "width": 5, **bad}
        assert end(jobs("submit", "--wait", "resize_image", json.dumps(payload)))[0] != 0
    assert not (images / "x.ppm").exists()
    stop(worker)


def test_text_is_taken_out_of_documents(jobs, broker, tmp_path):
    documents = tmp_path / "documents"
    documents.mkdir()
    sample = (ROOT / "Examples/sample.pdf").read_bytes()
    (documents / "sample.pdf").write_bytes(sample)
    worker = jobs("worker")
    results = submit(jobs, "pdfxtract", {"source": "sample.pdf"}, {"content": base64.b64encode(sample).decode()})
    assert [result["pages"] for result in results] == [2, 2]
    for result in results:
        assert result["text"].split() == "A task is done at least once. Its second page says so, too.".split()
    with broker.connect() as client:
        for bad, kind in (
                ({"source": "../sample.pdf"}, b"invalid_name"), ({"source": "none.pdf"}, b"no_document"),
                ({"content": "%"}, b"invalid_content"),
                ({"content": base64.b64encode(b"no document").decode()}, b"invalid_pdf"), ({}, b"invalid_payload"),
                ({"content": base64.b64encode(b"%PDF-1.4 and no more").decode()}, b"invalid_pdf")):
            id = client("TASK.ADD", "default", "pdfxtract", json.dumps(bad))
            (ended,) = client("TASK.WAIT", 1, id, "BLOCK", 20000)
            assert as_map(ended)["state"] == b"DLQ"
            assert as_map(client("TASK.GET", id))["error_kind"] == kind
    stop(worker)


def nap(jobs, count):
    """Tasks that take as long as their worker's pace."""
    mails = [json.dumps({"to": f"{n}@example.org", "subject": "s", "body": "b"}) for n in range(count)]
    code, output, errors = end(jobs("submit", "send_email", *mails))
    assert code == 0, errors
    return output.split()


def until_begun(client, ids, count):
    """A task that was handed out may still be on its way; one that has a note is in its handler's hands."""
    def begun():
        return sum(as_map(client("TASK.GET", id))["note"] == b"begun" for id in ids) == count

    eventually(begun, what=f"{count} running handlers")


def test_sigterm_lets_eight_slots_finish(jobs, broker):
    ids = nap(jobs, 12)
    worker = jobs("worker", "--slots", 8, "--pace", 3, "--grace", 60)
    with broker.connect() as client:
        until_begun(client, ids, 8)
        stop(worker)
        counts = info(client, "default")
        assert (counts["completed"], counts["pending"], counts["active"]) == (8, 4, 0)
        assert counts["total_failed"] == 0


def test_sigterm_gives_back_what_eight_slots_cannot_finish(jobs, broker):
    ids = nap(jobs, 12)
    worker = jobs("worker", "--slots", 8, "--pace", 600, "--grace", 0.3)
    with broker.connect() as client:
        until_begun(client, ids, 8)
        stop(worker)
        counts = info(client, "default")
        assert (counts["completed"], counts["pending"], counts["active"]) == (0, 12, 0)
        assert counts["total_failed"] == 0
        assert {as_map(client("TASK.GET", id))["attempt"] for id in ids} == {0}


def test_a_worker_ends_after_its_share_and_answers_probes(jobs, broker):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    worker = jobs("worker", "--slots", 1, "--max-tasks", 3, "--health-port", port)

    def probe(path):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except OSError:
            return None, None

    eventually(lambda: probe("/ready")[0] == 200, what="readiness")
    assert probe("/live")[1]["phase"] == "running"
    nap(jobs, 5)
    code, _, errors = end(worker)
    assert code == 0 and errors.endswith("worker ended: ran 3 tasks\n"), errors
    with broker.connect() as client:
        counts = info(client, "default")
        assert (counts["completed"], counts["pending"]) == (3, 2)
