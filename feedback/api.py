"""The index of a unit, and the document that describes the whole API."""

from flask import Blueprint, Response, request

from accounts.models import Role
from accounts.principal import allowed, current_principal
from core import clock
from core.db import reader
from core.errors import BadInput
from core.i18n import lazy
from core.web import public
from feedback.figures import unit_index
from feedback.sipas import DEFAULT_METHOD, METHODS
from queueing.api import as_json
from queueing.openapi import document
from units.queries import current_unit

api = Blueprint("feedback_api", __name__, url_prefix="/api/v1")


@api.get("/units/<unit>/index")
@allowed(Role.READER, Role.OFFICE)
def index(unit: str) -> Response:
    """The satisfaction index of a unit in a period, for its readers and those above."""
    method = request.args.get("method", DEFAULT_METHOD)
    as_of = request.args.get("as", "now")
    if method not in METHODS or as_of not in ("then", "now"):
        raise BadInput(lazy("method là top-two, mean5 hoặc rescaled; as là then hoặc now."))
    with reader() as session:
        found = current_unit(session, unit)
        principal = current_principal()
        assert principal is not None
        principal.must_see_unit(found.code, found.parent_code)
        try:
            figures = unit_index(session, found, request.args.get("period", ""), clock.now(), method, as_of)
        except ValueError:
            raise BadInput(lazy("period là 2026-W47, 2026-10, 2026-Q4 hoặc 2026.")) from None
        return as_json(figures)


@api.get("/openapi.json")
@public
def openapi() -> Response:
    """The description of the whole API, for anyone who writes a program against it."""
    return as_json(document())
