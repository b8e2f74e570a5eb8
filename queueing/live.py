"""Changes to screens, in order: the namespace `/live` of the contract.

The history in the database is the truth; a message is only a bell. Each process keeps for every followed office the
revision it has sent, and sends the next one only. Whoever commits rings: in this process by the listener, in the
others over Redis; twice a second each process also looks at the database itself, so that a lost bell, or a change
made by a command, costs half a second and never an order.
"""

import json
import logging
import threading
import time
from typing import Any

import redis
from flask import Flask, current_app, request
from flask_socketio import Namespace, SocketIO, join_room, leave_room
from sqlalchemy import select

from accounts.principal import token_principal
from core import clock
from core.db import reader
from core.errors import Unknown
from queueing import queries
from queueing.events import Recorded
from queueing.represent import moment, snapshot
from units.models import Office

log = logging.getLogger(__name__)

CHANNEL = "motcua:changes"
LOOK_EVERY_S = 0.5
PULSE_EVERY_S = 2.0
MOST_RESUMED = 200
NAMESPACE = "/live"


class Feed:
    """What this process has sent to the followers of each office."""

    def __init__(self, socketio: SocketIO, redis_url: str) -> None:
        self._socketio = socketio
        self._sent: dict[str, int] = {}
        self._lock = threading.RLock()
        self._redis = redis.Redis.from_url(redis_url, socket_connect_timeout=1, socket_timeout=1) if redis_url else None
        self._redis_url = redis_url

    def begin_at(self, office: str, revision: int) -> None:
        """Somebody follows this office now; everything after `revision` will be sent."""
        with self._lock:
            self._sent.setdefault(office, revision)

    def followed(self) -> dict[str, int]:
        """Office code -> revision sent last, for every office that has ever been followed here."""
        with self._lock:
            return dict(self._sent)

    def ring(self, body: dict[str, Any]) -> None:
        """A change made by this process: to our own followers, then to the other processes."""
        self.take(body)
        if self._redis is not None:
            try:
                self._redis.publish(CHANNEL, json.dumps(body, ensure_ascii=False))
            except redis.RedisError:
                log.warning("Redis does not answer: other processes learn of the change by looking")

    def take(self, body: dict[str, Any]) -> None:
        """Send a change if it is the next one; after a gap, read what lies between."""
        office, revision = body["office"], body["revision"]
        with self._lock:
            sent = self._sent.get(office)
            if sent is None or revision <= sent:
                return
            if revision == sent + 1:
                self._send(office, body)
            else:
                self.catch_up(office)

    def catch_up(self, office: str) -> None:
        """Send everything that the database has beyond what was sent."""
        with self._lock, reader() as session:
            place = session.scalar(select(Office).where(Office.code == office))
            if place is None or office not in self._sent:
                return
            while missing := queries.events_after(session, place, self._sent[office], MOST_RESUMED):
                for body in missing:
                    self._send(office, body)

    def _send(self, office: str, body: dict[str, Any]) -> None:
        self._sent[office] = body["revision"]
        self._socketio.emit("change", body, namespace=NAMESPACE, to=office)

    def look(self) -> dict[str, tuple[int, str]]:
        """Compare with the database and catch up; returns office -> (revision, local time) for the pulse."""
        followed = self.followed()
        if not followed:
            return {}
        now = clock.now()
        with reader() as session:
            offices = session.scalars(select(Office).where(Office.code.in_(followed))).all()
        for office in offices:
            if office.revision > followed[office.code]:
                self.catch_up(office.code)
        return {office.code: (office.revision, moment(office, now) or "") for office in offices}

    def pulse(self, offices: dict[str, tuple[int, str]]) -> None:
        """Tell every follower which revision is the newest, so that it notices a loss or a silence."""
        for code, (revision, at) in offices.items():
            message = {"office": code, "revision": revision, "at": at}
            self._socketio.emit("pulse", message, namespace=NAMESPACE, to=code)

    def listen(self, app: Flask) -> None:
        """Hear the other processes, for ever; a lost connection is taken up again."""
        while True:
            try:
                with redis.Redis.from_url(self._redis_url, socket_timeout=None) as connection:
                    channel = connection.pubsub(ignore_subscribe_messages=True)
                    channel.subscribe(CHANNEL)
                    for message in channel.listen():
                        with app.app_context():
                            self.take(json.loads(message["data"]))
            except redis.RedisError:
                log.warning("Redis is away; looking at the database until it is back")
            except Exception:
                log.exception("the listener stumbled")
            time.sleep(1.0)

    def watch(self, app: Flask) -> None:
        """Look every half second and pulse every two, for ever."""
        from core.websockets import drop_laggards

        next_pulse = time.monotonic()
        while True:
            try:
                with app.app_context():
                    offices = self.look()
                    if time.monotonic() >= next_pulse:
                        next_pulse = time.monotonic() + PULSE_EVERY_S
                        self.pulse(offices)
                        drop_laggards(self._socketio)
            except Exception:
                log.exception("the watch stumbled")
            time.sleep(LOOK_EVERY_S)


def push_change(event: Recorded) -> None:
    """After the commit: the change goes to every screen that follows its office."""
    feed: Feed = current_app.extensions["feed"]
    feed.ring(event.body)


class LiveNamespace(Namespace):  # type: ignore[misc]
    """`follow` and `unfollow`; numbers are public, so a connection needs no token, but a wrong one is refused."""

    def on_connect(self, auth: object = None) -> bool:
        token = auth.get("token") if isinstance(auth, dict) else None
        return token is None or (isinstance(token, str) and token_principal(token) is not None)

    def on_follow(self, message: object = None) -> dict[str, Any]:
        """Join the office's room; the answer has what came after the caller's revision, or a snapshot."""
        code = message.get("office") if isinstance(message, dict) else None
        held = message.get("revision") if isinstance(message, dict) else None
        if not isinstance(code, str) or not (held is None or (isinstance(held, int) and not isinstance(held, bool))):
            return {"ok": False, "error": "bad request: {office: text, revision: whole number or null}"}
        feed: Feed = current_app.extensions["feed"]
        try:
            with reader() as session:
                office = queries.office_by_code(session, code)
                # Joined before the reading is over: what is committed from here on is sent, what came before is told.
                join_room(code)
                feed.begin_at(code, office.revision)
                answer: dict[str, Any] = {"ok": True, "revision": office.revision, "snapshot": None, "events": None}
                missing = office.revision - held if held is not None else None
                if missing is not None and 0 <= missing <= MOST_RESUMED:
                    answer["events"] = queries.events_after(session, office, held or 0, MOST_RESUMED)
                else:
                    answer["snapshot"] = snapshot(session, office, clock.now())
                return answer
        except Unknown as refusal:
            return {"ok": False, "error": str(refusal.sentence)}

    def on_unfollow(self, message: object = None) -> None:
        code = message.get("office") if isinstance(message, dict) else None
        if isinstance(code, str) and code in self.rooms_of_caller():
            leave_room(code)

    def rooms_of_caller(self) -> list[str]:
        return list(self.socketio.server.rooms(request.sid, namespace=NAMESPACE))  # type: ignore[attr-defined]
