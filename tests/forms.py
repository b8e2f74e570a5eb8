"""Use a page as a browser without scripts does: its forms, their hidden fields, and the button that is pressed."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from tests.conftest import Visitor


@dataclass
class Form:
    """One form of a page: where it goes, what it sends by itself, and its buttons by their words."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._button: tuple[str, str] | None = None
        self._words: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "form":
            self.forms.append(Form(given["action"]))
        elif tag == "button" and self.forms and given.get("type", "submit") == "submit":
            self._button, self._words = (given.get("name", ""), given.get("value", "")), []
        elif tag == "input" and self.forms and (given.get("type") == "hidden" or "checked" in given):
            self.forms[-1].fields[given["name"]] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        self._words.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "button" and self._button is not None:
            self.forms[-1].buttons[" ".join(" ".join(self._words).split())] = self._button
            self._button = None


def forms(page: Any) -> list[Form]:
    """The forms of a page, in order."""
    reader = _Forms()
    reader.feed(page.text)
    return reader.forms


def press(person: Visitor, page: Any, words: str, **filled: str) -> Any:
    """Press the first button whose words begin so, with what the person has filled in."""
    for form in forms(page):
        for said, (name, value) in form.buttons.items():
            if said.startswith(words):
                return person.post(form.action, {**form.fields, **filled, **({name: value} if name else {})})
    raise AssertionError(f"no button “{words}”; there are {[list(form.buttons) for form in forms(page)]}")


def heading(page: Any) -> str:
    """The words of the page's one h1."""
    found = re.search(r"<h1.*?</h1>", page.text, re.DOTALL)
    assert found is not None
    return " ".join(re.sub(r"<[^>]+>", "", found[0]).split())


def words(page: Any) -> str:
    """The text of a page without its markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.text).replace("\N{NO-BREAK SPACE}", " ").split())
