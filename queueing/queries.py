"""Questions about the desk."""

import statistics
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Integer, Select, bindparam, func, literal, literal_column, select, tuple_, union_all
from sqlalchemy.orm import Session, aliased

from core.db import current_database
from core.errors import Unknown
from core.i18n import lazy
from queueing.dispatch import Head
from queueing.estimate import Pace, Wait, expected_wait
from queueing.models import (
    AT_COUNTER,
    Counter,
    CounterService,
    CounterState,
    OfficeEvent,
    PriorityClass,
    Service,
    State,
    Ticket,
)
from units.models import Office

RECENT_VISITS = 100
PACE_KEPT_S = 60.0

# Written into the SQL and not bound, or neither database would see that its partial indexes apply.
IS_WAITING = Ticket.state == literal_column(f"'{State.WAITING}'")
IS_AT_COUNTER = Ticket.state.in_([literal_column(f"'{state}'") for state in AT_COUNTER])

# The questions of every press are built once: building a statement costs more than running it.
CURRENT_TICKET = select(Ticket).where(Ticket.counter_id == bindparam("counter_id"), IS_AT_COUNTER)
WAITING_BY_SERVICE = (
    select(Service.code, Service.active, func.count(Ticket.id))
    .outerjoin(Ticket, (Ticket.service_id == Service.id) & IS_WAITING)
    .where(Service.office_id == bindparam("office_id"))
    .group_by(Service.id)
    .order_by(Service.position)
)
SERVICE_BY_CODE = select(Service).where(
    Service.office_id == bindparam("office_id"), Service.code == bindparam("code"), Service.active
)


OFFICE_BY_CODE = select(Office).where(Office.code == bindparam("code"))
COUNTER_BY_CODE = select(Counter).where(
    Counter.office_id == bindparam("office_id"), Counter.code == bindparam("code"), Counter.active
)
SERVICES = select(Service).where(Service.office_id == bindparam("office_id"), Service.active).order_by(Service.position)
COUNTERS = select(Counter).where(Counter.office_id == bindparam("office_id"), Counter.active).order_by(Counter.position)
AHEAD = select(func.count()).where(
    Ticket.service_id == bindparam("service_id"),
    IS_WAITING,
    tuple_(Ticket.virtual_arrival, Ticket.revision)
    < tuple_(bindparam("arrival", type_=Ticket.virtual_arrival.type), bindparam("revision", type_=Integer)),
)
OPEN_COUNTERS = (
    select(func.count())
    .select_from(CounterService)
    .join(Counter, Counter.id == CounterService.counter_id)
    .where(CounterService.service_id == bindparam("service_id"), CounterService.delay_min == 0, Counter.active)
    .where(Counter.state == CounterState.OPEN)
)
FINISHED_VISITS = (
    select(Ticket.started_at, Ticket.finished_at)
    .where(Ticket.service_id == bindparam("service_id"), Ticket.state == State.DONE)
    .order_by(Ticket.finished_at.desc())
    .limit(RECENT_VISITS)
)
RECENT_CALLS = (
    select(Ticket)
    .where(
        Ticket.office_id == bindparam("office_id"),
        Ticket.business_date == bindparam("day"),
        Ticket.called_at.is_not(None),
    )
    .order_by(Ticket.called_at.desc(), Ticket.revision.desc())
    .limit(bindparam("most"))
)
WAITING_NOW = (
    select(Ticket.service_id, func.count(), func.min(Ticket.issued_at))
    .join(Service, Service.id == Ticket.service_id)
    .where(Service.office_id == bindparam("office_id"), IS_WAITING)
    .group_by(Ticket.service_id)
)
EVENTS_AFTER = (
    select(OfficeEvent.body)
    .where(OfficeEvent.office_id == bindparam("office_id"), OfficeEvent.revision > bindparam("revision"))
    .order_by(OfficeEvent.revision)
    .limit(bindparam("most"))
)
TICKETS_AT_COUNTERS = (
    select(Ticket)
    .join(Counter, Counter.id == Ticket.counter_id)
    .where(Counter.office_id == bindparam("office_id"), IS_AT_COUNTER)
)


def _waiting_heads() -> Select[str, datetime, int, int, str]:
    lanes = union_all(select(literal(False).label("priority")), select(literal(True))).subquery("lanes")
    first = aliased(Ticket)
    head = (
        select(first.id)
        .where(
            first.service_id == CounterService.service_id,
            first.has_priority == lanes.c.priority,
            first.state == literal_column(f"'{State.WAITING}'"),
        )
        .order_by(first.virtual_arrival, first.revision)
        .limit(1)
        .correlate(CounterService, lanes)
        .scalar_subquery()
    )
    return (
        select(Ticket.id, Ticket.virtual_arrival, Ticket.revision, CounterService.delay_min, PriorityClass.code)
        .select_from(CounterService)
        .join(lanes, literal(True))
        .join(Ticket, Ticket.id == head)
        .outerjoin(PriorityClass, PriorityClass.id == Ticket.priority_id)
        .where(CounterService.counter_id == bindparam("counter_id"))
    )


WAITING_HEADS = _waiting_heads()


def office_by_code(session: Session, code: str) -> Office:
    """The office of this address; raises Unknown."""
    office = session.scalar(OFFICE_BY_CODE, {"code": code})
    if office is None:
        raise Unknown(lazy("Không có điểm tiếp nhận này."))
    return office


def counter_by_code(session: Session, office: Office, code: str) -> Counter:
    """A counter in use at this office; raises Unknown."""
    counter = session.scalar(COUNTER_BY_CODE, {"office_id": office.id, "code": code})
    if counter is None:
        raise Unknown(lazy("Điểm tiếp nhận không có quầy này."))
    return counter


def service_of(session: Session, office_id: int, code: str) -> Service:
    """A service in use at this office; raises Unknown."""
    service = session.scalar(SERVICE_BY_CODE, {"office_id": office_id, "code": code})
    if service is None:
        raise Unknown(lazy("Điểm tiếp nhận không có nhóm việc này."))
    return service


def services(session: Session, office_id: int) -> Sequence[Service]:
    """The services in use, in the office's order."""
    return session.scalars(SERVICES, {"office_id": office_id}).all()


def counters(session: Session, office_id: int) -> Sequence[Counter]:
    """The counters in use, in the office's order."""
    return session.scalars(COUNTERS, {"office_id": office_id}).all()


def priorities(session: Session, office_id: int) -> Sequence[PriorityClass]:
    """The priority classes in use, in the office's order."""
    return session.scalars(
        select(PriorityClass)
        .where(PriorityClass.office_id == office_id, PriorityClass.active)
        .order_by(PriorityClass.position)
    ).all()


def current_ticket(session: Session, counter_id: int) -> Ticket | None:
    """Who is called to or served at this counter."""
    return session.scalar(CURRENT_TICKET, {"counter_id": counter_id})


def waiting_heads(session: Session, counter_id: int) -> list[Head]:
    """The first waiting ticket of every service of the counter, with and without priority: one index seek each."""
    rows = session.execute(WAITING_HEADS, {"counter_id": counter_id})
    return [
        Head(ticket_id, arrival, revision, timedelta(minutes=delay), priority)
        for ticket_id, arrival, revision, delay, priority in rows
    ]


def calls_since_priority(session: Session, office: Office, most: int) -> int:
    """How many of today's last calls went to people without priority, counted up to `most`."""
    recent = session.scalars(
        select(Ticket.has_priority)
        .where(
            Ticket.office_id == office.id,
            Ticket.business_date == office.business_date,
            Ticket.called_at.is_not(None),
        )
        .order_by(Ticket.called_at.desc())
        .limit(most)
    ).all()
    return next((count for count, had in enumerate(recent) if had), len(recent))


def waiting_by_service(session: Session, office_id: int) -> dict[str, int]:
    """How many people wait for each service of the office that is in use or still has people; 0 where nobody does."""
    rows = session.execute(WAITING_BY_SERVICE, {"office_id": office_id})
    return {code: count for code, active, count in rows if active or count}


def ahead_of(session: Session, ticket: Ticket) -> int:
    """How many people of the same group of work are called before this one."""
    place = {"service_id": ticket.service_id, "arrival": ticket.virtual_arrival, "revision": ticket.revision}
    return session.scalar(AHEAD, place) or 0


def wait_of(session: Session, ticket: Ticket, ahead: int) -> Wait | None:
    """The expected wait of a waiting ticket as a range, from the office's own recent visits."""
    open_counters = session.scalar(OPEN_COUNTERS, {"service_id": ticket.service_id})
    return expected_wait(ahead, open_counters or 0, pace_of(session, ticket.service))


def pace_of(session: Session, service: Service) -> Pace:
    """Service times of the last finished visits of this service that were long enough to be one.

    A pace of a hundred visits is kept for a minute in each process: one visit more would hardly move it.
    """
    kept: dict[int, tuple[float, Pace]] = current_database().__dict__.setdefault("paces", {})
    if (found := kept.get(service.id)) and time.monotonic() - found[0] < PACE_KEPT_S:
        return found[1]
    rows = session.execute(FINISHED_VISITS, {"service_id": service.id}).all()
    times = [(end - begin).total_seconds() for begin, end in rows if begin and end]
    times = [seconds for seconds in times if seconds >= service.floor_s]
    if len(times) < 2:
        return Pace(len(times), 0.0, 0.0)
    pace = Pace(len(times), statistics.fmean(times), statistics.stdev(times))
    if len(rows) == RECENT_VISITS:
        kept[service.id] = (time.monotonic(), pace)
    return pace


def counters_for(session: Session, service_id: int) -> Sequence[Counter]:
    """The counters where people of this service are served first of all, in the office's order."""
    return session.scalars(
        select(Counter)
        .join(CounterService, CounterService.counter_id == Counter.id)
        .where(CounterService.service_id == service_id, CounterService.delay_min == 0, Counter.active)
        .order_by(Counter.position)
    ).all()


def recent_calls(session: Session, office: Office, limit: int = 10) -> Sequence[Ticket]:
    """Today's calls, newest first."""
    asked = {"office_id": office.id, "day": office.business_date, "most": limit}
    return session.scalars(RECENT_CALLS, asked).all()


def waiting_now(session: Session, office_id: int) -> dict[int, tuple[int, datetime]]:
    """For each service with people waiting: how many, and when the first of them came."""
    rows = session.execute(WAITING_NOW, {"office_id": office_id})
    return {service_id: (count, since) for service_id, count, since in rows}


def events_after(session: Session, office: Office, revision: int, limit: int) -> list[dict[str, object]]:
    """The public part of the office's history after a revision, in order."""
    asked = {"office_id": office.id, "revision": revision, "most": limit}
    return list(session.scalars(EVENTS_AFTER, asked))


def tickets_at_counters(session: Session, office_id: int) -> Sequence[Ticket]:
    """Everybody who is called or being served in this office."""
    return session.scalars(TICKETS_AT_COUNTERS, {"office_id": office_id}).all()


def ticket_by_id(session: Session, ticket_id: str) -> Ticket:
    """The ticket; raises Unknown."""
    ticket = session.get(Ticket, ticket_id)
    if ticket is None:
        raise Unknown(lazy("Không có phiếu này."))
    return ticket


def recent_tickets(session: Session, office: Office, limit: int) -> Sequence[Ticket]:
    """Today's tickets, newest first."""
    return session.scalars(
        select(Ticket)
        .where(Ticket.office_id == office.id, Ticket.business_date == office.business_date)
        .order_by(Ticket.revision.desc())
        .limit(limit)
    ).all()


def served_today(session: Session, office: Office, counter_id: int) -> int:
    """How many visits this counter has finished today."""
    return (
        session.scalar(
            select(func.count()).where(
                Ticket.office_id == office.id,
                Ticket.business_date == office.business_date,
                Ticket.state == State.DONE,
                Ticket.counter_id == counter_id,
            )
        )
        or 0
    )
