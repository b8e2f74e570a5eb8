"""The office file (contract.md, section 6), read and checked whole before anything is written; pure."""

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from queueing.dispatch import Policy
from units.hours import Hours

CODE = re.compile(r"[A-Za-z0-9]{1,16}")
OFFICE_CODE = re.compile(r"(?=.{1,64}$)[a-z0-9]+(-[a-z0-9]+)*")
UNIT_CODE = re.compile(r"[0-9]{5}")
PREFIX = re.compile(r"[A-Z0-9]{0,3}[A-Z]")
PRIORITY_CODE = re.compile(r"[a-z0-9_-]{1,32}")
LONGEST_TEXT = 120


class OfficeFileError(ValueError):
    """The file cannot be used; the text has line and reason."""


@dataclass(frozen=True)
class ServiceEntry:
    """A service as the file describes it."""

    code: str
    prefix: str
    name: str
    floor_s: int
    daily_limit: int | None


@dataclass(frozen=True)
class CounterEntry:
    """A counter; `services` maps a service code to the delay in minutes with which it helps out (0: its own)."""

    code: str
    name: str
    services: dict[str, int]


@dataclass(frozen=True)
class PriorityEntry:
    """A priority class and its head start in minutes."""

    code: str
    name: str
    head_start_min: int


@dataclass(frozen=True)
class OfficeEntry:
    """One office as the file describes it; `line` is where it begins."""

    line: int
    code: str
    unit: str
    name: str
    timezone: str
    hours: list[str]
    policy: str
    services: list[ServiceEntry] = field(default_factory=list)
    counters: list[CounterEntry] = field(default_factory=list)
    priorities: list[PriorityEntry] = field(default_factory=list)


def read_offices(text: str) -> list[OfficeEntry]:
    """The offices of a file; raises OfficeFileError for the first mistake, with its line."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason, _, place = str(error).rpartition(" (at ")
        line = re.search(r"line (\d+)", place)
        number = line[1] if line else len(text.splitlines()) or 1
        raise OfficeFileError(f"line {number}: {reason}") from None
    source = _Source(text)
    _only(document, {"office"}, source, 1)
    offices = [_office(raw, source, index) for index, raw in enumerate(_tables(document, "office", source, 1))]
    if not offices:
        raise OfficeFileError("line 1: the file has no [[office]]")
    seen: set[str] = set()
    for office in offices:
        if office.code in seen:
            raise OfficeFileError(f"line {office.line}: office {office.code!r} stands in the file twice")
        seen.add(office.code)
    return offices


class _Source:
    """Where things stand in the text, so that a mistake can be pointed at."""

    def __init__(self, text: str) -> None:
        self.lines = text.splitlines()
        self.heads = [
            (number, found[1])
            for number, line in enumerate(self.lines, 1)
            if (found := re.match(r"\s*\[\[\s*([a-z.]+)\s*\]\]", line))
        ]

    def office(self, index: int) -> int:
        return self._nth([number for number, head in self.heads if head == "office"], index)

    def part(self, office_line: int, kind: str, index: int) -> int:
        later = [number for number, head in self.heads if head == "office" and number > office_line]
        end = later[0] if later else len(self.lines) + 1
        return self._nth(
            [number for number, head in self.heads if head == f"office.{kind}" and office_line < number < end], index
        )

    def key(self, start: int, key: str) -> int:
        """The line of a key of the table that begins at `start`, or that line itself."""
        for number in range(start + 1, len(self.lines) + 1):
            line = self.lines[number - 1]
            if re.match(rf"\s*{re.escape(key)}\s*=", line):
                return number
            if line.lstrip().startswith("["):
                break
        return start

    @staticmethod
    def _nth(lines: list[int], index: int) -> int:
        return lines[index] if index < len(lines) else 1


@dataclass(frozen=True)
class _Table:
    """One table of the file with the means to complain about it."""

    raw: dict[str, Any]
    source: _Source
    line: int

    def text(self, key: str, default: str | None = None, pattern: re.Pattern[str] | None = None) -> str:
        value = self.raw.get(key, default)
        if not isinstance(value, str) or not value.strip():
            self.refuse(key, "needs a text" if key in self.raw else "is missing")
        value = unicodedata.normalize("NFC", value.strip())
        if len(value) > LONGEST_TEXT:
            self.refuse(key, f"has {len(value)} characters, {LONGEST_TEXT} are allowed")
        if any(unicodedata.category(sign) == "Cc" for sign in value) or (pattern and not pattern.fullmatch(value)):
            self.refuse(key, f"{value!r} is not allowed here")
        return value

    def whole(self, key: str, default: int | None, least: int = 0) -> int | None:
        value = self.raw.get(key, default)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 100_000:
            self.refuse(key, f"needs a whole number from {least}")
        return int(value)

    def texts(self, key: str) -> list[str]:
        value = self.raw.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.refuse(key, "needs a list of texts")
        return list(value)

    def refuse(self, key: str, why: object) -> NoReturn:
        raise OfficeFileError(f"line {self.source.key(self.line, key)}: {key}: {why}")


def _office(raw: dict[str, Any], source: _Source, index: int) -> OfficeEntry:
    line = source.office(index)
    allowed = {"code", "unit", "name", "timezone", "hours", "policy", "service", "counter", "priority"}
    _only(raw, allowed, source, line)
    table = _Table(raw, source, line)
    try:
        Hours.parse(table.texts("hours"))
    except ValueError as error:
        table.refuse("hours", error)
    policy = table.text("policy", "virtual-arrival")
    try:
        Policy.parse(policy)
    except ValueError as error:
        table.refuse("policy", error)
    timezone = table.text("timezone", "Asia/Ho_Chi_Minh")
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        table.refuse("timezone", f"{timezone!r} is not known")
    office = OfficeEntry(
        line,
        table.text("code", pattern=OFFICE_CODE),
        table.text("unit", pattern=UNIT_CODE),
        table.text("name"),
        timezone,
        table.texts("hours"),
        policy,
    )
    for part in _parts(raw, source, line, "service", {"code", "prefix", "name", "floor_s", "daily_limit"}):
        code = part.text("code", pattern=CODE)
        floor = part.whole("floor_s", 20)
        prefix = part.text("prefix", code[:4], PREFIX)
        assert floor is not None
        office.services.append(ServiceEntry(code, prefix, part.text("name"), floor, part.whole("daily_limit", None, 1)))
    for part in _parts(raw, source, line, "counter", {"code", "name", "services"}):
        office.counters.append(
            CounterEntry(
                part.text("code", pattern=CODE),
                part.text("name"),
                _delays(part, office),
            )
        )
    for part in _parts(raw, source, line, "priority", {"code", "name", "head_start_min"}):
        code = part.text("code", pattern=PRIORITY_CODE)
        head_start = part.whole("head_start_min", 0)
        assert head_start is not None
        office.priorities.append(PriorityEntry(code, part.text("name"), head_start))
    if not office.services:
        raise OfficeFileError(f"line {line}: office {office.code!r} has no [[office.service]]")
    return office


def _parts(raw: dict[str, Any], source: _Source, line: int, kind: str, allowed: set[str]) -> Iterator[_Table]:
    seen: set[object] = set()
    for index, part in enumerate(_tables(raw, kind, source, line)):
        at = source.part(line, kind, index)
        _only(part, allowed, source, at)
        if part.get("code") in seen:
            raise OfficeFileError(f"line {at}: {kind} {part.get('code')!r} stands in this office twice")
        seen.add(part.get("code"))
        yield _Table(part, source, at)


def _delays(part: _Table, office: OfficeEntry) -> dict[str, int]:
    delays: dict[str, int] = {}
    for text in part.texts("services"):
        code, minutes = _delay(part, text, office)
        if code in delays:
            part.refuse("services", f"service {code!r} stands here twice")
        delays[code] = minutes
    return delays


def _delay(part: _Table, text: str, office: OfficeEntry) -> tuple[str, int]:
    code, plus, minutes = text.partition("+")
    if code not in {service.code for service in office.services}:
        part.refuse("services", f"this office has no service {code!r}")
    if plus and not (minutes.isascii() and minutes.isdecimal() and int(minutes) <= 600):
        part.refuse("services", f'{text!r}: write "B" or "B+10" (minutes)')
    return code, int(minutes or 0)


def _tables(raw: dict[str, Any], key: str, source: _Source, line: int) -> list[dict[str, Any]]:
    value = raw.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise OfficeFileError(f"line {source.key(line, key)}: write [[{key}]] with double brackets")
    return value


def _only(raw: dict[str, Any], allowed: set[str], source: _Source, line: int) -> None:
    for key in raw:
        if key not in allowed:
            known = ", ".join(sorted(allowed))
            raise OfficeFileError(f"line {source.key(line, key)}: {key!r} is not known here; known are {known}")
