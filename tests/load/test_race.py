"""Citizens and counters that press at the same moment, against four server processes on one database."""

import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import running_server
from tests.load.traffic import Caller, Place, Told, at_once, call_everybody, check_rows, open_counters, verify

CLIENTS = 64


LONG = [pytest.mark.long, pytest.mark.timeout(1800)]


@pytest.mark.parametrize(("tickets", "offices"), [(1_000, 20), pytest.param(10_000, 20, marks=LONG)])
def test_64_clients_get_every_number_once_and_every_number_is_called_once(
    place: Callable[..., Place], tmp_path: Path, tickets: int, offices: int
) -> None:
    busy = place(offices)
    told = Told()
    with running_server(busy.url, tmp_path, workers=4) as server:
        open_counters(busy, server.port)

        def person(number: int) -> None:
            office = busy.offices[number % offices]
            caller = Caller(server.port, busy.tokens[office])
            chance = random.Random(number)
            for step in range(tickets // CLIENTS + (number < tickets % CLIENTS)):
                begun = time.monotonic()
                priority = "elderly" if chance.random() < 0.1 else None
                body = {"service": chance.choice(busy.services), "priority": priority, "channel": "api"}
                status, answer = caller.post(f"/offices/{office}/tickets", body)
                told.seconds.append(time.monotonic() - begun)
                (told.issued if status == 201 else told.wrong).append(answer)
                if step % 2:
                    counter = chance.choice(busy.counters)
                    status, answer = caller.post(f"/offices/{office}/counters/{counter}/call-next")
                    if status == 200:
                        told.called.append(answer)
                    elif status != 204:
                        told.wrong.append((status, answer))
            caller.close()

        seconds = at_once([partial(person, number) for number in range(CLIENTS)])
        raced = len(told.issued) + len(told.called)
        call_everybody(busy, server.port, told)
    median, p95 = (sorted(told.seconds)[int(len(told.seconds) * share)] * 1000 for share in (0.5, 0.95))
    rate = f"{raced / seconds:.0f} commands/s, issuing takes {median:.0f} ms, p95 {p95:.0f} ms"
    print(rate)  # noqa: T201 (shown by pytest -s)
    assert told.wrong == []
    assert len(told.issued) == len(told.called) == tickets
    check_rows(busy, told)
    verify(busy)


@pytest.mark.parametrize(("waiting", "rounds"), [(100, 2), pytest.param(500, 20, marks=LONG)])
def test_16_counters_that_press_at_the_same_moment_get_different_people_in_the_order_of_the_policy(
    place: Callable[..., Place], tmp_path: Path, waiting: int, rounds: int
) -> None:
    busy = place(1, counters=16)
    office, token = busy.offices[0], busy.tokens[busy.offices[0]]
    told = Told()
    with running_server(busy.url, tmp_path, workers=2) as server:
        open_counters(busy, server.port)

        def issue(number: int) -> None:
            caller = Caller(server.port, token)
            for step in range(waiting // 16 + (number < waiting % 16)):
                body = {"service": "AB"[(number + step) % 2], "priority": "elderly" if step % 7 == 3 else None}
                status, answer = caller.post(f"/offices/{office}/tickets", body)
                (told.issued if status == 201 else told.wrong).append(answer)
            caller.close()

        def call(counter: str) -> None:
            caller = Caller(server.port, token)
            while True:
                status, answer = caller.post(f"/offices/{office}/counters/{counter}/call-next")
                if status != 200:
                    break
                told.called.append(answer)
            caller.close()
            if status != 204:
                told.wrong.append((status, answer))

        for _ in range(rounds):
            at_once([partial(issue, number) for number in range(16)])
            at_once([partial(call, counter) for counter in busy.counters])
    assert told.wrong == []
    assert len(told.issued) == len(told.called) == waiting * rounds
    check_rows(busy, told)
    verify(busy)
