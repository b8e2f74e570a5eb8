"""Who is called next, pure. Every pick has its reason.

Every ticket has a virtual arrival time (issue time less the head start of its priority class), every counter adds a
delay to the services it only helps out with, and the smallest sum is called. Nobody starves: a later arrival can
overtake by at most the largest head start plus the largest delay.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Head:
    """The first waiting ticket of one service and lane (with or without priority), as one counter sees it."""

    ticket_id: str
    arrival: datetime
    revision: int
    delay: timedelta = timedelta(0)
    priority: str | None = None

    @property
    def due(self) -> tuple[datetime, int]:
        """The smaller, the earlier called; the issue order decides between equals."""
        return self.arrival + self.delay, self.revision


@dataclass(frozen=True)
class Choice:
    """The ticket to call and why: `earliest`, `priority:CLASS` or `helper:MINUTES`."""

    ticket_id: str
    reason: str


@dataclass(frozen=True)
class Policy:
    """How priority counts: by head start, strictly first, or every nth call."""

    name: str
    every: int = 0

    @classmethod
    def parse(cls, text: str) -> "Policy":
        """Read `virtual-arrival`, `strict` or `interleave:N` (N from 2); ValueError says what is allowed."""
        name, _, count = text.partition(":")
        if name in ("virtual-arrival", "strict") and not count:
            return cls(name)
        if name == "interleave" and count.isdecimal() and int(count) >= 2:
            return cls(name, int(count))
        raise ValueError(f'policy {text!r}: use "virtual-arrival", "strict" or "interleave:3"')


def pick(heads: Iterable[Head], policy: Policy, calls_since_priority: int = 0) -> Choice | None:
    """Choose among the heads of a counter's queues, or None when nobody waits.

    `calls_since_priority` counts the office's calls since the last person with priority; only `interleave` reads it.
    """
    waiting = sorted(heads, key=lambda head: head.due)
    if not waiting:
        return None
    first = waiting[0]
    if policy.name == "strict":
        first = next((head for head in waiting if head.priority), first)
    elif policy.name == "interleave":
        their_turn = calls_since_priority >= policy.every - 1
        first = next((head for head in waiting if bool(head.priority) == their_turn), first)
    return Choice(first.ticket_id, _reason(first, waiting))


def _reason(chosen: Head, waiting: list[Head]) -> str:
    if chosen.priority and any(head.revision < chosen.revision for head in waiting):
        return f"priority:{chosen.priority}"
    if chosen.delay:
        return f"helper:{int(chosen.delay.total_seconds() // 60)}"
    return "earliest"
