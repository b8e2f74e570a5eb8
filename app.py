"""Một Cửa: the application factory, the wiring of what reacts to what, and the `motcua` command."""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import click
from flask import Flask, current_app
from sqlalchemy.exc import DBAPIError

import accounts.commands
import accounts.views
import dashboards.api
import dashboards.charts
import dashboards.views
import feedback.actions
import feedback.api
import feedback.commands
import feedback.simulation_commands
import feedback.views
import queueing.api
import queueing.commands
import queueing.live
import queueing.views
import units.commands
from accounts.actions import make_setup_code
from accounts.models import ROLE_NAMES, STAFF_ROLES
from accounts.principal import current_principal
from core import clock, i18n, installation, ratelimit, schema, web
from core.db import Database, reader, transaction
from core.errors import CannotStart, Refused
from core.events import Listeners
from core.settings import Settings, load
from core.websockets import make_socketio
from queueing.events import Recorded, VisitEnded
from queueing.visit_token import KeyRing

# "And then what?": inside the transaction of the change, and after its commit.
LISTENERS = Listeners(
    within={VisitEnded: (feedback.actions.open_right,)},
    after={Recorded: (queueing.live.push_change,)},
)

# What every server process does by itself: (seconds between, what).
ROUTINES: tuple[tuple[float, Callable[[], None]], ...] = (
    (1.0, queueing.commands.turn_days),
    (20.0, feedback.commands.tidy_ratings),
    (300.0, feedback.commands.mix_ratings),
)


def create_app(settings: Settings | None = None, *, background: bool = True) -> Flask:
    """The whole application on the given settings; `background` off leaves out the routines of a server process."""
    settings = settings or load()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    os.environ.setdefault("MPLCONFIGDIR", str(settings.instance / "matplotlib"))
    app = Flask(__name__)
    app.config["MOTCUA"] = settings
    app.extensions["listeners"] = LISTENERS
    app.extensions["visit_keys"] = KeyRing(settings.secret_key)
    app.extensions["database"] = Database(settings.database_url)
    app.config["DEMO"] = False
    app.context_processor(_shared_by_all_pages)
    web.protect(app, settings)
    i18n.install(app)
    ratelimit.install(app, settings)
    for blueprint in (
        accounts.views.pages,
        queueing.api.api,
        queueing.views.pages,
        feedback.api.api,
        feedback.views.pages,
        dashboards.api.api,
        dashboards.views.pages,
    ):
        app.register_blueprint(blueprint)
    socketio = make_socketio(app, workers=settings.workers)
    socketio.on_namespace(queueing.live.LiveNamespace(queueing.live.NAMESPACE))
    feed = app.extensions["feed"] = queueing.live.Feed(socketio, settings.redis_url)
    if background:
        schema.refuse_unready(app.extensions["database"])
        # Not at the first chart: that one is drawn in a thread, where gevent starts no fc-list to find the fonts.
        dashboards.charts.load()
        with app.app_context(), reader() as session:
            app.config["DEMO"] = installation.kind_of(session) == installation.DEMO
        _in_background(feed.watch, app)
        if settings.redis_url:
            _in_background(feed.listen, app)
        for seconds, routine in ROUTINES:
            _in_background(_every, app, seconds, routine)
    return app


def _shared_by_all_pages() -> dict[str, object]:
    principal = current_principal()
    staff = principal and {
        "username": principal.username,
        "role": principal.role,
        "role_name": ROLE_NAMES[principal.role],
    }
    return {"demo": current_app.config["DEMO"], "staff": staff if principal and principal.role in STAFF_ROLES else None}


def _in_background(run: Callable[..., None], *args: object) -> None:
    threading.Thread(target=run, args=args, daemon=True, name=getattr(run, "__name__", "routine")).start()


def _every(app: Flask, seconds: float, routine: Callable[[], None]) -> None:
    while True:
        try:
            with app.app_context():
                routine()
        except Exception:
            logging.getLogger(__name__).exception("%s failed; it will be tried again", routine.__name__)
        time.sleep(seconds)


class OneLine(click.Group):
    """Every expected failure is one clear line on standard error and exit 1; wrong usage is exit 2."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except CannotStart as failure:
            message = str(failure)
        except UnicodeDecodeError:
            message = "the file cannot be read: save it as UTF-8"
        except (OSError, DBAPIError) as failure:
            # A full disk, a file without rights, a database that went away; bugs keep their traceback.
            message = str(getattr(failure, "orig", None) or failure).strip().splitlines()[0]
        except Refused as refusal:
            with ctx.obj.app_context():
                message = str(refusal.sentence)
        click.echo(f"motcua: {message}", err=True)
        sys.exit(1)


@click.group(cls=OneLine)
@click.pass_context
def main(ctx: click.Context) -> None:
    """Một Cửa: counter queue and citizen satisfaction of one-stop shops."""


def app_of_command() -> Flask:
    """The application of one command; its database is let go when the command ends."""
    app = create_app(background=False)
    root = click.get_current_context().find_root()
    root.obj = app
    root.call_on_close(app.extensions["database"].engine.dispose)
    return app


def on_database(command: click.Command) -> click.Command:
    """Run a command (or the commands of a group) inside an application whose database is ready."""
    if isinstance(command, click.Group):
        for child in command.commands.values():
            on_database(child)
        return command
    run = command.callback
    assert run is not None

    def with_app(*args: object, **kwargs: object) -> object:
        app = app_of_command()
        schema.refuse_unready(app.extensions["database"])
        with app.app_context():
            return run(*args, **kwargs)

    command.callback = with_app
    return command


main.add_command(on_database(units.commands.units))
main.add_command(on_database(queueing.commands.offices))
main.add_command(on_database(queueing.commands.verify))
main.add_command(on_database(accounts.commands.token))
main.add_command(on_database(accounts.commands.staff))
main.add_command(feedback.commands.index)
main.add_command(on_database(feedback.simulation_commands.simulate))
main.add_command(feedback.simulation_commands.demo_with(create_app))


@main.command()
def init() -> None:
    """Set up or update the database, and print the one-time code that makes the first admin."""
    app = app_of_command()
    schema.migrate(app.extensions["database"])
    with app.app_context():
        with transaction(by="command") as session:
            installation.mark(session, installation.REAL)
        click.echo("The database is up to date.")
        try:
            with transaction(by="command") as session:
                code = make_setup_code(session, clock.now())
        except Refused:
            return
        click.echo(f"Set-up code for the first admin, valid 60 minutes, at /setup: {code}")


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 32))
def serve(host: str, port: int, workers: int) -> None:
    """The production server."""
    from core.serving import serve as run

    database = app_of_command().extensions["database"]
    schema.refuse_unready(database)
    database.engine.dispose()
    run(host=host, port=port, workers=workers)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main(prog_name="motcua")
