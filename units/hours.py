"""Opening hours, pure: `["mon-fri 07:30-11:30", "sat 08:00-11:30"]`; an empty list is always open."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LINE = re.compile(r"^(?P<first>[a-z]{3})(?:-(?P<last>[a-z]{3}))? (?P<opens>\d\d:\d\d)-(?P<closes>\d\d:\d\d)$")


@dataclass(frozen=True)
class Span:
    """One stretch of opening on one weekday (0 is Monday), local wall time."""

    weekday: int
    opens: time
    closes: time


@dataclass(frozen=True)
class Hours:
    """The opening hours of a week; no span at all means always open. Moments are local wall times."""

    spans: tuple[Span, ...] = ()

    @classmethod
    def parse(cls, lines: Iterable[str]) -> "Hours":
        """Read the lines of the office file; ValueError names the line that cannot be read."""
        spans: list[Span] = []
        for line in lines:
            found = _LINE.match(line.strip().lower())
            if not found or found["first"] not in DAYS or (found["last"] or found["first"]) not in DAYS:
                raise ValueError(f'hours {line!r}: write "mon-fri 07:30-11:30" or "sat 08:00-11:30"')
            first, last = DAYS.index(found["first"]), DAYS.index(found["last"] or found["first"])
            try:
                opens, closes = time.fromisoformat(found["opens"]), time.fromisoformat(found["closes"])
            except ValueError:
                raise ValueError(f"hours {line!r}: a time is from 00:00 to 23:59") from None
            if opens >= closes or last < first:
                raise ValueError(f"hours {line!r}: the end must come after the beginning")
            spans += [Span(weekday, opens, closes) for weekday in range(first, last + 1)]
        spans.sort(key=lambda span: (span.weekday, span.opens))
        for one, other in pairwise(spans):
            if one.weekday == other.weekday and other.opens < one.closes:
                raise ValueError(f"hours of {DAYS[one.weekday]} overlap at {other.opens:%H:%M}")
        return cls(tuple(spans))

    @classmethod
    @lru_cache(maxsize=1024)
    def of(cls, lines: tuple[str, ...]) -> "Hours":
        """The same, read once: an office asks at every press."""
        return cls.parse(lines)

    def is_open(self, moment: datetime) -> bool:
        """Whether the office is open at this local moment."""
        return not self.spans or any(span.opens <= moment.time() < span.closes for span in self.on(moment.date()))

    def next_opening(self, moment: datetime) -> datetime | None:
        """When it opens next, local; None when it is always open."""
        for ahead in range(8):
            day = moment.date() + timedelta(days=ahead)
            for span in self.on(day):
                opens = datetime.combine(day, span.opens, moment.tzinfo)
                if opens > moment:
                    return opens
        return None

    def on(self, day: date) -> list[Span]:
        """The spans of one day, in order."""
        return [span for span in self.spans if span.weekday == day.weekday()]
