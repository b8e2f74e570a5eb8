"""Units below a unit, for programs; and whether the process and its database live."""

import redis
from flask import Blueprint, Response, current_app

from accounts.models import Role
from accounts.principal import allowed, current_principal
from core import schema
from core.db import current_database, reader
from core.web import public
from queueing.api import as_json
from units import queries

api = Blueprint("dashboards_api", __name__)


@api.get("/api/v1/units/<unit>/children")
@allowed(Role.READER, Role.OFFICE)
def children(unit: str) -> Response:
    """The units below a unit with what went into them, for its readers."""
    with reader() as session:
        found = queries.current_unit(session, unit)
        principal = current_principal()
        assert principal is not None
        principal.must_see_unit(found.code, found.parent_code)
        rows = [
            {
                "code": child.code,
                "name": child.name,
                "kind": child.kind,
                "valid_from": child.valid_from.isoformat(),
                "valid_to": child.valid_to.isoformat() if child.valid_to else None,
                "predecessors": [
                    {"code": old.code, "name": old.name, "until": day.isoformat()}
                    for old, day, _ in queries.predecessors(session, child.code)
                ],
            }
            for child in queries.children(session, found.code)
        ]
    return as_json(rows)


@api.get("/healthz")
@public
def healthz() -> Response:
    """The process lives."""
    return as_json({"ok": True})


@api.get("/readyz")
@public
def readyz() -> Response:
    """Database reachable and migrated, Redis reachable when set."""
    checks = {"database": schema.is_ready(current_database())}
    if url := current_app.config["MOTCUA"].redis_url:
        try:
            with redis.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1) as connection:
                checks["redis"] = bool(connection.ping())
        except redis.RedisError:
            checks["redis"] = False
    return as_json(checks, 200 if all(checks.values()) else 503)
