"""Which administrative unit stands where another one stood: mergers, divisions, and codes that live on.

A code is not a unit. Since 01/07/2025 the commune of Phú Bình bears 05908, and before that day Hương Sơn, one of the
six it was made of, bore the same code. So a unit here is a code *and* the days on which it was borne, and whoever asks
with a code says on which day the code was meant. Days are half-open: ``since`` is the first day, ``until`` the first
day on which the unit no longer stood.

"As then" are the units that stood on the day itself (``unit_on``). "As now" is everything that has come together in
one of today's units (``predecessors``): add up their counts, never their percentages. Where a unit was divided nobody
knows which answers belong to which part; its *main* heir takes them all, so that each answer is counted exactly once.
"""

import csv
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Succession:
    """From the day ``on``, unit ``new`` stands where ``old`` (or a part of it) stood until the day before.

    ``share`` is the part of the old unit that the heir took over, above 0 and at most 1; None when it is not known. A
    divided unit has one row per heir, the unit itself included if it goes on smaller, and exactly one of them is
    ``main``: the heir its history is counted with.
    """

    old: str
    new: str
    on: date
    share: Decimal | None = Decimal(1)
    main: bool = True


class Life(NamedTuple):
    """One unit's life under its code: the days from ``since`` to the day before ``until``.

    ``date.min`` and ``date.max`` say that the beginning is unknown and that no end is known.
    """

    code: str
    since: date = date.min
    until: date = date.max


class Lineage:
    """Answers "who stood here on that day?" from all rows of succession; build it once, the answers are look-ups.

    A code that no row mentions is a unit that has always stood and still stands. Raises ValueError for rows that
    contradict each other: given twice, shares above 1 together, not exactly one main heir, an end after the end.
    """

    def __init__(self, successions: Iterable[Succession]) -> None:
        rows = _with_continuations(successions)
        _check(rows)
        self._units = _lives(rows)
        self._heirs: dict[Life, list[tuple[Life, Succession]]] = defaultdict(list)
        self._origins: dict[Life, list[tuple[Life, Succession]]] = defaultdict(list)
        for row in rows:
            old = next(unit for unit in self._units[row.old] if unit.until == row.on)
            new = next(unit for unit in self._units[row.new] if unit.since == row.on)
            self._heirs[old].append((new, row))
            self._origins[new].append((old, row))

    def unit(self, code: str, day: date) -> Life:
        """The unit that a code meant on a day; in a gap the one before it, before the first one the first."""
        units = self._units.get(code) or [Life(code)]
        position = bisect_right(units, day, key=lambda unit: unit.since) - 1
        return units[max(position, 0)]

    def unit_on(self, code: str, day: date, meant_on: date | None = None) -> list[Life]:
        """The units that stood on ``day`` where the unit stands that bore ``code`` on ``meant_on`` ("as then").

        Without ``meant_on`` the code means what it meant on that day. One unit as a rule; several where a unit was
        divided (the main heir first) or, looking back, where several were merged. Empty never.
        """
        unit = self.unit(code, day if meant_on is None else meant_on)
        found: dict[Life, None] = {}
        self._collect(unit, day, found)
        return list(found)

    def heir(self, code: str, meant_on: date, as_of: date) -> Life:
        """The one unit with which everything counts that was recorded under ``code`` on ``meant_on`` ("as now").

        Looking back from a later unit (``as_of`` before it existed) there is no such unit: it answers itself.
        """
        unit = self.unit(code, meant_on)
        while unit.until <= as_of and unit in self._heirs:
            unit = next(heir for heir, row in self._heirs[unit] if row.main)
        return unit

    def predecessors(self, code: str, as_of: date, *, main_only: bool = False) -> set[Life]:
        """All units, at any distance, of which the unit that bears ``code`` on ``as_of`` was made; not itself.

        With ``main_only``, only those whose history is counted with it: the sets of different units then never
        overlap, and pooled counts of all communes add up to the province's.
        """
        return _closure(self.unit(code, as_of), self._origins, main_only)

    def successors(self, code: str, as_of: date, *, main_only: bool = False) -> set[Life]:
        """All units, at any distance, that came out of the unit that bore ``code`` on ``as_of``; not itself."""
        return _closure(self.unit(code, as_of), self._heirs, main_only)

    def _collect(self, unit: Life, day: date, found: dict[Life, None]) -> None:
        if unit.until <= day and unit in self._heirs:
            relatives = self._heirs[unit]
        elif unit.since > day and unit in self._origins:
            relatives = self._origins[unit]
        else:
            found[unit] = None
            return
        for relative, _ in sorted(relatives, key=lambda pair: (not pair[1].main, pair[0])):
            self._collect(relative, day, found)


def read_successions(lines: Iterable[str]) -> list[Succession]:
    """Read the CSV form ``old,new,on,share,main`` of a file of mergers, the one that ships with us or a new one.

    ``on`` is YYYY-MM-DD, ``share`` a number or empty for unknown, ``main`` 1 or 0. Raises ValueError with the number
    of the line and what is wrong with it.
    """
    reader = csv.DictReader(lines, strict=True)
    columns = ["old", "new", "on", "share", "main"]
    if reader.fieldnames != columns:
        raise ValueError(f"line 1: the header has to be {','.join(columns)}")
    rows = []
    for row in reader:
        try:
            rows.append(_read_row(row))
        except (ValueError, InvalidOperation, TypeError) as error:
            raise ValueError(f"line {reader.line_num}: {error}") from error
    return rows


def _read_row(row: dict[str, str]) -> Succession:
    if None in row or None in row.values():
        raise ValueError("five columns are needed")
    if not (row["old"].isdigit() and row["new"].isdigit()):
        raise ValueError(f"codes are digits, not {row['old']!r} and {row['new']!r}")
    if row["main"] not in ("0", "1"):
        raise ValueError(f"main is 1 or 0, not {row['main']!r}")
    try:
        share = Decimal(row["share"]) if row["share"] else None
    except InvalidOperation:
        raise ValueError(f"share is a number or empty, not {row['share']!r}") from None
    return Succession(row["old"], row["new"], date.fromisoformat(row["on"]), share, row["main"] == "1")


def _with_continuations(successions: Iterable[Succession]) -> list[Succession]:
    """Add the row "A becomes A" where A takes others in and its own row was left out as self-evident.

    Only a code that already has a beginning behind it can continue; the first time a code is an heir it is born.
    """
    rows = sorted(successions, key=lambda row: (row.on, row.old, row.new))
    ending = {(row.old, row.on) for row in rows}
    standing: set[str] = set()
    added: list[Succession] = []
    by_day: dict[date, list[Succession]] = defaultdict(list)
    for row in rows:
        by_day[row.on].append(row)
    for day, todays in by_day.items():
        born = {row.new for row in todays}
        added += [Succession(code, code, day) for code in sorted(born & standing) if (code, day) not in ending]
        standing -= {row.old for row in todays}
        standing |= born
    return sorted(rows + added, key=lambda row: (row.on, row.old, row.new))


def _check(rows: list[Succession]) -> None:
    heirs: dict[tuple[str, date], list[Succession]] = defaultdict(list)
    for row in rows:
        heirs[row.old, row.on].append(row)
    for (old, on), todays in heirs.items():
        if len({row.new for row in todays}) < len(todays):
            raise ValueError(f"{old} on {on}: an heir is given twice")
        if sum(row.main for row in todays) != 1:
            raise ValueError(f"{old} on {on}: exactly one heir has to be the main one")
        shares = [row.share for row in todays if row.share is not None]
        if any(not share.is_finite() or not 0 < share <= 1 for share in shares) or sum(shares) > 1:
            raise ValueError(f"{old} on {on}: shares are above 0 and together at most 1")


def _lives(rows: list[Succession]) -> dict[str, list[Life]]:
    """For each code the units that bore it, in the order of time."""
    ends: dict[str, set[date]] = defaultdict(set)
    births: dict[str, set[date]] = defaultdict(set)
    for row in rows:
        ends[row.old].add(row.on)
        births[row.new].add(row.on)
    return {code: _lives_of(code, births[code], ends[code]) for code in sorted({*ends, *births})}


def _lives_of(code: str, births: set[date], ends: set[date]) -> list[Life]:
    units = []
    # Whoever ends before (or on the day) it is first born stood already when our knowledge begins.
    since: date | None = date.min if ends and (not births or min(ends) <= min(births)) else None
    for day in sorted(births | ends):
        if day in ends:
            if since is None:
                raise ValueError(f"{code} ends on {day} but no longer stood then")
            units.append(Life(code, since, day))
            since = None
        if day in births:
            since = day
    if since is not None:
        units.append(Life(code, since))
    return units


def _closure(unit: Life, edges: dict[Life, list[tuple[Life, Succession]]], main_only: bool) -> set[Life]:
    found: set[Life] = set()
    open_ends = [unit]
    while open_ends:
        for relative, row in edges.get(open_ends.pop(), []):
            if (row.main or not main_only) and relative not in found:
                found.add(relative)
                open_ends.append(relative)
    return found
