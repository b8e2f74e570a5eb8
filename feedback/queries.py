"""Questions about rights, answers and figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from feedback import intervals, publication
from feedback.intervals import Interval
from feedback.models import AnswerTally, Kind, RatingRight, RightsTally
from feedback.periods import Period
from feedback.questionnaire import DEFAULT, OVERALL
from feedback.sipas import DEFAULT_METHOD, Tally, satisfaction_index
from queueing.models import Ticket

LEVEL_COLUMNS = (AnswerTally.n1, AnswerTally.n2, AnswerTally.n3, AnswerTally.n4, AnswerTally.n5)


def ticket_by_view(session: Session, view_id: bytes) -> Ticket | None:
    """The ticket that a visit link shows."""
    return session.scalar(select(Ticket).where(Ticket.view_id == view_id))


def right_of(session: Session, nullifier: bytes) -> RatingRight | None:
    """The right to rate that a visit link holds, while it exists."""
    return session.get(RatingRight, nullifier)


@dataclass(frozen=True)
class Figure:
    """One satisfaction figure with everything that must stand beside it; percents are exact, 0 to 100.

    `display` says how much of it may be shown (publication.py); the fields themselves are always filled.
    """

    tally: Tally
    served: int
    percent: Fraction | None
    interval: Interval | None
    response_rate: Fraction | None
    bounds: tuple[Fraction, Fraction] | None
    display: str


def figure(tally: Tally, served: int, method: str = DEFAULT_METHOD) -> Figure:
    """The figure of one question: its index with interval, response rate and no-assumption bounds."""
    percent = satisfaction_index([tally], method)
    return Figure(
        tally,
        served,
        percent,
        intervals.index_interval([tally], method, max(served, tally.n) or None),
        intervals.response_rate(tally.n, served),
        intervals.index_bounds([tally], served, method),
        publication.display(tally.n),
    )


def tallies(session: Session, unit_codes: Sequence[str], weeks: Sequence[str]) -> dict[str, Tally]:
    """Released answers of served visits by question, pooled over units and weeks."""
    return _summed(session, AnswerTally.question, unit_codes, weeks)


def overall_by(session: Session, column: str, unit_codes: Sequence[str], weeks: Sequence[str]) -> dict[str, Tally]:
    """Overall answers of served visits by `unit_code` or `week`."""
    return _summed(session, getattr(AnswerTally, column), unit_codes, weeks, AnswerTally.question == OVERALL)


def answers_by(session: Session, by: str, unit_codes: Sequence[str], weeks: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many answers each unit has, by `question`, or of the overall question by `week`."""
    key = getattr(AnswerTally, by)
    query = (
        select(key, AnswerTally.unit_code, func.sum(sum(LEVEL_COLUMNS[1:], start=LEVEL_COLUMNS[0] + 0)))
        .where(
            AnswerTally.unit_code.in_(unit_codes),
            AnswerTally.week.in_(weeks),
            AnswerTally.kind == Kind.SERVED,
            AnswerTally.questionnaire == DEFAULT,
        )
        .group_by(key, AnswerTally.unit_code)
    )
    if by == "week":
        query = query.where(AnswerTally.question == OVERALL)
    found: dict[str, dict[str, int]] = {}
    for value, unit_code, n in session.execute(query):
        found.setdefault(value, {})[unit_code] = int(n)
    return found


def _summed(
    session: Session, by: Any, unit_codes: Sequence[str], weeks: Sequence[str], *only: ColumnElement[bool]
) -> dict[str, Tally]:
    sums: list[Any] = [func.sum(column) for column in LEVEL_COLUMNS]
    rows: Any = session.execute(
        select(by, *sums)
        .where(
            AnswerTally.unit_code.in_(unit_codes),
            AnswerTally.week.in_(weeks),
            AnswerTally.kind == Kind.SERVED,
            AnswerTally.questionnaire == DEFAULT,
            *only,
        )
        .group_by(by)
    )
    return {key: Tally((int(a), int(b), int(c), int(d), int(e))) for key, a, b, c, d, e in rows}


def served_by(session: Session, column: str, unit_codes: Sequence[str], weeks: Sequence[str]) -> dict[str, int]:
    """Served visits (rights opened) by `unit_code` or `week`: the denominator of every response rate."""
    by = getattr(RightsTally, column)
    rows = session.execute(
        select(by, func.sum(RightsTally.opened))
        .where(RightsTally.unit_code.in_(unit_codes), RightsTally.week.in_(weeks), RightsTally.kind == Kind.SERVED)
        .group_by(by)
    )
    return {key: int(count) for key, count in rows}


def last_release(session: Session, unit_codes: Sequence[str], weeks: Sequence[str]) -> datetime | None:
    """When a figure of these units last moved."""
    return session.scalar(
        select(func.max(AnswerTally.released_at)).where(
            AnswerTally.unit_code.in_(unit_codes), AnswerTally.week.in_(weeks), AnswerTally.kind == Kind.SERVED
        )
    )


def weeks_of(period: str) -> tuple[str, ...]:
    """The ISO weeks of a period's name; raises ValueError."""
    return Period.parse(period).weeks()
