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
    """A citizen has a number."""

    kind = "issued"


class TicketCalled(Change):
    """The number is on the screen, with its counter."""

    kind = "called"


class TicketRecalled(Change):
    """The same number is called once more."""

    kind = "recalled"


class ServiceStarted(Change):
    """The person stands at the counter."""

    kind = "started"


class VisitEnded(Change):
    """The visit is over, however it ended; its ticket is always there."""


class VisitFinished(VisitEnded):
    """The person was served."""

    kind = "finished"


class NoShow(VisitEnded):
    """Nobody came when called."""

    kind = "no_show"


class TicketCancelled(VisitEnded):
    """The citizen gave the number back."""

    kind = "cancelled"


class TicketExpired(VisitEnded):
    """The day was closed before the number was called."""

    kind = "expired"


class CounterOpened(Change):
    """A counter takes people."""

    kind = "counter_opened"


class CounterPaused(Change):
    """A counter rests; the reason is in the details."""

    kind = "counter_paused"


class CounterClosed(Change):
    """A counter is done for today."""

    kind = "counter_closed"


class DayOpened(Change):
    """A business day begins."""

    kind = "day_opened"


class DayClosed(Change):
    """A business day is over; everybody in it has an end state."""

    kind = "day_closed"


class SettingsChanged(Change):
    """Set-up or opening hours changed: screens fetch themselves anew."""

    kind = "settings_changed"


@dataclass(frozen=True)
class Recorded:
    """A change has become row `body["revision"]` of an office's history; told to screens after the commit."""

    office_code: str
    body: dict[str, Any]
