"""The least that could do the job: an empty route, the same SQL with one emit, a bare broadcast.

Served by the same production server as the application, so what lies between the two is the application's own work.
The tables are named as ours are, with the columns a queue cannot do without.
"""

import json
import os
import secrets
import sqlite3
from typing import Any

from flask import Flask, Response

from core.websockets import make_socketio

TABLES = """
CREATE TABLE offices (id INTEGER PRIMARY KEY, revision INTEGER NOT NULL);
CREATE TABLE series (office_id INTEGER, prefix TEXT, last_number INTEGER NOT NULL, PRIMARY KEY (office_id, prefix));
CREATE TABLE tickets (
    id TEXT PRIMARY KEY, office_id INTEGER NOT NULL, prefix TEXT NOT NULL, ordinal INTEGER NOT NULL,
    state TEXT NOT NULL, counter_id INTEGER, UNIQUE (office_id, prefix, ordinal)
);
CREATE INDEX waiting ON tickets (office_id, prefix, ordinal) WHERE state = 'waiting';
CREATE UNIQUE INDEX at_counter ON tickets (counter_id) WHERE state = 'called';
CREATE TABLE events (office_id INTEGER, revision INTEGER, body TEXT NOT NULL, PRIMARY KEY (office_id, revision));
"""
NEXT_NUMBER = (
    "INSERT INTO series VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET last_number = last_number + 1 RETURNING last_number"
)
NEXT_REVISION = "INSERT INTO offices VALUES (?, 1) ON CONFLICT DO UPDATE SET revision = revision + 1 RETURNING revision"
FIRST_WAITING = (
    "SELECT id, ordinal FROM tickets WHERE state = 'waiting' AND office_id = ? AND prefix = ? ORDER BY ordinal LIMIT 1"
)


def create_app() -> Flask:
    """The application of bare routes; its database is a fresh file named by BENCH_BASELINE."""
    app = Flask(__name__)
    socketio = make_socketio(app, workers=1)
    database = sqlite3.connect(os.environ["BENCH_BASELINE"], isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.executescript(TABLES)

    @app.get("/empty")
    def empty() -> str:
        return ""

    @app.post("/issue/<int:office>/<prefix>")
    def issue(office: int, prefix: str) -> Response:
        """Series counter, ticket, event: one durable transaction; then one emit."""
        # No greenlet can come between: nothing here waits for anything but the disk.
        database.execute("BEGIN IMMEDIATE")
        ordinal = database.execute(NEXT_NUMBER, (office, prefix)).fetchone()[0]
        ticket = secrets.token_hex(10)
        database.execute("INSERT INTO tickets VALUES (?, ?, ?, ?, 'waiting', NULL)", (ticket, office, prefix, ordinal))
        body = record(office, "issued", f"{prefix}{ordinal:03d}", ticket)
        database.execute("COMMIT")
        socketio.emit("change", body)
        return answer(body, 201)

    @app.post("/call/<int:office>/<prefix>/<int:counter>")
    def call(office: int, prefix: str, counter: int) -> Response:
        """End the visit at the counter, call the next: one durable transaction with two events; then two emits."""
        database.execute("BEGIN IMMEDIATE")
        news = []
        ended = database.execute(
            "UPDATE tickets SET state = 'done' WHERE state = 'called' AND counter_id = ? RETURNING id, ordinal",
            (counter,),
        ).fetchone()
        if ended:
            news.append(record(office, "finished", f"{prefix}{ended[1]:03d}", ended[0]))
        found = database.execute(FIRST_WAITING, (office, prefix)).fetchone()
        if found:
            database.execute("UPDATE tickets SET state = 'called', counter_id = ? WHERE id = ?", (counter, found[0]))
            news.append(record(office, "called", f"{prefix}{found[1]:03d}", found[0]))
        database.execute("COMMIT")
        for body in news:
            socketio.emit("change", body)
        return answer(news[-1], 200) if found else Response(status=204)

    @app.post("/broadcast")
    def broadcast() -> Response:
        """One emit of a message as long as ours, nothing else."""
        socketio.emit("change", message(1, 1, "issued", "A001", "0" * 20))
        return answer({}, 200)

    def record(office: int, kind: str, number: str, ticket: str) -> dict[str, Any]:
        revision = database.execute(NEXT_REVISION, (office,)).fetchone()[0]
        body = message(office, revision, kind, number, ticket)
        database.execute("INSERT INTO events VALUES (?, ?, ?)", (office, revision, json.dumps(body)))
        return body

    return app


def message(office: int, revision: int, kind: str, number: str, ticket: str) -> dict[str, Any]:
    """A change in the shape of the contract."""
    return {
        "office": f"bench-{office}",
        "revision": revision,
        "at": "2026-11-16T09:00:00.000+07:00",
        "kind": kind,
        "ticket": {"id": ticket, "number": number, "service": number[0], "state": "waiting", "counter": None},
        "counter": None,
        "waiting": {"A": 3, "B": 2, "C": 5, "D": 0, "E": 1, "F": 4},
    }


def answer(document: dict[str, Any], status: int) -> Response:
    return Response(json.dumps(document), status=status, mimetype="application/json")
