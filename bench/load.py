"""Keep-alive connections that ask again as soon as they are answered, in one thread on raw sockets.

The generator shares the machine with the server, so it does as little as it can: requests are bytes made beforehand,
of a reply it reads the status and the length.
"""

import re
import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

PATIENCE_S = 30.0
LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
BODYLESS = (204, 304)

Requests = Iterator[bytes]


class Unexpected(Exception):
    """The server answered something else than the measurement needs, or nothing."""


@dataclass
class Load:
    """What one stretch of load did: seconds in all, and seconds from each request to its reply."""

    seconds: float = 0.0
    replies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def per_second(self) -> float:
        return len(self.replies) / self.seconds


def request(method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> bytes:
    """One HTTP/1.1 request as bytes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    elif method == "POST":
        lines += ["Content-Length: 0"]
    return "\r\n".join((*lines, "", "")).encode() + body


class Connection:
    """One kept connection with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.asked_at = 0.0
        self._read = b""

    def ask(self, request: bytes) -> None:
        self._read = b""
        self.asked_at = time.perf_counter()
        self.socket.sendall(request)

    def more(self) -> tuple[int, bytes] | None:
        """Read what is there; status and body once the reply is whole, else None. Raises Unexpected."""
        data = self.socket.recv(65_536)
        if not data:
            raise Unexpected("the server closed a kept connection")
        self._read += data
        end = self._read.find(b"\r\n\r\n")
        if end < 0:
            return None
        status = int(self._read[9:12])
        length = LENGTH.search(self._read, 0, end)
        if length is None and status not in BODYLESS:
            raise Unexpected(f"a reply without length: {self._read[:end]!r}")
        body = self._read[end + 4 :]
        return (status, body) if length is None or status in BODYLESS or len(body) >= int(length[1]) else None

    def reply(self, request: bytes) -> tuple[int, bytes]:
        """Ask and wait: for what is not measured."""
        self.ask(request)
        while (answer := self.more()) is None:
            pass
        return answer


def drive(port: int, seconds: float, requests: Sequence[Requests], expected: int) -> Load:
    """Keep one connection busy for each of `requests` for so long; every reply must have the `expected` status.

    Requests under way at the end are waited for and count. Raises Unexpected.
    """
    load = Load()
    connections = [Connection(port) for _ in requests]
    with selectors.DefaultSelector() as selector:
        begun = time.perf_counter()
        for connection, stream in zip(connections, requests, strict=True):
            selector.register(connection.socket, selectors.EVENT_READ, (connection, stream))
            connection.ask(next(stream))
        busy = len(connections)
        while busy:
            ready = selector.select(PATIENCE_S)
            if not ready:
                raise Unexpected(f"no reply in {PATIENCE_S:.0f} s")
            for key, _ in ready:
                connection, stream = key.data
                answer = connection.more()
                if answer is None:
                    continue
                now = time.perf_counter()
                load.replies.append(now - connection.asked_at)
                load.statuses[answer[0]] += 1
                if answer[0] != expected:
                    raise Unexpected(f"{answer[0]} in place of {expected}: {answer[1][:300].decode(errors='replace')}")
                if now - begun < seconds:
                    connection.ask(next(stream))
                else:
                    busy -= 1
        load.seconds = time.perf_counter() - begun
    for connection in connections:
        connection.socket.close()
    return load
