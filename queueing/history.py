"""The numbered history of an office: appended to under the office's lock, never rewritten, chained by hashes."""

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import insert, inspect, select
from sqlalchemy.orm import Session

from core import events
from core.db import write_now
from queueing import queries
from queueing.events import Change, Recorded
from queueing.models import OfficeEvent, Ticket
from units.models import Office

CHAINED = ("office_id", "revision", "at", "business_date", "kind", "by", "body", "details")
INSERT_EVENT = insert(OfficeEvent.__table__)  # type: ignore[arg-type]


def record(session: Session, office: Office, change: Change, now: datetime) -> None:
    """Make the change the next row of the office's history, and let within- and after-listeners know.

    The caller holds the office's lock (actions.begin) and has already changed ticket and counter.
    """
    ticket, counter, revision = change.ticket, change.counter, office.revision + 1
    with session.no_autoflush:
        events.happen(session, change)
    if ticket is not None and inspect(ticket).modified:
        write_now(session, ticket, **ticket.progress())
    session.flush()
    body = {
        "office": office.code,
        "revision": revision,
        "at": office.local(now).isoformat(timespec="milliseconds"),
        "kind": change.kind,
        "ticket": ticket and brief(ticket),
        "counter": counter and {"code": counter.code, "state": counter.state},
        "waiting": queries.waiting_by_service(session, office.id),
    }
    row = {
        "office_id": office.id,
        "revision": revision,
        "at": now,
        "business_date": office.business_date or office.local(now).date(),
        "kind": change.kind,
        "by": session.info.get("by", "system"),
        "body": body,
        "details": change.details or {},
    }
    row["hash"] = chained(office.last_hash, row)
    session.execute(INSERT_EVENT, row)
    write_now(session, office, revision=revision, last_event_at=now, last_hash=row["hash"])
    events.announce(session, Recorded(office.code, body))


def brief(ticket: Ticket) -> dict[str, Any]:
    """A ticket as the public message shows it."""
    return {
        "id": ticket.id,
        "number": ticket.number,
        "service": ticket.service.code,
        "state": ticket.state,
        "counter": ticket.counter.code if ticket.counter else None,
    }


def chained(before: bytes, row: dict[str, Any]) -> bytes:
    """SHA-256 over the hash before and everything this row says."""
    said = json.dumps(
        [
            row["office_id"],
            row["revision"],
            row["at"].isoformat(),
            row["business_date"].isoformat(),
            row["kind"],
            row["by"],
            row["body"],
            row["details"],
        ],
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.sha256(before + said.encode()).digest()


def broken_links(session: Session, office: Office) -> Iterator[str]:
    """Every place where the history has a gap or was changed afterwards; nothing when all is well."""
    before, expected = bytes(32), 1
    rows = session.scalars(
        select(OfficeEvent).where(OfficeEvent.office_id == office.id).order_by(OfficeEvent.revision)
    ).yield_per(1000)
    for event in rows:
        if event.revision != expected:
            yield f"{office.code}: revision {expected} is missing"
        row = {name: getattr(event, name) for name in CHAINED}
        if chained(before, row) != event.hash:
            yield f"{office.code}: revision {event.revision} does not match its hash"
        before, expected = event.hash, event.revision + 1
    if expected != office.revision + 1 or before != office.last_hash:
        yield f"{office.code}: the history ends at {expected - 1}, the office says {office.revision}"
