"""One effect for one key: the reply of a command is kept for 48 hours, in the same transaction as its effect.

The caller makes the key and stores it before sending. A reply may hold one secret (the visit link of a new ticket),
which the server must not keep: it is stored sealed under the caller's own key, of which only a hash is kept, and
wiped when `forget_secret` is told that its subject has ended.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import LargeBinary, String, bindparam, delete, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base, UtcDateTime
from core.errors import BadInput
from core.i18n import lazy

LIFETIME = timedelta(hours=48)
LONGEST_KEY = 64


class KeyMisused(BadInput):
    """The key is too long, or was used for another request."""


class KeptReply(Base):
    """The reply to one key of one caller."""

    __tablename__ = "kept_replies"

    key_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    status: Mapped[int]
    body: Mapped[str]
    sealed: Mapped[bytes | None]
    subject: Mapped[str | None] = mapped_column(String(32), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


_REPLIES: Any = KeptReply.__table__
WIPE = update(_REPLIES).where(_REPLIES.c.subject == bindparam("ended")).values(sealed=None)


@dataclass(frozen=True)
class Reply:
    """Status, JSON body (None: empty), and a secret text with the body's field it belongs into."""

    status: int
    body: dict[str, Any] | None
    secret: tuple[str, str] | None = None
    subject: str | None = None

    def full_body(self) -> dict[str, Any] | None:
        """The body as the caller sees it, the secret in its place."""
        if self.body is None or self.secret is None:
            return self.body
        return {**self.body, self.secret[0]: self.secret[1]}


@dataclass(frozen=True)
class Key:
    """One caller's key for one request; raises KeyMisused when it is too long."""

    caller: str
    text: str
    request: bytes
    pepper: bytes

    def __post_init__(self) -> None:
        if not 1 <= len(self.text) <= LONGEST_KEY:
            raise KeyMisused(lazy("Idempotency-Key phải có từ 1 đến %(n)s ký tự.", n=LONGEST_KEY))

    @property
    def hash(self) -> bytes:
        return hmac.digest(self.pepper, f"{self.caller}\n{self.text}".encode(), "sha256")

    @property
    def fingerprint(self) -> bytes:
        return hashlib.sha256(self.request).digest()


def recall(session: Session, key: Key) -> Reply | None:
    """The reply this key got before, or None; raises KeyMisused when it was used for another request."""
    row = session.execute(select(KeptReply).where(KeptReply.key_hash == key.hash)).scalar_one_or_none()
    if row is None:
        return None
    if not hmac.compare_digest(row.fingerprint, key.fingerprint):
        raise KeyMisused(lazy("Idempotency-Key này đã dùng cho một yêu cầu khác."))
    secret = None
    if row.sealed and row.subject:
        field, text = json.loads(_seal(key, row.subject, row.sealed).decode())
        secret = (field, text)
    return Reply(row.status, json.loads(row.body) if row.body else None, secret, row.subject)


def keep(session: Session, key: Key, reply: Reply, now: datetime) -> None:
    """Store the reply beside its effect; a second writer of the same key fails on the primary key."""
    sealed = None
    if reply.secret and reply.subject:
        sealed = _seal(key, reply.subject, json.dumps(reply.secret).encode())
    session.execute(
        insert(KeptReply).values(
            key_hash=key.hash,
            fingerprint=key.fingerprint,
            status=reply.status,
            body="" if reply.body is None else json.dumps(reply.body, ensure_ascii=False),
            sealed=sealed,
            subject=reply.subject,
            at=now,
        )
    )


def forget_secret(session: Session, subject: str) -> None:
    """Wipe what was sealed for this subject; its reply stays."""
    session.execute(WIPE, {"ended": subject})


def forget_old(session: Session, now: datetime) -> None:
    """Delete the replies that are past their 48 hours."""
    session.execute(delete(KeptReply).where(KeptReply.at < now - LIFETIME))


def _seal(key: Key, subject: str, data: bytes) -> bytes:
    """Turn plain into sealed and back: a one-time pad drawn from the caller's key and the subject, used once."""
    pad = hashlib.shake_256(key.pepper + f"seal\n{key.caller}\n{key.text}\n{subject}".encode()).digest(len(data))
    return bytes(a ^ b for a, b in zip(data, pad, strict=True))
