"""A browser becomes a kiosk, a counter's machine or a screen by its token, until the token is revoked (A7, D7)."""

from collections.abc import Callable

import pytest
from flask import Flask

from accounts.actions import revoke_token
from accounts.principal import forget_remembered
from core.db import transaction
from tests import cast
from tests.conftest import Program, Visitor
from tests.forms import press


@pytest.mark.parametrize(
    ("role", "address"),
    [
        ("kiosk", f"/kiosks/{cast.OFFICE}"),
        ("counter", f"/counters/{cast.OFFICE}"),
        ("display", f"/screens/{cast.OFFICE}"),
    ],
)
def test_a_token_opens_the_page_of_its_role(
    app: Flask, program: Callable[..., Program], role: str, address: str
) -> None:
    machine = Visitor(app.test_client())
    paired = press(machine, machine.get("/device"), "Ghép thiết bị", token=f" {program(role).secret} ")
    assert (paired.status_code, paired.headers["Location"]) == (303, address)
    assert "HttpOnly" in paired.headers["Set-Cookie"]
    assert machine.get(address).status_code == 200
    assert cast.OFFICE in machine.get("/device").text


def test_a_wrong_token_pairs_nothing(app: Flask, program: Callable[..., Program]) -> None:
    machine = Visitor(app.test_client())
    for wrong in ("", "x", "x" * 5000, "Đ", "a\0b", program("reader", None, cast.AN_BINH).secret):
        refused = machine.post("/device", {"token": wrong})
        assert refused.status_code == 422
        assert "Set-Cookie" not in refused.headers


def test_a_device_works_in_its_own_office_and_role_only(app: Flask, program: Callable[..., Program]) -> None:
    kiosk = Visitor(app.test_client())
    kiosk.post("/device", {"token": program("kiosk").secret})
    assert kiosk.get(f"/kiosks/{cast.OTHER_OFFICE}").status_code == 403
    assert kiosk.get(f"/counters/{cast.OFFICE}").status_code == 403
    assert kiosk.get(f"/units/{cast.AN_BINH}").status_code == 403
    assert kiosk.client.get(f"/api/v1/offices/{cast.OFFICE}").status_code == 401, "the API knows no cookies"


def test_a_forgotten_device_is_an_ordinary_browser_again(app: Flask, program: Callable[..., Program]) -> None:
    machine = Visitor(app.test_client())
    machine.post("/device", {"token": program("kiosk").secret})
    press(machine, machine.get("/device"), "Gỡ thiết bị này")
    assert machine.get(f"/kiosks/{cast.OFFICE}").status_code == 303


def test_a_revoked_device_is_out_within_five_seconds(app: Flask, program: Callable[..., Program]) -> None:
    machine = Visitor(app.test_client())
    machine.post("/device", {"token": program("kiosk").secret})
    assert machine.get(f"/kiosks/{cast.OFFICE}").status_code == 200
    with app.app_context():
        with transaction() as session:
            revoke_token(session, 1, cast.MONDAY)
        forget_remembered()
    assert machine.get(f"/kiosks/{cast.OFFICE}").status_code == 303
