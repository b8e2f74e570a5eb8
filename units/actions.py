"""Bring administrative units and their succession into the database."""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import date
from importlib.resources import files
from typing import Any, Literal

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from core.errors import CannotStart
from units.lineage import read_successions
from units.models import Unit, UnitSuccession
from units.names import bare_name, fold, sort_key

SHIPPED = files("units") / "data"
COLUMNS = ["code", "name", "kind", "parent", "valid_from", "valid_to"]


def load_shipped_units(session: Session) -> dict[str, int]:
    """Load what ships with the product; returns how many rows were new, changed and unchanged."""
    old = list(read_units(io.StringIO((SHIPPED / "old_units.csv").read_text("utf-8"))))
    current = list(read_units(io.StringIO((SHIPPED / "units.csv").read_text("utf-8"))))
    names = {row["code"]: row["name"] for row in old}
    parents = {row["code"]: row["parent_code"] for row in old}
    for row in old:
        district = row["parent_code"]
        province = parents.get(district or "")
        row["former_parents"] = ", ".join(names[code] for code in (district, province) if code in names) or None
    outcome = load_units(session, old + current)
    successions = read_successions(io.StringIO((SHIPPED / "succession.csv").read_text("utf-8")))
    known = {(row.old_code, row.new_code, row.effective) for row in session.scalars(select(UnitSuccession))}
    fresh = [row for row in successions if (row.old, row.new, row.on) not in known]
    if fresh:
        session.execute(
            insert(UnitSuccession),
            [
                {"old_code": row.old, "new_code": row.new, "effective": row.on, "share": row.share, "main": row.main}
                for row in fresh
            ],
        )
    return outcome


def load_units(session: Session, rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Create or update units by (code, valid_from); returns the numbers of new, changed and unchanged rows."""
    present = {(unit.code, unit.valid_from): unit for unit in session.scalars(select(Unit))}
    outcome: dict[Literal["new", "changed", "unchanged"], int] = {"new": 0, "changed": 0, "unchanged": 0}
    fresh = []
    for row in rows:
        values = {
            "former_parents": None,
            **row,
            "folded": fold(row["name"]),
            "sort_key": sort_key(bare_name(row["name"])),
        }
        unit = present.get((row["code"], row["valid_from"]))
        if unit is None:
            fresh.append(values)
            outcome["new"] += 1
        elif any(getattr(unit, name) != value for name, value in values.items()):
            for name, value in values.items():
                setattr(unit, name, value)
            outcome["changed"] += 1
        else:
            outcome["unchanged"] += 1
    if fresh:
        session.execute(insert(Unit), fresh)
    return {str(name): count for name, count in outcome.items()}


def read_units(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Rows of a units file; raises CannotStart with line and reason for one that cannot be read."""
    reader = csv.DictReader(lines)
    if reader.fieldnames is None or list(reader.fieldnames) != COLUMNS:
        raise CannotStart(f"line 1: the columns must be {','.join(COLUMNS)}")
    for row in reader:
        if None in row or None in row.values() or not row["code"].isdecimal() or not row["name"]:
            raise CannotStart(f"line {reader.line_num}: a unit needs six columns, a code of digits and a name")
        try:
            yield {
                "code": row["code"],
                "name": row["name"],
                "kind": row["kind"],
                "parent_code": row["parent"] or None,
                "valid_from": date.fromisoformat(row["valid_from"]) if row["valid_from"] else date.min,
                "valid_to": date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
            }
        except ValueError:
            raise CannotStart(f"line {reader.line_num}: a date is written 2025-07-01") from None
