"""A client that hides nothing: what is sent and read are the bytes of RESP."""

import socket


class Refusal(str):
    """An error reply, without its leading `-`."""

    @property
    def code(self):
        return self.split(" ", 1)[0]


class Push(list):
    """An out-of-band message of RESP3."""


class Wire:
    def __init__(self, port, protocol=2, timeout=30):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb")
        self.protocol = protocol
        if protocol == 3:
            assert self("HELLO", 3)[b"proto"] == 3

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.stream.close()
        self.socket.close()

    def __call__(self, *arguments):
        """Sends one command and reads its reply."""
        self.send(*arguments)
        return self.read()

    def send(self, *arguments):
        self.socket.sendall(encode(*arguments))

    def pipeline(self, commands):
        """Sends all, then reads all replies."""
        self.socket.sendall(b"".join(encode(*command) for command in commands))
        return [self.read() for _ in commands]

    def read(self):
        line = self.stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return Refusal(rest.decode(errors="replace"))
        if kind == b":":
            return int(rest)
        if kind == b"_":
            return None
        if kind == b"#":
            return rest == b"t"
        if kind == b",":
            return float(rest)
        count = int(rest)
        if count < 0:
            return None
        if kind in b"$=":
            body = self.stream.read(count + 2)
            if len(body) != count + 2:
                raise ConnectionError("closed")
            return body[:-2]
        if kind == b"%":
            return {self.read(): self.read() for _ in range(count)}
        if kind in b"*~":
            return [self.read() for _ in range(count)]
        if kind == b">":
            return Push(self.read() for _ in range(count))
        raise ValueError(f"no RESP: {line!r}")

    def at_end(self):
        """Whether the broker closes the connection."""
        try:
            return self.stream.read(1) == b""
        except ConnectionError:
            return True


def encode(*arguments):
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        data = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def as_map(reply):
    """A map of either protocol, with text for keys."""
    if isinstance(reply, dict):
        return {key.decode(): value for key, value in reply.items()}
    assert isinstance(reply, list), reply
    return {key.decode(): value for key, value in zip(reply[::2], reply[1::2])}


def field_names(reply):
    keys = list(reply) if isinstance(reply, dict) else reply[::2]
    return [key.decode() for key in keys]


def tasks(reply):
    """What RESERVE gave, as maps."""
    return [as_map(task) for task in reply or []]
