"""The only reader of the clock. Entry points read it once and hand `now` down."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)
