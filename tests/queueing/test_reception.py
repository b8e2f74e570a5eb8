"""Reception: the same as the kiosk for staff, with what was issued last."""

from collections.abc import Callable

import time_machine

from tests import cast
from tests.conftest import Visitor
from tests.desk import Desk
from tests.forms import heading, press

RECEPTION = f"/reception/{cast.OFFICE}"


def test_a_clerk_issues_and_sees_what_was_issued_last(
    desk: Desk, logged_in: Callable[[str], Visitor], monday: time_machine.Traveller
) -> None:
    clerk = logged_in("clerk")
    assert "Hôm nay chưa cấp số nào." in clerk.get(RECEPTION).text
    desk.issue("B")
    ticket = press(clerk, clerk.get(RECEPTION), "Tư pháp")
    assert (ticket.status_code, heading(ticket)) == (201, "Số của ông/bà A001")
    assert f'href="{RECEPTION}"' in ticket.text
    page = clerk.get(RECEPTION).text
    assert page.index("A001") < page.index("B001"), "newest first"
    assert [event["ticket"]["number"] for event in desk.events() if event["kind"] == "issued"] == ["B001", "A001"]


def test_the_channel_says_where_the_ticket_was_taken(desk: Desk, logged_in: Callable[[str], Visitor]) -> None:
    clerk = logged_in("clerk")
    press(clerk, clerk.get(RECEPTION), "Tư pháp")
    desk.counter("1", "open")
    assert desk.counter("1", "call-next")["channel"] == "reception"


def test_staff_of_another_office_are_turned_away(desk: Desk, logged_in: Callable[[str], Visitor]) -> None:
    other = logged_in("other-clerk")
    assert other.get(RECEPTION).status_code == 403
    assert other.post(f"/kiosks/{cast.OFFICE}/tickets", {"service": "A"}).status_code == 403
    assert desk.state()["waiting"] == 0
