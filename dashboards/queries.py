"""Questions leaders ask about the day."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from queueing.models import Counter, CounterState, Service, State, Ticket
from units.models import Office


def today(session: Session, offices: Sequence[Office], now: datetime) -> dict[str, Any]:
    """Waiting, waits and counters of these offices on their present business day; times in seconds."""
    ids = [office.id for office in offices]
    rows = _service_rows(session, offices, now)
    waits = sorted(
        (called - issued).total_seconds()
        for issued, called in session.execute(
            select(Ticket.issued_at, Ticket.called_at)
            .join(Office, Office.id == Ticket.office_id)
            .where(
                Ticket.office_id.in_(ids), Ticket.business_date == Office.business_date, Ticket.called_at.is_not(None)
            )
        )
        if called
    )
    counts = session.execute(
        select(Ticket.state, func.count())
        .join(Office, Office.id == Ticket.office_id)
        .where(Ticket.office_id.in_(ids), Ticket.business_date == Office.business_date)
        .group_by(Ticket.state)
    )
    states = dict(counts.all())
    is_open = func.sum(case((Counter.state == CounterState.OPEN, 1), else_=0))
    counters_open, counters_total = session.execute(
        select(is_open, func.count()).where(Counter.office_id.in_(ids), Counter.active)
    ).one()
    return {
        "waiting": sum(row["waiting"] for row in rows),
        "longest_wait_s": max((row["longest_s"] for row in rows if row["waiting"]), default=None),
        "median_wait_s": quantile(waits, 0.5),
        "p90_wait_s": quantile(waits, 0.9),
        "counters_open": int(counters_open or 0),
        "counters_total": counters_total,
        "issued": sum(states.values()),
        "served": states.get(State.DONE, 0),
        "no_show": states.get(State.NO_SHOW, 0),
        "services": rows,
    }


def waiting_by_unit(session: Session, unit_codes: Sequence[str], now: datetime) -> dict[str, dict[str, Any]]:
    """For each commune with offices: how many offices, how many people wait, the longest wait in seconds."""
    offices = session.execute(
        select(Office.unit_code, func.count()).where(Office.unit_code.in_(unit_codes)).group_by(Office.unit_code)
    )
    found: dict[str, dict[str, Any]] = {
        code: {"offices": count, "waiting": 0, "longest_s": None} for code, count in offices
    }
    waiting = session.execute(
        select(Office.unit_code, func.count(), func.min(Ticket.issued_at))
        .join(Ticket, Ticket.office_id == Office.id)
        .where(Office.unit_code.in_(unit_codes), Ticket.state == State.WAITING)
        .group_by(Office.unit_code)
    )
    for code, count, since in waiting:
        found[code] |= {"waiting": count, "longest_s": max(0.0, (now - since).total_seconds())}
    return found


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of the ordered values do not exceed; None without values."""
    if not ordered:
        return None
    position = max(0, -int(-share * len(ordered) // 1) - 1)
    return ordered[min(position, len(ordered) - 1)]


def _service_rows(session: Session, offices: Sequence[Office], now: datetime) -> list[dict[str, Any]]:
    names = {office.id: office.name for office in offices}
    days = {office.business_date for office in offices}
    counted = session.execute(
        select(
            Ticket.service_id,
            func.sum(case((Ticket.state == State.WAITING, 1), else_=0)),
            func.min(case((Ticket.state == State.WAITING, Ticket.issued_at))),
            func.sum(case((Ticket.state == State.DONE, 1), else_=0)),
        )
        .where(Ticket.office_id.in_(names), Ticket.business_date.in_(days))
        .group_by(Ticket.service_id)
    )
    by_service = {service_id: (waiting, since, served) for service_id, waiting, since, served in counted}
    services = session.scalars(
        select(Service)
        .where(Service.office_id.in_(names), Service.active)
        .order_by(Service.office_id, Service.position)
    )
    rows = []
    for service in services:
        waiting, since, served = by_service.get(service.id, (0, None, 0))
        rows.append(
            {
                "code": service.code,
                "name": service.name,
                "office_name": names[service.office_id],
                "waiting": int(waiting),
                "longest_s": max(0.0, (now - since).total_seconds()) if since else 0.0,
                "served": int(served),
            }
        )
    return rows
