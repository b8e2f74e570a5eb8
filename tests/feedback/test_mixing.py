"""On PostgreSQL the hidden columns of a row must not lead from ticket to right, nor from right to answer."""

from collections.abc import Callable

from flask import Flask
from sqlalchemy import text

from core.db import current_database, reader
from feedback.commands import mix_ratings
from tests.feedback.conftest import Visit

TRACES = {
    "ticket to right": "SELECT count(*) FROM tickets a JOIN rating_rights b ON a.xmin::text = b.xmin::text",
    "event to right": "SELECT count(*) FROM office_events a JOIN rating_rights b ON a.xmin::text = b.xmin::text",
    "right to answer": "SELECT count(*) FROM rating_rights a JOIN rating_inbox b ON a.xmin::text = b.xmin::text",
}


def traces(app: Flask) -> dict[str, int]:
    with app.app_context(), reader() as session:
        return {name: session.scalar(text(query)) or 0 for name, query in TRACES.items()}


def test_the_database_forgets_which_rows_were_written_together(app: Flask, served: Callable[..., Visit]) -> None:
    for overall in (5, 4, 1):
        visit = served()
        visit.rate(overall)
        visit.details()
    for _ in range(3):
        served()
    with app.app_context():
        if current_database().is_sqlite:
            mix_ratings()  # its rows have no such columns; the routine does no harm
            return
    assert traces(app) == {"ticket to right": 3, "event to right": 3, "right to answer": 3}
    with app.app_context():
        mix_ratings()
    assert traces(app) == {"ticket to right": 0, "event to right": 0, "right to answer": 0}
