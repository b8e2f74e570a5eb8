"""The database: one engine, two doors. `transaction()` writes or leaves nothing; `reader()` sees one moment.

SQLite runs in WAL with `synchronous=FULL`. Its busy handler sleeps in C, which would stop a whole gevent process, so
there is none: writers of one process queue on a lock of ours, and a database held by another process is asked again
by a sleep that lets others run. PostgreSQL gets `READ COMMITTED` for writing (the office's row is the lock) and a
read-only snapshot for reading.
"""

import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

from flask import current_app
from sqlalchemy import (
    Connection,
    DateTime,
    Dialect,
    Executable,
    Insert,
    MetaData,
    Update,
    bindparam,
    create_engine,
    event,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session, make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator

from core import events
from core.errors import Busy
from core.i18n import lazy

BUSY_PATIENCE_S = 30.0

Row = TypeVar("Row", bound="Base")


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, stored in UTC and always aware; a naive datetime is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value}: stored moments are aware")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The tables of the whole house; constraint names are predictable, so migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Database:
    """One database of one process, kept in `app.extensions["database"]`."""

    def __init__(self, url: str) -> None:
        self.is_sqlite = url.startswith("sqlite")
        self._write_lock = threading.Lock()
        if self.is_sqlite:
            self.engine = create_engine(url, connect_args={"timeout": 0, "check_same_thread": False}, pool_size=8)
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
            self._reading = self.engine
        else:
            self.engine = create_engine(url, pool_size=8, max_overflow=0, pool_pre_ping=True)
            self._reading = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._writing = self.engine.execution_options(writes=True)

    @contextmanager
    def transaction(self, by: str) -> Iterator[Session]:
        """A session that commits at the end of the block, or leaves nothing; then its announcements go out."""
        with self._one_writer_at_a_time(), Session(self._writing, expire_on_commit=False) as session:
            session.info["by"] = by
            # Joined at once: on SQLite this is BEGIN IMMEDIATE, so nothing read below can be stale.
            session.connection()
            yield session
            session.commit()
        events.publish(session)

    @contextmanager
    def reader(self) -> Iterator[Session]:
        """A session that sees the database as it was at one moment and never writes."""
        with Session(self._reading, autoflush=False) as session:
            yield session

    @contextmanager
    def _one_writer_at_a_time(self) -> Iterator[None]:
        if not self.is_sqlite:
            yield
            return
        with self._write_lock:
            yield


@contextmanager
def transaction(by: str = "system") -> Iterator[Session]:
    """Write in one transaction on behalf of `by` ("staff:3", "token:7", "system"); see Database.transaction."""
    with current_database().transaction(by) as session:
        yield session


@contextmanager
def reader() -> Iterator[Session]:
    """Read one consistent moment; see Database.reader."""
    with current_database().reader() as session:
        yield session


def lock_row(session: Session, table: type[Row], key: int) -> Row:
    """Lock one row until the transaction ends and return it as it is now; raises NoResultFound.

    On SQLite the transaction is the lock already. On PostgreSQL whatever was read before may be old by the time the
    lock is ours, so it is read again when next used. Asked twice, it costs nothing.
    """
    held: dict[tuple[type[Base], int], Row] = session.info.setdefault("held", {})
    if (table, key) not in held:
        if session.get_bind().dialect.name == "postgresql":
            session.flush()
            session.expire_all()
            held[table, key] = session.get_one(table, key, with_for_update={"key_share": True}, populate_existing=True)
        else:
            held[table, key] = session.get_one(table, key)
    return held[table, key]


def write_now(session: Session, row: Base, **values: Any) -> None:
    """Write some columns of a stored row at once: a tenth of the cost of a flush, for what changes at every press."""
    state = inspect(row)
    assert state.identity is not None, "the row is stored"
    with session.no_autoflush:
        session.execute(_update_of(type(row), tuple(values)), {**values, "row_id": state.identity[0]})
    for name, value in values.items():
        set_committed_value(row, name, value)
    if not state.committed_state:
        # Nothing else is changed: without this every later query would look the row over again.
        state._commit_all(row.__dict__, session.identity_map)


@lru_cache(maxsize=64)
def _update_of(table: type[Base], columns: tuple[str, ...]) -> Update:
    key = inspect(table).primary_key[0]
    stored: Any = table.__table__
    return update(stored).where(key == bindparam("row_id")).values({name: bindparam(name) for name in columns})


def insert_now(session: Session, row: Base) -> None:
    """Insert a new row at once, columns not given as NULL, and keep it in the session as if it had been read."""
    mapper = inspect(type(row))
    given = {column.key: getattr(row, column.key) for column in mapper.column_attrs}
    session.execute(_insertion_into(type(row)), given)
    for name, value in given.items():
        set_committed_value(row, name, value)
    make_transient_to_detached(row)
    session.add(row)


@lru_cache(maxsize=64)
def _insertion_into(table: type[Base]) -> Insert:
    stored: Any = table.__table__
    return insert(stored)


def add_up(session: Session, table: type[Base], key: dict[str, Any], counts: dict[str, int], **values: Any) -> None:
    """Add `counts` to the row with this key, which is made if it is not there; `values` are set as they are."""
    is_postgresql = session.get_bind().dialect.name == "postgresql"
    statement = _addition_to(table, is_postgresql, tuple(key), tuple(counts), tuple(values))
    session.execute(statement, {**key, **counts, **values})


@lru_cache(maxsize=64)
def _addition_to(
    table: type[Base], is_postgresql: bool, key: tuple[str, ...], counts: tuple[str, ...], values: tuple[str, ...]
) -> Executable:
    dialect: Any = postgresql if is_postgresql else sqlite
    columns = table.__table__.c
    addition = dialect.insert(table.__table__).values({name: bindparam(name) for name in (*key, *counts, *values)})
    sums = {name: columns[name] + addition.excluded[name] for name in counts}
    kept = {name: addition.excluded[name] for name in values}
    summed: Executable = addition.on_conflict_do_update(index_elements=list(key), set_={**sums, **kept})
    return summed


def only_one_process(session: Session, task: int) -> bool:
    """Whether this transaction may do a housekeeping task; on PostgreSQL another process may be at it already."""
    if session.get_bind().dialect.name != "postgresql":
        return True
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(task))))


def current_database() -> Database:
    """The database of the application in hand."""
    database: Database = current_app.extensions["database"]
    return database


def _prepare_sqlite(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "cache_size=-20000"):
        _patiently(connection, f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    raw: Any = connection.connection.dbapi_connection
    if connection.get_execution_options().get("writes"):
        _patiently(raw, "BEGIN IMMEDIATE")
    else:
        _patiently(raw, "BEGIN")


def _patiently(connection: sqlite3.Connection, statement: str) -> None:
    """Run a statement that may meet another process's lock; asking again leaves the event loop free."""
    give_up_at = time.monotonic() + BUSY_PATIENCE_S
    while True:
        try:
            connection.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            if time.monotonic() > give_up_at:
                raise Busy(lazy("Hệ thống đang bận. Xin thử lại sau ít phút.")) from error
            time.sleep(random.uniform(0.0005, 0.005))
