"""Staff accounts, their sessions, and the tokens of devices and programs. Secrets are stored as hashes only."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.db import Base, UtcDateTime
from core.i18n import lazy
from units.models import Office


class Role(StrEnum):
    """What somebody is here; the first five are tokens of devices and programs, the rest people."""

    KIOSK = "kiosk"
    DISPLAY = "display"
    COUNTER = "counter"
    OFFICE = "office"
    READER = "reader"
    CLERK = "clerk"
    COMMUNE_LEADER = "commune_leader"
    PROVINCE_LEADER = "province_leader"
    ADMIN = "admin"


TOKEN_ROLES = (Role.KIOSK, Role.DISPLAY, Role.COUNTER, Role.OFFICE, Role.READER)
STAFF_ROLES = (Role.CLERK, Role.COMMUNE_LEADER, Role.PROVINCE_LEADER, Role.ADMIN)
ROLE_NAMES = {
    Role.KIOSK: lazy("Máy lấy số"),
    Role.DISPLAY: lazy("Màn hình"),
    Role.COUNTER: lazy("Máy tại quầy"),
    Role.OFFICE: lazy("Phần mềm của điểm tiếp nhận"),
    Role.READER: lazy("Đọc kết quả"),
    Role.CLERK: lazy("Cán bộ một cửa"),
    Role.COMMUNE_LEADER: lazy("Lãnh đạo xã, phường"),
    Role.PROVINCE_LEADER: lazy("Lãnh đạo tỉnh"),
    Role.ADMIN: lazy("Quản trị"),
}


class Staff(Base):
    """A person who logs in. Clerks belong to an office, leaders to a unit."""

    __tablename__ = "staff"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[str] = mapped_column(String(24))
    office_id: Mapped[int | None] = mapped_column(ForeignKey("offices.id"))
    unit_code: Mapped[str | None] = mapped_column(String(8))
    password_hash: Mapped[str] = mapped_column(String(200))
    active: Mapped[bool] = mapped_column(default=True)
    failures: Mapped[int] = mapped_column(default=0)
    last_failure_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    office: Mapped[Office | None] = relationship(lazy="joined")


class StaffSession(Base):
    """One log-in on one browser; the cookie holds the secret, this row its hash."""

    __tablename__ = "staff_sessions"

    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), index=True)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    staff: Mapped[Staff] = relationship(lazy="joined", innerjoin=True)


class ApiToken(Base):
    """A device or program that may act without a person."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    role: Mapped[str] = mapped_column(String(24))
    office_id: Mapped[int | None] = mapped_column(ForeignKey("offices.id"))
    unit_code: Mapped[str | None] = mapped_column(String(8))
    name: Mapped[str] = mapped_column(String(120), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    office: Mapped[Office | None] = relationship(lazy="joined")


class SetupCode(Base):
    """The one-time code that makes the first admin; dead after use or 60 minutes."""

    __tablename__ = "setup_codes"

    code_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
