"""`motcua serve` as its operator and its visitors meet it: real processes, real sockets, the loopback only."""

import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import websocket

from tests.core.server_process import Running, command, connected, running, start

POLLING = "/socket.io/?EIO=4&transport=polling"


@pytest.fixture(scope="module", params=["gevent", "threads"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp(request.param), threads=request.param == "threads") as server:
        yield server


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two worker processes."""
    with running(tmp_path_factory.mktemp("pair"), workers=2) as server:
        yield server


def test_a_server_prints_its_address_once_it_answers_and_keeps_the_folder_it_was_started_in(server: Running) -> None:
    assert server.line == f"Một Cửa: http://127.0.0.1:{server.port}\n"
    assert Path(json.loads(server.get("/"))["folder"]).is_absolute()
    assert json.loads(server.get("/"))["folder"] == os.readlink(f"/proc/{server.process.pid}/cwd")


def test_gevent_replaces_the_standard_library_only_where_it_serves(server: Running) -> None:
    assert json.loads(server.get("/"))["patched"] is ("threads=False" in server.process.args[-1])


def test_a_reply_on_a_kept_connection_does_not_wait_for_a_receipt(server: Running) -> None:
    """Nagle's algorithm would make it 40 ms."""
    visitor = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    seconds = []
    for _ in range(15):
        begun = time.monotonic()
        visitor.request("GET", "/")
        visitor.getresponse().read()
        seconds.append(time.monotonic() - begun)
    visitor.close()
    assert statistics.median(seconds) < 0.03


def test_work_off_the_loop_does_not_stand_in_the_way_of_others(server: Running) -> None:
    """200 ms of processor time, as for a chart, while somebody else asks for a page."""
    worker = threading.Thread(target=server.get, args=["/busy"])
    worker.start()
    waits = []
    while worker.is_alive():
        begun = time.monotonic()
        server.get("/")
        waits.append(time.monotonic() - begun)
    assert len(waits) > 3
    assert statistics.median(waits) < 0.1


def test_work_off_the_loop_keeps_its_context_and_its_errors(server: Running) -> None:
    assert server.get("/context") == "/context"
    assert server.get("/refused") == "wrong password"


def test_only_our_own_pages_and_the_listed_ones_may_connect(server: Running) -> None:
    for origin in (f"http://127.0.0.1:{server.port}", "https://hall.example"):
        with connected(server.port, origin=origin) as client:
            assert client.connected
    for origin in ("https://elsewhere.example", f"https://127.0.0.1:{server.port}.elsewhere.example"):
        with pytest.raises(websocket.WebSocketBadStatusException), connected(server.port, origin=origin):
            pass


def test_compression_is_not_accepted_for_a_message_of_a_few_hundred_bytes(server: Running) -> None:
    client = websocket.WebSocket()
    client.connect(
        f"ws://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=websocket",
        header=["Sec-WebSocket-Extensions: permessage-deflate"],
        suppress_origin=True,
    )
    answer = client.getheaders()
    client.shutdown()
    assert "sec-websocket-extensions" not in answer


def test_one_process_also_takes_clients_whose_network_blocks_websockets(server: Running) -> None:
    assert server.get(POLLING).startswith("0{")


def test_several_processes_take_only_websockets(pair: Running) -> None:
    """Two polling requests of one client could meet two processes."""
    with connected(pair.port) as client:
        client.send('420["echo",7]')
        assert client.recv() == "430[7]"
    visitor = http.client.HTTPConnection("127.0.0.1", pair.port, timeout=10)
    visitor.request("GET", POLLING)
    assert visitor.getresponse().status == 400
    visitor.close()


def test_a_worker_that_dies_is_replaced(pair: Running) -> None:
    dead = json.loads(pair.get("/"))["pid"]
    os.kill(dead, signal.SIGKILL)
    until(lambda: workers_of(pair) >= 2 and dead not in children(pair.process.pid))
    assert json.loads(pair.get("/"))["pid"] != dead


@pytest.mark.parametrize(
    ("threads", "number"), [(False, signal.SIGTERM), (False, signal.SIGINT), (True, signal.SIGTERM)]
)
def test_a_signal_stops_the_server_within_seconds_though_screens_are_connected(
    tmp_path: Path, threads: bool, number: int
) -> None:
    with running(tmp_path, threads=threads) as server, connected(server.port):
        idle = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        idle.request("GET", "/")
        idle.getresponse().read()

        code, output, errors, seconds = server.stop(number)

        idle.close()
    assert (code, output, errors) == (0, "", "")
    assert seconds < 5


def test_a_request_in_work_is_finished_before_the_server_stops(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        visitor = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        visitor.request("GET", "/slow")
        until(lambda: server.get("/begun") == "1")
        server.process.send_signal(signal.SIGTERM)
        assert visitor.getresponse().read() == b"finished"
        visitor.close()


def test_kill_9_of_the_server_leaves_nothing_behind_and_the_port_free(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        left = children(server.process.pid)
        server.stop(signal.SIGKILL)
        with running(tmp_path, port=server.port) as again:
            assert again.get("/begun") == "0"
    assert not [process for process in left if Path(f"/proc/{process}/cwd").exists()]


def test_a_port_in_use_stops_the_start_with_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert ended(tmp_path, port=port) == (
            1,
            "",
            f"motcua: Port {port} on 127.0.0.1 is in use: stop the program that has it,"
            " or choose another with --port.\n",
        )


@pytest.mark.parametrize(("workers", "threads"), [(2, False), (1, True)])
def test_a_wrong_setting_stops_the_start_with_one_line(tmp_path: Path, workers: int, threads: bool) -> None:
    factory = "tests.core.serving_app:create_with_a_wrong_setting"
    assert ended(tmp_path, factory=factory, workers=workers, threads=threads) == (
        1,
        "",
        "motcua: MOTCUA_DATABASE_URL is not a database address: 'nonsense'\n",
    )


def test_a_bug_at_the_start_is_named_in_one_line_and_not_tried_again(tmp_path: Path) -> None:
    factory = "tests.core.serving_app:create_with_a_bug"
    assert ended(tmp_path, factory=factory) == (
        1,
        "",
        "motcua: KeyError: 'missing' (MOTCUA_LOG_LEVEL=DEBUG shows where)\n",
    )


@pytest.mark.parametrize("threads", [False, True], ids=["gevent", "threads"])
def test_no_address_of_a_page_reaches_the_server_log(tmp_path: Path, threads: bool) -> None:
    """A visit link is a secret. The application logs its own errors; here it has none to say."""
    with running(tmp_path, threads=threads) as server:
        server.get("/?v=secret")
        for words in (b"GET /v/secret HTTP/9.9\r\n\r\n", b"GET /v/se cret\r\n\r\n", b"B(D /v/secret HTTP/1.1\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as visitor:
                visitor.sendall(words)
                visitor.recv(1000)
        visitor_of_a_bug = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        visitor_of_a_bug.request("GET", "/secret/bug")
        assert visitor_of_a_bug.getresponse().status == 500
        visitor_of_a_bug.close()
        _, output, errors, _ = server.stop()
    assert "secret" not in output + errors


def test_whoever_started_the_server_is_told_when_it_listens_and_may_stop_it(tmp_path: Path) -> None:
    """The demo starts its citizens then; here the callback asks for the page itself."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = f"""
from urllib.request import urlopen
from core.serving import serve

def on_ready():
    print("answered", urlopen("http://127.0.0.1:{port}/begun").read().decode(), flush=True)
    raise KeyboardInterrupt

print("stopped with", serve(port={port}, factory="tests.core.serving_app:create_app", on_ready=on_ready))
"""
    process = start(tmp_path, [sys.executable, "-c", program])
    output, errors = process.communicate(timeout=20)
    assert (output, errors) == (f"Một Cửa: http://127.0.0.1:{port}\nanswered 0\nstopped with 0\n", "")


def ended(folder: Path, port: int = 0, **options: object) -> tuple[int, str, str]:
    """Start a server that cannot start; return its exit code, output and errors."""
    process = start(folder, command(port=port, **options))  # type: ignore[arg-type]
    output, errors = process.communicate(timeout=20)
    return process.returncode, output, errors


def until(true: Callable[[], bool]) -> None:
    """Ask again and again, for at most ten seconds."""
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def workers_of(server: Running) -> int:
    return len(children(server.process.pid))


def children(process: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in listed.stdout.split()]
