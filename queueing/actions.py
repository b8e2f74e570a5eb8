"""Steps of citizens and clerks at the desk. Each locks its office first, so an office is a serial machine.

Every action takes the moment of its entry point and goes on with the office's own moment, which never runs backward.
"""

import secrets
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from core.db import add_up, insert_now, lock_row
from core.errors import Refused, Unknown
from core.i18n import lazy
from queueing import dispatch, queries
from queueing.events import (
    Change,
    CounterClosed,
    CounterOpened,
    CounterPaused,
    DayClosed,
    DayOpened,
    NoShow,
    ServiceStarted,
    SettingsChanged,
    TicketCalled,
    TicketCancelled,
    TicketExpired,
    TicketIssued,
    TicketRecalled,
    VisitFinished,
)
from queueing.history import record
from queueing.models import (
    OPEN_STATES,
    Counter,
    CounterBusy,
    CounterState,
    PriorityClass,
    Series,
    State,
    Ticket,
)
from queueing.visit_token import KeyRing, VisitToken
from queueing.visit_token import issue as issue_token
from units.models import Office

LAST_NUMBER = select(Series.last_number).where(
    Series.office_id == bindparam("office_id"),
    Series.business_date == bindparam("business_date"),
    Series.prefix == bindparam("prefix"),
)
ISSUED_TODAY = select(func.count()).where(
    Ticket.service_id == bindparam("service_id"), Ticket.business_date == bindparam("day")
)


class OfficeClosed(Refused):
    """No tickets outside opening hours."""


class DayFull(Refused):
    """The daily limit of the service is reached."""


class CannotDo(Refused):
    """The request names something this office does not have."""

    status = 422


class StaleScreen(Refused):
    """The caller's screen shows what is no longer so."""


class Unchecked(Enum):
    """Marks a caller that shows no screen, such as another program."""

    UNCHECKED = "unchecked"


UNCHECKED = Unchecked.UNCHECKED


def begin(session: Session, office_id: int, now: datetime) -> tuple[Office, datetime]:
    """Lock the office until the transaction ends; return it and its moment, in its business day."""
    office = lock_row(session, Office, office_id)
    now = office.not_before_last_event(now.astimezone(UTC))
    turn_day(session, office, now)
    return office, now


def turn_day(session: Session, office: Office, now: datetime) -> None:
    """Open the business day if local midnight has passed, and follow the opening hours."""
    local = office.local(now)
    if office.business_date is None or local.date() > office.business_date:
        if office.business_date is not None:
            close_day(session, office, now)
        office.business_date = local.date()
        office.is_open = office.opening_hours().is_open(local)
        record(session, office, DayOpened(), now)
    elif office.is_open != office.opening_hours().is_open(local):
        office.is_open = not office.is_open
        record(session, office, SettingsChanged(details={"open": office.is_open}), now)


def close_day(session: Session, office: Office, now: datetime) -> None:
    """Bring every visit of the old day to an end and close the counters."""
    left = session.scalars(
        select(Ticket)
        .where(
            Ticket.office_id == office.id, Ticket.state.in_(OPEN_STATES), Ticket.business_date == office.business_date
        )
        .order_by(Ticket.revision)
    )
    for ticket in left.all():
        if ticket.state == State.SERVING:
            ticket.finish(now)
            record(
                session,
                office,
                VisitFinished(ticket=ticket, counter=ticket.counter, details={"by_day_close": True}),
                now,
            )
        else:
            ticket.expire(now)
            record(session, office, TicketExpired(ticket=ticket), now)
    counters = session.scalars(
        select(Counter).where(Counter.office_id == office.id, Counter.state != CounterState.CLOSED)
    )
    for counter in counters.all():
        counter.change_to(CounterState.CLOSED)
        record(session, office, CounterClosed(counter=counter), now)
    record(session, office, DayClosed(), now)


def issue(
    session: Session,
    office_id: int,
    service_code: str,
    now: datetime,
    *,
    ring: KeyRing,
    priority_code: str | None = None,
    channel: str = "kiosk",
) -> tuple[Ticket, VisitToken]:
    """Give a citizen the next number of a service, and the visit link that only the paper will keep.

    Raises Unknown (service), CannotDo (priority class), OfficeClosed, DayFull.
    """
    office, now = begin(session, office_id, now)
    service = queries.service_of(session, office.id, service_code)
    priority = _priority_of(session, office.id, priority_code)
    if not office.is_open:
        raise OfficeClosed(lazy("Điểm tiếp nhận đang ngoài giờ làm việc."), reason="closed")
    assert office.business_date is not None
    if service.daily_limit is not None:
        issued = session.scalar(ISSUED_TODAY, {"service_id": service.id, "day": office.business_date})
        if issued is not None and issued >= service.daily_limit:
            raise DayFull(lazy("Hôm nay đã hết số cho nhóm việc này. Xin gặp cán bộ hướng dẫn."), reason="full")
    ordinal = _next_ordinal(session, office, service.prefix)
    token = issue_token(ring, office.id, office.business_date)
    ticket = Ticket(
        id=secrets.token_hex(10),
        office_id=office.id,
        service_id=service.id,
        priority_id=priority.id if priority else None,
        counter_id=None,
        business_date=office.business_date,
        prefix=service.prefix,
        ordinal=ordinal,
        state=State.WAITING,
        channel=channel,
        has_priority=priority is not None,
        virtual_arrival=now - timedelta(minutes=priority.head_start_min if priority else 0),
        revision=office.revision + 1,
        issued_at=now,
        calls=0,
        view_id=token.view_id,
        nullifier=token.nullifier,
    )
    insert_now(session, ticket)
    set_committed_value(ticket, "service", service)
    set_committed_value(ticket, "priority", priority)
    set_committed_value(ticket, "counter", None)
    details = {"priority": priority.code, "declared": True} if priority else None
    record(session, office, TicketIssued(ticket=ticket, details=details), now)
    return ticket, token


def call_next(
    session: Session, counter_id: int, now: datetime, holding: str | Unchecked | None = UNCHECKED
) -> Ticket | None:
    """Call whoever is next for this counter, or return None when nobody waits for it.

    Two counters that press together get two different people. A visit still open at this counter is finished
    first: one button carries a clerk through the day. `holding` is the ticket the caller's screen shows at the
    counter (None: nobody); another one means that a second tablet was faster. Raises CounterNotOpen, StaleScreen.
    """
    office, counter, now = _begin_at(session, counter_id, now)
    counter.must_take_people()
    current = queries.current_ticket(session, counter.id)
    if holding is not UNCHECKED and holding != (current.id if current else None):
        raise StaleScreen(lazy("Đã được xử lý ở máy khác. Đây là trạng thái mới."))
    if current:
        _finish(session, office, current, now)
    policy = dispatch.Policy.parse(office.policy)
    choice = dispatch.pick(
        queries.waiting_heads(session, counter.id),
        policy,
        queries.calls_since_priority(session, office, policy.every) if policy.every else 0,
    )
    if choice is None:
        return None
    ticket = session.get_one(Ticket, choice.ticket_id)
    _call(session, office, counter, ticket, choice.reason, now)
    return ticket


def call_one(session: Session, counter_id: int, ticket_id: str, now: datetime) -> Ticket:
    """Call one particular ticket to this counter. Raises CounterNotOpen, CounterBusy, NotAllowed, Unknown."""
    office, counter, now = _begin_at(session, counter_id, now)
    counter.must_take_people()
    ticket = _ticket_here(session, office, ticket_id)
    if queries.current_ticket(session, counter.id):
        raise CounterBusy(lazy("%(counter)s đang có khách. Xin hoàn tất trước.", counter=counter.name))
    _call(session, office, counter, ticket, "chosen", now)
    return ticket


def recall(session: Session, ticket_id: str, now: datetime) -> Ticket:
    """Call the same number again."""
    office, ticket, now = _begin_with(session, ticket_id, now)
    ticket.recall()
    record(session, office, TicketRecalled(ticket=ticket, counter=ticket.counter, details={"calls": ticket.calls}), now)
    return ticket


def start(session: Session, ticket_id: str, now: datetime) -> Ticket:
    """The person stands at the counter."""
    office, ticket, now = _begin_with(session, ticket_id, now)
    ticket.start(now)
    record(session, office, ServiceStarted(ticket=ticket, counter=ticket.counter), now)
    return ticket


def finish(session: Session, ticket_id: str, now: datetime) -> Ticket:
    """The visit is over; it may be rated from now on."""
    office, ticket, now = _begin_with(session, ticket_id, now)
    _finish(session, office, ticket, now)
    return ticket


def no_show(session: Session, ticket_id: str, now: datetime) -> Ticket:
    """Nobody came when called."""
    office, ticket, now = _begin_with(session, ticket_id, now)
    ticket.miss(now)
    record(session, office, NoShow(ticket=ticket, counter=ticket.counter), now)
    return ticket


def cancel(session: Session, ticket_id: str, now: datetime) -> Ticket:
    """The citizen gives the number back."""
    office, ticket, now = _begin_with(session, ticket_id, now)
    ticket.cancel(now)
    record(session, office, TicketCancelled(ticket=ticket), now)
    return ticket


def open_counter(session: Session, counter_id: int, now: datetime) -> Counter:
    """The counter takes people from now on."""
    return _set_counter(session, counter_id, CounterState.OPEN, CounterOpened, now)


def pause_counter(session: Session, counter_id: int, reason: str, now: datetime) -> Counter:
    """The counter rests; whoever is being served there is still served."""
    return _set_counter(session, counter_id, CounterState.PAUSED, CounterPaused, now, reason)


def close_counter(session: Session, counter_id: int, now: datetime) -> Counter:
    """The counter is done for today. Raises CounterBusy while somebody is there."""
    return _set_counter(session, counter_id, CounterState.CLOSED, CounterClosed, now)


def must_be_at(counter: Counter, ticket: Ticket) -> None:
    """A clerk's buttons are about the ticket at that clerk's counter; raises StaleScreen."""
    if ticket.counter_id != counter.id:
        raise StaleScreen(lazy("Đã được xử lý ở máy khác. Đây là trạng thái mới."))


def _begin_at(session: Session, counter_id: int, now: datetime) -> tuple[Office, Counter, datetime]:
    counter = session.get_one(Counter, counter_id)
    office, now = begin(session, counter.office_id, now)
    return office, counter, now


def _begin_with(session: Session, ticket_id: str, now: datetime) -> tuple[Office, Ticket, datetime]:
    office, now = begin(session, session.get_one(Ticket, ticket_id).office_id, now)
    return office, _ticket_here(session, office, ticket_id), now


def _ticket_here(session: Session, office: Office, ticket_id: str) -> Ticket:
    ticket = session.get(Ticket, ticket_id)
    if ticket is None or ticket.office_id != office.id:
        raise Unknown(lazy("Không có phiếu này."))
    return ticket


def _next_ordinal(session: Session, office: Office, prefix: str) -> int:
    """The next number of the office's series today: counted in one place, so without a gap."""
    series = {"office_id": office.id, "business_date": office.business_date, "prefix": prefix}
    add_up(session, Series, series, {"last_number": 1})
    return session.execute(LAST_NUMBER, series).scalar_one()


def _priority_of(session: Session, office_id: int, code: str | None) -> PriorityClass | None:
    if code is None:
        return None
    found = session.scalar(
        select(PriorityClass).where(
            PriorityClass.office_id == office_id, PriorityClass.code == code, PriorityClass.active
        )
    )
    if found is None:
        raise CannotDo(lazy("Điểm tiếp nhận không có diện ưu tiên này."))
    return found


def _call(session: Session, office: Office, counter: Counter, ticket: Ticket, reason: str, now: datetime) -> None:
    ticket.call(counter, reason, now)
    record(session, office, TicketCalled(ticket=ticket, counter=counter, details={"reason": reason}), now)


def _finish(session: Session, office: Office, ticket: Ticket, now: datetime) -> None:
    ticket.finish(now)
    record(session, office, VisitFinished(ticket=ticket, counter=ticket.counter), now)


def _set_counter(
    session: Session,
    counter_id: int,
    state: CounterState,
    change: type[Change],
    now: datetime,
    reason: str | None = None,
) -> Counter:
    office, counter, now = _begin_at(session, counter_id, now)
    if state == CounterState.CLOSED and queries.current_ticket(session, counter.id):
        raise CounterBusy(lazy("%(counter)s đang có khách. Xin hoàn tất trước.", counter=counter.name))
    if (counter.state, counter.pause_reason) != (state, reason):
        details: dict[str, Any] | None = {"reason": reason} if reason else None
        counter.change_to(state, reason)
        record(session, office, change(counter=counter, details=details), now)
    return counter
