"""Accounts: the admin makes them, each with a first password that is shown once."""

import re
from collections.abc import Callable

from flask import Flask

from tests import cast
from tests.conftest import Visitor
from tests.desk import everything
from tests.forms import press

STAFF = "/admin/staff"


def test_a_new_account_can_log_in_with_the_password_that_is_shown_once(
    app: Flask, logged_in: Callable[[str], Visitor]
) -> None:
    admin = logged_in("admin")
    made = press(admin, admin.get(STAFF), "Thêm", username="Hoa.2", role="clerk", office=cast.OFFICE)
    assert made.status_code == 200
    password = re.search(r"[0-9a-f]{6}-[0-9a-f]{6}-[0-9a-f]{6}", made.text)
    assert password is not None
    assert password[0] not in admin.get(STAFF).text
    assert password[0] not in repr(everything(app))
    clerk = Visitor(app.test_client())
    assert clerk.post("/login", {"username": "hoa.2", "password": password[0]}).status_code == 303
    assert clerk.get(f"/counters/{cast.OFFICE}").status_code == 200
    assert clerk.get(f"/counters/{cast.OTHER_OFFICE}").status_code == 403


MISTAKES: list[dict[str, str]] = [
    {"username": ""}, {"username": "clerk"}, {"username": "hoa hồng"}, {"username": "x" * 65}, {"role": ""},
    {"role": "king"}, {"role": "kiosk"}, {"office": ""}, {"office": "nowhere"}, {"office": "a\0b"},
    {"role": "commune_leader"}, {"role": "commune_leader", "unit": "99999"},
]  # fmt: skip


def test_a_mistake_is_told_and_makes_nobody(app: Flask, logged_in: Callable[[str], Visitor]) -> None:
    admin = logged_in("admin")
    before = everything(app)
    for wrong in MISTAKES:
        refused = admin.post(STAFF, {"username": "hoa", "role": "clerk", "office": cast.OFFICE, **wrong})
        assert refused.status_code == 422, wrong
    assert everything(app) == before


def test_only_the_admin_sees_accounts(logged_in: Callable[[str], Visitor]) -> None:
    for username in ("clerk", "commune-leader", "province-leader"):
        person = logged_in(username)
        assert person.get(STAFF).status_code == 403
        assert person.post(STAFF, {"username": "mine", "role": "admin"}).status_code == 403
