"""Vietnamese is the source language and needs no catalogue; English stands in `translations/en.po`.

The catalogue is compiled in memory at the start, so no binary file has to be built or kept.
"""

import io
import unicodedata
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import NullTranslations, Translations
from flask import Flask, g, request
from flask_babel import Babel, Domain, get_locale, gettext, lazy_gettext

LANGUAGES = ("vi", "en")
LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")
lazy = lazy_gettext


class Catalogue(Domain):
    """Translations read straight from the .po files."""

    def __init__(self, folder: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._ready: dict[str, NullTranslations] = {"vi": NullTranslations()}
        for path in sorted(folder.glob("*.po")):
            compiled = io.BytesIO()
            with path.open("rb") as source:
                write_mo(compiled, read_po(source, locale=path.stem))
            compiled.seek(0)
            self._ready[path.stem] = Translations(compiled)

    def get_translations(self) -> NullTranslations:
        locale = get_locale()
        return self._ready.get(locale.language if locale else "vi", self._ready["vi"])

    def gettext(self, string: str, **variables: Any) -> str:
        """The text in the reader's language. As in templates it is always a format string: "%%" is one %."""
        return str(self.get_translations().ugettext(string)) % variables

    def ngettext(self, singular: str, plural: str, num: int, **variables: Any) -> str:
        """The form of the text that fits `num`."""
        return str(self.get_translations().ungettext(singular, plural, num)) % {"num": num, **variables}


def install(app: Flask) -> None:
    """Languages and the filters that write times and numbers the way people here read them."""
    babel = Babel(app, default_locale="vi", default_timezone="Asia/Ho_Chi_Minh", locale_selector=chosen_language)
    babel.domain_instance = Catalogue(Path(app.root_path) / "translations")
    app.after_request(remember_language)
    app.context_processor(lambda: {"lang": chosen_language()})
    app.jinja_env.filters.update(
        clock=clock,
        day=day,
        number=number,
        percent=percent,
        minutes=minutes,
        nfc=lambda s: unicodedata.normalize("NFC", s),
    )


def chosen_language() -> str:
    """`?lang=`, else the choice kept in a cookie, else Vietnamese."""
    if "lang_chosen" in g:
        return str(g.lang_chosen)
    wanted = request.args.get("lang") or request.cookies.get("lang") or "vi" if request else "vi"
    return wanted if wanted in LANGUAGES else "vi"


def remember_language(response: Any) -> Any:
    """Keep a choice made by `?lang=`; the visit link works without cookies and carries it in the address."""
    wanted = request.args.get("lang")
    if wanted in LANGUAGES and not request.path.startswith("/v/"):
        response.set_cookie("lang", wanted, max_age=31536000, samesite="Lax", httponly=True, secure=request.is_secure)
    return response


def clock(moment: datetime | None) -> str:
    """09:42 in local time, whatever the reader's machine says."""
    return moment.astimezone(LOCAL).strftime("%H:%M") if moment else "–"


def day(moment: Any) -> str:
    """21/11/2026."""
    if isinstance(moment, datetime):
        moment = moment.astimezone(LOCAL)
    return str(moment.strftime("%d/%m/%Y")) if moment else "–"


def number(value: float | Decimal | None) -> str:
    """1.234,5 in Vietnamese, 1,234.5 in English."""
    return "–" if value is None else format_decimal(value, locale=chosen_language())


def percent(value: Decimal | float | None) -> str:
    """57,55 % of a figure that is already in percent."""
    if value is None:
        return "–"
    return format_decimal(value, format="0.##", locale=chosen_language()) + "\N{NO-BREAK SPACE}%"


def minutes(seconds: float | None) -> str:
    """12 phút, rounded to the nearest minute."""
    if seconds is None:
        return "–"
    whole = int(seconds / 60 + 0.5)
    return gettext("dưới 1 phút") if whole == 0 and seconds > 0 else gettext("%(n)s phút", n=number(whole))


__all__ = ["LANGUAGES", "LOCAL", "chosen_language", "install", "lazy"]
