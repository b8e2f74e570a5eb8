"""The JSON shapes of the contract."""

from datetime import datetime
from typing import Any

from flask_babel import gettext
from sqlalchemy.orm import Session

from queueing import queries
from queueing.models import Counter, State, Ticket
from units.models import Office


def office_json(session: Session, office: Office, now: datetime) -> dict[str, Any]:
    """The set-up of an office."""
    return {
        "code": office.code,
        "name": office.name,
        "unit": office.unit_code,
        "timezone": office.timezone,
        "business_date": _business_date(office, now),
        "open": office.opening_hours().is_open(office.local(now)),
        "services": [
            {"code": service.code, "name": service.name, "prefix": service.prefix, "active": service.active}
            for service in queries.services(session, office.id)
        ],
        "counters": [
            counter_json(counter) | {"name": counter.name} for counter in queries.counters(session, office.id)
        ],
    }


def counter_json(counter: Counter) -> dict[str, Any]:
    """A counter, its state and the services it takes."""
    return {
        "code": counter.code,
        "name": counter.name,
        "state": counter.state,
        "pause_reason": counter.pause_reason,
        "services": [link.service.code for link in counter.serves],
    }


def ticket_json(session: Session, office: Office, ticket: Ticket) -> dict[str, Any]:
    """A ticket without its link; place and expected wait only while it waits."""
    ahead, wait = None, None
    if ticket.state == State.WAITING:
        ahead = queries.ahead_of(session, ticket)
        wait = queries.wait_of(session, ticket, ahead)
    return {
        "id": ticket.id,
        "number": ticket.number,
        "office": office.code,
        "service": ticket.service.code,
        "priority": ticket.priority.code if ticket.priority else None,
        "state": ticket.state,
        "channel": ticket.channel,
        "business_date": ticket.business_date.isoformat(),
        "issued_at": moment(office, ticket.issued_at),
        "called_at": moment(office, ticket.called_at),
        "started_at": moment(office, ticket.started_at),
        "finished_at": moment(office, ticket.finished_at),
        "counter": ticket.counter.code if ticket.counter else None,
        "calls": ticket.calls,
        "ahead": ahead,
        "wait": {"low_min": wait.low_min, "high_min": wait.high_min} if wait else None,
        "reason": reason_text(ticket),
        "url": None,
    }


def snapshot(session: Session, office: Office, now: datetime) -> dict[str, Any]:
    """What hangs on the wall: numbers and counters, no person, no token, no clerk."""
    counters = queries.counters(session, office.id)  # held, so that no ticket below asks for its counter again
    waiting = queries.waiting_now(session, office.id)
    at_counter = {ticket.counter_id: ticket for ticket in queries.tickets_at_counters(session, office.id)}
    services = []
    for service in queries.services(session, office.id):
        count, since = waiting.get(service.id, (0, now))
        longest = max(0, int((now - since).total_seconds()))
        services.append({"code": service.code, "name": service.name, "waiting": count, "longest_wait_s": longest})
    return {
        "office": office.code,
        "revision": office.revision,
        "business_date": _business_date(office, now),
        "at": moment(office, now),
        "open": office.is_open,
        "calls": [
            {
                "number": ticket.number,
                "counter": ticket.counter.code if ticket.counter else None,
                "called_at": moment(office, ticket.called_at),
                "state": ticket.state,
            }
            for ticket in queries.recent_calls(session, office)
        ],
        "counters": [
            {
                "code": counter.code,
                "state": counter.state,
                "number": at_counter[counter.id].number if counter.id in at_counter else None,
            }
            for counter in counters
        ],
        "services": services,
        "waiting": sum(count for count, _ in waiting.values()),
    }


def reason_text(ticket: Ticket) -> str | None:
    """Why this ticket was called, in words."""
    kind, _, detail = (ticket.reason or "").partition(":")
    match kind:
        case "earliest":
            return gettext("Đến lượt theo thứ tự lấy số.")
        case "priority":
            return gettext("Được ưu tiên: %(name)s.", name=ticket.priority.name if ticket.priority else detail)
        case "helper":
            return gettext("Quầy này hỗ trợ nhóm việc khác khi khách chờ lâu hơn %(n)s phút.", n=detail)
        case "chosen":
            return gettext("Cán bộ gọi đúng số này.")
    return None


def moment(office: Office, at: datetime | None) -> str | None:
    """ISO 8601 with the office's offset."""
    return office.local(at).isoformat(timespec="milliseconds") if at else None


def _business_date(office: Office, now: datetime) -> str:
    return (office.business_date or office.local(now).date()).isoformat()
