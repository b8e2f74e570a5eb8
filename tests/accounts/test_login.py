"""Log-in: five fast tries, then a growing delay; a new secret each time, and every end of it acts at once."""

import re
from collections.abc import Callable

import time_machine
from flask import Flask
from sqlalchemy import select, update

from accounts.actions import log_in, must_wait_s, note_failure
from accounts.models import Staff
from accounts.principal import SESSION_LIVES_S, forget_remembered
from core import clock
from core.db import reader, transaction
from tests import cast
from tests.conftest import Visitor
from tests.desk import everything, monday

__all__ = ["monday"]

DESK = f"/counters/{cast.OFFICE}"


def enter(visitor: Visitor, password: str = cast.PASSWORD, username: str = "clerk", **more: str) -> int:
    form = {"username": username, "password": password, **more}
    return int(visitor.post("/login", form).status_code)


def forget(app: Flask) -> None:
    """What happens by itself within four seconds."""
    with app.app_context():
        forget_remembered()


def test_whoever_is_not_logged_in_is_asked_to_and_comes_back_afterwards(visitor: Visitor) -> None:
    asked = visitor.get(DESK)
    assert (asked.status_code, asked.headers["Location"]) == (303, f"/login?next={DESK}")
    page = visitor.get(asked.headers["Location"])
    assert f'value="{DESK}"' in page.text
    entered = visitor.post("/login", {"username": " Clerk ", "password": cast.PASSWORD, "next": DESK})
    assert (entered.status_code, entered.headers["Location"]) == (303, DESK)
    assert visitor.get(DESK).status_code == 200


def test_after_the_log_in_one_stays_on_this_site(sqlite_app: Flask) -> None:
    for target in (
        "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil", "javascript:alert(1)", "evil", "",
        "http:evil", "/a\r\nSet-Cookie: x=1", "///evil.example", "/\t/evil.example", "https:/evil",
    ):  # fmt: skip
        visitor = Visitor(sqlite_app.test_client())
        entered = visitor.post("/login", {"username": "clerk", "password": cast.PASSWORD, "next": target})
        assert (entered.status_code, entered.headers["Location"]) == (303, "/"), target


def test_a_wrong_password_and_an_unknown_name_look_the_same(visitor: Visitor) -> None:
    pages = []
    for username in ("clerk", "nobody"):
        page = visitor.post("/login", {"username": username, "password": "wrong"})
        assert page.status_code == 422
        assert "Set-Cookie" not in page.headers
        pages.append(re.sub(r'name="key" value="[^"]*"', "", page.text).replace(username, "…"))
    assert pages[0] == pages[1]
    assert "Tên đăng nhập hoặc mật khẩu chưa đúng." in pages[0]


def test_after_five_fast_tries_each_next_one_takes_twice_as_long(
    app: Flask, visitor: Visitor, monday: time_machine.Traveller
) -> None:
    assert [enter(visitor, "wrong") for _ in range(5)] == [422] * 5
    refused = visitor.post("/login", {"username": "clerk", "password": cast.PASSWORD})
    assert (refused.status_code, "Sai mật khẩu nhiều lần" in refused.text) == (429, True)
    waits = []
    for _ in range(12):
        with app.app_context(), reader() as session:
            staff = session.scalars(select(Staff).where(Staff.username == "clerk")).one()
            waits.append(must_wait_s(staff, clock.now()))
        monday.shift(waits[-1])
        assert enter(visitor, "wrong") == 422
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
    monday.shift(900)
    assert enter(visitor) == 303, "the true user still gets in"
    assert [enter(visitor, "wrong") for _ in range(5)] == [422] * 5, "and begins anew"


def test_each_log_in_has_a_new_secret_kept_as_a_hash_only(app: Flask, logged_in: Callable[[str], Visitor]) -> None:
    cookies = []
    for _ in range(2):
        visitor = Visitor(app.test_client())
        visitor.client.set_cookie("motcua", "planted")
        entered = visitor.post("/login", {"username": "clerk", "password": cast.PASSWORD})
        (cookie,) = entered.headers.getlist("Set-Cookie")
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
        cookies.append(cookie.partition(";")[0].removeprefix("motcua="))
    assert len({"planted", *cookies}) == 3
    rows = repr(everything(app))
    assert not any(cookie in rows for cookie in cookies)
    assert cast.PASSWORD not in rows


def test_a_log_out_ends_this_log_in_and_no_other(app: Flask, logged_in: Callable[[str], Visitor]) -> None:
    here, there = logged_in("clerk"), logged_in("clerk")
    stolen = Visitor(app.test_client())
    cookie = here.client.get_cookie("motcua")
    assert cookie is not None
    stolen.client.set_cookie("motcua", cookie.value)
    assert stolen.get(DESK).status_code == 200
    assert here.post("/logout").status_code == 303
    assert stolen.get(DESK).status_code == 303, "the cookie is worth nothing any more"
    assert there.get(DESK).status_code == 200


def test_an_account_put_out_of_use_is_out_within_five_seconds(
    app: Flask, logged_in: Callable[[str], Visitor], visitor: Visitor
) -> None:
    clerk = logged_in("clerk")
    with app.app_context(), transaction() as session:
        session.execute(update(Staff).where(Staff.username == "clerk").values(active=False))
    forget(app)
    assert clerk.get(DESK).status_code == 303
    assert enter(visitor) == 422


def test_a_log_in_lives_for_one_shift(
    app: Flask, monday: time_machine.Traveller, logged_in: Callable[[str], Visitor]
) -> None:
    clerk = logged_in("clerk")
    monday.shift(SESSION_LIVES_S)
    forget(app)
    assert clerk.get(DESK).status_code == 200
    monday.shift(1)
    forget(app)
    assert clerk.get(DESK).status_code == 303


def test_strange_names_are_only_wrong(visitor: Visitor) -> None:
    for username in ("", "x" * 5000, "cl\0erk", "clerk' OR '1'='1", "Đặng", "😀", "%s", "*"):
        assert enter(visitor, username=username) == 422


def test_counting_a_failure_of_nobody_counts_nothing(app: Flask, monday: time_machine.Traveller) -> None:
    before = everything(app)
    with app.app_context(), transaction() as session:
        note_failure(session, "nobody", cast.MONDAY)
    assert everything(app) == before
    with app.app_context(), transaction() as session:
        assert log_in(session, "clerk", True, cast.MONDAY)
