"""`motcua offices …`, `motcua verify`."""

from pathlib import Path

import click
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock
from core.db import reader, transaction
from core.errors import CannotStart
from queueing.actions import begin
from queueing.history import broken_links
from queueing.models import AT_COUNTER, OPEN_STATES, OfficeEvent, Series, State, Ticket
from queueing.office_file import OfficeFileError, read_offices
from queueing.setup import load_offices
from units.models import Office

MOST_TOLD = 10


@click.group()
def offices() -> None:
    """Offices with their services, counters, priority classes and hours."""


@offices.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def load(file: Path) -> None:
    """Create or update the offices described in FILE (TOML); a mistake stops it whole."""
    try:
        entries = read_offices(file.read_text("utf-8-sig"))
        with transaction(by="command") as session:
            outcome = load_offices(session, entries, clock.now())
    except OfficeFileError as error:
        raise CannotStart(f"{file}: {error}") from None
    except UnicodeDecodeError:
        raise CannotStart(f"{file}: save the file as UTF-8") from None
    for code, said in outcome.items():
        click.echo(f"{code}: {said}")


@click.command()
def verify() -> None:
    """Check every invariant and the event chain of every office, and say how many were checked."""
    checked = broken = 0
    with reader() as session:
        for office in session.scalars(select(Office).order_by(Office.code)).all():
            problems = [*_broken_numbers(session, office), *broken_links(session, office)]
            broken += len(problems)
            for problem in problems[:MOST_TOLD]:
                click.echo(problem, err=True)
            if len(problems) > MOST_TOLD:
                click.echo(f"{office.code}: and {len(problems) - MOST_TOLD} more", err=True)
            checked += office.revision
    if broken:
        raise CannotStart(f"{broken} problems found; restore the last good backup and keep this database for inquiry")
    with reader() as session:
        tickets = session.scalar(select(func.count()).select_from(Ticket)) or 0
    click.echo(f"all well: {checked} events, {tickets} tickets checked")


def turn_days() -> None:
    """Open the business day of every office past its midnight, and follow the opening hours; nobody has to press."""
    now = clock.now()
    with reader() as session:
        offices = session.scalars(select(Office)).all()
    for office in offices:
        local = office.local(now)
        if office.business_date is None or (
            local.date() > office.business_date or office.is_open != office.opening_hours().is_open(local)
        ):
            with transaction() as session:
                begin(session, office.id, now)


def _broken_numbers(session: Session, office: Office) -> list[str]:
    """Gaps in a series, people served twice or at two counters, visits left open on an old day."""
    said = []
    here = Ticket.office_id == office.id
    series = session.execute(
        select(Ticket.business_date, Ticket.prefix, func.count(), func.min(Ticket.ordinal), func.max(Ticket.ordinal))
        .where(here)
        .group_by(Ticket.business_date, Ticket.prefix)
    ).all()
    last = {
        (row.business_date, row.prefix): row.last_number
        for row in session.scalars(select(Series).where(Series.office_id == office.id))
    }
    for day, prefix, count, first, highest in series:
        if not (first == 1 and highest == count == last.pop((day, prefix), None)):
            said.append(f"{office.code}: series {prefix} of {day} has gaps: {count} tickets from {first} to {highest}")
    said += [f"{office.code}: series {prefix} of {day} has no tickets" for day, prefix in last]
    left = session.scalar(
        select(func.count()).where(here, Ticket.state.in_(OPEN_STATES), Ticket.business_date < office.business_date)
    )
    if left:
        said.append(f"{office.code}: {left} visits of earlier days never came to an end")
    twice = session.scalars(
        select(Ticket.counter_id)
        .where(here, Ticket.state.in_(AT_COUNTER))
        .group_by(Ticket.counter_id)
        .having(func.count() > 1)
    ).all()
    said += [f"{office.code}: counter {counter} has two people" for counter in twice]
    called = session.scalar(
        select(func.count())
        .select_from(OfficeEvent)
        .where(OfficeEvent.office_id == office.id, OfficeEvent.kind == "called")
    )
    tickets = session.scalar(select(func.count()).where(here, Ticket.called_at.is_not(None)))
    if called != tickets:
        said.append(f"{office.code}: {called} calls in the history, {tickets} called tickets")
    unfinished = session.scalar(
        select(func.count()).where(here, Ticket.state == State.DONE, Ticket.finished_at.is_(None))
    )
    if unfinished:
        said.append(f"{office.code}: {unfinished} finished visits without an end")
    return said
