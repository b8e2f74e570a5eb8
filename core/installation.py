"""What this database is: a real installation or a demo. The two can never mix, for each knows which it is."""

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base

REAL = "real"
DEMO = "demo"


class Installation(Base):
    """One row."""

    __tablename__ = "installation"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))


def mark(session: Session, kind: str) -> None:
    """Say once what this database is; it stays that."""
    if session.scalar(select(Installation)) is None:
        session.add(Installation(id=1, kind=kind))


def kind_of(session: Session) -> str:
    """REAL unless it was marked as a demo."""
    return session.scalar(select(Installation.kind)) or REAL
