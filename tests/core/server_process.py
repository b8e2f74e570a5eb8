"""Starts the real server with the tiny application in a process of its own, and speaks to it."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import websocket

HERE = Path(__file__).resolve().parents[2]
FACTORY = "tests.core.serving_app:create_app"


@dataclass
class Running:
    """A server that has printed its line."""

    process: subprocess.Popen[str]
    line: str
    port: int

    def get(self, path: str) -> str:
        return self.ask(urllib.request.Request(f"http://127.0.0.1:{self.port}{path}"))

    def post(self, path: str) -> str:
        return self.ask(urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method="POST"))

    def ask(self, request: urllib.request.Request) -> str:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return str(reply.read().decode())

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str, float]:
        """Send a signal; return exit code, further output, errors and the seconds it took."""
        begun = time.monotonic()
        self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=15)
        return self.process.returncode, output, errors, time.monotonic() - begun


def command(*, port: int = 0, factory: str = FACTORY, workers: int = 1, threads: bool = False) -> list[str]:
    """The command of a process that becomes the server."""
    call = f"serve(port={port}, factory={factory!r}, workers={workers}, threads={threads})"
    return [sys.executable, "-c", f"import sys; from core.serving import serve; sys.exit({call})"]


def start(folder: Path, arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        arguments,
        cwd=folder,
        env={"PYTHONPATH": str(HERE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


@contextmanager
def running(folder: Path, **options: Any) -> Iterator[Running]:
    """Run a server on a free port until the block ends."""
    process = start(folder, command(**options))
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield Running(process, line, int(line.rsplit(":", 1)[1]))
    finally:
        if process.returncode is None:
            process.terminate()
            process.communicate(timeout=15)


@contextmanager
def connected(
    port: int, receive_buffer: int | None = None, origin: str | None = None, path: str = "/socket.io/"
) -> Iterator[websocket.WebSocket]:
    """Open a Socket.IO connection by hand: an Engine.IO websocket, then the default namespace."""
    client = websocket.WebSocket(
        sockopt=[] if receive_buffer is None else [(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)],
        skip_utf8_validation=True,  # slow; a spoiled frame is no JSON either
    )
    client.settimeout(10)
    try:
        client.connect(
            f"ws://127.0.0.1:{port}{path}?EIO=4&transport=websocket", origin=origin, suppress_origin=origin is None
        )
        assert client.recv().startswith("0{")
        client.send("40")
        assert client.recv().startswith("40{")
        yield client
    finally:
        client.shutdown()


def changes(client: websocket.WebSocket, count: int) -> list[int]:
    """Read `count` change events, answering pings, and return their numbers; a spoiled frame raises."""
    numbers: list[int] = []
    while len(numbers) < count:
        frame = client.recv()
        if not frame:  # a farewell
            raise websocket.WebSocketConnectionClosedException
        if frame == "2":
            client.send("3")
            continue
        assert frame.startswith("42"), frame[:80]
        name, change = json.loads(frame[2:])
        assert name == "change"
        numbers.append(change["number"])
    return numbers
