"""A real Chromium before the real server: one browser for all, a context per device, and nobody may complain (G8)."""

import itertools
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from sqlalchemy.orm import Session

import app as motcua
from accounts.actions import make_token
from core.db import transaction
from queueing.office_file import read_offices
from queueing.queries import office_by_code
from queueing.setup import load_offices
from tests import cast
from tests.conftest import Server, free_port, running_server, settings_for
from tests.tools.browser import launch_options
from units.models import Unit
from units.names import bare_name, fold, sort_key

Result = TypeVar("Result")

DEVICES: dict[str, dict[str, Any]] = {
    "phone": {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True},
    "small": {"viewport": {"width": 320, "height": 568}, "has_touch": True, "is_mobile": True},
    "tablet": {"viewport": {"width": 1280, "height": 800}, "has_touch": True},
    "desktop": {"viewport": {"width": 1280, "height": 720}},
    "hall": {"viewport": {"width": 1920, "height": 1080}},
}
# What Chromium itself says when the line is down; our pages cannot keep it quiet.
NETWORK = re.compile(r"net::ERR_|WebSocket connection to")
OFFICE = """
[[office]]
code = "{code}"
unit = "{unit}"
name = "Điểm tiếp nhận số 1"
hours = {hours}

[[office.service]]
code = "A"
name = "Tư pháp - Hộ tịch - Chứng thực"
floor_s = 0

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

[[office.priority]]
code = "elderly"
name = "Người cao tuổi"
head_start_min = 30
"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_options())
        yield browser
        browser.close()


@dataclass
class Place:
    """An office of one test, alone in its commune."""

    code: str
    unit: str
    id: int

    def counter(self, code: str = "1") -> str:
        return f"/counters/{self.code}/{code}"


@dataclass
class Site:
    """A running production server over its own SQLite file, and the same database from inside, to prepare states."""

    server: Server
    app: Flask
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(91000))

    @property
    def url(self) -> str:
        return self.server.url

    def do(self, step: Callable[[Session], Result]) -> Result:
        """Change the database beside the server, which notices within two seconds."""
        with self.app.app_context(), transaction() as session:
            return step(session)

    def token(self, role: str, office: str) -> str:
        return self.do(lambda session: make_token(session, role, cast.MONDAY, office)[1])

    def place(self, name: str = "Phường Phan Đình Phùng", hours: str = "[]") -> Place:
        """A new commune with one office: two groups of work, two counters, all closed."""
        unit = str(next(self.numbers))
        code = f"diem-{unit}"

        def settle(session: Session) -> int:
            add_unit(session, unit, name)
            load_offices(session, read_offices(OFFICE.format(code=code, unit=unit, hours=hours)), datetime.now(UTC))
            return office_id(session, code)

        return Place(code, unit, self.do(settle))


def add_unit(session: Session, code: str, name: str, parent: str | None = cast.PROVINCE) -> None:
    session.add(
        Unit(
            code=code,
            valid_from=cast.FOUNDED,
            name=name,
            kind="phuong",
            parent_code=parent,
            folded=fold(name),
            sort_key=sort_key(bare_name(name)),
        )
    )
    session.flush()


def office_id(session: Session, code: str) -> int:
    return office_by_code(session, code).id


@pytest.fixture(scope="module")
def site(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One server for the tests of a file; every test makes places of its own in it."""
    with serving(sqlite_template, tmp_path_factory.mktemp("site")) as found:
        yield found


class serving:  # noqa: N801 - used as a context manager, like `running_server`
    """The cast in a fresh SQLite file, served on a port that stays the same over restarts."""

    def __init__(self, template: Path, folder: Path) -> None:
        shutil.copy(template, folder / "motcua.sqlite3")
        self.url = f"sqlite:///{folder / 'motcua.sqlite3'}"
        self.app = motcua.create_app(settings_for(self.url, folder), background=False)
        self.running = running_server(self.url, folder, port=free_port())

    def __enter__(self) -> Site:
        return Site(self.running.__enter__(), self.app)

    def __exit__(self, *error: object) -> None:
        self.running.__exit__(*error)  # type: ignore[arg-type]
        self.app.extensions["database"].engine.dispose()


@dataclass
class People:
    """Opens pages as somebody on some device, and hears every complaint of theirs."""

    browser: Browser
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)
    allowed: list[re.Pattern[str]] = field(default_factory=list)

    def context(self, site: Site, device: str, machine: str | None = None, **options: Any) -> BrowserContext:
        """A fresh browser profile; `machine` is the secret of a paired device."""
        context = self.browser.new_context(base_url=site.url, locale="vi-VN", **{**DEVICES[device], **options})
        context.set_default_timeout(6000)
        if machine:
            context.add_cookies([{"name": "motcua-device", "value": machine, "url": site.url}])
        context.on("request", lambda request: self._requested(site, request.url))
        context.on("page", self._watch)
        self.contexts.append(context)
        return context

    def open(self, site: Site, device: str, path: str, machine: str | None = None, **options: Any) -> Page:
        page = self.context(site, device, machine, **options).new_page()
        page.goto(path)
        return page

    def log_in(self, site: Site, device: str, username: str) -> Page:
        """Through the form, as staff do."""
        page = self.open(site, device, "/login")
        page.get_by_label("Tên đăng nhập").fill(username)
        page.get_by_label("Mật khẩu").fill(cast.PASSWORD)
        page.get_by_role("button", name="Đăng nhập").click()
        page.get_by_role("button", name="Đăng xuất").wait_for()
        return page

    def allow(self, pattern: str) -> None:
        """Complaints that a test provokes itself."""
        self.allowed.append(re.compile(pattern))

    def cut_lines(self) -> None:
        """This test breaks connections: what the browser says about them is no fault of a page."""
        self.allowed.append(NETWORK)

    def leave(self) -> None:
        for context in self.contexts:
            with suppress(Exception):
                context.close()

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on(
            "console",
            lambda line: (
                self.complaints.append(f"{page.url}: {line.text}") if line.type in ("error", "warning") else None
            ),
        )

    def _requested(self, site: Site, address: str) -> None:
        self.requests.append(address)
        if not address.startswith((site.url + "/", site.url.replace("http", "ws") + "/", "data:")):
            self.complaints.append(f"foreign request: {address}")

    def unexpected(self) -> list[str]:
        return [text for text in self.complaints if not any(pattern.search(text) for pattern in self.allowed)]


@pytest.fixture
def people(browser: Browser) -> Iterator[People]:
    """Whoever opens pages in this test; a console error, a CSP report or a request elsewhere fails it (G8)."""
    people = People(browser)
    yield people
    people.leave()
    assert people.unexpected() == []
