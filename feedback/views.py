"""The visit link: before the service the place in the queue, afterwards the rating. GET never changes anything."""

from collections.abc import Callable
from datetime import date, datetime
from hashlib import sha256
from typing import Any

from flask import Blueprint, Response, current_app, g, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from accounts.principal import current_principal
from core import clock
from core.db import reader, transaction
from core.errors import BadInput, Forbidden, Unknown
from core.i18n import LANGUAGES, LOCAL, chosen_language, lazy
from core.ratelimit import network_prefix, spend
from core.web import public
from feedback import actions, queries
from feedback.models import Kind, RightState
from feedback.questionnaire import questionnaire
from queueing import queries as desk
from queueing.models import OPEN_STATES, State, Ticket
from queueing.represent import reason_text
from queueing.views import office_view, opens_text
from queueing.visit_token import VisitToken, decode
from units.models import Office

pages = Blueprint("feedback", __name__)

FEW_AHEAD = 3
MANY_AHEAD = 15
LEVELS = (
    (5, lazy("Rất hài lòng")),
    (4, lazy("Hài lòng")),
    (3, lazy("Bình thường")),
    (2, lazy("Không hài lòng")),
    (1, lazy("Rất không hài lòng")),
)


@pages.get("/v/<token>")
@public
def visit(token: str) -> Response:
    """Wherever the visit stands: place in the queue, the question, or what became of it."""
    link = read_link(token)
    if link is None:
        return unknown()
    with reader() as session:
        shown = _visit(session, link, clock.now())
    if shown is None:
        return unknown()
    return make_response(_page(token, shown, change="change" in request.args))


@pages.get("/v/<token>/state")
@public
def visit_state(token: str) -> Response:
    """What the page asks for now and then: 304 while nothing has changed for this visit."""
    link = read_link(token)
    if link is None:
        return unknown()
    with reader() as session:
        shown = _visit(session, link, clock.now())
    if shown is None:
        return unknown()
    unchanged = shown["etag"] in request.headers.get("If-None-Match", "")
    response = Response(status=304 if unchanged else 200)
    response.headers["ETag"] = shown["etag"]
    response.headers["Cache-Control"] = "private, no-cache"
    return response


@pages.post("/v/<token>/rating")
@public
def rate(token: str) -> Response | BaseResponse:
    """The first tap is a complete rating."""
    link = _link_for_rating(token)
    if link is None:
        return unknown()
    overall = request.form.get("overall", "")
    if overall not in ("1", "2", "3", "4", "5"):
        raise BadInput(lazy("Xin chọn một trong năm mức trên trang."))
    refusal = _try(token, link, lambda session, now: actions.rate(session, link.nullifier, int(overall), now))
    return refusal or _go_to("feedback.thanks", token)


@pages.get("/v/<token>/thanks")
@public
def thanks(token: str) -> Response | BaseResponse:
    """The same bytes for every answer."""
    link = read_link(token)
    if link is None:
        return unknown()
    with reader() as session:
        shown = _visit(session, link, clock.now())
    if shown is None:
        return unknown()
    if shown["state"] not in ("thanks", "spent"):
        return _go_to("feedback.visit", token)
    return make_response(_thanks_page(token, shown))


@pages.route("/v/<token>/rating/details", methods=["GET", "POST"])
@public
def details(token: str) -> Response | BaseResponse:
    """The optional second page: the elements, each skippable."""
    link = _link_for_rating(token) if request.method == "POST" else read_link(token)
    if link is None:
        return unknown()
    if request.method == "POST":
        given = {question.code: request.form.get(question.code, "") for question in questionnaire().elements}
        levels = {code: int(level) for code, level in given.items() if level in ("1", "2", "3", "4", "5")}

        def finish(session: Session, now: datetime) -> None:
            actions.add_details(session, link.nullifier, levels, now)
            actions.close_draft(session, link.nullifier, now)

        return _try(token, link, finish) or _go_to("feedback.thanks", token)
    with reader() as session:
        shown = _visit(session, link, clock.now())
    if shown is None:
        return unknown()
    if shown["state"] != "thanks":
        return _go_to("feedback.visit", token)
    questions = [{"code": item.code, "text": item.text} for item in questionnaire().elements]
    page = render_template(
        "feedback/details.html", token=token, questions=questions, levels=LEVELS, office=shown["office"]
    )
    return make_response(page)


def read_link(text: str) -> VisitToken | None:
    """The token behind a link. A bad one costs no database read, and 20 a minute from one network are enough."""
    token = decode(current_app.extensions["visit_keys"], text, clock.now().astimezone(LOCAL).date())
    if token is None:
        spend("20 per minute", "bad-link", network_prefix())
    return token


def unknown() -> Response:
    """One neutral page, the same bytes every time and in every language."""
    g.lang_chosen = "vi"
    return make_response(render_template("feedback/unknown.html"), 404)


def _link_for_rating(text: str) -> VisitToken | None:
    """A link from which something is sent: not from a paired machine or a log-in, and 10 times a minute at most."""
    if current_principal() is not None:
        raise Forbidden(lazy("Máy của cơ quan không dùng để đánh giá."))
    link = read_link(text)
    if link is not None:
        spend("10 per minute", "rating", link.view_id.hex())
    return link


def _try(token: str, link: VisitToken, step: Callable[[Session, datetime], None]) -> Response | None:
    """Do the step in one transaction; where nothing can be rated (yet, any more) the visit's own page says so."""
    now = clock.now()
    with transaction(by="citizen") as session:
        shown = _visit(session, link, now)
        if shown is not None and shown["state"] != "expired":
            try:
                step(session, now)
            except (actions.AlreadyRated, Unknown):
                # Committed all the same: a draft whose time was over has just been closed.
                shown = _visit(session, link, now)
            else:
                return None
    return make_response(_page(token, shown), 409) if shown else unknown()


def _page(token: str, shown: dict[str, Any], change: bool = False) -> str:
    if shown["state"] != "thanks":
        return render_template("feedback/visit.html", token=token, **shown)
    if change:
        return render_template("feedback/visit.html", token=token, **{**shown, "state": "rate"})
    return _thanks_page(token, shown)


def _thanks_page(token: str, shown: dict[str, Any]) -> str:
    return render_template(
        "feedback/thanks.html", token=token, can_change=shown["state"] == "thanks", office=shown["office"]
    )


def _go_to(endpoint: str, token: str) -> BaseResponse:
    """On to another page of the same visit; a chosen language travels along in the address."""
    language = request.args.get("lang")
    return redirect(url_for(endpoint, token=token, lang=language if language in LANGUAGES else None), 303)


def _visit(session: Session, link: VisitToken, now: datetime) -> dict[str, Any] | None:
    """Everything the visit page shows, or None for a link that no ticket has (any more).

    `state` is one of waiting, called, serving, rate, thanks, spent, expired, no_show, turned_away, cancelled.
    """
    ticket = queries.ticket_by_view(session, link.view_id)
    if ticket is None:
        return None
    office = session.get_one(Office, ticket.office_id)
    state = _state(session, ticket, link, now)
    ahead = desk.ahead_of(session, ticket) if ticket.state == State.WAITING else 0
    wait = desk.wait_of(session, ticket, ahead) if ticket.state == State.WAITING else None
    counter = ticket.counter.name if ticket.counter else None
    refresh_s = 10 if ahead <= FEW_AHEAD else 60 if ahead > MANY_AHEAD else 30
    seen = f"{state}-{ahead}-{wait}-{counter}-{ticket.calls}-{office.is_open}-{chosen_language()}"
    return {
        "state": state,
        "office": office_view(session, office),
        "open": office.is_open,
        "opens_text": opens_text(office),
        "at": now,
        "refresh_s": refresh_s,
        "etag": f'"{sha256(seen.encode()).hexdigest()[:16]}"',
        "ticket": {
            "number": ticket.number,
            "service_name": ticket.service.name,
            "ahead": ahead,
            "wait": wait,
            "counters": [counter.name for counter in desk.counters_for(session, ticket.service_id)],
            "counter_name": counter,
            "reason": reason_text(ticket),
        },
    }


def _state(session: Session, ticket: Ticket, link: VisitToken, now: datetime) -> str:
    if ticket.state == State.PARKED:
        return "waiting"
    if ticket.state in OPEN_STATES:
        return ticket.state
    if ticket.state == State.CANCELLED:
        return "cancelled"
    right = queries.right_of(session, link.nullifier)
    if right is None or right.closes_on < _today(now):
        return "expired"
    if right.state == RightState.SPENT:
        return "spent"
    if right.kind == Kind.NO_SHOW:
        return "no_show"
    if right.kind == Kind.TURNED_AWAY:
        return "turned_away"
    return "thanks" if right.state == RightState.DRAFT else "rate"


def _today(now: datetime) -> date:
    return now.astimezone(LOCAL).date()
