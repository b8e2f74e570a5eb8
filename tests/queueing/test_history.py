"""The numbered history of an office: no gaps, the shape of the contract, and no change afterwards goes unnoticed."""

from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from click.testing import CliRunner
from flask import Flask
from jsonschema import Draft202012Validator
from sqlalchemy import text
from sqlalchemy.orm import Session

import app as motcua
from core.db import reader, transaction
from queueing import queries
from queueing.commands import _broken_numbers
from queueing.history import broken_links
from queueing.openapi import EVENT
from tests import cast
from tests.conftest import Program
from tests.desk import Desk
from units.models import Office


def a_morning(desk: Desk) -> None:
    """Every kind of change once."""
    first, second, third, fourth = (desk.issue(service) for service in "ABAA")
    desk.counter("3", "open")
    desk.counter("3", "call-next")
    desk.ticket(first["id"], "recall")
    desk.ticket(first["id"], "start")
    desk.counter("3", "call-next")
    desk.ticket(second["id"], "no-show")
    desk.ticket(third["id"], "cancel")
    desk.counter("3", "pause", {"reason": "Họp"})
    desk.counter("3", "open")
    desk.counter("3", "call", {"ticket": fourth["id"]})
    desk.ticket(fourth["id"], "finish")
    desk.counter("3", "close")


def test_every_change_is_one_event_in_order_and_without_gaps(desk: Desk, monday: time_machine.Traveller) -> None:
    before = desk.state()["revision"]
    a_morning(desk)
    events = desk.events(after=before)
    assert [event["kind"] for event in events] == [
        "issued", "issued", "issued", "issued", "counter_opened", "called", "recalled", "started", "finished", "called",
        "no_show", "cancelled", "counter_paused", "counter_opened", "called", "finished", "counter_closed",
    ]  # fmt: skip
    assert [event["revision"] for event in events] == list(range(before + 1, before + 1 + len(events)))
    assert desk.state()["revision"] == events[-1]["revision"]


def test_every_event_has_the_shape_of_the_contract_and_names_nobody(desk: Desk) -> None:
    a_morning(desk)
    events = desk.events()
    for event in events:
        Draft202012Validator(EVENT).validate(event)
        assert set(event) == {"office", "revision", "at", "kind", "ticket", "counter", "waiting"}
    called = next(event for event in events if event["kind"] == "called")
    assert {**called, "revision": 0, "ticket": {**called["ticket"], "id": "…"}} == {
        "office": cast.OFFICE,
        "revision": 0,
        "at": "2026-11-16T09:00:00.000+07:00",
        "kind": "called",
        "ticket": {"id": "…", "number": "A001", "service": "A", "state": "called", "counter": "3"},
        "counter": {"code": "3", "state": "open"},
        "waiting": {"A": 2, "B": 1},
    }
    opened = next(event for event in events if event["kind"] == "counter_opened")
    assert (opened["ticket"], opened["counter"]) == (None, {"code": "3", "state": "open"})


def test_a_command_that_changes_nothing_is_no_event(desk: Desk) -> None:
    desk.counter("1", "open")
    before = desk.state()["revision"]
    desk.counter("1", "open")
    desk.counter("2", "close")
    desk.counter("1", "call-next", status=204)
    desk.ticket("0" * 20, "finish", status=404)
    assert desk.state()["revision"] == before


def test_the_audit_knows_who_did_it(app: Flask, desk: Desk, program: Callable[..., Program]) -> None:
    desk.issue()
    Desk(program("kiosk")).issue()
    with app.app_context(), reader() as session:
        rows = session.execute(text("SELECT \"by\" FROM office_events WHERE kind = 'issued' ORDER BY revision"))
        assert [by for (by,) in rows] == ["token:1", "token:2"]


TAMPERINGS = {
    "a moment": "UPDATE office_events SET at = '2026-11-16 01:00:00+00:00' WHERE office_id = 1 AND revision = 5",
    "a kind": "UPDATE office_events SET kind = 'no_show' WHERE office_id = 1 AND kind = 'finished'",
    "a name": "UPDATE office_events SET \"by\" = 'staff:1' WHERE office_id = 1 AND revision = 5",
    "a body": 'UPDATE office_events SET body = \'{"kind": "called"}\' WHERE office_id = 1 AND revision = 5',
    "a detail": "UPDATE office_events SET details = '{\"reason\": \"chosen\"}' WHERE office_id = 1 AND kind = 'called'",
    "a row in the middle": "DELETE FROM office_events WHERE office_id = 1 AND revision = 5",
    "the last row": "DELETE FROM office_events WHERE office_id = 1 AND revision = (SELECT revision FROM offices "
    "WHERE id = 1)",
    "all rows": "DELETE FROM office_events WHERE office_id = 1",
    "the end of the chain": "UPDATE offices SET last_hash = office_events.hash, revision = office_events.revision "
    "FROM office_events WHERE offices.id = 1 AND office_events.office_id = 1 AND office_events.revision = 5",
    "a number": "DELETE FROM tickets WHERE office_id = 1 AND prefix = 'A' AND ordinal = 2",
    "the series": "UPDATE series SET last_number = last_number - 1 WHERE office_id = 1 AND prefix = 'A'",
}


def verify(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Any:
    settings = app.config["MOTCUA"]
    monkeypatch.setenv("MOTCUA_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("MOTCUA_INSTANCE", str(settings.instance))
    return CliRunner().invoke(motcua.main, ["verify"])


def test_verify_finds_every_tampering(app: Flask, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    a_morning(desk)
    well = verify(app, monkeypatch)
    assert (well.exit_code, well.stderr) == (0, "")
    assert f"{desk.state()['revision'] + 2} events, 4 tickets" in well.stdout
    database = app.extensions["database"]
    for what, statement in TAMPERINGS.items():
        # Undone after the look, so that each is found by itself.
        with Session(database.engine.execution_options(writes=True)) as session:
            session.execute(text(statement))
            office = session.get_one(Office, 1)
            found = [*broken_links(session, office), *_broken_numbers(session, office)]
        assert found, f"{what} was changed and nobody noticed"
        assert all(line.startswith(cast.OFFICE) for line in found)


def test_verify_says_what_is_broken_and_exits_with_1(app: Flask, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    a_morning(desk)
    with app.app_context(), transaction() as session:
        office = queries.office_by_code(session, cast.OFFICE)
        session.execute(text("DELETE FROM office_events WHERE office_id = :id AND revision = 5"), {"id": office.id})
    told = verify(app, monkeypatch)
    assert told.exit_code == 1
    assert "an-binh-1: revision 5 is missing" in told.stderr
    assert "problems found" in told.stderr.splitlines()[-1]
