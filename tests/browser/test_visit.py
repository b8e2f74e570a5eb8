"""The whole visit as five people live it: kiosk, phone, counter, hall, and afterwards the leader."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect
from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.actions import add_staff, hash_password
from feedback import actions as feedback
from feedback.models import RatingDraft
from queueing import actions
from queueing.models import Counter
from tests import cast
from tests.browser.conftest import People, Site
from tests.browser.test_counter import ready

pytestmark = pytest.mark.browser

# Milliseconds since 1970 by the clock that both pages share; the hall page notes when a number first stands there.
NOTE_NUMBERS = """
window.shownAt = {};
new MutationObserver(() => {
  for (const cell of document.querySelectorAll('.call__number')) window.shownAt[cell.textContent] ??= Date.now();
}).observe(document, { childList: true, subtree: true });
"""
NOTE_PRESSES = "document.addEventListener('click', () => { window.pressedAt = Date.now(); }, true)"


def scan(page: Page, folder: Path) -> str:
    """What a telephone reads from the ticket on the screen."""
    picture = folder / "qr.png"
    page.get_by_role("img", name="Mã để xem lượt và đánh giá").screenshot(path=picture)
    with Image.open(picture) as image:
        found = zxingcpp.read_barcodes(image)
    assert [code.format for code in found] == [zxingcpp.BarcodeFormat.QRCode]
    return found[0].text


def path_of(site: Site, link: str) -> str:
    assert link.startswith(site.url + "/v/")
    return link.removeprefix(site.url)


def test_a_visit_from_the_kiosk_to_the_index(people: People, site: Site, tmp_path: Path) -> None:
    place = site.place()
    password = hash_password(cast.PASSWORD)
    site.do(lambda session: add_staff(session, "quay.1", "clerk", password, place.code, None))
    site.do(lambda session: add_staff(session, "chu.tich", "commune_leader", password, None, place.unit))

    # The hall, and a clerk who logs in, picks the counter and opens it: four taps (C2).
    context = people.context(site, "hall")
    context.add_init_script(NOTE_NUMBERS)
    hall = context.new_page()
    hall.goto(f"/screens/{place.code}")
    expect(hall.get_by_text("Chưa gọi số nào. Xin ông/bà ngồi chờ.")).to_be_visible()
    clerk = people.log_in(site, "tablet", "quay.1")
    clerk.get_by_role("link", name="Quầy", exact=True).click()
    clerk.get_by_role("link", name="Quầy 1").click()
    clerk.get_by_role("button", name="Mở quầy").click()
    expect(clerk.get_by_text("Chưa có ai chờ", exact=True)).to_be_visible()

    # A machine is paired by pasting its code; then one tap gives a number (K1).
    kiosk = people.open(site, "tablet", "/device")
    kiosk.get_by_label("Mã thiết bị").fill(site.token("kiosk", place.code))
    kiosk.get_by_role("button", name="Ghép thiết bị").click()
    links = []
    for number in ("A001", "A002"):
        kiosk.get_by_role("button", name="Tư pháp - Hộ tịch - Chứng thực").click()
        expect(kiosk.get_by_role("heading", level=1)).to_contain_text(number)
        links.append(scan(kiosk, tmp_path))
        kiosk.get_by_role("link", name="Xong").click()

    # The first of them on a telephone with scripts, the second on one without.
    first = people.open(site, "phone", path_of(site, links[0]))
    expect(first.get_by_role("heading", level=1)).to_contain_text("A001")
    expect(first.get_by_text("Ông/bà là người tiếp theo")).to_be_visible()
    second = people.open(site, "phone", path_of(site, links[1]), java_script_enabled=False)
    expect(second.get_by_text("Còn 1 người trước")).to_be_visible()

    # The press, and the number on the wall within a second (D3).
    expect(clerk.get_by_text("Sẵn sàng gọi số", exact=True)).to_be_visible()
    clerk.evaluate(NOTE_PRESSES)
    for number in ("A001", "A002"):
        clerk.get_by_role("button", name="ọi tiếp").click()
        expect(clerk.get_by_role("paragraph").filter(has_text=number)).to_be_visible()
        expect(hall.get_by_role("listitem").filter(has_text=number)).to_contain_text("Quầy 1")
        waited = hall.evaluate("number => window.shownAt[number]", number) - clerk.evaluate("window.pressedAt")
        assert waited <= 1000, f"{number} stood in the hall after {waited} ms"
        if number == "A001":
            expect(first.get_by_role("heading", level=1)).to_have_text("MỜI ĐẾN QUẦY 1", timeout=15000)
            assert first.title().startswith("MỜI ĐẾN QUẦY 1")
    ready(clerk)
    clerk.get_by_role("button", name="Hoàn tất", exact=True).click()
    expect(clerk.get_by_text("Hôm nay đã phục vụ 2 lượt")).to_be_visible()

    # One tap without scripts is a rating (R1), and the page then tells nothing of it (R7).
    second.reload()
    expect(second.get_by_role("heading", level=1)).to_have_text("Ông/bà có hài lòng với lần phục vụ này không?")
    second.get_by_role("button", name="Hài lòng", exact=True).click()
    expect(second.get_by_role("heading", level=1)).to_have_text("Đã ghi nhận. Cảm ơn ông/bà.")
    expect(first.get_by_role("heading", level=1)).to_have_text(
        "Ông/bà có hài lòng với lần phục vụ này không?", timeout=15000
    )

    # Nine more visits; answers are released by fives, and from ten on the leader sees a share with its basis.
    leader = people.log_in(site, "desktop", "chu.tich")
    leader.get_by_role("link", name="Đơn vị của tôi").click()
    expect(leader.get_by_text("Chưa đủ 5 đánh giá nên chưa công bố.").first).to_be_visible()
    site.do(lambda session: serve_and_rate(site, session, place.id, 9))
    site.do(close_drafts)
    leader.reload()
    expect(leader.get_by_text("10 đánh giá trên 11 lượt phục vụ")).to_be_visible()
    expect(leader.get_by_text("100 %").first).to_be_visible()


def serve_and_rate(site: Site, session: Session, office: int, visits: int) -> None:
    """More people come, are served for a minute each, and are satisfied."""
    counter = session.scalars(select(Counter.id).where(Counter.office_id == office)).first()
    assert counter is not None
    now = datetime.now(UTC)
    for _ in range(visits):
        ticket, token = actions.issue(session, office, "A", now, ring=site.app.extensions["visit_keys"])
        actions.call_next(session, counter, now)
        actions.start(session, ticket.id, now)
        now += timedelta(minutes=1)
        actions.finish(session, ticket.id, now)
        feedback.rate(session, token.nullifier, 5, now)


def close_drafts(session: Session) -> None:
    for nullifier in list(session.scalars(select(RatingDraft.nullifier))):
        feedback.close_draft(session, nullifier, datetime.now(UTC))
