"""The demonstration: its own folder and database, weeks of history, and the addresses and log-ins to look at.

Nothing here reads or writes another database: the settings of the environment are replaced, and the only folder ever
deleted is one that holds the mark this module wrote into it.
"""

import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from importlib.resources import files
from pathlib import Path

from dotenv import dotenv_values
from flask import Flask
from sqlalchemy.orm import Session

from accounts.actions import add_staff, hash_password, make_token
from accounts.models import Role
from core import installation, schema
from core.db import Database, transaction
from core.errors import CannotStart
from core.i18n import LOCAL
from core.settings import SETTINGS, load
from feedback import demo_history
from feedback.behaviour import Temper
from feedback.demo_history import Past
from feedback.simulation import Desk, begin_history
from feedback.traffic import LiveOffice
from queueing import queries
from queueing.office_file import read_offices
from queueing.setup import load_offices
from units.actions import load_shipped_units

MARK = "motcua-demo.txt"
MARK_TEXT = "Made by `motcua demo`, which deletes this folder and makes it anew at every start. Keep nothing here.\n"
LOCK = "running.lock"
SEED = "một cửa"
# The tickets of a day below are multiplied by this; it decides how long the preparation takes.
SCALE = 0.2
# Of a password that is read from one screen and typed on another: no marks, nothing that looks alike.
SYLLABLES = """
    ban bien bong buom cam cau chim co cua dao dat dau den doi dong gao gio giong hai hat hoa hom huong khoai la lang
    lua mai mat may men mia mit mua nang ngo nha nhan non nui oi que rau reo rung sao sen song suoi tam tau than
    thuyen tram trau tre trang vai vuon xanh xoai xuan
"""


@dataclass(frozen=True)
class Place:
    """One office of the demonstration; `yours` is the counter where nobody is simulated."""

    temper: Temper
    crowd: int
    seconds_between_calls: float = 16.0
    yours: str | None = None


PLACES = {
    "phan-dinh-phung-1": Place(Temper(80, 0.90, 0.32), 14, 13, yours="5"),
    "bac-kan-1": Place(Temper(44, 0.86, 0.28), 7),
    "phu-luong-1": Place(Temper(32, 0.92, 0.30), 5, 18),
    "phu-binh-1": Place(Temper(40, 0.84, 0.26), 9),
    "buon-ma-thuot-1": Place(Temper(78, 0.80, 0.24, trend=-0.03), 30, 12),
    "ea-drang-1": Place(Temper(36, 0.88, 0.30), 6, 18),
    "ea-hleo-1": Place(Temper(30, 0.85, 0.22), 4, 18),
    "sam-mun-1": Place(Temper(16, 0.93, 0.28), 2, 20, yours="2"),
    "sang-nhe-1": Place(Temper(8, 0.90, 0.14), 0, 40),
    "muong-thanh-1": Place(Temper(46, 0.83, 0.25), 8),
    "muong-nhe-1": Place(Temper(12, 0.94, 0.35), 1, 24),
    "pho-hien-1": Place(Temper(64, 0.87, 0.29), 12, 14),
    "my-hao-1": Place(Temper(56, 0.78, 0.20, no_show=0.08), 17, 14),
    "tien-lu-1": Place(Temper(38, 0.89, 0.27), 6),
    "quang-hung-1": Place(Temper(34, 0.80, 0.27, trend=0.08), 5, 18),
}
LOG_INS = (
    ("clerk-phan-dinh-phung", Role.CLERK, "phan-dinh-phung-1", None, "clerk of Phường Phan Đình Phùng"),
    ("clerk-sam-mun", Role.CLERK, "sam-mun-1", None, "clerk of Xã Sam Mứn"),
    ("leader-phan-dinh-phung", Role.COMMUNE_LEADER, None, "05443", "leader of Phường Phan Đình Phùng"),
    ("leader-thai-nguyen", Role.PROVINCE_LEADER, None, "19", "leader of Tỉnh Thái Nguyên"),
    ("admin", Role.ADMIN, None, None, "administrator"),
)
SHOWN = "phan-dinh-phung-1"

Progress = Callable[[str, int], None]


@dataclass
class Prepared:
    """What the preparation made: the offices for the traffic, the password of every log-in, one open visit link."""

    offices: list[LiveOffice]
    password: str
    link: str


def demo_folder() -> Path:
    """The folder of the demonstration inside the instance folder."""
    given = os.environ.get("MOTCUA_INSTANCE") or dotenv_values(".env").get("MOTCUA_INSTANCE")
    default = next(setting.default for setting in SETTINGS if setting.name == "MOTCUA_INSTANCE")
    return Path(given or default).absolute() / "demo"


def take_folder(folder: Path) -> sqlite3.Connection:
    """Empty the folder of the last demonstration and hold it; raises CannotStart for a folder that is not ours.

    It is held by a lock that ends with this process, however it ends: a second demonstration must not delete the
    database of one that runs.
    """
    try:
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise CannotStart(_not_ours(folder))
        if folder.exists() and any(folder.iterdir()):
            mark = folder / MARK
            if not (mark.is_file() and mark.read_text("utf-8") == MARK_TEXT):
                raise CannotStart(_not_ours(folder))
            _hold(folder).close()
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARK).write_text(MARK_TEXT, "utf-8")
        return _hold(folder)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CannotStart(
            f"the folder {folder} cannot be used ({reason}): free it, or set MOTCUA_INSTANCE to another folder"
        ) from None


def _not_ours(folder: Path) -> str:
    return f"{folder} was not made by `motcua demo`, so it is left alone: move it away, or set MOTCUA_INSTANCE"


def _hold(folder: Path) -> sqlite3.Connection:
    lock = sqlite3.connect(folder / LOCK, timeout=0, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        lock.close()
        raise CannotStart(
            f"the folder {folder} is in use ({error}): stop the demonstration that runs, or set MOTCUA_INSTANCE"
        ) from None
    return lock


def settings_of(folder: Path) -> dict[str, str]:
    """Every setting of the demonstration, so that nothing of the environment or a `.env` file can reach it."""
    return {
        **{setting.name: setting.default for setting in SETTINGS},
        "MOTCUA_INSTANCE": str(folder),
        "MOTCUA_LOG_LEVEL": "WARNING",
    }


def steps_of(weeks: int) -> int:
    """How many steps `prepare` reports."""
    return (7 * weeks + 1) * len(PLACES) + len(PLACES)


def prepare(create_app: Callable[..., Flask], folder: Path, weeks: int, now: datetime, progress: Progress) -> Prepared:
    """Make the database of the demonstration: units, offices, people, history up to `now`.

    `progress` is told what is done and how many steps that makes so far.
    """
    settings = settings_of(folder)
    app = create_app(load(settings), background=False)
    database: Database = app.extensions["database"]
    progress("communes and offices", 0)
    schema.migrate(database)
    begins = datetime.combine(now.astimezone(LOCAL) - timedelta(weeks=weeks), time(), LOCAL).astimezone(UTC)
    with app.app_context(), transaction(by="demo") as session:
        password = _set_up(session, begins)
    database.engine.dispose()
    links: dict[str, dict[str, str]] = {}
    for days, ready in demo_history.write(create_app, settings, _pasts(weeks, now)):
        progress("history", len(PLACES) + days)
        links |= ready
    with app.app_context(), transaction(by="demo") as session:
        offices = [_live_office(session, code, links[code], now) for code in PLACES]
    database.engine.dispose()
    return Prepared(offices, password, list(links[SHOWN].values())[-1])


def _set_up(session: Session, begins: datetime) -> str:
    """Everything but the history; returns the password."""
    installation.mark(session, installation.DEMO)
    load_shipped_units(session)
    load_offices(session, read_offices((files("feedback") / "demo_offices.toml").read_text("utf-8")), begins)
    for code in PLACES:
        begin_history(session, queries.office_by_code(session, code), begins, SEED)
    return _add_people(session)


def _pasts(weeks: int, now: datetime) -> list[Past]:
    return [
        Past(
            code,
            replace(place.temper, tickets_per_day=SCALE * place.temper.tickets_per_day),
            7 * weeks,
            now,
            place.crowd,
            place.yours,
            SEED,
        )
        for code, place in PLACES.items()
    ]


def _add_people(session: Session) -> str:
    password = "-".join(secrets.choice(SYLLABLES.split()) for _ in range(6))
    password_hash = hash_password(password)
    for username, role, office, unit, _ in LOG_INS:
        add_staff(session, username, role, password_hash, office, unit)
    return password


def _live_office(session: Session, code: str, links: dict[str, str], now: datetime) -> LiveOffice:
    place = PLACES[code]
    desk = Desk.of(session, queries.office_by_code(session, code), place.temper)
    _, secret = make_token(session, Role.OFFICE, now, code, name="simulated citizens and clerks")
    return LiveOffice(
        code=code,
        secret=secret,
        counters=[counter.code for counter in desk.counters if counter.code != place.yours],
        services=desk.services,
        priorities=[priority.code for priority in desk.priorities],
        temper=place.temper,
        seconds_between_calls=place.seconds_between_calls,
        crowd=place.crowd,
        links=links,
    )


def addresses(prepared: Prepared, port: int) -> list[tuple[str, str]]:
    """What there is to see, and where."""
    pages = (
        ("Hall display", f"/screens/{SHOWN}"),
        ("Screen of counter 1", f"/screens/{SHOWN}/1"),
        ("Ticket kiosk (as clerk)", f"/kiosks/{SHOWN}"),
        ("Counter 5, yours (as clerk)", f"/counters/{SHOWN}/{PLACES[SHOWN].yours}"),
        ("Commune (as its leader)", "/units/05443"),
        ("Province (as its leader)", "/units/19"),
        ("A ticket on a phone", prepared.link),
    )
    return [(name, f"http://127.0.0.1:{port}{path}") for name, path in pages]
