"""`motcua index`, and the housekeeping of ratings."""

import json
import sys
from pathlib import Path

import click

from core import clock
from core.db import only_one_process, transaction
from core.i18n import LOCAL
from core.idempotency import forget_old
from feedback import actions
from feedback.counts import UnreadableCounts, as_text, read_counts, report, utf8_lines
from feedback.mixing import mix_inbox, mix_rights
from feedback.sipas import DEFAULT_METHOD, METHODS

HOUSEKEEPING = 7101


@click.command("index")
@click.argument("counts", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--method", type=click.Choice(list(METHODS)), default=DEFAULT_METHOD, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="machine-readable output")
def index(counts: Path, method: str, as_json: bool) -> None:
    """The satisfaction index of counts that come from elsewhere (CSV: unit,element,criterion,level,count)."""
    try:
        with counts.open("rb") as stream:
            figures = report(read_counts(utf8_lines(stream)), method)
    except UnreadableCounts as error:
        click.echo(f"{counts}: {error}", err=True)
        sys.exit(2)
    click.echo(json.dumps(figures, ensure_ascii=False, indent=2) if as_json else as_text(figures))


def mix_ratings() -> None:
    """Let the database forget which right and which answer came from which transaction (mixing.py)."""
    with transaction() as session:
        if only_one_process(session, HOUSEKEEPING):
            mix_rights(session)
    with transaction() as session:
        if only_one_process(session, HOUSEKEEPING):
            mix_inbox(session)


def tidy_ratings() -> None:
    """Close drafts whose time is over, release what has company, let old rights and kept replies go."""
    now = clock.now()
    today = now.astimezone(LOCAL).date()
    with transaction() as session:
        if only_one_process(session, HOUSEKEEPING):
            actions.close_due_drafts(session, now)
            actions.close_weeks(session, today, now)
            actions.expire_rights(session, today)
            forget_old(session, now)
