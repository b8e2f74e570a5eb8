"""Fixed periods: weeks add up to months, quarters and years."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.periods import Period, week_of

days = st.dates(min_value=date(2001, 1, 1), max_value=date(2998, 12, 31))
years = st.integers(min_value=2000, max_value=2998)


@pytest.mark.parametrize(
    ("text", "first", "last", "weeks"),
    [
        ("2026-W47", date(2026, 11, 16), date(2026, 11, 22), 1),
        ("2026-10", date(2026, 9, 28), date(2026, 11, 1), 5),
        ("2026-11", date(2026, 11, 2), date(2026, 11, 29), 4),
        ("2026-12", date(2026, 11, 30), date(2027, 1, 3), 5),
        ("2026-Q4", date(2026, 9, 28), date(2027, 1, 3), 14),
        ("2026", date(2025, 12, 29), date(2027, 1, 3), 53),
        ("2027", date(2027, 1, 4), date(2028, 1, 2), 52),
        ("2026-W53", date(2026, 12, 28), date(2027, 1, 3), 1),
    ],
)
def test_a_period_is_made_of_the_weeks_whose_thursday_it_holds(text, first, last, weeks):
    period = Period.parse(text)

    assert (period.starts_on, period.ends_on, len(period.weeks())) == (first, last, weeks)
    assert str(period) == text


@pytest.mark.parametrize(
    ("day", "week", "month", "year"),
    [
        (date(2027, 1, 1), "2026-W53", "2026-12", "2026"),  # a Friday
        (date(2025, 12, 31), "2026-W01", "2026-01", "2026"),  # a Wednesday
        (date(2026, 11, 1), "2026-W44", "2026-10", "2026"),  # a Sunday
    ],
)
def test_a_day_at_an_edge_goes_with_its_week(day, week, month, year):
    assert week_of(day) == week
    assert str(Period.holding("week", day)) == week
    assert str(Period.holding("month", day)) == month
    assert str(Period.holding("year", day)) == year


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("2026-W01", "2025-W52"),
        ("2027-W01", "2026-W53"),
        ("2026-01", "2025-12"),
        ("2026-Q1", "2025-Q4"),
        ("2026-Q4", "2026-Q3"),
        ("2026", "2025"),
    ],
)
def test_the_previous_period_is_of_the_same_kind(text, before):
    assert str(Period.parse(text).previous()) == before


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2025-W53", "W01 to W52"),
        ("2026-W00", "W01 to W53"),
        ("2026-W54", "W01 to W53"),
        ("2026-00", "01 to 12"),
        ("2026-13", "01 to 12"),
        ("2026-Q5", "write 2026-W47"),
        ("2026-W7", "write 2026-W47"),
        ("2026-w47", "write 2026-W47"),
        ("2026-10-01", "write 2026-W47"),
        ("2026-10-01..2026-10-07", "write 2026-W47"),
        ("", "write 2026-W47"),
        ("2026\n", "write 2026-W47"),
        ("٢٠٢٦", "write 2026-W47"),  # digits, but not ours
        ("0001", "years go from"),
        ("9999", "years go from"),
    ],
)
def test_other_texts_are_refused_with_a_reason(text, reason):
    with pytest.raises(ValueError, match=reason):
        Period.parse(text)


@given(years)
def test_weeks_add_up_to_months_months_to_quarters_quarters_to_the_year(year):
    whole = Period.parse(f"{year}").weeks()
    quarters = [Period.parse(f"{year}-Q{q}").weeks() for q in (1, 2, 3, 4)]
    months = [Period.parse(f"{year}-{m:02}").weeks() for m in range(1, 13)]

    assert sum(quarters, ()) == whole
    assert sum(months, ()) == whole
    assert [sum(months[i : i + 3], ()) for i in (0, 3, 6, 9)] == quarters
    assert len(whole) in (52, 53)
    assert all(week.startswith(f"{year}-W") for week in whole)


@given(days, st.sampled_from(["week", "month", "quarter", "year"]))
def test_every_day_lies_in_the_one_period_that_holds_it(day, kind):
    period = Period.holding(kind, day)

    assert period.starts_on <= day <= period.ends_on
    assert week_of(day) in period.weeks()
    assert period == Period.parse(str(period))
    assert period.previous().ends_on + timedelta(days=1) == period.starts_on
