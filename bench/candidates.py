"""What is measured, in the order of the table: each way of use, with the bare one beside it."""

import itertools
import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

from bench.load import Connection, Load, drive, request
from bench.place import COUNTERS, PRIORITIES, SERVICES, Served, Town
from bench.screens import Screen, fan_out

CONNECTIONS = 32
SCREENS = (1, 50, 200)
BETWEEN_CHANGES_S = 0.02
FEWEST_CHANGES = 5


@dataclass(frozen=True)
class Sample:
    """One candidate in one run. Times in milliseconds; `alone` is one caller, who waits for nobody else.

    For a fan-out `times` hold, for each change, how long until the last screen knew; `per_second` and `alone` are None.
    """

    cpu: float
    times: list[float]
    per_second: float | None = None
    alone: float | None = None


@dataclass(frozen=True)
class Candidate:
    """One row of the table: `measure(seconds)` is done once a run."""

    name: str
    measure: Callable[[float], Sample]
    bare: str | None = None


def route(server: Served, streams: Callable[[int], list[Iterator[bytes]]], expected: int) -> Callable[[float], Sample]:
    """Measure requests that leave no trace."""
    return lambda seconds: _stretch(server, lambda length, n: drive(server.port, length, streams(n), expected), seconds)


def _stretch(server: Served, load: Callable[[float, int], Load], seconds: float) -> Sample:
    alone = load(seconds / 4, 1)
    before = server.cpu_seconds()
    full = load(seconds, CONNECTIONS)
    cpu = (server.cpu_seconds() - before) / len(full.replies) * 1000
    times = [reply * 1000 for reply in full.replies]
    return Sample(cpu, times, full.per_second, median(alone.replies) * 1000)


class Desk:
    """Issue and call-next of one server: calls need people who wait, so it counts them and sends some ahead."""

    def __init__(self, server: Served, issues: list[bytes], calls: list[bytes]) -> None:
        self.server = server
        # All connections draw from one endless round, so that every counter finds people of its own.
        self._issues, self._calls = endless(issues), endless(calls)
        self._reserve = 3 * len(calls)
        self._waiting = 0
        self._rate = 0.0

    def issue(self, seconds: float) -> Sample:
        return _stretch(self.server, lambda length, n: self._issue(length, n, self._issues), seconds)

    def issue_with(self, issues: Iterator[bytes]) -> Callable[[float], Sample]:
        """Another way to issue, into the same queues."""
        return lambda seconds: _stretch(self.server, lambda length, n: self._issue(length, n, issues), seconds)

    def call(self, seconds: float) -> Sample:
        # A good reserve: a machine that others leave alone for once may call much faster than before.
        while self._waiting < self._rate * seconds * 3 + self._reserve:
            self._issue(seconds / 4, CONNECTIONS, self._issues)
        return _stretch(self.server, self._call, seconds)

    def _issue(self, seconds: float, connections: int, issues: Iterator[bytes]) -> Load:
        load = drive(self.server.port, seconds, [issues] * connections, 201)
        self._waiting += len(load.replies)
        self._rate = max(self._rate, load.per_second)
        return load

    def _call(self, seconds: float, connections: int) -> Load:
        load = drive(self.server.port, seconds, [self._calls] * connections, 200)
        self._waiting -= len(load.replies)
        return load


def bare_desk(server: Served, offices: int) -> Desk:
    numbers = range(1, offices)
    issues = [request("POST", f"/issue/{office}/{service}") for office in numbers for service in SERVICES]
    calls = [
        request("POST", f"/call/{office}/{service}/{office * 10 + place}")
        for place, service in enumerate(SERVICES)
        for office in numbers
    ]
    return Desk(server, issues, calls)


def our_desk(server: Served, town: Town) -> Desk:
    """Every counter of the busy offices, opened; one citizen in ten has a priority class."""
    for office, token in town.tokens.items():
        clerk = Connection(server.port)
        for counter in COUNTERS:
            clerk.reply(request("POST", f"/api/v1/offices/{office}/counters/{counter}/open", _bearer(token), b"{}"))
        clerk.socket.close()
    calls = [
        request("POST", f"/api/v1/offices/{office}/counters/{counter}/call-next", _bearer(town.tokens[office]), b"{}")
        for counter in COUNTERS
        for office in town.busy
    ]
    return Desk(server, issue_requests(town), calls)


def keyed_issues(town: Town) -> Iterator[bytes]:
    """Issuing as a kiosk does that may have to repeat itself: every request with a key of its own."""
    numbers = itertools.count()
    before = [one.replace(b"\r\n\r\n", b"\r\nIdempotency-Key: bench-%d\r\n\r\n", 1) for one in issue_requests(town)]
    return (one % next(numbers) for one in endless(before))


def issue_requests(town: Town) -> list[bytes]:
    found = []
    for repeat, office, (place, service) in itertools.product(range(10), town.busy, enumerate(SERVICES)):
        priority = list(PRIORITIES)[place % len(PRIORITIES)] if repeat == 0 else None
        body = json.dumps({"service": service, "priority": priority, "channel": "kiosk"}).encode()
        found.append(request("POST", f"/api/v1/offices/{office}/tickets", _bearer(town.tokens[office]), body))
    return found


def endless(requests: list[bytes]) -> Iterator[bytes]:
    """These requests round and round, mixed always alike."""
    return itertools.cycle(random.Random(1).sample(requests, len(requests)))


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def same(path: str) -> Callable[[int], list[Iterator[bytes]]]:
    """The same GET for ever, on every connection."""
    return lambda connections: [itertools.repeat(request("GET", path))] * connections


def state_again(server: Served, office: str) -> Callable[[int], list[Iterator[bytes]]]:
    """The state of an office in which nothing has changed since."""
    path = f"/api/v1/offices/{office}/state"

    def streams(connections: int) -> list[Iterator[bytes]]:
        asker = Connection(server.port)
        revision = json.loads(asker.reply(request("GET", path))[1])["revision"]
        asker.socket.close()
        return [itertools.repeat(request("GET", path, {"If-None-Match": f'"{revision}"'}))] * connections

    return streams


def visit_pages(server: Served, town: Town) -> Callable[[int], list[Iterator[bytes]]]:
    """The phones of people who wait in the quiet office, each with the link of its own ticket."""
    paths = []
    kiosk = Connection(server.port)
    for service in SERVICES * 4:
        body = json.dumps({"service": service}).encode()
        reply = kiosk.reply(
            request("POST", f"/api/v1/offices/{town.quiet}/tickets", _bearer(town.tokens[town.quiet]), body)
        )
        paths.append("/v/" + json.loads(reply[1])["url"].rpartition("/")[2])
    kiosk.socket.close()
    requests = [request("GET", path) for path in paths]
    return lambda connections: [itertools.cycle(requests[n:] + requests[:n]) for n in range(connections)]


def bare_fan_out(server: Served, count: int) -> Callable[[float], Sample]:
    return _fan_out(server, lambda: Screen(server.port, ""), count, request("POST", "/broadcast"), 200)


def our_fan_out(server: Served, town: Town, count: int) -> Callable[[float], Sample]:
    """From the kiosk's request to the last screen of the office, a durable transaction between them."""
    body = json.dumps({"service": "A", "priority": None, "channel": "kiosk"}).encode()
    post = request("POST", f"/api/v1/offices/{town.quiet}/tickets", _bearer(town.tokens[town.quiet]), body)

    def screen() -> Screen:
        one = Screen(server.port, "/live")
        one.follow(town.quiet)
        return one

    return _fan_out(server, screen, count, post, 201)


def _fan_out(
    server: Served, connect: Callable[[], Screen], count: int, post: bytes, status: int
) -> Callable[[float], Sample]:
    def measure(seconds: float) -> Sample:
        screens = [connect() for _ in range(count)]
        poster = Connection(server.port)
        fan_out(server.port, screens, poster, post, status)
        times: list[float] = []
        before, end = server.cpu_seconds(), time.perf_counter() + seconds
        while len(times) < FEWEST_CHANGES or time.perf_counter() < end:
            times.append(fan_out(server.port, screens, poster, post, status) * 1000)
            time.sleep(BETWEEN_CHANGES_S)
        cpu = (server.cpu_seconds() - before) / len(times) * 1000
        for connection in [*(screen.socket for screen in screens), poster.socket]:
            connection.close()
        return Sample(cpu, times)

    return measure
