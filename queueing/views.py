"""The pages of the desk: kiosk and reception, hall display, counters."""

import secrets
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, current_app, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from markupsafe import Markup
from qrcode import QRCode
from qrcode.constants import ERROR_CORRECT_M
from qrcode.image.svg import SvgPathImage
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from accounts.command import once
from accounts.models import Role
from accounts.principal import allowed, current_principal
from core import clock
from core.db import reader
from core.errors import Unknown
from core.i18n import chosen_language
from core.i18n import clock as clock_text
from core.i18n import day as day_text
from core.idempotency import Reply
from core.web import public
from queueing import actions, queries
from queueing.api import TICKET_VERBS, limit_kiosk, visit_url
from queueing.models import Counter, Ticket
from queueing.represent import reason_text
from units.models import Office
from units.queries import current_unit

pages = Blueprint("queueing", __name__)

MOST_CALLS = 10
MOST_RECENT = 8
BUTTONS = {"call-next", "open", "close", "pause", *TICKET_VERBS}
PAUSE_REASONS = ("Nghỉ giải lao", "Họp", "Hỗ trợ quầy khác", "Sự cố kỹ thuật")


@pages.get("/kiosks/<office>")
@allowed(Role.KIOSK, Role.CLERK)
def kiosk(office: str) -> str:
    """Two taps to a ticket."""
    with reader() as session:
        return render_template("queueing/kiosk.html", **_desk_front(session, _own_office(session, office)))


@pages.get("/reception/<office>")
@allowed(Role.KIOSK, Role.CLERK)
def reception(office: str) -> str:
    """The same for staff: a fast list, and what was issued last."""
    with reader() as session:
        place = _own_office(session, office)
        recent = [
            {
                "number": ticket.number,
                "service": ticket.service.name,
                "issued_at": ticket.issued_at,
                "state": ticket.state,
            }
            for ticket in queries.recent_tickets(session, place, MOST_RECENT)
        ]
        return render_template("queueing/reception.html", recent=recent, **_desk_front(session, place))


@pages.post("/kiosks/<office>/tickets")
@allowed(Role.KIOSK, Role.CLERK)
def take_ticket(office: str) -> Response:
    """Issue a ticket and show it; the same form sent again shows the same ticket."""
    form = request.form
    skin = "reception" if form.get("skin") == "reception" else "kiosk"
    back_url = url_for(f"queueing.{skin}", office=office)

    def step(session: Session, now: datetime) -> Reply:
        place = _own_office(session, office)
        limit_kiosk()
        ticket, token = actions.issue(
            session,
            place.id,
            form.get("service", ""),
            now,
            ring=current_app.extensions["visit_keys"],
            priority_code=form.get("priority") or None,
            channel=skin,
        )
        ahead = queries.ahead_of(session, ticket)
        wait = queries.wait_of(session, ticket, ahead)
        shown = {
            "number": ticket.number,
            "service_name": ticket.service.name,
            "issued_at": ticket.issued_at.isoformat(),
            "ahead": ahead,
            "wait": wait and {"low_min": wait.low_min, "high_min": wait.high_min},
            "counters": [counter.name for counter in queries.counters_for(session, ticket.service_id)],
            "priority_name": ticket.priority.name if ticket.priority else None,
            "url": None,
        }
        return Reply(201, shown, secret=("url", visit_url(token.text)), subject=ticket.id)

    reply = once(form.get("key") or None, step)
    with reader() as session:
        place = queries.office_by_code(session, office)
        shown_office = office_view(session, place)
        opens = opens_text(place)
    body = reply.full_body() or {}
    if reply.status >= 400:
        heading = {
            "closed": gettext("Ngoài giờ làm việc"),
            "full": gettext("Hôm nay đã hết số"),
        }.get(str(body.get("reason")), gettext("Chưa lấy được số"))
        text = " ".join(filter(None, (body["detail"], opens)))
        page = render_template(
            "queueing/refused.html", office=shown_office, heading=heading, text=text, back_url=back_url, skin=skin
        )
        return make_response(page, reply.status)
    ticket = {**body, "issued_at": datetime.fromisoformat(body["issued_at"])}
    page = render_template(
        "queueing/ticket.html",
        office=shown_office,
        ticket=ticket,
        qr=qr_svg(body["url"]) if body["url"] else None,
        back_url=back_url,
        skin=skin,
        autoprint=_is_paired_kiosk() and skin == "kiosk",
    )
    return make_response(page, 201)


@pages.get("/screens/<office>")
@public
def display(office: str) -> str:
    """The hall display: numbers and counters only."""
    with reader() as session:
        place = queries.office_by_code(session, office)
        counters = {counter.code: counter.name for counter in queries.counters(session, place.id)}
        return render_template("queueing/display.html", counters=counters, **_board(session, place))


@pages.get("/screens/<office>/board")
@public
def board(office: str) -> Response:
    """The part of the hall display that changes."""
    with reader() as session:
        place = queries.office_by_code(session, office)
        return fragment(place, lambda: render_template("queueing/_board.html", **_board(session, place)))


@pages.get("/screens/<office>/<counter>")
@public
def counter_screen(office: str, counter: str) -> str:
    """The small screen above one counter."""
    with reader() as session:
        place = queries.office_by_code(session, office)
        return render_template("queueing/counter_screen.html", **_counter_number(session, place, counter))


@pages.get("/screens/<office>/<counter>/number")
@public
def counter_number(office: str, counter: str) -> Response:
    """The part of a counter's screen that changes."""
    with reader() as session:
        place = queries.office_by_code(session, office)
        found = _counter_number(session, place, counter)
        return fragment(place, lambda: render_template("queueing/_counter_number.html", **found))


@pages.get("/counters/<office>")
@allowed(Role.COUNTER, Role.CLERK)
def counters(office: str) -> str:
    """Which counter is yours today?"""
    with reader() as session:
        place = _own_office(session, office)
        here = {ticket.counter_id: ticket.number for ticket in queries.tickets_at_counters(session, place.id)}
        rows = [
            {
                "code": counter.code,
                "name": counter.name,
                "state": counter.state,
                "number": here.get(counter.id),
                "services": [link.service.name for link in counter.serves],
            }
            for counter in queries.counters(session, place.id)
        ]
        return render_template("queueing/counters.html", office=office_view(session, place), counters=rows)


@pages.get("/counters/<office>/<counter>")
@allowed(Role.COUNTER, Role.CLERK)
def counter(office: str, counter: str) -> str:
    """The clerk's page: one button carries through the day."""
    with reader() as session:
        place = _own_office(session, office)
        return render_template("queueing/counter.html", **_desk(session, place, counter))


@pages.get("/counters/<office>/<counter>/desk")
@allowed(Role.COUNTER, Role.CLERK)
def desk(office: str, counter: str) -> Response:
    """The part of the clerk's page that changes."""
    with reader() as session:
        place = _own_office(session, office)
        found = _desk(session, place, counter)
        return fragment(place, lambda: render_template("queueing/_desk.html", **found))


@pages.post("/counters/<office>/<counter>/<verb>")
@allowed(Role.COUNTER, Role.CLERK)
def press(office: str, counter: str, verb: str) -> Response | BaseResponse:
    """A button of the clerk's page. What another tablet did first is said, and the fresh state is shown."""
    if verb not in BUTTONS:
        raise Unknown(gettext("Không có nút này."))

    def step(session: Session, now: datetime) -> Reply:
        place = _own_office(session, office)
        at = queries.counter_by_code(session, place, counter)
        _press(session, at, verb, now)
        return Reply(303, None)

    reply = once(request.form.get("key") or None, step)
    if reply.status == 303:
        return redirect(url_for("queueing.counter", office=office, counter=counter), 303)
    with reader() as session:
        found = _desk(session, _own_office(session, office), counter)
        message = (reply.body or {}).get("detail")
        # 200: the refusal is an answer to the clerk and no fault of the page; browsers log anything else as one.
        return make_response(render_template("queueing/counter.html", **{**found, "message": message}))


def _press(session: Session, at: Counter, verb: str, now: datetime) -> None:
    form = request.form
    if verb == "call-next":
        actions.call_next(session, at.id, now, holding=form.get("ticket") or None)
    elif verb == "open":
        actions.open_counter(session, at.id, now)
    elif verb == "close":
        actions.close_counter(session, at.id, now)
    elif verb == "pause":
        reason = form.get("reason", "")
        actions.pause_counter(session, at.id, reason if reason in PAUSE_REASONS else PAUSE_REASONS[0], now)
    else:
        ticket = queries.ticket_by_id(session, form.get("ticket", ""))
        actions.must_be_at(at, ticket)
        TICKET_VERBS[verb](session, ticket.id, now)


def fragment(office: Office, render: Any) -> Response:
    """A part of a page with an ETag that changes with the office's revision, the minute and the language."""
    now = clock.now()
    etag = f'"{office.revision}-{int(now.timestamp() // 60)}-{chosen_language()}"'
    unchanged = etag in request.headers.get("If-None-Match", "")
    response = Response(status=304) if unchanged else make_response(render())
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def office_view(session: Session, office: Office) -> dict[str, Any]:
    """An office as the templates name it."""
    return {"code": office.code, "name": office.name, "unit_name": current_unit(session, office.unit_code).name}


def opens_text(office: Office) -> str | None:
    """When the office opens next, in words; None while it is open."""
    now = office.local(clock.now())
    if office.opening_hours().is_open(now):
        return None
    opens = office.opening_hours().next_opening(now)
    if opens is None:
        return None
    if opens.date() == now.date():
        return gettext("Mở lại lúc %(time)s hôm nay.", time=clock_text(opens))
    return gettext("Mở lại lúc %(time)s ngày %(day)s.", time=clock_text(opens), day=day_text(opens))


def qr_svg(url: str) -> Markup:
    """The visit link as QR, error correction M, with its quiet zone of 4 modules."""
    code = QRCode(error_correction=ERROR_CORRECT_M, border=4, image_factory=SvgPathImage)
    code.add_data(url)
    code.make(fit=True)
    return Markup(code.make_image().to_string(encoding="unicode"))  # noqa: S704 - drawn by us from a checked link


def _is_paired_kiosk() -> bool:
    """A paired kiosk prints by itself; a clerk who looks at the kiosk page is not asked by a print dialog."""
    principal = current_principal()
    return principal is not None and principal.role == Role.KIOSK


def _own_office(session: Session, code: str) -> Office:
    office = queries.office_by_code(session, code)
    principal = current_principal()
    assert principal is not None
    principal.must_reach_office(office)
    return office


def _desk_front(session: Session, office: Office) -> dict[str, Any]:
    waiting = queries.waiting_now(session, office.id)
    opens = opens_text(office)
    return {
        "office": office_view(session, office),
        "revision": office.revision,
        "open": opens is None,
        "opens_text": opens,
        "key": secrets.token_urlsafe(12),
        "services": [
            {"code": service.code, "name": service.name, "waiting": waiting.get(service.id, (0, None))[0]}
            for service in queries.services(session, office.id)
        ],
        "priorities": [
            {"code": priority.code, "name": priority.name} for priority in queries.priorities(session, office.id)
        ],
    }


def _board(session: Session, office: Office) -> dict[str, Any]:
    front = _desk_front(session, office)
    return {
        **front,
        "calls": [_call(ticket) for ticket in queries.recent_calls(session, office, MOST_CALLS)],
        "waiting": sum(service["waiting"] for service in front["services"]),
        "at": clock.now(),
    }


def _call(ticket: Ticket) -> dict[str, Any]:
    return {
        "number": ticket.number,
        "counter": ticket.counter.code if ticket.counter else "",
        "counter_name": ticket.counter.name if ticket.counter else "",
        "called_at": ticket.called_at,
        "state": ticket.state,
    }


def _counter_number(session: Session, office: Office, code: str) -> dict[str, Any]:
    counter = queries.counter_by_code(session, office, code)
    ticket = queries.current_ticket(session, counter.id)
    return {
        "office": office_view(session, office),
        "revision": office.revision,
        "counter": {"code": counter.code, "name": counter.name, "state": counter.state},
        "number": ticket.number if ticket else None,
        "state": ticket.state if ticket else None,
    }


def _desk(session: Session, office: Office, code: str) -> dict[str, Any]:
    now = clock.now()
    counter = queries.counter_by_code(session, office, code)
    ticket = queries.current_ticket(session, counter.id)
    waiting = queries.waiting_now(session, office.id)
    rows = []
    for link in counter.serves:
        count, since = waiting.get(link.service_id, (0, now))
        longest = max(0.0, (now - since).total_seconds())
        rows.append({"code": link.service.code, "name": link.service.name, "waiting": count, "longest_s": longest})
    return {
        "office": office_view(session, office),
        "revision": office.revision,
        "counter": {
            "code": counter.code,
            "name": counter.name,
            "state": counter.state,
            # One of ours is translated; a program may have given any words.
            "pause_reason": gettext(reason) if (reason := counter.pause_reason) in PAUSE_REASONS else reason,
        },
        "current": ticket and _current(ticket),
        "waiting": rows,
        "waiting_total": sum(row["waiting"] for row in rows),
        "served_today": queries.served_today(session, office, counter.id),
        "message": None,
    }


def _current(ticket: Ticket) -> dict[str, Any]:
    return {
        "id": ticket.id,
        "number": ticket.number,
        "service_name": ticket.service.name,
        "state": ticket.state,
        "calls": ticket.calls,
        "called_at": ticket.called_at,
        "started_at": ticket.started_at,
        "reason": reason_text(ticket),
        "priority_name": ticket.priority.name if ticket.priority else None,
    }
