"""The database's schema: brought up to date by `migrate`, checked before anything is served."""

import logging
import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from core.db import Database
from core.errors import CannotStart

# At INFO it says the same two lines at every command.
logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)


def migrate(database: Database) -> None:
    """Apply every migration that is missing; raises CannotStart when the database is newer than this program."""
    refuse_newer(database)
    try:
        with database.engine.execution_options(writes=True).begin() as connection:
            command.upgrade(_config(connection), "head")
    except (DBAPIError, sqlite3.Error) as error:
        raise CannotStart(_unreachable(database, error)) from None


def refuse_unready(database: Database) -> None:
    """Raise CannotStart unless the database has exactly the schema of this program."""
    refuse_newer(database)
    if _current(database) != _newest():
        raise CannotStart("the database is not set up or is older than this program: run `motcua init`")


def refuse_newer(database: Database) -> None:
    """Raise CannotStart for a database that a newer version has migrated."""
    current = _current(database)
    if current is not None and current not in {script.revision for script in _scripts().walk_revisions()}:
        raise CannotStart(
            f"the database was made by a newer version (schema {current}): "
            "update motcua, or restore a backup that fits this version"
        )


def is_ready(database: Database) -> bool:
    """Whether the database answers and is migrated."""
    try:
        return _current(database) == _newest()
    except CannotStart:
        return False


def _current(database: Database) -> str | None:
    try:
        with database.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except (DBAPIError, sqlite3.Error) as error:
        raise CannotStart(_unreachable(database, error)) from None


def _unreachable(database: Database, error: DBAPIError | sqlite3.Error) -> str:
    shown = database.engine.url.render_as_string(hide_password=True)
    # What fails while SQLite is being opened comes as it is, everything later wrapped by SQLAlchemy.
    cause = error.orig if isinstance(error, DBAPIError) else error
    reason = (str(cause).strip().splitlines() or ["no answer"])[0]
    advice = (
        "check that the folder exists and this user may write there"
        if database.is_sqlite
        else "check MOTCUA_DATABASE_URL and that the server runs"
    )
    return f"the database {shown} cannot be used ({reason}): {advice}"


def _newest() -> str | None:
    return _scripts().get_current_head()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations"))
    config.attributes["connection"] = connection
    return config
