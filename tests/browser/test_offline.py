"""A line that breaks: said within 5 s, healed within 3 s with everything caught up, nothing sent (G5, D5, C7)."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select
from sqlalchemy.orm import Session

import app as motcua
from queueing import actions
from queueing.models import Counter
from tests.browser.conftest import People, Place, Site
from tests.browser.test_counter import MAIN, events, issue, number
from tests.browser.test_live_client import Line
from tests.conftest import Server, free_port, running_server, settings_for

pytestmark = pytest.mark.browser

# After this the server has closed the connections over which the pages were loaded, as on screens that run all day.
IDLE_MS = 16000
STRIP = "Mất kết nối - đang thử lại"


@pytest.fixture
def line(site: Site) -> Iterator[Line]:
    """What the pages of a test go through, and what the test breaks."""
    line = Line(site.server.port)
    yield line
    line.close()


def through(site: Site, line: Line) -> Site:
    return Site(Server(site.server.process, line.port), site.app, site.numbers)


def call(site: Site, place: Place, count: int = 1) -> None:
    """Another counter calls while the line is down."""

    def step(session: Session) -> None:
        counter = session.scalar(select(Counter.id).where(Counter.office_id == place.id, Counter.code == "2"))
        assert counter is not None
        now = datetime.now(UTC)
        actions.open_counter(session, counter, now)
        for _ in range(count):
            actions.call_next(session, counter, now)

    site.do(step)


def test_a_cut_line_is_said_within_5_s_and_healed_within_3_s_on_every_live_page(
    people: People, site: Site, line: Line
) -> None:
    people.cut_lines()
    place = site.place()
    issue(site, place, 5)
    near = through(site, line)
    hall = people.open(near, "hall", f"/screens/{place.code}")
    sign = people.open(near, "hall", f"/screens/{place.code}/2")
    tablet = people.open(near, "tablet", place.counter(), site.token("counter", place.code))
    leader = people.log_in(near, "desktop", "province-leader")
    leader.goto(f"/units/{place.unit}")
    tablet.get_by_role("button", name="Mở quầy").click()
    tablet.get_by_role("button", name="Gọi tiếp").click()
    pages = (hall, sign, tablet, leader)
    expect(hall.get_by_role("listitem").filter(has_text="A001")).to_be_visible()
    waiting = leader.get_by_role("link", name="Đang chờ")
    expect(waiting).to_contain_text("4")
    for page in pages:
        page.evaluate("window.sameLoad = true")

    hall.wait_for_timeout(IDLE_MS)
    line.swallow()
    began = datetime.now(UTC)
    for page in pages:
        expect(page.get_by_text(STRIP)).to_be_visible(timeout=5000)
    assert (datetime.now(UTC) - began).total_seconds() <= 5.5
    # The hall keeps its last calls, grey, each with its time (D5).
    expect(hall.get_by_role("listitem").filter(has_text="A001").get_by_role("time")).to_be_visible()
    # The tablet says why nothing goes, and sends nothing, by tap or by key, now or later (C7).
    main = tablet.locator("#main-press")
    expect(main).to_have_text("Mất kết nối F2", use_inner_text=True)
    main.click(force=True)
    tablet.keyboard.press("F2")
    call(site, place)

    line.heal()
    healed = datetime.now(UTC)
    for page in pages:
        expect(page.get_by_text(STRIP)).to_be_hidden(timeout=3000)
    assert (datetime.now(UTC) - healed).total_seconds() <= 3.5
    expect(hall.get_by_role("listitem").filter(has_text="A002")).to_be_visible(timeout=1000)
    expect(sign.get_by_text("A002")).to_be_visible(timeout=1000)
    expect(waiting).to_contain_text("3", timeout=1000)
    expect(number(tablet)).to_have_text("A001")
    expect(tablet.get_by_role("button", name=MAIN)).to_be_enabled()
    assert all(page.evaluate("window.sameLoad") for page in pages)
    assert events(site, place, "called") == 2


def test_where_sockets_are_blocked_the_hall_still_holds_each_call_large(people: People, site: Site) -> None:
    """Snapshots bring what events cannot: D2 and D3 by polling."""
    people.cut_lines()
    place = site.place()
    issue(site, place, 5)
    context = people.context(site, "hall")
    context.add_init_script("window.WebSocket = class { close() {} send() {} }")
    hall = context.new_page()
    hall.goto(f"/screens/{place.code}")
    hall.wait_for_timeout(500)
    call(site, place)
    expect(hall.locator(".call--new")).to_contain_text("A001")
    call(site, place)
    expect(hall.get_by_role("listitem").filter(has_text="A002")).to_be_visible()
    expect(hall.locator(".call--new")).to_contain_text("A001")  # still its eight seconds
    expect(hall.locator(".call--new")).to_contain_text("A002", timeout=9000)


def test_m6_a_telephone_keeps_its_last_state_and_heals(people: People, site: Site, line: Line) -> None:
    people.cut_lines()
    place = site.place()
    now = datetime.now(UTC)
    ring = site.app.extensions["visit_keys"]
    _, token = site.do(lambda session: actions.issue(session, place.id, "A", now, ring=ring))
    phone = people.open(through(site, line), "phone", f"/v/{token.text}")
    expect(phone.get_by_role("heading", level=1)).to_contain_text("A001")
    line.swallow()
    ask = "document.dispatchEvent(new Event('visibilitychange'))"  # somebody takes the telephone out of the pocket
    phone.evaluate(ask)
    expect(phone.get_by_text(STRIP)).to_be_visible(timeout=5000)
    expect(phone.get_by_text("Cập nhật lúc")).to_be_visible()
    call(site, place)
    line.heal()
    line.cut()  # what was swallowed stays lost; the telephone connects anew
    phone.evaluate(ask)
    expect(phone.get_by_role("heading", level=1)).to_have_text("MỜI ĐẾN QUẦY 2")
    expect(phone.get_by_text(STRIP)).to_be_hidden()


@pytest.fixture
def restartable(sqlite_template: Path, tmp_path: Path) -> Iterator[tuple[Site, Callable[[], None], Callable[[], None]]]:
    """A server of one test, a way to kill it, and a way to start it again at the same address."""
    shutil.copy(sqlite_template, tmp_path / "motcua.sqlite3")
    url, port = f"sqlite:///{tmp_path / 'motcua.sqlite3'}", free_port()
    app = motcua.create_app(settings_for(url, tmp_path), background=False)
    with ExitStack() as servers:
        site = Site(servers.enter_context(running_server(url, tmp_path, port=port)), app)

        def kill() -> None:
            site.server.process.kill()
            site.server.process.wait()

        def start() -> None:
            site.server = servers.enter_context(running_server(url, tmp_path, port=port))

        yield site, kill, start
    app.extensions["database"].engine.dispose()


def test_d5_a_killed_server_is_said_and_found_again_without_a_reload(people: People, restartable: Any) -> None:
    site, kill, start = restartable
    people.cut_lines()
    place = site.place()
    issue(site, place, 3)
    hall: Page = people.open(site, "hall", f"/screens/{place.code}")
    tablet: Page = people.open(site, "tablet", place.counter(), site.token("counter", place.code))
    kiosk: Page = people.open(site, "tablet", f"/kiosks/{place.code}", site.token("kiosk", place.code))
    tablet.get_by_role("button", name="Mở quầy").click()
    for page in (hall, tablet):
        page.evaluate("window.sameLoad = true")
    kill()
    # K3: no number without a server, and that is said within three seconds.
    kiosk.get_by_role("button", name="Tư pháp").click()
    expect(kiosk.get_by_role("alert")).to_have_text("Chưa lấy được số. Xin gặp cán bộ hướng dẫn.", timeout=3500)
    for page in (hall, tablet):
        expect(page.get_by_text(STRIP)).to_be_visible(timeout=5000)
    call(site, place, 2)
    start()
    for page in (hall, tablet):
        expect(page.get_by_text(STRIP)).to_be_hidden(timeout=3500)
    expect(hall.get_by_role("listitem").filter(has_text="A002")).to_be_visible(timeout=1500)
    expect(tablet.get_by_role("heading", name="Đang chờ")).to_contain_text("1", timeout=1500)
    assert all(page.evaluate("window.sameLoad") for page in (hall, tablet))
    # The same tap again gives the number that the first one did not.
    kiosk.get_by_role("button", name="Tư pháp").click()
    expect(kiosk.get_by_role("heading", level=1)).to_contain_text("A004")
