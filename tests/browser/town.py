"""A province in every state a page can be in: nobody there, an ordinary morning, far too many people, closed.

Everything is done by the ordinary actions, so that no state exists here that cannot exist. `Town.links` has one visit
link for every state of a visit.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.actions import add_staff, hash_password
from core.db import add_up, transaction
from feedback import actions as feedback
from feedback.models import AnswerTally, Kind, RightsTally
from feedback.periods import Period
from feedback.questionnaire import questionnaire
from queueing import actions
from queueing.models import Counter, Ticket
from queueing.office_file import read_offices
from queueing.queries import current_ticket, office_by_code, services
from queueing.setup import load_offices
from queueing.visit_token import KeyRing
from tests import cast
from tests.browser.conftest import add_unit
from units.hours import DAYS

EMPTY, NORMAL, FULL, CLOSED = "yen-hoa-1", "phan-dinh-phung-1", "trang-an-1", "thanh-son-1"
UNITS = {"90011": "Xã Yên Hòa", "90012": "Phường Phan Đình Phùng", "90014": "Xã Thanh Sơn"}
LONG_UNIT = ("90013", "Phường Tràng An Thượng - Nghĩa Đô - Quốc Tử Giám")
LONG_SERVICES = (
    ("A", "Tư pháp - Hộ tịch - Chứng thực bản sao, chữ ký và hợp đồng"),
    ("B", "Đất đai - Xây dựng - Tài nguyên và Môi trường"),
    ("C", "Người có công - Bảo trợ xã hội - Giảm nghèo bền vững"),
    ("D", "Đăng ký kinh doanh hộ cá thể - Hợp tác xã - Thuế"),
    ("E", "Bảo hiểm xã hội - Bảo hiểm y tế - Lao động, việc làm"),
    ("G", "Cư trú - Căn cước - Định danh điện tử"),
    ("H", "Giáo dục và Đào tạo - Văn hóa - Thông tin - Thể thao - Du lịch"),
    ("K", "Trả kết quả"),
)
WEEKS = 20


@dataclass
class Town:
    """Where to look: a visit link's token for every state."""

    links: dict[str, str] = field(default_factory=dict)


def build(app: Flask) -> Town:
    """Settle the town beside the cast; the day's events lie between local midnight and now."""
    now = datetime.now(UTC)
    town = Town()
    with app.app_context():
        with transaction() as session:
            for code, name in {**UNITS, **dict([LONG_UNIT])}.items():
                add_unit(session, code, name)
            load_offices(session, read_offices(_offices(now)), now - timedelta(days=10))
            password = hash_password(cast.PASSWORD)
            add_staff(session, "can.bo", "clerk", password, NORMAL, None)
            add_staff(session, "can.bo.huong.dan.va.tra.ket.qua", "clerk", password, FULL, None)
            add_staff(session, "lanh.dao", "commune_leader", password, None, "90012")
        ring = app.extensions["visit_keys"]
        moments = _moments(now)
        with transaction() as session:
            _earlier_days(session, ring, town, now)
        with transaction() as session:
            _ordinary_morning(session, ring, town, moments, now)
        with transaction() as session:
            _too_many(session, ring, town, moments)
        with transaction() as session:
            for unit, office, scale in (("90012", NORMAL, 1), ("90013", FULL, 60)):
                _results(session, unit, office, scale, now)
    return town


def _offices(now: datetime) -> str:
    """The office file. The closed one opens on the day after tomorrow only."""
    local = now.astimezone(ZoneInfo("Asia/Ho_Chi_Minh"))
    far = DAYS[(local.weekday() + 2) % 7]
    parts = [
        _office(EMPTY, "90011", "Điểm tiếp nhận số 1", [("A", "Tiếp nhận và trả kết quả")], ["Quầy 1"]),
        _office(
            NORMAL,
            "90012",
            "Điểm tiếp nhận số 1",
            [("A", "Tư pháp - Hộ tịch - Chứng thực"), ("B", "Đất đai - Xây dựng - Môi trường"), ("C", "Trả kết quả")],
            ["Quầy 1", "Quầy 2", "Quầy 3", "Quầy 4"],
        ),
        _office(
            FULL,
            LONG_UNIT[0],
            "Điểm tiếp nhận số 2 - Nhà văn hóa Nguyễn Thị Minh Khai",
            LONG_SERVICES,
            [*(f"Quầy {number}" for number in range(1, 12)), "Quầy hướng dẫn và trả kết quả"],
        ),
        _office(
            CLOSED,
            "90014",
            "Điểm tiếp nhận số 1",
            [("A", "Tiếp nhận và trả kết quả")],
            ["Quầy 1"],
            f'["{far} 07:30-11:30"]',
        ),
    ]
    return "\n".join(parts)


def _office(
    code: str,
    unit: str,
    name: str,
    groups: list[tuple[str, str]] | tuple[tuple[str, str], ...],
    counters: list[str],
    hours: str = "[]",
) -> str:
    lines = [f'[[office]]\ncode = "{code}"\nunit = "{unit}"\nname = "{name}"\nhours = {hours}']
    lines += [f'[[office.service]]\ncode = "{group}"\nname = "{words}"' for group, words in groups]
    everything = ", ".join(f'"{group}"' for group, _ in groups)
    lines += [
        f'[[office.counter]]\ncode = "{number}"\nname = "{words}"\nservices = [{everything}]'
        for number, words in enumerate(counters, 1)
    ]
    for priority, words in (
        ("elderly", "Người cao tuổi"),
        ("disabled", "Người khuyết tật"),
        ("pregnant", "Phụ nữ mang thai, có con nhỏ"),
        ("merit", "Người có công với cách mạng"),
    ):
        lines.append(f'[[office.priority]]\ncode = "{priority}"\nname = "{words}"\nhead_start_min = 30')
    return "\n".join(lines)


def _moments(now: datetime) -> list[datetime]:
    """A thousand moments of the last three hours, or since local midnight if that is later."""
    midnight = now.astimezone(ZoneInfo("Asia/Ho_Chi_Minh")).replace(hour=0, minute=0, second=1).astimezone(UTC)
    begin = max(now - timedelta(hours=3), min(midnight, now - timedelta(seconds=5)))
    return [begin + (now - begin) * step / 1000 for step in range(1000)]


def _counters(session: Session, office: str) -> list[Counter]:
    place = office_by_code(session, office)
    return list(session.scalars(select(Counter).where(Counter.office_id == place.id).order_by(Counter.position)))


def _earlier_days(session: Session, ring: KeyRing, town: Town, now: datetime) -> None:
    """A visit nine days ago, whose right has ended, and somebody who waited in vain on the day before yesterday."""
    place = office_by_code(session, NORMAL)
    counter = _counters(session, NORMAL)[0]
    then = now - timedelta(days=9)
    ticket, token = actions.issue(session, place.id, "A", then, ring=ring)
    actions.open_counter(session, counter.id, then)
    actions.call_next(session, counter.id, then)
    actions.finish(session, ticket.id, then + timedelta(minutes=9))
    feedback.expire_rights(session, now.date())
    town.links["expired"] = token.text
    then = now - timedelta(days=2)
    _, token = actions.issue(session, place.id, "A", then, ring=ring)
    town.links["turned_away"] = token.text


def _ordinary_morning(session: Session, ring: KeyRing, town: Town, moments: list[datetime], now: datetime) -> None:
    """Visits of every state, three counters at work, one resting, twelve people waiting."""
    place = office_by_code(session, NORMAL)
    at = iter(moments)
    one, two, three, four = _counters(session, NORMAL)
    for counter in (one, two, three):
        actions.open_counter(session, counter.id, next(at))

    def serve(group: str) -> tuple[Ticket, str, bytes]:
        ticket, token = actions.issue(session, place.id, group, next(at), ring=ring)
        called = actions.call_next(session, one.id, next(at))
        assert called is ticket
        actions.start(session, ticket.id, next(at))
        for _ in range(12):
            next(at)
        actions.finish(session, ticket.id, next(at))
        return ticket, token.text, token.nullifier

    for number in range(30):
        serve("ABC"[number % 3])
    town.links["rate"] = serve("A")[1]
    for state in ("thanks", "spent"):
        _, town.links[state], nullifier = serve("A")
        feedback.rate(session, nullifier, 4, now)
        if state == "spent":
            feedback.close_draft(session, nullifier, now)
    missing, token = actions.issue(session, place.id, "A", next(at), ring=ring)
    actions.call_next(session, one.id, next(at))
    actions.no_show(session, missing.id, next(at))
    town.links["no_show"] = token.text
    gone, token = actions.issue(session, place.id, "A", next(at), ring=ring)
    actions.cancel(session, gone.id, next(at))
    town.links["cancelled"] = token.text
    served, token = actions.issue(session, place.id, "B", next(at), ring=ring)
    actions.call_next(session, two.id, next(at))
    actions.start(session, served.id, next(at))
    town.links["serving"] = token.text
    _, token = actions.issue(session, place.id, "A", next(at), ring=ring)
    actions.call_next(session, one.id, next(at))
    town.links["called"] = token.text
    for number in range(12):
        priority = "elderly" if number == 5 else None
        _, token = actions.issue(
            session,
            place.id,
            "ABC"[number % 3],
            next(at),
            ring=ring,
            priority_code=priority,
        )
        town.links["next" if number == 2 else "waiting"] = token.text
    actions.open_counter(session, four.id, next(at))
    actions.pause_counter(session, four.id, "Nghỉ giải lao", next(at))


def _too_many(session: Session, ring: KeyRing, town: Town, moments: list[datetime]) -> None:
    """Twelve counters, all called to, more calls than the hall shows, three hundred people waiting."""
    place = office_by_code(session, FULL)
    at = iter(moments)
    counters = _counters(session, FULL)
    groups = [service.code for service in services(session, place.id)]
    for counter in counters:
        actions.open_counter(session, counter.id, next(at))
    for number in range(26):
        actions.issue(session, place.id, groups[number % 8], next(at), ring=ring)
    for counter in [*counters, *counters]:
        actions.call_next(session, counter.id, next(at))
    for number in range(297):
        priority = "pregnant" if number % 17 == 0 else None
        actions.issue(session, place.id, groups[number % 8], next(at), ring=ring, priority_code=priority)
    _, token = actions.issue(session, place.id, "A", next(at), ring=ring)
    town.links["long-waiting"] = token.text
    called, token = actions.issue(
        session,
        place.id,
        "A",
        next(at),
        ring=ring,
        priority_code="elderly",
    )
    actions.finish(session, _at(session, counters[11]).id, next(at))
    actions.call_one(session, counters[11].id, called.id, next(at))
    town.links["long-called"] = token.text


def _at(session: Session, counter: Counter) -> Ticket:
    found = current_ticket(session, counter.id)
    assert found is not None
    return found


def _results(session: Session, unit: str, office: str, scale: int, now: datetime) -> None:
    """Released answers of the last weeks, better in some weeks than in others."""
    place = office_by_code(session, office)
    week = Period.holding("week", now.date())
    for back in range(WEEKS):
        week = week.previous()
        cell = {"office_id": place.id, "service_id": services(session, place.id)[0].id, "kind": Kind.SERVED.value}
        cell |= {"week": str(week), "unit_code": unit}
        fewer = (back * 7) % 5
        levels = {"n5": 9 * scale, "n4": (8 - fewer) * scale, "n3": 2, "n2": fewer * scale, "n1": 1}
        for question in questionnaire().codes:
            key = {**cell, "questionnaire": questionnaire().code, "question": question}
            add_up(session, AnswerTally, key, levels, released_at=now)
        total = sum(levels.values())
        add_up(session, RightsTally, cell, {"opened": 4 * total, "rated": total, "expired": 3 * total})
