"""One checker for every page any test sees (house rule)."""

import re
import unicodedata
from collections import Counter
from html.parser import HTMLParser
from typing import Any

INLINE = re.compile(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son[a-z]+=|javascript:", re.IGNORECASE)


class _Page(HTMLParser):
    """What the checker looks at."""

    def __init__(self) -> None:
        super().__init__()
        self.language: str | None = None
        self.ids: list[str] = []
        self.headings = 0
        self.text: dict[str, str] = {"title": "", "h1": ""}
        self.inputs: list[dict[str, str | None]] = []
        self.labels: set[str] = set()
        self._open: list[str] = []
        self._in_label = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "html":
            self.language = given.get("lang")
        if identity := given.get("id"):
            self.ids.append(identity)
        if tag == "h1":
            self.headings += 1
        if tag in self.text and "svg" not in self._open:
            self._open.append(tag)
        if tag == "svg":
            self._open.append(tag)
        if tag == "label":
            self._in_label += 1
            if target := given.get("for"):
                self.labels.add(target)
        if tag in ("input", "select", "textarea") and given.get("type") != "hidden" and not self._in_label:
            self.inputs.append(given)

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self._in_label -= 1
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in self.text:
            self.text[self._open[-1]] += data


def check_page(response: Any) -> None:
    """Fail when an HTML page breaks a rule that holds for every page; fragments and other types pass."""
    for header in ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy"):
        assert header in response.headers, f"{header} is missing"
    if response.mimetype != "text/html" or not response.text.lstrip().lower().startswith("<!doctype"):
        return
    if "<title>Redirecting" in response.text:
        return
    page = _Page()
    page.feed(response.text)
    where = " ".join(page.text["title"].split())
    assert page.language in ("vi", "en"), f"{where}: lang={page.language}"
    assert page.headings == 1, f"{where}: {page.headings} h1"
    heading, title = (" ".join(page.text[tag].split()) for tag in ("h1", "title"))
    assert heading, f"{where}: an empty h1"
    assert title.startswith(heading), f"the title {title!r} does not start with {heading!r}"
    twice = [identity for identity, count in Counter(page.ids).items() if count > 1]
    assert not twice, f"{where}: ids {twice} are there twice"
    for control in page.inputs:
        named = control.get("aria-label") or control.get("id") in page.labels
        assert named, f"{where}: {control} has no label"
    assert INLINE.findall(response.text) == [], f"{where}: inline script or style"
    assert unicodedata.is_normalized("NFC", response.text), f"{where}: not NFC"
