"""Take away what PostgreSQL remembers beside a row: which transaction wrote it (xmin), and where it was put.

The end of a visit writes the ticket and its right in one transaction, and the close of a draft the right and the
answer in the inbox. Whoever reads the hidden columns could join them. So the rows are written again, in random order,
many in one transaction, the two tables in different ones. SQLite keeps no such thing: its rows stand in key order.
"""

import random

from sqlalchemy import Text, cast, column, func, select, text, update
from sqlalchemy.orm import Session

from feedback.models import RatingInbox, RatingRight

# With so many older rows beside them even a single new one is not alone.
COMPANY = 20


def mix_rights(session: Session) -> int:
    """Write again every right that is the only row of its transaction, with company; returns how many."""
    if session.get_bind().dialect.name != "postgresql":
        return 0
    written_by = cast(text("rating_rights.xmin"), Text)
    alone = select(written_by).select_from(RatingRight).group_by(written_by).having(func.count() == 1)
    lonely = set(session.scalars(select(RatingRight.nullifier).where(written_by.in_(alone))))
    if not lonely:
        return 0
    company = session.scalars(select(RatingRight.nullifier).order_by(func.random()).limit(COMPANY))
    _write_again(session, RatingRight, "nullifier", "closes_on", lonely.union(company))
    return len(lonely)


def mix_inbox(session: Session) -> None:
    """Write the whole inbox again: it never holds more than a few answers of each service."""
    if session.get_bind().dialect.name == "postgresql":
        _write_again(session, RatingInbox, "key", "week", set(session.scalars(select(RatingInbox.key))))


def _write_again(
    session: Session, table: type[RatingRight | RatingInbox], key: str, any_column: str, keys: set[bytes]
) -> None:
    """Each row by its own statement, so that the new places are as random as the order."""
    order = list(keys)
    random.SystemRandom().shuffle(order)
    for one in order:
        session.execute(update(table).where(column(key) == one).values({any_column: column(any_column)}))
