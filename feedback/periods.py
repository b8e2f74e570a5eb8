"""The fixed periods of all figures: `2026-W47`, `2026-10`, `2026-Q4`, `2026` (docs/method.md, section 7).

Everything is made of ISO weeks. A week belongs to the month, quarter and year that hold its Thursday, so weeks add
up exactly to months, months to quarters and quarters to years. There are no free ranges: those allow differencing.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

Kind = Literal["week", "month", "quarter", "year"]

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2999

FORMS: Final = re.compile(r"(?P<year>[0-9]{4})(?:-W(?P<week>[0-9]{2})|-Q(?P<quarter>[1-4])|-(?P<month>[0-9]{2}))?")
THURSDAY: Final = 4


def week_of(day: date) -> str:
    """The ISO week of a day, as `2026-W47`."""
    year, week, _ = day.isocalendar()
    return f"{year:04}-W{week:02}"


@dataclass(frozen=True)
class Period:
    """One fixed period. `number` is the week, month or quarter in the year; 1 for a year."""

    kind: Kind
    year: int
    number: int = 1

    @classmethod
    def parse(cls, text: str) -> "Period":
        """Read `2026-W47`, `2026-10`, `2026-Q4` or `2026`. Raises ValueError that says what is wrong."""
        match = FORMS.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a period: write 2026-W47, 2026-10, 2026-Q4 or 2026")
        year = int(match["year"])
        if not FIRST_YEAR <= year <= LAST_YEAR:
            raise ValueError(f"{text!r} is not a period: years go from {FIRST_YEAR} to {LAST_YEAR}")
        if match["week"]:
            if not 1 <= int(match["week"]) <= weeks_in(year):
                raise ValueError(f"{text!r} is not a period: {year} has the weeks W01 to W{weeks_in(year)}")
            return cls("week", year, int(match["week"]))
        if match["month"]:
            if not 1 <= int(match["month"]) <= 12:
                raise ValueError(f"{text!r} is not a period: months go from 01 to 12")
            return cls("month", year, int(match["month"]))
        if match["quarter"]:
            return cls("quarter", year, int(match["quarter"]))
        return cls("year", year)

    @classmethod
    def holding(cls, kind: Kind, day: date) -> "Period":
        """The period of this kind that the day's week belongs to: 1 October 2027, a Friday, is in 2027-09."""
        year, week, _ = day.isocalendar()
        month = date.fromisocalendar(year, week, THURSDAY).month
        number = {"week": week, "month": month, "quarter": (month + 2) // 3, "year": 1}
        return cls(kind, year, number[kind])

    def __str__(self) -> str:
        return {
            "week": f"{self.year:04}-W{self.number:02}",
            "month": f"{self.year:04}-{self.number:02}",
            "quarter": f"{self.year:04}-Q{self.number}",
            "year": f"{self.year:04}",
        }[self.kind]

    @property
    def starts_on(self) -> date:
        """The Monday of its first week, which may lie in the month before."""
        if self.kind == "week":
            return date.fromisocalendar(self.year, self.number, 1)
        first_month = self.number if self.kind == "month" else 3 * self.number - 2
        return monday_of_first_thursday(self.year, first_month)

    @property
    def ends_on(self) -> date:
        """The Sunday of its last week, which may lie in the month after."""
        if self.kind == "week":
            return self.starts_on + timedelta(days=6)
        months = {"month": 1, "quarter": 3, "year": 12}[self.kind]
        after = (self.number if self.kind == "month" else 3 * self.number - 2) + months
        return monday_of_first_thursday(self.year + after // 13, (after - 1) % 12 + 1) - timedelta(days=1)

    def weeks(self) -> tuple[str, ...]:
        """The ISO weeks that make up the period, in order, as `2026-W47`."""
        count = (self.ends_on - self.starts_on).days // 7 + 1
        return tuple(week_of(self.starts_on + timedelta(weeks=i)) for i in range(count))

    def previous(self) -> "Period":
        """The period of the same kind just before."""
        return Period.holding(self.kind, self.starts_on - timedelta(days=1))


def weeks_in(year: int) -> int:
    """52 or 53: 28 December is always in the last week of its year."""
    return date(year, 12, 28).isocalendar().week


def monday_of_first_thursday(year: int, month: int) -> date:
    """The Monday of the week that holds the first Thursday of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(THURSDAY - first.isoweekday()) % 7 - 3)
