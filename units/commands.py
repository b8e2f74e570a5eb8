"""`motcua units …`."""

from pathlib import Path

import click

from core.db import transaction
from units.actions import load_shipped_units, load_units, read_units


@click.group()
def units() -> None:
    """Administrative units and their succession."""


@units.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def load(file: Path | None) -> None:
    """Load units from FILE, or the 34 provinces and 3,321 communes that ship with the product."""
    with transaction(by="command") as session:
        if file is None:
            outcome = load_shipped_units(session)
        else:
            with file.open(encoding="utf-8-sig", newline="") as lines:
                outcome = load_units(session, list(read_units(lines)))
    click.echo(", ".join(f"{count} {name}" for name, count in outcome.items()))
