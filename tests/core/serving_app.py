"""A tiny application on the real server plumbing, for the tests that start real processes."""

import json
import os
import time

from flask import Flask, request
from flask_socketio import SocketIO

from core.offloop import cooperative, off_loop
from core.websockets import drop_laggards, make_socketio

FILLING = "x" * 4000  # 2,000 frames are then more than the kernel buffers


def create_app() -> Flask:
    app = Flask(__name__)
    workers = int(os.environ["MOTCUA_WORKERS"])
    socketio = make_socketio(app, workers=workers, origins=["https://hall.example"])
    add_pages(app)
    add_sockets(app, socketio)
    return app


def add_pages(app: Flask) -> None:
    @app.get("/")
    def home() -> str:
        return json.dumps({"pid": os.getpid(), "folder": os.getcwd(), "patched": cooperative()})

    @app.get("/busy")
    def busy() -> str:
        return str(off_loop(_burn, 0.2))

    @app.get("/refused")
    def refused() -> str:
        try:
            off_loop(_refuse)
        except PermissionError as error:
            return str(error)
        return "no error"

    begun: list[str] = []

    @app.get("/begun")
    def tell_begun() -> str:
        return str(len(begun))

    @app.get("/slow")
    def slow() -> str:
        begun.append("slow")
        time.sleep(0.3)
        return "finished"

    @app.get("/context")
    def context() -> str:
        return off_loop(lambda: request.path)

    @app.get("/secret/bug")
    def bug() -> str:
        raise KeyError("bug")

    app.log_exception = lambda error: None  # type: ignore[method-assign]


def add_sockets(app: Flask, socketio: SocketIO) -> None:
    @app.post("/emit/<int:count>")
    def emit(count: int) -> str:
        for number in range(count):
            socketio.emit("change", {"number": number, "filling": FILLING})
        return str(count)

    @app.get("/waiting")
    def waiting() -> str:
        return str(max(session.queue.qsize() for session in list(socketio.server.eio.sockets.values())))

    @app.get("/lines")
    def lines() -> str:
        return str(len(socketio.server.eio.lines))

    @app.post("/drop")
    def drop() -> str:
        return str(drop_laggards(socketio))

    socketio.on_event("echo", lambda data: data)


def create_with_a_wrong_setting() -> Flask:
    raise ValueError("MOTCUA_DATABASE_URL is not a database address: 'nonsense'\n(background in the manual)")


def create_with_a_bug() -> Flask:
    raise KeyError("missing")


def _burn(seconds: float) -> float:
    """Use the processor, as a chart does, and hold the interpreter's lock while doing so."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(1000))
    return seconds


def _refuse() -> None:
    raise PermissionError("wrong password")
