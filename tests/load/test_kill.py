"""kill -9 in the middle of work: what was acknowledged is there, what was not is there once or not at all."""

import http.client
import itertools
import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Server, free_port, running_server, wait_until
from tests.load.traffic import Caller, Place, Told, check_rows, children, kill_group, verify

CLIENTS = 16
LONG = [pytest.mark.long, pytest.mark.timeout(3600)]
RETRY_AFTER = (OSError, http.client.HTTPException)


@dataclass
class Command:
    """One command as a device keeps it: its key is stored before sending, its reply when it comes."""

    office: str
    path: str
    body: dict[str, Any]
    key: str
    reply: tuple[int, Any] | None = None


@dataclass
class Crowd:
    """Clients that work until told to stop, each with the list of what it sent."""

    place: Place
    port: int
    sent: list[Command] = field(default_factory=list)
    wrong: list[tuple[int, Any]] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    reconnects: bool = False

    def run(self, work: Callable[[], None]) -> None:
        """Do `work` while everybody is busy, then let them stop; those whose connection broke have stopped already."""
        self.stop.clear()
        threads = [threading.Thread(target=self._person, args=[number], daemon=True) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            work()
        finally:
            self.stop.set()
            for thread in threads:
                thread.join()

    def acknowledged(self) -> int:
        return sum(command.reply is not None for command in self.sent)

    def send_again(self, command: Command) -> tuple[int, Any]:
        caller = Caller(self.port, self.place.tokens[command.office])
        try:
            return caller.post(command.path, command.body, command.key)
        finally:
            caller.close()

    def _person(self, number: int) -> None:
        office = self.place.offices[number % len(self.place.offices)]
        chance = random.Random(f"{number} {len(self.sent)}")
        caller = Caller(self.port, self.place.tokens[office], timeout=20)
        while not self.stop.is_set():
            command = Command(office, f"/offices/{office}/tickets", {"service": "A"}, f"key-{next(self.numbers)}")
            if chance.random() < 0.4:
                counter = chance.choice(self.place.counters)
                command = Command(office, f"/offices/{office}/counters/{counter}/call-next", {}, command.key)
            self.sent.append(command)
            try:
                status, answer = caller.post(command.path, command.body, command.key)
            except RETRY_AFTER:
                caller.close()
                if not self.reconnects:
                    break
                caller = Caller(self.port, self.place.tokens[office], timeout=20)
                continue
            if status in (200, 201, 204):
                command.reply = status, answer
            else:
                self.wrong.append((status, answer))
        caller.close()


@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=LONG)])
@pytest.mark.timeout(300)
def test_kill_9_of_the_whole_server_loses_nothing_that_was_acknowledged(
    place: Callable[..., Place], tmp_path: Path, kills: int, request: pytest.FixtureRequest
) -> None:
    if "postgresql" in request.node.callspec.id and kills == 5:
        kills = 1  # there the database is another process, which is not killed
    busy = place(4)
    crowd = Crowd(busy, free_port())
    ready: list[float] = []
    for _ in range(kills):
        begun = time.monotonic()
        # Byte code is kept from the first start, as it is where the program is installed.
        with running_server(busy.url, tmp_path, port=crowd.port, workers=2, PYTHONDONTWRITEBYTECODE="") as server:
            ready.append(time.monotonic() - begun)
            open_every_counter(crowd)
            before = crowd.acknowledged()

            def kill(server: Server = server, before: int = before) -> None:
                wait_until(lambda: crowd.acknowledged() > before + 40, 30)
                kill_group(server)

            crowd.run(kill)
    with running_server(busy.url, tmp_path, port=crowd.port, workers=2):
        told, undecided = settle_accounts(crowd)
    print(f"{len(crowd.sent)} commands, {undecided} undecided, ready after {max(ready):.1f} s at most")  # noqa: T201 (shown by pytest -s)
    assert crowd.wrong == []
    check_rows(busy, told)
    verify(busy)
    if busy.url.startswith("sqlite"):
        check_file(Path(busy.url.removeprefix("sqlite:///")))
    if os.getloadavg()[0] < (os.cpu_count() or 1) + 1:  # else the time is that of the other tests
        assert min(ready) < 5


def test_kill_9_of_one_worker_loses_nothing_and_the_others_go_on(
    sqlite_place: Callable[..., Place], tmp_path: Path
) -> None:
    busy = sqlite_place(4)
    with running_server(busy.url, tmp_path, workers=2) as server:
        # All connections may be at the worker that dies: whoever lost his comes again, as a device does.
        crowd = Crowd(busy, server.port, reconnects=True)
        open_every_counter(crowd)

        def kill() -> None:
            wait_until(lambda: crowd.acknowledged() > 40, 30)
            dead = children(server.process.pid)[0]
            os.kill(dead, signal.SIGKILL)
            done = crowd.acknowledged()
            wait_until(lambda: crowd.acknowledged() > done + 20, 30)
            wait_until(lambda: dead not in children(server.process.pid), 30)

        crowd.run(kill)
        told, _ = settle_accounts(crowd)
    assert crowd.wrong == []
    check_rows(busy, told)
    verify(busy)


def open_every_counter(crowd: Crowd) -> None:
    for office in crowd.place.offices:
        caller = Caller(crowd.port, crowd.place.tokens[office])
        for counter in crowd.place.counters:
            assert caller.post(f"/offices/{office}/counters/{counter}/open")[0] == 200
        caller.close()


def settle_accounts(crowd: Crowd) -> tuple[Told, int]:
    """Every device sends again what got no reply, and for good measure what got one: the answer is the same."""
    told, undecided = Told(), 0
    for command in crowd.sent:
        status, answer = crowd.send_again(command)
        if command.reply is None:
            undecided += 1
        else:
            assert (status, without_link(answer)) == (command.reply[0], without_link(command.reply[1]))
        if status == 201:
            told.issued.append(answer)
        elif status == 200:
            told.called.append(answer)
        else:
            assert status == 204, answer
    return told, undecided


def without_link(answer: dict[str, Any] | None) -> dict[str, Any] | None:
    """The visit link is told again only while the visit is open."""
    return answer and {**answer, "url": None}


def check_file(path: Path) -> None:
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    finally:
        connection.close()
