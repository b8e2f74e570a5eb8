"""Leaders' pages and the front door."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request, url_for
from flask_babel import gettext
from markupsafe import Markup
from sqlalchemy.orm import Session

from accounts.models import Role
from accounts.principal import Principal, allowed, current_principal
from core import clock
from core.db import reader
from core.i18n import LOCAL, chosen_language, lazy, number, percent
from core.i18n import clock as clock_text
from core.i18n import day as day_text
from core.offloop import off_loop
from core.web import public
from dashboards import charts, queries
from feedback import queries as figures
from feedback.figures import HIDDEN, WITHOUT_COUNT, pooled_units, shown_as, withheld
from feedback.periods import Period
from feedback.publication import hidden_children
from feedback.queries import Figure
from feedback.questionnaire import OVERALL, questionnaire
from feedback.sipas import DEFAULT_METHOD, METHODS, Tally, rounded
from feedback.views import LEVELS
from units.models import Unit
from units.queries import children, current_unit, find, offices_in, predecessors

pages = Blueprint("dashboards", __name__)

TREND_WEEKS = 26
METHOD_NAMES = {
    "top-two": lazy("tỷ lệ hài lòng và rất hài lòng"),
    "mean5": lazy("điểm trung bình chia 5"),
    "rescaled": lazy("điểm trung bình quy về 0 đến 100"),
}


@pages.get("/")
@public
def home() -> str:
    """The front door: staff find their places, everybody finds an office."""
    text = request.args.get("q", "").strip()[:80]
    principal = current_principal()
    with reader() as session:
        results = []
        for unit in find(session, text):
            parent = current_unit(session, unit.parent_code).name if unit.parent_code else None
            offices = [{"code": office.code, "name": office.name} for office in offices_in(session, [unit.code])]
            results.append({"code": unit.code, "name": unit.name, "parent_name": parent, "offices": offices})
    places = _places(principal) if principal else []
    return render_template("dashboards/home.html", q=text, searched=bool(text), results=results, places=places)


def _places(principal: Principal) -> list[dict[str, str]]:
    """Where this person works."""
    if principal.office_code and principal.role in (Role.CLERK, Role.KIOSK, Role.COUNTER, Role.DISPLAY):
        office = principal.office_code
        rows = [
            ("queueing.reception", gettext("Cấp số"), gettext("Cấp số cho người dân tại bàn hướng dẫn.")),
            ("queueing.counters", gettext("Quầy"), gettext("Chọn quầy và gọi số.")),
            ("queueing.kiosk", gettext("Máy lấy số"), gettext("Màn hình chạm cho người dân tự lấy số.")),
            ("queueing.display", gettext("Màn hình sảnh"), gettext("Số đang gọi, treo tại sảnh chờ.")),
        ]
        return [
            {"title": title, "text": text, "url": url_for(endpoint, office=office)} for endpoint, title, text in rows
        ]
    if principal.unit_code:
        url = url_for("dashboards.unit", code=principal.unit_code)
        return [{"title": gettext("Đơn vị của tôi"), "text": gettext("Hàng chờ và mức độ hài lòng."), "url": url}]
    url = url_for("accounts.staff")
    return [{"title": gettext("Người dùng"), "text": gettext("Tài khoản của cán bộ và lãnh đạo."), "url": url}]


@pages.get("/units/<code>")
@allowed(Role.COMMUNE_LEADER, Role.PROVINCE_LEADER)
def unit(code: str) -> Response:
    """A commune's day and index, or the list of a province."""
    now = clock.now()
    with reader() as session:
        found = _visible_unit(session, code)
        period = _chosen_period(found, now)
        if found.parent_code is None:
            return make_response(_province(session, found, period, now))
        return make_response(_commune(session, found, period, now))


@pages.get("/units/<code>/today")
@allowed(Role.COMMUNE_LEADER, Role.PROVINCE_LEADER)
def today(code: str) -> str:
    """The part of the commune page that moves all day."""
    with reader() as session:
        found = _visible_unit(session, code)
        return render_template(
            "dashboards/_today.html", today=queries.today(session, offices_in(session, [found.code]), clock.now())
        )


def _visible_unit(session: Session, code: str) -> Unit:
    found = current_unit(session, code)
    principal = current_principal()
    assert principal is not None
    principal.must_see_unit(found.code, found.parent_code)
    return found


def _chosen_period(_unit: Unit, now: datetime) -> Period:
    """The period asked for, else the present quarter, which has enough answers to say something."""
    try:
        return Period.parse(request.args.get("period", ""))
    except ValueError:
        return Period.holding("quarter", now.astimezone(LOCAL).date())


def _commune(session: Session, unit: Unit, period: Period, now: datetime) -> str:
    day = now.astimezone(LOCAL).date()
    method = request.args.get("method", DEFAULT_METHOD)
    method = method if method in METHODS else DEFAULT_METHOD
    codes = pooled_units(session, unit, day)
    weeks = period.weeks()
    served = sum(figures.served_by(session, "unit_code", codes, weeks).values())
    tallies = figures.tallies(session, codes, weeks)
    kept_back = withheld(session, unit, weeks, "question")

    def figure_of(question: str) -> Figure:
        return shown_as(figures.figure(tallies.get(question, Tally()), served, method), question in kept_back)

    overall = figure_of(OVERALL)
    parent = current_unit(session, unit.parent_code or "")
    offices = offices_in(session, [unit.code])
    shown = overall.display in ("little", "full")
    return render_template(
        "dashboards/commune.html",
        unit={"code": unit.code, "name": unit.name, "parent_code": parent.code, "parent_name": parent.name},
        offices=[{"code": office.code, "name": office.name} for office in offices],
        revision=offices[0].revision if len(offices) == 1 else None,
        today=queries.today(session, offices, now),
        period=period_label(period),
        periods=_choices(period, day),
        methods=[{"value": name, "label": METHOD_NAMES[name], "current": name == method} for name in METHODS],
        figure=figure_view(overall, method),
        elements=[
            {"name": item.element, **figure_view(figure_of(item.code), method)} for item in questionnaire().elements
        ],
        trend=_trend(session, unit, codes, day, method),
        distribution_svg=_distribution(overall.tally) if shown else None,
        updated_text=_updated_text(session, codes, weeks),
        predecessors=[old.name for old, _, main in predecessors(session, unit.code) if main],
    )


def _province(session: Session, unit: Unit, period: Period, now: datetime) -> str:
    day = now.astimezone(LOCAL).date()
    text = request.args.get("q", "").strip()[:80]
    weeks = period.weeks()
    communes = children(session, unit.code)
    wanted = {found.code for found in find(session, text, unit.code)} if text else {child.code for child in communes}
    codes = [child.code for child in communes]
    waiting = queries.waiting_by_unit(session, codes, now)
    answers = figures.overall_by(session, "unit_code", codes, weeks)
    served = figures.served_by(session, "unit_code", codes, weeks)
    # Whoever knows the province and all communes but one could subtract; those who might be found that way are hidden.
    hidden = hidden_children({code: answers.get(code, Tally()).n for code in codes})
    rows = []
    for child in communes:
        if child.code not in wanted:
            continue
        figure = figures.figure(answers.get(child.code, Tally()), served.get(child.code, 0))
        view = figure_view(shown_as(figure, child.code in hidden), DEFAULT_METHOD)
        here = waiting.get(child.code, {"offices": 0, "waiting": 0, "longest_s": None})
        url = url_for("dashboards.unit", code=child.code, period=str(period)) if here["offices"] else None
        rows.append({"code": child.code, "name": child.name, "url": url, "figure": view, **here})
    rows.sort(key=lambda row: not row["offices"])
    total = figures.figure(sum(answers.values(), Tally()), sum(served.values()))
    longest = [row["longest_s"] for row in waiting.values() if row["longest_s"] is not None]
    return render_template(
        "dashboards/province.html",
        unit={"code": unit.code, "name": unit.name},
        rows=rows,
        totals={
            "units": len(communes),
            "offices": sum(row["offices"] for row in waiting.values()),
            "waiting": sum(row["waiting"] for row in waiting.values()),
            "longest_s": max(longest, default=None),
            "figure": figure_view(total, DEFAULT_METHOD),
        },
        q=text,
        period=period_label(period),
        periods=_choices(period, day),
        updated_text=_updated_text(session, codes, weeks),
    )


def figure_view(figure: Figure, method: str) -> dict[str, Any]:
    """A figure as templates show it: rounded once, here."""
    low, high = figure.interval or (None, None)
    return {
        "display": figure.display,
        "percent": rounded(figure.percent),
        "low": rounded(low),
        "high": rounded(high),
        "n": figure.tally.n,
        "served": figure.served,
        "response_rate": rounded(figure.response_rate),
        "levels": list(figure.tally.counts),
        "method_name": METHOD_NAMES[method],
        "bounds": tuple(rounded(bound) for bound in figure.bounds) if figure.bounds else None,
    }


def period_label(period: Period) -> str:
    """A period in words."""
    return {
        "week": gettext("Tuần %(n)s năm %(year)s", n=period.number, year=period.year),
        "month": gettext("Tháng %(n)s năm %(year)s", n=period.number, year=period.year),
        "quarter": gettext("Quý %(n)s năm %(year)s", n=period.number, year=period.year),
        "year": gettext("Năm %(year)s", year=period.year),
    }[period.kind]


def _choices(chosen: Period, day: date) -> list[dict[str, Any]]:
    """The present week, month, quarter and year, the one before each kind chosen, and the chosen one."""
    offered = [Period.holding(kind, day) for kind in ("week", "month", "quarter", "year")]
    offered[1:1] = [offered[0].previous()]
    offered[3:3] = [offered[2].previous()]
    if chosen not in offered:
        offered.append(chosen)
    return [{"value": str(one), "label": period_label(one), "current": one == chosen} for one in offered]


def _updated_text(session: Session, codes: Sequence[str], weeks: Sequence[str]) -> str:
    at = figures.last_release(session, codes, weeks)
    if at is None:
        return gettext("Kết quả hiện khi có ít nhất 5 đánh giá.")
    moment = f"{clock_text(at)} {day_text(at)}"
    return gettext("Cập nhật đến %(moment)s, khi có thêm ít nhất 5 đánh giá.", moment=moment)


def _trend(session: Session, unit: Unit, codes: Sequence[str], day: date, method: str) -> dict[str, Any] | None:
    """The last weeks, each with its interval, from the first with a visit; weeks with too few answers are gaps."""
    weeks = [Period.holding("week", day)]
    while len(weeks) < TREND_WEEKS:
        weeks.insert(0, weeks[0].previous())
    names = [str(week) for week in weeks]
    answers = figures.overall_by(session, "week", codes, names)
    served = figures.served_by(session, "week", codes, names)
    kept_back = withheld(session, unit, names, "week")
    rows = []
    for week, name in zip(weeks, names, strict=True):
        if name in served:
            figure = figures.figure(answers.get(name, Tally()), served[name], method)
            rows.append(_trend_row(f"{week.starts_on:%d/%m}", shown_as(figure, name in kept_back)))
    values = [row.percent for row in rows if row.percent is not None]
    if not values:
        return None
    sentence = gettext(
        "%(count)s tuần gần đây có đủ số liệu: từ %(low)s đến %(high)s.",
        count=len(values),
        low=percent(min(values)),
        high=percent(max(values)),
    )
    limits = charts.xmr(values)
    if limits and limits.signals:
        sentence += " " + gettext("Có tuần khác thường, nên tìm nguyên nhân.")
    elif limits:
        sentence += " " + gettext("Dao động bình thường.")
    words = charts.TrendWords(
        percent=gettext("Mức độ hài lòng"),
        interval=gettext("Khoảng tin cậy 95 %%"),
        answers=gettext("Số đánh giá"),
        centre=gettext("Trung bình %(value)s", value=percent(rounded(limits.centre, 1))) if limits else "",
        limits=gettext("Giới hạn dao động thường") if limits else "",
        signal=gettext("Khác thường") if limits else "",
    )
    svg = off_loop(charts.trend, tuple(rows), gettext("Mức độ hài lòng theo tuần"), sentence, words)
    return {"svg": svg, "sentence": sentence, "rows": [row._asdict() for row in rows]}


def _trend_row(label: str, figure: Figure) -> charts.TrendPoint:
    """One week of the trend, with what may be shown of it."""
    n = "–" if figure.display in WITHOUT_COUNT else number(figure.tally.n)
    if figure.display in HIDDEN:
        return charts.TrendPoint(label, n, None, None, None)
    low, high = figure.interval or (None, None)
    return charts.TrendPoint(label, n, rounded(figure.percent), rounded(low), rounded(high))


def _distribution(tally: Tally) -> Markup:
    very_bad, bad, middling, good, very_good = (str(words) for _, words in reversed(LEVELS))
    names = (very_bad, bad, middling, good, very_good)
    mark = "," if chosen_language() == "vi" else "."
    drawn: Markup = off_loop(charts.distribution, tally.counts, names, gettext("Số câu trả lời theo từng mức"), mark)
    return drawn
