"""The desk as a machine: any steps in any order keep the promises about numbers, calls, order and the day's end."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.db import reader, transaction
from core.errors import Refused
from queueing import actions
from queueing.history import broken_links
from queueing.models import AT_COUNTER, OPEN_STATES, Counter, OfficeEvent, Series, Ticket
from queueing.office_file import read_offices
from queueing.setup import load_offices
from tests import cast
from units.models import Office

OFFICE = """
[[office]]
code = "desk-{number}"
unit = "90001"
name = "Bàn thử"
policy = "{policy}"
service = [{{code = "A", name = "Một"}}, {{code = "B", name = "Hai"}}]
counter = [
  {{code = "1", name = "Quầy 1", services = ["A", "B+10"]}},
  {{code = "2", name = "Quầy 2", services = ["B"]}},
  {{code = "3", name = "Quầy 3", services = ["A", "B"]}},
]
priority = [{{code = "elderly", name = "Người cao tuổi", head_start_min = 30}}]
"""
DELAYS = {"1": {"A": 0, "B": 10}, "2": {"B": 0}, "3": {"A": 0, "B": 0}}
POLICIES = ["virtual-arrival", "strict", "interleave:3"]
NUMBERS = count()
VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")


@dataclass
class Person:
    """A ticket as the machine remembers it; `order` is the order of issue."""

    id: str
    number: str
    service: str
    day: date
    issued_at: datetime
    priority: bool
    order: int
    state: str = "waiting"
    counter: str | None = None

    @property
    def arrival(self) -> datetime:
        return self.issued_at - timedelta(minutes=30 if self.priority else 0)


class Desk(RuleBasedStateMachine):
    """One office, its citizens and clerks, and what they must find."""

    app: Flask

    def __init__(self) -> None:
        super().__init__()
        self.now = cast.MONDAY
        self.day = self._today()
        self.people: list[Person] = []
        self.open: set[str] = set()
        self.calls: list[bool] = []

    @initialize(policy=st.sampled_from(POLICIES))
    def found(self, policy: str) -> None:
        self.policy = policy
        self.code = f"desk-{next(NUMBERS)}"
        text = OFFICE.format(number=self.code.removeprefix("desk-"), policy=policy)
        with self.app.app_context(), transaction() as session:
            load_offices(session, read_offices(text), self.now)
            self.office_id = session.scalars(select(Office.id).where(Office.code == self.code)).one()
            counters = session.scalars(select(Counter).where(Counter.office_id == self.office_id))
            self.counters = {counter.code: counter.id for counter in counters}

    @rule(service=st.sampled_from("AB"), priority=st.sampled_from([None, None, "elderly"]))
    def issue(self, service: str, priority: str | None) -> None:
        self._tick()
        ring = self.app.extensions["visit_keys"]
        ticket = self._do(
            lambda session: actions.issue(
                session, self.office_id, service, self.now, ring=ring, priority_code=priority
            )[0]
        )
        before = [one for one in self.people if one.day == self.day and one.service == service]
        assert ticket.number == f"{service}{len(before) + 1:03d}"
        person = Person(ticket.id, ticket.number, service, self.day, self.now, bool(priority), len(self.people))
        self.people.append(person)

    @rule(counter=st.sampled_from("123"))
    def call_next(self, counter: str) -> None:
        self._tick()
        expected = self._expected(counter)
        ticket = self._do(lambda session: actions.call_next(session, self.counters[counter], self.now))
        if counter not in self.open:
            assert isinstance(ticket, Refused)
            return
        for one in self.people:
            if one.counter == counter:
                one.state, one.counter = "done", None
        assert (ticket and ticket.id) == (expected and expected.id)
        if expected is not None:
            self._called(expected, counter)

    @rule(counter=st.sampled_from("123"), chosen=st.integers(0, 99))
    def call_one(self, counter: str, chosen: int) -> None:
        if person := self._anybody(chosen):
            self._tick()
            allowed = counter in self.open and not self._at(counter) and person.state == "waiting"
            result = self._do(lambda session: actions.call_one(session, self.counters[counter], person.id, self.now))
            assert isinstance(result, Refused) is not allowed
            if allowed:
                self._called(person, counter)

    @rule(chosen=st.integers(0, 99))
    def recall(self, chosen: int) -> None:
        self._step(chosen, actions.recall, {"called": "called"})

    @rule(chosen=st.integers(0, 99))
    def start(self, chosen: int) -> None:
        self._step(chosen, actions.start, {"called": "serving"})

    @rule(chosen=st.integers(0, 99))
    def finish(self, chosen: int) -> None:
        self._step(chosen, actions.finish, {"called": "done", "serving": "done"})

    @rule(chosen=st.integers(0, 99))
    def no_show(self, chosen: int) -> None:
        self._step(chosen, actions.no_show, {"called": "no_show"})

    @rule(chosen=st.integers(0, 99))
    def cancel(self, chosen: int) -> None:
        self._step(chosen, actions.cancel, {"waiting": "cancelled"})

    @rule(counter=st.sampled_from("123"))
    def open_counter(self, counter: str) -> None:
        self._tick()
        self._do(lambda session: actions.open_counter(session, self.counters[counter], self.now))
        self.open.add(counter)

    @rule(counter=st.sampled_from("123"))
    def pause_counter(self, counter: str) -> None:
        self._tick()
        self._do(lambda session: actions.pause_counter(session, self.counters[counter], "nghỉ", self.now))
        self.open.discard(counter)

    @rule(counter=st.sampled_from("123"))
    def close_counter(self, counter: str) -> None:
        self._tick()
        busy = self._at(counter) is not None
        result = self._do(lambda session: actions.close_counter(session, self.counters[counter], self.now))
        assert isinstance(result, Refused) is busy
        if not busy:
            self.open.discard(counter)

    @rule(minutes=st.sampled_from([1, 7, 11, 29, 31, 31, 10 * 60]))
    def time_passes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(days=st.sampled_from([1, 1, 3]))
    def midnight_passes(self, days: int) -> None:
        """Nobody presses anything: the routine of the server opens the new day."""
        tomorrow = datetime.combine(self._today() + timedelta(days=days), datetime.min.time(), VIETNAM)
        self.now = tomorrow.astimezone(self.now.tzinfo)
        self._tick()
        self._do(lambda session: actions.begin(session, self.office_id, self.now))

    @invariant()
    def rows_are_what_was_confirmed(self) -> None:
        """I3, and I1: the very tickets, in the very states, numbered from 1 without a gap."""
        with self.app.app_context(), reader() as session:
            tickets = session.scalars(select(Ticket).where(Ticket.office_id == self.office_id)).all()
            codes = {key: code for code, key in self.counters.items()}
            found = {
                ticket.id: (
                    ticket.number,
                    ticket.business_date,
                    str(ticket.state),
                    codes[ticket.counter_id or 0] if ticket.state in AT_COUNTER else None,
                )
                for ticket in tickets
            }
            assert found == {one.id: (one.number, one.day, one.state, one.counter) for one in self.people}
            series = session.scalars(select(Series).where(Series.office_id == self.office_id)).all()
            for row in series:
                here = [t.ordinal for t in tickets if (t.business_date, t.prefix) == (row.business_date, row.prefix)]
                assert sorted(here) == list(range(1, row.last_number + 1))
            self._served_once_and_nobody_forgotten(session, list(tickets))

    def _served_once_and_nobody_forgotten(self, session: Session, tickets: list[Ticket]) -> None:
        """I2 and the history: one call a ticket, one ticket a counter, nobody left over from an old day."""
        busy = [ticket.counter_id for ticket in tickets if ticket.state in AT_COUNTER]
        assert len(busy) == len(set(busy))
        assert [t.number for t in tickets if t.state in OPEN_STATES and t.business_date != self.day] == []
        office = session.get_one(Office, self.office_id)
        assert office.business_date == self.day
        assert list(broken_links(session, office)) == []
        events = session.execute(
            select(OfficeEvent.kind, OfficeEvent.body).where(OfficeEvent.office_id == self.office_id)
        ).all()
        called = [body["ticket"]["id"] for kind, body in events if kind == "called"]
        assert len(called) == len(set(called))
        assert set(called) == {ticket.id for ticket in tickets if ticket.called_at}
        if events:
            waiting = {code: people for code, people in events[-1].body["waiting"].items() if people}
            assert waiting == {code: n for code in "AB" if (n := len(self._waiting(code)))}

    def _do(self, step: Callable[[Session], Any]) -> Any:
        """One press; returns the refusal where there is one."""
        try:
            with self.app.app_context(), transaction() as session:
                return step(session)
        except Refused as refusal:
            if self.day_turned:  # what a refused press found out about the day was undone with it
                with self.app.app_context(), transaction() as session:
                    actions.begin(session, self.office_id, self.now)
            return refusal

    def _tick(self) -> None:
        """Every press comes a second after the one before, and may be the first of a new day."""
        self.now += timedelta(seconds=1)
        self.day_turned = self._today() > self.day
        if self.day_turned:
            self.day = self._today()
            self.open.clear()
            self.calls.clear()
            for one in self.people:
                if one.state in ("waiting", "called", "serving"):
                    one.state, one.counter = ("done" if one.state == "serving" else "expired"), None

    def _step(self, chosen: int, step: Callable[[Session, str, datetime], Ticket], leads: dict[str, str]) -> None:
        person = self._anybody(chosen)
        if person is None:
            return
        self._tick()
        result = self._do(lambda session: step(session, person.id, self.now))
        assert isinstance(result, Refused) is (person.state not in leads)
        if person.state in leads:
            person.state = leads[person.state]
            if person.state not in ("called", "serving"):
                person.counter = None

    def _called(self, person: Person, counter: str) -> None:
        person.state, person.counter = "called", counter
        self.calls.append(person.priority)

    def _expected(self, counter: str) -> Person | None:
        """I4: the written policy, said again in the plainest way, over everybody who waits."""
        delays = DELAYS[counter]
        waiting = [one for service in delays for one in self._waiting(service)]
        if not waiting:
            return None
        lanes = [[one for one in waiting if one.priority], [one for one in waiting if not one.priority]]
        if self.policy == "strict":
            waiting = lanes[0] or lanes[1]
        elif self.policy == "interleave:3":
            their_turn = len(self.calls) >= 2 and not any(self.calls[-2:])
            waiting = (lanes[0] or lanes[1]) if their_turn else (lanes[1] or lanes[0])
        return min(waiting, key=lambda one: (one.arrival + timedelta(minutes=delays[one.service]), one.order))

    def _waiting(self, service: str) -> list[Person]:
        return [one for one in self.people if one.state == "waiting" and one.service == service]

    def _at(self, counter: str) -> Person | None:
        return next((one for one in self.people if one.counter == counter), None)

    def _anybody(self, chosen: int) -> Person | None:
        """Somebody of the last few: those of long ago are all the same."""
        recent = self.people[-8:]
        return recent[chosen % len(recent)] if recent else None

    def _today(self) -> date:
        return self.now.astimezone(VIETNAM).date()


@pytest.mark.parametrize(
    ("runs", "steps"), [(60, 30), pytest.param(2_000, 50, marks=[pytest.mark.long, pytest.mark.timeout(3600)])]
)
def test_no_order_of_steps_breaks_a_promise(sqlite_app: Flask, runs: int, steps: int) -> None:
    Desk.app = sqlite_app
    run_state_machine_as_test(
        Desk,
        settings=settings(
            max_examples=runs,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
