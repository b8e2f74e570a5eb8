"""The first admin is made with a one-time code, dead after use or 60 minutes (W2)."""

from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import delete

from accounts.actions import make_setup_code
from accounts.models import Staff, StaffSession
from core.db import transaction
from core.errors import Refused
from tests import cast
from tests.conftest import Visitor
from tests.desk import monday

__all__ = ["monday"]


@pytest.fixture
def code(app: Flask, monday: time_machine.Traveller) -> str:
    """A fresh code on a system without an admin."""
    with app.app_context(), transaction() as session:
        session.execute(delete(StaffSession))
        session.execute(delete(Staff).where(Staff.role == "admin"))
        return make_setup_code(session, cast.MONDAY)


def form(code: str, **more: str) -> dict[str, str]:
    return {"code": code, "username": "quan.tri", "password": cast.PASSWORD, **more}


def test_the_code_makes_an_admin_once(visitor: Visitor, code: str) -> None:
    assert visitor.get("/setup").status_code == 200
    made = visitor.post("/setup", form(f" {code.lower()} "))
    assert (made.status_code, made.headers["Location"]) == (303, "/login")
    again = visitor.post("/setup", form(code, username="another"))
    assert again.status_code == 422
    assert "Mã cài đặt không đúng" in again.text
    assert visitor.post("/login", {"username": "quan.tri", "password": cast.PASSWORD}).status_code == 303
    assert visitor.get("/admin/staff").status_code == 200


def test_a_mistake_in_the_form_does_not_use_the_code_up(visitor: Visitor, code: str) -> None:
    for wrong in (
        {"password": "short"}, {"username": ""}, {"username": "quản trị"}, {"username": "x" * 65},
        {"username": "clerk"}, {"username": "a\0b"},
    ):  # fmt: skip
        refused = visitor.post("/setup", form(code, **wrong))
        assert refused.status_code == 422
    assert visitor.post("/setup", form(code)).status_code == 303


def test_the_code_lives_sixty_minutes(visitor: Visitor, code: str, monday: time_machine.Traveller) -> None:
    monday.shift(timedelta(minutes=60, seconds=1))
    assert visitor.post("/setup", form(code)).status_code == 422


def test_a_wrong_code_makes_nobody(visitor: Visitor, code: str) -> None:
    for wrong in ("", "0000-0000-0000-0000", code[:-1], code + "0", "x" * 5000, "Đ"):
        assert visitor.post("/setup", form(wrong)).status_code == 422
    assert visitor.post("/login", {"username": "quan.tri", "password": cast.PASSWORD}).status_code == 422


def test_there_is_no_code_once_there_is_an_admin(app: Flask) -> None:
    with pytest.raises(Refused), app.app_context(), transaction() as session:
        make_setup_code(session, cast.MONDAY)
