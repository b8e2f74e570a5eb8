"""What can happen at a desk. One class a kind; `kind` is the word of the contract."""

from dataclasses import dataclass
from typing import Any, ClassVar

from queueing.models import Counter, Ticket


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change of one office's queue. `details` go into the audit record only."""

    kind: ClassVar[str]
    ticket: Ticket | None = None
    counter: Counter | None = None
    details: dict[str, Any] | None = None


class TicketIssued(Change):
    kind = "issued"


class TicketCalled(Change):
    kind = "called"


class TicketRecalled(Change):
    kind = "recalled"


class ServiceStarted(Change):
    kind = "started"


class VisitEnded(Change):
    """The visit is over, however it ended; its ticket is always there."""


class VisitFinished(VisitEnded):
    kind = "finished"


class NoShow(VisitEnded):
    kind = "no_show"


class TicketCancelled(VisitEnded):
    kind = "cancelled"


class TicketExpired(VisitEnded):
    kind = "expired"


class CounterOpened(Change):
    kind = "counter_opened"


class CounterPaused(Change):
    kind = "counter_paused"


class CounterClosed(Change):
    kind = "counter_closed"


class DayOpened(Change):
    kind = "day_opened"


class DayClosed(Change):
    kind = "day_closed"


class SettingsChanged(Change):
    kind = "settings_changed"


@dataclass(frozen=True)
class Recorded:
    """A change has become row `body["revision"]` of an office's history; told to screens after the commit."""

    office_code: str
    body: dict[str, Any]
