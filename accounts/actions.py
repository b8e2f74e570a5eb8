"""Accounts come and go: staff, log-ins, tokens, the first admin."""

import secrets
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from accounts.models import STAFF_ROLES, TOKEN_ROLES, ApiToken, Role, SetupCode, Staff, StaffSession
from accounts.principal import hashed
from core.errors import BadInput, Refused, TooMany, Unknown
from core.i18n import lazy
from core.offloop import off_loop
from units.models import Office, Unit

SHORTEST_PASSWORD = 15
LONGEST_NAME = 120
FAST_TRIES = 5
LONGEST_DELAY_S = 15 * 60
SETUP_CODE_LIVES = timedelta(minutes=60)
hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# A log-in of somebody unknown takes as long as one with a wrong password.
NOBODY = hasher.hash("nobody has this password")


class WrongLogin(Refused):
    """User name or password do not match."""

    status = 401


def password_matches(password_hash: str, password: str) -> bool:
    """Argon2id takes some 20 ms of CPU, so it runs beside the event loop."""
    try:
        return bool(off_loop(hasher.verify, password_hash, password))
    except (VerifyMismatchError, InvalidHashError):
        return False


def hash_password(password: str) -> str:
    """Argon2id with 19 MiB, t = 2, p = 1 (OWASP ASVS); raises BadInput for a short one."""
    if len(password) < SHORTEST_PASSWORD:
        raise BadInput(lazy("Mật khẩu cần ít nhất %(n)s ký tự. Một câu ngắn dễ nhớ là tốt nhất.", n=SHORTEST_PASSWORD))
    return str(off_loop(hasher.hash, password))


def must_wait_s(staff: Staff | None, now: datetime) -> float:
    """Seconds until the next try: five are free, then the delay doubles up to 15 minutes."""
    if staff is None or staff.failures < FAST_TRIES or staff.last_failure_at is None:
        return 0.0
    delay = float(min(LONGEST_DELAY_S, 2 ** min(staff.failures - FAST_TRIES + 1, 10)))
    return max(0.0, delay - (now - staff.last_failure_at).total_seconds())


def log_in(session: Session, username: str, matches: bool, now: datetime) -> str:
    """Open a session for a checked password and return its secret; raises WrongLogin or TooMany."""
    staff = session.scalar(select(Staff).where(Staff.username == username).with_for_update(of=Staff))
    if (wait := must_wait_s(staff, now)) > 0:
        raise TooMany(
            lazy("Sai mật khẩu nhiều lần. Xin thử lại sau %(n)s giây.", n=int(wait) + 1), retry_after_s=int(wait) + 1
        )
    if staff is None or not staff.active or not matches:
        raise WrongLogin(lazy("Tên đăng nhập hoặc mật khẩu chưa đúng."))
    staff.failures = 0
    secret = secrets.token_urlsafe(32)
    session.add(StaffSession(secret_hash=hashed(secret), staff=staff, opened_at=now))
    return secret


def note_failure(session: Session, username: str, now: datetime) -> None:
    """Count a failed try, so that the next ones take longer."""
    staff = session.scalar(select(Staff).where(Staff.username == username).with_for_update(of=Staff))
    if staff is not None:
        staff.failures += 1
        staff.last_failure_at = now


def log_out(session: Session, secret: str) -> None:
    """End this log-in."""
    session.execute(delete(StaffSession).where(StaffSession.secret_hash == hashed(secret)))


def add_staff(
    session: Session, username: str, role: str, password_hash: str, office: str | None, unit: str | None
) -> Staff:
    """A new account. A clerk needs an office, a leader a unit. Raises BadInput with what is missing."""
    username = username.strip().lower()
    if not username or not username.isascii() or len(username) > 64 or " " in username:
        raise BadInput(lazy("Tên đăng nhập chỉ gồm chữ không dấu, số, dấu chấm hoặc gạch."))
    if role not in STAFF_ROLES:
        raise BadInput(lazy("Xin chọn vai trò."))
    if session.scalar(select(Staff.id).where(Staff.username == username)):
        raise BadInput(lazy("Tên đăng nhập này đã có."))
    staff = Staff(username=username, role=role, password_hash=password_hash)
    if role == Role.CLERK:
        staff.office = _office(session, office)
    elif role != Role.ADMIN:
        staff.unit_code = _unit(session, unit)
    session.add(staff)
    session.flush()
    return staff


def make_token(
    session: Session, role: str, now: datetime, office: str | None = None, unit: str | None = None, name: str = ""
) -> tuple[ApiToken, str]:
    """A token for a device or program and its secret, which is shown once. Raises BadInput."""
    if role not in TOKEN_ROLES:
        raise BadInput(lazy("Vai trò của mã truy cập không đúng."))
    if len(name) > LONGEST_NAME:
        raise BadInput(lazy("Tên dài tối đa %(n)s ký tự.", n=LONGEST_NAME))
    secret = secrets.token_urlsafe(24)
    token = ApiToken(secret_hash=hashed(secret), role=role, name=name, created_at=now)
    if role == Role.READER and unit:
        token.unit_code = _unit(session, unit)
    else:
        token.office = _office(session, office)
    session.add(token)
    session.flush()
    return token, secret


def revoke_token(session: Session, token_id: int, now: datetime) -> None:
    """The token stops working within 5 s; raises Unknown."""
    token = session.get(ApiToken, token_id)
    if token is None:
        raise Unknown(lazy("Không có mã truy cập này."))
    token.revoked_at = token.revoked_at or now


def make_setup_code(session: Session, now: datetime) -> str:
    """A one-time code for the first admin; an older one stops working. Raises Refused once there is an admin."""
    if session.scalar(select(func.count()).select_from(Staff).where(Staff.role == Role.ADMIN)):
        raise Refused(lazy("Hệ thống đã có người quản trị."))
    session.execute(delete(SetupCode))
    code = "-".join(secrets.token_hex(2).upper() for _ in range(4))
    session.add(SetupCode(code_hash=hashed(code), made_at=now))
    return code


def set_up_admin(session: Session, code: str, username: str, password_hash: str, now: datetime) -> Staff:
    """The first admin; the code is dead afterwards. Raises BadInput."""
    found = session.get(SetupCode, hashed(code.strip().upper()))
    if found is None or now - found.made_at > SETUP_CODE_LIVES:
        raise BadInput(lazy("Mã cài đặt không đúng hoặc đã quá 60 phút. Xin chạy lại lệnh motcua init để có mã mới."))
    session.delete(found)
    return add_staff(session, username, Role.ADMIN, password_hash, None, None)


def _office(session: Session, code: str | None) -> Office:
    office = session.scalar(select(Office).where(Office.code == code)) if code else None
    if office is None:
        raise BadInput(lazy("Không có điểm tiếp nhận mã “%(code)s”.", code=code or ""))
    return office


def _unit(session: Session, code: str | None) -> str:
    unit = session.scalar(select(Unit).where(Unit.code == code, Unit.valid_to.is_(None))) if code else None
    if unit is None:
        raise BadInput(lazy("Không có đơn vị hành chính mã “%(code)s”.", code=code or ""))
    return unit.code
