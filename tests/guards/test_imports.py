"""Who may import whom, read from the imports themselves."""

import ast
import sys
from functools import cache
from pathlib import Path

from tests.tools.tree import SUBJECTS, files, imports, module_name, syntax, under

LINE = (*SUBJECTS, "app")
OURS = {*LINE, "migrations", "bench", "tests"}
# The files every subject has; any other module is an idea of its own, and pure.
PLUMBING = {"__init__", "models", "actions", "queries", "views", "api", "live", "commands", "events"}
PURE_LIBRARIES = {"markupsafe", "matplotlib", "numpy"}
# Modules named after their idea that need plumbing all the same, and why.
NOT_PURE = {
    "accounts.command": "the transaction and the idempotency key round one command of a caller",
    "accounts.principal": "who is asking stands in the request",
    "feedback.demo": "makes the demonstration's database",
    "feedback.demo_history": "lives the past of the demonstration's offices, each in a process",
    "feedback.mixing": "what is hidden in stored rows can only be taken away in the database",
    "feedback.figures": "turns what queries count into what is published",
    "feedback.simulation": "lives days of an office by the ordinary actions",
    "feedback.simulation_commands": "two commands; demo needs no ready database",
    "queueing.history": "writes and reads an office's numbered history",
    "queueing.represent": "shows rows as JSON",
    "queueing.setup": "brings the offices of a file into the database",
}
SOCKET_LIBRARIES = {"flask_socketio", "socketio", "engineio", "simple_websocket"}


def test_packages_stand_in_one_line_and_import_only_to_the_left() -> None:
    wrong = []
    for path in under(*SUBJECTS, "app.py", suffixes=(".py",)):
        place = LINE.index(path.with_suffix("").parts[0])
        for line, name in imports(path):
            package = name.partition(".")[0]
            if package in LINE and LINE.index(package) > place:
                wrong.append(f"{path}:{line} imports {name}")
            elif package in OURS - set(LINE):
                wrong.append(f"{path}:{line} imports {name}, which the program does not need")
    assert wrong == []


def test_pure_modules_import_only_the_standard_library_and_other_pure_ones() -> None:
    wrong = []
    for path in under(*SUBJECTS[1:], suffixes=(".py",)):
        if path.stem in PLUMBING or module_name(path) in NOT_PURE:
            continue
        if impure := [name for _, name in imports(path) if not _is_pure_import(name)]:
            wrong.append(f"{path} imports {', '.join(impure)}")
    assert wrong == []


def test_exceptions_to_purity_are_still_needed() -> None:
    modules = {module_name(path): path for path in under(*SUBJECTS, suffixes=(".py",))}
    needless = [name for name in NOT_PURE if name in modules and _is_pure(modules[name])]
    assert needless == []


def test_only_live_modules_core_sockets_and_app_know_socketio() -> None:
    wrong = []
    for path in under(*SUBJECTS, suffixes=(".py",)):
        if path.name == "live.py" or _is_socket_module(module_name(path)):
            continue
        for line, name in imports(path):
            library = name.partition(".")[0] in SOCKET_LIBRARIES
            ours = path.parts[0] != "core" and (_is_socket_module(name) or _is_socket_module(name.rpartition(".")[0]))
            if library or ours:
                wrong.append(f"{path}:{line} imports {name}")
    assert wrong == []


def test_actions_neither_open_nor_commit_a_transaction_nor_read_the_clock() -> None:
    paths = [path for path in files() if path.name == "actions.py"]
    assert [place for path in paths for place in _said(path)] == []


def test_pure_modules_are_told_the_time() -> None:
    paths = [path for path in under(*SUBJECTS[1:], suffixes=(".py",)) if path.stem not in PLUMBING and _is_pure(path)]
    assert [place for path in paths for place in _said(path) if place.endswith("now()")] == []


def _said(path: Path) -> list[str]:
    nodes = [(node, _forbidden_in_actions(node)) for node in ast.walk(syntax(path))]
    return [f"{path}:{getattr(node, 'lineno', 0)} says {said}" for node, said in nodes if said is not None]


def _forbidden_in_actions(node: ast.AST) -> str | None:
    match node:
        case ast.Call(func=ast.Name(id="now") | ast.Attribute(attr="now")):
            return "now()"
        case ast.Name(id="transaction" | "commit" as name) | ast.Attribute(attr="transaction" | "commit" as name):
            return name
        case ast.alias(name="transaction" | "commit" as name):
            return name
    return None


def _is_socket_module(name: str) -> bool:
    package, _, module = name.partition(".")
    return package == "core" and ("socket" in module or module == "live")


def _is_pure_import(name: str) -> bool:
    package = name.partition(".")[0]
    if package not in OURS:
        return package in sys.stdlib_module_names or package in PURE_LIBRARIES
    modules = {module_name(path): path for path in under(*LINE, suffixes=(".py",))}
    for module in (name, name.rpartition(".")[0]):
        if module in modules:
            return _is_pure(modules[module])
    return False


@cache
def _is_pure(path: Path) -> bool:
    """Tell whether a module, and all it imports, needs nothing but the standard library and the named libraries."""
    return all(_is_pure_import(name) for _, name in imports(path))
