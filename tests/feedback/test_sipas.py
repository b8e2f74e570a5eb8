"""The index and the circular's score, against published figures and by property."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.circular01 import NOT_ENOUGH_INFORMATION, OFFICE_GRADES, office_score, officer_score
from feedback.sipas import METHODS, Tally, province_sipas, rounded, satisfaction_index, slovin

counts = st.integers(min_value=0, max_value=10_000)
tallies = st.builds(Tally, st.tuples(counts, counts, counts, counts, counts))
methods = st.sampled_from(sorted(METHODS))

# A ward survey of 2020, 288 people: counts of levels 1 to 5, published percentages and mean; top-two is ours.
WARD = [
    ((2, 18, 98, 117, 53), (0.7, 6.3, 34.0, 40.6, 18.4), 3.70, 59.03),
    ((25, 36, 47, 118, 62), (8.7, 12.5, 16.3, 41.0, 21.5), 3.54, 62.50),
    ((5, 17, 54, 87, 125), (1.7, 5.9, 18.8, 30.2, 43.4), 4.08, 73.61),  # printed 43.3, a slip
    ((13, 48, 126, 65, 36), (4.5, 16.7, 43.8, 22.6, 12.5), 3.22, 35.07),
]


@pytest.mark.parametrize(("levels", "shares", "mean", "top_two"), WARD)
def test_a_published_ward_survey_is_reproduced(levels, shares, mean, top_two):
    tally = Tally(levels)

    assert tally.n == 288
    assert tuple(rounded(share, 1) for share in tally.shares()) == shares
    assert rounded(tally.mean) == mean
    assert rounded(METHODS["top-two"](tally)) == top_two


@pytest.mark.parametrize(
    ("levels", "shares"),
    [
        ((39, 16, 45, 44, 26), (22.9, 9.4, 26.5, 25.9, 15.3)),
        ((18, 43, 44, 31, 34), (10.6, 25.3, 25.9, 18.2, 20.0)),
    ],
)
def test_the_published_shares_of_five_wards_of_hue_are_reproduced(levels, shares):
    assert tuple(rounded(share, 1) for share in Tally(levels).shares()) == shares


def test_pooling_adds_counts():
    pooled = sum((Tally(levels) for levels, *_ in WARD), Tally())

    assert (pooled.satisfied, pooled.n) == (663, 1152)
    assert rounded(METHODS["top-two"](pooled)) == 57.55


def test_an_index_is_the_mean_over_its_criteria():
    assert rounded(satisfaction_index([Tally(levels) for levels, *_ in WARD])) == 57.55


def test_the_three_methods_differ_on_the_same_answers():
    tally = Tally((0, 0, 1, 2, 1))

    assert {name: method(tally) for name, method in METHODS.items()} == {"top-two": 75, "mean5": 80, "rescaled": 75}


def test_without_an_answer_there_is_no_figure():
    assert [method(Tally()) for method in METHODS.values()] == [None, None, None]
    assert Tally().mean is None
    assert Tally().shares() is None
    assert satisfaction_index([]) is None
    assert satisfaction_index([Tally()]) is None


def test_a_criterion_that_nobody_answered_is_left_out_of_the_mean():
    assert satisfaction_index([Tally((1, 0, 0, 0, 3)), Tally()]) == 75


def test_weights_override_the_equal_ones():
    criteria = [Tally((0, 0, 0, 0, 1)), Tally((1, 0, 0, 0, 0))]

    assert satisfaction_index(criteria, weights=[3, 1]) == 75
    assert satisfaction_index(criteria, weights=[Decimal("0.2"), Decimal("0.8")]) == 20
    assert satisfaction_index(criteria, weights=[0, 0]) is None


@pytest.mark.parametrize("weights", [[1], [1, -1], [1, 1, 1]])
def test_weights_must_fit_the_criteria(weights):
    with pytest.raises(ValueError, match="one weight"):
        satisfaction_index([Tally((0, 0, 0, 0, 1)), Tally((1, 0, 0, 0, 0))], weights=weights)


def test_a_negative_count_is_refused():
    with pytest.raises(ValueError, match="negative"):
        Tally((1, 2, -1, 0, 0))


@pytest.mark.parametrize(
    ("policy", "service", "ours", "published"),
    [("83.84", "84.09", 83.933, 83.94), ("82.49", "82.97", 82.669, 82.66)],
)
def test_the_weight_of_policy_reproduces_both_published_years(policy, service, ours, published):
    sipas = province_sipas(Decimal(policy), Decimal(service))

    assert rounded(sipas, 3) == ours
    assert abs(sipas - Fraction(str(published))) < Fraction(1, 100)


def test_the_sample_sizes_of_slovin_are_rounded_up():
    assert [slovin(n) for n in (500, 1_000, 2_000, 5_000, 10_000, 100_000)] == [223, 286, 334, 371, 385, 399]


@pytest.mark.parametrize(
    ("value", "places", "printed"),
    [
        (Fraction(18, 288) * 100, 1, 6.3),  # 6.25: banker's rounding would print 6.2
        (Decimal("2.675"), 2, 2.68),
        (0.285, 2, 0.29),  # the binary number is a little less than 0.285
        (1e-17, 2, 0.0),
        (-0.125, 2, -0.13),
        (99.995, 2, 100.0),
        (7, 2, 7.0),
        (None, 2, None),
    ],
)
def test_numbers_are_rounded_half_up(value, places, printed):
    assert rounded(value, places) == printed


@given(tallies, tallies, tallies)
def test_the_order_of_merging_does_not_matter(a, b, c):
    assert (a + b) + c == a + (b + c) == (c + a) + b


@given(tallies, methods)
def test_one_more_very_satisfied_answer_never_lowers_the_index(tally, method):
    before = METHODS[method](tally)
    after = METHODS[method](tally + Tally((0, 0, 0, 0, 1)))

    assert after is not None
    assert before is None or before <= after <= 100


@given(st.lists(tallies, min_size=1, max_size=6), methods, st.randoms(use_true_random=False))
def test_the_order_of_criteria_does_not_matter(criteria, method, random):
    shuffled = random.sample(criteria, len(criteria))

    assert satisfaction_index(criteria, method) == satisfaction_index(shuffled, method)


FILES = {1: [2, 1, 1], 2: [2, 1, 1], 3: [2, 1, 0], 4: [2, 1, 1], 7: [2, 1, 1]}


def test_the_circular_rounds_each_indicator_before_summing():
    score = officer_score(FILES)

    assert [rounded(score.indicators[i], 1) for i in (1, 2, 3, 4, 7)] == [1.3, 1.3, 1.0, 1.3, 1.3]
    assert score.total == Fraction("6.2")  # 6.33 unrounded
    assert score.grade == "hoàn thành 100 % nhiệm vụ"


def test_the_office_adds_its_own_four_indicators():
    score = office_score({**FILES, 5: [2], 6: [2], 8: [2], 9: [1]})

    assert score.total == Fraction("13.2")
    assert score.grade == "tốt"
    assert score.missing == ()


@pytest.mark.parametrize(
    ("total", "grade"),
    [
        ("18", "xuất sắc"),
        ("15", "xuất sắc"),
        ("14.9", "tốt"),
        ("12", "tốt"),
        ("9", "khá"),
        ("6", "trung bình"),
        ("5.9", "yếu"),
        ("0", "yếu"),
    ],
)
def test_an_edge_belongs_to_the_upper_grade(total, grade):
    tenths = int(Fraction(total) * 10)
    points = {}
    for indicator in (1, 2, 3, 4, 5, 6, 7, 8, 9):  # ten files each, so every tenth can be reached
        given_points = min(tenths, 20)
        tenths -= given_points
        points[indicator] = [2] * (given_points // 2) + [1] * (given_points % 2)
        points[indicator] += [0] * (10 - len(points[indicator]))

    score = office_score(points)

    assert score.total == Fraction(total)
    assert score.grade == grade


@pytest.mark.parametrize(
    ("tenths", "grade"),
    [(50, "hoàn thành 100 % nhiệm vụ"), (35, "hoàn thành từ 70 % nhiệm vụ"), (34, "hoàn thành dưới 70 % nhiệm vụ")],
)
def test_the_grades_of_an_official(tenths, grade):
    whole, rest = divmod(tenths, 5)
    points = {i: [1] * (whole + (place < rest)) + [0] * (10 - whole - (place < rest)) for place, i in enumerate(FILES)}

    assert officer_score(points).grade == grade


def test_an_indicator_without_information_is_said_and_never_rescaled():
    score = office_score({**FILES, 5: [2], 6: [2], 8: []})

    assert score.missing == (8, 9)
    assert score.total == Fraction("10.2")
    assert score.grade == NOT_ENOUGH_INFORMATION


def test_points_other_than_2_1_0_are_refused():
    with pytest.raises(ValueError, match="2, 1 or 0"):
        officer_score({**FILES, 3: [2, 3]})


def test_the_scale_of_grades_has_no_gap():
    assert OFFICE_GRADES[-1][0] == 0
    assert [least for least, _ in OFFICE_GRADES] == sorted((least for least, _ in OFFICE_GRADES), reverse=True)
