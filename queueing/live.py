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
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import ApiToken
from accounts.principal import hashed
from core import clock
from core.db import reader
from core.errors import Unknown
from core.websockets import drop_laggards
from queueing import queries
from queueing.events import Recorded
from queueing.represent import moment, snapshot
from units.models import Office

log = logging.getLogger(__name__)

CHANNEL = "motcua:changes"
LOOK_EVERY_S = 0.5
PULSE_EVERY_S = 2.0
REDIS_PATIENCE_S = 0.5
REDIS_REST_S = 2.0
MOST_RESUMED = 200
NAMESPACE = "/live"


class Feed:
    """What this process has sent to the followers of each office."""

    def __init__(self, socketio: SocketIO, redis_url: str) -> None:
        self._socketio = socketio
        self._sent: dict[str, int] = {}
        self._tokens: dict[str, bytes] = {}
        self._lock = threading.RLock()
        self._redis_url = redis_url
        self._redis = self._connected(socket_timeout=REDIS_PATIENCE_S) if redis_url else None
        self._redis_rests_until = 0.0

    def join(self, session: Session, code: str) -> Office:
        """Let the caller follow this office; returns it as it was at the moment after which everything is sent.

        The session must be fresh: its one moment begins here. The others are told everything up to that moment
        first, so the caller misses nothing after it and hears nothing from before it. Raises Unknown.
        """
        with self._lock:
            office = queries.office_by_code(session, code)
            self._send_missing(session, office)
            if self._socketio.server.manager.is_connected(_caller(), NAMESPACE):  # it may have left meanwhile
                join_room(code)
        return office

    def ring(self, body: dict[str, Any]) -> None:
        """A change made by this process: to our own followers, then to the other processes."""
        self.take(body)
        # A clerk's press waits here: one quick try, and none while Redis is known to be away.
        if self._redis is None or time.monotonic() < self._redis_rests_until:
            return
        try:
            self._redis.publish(CHANNEL, json.dumps(body, ensure_ascii=False))
        except redis.RedisError:
            self._redis_rests_until = time.monotonic() + REDIS_REST_S
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

    def catch_up(self, code: str) -> None:
        """Send everything that the database has beyond what was sent."""
        with self._lock, reader() as session:
            office = session.scalar(select(Office).where(Office.code == code))
            if office is not None and code in self._sent:
                self._send_missing(session, office)

    def _send_missing(self, session: Session, office: Office) -> None:
        """Under the lock, with a session begun under it: so it shows at least what was sent, or an older backup."""
        while self._sent.get(office.code, office.revision) < office.revision:
            missing = queries.events_after(session, office, self._sent[office.code], MOST_RESUMED)
            if not missing:
                break
            for body in missing:
                self._send(office.code, body)
            # Else hundreds of messages queue up at once, and every screen looks like a laggard.
            time.sleep(0)
        self._sent[office.code] = office.revision

    def _send(self, office: str, body: dict[str, Any]) -> None:
        self._sent[office] = body["revision"]
        self._socketio.emit("change", body, namespace=NAMESPACE, to=office)

    def look(self) -> dict[str, str]:
        """Compare with the database and catch up; returns the local time of every followed office for the pulse."""
        followed = self._followed()
        if not followed:
            return {}
        now = clock.now()
        with reader() as session:
            offices = session.scalars(select(Office).where(Office.code.in_(followed))).all()
        for office in offices:
            if office.revision != followed[office.code]:
                self.catch_up(office.code)
        return {office.code: moment(office, now) or "" for office in offices}

    def _followed(self) -> dict[str, int]:
        """Office code -> revision sent last; an office that nobody here follows any more is forgotten."""
        rooms = self._socketio.server.manager.rooms
        with self._lock:
            followed = rooms.get(NAMESPACE, {}).keys()
            self._sent = {code: revision for code, revision in self._sent.items() if code in followed}
            return dict(self._sent)

    def pulse(self, times: dict[str, str]) -> None:
        """Tell every follower which revision was sent last, so that it notices a loss or a silence."""
        with self._lock:
            for code in times.keys() & self._sent.keys():
                message = {"office": code, "revision": self._sent[code], "at": times[code]}
                self._socketio.emit("pulse", message, namespace=NAMESPACE, to=code)

    def admits(self, connection: str, token: str) -> bool:
        """Whether this token is valid now; its connection ends when it is revoked."""
        secret_hash = hashed(token)
        if not _valid_tokens({secret_hash}):
            return False
        self._tokens[connection] = secret_hash
        return True

    def dismiss_revoked(self) -> None:
        """End the connections whose token has been revoked since, and forget those that have ended."""
        server = self._socketio.server
        tokens = dict(self._tokens)
        valid = _valid_tokens(set(tokens.values()))
        here = server.manager.rooms.get(NAMESPACE, {}).get(None, {})
        for connection, secret_hash in tokens.items():
            if connection not in here:
                del self._tokens[connection]
            elif secret_hash not in valid:
                server.disconnect(connection, namespace=NAMESPACE)

    def listen(self, app: Flask) -> None:
        """Hear the other processes, for ever; a lost connection is taken up again."""
        while True:
            try:
                with self._connected(socket_timeout=None) as connection:
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
        next_pulse = time.monotonic()
        while True:
            try:
                with app.app_context():
                    times = self.look()
                    if time.monotonic() >= next_pulse:
                        next_pulse = time.monotonic() + PULSE_EVERY_S
                        self.pulse(times)
                        self.dismiss_revoked()
                        drop_laggards(self._socketio)
            except Exception:
                log.exception("the watch stumbled")
            time.sleep(LOOK_EVERY_S)

    def _connected(self, socket_timeout: float | None) -> redis.Redis:
        """Redis without its own patience: by default it would try for seconds, and we have the database to look at."""
        return redis.Redis.from_url(
            self._redis_url,
            socket_connect_timeout=REDIS_PATIENCE_S,
            socket_timeout=socket_timeout,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
        )


def _valid_tokens(secret_hashes: set[bytes]) -> set[bytes]:
    if not secret_hashes:
        return set()
    with reader() as session:
        found = session.scalars(
            select(ApiToken.secret_hash).where(ApiToken.secret_hash.in_(secret_hashes), ApiToken.revoked_at.is_(None))
        )
        return set(found)


def push_change(event: Recorded) -> None:
    """After the commit: the change goes to every screen that follows its office."""
    _feed().ring(event.body)


class LiveNamespace(Namespace):  # type: ignore[misc]
    """`follow` and `unfollow`; numbers are public, so a connection needs no token, but a wrong one is refused."""

    def on_connect(self, auth: object = None) -> bool:
        token = auth.get("token") if isinstance(auth, dict) else None
        return token is None or (isinstance(token, str) and _feed().admits(_caller(), token))

    def on_follow(self, message: object = None, *_more: object) -> dict[str, Any]:
        """Join the office's room; the answer has what came after the caller's revision, or a snapshot."""
        code = message.get("office") if isinstance(message, dict) else None
        held = message.get("revision") if isinstance(message, dict) else None
        if not isinstance(code, str) or not (held is None or (isinstance(held, int) and not isinstance(held, bool))):
            return {"ok": False, "error": "bad request: {office: text, revision: whole number or null}"}
        try:
            if not (code.isascii() and code.isprintable()):  # a database may choke on it
                raise Unknown("no office has such a code")
            with reader() as session:
                office = _feed().join(session, code)
                answer: dict[str, Any] = {"ok": True, "revision": office.revision, "snapshot": None, "events": None}
                missing = office.revision - held if held is not None else None
                if missing is not None and 0 <= missing <= MOST_RESUMED:
                    answer["events"] = queries.events_after(session, office, held or 0, MOST_RESUMED)
                else:
                    answer["snapshot"] = snapshot(session, office, clock.now())
                return answer
        except Unknown as refusal:
            return {"ok": False, "error": str(refusal.sentence)}

    def on_unfollow(self, message: object = None, *_more: object) -> None:
        code = message.get("office") if isinstance(message, dict) else None
        if isinstance(code, str) and code in self.socketio.server.rooms(_caller(), namespace=NAMESPACE):
            leave_room(code)


def _feed() -> Feed:
    feed: Feed = current_app.extensions["feed"]
    return feed


def _caller() -> str:
    """The name of the connection whose message is being answered."""
    name: str = request.sid  # type: ignore[attr-defined]
    return name
