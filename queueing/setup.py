"""Bring the offices of a file into the database: what changed is changed, nothing else is touched."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from queueing.actions import begin, turn_day
from queueing.events import SettingsChanged
from queueing.history import record
from queueing.models import Counter, CounterService, CounterState, PriorityClass, Service
from queueing.office_file import OfficeEntry, OfficeFileError
from queueing.queries import waiting_by_service
from units.models import Office, Unit


def load_offices(session: Session, entries: list[OfficeEntry], now: datetime) -> dict[str, str]:
    """Create or update every office; returns code -> "created", "changed" or "unchanged".

    What is missing from the file is put out of use, never deleted. Raises OfficeFileError for an unknown unit, or for
    a service that is missing from the file while people wait for it.
    """
    return {entry.code: _load_office(session, entry, now) for entry in entries}


def _load_office(session: Session, entry: OfficeEntry, now: datetime) -> str:
    unit = session.scalar(select(Unit).where(Unit.code == entry.unit, Unit.valid_to.is_(None)))
    if unit is None:
        raise OfficeFileError(
            f"line {entry.line}: unit: no commune has the code {entry.unit!r} today (has `motcua units load` been run?)"
        )
    office = session.scalar(select(Office).where(Office.code == entry.code))
    outcome = "unchanged"
    if office is None:
        office = Office(code=entry.code, unit_code=entry.unit, name=entry.name)
        session.add(office)
        session.flush()
        outcome = "created"
    office, now = begin(session, office.id, now)
    _refuse_to_strand(session, office, entry)
    differences = _differences(session, office, entry)
    if differences:
        session.flush()
        record(session, office, SettingsChanged(details={"changed": differences}), now)
        turn_day(session, office, now)  # new hours may open or close the office this very minute
        outcome = "created" if outcome == "created" else "changed"
    return outcome


def _refuse_to_strand(session: Session, office: Office, entry: OfficeEntry) -> None:
    """A service with people waiting stays until they are served: nobody would ever call them."""
    kept = {service.code for service in entry.services}
    for code, waiting in waiting_by_service(session, office.id).items():
        if waiting and code not in kept:
            raise OfficeFileError(
                f"line {entry.line}: service {code!r} is missing and has {waiting} people waiting: "
                "take it out when they have been served"
            )


def _differences(session: Session, office: Office, entry: OfficeEntry) -> list[str]:
    plain = {"unit_code": entry.unit, "name": entry.name, "timezone": entry.timezone}
    changed = _assign(office, {**plain, "hours": entry.hours, "policy": entry.policy})
    changed += _match(session, Service, office, [asdict(service) for service in entry.services])
    changed += _match(session, PriorityClass, office, [asdict(priority) for priority in entry.priorities])
    counters = [{"code": counter.code, "name": counter.name} for counter in entry.counters]
    changed += _match(session, Counter, office, counters)
    session.flush()
    ids = {service.code: service.id for service in _rows(session, Service, office)}
    for counter in _rows(session, Counter, office):
        wanted = next((one.services for one in entry.counters if one.code == counter.code), {})
        if {link.service.code: link.delay_min for link in counter.serves} != wanted:
            counter.serves = [
                next((link for link in counter.serves if link.service_id == ids[code]), None)
                or CounterService(service=session.get_one(Service, ids[code]))
                for code in wanted
            ]
            for link in counter.serves:
                link.delay_min = wanted[link.service.code]
            changed.append(f"counter {counter.code} services")
        if not counter.active and counter.state != CounterState.CLOSED:
            counter.change_to(CounterState.CLOSED)
    return changed


def _match(session: Session, kind: type[Any], office: Office, wanted: list[dict[str, Any]]) -> list[str]:
    """Create, update and put out of use the rows of one kind; returns what changed, in words."""
    changed: list[str] = []
    present = {row.code: row for row in _rows(session, kind, office)}
    for position, values in enumerate(wanted):
        row = present.pop(values["code"], None)
        if row is None:
            row = kind(office_id=office.id, code=values["code"])
            session.add(row)
        said = _assign(row, {**values, "position": position, "active": True})
        changed += [f"{kind.__name__} {values['code']} {name}" for name in said]
    for row in present.values():
        changed += [f"{kind.__name__} {row.code} {name}" for name in _assign(row, {"active": False})]
    return changed


def _rows(session: Session, kind: type[Any], office: Office) -> list[Any]:
    return list(session.scalars(select(kind).where(kind.office_id == office.id).order_by(kind.position)))


def _assign(row: object, values: dict[str, Any]) -> list[str]:
    changed = [name for name, value in values.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, values[name])
    return changed
