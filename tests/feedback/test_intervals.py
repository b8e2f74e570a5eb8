"""Intervals, bounds and weighting: published checks, another implementation, coverage, properties."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from feedback.intervals import (
    Stratum,
    bounds,
    index_bounds,
    index_interval,
    response_rate,
    weighted_to_served,
    wilson,
)
from feedback.sipas import METHODS, Tally, rounded, satisfaction_index

counts = st.integers(min_value=0, max_value=300)
tallies = st.builds(Tally, st.tuples(counts, counts, counts, counts, counts))
methods = st.sampled_from(sorted(METHODS))


@pytest.mark.parametrize(
    ("satisfied", "n", "served", "low", "high"),
    [
        (27, 30, None, 74.4, 96.5),
        (90, 100, None, 82.6, 94.5),
        (90, 100, 120, 87.3, 92.2),
        (90, 100, 600, 83.3, 94.2),
        (180, 200, 1000, 85.7, 93.1),
    ],
)
def test_wilson_gives_the_checked_values(satisfied, n, served, low, high):
    interval = wilson(satisfied, n, served)

    assert (rounded(interval.low, 1), rounded(interval.high, 1)) == (low, high)


@given(st.integers(min_value=1, max_value=2000), st.data())
def test_wilson_agrees_with_another_implementation(n, data):
    satisfied = data.draw(st.integers(min_value=0, max_value=n))

    assert wilson(satisfied, n) == pytest.approx(
        [100 * end for end in proportion_confint(satisfied, n, method="wilson")], abs=1e-9
    )


def test_wilson_reaches_the_ends_of_the_scale_exactly():
    assert wilson(0, 12).low == 0
    assert wilson(12, 12).high == 100


@pytest.mark.parametrize("served", [30, 29, 1, 0])
def test_when_everybody_answered_the_interval_is_a_point(served):
    assert wilson(27, 30, served) == pytest.approx((90, 90), abs=1e-12)


def test_one_answer_of_many_has_an_interval():
    assert wilson(1, 1, 500) == pytest.approx(wilson(1, 1), abs=0.2)


def test_without_answers_there_is_no_interval():
    assert wilson(0, 0) is None
    assert wilson(0, 0, 50) is None
    assert index_interval([Tally()]) is None
    assert weighted_to_served([]) is None
    assert weighted_to_served([Stratum(0, 0, 40)]) is None


@pytest.mark.parametrize(("satisfied", "n"), [(5, 4), (-1, 4)])
def test_what_is_not_a_share_is_refused(satisfied, n):
    with pytest.raises(ValueError, match="not a share"):
        wilson(satisfied, n)


@given(tallies, st.one_of(st.none(), st.integers(min_value=0, max_value=5000)))
def test_the_interval_of_one_top_two_criterion_is_wilsons(tally, served):
    assert index_interval([tally], "top-two", served) == wilson(tally.satisfied, tally.n, served)


@given(st.lists(tallies, min_size=1, max_size=5), methods, st.one_of(st.none(), st.integers(0, 5000)))
def test_the_interval_contains_the_index_and_stays_on_the_scale(criteria, method, served):
    index = satisfaction_index(criteria, method)
    interval = index_interval(criteria, method, served)

    if index is None:
        assert interval is None
    else:
        least = 20 if method == "mean5" else 0
        assert least - 1e-9 <= interval.low <= float(index) + 1e-9
        assert float(index) - 1e-9 <= interval.high <= 100 + 1e-9


@given(st.lists(tallies, min_size=1, max_size=5))
def test_mean5_and_rescaled_know_equally_much(criteria):
    rescaled, mean5 = index_interval(criteria, "rescaled"), index_interval(criteria, "mean5")

    assert (rescaled is None) == (mean5 is None)
    if rescaled is not None:
        assert mean5 == pytest.approx([20 + 0.8 * end for end in rescaled], abs=1e-9)


def test_questions_to_the_same_people_do_not_count_as_more_people():
    tally = Tally((2, 3, 5, 60, 30))

    assert index_interval([tally, tally, tally, tally]) == pytest.approx(index_interval([tally]), abs=1e-9)


def test_thirty_equal_answers_do_not_claim_certainty():
    interval = index_interval([Tally((0, 0, 0, 30, 0))], "rescaled")

    assert interval.low < 74
    assert interval.high > 76


def test_a_large_sample_agrees_with_the_usual_interval_of_a_mean():
    tally = Tally((100, 300, 1200, 4400, 4000))
    usual = DescrStatsW([0, 25, 50, 75, 100], weights=tally.counts).zconfint_mean()

    assert index_interval([tally], "rescaled") == pytest.approx(usual, abs=0.02)


# How often 95 % intervals hold the truth. Answers are whole numbers, so with a single true share the coverage jumps
# (n = 10: between 91 and 98 %); the promise of 93 to 97 % is about the mean over the shares that occur.
SHARES = np.arange(0.50, 0.981, 0.01)


@pytest.mark.parametrize(("n", "least", "most"), [(10, 0.91, 0.99), (30, 0.925, 0.985), (100, 0.925, 0.975)])
def test_wilson_covers_the_truth_about_95_times_in_100(n, least, most):
    random = np.random.default_rng(39)
    ends = np.array([wilson(satisfied, n) for satisfied in range(n + 1)])
    coverage = []
    for share in SHARES:
        drawn = ends[random.binomial(n, share, size=20_000)]
        coverage.append(np.mean((drawn[:, 0] <= 100 * share) & (100 * share <= drawn[:, 1])))

    assert 0.93 <= np.mean(coverage) <= 0.97
    assert least <= min(coverage)
    assert max(coverage) <= most


@pytest.mark.parametrize(("n", "served"), [(10, 40), (30, 40), (30, 120), (100, 120), (100, 1000)])
def test_the_finite_population_keeps_the_coverage(n, served):
    random = np.random.default_rng(39)
    ends = np.array([wilson(satisfied, n, served) for satisfied in range(n + 1)])
    coverage = []
    for happy in range(served // 2, int(0.98 * served) + 1):
        truth = 100 * happy / served
        drawn = ends[random.hypergeometric(happy, served - happy, n, size=4_000)]
        coverage.append(np.mean((drawn[:, 0] <= truth + 1e-9) & (truth - 1e-9 <= drawn[:, 1])))

    assert 0.93 <= np.mean(coverage) <= 0.97


@pytest.mark.parametrize("n", [10, 30, 100])
@pytest.mark.parametrize(
    "chances",
    [
        (0.01, 0.03, 0.12, 0.44, 0.40),  # as most offices
        (0.20, 0.05, 0.05, 0.10, 0.60),  # divided
        (0.02, 0.00, 0.00, 0.08, 0.90),  # rarely very bad
    ],
)
def test_the_interval_of_the_mean_covers_at_least_90_times_in_100(chances, n):
    random = np.random.default_rng(39)
    truth = sum(25 * level * chance for level, chance in enumerate(chances))
    drawn = [tuple(map(int, row)) for row in random.multinomial(n, chances, size=800)]
    ends = [index_interval([Tally(row)], "rescaled") for row in drawn]

    assert sum(low <= truth <= high for low, high in ends) >= 0.9 * len(ends)


@pytest.mark.parametrize(
    ("satisfied", "n", "served", "low", "high"),
    [(90, 100, 120, 75, 92), (180, 200, 1000, 18, 98), (90, 100, 600, 15, 98), (0, 0, 10, 0, 100)],
)
def test_bounds_hold_whatever_the_silent_think(satisfied, n, served, low, high):
    found = bounds(satisfied, n, served)

    assert tuple(rounded(end, 0) for end in found) == (low, high)


def test_bounds_need_somebody_served():
    assert bounds(0, 0, 0) is None


@given(st.lists(tallies, min_size=1, max_size=4), st.integers(0, 3000), methods)
def test_bounds_contain_the_index(criteria, served, method):
    index, found = satisfaction_index(criteria, method), index_bounds(criteria, served, method)

    if index is not None:
        assert found[0] <= index <= found[1]


def test_the_response_rate_is_answers_of_visits():
    assert response_rate(30, 120) == 25
    assert response_rate(0, 0) is None


def test_weighting_restores_the_served_mix():
    """Half of the visits are land matters, but only a fifth of the answers."""
    weighted = weighted_to_served([Stratum(76, 80, 500), Stratum(10, 20, 500)])

    assert weighted.unweighted == 86
    assert weighted.percent == Fraction(145, 2)  # (95 + 50) / 2
    assert weighted.differs
    assert weighted.effective_n == 64  # (Σw)² / Σw² with w = 5/8 eighty times and 5/2 twenty times


def test_weighting_agrees_with_another_implementation():
    strata = [Stratum(76, 80, 500), Stratum(10, 20, 500), Stratum(7, 12, 90)]
    weighted = weighted_to_served(strata)
    answers = [100] * 76 + [0] * 4 + [100] * 10 + [0] * 10 + [100] * 7 + [0] * 5
    weights = [500 / 80] * 80 + [500 / 20] * 20 + [90 / 12] * 12

    assert float(weighted.percent) == pytest.approx(DescrStatsW(answers, weights=weights).mean)
    effective = float(weighted.effective_n)
    in_place_of_n = effective * (1090 - 1) / (1090 - 112)
    expected = proportion_confint(float(weighted.percent) / 100 * in_place_of_n, in_place_of_n, method="wilson")
    assert weighted.interval == pytest.approx([100 * end for end in expected])


def test_a_representative_sample_is_not_changed_by_weighting():
    weighted = weighted_to_served([Stratum(9, 10, 100), Stratum(30, 40, 400)])

    assert weighted.percent == weighted.unweighted == 78
    assert weighted.effective_n == 50
    assert not weighted.differs


def test_weights_are_capped():
    """500 of 600 visits answered in one service, 10 of 9,400 in the other: weights 0.06 and 48 become 0.3 and 3."""
    weighted = weighted_to_served([Stratum(500, 500, 600), Stratum(0, 10, 9_400)])

    assert weighted.percent == Fraction(100 * 150, 150 + 30)


def test_services_with_fewer_than_five_answers_are_merged():
    small = weighted_to_served([Stratum(4, 4, 10), Stratum(3, 3, 30), Stratum(20, 40, 100)])
    by_hand = weighted_to_served([Stratum(7, 7, 40), Stratum(20, 40, 100)])

    assert small == by_hand


def test_a_merged_stratum_that_is_still_small_takes_the_next_smallest():
    small = weighted_to_served([Stratum(2, 2, 10), Stratum(5, 9, 30), Stratum(20, 40, 100)])
    by_hand = weighted_to_served([Stratum(7, 11, 40), Stratum(20, 40, 100)])

    assert small == by_hand


strata = st.builds(
    lambda satisfied, unhappy, silent: Stratum(satisfied, satisfied + unhappy, satisfied + unhappy + silent),
    counts,
    counts,
    counts,
)


@given(st.lists(strata, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_services_does_not_change_the_weighted_figure(parts, random):
    distinct = list({part.n: part for part in parts}.values())  # which of two equally small ones is merged is open
    weighted = weighted_to_served(distinct)

    assert weighted == weighted_to_served(random.sample(distinct, len(distinct)))
    if weighted is not None:
        assert weighted.interval.low - 1e-9 <= float(weighted.percent) <= weighted.interval.high + 1e-9
