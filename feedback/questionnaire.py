"""Questionnaires are data: `feedback/questionnaires/*.toml`, each with a version, a source and a mark."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

OVERALL = "overall"
DEFAULT = "counter-1"


@dataclass(frozen=True)
class Question:
    """One question with levels 1 to 5; `element` is its short name in tables."""

    code: str
    element: str
    text: str


@dataclass(frozen=True)
class Questionnaire:
    """The questions of one version; a changed question makes a new version and a new series."""

    code: str
    source: str
    mark: str
    overall: Question
    elements: tuple[Question, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        return (self.overall.code, *(element.code for element in self.elements))


@cache
def questionnaire(code: str = DEFAULT) -> Questionnaire:
    """The questionnaire of this code; raises FileNotFoundError for one that does not ship."""
    raw = tomllib.loads((files("feedback") / "questionnaires" / f"{code}.toml").read_text("utf-8"))
    return Questionnaire(
        raw["code"],
        raw["source"],
        raw["mark"],
        Question(OVERALL, raw["overall"]["element"], raw["overall"]["text"]),
        tuple(Question(item["code"], item["element"], item["text"]) for item in raw["element"]),
    )
