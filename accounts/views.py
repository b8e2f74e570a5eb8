"""Log-in and log-out, the first admin, staff accounts, and pairing a browser as a device."""

import secrets
from urllib.parse import urlsplit

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response as BaseResponse

from accounts import actions
from accounts.models import ROLE_NAMES, STAFF_ROLES, Role, Staff
from accounts.principal import (
    DEVICE_COOKIE,
    SESSION_COOKIE,
    allowed,
    cookie_name,
    current_principal,
    forget_remembered,
    token_principal,
)
from core import clock
from core.db import reader, transaction
from core.errors import BadInput, Refused
from core.i18n import lazy
from core.web import public

pages = Blueprint("accounts", __name__)


@pages.route("/login", methods=["GET", "POST"])
@public
def login() -> Response | BaseResponse:
    """Staff log in; afterwards they are where they wanted to go."""
    username = request.form.get("username", "").strip().lower()
    target = _local_path(request.values.get("next", ""))
    if request.method == "GET":
        return make_response(render_template("accounts/login.html", error=None, username="", next=target))
    now = clock.now()
    with reader() as session:
        staff = session.scalar(select(Staff).where(Staff.username == username))
        known_hash = staff.password_hash if staff else actions.NOBODY
    try:
        waits = actions.must_wait_s(staff, now)
        matches = waits == 0 and actions.password_matches(known_hash, request.form.get("password", ""))
        with transaction(by=f"login:{username[:32]}") as session:
            secret = actions.log_in(session, username, matches, now)
    except Refused as refusal:
        if isinstance(refusal, actions.WrongLogin):
            with transaction() as session:
                actions.note_failure(session, username, now)
        page = render_template("accounts/login.html", error=refusal.sentence, username=username, next=target)
        return make_response(page, 429 if refusal.status == 429 else 422)
    response = redirect(target or url_for("dashboards.home"), 303)
    _set_cookie(response, SESSION_COOKIE, secret)
    return response


@pages.post("/logout")
@public
def logout() -> BaseResponse:
    """End the log-in of this browser."""
    secret = request.cookies.get(cookie_name(SESSION_COOKIE), "")
    with transaction() as session:
        actions.log_out(session, secret)
    forget_remembered()
    response = redirect(url_for("accounts.login"), 303)
    response.delete_cookie(cookie_name(SESSION_COOKIE), secure=request.is_secure)
    return response


@pages.route("/setup", methods=["GET", "POST"])
@public
def setup() -> Response | BaseResponse:
    """The first admin, made with the one-time code that `motcua init` prints."""
    error = None
    if request.method == "POST":
        try:
            password_hash = actions.hash_password(request.form.get("password", ""))
            with transaction(by="setup") as session:
                actions.set_up_admin(
                    session, request.form.get("code", ""), request.form.get("username", ""), password_hash, clock.now()
                )
            return redirect(url_for("accounts.login"), 303)
        except BadInput as refusal:
            error = refusal.sentence
    page = render_template("accounts/setup.html", error=error, form=request.form)
    return make_response(page, 422 if error else 200)


@pages.route("/admin/staff", methods=["GET", "POST"])
@allowed(Role.ADMIN)
def staff() -> Response:
    """Who has an account, and a form for a new one; its first password is shown once."""
    error, issued = None, None
    principal = current_principal()
    assert principal is not None
    if request.method == "POST":
        form = request.form
        password = "-".join(secrets.token_hex(3) for _ in range(3))
        try:
            password_hash = actions.hash_password(password)
            with transaction(by=principal.label) as session:
                made = actions.add_staff(
                    session,
                    form.get("username", ""),
                    form.get("role", ""),
                    password_hash,
                    form.get("office") or None,
                    form.get("unit") or None,
                )
                issued = {"username": made.username, "password": password}
        except BadInput as refusal:
            error = refusal.sentence
    with reader() as session:
        rows = [
            {
                "username": person.username,
                "role_name": ROLE_NAMES[Role(person.role)],
                "place": person.office.code if person.office else person.unit_code or "",
                "active": person.active,
            }
            for person in session.scalars(select(Staff).order_by(Staff.username))
        ]
    roles = [(role.value, ROLE_NAMES[role]) for role in STAFF_ROLES]
    page = render_template("accounts/staff.html", rows=rows, roles=roles, error=error, form=request.form, issued=issued)
    return make_response(page, 422 if error else 200)


@pages.route("/device", methods=["GET", "POST"])
@public
def device() -> Response | BaseResponse:
    """Turn this browser into a kiosk, a screen or a counter's machine by pasting its token."""
    error = None
    if request.method == "POST":
        secret = request.form.get("token", "").strip()
        found = token_principal(secret)
        if found is not None and found.office_code:
            addresses = {
                Role.KIOSK: url_for("queueing.kiosk", office=found.office_code),
                Role.COUNTER: url_for("queueing.counters", office=found.office_code),
            }
            target = addresses.get(found.role, url_for("queueing.display", office=found.office_code))
            response = redirect(target, 303)
            _set_cookie(response, DEVICE_COOKIE, secret)
            return response
        error = lazy("Mã thiết bị không đúng hoặc đã bị thu hồi. Xin tạo mã mới bằng lệnh motcua token create.")
    current = token_principal(request.cookies.get(cookie_name(DEVICE_COOKIE), ""))
    paired = current and {"role_name": ROLE_NAMES[current.role], "office": current.office_code}
    page = render_template("accounts/device.html", error=error, device=paired)
    return make_response(page, 422 if error else 200)


@pages.post("/device/forget")
@public
def forget_device() -> BaseResponse:
    """This browser is an ordinary one again."""
    response = redirect(url_for("accounts.device"), 303)
    response.delete_cookie(cookie_name(DEVICE_COOKIE), secure=request.is_secure)
    return response


def _local_path(target: str) -> str:
    """Where to go next, if that is a place on this site."""
    parts = urlsplit(target)
    is_local = target.startswith("/") and not target.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme
    return target if is_local and target.isprintable() else ""


def _set_cookie(response: BaseResponse, name: str, secret: str) -> None:
    age = 365 * 24 * 3600 if name == DEVICE_COOKIE else None
    response.set_cookie(
        cookie_name(name), secret, max_age=age, httponly=True, secure=request.is_secure, samesite="Lax", path="/"
    )
