"""The namespace `/live` of the contract, with an ordinary Socket.IO client on a real server."""

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import socketio
import websocket
from sqlalchemy import select

from accounts.actions import make_token, revoke_token
from accounts.models import ApiToken
from core import clock
from core.db import transaction
from queueing import actions, queries
from tests.conftest import ROOT, Server, running_server
from tests.load.traffic import Caller, Listener, Place, at_once, here, office_text, settle

OFFICE = "load-1"


@dataclass
class Hall:
    """A server, one office with sixteen counters, and a program that may work there."""

    server: Server
    place: Place
    program: Caller

    def post(self, path: str, body: Any = None) -> Any:
        status, answer = self.program.post(path, body)
        assert status in (200, 201, 204), answer
        return answer

    def issue(self, count: int = 1, office: str = OFFICE) -> None:
        for _ in range(count):
            self.post(f"/offices/{office}/tickets", {"service": "A"})

    def revision(self) -> int:
        answer: int = self.program.get(f"/offices/{OFFICE}/state")[1]["revision"]
        return answer


@dataclass
class Screen:
    """A client that remembers what it hears, in order."""

    client: Listener
    changes: "queue.Queue[dict[str, Any]]" = field(default_factory=queue.Queue)
    pulses: "queue.Queue[dict[str, Any]]" = field(default_factory=queue.Queue)

    def ask(self, event: str, message: Any) -> Any:
        return self.client.call(event, message, namespace="/live", timeout=10)

    def follow(self, revision: int | None, office: str = OFFICE) -> dict[str, Any]:
        answer: dict[str, Any] = self.ask("follow", {"office": office, "revision": revision})
        return answer

    def next(self, count: int, seconds: float = 10) -> list[dict[str, Any]]:
        return [self.changes.get(timeout=seconds) for _ in range(count)]


@contextmanager
def screen(server: Server, auth: Any = None) -> Iterator[Screen]:
    client = Listener()
    seen = Screen(client)
    client.on("change", seen.changes.put, namespace="/live")
    client.on("pulse", seen.pulses.put, namespace="/live")
    client.connect(server.url, namespaces=["/live"], transports=["websocket"], auth=auth, wait_timeout=10)
    try:
        yield seen
    finally:
        client.disconnect()
        client.eio.wait()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def hall(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "sqlite":
        (folder / "hall.sqlite3").write_bytes(request.getfixturevalue("sqlite_template").read_bytes())
        url = f"sqlite:///{folder / 'hall.sqlite3'}"
    else:
        template = request.getfixturevalue("postgres_template")
        url = request.getfixturevalue("postgres").fresh_database(template)
    place = settle(url, folder, offices=2, counters=16, services="A")
    with running_server(url, folder) as server:
        program = Caller(server.port, place.tokens[OFFICE])
        yield Hall(server, place, program)
        program.close()


def revisions(events: list[dict[str, Any]]) -> list[int]:
    return [event["revision"] for event in events]


def test_who_follows_without_a_revision_gets_the_snapshot_of_now(hall: Hall) -> None:
    hall.issue()
    with screen(hall.server) as one:
        answer = one.follow(None)
    state = hall.program.get(f"/offices/{OFFICE}/state")[1]
    assert answer["ok"] is True
    assert answer["events"] is None
    assert answer["revision"] == state["revision"] == answer["snapshot"]["revision"]
    assert {**answer["snapshot"], "at": 0, "services": 0} == {**state, "at": 0, "services": 0}


def test_who_knows_a_revision_gets_exactly_what_came_after_it(hall: Hall) -> None:
    held = hall.revision()
    hall.issue(3)
    with screen(hall.server) as one:
        answer = one.follow(held)
        same = one.follow(held + 3)
    assert answer["snapshot"] is None
    assert revisions(answer["events"]) == [held + 1, held + 2, held + 3]
    assert answer["events"] == hall.program.get(f"/offices/{OFFICE}/events?after={held}")[1]["events"]
    assert (same["revision"], same["events"], same["snapshot"]) == (held + 3, [], None)


@pytest.mark.parametrize(("behind", "snapshot"), [(200, False), (201, True)])
def test_who_is_more_than_200_changes_behind_gets_a_snapshot(hall: Hall, behind: int, snapshot: bool) -> None:
    many_changes(hall.place, 201)
    with screen(hall.server) as one:
        answer = one.follow(hall.revision() - behind)
    assert (answer["snapshot"] is not None) is snapshot
    assert len(answer["events"] or ()) == (0 if snapshot else behind)


def test_a_revision_from_the_future_gets_a_snapshot(hall: Hall) -> None:
    """The server was restored from a backup, or the client is wrong."""
    with screen(hall.server) as one:
        assert one.follow(hall.revision() + 1)["snapshot"] is not None


def test_an_unknown_office_is_said_to_be_unknown(hall: Hall) -> None:
    with screen(hall.server) as one:
        for code in ("nowhere", "", "LOAD-1", "load-1\x00", "\ud800", "đơn vị", "x" * 10_000, "' or 1=1"):
            answer = one.follow(None, code)
            assert answer["ok"] is False, code
            assert answer["error"], code
        assert one.follow(None)["ok"] is True


def test_a_wrong_token_is_refused_and_a_right_one_or_none_is_not(hall: Hall) -> None:
    with screen(hall.server, {"token": hall.place.tokens[OFFICE]}) as one:
        assert one.follow(None)["ok"] is True
    wrong: tuple[Any, ...] = ("wrong", 7, ["a"], {})
    for token in wrong:
        client = Listener()
        with pytest.raises(socketio.exceptions.ConnectionError):
            client.connect(hall.server.url, namespaces=["/live"], transports=["websocket"], auth={"token": token})
        client.eio.wait()


def test_changes_come_after_their_commit_in_order_and_one_by_one(hall: Hall) -> None:
    with screen(hall.server) as one:
        held = one.follow(None)["revision"]
        hall.post(f"/offices/{OFFICE}/counters/1/open")
        hall.issue()
        ticket = hall.post(f"/offices/{OFFICE}/counters/1/call-next")
        hall.post(f"/tickets/{ticket['id']}/start")
        hall.post(f"/tickets/{ticket['id']}/finish")
        kinds = hall.program.get(f"/offices/{OFFICE}/events?after={held}")[1]["events"]
        heard = one.next(len(kinds))
    assert heard == kinds
    assert [event["kind"] for event in kinds][-4:] == ["issued", "called", "started", "finished"]
    assert revisions(heard) == list(range(held + 1, held + 1 + len(heard)))


def test_a_change_is_in_the_database_when_its_message_comes(hall: Hall) -> None:
    with screen(hall.server) as one:
        one.follow(None)
        for _ in range(10):
            hall.issue()
            event = one.next(1)[0]
            assert hall.program.get(f"/tickets/{event['ticket']['id']}")[0] == 200


def test_the_pulse_comes_every_two_seconds_with_the_newest_revision(hall: Hall) -> None:
    with screen(hall.server) as one:
        revision = one.follow(None)["revision"]
        one.pulses.get(timeout=5)
        begun = time.monotonic()
        pulses = [one.pulses.get(timeout=5) for _ in range(2)]
        seconds = time.monotonic() - begun
    assert {(pulse["office"], pulse["revision"]) for pulse in pulses} == {(OFFICE, revision)}
    assert pulses[0]["at"] < pulses[1]["at"]
    assert 3 < seconds < 6


def test_nothing_comes_after_unfollow_and_nothing_of_other_offices(hall: Hall) -> None:
    other = Caller(hall.server.port, hall.place.tokens["load-2"])
    with screen(hall.server) as one, screen(hall.server) as two:
        one.follow(None)
        two.follow(None, "load-2")
        one.ask("unfollow", {"office": OFFICE})
        hall.issue()
        other.post("/offices/load-2/tickets", {"service": "A"})
        assert two.next(1)[0]["office"] == "load-2"
        assert one.follow(None)["ok"] is True  # whatever was under way has arrived before this answer
        assert one.changes.empty()
        assert two.changes.empty()
    other.close()


def test_a_change_made_by_a_command_arrives_within_a_second(hall: Hall, tmp_path: Path) -> None:
    file = tmp_path / "offices.toml"
    counters = [str(number) for number in range(1, 17)]
    file.write_text(office_text(OFFICE, counters, "A", name=f"Tên mới {time.time():.0f}"), encoding="utf-8")
    environment = {**os.environ, "MOTCUA_DATABASE_URL": hall.place.url, "MOTCUA_INSTANCE": str(hall.place.folder)}
    with screen(hall.server) as one:
        held = one.follow(None)["revision"]
        command = [sys.executable, str(ROOT / "app.py"), "offices", "load", str(file)]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
        ended = time.monotonic()
        event = one.next(1)[0]
        late = time.monotonic() - ended
    assert done.returncode == 0, done.stderr
    assert (event["kind"], event["revision"]) == ("settings_changed", held + 1)
    assert late < 1


FORGED: tuple[Any, ...] = (
    None,
    7,
    "load-1",
    [],
    {},
    {"office": None},
    {"office": 1},
    {"office": [OFFICE]},
    {"revision": 1},
    {"office": OFFICE, "revision": True},
    {"office": OFFICE, "revision": "1"},
    {"office": OFFICE, "revision": 1.5},
    {"office": OFFICE, "revision": []},
)


def test_forged_messages_are_answered_and_never_end_the_connection(hall: Hall) -> None:
    with screen(hall.server) as one:
        for message in FORGED:
            answer = one.ask("follow", message)
            assert answer["ok"] is False, message
            one.client.emit("unfollow", message, namespace="/live")
        for revision in (10**30, -1, -(10**30), 2**63):
            assert one.follow(revision)["ok"] is True
        one.client.emit("follow", ({"office": OFFICE}, 1, 2, 3), namespace="/live")
        for event in ("nonsense", "connect", "disconnect", "pulse", "change", "*", "_feed", ""):
            one.client.emit(event, {"office": OFFICE}, namespace="/live")
        assert one.follow(None)["ok"] is True


SPOILED = ('42/live,["follow"', "42/live,7", "42/live,[5]", "42/live,[]", "49", "45/live,{}", "4", "9", "42/x,[1]")


def test_a_spoiled_packet_ends_at_most_its_own_connection(hall: Hall) -> None:
    address = f"ws://127.0.0.1:{hall.server.port}/socket.io/?EIO=4&transport=websocket"
    with screen(hall.server) as other:
        other.follow(None)
        for packet in SPOILED:
            line: Any = websocket.WebSocket()
            line.connect(address, suppress_origin=True)
            line.send("40/live,")
            line.send(packet)
            line.shutdown()
        hall.issue()
        assert other.next(1)[0]["kind"] == "issued"


def test_every_follower_gets_every_change_of_sixteen_counters_at_once_in_order(hall: Hall) -> None:
    """One of the followers comes in the middle."""
    token = hall.place.tokens[OFFICE]
    for counter in hall.place.counters:
        hall.post(f"/offices/{OFFICE}/counters/{counter}/open")
    hall.issue(40)

    def press(counter: str) -> None:
        caller = Caller(hall.server.port, token)
        while caller.post(f"/offices/{OFFICE}/counters/{counter}/call-next")[0] == 200:
            pass
        caller.close()

    with screen(hall.server) as one, screen(hall.server) as two, screen(hall.server) as late:
        begun = [one.follow(None)["revision"], two.follow(None)["revision"]]
        joined: list[int] = []
        join = [lambda: joined.append(late.follow(None)["revision"])]
        at_once([*(partial(press, counter) for counter in hall.place.counters), *join])
        end = hall.revision()
        for follower, held in zip((one, two, late), [*begun, *joined], strict=True):
            assert revisions(follower.next(end - held)) == list(range(held + 1, end + 1))
            assert follower.changes.empty()


def test_a_socket_ends_within_five_seconds_after_its_token_was_revoked(hall: Hall) -> None:
    app = here(hall.place.url, hall.place.folder)
    with app.app_context(), transaction() as session:
        made, secret = make_token(session, "display", clock.now(), OFFICE)
    ended = threading.Event()
    with screen(hall.server) as other, screen(hall.server, {"token": secret}) as one:
        one.client.on("disconnect", lambda *_: ended.set(), namespace="/live")
        one.client.emit("disconnect", namespace="/live")  # a forged farewell does not hide it
        assert one.follow(None)["ok"] is True
        other.follow(None)
        with app.app_context(), transaction() as session:
            revoke_token(session, made.id, clock.now())
            assert session.scalar(select(ApiToken.revoked_at).where(ApiToken.id == made.id))
        assert ended.wait(5)
        assert other.follow(None)["ok"] is True
    client = Listener()
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(hall.server.url, namespaces=["/live"], transports=["websocket"], auth={"token": secret})
    client.eio.wait()
    app.extensions["database"].engine.dispose()


def test_thousands_of_changes_by_a_command_reach_a_screen_that_keeps_up(hall: Hall) -> None:
    """They come in one go; a screen that reads is no laggard."""
    with screen(hall.server) as one:
        held = one.follow(None)["revision"]
        many_changes(hall.place, 1_000)
        heard = one.next(1_000, seconds=20)
    assert revisions(heard) == list(range(held + 1, held + 1_001))


def many_changes(place: Place, count: int) -> None:
    """Call one number again and again, in this process and one transaction."""
    app = here(place.url, place.folder)
    with app.app_context(), transaction() as session:
        office = queries.office_by_code(session, OFFICE)
        counter = queries.counter_by_code(session, office, "16")
        before = office.revision
        if counter.state != "open":
            actions.open_counter(session, counter.id, clock.now())
        current = queries.current_ticket(session, counter.id)
        if current is None:
            keys = app.extensions["visit_keys"]
            current, _ = actions.issue(session, office.id, "A", clock.now(), ring=keys)
            actions.call_one(session, counter.id, current.id, clock.now())
        while office.revision < before + count:
            actions.recall(session, current.id, clock.now())
        assert office.revision == before + count
    app.extensions["database"].engine.dispose()
