"""What tests stand on: a database of each kind made by the migrations, the cast, clients, and real servers."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

import app as motcua
from accounts.actions import make_token
from core import schema
from core.db import transaction
from core.settings import Settings, load
from tests import cast
from tests.pages import check_page
from tests.servers import PostgresServer, RedisServer

pytest_plugins = ["tests.tools.browser"]

ROOT = Path(__file__).parent.parent


def settings_for(url: str, folder: Path, **more: str) -> Settings:
    return load({"MOTCUA_DATABASE_URL": url, "MOTCUA_INSTANCE": str(folder), "MOTCUA_LOG_LEVEL": "WARNING", **more})


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def _prepared(url: str, folder: Path) -> None:
    """Migrate an empty database and settle the cast in it."""
    app = motcua.create_app(settings_for(url, folder), background=False)
    database = app.extensions["database"]
    schema.migrate(database)
    with app.app_context(), transaction() as session:
        cast.settle(app, session)
    database.engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    _prepared(f"sqlite:///{folder / 'cast.sqlite3'}", folder)
    return folder / "cast.sqlite3"


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    url = postgres.fresh_database()
    _prepared(url, tmp_path_factory.mktemp("postgres"))
    return url


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A SQLite file of this test's own with the cast in it."""
    shutil.copy(sqlite_template, tmp_path / "motcua.sqlite3")
    return f"sqlite:///{tmp_path / 'motcua.sqlite3'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of this test's own with the cast in it; the test runs once on each kind."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "motcua.sqlite3")
        return f"sqlite:///{tmp_path / 'motcua.sqlite3'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    url: str = server.fresh_database(request.getfixturevalue("postgres_template"))
    return url


def _app(url: str, folder: Path) -> Iterator[Flask]:
    app = motcua.create_app(settings_for(url, folder), background=False)
    app.testing = True
    app.test_client_class = CheckedClient
    yield app
    app.extensions["database"].engine.dispose()


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[Flask]:
    """The application with the cast, on SQLite and on PostgreSQL."""
    yield from _app(database_url, tmp_path)


@pytest.fixture
def sqlite_app(sqlite_url: str, tmp_path: Path) -> Iterator[Flask]:
    """The application with the cast on SQLite only: for what does not depend on the database."""
    yield from _app(sqlite_url, tmp_path)


class CheckedClient(FlaskClient):
    """A browser without scripts; every page it sees goes through the page checker."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        response = super().open(*args, **kwargs)
        check_page(response)
        return response


@dataclass
class Visitor:
    """Somebody with a browser: sends what a browser sends, follows nothing by itself."""

    client: FlaskClient
    headers: dict[str, str] = field(default_factory=lambda: {"Sec-Fetch-Site": "same-origin"})

    def get(self, address: str, **kwargs: Any) -> Any:
        return self.client.get(address, **kwargs)

    def post(self, address: str, data: dict[str, str] | None = None, **kwargs: Any) -> Any:
        return self.client.post(address, data=data, headers=self.headers, **kwargs)


@pytest.fixture
def visitor(app: Flask) -> Visitor:
    """A citizen: no log-in, no cookie."""
    return Visitor(app.test_client())


@pytest.fixture
def logged_in(app: Flask) -> Callable[[str], Visitor]:
    """`logged_in("clerk")` is a browser with the log-in of that member of the cast."""

    def log_in(username: str) -> Visitor:
        person = Visitor(app.test_client())
        response = person.post("/login", {"username": username, "password": cast.PASSWORD})
        assert response.status_code == 303, response.text
        return person

    return log_in


@dataclass
class Program:
    """Another program with an API token."""

    client: FlaskClient
    secret: str

    def get(self, address: str, **headers: str) -> Any:
        return self.client.get(f"/api/v1{address}", headers={"Authorization": f"Bearer {self.secret}", **headers})

    def post(self, address: str, body: Any = None, key: str | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self.secret}"} | ({"Idempotency-Key": key} if key else {})
        return self.client.post(f"/api/v1{address}", json=body if body is not None else {}, headers=headers)


@pytest.fixture
def program(app: Flask) -> Callable[..., Program]:
    """`program("office")` is a program with a token of that role for An Bình's office, or another."""

    def make(role: str, office: str | None = cast.OFFICE, unit: str | None = None) -> Program:
        with app.app_context(), transaction() as session:
            _, secret = make_token(session, role, cast.MONDAY, office, unit)
        return Program(app.test_client(), secret)

    return make


class Clock:
    """Moments of a test: starts on Monday at nine and goes forward when told."""

    def __init__(self) -> None:
        self.now: datetime = cast.MONDAY

    def tick(self, **delta: float) -> datetime:
        self.now += timedelta(**(delta or {"seconds": 1}))
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@dataclass
class Server:
    """A real server process, as `motcua serve` starts it."""

    process: "subprocess.Popen[str]"
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=10) as response:
            data: bytes = response.read()
        return data


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextlib.contextmanager
def running_server(
    url: str, folder: Path, *, port: int | None = None, workers: int = 1, **environment: str
) -> Iterator[Server]:
    """Serve a prepared database with the production server until the block ends; ready when it says so."""
    port = port or free_port()
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MOTCUA_")},
        "MOTCUA_DATABASE_URL": url,
        "MOTCUA_INSTANCE": str(folder),
        "MOTCUA_LOG_LEVEL": "WARNING",
        **environment,
    }
    command = [sys.executable, str(ROOT / "app.py"), "serve", "--port", str(port), "--workers", str(workers)]
    process = subprocess.Popen(command, env=env, cwd=ROOT, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert re.match(r"Một Cửa: http", line), f"the server did not start: {line!r}"
        yield Server(process, port)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(8)
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def wait_until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Ask until the answer is true, for tests that watch another process; fails when time is over."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
    return found
