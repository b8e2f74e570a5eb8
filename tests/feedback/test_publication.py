"""What is shown of a small cell, and that subtraction does not show the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.publication import FIGURES_FROM, comparable, display, hidden_children


@pytest.mark.parametrize(
    ("n", "shown"),
    [
        (0, "hidden"),
        (4, "hidden"),
        (5, "count_only"),
        (9, "count_only"),
        (10, "little"),
        (29, "little"),
        (30, "full"),
        (5_000, "full"),
    ],
)
def test_how_much_is_shown_depends_on_the_number_of_answers(n, shown):
    assert display(n) == shown


@pytest.mark.parametrize(
    ("n", "rate", "answer"),
    [(30, 10, True), (29, 50, False), (30, 9.99, False), (500, None, False), (500, 12.5, True)],
)
def test_communes_are_compared_from_30_answers_and_a_tenth_of_the_visits(n, rate, answer):
    assert comparable(n, rate) is answer


@pytest.mark.parametrize(
    ("children", "hidden"),
    [
        ({}, set()),
        ({"a": 40, "b": 50}, set()),
        ({"a": 4, "b": 50, "c": 60}, {"a", "b"}),  # parent - b - c would be a
        ({"a": 7, "b": 50, "c": 60}, {"a", "b"}),  # only n of a is shown, so its figures must not follow either
        ({"a": 7, "b": 6, "c": 60}, {"a", "b"}),  # two, 13 answers together
        ({"a": 3, "b": 4, "c": 60, "d": 70}, {"a", "b", "c"}),  # two, but 7 answers together are no figure
        ({"a": 0, "b": 50, "c": 60}, {"a"}),  # nothing to conceal
        ({"a": 0, "b": 4, "c": 50, "d": 60}, {"a", "b", "c"}),  # an empty office conceals nobody
        ({"a": 4}, {"a"}),  # nobody left to join
    ],
)
def test_a_hidden_child_does_not_follow_from_its_parent(children, hidden):
    assert hidden_children(children) == hidden


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.integers(min_value=0, max_value=60), max_size=12))
def test_what_subtraction_gives_is_never_a_cell_that_would_be_hidden(children):
    hidden = hidden_children(children)
    concealed = [children[code] for code in hidden if children[code]]

    assert all(n >= FIGURES_FROM for code, n in children.items() if code not in hidden)
    if concealed and hidden != set(children):
        assert len(concealed) >= 2
        assert sum(concealed) >= FIGURES_FROM
