"""The past of the demonstration's offices, written by several processes at once.

An office is a numbered history of its own, so each is lived in a copy of the prepared database, by the ordinary
actions; then everything that bears its id is taken over. One process would need minutes on a slow machine.
"""

import multiprocessing
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from flask import Flask

from core.db import Base, transaction
from core.errors import CannotStart
from core.settings import load
from feedback.behaviour import Temper
from feedback.simulation import HALL_FILLS, Desk, fill_hall, simulate_day, tidy_up
from queueing import queries

MOST_PROCESSES = 4
PREPARED = "prepared.sqlite3"
LOOKS_EVERY_S = 0.2
WITHOUT_OFFICE_ID = ("rating_drafts",)

_days_done: "Synchronized[int] | None" = None


@dataclass(frozen=True)
class Past:
    """What one office is to live through: `days` before the day of `now`, that day so far, `crowd` waiting at `now`.

    `free_counter` stays closed at `now`.
    """

    code: str
    temper: Temper
    days: int
    now: datetime
    crowd: int
    free_counter: str | None
    seed: str


def write(
    create_app: Callable[..., Flask], settings: dict[str, str], pasts: Sequence[Past]
) -> Iterator[tuple[int, dict[str, dict[str, str]]]]:
    """Live all these pasts; yields how many days are done, and what each office that is ready has: ticket -> link.

    `settings` are those of the prepared SQLite database, which nobody else uses meanwhile.
    """
    whole = Path(settings["MOTCUA_INSTANCE"]) / "motcua.sqlite3"
    # Copies are made of a copy: the whole changes while they are made.
    shutil.copy(whole, whole.with_name(PREPARED))
    context = multiprocessing.get_context("spawn")
    done = context.Value("i", 0)
    pool = ProcessPoolExecutor(min(MOST_PROCESSES, os.cpu_count() or 1), context, _begin_process, (done,))
    try:
        longest_first = sorted(pasts, key=lambda past: -past.temper.tickets_per_day)
        pending = {pool.submit(_live, create_app, settings, past) for past in longest_first}
        while pending:
            finished, pending = wait(pending, LOOKS_EVERY_S, FIRST_COMPLETED)
            ready = {}
            for future in finished:
                code, part, links = future.result()
                _take_over(whole, part, code)
                ready[code] = links
            yield done.value, ready
    except BrokenProcessPool:
        raise CannotStart("a process that prepares the demonstration was ended from outside: start it again") from None
    finally:
        whole.with_name(PREPARED).unlink(missing_ok=True)
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()


def _begin_process(days_done: "Synchronized[int]") -> None:
    """Count days where the parent sees it, and leave Ctrl-C to the parent."""
    global _days_done  # noqa: PLW0603 (the only way in: a pool hands nothing but this to its processes)
    _days_done = days_done
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _live(create_app: Callable[..., Flask], settings: dict[str, str], past: Past) -> tuple[str, str, dict[str, str]]:
    """Live one past in a copy of the database; returns the office, the copy, and ticket -> link of who is there."""
    folder = Path(settings["MOTCUA_INSTANCE"])
    part = shutil.copy(folder / PREPARED, folder / f"{past.code}.sqlite3")
    app = create_app(load({**settings, "MOTCUA_DATABASE_URL": f"sqlite:///{part}"}), background=False)
    ring = app.extensions["visit_keys"]
    with app.app_context():
        for first in range(past.days, 0, -7):
            with transaction(by="demo") as session:
                desk = Desk.of(session, queries.office_by_code(session, past.code), past.temper)
                midnight = datetime.combine(past.now.astimezone(desk.zone), time(), desk.zone)
                for ago in range(first, max(0, first - 7), -1):
                    day = (midnight - timedelta(days=ago)).date()
                    simulate_day(session, desk, day, past.seed, ring, (past.days - ago) // 7)
                    tidy_up(session, midnight - timedelta(days=ago - 1))
                    _one_more_day()
        with transaction(by="demo") as session:
            desk = Desk.of(session, queries.office_by_code(session, past.code), past.temper)
            today = past.now.astimezone(desk.zone).date()
            guests = simulate_day(session, desk, today, past.seed, ring, past.days // 7, until=past.now - HALL_FILLS)
            fill_hall(session, desk, guests, past.crowd, past.seed, ring, past.now, past.free_counter)
            tidy_up(session, past.now)
            _one_more_day()
    app.extensions["database"].engine.dispose()
    return past.code, str(part), {guest.ticket_id: f"/v/{guest.token.text}" for guest in guests.values()}


def _one_more_day() -> None:
    if _days_done is not None:
        with _days_done.get_lock():
            _days_done.value += 1


def _take_over(whole: Path, part: str, code: str) -> None:
    """Put everything that bears this office's id into the whole database, and let the copy go."""
    with sqlite3.connect(whole, isolation_level=None) as database:
        database.execute("ATTACH ? AS part", (part,))
        database.execute("BEGIN IMMEDIATE")
        office_id = database.execute("SELECT id FROM part.offices WHERE code = ?", (code,)).fetchone()[0]
        for table in Base.metadata.sorted_tables:
            key = "id" if table.name == "offices" else "office_id"
            if key in table.columns:
                database.execute(
                    f"REPLACE INTO main.{table.name} SELECT * FROM part.{table.name} WHERE {key} = ?",  # noqa: S608
                    (office_id,),
                )
            elif table.name in WITHOUT_OFFICE_ID:
                database.execute(f"REPLACE INTO main.{table.name} SELECT * FROM part.{table.name}")  # noqa: S608
        database.execute("COMMIT")
        database.execute("DETACH part")
    database.close()
    for leftover in Path(part).parent.glob(f"{Path(part).name}*"):
        leftover.unlink()
