"""`python -m bench`: measure our routes beside bare ones in the same run, and print one table."""

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bench.candidates import (
    SCREENS,
    Candidate,
    Sample,
    bare_desk,
    bare_fan_out,
    keyed_issues,
    our_desk,
    our_fan_out,
    route,
    same,
    state_again,
    visit_pages,
)
from bench.load import Unexpected
from bench.place import Served, Town, build_town, served_baseline, served_town
from core.errors import CannotStart

Row = dict[str, Any]
RATE_HEADS = ["route", "a second", "[least - most]", "of empty", "CPU ms", "x empty", "x bare"]
RATE_HEADS += ["p50 ms", "p95 ms", "alone ms"]
SCREEN_HEADS = ["last screen knows", "p50 ms", "p99 ms", "x bare", "CPU ms", "CPU x bare"]
LEAST_CPU_MS = 0.001  # a stretch too short for the clock of /proc


def main() -> int:
    options = _options()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="motcua-bench-")))
        try:
            candidates = prepare(stack, folder, options)
            rows = table(run_all(candidates, options.runs, options.seconds), candidates)
        except (CannotStart, Unexpected) as failure:
            print(f"bench: {failure}", file=sys.stderr)
            return 1
    if options.json:
        print(json.dumps({"runs": options.runs, "seconds": options.seconds, "rows": rows}, indent=2))
    else:
        show(rows)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure issuing, calling and fan-out beside bare routes in the same run. About six minutes.",
    )
    parser.add_argument("--runs", type=int, default=5, help="every candidate is measured once a run (default 5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each is measured (default 2)")
    parser.add_argument("--offices", type=int, default=20, help="offices in the database (default 20, at least 2)")
    parser.add_argument("--database", default="", help="an empty database in place of a temporary SQLite file")
    parser.add_argument("--postgresql", action="store_true", help="also on a private PostgreSQL server")
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    options = parser.parse_args()
    if options.runs < 1 or options.seconds <= 0 or options.offices < 2:
        parser.error("--runs and --seconds must be more than 0, --offices at least 2")
    return options


def prepare(stack: contextlib.ExitStack, folder: Path, options: argparse.Namespace) -> list[Candidate]:
    """Start every server; they stay up together, so that each run sees all of them in the same weather."""
    _say("preparing the offices and their servers")
    baseline = stack.enter_context(served_baseline(folder))
    desk = bare_desk(baseline, options.offices)
    candidates = [
        Candidate("empty route", route(baseline, same("/empty"), 200)),
        Candidate("bare issue", desk.issue),
        Candidate("bare call", desk.call),
    ]
    url = options.database or f"sqlite:///{folder / 'bench.sqlite3'}"
    kind = "PostgreSQL" if url.startswith("postgresql") else "SQLite"
    town = build_town(url, folder, options.offices)
    server = stack.enter_context(served_town(town))
    candidates += _desk_rows(server, town, kind)
    candidates += [
        Candidate("state, changed", route(server, same(f"/api/v1/offices/{town.busy[0]}/state"), 200)),
        Candidate("state, unchanged (304)", route(server, state_again(server, town.busy[0]), 304)),
        Candidate("page of a visit, waiting", route(server, visit_pages(server, town), 200)),
    ]
    if options.postgresql:
        candidates += _on_private_postgresql(stack, folder, options.offices)
    for count in SCREENS:
        bare = f"bare broadcast to {count}"
        candidates += [
            Candidate(bare, bare_fan_out(baseline, count)),
            Candidate(f"issue to {count} screens", our_fan_out(server, town, count), bare),
        ]
    return candidates


def _desk_rows(server: Served, town: Town, kind: str) -> list[Candidate]:
    desk = our_desk(server, town)
    return [
        Candidate(f"issue, {kind}", desk.issue, "bare issue"),
        Candidate(f"issue with key, {kind}", desk.issue_with(keyed_issues(town)), "bare issue"),
        Candidate(f"call-next, {kind}", desk.call, "bare call"),
    ]


def _on_private_postgresql(stack: contextlib.ExitStack, folder: Path, offices: int) -> list[Candidate]:
    from tests.servers import NoServer, PostgresServer

    try:
        database = stack.enter_context(PostgresServer())
    except NoServer as reason:
        raise CannotStart(str(reason)) from None
    assert database.process is not None
    town = build_town(database.fresh_database(), folder, offices)
    return _desk_rows(stack.enter_context(served_town(town, database.process.pid)), town, "PostgreSQL")


def run_all(candidates: list[Candidate], runs: int, seconds: float) -> list[dict[str, Sample]]:
    """Measure all of them once a run, after one short turn to get warm; every second run backward."""
    found = []
    for run in range(runs + 1):
        results = {}
        for candidate in candidates if run % 2 else reversed(candidates):
            _say(f"run {run} of {runs}: {candidate.name}" if run else f"warming up: {candidate.name}")
            results[candidate.name] = candidate.measure(seconds if run else min(seconds, 0.5))
        found.append(results)
    return found[1:]


def _say(text: str) -> None:
    end = "\r" if sys.stderr.isatty() else "\n"
    print(f"{text:<70}", end=end, file=sys.stderr, flush=True)


def table(runs: list[dict[str, Sample]], candidates: list[Candidate]) -> list[Row]:
    """One row a candidate: medians over the runs. Ratios are taken within each run, before the median.

    Keys: per_second [median, least, most]; of_empty, its share of the empty route's; cpu_ms a request or change;
    cpu_empty and cpu_bare, how many times the processor time of the empty and of the bare route; times_bare, how many
    times as long as the bare broadcast; p50_ms, p95_ms, p99_ms; alone_ms. None: not measured.
    """
    empty = candidates[0].name
    return [_row(candidate, runs, empty) for candidate in candidates]


def _row(candidate: Candidate, runs: list[dict[str, Sample]], empty: str) -> Row:
    samples = [run[candidate.name] for run in runs]
    rates = [sample.per_second for sample in samples if sample.per_second is not None]
    alone = [sample.alone for sample in samples if sample.alone is not None]
    row: Row = {"name": candidate.name, "per_second": [median(rates), min(rates), max(rates)] if rates else None}
    row["of_empty"] = _ratio(runs, candidate.name, empty, _rate) if rates else None
    row["cpu_ms"] = median(sample.cpu for sample in samples)
    row["cpu_empty"] = _ratio(runs, candidate.name, empty, _cpu)
    row["cpu_bare"] = _ratio(runs, candidate.name, candidate.bare, _cpu) if candidate.bare else None
    row["times_bare"] = _ratio(runs, candidate.name, candidate.bare, _middle) if candidate.bare and not rates else None
    for share in (50, 95):
        row[f"p{share}_ms"] = median(_percentile(sample.times, share) for sample in samples)
    # A hundredth is rare: all runs together, and not the median of its luck.
    row["p99_ms"] = _percentile([time for sample in samples for time in sample.times], 99)
    row["alone_ms"] = median(alone) if alone else None
    return row


def _ratio(runs: list[dict[str, Sample]], name: str, base: str, size: Callable[[Sample], float]) -> float:
    return median(size(run[name]) / size(run[base]) for run in runs)


def _rate(sample: Sample) -> float:
    return sample.per_second or 0.0


def _cpu(sample: Sample) -> float:
    return sample.cpu or LEAST_CPU_MS


def _middle(sample: Sample) -> float:
    return median(sample.times)


def _percentile(values: list[float], share: int) -> float:
    return quantiles(values, n=100, method="inclusive")[share - 1] if len(values) > 1 else values[0]


def show(rows: list[Row]) -> None:
    """Print two tables: what 32 connections get through, and when the last screen knows."""
    rates = [_rate_cells(row) for row in rows if row["per_second"]]
    screens = [_screen_cells(row) for row in rows if not row["per_second"]]
    _print_table(RATE_HEADS, rates)
    _print_table(SCREEN_HEADS, screens)


def _rate_cells(row: Row) -> list[str]:
    rate, least, most = row["per_second"]
    cells = [row["name"], f"{rate:,.0f}", f"[{least:,.0f} - {most:,.0f}]", f"{row['of_empty']:.3f}"]
    cells += [f"{row['cpu_ms']:.2f}", f"{row['cpu_empty']:.1f}", _times(row["cpu_bare"])]
    return cells + [f"{row[key]:.2f}" for key in ("p50_ms", "p95_ms", "alone_ms")]


def _screen_cells(row: Row) -> list[str]:
    times = [f"{row['p50_ms']:.1f}", f"{row['p99_ms']:.1f}", _times(row["times_bare"])]
    return [row["name"], *times, f"{row['cpu_ms']:.1f}", _times(row["cpu_bare"])]


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.1f}"


def _print_table(heads: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(line[place]) for line in (heads, *rows)) for place in range(len(heads))]
    for line in _lines(heads, rows, widths):
        print(line)
    print()


def _lines(heads: list[str], rows: list[list[str]], widths: list[int]) -> Iterator[str]:
    for line in (heads, ["-" * width for width in widths], *rows):
        first, *others = (
            cell.ljust(width) if not place else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        yield "  ".join((first, *others)).rstrip()


if __name__ == "__main__":
    sys.exit(main())
