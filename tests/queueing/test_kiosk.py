"""The kiosk: two taps to a ticket, exactly one a press, and plain words when there is none (K3, K4, K8)."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from queueing.commands import turn_days
from tests import cast
from tests.conftest import Program, Visitor
from tests.desk import Desk
from tests.forms import forms, heading, press

KIOSK = f"/kiosks/{cast.OFFICE}"


@pytest.fixture
def kiosk(app: Flask, monday: time_machine.Traveller, program: Callable[..., Program]) -> Visitor:
    """A paired machine in the hall of An Bình."""
    machine = Visitor(app.test_client())
    assert machine.post("/device", {"token": program("kiosk").secret}).headers["Location"] == KIOSK
    return machine


def test_one_press_is_one_ticket_with_number_place_and_link(kiosk: Visitor, desk: Desk) -> None:
    page = kiosk.get(KIOSK)
    assert heading(page) == "Ông/bà cần làm việc gì?"
    ticket = press(kiosk, page, "Đất đai")
    assert (ticket.status_code, heading(ticket)) == (201, "Số của ông/bà B001")
    assert "<svg" in ticket.text
    assert "Quầy 2, Quầy 3" in ticket.text
    assert desk.state()["waiting"] == 1


def test_the_same_press_again_shows_the_same_ticket(kiosk: Visitor, desk: Desk) -> None:
    page = kiosk.get(KIOSK)
    tickets = [press(kiosk, page, "Tư pháp") for _ in range(3)]
    assert {heading(ticket) for ticket in tickets} == {"Số của ông/bà A001"}
    assert {ticket.status_code for ticket in tickets} == {201}
    assert len({ticket.data for ticket in tickets}) == 1
    assert desk.state()["waiting"] == 1
    assert heading(press(kiosk, kiosk.get(KIOSK), "Tư pháp")) == "Số của ông/bà A002", "a fresh page is a fresh press"


def test_priority_is_one_tap_and_logged_as_declared(kiosk: Visitor, desk: Desk) -> None:
    desk.issue()
    ticket = press(kiosk, kiosk.get(KIOSK), "Tư pháp", priority="elderly")
    assert "Ưu tiên: Người cao tuổi" in ticket.text
    desk.counter("1", "open")
    assert desk.counter("1", "call-next")["reason"] == "Được ưu tiên: Người cao tuổi."


def test_a_closed_office_says_when_it_opens_and_gives_no_number(
    app: Flask, monday: time_machine.Traveller, program: Callable[..., Program]
) -> None:
    machine = Visitor(app.test_client())
    machine.post("/device", {"token": program("kiosk", cast.OTHER_OFFICE).secret})
    address = f"/kiosks/{cast.OTHER_OFFICE}"
    morning = machine.get(address)
    monday.move_to(cast.MONDAY + timedelta(hours=3))
    with app.app_context():
        turn_days()
    assert "Mở lại lúc 13:30 hôm nay." in machine.get(address).text
    assert forms(machine.get(address)) == []
    refused = press(machine, morning, "Trả kết quả")
    assert (refused.status_code, heading(refused)) == (409, "Ngoài giờ làm việc")
    assert "Mở lại lúc 13:30 hôm nay." in refused.text
    monday.move_to(cast.MONDAY + timedelta(days=4, hours=9))
    assert "Mở lại lúc 07:30 ngày 23/11/2026." in machine.get(address).text


def test_a_full_day_says_so(app: Flask, monday: time_machine.Traveller, program: Callable[..., Program]) -> None:
    machine = Visitor(app.test_client())
    machine.post("/device", {"token": program("kiosk", cast.OTHER_OFFICE).secret})
    address = f"/kiosks/{cast.OTHER_OFFICE}"
    answers = [press(machine, machine.get(address), "Trả kết quả") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 409]
    assert heading(answers[-1]) == "Hôm nay đã hết số"


def test_a_choice_that_is_not_there_is_refused_in_words(kiosk: Visitor, desk: Desk) -> None:
    for form, status in (
        ({"key": "1", "service": "Z"}, 404),
        ({"key": "2"}, 404),
        ({"key": "3", "service": "A", "priority": "king"}, 422),
        ({"key": "4", "service": "A\0"}, 422),
        ({"service": "Z"}, 404),
        ({"key": "k" * 65, "service": "A"}, 422),
    ):
        refused = kiosk.post(KIOSK + "/tickets", form)
        assert refused.status_code == status
        assert "Traceback" not in refused.text
    assert desk.state()["waiting"] == 0


def test_twenty_tickets_a_minute_are_enough_for_one_machine(kiosk: Visitor) -> None:
    statuses = [kiosk.post(KIOSK + "/tickets", {"key": str(n), "service": "A"}).status_code for n in range(21)]
    assert statuses == [201] * 20 + [429]
    again = kiosk.post(KIOSK + "/tickets", {"key": "19", "service": "A"})
    assert (again.status_code, heading(again)) == (201, "Số của ông/bà A020")


def test_the_kiosk_asks_for_nothing_about_a_person(kiosk: Visitor) -> None:
    page = kiosk.get(KIOSK)
    (form,) = forms(page)
    assert set(form.fields) == {"key", "skin", "priority"}
    assert 'type="text"' not in page.text
