"""The business day: it opens by itself, never goes back, and leaves no visit open (reliability.md, T09 and T10)."""

from datetime import datetime, timedelta
from typing import Any

import time_machine
from flask import Flask
from sqlalchemy import select

from core.db import reader
from queueing.commands import turn_days
from queueing.models import Ticket
from tests import cast
from tests.desk import STATES_AT_THE_END, Desk

MIDNIGHT = cast.MONDAY.replace(hour=17)  # in Vietnam


def tickets(app: Flask) -> list[dict[str, Any]]:
    with app.app_context(), reader() as session:
        rows = session.scalars(select(Ticket).order_by(Ticket.business_date, Ticket.prefix, Ticket.ordinal))
        return [
            {
                "number": row.number,
                "day": row.business_date.isoformat(),
                "state": str(row.state),
                "moments": [row.issued_at, row.called_at, row.started_at, row.finished_at],
            }
            for row in rows
        ]


def turn(app: Flask) -> None:
    with app.app_context():
        turn_days()


def test_at_midnight_every_visit_ends_and_numbers_begin_again(
    app: Flask, desk: Desk, monday: time_machine.Traveller
) -> None:
    waiting = [desk.issue("A" if number % 2 else "B") for number in range(20)]
    desk.counter("1", "open"), desk.counter("2", "open"), desk.counter("3", "open")
    called, served = desk.counter("1", "call-next"), desk.counter("2", "call-next")
    desk.ticket(served["id"], "start")
    monday.move_to(MIDNIGHT - timedelta(seconds=1))
    turn(app)
    assert desk.state()["business_date"] == "2026-11-16"
    monday.move_to(MIDNIGHT)
    turn(app)
    state = desk.state()
    assert (state["business_date"], state["waiting"], state["calls"]) == ("2026-11-17", 0, [])
    assert {one["state"] for one in state["counters"]} == {"closed"}
    ends = {row["id"]: desk.program.get(f"/tickets/{row['id']}").json["state"] for row in waiting}
    assert ends.pop(served["id"]) == "done"
    assert ends.pop(called["id"]) == "expired"
    assert list(ends.values()) == ["expired"] * 18
    kinds = [event["kind"] for event in desk.events()]
    assert kinds.count("expired") == 19
    assert kinds[-2:] == ["day_closed", "day_opened"]
    first = desk.issue("A")
    assert (first["number"], first["business_date"], first["ahead"]) == ("A001", "2026-11-17", 0)


def test_a_press_after_midnight_turns_the_day_before_anything_else(desk: Desk, monday: time_machine.Traveller) -> None:
    desk.issue(), desk.issue()
    desk.counter("1", "open")
    monday.move_to(MIDNIGHT)
    ticket = desk.issue()
    assert (ticket["number"], ticket["business_date"]) == ("A001", "2026-11-17")
    desk.counter("1", "call-next", status=409)
    assert desk.state()["waiting"] == 1


def test_turning_the_day_twice_changes_nothing_more(app: Flask, desk: Desk, monday: time_machine.Traveller) -> None:
    desk.issue()
    monday.move_to(MIDNIGHT)
    turn(app)
    revision = desk.state()["revision"]
    turn(app)
    assert desk.state()["revision"] == revision


def test_the_day_of_vietnam_is_not_the_day_of_greenwich(desk: Desk, monday: time_machine.Traveller) -> None:
    """00:30 UTC is 07:30 in Vietnam: a day in UTC would turn when offices open."""
    monday.move_to(datetime.fromisoformat("2026-11-17T06:59:00+07:00"))
    early = desk.issue()
    monday.move_to(datetime.fromisoformat("2026-11-17T07:01:00+07:00"))
    late = desk.issue()
    assert [(one["business_date"], one["number"]) for one in (early, late)] == [
        ("2026-11-17", "A001"),
        ("2026-11-17", "A002"),
    ]


def test_whatever_the_clock_does_time_in_an_office_never_runs_backward(
    app: Flask, desk: Desk, monday: time_machine.Traveller
) -> None:
    jumps = (timedelta(hours=1), timedelta(hours=-1), timedelta(days=-1), timedelta(days=400), timedelta(days=-400))
    days = []
    for jump in (timedelta(0), *jumps, datetime.fromisoformat("2028-02-29T09:00:00+07:00") - cast.MONDAY):
        monday.move_to(cast.MONDAY + jump)
        turn(app)
        desk.counter("1", "open")
        desk.issue(), desk.issue()
        monday.shift(-30)
        ticket = desk.counter("1", "call-next")
        desk.ticket(ticket["id"], "start")
        monday.shift(-30)
        desk.ticket(ticket["id"], "finish")
        state = desk.state()
        assert min(row["longest_wait_s"] for row in state["services"]) >= 0
        days.append(state["business_date"])
    assert days == sorted(days)
    assert days[-1] == "2028-02-29"
    rows = tickets(app)
    assert len({(row["day"], row["number"]) for row in rows}) == len(rows) == 14
    for row in rows:
        moments = [moment for moment in row["moments"] if moment]
        assert moments == sorted(moments)
    assert {row["state"] for row in rows if row["day"] < days[-1]} <= STATES_AT_THE_END
    events = desk.events()
    assert [event["revision"] for event in events] == list(range(1, len(events) + 1))
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
