"""Who is called next, as arithmetic: the order is total, nobody starves, and every pick has its reason."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queueing.dispatch import Choice, Head, Policy, pick

NINE = datetime(2026, 11, 16, 2, 0, tzinfo=UTC)
HEAD_START = 45
DELAY = 20

VIRTUAL = Policy.parse("virtual-arrival")
policies = st.sampled_from(["virtual-arrival", "strict", "interleave:2", "interleave:3"]).map(Policy.parse)


@st.composite
def heads(draw: st.DrawFn, priority: st.SearchStrategy[str | None] | None = None) -> list[Head]:
    """Heads of up to six queues; revisions differ, as they do in one office."""
    classes = priority if priority is not None else st.sampled_from([None, None, "elderly", "disabled"])
    numbers = draw(st.lists(st.integers(1, 500), max_size=6, unique=True))
    return [draw(_head(number, classes)) for number in numbers]


def _head(number: int, classes: st.SearchStrategy[str | None]) -> st.SearchStrategy[Head]:
    return st.builds(
        Head,
        ticket_id=st.just(f"ticket-{number}"),
        arrival=st.integers(0, 12).map(lambda steps: NINE + timedelta(minutes=5 * steps)),
        revision=st.just(number),
        delay=st.sampled_from([timedelta(0), timedelta(minutes=10)]),
        priority=classes,
    )


@given(heads(), policies, st.integers(0, 5), st.randoms())
def test_the_order_in_which_the_heads_are_read_does_not_matter(
    waiting: list[Head], policy: Policy, since: int, chance: random.Random
) -> None:
    mixed = list(waiting)
    chance.shuffle(mixed)
    assert pick(mixed, policy, since) == pick(waiting, policy, since)


@given(heads(), policies, st.integers(0, 5))
def test_somebody_is_called_whenever_somebody_waits(waiting: list[Head], policy: Policy, since: int) -> None:
    choice = pick(waiting, policy, since)
    assert (choice is None) is (waiting == [])
    assert choice is None or choice.ticket_id in {head.ticket_id for head in waiting}


@given(heads(st.none()), policies, st.integers(0, 5))
def test_where_nobody_has_priority_all_policies_agree(waiting: list[Head], policy: Policy, since: int) -> None:
    assert pick(waiting, policy, since) == pick(waiting, VIRTUAL)


@given(heads())
def test_the_smallest_virtual_arrival_plus_delay_is_called_and_issue_order_decides_between_equals(
    waiting: list[Head],
) -> None:
    choice = pick(waiting, VIRTUAL)
    if choice is not None:
        called = next(head for head in waiting if head.ticket_id == choice.ticket_id)
        assert all(
            (called.arrival + called.delay, called.revision) <= (h.arrival + h.delay, h.revision) for h in waiting
        )


@given(heads(), st.integers(0, 5))
def test_strict_calls_priority_first_and_interleave_every_nth(waiting: list[Head], since: int) -> None:
    classes = {head.ticket_id: head.priority for head in waiting}
    has = {bool(priority) for priority in classes.values()}
    strict = pick(waiting, Policy.parse("strict"))
    third = pick(waiting, Policy.parse("interleave:3"), since)
    if strict is not None and third is not None:
        assert bool(classes[strict.ticket_id]) is (True in has)
        wanted = since >= 2
        assert bool(classes[third.ticket_id]) is (wanted if wanted in has else not wanted)


@given(heads(), policies, st.integers(0, 5))
def test_the_reason_is_true(waiting: list[Head], policy: Policy, since: int) -> None:
    choice = pick(waiting, policy, since)
    if choice is None:
        return
    called = next(head for head in waiting if head.ticket_id == choice.ticket_id)
    kind, _, detail = choice.reason.partition(":")
    overtaken = any(head.revision < called.revision for head in waiting)
    if kind == "priority":
        assert detail == called.priority
        assert overtaken
    elif kind == "helper":
        assert timedelta(minutes=int(detail)) == called.delay > timedelta(0)
    else:
        assert kind == "earliest"
        assert not called.delay


arrivals = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([0, 0, 0, HEAD_START]), st.sampled_from([0, DELAY])),
    min_size=1,
    max_size=60,
)


@given(arrivals, st.integers(1, 10))
def test_nobody_starves(people: list[tuple[int, int, int]], pace: int) -> None:
    """A later arrival overtakes by at most the largest head start plus the largest delay, however many come."""
    minute, heads = 0, []
    for number, (gap, head_start, delay) in enumerate(people):
        minute += gap
        came = NINE + timedelta(minutes=minute - head_start)
        priority = "elderly" if head_start else None
        heads.append((minute, Head(f"{number}", came, number, timedelta(minutes=delay), priority)))
    came_at = {head.ticket_id: minute for minute, head in heads}
    now, queue = 0, list(heads)
    while queue:
        now = max(now, queue[0][0]) if not [one for one in queue if one[0] <= now] else now
        waiting = [head for minute, head in queue if minute <= now]
        choice = pick(waiting, VIRTUAL)
        assert isinstance(choice, Choice)
        earliest = min(came_at[head.ticket_id] for head in waiting)
        assert came_at[choice.ticket_id] - earliest <= HEAD_START + DELAY
        queue = [one for one in queue if one[1].ticket_id != choice.ticket_id]
        now += pace


@pytest.mark.parametrize(
    "text", ["", "Strict", "strict:2", "interleave", "interleave:1", "interleave:x", "fifo", "interleave:²"]
)
def test_a_policy_that_does_not_exist_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="virtual-arrival"):
        Policy.parse(text)
