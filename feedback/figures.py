"""The index of a unit in a period: which units are pooled, and the JSON shape of the contract."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.i18n import LOCAL
from feedback import queries
from feedback.publication import hidden_children
from feedback.questionnaire import OVERALL, questionnaire
from feedback.sipas import DEFAULT_METHOD, Tally, rounded
from units.lineage import Lineage, Succession
from units.models import Unit, UnitSuccession

HIDDEN = ("hidden", "count_only", "withheld")
WITHOUT_COUNT = ("hidden", "withheld")
NOTES = {
    "hidden": "fewer than 5 answers: nothing is shown",
    "count_only": "fewer than 10 answers: only their number is shown",
    "withheld": "not shown, because the figure of another unit could be computed from it",
}


def pooled_units(session: Session, unit: Unit, today: date, as_of: str = "now") -> list[str]:
    """The codes whose answers make this unit's figure: its communes, and with "now" whatever went into them.

    "then" leaves the predecessors out: the unit's figure is what was answered under its own name.
    """
    if len(unit.code) == 2:
        communes = list(
            session.scalars(select(Unit.code).where(Unit.parent_code == unit.code, Unit.valid_to.is_(None)))
        )
    else:
        communes = [unit.code]
    if as_of == "then":
        return communes
    origins = _lineage(session, communes)
    found = set(communes)
    for code in communes:
        found |= {life.code for life in origins.predecessors(code, today, main_only=True)}
    return sorted(found)


def _lineage(session: Session, codes: Sequence[str]) -> Lineage:
    """The succession around some of today's units; two steps back are enough until a second wave of mergers."""
    rows = session.scalars(select(UnitSuccession).where(UnitSuccession.new_code.in_(codes))).all()
    divided = session.scalars(
        select(UnitSuccession).where(UnitSuccession.old_code.in_({row.old_code for row in rows}))
    ).all()
    return Lineage(
        Succession(row.old_code, row.new_code, row.effective, row.share, row.main) for row in {*rows, *divided}
    )


def withheld(session: Session, unit: Unit, weeks: Sequence[str], by: Literal["question", "week"]) -> set[str]:
    """The questions (or, of the overall question, the weeks) whose figure of this commune must not be shown.

    Whoever knows the province and all its communes but one could subtract, on whatever page or API he reads them, so
    the small ones take company with them (publication.hidden_children).
    """
    if unit.parent_code is None:
        return set()
    siblings = session.scalars(select(Unit.code).where(Unit.parent_code == unit.parent_code, Unit.valid_to.is_(None)))
    counts = queries.answers_by(session, by, list(siblings), weeks)
    return {key for key, children in counts.items() if unit.code in hidden_children(children)}


def shown_as(figure: queries.Figure, is_withheld: bool) -> queries.Figure:
    """The figure, kept back where it would give another one away."""
    return replace(figure, display="withheld") if is_withheld and figure.display not in HIDDEN else figure


def unit_index(
    session: Session, unit: Unit, period: str, now: datetime, method: str = DEFAULT_METHOD, as_of: str = "now"
) -> dict[str, Any]:
    """The answer of `GET /units/{unit}/index`; raises ValueError for a period that is none."""
    weeks = queries.weeks_of(period)
    codes = pooled_units(session, unit, now.astimezone(LOCAL).date(), as_of)
    served = sum(queries.served_by(session, "unit_code", codes, weeks).values())
    by_question = queries.tallies(session, codes, weeks)
    kept_back = withheld(session, unit, weeks, "question")

    def figure_of(question: str) -> queries.Figure:
        return shown_as(queries.figure(by_question.get(question, Tally()), served, method), question in kept_back)

    overall = figure_of(OVERALL)
    is_hidden = overall.display in HIDDEN
    published_at = queries.last_release(session, codes, weeks)
    return {
        "unit": unit.code,
        "period": period,
        "method": method,
        "questionnaire": questionnaire().code,
        "served": served,
        "invited": served,
        "answered": None if overall.display in WITHOUT_COUNT else overall.tally.n,
        "response_rate": None if overall.display in WITHOUT_COUNT else rounded(overall.response_rate),
        "published_at": published_at.astimezone(LOCAL).isoformat(timespec="seconds") if published_at else None,
        "index": None if is_hidden else rounded(overall.percent),
        "interval": None if is_hidden else _pair(overall.interval),
        "elements": [_element(item.code, item.element, figure_of(item.code)) for item in questionnaire().elements],
        "bounds": None if is_hidden else _pair(overall.bounds),
        "suppressed": is_hidden,
        "note": NOTES.get(overall.display),
    }


def _element(code: str, name: str, figure: queries.Figure) -> dict[str, Any]:
    is_hidden = figure.display in HIDDEN
    return {
        "code": code,
        "name": name,
        "n": None if figure.display in WITHOUT_COUNT else figure.tally.n,
        "index": None if is_hidden else rounded(figure.percent),
        "interval": None if is_hidden else _pair(figure.interval),
        "levels": None if is_hidden else list(figure.tally.counts),
    }


def _pair(values: Any) -> list[float] | None:
    return [rounded(value) for value in values] if values is not None else None
