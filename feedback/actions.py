"""From the end of a visit to a released answer. Nothing here keeps a way back from answer to visit."""

import random
import secrets
from datetime import date, datetime, timedelta

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from core.db import add_up
from core.errors import BadInput, Refused, Unknown
from core.i18n import LOCAL, lazy
from core.idempotency import forget_secret
from feedback.models import (
    ANY_SERVICE,
    Answer,
    AnswerTally,
    Kind,
    RatingDraft,
    RatingInbox,
    RatingRight,
    RightsTally,
    RightState,
)
from feedback.periods import Period, week_of
from feedback.questionnaire import OVERALL, questionnaire
from queueing.events import VisitEnded
from queueing.models import State, Ticket
from units.models import Office

DAYS_TO_RATE = 7
SMALLEST_BATCH = 5
DRAFT_LIVES = timedelta(minutes=30)
CHANNEL = "visit-link"

INSERT_RIGHT = insert(RatingRight.__table__)  # type: ignore[arg-type]


class AlreadyRated(Refused):
    """The right is spent; the answer is never shown again."""


def open_right(session: Session, change: VisitEnded) -> None:
    """The visit is over: cut the ticket's link to its rating, and open the right to rate.

    Reacts within the transaction that ends the visit, so a visit without a right, or the other way round, cannot be.
    """
    ticket = change.ticket
    assert ticket is not None
    nullifier, ticket.nullifier = ticket.nullifier, None
    forget_secret(session, ticket.id)
    kind = kind_of(ticket)
    if nullifier is None or kind is None:
        return
    week = week_of(ticket.business_date)
    cell = {"office_id": ticket.office_id, "service_id": ticket.service_id, "kind": kind.value, "week": week}
    closes_on = ticket.business_date + timedelta(days=DAYS_TO_RATE)
    right = {"nullifier": nullifier, "closes_on": closes_on, "state": RightState.OPEN, **cell}
    session.execute(INSERT_RIGHT, right)
    unit_code = session.get_one(Office, ticket.office_id).unit_code
    add_up(session, RightsTally, {"unit_code": unit_code, **cell}, {"opened": 1, "rated": 0, "expired": 0})


def kind_of(ticket: Ticket) -> Kind | None:
    """What sort of visit it was; None for one the citizen cancelled, which gives no right."""
    if ticket.state == State.DONE:
        time = ticket.service_time()
        is_short = time is not None and time.total_seconds() < ticket.service.floor_s
        return Kind.SHORT if is_short else Kind.SERVED
    return {State.NO_SHOW: Kind.NO_SHOW, State.EXPIRED: Kind.TURNED_AWAY}.get(State(ticket.state))


def rate(session: Session, nullifier: bytes, overall: int, now: datetime) -> None:
    """The first tap, and every change of mind while the draft lives. Raises Unknown, AlreadyRated, BadInput."""
    right = _right_to_rate(session, nullifier, now)
    levels = _checked({OVERALL: overall})
    draft = session.get(RatingDraft, nullifier)
    if draft is None:
        right.state = RightState.DRAFT
        session.add(RatingDraft(nullifier=nullifier, levels=levels, closes_at=_draft_end(now)))
    else:
        draft.levels = {**draft.levels, **levels}


def add_details(session: Session, nullifier: bytes, levels: dict[str, int], now: datetime) -> None:
    """The optional second page: levels of the elements. Raises Unknown, AlreadyRated, BadInput."""
    _right_to_rate(session, nullifier, now)
    draft = session.get(RatingDraft, nullifier)
    if draft is None:
        raise BadInput(lazy("Xin chọn mức hài lòng chung trước."))
    draft.levels = {**draft.levels, **_checked(levels)}


def close_draft(session: Session, nullifier: bytes, now: datetime) -> None:
    """The rating is final: from here answer and right have nothing in common. A closed one stays closed."""
    right = session.get(RatingRight, nullifier, with_for_update=True)
    draft = session.get(RatingDraft, nullifier)
    if right is None or draft is None:
        return
    cell = {"office_id": right.office_id, "service_id": right.service_id, "kind": right.kind, "week": right.week}
    session.execute(insert(RatingInbox).values(key=secrets.token_bytes(16), levels=draft.levels, **cell))
    session.delete(draft)
    right.state = RightState.SPENT
    office = session.get_one(Office, right.office_id)
    add_up(session, RightsTally, {"unit_code": office.unit_code, **cell}, {"opened": 0, "rated": 1, "expired": 0})
    session.flush()
    release(session, right.office_id, right.service_id, right.kind, right.week, now)


def close_due_drafts(session: Session, now: datetime) -> int:
    """Close every draft whose time is over; returns how many."""
    due = session.scalars(select(RatingDraft.nullifier).where(RatingDraft.closes_at <= now)).all()
    for nullifier in due:
        close_draft(session, nullifier, now)
    return len(due)


def release(
    session: Session,
    office_id: int,
    service_id: int,
    kind: str,
    week: str,
    now: datetime,
    at_least: int = SMALLEST_BATCH,
) -> int:
    """Move a cell's inbox into the answers if enough are together; returns how many moved."""
    in_cell = (
        RatingInbox.office_id == office_id,
        RatingInbox.service_id == service_id,
        RatingInbox.kind == kind,
        RatingInbox.week == week,
    )
    waiting = session.scalar(select(func.count()).select_from(RatingInbox).where(*in_cell)) or 0
    if waiting < max(1, at_least):
        return 0
    levels = list(session.scalars(select(RatingInbox.levels).where(*in_cell)))
    session.execute(delete(RatingInbox).where(*in_cell))
    random.SystemRandom().shuffle(levels)
    cell = {"office_id": office_id, "service_id": service_id, "kind": kind, "week": week}
    unit_code = session.get_one(Office, office_id).unit_code
    series = {"unit_code": unit_code, "questionnaire": questionnaire().code, **cell}
    session.execute(
        insert(Answer),
        [{**series, "key": secrets.token_bytes(16), "channel": CHANNEL, "levels": one} for one in levels],
    )
    for question in questionnaire().codes:
        given = [one[question] for one in levels if question in one]
        counts = {f"n{level}": given.count(level) for level in range(1, 6)}
        if given:
            add_up(session, AnswerTally, {**series, "question": question}, counts, released_at=now)
    return len(levels)


def close_weeks(session: Session, today: date, now: datetime) -> int:
    """What did not find company in its service by the end of its week goes on as "office and week" only.

    There it is released by fives; when no right of that week can be used any more, the rest goes out as well.
    """
    this_week = week_of(today)
    cells = session.execute(
        select(RatingInbox.office_id, RatingInbox.service_id, RatingInbox.kind, RatingInbox.week)
        .where(RatingInbox.week < this_week)
        .distinct()
    ).all()
    for office_id, service_id, kind, week in cells:
        if service_id != ANY_SERVICE:
            _reduce(session, office_id, service_id, kind, week)
    moved = 0
    for office_id, kind, week in {(office_id, kind, week) for office_id, _, kind, week in cells}:
        is_over = today > Period.parse(week).ends_on + timedelta(days=DAYS_TO_RATE)
        at_least = 1 if is_over else SMALLEST_BATCH
        moved += release(session, office_id, ANY_SERVICE, kind, week, now, at_least)
    return moved


def expire_rights(session: Session, today: date) -> int:
    """Seven days after the service a right is deleted, used or not, and only counted; returns how many."""
    past = (RatingRight.closes_on < today, RatingRight.state != RightState.DRAFT)
    columns = (RatingRight.office_id, RatingRight.service_id, RatingRight.kind, RatingRight.week)
    unused = session.execute(
        select(*columns, func.count()).where(*past, RatingRight.state == RightState.OPEN).group_by(*columns)
    ).all()
    for office_id, service_id, kind, week, count in unused:
        unit_code = session.get_one(Office, office_id).unit_code
        cell = {"office_id": office_id, "service_id": service_id, "kind": kind, "week": week}
        add_up(session, RightsTally, {"unit_code": unit_code, **cell}, {"opened": 0, "rated": 0, "expired": count})
    return len(session.scalars(delete(RatingRight).where(*past).returning(RatingRight.kind)).all())


def _reduce(session: Session, office_id: int, service_id: int, kind: str, week: str) -> None:
    for row in session.scalars(
        select(RatingInbox).where(
            RatingInbox.office_id == office_id,
            RatingInbox.service_id == service_id,
            RatingInbox.kind == kind,
            RatingInbox.week == week,
        )
    ):
        row.service_id = ANY_SERVICE
    session.flush()


def _right_to_rate(session: Session, nullifier: bytes, now: datetime) -> RatingRight:
    right = session.get(RatingRight, nullifier, with_for_update=True)
    is_over = right is not None and right.closes_on < now.astimezone(LOCAL).date()
    if right is None or is_over or right.kind not in (Kind.SERVED, Kind.SHORT):
        raise Unknown(lazy("Phiếu này không còn đánh giá được."))
    if right.state == RightState.DRAFT:
        draft = session.get(RatingDraft, nullifier)
        if draft is not None and draft.closes_at <= now:
            close_draft(session, nullifier, now)
    if right.state == RightState.SPENT:
        raise AlreadyRated(lazy("Phiếu này đã được đánh giá. Cảm ơn ông/bà."))
    return right


def _checked(levels: dict[str, int]) -> dict[str, int]:
    for question, level in levels.items():
        if question not in questionnaire().codes or level not in range(1, 6):
            raise BadInput(lazy("Xin chọn một trong năm mức trên trang."))
    return levels


def _draft_end(now: datetime) -> datetime:
    """At most 30 minutes on, on a grid of 5, so that the draft does not keep the moment of the tap."""
    end = now + DRAFT_LIVES
    return end - timedelta(minutes=end.minute % 5, seconds=end.second, microseconds=end.microsecond)
