"""An office at work, for tests: the machine's clock stands still on Monday at nine, and the desk is used by its API."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select, text

from core.db import Base, reader
from tests import cast
from tests.conftest import Program

STATES_AT_THE_END = {"done", "no_show", "cancelled", "expired"}


@pytest.fixture
def monday() -> Iterator[time_machine.Traveller]:
    """Nine o'clock on the cast's Monday; `monday.shift(seconds)` and `monday.move_to(moment)` turn the clock."""
    with time_machine.travel(cast.MONDAY, tick=False) as traveller:
        yield traveller


@dataclass
class Desk:
    """The software of one office."""

    program: Program
    office: str = cast.OFFICE

    def issue(self, service: str = "A", key: str | None = None, **more: Any) -> dict[str, Any]:
        response = self.program.post(f"/offices/{self.office}/tickets", {"service": service, **more}, key)
        assert response.status_code == 201, response.text
        return dict(response.json)

    def counter(self, code: str, verb: str, body: Any = None, status: int = 200) -> Any:
        response = self.program.post(f"/offices/{self.office}/counters/{code}/{verb}", body)
        assert response.status_code == status, response.text
        return response.json if response.data else None

    def ticket(self, ticket: str, verb: str, status: int = 200) -> Any:
        response = self.program.post(f"/tickets/{ticket}/{verb}")
        assert response.status_code == status, response.text
        return response.json

    def state(self) -> dict[str, Any]:
        return dict(self.program.get(f"/offices/{self.office}/state").json)

    def events(self, after: int = 0) -> list[dict[str, Any]]:
        return list(self.program.get(f"/offices/{self.office}/events?after={after}").json["events"])


@pytest.fixture
def desk(monday: time_machine.Traveller, program: Callable[..., Program]) -> Desk:
    """An Bình's office on Monday at nine, with nobody there yet."""
    return Desk(program("office"))


def everything(app: Flask) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, to compare before and after."""
    with app.app_context(), reader() as session:
        tables = {
            table.name: sorted((tuple(row) for row in session.execute(select(table))), key=repr)
            for table in Base.metadata.sorted_tables
        }
        tables["alembic_version"] = [tuple(row) for row in session.execute(text("SELECT * FROM alembic_version"))]
    return tables
