"""What may be shown of a cell, so that no answer can be traced and no chance is ranked (docs/method.md, section 6)."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Final, Literal

Display = Literal["hidden", "count_only", "little", "full"]

COUNT_FROM: Final = 5
FIGURES_FROM: Final = 10
FULL_FROM: Final = 30
LEAST_RESPONSE_RATE: Final = 10


def display(n: int) -> Display:
    """How a cell with n answers is shown: nothing below 5, only n below 10, "ít dữ liệu" below 30, else in full."""
    if n < COUNT_FROM:
        return "hidden"
    if n < FIGURES_FROM:
        return "count_only"
    if n < FULL_FROM:
        return "little"
    return "full"


def comparable(n: int, response_rate: Fraction | float | None) -> bool:
    """Whether a unit may stand in a comparison: from 30 answers and a response rate of 10 percent on."""
    return n >= FULL_FROM and response_rate is not None and response_rate >= LEAST_RESPONSE_RATE


def hidden_children(children: Mapping[str, int]) -> set[str]:
    """The children of a shown parent whose figures must not be shown; `children` gives each one's number of answers.

    Whoever subtracts the shown children from the parent gets the hidden ones pooled. So the hidden ones must
    be at least two that have answers, and together have enough answers for figures; otherwise the next
    smallest child is hidden too. A child without answers has nothing to show and conceals nobody: it is in the set,
    but does not count as the second one.
    """
    hidden = {code for code, n in children.items() if n < FIGURES_FROM}
    concealed = [children[code] for code in hidden if children[code]]
    shown = sorted((n, code) for code, n in children.items() if code not in hidden)
    while concealed and shown and (len(concealed) < 2 or sum(concealed) < FIGURES_FROM):
        n, code = shown.pop(0)
        hidden.add(code)
        concealed.append(n)
    return hidden
