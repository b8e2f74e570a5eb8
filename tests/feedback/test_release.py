"""From the end of a visit to a released answer: cut links, steps of five, counts that add up (ratings.md)."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import time_machine
from flask import Flask
from sqlalchemy import func, select

from core.db import Base, reader, transaction
from feedback import actions
from feedback.commands import tidy_ratings
from feedback.models import Answer, AnswerTally, RatingInbox, RatingRight, RightsTally
from queueing.models import Ticket
from tests import cast
from tests.desk import Desk, everything
from tests.feedback.conftest import Visit


def count(app: Flask, table: type[Base]) -> int:
    with app.app_context(), reader() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def rate(visit: Visit, overall: int, **more: int) -> None:
    assert visit.rate(overall).status_code == 303
    assert visit.details(**more).status_code == 303


def tidy(app: Flask) -> None:
    with app.app_context():
        tidy_ratings()


def rights(app: Flask) -> dict[str, int]:
    columns = (RightsTally.opened, RightsTally.rated, RightsTally.expired)
    with app.app_context(), reader() as session:
        sums = session.execute(select(*(func.sum(column) for column in columns))).one()
    return dict(zip(("opened", "rated", "expired"), map(int, sums), strict=True))


def test_a_figure_moves_by_five_or_not_at_all(app: Flask, served: Callable[..., Visit]) -> None:
    released = []
    for overall in (5, 4, 3, 2, 1, 5, 5):
        rate(served(), overall)
        tidy(app)
        released.append(count(app, Answer))
    assert released == [0, 0, 0, 0, 5, 5, 5]
    assert count(app, RatingInbox) == 2
    with app.app_context(), reader() as session:
        tally = session.execute(
            select(AnswerTally.n1, AnswerTally.n2, AnswerTally.n3, AnswerTally.n4, AnswerTally.n5)
        ).one()
    assert tuple(tally) == (1, 1, 1, 1, 1)


def test_services_and_kinds_wait_for_company_of_their_own(app: Flask, served: Callable[..., Visit]) -> None:
    for _ in range(3):
        rate(served("A"), 5)
        rate(served("B"), 5)
        rate(served("A", seconds=10), 5)
    tidy(app)
    assert (count(app, Answer), count(app, RatingInbox)) == (0, 9)


def test_at_the_end_of_the_week_what_found_no_company_is_pooled_by_office_and_week(
    app: Flask, served: Callable[..., Visit], monday: time_machine.Traveller
) -> None:
    for service, overall in (("A", 5), ("A", 4), ("A", 1), ("B", 5), ("B", 2)):
        rate(served(service), overall)
    monday.move_to(cast.MONDAY + timedelta(days=6))
    tidy(app)
    assert count(app, Answer) == 0
    monday.move_to(cast.MONDAY + timedelta(days=7))
    tidy(app)
    assert (count(app, Answer), count(app, RatingInbox)) == (5, 0)
    with app.app_context(), reader() as session:
        assert set(session.scalars(select(Answer.service_id))) == {0}
        assert set(session.scalars(select(Answer.week))) == {"2026-W47"}


def test_fewer_than_five_wait_until_no_right_of_their_week_is_left(
    app: Flask, served: Callable[..., Visit], monday: time_machine.Traveller
) -> None:
    for overall in (5, 4, 1):
        rate(served(), overall)
    last_day = date(2026, 11, 22) + timedelta(days=7)
    for days, answers in (((last_day - cast.MONDAY.date()).days, 0), ((last_day - cast.MONDAY.date()).days + 1, 3)):
        monday.move_to(cast.MONDAY + timedelta(days=days))
        tidy(app)
        assert count(app, Answer) == answers


def test_a_right_lives_seven_days_and_is_only_counted_then(
    app: Flask, served: Callable[..., Visit], monday: time_machine.Traveller
) -> None:
    rate(served(), 5)
    served(), served()
    assert rights(app) == {"opened": 3, "rated": 1, "expired": 0}
    monday.move_to(cast.MONDAY + timedelta(days=7))
    tidy(app)
    assert count(app, RatingRight) == 3
    monday.move_to(cast.MONDAY + timedelta(days=8))
    tidy(app)
    tidy(app)
    assert count(app, RatingRight) == 0
    assert rights(app) == {"opened": 3, "rated": 1, "expired": 2}


def test_however_a_visit_ends_its_ticket_keeps_no_way_to_the_rating(
    app: Flask, take: Callable[..., Visit], served: Callable[..., Visit], desk: Desk, monday: time_machine.Traveller
) -> None:
    cancelled, absent, waiting = take(), take(), take()
    desk.counter("1", "open")
    desk.counter("1", "call", {"ticket": absent.ticket["id"]})
    desk.ticket(absent.ticket["id"], "no-show")
    desk.ticket(cancelled.ticket["id"], "cancel")
    done = served()
    with app.app_context(), reader() as session:
        left = dict(session.execute(select(Ticket.id, Ticket.nullifier)).all())
    assert [left[visit.ticket["id"]] for visit in (cancelled, absent, done)] == [None, None, None]
    assert left[waiting.ticket["id"]] is not None
    monday.move_to(cast.MONDAY + timedelta(days=1))
    desk.issue()
    with app.app_context(), reader() as session:
        assert session.get_one(Ticket, waiting.ticket["id"]).nullifier is None


def test_an_answer_shares_no_value_with_right_ticket_or_link(app: Flask, served: Callable[..., Visit]) -> None:
    visits = [served() for _ in range(6)]
    for visit in visits:
        rate(visit, 4, access=3)
    tables = everything(app)
    assert len(tables["answers"]) == 5
    assert len(tables["rating_inbox"]) == 1

    def values(names: tuple[str, ...]) -> set[Any]:
        found = {value for name in names for row in tables[name] for value in row if isinstance(value, bytes | str)}
        return {value for value in found if len(value) > 8}

    elsewhere = values(("tickets", "rating_rights", "kept_replies", "office_events"))
    assert values(("answers", "rating_inbox")) & elsewhere == {"counter-1"} & elsewhere
    said = repr(tables["answers"] + tables["rating_inbox"])
    for visit in visits:
        assert visit.path.rpartition("/")[2] not in repr(tables)
        assert visit.ticket["id"] not in said
    assert "datetime" not in said, "no moment stands beside an answer"


def test_released_answers_stand_in_random_order(app: Flask, served: Callable[..., Visit]) -> None:
    """Keys are random, so the order of keys says nothing about the order of the visits."""
    for overall in (1, 2, 3, 4, 5):
        rate(served(), overall)
    keys = [row[0] for row in everything(app)["answers"]]
    assert len({key[:2] for key in keys}) > 1
    assert all(len(key) == 16 for key in keys)


def test_releasing_again_moves_nothing(app: Flask, served: Callable[..., Visit]) -> None:
    for _ in range(5):
        rate(served(), 5)
    before = everything(app)
    with app.app_context(), transaction() as session:
        assert actions.release(session, 1, 1, "served", "2026-W47", cast.MONDAY) == 0
    assert everything(app) == before
