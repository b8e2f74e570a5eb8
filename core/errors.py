"""Refusals: what a rule says to a person, and what a machine reads beside it."""

from typing import Any, ClassVar


class Refused(Exception):
    """A rule says no. `sentence` is for the person; `status` and `keys` go into the problem document."""

    status: ClassVar[int] = 409

    def __init__(self, sentence: object, **keys: Any) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.keys = keys


class Unknown(Refused):
    """Something named in the request does not exist here."""

    status = 404


class Forbidden(Refused):
    """The caller is known and may not do this."""

    status = 403


class Unauthenticated(Refused):
    """The caller has to say who it is first."""

    status = 401


class BadInput(Refused):
    """The request was understood and makes no sense."""

    status = 422


class TooMany(Refused):
    """The caller has to wait; `retry_after_s` says how long."""

    status = 429


class Busy(Refused):
    """The database is held by somebody else for too long; try again."""

    status = 503


class CannotStart(Exception):
    """The program cannot start; the text says why and what to do, in one line."""
