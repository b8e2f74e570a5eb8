"""Tickets and counters: each row with the rules about that one row."""

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlalchemy.orm.attributes import set_committed_value

from core.db import Base, UtcDateTime
from core.errors import Refused
from core.i18n import lazy
from units.models import Office


class State(StrEnum):
    """The states of a ticket; the last four end the visit."""

    WAITING = "waiting"
    CALLED = "called"
    SERVING = "serving"
    PARKED = "parked"
    DONE = "done"
    NO_SHOW = "no_show"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


AT_COUNTER = (State.CALLED, State.SERVING)
OPEN_STATES = (State.WAITING, State.CALLED, State.SERVING, State.PARKED)
PROGRESS = ("state", "counter_id", "called_at", "started_at", "finished_at", "calls", "reason", "nullifier")


class CounterState(StrEnum):
    """Whether a counter takes people now."""

    OPEN = "open"
    PAUSED = "paused"
    CLOSED = "closed"


class NotAllowed(Refused):
    """The ticket is in a state from which this step does not lead on; `state` says which."""

    def __init__(self, ticket: "Ticket") -> None:
        super().__init__(
            lazy("Số %(number)s đã được xử lý ở máy khác hoặc không ở trạng thái cho phép.", number=ticket.number),
            state=ticket.state,
        )


class CounterBusy(Refused):
    """The counter still has somebody."""


class CounterNotOpen(Refused):
    """The counter has to be opened first."""


class Service(Base):
    """A group of work that citizens come for."""

    __tablename__ = "services"
    __table_args__ = (UniqueConstraint("office_id", "code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    office_id: Mapped[int] = mapped_column(ForeignKey("offices.id"))
    code: Mapped[str] = mapped_column(String(16))
    prefix: Mapped[str] = mapped_column(String(4))
    name: Mapped[str] = mapped_column(String(120))
    floor_s: Mapped[int] = mapped_column(default=20)
    daily_limit: Mapped[int | None]
    position: Mapped[int] = mapped_column(default=0)
    active: Mapped[bool] = mapped_column(default=True)


class PriorityClass(Base):
    """People whom the office calls earlier, and by how much."""

    __tablename__ = "priority_classes"
    __table_args__ = (UniqueConstraint("office_id", "code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    office_id: Mapped[int] = mapped_column(ForeignKey("offices.id"))
    code: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(120))
    head_start_min: Mapped[int] = mapped_column(default=0)
    position: Mapped[int] = mapped_column(default=0)
    active: Mapped[bool] = mapped_column(default=True)


class CounterService(Base):
    """A counter serves a service; with a delay, it only helps out once the head has waited that much longer."""

    __tablename__ = "counter_services"

    counter_id: Mapped[int] = mapped_column(ForeignKey("counters.id"), primary_key=True)
    service_id: Mapped[int] = mapped_column(ForeignKey("services.id"), primary_key=True)
    delay_min: Mapped[int] = mapped_column(default=0)
    service: Mapped[Service] = relationship(lazy="joined", innerjoin=True)


class Counter(Base):
    """A desk where people are served."""

    __tablename__ = "counters"
    __table_args__ = (UniqueConstraint("office_id", "code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    office_id: Mapped[int] = mapped_column(ForeignKey("offices.id"))
    code: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(120))
    state: Mapped[str] = mapped_column(String(8), default=CounterState.CLOSED)
    pause_reason: Mapped[str | None] = mapped_column(String(120))
    position: Mapped[int] = mapped_column(default=0)
    active: Mapped[bool] = mapped_column(default=True)
    serves: Mapped[list[CounterService]] = relationship(cascade="all, delete-orphan", order_by=CounterService.delay_min)

    def must_take_people(self) -> None:
        if self.state != CounterState.OPEN:
            raise CounterNotOpen(lazy("%(counter)s chưa mở. Xin bấm “Mở quầy” trước.", counter=self.name))

    def change_to(self, state: CounterState, reason: str | None = None) -> None:
        self.state = state
        self.pause_reason = reason if state == CounterState.PAUSED else None


class Series(Base):
    """The last number given in a series of one office and day; the source of every number."""

    __tablename__ = "series"

    office_id: Mapped[int] = mapped_column(ForeignKey("offices.id"), primary_key=True)
    business_date: Mapped[date] = mapped_column(primary_key=True)
    prefix: Mapped[str] = mapped_column(String(4), primary_key=True)
    last_number: Mapped[int]


class Ticket(Base):
    """One visit. `virtual_arrival` orders the queue: the issue time less the head start of the priority class."""

    __tablename__ = "tickets"
    __table_args__ = (
        UniqueConstraint("office_id", "business_date", "prefix", "ordinal"),
        Index(
            "ix_tickets_waiting",
            "service_id",
            "has_priority",
            "virtual_arrival",
            "revision",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index(
            "uq_tickets_at_counter",
            "counter_id",
            unique=True,
            sqlite_where=text("state IN ('called', 'serving')"),
            postgresql_where=text("state IN ('called', 'serving')"),
        ),
        Index("ix_tickets_office_id_business_date_state", "office_id", "business_date", "state"),
        Index("ix_tickets_office_id_called_at", "office_id", "called_at"),
        Index("ix_tickets_service_id_state_finished_at", "service_id", "state", "finished_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    office_id: Mapped[int] = mapped_column(ForeignKey("offices.id"))
    service_id: Mapped[int] = mapped_column(ForeignKey("services.id"))
    priority_id: Mapped[int | None] = mapped_column(ForeignKey("priority_classes.id"))
    counter_id: Mapped[int | None] = mapped_column(ForeignKey("counters.id"))
    business_date: Mapped[date]
    prefix: Mapped[str] = mapped_column(String(4))
    ordinal: Mapped[int]
    state: Mapped[str] = mapped_column(String(12), default=State.WAITING)
    channel: Mapped[str] = mapped_column(String(16))
    has_priority: Mapped[bool] = mapped_column(default=False)
    virtual_arrival: Mapped[datetime] = mapped_column(UtcDateTime)
    revision: Mapped[int]
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    called_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    calls: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str | None] = mapped_column(String(64))
    view_id: Mapped[bytes | None] = mapped_column(LargeBinary(16), unique=True)
    nullifier: Mapped[bytes | None] = mapped_column(LargeBinary(16))

    service: Mapped[Service] = relationship(lazy="joined", innerjoin=True)
    priority: Mapped[PriorityClass | None] = relationship(lazy="joined")
    counter: Mapped[Counter | None] = relationship(lazy="select")

    @property
    def number(self) -> str:
        """What people see, such as A012."""
        return f"{self.prefix}{self.ordinal:03d}"

    def call(self, counter: Counter, reason: str, now: datetime) -> None:
        """The number goes up on the screen."""
        self._must_be(State.WAITING)
        self.state = State.CALLED
        self.counter_id = counter.id
        set_committed_value(self, "counter", counter)
        self.called_at = now
        self.calls = 1
        self.reason = reason

    def recall(self) -> None:
        """The same number is called again."""
        self._must_be(State.CALLED)
        self.calls += 1

    def start(self, now: datetime) -> None:
        """The person has come to the counter."""
        self._must_be(State.CALLED)
        self.state = State.SERVING
        self.started_at = now

    def finish(self, now: datetime) -> None:
        """The visit is over. A clerk who never pressed "start" began when the number was called."""
        self._must_be(*AT_COUNTER)
        self.started_at = self.started_at or self.called_at
        self._end(State.DONE, now)

    def miss(self, now: datetime) -> None:
        """The person did not come."""
        self._must_be(State.CALLED)
        self._end(State.NO_SHOW, now)

    def cancel(self, now: datetime) -> None:
        """The person left before being called."""
        self._must_be(State.WAITING, State.PARKED)
        self._end(State.CANCELLED, now)

    def expire(self, now: datetime) -> None:
        """The day was closed before the visit came to an end."""
        self._must_be(State.WAITING, State.PARKED, State.CALLED)
        self._end(State.EXPIRED, now)

    def service_time(self) -> timedelta | None:
        """How long the visit took at the counter; None before its end."""
        return self.finished_at - self.started_at if self.finished_at and self.started_at else None

    def progress(self) -> dict[str, Any]:
        """The columns that move while a visit goes on."""
        return {name: getattr(self, name) for name in PROGRESS}

    def _end(self, state: State, now: datetime) -> None:
        self.state = state
        self.finished_at = now

    def _must_be(self, *states: State) -> None:
        if self.state not in states:
            raise NotAllowed(self)


class OfficeEvent(Base):
    """One numbered change of an office: audit record, live message and source of every figure.

    `body` is the public part (contract.md, Event), `details` what only the audit needs. `hash` covers this row and
    the hash before it.
    """

    __tablename__ = "office_events"
    __table_args__ = ({"sqlite_with_rowid": False},)

    office_id: Mapped[int] = mapped_column(ForeignKey(Office.id), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    business_date: Mapped[date]
    kind: Mapped[str] = mapped_column(String(24))
    by: Mapped[str] = mapped_column(String(64))
    body: Mapped[dict[str, Any]] = mapped_column(JSON)
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
