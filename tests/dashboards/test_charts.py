"""Charts as SVG inside a page: what they say, what they must not hold, and when a trend is a signal."""

import hashlib
import os
import re
import subprocess
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from dashboards.charts import Signal, TrendPoint, TrendWords, distribution, trend, xmr

ROOT = Path(__file__).parents[2]
NAMES = ("Rất không hài lòng", "Không hài lòng", "Bình thường", "Hài lòng", "Rất hài lòng")
WORDS = TrendWords(
    percent="Tỷ lệ hài lòng",
    interval="Khoảng tin cậy 95 %",
    answers="Số đánh giá",
    centre="Trung bình 91 %",
    limits="Giới hạn 86 đến 96 %",
    signal="Tín hiệu: xem câu bên dưới",
)
FORBIDDEN = re.compile(
    r"\bstyle=|<style|<script|\bon\w+=|url\(|http|xlink|@font-face|<\?xml|<!DOCTYPE|<!--|<image|<metadata|font-family",
    re.IGNORECASE,
)
CALM = [90, 92] * 6
FALLING = [*CALM, 80]


def series(values):
    """One point a month; None is a month whose figure is hidden."""
    return [
        TrendPoint(f"{month:02}/26", "–", None, None, None)
        if value is None
        else TrendPoint(f"{month:02}/26", "120", value, value - 5, value + 3)
        for month, value in enumerate(values, 1)
    ]


def drawings(markup):
    """The SVG elements of a chart, read by a strict parser."""
    return list(ET.fromstring(f"<figure>{markup}</figure>"))


def words_of(element):
    return [text.text for text in element.iter("text")]


def parts(element, name):
    return element.findall(f".//*[@class='{name}']")


CHARTS = {
    "distribution": distribution((3, 7, 20, 400, 774), NAMES, "Số câu trả lời theo từng mức"),
    "run chart with a gap": trend(series([90, None, 93]), "Theo thời gian", "Chưa đủ 12 kỳ.", WORDS),
    "limits and a signal": trend(series(FALLING), "Theo thời gian", "Tháng 13 thấp bất thường.", WORDS),
}


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_a_chart_holds_nothing_that_the_security_policy_forbids_or_that_loads_anything(chart):
    assert FORBIDDEN.findall(chart) == []
    references = re.findall(r'href="([^"]*)"', chart)
    assert all(reference.startswith("#") for reference in references)


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_every_drawing_has_a_role_a_name_and_fills_the_width_it_gets(chart):
    for drawing in drawings(chart):
        assert drawing.tag == "svg"
        assert (drawing.get("role"), drawing.get("width"), drawing.get("height")) == ("img", "100%", None)
        assert drawing.get("viewBox")
        assert drawing.find("title").get("id") == drawing.get("aria-labelledby")
        description = drawing.find("desc")
        assert (description is None) == (drawing.get("aria-describedby") is None)
        assert description is None or description.get("id") == drawing.get("aria-describedby")


def test_identifiers_of_all_charts_of_a_page_differ_and_every_reference_is_met():
    page = "".join(CHARTS.values())
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]*)"', page)) <= set(ids)


def test_vietnamese_words_stay_text_in_normal_form_c():
    markup = "".join(CHARTS.values())
    assert unicodedata.is_normalized("NFC", markup)
    assert words_of(drawings(CHARTS["distribution"])[0])[::2] == list(reversed(NAMES))
    for drawing in drawings(CHARTS["limits and a signal"]):
        assert set(WORDS) <= set(words_of(drawing))


def test_words_are_escaped_and_a_dollar_sign_is_no_formula():
    title = "</title><script>alert(1)</script>"
    drawing = drawings(distribution((1, 2, 3, 4, 5), (*NAMES[:4], "<b>$x$ & $y$"), title))[0]
    assert drawing.find("title").text == title
    assert drawing.find("script") is None
    assert words_of(drawing)[0] == "<b>$x$ & $y$"


def test_each_level_is_said_with_its_count_and_a_share_rounded_half_up():
    """1 of 16 is 6.25 % and 3 of 16 is 18.75 %: half-even would say 6,2 and 18,8."""
    drawing = drawings(distribution((1, 3, 0, 4, 8), NAMES, "x"))[0]
    said = [text.replace("\N{NO-BREAK SPACE}", " ") for text in words_of(drawing)[1::2]]
    assert said == ["8 · 50,0 %", "4 · 25,0 %", "0 · 0,0 %", "3 · 18,8 %", "1 · 6,3 %"]


def test_numbers_follow_the_mark_of_the_language():
    levels = (0, 0, 0, 1000, 2000)
    assert words_of(drawings(distribution(levels, NAMES, "x"))[0])[1] == "2.000 · 66,7\N{NO-BREAK SPACE}%"
    assert words_of(drawings(distribution(levels, NAMES, "x", "."))[0])[1] == "2,000 · 66.7\N{NO-BREAK SPACE}%"


def test_a_level_that_nobody_chose_has_no_bar_and_no_answers_at_all_is_no_error():
    drawing = drawings(distribution((0, 0, 1, 1, 1), NAMES, "x"))[0]
    assert (
        len(parts(drawing, "chart-track")),
        len(parts(drawing, "chart-good")),
        len(parts(drawing, "chart-rest")),
    ) == (5, 2, 1)
    empty = drawings(distribution((0, 0, 0, 0, 0), NAMES, "x"))[0]
    assert words_of(empty)[1] == "0 · 0,0\N{NO-BREAK SPACE}%"


def test_below_12_values_there_are_no_limits():
    assert xmr(CALM[:11]) is None
    for drawing in drawings(trend(series(CALM[:11]), "x", "", WORDS)):
        assert parts(drawing, "chart-limit") == parts(drawing, "chart-centre") == []
        assert WORDS.limits not in words_of(drawing)


def test_from_12_values_limits_lie_2_66_mean_moving_ranges_from_the_mean():
    found = xmr(CALM)  # mean 91, every moving range 2
    assert (found.centre, found.low, found.high, found.signals) == (91, pytest.approx(85.68), pytest.approx(96.32), ())
    for drawing in drawings(trend(series(CALM), "x", "", WORDS)):
        assert len(parts(drawing, "chart-limit")) == 2 + 1  # and one in the key
        assert parts(drawing, "chart-signal") == []
        assert WORDS.signal not in words_of(drawing)


@pytest.mark.parametrize(
    ("values", "centre", "reach", "signals"),
    [
        # 1172 / 13; 2.66 x (11 x 2 + 12) / 12
        (FALLING, 90.1538, 7.5367, [Signal(1, 12, 12)]),
        # 1237 / 15; 2.66 x (11 x 4 + 9 + 11 + 11) / 14: 92 lies 9.533 above, two thirds of the way are 9.5
        ([79, 83] * 6 + [92, 81, 92], 82.4667, 14.25, [Signal(2, 12, 14)]),
        # 1404 / 17; 2.66 x (11 x 4 + 5 + 0 + 8 + 8 + 0) / 16: 88 lies 5.41 above, one third is 3.60
        ([79, 83] * 6 + [88, 88, 80, 88, 88], 82.5882, 10.8063, [Signal(3, 12, 16)]),
        # 1464 / 16; 2.66 x (7 x 2 + 3 + 7 x 2) / 15: eight above, then eight below
        ([92, 94] * 4 + [91, 89] * 4, 91.5, 5.4973, [Signal(4, 0, 7), Signal(4, 8, 15)]),
    ],
)
def test_each_of_the_four_rules_is_found_alone(values, centre, reach, signals):
    found = xmr(values)
    assert found.centre == pytest.approx(centre, abs=1e-4)
    assert found.high - found.centre == pytest.approx(reach, abs=1e-4)
    assert found.centre - found.low == pytest.approx(reach, abs=1e-4)
    assert list(found.signals) == signals


def test_a_mirrored_series_breaks_the_same_rules():
    values = [79, 83] * 6 + [92, 81, 92]
    assert xmr([100 - value for value in values]).signals == (Signal(2, 12, 14),)


def test_a_run_of_nine_is_two_signals_of_eight():
    values = [92, 94] * 4 + [92] + [91, 89] * 4
    assert [signal for signal in xmr(values).signals if signal.rule == 4] == [
        Signal(4, 0, 7), Signal(4, 1, 8), Signal(4, 9, 16),
    ]  # fmt: skip


def test_equal_values_are_no_signal():
    """The mean of twelve 83.3 in floating point is not 83.3."""
    assert xmr([83.3] * 12) == (83.3, 83.3, 83.3, ())


def test_the_value_that_completes_a_signal_is_ringed():
    for drawing in drawings(trend(series(FALLING), "x", "", WORDS)):
        in_key, ring = parts(drawing, "chart-signal")
        dot = parts(drawing, "chart-dot")[-1].findall(".//use")[-1]
        assert len(in_key.findall(".//use")) == 1
        assert [(use.get("x"), use.get("y")) for use in ring.findall(".//use")] == [(dot.get("x"), dot.get("y"))]


def test_a_hidden_figure_is_a_gap_and_not_a_zero():
    for drawing in drawings(trend(series([90, 91, None, 93, 94]), "x", "", WORDS)):
        line = parts(drawing, "chart-line")[1].find("path").get("d")
        assert line.count("M") == 2  # the pen is lifted once
        assert len(parts(drawing, "chart-dot")[1].findall(".//use")) == 4
        assert len(parts(drawing, "chart-interval")) == 4 + 1
        assert "03/26" in words_of(drawing)


def test_gaps_do_not_count_as_values_of_the_limits():
    gaps = series([*CALM[:6], None, None, *CALM[6:11]])
    assert all(parts(drawing, "chart-centre") == [] for drawing in drawings(trend(gaps, "x", "", WORDS)))
    full = series([*CALM[:6], None, None, *CALM[6:]])
    assert all(len(parts(drawing, "chart-centre")) == 2 for drawing in drawings(trend(full, "x", "", WORDS)))


def test_a_limit_beyond_100_percent_is_not_drawn():
    for drawing in drawings(trend(series([94, 99] * 6), "x", "", WORDS)):  # 96.5 +- 13.3
        assert len(parts(drawing, "chart-limit")) == 1 + 1


@pytest.mark.parametrize("months", [1, 12, 24, 60])
def test_all_that_is_drawn_lies_inside_and_the_newest_period_is_named(months):
    points = [TrendPoint(f"{n:02}/26", "12.040", 50 + n % 50, 3, 100) for n in range(1, months + 1)]
    for drawing in drawings(trend(points, "x", "", WORDS)):
        _, _, width, height = map(float, drawing.get("viewBox").split())
        spots = [(float(e.get("x")), float(e.get("y"))) for tag in ("text", "use") for e in drawing.iter(tag)]
        for path in (e.get("d") for name in ("chart-line", "chart-grid") for p in parts(drawing, name) for e in p):
            numbers = [float(number) for number in re.findall(r"[\d.]+", path)]
            spots += zip(numbers[::2], numbers[1::2], strict=True)
        assert all(0 <= x <= width and 0 <= y <= height for x, y in spots)
        assert points[-1].label in words_of(drawing)


def test_nothing_published_yet_is_an_empty_frame_and_no_period_at_all_is_an_error():
    for drawing in drawings(trend(series([None, None]), "x", "", WORDS)):
        assert len(list(drawing.iter("use"))) == 1  # in the key
        assert {"01/26", "02/26", "100\N{NO-BREAK SPACE}%"} <= set(words_of(drawing))
    with pytest.raises(ValueError, match="at least one period"):
        trend([], "x", "", WORDS)


def test_the_same_figures_are_drawn_once():
    assert trend(series(CALM), "x", "y", WORDS) is trend(series(CALM), "x", "y", WORDS)
    assert distribution((1, 2, 3, 4, 5), NAMES, "x") is distribution((1, 2, 3, 4, 5), NAMES, "x", ",")
    assert trend(series(CALM), "x", "y", WORDS) != trend(series(CALM), "x", "z", WORDS)


def test_threads_draw_at_the_same_time_without_disturbing_each_other():
    titles = [f"Xã thứ {number}" for number in range(6)]
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda title: distribution((5, 4, 3, 2, 1), NAMES, title), titles))
    bodies = {re.sub(r"<title.*?</title>|\b[tm][0-9a-f]{10}\d*", "", markup) for markup in drawn}
    assert len(bodies) == 1
    assert all(title in markup for title, markup in zip(titles, drawn, strict=True))


def test_another_process_without_a_home_draws_the_same_bytes_and_loads_matplotlib_only_then(tmp_path):
    program = (
        "import sys, hashlib; from dashboards.charts import *; assert 'matplotlib' not in sys.modules\n"
        f"chart = distribution((3, 7, 20, 400, 774), {NAMES!r}, 'Số câu trả lời theo từng mức')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "print(hashlib.sha256(chart.encode()).hexdigest())"
    )
    no_folder = tmp_path / "file"
    no_folder.touch()
    hidden = ("MPLCONFIGDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {"HOME": str(no_folder / "home"), "PYTHONHASHSEED": "7", "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == hashlib.sha256(CHARTS["distribution"].encode()).hexdigest()
