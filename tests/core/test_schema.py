"""Migrations: up and down, the same tables as the models say, and no start on what this version does not know."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from flask import Flask
from sqlalchemy import inspect, text

import app as motcua
from core import schema
from core.db import Base, Database
from core.errors import CannotStart
from tests.servers import PostgresServer

assert motcua  # all models are known


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without a table, of each kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.fresh_database()
    database = Database(url)
    yield database
    database.engine.dispose()


def differences(database: Database) -> list[object]:
    with database.engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))


def test_migrations_make_exactly_the_tables_of_the_models(empty: Database) -> None:
    assert not schema.is_ready(empty)
    schema.migrate(empty)
    assert schema.is_ready(empty)
    assert differences(empty) == []


def test_every_migration_goes_down_and_up_again(empty: Database) -> None:
    schema.migrate(empty)
    with empty.engine.execution_options(writes=True).begin() as connection:
        command.downgrade(schema._config(connection), "base")
    with empty.engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) == {"alembic_version"}
    assert not schema.is_ready(empty)
    schema.migrate(empty)
    assert differences(empty) == []


def test_migrating_twice_is_migrating_once(empty: Database) -> None:
    schema.migrate(empty)
    schema.migrate(empty)
    assert schema.is_ready(empty)


def test_a_migrated_database_keeps_what_is_in_it(app: Flask) -> None:
    from tests.desk import everything

    before = everything(app)
    schema.migrate(app.extensions["database"])
    assert everything(app) == before


def test_a_database_of_a_newer_version_is_refused_in_one_line_and_left_alone(empty: Database) -> None:
    schema.migrate(empty)
    with empty.engine.execution_options(writes=True).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for start in (schema.migrate, schema.refuse_unready, schema.refuse_newer):
        with pytest.raises(CannotStart, match=r"newer version \(schema 9999\)") as error:
            start(empty)
        assert "\n" not in str(error.value)
    with empty.engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"


def test_a_database_that_is_not_set_up_says_what_to_do(empty: Database) -> None:
    with pytest.raises(CannotStart, match="run `motcua init`"):
        schema.refuse_unready(empty)


def test_a_database_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG" * 1000)
    (tmp_path / "folder").mkdir()
    urls = [
        f"sqlite:///{tmp_path / 'picture.png'}",
        f"sqlite:///{tmp_path / 'folder'}",
        f"sqlite:///{tmp_path / 'nowhere' / 'x.sqlite3'}",
        "postgresql+psycopg://u:hunter2@127.0.0.1:1/db",
    ]
    for url in urls:
        database = Database(url)
        for start in (schema.migrate, schema.refuse_unready):
            with pytest.raises(CannotStart, match="cannot be used") as error:
                start(database)
            assert "\n" not in str(error.value)
            assert "hunter2" not in str(error.value)
        assert not schema.is_ready(database)
        database.engine.dispose()
