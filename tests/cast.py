"""The people and places every test may use. Names are short on purpose; codes are no real unit's.

Communes An Bình and Bình Minh of one province, one office each: a clerk of An Bình, a leader of An Bình, a leader of
the province, and a clerk of Bình Minh who must not see An Bình. Later An Bình and Bình Minh become An Minh.
"""

from datetime import UTC, date, datetime

from flask import Flask
from sqlalchemy.orm import Session

from accounts.actions import add_staff, hash_password
from queueing.office_file import read_offices
from queueing.setup import load_offices
from units.models import Unit, UnitSuccession
from units.names import bare_name, fold, sort_key

PASSWORD = "mot cau that la de nho"
# Monday, 09:00 in Vietnam: inside the opening hours of both offices.
MONDAY = datetime(2026, 11, 16, 2, 0, tzinfo=UTC)
FOUNDED = date(2025, 7, 1)
MERGER = date(2027, 1, 1)

PROVINCE, AN_BINH, BINH_MINH, AN_MINH = "90", "90001", "90002", "90003"
OFFICE, OTHER_OFFICE = "an-binh-1", "binh-minh-1"

OFFICES = """
[[office]]
code = "an-binh-1"
unit = "90001"
name = "Điểm tiếp nhận số 1"

[[office.service]]
code = "A"
name = "Tư pháp - Hộ tịch - Chứng thực"

[[office.service]]
code = "B"
name = "Đất đai - Xây dựng - Môi trường"

[[office.counter]]
code = "1"
name = "Quầy 1"
services = ["A", "B+10"]

[[office.counter]]
code = "2"
name = "Quầy 2"
services = ["B", "A+10"]

[[office.counter]]
code = "3"
name = "Quầy 3"
services = ["A", "B"]

[[office.priority]]
code = "elderly"
name = "Người cao tuổi"
head_start_min = 30

[[office]]
code = "binh-minh-1"
unit = "90002"
name = "Điểm tiếp nhận số 1"
hours = ["mon-fri 07:30-11:30", "mon-fri 13:30-17:00"]

[[office.service]]
code = "A"
name = "Trả kết quả"
daily_limit = 3

[[office.counter]]
code = "1"
name = "Quầy 1"
services = ["A"]
"""


def settle(app: Flask, session: Session, now: datetime = MONDAY) -> None:
    """Put the whole cast into an empty, migrated database."""
    names = {PROVINCE: "Tỉnh An Giang Thử", AN_BINH: "Xã An Bình", BINH_MINH: "Phường Bình Minh"}
    for code, name in names.items():
        session.add(
            Unit(
                code=code,
                valid_from=FOUNDED,
                name=name,
                kind="province" if code == PROVINCE else "xa",
                parent_code=None if code == PROVINCE else PROVINCE,
                folded=fold(name),
                sort_key=sort_key(bare_name(name)),
            )
        )
    session.flush()
    load_offices(session, read_offices(OFFICES), now)
    password = hash_password(PASSWORD)
    add_staff(session, "clerk", "clerk", password, OFFICE, None)
    add_staff(session, "other-clerk", "clerk", password, OTHER_OFFICE, None)
    add_staff(session, "commune-leader", "commune_leader", password, None, AN_BINH)
    add_staff(session, "province-leader", "province_leader", password, None, PROVINCE)
    add_staff(session, "admin", "admin", password, None, None)


def merge_into_an_minh(session: Session) -> None:
    """An Bình and Bình Minh become An Minh: three rows are added, nothing is moved."""
    name = "Xã An Minh"
    session.add(
        Unit(
            code=AN_MINH,
            valid_from=MERGER,
            name=name,
            kind="xa",
            parent_code=PROVINCE,
            folded=fold(name),
            sort_key=sort_key(bare_name(name)),
        )
    )
    for code in (AN_BINH, BINH_MINH):
        session.add(UnitSuccession(old_code=code, new_code=AN_MINH, effective=MERGER, share=1, main=True))
