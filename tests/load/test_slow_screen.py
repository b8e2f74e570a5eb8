"""A screen that stops reading during thousands of changes: a clean stream afterwards, or a clean end and a resume."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import websocket

from core import clock
from core.db import transaction
from queueing import actions, queries
from tests.conftest import running_server
from tests.load.traffic import Place, here

CHANGES = 2_000
# Every change tells how many wait for each service: with many services 2,000 changes are more than the kernel buffers.
SERVICES = [f"NHOMVIECSO{number:06d}" for number in range(150)]
SMALL = 4096  # bytes the slow screen's kernel accepts on its behalf
OFFICE = "load-1"


@contextmanager
def follower(
    port: int, revision: int | None, receive_buffer: int | None = None
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A connection made by hand, and the answer to its `follow`."""
    options = [] if receive_buffer is None else [(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)]
    line: Any = websocket.WebSocket(sockopt=options, skip_utf8_validation=True)
    line.settimeout(30)
    try:
        line.connect(f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket", suppress_origin=True)
        assert line.recv().startswith("0{")
        line.send("40/live,")
        assert line.recv().startswith("40/live,{")
        line.send("42/live,1" + json.dumps(["follow", {"office": OFFICE, "revision": revision}]))
        answer = line.recv()
        assert answer.startswith("43/live,1"), answer[:80]
        yield line, json.loads(answer.removeprefix("43/live,1"))[0]
    finally:
        line.shutdown()


def changes(line: Any, until: int) -> list[int]:
    """Revisions heard up to `until`, or to the end of the connection; a spoiled frame raises."""
    heard: list[int] = []
    while not heard or heard[-1] < until:
        try:
            frame = line.recv()
        except (websocket.WebSocketConnectionClosedException, ConnectionError):
            break
        if not frame or frame.startswith("41"):
            break
        if frame == "2":
            line.send("3")
            continue
        assert frame.startswith("42/live,"), frame[:80]
        name, message = json.loads(frame.removeprefix("42/live,"))
        if name == "change":
            heard.append(message["revision"])
    return heard


def recall_often(place: Place, count: int) -> int:
    """So many changes, in this process and one after the other; returns the last revision."""
    app = here(place.url, place.folder)
    keys = app.extensions["visit_keys"]
    with app.app_context():
        with transaction() as session:
            office = queries.office_by_code(session, OFFICE)
            counter = queries.counter_by_code(session, office, "1")
            actions.open_counter(session, counter.id, clock.now())
            ticket, _ = actions.issue(session, office.id, SERVICES[0], clock.now(), ring=keys)
            actions.call_one(session, counter.id, ticket.id, clock.now())
        for _ in range(count // 50):
            with transaction() as session:
                for _ in range(50):
                    actions.recall(session, ticket.id, clock.now())
        with transaction() as session:
            revision = queries.office_by_code(session, OFFICE).revision
    app.extensions["database"].engine.dispose()
    return revision


def test_a_screen_that_stops_reading_comes_back_to_the_truth(
    sqlite_place: Callable[..., Place], tmp_path: Path
) -> None:
    place = sqlite_place(1, counters=1, services=SERVICES)
    with running_server(place.url, tmp_path) as server:
        with follower(server.port, None) as (quick, told), follower(server.port, None, SMALL) as (slow, asleep):
            told_quickly: list[int] = []
            last = told["revision"] + 3 + CHANGES
            reader = threading.Thread(target=lambda: told_quickly.extend(changes(quick, last)))
            reader.start()
            end = recall_often(place, CHANGES)
            reader.join()
            assert end == last
            assert follow_each_other(told_quickly, told["revision"])
            assert told_quickly[-1] == end  # held up by nobody
            heard = changes(slow, end)
            assert follow_each_other(heard, asleep["revision"])
        held = heard[-1] if heard else asleep["revision"]
        with follower(server.port, held) as (_, answer):
            assert answer["revision"] == end
            if end - held <= 200:
                assert follow_each_other([event["revision"] for event in answer["events"]], held)
            else:
                assert answer["snapshot"]["revision"] == end


def follow_each_other(revisions: list[int], after: int) -> bool:
    return revisions == list(range(after + 1, after + 1 + len(revisions)))
