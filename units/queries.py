"""Questions about units."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core.errors import Unknown
from core.i18n import lazy
from units.models import Office, Unit, UnitSuccession
from units.names import fold

MOST_FOUND = 30


def current_unit(session: Session, code: str) -> Unit:
    """The unit that bears this code today; raises Unknown."""
    unit = session.scalar(select(Unit).where(Unit.code == code, Unit.valid_to.is_(None)))
    if unit is None:
        raise Unknown(lazy("Không có đơn vị hành chính này."))
    return unit


def children(session: Session, code: str) -> Sequence[Unit]:
    """The units below this one today, in Vietnamese order."""
    rows = session.scalars(select(Unit).where(Unit.parent_code == code, Unit.valid_to.is_(None))).all()
    return sorted(rows, key=lambda unit: unit.sort_key)


def find(session: Session, text: str, parent: str | None = None) -> Sequence[Unit]:
    """Today's units whose name holds the text, whatever its marks and capitals; at most 30, in Vietnamese order.

    A unit is also found by the name of a unit that went into it.
    """
    wanted = fold(text)
    if not wanted:
        return []
    pattern = f"%{wanted.replace('%', '').replace('_', '')}%"
    went_into = (
        select(UnitSuccession.new_code)
        .join(Unit, (Unit.code == UnitSuccession.old_code) & Unit.valid_to.is_not(None))
        .where(Unit.folded.like(pattern))
    )
    query = select(Unit).where(Unit.valid_to.is_(None), or_(Unit.folded.like(pattern), Unit.code.in_(went_into)))
    if parent:
        query = query.where(Unit.parent_code == parent)
    rows = session.scalars(query).all()
    return sorted(rows, key=lambda unit: (wanted not in unit.folded, unit.sort_key))[:MOST_FOUND]


def predecessors(session: Session, code: str) -> Sequence[tuple[Unit, date, bool]]:
    """The units that went into this one, with the day and whether their history is counted here, in order."""
    rows = session.execute(
        select(Unit, UnitSuccession.effective, UnitSuccession.main)
        .join(UnitSuccession, (UnitSuccession.old_code == Unit.code) & (UnitSuccession.effective == Unit.valid_to))
        .where(UnitSuccession.new_code == code)
    )
    return sorted(((unit, day, main) for unit, day, main in rows), key=lambda row: row[0].sort_key)


def offices_in(session: Session, unit_codes: Sequence[str]) -> Sequence[Office]:
    """The offices of these communes, in the order of their codes."""
    return session.scalars(select(Office).where(Office.unit_code.in_(unit_codes)).order_by(Office.code)).all()
