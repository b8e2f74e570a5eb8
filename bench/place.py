"""The town that is measured: offices like real ones in a database of their own, and the servers before them."""

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from accounts.actions import make_token
from app import create_app
from core import clock, schema
from core.db import transaction
from core.errors import CannotStart
from core.settings import load
from queueing.models import Service, State, Ticket
from queueing.office_file import read_offices
from queueing.setup import load_offices
from units.actions import load_units
from units.models import Office

ROOT = Path(__file__).parent.parent
SERVICES = "ABCDEF"
COUNTERS = "123456"
PRIORITIES = {"merit": 60, "disabled": 45, "elderly": 30, "pregnant": 30, "child": 15}
PAST_VISITS = 100  # of each service: what the expected wait is read from
PROVINCE, COMMUNE = "90", "90001"
CLOCK_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Town:
    """A prepared database: the token of each office. The last office is quiet: its tickets stay waiting."""

    url: str
    folder: Path
    tokens: dict[str, str]

    @property
    def busy(self) -> list[str]:
        return list(self.tokens)[:-1]

    @property
    def quiet(self) -> str:
        return list(self.tokens)[-1]


def build_town(url: str, folder: Path, offices: int) -> Town:
    """Offices with six services, six counters and five priority classes each, and yesterday's visits.

    Raises CannotStart when the database already holds offices: it is made for measuring and thrown away.
    """
    app = create_app(load(_environment(url, folder)), background=False)
    database = app.extensions["database"]
    schema.migrate(database)
    now = clock.now()
    codes = [f"bench-{number}" for number in range(1, offices + 1)]
    with app.app_context(), transaction() as session:
        if session.scalar(select(func.count()).select_from(Office)):
            raise CannotStart("this database holds offices: give an empty one to be measured")
        load_units(session, _units())
        load_offices(session, read_offices("\n".join(map(_office_text, codes))), now)
        tokens = {code: make_token(session, "office", now, code)[1] for code in codes}
        _remember_yesterday(session)
    database.engine.dispose()
    return Town(url, folder, tokens)


def _environment(url: str, folder: Path) -> dict[str, str]:
    return {"MOTCUA_DATABASE_URL": url, "MOTCUA_INSTANCE": str(folder), "MOTCUA_LOG_LEVEL": "WARNING"}


def _units() -> list[dict[str, object]]:
    row = {"valid_from": date(2025, 7, 1), "valid_to": None}
    return [
        {**row, "code": PROVINCE, "name": "Tỉnh Thử Tải", "kind": "tinh", "parent_code": None},
        {**row, "code": COMMUNE, "name": "Xã Thử Tải", "kind": "xa", "parent_code": PROVINCE},
    ]


def _office_text(code: str) -> str:
    """Each counter has a service of its own and helps out with the next two."""
    lines = [f'[[office]]\ncode = "{code}"\nunit = "{COMMUNE}"\nname = "Điểm thử tải {code}"']
    for service in SERVICES:
        lines.append(f'[[office.service]]\ncode = "{service}"\nname = "Nhóm việc {service}"')
    for place, counter in enumerate(COUNTERS):
        own, *helped = (SERVICES[(place + step) % len(SERVICES)] for step in range(3))
        takes = json.dumps([own, *(f"{service}+10" for service in helped)])
        lines.append(f'[[office.counter]]\ncode = "{counter}"\nname = "Quầy {counter}"\nservices = {takes}')
    for priority, minutes in PRIORITIES.items():
        lines.append(f'[[office.priority]]\ncode = "{priority}"\nname = "Diện {priority}"\nhead_start_min = {minutes}')
    return "\n".join(lines)


def _remember_yesterday(session: Session) -> None:
    """Finished visits without their history: only for the expected wait, which reads a hundred of them."""
    chance = random.Random(1)
    began = clock.now() - timedelta(days=1)
    rows = []
    for service in session.scalars(select(Service)):
        for ordinal in range(1, PAST_VISITS + 1):
            at = began + timedelta(seconds=ordinal * 60)
            ended = at + timedelta(seconds=chance.randint(120, 900))
            rows.append(
                {
                    "id": f"{service.id:08d}{ordinal:08d}",
                    "office_id": service.office_id,
                    "service_id": service.id,
                    "business_date": at.date() - timedelta(days=1),
                    "prefix": service.prefix,
                    "ordinal": ordinal,
                    "state": State.DONE,
                    "channel": "kiosk",
                    "virtual_arrival": at,
                    "revision": 0,
                    "issued_at": at,
                    "called_at": at,
                    "started_at": at,
                    "finished_at": ended,
                }
            )
    session.execute(insert(Ticket), rows)


@dataclass
class Served:
    """A running server, and whatever database server works for it."""

    port: int
    roots: list[int]

    def cpu_seconds(self) -> float:
        """Processor time used so far by the server's processes and their children."""
        return sum(_cpu_seconds(process) for process in _with_descendants(self.roots))


@contextmanager
def served(factory: str, environment: dict[str, str], database_process: int | None = None) -> Iterator[Served]:
    """Serve what `factory` makes with the production server until the block ends."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MOTCUA_")}
    start = f"from core.serving import serve; serve(port=0, factory={factory!r})"
    process = subprocess.Popen(
        [sys.executable, "-c", start],
        env={**inherited, **environment},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert process.stdout is not None
    try:
        address = re.search(r":([0-9]+)\s*$", process.stdout.readline())
        if address is None:
            raise CannotStart("the server did not start; its reason stands above")
        yield Served(int(address[1]), [process.pid, *([database_process] if database_process else [])])
    finally:
        process.terminate()
        try:
            process.wait(8)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


@contextmanager
def served_town(town: Town, database_process: int | None = None) -> Iterator[Served]:
    """Our application before a prepared town."""
    with served("app:create_app", _environment(town.url, town.folder), database_process) as server:
        yield server


@contextmanager
def served_baseline(folder: Path) -> Iterator[Served]:
    """The bare routes on a durable SQLite file."""
    with served("bench.baseline:create_app", {"BENCH_BASELINE": str(folder / "baseline.sqlite3")}) as server:
        yield server


def _with_descendants(roots: list[int]) -> list[int]:
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and (fields := _stat(int(folder.name))):
            parents.setdefault(int(fields[1]), []).append(int(folder.name))
    found = list(roots)
    for process in found:
        found += parents.get(process, ())
    return found


def _cpu_seconds(process: int) -> float:
    fields = _stat(process)
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICK if fields else 0.0


def _stat(process: int) -> list[str]:
    """The fields of /proc/PID/stat after the name; nothing for a process that has ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
