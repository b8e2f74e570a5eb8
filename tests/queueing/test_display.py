"""The hall display and the small screen above a counter: numbers only, for anyone (D2, D8)."""

import time_machine

from tests import cast
from tests.conftest import Visitor
from tests.desk import Desk

BOARD = f"/screens/{cast.OFFICE}/board"


def test_the_newest_call_stands_first_and_nobody_is_named(
    desk: Desk, visitor: Visitor, monday: time_machine.Traveller
) -> None:
    for service in "AAB":
        desk.issue(service)
    desk.counter("1", "open"), desk.counter("2", "open")
    desk.counter("1", "call-next")
    monday.shift(5)
    desk.counter("2", "call-next")
    for address in (f"/screens/{cast.OFFICE}", BOARD):
        page = visitor.get(address)
        assert page.status_code == 200
        assert page.text.index("B001") < page.text.index("A001")
        assert "A002" not in page.text
        assert "token:" not in page.text
        assert "/v/" not in page.text


def test_a_fragment_costs_nothing_while_nothing_changes(desk: Desk, visitor: Visitor) -> None:
    desk.issue()
    for address in (BOARD, f"/screens/{cast.OFFICE}/1/number"):
        first = visitor.get(address)
        same = visitor.get(address, headers={"If-None-Match": first.headers["ETag"]})
        assert (same.status_code, same.data) == (304, b"")
        assert same.headers["ETag"] == first.headers["ETag"]
    etag = visitor.get(BOARD).headers["ETag"]
    assert visitor.get(BOARD + "?lang=en", headers={"If-None-Match": etag}).status_code == 200, "in other words"
    visitor.get(BOARD + "?lang=vi")
    desk.issue()
    assert visitor.get(BOARD, headers={"If-None-Match": etag}).status_code == 200


def test_the_screen_of_a_counter_shows_its_own_number(desk: Desk, visitor: Visitor) -> None:
    desk.issue()
    desk.counter("1", "open")
    desk.counter("1", "call-next")
    assert "A001" in visitor.get(f"/screens/{cast.OFFICE}/1").text
    assert "A001" in visitor.get(f"/screens/{cast.OFFICE}/1/number").text
    assert "A001" not in visitor.get(f"/screens/{cast.OFFICE}/2/number").text


def test_a_screen_that_is_not_there_is_404(desk: Desk, visitor: Visitor) -> None:
    for address in ("/screens/nowhere", "/screens/nowhere/board", f"/screens/{cast.OFFICE}/99", "/screens/a%00b"):
        assert visitor.get(address).status_code == 404
