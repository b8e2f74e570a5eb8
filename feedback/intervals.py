"""How sure a figure is: intervals, bounds without assumptions, response rate, weighting (docs/method.md, section 5).

Every figure is in percent. Population sizes are the visits served in the same period.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt
from statistics import NormalDist
from typing import Final, NamedTuple

from feedback.sipas import DEFAULT_METHOD, LEVEL_VALUES, Number, Tally, answered_criteria, satisfaction_index

Z95: Final = NormalDist().inv_cdf(0.975)

LEAST_STRATUM: Final = 5
LEAST_WEIGHT: Final = Fraction(3, 10)
GREATEST_WEIGHT: Final = Fraction(3)


class Interval(NamedTuple):
    """Two percentages, low <= high."""

    low: float
    high: float


def wilson(satisfied: int, n: int, population: int | None = None) -> Interval | None:
    """The Wilson 95 % interval of satisfied of n answers in percent, or None without an answer.

    With `population` N (visits served), n (N - 1) / (N - n) takes the place of n; when everybody answered
    nothing is uncertain and the interval is a point. Raises ValueError unless 0 <= satisfied <= n.
    """
    if not 0 <= satisfied <= n:
        raise ValueError(f"{satisfied} of {n} is not a share")
    if n == 0:
        return None
    return score_interval(Fraction(satisfied, n), finite_population(n, population))


def index_interval(
    criteria: Sequence[Tally],
    method: str = DEFAULT_METHOD,
    population: int | None = None,
    weights: Sequence[Number] | None = None,
) -> Interval | None:
    """The 95 % interval of `satisfaction_index` with the same arguments; for one top-two criterion it is Wilson's.

    The score interval with an effective number of answers e, 1/e = Σ w f / n* over the criteria, where f is the
    variance of the levels as a part of the greatest possible one (1 for top-two). The same people answer
    all criteria, so the criteria are taken as fully dependent: the interval is rather too wide than too narrow.
    """
    index = satisfaction_index(criteria, method, weights)
    if index is None:
        return None
    answered = answered_criteria(criteria, weights)
    total = sum((weight for _, weight in answered), Fraction(0))
    per_answer = sum(
        (
            weight / total * dispersion(tally, method) * finite_population(tally.n, population)
            for tally, weight in answered
        ),
        Fraction(0),
    )
    low, high = LEVEL_VALUES[method][0], LEVEL_VALUES[method][-1]
    unit = score_interval((index - low) / (high - low), per_answer)
    span = (high - low) / 100
    return Interval(low + span * unit.low, low + span * unit.high)


def finite_population(n: int, population: int | None) -> Fraction:
    """1 / n*, the part of a variance that n answers out of `population` leave; 0 when everybody answered."""
    if population is None:
        return Fraction(1, n)
    if n >= population:
        return Fraction(0)
    return Fraction(population - n, n * (population - 1))


def dispersion(tally: Tally, method: str) -> Fraction:
    """The variance of the answers as a part of m (1 - m), the greatest that a mean m between 0 and 1 allows.

    One imaginary answer, a fifth on each level, is added: without it 30 answers of the same level would
    claim to know the mean exactly.
    """
    low, high = LEVEL_VALUES[method][0], LEVEL_VALUES[method][-1]
    scores = [Fraction(value - low, high - low) for value in LEVEL_VALUES[method]]
    counts = [count + Fraction(1, 5) for count in tally.counts]
    n = sum(counts)
    mean = sum((s * c for s, c in zip(scores, counts, strict=True)), Fraction(0)) / n
    square = sum((s * s * c for s, c in zip(scores, counts, strict=True)), Fraction(0)) / n
    return (square - mean * mean) / (mean * (1 - mean))


def score_interval(share: Fraction, per_answer: Fraction) -> Interval:
    """Wilson's interval in percent around a share between 0 and 1, where 1 / per_answer is the number of answers."""
    p, z2 = float(share), Z95 * Z95 * float(per_answer)
    middle = (p + z2 / 2) / (1 + z2)
    half = sqrt(z2 * p * (1 - p) + z2 * z2 / 4) / (1 + z2)
    # The square root leaves 1e-17 where the exact ends are 0, 1 or the share itself.
    return Interval(100 * min(p, max(0.0, middle - half)), 100 * max(p, min(1.0, middle + half)))


def bounds(satisfied: int, n: int, served: int) -> tuple[Fraction, Fraction] | None:
    """Where the true share must lie, in percent, whatever the silent visitors think: all unhappy, all happy.

    None when nobody was served. `served` below n counts as n.
    """
    return index_bounds([Tally((n - satisfied, 0, 0, 0, satisfied))], served)


def index_bounds(
    criteria: Sequence[Tally], served: int, method: str = DEFAULT_METHOD, weights: Sequence[Number] | None = None
) -> tuple[Fraction, Fraction] | None:
    """The same for an index: every silent visitor answers every criterion, once with 1 and once with 5."""
    silent = [max(served - tally.n, 0) for tally in criteria]
    unhappy = [tally + Tally((count, 0, 0, 0, 0)) for tally, count in zip(criteria, silent, strict=True)]
    happy = [tally + Tally((0, 0, 0, 0, count)) for tally, count in zip(criteria, silent, strict=True)]
    low, high = satisfaction_index(unhappy, method, weights), satisfaction_index(happy, method, weights)
    return None if low is None or high is None else (low, high)


def response_rate(answered: int, served: int) -> Fraction | None:
    """Answers in percent of the visits served, or None when nobody was served; above 100 something was miscounted."""
    return Fraction(100 * answered, served) if served else None


@dataclass(frozen=True)
class Stratum:
    """One service in a period: satisfied of n answers, and how many were served."""

    satisfied: int
    n: int
    served: int

    def __add__(self, other: "Stratum") -> "Stratum":
        return Stratum(self.satisfied + other.satisfied, self.n + other.n, self.served + other.served)


@dataclass(frozen=True)
class Weighted:
    """A share weighted to the served mix, in percent, beside the unweighted one."""

    percent: Fraction
    unweighted: Fraction
    interval: Interval
    effective_n: Fraction

    @property
    def differs(self) -> bool:
        """Whether the two figures differ by more than 3 points, which is then said beside them."""
        return abs(self.percent - self.unweighted) > 3


def weighted_to_served(strata: Sequence[Stratum]) -> Weighted | None:
    """Weight the answers of each service to its part of the visits served, or None without an answer.

    Services with fewer than 5 answers are merged first; a weight is at least 0.3 and at most 3. The interval
    is Wilson's with the effective number of answers (Σw)²/Σw² and the finite population.
    """
    merged = merge_small(strata)
    n = sum(s.n for s in merged)
    if not n:
        return None
    sizes = [max(s.served, s.n) for s in merged]
    served = sum(sizes)
    weights = [
        min(GREATEST_WEIGHT, max(LEAST_WEIGHT, Fraction(size * n, served * s.n)))
        for size, s in zip(sizes, merged, strict=True)
    ]
    total = sum((w * s.n for w, s in zip(weights, merged, strict=True)), Fraction(0))
    squares = sum((w * w * s.n for w, s in zip(weights, merged, strict=True)), Fraction(0))
    share = sum((w * s.satisfied for w, s in zip(weights, merged, strict=True)), Fraction(0)) / total
    effective_n = total * total / squares
    per_answer = finite_population(n, served) * n / effective_n
    unweighted = Fraction(100 * sum(s.satisfied for s in merged), n)
    return Weighted(100 * share, unweighted, score_interval(share, per_answer), effective_n)


def merge_small(strata: Sequence[Stratum]) -> list[Stratum]:
    """The strata with fewer than 5 answers as one; if that is still too few, the next smallest joins."""
    waiting = sorted(strata, key=lambda stratum: stratum.n)
    merged = Stratum(0, 0, 0)
    while waiting and (waiting[0].n < LEAST_STRATUM or merged.n < LEAST_STRATUM):
        merged += waiting.pop(0)
    return [merged, *waiting]
