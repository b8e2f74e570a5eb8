"""Screens that follow an office: many raw websockets in one thread, and the time until the last of them knows."""

import base64
import json
import secrets
import selectors
import socket
import struct
import time

from bench.load import PATIENCE_S, Connection, Unexpected

TEXT, CLOSE = 1, 8


class Screen:
    """One Socket.IO client over a websocket, without a library: it counts the changes it is told of."""

    def __init__(self, port: int, namespace: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.prefix = f"{namespace}," if namespace else ""
        self.changes = 0
        self._read = b""
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self.socket.sendall(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self._read:
            self._receive()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        if b" 101 " not in head.partition(b"\r\n")[0]:
            raise Unexpected(f"no websocket: {head[:100]!r}")
        self._wait_for("0")
        self._say(f"40{self.prefix}")
        self._wait_for(f"40{self.prefix}")

    def follow(self, office: str) -> None:
        """Follow an office as our pages do."""
        self._say(f"42{self.prefix}0" + json.dumps(["follow", {"office": office, "revision": None}]))
        reply = self._wait_for(f"43{self.prefix}0")
        if '"ok":true' not in reply.replace(" ", ""):
            raise Unexpected(f"not followed: {reply[:200]}")

    def take(self) -> None:
        """Read what is there and count the changes in it."""
        self._receive()
        for text in self._texts():
            self._understand(text)

    def _wait_for(self, beginning: str) -> str:
        while True:
            for text in self._texts():
                if text.startswith(beginning):
                    return text
                self._understand(text)
            self._receive()

    def _understand(self, text: str) -> None:
        if text == "2":  # Engine.IO's ping
            self._say("3")
        elif text.startswith(f'42{self.prefix}["change"'):
            self.changes += 1

    def _receive(self) -> None:
        data = self.socket.recv(65_536)
        if not data:
            raise Unexpected("the server hung up on a screen")
        self._read += data

    def _texts(self) -> list[str]:
        """Every whole frame read so far; a server's frames are not masked."""
        texts = []
        while len(self._read) >= 2:
            kind, length, start = self._read[0] & 15, self._read[1], 2
            if length == 126:
                length, start = int.from_bytes(self._read[2:4], "big"), 4
            elif length == 127:
                length, start = int.from_bytes(self._read[2:10], "big"), 10
            if len(self._read) < start + length:
                break
            data, self._read = self._read[start : start + length], self._read[start + length :]
            if kind == CLOSE:
                raise Unexpected("the server closed a screen")
            if kind == TEXT:
                texts.append(data.decode())
        return texts

    def _say(self, text: str) -> None:
        data = text.encode()
        size = struct.pack("!B", 0x80 | len(data)) if len(data) < 126 else struct.pack("!BH", 0x80 | 126, len(data))
        self.socket.sendall(b"\x81" + size + bytes(4) + data)  # masked with zeros, as the protocol allows


def fan_out(port: int, screens: list[Screen], poster: Connection, request: bytes, status: int) -> float:
    """Post once; seconds until every screen has one change more and the poster its reply. Raises Unexpected."""
    with selectors.DefaultSelector() as selector:
        selector.register(poster.socket, selectors.EVENT_READ, None)
        wanted = {}
        for screen in screens:
            selector.register(screen.socket, selectors.EVENT_READ, screen)
            wanted[screen] = screen.changes + 1
        last = begun = time.perf_counter()
        poster.ask(request)
        answered = False
        while wanted or not answered:
            ready = selector.select(PATIENCE_S)
            if not ready:
                raise Unexpected(f"{len(wanted)} of {len(screens)} screens were not told in {PATIENCE_S:.0f} s")
            for key, _ in ready:
                screen = key.data
                if screen is None:
                    answered = _is_answered(poster, status)
                    continue
                screen.take()
                if screen in wanted and screen.changes >= wanted[screen]:
                    del wanted[screen]
                    last = time.perf_counter()
    return last - begun


def _is_answered(poster: Connection, status: int) -> bool:
    answer = poster.more()
    if answer is not None and answer[0] != status:
        raise Unexpected(f"{answer[0]} in place of {status}: {answer[1][:300].decode(errors='replace')}")
    return answer is not None
