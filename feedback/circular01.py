"""The score of the everyday counter form of Thông tư 01/2018/TT-VPCP, Điều 12-15 (docs/method.md, section 4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Final

OFFICER_INDICATORS: Final = (1, 2, 3, 4, 7)
OFFICE_INDICATORS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9)

OFFICER_GRADES: Final = (
    (Fraction(5), "hoàn thành 100 % nhiệm vụ"),
    (Fraction(7, 2), "hoàn thành từ 70 % nhiệm vụ"),
    (Fraction(0), "hoàn thành dưới 70 % nhiệm vụ"),
)
OFFICE_GRADES: Final = (
    (Fraction(15), "xuất sắc"),
    (Fraction(12), "tốt"),
    (Fraction(9), "khá"),
    (Fraction(6), "trung bình"),
    (Fraction(0), "yếu"),
)
NOT_ENOUGH_INFORMATION: Final = "không đủ thông tin"


@dataclass(frozen=True)
class Score:
    """What the circular gives: points per indicator, their sum, the grade, and which indicators had no information."""

    indicators: dict[int, Fraction]
    total: Fraction
    grade: str
    missing: tuple[int, ...]


def officer_score(points: Mapping[int, Sequence[int]]) -> Score:
    """The score of one official, at most 10: indicators 1, 2, 3, 4 and 7.

    `points` holds, for each indicator, 2, 1 or 0 for every file that says something about it.
    """
    return circular_01_score(points, OFFICER_INDICATORS, OFFICER_GRADES)


def office_score(points: Mapping[int, Sequence[int]]) -> Score:
    """The score of one office, at most 18: all nine indicators; 5, 6, 8 and 9 have one entry, the office's own."""
    return circular_01_score(points, OFFICE_INDICATORS, OFFICE_GRADES)


def circular_01_score(
    points: Mapping[int, Sequence[int]], indicators: Sequence[int], grades: Sequence[tuple[Fraction, str]]
) -> Score:
    """Sum the indicators' means, each rounded to one decimal before summing, and grade the sum.

    An indicator without information is left out of the sum and named in `missing`; there is no grade then,
    because a shorter sum against the full scale would look like bad work. Raises ValueError for other points.
    """
    if any(point not in (0, 1, 2) for indicator in indicators for point in points.get(indicator, ())):
        raise ValueError("an indicator is worth 2, 1 or 0 points a file")
    means = {i: mean_to_one_decimal(points[i]) for i in indicators if points.get(i)}
    missing = tuple(i for i in indicators if i not in means)
    total = sum(means.values(), Fraction(0))
    grade = NOT_ENOUGH_INFORMATION if missing else next(name for least, name in grades if total >= least)
    return Score(means, total, grade, missing)


def mean_to_one_decimal(points: Sequence[int]) -> Fraction:
    """The mean of an indicator over its files, half-up to one decimal and still exact."""
    return Fraction(floor(Fraction(10 * sum(points), len(points)) + Fraction(1, 2)), 10)
