"""`motcua demo` and `motcua simulate`."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, time, timedelta
from random import Random

import click
from flask import Flask, current_app
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from sqlalchemy import func, select

from core import clock, serving
from core.db import transaction
from core.errors import CannotStart, Unknown
from feedback import demo as demonstration
from feedback.behaviour import Temper
from feedback.demo import Prepared
from feedback.questionnaire import questionnaire
from feedback.simulation import Desk, begin_history, simulate_day, tidy_up
from feedback.traffic import Traffic
from queueing import queries
from queueing.models import Ticket
from units.models import Office

HOST = "127.0.0.1"
TICKETS_A_COUNTER = 14


def demo_with(create_app: Callable[..., Flask]) -> click.Command:
    """The command `demo` of an application: it makes its own database, so it is not run on one that is ready."""

    @click.command("demo")
    @click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
    @click.option("--speed", default=1.0, show_default=True, type=click.FloatRange(0.1, 20), help="pace of the people")
    @click.option("--no-traffic", is_flag=True, help="history only, nobody comes or calls by itself")
    @click.option("--weeks", default=8, show_default=True, type=click.IntRange(0, 26), help="weeks of history")
    def demo(port: int, speed: float, no_traffic: bool, weeks: int) -> None:
        """A living system from nothing, in a folder of its own; Ctrl-C stops it, the next start begins anew."""
        try:
            sys.exit(_demo(create_app, port, speed, not no_traffic, weeks))
        except KeyboardInterrupt:
            click.echo("Stopped.")

    return demo


def _demo(create_app: Callable[..., Flask], port: int, speed: float, with_traffic: bool, weeks: int) -> int:
    _refuse_taken_port(port)
    folder = demonstration.demo_folder()
    lock = demonstration.take_folder(folder)
    try:
        # The server is a child process and reads the same settings.
        os.environ.update(demonstration.settings_of(folder))
        with _progress("Preparing", demonstration.steps_of(weeks)) as progress:
            prepared = demonstration.prepare(create_app, folder, weeks, clock.now(), progress)

        def live() -> None:
            _print_addresses(prepared, port)
            if with_traffic:
                questions = [question.code for question in questionnaire().elements]
                Traffic(port, prepared.offices, questions, speed, kept=frozenset({prepared.link})).run()

        return serving.serve(host=HOST, port=port, on_ready=live)
    finally:
        lock.close()


def _refuse_taken_port(port: int) -> None:
    """Say it before the preparation, not after it."""
    try:
        serving.listen(HOST, port).close()
    except serving.CannotStart as reason:
        raise CannotStart(str(reason)) from None


def _print_addresses(prepared: Prepared, port: int) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print("\n[bold]DỮ LIỆU THỬ[/bold]: a demonstration, no real figures. Ctrl-C stops it.\n")
    for name, address in demonstration.addresses(prepared, port):
        console.print(f"  {name:<28} {address}")
    console.print(f"\n  Password of every log-in at http://{HOST}:{port}/login: [bold]{prepared.password}[/bold]")
    for username, _, _, _, who in demonstration.LOG_INS:
        console.print(f"  {username:<28} {who}")
    console.print()


@contextmanager
def _progress(title: str, total: int) -> Iterator[Callable[[str, int], None]]:
    """A bar on the terminal; calling it with ("history", 5) says what is done, and that five steps are behind us."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns) as bar:
        task = bar.add_task(title, total=total)

        def show(what: str, steps: int) -> None:
            bar.update(task, description=f"{title}: {what}", completed=steps)

        yield show


@click.command("simulate")
@click.option("--office", "code", required=True, help="code of an office that has had no visits yet")
@click.option("--days", required=True, type=click.IntRange(1, 1100), help="how many days before today")
@click.option("--seed", default="1", show_default=True, help="the same seed gives the same visits")
@click.option("--per-day", type=click.FloatRange(1, 2000), help="tickets on a weekday; left out: 14 for each counter")
def simulate(code: str, days: int, seed: str, per_day: float | None) -> None:
    """Write invented visits and ratings of the last days for one office, to try things out; they count like real ones.

    Each day is written whole or not at all; stopped by Ctrl-C, the days so far stay.
    """
    now = clock.now()
    with transaction(by="simulation") as session:
        try:
            office = queries.office_by_code(session, code)
        except Unknown:
            raise CannotStart(f"no office has the code {code!r}: load one with `motcua offices load`") from None
        first = office.local(now).date() - timedelta(days=days)
        desk = Desk.of(session, office, Temper(1))
        if not desk.counters or not desk.services:
            raise CannotStart(f"office {code} needs at least one service and one counter in use")
        temper = _temper(seed, code, per_day or TICKETS_A_COUNTER * len(desk.counters))
        begin_history(session, office, datetime.combine(first, time(), desk.zone), seed)
    with _progress(code, days) as progress:
        for number in range(days):
            day = first + timedelta(days=number)
            with transaction(by="simulation") as session:
                desk = Desk.of(session, queries.office_by_code(session, code), temper)
                simulate_day(session, desk, day, seed, current_app.extensions["visit_keys"], number // 7)
                tidy_up(session, datetime.combine(day + timedelta(days=1), time(), desk.zone))
            progress(f"{day}", number + 1)
    with transaction(by="simulation") as session:
        visits = session.scalar(select(func.count()).select_from(Ticket).join(Office).where(Office.code == code))
    click.echo(f"{code}: {days} days from {first}, {visits} visits")


def _temper(seed: str, code: str, tickets_per_day: float) -> Temper:
    rng = Random(f"{seed} {code}")
    return Temper(tickets_per_day, satisfied=rng.uniform(0.78, 0.94), response_rate=rng.uniform(0.2, 0.35))
