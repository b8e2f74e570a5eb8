"""`motcua token …` and `motcua staff …`."""

import secrets

import click
from sqlalchemy import select

from accounts.actions import add_staff, hash_password, make_token, revoke_token
from accounts.models import STAFF_ROLES, TOKEN_ROLES, ApiToken
from core import clock
from core.db import reader, transaction


@click.group()
def token() -> None:
    """Tokens of kiosks, screens and programs."""


@token.command()
@click.option("--office", help="code of the office it belongs to")
@click.option("--role", required=True, type=click.Choice([role.value for role in TOKEN_ROLES]))
@click.option("--unit", help="for readers: code of the commune or province")
@click.option("--name", default="", help="what it is used for")
def create(office: str | None, role: str, unit: str | None, name: str) -> None:
    """Print one new token; it is shown this one time only."""
    with transaction(by="command") as session:
        _, secret = make_token(session, role, clock.now(), office, unit, name)
    click.echo(secret)


@token.command("list")
def list_tokens() -> None:
    """Every token, without its secret."""
    with reader() as session:
        for row in session.scalars(select(ApiToken).order_by(ApiToken.id)):
            place = row.office.code if row.office else row.unit_code
            revoked = f"revoked {row.revoked_at:%Y-%m-%d}" if row.revoked_at else "valid"
            click.echo(f"{row.id}\t{row.role}\t{place}\t{revoked}\t{row.name}")


@token.command()
@click.argument("token_id", type=click.IntRange(1, 2**31 - 1))
def revoke(token_id: int) -> None:
    """The token TOKEN_ID stops working within 5 seconds."""
    with transaction(by="command") as session:
        revoke_token(session, token_id, clock.now())


@click.group()
def staff() -> None:
    """Accounts of people."""


@staff.command()
@click.argument("username")
@click.option("--role", required=True, type=click.Choice([role.value for role in STAFF_ROLES]))
@click.option("--office", help="for clerks: code of the office")
@click.option("--unit", help="for leaders: code of the commune or province")
def add(username: str, role: str, office: str | None, unit: str | None) -> None:
    """Make an account and print its password; it is shown this one time only."""
    password = "-".join(secrets.token_hex(3) for _ in range(3))
    with transaction(by="command") as session:
        add_staff(session, username, role, hash_password(password), office, unit)
    click.echo(password)
