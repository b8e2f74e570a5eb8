"""Rules for the whole tree: what lies where, and what must not be in any file."""

import ast
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from core.settings import SETTINGS
from tests.tools.tree import ROOT, SUBJECTS, files, syntax, text, text_files, under

FOLDERS = {*SUBJECTS, "migrations", "templates", "static", "translations", "tests", "bench", "docs"}
TOP_FILES = {
    "app.py",
    "pyproject.toml",
    "README.md",
    "Makefile",
    "requirements.lock",
    "requirements-dev.lock",
    "LICENSE",
}
LONGEST_MODULE = 600
# Written in two parts, so that this file may hold them.
MACHINE_PATH = re.compile(
    r"(?<![\w.~/-])/(?:ro" r"ot|ho" r"me/\w+|Us" r"ers/\w+|wo" r"rk|fa" r"rm|opt/(?:wh" r"eels|py" r"pi))\b"
)
REGISTRY = re.compile(
    r"py"
    r"pi\.org|python"
    r"hosted|npm"
    r"js\.(?:org|com)|deb\."
    r"debian\.org|--(?:extra-)?index"
    r"-url[ =]h|--find"
    r"-links[ =]"
)
CLOCK_READERS = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "func.now", "func.current_timestamp",
    "time.time", "time.time_ns", "time.localtime", "time.gmtime",
}  # fmt: skip
JINJA = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)
INLINE = re.compile(
    r"<script(?![^>]*\ssrc=)|<style\b|\s(?:style|on[a-z]+)\s*=\s*[\"'{]|(?:href|src|action)\s*=\s*[\"']?javascript:",
    re.IGNORECASE,
)


def test_the_top_folder_holds_only_what_the_house_names() -> None:
    strangers = {path.parts[0] for path in files()} - FOLDERS - TOP_FILES
    assert {name for name in strangers if not name.startswith(".")} == set()


def test_no_third_party_code_is_kept_here() -> None:
    folders = {"node_modules", "vendor", "vendors", "third_party", "thirdparty", "bower_components", "site-packages"}
    names = re.compile(r"\.min\.|\.map$|\.whl$|\.jar$|\.woff2?$|\.[ot]tf$|[.-]bundle\.js$")
    licence = re.compile(r"@lic" r"ense|Licensed und" r"er|Copyr" r"ight \(c\)|/\*" r"!")
    wrong = [path for path in files() if folders & set(path.parts) or names.search(path.name)]
    wrong += [
        path for path in under("static", *SUBJECTS, suffixes=(".js", ".css", ".py")) if licence.search(text(path))
    ]
    wrong += [path for path in under("static", suffixes=(".js", ".css")) if _longest_line(path) > 500]
    assert wrong == []


def _longest_line(path: Path) -> int:
    return max(map(len, text(path).splitlines()), default=0)


def test_templates_have_no_inline_script_or_style() -> None:
    wrong = []
    for path in under("templates", *SUBJECTS, suffixes=(".html", ".svg")):
        html = JINJA.sub(_only_its_lines, text(path))
        wrong += _places(path, html, INLINE)
    assert wrong == []


def _only_its_lines(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")


def test_templates_never_switch_escaping_off() -> None:
    unsafe = re.compile(r"\|\s*safe\b|autoescape\s+false")
    assert [place for path in under("templates") for place in _places(path, text(path), unsafe)] == []


def test_every_template_is_used_and_every_used_template_is_there() -> None:
    templates = {
        path.relative_to("templates").as_posix() for path in under("templates", suffixes=(".html", ".svg", ".xml"))
    }
    name = re.compile(r"[\"']((?:[\w-]+/)+[\w-]+\.(?:html|svg|xml))[\"']")
    named_in_code = {name for path in under(*SUBJECTS, "app.py", suffixes=(".py",)) for name in _strings(path)}
    named_in_templates = {found for path in under("templates") for found in name.findall(text(path))}
    folders = {path.parts[1] for path in under("templates") if len(path.parts) > 2}
    missing = {found for found in named_in_code | named_in_templates if name.fullmatch(f"'{found}'")} - templates
    assert {found for found in missing if found.partition("/")[0] in folders} == set()
    unused = templates - named_in_code - named_in_templates
    drawn = {path.parts[0] for path in under(*SUBJECTS) if path.name == "views.py"} | {"layouts", "components"}
    assert {found for found in unused if found.partition("/")[0] in drawn} == set()


def test_every_page_script_and_style_has_its_page() -> None:
    pages = {path.relative_to("templates").with_suffix("") for path in under("templates", suffixes=(".html",))}
    wrong = []
    for path in under("static", suffixes=(".js", ".css")):
        page = path.relative_to("static").with_suffix("")
        if page.parts[0] in SUBJECTS and page not in pages:
            wrong.append(path)
    assert wrong == []


def test_no_module_is_longer_than_one_can_keep_in_mind() -> None:
    lengths = {path: text(path).count("\n") for path in files() if path.suffix == ".py"}
    assert {path: length for path, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_no_file_names_a_machine_or_a_registry() -> None:
    wrong = [place for path in text_files() for place in _places(path, text(path), MACHINE_PATH)]
    wrong += [place for path in text_files() for place in _places(path, text(path), REGISTRY)]
    assert wrong == []


def test_every_text_is_in_normal_form_c_with_unix_lines() -> None:
    wrong = [path for path in text_files() if not unicodedata.is_normalized("NFC", text(path))]
    wrong += [path for path in text_files() if b"\r\n" in (ROOT / path).read_bytes()]
    assert wrong == []


def test_only_the_clock_module_reads_the_clock() -> None:
    wrong = []
    for path in under(*SUBJECTS, "app.py", "migrations", suffixes=(".py",)):
        if path == Path("core/clock.py"):
            continue
        for node in ast.walk(syntax(path)):
            if isinstance(node, ast.Attribute) and _last_two_names(node) in CLOCK_READERS:
                wrong.append(f"{path}:{node.lineno} reads {_last_two_names(node)}")
            elif isinstance(node, ast.ImportFrom) and node.module == "time":
                wrong += [
                    f"{path}:{node.lineno} imports time.{a.name}" for a in node.names if a.name in ("time", "time_ns")
                ]
    assert wrong == []


def _last_two_names(node: ast.Attribute) -> str:
    match node.value:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return f"{name}.{node.attr}"
    return node.attr


def test_charts_are_drawn_without_pyplot() -> None:
    """Pyplot keeps every figure in a global list: a server would never let go of them."""
    pyplot = re.compile("pyplot|pylab")
    assert [place for path in under(*SUBJECTS, suffixes=(".py",)) for place in _places(path, text(path), pyplot)] == []


def test_the_readme_lists_every_setting_with_its_default_and_meaning() -> None:
    rows = {
        line.split("|")[1].strip(" `"): line for line in text(Path("README.md")).splitlines() if line.startswith("|")
    }
    assert {setting.name for setting in SETTINGS} - set(rows) == set()
    for setting in SETTINGS:
        assert setting.meaning in rows[setting.name]
        if setting.default not in (None, ""):
            assert f"`{setting.default}`" in rows[setting.name]


def _strings(path: Path) -> Iterable[str]:
    return (
        node.value for node in ast.walk(syntax(path)) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _places(path: Path, content: str, pattern: re.Pattern[str]) -> list[str]:
    return [f"{path}:{content.count(chr(10), 0, found.start()) + 1} {found[0]}" for found in pattern.finditer(content)]
