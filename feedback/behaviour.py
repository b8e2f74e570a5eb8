"""How citizens come and what they answer, for simulated days; pure. Every draw comes from the generator it is given.

The shapes are plausible, not measured: the early rush, the heavy Monday, the long land case and the short collection
of a result are what reports of one-stop shops describe. No figure made of them says anything about a real office.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final

from units.hours import Hours, Span

# Hours of an office that is always open: people still come by day.
OFFICE_HOURS: Final = Hours.parse(["mon-fri 07:30-11:30", "mon-fri 13:30-17:00"])
WEEKDAYS: Final = (1.25, 1.05, 0.95, 0.95, 0.9, 0.5, 0.3)
# How many come in each hour of the day, in proportion; at any other hour NIGHT.
HOURS: Final = {7: 1.2, 8: 1.6, 9: 1.5, 10: 1.1, 11: 0.6, 13: 0.9, 14: 1.3, 15: 1.1, 16: 0.6}
NIGHT: Final = 0.3
STEP: Final = timedelta(minutes=15)

SPREAD: Final = 0.55  # of the logarithm of a service time
SHORTEST_VISIT_S: Final = 40.0
BEARABLE_WAIT_MIN: Final = 15.0
WORSE_A_MINUTE: Final = 0.035  # of log-odds, for each minute beyond that
VERY: Final = 0.46  # of the satisfied say "very satisfied"
UNHAPPY: Final = ((3, 0.6), (2, 0.27), (1, 0.13))
PRIORITY_SHARE: Final = 0.12
RECEPTION_SHARE: Final = 0.2
DETAILS_SHARE: Final = 0.35
ELEMENT_ANSWERED: Final = 0.85


@dataclass(frozen=True)
class Habit:
    """A service: its weight among the visits, mean minutes at the counter, and its pull on satisfaction (log-odds)."""

    weight: float
    minutes: float
    pull: float = 0.0


# By the first words of a service's name; a service of another name is USUAL.
HABITS: Final = {
    "Tư pháp": Habit(32, 7, 0.2),
    "Đất đai": Habit(16, 12, -0.6),
    "Đăng ký kinh doanh": Habit(8, 9, -0.1),
    "Văn hóa": Habit(14, 8, 0.0),
    "Trả kết quả": Habit(20, 3, 0.4),
    "Hướng dẫn": Habit(10, 6, 0.1),
}
USUAL: Final = Habit(10, 6)


@dataclass(frozen=True)
class Temper:
    """An office: tickets on an average weekday, and shares from 0 to 1.

    `satisfied` of those who rate after a bearable wait, `response_rate` of the visits are rated, `no_show` of the
    people are called in vain. `trend` is how satisfaction moves from week to week, in log-odds.
    """

    tickets_per_day: float
    satisfied: float = 0.87
    response_rate: float = 0.27
    no_show: float = 0.05
    trend: float = 0.0


def habit_of(service_name: str) -> Habit:
    """The habit of a service of this name."""
    return next((habit for words, habit in HABITS.items() if service_name.startswith(words)), USUAL)


def spans_on(hours: Hours, day: datetime) -> list[Span]:
    """The stretches of a day in which people come."""
    return (hours if hours.spans else OFFICE_HOURS).on(day.date())


def arrivals(rng: Random, spans: Sequence[Span], midnight: datetime, tickets_per_day: float) -> list[datetime]:
    """The moments at which people take a ticket on the day that begins at local `midnight`, in order."""
    slots = [slot for span in spans for slot in _slots(span, midnight)]
    if not slots:
        return []
    wanted = poisson(rng, tickets_per_day * WEEKDAYS[midnight.weekday()])
    weights = [HOURS.get(slot.hour, NIGHT) for slot in slots]
    chosen = rng.choices(slots, weights, k=wanted)
    return sorted(slot + timedelta(seconds=rng.uniform(0, STEP.total_seconds() - 1)) for slot in chosen)


def _slots(span: Span, midnight: datetime) -> Iterable[datetime]:
    slot = datetime.combine(midnight, span.opens, midnight.tzinfo)
    closes = datetime.combine(midnight, span.closes, midnight.tzinfo)
    while slot + STEP <= closes:
        yield slot
        slot += STEP


def poisson(rng: Random, mean: float) -> int:
    """A count with this mean: how many events of unit rate fall into that time."""
    count, time = 0, rng.expovariate(1.0)
    while time < mean:
        count, time = count + 1, time + rng.expovariate(1.0)
    return count


def service_time(rng: Random, habit: Habit) -> timedelta:
    """How long one visit takes at the counter: log-normal around the mean of its service."""
    seconds = 60 * habit.minutes * math.exp(rng.gauss(-SPREAD * SPREAD / 2, SPREAD))
    return timedelta(seconds=max(SHORTEST_VISIT_S, seconds))


def minutes_until_rating(rng: Random) -> float:
    """Most people rate on their way out, some at home."""
    return rng.uniform(0.3, 6) if rng.random() < 0.7 else rng.uniform(20, 240)


def levels(rng: Random, temper: Temper, habit: Habit, wait_min: float, week: int, elements: Sequence[str]) -> list[int]:
    """What somebody answers: the overall level and, from some people, one of each element (0: skipped)."""
    odds = math.log(temper.satisfied / (1 - temper.satisfied)) + habit.pull + temper.trend * week
    odds -= WORSE_A_MINUTE * max(0.0, wait_min - BEARABLE_WAIT_MIN)
    if rng.random() < 1 / (1 + math.exp(-odds)):
        overall = 5 if rng.random() < VERY else 4
    else:
        overall = rng.choices([level for level, _ in UNHAPPY], [weight for _, weight in UNHAPPY])[0]
    if rng.random() >= DETAILS_SHARE:
        return [overall]
    return [overall, *(_element(rng, overall) if rng.random() < ELEMENT_ANSWERED else 0 for _ in elements)]


def _element(rng: Random, overall: int) -> int:
    return min(5, max(1, overall + rng.choices([-1, 0, 1], [18, 66, 16])[0]))
