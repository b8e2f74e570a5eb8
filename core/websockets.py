"""The Socket.IO server object, and what keeps one slow screen from harming itself or the others.

simple-websocket 1.1.0 writes with `send` and drops what did not fit into the kernel's buffer: under gevent a screen
that stops reading for a moment gets half a frame and then garbage for ever. It takes its TCP connection from the WSGI
environment, so the fix needs no patched library: it is handed a `Line`, whose `send` writes everything.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Collection
from typing import Any

from engineio.async_drivers._websocket_wsgi import SimpleWebSocketWSGI
from engineio.exceptions import QueueEmpty
from flask import Flask
from flask_socketio import SocketIO

from core.offloop import cooperative

MESSAGE_LIMIT = 64 * 1024  # bytes a client may send in one message
PING_EVERY, PING_PATIENCE = 25, 20  # seconds


def make_socketio(app: Flask, *, workers: int, origins: Collection[str] = ()) -> SocketIO:
    """Build the Socket.IO server of one application; it is then also `app.extensions["socketio"]`.

    `workers` is the number of server processes, `origins` lists web addresses (scheme://host[:port]) whose pages may
    connect besides our own. Events reach other processes by a relay of ours, so no message queue is given here.
    """
    socketio = SocketIO(
        app,
        # Left out, it would be whatever happens to be installed.
        async_mode="gevent" if cooperative() else "threading",
        ping_interval=PING_EVERY,
        ping_timeout=PING_PATIENCE,
        # Clients send a few words; the default lets each of them fill a megabyte.
        max_http_buffer_size=MESSAGE_LIMIT,
        # Two polling requests of one client may meet two processes, and the second would not know the client.
        transports=["websocket"] if workers > 1 else ["websocket", "polling"],
        cors_allowed_origins=_origin_rule(frozenset(origins)),
        # Messages are small and many: compressing costs more than it saves, and can leak secrets by length.
        http_compression=False,
        # A copy of the session made at connect would outlive a log-out.
        manage_session=False,
        # A slow handler must not keep the same client's pongs waiting. This is the default, and we rely on it.
        async_handlers=True,
    )
    engine = socketio.server.eio
    engine.lines = set()
    engine._async = {**engine._async, "websocket": WholeFrames}
    return socketio


def drop_laggards(socketio: SocketIO, most: int = 200) -> int:
    """Hang up on every client with more than `most` packets waiting, or stuck in one write; return how many.

    Call it every few seconds. A dropped client connects again and gets the newest state, which is what it needs;
    without this its backlog grows until its ping times out, and a write to a sleeping tablet is never given up.
    """
    engine = socketio.server.eio
    now = time.monotonic()
    laggards = {session for session in list(engine.sockets.values()) if session.queue.qsize() > most}
    laggards |= {line.session for line in list(engine.lines) if line.waited(now) > PING_PATIENCE}
    for session in laggards:
        session.close(wait=False, abort=True, reason=engine.reason.TRANSPORT_ERROR)
        engine.sockets.pop(session.sid, None)  # with its backlog; else it stays until Engine.IO's next round
    _hang_up([line for line in list(engine.lines) if line.session in laggards])
    return len(laggards)


def hang_up_all(socketio: SocketIO) -> None:
    """End every websocket, so that a server told to stop need not wait for them. Clients will connect again."""
    _hang_up(list(socketio.server.eio.lines))


def _hang_up(lines: "list[Line]") -> None:
    for line in lines:
        line.hang_up()


def _origin_rule(others: frozenset[str]) -> Callable[[str, dict[str, Any]], bool]:
    """Allow pages of this very server, as the browser sees it, and those of the listed origins."""

    def allowed(origin: str, environ: dict[str, Any]) -> bool:
        scheme = environ.get("HTTP_X_FORWARDED_PROTO", environ["wsgi.url_scheme"]).split(",")[0].strip()
        host = environ.get("HTTP_X_FORWARDED_HOST", environ.get("HTTP_HOST", "")).split(",")[0].strip()
        return origin == f"{scheme}://{host}" or origin in others

    return allowed


class WholeFrames(SimpleWebSocketWSGI):  # type: ignore[misc]
    """Engine.IO's websocket on a `Line`: whole frames, bounded messages, no compression."""

    def __init__(self, handler: Any, engine: Any) -> None:
        super().__init__(
            self._checked,
            engine,
            # Daemon threads in threading mode: an open socket must not keep the process alive.
            thread_class=engine._async["thread"],
            event_class=engine._async["event"],
            # Engine.IO looks at the size only when a message is complete, and one need never be completed.
            max_message_size=engine.max_http_buffer_size,
        )
        self.handler = handler
        self.engine = engine
        self.session = handler.__self__
        # Engine.IO's own takes the whole queue into its hand, and then a long backlog looks like an empty queue.
        self.session.poll = self._next_packet

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        name = "gunicorn.socket" if "gunicorn.socket" in environ else "werkzeug.socket"
        self.line = Line(environ[name], session=self.session)
        environ = {**environ, name: self.line}
        # Every browser offers compression and simple-websocket would accept: zlib for each screen and message.
        environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        self.engine.lines.add(self.line)
        try:
            return super().__call__(environ, start_response)
        finally:
            self.engine.lines.discard(self.line)

    def _checked(self, websocket: "WholeFrames") -> Any:
        if self.ws.sock is not self.line:
            raise RuntimeError("simple-websocket no longer writes through core.websockets.Line: review the fix")
        return self.handler(websocket)

    def _next_packet(self) -> list[Any]:
        try:
            packet = self.session.queue.get(timeout=PING_EVERY + PING_PATIENCE)
        except self.engine.get_queue_empty_exception():
            raise QueueEmpty from None
        self.session.queue.task_done()
        return [] if packet is None else [packet]


class Line:
    """A client's TCP connection that writes whole frames: one writer at a time, everything or an error."""

    def __init__(self, connection: socket.socket, session: Any) -> None:
        self.session = session
        self._connection = connection
        self._one_writer = threading.Lock()
        self._writing_since: float | None = None

    def send(self, data: bytes) -> int:
        """Write all of it, however long the client takes to read; return its length in bytes."""
        with self._one_writer:
            self._writing_since = time.monotonic()
            try:
                self._connection.sendall(data)
            except BaseException:
                # Part of a frame may be out: anything after it would be read as the rest of that frame.
                self.hang_up()
                raise
            finally:
                self._writing_since = None
        return len(data)

    def sendall(self, data: bytes) -> None:
        """The same under the name a later simple-websocket may use."""
        self.send(data)

    def waited(self, now: float) -> float:
        """Tell how many seconds the present write has been waiting for the client to read."""
        since = self._writing_since
        return 0.0 if since is None else now - since

    def hang_up(self) -> None:
        """End the connection from any thread: both the reader and a writer stuck in `send` wake up and leave."""
        with contextlib.suppress(OSError):  # the client was faster
            self._connection.shutdown(socket.SHUT_RDWR)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)
