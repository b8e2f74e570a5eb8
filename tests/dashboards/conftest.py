"""The desk, and released answers, for the tests of this folder."""

from collections.abc import Callable

import pytest
from flask import Flask

from core.db import transaction
from feedback.models import AnswerTally, Kind, RightsTally
from feedback.questionnaire import DEFAULT, OVERALL
from tests import cast
from tests.desk import desk, monday

__all__ = ["desk", "monday"]


@pytest.fixture
def released(app: Flask) -> Callable[..., None]:
    """`released(cast.AN_BINH, (0, 0, 1, 2, 7), served=20)`: answers of the cast's week, as a release leaves them."""

    def run(unit: str, counts: tuple[int, int, int, int, int], served: int, week: str = "2026-W47") -> None:
        office = 1 if unit == cast.AN_BINH else 2
        place = {"unit_code": unit, "office_id": office, "service_id": 1, "week": week, "kind": Kind.SERVED}
        levels = dict(zip(("n1", "n2", "n3", "n4", "n5"), counts, strict=True))
        with app.app_context(), transaction() as session:
            session.add(
                AnswerTally(**place, questionnaire=DEFAULT, question=OVERALL, released_at=cast.MONDAY, **levels)
            )
            session.add(RightsTally(**place, opened=served, rated=sum(counts), expired=0))

    return run
