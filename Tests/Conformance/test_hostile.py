"""Clients that misbehave, and what the others notice."""

import os
import socket
import threading
import time

import pytest

from wire import encode


def pings(client, seconds):
    """Round trips of a well-behaved client, in milliseconds."""
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.perf_counter()
        assert client("PING") == "PONG"
        times.append((time.perf_counter() - started) * 1000)
    return sorted(times)


def resident(pid):
    """Resident memory of a process in bytes."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def test_a_client_that_never_reads_is_dropped_and_the_others_stay_quick(broker):
    with broker.connect() as client, broker.connect() as greedy:
        id = client("TASK.ADD", "q", "t", os.urandom(1_000_000))
        before = resident(broker.process.pid)
        greedy.socket.setblocking(False)
        request, times, most, deadline = encode("TASK.GET", id, "PAYLOAD") * 50, [], 0, time.monotonic() + 20
        while b"connected_clients:1\r" not in client("INFO", "clients"):
            try:
                greedy.socket.send(request)
            except OSError:
                pass
            times += pings(client, 0.05)
            most = max(most, resident(broker.process.pid) - before)
            assert time.monotonic() < deadline, "it is never dropped"
        times.sort()
        assert times[int(len(times) * 0.99)] <= 50
        assert most <= 256 * 1024 * 1024


def test_unread_replies_of_many_clients_are_bounded_in_all(broker):
    with broker.connect() as client:
        id = client("TASK.ADD", "q", "t", os.urandom(500_000))
        before, most = resident(broker.process.pid), 0
        deaf = [broker.connect() for _ in range(40)]
        for one in deaf:
            one.socket.sendall(encode("TASK.GET", id, "PAYLOAD") * 40)
        deadline = time.monotonic() + 20
        while b"\r\ndropped_clients:0\r" in client("INFO", "stats"):
            most = max(most, resident(broker.process.pid) - before)
            assert time.monotonic() < deadline, "nobody is dropped"
        times = pings(client, 1)
        most = max(most, resident(broker.process.pid) - before)
        assert times[int(len(times) * 0.99)] <= 50
        assert most <= 400 * 1024 * 1024
        for one in deaf:
            one.close()


@pytest.mark.parametrize("request_of", ["PING", "SCAN 0 MATCH @*nothing COUNT 10000", "TASK.GET {} PAYLOAD"])
def test_an_endless_pipeline_keeps_nobody_from_working(broker, request_of):
    with broker.connect() as client:
        client("TASK.MADD", "q", "TASKS", 5000, *["t", "p"] * 5000)
        id = client("TASK.ADD", "large", "t", b"x" * 100_000).decode()
        request, greedy = encode(*request_of.format(id).split()) * 500, [broker.connect() for _ in range(2)]
        over = threading.Event()

        def pour(connection):
            while not over.is_set():
                try:
                    connection.socket.sendall(request)
                except OSError:
                    return

        def drain(connection):
            while not over.is_set():
                try:
                    if not connection.socket.recv(1 << 20):
                        return
                except OSError:
                    return

        threads = [threading.Thread(target=job, args=(one,)) for one in greedy for job in (pour, drain)]
        for thread in threads:
            thread.start()
        try:
            time.sleep(0.5)
            client.socket.settimeout(5)
            for _ in range(20):
                assert client("TASK.ADD", "mine", "t", "p")
                (task,) = client("TASK.RESERVE", 1, "mine")
                fields = dict(zip(task[::2], task[1::2])) if isinstance(task, list) else task
                assert client("TASK.ACK", fields[b"id"], fields[b"token"]) == "OK"
        finally:
            over.set()
            for one in greedy:
                one.socket.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()
            for one in greedy:
                one.close()


def test_replies_that_overrun_the_socket_come_whole_and_in_order(broker):
    """A slow reader, with little room in its socket, reads while the broker flushes what it asked for meanwhile."""
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    slow.settimeout(30)
    slow.connect(("127.0.0.1", broker.port))
    expected, received = bytearray(), bytearray()
    for size in (3, 700_001, 40_000, 1, 65_537, 1_250_000, 17, 2_000_000):
        text = os.urandom(size)
        slow.sendall(encode("ECHO", text))
        expected += b"$%d\r\n%b\r\n" % (len(text), text)
    while len(received) < len(expected):
        if len(received) < 3_000_000:
            slow.sendall(encode("QUEUE.PAUSE", "q"))
            expected += b"+OK\r\n"
        for _ in range(8):
            if len(received) < len(expected):
                received += slow.recv(3_000)
    slow.close()
    assert received == expected


def test_unfinished_and_endless_requests_harm_nobody(broker):
    hostile = []
    for data in [b"*1000000\r\n$5\r\n", b"*2\r\n$536870912\r\n", b"*1\r\n$4\r\nPI", b"a" * 60_000, os.urandom(5000)]:
        client = socket.create_connection(("127.0.0.1", broker.port))
        client.sendall(data)
        hostile.append(client)
    before = resident(broker.process.pid)
    with broker.connect() as client:
        times = pings(client, 0.5)
        assert times[int(len(times) * 0.99)] <= 50
    assert resident(broker.process.pid) - before <= 64 * 1024 * 1024
    for client in hostile:
        client.close()


def test_an_argument_that_claims_half_a_gigabyte_is_skipped_not_kept(broker):
    with broker.connect() as client, broker.connect() as other:
        before = resident(broker.process.pid)
        client.socket.sendall(b"*5\r\n$8\r\nTASK.ADD\r\n$1\r\nq\r\n$1\r\nt\r\n$104857600\r\n")
        for _ in range(100):
            client.socket.sendall(bytes(1024 * 1024))
        client.socket.sendall(b"\r\n$4\r\nFULL\r\n")
        assert client.read().code == "TOOBIG"
        assert client("PING") == "PONG" and other("PING") == "PONG"
        assert resident(broker.process.pid) - before <= 64 * 1024 * 1024


def test_many_connections_come_and_go(broker):
    for _ in range(300):
        with broker.connect() as client:
            client.send("PING")
    with broker.connect() as client:
        assert client("PING") == "PONG"
        assert b"connected_clients:" in client("INFO", "clients")
