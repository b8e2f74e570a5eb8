"""Who is asking: resolved once a request from a bearer token, a log-in or a paired device."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from flask import g, request
from sqlalchemy import select

from accounts.models import ApiToken, Role, StaffSession
from core import clock
from core.db import current_database, reader
from core.errors import Forbidden, Unauthenticated
from core.i18n import lazy
from units.models import Office

SESSION_COOKIE = "motcua"
DEVICE_COOKIE = "motcua-device"
REMEMBERED_S = 4.0
# A shift and its overtime: a tablet left behind is nobody's the next morning.
SESSION_LIVES_S = 12 * 3600


@dataclass(frozen=True)
class Principal:
    """Somebody or something that may act. `label` names it in the audit log."""

    label: str
    role: Role
    username: str = ""
    office_id: int | None = None
    office_code: str | None = None
    unit_code: str | None = None

    def must_reach_office(self, office: Office) -> None:
        """Clerks and tokens act in their own office only; raises Forbidden."""
        if self.office_id != office.id:
            raise Forbidden(lazy("Tài khoản này không thuộc điểm tiếp nhận này."))

    def must_see_unit(self, code: str, parent: str | None) -> None:
        """Leaders and readers see their own unit and those below it; raises Forbidden."""
        if self.unit_code is None or self.unit_code not in (code, parent):
            raise Forbidden(lazy("Tài khoản này không xem được đơn vị này."))


def allowed(*roles: Role) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The route is for these roles; others get 401 or 403."""

    def protect(view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def run(*args: Any, **kwargs: Any) -> Any:
            must_be(*roles)
            return view(*args, **kwargs)

        run.rule = roles  # type: ignore[attr-defined]
        return run

    return protect


def must_be(*roles: Role) -> Principal:
    """The present principal, if it has one of these roles; raises Unauthenticated or Forbidden."""
    principal = current_principal()
    if principal is None:
        raise Unauthenticated(lazy("Xin đăng nhập, hoặc gửi kèm mã truy cập còn hiệu lực."))
    if principal.role not in roles:
        raise Forbidden(lazy("Tài khoản này không có quyền thực hiện việc này."))
    return principal


def current_principal() -> Principal | None:
    """Whoever is asking, or None. The API knows bearer tokens only, pages log-ins and devices."""
    if "principal" not in g:
        g.principal = _find_principal()
    principal: Principal | None = g.principal
    return principal


def cookie_name(name: str) -> str:
    """Over HTTPS the cookie is bound to the host; a commune's plain-HTTP network cannot have that."""
    return f"__Host-{name}" if request.is_secure else name


def hashed(secret: str) -> bytes:
    """Secrets here are random and long, so one round of SHA-256 keeps them."""
    return hashlib.sha256(secret.encode()).digest()


def token_principal(secret: str) -> Principal | None:
    """The principal of an API token, or None when it is unknown or revoked (noticed within 4 s)."""
    return _remembered(ApiToken, hashed(secret))


def _find_principal() -> Principal | None:
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secret:
        return token_principal(secret.strip())
    if request.path.startswith("/api/"):
        return None
    log_in = request.cookies.get(cookie_name(SESSION_COOKIE), "")
    device = request.cookies.get(cookie_name(DEVICE_COOKIE), "")
    staff = _remembered(StaffSession, hashed(log_in)) if log_in else None
    return staff or (token_principal(device) if device else None)


def _remembered(kind: type[ApiToken] | type[StaffSession], secret_hash: bytes) -> Principal | None:
    """Look a secret up, at most once in 4 s a process: changes of rights act within 5 s."""
    seen: dict[bytes, tuple[float, Principal | None]] = current_database().__dict__.setdefault("principals", {})
    at = time.monotonic()
    if (found := seen.get(secret_hash)) and at - found[0] < REMEMBERED_S:
        return found[1]
    if len(seen) > 10_000:
        seen.clear()
    principal = _token(secret_hash) if kind is ApiToken else _staff(secret_hash)
    seen[secret_hash] = (at, principal)
    return principal


def forget_remembered() -> None:
    """After a log-out or a change of rights, ask the database again."""
    current_database().__dict__.pop("principals", None)


def _token(secret_hash: bytes) -> Principal | None:
    with reader() as session:
        token = session.scalar(
            select(ApiToken).where(ApiToken.secret_hash == secret_hash, ApiToken.revoked_at.is_(None))
        )
        if token is None:
            return None
        unit = token.unit_code or (token.office.unit_code if token.office else None)
        office = token.office.code if token.office else None
        return Principal(f"token:{token.id}", Role(token.role), token.name, token.office_id, office, unit)


def _staff(secret_hash: bytes) -> Principal | None:
    with reader() as session:
        found = session.get(StaffSession, secret_hash)
        if found is None or not found.staff.active:
            return None
        if (clock.now() - found.opened_at).total_seconds() > SESSION_LIVES_S:
            return None
        staff = found.staff
        unit = staff.unit_code or (staff.office.unit_code if staff.office else None)
        office = staff.office.code if staff.office else None
        return Principal(f"staff:{staff.id}", Role(staff.role), staff.username, staff.office_id, office, unit)
