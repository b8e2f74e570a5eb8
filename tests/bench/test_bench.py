"""The benchmark itself: a very short run of it, as an operator would start it."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

ROWS = (
    "empty route",
    "bare issue",
    "bare call",
    "issue, SQLite",
    "issue with key, SQLite",
    "call-next, SQLite",
    "state, changed",
    "state, unchanged (304)",
    "page of a visit, waiting",
    *(f"{what} {count}" for count in (1, 50, 200) for what in ("bare broadcast to", "issue to")),
)


def bench(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "bench", *words], cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False
    )


def test_a_short_run_prints_every_row_beside_its_baseline() -> None:
    done = bench("--runs", "1", "--seconds", "0.05", "--offices", "3")

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [row for row in ROWS if not any(line.startswith(row) for line in lines)] == []
    (empty,) = (line for line in lines if line.startswith("empty route"))
    assert " 1.000 " in empty


def test_a_database_with_offices_is_not_measured(sqlite_url: str) -> None:
    done = bench("--runs", "1", "--seconds", "0.05", "--database", sqlite_url)

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "bench: this database holds offices: give an empty one to be measured"


@pytest.mark.parametrize("words", [["--runs", "0"], ["--seconds", "0"], ["--offices", "1"]])
def test_a_run_that_could_not_measure_anything_is_wrong_usage(words: list[str]) -> None:
    assert bench(*words).returncode == 2
