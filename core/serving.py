"""`motcua serve`: from a command line to a server that listens, and back to nothing on Ctrl-C.

The server runs in a fresh interpreter, because gevent must replace sockets and locks before anything else has
imported them, and the command line has imported everything. So nothing but the standard library at the top here.
"""

import argparse
import ctypes
import errno
import gc
import importlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, Any, NoReturn, TextIO

READY = "Một Cửa: "
PORT_PATIENCE = 1.5  # seconds a predecessor that was just killed may need to let go of the port

_HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_START = (
    "import sys; home = sys.argv.pop(1); home in sys.path or sys.path.insert(0, home); "
    "from core.serving import main; main()"
)


class CannotStart(Exception):
    """A reason not to start, in one sentence that says what to do."""


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 1,
    factory: str = "app:create_app",
    on_ready: Callable[[], object] | None = None,
    threads: bool = sys.platform == "win32",
) -> int:
    """Start the production server and return its exit code when it has stopped.

    `factory` is `module:function`, called without arguments in each worker process. `workers` reaches it as
    MOTCUA_WORKERS. `threads` serves with threads in place of gevent: the only way on Windows, slower elsewhere.
    `on_ready` is called in this process once the server listens; when it returns the server keeps running, when it
    raises the server is stopped. Without `on_ready` this process becomes the server and nothing returns (not so on
    Windows). Port 0 takes any free port. The server prints one line, with its address, when it listens.
    """
    command = [sys.executable, "-P", "-X", "utf8", "-c", _START, _HOME]
    command += ["--host", host, "--port", str(port), "--workers", str(workers), "--factory", factory]
    if threads:
        command.append("--threads")
    if on_ready is None and sys.platform != "win32":
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(command[0], command)  # noqa: S606 (our own interpreter; no shell is wanted)
    return _accompany(command, on_ready)


def _accompany(command: list[str], on_ready: Callable[[], object] | None) -> int:
    """Run the server beside this process; they end together, whichever is stopped first."""
    server = subprocess.Popen(
        [*command, "--parent", str(os.getpid())], stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    assert server.stdout is not None
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        if _pass_on(server.stdout, until=READY):
            # A pipe that nobody empties would stop the server when it is full.
            threading.Thread(target=_pass_on, args=(server.stdout,), daemon=True).start()
            if on_ready is not None:
                on_ready()
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGTERM, before)
        _stop(server)


def _pass_on(lines: IO[str], until: str | None = None) -> bool:
    """Print what the server prints, up to the line that begins with `until`; False when it ended before."""
    for line in lines:
        _say(sys.stdout, line)
        if until is not None and line.startswith(until):
            return True
    return False


def _stop(server: "subprocess.Popen[str]") -> None:
    if server.poll() is None:
        server.terminate()
    try:
        server.wait(timeout=6)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> NoReturn:
    """Be the server: the entry point of the fresh interpreter that `serve` starts."""
    options = _options()
    try:
        if options.parent and sys.platform != "win32":
            end_with_parent(options.parent, signal.SIGTERM)
        if options.threads and options.workers > 1:
            raise CannotStart("Threads serve from one process only: leave --workers out.")
        os.environ["MOTCUA_WORKERS"] = str(options.workers)
        listener = listen(options.host, options.port)
        shown = f"[{options.host}]" if ":" in options.host else options.host
        address = f"http://{shown}:{listener.getsockname()[1]}"
        if options.threads:
            _serve_with_threads(listener, options.factory, address)
        else:
            from core.gevent_server import Server

            Server(listener, options.factory, options.workers, address).run()
    except CannotStart as reason:
        complain(reason)
        sys.exit(1)
    except KeyboardInterrupt:
        pass
    sys.exit(0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="motcua serve")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--factory", required=True)
    parser.add_argument("--threads", action="store_true")
    parser.add_argument("--parent", type=int)
    return parser.parse_args()


def end_with_parent(parent: int, number: int) -> None:
    """Ask Linux to send this process a signal when its parent dies, even by kill -9: a lost child keeps the port."""
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, int(number), 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def listen(host: str, port: int) -> socket.socket:
    """Take the port, before anything slow is started; raises CannotStart with the way out."""
    deadline = time.monotonic() + PORT_PATIENCE
    while True:
        try:
            return _bind(host, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            raise CannotStart(_why_not(host, port, error)) from None


def _bind(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            # There SO_REUSEADDR would let a second server take half of the visitors.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Two sockets may be bound to one port until one of them listens.
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EACCES and port < 1024:
        return f"Port {port} is reserved for the administrator: choose one above 1023 with --port."
    if error.errno in (errno.EADDRINUSE, errno.EACCES):  # the second is how Windows may say it
        return f"Port {port} on {host} is in use: stop the program that has it, or choose another with --port."
    return f"Cannot listen on {host} port {port} ({error.strerror}): use --host 127.0.0.1, or 0.0.0.0 for the network."


def _serve_with_threads(listener: socket.socket, factory: str, address: str) -> None:
    """Serve with a thread for each visitor until interrupted: Windows, and a few hundred screens at most."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Handler(WSGIRequestHandler):
        disable_nagle_algorithm = True  # else a reply on a kept connection waits 40 ms for the client's receipt

        def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 (werkzeug's name for it)
            if type == "error":  # anything else names the page, and a visit link is a secret
                super().log(type, message, *args)

    app = load(factory)
    host, port = listener.getsockname()[:2]
    server = make_server(host, port, app, threaded=True, request_handler=Handler, fd=listener.fileno())
    listener.close()
    settle()
    signal.signal(signal.SIGTERM, _interrupt)
    announce(address)
    server.serve_forever()
    # Threads of open connections are daemons: they end with the process.


def load(factory: str) -> Any:
    """Build the application that `module:function` names; raises CannotStart with the first line of any failure."""
    module, _, function = factory.partition(":")
    try:
        return getattr(importlib.import_module(module), function)()
    except (Exception, SystemExit) as error:
        if os.environ.get("MOTCUA_LOG_LEVEL", "").upper() == "DEBUG":
            raise
        raise CannotStart(_first_line(error)) from None


def _first_line(error: BaseException) -> str:
    """Say in one line what a start-up error means; a bug (KeyError: 'x') keeps the name that helps to find it."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    builtin = type(error).__module__ == "builtins"
    if text and (not builtin or isinstance(error, (ValueError, RuntimeError, OSError, SystemExit))):
        return text
    return f"{type(error).__name__}: {text} (MOTCUA_LOG_LEVEL=DEBUG shows where)"


def settle() -> None:
    """Leave what was loaded at the start out of garbage collection: it took 140 ms now and then, in all screens."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def announce(address: str) -> None:
    """Tell whoever started the server that it listens."""
    _say(sys.stdout, f"{READY}{address}\n")


def complain(reason: object) -> None:
    """Say in one line why there is no server."""
    _say(sys.stderr, f"motcua: {reason}\n")


def _say(stream: TextIO, text: str) -> None:
    stream.write(text)
    stream.flush()


if __name__ == "__main__":
    main()
