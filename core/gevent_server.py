"""The production server: gunicorn with its gevent worker, made quiet and quick to stop.

Imported only in the fresh interpreter that `core.serving` starts. The worker lets gevent replace the standard library
first of all (`patch`, right after the fork) and only then imports the application.
"""

import contextlib
import os
import resource
import signal
import socket
import sys
import time
from logging import CRITICAL
from typing import Any

import gevent
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from gunicorn.glogging import Logger
from gunicorn.workers.ggevent import GeventWorker

from core.serving import CannotStart, announce, complain, end_with_parent, load, settle

CONNECTIONS = 10_000  # a worker


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn, set up in code: no configuration file and no GUNICORN_CMD_ARGS can change what we promise."""

    def __init__(self, listener: socket.socket, factory: str, workers: int, address: str) -> None:
        self.listener, self.factory, self.workers, self.address = listener, factory, workers, address
        # Workers that cannot start put their reason in here, and the master prints the first one.
        self.reasons, self._tell = os.pipe()
        os.set_blocking(self.reasons, False)
        super().__init__()

    def load_config(self) -> None:
        settings = {
            "bind": f"fd://{self.listener.detach()}",
            "workers": self.workers,
            "worker_class": Worker,
            "worker_connections": CONNECTIONS,
            "keepalive": 15,
            "graceful_timeout": 4,
            # Also the longest a worker may take to start, and a migration may run then.
            "timeout": 120,
            # Visit links are secrets, and their address would be in every line.
            "accesslog": None,
            "errorlog": "-",
            "loglevel": "warning",
            "logger_class": Quiet,
            # Each worker builds its own application, with its own connections, after gevent has patched.
            "preload_app": False,
            "control_socket_disable": True,
            "post_fork": _born,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def run(self) -> None:
        """Serve until told to stop; leaves by SystemExit, 0 when asked to, 1 when the application cannot start."""
        _allow_many_files()
        Master(self).run()

    def load(self) -> Any:
        """Build the application in a worker, or end it."""
        try:
            return load(self.factory)
        except CannotStart as reason:
            if self.first_generation:
                os.write(self._tell, f"{reason}\n".encode()[:4096])
                sys.exit(Arbiter.APP_LOAD_ERROR)
            # The service has run: the database may be back in a moment, and other workers are still serving.
            complain(reason)
            time.sleep(1)
            sys.exit(1)


def _allow_many_files() -> None:
    """Raise the limit of open files as far as the system lets us: each screen holds one, and 1,024 is common."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + 1_000
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _born(master: "Master", worker: "Worker") -> None:
    end_with_parent(worker.ppid, signal.SIGKILL)
    master.app.first_generation = worker.age <= master.app.workers


class Master(Arbiter):  # type: ignore[misc]
    """The parent of the workers: starts them again when they die, and says one line when they cannot start."""

    def handle_int(self) -> None:
        """Let Ctrl-C finish what is being served, as SIGTERM does; a second one stops at once."""
        self.handle_term()

    halting = False

    def halt(self, reason: str | None = None, exit_status: int = 0) -> None:
        if exit_status:
            complain(self._reason() or reason)
        self.halting = True
        self.log.error_log.setLevel(CRITICAL)
        super().halt(reason, 1 if exit_status else 0)

    def reap_workers(self) -> None:
        """Clear away dead workers; a second one that could not start must not interrupt the stop."""
        try:
            super().reap_workers()
        except HaltServer:
            if not self.halting:
                raise

    def _reason(self) -> str:
        try:
            return os.read(self.app.reasons, 65_536).decode(errors="replace").partition("\n")[0]
        except BlockingIOError:
            return ""


class Worker(GeventWorker):  # type: ignore[misc]
    """One process of the server: a greenlet for each connection."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.idle: set[socket.socket] = set()

    def patch(self) -> None:
        too_early = {"flask", "sqlalchemy", "engineio"} & sys.modules.keys()
        if too_early:
            raise RuntimeError(f"{', '.join(sorted(too_early))} imported before gevent could patch")
        super().patch()

    def init_signals(self) -> None:
        super().init_signals()
        # Ctrl-C reaches every process of the terminal; the master passes it on as SIGTERM.
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def run(self) -> None:
        settle()
        if self.age == 1:
            announce(self.app.address)
        super().run()

    def handle(self, listener: Any, client: socket.socket, address: Any) -> None:
        """Serve one connection; remember while it is idle that it is."""
        # Else a reply on a kept connection waits 40 ms for the client's receipt.
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.idle.add(client)
        try:
            super().handle(listener, client, address)
        finally:
            self.idle.discard(client)

    def handle_request(self, listener_name: Any, request: Any, client: socket.socket, address: Any) -> Any:
        self.idle.discard(client)
        try:
            return super().handle_request(listener_name, request, client, address)
        finally:
            self.idle.add(client)

    def handle_exit(self, number: int, frame: Any) -> None:
        """Stop: requests in work may finish, websockets and idle connections would wait for ever."""
        super().handle_exit(number, frame)
        gevent.spawn(self._let_go)

    def _let_go(self) -> None:
        if getattr(self, "wsgi", None) is None:
            return  # told to stop before the application was there: nobody is connected
        # Imported only now: with it come Flask and Engine.IO, which must not be there before the patch.
        from core.websockets import hang_up_all

        socketio = getattr(self.wsgi, "extensions", {}).get("socketio")
        while True:  # a screen may come back within the second in which the port is still open
            if socketio is not None:
                hang_up_all(socketio)
            for client in list(self.idle):
                with contextlib.suppress(OSError):  # the client was faster
                    client.shutdown(socket.SHUT_RDWR)
            gevent.sleep(0.1)


class Quiet(Logger):  # type: ignore[misc]
    """gunicorn's error log without the addresses of pages, and without what the master says better."""

    def warning(self, message: str, *args: Any, **kwargs: Any) -> None:
        if message.startswith("Invalid request"):
            message, args = "A malformed request was refused.", ()
        super().warning(message, *args, **kwargs)

    def error(self, message: str, *args: Any, **kwargs: Any) -> None:
        if not (message.startswith("Worker (pid:%s) exited") and args[-1] == Arbiter.APP_LOAD_ERROR):
            super().error(message, *args, **kwargs)

    def exception(self, message: str, *args: Any, **kwargs: Any) -> None:
        if message.startswith("Socket error"):
            return  # a tablet out of reach of its network, or a connection ended while stopping
        if message.startswith("Error handling request"):
            message, args = "Error while handling a request", ()
        super().exception(message, *args, **kwargs)
