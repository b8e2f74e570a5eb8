"""The clerk's page without scripts: one button carries through the day, a stale screen harms nobody (C1, C5, C6)."""

from collections.abc import Callable

import pytest

from tests import cast
from tests.conftest import Visitor
from tests.desk import Desk
from tests.forms import forms, press

COUNTER = f"/counters/{cast.OFFICE}/1"


@pytest.fixture
def clerk(desk: Desk, logged_in: Callable[[str], Visitor]) -> Visitor:
    return logged_in("clerk")


def main_button(page: object) -> str:
    """The words of the last button, which is the main one."""
    words = list(forms(page)[-1].buttons)[-1]
    return words.partition(" Mất kết nối")[0]


def test_a_clerk_goes_through_the_day_with_one_button(clerk: Visitor, desk: Desk) -> None:
    desk.issue(), desk.issue()
    seen = []
    for _ in range(4):
        page = clerk.get(COUNTER)
        seen.append(main_button(page))
        assert press(clerk, page, main_button(page)).headers["Location"] == COUNTER
    assert seen == ["Mở quầy", "Gọi tiếp", "Hoàn tất và gọi tiếp", "Hoàn tất và gọi tiếp"]
    assert main_button(clerk.get(COUNTER)) == "Gọi tiếp"
    assert "Hôm nay đã phục vụ 2 lượt" in clerk.get(COUNTER).text


def test_every_button_of_the_page_does_what_it_says(clerk: Visitor, desk: Desk) -> None:
    for _ in range(3):
        desk.issue()
    press(clerk, clerk.get(COUNTER), "Mở quầy")
    press(clerk, clerk.get(COUNTER), "Gọi tiếp")
    press(clerk, clerk.get(COUNTER), "Gọi lại")
    assert "đã gọi 2 lần" in clerk.get(COUNTER).text
    press(clerk, clerk.get(COUNTER), "Vắng mặt")
    press(clerk, clerk.get(COUNTER), "Gọi tiếp")
    press(clerk, clerk.get(COUNTER), "Bắt đầu")
    press(clerk, clerk.get(COUNTER), "Hoàn tất")
    press(clerk, clerk.get(COUNTER), "Họp")
    assert "Họp" in clerk.get(COUNTER).text
    press(clerk, clerk.get(COUNTER), "Mở lại quầy")
    press(clerk, clerk.get(COUNTER), "Đóng quầy")
    kinds = [event["kind"] for event in desk.events() if event["kind"] != "issued"]
    assert kinds[2:] == [
        "counter_opened", "called", "recalled", "no_show", "called", "started", "finished", "counter_paused",
        "counter_opened", "counter_closed",
    ]  # fmt: skip


def test_a_press_repeated_five_times_is_one_press(clerk: Visitor, desk: Desk) -> None:
    for _ in range(5):
        desk.issue()
    desk.counter("1", "open")
    page = clerk.get(COUNTER)
    assert {press(clerk, page, "Gọi tiếp").status_code for _ in range(5)} == {303}
    assert desk.state()["waiting"] == 4


def test_a_stale_screen_gets_the_fresh_state_and_calls_nobody(clerk: Visitor, desk: Desk) -> None:
    for _ in range(3):
        desk.issue()
    desk.counter("1", "open")
    stale = clerk.get(COUNTER)
    press(clerk, clerk.get(COUNTER), "Gọi tiếp")
    answer = press(clerk, stale, "Gọi tiếp")
    assert answer.status_code == 200, "an answer to the clerk, not a fault of the page"
    assert "được xử lý ở máy khác" in answer.text
    assert "A001" in answer.text
    assert main_button(answer) == "Hoàn tất và gọi tiếp"
    assert desk.state()["waiting"] == 2


def test_buttons_about_a_ticket_that_has_left_the_counter_do_nothing(clerk: Visitor, desk: Desk) -> None:
    desk.issue(), desk.issue()
    desk.counter("1", "open"), desk.counter("2", "open")
    desk.counter("1", "call-next")
    stale = clerk.get(COUNTER)
    press(clerk, stale, "Hoàn tất và gọi tiếp")
    revision = desk.state()["revision"]
    for words in ("Bắt đầu", "Gọi lại", "Vắng mặt", "Hoàn tất"):
        assert "được xử lý ở máy khác" in press(clerk, stale, words).text
    elsewhere = clerk.get(COUNTER)
    for form in forms(elsewhere):
        if "ticket" in form.fields and not form.action.endswith("call-next"):
            wrong = form.action.replace("/1/", "/2/")
            answer = clerk.post(wrong, form.fields)
            assert "được xử lý ở máy khác" in answer.text, "a ticket of the counter next door"
    assert desk.state()["revision"] == revision


def test_words_that_are_no_button_and_counters_that_are_not_there_are_404(clerk: Visitor, desk: Desk) -> None:
    assert clerk.post(f"{COUNTER}/dance", {"key": "1"}).status_code == 404
    assert clerk.post(f"{COUNTER}/dance").status_code == 404
    assert "Không có phiếu này." in clerk.post(f"{COUNTER}/finish", {"key": "2", "ticket": "0" * 20}).text
    assert clerk.post(f"/counters/{cast.OFFICE}/99/open", {"key": "3"}).status_code == 404
    assert clerk.get(f"/counters/{cast.OFFICE}/99").status_code == 404
    pause = clerk.post(f"{COUNTER}/pause", {"key": "4", "reason": "<b>nonsense</b>"})
    assert pause.status_code == 303
    assert "nonsense" not in clerk.get(COUNTER).text


def test_the_page_never_shows_a_rating(clerk: Visitor, desk: Desk) -> None:
    desk.counter("1", "open")
    desk.issue()
    desk.counter("1", "call-next")
    assert "hài lòng" not in clerk.get(COUNTER).text.lower()


def test_each_counter_can_be_chosen(clerk: Visitor) -> None:
    page = clerk.get(f"/counters/{cast.OFFICE}").text
    for code in "123":
        assert f'href="/counters/{cast.OFFICE}/{code}"' in page
