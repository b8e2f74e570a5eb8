"""The desk's HTTP API keeps contract.md, section 2: shapes, statuses, refusals."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import time_machine
from flask import Flask
from jsonschema import Draft202012Validator

from queueing import openapi
from queueing.commands import turn_days
from tests import cast
from tests.conftest import Program
from tests.desk import Desk, everything

TICKETS = f"/offices/{cast.OFFICE}/tickets"


def fits(schema: dict[str, Any], document: Any) -> None:
    Draft202012Validator(schema).validate(document)
    assert set(schema["required"]) <= set(document)


def is_problem(response: Any, status: int, **keys: str) -> None:
    assert response.status_code == status, response.text
    assert response.mimetype == "application/problem+json"
    fits(openapi.PROBLEM, response.json)
    assert response.json["status"] == status
    assert {name: response.json.get(name) for name in keys} == keys


def test_an_office_shows_its_set_up(desk: Desk) -> None:
    shown = desk.program.get(f"/offices/{cast.OFFICE}").json
    fits(openapi.OFFICE, shown)
    assert shown["unit"] == cast.AN_BINH
    assert shown["timezone"] == "Asia/Ho_Chi_Minh"
    assert shown["business_date"] == "2026-11-16"
    assert shown["open"] is True
    assert shown["services"][0] == {
        "code": "A", "name": "Tư pháp - Hộ tịch - Chứng thực", "prefix": "A", "active": True,
    }  # fmt: skip
    assert [(one["code"], one["state"], one["services"]) for one in shown["counters"]] == [
        ("1", "closed", ["A", "B"]),
        ("2", "closed", ["B", "A"]),
        ("3", "closed", ["A", "B"]),
    ]


def test_a_new_ticket_has_the_shape_of_the_contract(desk: Desk) -> None:
    ticket = desk.issue("A", priority="elderly", channel="reception")
    fits(openapi.TICKET, ticket)
    assert ticket["url"].startswith("http://localhost/v/")
    assert {name: ticket[name] for name in ("number", "office", "service", "priority", "state", "channel")} == {
        "number": "A001", "office": cast.OFFICE, "service": "A", "priority": "elderly", "state": "waiting",
        "channel": "reception",
    }  # fmt: skip
    assert ticket["business_date"] == "2026-11-16"
    assert ticket["issued_at"] == "2026-11-16T09:00:00.000+07:00"
    assert (ticket["ahead"], ticket["calls"], ticket["called_at"], ticket["counter"]) == (0, 0, None, None)


def test_the_link_is_given_once_and_never_by_reading(desk: Desk) -> None:
    ticket = desk.issue()
    again = desk.program.get(f"/tickets/{ticket['id']}").json
    assert again == {**ticket, "url": None}


def test_a_ticket_goes_through_its_life(desk: Desk, monday: time_machine.Traveller) -> None:
    ticket = desk.issue()
    assert desk.counter("1", "open")["state"] == "open"
    monday.shift(60)
    called = desk.counter("1", "call-next")
    fits(openapi.TICKET, called)
    assert (called["id"], called["state"], called["counter"], called["calls"]) == (ticket["id"], "called", "1", 1)
    assert (called["ahead"], called["wait"], called["url"]) == (None, None, None)
    assert called["called_at"] == "2026-11-16T09:01:00.000+07:00"
    assert called["reason"] == "Đến lượt theo thứ tự lấy số."
    assert desk.ticket(ticket["id"], "recall")["calls"] == 2
    assert desk.ticket(ticket["id"], "start")["state"] == "serving"
    monday.shift(300)
    done = desk.ticket(ticket["id"], "finish")
    assert (done["state"], done["finished_at"]) == ("done", "2026-11-16T09:06:00.000+07:00")


def test_nobody_waiting_is_204_without_a_body(desk: Desk) -> None:
    desk.counter("1", "open")
    response = desk.program.post(f"/offices/{cast.OFFICE}/counters/1/call-next")
    assert (response.status_code, response.data) == (204, b"")


def test_calling_the_next_finishes_whoever_is_still_there(desk: Desk) -> None:
    first, second = desk.issue(), desk.issue()
    desk.counter("1", "open")
    desk.counter("1", "call-next")
    assert desk.counter("1", "call-next")["id"] == second["id"]
    assert desk.program.get(f"/tickets/{first['id']}").json["state"] == "done"
    desk.counter("1", "call-next", status=204)
    assert desk.program.get(f"/tickets/{second['id']}").json["state"] == "done"


def test_a_particular_ticket_can_be_called_while_it_waits(desk: Desk) -> None:
    first, second = desk.issue(), desk.issue()
    desk.counter("1", "open")
    assert desk.counter("1", "call", {"ticket": second["id"]})["reason"] == "Cán bộ gọi đúng số này."
    desk.counter("2", "open")
    response = desk.program.post(f"/offices/{cast.OFFICE}/counters/2/call", {"ticket": second["id"]})
    is_problem(response, 409, state="called")
    desk.counter("1", "call", {"ticket": first["id"]}, status=409)
    desk.counter("2", "call", {"ticket": "0" * 20}, status=404)


def test_a_step_that_the_state_does_not_allow_says_which_state_it_is(desk: Desk) -> None:
    ticket = desk.issue()
    desk.ticket(ticket["id"], "cancel")
    for verb in ("recall", "start", "finish", "no-show", "cancel"):
        is_problem(desk.program.post(f"/tickets/{ticket['id']}/{verb}"), 409, state="cancelled")


def test_a_closed_counter_calls_nobody_and_a_busy_one_does_not_close(desk: Desk) -> None:
    desk.issue()
    desk.counter("1", "call-next", status=409)
    desk.counter("1", "open")
    desk.counter("1", "call-next")
    desk.counter("1", "close", status=409)
    paused = desk.counter("1", "pause", {"reason": "Họp"})
    assert (paused["state"], paused["services"]) == ("paused", ["A", "B"])


def test_a_full_day_and_a_closed_office_are_told_apart(
    app: Flask, program: Callable[..., Program], monday: time_machine.Traveller
) -> None:
    other = Desk(program("office", cast.OTHER_OFFICE), cast.OTHER_OFFICE)
    for _ in range(3):
        other.issue()
    path = f"/offices/{cast.OTHER_OFFICE}/tickets"
    is_problem(other.program.post(path, {"service": "A"}), 409, reason="full")
    monday.move_to(cast.MONDAY + timedelta(hours=3))
    is_problem(other.program.post(path, {"service": "A"}), 409, reason="closed")
    assert other.program.get(f"/offices/{cast.OTHER_OFFICE}").json["open"] is False
    with app.app_context():
        turn_days()  # what a server does every second
    assert other.state()["open"] is False


def test_the_wall_shows_numbers_and_no_more(desk: Desk, monday: time_machine.Traveller) -> None:
    desk.issue("A")
    desk.issue("B")
    desk.counter("1", "open")
    desk.counter("1", "call-next")
    monday.shift(90)
    shown = desk.state()
    fits(openapi.SNAPSHOT, shown)
    assert shown["calls"] == [
        {"number": "A001", "counter": "1", "called_at": "2026-11-16T09:00:00.000+07:00", "state": "called"}
    ]
    assert shown["waiting"] == 1
    assert [(row["code"], row["waiting"], row["longest_wait_s"]) for row in shown["services"]] == [
        ("A", 0, 0),
        ("B", 1, 90),
    ]
    assert shown["counters"][0] == {"code": "1", "state": "open", "number": "A001"}
    assert set(shown) == set(openapi.SNAPSHOT["required"])


def test_the_wall_needs_no_token_and_costs_nothing_while_it_stands_still(desk: Desk) -> None:
    desk.issue()
    client, path = desk.program.client, f"/api/v1/offices/{cast.OFFICE}/state"
    first = client.get(path)
    assert first.headers["ETag"] == f'"{first.json["revision"]}"'
    for etag in (first.headers["ETag"], f"W/{first.headers['ETag']}", f'"0", {first.headers["ETag"]}'):
        same = client.get(path, headers={"If-None-Match": etag})
        assert (same.status_code, same.data, same.headers["ETag"]) == (304, b"", first.headers["ETag"])
    desk.issue()
    assert client.get(path, headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_the_history_can_be_read_in_pages(desk: Desk) -> None:
    for _ in range(5):
        desk.issue()
    whole = desk.events()
    get = desk.program.get
    path = f"/offices/{cast.OFFICE}/events"
    assert [event["revision"] for event in whole] == list(range(1, len(whole) + 1))
    assert get(f"{path}?after=2&limit=3").json["events"] == whole[2:5]
    assert get(f"{path}?after={len(whole)}").json == {"events": [], "revision": len(whole)}
    assert get(f"{path}?limit=0").json["events"] == []
    # More than there is, or than is given at once, is no mistake.
    assert get(f"{path}?after={10**17}&limit={10**17}").json["events"] == []
    assert get(f"{path}?limit=100000").json["events"] == whole


def test_a_number_that_is_none_is_refused(desk: Desk) -> None:
    for number in ("-1", "1.5", "x", "", "%EF%BC%91", "9" * 30, "1%00"):
        for name in ("after", "limit"):
            is_problem(desk.program.get(f"/offices/{cast.OFFICE}/events?{name}={number}"), 422)


JSON = "application/json"
SENSELESS = [
    ("{", JSON, 400),
    ("[" * 40_000, JSON, 400),
    (b"\xff\xfe\xff", JSON, 400),
    ('{"service": 1' + "0" * 5000 + "}", JSON, 400),
    ('{"service": "A"}', "text/plain", 415),
    ("service=A", "application/x-www-form-urlencoded", 415),
    ('{"service": "' + "A" * 70_000 + '"}', JSON, 413),
    ("[]", JSON, 422),
    ("null", JSON, 422),
    ("{}", JSON, 422),
    ("", JSON, 422),
    ('{"service": 1}', JSON, 422),
    ('{"service": NaN}', JSON, 422),
    ('{"service": "A", "colour": "red"}', JSON, 422),
    ('{"service": "A", "priority": "nobody"}', JSON, 422),
    ('{"service": "A", "priority": "a\\u0000b"}', JSON, 422),
    ('{"service": "A", "channel": "telepathy"}', JSON, 422),
    ('{"service": "A\\u0000"}', JSON, 422),
    ('{"service": "\\ud800"}', JSON, 422),
    ('{"service": "\\u001b[2J"}', JSON, 422),
    ('{"service": "Z"}', JSON, 404),
    ('{"service": "Đ"}', JSON, 404),
]  # fmt: skip


def test_a_body_that_makes_no_sense_gets_its_status_and_leaves_nothing(app: Flask, desk: Desk) -> None:
    before = everything(app)
    for raw, content_type, status in SENSELESS:
        headers = {"Authorization": f"Bearer {desk.program.secret}", "Content-Type": content_type}
        is_problem(desk.program.client.post(f"/api/v1{TICKETS}", data=raw, headers=headers), status)
    assert everything(app) == before


def test_a_pause_needs_a_reason_that_can_be_shown(desk: Desk) -> None:
    desk.counter("1", "open")
    for reason in ("", "x" * 121, "a\x00b", "a\nb", 5, None):
        desk.counter("1", "pause", {"reason": reason}, status=422)
    assert desk.state()["counters"][0]["state"] == "open"


UNKNOWN = ["nowhere", "An-Binh-1", "Điểm", "a'b", "a%00b", "%F0%9F%98%80", "%ff", "x" * 2000, "..%2f", "%20"]


def test_what_is_not_there_is_404_for_the_office_and_for_the_counter_and_for_the_ticket(desk: Desk) -> None:
    for code in UNKNOWN:
        is_problem(desk.program.get(f"/offices/{code}"), 404)
        is_problem(desk.program.get(f"/offices/{code}/state"), 404)
        is_problem(desk.program.get(f"/offices/{code}/events"), 404)
        is_problem(desk.program.post(f"/offices/{code}/tickets", {"service": "A"}), 404)
        is_problem(desk.program.post(f"/offices/{cast.OFFICE}/counters/{code}/call-next"), 404)
        is_problem(desk.program.get(f"/tickets/{code}"), 404)
        is_problem(desk.program.post(f"/tickets/{code}/finish"), 404)


def test_addresses_that_are_not_in_the_contract_are_problems_too(desk: Desk) -> None:
    is_problem(desk.program.get("/nothing"), 404)
    is_problem(desk.program.get(f"//offices//{cast.OFFICE}"), 404)
    response = desk.program.get(TICKETS)
    is_problem(response, 405)
    assert set(response.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


def test_a_caller_without_a_valid_token_is_401_and_one_of_another_office_403(
    desk: Desk, program: Callable[..., Program]
) -> None:
    ticket = desk.issue()
    for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}, {"Authorization": "Bearer é"}):
        response = desk.program.client.get(f"/api/v1/tickets/{ticket['id']}", headers=header)
        is_problem(response, 401)
        assert response.headers["WWW-Authenticate"] == "Bearer"
    other = program("office", cast.OTHER_OFFICE)
    is_problem(other.get(f"/tickets/{ticket['id']}"), 403)
    is_problem(other.get(f"/offices/{cast.OFFICE}"), 403)
    is_problem(other.post(TICKETS, {"service": "A"}), 403)
    is_problem(other.post(f"/tickets/{ticket['id']}/cancel"), 403)
    is_problem(program("display").post(TICKETS, {"service": "A"}), 403)
    assert desk.program.get(f"/tickets/{ticket['id']}").json["state"] == "waiting"


def test_a_revoked_token_stops_within_five_seconds(desk: Desk, app: Flask) -> None:
    from accounts.actions import revoke_token
    from accounts.principal import REMEMBERED_S, forget_remembered
    from core.db import transaction

    assert desk.program.get(f"/offices/{cast.OFFICE}").status_code == 200
    with app.app_context():
        with transaction() as session:
            revoke_token(session, 1, cast.MONDAY)
        assert REMEMBERED_S < 5
        forget_remembered()
    is_problem(desk.program.get(f"/offices/{cast.OFFICE}"), 401)


def test_a_kiosk_issues_twenty_tickets_a_minute_and_the_software_of_the_office_as_many_as_it_likes(
    desk: Desk, program: Callable[..., Program], monday: time_machine.Traveller
) -> None:
    kiosk = program("kiosk")
    statuses = [kiosk.post(TICKETS, {"service": "A"}).status_code for _ in range(22)]
    assert statuses == [201] * 20 + [429] * 2
    refused = kiosk.post(TICKETS, {"service": "A"})
    is_problem(refused, 429)
    assert refused.headers["Retry-After"] == "60"
    for _ in range(25):
        desk.issue()
    assert desk.issue()["number"] == "A046", "a refused press takes no number"
    monday.shift(60)
    assert kiosk.post(TICKETS, {"service": "A"}).status_code == 201


def test_a_kiosk_at_its_limit_still_learns_what_became_of_its_last_press(program: Callable[..., Program]) -> None:
    kiosk = program("kiosk", cast.OFFICE)
    for number in range(20):
        last = kiosk.post(TICKETS, {"service": "A"}, key=f"press {number}")
    again = kiosk.post(TICKETS, {"service": "A"}, key="press 19")
    assert (again.status_code, again.data) == (201, last.data)
