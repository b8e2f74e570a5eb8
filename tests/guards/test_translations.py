"""Rules for texts: all of them go through the catalogue, English is complete, and no placeholder is lost."""

import ast
import re
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from flask import Flask, render_template_string
from flask_babel import gettext

from core import i18n
from tests.tools import translations
from tests.tools.translations import KEYWORDS, english, forms, name, texts_of, texts_of_the_tree
from tests.tools.tree import ROOT, SUBJECTS, syntax, text, under

PLACEHOLDER = re.compile(r"%\((\w+)\)s")
VIETNAMESE = re.compile("[àáảãạăằắẳẵặâầấẩẫậèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵđ]", re.IGNORECASE)
OUR_NAME = "Một Cửa"
LONGEST_SENTENCE = 15
CITIZENS_READ = {
    *("feedback/visit.html", "feedback/thanks.html", "feedback/details.html", "layouts/citizen.html"),
    *("queueing/kiosk.html", "queueing/ticket.html", "queueing/refused.html", "components/take.html"),
    *("queueing/display.html", "queueing/_board.html", "queueing/counter_screen.html", "components/office.html"),
    "queueing/_counter_number.html",
}
JINJA = re.compile(r"\{%-?\s*block (?:page|html_class|body|head) -?%\}.*?\{%-?\s*endblock|\{[{%#].*?[}%#]\}", re.DOTALL)
ATTRIBUTE = re.compile(r'\s(?:title|alt|placeholder|label|aria-label|data-label)="([^"]*)"')
TAG = re.compile(r"<[^>]*>|&\w+;")
LETTER = re.compile(r"[^\W\d_]")
# Not translated: our name, what a switch of languages says, what every office is called.
NAMES = re.compile(f"{OUR_NAME}|Tiếng Việt|English|Trung tâm Phục vụ hành chính công")
NOT_PAGES = {
    "templates/feedback/unknown.html": "the same bytes for everybody, so that nothing is learned from them",
}
# Vietnamese in code that no reader of English is kept from understanding.
DATA = {
    "core/serving.py": "our name",
    "queueing/openapi.py": "our name",
    "queueing/views.py": "reasons as they are stored; the page translates them",
    "feedback/circular01.py": "grades in the words of the circular",
    "feedback/behaviour.py": "the demonstration: names of services",
    "feedback/demo.py": "the demonstration: names of units",
    "feedback/simulation.py": "the demonstration: reasons to pause",
    "feedback/simulation_commands.py": "the demonstration: its own mark",
    "feedback/traffic.py": "the demonstration: reasons to pause",
    "units/names.py": "names of units",
    "units/make_data.py": "numbers of resolutions",
}


def test_english_has_the_texts_of_the_tree_and_no_others() -> None:
    here, known = ({name(message) for message in found if message.id} for found in (texts_of_the_tree(), english()))
    assert here - known == set(), "new texts: run `make translations`, then write their English into translations/en.po"
    assert known - here == set(), "texts that are gone: run `make translations`"


def test_every_text_has_its_english_and_none_is_a_guess() -> None:
    missing = [name(message) for message in _messages() if not translations.is_translated(message)]
    assert missing == [], "write their English into translations/en.po"
    assert [name(message) for message in _messages() if message.fuzzy] == []


def test_every_plural_has_as_many_forms_as_english() -> None:
    plurals = [message for message in _messages() if message.pluralizable]
    assert english().num_plurals == 2
    assert [name(message) for message in plurals if len(forms(message.string or "")) != 2] == []


def test_english_keeps_every_placeholder_and_both_can_be_filled() -> None:
    wrong = []
    for message in _messages():
        wanted = set(PLACEHOLDER.findall(name(message)))
        for form in (*forms(message.id), *forms(message.string or "")):
            if set(PLACEHOLDER.findall(form)) != wanted or not _can_be_filled(form, wanted):
                wrong.append(form)
    assert wrong == [], "the same %(names)s in both languages; a literal percent sign is %%"


def _can_be_filled(form: str, names: set[str]) -> bool:
    try:
        return "%" not in (form % dict.fromkeys(names, "x")).replace(" %", "")
    except (ValueError, TypeError, KeyError):
        return False


def test_english_is_english() -> None:
    words = [form.replace(OUR_NAME, "") for message in _messages() for form in forms(message.string or "")]
    assert [form for form in words if VIETNAMESE.search(form)] == []


def test_sentences_for_citizens_are_short() -> None:
    catalogue = english()
    long = []
    for message in {message for page in CITIZENS_READ for message in texts_of(Path("templates", page))}:
        found = catalogue.get(forms(message)[0])
        assert found is not None, message
        sentences = [part for form in forms(found.string or "") for part in re.split(r"[.?!:;]\s", form)]
        long += [sentence for sentence in sentences if len(sentence.split()) > LONGEST_SENTENCE]
    assert long == []


@pytest.mark.parametrize(("language", "expected"), [("vi", "Khoảng tin cậy 95 %"), ("en", "95 % interval")])
def test_a_doubled_percent_sign_is_shown_once_in_code_and_in_templates(language: str, expected: str) -> None:
    app = Flask("texts", root_path=str(ROOT))
    i18n.install(app)
    with app.test_request_context(f"/?lang={language}"):
        assert gettext("Khoảng tin cậy 95 %%") == expected
        assert render_template_string("{{ _('Khoảng tin cậy 95 %%') }}") == expected


def test_templates_hold_no_words_of_their_own() -> None:
    wrong = []
    for path in under("templates", suffixes=(".html",)):
        if path.as_posix() in NOT_PAGES:
            continue
        html = NAMES.sub("", JINJA.sub("", text(path)))
        words = [*ATTRIBUTE.findall(html), *TAG.sub("\n", html).splitlines()]
        wrong += [f"{path}: {found.strip()}" for found in words if LETTER.search(found)]
    assert wrong == []


def test_vietnamese_in_code_goes_through_the_catalogue() -> None:
    found = []
    for path in under(*SUBJECTS, "app.py", suffixes=(".py",)):
        if path.as_posix() in DATA:
            continue
        tree = syntax(path)
        fine = {id(argument) for call in ast.walk(tree) if isinstance(call, ast.Call) for argument in _texts_in(call)}
        fine |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
        found += [
            f"{path}:{node.lineno} {node.value}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in fine
            if VIETNAMESE.search(node.value)
        ]
    assert found == []


def _texts_in(call: ast.Call) -> list[ast.expr]:
    function = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    return call.args if function in KEYWORDS else []


def test_scripts_take_their_words_from_the_page() -> None:
    scripts = under("static", suffixes=(".js",))
    assert [path for path in scripts if VIETNAMESE.search(text(path))] == []


def _messages() -> list[Message]:
    return [message for message in english() if message.id]
