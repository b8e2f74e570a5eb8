"""A figure from which another one could be computed is not shown, on whatever page or API it is asked for."""

from collections.abc import Callable

import pytest
from flask import Flask

from core.db import add_up, transaction
from feedback.models import AnswerTally, Kind, RightsTally
from feedback.questionnaire import DEFAULT, OVERALL
from tests import cast
from tests.conftest import Program, Visitor

WEEK = "2026-W46"


def release(app: Flask, unit: str, office_id: int, satisfied: int) -> None:
    cell = {"unit_code": unit, "office_id": office_id, "service_id": 1, "week": WEEK, "kind": Kind.SERVED}
    series = {**cell, "questionnaire": DEFAULT, "question": OVERALL}
    with app.app_context(), transaction() as session:
        counts = {"n1": 0, "n2": 0, "n3": 0, "n4": 0, "n5": satisfied}
        add_up(session, AnswerTally, series, counts, released_at=cast.MONDAY)
        add_up(session, RightsTally, cell, {"opened": 2 * satisfied, "rated": satisfied, "expired": 0})


@pytest.mark.parametrize(("small", "is_shown"), [(8, False), (0, True), (12, True)])
def test_the_neighbour_of_a_hidden_commune_is_kept_back_everywhere(
    app: Flask,
    program: Callable[..., Program],
    logged_in: Callable[[str], Visitor],
    small: int,
    is_shown: bool,
) -> None:
    """An Bình has 40 answers; Bình Minh 8 (hidden, so 48 - 40 would tell), none (nothing to tell) or 12 (shown)."""
    release(app, cast.AN_BINH, 1, 40)
    if small:
        release(app, cast.BINH_MINH, 2, small)
    reader = program("reader", None, cast.PROVINCE)
    index = reader.get(f"/units/{cast.AN_BINH}/index?period={WEEK}").json
    assert (index["index"] is not None) == is_shown
    assert (index["answered"] is not None) == is_shown
    leader = logged_in("province-leader")
    for address in (f"/units/{cast.AN_BINH}?period={WEEK}", f"/units/{cast.PROVINCE}?period={WEEK}&q=an binh"):
        page = leader.get(address).text
        assert ("suy ra" not in page) == is_shown, address
    assert reader.get(f"/units/{cast.PROVINCE}/index?period={WEEK}").json["answered"] == 40 + small
