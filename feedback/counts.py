"""Counts that come from elsewhere, for the person who runs `motcua index`: read, reckon, print (docs/method.md)."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain
from typing import Final, TypedDict

from feedback.intervals import Interval, index_interval
from feedback.sipas import DEFAULT_METHOD, METHODS, Tally, rounded, satisfaction_index

# unit -> element -> criterion -> tally, in the order of the file
Counts = dict[str, dict[str, dict[str, Tally]]]

COLUMNS: Final = ("unit", "element", "criterion", "level", "count")
LEVELS: Final = ("1", "2", "3", "4", "5")
WHOLE_NUMBER: Final = re.compile(r"[0-9]{1,12}")


class UnreadableCounts(ValueError):
    """A line that cannot be read: its number, counted from 1, and the reason."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


class CriterionReport(TypedDict):
    """One question: levels are counts, everything else is in percent except the mean (1 to 5)."""

    code: str
    n: int
    levels: list[int]
    shares: list[float | None]
    mean: float | None
    index: float | None
    interval: list[float] | None


class ElementReport(TypedDict):
    """One element: n is the number of answers to all its criteria."""

    code: str
    index: float | None
    interval: list[float] | None
    n: int
    criteria: list[CriterionReport]


class UnitReport(TypedDict):
    """One unit: n is the number of answers to all criteria."""

    unit: str
    index: float | None
    interval: list[float] | None
    n: int
    elements: list[ElementReport]


class Report(TypedDict):
    """What `motcua index --json` prints."""

    method: str
    units: list[UnitReport]


def utf8_lines(stream: Iterable[bytes]) -> Iterator[str]:
    """The lines of a file opened in binary mode, so that a wrong encoding is reported with its line."""
    for number, line in enumerate(stream, 1):
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError:
            raise UnreadableCounts(number, 'the file is not UTF-8 text; save it as "CSV UTF-8"') from None


def read_counts(lines: Iterable[str]) -> Counts:
    """Read CSV with the columns unit, element, criterion, level (1 to 5) and count, in any order of columns and rows.

    A byte order mark and empty lines are passed over; a level that no row names has the count 0. Raises
    UnreadableCounts for anything else that is not a count.
    """
    reader = csv.reader(without_mark(lines), strict=True)
    levels: dict[tuple[str, str, str], dict[str, int]] = {}
    header: dict[str, int] | None = None
    try:
        for row in reader:
            if not any(field.strip() for field in row):
                continue
            if header is None:
                header = read_header(row, reader.line_num)
                continue
            criterion, level, count = read_row(row, header, reader.line_num)
            known = levels.setdefault(criterion, {})
            if level in known:
                raise UnreadableCounts(reader.line_num, f"level {level} of {' / '.join(criterion)} was already given")
            known[level] = count
    except csv.Error as error:
        raise UnreadableCounts(max(reader.line_num, 1), f"not CSV: {error}") from error
    if not levels:
        raise UnreadableCounts(max(reader.line_num, 1), "the file holds no counts")
    counts: Counts = {}
    for (unit, element, criterion_code), given in levels.items():
        one, two, three, four, five = (given.get(level, 0) for level in LEVELS)
        counts.setdefault(unit, {}).setdefault(element, {})[criterion_code] = Tally((one, two, three, four, five))
    return counts


def without_mark(lines: Iterable[str]) -> Iterator[str]:
    """The lines without the byte order mark that spreadsheets write."""
    rest = iter(lines)
    first = next(rest, None)
    return iter(()) if first is None else chain([first.removeprefix("\ufeff")], rest)


def read_header(row: Sequence[str], line: int) -> dict[str, int]:
    """Where each column stands."""
    names = [field.strip() for field in row]
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        hint = "; separate the columns by commas" if len(names) == 1 and (";" in row[0] or "\t" in row[0]) else ""
        raise UnreadableCounts(line, f"the header lacks {', '.join(missing)}{hint}")
    if len(set(names)) < len(names):
        raise UnreadableCounts(line, "the header names a column twice")
    return {name: place for place, name in enumerate(names)}


def read_row(row: Sequence[str], header: dict[str, int], line: int) -> tuple[tuple[str, str, str], str, int]:
    """One row as its criterion, level and count."""
    if len(row) != len(header):
        raise UnreadableCounts(line, f"{len(row)} fields where the header has {len(header)}")
    unit, element, criterion, level, count = (row[header[column]].strip() for column in COLUMNS)
    for name, value in (("unit", unit), ("element", element), ("criterion", criterion)):
        if not value:
            raise UnreadableCounts(line, f"the {name} is empty")
    if level not in LEVELS:
        raise UnreadableCounts(line, f"the level {level!r} is not one of 1 to 5")
    if not WHOLE_NUMBER.fullmatch(count):
        raise UnreadableCounts(line, f"the count {count!r} is not a whole number of 0 or more (at most 12 digits)")
    return (unit, element, criterion), level, int(count)


def report(counts: Counts, method: str = DEFAULT_METHOD) -> Report:
    """Index, interval and distribution of every unit, element and criterion, rounded for output.

    An index is the mean over criteria (each weighs the same), so a unit's index is not the mean of its elements'.
    What has no answers is null. Raises KeyError for an unknown method.
    """
    METHODS[method]
    return {"method": method, "units": [unit_report(code, elements, method) for code, elements in counts.items()]}


def unit_report(code: str, elements: dict[str, dict[str, Tally]], method: str) -> UnitReport:
    """One unit with its elements."""
    tallies = [tally for criteria in elements.values() for tally in criteria.values()]
    return {
        "unit": code,
        "index": rounded(satisfaction_index(tallies, method)),
        "interval": printed(index_interval(tallies, method)),
        "n": sum(tally.n for tally in tallies),
        "elements": [element_report(element, criteria, method) for element, criteria in elements.items()],
    }


def element_report(code: str, criteria: dict[str, Tally], method: str) -> ElementReport:
    """One element with its criteria."""
    tallies = list(criteria.values())
    return {
        "code": code,
        "index": rounded(satisfaction_index(tallies, method)),
        "interval": printed(index_interval(tallies, method)),
        "n": sum(tally.n for tally in tallies),
        "criteria": [criterion_report(criterion, tally, method) for criterion, tally in criteria.items()],
    }


def criterion_report(code: str, tally: Tally, method: str) -> CriterionReport:
    """One criterion."""
    shares: Sequence[Fraction | None] = tally.shares() or [None] * 5
    return {
        "code": code,
        "n": tally.n,
        "levels": list(tally.counts),
        "shares": [rounded(share) for share in shares],
        "mean": rounded(tally.mean),
        "index": rounded(METHODS[method](tally)),
        "interval": printed(index_interval([tally], method)),
    }


def printed(interval: Interval | None) -> list[float] | None:
    """An interval as it is printed."""
    return None if interval is None else [rounded(interval.low), rounded(interval.high)]


def as_text(figures: Report) -> str:
    """The report as a plain-text table: the method, then units, elements and criteria, each indented."""
    rows: list[tuple[str, ...]] = [("", "n", *LEVELS, "index", "95 %")]
    for unit in figures["units"]:
        unit_criteria = [criterion for element in unit["elements"] for criterion in element["criteria"]]
        rows.append(text_row(unit["unit"], unit["index"], unit["interval"], unit_criteria))
        for element in unit["elements"]:
            rows.append(text_row("  " + element["code"], element["index"], element["interval"], element["criteria"]))
            rows.extend(
                text_row("    " + criterion["code"], criterion["index"], criterion["interval"], [criterion])
                for criterion in element["criteria"]
            )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]
    return "\n".join([f"method: {figures['method']}", "", *table, ""])


def text_row(
    name: str, index: float | None, interval: list[float] | None, criteria: Sequence[CriterionReport]
) -> tuple[str, ...]:
    """One line of the table: the answers of these criteria level by level, the index and the interval."""
    levels = [sum(counts) for counts in zip(*(criterion["levels"] for criterion in criteria), strict=True)]
    return (
        name,
        str(sum(levels)),
        *map(str, levels),
        "-" if index is None else f"{index:.2f}",
        "-" if interval is None else f"{interval[0]:.2f} … {interval[1]:.2f}",
    )
