"""The satisfaction index from counts of answers, in exact arithmetic (docs/method.md, sections 1 to 3)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import partial
from math import ceil, floor
from typing import Final, overload

Levels = tuple[int, int, int, int, int]
Number = Fraction | Decimal | int


@dataclass(frozen=True)
class Tally:
    """How many people gave each answer, from 1 (very dissatisfied) to 5 (very satisfied).

    Tallies add up; indices do not. Merge units, months or offices by adding tallies.
    A question left blank is in no count. Raises ValueError for a negative count.
    """

    counts: Levels = (0, 0, 0, 0, 0)

    def __post_init__(self) -> None:
        if min(self.counts) < 0:
            raise ValueError(f"a tally has no negative counts: {self.counts}")

    def __add__(self, other: "Tally") -> "Tally":
        a, b = self.counts, other.counts
        return Tally((a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4]))

    @property
    def n(self) -> int:
        """How many answered this question."""
        return sum(self.counts)

    @property
    def satisfied(self) -> int:
        """How many answered 4 or 5."""
        return self.counts[3] + self.counts[4]

    @property
    def mean(self) -> Fraction | None:
        """The mean level, 1 to 5, or None without an answer."""
        if not self.n:
            return None
        return Fraction(sum(level * count for level, count in enumerate(self.counts, 1)), self.n)

    def shares(self) -> tuple[Fraction, ...] | None:
        """The five levels in percent of n, or None without an answer."""
        if not self.n:
            return None
        return tuple(Fraction(100 * count, self.n) for count in self.counts)


# A method is nothing but the percent that one answer of each level counts for.
LEVEL_VALUES: Final[dict[str, Levels]] = {
    "top-two": (0, 0, 0, 100, 100),
    "mean5": (20, 40, 60, 80, 100),
    "rescaled": (0, 25, 50, 75, 100),
}
DEFAULT_METHOD: Final = "top-two"

POLICY_WEIGHT: Final = Fraction(32, 51)


def percent(tally: Tally, method: str = DEFAULT_METHOD) -> Fraction | None:
    """The percentage of one criterion, 0 to 100, or None without an answer. Raises KeyError for an unknown method."""
    values = LEVEL_VALUES[method]
    if not tally.n:
        return None
    return Fraction(sum(value * count for value, count in zip(values, tally.counts, strict=True)), tally.n)


Method = Callable[[Tally], Fraction | None]
METHODS: Final[dict[str, Method]] = {name: partial(percent, method=name) for name in LEVEL_VALUES}


def satisfaction_index(
    criteria: Sequence[Tally], method: str = DEFAULT_METHOD, weights: Sequence[Number] | None = None
) -> Fraction | None:
    """The index of an element or of a whole questionnaire in percent: the mean over its criteria.

    Every criterion weighs the same unless `weights` (one per criterion, 0 or more) say otherwise. A criterion
    that nobody answered is left out; None when nobody answered any.
    """
    answered = [(METHODS[method](tally), weight) for tally, weight in answered_criteria(criteria, weights)]
    total = sum((weight for _, weight in answered), Fraction(0))
    if not total:
        return None
    return sum((value * weight for value, weight in answered if value is not None), Fraction(0)) / total


def answered_criteria(
    criteria: Sequence[Tally], weights: Sequence[Number] | None = None
) -> list[tuple[Tally, Fraction]]:
    """The criteria that count towards an index, each with its weight; shared with the interval.

    Raises ValueError unless there is one weight of 0 or more for each criterion.
    """
    exact = [Fraction(weight) for weight in weights] if weights is not None else [Fraction(1)] * len(criteria)
    if len(exact) != len(criteria) or any(weight < 0 for weight in exact):
        raise ValueError("one weight of 0 or more is needed for each criterion")
    return [(tally, weight) for tally, weight in zip(criteria, exact, strict=True) if tally.n and weight]


def province_sipas(policy: Number, service: Number, policy_weight: Fraction = POLICY_WEIGHT) -> Fraction:
    """A province's SIPAS in percent from its two contents, as published nationally for 2023 and 2024.

    The weight 32/51 is inferred from the published figures. A commune publishes its service index, not this.
    """
    return policy_weight * Fraction(policy) + (1 - policy_weight) * Fraction(service)


def slovin(population: int, error: Fraction = Fraction(1, 20)) -> int:
    """How many people to ask out of `population` for a survey with this margin: N / (1 + N e²), rounded up."""
    return ceil(Fraction(population) / (1 + population * error**2))


@overload
def rounded(value: None, places: int = 2) -> None: ...
@overload
def rounded(value: Number | float, places: int = 2) -> float: ...
def rounded(value: Number | float | None, places: int = 2) -> float | None:
    """The number as it is printed: decimal half-up, once, at output; None stays None.

    A binary float is taken as the decimal it prints as, so 0.285 becomes 0.29 and not 0.28.
    """
    if value is None:
        return None
    exact = Fraction(repr(value)) if isinstance(value, float) else Fraction(value)
    units = floor(abs(exact) * 10**places + Fraction(1, 2))
    return float(Fraction(units if exact >= 0 else -units, 10**places))
