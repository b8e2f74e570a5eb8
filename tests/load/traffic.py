"""Many programs at once: raw keep-alive connections to a real server, what they were told, and what the rows say."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import engineio
import socketio
from flask import Flask
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

import app as motcua
from accounts.actions import make_token
from core import clock
from core.db import transaction
from queueing.models import Counter as Desk
from queueing.models import OfficeEvent, Series, State, Ticket
from queueing.office_file import read_offices
from queueing.setup import load_offices
from tests import cast
from tests.conftest import ROOT, Server, settings_for
from units.models import Office


@dataclass
class Place:
    """A prepared database: its offices, and the token of each."""

    url: str
    folder: Path
    tokens: dict[str, str]
    counters: list[str]
    services: Sequence[str]

    @property
    def offices(self) -> list[str]:
        return list(self.tokens)

    def ask(self, question: Callable[[Session], Any]) -> Any:
        """Read with a connection of our own, past every layer of the application."""
        engine = create_engine(self.url)
        try:
            with Session(engine) as session:
                return question(session)
        finally:
            engine.dispose()


def settle(url: str, folder: Path, offices: int, counters: int, services: Sequence[str]) -> Place:
    """Bring offices `load-1` … into the database of the cast, each with a token of its own."""
    app = here(url, folder)
    codes = [f"load-{number}" for number in range(1, offices + 1)]
    desks = [str(number) for number in range(1, counters + 1)]
    with app.app_context(), transaction() as session:
        text = "\n".join(office_text(code, desks, services) for code in codes)
        load_offices(session, read_offices(text), clock.now())
        tokens = {code: make_token(session, "office", clock.now(), code)[1] for code in codes}
    app.extensions["database"].engine.dispose()
    return Place(url, folder, tokens, desks, services)


def here(url: str, folder: Path) -> Flask:
    """The application in this process, beside the servers."""
    return motcua.create_app(settings_for(url, folder), background=False)


def office_text(code: str, counters: list[str], services: Sequence[str], name: str = "Điểm thử tải") -> str:
    """An office that is always open; the second half of its counters only helps out with the first service."""
    lines = [f'[[office]]\ncode = "{code}"\nunit = "{cast.AN_BINH}"\nname = "{name}"']
    for service in services:
        lines.append(f'[[office.service]]\ncode = "{service}"\nname = "Nhóm việc {service}"')
    for position, counter in enumerate(counters):
        first = f"{services[0]}+10" if position >= len(counters) / 2 and len(services) > 1 else services[0]
        takes = json.dumps([first, *services[1:]])
        lines.append(f'[[office.counter]]\ncode = "{counter}"\nname = "Quầy {counter}"\nservices = {takes}')
    lines.append('[[office.priority]]\ncode = "elderly"\nname = "Người cao tuổi"\nhead_start_min = 30')
    return "\n".join(lines) + "\n"


IDLE_S = 10  # the server ends connections that are idle for 15 s


class Caller:
    """One program with one kept connection; after a failure or a long pause it connects again."""

    def __init__(self, port: int, token: str, timeout: float = 60) -> None:
        self.token = token
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self.used_at = time.monotonic()

    def post(self, path: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
        """Status and JSON body of the reply; raises what the connection raises."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return self._ask("POST", path, json.dumps(body if body is not None else {}), headers)

    def get(self, path: str) -> tuple[int, Any]:
        return self._ask("GET", path, None, {"Authorization": f"Bearer {self.token}"})

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> tuple[int, Any]:
        if time.monotonic() - self.used_at > IDLE_S:
            self.connection.close()
        try:
            self.connection.request(method, f"/api/v1{path}", body, headers)
            reply = self.connection.getresponse()
            data = reply.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            raise
        self.used_at = time.monotonic()
        return reply.status, json.loads(data) if data else None

    def close(self) -> None:
        self.connection.close()


class Listener(socketio.Client):  # type: ignore[misc]
    """An ordinary client that handles one message after the other.

    The library's own gives each message a thread, and on a busy machine they overtake one another.
    """

    def __init__(self) -> None:
        super().__init__(reconnection=False)

    def _engineio_client_class(self) -> type:
        return _InOrder


class _InOrder(engineio.Client):  # type: ignore[misc]
    def _trigger_event(self, event: str, *args: Any, **kwargs: Any) -> Any:
        return super()._trigger_event(event, *args, **{**kwargs, "run_async": False})


@dataclass
class Told:
    """What all callers together were told."""

    issued: list[dict[str, Any]] = field(default_factory=list)
    called: list[dict[str, Any]] = field(default_factory=list)
    wrong: list[tuple[int, Any]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def at_once(people: Iterable[Callable[[], None]]) -> float:
    """Let everybody begin at the same moment; returns the seconds until the last is done. A failure is raised."""
    people = list(people)
    gate = threading.Barrier(len(people) + 1)
    failures: list[BaseException] = []

    def run(person: Callable[[], None]) -> None:
        gate.wait()
        try:
            person()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=[person], daemon=True) for person in people]
    for thread in threads:
        thread.start()
    gate.wait()
    begun = time.monotonic()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return time.monotonic() - begun


def open_counters(place: Place, port: int) -> None:
    for office, token in place.tokens.items():
        caller = Caller(port, token)
        for counter in place.counters:
            status, answer = caller.post(f"/offices/{office}/counters/{counter}/open")
            assert status == 200, answer
        caller.close()


def call_everybody(place: Place, port: int, told: Told) -> None:
    """One counter of each office after the other calls until nobody waits and nobody stands there."""

    def drain(office: str, token: str) -> None:
        caller = Caller(port, token)
        for counter in place.counters:
            while True:
                status, answer = caller.post(f"/offices/{office}/counters/{counter}/call-next")
                if status == 204:
                    break
                assert status == 200, answer
                told.called.append(answer)
        caller.close()

    at_once([partial(drain, office, token) for office, token in place.tokens.items()])


def check_rows(place: Place, told: Told, *, all_told: bool = True) -> None:
    """Unique numbers without gaps, every 2xx has its row, nobody called twice or forgotten, the order explained.

    `all_told`: every reply arrived, so the rows are exactly what was told; else they may hold more.
    """

    def check(session: Session) -> None:
        offices = {row.code: row for row in session.scalars(select(Office).where(Office.code.in_(place.offices)))}
        here = [office.id for office in offices.values()]
        tickets = session.scalars(select(Ticket).where(Ticket.office_id.in_(here))).all()
        by_id = {ticket.id: ticket for ticket in tickets}
        codes = {office.id: code for code, office in offices.items()}
        rows = {(codes[ticket.office_id], ticket.number, ticket.id) for ticket in tickets}
        said = [(answer["office"], answer["number"], answer["id"]) for answer in told.issued]
        assert len(said) == len(set(said))
        assert set(said) == rows if all_told else set(said) <= rows
        series = session.scalars(select(Series).where(Series.office_id.in_(here))).all()
        last = {(row.office_id, row.business_date, row.prefix): row.last_number for row in series}
        numbers: dict[tuple[Any, ...], list[int]] = {}
        for ticket in tickets:
            numbers.setdefault((ticket.office_id, ticket.business_date, ticket.prefix), []).append(ticket.ordinal)
        assert {key: sorted(found) for key, found in numbers.items()} == {
            key: list(range(1, count + 1)) for key, count in last.items()
        }
        calls = Counter(answer["id"] for answer in told.called)
        assert [one for one, count in calls.items() if count > 1] == []
        called = {ticket.id for ticket in tickets if ticket.called_at}
        assert set(calls) == called if all_told else set(calls) <= called
        assert all(by_id[one].calls == 1 for one in called)
        for office in offices.values():
            check_order(session, office, [ticket for ticket in tickets if ticket.office_id == office.id])

    place.ask(check)


def check_order(session: Session, office: Office, tickets: list[Ticket]) -> None:
    """Replay the history: each call took the smallest virtual arrival plus delay among those who then waited."""
    by_id = {ticket.id: ticket for ticket in tickets}
    delays = {
        desk.code: {link.service.code: timedelta(minutes=link.delay_min) for link in desk.serves}
        for desk in session.scalars(select(Desk).where(Desk.office_id == office.id))
    }
    events = session.scalars(
        select(OfficeEvent).where(OfficeEvent.office_id == office.id).order_by(OfficeEvent.revision)
    ).all()
    assert [event.revision for event in events] == list(range(1, office.revision + 1))
    waiting: dict[str, list[Ticket]] = {}
    at_counter: dict[str, str] = {}
    for event in events:
        ticket, counter = event.body["ticket"], event.body["counter"]
        if event.kind == "issued":
            waiting.setdefault(ticket["service"], []).append(by_id[ticket["id"]])
        elif event.kind == "called":
            takes = delays[counter["code"]]
            first = min(
                (one for service in takes for one in waiting.get(service, ())),
                key=lambda one: due(one, takes[one.service.code]),
            )
            assert first.id == ticket["id"], event.revision
            waiting[ticket["service"]].remove(first)
            assert at_counter.setdefault(counter["code"], first.id) == first.id
        elif event.kind == "finished":
            assert at_counter.pop(counter["code"]) == ticket["id"]
        counts = {service: count for service, count in event.body["waiting"].items() if count}
        assert counts == {service: len(people) for service, people in waiting.items() if people}
    still = {one.id for people in waiting.values() for one in people}
    assert still == {ticket.id for ticket in tickets if ticket.state == State.WAITING}


def due(ticket: Ticket, delay: timedelta) -> tuple[datetime, int]:
    return ticket.virtual_arrival + delay, ticket.revision


def verify(place: Place) -> str:
    """What `motcua verify` says; it must find all well."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MOTCUA_")}
    environment |= {"MOTCUA_DATABASE_URL": place.url, "MOTCUA_INSTANCE": str(place.folder)}
    done = subprocess.run(
        [sys.executable, str(ROOT / "app.py"), "verify"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("all well:")
    return done.stdout


def kill_group(server: Server) -> None:
    """Kill -9 of the master and all its workers at one moment."""
    for process in [server.process.pid, *children(server.process.pid)]:
        os.kill(process, signal.SIGKILL)
    server.process.wait()


def children(process: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in listed.stdout.split()]
