"""The commune's page: the day as it is, satisfaction only as far as it may be shown (CD1 to CD3)."""

from collections.abc import Callable

import time_machine
from flask import Flask

from core.db import transaction
from tests import cast
from tests.conftest import Visitor
from tests.desk import Desk
from tests.forms import words

UNIT = f"/units/{cast.AN_BINH}"
Released = Callable[..., None]


def test_the_day_is_told_in_numbers(
    desk: Desk, logged_in: Callable[[str], Visitor], monday: time_machine.Traveller
) -> None:
    for service in "AAB":
        desk.issue(service)
    monday.shift(600)
    desk.counter("1", "open")
    desk.counter("1", "call-next")
    monday.shift(300)
    for part in ("", "/today"):
        page = words(logged_in("commune-leader").get(UNIT + part))
        assert "Đang chờ 2" in page
        assert "Chờ lâu nhất 15 phút" in page
        assert "Quầy đang mở 1/3" in page


def test_few_answers_show_no_figure_and_more_show_it_with_everything_beside_it(
    desk: Desk, released: Released, logged_in: Callable[[str], Visitor]
) -> None:
    leader = logged_in("commune-leader")
    assert "Kết quả hiện khi có ít nhất 5 đánh giá." in words(leader.get(UNIT))
    released(cast.AN_BINH, (0, 0, 0, 1, 3), served=9)
    assert "100 %" not in words(leader.get(UNIT)), "four answers are nobody's business"
    released(cast.AN_BINH, (1, 0, 0, 2, 3), served=21, week="2026-W46")
    page = words(leader.get(UNIT))
    assert "90 %" in page
    for beside in ("10", "30", "33,33 %"):
        assert beside in page, "n, served and response rate"
    # Wilson for 9 of 10, with n* = 10 x 29 / 20 in place of 10 because only 30 were served.
    assert "khoảng tin cậy 95 %: 65,54 % đến 97,71 %" in page
    assert "Ít dữ liệu" in page


def test_the_period_is_one_of_the_fixed_ones(
    desk: Desk, released: Released, logged_in: Callable[[str], Visitor]
) -> None:
    released(cast.AN_BINH, (0, 0, 0, 10, 30), served=60)
    leader = logged_in("commune-leader")
    assert "Quý 4 năm 2026" in words(leader.get(UNIT))
    assert "100 %" in words(leader.get(f"{UNIT}?period=2026-W47"))
    assert "Tuần 46 năm 2026" in words(leader.get(f"{UNIT}?period=2026-W46"))
    for nonsense in ("2026-W60", "2026-11-16..2026-11-17", "<b>", "%00", "9" * 4000):
        page = leader.get(f"{UNIT}?period={nonsense}")
        assert page.status_code == (422 if nonsense == "%00" else 200)
        assert "<b>.." not in page.text
    assert leader.get(f"{UNIT}?method=nonsense").status_code == 200


def test_a_trend_is_drawn_and_told_in_words(
    desk: Desk, released: Released, logged_in: Callable[[str], Visitor]
) -> None:
    for number in range(40, 48):
        released(cast.AN_BINH, (1, 1, 2, 6, number - 20), served=60, week=f"2026-W{number}")
    page = logged_in("commune-leader").get(UNIT)
    assert page.status_code == 200
    assert "Theo thời gian" in page.text
    assert "<svg" in page.text
    assert "style=" not in page.text


def test_after_a_merger_the_page_names_what_went_into_the_commune(
    app: Flask, desk: Desk, released: Released, logged_in: Callable[[str], Visitor], monday: time_machine.Traveller
) -> None:
    released(cast.AN_BINH, (0, 10, 0, 10, 20), served=60)
    released(cast.BINH_MINH, (10, 0, 0, 0, 0), served=10)
    with app.app_context(), transaction() as session:
        cast.merge_into_an_minh(session)
    monday.move_to(cast.MONDAY.replace(year=2027, month=2))
    page = words(logged_in("province-leader").get(f"/units/{cast.AN_MINH}?period=2026-Q4"))
    assert "60 %" in page
    assert "Xã An Minh" in page


def test_leaders_see_their_own_units(desk: Desk, logged_in: Callable[[str], Visitor]) -> None:
    addresses = [UNIT, f"{UNIT}/today", f"/units/{cast.BINH_MINH}", f"/units/{cast.PROVINCE}", "/units/99999"]
    seen = {
        name: [logged_in(name).get(address).status_code for address in addresses]
        for name in ("commune-leader", "province-leader", "clerk", "admin")
    }
    assert seen == {
        "commune-leader": [200, 200, 403, 403, 404],
        "province-leader": [200, 200, 200, 200, 404],
        "clerk": [403, 403, 403, 403, 403],
        "admin": [403, 403, 403, 403, 403],
    }
