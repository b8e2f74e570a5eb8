"""The index that programs read (contract.md, section 4): pooled over mergers, hidden while few answered."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from flask import Flask
from jsonschema import Draft202012Validator

from core.db import reader, transaction
from feedback import queries
from feedback.figures import pooled_units, unit_index
from feedback.models import AnswerTally, Kind, RightsTally
from feedback.questionnaire import DEFAULT, OVERALL
from feedback.sipas import Tally
from queueing.openapi import INDEX, UNIT_ROW
from tests import cast
from tests.conftest import Program
from tests.desk import Desk
from tests.feedback.conftest import Visit
from units.queries import current_unit

AFTER = datetime(2027, 2, 1, 2, 0, tzinfo=UTC)
WEEK = "2026-W47"


def released(app: Flask, unit: str, office: int, counts: tuple[int, int, int, int, int], served: int) -> None:
    """Answers of that week as a release leaves them, and how many were served."""
    place = {"unit_code": unit, "office_id": office, "service_id": 1, "week": WEEK, "kind": Kind.SERVED}
    levels = dict(zip(("n1", "n2", "n3", "n4", "n5"), counts, strict=True))
    with app.app_context(), transaction() as session:
        session.add(AnswerTally(**place, questionnaire=DEFAULT, question=OVERALL, released_at=cast.MONDAY, **levels))
        session.add(RightsTally(**place, opened=served, rated=sum(counts), expired=0))


def merge(app: Flask) -> None:
    with app.app_context(), transaction() as session:
        cast.merge_into_an_minh(session)


def test_the_index_is_what_one_computes_by_hand(
    app: Flask, served: Callable[..., Visit], program: Callable[..., Program]
) -> None:
    for overall in (5, 5, 5, 5, 4, 4, 4, 3, 2, 1):
        visit = served()
        assert visit.rate(overall).status_code == 303
        assert visit.details(access=5).status_code == 303
    for _ in range(2):
        served()
    reader_of_an_binh = program("reader", None, cast.AN_BINH)
    figure = reader_of_an_binh.get(f"/units/{cast.AN_BINH}/index?period={WEEK}").json
    Draft202012Validator(INDEX).validate(figure)
    assert {name: figure[name] for name in ("unit", "period", "method", "served", "invited", "answered", "index")} == {
        "unit": cast.AN_BINH, "period": WEEK, "method": "top-two", "served": 12, "invited": 12, "answered": 10,
        "index": 70.0,
    }  # fmt: skip
    assert figure["response_rate"] == 83.33
    # If both silent visitors were unhappy: 7 of 12; if happy: 9 of 12.
    assert figure["bounds"] == [58.33, 75.0]
    assert figure["suppressed"] is False
    assert figure["published_at"].startswith("2026-11-16T")
    access = figure["elements"][0]
    assert (access["code"], access["n"], access["index"], access["levels"]) == ("access", 10, 100.0, [0, 0, 0, 0, 10])
    (low, high) = figure["interval"]
    assert low < 70 < high
    mean = reader_of_an_binh.get(f"/units/{cast.AN_BINH}/index?period={WEEK}&method=mean5").json
    assert mean["index"] == 76.0  # mean level 3.8 of 5
    rescaled = reader_of_an_binh.get(f"/units/{cast.AN_BINH}/index?period={WEEK}&method=rescaled").json
    assert rescaled["index"] == 70.0  # (3.8 - 1) / 4
    for period in ("2026-11", "2026-Q4", "2026"):
        assert reader_of_an_binh.get(f"/units/{cast.AN_BINH}/index?period={period}").json["index"] == 70.0
    empty = reader_of_an_binh.get(f"/units/{cast.AN_BINH}/index?period=2026-W48").json
    assert (empty["served"], empty["index"], empty["interval"], empty["suppressed"]) == (0, None, None, True)


@pytest.mark.parametrize(
    ("n", "answered", "has_index"), [(4, None, False), (5, 5, False), (9, 9, False), (10, 10, True)]
)
def test_few_answers_are_hidden_in_steps(
    sqlite_app: Flask, n: int, answered: int | None, has_index: bool, monday: time_machine.Traveller
) -> None:
    released(sqlite_app, cast.AN_BINH, 1, (0, 0, 0, 0, n), served=20)
    with sqlite_app.app_context(), reader() as session:
        figure = unit_index(session, current_unit(session, cast.AN_BINH), WEEK, cast.MONDAY)
    assert figure["answered"] == answered
    assert (figure["index"] == 100.0) is has_index
    assert figure["suppressed"] is not has_index
    if not has_index:
        assert "100" not in json.dumps({name: figure[name] for name in ("index", "interval", "bounds", "elements")})


def test_history_pools_answers_and_not_percentages(app: Flask) -> None:
    """An Bình (3 of 4 satisfied) and Bình Minh (0 of 1) became An Minh: 3 of 5, not the mean of 75 and 0."""
    released(app, cast.AN_BINH, 1, (0, 1, 0, 1, 2), served=6)
    released(app, cast.BINH_MINH, 2, (1, 0, 0, 0, 0), served=1)
    merge(app)
    with app.app_context(), reader() as session:
        an_minh = current_unit(session, cast.AN_MINH)
        now = pooled_units(session, an_minh, AFTER.date())
        then = pooled_units(session, an_minh, AFTER.date(), "then")
        pooled = queries.tallies(session, now, [WEEK])[OVERALL]
        assert queries.tallies(session, then, [WEEK]) == {}
    assert now == [cast.AN_BINH, cast.BINH_MINH, cast.AN_MINH]
    assert then == [cast.AN_MINH]
    assert pooled == Tally((1, 1, 0, 1, 2))
    assert queries.figure(pooled, served=7).percent == 60


def test_a_merged_commune_is_read_as_now_or_as_then(
    app: Flask, program: Callable[..., Program], monday: time_machine.Traveller
) -> None:
    released(app, cast.AN_BINH, 1, (0, 10, 0, 10, 20), served=60)
    released(app, cast.BINH_MINH, 2, (10, 0, 0, 0, 0), served=10)
    merge(app)
    monday.move_to(AFTER)
    leader = program("reader", None, cast.PROVINCE)
    address = f"/units/{cast.AN_MINH}/index?period={WEEK}"
    now = leader.get(f"{address}&as=now").json
    assert (now["index"], now["answered"], now["served"]) == (60.0, 50, 70)
    assert leader.get(address).json == now
    then = leader.get(f"{address}&as=then").json
    assert (then["index"], then["answered"], then["served"], then["suppressed"]) == (None, None, 0, True)
    alone = leader.get(f"/units/{cast.AN_BINH}/index?period={WEEK}").json
    assert alone["index"] == 75.0
    province = leader.get(f"/units/{cast.PROVINCE}/index?period={WEEK}").json
    assert (province["index"], province["answered"]) == (60.0, 50), "nobody is counted twice"


def test_a_question_that_makes_no_sense_is_422(program: Callable[..., Program], monday: time_machine.Traveller) -> None:
    leader = program("reader", None, cast.PROVINCE)
    questions = ("", "period=", "period=2026-13", "period=2026-W54", "period=last%20week", "period=2026%00")
    questions += ("period=2026&method=best", "period=2026&as=ever", "period=0000", f"period={'9' * 5000}")
    for question in questions:
        response = leader.get(f"/units/{cast.AN_BINH}/index?{question}")
        assert (response.status_code, response.mimetype) == (422, "application/problem+json"), question


def test_who_may_read_which_unit(desk: Desk, program: Callable[..., Program], monday: time_machine.Traveller) -> None:
    own, other, above = (program("reader", None, unit) for unit in (cast.AN_BINH, cast.BINH_MINH, cast.PROVINCE))
    for part in (f"index?period={WEEK}", "children"):
        statuses = {
            name: [caller.get(f"/units/{unit}/{part}").status_code for unit in (cast.AN_BINH, cast.PROVINCE, "99999")]
            for name, caller in (("own", own), ("other", other), ("above", above), ("office", desk.program))
        }
        assert statuses == {
            "own": [200, 403, 404], "other": [403, 403, 404], "above": [200, 200, 404], "office": [200, 403, 404],
        }  # fmt: skip
    assert program("kiosk").get(f"/units/{cast.AN_BINH}/index?period={WEEK}").status_code == 403


def test_children_come_with_their_validity_and_what_went_into_them(
    app: Flask, program: Callable[..., Program], monday: time_machine.Traveller
) -> None:
    leader = program("reader", None, cast.PROVINCE)
    rows: list[dict[str, Any]] = leader.get(f"/units/{cast.PROVINCE}/children").json
    for row in rows:
        Draft202012Validator(UNIT_ROW).validate(row)
    assert [(row["code"], row["name"], row["valid_from"], row["valid_to"]) for row in rows] == [
        (cast.AN_BINH, "Xã An Bình", "2025-07-01", None),
        (cast.BINH_MINH, "Phường Bình Minh", "2025-07-01", None),
    ]
    assert leader.get(f"/units/{cast.AN_BINH}/children").json == []
