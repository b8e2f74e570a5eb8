"""Simulated days of an office, by the ordinary actions and with a clock of their own, for `demo` and `simulate`.

One day is a list of steps in time: people arrive, clerks press, people rate. Whoever is still there when the day is
cut off is given back, with the visit link only the paper knows.
"""

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from random import Random
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from core.errors import CannotStart
from core.i18n import LOCAL
from feedback import behaviour
from feedback.actions import (
    add_details,
    close_draft,
    close_due_drafts,
    close_weeks,
    expire_rights,
    rate,
)
from feedback.behaviour import Habit, Temper
from feedback.questionnaire import questionnaire
from queueing import actions, queries
from queueing.actions import DayFull, OfficeClosed
from queueing.events import SettingsChanged
from queueing.history import record
from queueing.models import Counter, OfficeEvent, PriorityClass, Ticket
from queueing.visit_token import KeyRing, VisitToken
from units.models import Office

COMES_BEFORE_OPENING = timedelta(minutes=6)
STAYS_AT_NOON = timedelta(minutes=25)
STAYS_IN_THE_EVENING = timedelta(minutes=45)
HALL_FILLS = timedelta(minutes=40)
LAST_RATING = time(23, 0)
LEAVES_SHARE = 0.04
WORK_OF_A_COUNTER_MIN = 330.0  # of the 450 minutes of a day; with more, people would wait for hours
PRESSES_START = 0.25  # of the clerks: the button is optional


@dataclass
class Guest:
    """Somebody with a ticket, and the link on it."""

    ticket_id: str
    token: VisitToken
    habit: Habit
    issued_at: datetime
    called_at: datetime | None = None


@dataclass(frozen=True)
class Desk:
    """What one office's clerks and citizens find there, read once for many days."""

    office_id: int
    code: str
    zone: ZoneInfo
    counters: Sequence[Counter]
    services: Sequence[tuple[str, Habit]]
    priorities: Sequence[PriorityClass]
    temper: Temper

    @classmethod
    def of(cls, session: Session, office: Office, temper: Temper) -> "Desk":
        return cls(
            office.id,
            office.code,
            ZoneInfo(office.timezone),
            queries.counters(session, office.id),
            [(row.code, behaviour.habit_of(row.name)) for row in queries.services(session, office.id)],
            queries.priorities(session, office.id),
            temper,
        )

    def someone(self, rng: Random) -> tuple[str, Habit, str | None]:
        """Draw what the next person comes for, and the priority class shown."""
        code, habit = rng.choices(self.services, [habit.weight for _, habit in self.services])[0]
        priority = None
        if self.priorities and rng.random() < behaviour.PRIORITY_SHARE:
            priority = rng.choice(self.priorities).code
        return code, habit, priority


def begin_history(session: Session, office: Office, begins: datetime, seed: str) -> None:
    """Make the office's history begin at `begins` and say in it that what follows is simulated.

    Time never runs backward in an office. But until its first visit the history only says how and when the office was
    set up, so it may be written as if that had been then. Raises CannotStart for an office with later visits.
    """
    if office.last_event_at is not None and office.last_event_at > begins:
        first = session.scalar(select(func.min(Ticket.business_date)).where(Ticket.office_id == office.id))
        if first is not None:
            raise CannotStart(
                f"office {office.code} has had visits since {first}, and nothing can be written before what is there: "
                "give an office that has none yet"
            )
        session.execute(delete(OfficeEvent).where(OfficeEvent.office_id == office.id))
        office.revision, office.last_hash, office.last_event_at, office.business_date = 0, bytes(32), None, None
        session.flush()
    office, begins = actions.begin(session, office.id, begins.astimezone(UTC))
    record(session, office, SettingsChanged(details={"simulated": seed}), begins)


def simulate_day(
    session: Session, desk: Desk, day: date, seed: str, ring: KeyRing, week: int = 0, until: datetime | None = None
) -> dict[str, Guest]:
    """Live one local day at one office, or its part up to `until`; returns who is still there, by ticket.

    The same seed on the same office gives the same visits. `week` counts the weeks since the history began.
    """
    midnight = datetime.combine(day, time(), desk.zone)
    end = midnight + timedelta(hours=23, minutes=59)
    run = _OfficeDay(session, desk, Random(f"{seed} {desk.code} {day}"), ring, midnight, week)
    run.plan()
    run.live(min(until or end, end))
    return run.here


def fill_hall(
    session: Session,
    desk: Desk,
    guests: dict[str, Guest],
    waiting: int,
    seed: str,
    ring: KeyRing,
    now: datetime,
    free_counter: str | None = None,
) -> None:
    """Let `waiting` people wait at this office at `now`, and one be called to every counter but the closed, free one.

    They come within the last minutes of the day that `now` is in. `guests` are those who are there already; it is
    brought up to date.
    """
    rng = Random(f"{seed} {desk.code} hall")
    midnight = datetime.combine(now.astimezone(desk.zone), time(), desk.zone)
    opens = max(midnight + timedelta(seconds=1), now - HALL_FILLS)

    def at(share: float) -> datetime:
        return (opens + share * (now - opens)).astimezone(UTC)

    for counter in desk.counters:
        if current := queries.current_ticket(session, counter.id):
            actions.finish(session, current.id, at(0))
            guests.pop(current.id, None)
        if counter.code == free_counter:
            actions.close_counter(session, counter.id, at(0))
        else:
            actions.open_counter(session, counter.id, at(0))
    counters = [counter for counter in desk.counters if counter.code != free_counter]
    wanted = waiting + len(counters)
    for share in sorted(rng.uniform(0.0, 0.85) for _ in range(wanted - len(guests))):
        code, habit, priority = desk.someone(rng)
        ticket, token = actions.issue(session, desk.office_id, code, at(share), ring=ring, priority_code=priority)
        guests[ticket.id] = Guest(ticket.id, token, habit, at(share))
    too_many = max(0, len(guests) - wanted)
    calls = [counters[0]] * too_many + counters
    for place, counter in enumerate(calls):
        before = queries.current_ticket(session, counter.id)
        actions.call_next(session, counter.id, at(0.86 + 0.12 * place / len(calls)))
        if before is not None:
            guests.pop(before.id, None)


def tidy_up(session: Session, now: datetime) -> None:
    """What the server does with ratings as time goes by (commands.tidy_ratings), at a simulated moment."""
    today = now.astimezone(LOCAL).date()
    close_due_drafts(session, now)
    close_weeks(session, today, now)
    expire_rights(session, today)


@dataclass
class _OfficeDay:
    session: Session
    desk: Desk
    rng: Random
    ring: KeyRing
    midnight: datetime
    week: int
    here: dict[str, Guest] = field(default_factory=dict)
    steps: list[tuple[datetime, int, Callable[[datetime], None]]] = field(default_factory=list)
    at_counter: dict[int, str] = field(default_factory=dict)
    idle: list[Counter] = field(default_factory=list)
    staffed: list[Counter] = field(default_factory=list)
    presses_start: set[int] = field(default_factory=set)
    resting: bool = False
    is_evening: bool = False
    last_call: datetime | None = None
    planned: int = 0

    def plan(self) -> None:
        """Who comes when, and which counters are staffed."""
        office = self.session.get_one(Office, self.desk.office_id)
        spans = behaviour.spans_on(office.opening_hours(), self.midnight)
        if not spans:
            return
        self.at(self.midnight + timedelta(seconds=1), self._turn_day)
        moments = behaviour.arrivals(self.rng, spans, self.midnight, self.desk.temper.tickets_per_day)
        visits = [(moment, *self.desk.someone(self.rng)) for moment in moments]
        self.staffed = self._who_works(sum(habit.minutes for _, _, habit, _ in visits))
        self.presses_start = {counter.id for counter in self.staffed if self.rng.random() < PRESSES_START}
        for span in spans:
            opens = datetime.combine(self.midnight, span.opens, self.midnight.tzinfo)
            closes = datetime.combine(self.midnight, span.closes, self.midnight.tzinfo)
            self.at(opens - COMES_BEFORE_OPENING, self._come_to_work)
            self.at(closes, partial(self._rest, is_evening=span is spans[-1]))
        for moment, code, habit, priority in visits:
            self.at(moment, partial(self._arrive, code, habit, priority))

    def live(self, until: datetime) -> None:
        """Do every step up to a moment; rest at the counters is what the later ones would have changed."""
        while self.steps and self.steps[0][0] <= until:
            moment, _, step = heapq.heappop(self.steps)
            step(moment)

    def at(self, moment: datetime, step: Callable[[datetime], None]) -> None:
        """Plan a step. Actions are told UTC, as everywhere: the hash of the history covers how a moment is written."""
        self.planned += 1
        heapq.heappush(self.steps, (moment.astimezone(UTC), self.planned, step))

    def _turn_day(self, now: datetime) -> None:
        actions.begin(self.session, self.desk.office_id, now)

    def _who_works(self, minutes: float) -> list[Counter]:
        """Enough counters for the day's work, and at least one for each service."""
        wanted = max(1, math.ceil(minutes / WORK_OF_A_COUNTER_MIN))
        chosen: list[Counter] = []
        covered: set[int] = set()
        for counter in self.desk.counters:
            serves = {link.service_id for link in counter.serves}
            if len(chosen) < wanted or serves - covered:
                chosen.append(counter)
                covered |= serves
        return chosen

    def _come_to_work(self, now: datetime) -> None:
        self.resting, self.last_call = False, None
        for counter in self.staffed:
            if counter.id not in self.at_counter:
                moment = now + timedelta(seconds=self.rng.uniform(0, 300))
                self.at(moment, partial(self._open, counter))

    def _open(self, counter: Counter, now: datetime) -> None:
        actions.open_counter(self.session, counter.id, now)
        self.idle.append(counter)
        if self.here:
            self._wake(counter, now)

    def _arrive(self, code: str, habit: Habit, priority: str | None, now: datetime) -> None:
        channel = "reception" if self.rng.random() < behaviour.RECEPTION_SHARE else "kiosk"
        try:
            ticket, token = actions.issue(
                self.session,
                self.desk.office_id,
                code,
                now,
                ring=self.ring,
                priority_code=priority,
                channel=channel,
            )
        except (OfficeClosed, DayFull):
            return
        self.here[ticket.id] = Guest(ticket.id, token, habit, now)
        if self.rng.random() < LEAVES_SHARE:
            self.at(now + timedelta(minutes=self.rng.uniform(25, 60)), partial(self._leave, ticket.id))
        free = [
            (link.delay_min, counter.position, counter)
            for counter in self.idle
            for link in counter.serves
            if link.service.code == code
        ]
        if free:
            self._wake(min(free, key=lambda one: one[:2])[2], now)

    def _leave(self, ticket_id: str, now: datetime) -> None:
        guest = self.here.get(ticket_id)
        if guest is not None and guest.called_at is None:
            actions.cancel(self.session, ticket_id, now)
            del self.here[ticket_id]

    def _wake(self, counter: Counter, now: datetime) -> None:
        self.idle.remove(counter)
        self.at(now + timedelta(seconds=self.rng.uniform(3, 15)), partial(self._press, counter))

    def _press(self, counter: Counter, now: datetime) -> None:
        """The clerk's one button: finish, and call whoever is next. After hours nobody else is called."""
        ticket = None
        if self.last_call is None or now < self.last_call:
            ticket = actions.call_next(self.session, counter.id, now)
        elif counter.id in self.at_counter:
            actions.finish(self.session, self.at_counter[counter.id], now)
        if counter.id in self.at_counter:
            self._go(self.at_counter.pop(counter.id), now)
        if ticket is not None:
            self._called(counter, ticket.id, now)
        elif self.resting:
            self._leave_counter(counter, now)
        else:
            self.idle.append(counter)

    def _called(self, counter: Counter, ticket_id: str, now: datetime) -> None:
        guest = self.here[ticket_id]
        guest.called_at = now
        self.at_counter[counter.id] = ticket_id
        waited_min = (now - guest.issued_at).total_seconds() / 60
        if self.rng.random() < self.desk.temper.no_show * (1 + waited_min / 30):
            self.at(now + timedelta(seconds=self.rng.uniform(40, 70)), partial(self._call_again, ticket_id))
            self.at(now + timedelta(seconds=self.rng.uniform(90, 150)), partial(self._give_up, counter, ticket_id))
            return
        begins = now + timedelta(seconds=self.rng.uniform(8, 40))
        if counter.id in self.presses_start:
            self.at(begins, partial(self._start, ticket_id))
        self.at(begins + behaviour.service_time(self.rng, guest.habit), partial(self._press, counter))

    def _call_again(self, ticket_id: str, now: datetime) -> None:
        actions.recall(self.session, ticket_id, now)

    def _give_up(self, counter: Counter, ticket_id: str, now: datetime) -> None:
        actions.no_show(self.session, ticket_id, now)
        del self.at_counter[counter.id], self.here[ticket_id]
        self._press(counter, now + timedelta(seconds=1))

    def _start(self, ticket_id: str, now: datetime) -> None:
        actions.start(self.session, ticket_id, now)

    def _rest(self, now: datetime, *, is_evening: bool) -> None:
        """Closing time: idle counters rest at once, the others when nobody waits any more or it gets too late."""
        self.resting = True
        self.last_call = now + (STAYS_IN_THE_EVENING if is_evening else STAYS_AT_NOON)
        self.is_evening = is_evening
        for counter in self.idle:
            self._leave_counter(counter, now)
        self.idle.clear()

    def _leave_counter(self, counter: Counter, now: datetime) -> None:
        """At noon a counter just stays as it is, with nobody behind it."""
        if self.is_evening:
            actions.close_counter(self.session, counter.id, now)

    def _go(self, ticket_id: str, now: datetime) -> None:
        """The visit is over; some rate it, on the way out or at home."""
        guest = self.here.pop(ticket_id)
        if self.rng.random() >= self.desk.temper.response_rate:
            return
        assert guest.called_at is not None
        waited_min = (guest.called_at - guest.issued_at).total_seconds() / 60
        elements = [element.code for element in questionnaire().elements]
        levels = behaviour.levels(self.rng, self.desk.temper, guest.habit, waited_min, self.week, elements)
        moment = now + timedelta(minutes=behaviour.minutes_until_rating(self.rng))
        latest = datetime.combine(self.midnight, LAST_RATING, self.midnight.tzinfo)
        self.at(min(moment, latest), partial(self._rate, guest.token.nullifier, levels))

    def _rate(self, nullifier: bytes, levels: list[int], now: datetime) -> None:
        rate(self.session, nullifier, levels[0], now)
        if len(levels) > 1:
            codes = [element.code for element in questionnaire().elements]
            given = {code: level for code, level in zip(codes, levels[1:], strict=True) if level}
            add_details(self.session, nullifier, given, now)
            close_draft(self.session, nullifier, now)
