"""The counter tablet under a clerk in a hurry, with two tablets at one counter, and by keyboard only (C1 to C9)."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from queueing import actions
from queueing.models import OfficeEvent
from tests.browser.conftest import People, Place, Site

pytestmark = pytest.mark.browser

MAIN = "ọi tiếp"  # "Gọi tiếp" and "Hoàn tất và gọi tiếp"


def issue(site: Site, place: Place, count: int = 1, service: str = "A") -> None:
    """People who took a number at a kiosk elsewhere."""

    def step(session: Session) -> None:
        for _ in range(count):
            actions.issue(session, place.id, service, datetime.now(UTC), ring=site.app.extensions["visit_keys"])

    site.do(step)


def events(site: Site, place: Place, kind: str) -> int:
    def count(session: Session) -> int:
        found = select(func.count()).where(OfficeEvent.office_id == place.id, OfficeEvent.kind == kind)
        return session.scalar(found) or 0

    return site.do(count)


@pytest.fixture
def at_counter(people: People, site: Site) -> Callable[..., tuple[Place, Page]]:
    """A paired tablet at the open counter of a new office where people wait."""

    def open_counter(waiting: int = 3, device: str = "tablet") -> tuple[Place, Page]:
        place = site.place()
        issue(site, place, waiting)
        page = people.open(site, device, place.counter(), site.token("counter", place.code))
        page.get_by_role("button", name="Mở quầy").click()
        expect(page.get_by_role("button", name="Gọi tiếp")).to_be_enabled()
        return place, page

    return open_counter


def number(page: Page) -> Any:
    """The number that stands large at the counter."""
    return page.locator(".desk__number")


def ready(page: Page) -> None:
    """The moment is over in which the desk takes no further press (C5)."""
    expect(page.locator(".desk")).not_to_have_attribute("aria-busy", "true")


def press(page: Page, key: str) -> None:
    page.keyboard.press(key)
    ready(page)


def test_c1_the_one_main_button_says_what_it_does_in_every_state(at_counter: Any) -> None:
    _, page = at_counter()
    main = page.locator("#main-press")
    for words in ("Gọi tiếp", "Hoàn tất và gọi tiếp", "Hoàn tất và gọi tiếp"):
        expect(main).to_contain_text(words, use_inner_text=True)
        expect(main).to_have_count(1)
        main.click()
    expect(number(page)).to_have_text("A003")
    expect(main).to_contain_text("Hoàn tất và gọi tiếp", use_inner_text=True)
    page.get_by_role("button", name="Hoàn tất", exact=True).click()
    ready(page)
    page.get_by_text("Tạm dừng hoặc đóng quầy", exact=True).click()
    page.get_by_role("button", name="Họp").click()
    expect(page.get_by_role("button", name="Mở lại quầy")).to_be_visible()
    ready(page)
    page.get_by_role("button", name="Đóng quầy").click()
    expect(page.get_by_role("button", name="Mở quầy")).to_be_visible()


def test_c5_five_taps_within_300_ms_are_one_call(site: Site, at_counter: Any) -> None:
    place, page = at_counter(6)
    page.evaluate("""() => {
      for (let tap = 0; tap < 5; tap++) setTimeout(() => document.querySelector('#main-press').click(), tap * 60);
      window.busyAfter = null;
      const began = performance.now();
      const look = () => {
        const isBusy = document.querySelector('#main-press').innerText.startsWith('Đang xử lý');
        if (isBusy) window.busyAfter ??= performance.now() - began;
        requestAnimationFrame(look);
      };
      look();
    }""")
    expect(number(page)).to_have_text("A001")
    assert page.evaluate("busyAfter") <= 100
    expect(page.get_by_role("button", name="Hoàn tất và gọi tiếp")).to_be_visible()
    assert events(site, place, "called") == 1
    assert events(site, place, "finished") == 0
    page.get_by_role("button", name=MAIN).click()  # and it goes on
    expect(number(page)).to_have_text("A002")


def test_c5_the_same_press_sent_five_times_at_once_is_one_call(site: Site, at_counter: Any) -> None:
    place, page = at_counter(6)
    statuses = page.evaluate("""async () => {
      const form = document.querySelector('.press__main');
      const send = () => fetch(form.action, { method: 'POST', body: new URLSearchParams(new FormData(form)) });
      return (await Promise.all([send(), send(), send(), send(), send()])).map((reply) => reply.status);
    }""")
    assert statuses == [200] * 5
    expect(number(page)).to_have_text("A001")
    assert events(site, place, "called") == 1


def test_c6_two_tablets_show_the_same_within_a_second_and_a_stale_press_changes_nothing(
    people: People, site: Site, at_counter: Any
) -> None:
    place, one = at_counter()
    other = people.open(site, "tablet", place.counter(), site.token("counter", place.code))
    one.get_by_role("button", name="Gọi tiếp").click()
    expect(number(one)).to_have_text("A001")
    expect(number(other)).to_have_text("A001", timeout=1000)
    # The other tablet's picture is held still, as if its line were slow, while the first one goes on.
    stale = other.evaluate_handle("document.querySelector('.press__main').cloneNode(true)")
    one.get_by_role("button", name=MAIN).click()
    expect(number(one)).to_have_text("A002")
    expect(number(other)).to_have_text("A002")
    other.evaluate("form => document.querySelector('.press__main').replaceWith(form)", stale)
    other.get_by_role("button", name=MAIN).click()
    expect(other.get_by_text("Đã được xử lý ở máy khác. Đây là trạng thái mới.").first).to_be_visible()
    expect(number(other)).to_have_text("A002")
    assert events(site, place, "called") == 2


def test_c9_a_whole_visit_by_keyboard(site: Site, at_counter: Any) -> None:
    place, page = at_counter(3)
    ready(page)
    press(page, "F2")
    expect(number(page)).to_have_text("A001")
    press(page, "F4")
    expect(page.get_by_text("đã gọi 2 lần").first).to_be_visible()
    press(page, "F8")
    expect(page.get_by_text("Sẵn sàng gọi số", exact=True)).to_be_visible()
    press(page, "F2")
    expect(number(page)).to_have_text("A002")
    # And without shortcuts: the main button has the focus after a press by keyboard and can be reached by Tab.
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "main-press":
            break
    press(page, "Enter")
    expect(number(page)).to_have_text("A003")
    expect(page.get_by_role("button", name=MAIN)).to_be_focused()
    assert events(site, place, "no_show") == 1
    assert events(site, place, "finished") == 1


def test_a_menu_stays_open_while_others_take_numbers(site: Site, at_counter: Any) -> None:
    place, page = at_counter(1)
    ready(page)
    page.get_by_text("Tạm dừng hoặc đóng quầy", exact=True).click()
    issue(site, place, 2)
    expect(page.get_by_role("heading", name="Đang chờ")).to_contain_text("3")
    page.get_by_role("button", name="Nghỉ giải lao").click()
    expect(page.get_by_role("button", name="Mở lại quầy")).to_be_visible()


def test_c8_the_tablet_shows_the_queue_and_never_a_rating(at_counter: Any) -> None:
    _, page = at_counter(4)
    expect(page.get_by_role("heading", name="Đang chờ")).to_contain_text("4")
    expect(page.get_by_text("Hôm nay đã phục vụ 0 lượt")).to_be_visible()
    assert "hài lòng" not in page.locator("body").inner_text().lower()


def test_the_counter_works_without_scripts(people: People, site: Site) -> None:
    place = site.place()
    issue(site, place, 2)
    secret = site.token("counter", place.code)
    page = people.open(site, "tablet", place.counter(), secret, java_script_enabled=False)
    page.get_by_role("button", name="Mở quầy").click()
    for ordinal in (1, 2):
        page.get_by_role("button", name=MAIN).click()
        expect(number(page)).to_have_text(f"A00{ordinal}")
    page.get_by_role("button", name="Bắt đầu").click()
    expect(page.get_by_text("Đang phục vụ", exact=True)).to_be_visible()
