"""A small server that keeps the live part of the contract, for the browser tests of static/live.js.

One office whose whole state follows from its revision: at revision 12 the number A012 has just been called. So a test
can restart the program at a revision and see at once whether a page shows the truth. `/control/…` makes things happen
and go wrong; `/control/log` tells what the page asked for.

    python live_server.py PORT REVISION
"""

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flask
from flask_socketio import Namespace, SocketIO, join_room
from werkzeug.wrappers import Response as WerkzeugResponse

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

STATIC = Path(__file__).resolve().parents[2] / "static"
OFFICE = "an-binh-1"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PAGE = """<!doctype html>
<html lang="vi"><head><meta charset="utf-8"><title>Thử</title><link rel="icon" href="data:,">
<script src="/recorder.js"></script><script type="module" src="/static/live.js"></script></head>
<body data-page="queueing.display" data-office="{office}" data-revision="{revision}">
<div data-strip role="status" hidden>Mất kết nối - đang thử lại</div>
<h1>Thử</h1>
<main data-url="/_calls">{calls}</main>
<aside data-url="/_issued" data-on="issued">{issued}</aside>
<button data-needs-live id="next">Gọi tiếp</button>
<button data-needs-live id="never" disabled>Chưa có ai</button>
</body></html>"""
PHONE = """<!doctype html>
<html lang="vi"><head><meta charset="utf-8"><title>Thử</title><link rel="icon" href="data:,">
<script type="module" src="/static/live.js"></script></head>
<body data-page="feedback.visit"><div data-strip role="status" hidden>Mất kết nối - đang thử lại</div>
<h1>Thử</h1><main data-url="/_ahead">{ahead}</main></body></html>"""
RECORDER = """
window.told = [];
for (const name of ["change", "snapshot", "offline", "online"]) {
  document.addEventListener(`motcua:${name}`, (event) => told.push({ name, detail: event.detail }));
}
document.addEventListener("motcua:fragment", (event) => told.push({ name: "fragment", url: event.target.dataset.url }));
"""


class State:
    """What the office is, what the server still remembers of its history, and what a test has broken."""

    def __init__(self, revision: int) -> None:
        self.lock = threading.RLock()
        self.reset(revision)

    def reset(self, revision: int) -> None:
        self.revision = revision
        self.history: dict[int, dict[str, Any]] = {}
        self.pulsing = True
        self.answering = True
        self.websockets = True
        self.fragments = True
        self.allowed = True
        self.follows: list[dict[str, Any]] = []
        self.requests: Counter[str] = Counter()

    def change(self, kind: str) -> dict[str, Any]:
        with self.lock:
            self.revision += 1
            event = {
                "office": OFFICE,
                "revision": self.revision,
                "at": moment(),
                "kind": kind,
                "ticket": {"id": f"t{self.revision}", "number": number(self.revision), "counter": "1"},
                "counter": None,
                "waiting": {"A": 0},
            }
            self.history[self.revision] = event
            return event

    def snapshot(self) -> dict[str, Any]:
        calls = [{"number": number(self.revision), "counter": "1", "called_at": moment(), "state": "called"}]
        return {"office": OFFICE, "revision": self.revision, "at": moment(), "open": True, "calls": calls}


def moment() -> str:
    return datetime.now(UTC).isoformat()


def number(revision: int) -> str:
    return f"A{revision:03}"


def calls_html(revision: int) -> str:
    return (
        f'<p id="number">{number(revision)}</p><input id="note" aria-label="Ghi chú">'
        '<button id="recall" type="button">Gọi lại</button>'
    )


class Gate:
    """Refuses every websocket while the state says so, as some office networks do."""

    def __init__(self, state: State, inner: "WSGIApplication") -> None:
        self.state = state
        self.inner = inner

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith("/socket.io") and not self.state.websockets:
            return flask.Response("blocked", 403)(environ, start_response)
        return self.inner(environ, start_response)


class Live(Namespace):  # type: ignore[misc]  # the package has no types
    """The /live namespace of the contract, section 3."""

    def __init__(self, state: State) -> None:
        super().__init__("/live")
        self.state = state

    def on_follow(self, question: dict[str, Any]) -> dict[str, Any]:
        state = self.state
        while not state.answering:
            time.sleep(0.1)
        with state.lock:
            if question["office"] != OFFICE:
                return {"ok": False, "error": "unknown office"}
            join_room(OFFICE)
            asked = question["revision"]
            wanted = None if asked is None else range(asked + 1, state.revision + 1)
            known = wanted is not None and asked <= state.revision and all(n in state.history for n in wanted)
            state.follows.append({"revision": asked, "answer": "events" if known else "snapshot"})
            events = [state.history[n] for n in wanted] if known and wanted is not None else None
            return {
                "ok": True,
                "revision": state.revision,
                "events": events,
                "snapshot": None if known else state.snapshot(),
            }


def tagged(body: str | dict[str, Any], revision: int) -> WerkzeugResponse:
    """An answer with the revision as its ETag, or 304."""
    response = flask.jsonify(body) if isinstance(body, dict) else flask.Response(body)
    response.set_etag(str(revision))
    return response.make_conditional(flask.request)


def add_pages(app: flask.Flask, state: State) -> None:
    """Two pages that load live.js, and their fragments."""

    @app.get("/")
    def page() -> str:
        if not state.allowed:
            return "<!doctype html><title>Thử</title><h1>Màn hình chưa được cấp quyền</h1>"
        revision = flask.request.args.get("revision", state.revision, type=int)
        return PAGE.format(office=OFFICE, revision=revision, calls=calls_html(revision), issued=number(revision))

    @app.get("/phone")
    def phone() -> str:
        return PHONE.format(ahead=f'<p data-every="0.5">{state.revision}</p>')

    @app.get("/recorder.js")
    def recorder() -> flask.Response:
        return flask.Response(RECORDER, mimetype="text/javascript")

    @app.get("/_calls")
    def calls() -> WerkzeugResponse:
        if not (state.allowed and state.fragments):
            return flask.Response("no", 500 if state.allowed else 403)
        return tagged(calls_html(state.revision), state.revision)

    @app.get("/_issued")
    def issued() -> WerkzeugResponse:
        return tagged(number(state.revision), state.revision)

    @app.get("/_ahead")
    def ahead() -> WerkzeugResponse:
        every = "0.5" if state.revision < 20 else "60"
        return tagged(f'<p data-every="{every}">{state.revision}</p>', state.revision)

    @app.get(f"/api/v1/offices/{OFFICE}/state")
    def snapshot() -> WerkzeugResponse:
        with state.lock:
            return tagged(state.snapshot(), state.revision)


def add_controls(app: flask.Flask, state: State, sockets: SocketIO) -> None:
    """What a test can do to the office and to the server."""

    @app.post("/control/change")
    def change() -> str:
        """Make `count` changes; `send` says what the sockets hear: all, none, last, twice or reversed."""
        how = flask.request.args.get("send", "all")
        kind = flask.request.args.get("kind", "called")
        with state.lock:
            events = [state.change(kind) for _ in range(flask.request.args.get("count", 1, type=int))]
            sent = {"all": events, "none": [], "last": events[-1:], "twice": events * 2, "reversed": events[::-1]}[how]
            for event in sent:
                sockets.emit("change", event, namespace="/live", to=OFFICE)
        return str(state.revision)

    @app.post("/control/set")
    def switch() -> str:
        """Switch pulsing, answering, websockets, fragments or allowed on (1) or off (0)."""
        for name, value in flask.request.args.items():
            setattr(state, name, value == "1")
        return ""

    @app.post("/control/forget")
    def forget() -> str:
        """Lose the history, as after a restart; with `revision`, go back to it, as after a restored backup."""
        with state.lock:
            state.history.clear()
            state.revision = flask.request.args.get("revision", state.revision, type=int)
        return ""

    @app.post("/control/reset")
    def reset() -> str:
        """Begin again at revision 10, for the next test."""
        with state.lock:
            state.reset(10)
        return ""

    @app.get("/control/log")
    def log() -> dict[str, Any]:
        return {"follows": state.follows, "requests": dict(state.requests)}


def pulse(state: State, sockets: SocketIO) -> None:
    """Say the revision every 2 s, for ever."""
    while True:
        if state.pulsing:
            beat = {"office": OFFICE, "revision": state.revision, "at": moment()}
            sockets.emit("pulse", beat, namespace="/live", to=OFFICE)
        time.sleep(2)


def main() -> None:
    """Serve until killed."""
    state = State(int(sys.argv[2]))
    app = flask.Flask(__name__, static_folder=str(STATIC), static_url_path="/static")
    sockets = SocketIO(app, async_mode="threading")
    sockets.on_namespace(Live(state))
    add_pages(app, state)
    add_controls(app, state, sockets)

    @app.before_request
    def count() -> None:
        state.requests[flask.request.path] += 1

    @app.after_request
    def protect(response: flask.Response) -> flask.Response:
        response.headers["Content-Security-Policy"] = POLICY
        return response

    app.wsgi_app = Gate(state, app.wsgi_app)  # type: ignore[method-assign]
    sockets.start_background_task(pulse, state, sockets)
    sockets.run(app, "127.0.0.1", int(sys.argv[1]), allow_unsafe_werkzeug=True)


if __name__ == "__main__":
    main()
