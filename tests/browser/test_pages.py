"""Every page in every state on every device it is used on: G1 to G4, G6, G7, G8, G10 and G11."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser import checks, town
from tests.browser.conftest import People, Site, serving
from tests.browser.town import CLOSED, EMPTY, FULL, NORMAL, Town

pytestmark = pytest.mark.browser

STATES = {"empty": EMPTY, "normal": NORMAL, "full": FULL, "closed": CLOSED}
UNITS = {"empty": "90011", "normal": "90012", "full": "90013"}


@pytest.fixture(scope="module")
def built(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Town]]:
    prepared = serving(sqlite_template, tmp_path_factory.mktemp("town"))
    found = town.build(prepared.app)
    with prepared as site:
        yield site, found


def office_pages() -> list[tuple[str, str, str, str]]:
    """Name, address, who looks, on what."""
    pages = []
    for state, office in STATES.items():
        pages += [
            (f"kiosk-{state}", f"/kiosks/{office}", f"kiosk:{office}", "tablet"),
            (f"reception-{state}", f"/reception/{office}", f"kiosk:{office}", "desktop"),
            (f"display-{state}", f"/screens/{office}", "", "hall"),
            (f"counter_screen-{state}", f"/screens/{office}/1", "", "hall"),
            (f"counters-{state}", f"/counters/{office}", f"counter:{office}", "tablet"),
            (f"counter-{state}", f"/counters/{office}/1", f"counter:{office}", "tablet"),
        ]
    pages += [
        (f"counter-{state}", f"/counters/{NORMAL}/{code}", f"counter:{NORMAL}", "tablet")
        for code, state in (("2", "serving"), ("3", "open"), ("4", "paused"))
    ]
    pages.append(("counter_screen-long", f"/screens/{FULL}/12", "", "hall"))
    return pages


def staff_pages() -> list[tuple[str, str, str, str]]:
    pages = [(f"commune-{state}", f"/units/{unit}", "province-leader", "desktop") for state, unit in UNITS.items()]
    return [
        *pages,
        ("province", "/units/90", "province-leader", "desktop"),
        ("province-none", "/units/90?q=zzz", "province-leader", "desktop"),
        ("home-leader", "/", "province-leader", "desktop"),
        ("home-clerk", "/", "can.bo.huong.dan.va.tra.ket.qua", "tablet"),
        ("staff", "/admin/staff", "admin", "desktop"),
        ("forbidden", "/units/90", "clerk", "desktop"),
    ]


PUBLIC = [
    ("home", "/", "", "desktop"),
    ("home-found", "/?q=trang", "", "desktop"),
    ("home-none", "/?q=zzzz", "", "desktop"),
    ("login", "/login", "", "desktop"),
    ("setup", "/setup", "", "desktop"),
    ("device", "/device", "", "desktop"),
    ("device-paired", "/device", f"kiosk:{NORMAL}", "desktop"),
    ("error", "/khong-co", "", "desktop"),
]
VISITS = [
    "waiting", "next", "long-waiting", "called", "long-called", "serving", "rate", "thanks", "spent", "expired",
    "no_show", "turned_away", "cancelled",
]  # fmt: skip
WITHIN = {"details": "/v/{thanks}/rating/details", "change": "/v/{thanks}?change=1", "unknown": "/v/ABC"}


class Desk:
    """Contexts by person and device, kept over the pages of one test so that nobody logs in twice."""

    def __init__(self, people: People, site: Site) -> None:
        self.people, self.site = people, site
        self.contexts: dict[tuple[str, str], BrowserContext] = {}
        people.allow("status of (403|404)")  # the page of an error is a page too

    def open(self, path: str, who: str, device: str) -> Page:
        if (who, device) not in self.contexts:
            self.contexts[who, device] = self._enter(who, device)
        page = self.contexts[who, device].new_page()
        page.goto(path)
        return page

    def _enter(self, who: str, device: str) -> BrowserContext:
        role, _, office = who.partition(":")
        if not who or office:
            return self.people.context(self.site, device, self.site.token(role, office) if office else None)
        page = self.people.log_in(self.site, device, who)
        page.close()
        return page.context


@pytest.fixture
def desk(people: People, built: tuple[Site, Town]) -> Desk:
    return Desk(people, built[0])


def mistakes_of(page: Page, name: str, *, citizen: bool = False, public: bool = False) -> list[str]:
    """Everything that is wrong with the page that is open; `public`: fingers of people who are no clerks."""
    found = [*checks.axe(page), *checks.cut_text(page)]
    found += checks.small_controls(page, 64 if citizen or public else 48, 8 if citizen or public else 0)
    found += checks.heading_and_language(page, "vi")
    if citizen:
        found += checks.axe(page, "color-contrast-enhanced")
    if page.viewport_size and page.viewport_size["height"] == 1080:
        high = page.evaluate("document.documentElement.scrollHeight")
        found += [f"{high} px high on a wall"] if high > 1080 else []
    page.set_viewport_size({"width": 320, "height": 568})
    found += [f"320 px: {words}" for words in checks.cut_text(page)]
    return [f"{name}: {mistake}" for mistake in found]


@pytest.mark.parametrize("state", [*STATES, "serving", "open", "paused", "long"])
def test_g1_g2_g3_g4_hold_on_the_pages_of_an_office(desk: Desk, state: str) -> None:
    found = []
    for name, path, who, device in office_pages():
        if not name.endswith(f"-{state}"):
            continue
        page = desk.open(path, who, device)
        if name.startswith("kiosk"):  # K1: nobody scrolls on a kiosk
            assert page.evaluate("document.documentElement.scrollHeight") <= 800, name
        found += mistakes_of(page, name, public=name.startswith("kiosk"))
        page.close()
    assert found == []


def test_g1_g2_g3_g4_hold_on_the_pages_of_staff(desk: Desk) -> None:
    assert [words for name, *where in staff_pages() for words in mistakes_of(desk.open(*where), name)] == []


def test_g1_g2_g3_g4_hold_on_the_pages_for_everybody(desk: Desk) -> None:
    assert [words for name, *where in PUBLIC for words in mistakes_of(desk.open(*where), name)] == []


@pytest.mark.parametrize("state", [*VISITS, *WITHIN])
def test_g1_g2_g3_g4_g6_hold_on_a_citizens_phone(desk: Desk, built: tuple[Site, Town], state: str) -> None:
    path = WITHIN[state].format(**built[1].links) if state in WITHIN else f"/v/{built[1].links[state]}"
    page = desk.open(path, "", "phone")
    found = mistakes_of(page, state, citizen=True)
    if state != "unknown":  # the same bytes in every language
        page.goto(f"{path}{'&' if '?' in path else '?'}lang=en")
        found += checks.heading_and_language(page, "en")
    assert found == []


def test_g4_every_page_has_a_title_of_its_own_in_both_languages(desk: Desk) -> None:
    for language in ("vi", "en"):
        titles = []
        for name, path, who, _ in [*office_pages(), *PUBLIC]:
            if name.endswith("-normal") or name in ("home", "login", "setup", "device"):
                page = desk.open(f"{path}?lang={language}", who, "desktop")
                assert checks.heading_and_language(page, language) == [], name
                titles.append(page.title())
                page.close()
        assert [title for title, count in Counter(titles).items() if count > 1] == []


def test_g1_g3_hold_on_a_ticket_and_on_a_refusal(desk: Desk) -> None:
    for office in (NORMAL, FULL):
        page = desk.open(f"/kiosks/{office}", f"kiosk:{office}", "tablet")
        page.get_by_text("Phụ nữ mang thai, có con nhỏ").click()
        page.get_by_role("button", name="Tư pháp").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Số của ông/bà")
        assert mistakes_of(page, office, public=True) == []


def test_p6_a_ticket_is_at_most_90_mm_long_on_paper_of_58_mm(desk: Desk) -> None:
    page = desk.open(f"/kiosks/{NORMAL}", f"kiosk:{NORMAL}", "tablet")
    page.get_by_text("Phụ nữ mang thai, có con nhỏ").click()
    page.get_by_role("button", name="Đất đai").click()
    number = page.get_by_role("heading", level=1)
    expect(number).to_contain_text("Số của ông/bà")
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 219, "height": 800})
    paper = page.evaluate("document.querySelector('.slip__paper').getBoundingClientRect().height / 96 * 25.4")
    assert paper + 2 <= 90
    assert checks.cut_text(page) == []
    size = page.evaluate("parseFloat(getComputedStyle(document.querySelector('.slip__number')).fontSize) / 96 * 25.4")
    assert size * 0.714 >= 12  # P2: cap height of the fonts named in base.css


def test_r1_all_five_answers_are_in_view_on_a_small_phone(desk: Desk, built: tuple[Site, Town]) -> None:
    page = desk.open(f"/v/{built[1].links['rate']}", "", "phone")
    buttons = page.get_by_role("button")
    expect(buttons).to_have_text(["Rất hài lòng", "Hài lòng", "Bình thường", "Không hài lòng", "Rất không hài lòng"])
    boxes = [button.bounding_box() for button in buttons.all()]
    assert all(box and box["width"] == 328 and box["y"] + box["height"] <= 640 for box in boxes)


@pytest.mark.parametrize("device", ["tablet", "phone"])
def test_g7_the_main_button_stands_at_one_place_in_every_state(desk: Desk, device: str) -> None:
    places = set()
    for office, code in ((NORMAL, "1"), (NORMAL, "2"), (NORMAL, "3"), (NORMAL, "4"), (EMPTY, "1"), (FULL, "12")):
        page = desk.open(f"/counters/{office}/{code}", f"counter:{office}", device)
        box = (
            page.get_by_role("button", name="quầy").or_(page.get_by_role("button", name="gọi tiếp")).last.bounding_box()
        )
        assert box is not None
        assert box["height"] >= 96  # C1
        places.add(tuple(box.values()))
    assert len(places) == 1


def test_g10_nothing_moves_for_people_who_asked_for_that(people: People, built: tuple[Site, Town]) -> None:
    site, found = built
    for device, path in (("hall", f"/screens/{FULL}"), ("phone", f"/v/{found.links['called']}"), ("desktop", "/login")):
        page = people.open(site, device, path, reduced_motion="reduce")
        assert page.evaluate("document.getAnimations().length") == 0
        everything = "[...document.querySelectorAll('*')]"
        assert page.evaluate(f"{everything}.every((one) => getComputedStyle(one).transitionDuration === '0s')")


def test_g11_times_are_vietnams_whatever_the_machine_believes(people: People, built: tuple[Site, Town]) -> None:
    site, found = built
    wrong = "Date.now = ((now) => () => now() + 9 * 3600e3)(Date.now)"
    shown = []
    for device, path, text in (
        ("hall", f"/screens/{NORMAL}", ".hall__clock"),
        ("phone", f"/v/{found.links['waiting']}", "text=Cập nhật lúc"),
    ):
        context = people.context(site, device, timezone_id="America/Los_Angeles")
        context.add_init_script(wrong)
        page = context.new_page()
        page.goto(path)
        page.wait_for_timeout(1200)  # the clock ticks once a second
        shown.append(page.locator(text).first.inner_text()[-5:])
    now = datetime.now(ZoneInfo("Asia/Ho_Chi_Minh"))
    right = {f"{now - timedelta(minutes=ago):%H:%M}" for ago in (0, 1)}
    assert set(shown) <= right, (shown, datetime.now(UTC))


def test_g6_every_state_has_a_word_beside_its_colour(desk: Desk) -> None:
    page = desk.open(f"/counters/{NORMAL}", f"counter:{NORMAL}", "tablet")
    for words in ("Đang mở", "Tạm dừng"):
        expect(page.get_by_text(words).first).to_be_visible()


def test_a_chart_says_in_words_what_it_shows(desk: Desk) -> None:
    """CD9: the drawing has a name for people who do not see it, and a table beside it."""
    page = desk.open("/units/90012", "province-leader", "desktop")
    drawings = page.get_by_role("img")
    expect(drawings.first).to_be_visible()
    assert len(page.get_by_role("figure").all()) == 2
    page.get_by_text("Bảng số của biểu đồ").click()
    expect(page.get_by_role("columnheader", name="Khoảng tin cậy 95 %").last).to_be_visible()


def test_cd1_a_leader_sees_the_day_without_scrolling(desk: Desk) -> None:
    for device, bottom in (("desktop", 720), ("phone", 640)):
        page = desk.open("/units/90012", "province-leader", device)
        for words in ("Đang chờ", "Chờ lâu nhất", "Một nửa chờ dưới", "9 trong 10 chờ dưới", "Quầy đang mở"):
            box = page.get_by_role("link", name=words).bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= bottom, (device, words)
