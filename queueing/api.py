"""The HTTP API of the desk (contract.md, section 2). A view reads the request, does one action, shows the result."""

import json
import re
import unicodedata
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any

from flask import Blueprint, Response, current_app, request, url_for
from jsonschema import Draft202012Validator
from sqlalchemy.orm import Session
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from accounts.command import once
from accounts.models import Role
from accounts.principal import allowed, current_principal
from core import clock
from core.db import reader
from core.errors import BadInput
from core.i18n import lazy
from core.idempotency import Reply
from core.ratelimit import spend
from core.web import public
from queueing import actions, queries
from queueing.models import Counter, Ticket
from queueing.openapi import CALL_BODY, EMPTY_BODY, PAUSE_BODY, TICKET_BODY
from queueing.represent import counter_json, office_json, snapshot, ticket_json
from units.models import Office

api = Blueprint("queueing_api", __name__, url_prefix="/api/v1")

ANY_OFFICE_TOKEN = (Role.KIOSK, Role.DISPLAY, Role.COUNTER, Role.OFFICE)
DESK_TOKEN = (Role.COUNTER, Role.OFFICE)
MOST_EVENTS = 500
WHOLE_NUMBER = re.compile(r"[0-9]{1,18}")


@api.get("/offices/<office>")
@allowed(*ANY_OFFICE_TOKEN)
def show_office(office: str) -> Response:
    """The set-up of an office, for its own devices and programs."""
    with reader() as session:
        return as_json(office_json(session, _own_office(session, office), clock.now()))


@api.post("/offices/<office>/tickets")
@allowed(Role.KIOSK, Role.OFFICE)
def issue(office: str) -> Response:
    """Issue a ticket; the only answer that holds the visit link."""
    body = read_body(TICKET_BODY)

    def step(session: Session, now: datetime) -> Reply:
        place = _own_office(session, office)
        limit_kiosk()
        ticket, token = actions.issue(
            session,
            place.id,
            body["service"],
            now,
            ring=current_app.extensions["visit_keys"],
            priority_code=body.get("priority"),
            channel=body.get("channel", "kiosk"),
        )
        shown = ticket_json(session, place, ticket)
        return Reply(201, shown, secret=("url", visit_url(token.text)), subject=ticket.id)

    return _reply(once(_key(), step))


@api.get("/tickets/<ticket>")
@allowed(Role.KIOSK, Role.COUNTER, Role.OFFICE)
def show_ticket(ticket: str) -> Response:
    """One ticket of the caller's office, without its link."""
    with reader() as session:
        found = queries.ticket_by_id(session, ticket)
        return as_json(ticket_json(session, _office_of(session, found.office_id), found))


@api.get("/offices/<office>/state")
@public
def state(office: str) -> Response:
    """What hangs on the wall, for anyone; asked again with its ETag it costs next to nothing."""
    with reader() as session:
        place = queries.office_by_code(session, office)
        etag = f'"{place.revision}"'
        if etag in request.headers.get("If-None-Match", "").replace("W/", ""):
            response = Response(status=304)
        else:
            response = as_json(snapshot(session, place, clock.now()))
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "no-cache"
    return response


@api.get("/offices/<office>/events")
@allowed(*ANY_OFFICE_TOKEN)
def events(office: str) -> Response:
    """The office's history after a revision, page by page, for whoever keeps a copy."""
    after = _whole_number("after", 0, 2**31 - 1)
    most = _whole_number("limit", MOST_EVENTS, MOST_EVENTS)
    with reader() as session:
        place = _own_office(session, office)
        return as_json({"events": queries.events_after(session, place, after, most), "revision": place.revision})


CounterStep = Callable[[Session, int, dict[str, Any], datetime], Counter | Ticket | None]


def counter_command(schema: dict[str, Any]) -> Callable[[CounterStep], Callable[..., Response]]:
    """A POST on one counter: its body fits the schema, the counter is of the caller's office."""

    def wrap(step: CounterStep) -> Callable[..., Response]:
        @wraps(step)
        def view(office: str, counter: str) -> Response:
            body = read_body(schema)

            def run(session: Session, now: datetime) -> Reply:
                place = _own_office(session, office)
                at = queries.counter_by_code(session, place, counter)
                result = step(session, at.id, body, now)
                if result is None:
                    return Reply(204, None)
                shown = counter_json(result) if isinstance(result, Counter) else ticket_json(session, place, result)
                return Reply(200, shown)

            return _reply(once(_key(), run))

        return view

    return wrap


@api.post("/offices/<office>/counters/<counter>/open")
@allowed(*DESK_TOKEN)
@counter_command(EMPTY_BODY)
def open_counter(session: Session, counter_id: int, body: dict[str, Any], now: datetime) -> Counter:
    """The counter takes people from now on."""
    return actions.open_counter(session, counter_id, now)


@api.post("/offices/<office>/counters/<counter>/pause")
@allowed(*DESK_TOKEN)
@counter_command(PAUSE_BODY)
def pause_counter(session: Session, counter_id: int, body: dict[str, Any], now: datetime) -> Counter:
    """The counter rests, for a reason that clerks and leaders see."""
    return actions.pause_counter(session, counter_id, body["reason"], now)


@api.post("/offices/<office>/counters/<counter>/close")
@allowed(*DESK_TOKEN)
@counter_command(EMPTY_BODY)
def close_counter(session: Session, counter_id: int, body: dict[str, Any], now: datetime) -> Counter:
    """The counter is done for today; refused while somebody is there."""
    return actions.close_counter(session, counter_id, now)


@api.post("/offices/<office>/counters/<counter>/call-next")
@allowed(*DESK_TOKEN)
@counter_command(EMPTY_BODY)
def call_next(session: Session, counter_id: int, body: dict[str, Any], now: datetime) -> Ticket | None:
    """Whoever is next comes to this counter; whoever is still there is finished first."""
    return actions.call_next(session, counter_id, now)


@api.post("/offices/<office>/counters/<counter>/call")
@allowed(*DESK_TOKEN)
@counter_command(CALL_BODY)
def call_one(session: Session, counter_id: int, body: dict[str, Any], now: datetime) -> Ticket:
    """One particular ticket comes to this counter."""
    return actions.call_one(session, counter_id, body["ticket"], now)


TicketStep = Callable[[Session, str, datetime], Ticket]

TICKET_VERBS: dict[str, TicketStep] = {
    "recall": actions.recall,
    "start": actions.start,
    "finish": actions.finish,
    "no-show": actions.no_show,
    "cancel": actions.cancel,
}


@api.post(f"/tickets/<ticket>/<any({', '.join(repr(verb) for verb in TICKET_VERBS)}):verb>")
@allowed(*DESK_TOKEN)
def change_ticket(ticket: str, verb: str) -> Response:
    """One step of a ticket: recall, start, finish, no-show, cancel."""
    read_body(EMPTY_BODY)

    def step(session: Session, now: datetime) -> Reply:
        place = _office_of(session, queries.ticket_by_id(session, ticket).office_id)
        return Reply(200, ticket_json(session, place, TICKET_VERBS[verb](session, ticket, now)))

    return _reply(once(_key(), step))


def as_json(document: Any, status: int = 200) -> Response:
    """JSON with its Vietnamese letters as they are."""
    return Response(json.dumps(document, ensure_ascii=False), status=status, mimetype="application/json")


def read_body(schema: dict[str, Any]) -> dict[str, Any]:
    """The JSON body, checked against its schema; no body at all counts as an empty object.

    Raises BadRequest for broken JSON, UnsupportedMediaType, BadInput for a body that does not fit.
    """
    raw = request.get_data()
    if not raw:
        body: Any = {}
    elif not request.is_json:
        raise UnsupportedMediaType
    else:
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError):
            raise BadRequest from None
    problem = next(Draft202012Validator(schema).iter_errors(body), None)
    if problem is None and not _is_storable(body):
        raise BadInput(lazy("Dữ liệu gửi lên có ký tự không dùng được."))
    if problem is not None:
        where = "/".join(str(step) for step in problem.absolute_path) or "body"
        raise BadInput(lazy("Dữ liệu gửi lên chưa đúng ở “%(where)s”: %(why)s", where=where, why=problem.message[:200]))
    return dict(body)


def _is_storable(value: Any) -> bool:
    """Whether every text can be kept: NUL and halves of characters cannot, other control characters shall not."""
    if isinstance(value, dict):
        return all(_is_storable(part) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return all(map(_is_storable, value))
    return not isinstance(value, str) or not any(unicodedata.category(sign) in ("Cc", "Cs") for sign in value)


def limit_kiosk() -> None:
    """One kiosk issues 20 tickets a minute at most; the software of an office is not bound. Raises TooMany."""
    principal = current_principal()
    if principal is not None and principal.role == Role.KIOSK:
        spend("20 per minute", "kiosk", principal.label)


def visit_url(token_text: str) -> str:
    """The absolute visit link that goes into the QR."""
    base = current_app.config["MOTCUA"].base_url or request.host_url.rstrip("/")
    return f"{base}{url_for('feedback.visit', token=token_text)}"


def _key() -> str | None:
    """The caller's idempotency key; headers arrive as bytes, which newer programs write in UTF-8."""
    text = request.headers.get("Idempotency-Key")
    return text and text.encode("latin-1", "replace").decode("utf-8", "replace")


def _reply(reply: Reply) -> Response:
    body = reply.full_body()
    if body is None:
        return Response(status=reply.status)
    response = as_json(body, reply.status)
    if reply.status >= 400:
        response.mimetype = "application/problem+json"
    return response


def _own_office(session: Session, code: str) -> Office:
    office = queries.office_by_code(session, code)
    principal = current_principal()
    assert principal is not None
    principal.must_reach_office(office)
    return office


def _office_of(session: Session, office_id: int) -> Office:
    office = session.get_one(Office, office_id)
    principal = current_principal()
    assert principal is not None
    principal.must_reach_office(office)
    return office


def _whole_number(name: str, default: int, most: int) -> int:
    """A number of the query; more than `most` means as much as there is."""
    text = request.args.get(name, str(default))
    if not WHOLE_NUMBER.fullmatch(text):
        raise BadInput(lazy("%(name)s phải là số nguyên, từ 0 trở lên.", name=name))
    return min(int(text), most)
