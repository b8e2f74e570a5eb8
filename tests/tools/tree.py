"""The project's own files, for the guards: what is in the folder and not named in .gitignore."""

import ast
import os
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SUBJECTS = ("core", "units", "accounts", "queueing", "feedback", "dashboards")
TEXT = {".py", ".md", ".html", ".css", ".js", ".svg", ".txt", ".toml", ".lock", ".csv", ".json", ".po", ".pot", ".mako"}
TEXT |= {".ini", ".cfg", ".yml", ".yaml", ".xml", ".sh", ".service", ".conf", ".webmanifest", ""}


@cache
def files() -> tuple[Path, ...]:
    """Every file of the project, relative to its top folder, in order."""
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    patterns = [".git", *(pattern.strip("/") for pattern in ignored)]
    return tuple(sorted(_walk(ROOT, patterns)))


def _walk(folder: Path, ignored: list[str]) -> Iterator[Path]:
    for entry in os.scandir(folder):
        if any(fnmatch(entry.name, pattern) for pattern in ignored):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), ignored)
        else:
            yield Path(entry.path).relative_to(ROOT)


def under(*folders: str, suffixes: tuple[str, ...] = ()) -> list[Path]:
    """Return the files in these top folders (or of these names), all of them or those with these suffixes."""
    return [path for path in files() if path.parts[0] in folders and (not suffixes or path.suffix in suffixes)]


def text_files() -> list[Path]:
    """Every file that people read."""
    return [path for path in files() if path.suffix in TEXT]


@cache
def text(path: Path) -> str:
    """Return a file's text."""
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def syntax(path: Path) -> ast.Module:
    """Return a Python file's syntax tree."""
    return ast.parse(text(path), filename=str(path))


def module_name(path: Path) -> str:
    """Return the dotted name of a module: `core/db.py` is `core.db`, `core/__init__.py` is `core`."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> list[tuple[int, str]]:
    """Return (line, module or module.name) of every import in a file, also of those inside functions."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return found
