"""Offices that many people use at once, on a real server."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.load.traffic import Place, settle


@pytest.fixture
def place(database_url: str, tmp_path: Path) -> Callable[..., Place]:
    """`place(offices=8, counters=3)`: that many busy offices in a database of this test's own, of each kind."""

    def make(offices: int, counters: int = 3, services: Sequence[str] = "AB") -> Place:
        return settle(database_url, tmp_path, offices, counters, services)

    return make


@pytest.fixture
def sqlite_place(sqlite_url: str, tmp_path: Path) -> Callable[..., Place]:
    """The same on SQLite only: for what does not depend on the database."""

    def make(offices: int, counters: int = 3, services: Sequence[str] = "AB") -> Place:
        return settle(sqlite_url, tmp_path, offices, counters, services)

    return make
