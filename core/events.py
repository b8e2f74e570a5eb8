"""Who reacts to what happened: inside the transaction, or after its commit.

A reaction `within` is part of the change: if it fails, nothing happened. A reaction `after` is news: it is told once
the change is durable, a failure is logged, and whoever missed it finds the truth in the database.
The two tables are filled in one place, `app.py`.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import current_app
from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

Within = Mapping[type, Sequence[Callable[[Session, Any], None]]]
After = Mapping[type, Sequence[Callable[[Any], None]]]


@dataclass(frozen=True)
class Listeners:
    """The wiring of one application, kept in `app.extensions["listeners"]`."""

    within: Within = field(default_factory=dict)
    after: After = field(default_factory=dict)


def happen(session: Session, event: object) -> None:
    """Let everybody whose business it is react inside the same transaction."""
    for kind, reactions in _listeners().within.items():
        if isinstance(event, kind):
            for react in reactions:
                react(session, event)


def announce(session: Session, event: object) -> None:
    """Tell it after the commit, or not at all."""
    session.info.setdefault("announced", []).append(event)


def publish(session: Session) -> None:
    """Tell what the committed transaction announced, in its order."""
    for event in session.info.pop("announced", ()):
        for kind, reactions in _listeners().after.items():
            if isinstance(event, kind):
                for react in reactions:
                    try:
                        react(event)
                    except Exception:
                        log.exception("%s failed on %s", react.__name__, type(event).__name__)


def _listeners() -> Listeners:
    listeners: Listeners = current_app.extensions["listeners"]
    return listeners
