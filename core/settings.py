"""Settings: one table, read from the environment or a `.env` file; a wrong one stops the start."""

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from core.errors import CannotStart

SHORTEST_SECRET = 16
MOST_WORKERS = 32
# A wrong value of these is not repeated, for it would stand in logs.
MAY_HOLD_A_SECRET = ("MOTCUA_DATABASE_URL", "MOTCUA_REDIS_URL", "MOTCUA_SECRET_KEY")


def _database_url(text: str) -> str:
    advice = "use a sqlite:/// or postgresql+psycopg:// address"
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError(advice) from None
    if url.drivername not in ("sqlite", "postgresql", "postgresql+psycopg"):
        raise ValueError(advice)
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    return url.render_as_string(hide_password=False)


def _redis_url(text: str) -> str:
    advice = "use redis://host:port/0, or leave it empty"
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises ValueError for one that is no number
    except ValueError:
        raise ValueError(advice) from None
    if text and (parts.scheme not in ("redis", "rediss", "unix") or not (parts.hostname or parts.path)):
        raise ValueError(advice)
    return text


def _secret_key(text: str) -> str:
    if text and len(text.encode()) < SHORTEST_SECRET:
        raise ValueError(f"use at least {SHORTEST_SECRET} characters, or leave it empty")
    return text


def _base_url(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query):
        raise ValueError("use https://host, without a path")
    return text.rstrip("/")


def _log_level(text: str) -> str:
    if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("use DEBUG, INFO, WARNING or ERROR")
    return text.upper()


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 4):
        raise ValueError("use a whole number, 0 or more")
    return int(text)


def _workers(text: str) -> int:
    if not 1 <= _count(text) <= MOST_WORKERS:
        raise ValueError(f"use a whole number from 1 to {MOST_WORKERS}")
    return int(text)


def _hosts(text: str) -> tuple[str, ...]:
    return tuple(host.strip() for host in text.split(",") if host.strip())


@dataclass(frozen=True)
class Setting:
    """One row of the table: its name, default, how its text is read, and its meaning for the operator."""

    name: str
    default: str
    read: Callable[[str], Any]
    meaning: str


SETTINGS = (
    Setting("MOTCUA_INSTANCE", "instance", Path, "folder for the database file, the secret key and demo data"),
    Setting(
        "MOTCUA_DATABASE_URL",
        "",
        lambda text: _database_url(text) if text else "",
        "empty: the SQLite file `motcua.sqlite3` in the instance folder; or `postgresql+psycopg://user@host/name`",
    ),
    Setting("MOTCUA_REDIS_URL", "", _redis_url, "empty: one process; `redis://host:6379/0` joins several processes"),
    Setting("MOTCUA_SECRET_KEY", "", _secret_key, "signs visit links; generated into the instance folder when empty"),
    Setting("MOTCUA_BASE_URL", "", _base_url, "what QR codes point at; empty: the address of the request"),
    Setting("MOTCUA_LOG_LEVEL", "INFO", _log_level, "DEBUG, INFO, WARNING or ERROR"),
    Setting("MOTCUA_TRUSTED_HOSTS", "", _hosts, "host names answered, separated by commas; empty: any"),
    Setting("MOTCUA_PROXY_HOPS", "0", _count, "how many reverse proxies stand in front and set X-Forwarded-*"),
    Setting("MOTCUA_WORKERS", "1", _workers, "server processes; `motcua serve --workers N` sets it"),
)


@dataclass(frozen=True)
class Settings:
    """The settings of one process, read and checked."""

    instance: Path
    database_url: str
    redis_url: str
    secret_key: bytes
    base_url: str
    log_level: str
    trusted_hosts: tuple[str, ...]
    proxy_hops: int
    workers: int


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read every setting; raise CannotStart with one line that names the wrong one."""
    given = environ if environ is not None else {**_dotenv(), **os.environ}
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        text = given.get(setting.name, setting.default)
        try:
            values[setting.name.removeprefix("MOTCUA_").lower()] = setting.read(text)
        except ValueError as error:
            shown = setting.name if setting.name in MAY_HOLD_A_SECRET else f"{setting.name}={text!r}"
            raise CannotStart(f"{shown} is not valid: {error}") from None
    values["instance"] = values["instance"].absolute()
    if not values["database_url"]:
        values["database_url"] = f"sqlite:///{_made(values['instance']) / 'motcua.sqlite3'}"
    values["secret_key"] = (values["secret_key"] or _kept_secret(values["instance"])).encode()
    return Settings(**values)


def _dotenv() -> dict[str, str]:
    try:
        return {name: value for name, value in dotenv_values(".env").items() if value is not None}
    except UnicodeDecodeError:
        raise CannotStart("the file .env cannot be read: save it as UTF-8") from None


def _made(instance: Path) -> Path:
    try:
        instance.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotStart(_not_writable(instance, error)) from None
    return instance


def _kept_secret(instance: Path) -> str:
    """The secret key of this installation, made once; the first of several processes to come wins."""
    path = _made(instance) / "secret_key"
    try:
        if not path.exists():
            fresh = instance / f"secret_key.{secrets.token_hex(4)}"
            fresh.touch(mode=0o600)
            fresh.write_text(secrets.token_urlsafe(32), encoding="ascii")
            try:
                os.link(fresh, path)
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise CannotStart(_not_writable(instance, error)) from None


def _not_writable(instance: Path, error: OSError) -> str:
    return (
        f"the data folder {instance} cannot be written ({error.strerror}): "
        "give this user the right to write there, or set MOTCUA_INSTANCE to another folder"
    )
