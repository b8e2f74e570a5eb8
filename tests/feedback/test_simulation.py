"""Simulated days keep every rule that real ones keep."""

import shutil
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from app import create_app
from core.db import reader, transaction
from core.errors import CannotStart
from core.i18n import LOCAL
from feedback.behaviour import Temper
from feedback.models import AnswerTally, RatingDraft, RightsTally
from feedback.questionnaire import OVERALL
from feedback.simulation import Desk, begin_history, fill_hall, simulate_day, tidy_up
from queueing import queries
from queueing.history import broken_links
from queueing.models import OPEN_STATES, CounterState, Series, State, Ticket
from tests import cast
from tests.conftest import settings_for

DAYS = 3
BEGINS = datetime.combine(cast.MONDAY.astimezone(LOCAL), time(), LOCAL)
TEMPER = Temper(tickets_per_day=40, satisfied=0.85, response_rate=0.4)


def simulate(app: Flask, office_code: str = cast.OFFICE, seed: str = "7", days: int = DAYS) -> None:
    with app.app_context(), transaction(by="simulation") as session:
        office = queries.office_by_code(session, office_code)
        begin_history(session, office, BEGINS, seed)
        desk = Desk.of(session, office, TEMPER)
        for number in range(days):
            midnight = BEGINS + timedelta(days=number)
            assert simulate_day(session, desk, midnight.date(), seed, app.extensions["visit_keys"]) == {}
            tidy_up(session, midnight + timedelta(days=1))


def visits(app: Flask) -> list[tuple[Any, ...]]:
    columns = (Ticket.business_date, Ticket.prefix, Ticket.ordinal, Ticket.state, Ticket.issued_at, Ticket.finished_at)
    with app.app_context(), reader() as session:
        return [tuple(row) for row in session.execute(select(*columns).order_by(Ticket.office_id, Ticket.revision))]


def test_simulated_history_is_chained_and_its_numbers_have_no_gaps(app: Flask) -> None:
    simulate(app)
    with app.app_context(), reader() as session:
        office = queries.office_by_code(session, cast.OFFICE)
        assert list(broken_links(session, office)) == []
        series = session.scalars(select(Series).where(Series.office_id == office.id)).all()
        assert len(series) == DAYS * 2
        for row in series:
            numbers = session.scalars(
                select(Ticket.ordinal).where(Ticket.business_date == row.business_date, Ticket.prefix == row.prefix)
            ).all()
            assert sorted(numbers) == list(range(1, row.last_number + 1))


def test_everybody_who_came_in_opening_hours_was_called_or_left(sqlite_app: Flask) -> None:
    simulate(sqlite_app)
    with sqlite_app.app_context(), reader() as session:
        counted = dict(tuple(row) for row in session.execute(select(Ticket.state, func.count()).group_by(Ticket.state)))
        assert counted[State.DONE] > 0.8 * sum(counted.values())
        assert not set(counted) & set(OPEN_STATES)
        office = queries.office_by_code(session, cast.OFFICE)
        assert {counter.state for counter in queries.counters(session, office.id)} == {CounterState.CLOSED}


def test_the_response_rate_is_the_one_that_was_asked_for(sqlite_app: Flask) -> None:
    simulate(sqlite_app, days=8)
    with sqlite_app.app_context(), reader() as session:
        rated, opened = session.execute(
            select(func.sum(RightsTally.rated), func.sum(RightsTally.opened)).where(RightsTally.kind == "served")
        ).one()
        # About 230 visits: 40 percent give or take four standard errors.
        assert opened > 150
        assert abs(rated / opened - TEMPER.response_rate) < 4 * (0.4 * 0.6 / opened) ** 0.5
        assert session.scalar(select(func.count()).select_from(RatingDraft)) == 0


def test_answers_come_out_five_at_a_time_or_not_at_all(sqlite_app: Flask) -> None:
    simulate(sqlite_app)
    with sqlite_app.app_context(), reader() as session:
        sums = session.scalars(
            select(AnswerTally.n1 + AnswerTally.n2 + AnswerTally.n3 + AnswerTally.n4 + AnswerTally.n5).where(
                AnswerTally.question == OVERALL
            )
        ).all()
        assert sums
        assert min(sums) >= 5


def test_the_same_seed_gives_the_same_visits_on_every_database(
    app: Flask, sqlite_template: Path, tmp_path: Path
) -> None:
    simulate(app, seed="11", days=1)
    twin_url = f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'twin.sqlite3')}"
    twin = create_app(settings_for(twin_url, tmp_path), background=False)
    simulate(twin, seed="11", days=1)
    assert visits(twin) == visits(app)
    twin.extensions["database"].engine.dispose()


def test_another_seed_gives_other_visits(sqlite_app: Flask) -> None:
    simulate(sqlite_app, cast.OFFICE, "1", 1)
    simulate(sqlite_app, cast.OTHER_OFFICE, "2", 1)
    moments = [issued for _, _, _, _, issued, _ in visits(sqlite_app)]
    assert len(set(moments)) == len(moments)


def test_opening_hours_and_the_daily_limit_hold_for_simulated_citizens(sqlite_app: Flask) -> None:
    simulate(sqlite_app, cast.OTHER_OFFICE, days=7)
    rows = visits(sqlite_app)
    assert max(ordinal for _, _, ordinal, *_ in rows) == 3  # the limit of service A there
    assert {day.weekday() for day, *_ in rows} <= {0, 1, 2, 3, 4}
    local = [issued.astimezone(LOCAL).time() for _, _, _, _, issued, _ in rows]
    assert all(time(7, 30) <= at < time(11, 30) or time(13, 30) <= at < time(17) for at in local)


def test_history_is_never_written_before_a_visit_that_is_there(sqlite_app: Flask) -> None:
    simulate(sqlite_app)
    before = visits(sqlite_app)
    with sqlite_app.app_context(), transaction() as session:
        office = queries.office_by_code(session, cast.OFFICE)
        with pytest.raises(CannotStart, match="has had visits since"):
            begin_history(session, office, BEGINS - timedelta(days=30), "7")
    assert visits(sqlite_app) == before


def test_the_history_says_that_it_is_simulated(sqlite_app: Flask) -> None:
    simulate(sqlite_app, days=1)
    with sqlite_app.app_context(), reader() as session:
        office = queries.office_by_code(session, cast.OFFICE)
        events = queries.events_after(session, office, 0, 2)
        assert [event["kind"] for event in events] == ["day_opened", "settings_changed"]


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(cast.MONDAY, id="in the morning"),
        pytest.param(datetime(2026, 11, 16, 17, 0, 20, tzinfo=UTC), id="twenty seconds after midnight"),
        pytest.param(datetime(2026, 11, 15, 13, 0, tzinfo=UTC), id="on a Sunday evening"),
    ],
)
def test_at_any_hour_the_wanted_number_of_people_waits(sqlite_app: Flask, now: datetime) -> None:
    today = now.astimezone(LOCAL).date()
    ring = sqlite_app.extensions["visit_keys"]
    with sqlite_app.app_context(), transaction() as session:
        office = queries.office_by_code(session, cast.OFFICE)
        begin_history(session, office, now - timedelta(days=2), "7")
        desk = Desk.of(session, office, TEMPER)
        guests = simulate_day(session, desk, today, "7", ring, until=now - timedelta(minutes=40))
        fill_hall(session, desk, guests, 6, "7", ring, now, free_counter="3")
        waiting = queries.waiting_by_service(session, office.id)
        states = {counter.code: counter.state for counter in queries.counters(session, office.id)}
        assert sum(waiting.values()) == 6
        assert states == {"1": "open", "2": "open", "3": "closed"}
        assert len(guests) == 8
        assert office.last_event_at is not None
        assert office.last_event_at <= now
        assert list(broken_links(session, office)) == []
