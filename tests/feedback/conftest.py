"""Visits and their links for the tests of this folder."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import time_machine
from flask import Flask

from tests.conftest import Visitor
from tests.desk import Desk, desk, monday

__all__ = ["desk", "monday"]


@dataclass
class Visit:
    """One citizen with a ticket and the link from its paper."""

    desk: Desk
    ticket: dict[str, Any]
    path: str
    person: Visitor = field(repr=False)

    def get(self, part: str = "") -> Any:
        return self.person.get(self.path + part)

    def rate(self, overall: int | str, part: str = "/rating") -> Any:
        return self.person.post(self.path + part, {"overall": str(overall)})

    def details(self, **levels: int) -> Any:
        return self.person.post(self.path + "/rating/details", {code: str(level) for code, level in levels.items()})


@pytest.fixture
def take(app: Flask, desk: Desk) -> Callable[..., Visit]:
    """`take()` gives a citizen a ticket of service A."""

    def run(service: str = "A") -> Visit:
        ticket = desk.issue(service)
        return Visit(desk, ticket, "/v/" + ticket["url"].rpartition("/")[2], Visitor(app.test_client()))

    return run


@pytest.fixture
def served(take: Callable[..., Visit], desk: Desk, monday: time_machine.Traveller) -> Callable[..., Visit]:
    """`served()` is a citizen whose visit of five minutes has just ended."""

    def run(service: str = "A", seconds: float = 300) -> Visit:
        visit = take(service)
        desk.counter("3", "open")
        desk.counter("3", "call", {"ticket": visit.ticket["id"]})
        desk.ticket(visit.ticket["id"], "start")
        monday.shift(seconds)
        desk.ticket(visit.ticket["id"], "finish")
        return visit

    return run
