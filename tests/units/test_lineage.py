"""Rules of merging and dividing units. An Bình and Bình Minh become An Minh on 1 July 2026."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from units.lineage import Life, Lineage, Succession, read_successions

AN_BINH, BINH_MINH, AN_MINH, TAN_LAP = "90001", "90002", "90003", "90004"
MERGER = date(2026, 7, 1)
JUNE = date(2026, 6, 30)
LATER = date(2030, 1, 1)


@pytest.fixture
def merged():
    return Lineage([Succession(AN_BINH, AN_MINH, MERGER), Succession(BINH_MINH, AN_MINH, MERGER)])


@pytest.fixture
def kept_code():
    """An Bình takes Bình Minh in and keeps its code, as 3,316 communes did in 2025."""
    return Lineage([Succession(AN_BINH, AN_BINH, MERGER), Succession(BINH_MINH, AN_BINH, MERGER)])


@pytest.fixture
def divided():
    """An Bình goes on smaller, and a part of it becomes Tân Lập."""
    return Lineage(
        [
            Succession(AN_BINH, TAN_LAP, MERGER, Decimal("0.3"), main=False),
            Succession(AN_BINH, AN_BINH, MERGER, Decimal("0.7")),
        ]
    )


def codes(units):
    return [unit.code for unit in units]


def test_until_the_day_of_the_merger_each_commune_answers_for_itself(merged):
    assert codes(merged.unit_on(AN_BINH, JUNE)) == [AN_BINH]


def test_from_the_day_of_the_merger_the_new_commune_answers(merged):
    assert codes(merged.unit_on(AN_BINH, MERGER)) == [AN_MINH]
    assert codes(merged.unit_on(BINH_MINH, LATER)) == [AN_MINH]


def test_seen_as_then_the_new_commune_is_the_ones_it_was_made_of(merged):
    assert codes(merged.unit_on(AN_MINH, JUNE)) == [AN_BINH, BINH_MINH]


def test_a_code_without_any_succession_always_stands_for_itself(merged):
    assert merged.unit_on(TAN_LAP, JUNE) == [Life(TAN_LAP)]
    assert merged.predecessors(TAN_LAP, LATER) == merged.successors(TAN_LAP, JUNE) == set()


def test_history_of_the_new_commune_is_that_of_both_old_ones(merged):
    assert merged.predecessors(AN_MINH, LATER) == {
        Life(AN_BINH, until=MERGER),
        Life(BINH_MINH, until=MERGER),
    }


def test_a_kept_code_means_another_unit_after_the_merger(kept_code):
    assert kept_code.unit(AN_BINH, JUNE) == Life(AN_BINH, date.min, MERGER)
    assert kept_code.unit(AN_BINH, MERGER) == Life(AN_BINH, MERGER, date.max)
    assert kept_code.predecessors(AN_BINH, LATER) == {Life(AN_BINH, until=MERGER), Life(BINH_MINH, until=MERGER)}
    assert kept_code.predecessors(AN_BINH, JUNE) == set()


def test_a_kept_code_is_followed_from_the_day_on_which_it_was_meant(kept_code):
    assert codes(kept_code.unit_on(AN_BINH, JUNE, meant_on=JUNE)) == [AN_BINH]
    assert codes(kept_code.unit_on(AN_BINH, JUNE, meant_on=LATER)) == [AN_BINH, BINH_MINH]


def test_a_unit_that_takes_another_in_goes_on_without_a_row_of_its_own(merged):
    second = date(2027, 1, 1)
    lineage = Lineage(
        [
            Succession(AN_BINH, AN_MINH, MERGER),
            Succession(BINH_MINH, AN_MINH, MERGER),
            Succession(TAN_LAP, AN_MINH, second),
        ]
    )
    assert codes(lineage.unit_on(AN_BINH, LATER)) == [AN_MINH]
    assert lineage.predecessors(AN_MINH, LATER) == {
        Life(AN_BINH, until=MERGER),
        Life(BINH_MINH, until=MERGER),
        Life(AN_MINH, MERGER, second),
        Life(TAN_LAP, until=second),
    }


def test_a_divided_unit_has_several_answers_with_the_main_heir_first(divided):
    assert codes(divided.unit_on(AN_BINH, LATER, meant_on=JUNE)) == [AN_BINH, TAN_LAP]
    assert codes(divided.unit_on(AN_BINH, LATER)) == [AN_BINH]  # meant on that day: the smaller An Bình
    assert divided.successors(AN_BINH, JUNE) == {Life(AN_BINH, MERGER), Life(TAN_LAP, MERGER)}


def test_history_of_a_divided_unit_counts_with_its_main_heir_only(divided):
    assert divided.heir(AN_BINH, JUNE, as_of=LATER) == Life(AN_BINH, MERGER)
    assert divided.predecessors(TAN_LAP, LATER) == {Life(AN_BINH, until=MERGER)}
    assert divided.predecessors(TAN_LAP, LATER, main_only=True) == set()


def test_before_the_merger_the_heir_of_a_unit_is_itself(merged):
    assert merged.heir(AN_BINH, JUNE, as_of=JUNE).code == AN_BINH
    assert merged.heir(AN_BINH, JUNE, as_of=MERGER).code == AN_MINH


def test_two_communes_may_exchange_their_codes():
    swapped = Lineage([Succession(AN_BINH, BINH_MINH, MERGER), Succession(BINH_MINH, AN_BINH, MERGER)])
    assert codes(swapped.unit_on(AN_BINH, LATER, meant_on=JUNE)) == [BINH_MINH]
    assert swapped.predecessors(AN_BINH, LATER) == {Life(BINH_MINH, until=MERGER)}


def test_a_code_may_be_given_again_to_a_unit_elsewhere():
    again = date(2029, 1, 1)
    lineage = Lineage([Succession(AN_BINH, AN_MINH, MERGER), Succession(BINH_MINH, AN_BINH, again)])
    assert codes(lineage.unit_on(AN_BINH, LATER, meant_on=JUNE)) == [AN_MINH]
    assert codes(lineage.unit_on(AN_BINH, date(2028, 1, 1))) == [AN_MINH]
    assert codes(lineage.unit_on(AN_BINH, LATER)) == [AN_BINH]
    assert lineage.predecessors(AN_BINH, LATER) == {Life(BINH_MINH, until=again)}


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([(AN_BINH, AN_MINH, None, True), (AN_BINH, AN_MINH, None, False)], "twice"),
        ([(AN_BINH, AN_MINH, None, True), (AN_BINH, TAN_LAP, None, True)], "main"),
        ([(AN_BINH, AN_MINH, None, False)], "main"),
        ([(AN_BINH, AN_MINH, Decimal("0.6"), True), (AN_BINH, TAN_LAP, Decimal("0.5"), False)], "shares"),
        ([(AN_BINH, AN_MINH, Decimal(0), True)], "shares"),
        ([(AN_BINH, AN_MINH, Decimal("NaN"), True)], "shares"),
    ],
)
def test_rows_that_contradict_each_other_are_refused(rows, reason):
    with pytest.raises(ValueError, match=reason):
        Lineage([Succession(old, new, MERGER, share, main) for old, new, share, main in rows])


def test_a_unit_cannot_end_twice():
    with pytest.raises(ValueError, match="no longer stood"):
        Lineage([Succession(AN_BINH, AN_MINH, MERGER), Succession(AN_BINH, TAN_LAP, LATER)])


@st.composite
def histories(draw):
    """Up to five years in which some of eight standing communes are merged, divided or keep their code."""
    standing = {f"0000{number}" for number in range(8)}
    rows = []
    for year in range(2026, 2026 + draw(st.integers(1, 5))):
        ending = draw(st.sets(st.sampled_from(sorted(standing))))
        heirs_of_all: set[str] = set()
        for old in sorted(ending):
            choice = sorted(ending) + [f"{year}{number}" for number in range(3)]
            heirs = draw(st.lists(st.sampled_from(choice), min_size=1, max_size=3, unique=True))
            share = Decimal(1) if len(heirs) == 1 else None
            rows += [Succession(old, new, date(year, 7, 1), share, new == heirs[0]) for new in heirs]
            heirs_of_all |= set(heirs)
        standing = standing - ending | heirs_of_all
    return rows, sorted(standing)


@given(histories())
def test_every_old_unit_counts_with_exactly_one_unit_of_today(history):
    rows, standing = history
    lineage = Lineage(rows)
    pools = {code: lineage.predecessors(code, LATER.replace(year=2040), main_only=True) for code in standing}
    for row in rows:
        old = lineage.unit(row.old, row.on.replace(day=1, month=6))
        heir = lineage.heir(row.old, row.on.replace(day=1, month=6), as_of=LATER.replace(year=2040))
        assert [code for code, pool in pools.items() if old in pool] == [heir.code]


@given(histories(), st.dates(date(2025, 1, 1), date(2035, 1, 1)))
def test_whoever_answers_on_a_day_stood_on_that_day(history, day):
    rows, _ = history
    lineage = Lineage(rows)
    for code in [f"0000{number}" for number in range(8)]:
        assert all(unit.since <= day < unit.until for unit in lineage.unit_on(code, day, meant_on=date(2025, 1, 1)))


@given(histories())
def test_successors_and_predecessors_are_two_views_of_one_history(history):
    rows, _ = history
    lineage = Lineage(rows)
    start = date(2025, 1, 1)
    for code in [f"0000{number}" for number in range(8)]:
        unit = lineage.unit(code, start)
        assert all(unit in lineage.predecessors(heir.code, heir.since) for heir in lineage.successors(code, start))


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_makes_no_difference(history, random):
    rows, standing = history
    shuffled = rows.copy()
    random.shuffle(shuffled)
    one, other = Lineage(rows), Lineage(shuffled)
    assert all(one.unit_on(code, JUNE, LATER) == other.unit_on(code, JUNE, LATER) for code in standing)


def test_a_file_of_mergers_is_read_line_by_line():
    lines = ["old,new,on,share,main", f"{AN_BINH},{AN_MINH},2026-07-01,1,1", f"{BINH_MINH},{AN_MINH},2026-07-01,,0"]
    assert read_successions(lines) == [
        Succession(AN_BINH, AN_MINH, MERGER),
        Succession(BINH_MINH, AN_MINH, MERGER, None, main=False),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("90001,90003,2026-07-32,1,1", "line 2"),
        ("90001,90003,2026-07-01,half,1", "share"),
        ("90001,90003,2026-07-01,1,yes", "main"),
        ("90001,,2026-07-01,1,1", "codes"),
        ("90001,90003,2026-07-01,1", "five columns"),
        ("90001,90003,2026-07-01,1,1,1", "five columns"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(line, reason):
    with pytest.raises(ValueError, match=reason):
        read_successions(["old,new,on,share,main", line])


def test_a_file_with_another_header_is_refused():
    with pytest.raises(ValueError, match="header"):
        read_successions(["from,to", "1,2"])
