"""Administrative units over time, and the offices that stand in them."""

from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import JSON, Index, LargeBinary, Numeric, String
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime
from units.hours import Hours


class Unit(Base):
    """A province or commune during one stretch of its life: code + first day name it, for codes are used again.

    Codes are text with leading zeros: 2 digits for a province, 5 for a commune.
    """

    __tablename__ = "units"
    __table_args__ = (Index("ix_units_parent_code", "parent_code"),)

    code: Mapped[str] = mapped_column(String(8), primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    valid_to: Mapped[date | None]
    name: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(16))
    parent_code: Mapped[str | None] = mapped_column(String(8))
    former_parents: Mapped[str | None] = mapped_column(String(200))
    folded: Mapped[str] = mapped_column(String(200), index=True)
    sort_key: Mapped[str] = mapped_column(String(200))


class UnitSuccession(Base):
    """An old unit went into a new one on a day; `share` is None where the share of a divided unit is not known."""

    __tablename__ = "unit_successions"
    __table_args__ = (Index("ix_unit_successions_new_code", "new_code"),)

    old_code: Mapped[str] = mapped_column(String(8), primary_key=True)
    new_code: Mapped[str] = mapped_column(String(8), primary_key=True)
    effective: Mapped[date] = mapped_column(primary_key=True)
    share: Mapped[Decimal | None] = mapped_column(Numeric(7, 6))
    main: Mapped[bool] = mapped_column(default=True)


class Office(Base):
    """One reception point. Its row is the lock of its queue, and `revision` the length of its history."""

    __tablename__ = "offices"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(64), unique=True)
    unit_code: Mapped[str] = mapped_column(String(8), index=True)
    name: Mapped[str] = mapped_column(String(120))
    timezone: Mapped[str] = mapped_column(String(64), default="Asia/Ho_Chi_Minh")
    hours: Mapped[list[str]] = mapped_column(JSON, default=list)
    policy: Mapped[str] = mapped_column(String(32), default="virtual-arrival")
    revision: Mapped[int] = mapped_column(default=0)
    last_hash: Mapped[bytes] = mapped_column(LargeBinary(32), default=bytes(32))
    last_event_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    business_date: Mapped[date | None]
    is_open: Mapped[bool] = mapped_column(default=True)

    def local(self, moment: datetime) -> datetime:
        """The wall clock of the office."""
        return moment.astimezone(ZoneInfo(self.timezone))

    def opening_hours(self) -> Hours:
        return Hours.of(tuple(self.hours))

    def not_before_last_event(self, now: datetime) -> datetime:
        """Time never runs backward in one office, whatever the machine's clock does."""
        return max(now, self.last_event_at) if self.last_event_at else now
