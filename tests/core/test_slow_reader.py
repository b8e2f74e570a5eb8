"""A screen that stops reading for a while: its stream stays clean, or it is dropped, and nobody else notices."""

import inspect
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import simple_websocket
import websocket

from core.websockets import Line
from tests.core.server_process import Running, changes, connected, running

FRAMES = 2000
ENDED = (websocket.WebSocketConnectionClosedException, ConnectionError)
SMALL = 4096  # bytes the slow client's kernel accepts on its behalf


@pytest.fixture(scope="module", params=["gevent", "threads"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp(request.param), threads=request.param == "threads") as server:
        yield server


def test_a_client_that_stops_reading_gets_every_frame_whole_and_in_order_when_it_resumes(server: Running) -> None:
    with connected(server.port, receive_buffer=SMALL) as slow:
        server.post(f"/emit/{FRAMES}")
        assert int(server.get("/waiting")) > 200  # it really did fall behind
        assert changes(slow, FRAMES) == list(range(FRAMES))


def test_a_laggard_is_dropped_after_whole_frames_and_others_stay(server: Running) -> None:
    with connected(server.port, receive_buffer=SMALL) as slow, connected(server.port) as quick:
        server.post(f"/emit/{FRAMES}")
        assert changes(quick, FRAMES) == list(range(FRAMES))  # held up by nobody

        assert server.post("/drop") == "1"

        numbers = until_the_end(slow)
        assert numbers == list(range(len(numbers)))
        assert len(numbers) < FRAMES
        server.post("/emit/1")
        assert changes(quick, 1) == [0]
        assert server.post("/drop") == "0"


def until_the_end(client: websocket.WebSocket) -> list[int]:
    """Read change events until the server has hung up; a timeout or a spoiled frame raises."""
    numbers: list[int] = []
    while True:
        try:
            numbers += changes(client, 1)
        except ENDED:
            return numbers


def test_the_server_forgets_a_dropped_client_that_never_reads_again(server: Running) -> None:
    with connected(server.port, receive_buffer=SMALL):
        server.post(f"/emit/{FRAMES}")
        server.post("/drop")
        until = time.monotonic() + 5
        while server.get("/lines") != "0":
            assert time.monotonic() < until


def test_an_endless_message_ends_the_connection_instead_of_filling_the_memory(server: Running) -> None:
    part, more = (
        websocket.ABNF.create_frame("x" * 16_000, kind, fin=0)
        for kind in (websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_CONT)
    )
    with connected(server.port) as client:
        client.send_frame(part)
        with suppress(ConnectionError):  # it may have hung up already
            for _ in range(20):
                client.send_frame(more)
        assert until_the_end(client) == []


def test_a_write_that_nobody_reads_is_known_to_wait_and_ends_with_the_connection() -> None:
    """Such a client has no queue yet, and its writer would wait for it for ever."""
    ours, theirs = socket.socketpair()
    line = Line(ours, session=None)
    errors: list[type] = []

    def write() -> None:
        try:
            line.send(bytes(10_000_000))
        except OSError as error:
            errors.append(type(error))

    writer = threading.Thread(target=write)
    with ours, theirs:
        assert line.waited(time.monotonic()) == 0
        writer.start()
        theirs.recv(1)  # it has begun
        assert line.waited(time.monotonic() + 60) > 59
        line.hang_up()
        writer.join(timeout=10)
    assert errors == [BrokenPipeError]


def test_simple_websocket_still_needs_our_line() -> None:
    """When this fails a new release writes differently: try whether core.websockets.Line can go."""
    for method in ("send", "close", "_handle_events"):
        assert "self.sock.send(out_data)" in inspect.getsource(getattr(simple_websocket.ws.Base, method))
