"""Live citizens and clerks of the demonstration: another program that uses the public API, as any other could.

Everything is a step at a moment in one line of time. A step that fails because the server is busy, or does not
answer, is sent again with the same key; the state of an office is asked for now and then, so whatever got lost, was
closed at midnight or was changed by a person at a screen is found and taken up.
"""

import heapq
import http.client
import json
import math
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from feedback import behaviour
from feedback.behaviour import Habit, Temper

PATIENCE_S: Final = 5.0
MOST_TRIES: Final = 5
LOOKS_AGAIN_S: Final = 20.0
GONE_AFTER_S: Final = 20.0
NO_SHOW: Final = 0.06
PAUSES: Final = 0.012
BREAK: Final = "Nghỉ giải lao"


@dataclass
class LiveOffice:
    """One office: who is simulated there, how often somebody is called, and how many are to wait on the average.

    `links` are the visit links of those who are there, by ticket; one in `kept` is left for a person to rate.
    """

    code: str
    secret: str
    counters: Sequence[str]
    services: Sequence[tuple[str, Habit]]
    priorities: Sequence[str]
    temper: Temper
    seconds_between_calls: float
    crowd: int
    links: dict[str, str]
    at_counter: dict[str, str] = field(default_factory=dict)
    pressed_at: dict[str, float] = field(default_factory=dict)
    away: set[str] = field(default_factory=set)
    business_date: str = ""
    waiting: int = 0


class Traffic:
    """Keeps the offices alive until it is interrupted or the server has gone for good."""

    def __init__(
        self,
        port: int,
        offices: Sequence[LiveOffice],
        questions: Sequence[str],
        speed: float,
        kept: frozenset[str] = frozenset(),
    ) -> None:
        self._offices, self._questions, self._speed, self._kept = offices, questions, speed, kept
        self._rng = Random()
        self._steps: list[tuple[float, int, Callable[[], None]]] = []
        self._planned = 0
        self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        self._heard_at = time.monotonic()

    def run(self) -> None:
        """Do every step at its time; returns when the server has not answered for a while."""
        for place, office in enumerate(self._offices):
            share = place / len(self._offices)
            self._later(share, partial(self._look, office), hurried=False)
            self._later(1 + share * office.seconds_between_calls, partial(self._beat, office))
            self._later(2 + share * office.seconds_between_calls, partial(self._come, office))
        while time.monotonic() - self._heard_at < GONE_AFTER_S:
            moment, _, step = heapq.heappop(self._steps)
            time.sleep(max(0.0, moment - time.monotonic()))
            step()

    def _later(self, seconds: float, step: Callable[[], None], *, hurried: bool = True) -> None:
        """Plan a step; what people do is `speed` times as fast, what the machine needs is not."""
        self._planned += 1
        moment = time.monotonic() + (seconds / self._speed if hurried else seconds)
        heapq.heappush(self._steps, (moment, self._planned, step))

    def _look(self, office: LiveOffice) -> None:
        """See how things really are, and open the counters that ought to be open."""
        self._later(LOOKS_AGAIN_S, partial(self._look, office), hurried=False)
        status, state = self._ask("GET", f"/api/v1/offices/{office.code}/state", office.secret)
        if status != 200:
            return
        office.waiting = state["waiting"]
        if state["business_date"] != office.business_date:
            if office.business_date:
                office.links.clear()
                office.at_counter.clear()
            office.business_date = state["business_date"]
        for counter in state["counters"]:
            code = counter["code"]
            if code in office.counters and code not in office.away and counter["state"] != "open":
                self._command(office, f"/offices/{office.code}/counters/{code}/open", {})

    def _come(self, office: LiveOffice) -> None:
        """Somebody takes a ticket. The fuller the hall, the later comes the next."""
        crowded = (office.waiting + 2) / (office.crowd + 2)
        pause = office.seconds_between_calls * min(3.0, max(0.4, crowded))
        self._later(pause * self._rng.uniform(0.5, 1.5), partial(self._come, office))
        service = self._rng.choices(office.services, [habit.weight for _, habit in office.services])[0][0]
        is_declared = bool(office.priorities) and self._rng.random() < behaviour.PRIORITY_SHARE
        body = {"service": service, "priority": self._rng.choice(office.priorities) if is_declared else None}
        self._command(office, f"/offices/{office.code}/tickets", body, partial(self._came, office))

    def _came(self, office: LiveOffice, status: int, ticket: dict[str, Any]) -> None:
        if status == 201:
            office.waiting += 1
            office.links[ticket["id"]] = urlsplit(ticket["url"] or "").path

    def _beat(self, office: LiveOffice) -> None:
        """The counter that has worked longest finishes and calls the next person.

        So the hall hears a number at regular times, however many counters there are.
        """
        self._later(office.seconds_between_calls * self._rng.uniform(0.6, 1.4), partial(self._beat, office))
        at_work = [code for code in office.counters if code not in office.away]
        if not at_work:
            return
        code = min(at_work, key=lambda one: office.pressed_at.get(one, -math.inf))
        office.pressed_at[code] = time.monotonic()
        if len(at_work) > 1 and code in office.at_counter and self._rng.random() < PAUSES:
            self._rest(office, code)
            return
        self._command(
            office, f"/offices/{office.code}/counters/{code}/call-next", {}, partial(self._pressed, office, code)
        )

    def _pressed(self, office: LiveOffice, code: str, status: int, ticket: dict[str, Any]) -> None:
        if status == 409:
            self._command(office, f"/offices/{office.code}/counters/{code}/open", {})
            return
        if status in (200, 204) and code in office.at_counter:
            self._go(office, office.at_counter.pop(code))
        if status != 200:
            return
        office.waiting = max(0, office.waiting - 1)
        office.at_counter[code] = ticket["id"]
        working_s = len(office.counters) * office.seconds_between_calls
        if self._rng.random() < NO_SHOW:
            self._later(0.25 * working_s, partial(self._verb, office, code, ticket["id"], "recall"))
            self._later(0.5 * working_s, partial(self._verb, office, code, ticket["id"], "no-show"))
        elif self._rng.random() < 0.7:
            self._later(
                self._rng.uniform(0.1, 0.3) * working_s, partial(self._verb, office, code, ticket["id"], "start")
            )

    def _verb(self, office: LiveOffice, code: str, ticket: str, verb: str) -> None:
        """A clerk's button about the person at the counter, if it is still the same one."""
        if office.at_counter.get(code) != ticket:
            return
        if verb == "no-show":
            del office.at_counter[code]
            office.links.pop(ticket, None)
            office.pressed_at.pop(code, None)
        self._command(office, f"/tickets/{ticket}/{verb}", {})

    def _rest(self, office: LiveOffice, code: str) -> None:
        office.away.add(code)
        ticket = office.at_counter.pop(code)
        self._command(office, f"/tickets/{ticket}/finish", {})
        self._go(office, ticket)
        self._command(office, f"/offices/{office.code}/counters/{code}/pause", {"reason": BREAK})
        self._later(self._rng.uniform(60, 150), partial(self._come_back, office, code))

    def _come_back(self, office: LiveOffice, code: str) -> None:
        office.away.discard(code)
        self._command(office, f"/offices/{office.code}/counters/{code}/open", {})

    def _go(self, office: LiveOffice, ticket: str) -> None:
        """The visit is over; some people rate it through the link on their paper."""
        link = office.links.pop(ticket, None)
        if link and link not in self._kept and self._rng.random() < office.temper.response_rate:
            self._later(self._rng.uniform(5, 90), partial(self._rate, office, link))

    def _rate(self, office: LiveOffice, link: str) -> None:
        habit = self._rng.choice(office.services)[1]
        levels = behaviour.levels(self._rng, office.temper, habit, 10.0, 0, self._questions)
        self._ask("GET", link)
        self._send_form(f"{link}/rating", {"overall": levels[0]})
        if len(levels) > 1:
            given = {code: level for code, level in zip(self._questions, levels[1:], strict=True) if level}
            self._later(self._rng.uniform(8, 40), partial(self._send_form, f"{link}/rating/details", given))

    def _send_form(self, path: str, fields: dict[str, int], tries: int = 1) -> None:
        status, _ = self._ask("POST", path, form=urlencode(fields))
        if _is_worth_another_try(status) and tries < MOST_TRIES:
            self._later(2.0**tries, partial(self._send_form, path, fields, tries + 1), hurried=False)

    def _command(
        self,
        office: LiveOffice,
        path: str,
        body: dict[str, Any],
        then: Callable[[int, dict[str, Any]], None] = lambda status, answer: None,
        key: str | None = None,
        tries: int = 1,
    ) -> None:
        """Send a command and go on with its answer; the key makes a repetition harmless."""
        key = key or secrets.token_urlsafe(12)
        status, answer = self._ask("POST", f"/api/v1{path}", office.secret, body, key)
        if not _is_worth_another_try(status):
            then(status, answer)
        elif tries < MOST_TRIES:
            again = partial(self._command, office, path, body, then, key, tries + 1)
            self._later(2.0**tries, again, hurried=False)

    def _ask(
        self,
        method: str,
        path: str,
        secret: str | None = None,
        body: dict[str, Any] | None = None,
        key: str | None = None,
        form: str | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """One request; status 0 means that no answer came."""
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        headers |= {"Idempotency-Key": key} if key else {}
        headers |= {"Content-Type": "application/x-www-form-urlencoded" if form is not None else "application/json"}
        data = form if form is not None else json.dumps(body) if body is not None else None
        try:
            self._line.request(method, path, data, headers)
            response = self._line.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            self._line.close()
            return 0, {}
        self._heard_at = time.monotonic()
        is_json = response.headers.get_content_type() == "application/json"
        answer = json.loads(text) if is_json and text else {}
        return response.status, answer


def _is_worth_another_try(status: int) -> bool:
    return status in (0, 429) or status >= 500
