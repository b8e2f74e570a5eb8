"""Ratings in three records with two cut links: ticket -x- right to rate -x- answer (docs/method.md).

No table here has an insertion order: keys are random or derived, and SQLite keeps the rows in key order.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime

UNORDERED = {"sqlite_with_rowid": False}
# In place of a service where a cell was reduced to its office and week, to have enough answers to hide among.
ANY_SERVICE = 0


class Kind(StrEnum):
    """What sort of visit a right comes from; only `served` makes the index."""

    SERVED = "served"
    SHORT = "short"
    NO_SHOW = "no_show"
    TURNED_AWAY = "turned_away"


class RightState(StrEnum):
    """What has become of a right to rate."""

    OPEN = "open"
    DRAFT = "draft"
    SPENT = "spent"


class RatingRight(Base):
    """One visit's right to be rated. Nothing here leads to the ticket."""

    __tablename__ = "rating_rights"
    __table_args__ = UNORDERED

    nullifier: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    office_id: Mapped[int] = mapped_column(ForeignKey("offices.id"))
    service_id: Mapped[int]
    kind: Mapped[str] = mapped_column(String(12))
    week: Mapped[str] = mapped_column(String(8))
    closes_on: Mapped[date] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(String(8), default=RightState.OPEN)


class RatingDraft(Base):
    """A rating that may still be changed, for 30 minutes at most."""

    __tablename__ = "rating_drafts"
    __table_args__ = UNORDERED

    nullifier: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    levels: Mapped[dict[str, int]] = mapped_column(JSON)
    closes_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class RatingInbox(Base):
    """A closed rating that waits for company: no time, no order, no right."""

    __tablename__ = "rating_inbox"
    __table_args__ = UNORDERED

    key: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    office_id: Mapped[int] = mapped_column(ForeignKey("offices.id"))
    service_id: Mapped[int]
    kind: Mapped[str] = mapped_column(String(12))
    week: Mapped[str] = mapped_column(String(8))
    levels: Mapped[dict[str, int]] = mapped_column(JSON)


class Answer(Base):
    """A released rating: one row a response, `levels` by question code."""

    __tablename__ = "answers"
    __table_args__ = UNORDERED

    key: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    office_id: Mapped[int] = mapped_column(ForeignKey("offices.id"))
    unit_code: Mapped[str] = mapped_column(String(8))
    service_id: Mapped[int]
    kind: Mapped[str] = mapped_column(String(12))
    week: Mapped[str] = mapped_column(String(8))
    channel: Mapped[str] = mapped_column(String(12))
    questionnaire: Mapped[str] = mapped_column(String(32))
    levels: Mapped[dict[str, Any]] = mapped_column(JSON)


class AnswerTally(Base):
    """Released answers, counted: the additive table every figure is read from."""

    __tablename__ = "answer_tallies"
    __table_args__ = UNORDERED

    unit_code: Mapped[str] = mapped_column(String(8), primary_key=True)
    office_id: Mapped[int] = mapped_column(ForeignKey("offices.id"), primary_key=True)
    service_id: Mapped[int] = mapped_column(primary_key=True)
    week: Mapped[str] = mapped_column(String(8), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12), primary_key=True)
    questionnaire: Mapped[str] = mapped_column(String(32), primary_key=True)
    question: Mapped[str] = mapped_column(String(32), primary_key=True)
    n1: Mapped[int] = mapped_column(default=0)
    n2: Mapped[int] = mapped_column(default=0)
    n3: Mapped[int] = mapped_column(default=0)
    n4: Mapped[int] = mapped_column(default=0)
    n5: Mapped[int] = mapped_column(default=0)
    released_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RightsTally(Base):
    """How many rights a week opened, and what became of them: opened >= rated = counted + excluded."""

    __tablename__ = "rights_tallies"
    __table_args__ = UNORDERED

    unit_code: Mapped[str] = mapped_column(String(8), primary_key=True)
    office_id: Mapped[int] = mapped_column(ForeignKey("offices.id"), primary_key=True)
    service_id: Mapped[int] = mapped_column(primary_key=True)
    week: Mapped[str] = mapped_column(String(8), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12), primary_key=True)
    opened: Mapped[int] = mapped_column(default=0)
    rated: Mapped[int] = mapped_column(default=0)
    expired: Mapped[int] = mapped_column(default=0)
