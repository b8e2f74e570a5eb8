"""Settings: a wrong one stops the start with one line that names it, and never shows a secret."""

import re
import stat
import sys
from pathlib import Path

import pytest
import redis
from flask import Flask

from core import ratelimit
from core.errors import CannotStart, TooMany
from core.settings import SETTINGS, load
from tests.servers import RedisServer


def settings(tmp_path: Path, **given: str) -> dict[str, str]:
    return {"MOTCUA_INSTANCE": str(tmp_path), **given}


def test_without_any_setting_there_is_a_sqlite_file_and_a_kept_secret(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    first = load({"MOTCUA_INSTANCE": str(folder)})
    assert first.database_url == f"sqlite:///{folder / 'motcua.sqlite3'}"
    assert (first.redis_url, first.base_url, first.log_level, first.workers) == ("", "", "INFO", 1)
    assert len(first.secret_key) >= 32
    assert load({"MOTCUA_INSTANCE": str(folder)}).secret_key == first.secret_key
    if sys.platform != "win32":
        assert stat.S_IMODE((folder / "secret_key").stat().st_mode) == 0o600


def test_a_given_secret_is_not_written_down(tmp_path: Path) -> None:
    assert load(settings(tmp_path, MOTCUA_SECRET_KEY="k" * 16)).secret_key == b"k" * 16
    assert not (tmp_path / "secret_key").exists()


def test_addresses_are_brought_into_one_form(tmp_path: Path) -> None:
    given = load(
        settings(tmp_path, MOTCUA_DATABASE_URL="postgresql://u:p@h/db", MOTCUA_BASE_URL="https://motcua.example/")
    )
    assert given.database_url == "postgresql+psycopg://u:p@h/db"
    assert given.base_url == "https://motcua.example"


WRONG = [
    ("MOTCUA_DATABASE_URL", "mysql://u:hunter2@h/db"),
    ("MOTCUA_DATABASE_URL", "postgresql+asyncpg://u:hunter2@h/db"),
    ("MOTCUA_DATABASE_URL", "hunter2"),
    ("MOTCUA_DATABASE_URL", "postgresql://u:p@h:hunter2/db"),
    ("MOTCUA_REDIS_URL", "http://h:6379"),
    ("MOTCUA_REDIS_URL", "redis://h:hunter2"),
    ("MOTCUA_REDIS_URL", "redis://"),
    ("MOTCUA_SECRET_KEY", "hunter2"),
    ("MOTCUA_BASE_URL", "motcua.example"),
    ("MOTCUA_BASE_URL", "https://"),
    ("MOTCUA_BASE_URL", "https://motcua.example/path"),
    ("MOTCUA_LOG_LEVEL", "LOUD"),
    ("MOTCUA_PROXY_HOPS", "-1"),
    ("MOTCUA_PROXY_HOPS", "two"),
    ("MOTCUA_WORKERS", "0"),
    ("MOTCUA_WORKERS", "33"),
    ("MOTCUA_WORKERS", "9" * 5000),
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=[f"{name} {value[:30]}" for name, value in WRONG])
def test_a_wrong_setting_is_named_in_one_line(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(CannotStart) as error:
        load(settings(tmp_path, **{name: value}))
    told = str(error.value)
    assert told.startswith(name)
    assert "\n" not in told
    assert "hunter2" not in told


def test_a_folder_that_cannot_be_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        for more in ({}, {"MOTCUA_SECRET_KEY": "k" * 16}):
            with pytest.raises(CannotStart, match=rf"the data folder {re.escape(str(folder))} cannot be written \("):
                load({"MOTCUA_INSTANCE": str(folder), **more})


def test_the_readme_lists_every_setting() -> None:
    readme = (Path(__file__).parent.parent.parent / "README.md").read_text("utf-8")
    assert [setting.name for setting in SETTINGS if setting.name not in readme] == []


def test_limits_are_counted_together_by_all_processes_when_there_is_redis(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    apps = []
    for _ in range(2):
        app = Flask(__name__)
        ratelimit.install(app, load(settings(tmp_path, MOTCUA_REDIS_URL=redis_server.url)))
        apps.append(app)
    with apps[0].app_context():
        ratelimit.spend("2 per minute", "kiosk", "both")
    with apps[1].app_context():
        ratelimit.spend("2 per minute", "kiosk", "both")
        with pytest.raises(TooMany) as refused:
            ratelimit.spend("2 per minute", "kiosk", "both")
    assert refused.value.keys == {"retry_after_s": 60}


def test_when_redis_is_down_nobody_is_refused_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = Flask(__name__)
    ratelimit.install(app, load(settings(tmp_path, MOTCUA_REDIS_URL="redis://127.0.0.1:1/0")))
    with app.app_context():
        for _ in range(5):
            ratelimit.spend("1 per minute", "kiosk", "x")
    (line,) = caplog.messages
    assert "Redis does not answer" in line
    assert issubclass(redis.ConnectionError, redis.RedisError)
