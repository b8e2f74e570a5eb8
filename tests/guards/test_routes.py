"""Rules for every route: who may, nothing changes by reading, nothing at the wish of another site (T21, T23, T30)."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from accounts.models import STAFF_ROLES, TOKEN_ROLES, Role
from core.web import CONTENT_SECURITY_POLICY
from tests import cast
from tests.conftest import Program, Visitor
from tests.desk import Desk, everything, monday

__all__ = ["monday"]

PUBLIC = {
    "accounts.login", "accounts.logout", "accounts.setup", "accounts.device", "accounts.forget_device",
    "dashboards.home", "dashboards_api.healthz", "dashboards_api.readyz",
    "feedback.visit", "feedback.visit_state", "feedback.rate", "feedback.thanks", "feedback.details",
    "feedback_api.openapi",
    "queueing.display", "queueing.board", "queueing.counter_screen", "queueing.counter_number", "queueing_api.state",
}  # fmt: skip
USERNAMES = {"clerk": Role.CLERK, "commune-leader": Role.COMMUNE_LEADER, "province-leader": Role.PROVINCE_LEADER,
             "admin": Role.ADMIN}  # fmt: skip


def rules(app: Flask, methods: set[str]) -> Iterator[tuple[Rule, str]]:
    for rule in app.url_map.iter_rules():
        for method in sorted(methods & set(rule.methods or ())):
            if rule.endpoint != "static":
                yield rule, method


def address(app: Flask, rule: Rule, ticket: dict[str, Any], own: bool = True) -> str:
    """An address of this rule, at An Bình or at Bình Minh."""
    values = {
        "office": cast.OFFICE if own else cast.OTHER_OFFICE,
        "counter": "1",
        "verb": "recall" if rule.rule.startswith("/api/") else "open",
        "ticket": ticket["id"],
        "token": ticket["url"].rpartition("/")[2],
        "unit": cast.AN_BINH if own else cast.BINH_MINH,
        "code": cast.AN_BINH if own else cast.BINH_MINH,
        "period": "2026-W47",
    }
    unknown = set(rule.arguments) - set(values)
    assert not unknown, f"say here what {unknown} of {rule} stands for"
    with app.test_request_context():
        built = app.url_map.bind("localhost").build(rule.endpoint, {name: values[name] for name in rule.arguments})
    return f"{built}?period=2026-W47" if rule.endpoint.endswith("index") else built


@pytest.fixture
def tickets(desk: Desk, program: Callable[..., Program]) -> dict[bool, dict[str, Any]]:
    """A ticket of An Bình (True) and one of Bình Minh (False)."""
    other = Desk(program("office", cast.OTHER_OFFICE), cast.OTHER_OFFICE)
    return {True: desk.issue(), False: other.issue()}


@pytest.fixture
def desk(monday: time_machine.Traveller, program: Callable[..., Program]) -> Desk:
    return Desk(program("office"))


def test_every_route_says_who_may_call_it_and_the_public_ones_are_known(sqlite_app: Flask) -> None:
    said = {rule.endpoint: getattr(sqlite_app.view_functions[rule.endpoint], "rule", None) for rule, _ in
            rules(sqlite_app, {"GET", "POST", "PUT", "PATCH", "DELETE"})}  # fmt: skip
    assert [endpoint for endpoint, rule in said.items() if rule is None] == []
    assert {endpoint for endpoint, rule in said.items() if rule == "public"} == PUBLIC


def test_reading_changes_nothing_whoever_reads(
    app: Flask, tickets: dict[bool, dict[str, Any]], logged_in: Callable[[str], Visitor]
) -> None:
    readers = [Visitor(app.test_client()), *(logged_in(username) for username in USERNAMES)]
    before = everything(app)
    for rule, method in rules(app, {"GET", "HEAD", "OPTIONS"}):
        for reader in readers:
            response = reader.client.open(address(app, rule, tickets[True]), method=method)
            assert response.status_code < 500, (rule, method)
    assert everything(app) == before


def test_no_route_changes_anything_at_the_wish_of_another_site(
    app: Flask, tickets: dict[bool, dict[str, Any]], logged_in: Callable[[str], Visitor]
) -> None:
    clerk, admin = logged_in("clerk").client, logged_in("admin").client
    before = everything(app)
    wishes: list[dict[str, str]] = [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        {},  # with the cookie of a log-in and no word of where it comes from
    ]
    for rule, method in rules(app, {"POST", "PUT", "PATCH", "DELETE"}):
        for client in (clerk, admin):
            for headers in wishes:
                response = client.open(address(app, rule, tickets[True]), method=method, headers=headers)
                assert response.status_code == 403, (rule, headers)
    assert everything(app) == before


def test_a_page_of_the_site_itself_may_post_by_either_header(logged_in: Callable[[str], Visitor]) -> None:
    clerk = logged_in("clerk").client
    address = f"/counters/{cast.OFFICE}/1/open"
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost"}, {"Sec-Fetch-Site": "none"}):
        assert clerk.post(address, headers=headers).status_code == 303


def who_may(rule: Rule, app: Flask) -> tuple[Role, ...] | str:
    allowed: tuple[Role, ...] | str = getattr(app.view_functions[rule.endpoint], "rule")  # noqa: B009
    return allowed


def expected(allowed: tuple[Role, ...] | str, role: Role | None, rule: Rule, own: bool) -> str:
    """One of "in", "refused" (403) and "asked to log in" (401, or a redirection to the log-in)."""
    if allowed == "public":
        return "in"
    if role is None:
        return "asked to log in"
    if role not in allowed:
        return "refused"
    is_everywhere = role in (Role.ADMIN, Role.PROVINCE_LEADER) or not rule.arguments
    return "in" if own or is_everywhere else "refused"


def outcome(response: Any) -> str:
    if response.status_code == 401 or "/login" in response.headers.get("Location", ""):
        return "asked to log in"
    return "refused" if response.status_code == 403 else "in"


def test_every_route_lets_in_exactly_whom_it_says_and_only_at_home(
    app: Flask,
    tickets: dict[bool, dict[str, Any]],
    logged_in: Callable[[str], Visitor],
    program: Callable[..., Program],
) -> None:
    """Each route as nobody, as each role of An Bình, at An Bình and at Bình Minh."""
    same = {"Sec-Fetch-Site": "same-origin"}
    people: list[tuple[Role | None, FlaskClient]] = [(None, app.test_client())]
    people += [(role, logged_in(username).client) for username, role in USERNAMES.items()]
    tokens: list[tuple[Role | None, dict[str, str]]] = [(None, {"Authorization": "Bearer wrong"})]
    for name in TOKEN_ROLES:
        secret = (program(name, None, cast.AN_BINH) if name == Role.READER else program(name)).secret
        tokens.append((name, {"Authorization": f"Bearer {secret}"}))
    assert {role for role, _ in people + tokens} == {None, *STAFF_ROLES, *TOKEN_ROLES}
    cells = 0
    wrong = []
    for rule, method in rules(app, {"GET", "POST"}):
        if rule.endpoint in ("accounts.logout", "accounts.login", "feedback.rate", "feedback.details"):
            continue  # public, and they would end what the next cells need
        is_api = rule.rule.startswith("/api/")
        for own in (True, False):
            where = address(app, rule, tickets[own], own)
            for role, client in people:
                got = outcome(client.open(where, method=method, headers=same))
                # The API knows tokens only: to it, whoever is logged in on pages is nobody.
                said = expected(who_may(rule, app), None if is_api else role, rule, own)
                wrong += [(method, where, role, got, said)] * (got != said)
                cells += 1
            for role, headers in tokens if is_api else ():
                got = outcome(app.test_client().open(where, method=method, headers=headers, json={}))
                said = expected(who_may(rule, app), role, rule, own)
                # A body that does not fit is told before anyone looks whose office it is.
                is_open = method == "POST" and got == "in" and said == "refused" and role in who_may(rule, app)
                wrong += [(method, where, role, got, said)] * (got != said and not is_open)
                cells += 1
    assert wrong == []
    assert cells > 400


def test_every_answer_carries_the_protecting_headers(
    app: Flask, tickets: dict[bool, dict[str, Any]], logged_in: Callable[[str], Visitor], desk: Desk
) -> None:
    clerk = logged_in("clerk").client
    answers = [clerk.get(address(app, rule, tickets[True])) for rule, _ in rules(app, {"GET"})]
    api = f"/api/v1/offices/{cast.OFFICE}/tickets"
    bearer = {"Authorization": f"Bearer {desk.program.secret}"}
    answers += [
        clerk.get("/nothing"), clerk.put("/login"), clerk.get(api), clerk.get("/static/nothing.css?v=1"),
        clerk.get("/static/base.css", buffered=True),
        clerk.post("/logout", headers={"Sec-Fetch-Site": "cross-site"}), clerk.get("/api/v1/nothing"), clerk.post(api),
        clerk.post(api, data="{", headers=bearer, content_type="application/json"), clerk.get("/%00"),
        clerk.post(api, data="x" * 70_000, headers=bearer, content_type="application/json"), clerk.get("/login/"),
        clerk.post("/login", data={"username": "x" * 70_000}, headers={"Sec-Fetch-Site": "same-origin"}),
    ]  # fmt: skip
    assert {200, 303, 400, 403, 404, 405, 413} <= {answer.status_code for answer in answers}
    for answer in answers:
        headers = answer.headers
        assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "Cache-Control" in headers
        assert "immutable" not in headers["Cache-Control"]
    assert "unsafe" not in CONTENT_SECURITY_POLICY


def test_over_https_cookies_are_bound_to_the_host_and_browsers_stay_on_https(sqlite_app: Flask) -> None:
    client = sqlite_app.test_client()
    form = {"username": "clerk", "password": cast.PASSWORD}
    reply = client.post("/login", data=form, base_url="https://localhost", headers={"Sec-Fetch-Site": "same-origin"})
    (cookie,) = reply.headers.getlist("Set-Cookie")
    assert cookie.startswith("__Host-motcua=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert reply.headers["Strict-Transport-Security"].startswith("max-age=")


def test_only_the_hosts_of_the_settings_are_answered(sqlite_url: str, tmp_path: Any) -> None:
    import app as motcua
    from tests.conftest import settings_for

    settings = settings_for(sqlite_url, tmp_path, MOTCUA_TRUSTED_HOSTS="motcua.example, .angiang.example")
    app = motcua.create_app(settings, background=False)
    client = app.test_client()
    hosts = {"motcua.example": 200, "xa1.angiang.example": 200, "evil.example": 400, "motcua.example.evil": 400,
             "motcua.example:80": 200, "motcua.example@evil": 400, "": 400, "[::1]": 400, "a b": 400}  # fmt: skip
    got = {host: client.get("/healthz", headers={"Host": host}).status_code for host in hosts}
    got |= {
        host: client.get("/login", headers={"Host": host}).status_code for host, said in hosts.items() if said > 200
    }
    app.extensions["database"].engine.dispose()
    assert got == hosts
