"""How long somebody will wait, as a range, pure.

With `ahead` people before me, c counters that serve us and service times of mean m and deviation s, the time until
my call is about (ahead + 1) m / c with deviation s sqrt(ahead + 1) / c. The range leans upwards (1 deviation down,
1.6 up) because only a late call hurts, and is widened to whole 5 minutes.
"""

import math
from dataclasses import dataclass

FEWEST_VISITS = 20
STEP_MIN = 5


@dataclass(frozen=True)
class Pace:
    """Service times of recent visits of one service: how many, mean and standard deviation in seconds."""

    visits: int
    mean_s: float
    deviation_s: float


@dataclass(frozen=True)
class Wait:
    """From when to when to expect the call, in minutes from now."""

    low_min: int
    high_min: int


def expected_wait(ahead: int, counters: int, pace: Pace) -> Wait | None:
    """The range, or None where the past is too short or no counter is open to promise anything."""
    if pace.visits < FEWEST_VISITS or counters == 0:
        return None
    middle = (ahead + 1) * pace.mean_s / counters
    spread = pace.deviation_s * math.sqrt(ahead + 1) / counters
    low = max(0.0, middle - pace.mean_s / counters - spread)
    high = middle + 1.6 * spread
    return Wait(STEP_MIN * int(low / 60 // STEP_MIN), max(STEP_MIN, STEP_MIN * math.ceil(high / 60 / STEP_MIN)))
