"""Calling whoever is next."""

from datetime import timedelta

import pytest
from flask import Flask

from core.db import reader, transaction
from queueing import actions, queries
from queueing.models import CounterNotOpen, State
from tests import cast
from tests.conftest import Clock


def issue(app: Flask, clock: Clock, service: str = "A", priority: str | None = None) -> str:
    with app.app_context(), transaction() as session:
        office = queries.office_by_code(session, cast.OFFICE)
        ring = app.extensions["visit_keys"]
        ticket, _ = actions.issue(session, office.id, service, clock.tick(), ring=ring, priority_code=priority)
        return ticket.number


def open_counter(app: Flask, clock: Clock, code: str) -> int:
    with app.app_context(), transaction() as session:
        office = queries.office_by_code(session, cast.OFFICE)
        counter = queries.counter_by_code(session, office, code)
        actions.open_counter(session, counter.id, clock.tick())
        return counter.id


def call(app: Flask, clock: Clock, counter_id: int) -> tuple[str, str | None] | None:
    with app.app_context(), transaction() as session:
        ticket = actions.call_next(session, counter_id, clock.tick())
        return (ticket.number, ticket.reason) if ticket else None


def test_whoever_came_first_is_called_first(app: Flask, clock: Clock) -> None:
    counter = open_counter(app, clock, "3")
    for service in "ABA":
        issue(app, clock, service)
    assert [call(app, clock, counter) for _ in range(4)] == [
        ("A001", "earliest"),
        ("B001", "earliest"),
        ("A002", "earliest"),
        None,
    ]


def test_priority_counts_as_having_come_half_an_hour_earlier(app: Flask, clock: Clock) -> None:
    counter = open_counter(app, clock, "3")
    issue(app, clock)
    clock.tick(minutes=20)
    issue(app, clock, priority="elderly")
    clock.tick(minutes=20)
    issue(app, clock, priority="elderly")
    assert [call(app, clock, counter) for _ in range(3)] == [
        ("A002", "priority:elderly"),
        ("A001", "earliest"),
        ("A003", "earliest"),
    ]


def test_a_counter_helps_out_only_when_the_other_queue_has_waited_ten_minutes_longer(app: Flask, clock: Clock) -> None:
    counter = open_counter(app, clock, "1")
    issue(app, clock, "B")
    clock.tick(minutes=9)
    issue(app, clock, "A")
    issue(app, clock, "B")
    clock.tick(minutes=15)
    issue(app, clock, "A")
    assert [call(app, clock, counter) for _ in range(4)] == [
        ("A001", "earliest"),
        ("B001", "helper:10"),
        ("B002", "helper:10"),
        ("A002", "earliest"),
    ]


def test_the_visit_at_the_counter_is_finished_by_the_same_press(app: Flask, clock: Clock) -> None:
    counter = open_counter(app, clock, "3")
    issue(app, clock)
    issue(app, clock)
    call(app, clock, counter)
    clock.tick(minutes=5)
    call(app, clock, counter)
    with app.app_context(), reader() as session:
        current = queries.current_ticket(session, counter)
        assert current is not None
        assert current.number == "A002"
        office = queries.office_by_code(session, cast.OFFICE)
        done = [ticket for ticket in queries.recent_tickets(session, office, 9) if ticket.state == State.DONE]
        assert [ticket.number for ticket in done] == ["A001"]
        assert done[0].service_time() == timedelta(minutes=5, seconds=1)


def test_a_closed_counter_calls_nobody(app: Flask, clock: Clock) -> None:
    with app.app_context(), reader() as session:
        counter = queries.counter_by_code(session, queries.office_by_code(session, cast.OFFICE), "1").id
    issue(app, clock)
    with pytest.raises(CounterNotOpen):
        call(app, clock, counter)


def test_a_tablet_that_shows_somebody_else_calls_nobody(app: Flask, clock: Clock) -> None:
    counter = open_counter(app, clock, "3")
    issue(app, clock)
    issue(app, clock)
    call(app, clock, counter)
    with app.app_context(), pytest.raises(actions.StaleScreen), transaction() as session:
        actions.call_next(session, counter, clock.tick(), holding=None)
    with app.app_context(), reader() as session:
        current = queries.current_ticket(session, counter)
        assert current is not None
        assert current.number == "A001"
