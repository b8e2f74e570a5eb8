"""Run one command of one caller: one transaction, one effect for one key, the same reply for its repetition."""

import json
from collections.abc import Callable
from datetime import datetime

from flask import current_app, request
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from accounts.principal import current_principal
from core import clock, idempotency
from core.db import transaction
from core.errors import Refused
from core.idempotency import Key, Reply
from core.web import TITLES

REMEMBERED_REFUSALS = (404, 409, 422)


def once(key_text: str | None, step: Callable[[Session, datetime], Reply]) -> Reply:
    """Do `step` in a transaction, or give back what this key got before.

    A refusal is kept as well, in a transaction of its own, since the step's left nothing. Without a key the step is
    simply done. Raises whatever the step raises when there is no key to remember it by.
    """
    principal = current_principal()
    by = principal.label if principal else "public"
    now = clock.now()
    if key_text is None:
        with transaction(by) as session:
            return step(session, now)
    key = Key(by, key_text, _asked(), current_app.config["MOTCUA"].secret_key)
    try:
        return _attempt(key, by, step, now)
    except IntegrityError:
        # Two requests with one key arrived together (PostgreSQL lets both begin): the other one has its reply now.
        return _attempt(key, by, step, now)


def _asked() -> bytes:
    """What the caller wants, for telling a repetition from another request; a form's body is gone once it is read."""
    fields = json.dumps(sorted(request.form.items(multi=True))) if request.form else ""
    return f"{request.method} {request.path}\n{fields}".encode() + request.get_data()


def _attempt(key: Key, by: str, step: Callable[[Session, datetime], Reply], now: datetime) -> Reply:
    try:
        with transaction(by) as session:
            if (kept := idempotency.recall(session, key)) is not None:
                return kept
            reply = step(session, now)
            idempotency.keep(session, key, reply, now)
            return reply
    except Refused as refusal:
        if refusal.status not in REMEMBERED_REFUSALS or isinstance(refusal, idempotency.KeyMisused):
            raise
        return _keep_refusal(key, by, refusal, now)


def _keep_refusal(key: Key, by: str, refusal: Refused, now: datetime) -> Reply:
    document = {
        "type": "about:blank",
        "title": str(TITLES[refusal.status]),
        "status": refusal.status,
        "detail": str(refusal.sentence),
        **refusal.keys,
    }
    with transaction(by) as session:
        if (kept := idempotency.recall(session, key)) is not None:
            return kept
        reply = Reply(refusal.status, document)
        idempotency.keep(session, key, reply, now)
        return reply
