"""One key, one effect, one reply (contract.md, section 2; reliability.md, I3)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import time_machine
from flask import Flask

from core import idempotency
from core.db import transaction
from tests import cast
from tests.conftest import Program, Visitor
from tests.desk import Desk, everything

TICKETS = f"/offices/{cast.OFFICE}/tickets"


def test_the_same_request_again_gets_the_same_bytes_while_the_visit_is_open(
    desk: Desk, monday: time_machine.Traveller
) -> None:
    first = desk.program.post(TICKETS, {"service": "A"}, key="one")
    desk.issue()
    monday.shift(600)
    desk.counter("1", "open")
    desk.counter("1", "call-next")
    again = desk.program.post(TICKETS, {"service": "A"}, key="one")
    assert (again.status_code, again.data) == (201, first.data)
    assert again.json["url"] == first.json["url"] is not None
    assert desk.state()["waiting"] == 1


def test_the_link_is_gone_from_the_reply_once_the_visit_has_ended(desk: Desk) -> None:
    first = desk.program.post(TICKETS, {"service": "A"}, key="one").json
    desk.ticket(first["id"], "cancel")
    again = desk.program.post(TICKETS, {"service": "A"}, key="one")
    assert (again.status_code, again.json) == (201, {**first, "url": None})


def test_the_database_holds_no_link_even_while_the_reply_can_be_repeated(app: Flask, desk: Desk) -> None:
    link = desk.program.post(TICKETS, {"service": "A"}, key="one").json["url"].rpartition("/")[2]
    assert link not in repr(everything(app))


def test_a_key_used_for_another_request_is_refused(desk: Desk) -> None:
    first = desk.program.post(TICKETS, {"service": "A"}, key="one")
    assert desk.program.post(TICKETS, {"service": "B"}, key="one").status_code == 422
    assert desk.program.post(f"/tickets/{first.json['id']}/cancel", key="one").status_code == 422
    assert desk.program.post(TICKETS, {"service": "A"}, key="one").data == first.data
    assert desk.state()["waiting"] == 1


def test_a_repeated_press_calls_nobody_else(desk: Desk) -> None:
    desk.issue(), desk.issue()
    desk.counter("1", "open")
    path = f"/offices/{cast.OFFICE}/counters/1/call-next"
    replies = [desk.program.post(path, key="press") for _ in range(5)]
    assert {reply.data for reply in replies} == {replies[0].data}
    assert desk.state()["waiting"] == 1


def test_an_empty_reply_is_repeated_even_when_somebody_waits_by_now(desk: Desk) -> None:
    desk.counter("1", "open")
    path = f"/offices/{cast.OFFICE}/counters/1/call-next"
    assert desk.program.post(path, key="press").status_code == 204
    desk.issue()
    assert desk.program.post(path, key="press").status_code == 204
    assert desk.state()["waiting"] == 1


def test_a_refusal_is_repeated_as_well(desk: Desk) -> None:
    path = f"/offices/{cast.OFFICE}/counters/1/call-next"
    refused = desk.program.post(path, key="closed")
    desk.counter("1", "open")
    again = desk.program.post(path, key="closed")
    assert (again.status_code, again.data, again.mimetype) == (409, refused.data, "application/problem+json")
    unknown = desk.program.post(TICKETS, {"service": "Z"}, key="unknown")
    again = desk.program.post(TICKETS, {"service": "Z"}, key="unknown")
    assert (again.status_code, again.data) == (404, unknown.data)


def test_another_caller_with_the_same_key_is_independent(desk: Desk, program: Callable[..., Program]) -> None:
    numbers = [
        caller.post(TICKETS, {"service": "A"}, key="one").json["number"]
        for caller in (desk.program, program("kiosk"), program("office"))
    ]
    assert numbers == ["A001", "A002", "A003"]


def test_a_key_has_one_to_sixty_four_characters_of_any_script(desk: Desk) -> None:
    statuses = {}
    for key in ("k" * 64, "k" * 65, "", "chìa khóa", "ế" * 64, "ế" * 65, "khóa".encode().decode("latin-1")):
        headers = {"Authorization": f"Bearer {desk.program.secret}", "Idempotency-Key": key.encode().decode("latin-1")}
        reply = desk.program.client.post(f"/api/v1{TICKETS}", json={"service": "A"}, headers=headers)
        statuses[key] = reply.status_code
    assert list(statuses.values()) == [201, 422, 422, 201, 201, 422, 201]


def test_eight_senders_of_one_key_get_one_ticket_and_equal_bytes(app: Flask, desk: Desk) -> None:
    secret = desk.program.secret

    def send(key: str) -> tuple[int, bytes]:
        reply = Program(app.test_client(), secret).post(TICKETS, {"service": "A"}, key=key)
        return reply.status_code, reply.data

    with ThreadPoolExecutor(8) as crowd:
        replies = list(crowd.map(send, [f"key {number // 8}" for number in range(40)]))
    assert {status for status, _ in replies} == {201}
    assert len({body for _, body in replies}) == 5
    assert desk.state()["waiting"] == 5
    numbers = [event["ticket"]["number"] for event in desk.events() if event["kind"] == "issued"]
    assert numbers == ["A001", "A002", "A003", "A004", "A005"]


def test_eight_senders_of_one_refused_key_get_equal_bytes(app: Flask, desk: Desk) -> None:
    secret = desk.program.secret

    def send(_: int) -> tuple[int, bytes]:
        reply = Program(app.test_client(), secret).post(TICKETS, {"service": "Z"}, key="refused")
        return reply.status_code, reply.data

    with ThreadPoolExecutor(8) as crowd:
        replies = set(crowd.map(send, range(16)))
    assert len(replies) == 1
    assert next(iter(replies))[0] == 404


def test_a_key_lives_48_hours(app: Flask, desk: Desk, monday: time_machine.Traveller) -> None:
    first = desk.program.post(TICKETS, {"service": "A"}, key="one").json
    for hours, number in ((48, first["number"]), (49, "A001")):
        monday.move_to(cast.MONDAY + timedelta(hours=hours))
        with app.app_context(), transaction() as session:
            idempotency.forget_old(session, cast.MONDAY + timedelta(hours=hours))
        again = desk.program.post(TICKETS, {"service": "A"}, key="one").json
        assert again["number"] == number
        assert (again["id"] == first["id"]) is (hours == 48)


def test_a_form_sent_again_with_another_choice_is_another_request(logged_in: Callable[[str], Visitor]) -> None:
    clerk = logged_in("clerk")
    take = f"/kiosks/{cast.OFFICE}/tickets"
    first = clerk.post(take, {"key": "form", "service": "A"})
    again = clerk.post(take, {"key": "form", "service": "A"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert ("A001" in first.text, "A001" in again.text) == (True, True)
    assert clerk.post(take, {"key": "form", "service": "B"}).status_code == 422
