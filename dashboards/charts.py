"""The charts of a commune's page as SVG that stands inside the page: the five levels, and the figure over time.

Everything comes in as plain values and finished words; nothing is read from anywhere. Drawing takes tens of
milliseconds and the first chart of a process also loads matplotlib, so views call these through `off_loop`; the
same arguments give the same object again. A folder for matplotlib's list of fonts is named by MPLCONFIGDIR;
without one that can be written, each process searches the fonts again.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cache, lru_cache
from importlib import import_module
from io import StringIO
from itertools import pairwise
from math import ceil, floor
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple
from xml.etree import ElementTree as ET

from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.transforms import Transform

LEAST_POINTS: Final = 12
# Wheeler, "Understanding Variation" (1993): 3 standard deviations are 3 / 1.128 = 2.66 mean moving ranges.
LIMIT: Final = Fraction(266, 100)

# What a browser without our style sheet shows; the classes let the sheet decide. Pure black becomes `currentColor`.
INK: Final = "#000000"
QUIET: Final = "#41504d"
ACCENT: Final = "#0a4a4d"
EDGE: Final = "#62706c"
LINE: Final = "#cdd4cf"
TEXT: Final = 13.0  # units of the drawing; the widths below are chosen so that it shows as 11 to 17 px
# Mean widths of a letter, in figures and in words, of the widest fonts we expect.
FIGURE_LETTER: Final = 0.6 * TEXT
WORD_LETTER: Final = 0.55 * TEXT

Levels = tuple[int, int, int, int, int]
Names = tuple[str, str, str, str, str]


class TrendPoint(NamedTuple):
    """One period: its label, its number of answers as text ("1.204"), and its percentages.

    `percent`, `low` and `high` are in percent from 0 to 100, or None where the figure is not published.
    """

    label: str
    n: str
    percent: float | None
    low: float | None
    high: float | None


class TrendWords(NamedTuple):
    """What the key of a trend says: the figure, its interval, the row of answers; and, with limits, three more."""

    percent: str
    interval: str
    answers: str
    centre: str = ""
    limits: str = ""
    signal: str = ""


class Signal(NamedTuple):
    """A rule that is broken by the values from index `first` to index `last`, both included."""

    rule: Literal[1, 2, 3, 4]
    first: int
    last: int


class Sheet(NamedTuple):
    """A drawing in units of one pixel with (0, 0) at the top left, and what brings its units to matplotlib's."""

    figure: "Figure"
    units: "Transform"


class Xmr(NamedTuple):
    """Centre line and natural limits in the unit of the values, and where a rule is broken, in order of time."""

    centre: float
    low: float
    high: float
    signals: tuple[Signal, ...]


def distribution(levels: Levels, names: Names, title: str, decimal: str = ",") -> Markup:
    """Draw how many people chose each level, for everyone who reads the figure above it.

    `levels` and `names` run from 1 (very dissatisfied) to 5; drawn from 5 down, each with its words, its count
    and its share to one decimal, rounded half up. `decimal` is the mark of the language, "," or ".".
    """
    return _distribution(levels, names, title, decimal)


@lru_cache(maxsize=256)
def _distribution(levels: Levels, names: Names, title: str, decimal: str) -> Markup:
    width, row, bar = 360.0, 42.0, 10.0
    total = sum(levels)
    sheet = _sheet(width, 5 * row - 10)
    drawn = zip(reversed(levels), reversed(names), strict=True)
    for place, (count, name) in enumerate(drawn):
        top = place * row
        _text(sheet, 0, top + 13, name, "chart-text")
        _text(sheet, width, top + 13, _count_and_share(count, total, decimal), "chart-number", align="right")
        _bar(sheet, width, top + 20, bar, LINE, "chart-track")
        if count:
            satisfied = place < 2
            length = max(2.0, width * count / total)
            _bar(sheet, length, top + 20, bar, *(ACCENT, "chart-good") if satisfied else (EDGE, "chart-rest"))
    return _markup(sheet, title, "", "chart-levels")


def _count_and_share(count: int, total: int, decimal: str) -> str:
    """1.204 · 45,2 %: in whole tenths, because binary fractions would round some halves down."""
    tenths = (2000 * count + total) // (2 * total) if total else 0
    thousands = f"{count:,}".replace(",", "." if decimal == "," else ",")
    return f"{thousands} · {tenths // 10}{decimal}{tenths % 10}\N{NO-BREAK SPACE}%"


def xmr(values: Sequence[float]) -> Xmr | None:
    """Tell common from special causes in a figure over time, or return None below 12 values.

    `values` are the published figures in order of time. Centre: their mean; limits: 2.66 mean moving ranges away
    from it. Signals are the four zone rules of Western Electric's Statistical Quality Control Handbook (1956),
    always on one side: 1 = a value beyond the limit; 2 = two of three beyond two thirds of the way to it; 3 = four
    of five beyond one third; 4 = eight in a row. A value exactly on a border is not beyond it. Together the rules
    give one false alarm in about 92 values (Champ and Woodall, Technometrics 29, 1987).
    """
    if len(values) < LEAST_POINTS:
        return None
    exact = [Fraction(value) for value in values]  # floats would put equal values on one side of their own mean
    centre = sum(exact, Fraction(0)) / len(exact)
    reach = LIMIT * sum((abs(b - a) for a, b in pairwise(exact)), Fraction(0)) / (len(exact) - 1)
    found: set[Signal] = set()
    for side in (1, -1):
        away = [side * (value - centre) for value in exact]
        found |= _signals(1, 1, 1, [distance > reach for distance in away])
        found |= _signals(2, 2, 3, [3 * distance > 2 * reach for distance in away])
        found |= _signals(3, 4, 5, [3 * distance > reach for distance in away])
        found |= _signals(4, 8, 8, [distance > 0 for distance in away])
    in_time = sorted(found, key=lambda signal: (signal.last, signal.rule))
    return Xmr(float(centre), float(centre - reach), float(centre + reach), tuple(in_time))


def _signals(rule: Literal[1, 2, 3, 4], needed: int, window: int, beyond: Sequence[bool]) -> set[Signal]:
    """Every shortest stretch of at most `window` values, ending at one beyond, that holds `needed` of them."""
    at = [index for index, is_beyond in enumerate(beyond) if is_beyond]
    spans = zip(at, at[needed - 1 :], strict=False)
    return {Signal(rule, first, last) for first, last in spans if last - first < window}


def trend(points: Sequence[TrendPoint], title: str, sentence: str, words: TrendWords) -> Markup:
    """Draw a percentage over time with its 95 % intervals, for leaders; two drawings, of which the sheet shows one.

    A period without a published figure is a gap in the line. From 12 published figures on the centre line and
    limits of `xmr` are drawn, as far as they lie between 0 and 100, and each value that completes a signal is ringed.
    The first drawing (class chart-wide) is for columns from 640 px, the second (chart-narrow) for telephones.
    Raises ValueError without any point.
    """
    if not points:
        raise ValueError("a trend needs at least one period")
    return _trend(tuple(points), title, sentence, words)


@lru_cache(maxsize=256)
def _trend(points: tuple[TrendPoint, ...], title: str, sentence: str, words: TrendWords) -> Markup:
    limits = xmr([point.percent for point in points if point.percent is not None])
    wide = _trend_sheet(points, words, limits, 720, 360)
    narrow = _trend_sheet(points, words, limits, 360, 330)
    return _markup(wide, title, sentence, "chart-wide") + _markup(narrow, title, sentence, "chart-narrow")


def _trend_sheet(
    points: tuple[TrendPoint, ...], words: TrendWords, limits: Xmr | None, width: float, height: float
) -> Sheet:
    sheet = _sheet(width, height)
    top = _draw_key(sheet, words, limits, width) + 20
    left, right, bottom = 48.0, width - 8, height - 70
    base, step = _percent_axis(points, limits)

    def y(percent: float) -> float:
        return bottom - (percent - base) / (100 - base) * (bottom - top)

    for tick in range(base, 101, step):
        _line(sheet, [left, right], [y(tick)] * 2, LINE, 1, "chart-grid")
        _text(sheet, left - 8, y(tick) + 4.5, f"{tick}\N{NO-BREAK SPACE}%", "chart-quiet", QUIET, "right")

    pitch = (right - left) / len(points)
    x = [left + (index + 0.5) * pitch for index in range(len(points))]
    labels, counts = [point.label for point in points], [point.n for point in points]
    every = _every(labels, pitch)
    _write_below(sheet, x, bottom + 20, labels, every, "chart-text")
    _text(sheet, 0, bottom + 43, words.answers, "chart-quiet", QUIET)
    _write_below(sheet, x, bottom + 62, counts, 1 if _every(counts, pitch) == 1 else every, "chart-number")

    if limits is not None:
        _line(sheet, [left, right], [y(limits.centre)] * 2, INK, 1, "chart-centre")
        for limit in (limits.low, limits.high):
            if base <= limit <= 100:
                _line(sheet, [left, right], [y(limit)] * 2, INK, 1.25, "chart-limit", dashes=(6, 4))
    for at, point in zip(x, points, strict=True):
        if point.low is not None and point.high is not None:
            _line(sheet, [at, at], [y(point.low), y(point.high)], EDGE, 1.25, "chart-interval")
    heights = [float("nan") if point.percent is None else y(point.percent) for point in points]
    _line(sheet, x, heights, ACCENT, 2, "chart-line")
    _dots(sheet, x, heights)
    if limits is not None and limits.signals:
        shown = [at for at, point in enumerate(points) if point.percent is not None]
        raised = sorted({shown[signal.last] for signal in limits.signals})
        _dots(sheet, [x[at] for at in raised], [heights[at] for at in raised], "chart-signal")
    return sheet


def _draw_key(sheet: Sheet, words: TrendWords, limits: Xmr | None, width: float) -> float:
    """Write what each sign means, in as many rows as it needs; return where the last row ends."""
    entries = [("percent", words.percent), ("interval", words.interval)]
    if limits is not None:
        entries += [("centre", words.centre), ("limits", words.limits)]
        entries += [("signal", words.signal)] if limits.signals else []
    x, y = 0.0, 9.0
    for sign, text in entries:
        length = 34 + WORD_LETTER * len(text)
        if x and x + length > width:
            x, y = 0.0, y + 21
        if sign == "percent":
            _line(sheet, [x, x + 24], [y, y], ACCENT, 2, "chart-line")
            _dots(sheet, [x + 12], [y])
        elif sign == "interval":
            _line(sheet, [x + 12, x + 12], [y - 8, y + 8], EDGE, 1.25, "chart-interval")
        elif sign == "centre":
            _line(sheet, [x, x + 24], [y, y], INK, 1, "chart-centre")
        elif sign == "limits":
            _line(sheet, [x, x + 24], [y, y], INK, 1.25, "chart-limit", dashes=(6, 4))
        else:
            _dots(sheet, [x + 12], [y])
            _dots(sheet, [x + 12], [y], "chart-signal")
        _text(sheet, x + 32, y + 4.5, text, "chart-text")
        x += length + 16
    return y + 9


def _percent_axis(points: Iterable[TrendPoint], limits: Xmr | None) -> tuple[int, int]:
    """Where the axis begins, a multiple of 20 and at most 80, so that everything drawn is on it; and its step."""
    values = [value for point in points for value in (point.percent, point.low) if value is not None]
    if limits is not None:
        values.append(max(0.0, limits.low))
    base = max(0, min(80, 20 * floor(min(values, default=0) / 20)))
    return base, 20 if base < 60 else 10


def _every(texts: Sequence[str], pitch: float) -> int:
    """1 when there is room for a text under each point, 2 when only under every second, and so on."""
    return ceil((FIGURE_LETTER * max(map(len, texts)) + 4) / pitch)


def _write_below(sheet: Sheet, x: Sequence[float], y: float, texts: Sequence[str], every: int, name: str) -> None:
    """Write under the newest point and every second, third … before it, nothing beyond the edge of the drawing."""
    edge = 72 * float(sheet.figure.get_figwidth())
    for index in range((len(texts) - 1) % every, len(texts), every):
        middle = min(x[index], edge - FIGURE_LETTER * len(texts[index]) / 2)
        _text(sheet, middle, y, texts[index], name, align="center")


def _sheet(width: float, height: float) -> Sheet:
    """An empty drawing. It has no axes of matplotlib's: they would take longer than all the rest."""
    load()
    from matplotlib.figure import Figure
    from matplotlib.transforms import Affine2D

    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    figure.patch.set_visible(False)
    return Sheet(figure, Affine2D().scale(1, -1).translate(0, height))


@cache
def load() -> None:
    """Load matplotlib and set it up: before the first chart, or earlier when a server warms up.

    Settings hold for the process, which uses matplotlib for nothing else. A context of settings round each drawing
    would not do: it is one for all threads.
    """
    from matplotlib import rcParams

    for module in ("figure", "lines", "patches", "backends.backend_svg"):
        import_module(f"matplotlib.{module}")
    rcParams.update(
        {
            "svg.fonttype": "none",  # text stays text: the page's own font, searchable, read aloud
            "svg.hashsalt": "motcua",
            "text.parse_math": False,  # a name may hold a dollar sign
            "font.family": "DejaVu Sans",
            "font.size": TEXT,
            "path.simplify": False,
        }
    )


def _text(
    sheet: Sheet,
    x: float,
    y: float,
    text: str,
    name: str,
    colour: str = INK,
    align: Literal["left", "center", "right"] = "left",
) -> None:
    """Write on the base line y."""
    sheet.figure.text(x, y, text, color=colour, ha=align, va="baseline", gid=name, transform=sheet.units)


def _bar(sheet: Sheet, length: float, top: float, height: float, colour: str, name: str) -> None:
    from matplotlib.patches import Rectangle

    bar = Rectangle((0, top), length, height, color=colour, linewidth=0, gid=name, transform=sheet.units)
    sheet.figure.add_artist(bar)


def _line(
    sheet: Sheet,
    x: Sequence[float],
    y: Sequence[float],
    colour: str,
    width: float,
    name: str,
    dashes: tuple[float, float] | None = None,
) -> None:
    """Join points; where y is not a number the line has a gap."""
    from matplotlib.lines import Line2D

    style: Any = (0, dashes) if dashes else "-"
    line = Line2D(
        x, y, color=colour, linewidth=width, linestyle=style, solid_capstyle="butt", gid=name, transform=sheet.units
    )
    sheet.figure.add_artist(line)


def _dots(sheet: Sheet, x: Sequence[float], y: Sequence[float], name: str = "chart-dot") -> None:
    """Mark points: the figure of a period, or (chart-signal) a ring round it."""
    from matplotlib.lines import Line2D

    look: dict[str, Any] = {"markersize": 7, "markerfacecolor": ACCENT, "markeredgewidth": 0}
    if name == "chart-signal":
        look = {"markersize": 13, "markerfacecolor": "none", "markeredgecolor": INK, "markeredgewidth": 1.5}
    sheet.figure.add_artist(Line2D(x, y, linestyle="", marker="o", gid=name, transform=sheet.units, **look))


SVG: Final = "{http://www.w3.org/2000/svg}"
HREF: Final = "{http://www.w3.org/1999/xlink}href"
LONG_NUMBER: Final = re.compile(r"-?\d+\.\d{3,}")


def _markup(sheet: Sheet, title: str, sentence: str, name: str) -> Markup:
    """Turn a drawing into an element of a page: no styles, no foreign names, identifiers of its own."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = StringIO()
    FigureCanvasSVG(sheet.figure).print_svg(buffer, metadata={"Date": None})  # type: ignore[no-untyped-call]
    own = hashlib.sha256("\0".join((buffer.getvalue(), title, sentence)).encode()).hexdigest()[:10]
    drawing = ET.fromstring(buffer.getvalue())  # noqa: S314 # written by ourselves two lines above
    root = ET.Element("svg", {"class": f"chart-svg {name}", "role": "img", "aria-labelledby": f"t{own}"})
    root.attrib |= {"viewBox": drawing.attrib["viewBox"], "width": "100%", "fill": "currentColor"}
    ET.SubElement(root, "title", {"id": f"t{own}"}).text = title
    if sentence:
        root.set("aria-describedby", f"d{own}")
        ET.SubElement(root, "desc", {"id": f"d{own}"}).text = sentence
    ids: dict[str, str] = {}
    for figure in drawing.findall(f"{SVG}g"):
        _copy(figure, root, own, ids)
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 # ElementTree has escaped every word


def _copy(source: ET.Element, target: ET.Element, own: str, ids: dict[str, str]) -> None:
    """Copy what is drawn below `source` into `target`; groups without a meaning of their own are left out."""
    for child in source:
        tag = child.tag.removeprefix(SVG)
        gid = child.get("id", "")
        if tag == "g" and not gid.startswith("chart-"):
            _copy(child, target, own, ids)
            continue
        copied = ET.SubElement(target, tag, _attributes(child, own, ids))
        copied.text = child.text if child.text and child.text.strip() else None
        _copy(child, copied, own, ids)


def _attributes(element: ET.Element, own: str, ids: dict[str, str]) -> dict[str, str]:
    """The attributes of a matplotlib element in the words of a page: `style` split up, `chart-…` ids made classes."""
    kept: dict[str, str] = {}
    for name, value in element.attrib.items():
        if name == "style":
            pairs = (part.partition(":") for part in value.split(";") if part.strip())
            kept |= {
                key.strip(): _colour(said.strip()) for key, _, said in pairs if not key.strip().startswith("font-f")
            }
        elif name == "id" and value.startswith("chart-"):
            kept["class"] = value
        elif name == "id":
            kept["id"] = ids.setdefault(value, f"m{own}{len(ids)}")
        elif name == HREF:
            kept["href"] = "#" + ids[value.removeprefix("#")]
        elif name in ("x", "y", "d"):
            kept[name] = LONG_NUMBER.sub(lambda number: f"{float(number[0]):.2f}", " ".join(value.split()))
        elif not (name == "transform" and value.startswith("rotate(-0 ")):
            kept[name] = value
    return kept


def _colour(value: str) -> str:
    return "currentColor" if value == INK else value
