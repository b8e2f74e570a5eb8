"""Devices on a bad network send a command again and again: one effect, the same reply."""

import json
import random
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import running_server
from tests.load.traffic import Caller, Place, Told, at_once, check_rows, open_counters, verify

CLIENTS = 16
DROPPED = 0.05


@pytest.mark.parametrize("commands", [500, pytest.param(5_000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])])
def test_commands_sent_up_to_five_times_in_any_order_with_lost_replies_have_one_effect_each(
    place: Callable[..., Place], tmp_path: Path, commands: int
) -> None:
    busy = place(4)
    chance = random.Random(commands)
    sendings = [number for number in range(commands) for _ in range(chance.randint(1, 5))]
    chance.shuffle(sendings)
    answers: dict[int, list[tuple[int, Any]]] = {}
    with running_server(busy.url, tmp_path, workers=2) as server:
        open_counters(busy, server.port)

        def device(turn: int) -> None:
            luck = random.Random(turn)
            callers = {office: Caller(server.port, token) for office, token in busy.tokens.items()}
            for number in sendings[turn::CLIENTS]:
                office, path, body = command(busy, number)
                if luck.random() < DROPPED:
                    send_and_leave(server.port, busy.tokens[office], path, body, f"key-{number}")
                    continue
                answers.setdefault(number, []).append(callers[office].post(path, body, f"key-{number}"))
            for caller in callers.values():
                caller.close()

        at_once([partial(device, turn) for turn in range(CLIENTS)])
        told = Told()
        for number in range(commands):
            office, path, body = command(busy, number)
            caller = Caller(server.port, busy.tokens[office])
            last = caller.post(path, body, f"key-{number}")
            caller.close()
            assert {as_text(reply) for reply in answers.get(number, [])} <= {as_text(last)}, number
            if last[0] == 201:
                told.issued.append(last[1])
            elif last[0] == 200:
                told.called.append(last[1])
            else:
                assert last[0] == 204, last
    assert len(told.issued) == sum(number % 3 != 2 for number in range(commands))
    check_rows(busy, told)
    verify(busy)


def command(place: Place, number: int) -> tuple[str, str, dict[str, Any]]:
    """Two of three take a ticket, the third calls; which office it is follows from the number."""
    office = place.offices[number // 3 % len(place.offices)]
    if number % 3 == 2:
        counter = place.counters[number // 12 % len(place.counters)]
        return office, f"/offices/{office}/counters/{counter}/call-next", {}
    return office, f"/offices/{office}/tickets", {"service": "AB"[number % 2]}


def send_and_leave(port: int, token: str, path: str, body: dict[str, Any], key: str) -> None:
    """The command reaches the server, its reply reaches nobody."""
    text = json.dumps(body)
    head = [
        f"POST /api/v1{path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {token}",
        "Content-Type: application/json",
        f"Content-Length: {len(text)}",
        f"Idempotency-Key: {key}",
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        line.sendall(("\r\n".join(head) + "\r\n\r\n" + text).encode())


def as_text(reply: tuple[int, Any]) -> str:
    """A reply to compare; the visit link is told again only while the visit is open."""
    status, answer = reply
    return json.dumps([status, answer and {**answer, "url": None}])
