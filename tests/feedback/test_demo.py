"""`motcua demo` and `motcua simulate` as a person starts them: real processes, real folders."""

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import app as motcua
from feedback.demo import MARK, PLACES
from queueing.office_file import read_offices
from tests import cast
from tests.conftest import ROOT, free_port, wait_until

READY = re.compile(r"Password of every log-in")


def environment(instance: Path) -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if not name.startswith("MOTCUA_")}
    # A database and a Redis of somebody else: the demonstration must not even try them.
    return given | {
        "MOTCUA_INSTANCE": str(instance),
        "MOTCUA_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
        "MOTCUA_REDIS_URL": "redis://127.0.0.1:1/0",
    }


def run_demo(instance: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "app.py"), "demo", *options]
    return subprocess.run(
        command, check=False, env=environment(instance), cwd=ROOT, capture_output=True, text=True, timeout=60
    )


@contextlib.contextmanager
def demo(instance: Path, port: int, *options: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A demonstration that is ready, and what it has printed."""
    command = [sys.executable, str(ROOT / "app.py"), "demo", "--port", str(port), "--weeks", "0", *options]
    output = instance.with_suffix(".txt")
    with output.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(command, env=environment(instance), cwd=ROOT, stdout=stream, stderr=stream)
    try:
        wait_until(lambda: READY.search(output.read_text("utf-8")) or process.poll() is not None, 90)
        yield process, output.read_text("utf-8")
    finally:
        process.kill()
        process.wait()


def count(instance: Path, question: str) -> int:
    with contextlib.closing(sqlite3.connect(instance / "demo" / "motcua.sqlite3")) as database:
        number: int = database.execute(question).fetchone()[0]
    return number


def test_the_demonstration_starts_stops_and_starts_clean(tmp_path: Path) -> None:
    instance, port = tmp_path / "instance", free_port()
    instance.mkdir()
    (instance / "motcua.sqlite3").write_text("real data")
    with demo(instance, port, "--no-traffic") as (process, printed):
        assert f"http://127.0.0.1:{port}/screens/phan-dinh-phung-1" in printed
        assert f"http://127.0.0.1:{port}/v/" in printed
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
            assert answer.status == 200
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/login", timeout=10) as answer:
            assert "DỮ LIỆU THỬ" in answer.read().decode()
        assert run_demo(instance, "--port", str(port)).stderr.startswith("motcua: Port")
        second = run_demo(instance, "--port", str(free_port()))
        assert (second.returncode, second.stderr.count("\n")) == (1, 1)
        assert "in use" in second.stderr
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0
    assert count(instance, "SELECT count(*) FROM offices") == len(PLACES)
    assert count(instance, "SELECT count(*) FROM installation WHERE kind = 'demo'") == 1
    first_password = re.search(r"login: (\S+)", printed)
    with demo(instance, port, "--speed", "20") as (_, printed_again):
        answers = "SELECT count(*) FROM office_events WHERE \"by\" LIKE 'token:%' AND kind = 'called'"
        wait_until(lambda: count(instance, answers) > 3, 20)
    second_password = re.search(r"login: (\S+)", printed_again)
    assert first_password is not None
    assert second_password is not None
    assert len(second_password[1]) >= 15
    assert first_password[1] != second_password[1]
    assert (instance / "motcua.sqlite3").read_text() == "real data"
    assert sorted(path.name for path in instance.iterdir()) == ["demo", "motcua.sqlite3"]


def test_a_folder_that_the_demonstration_did_not_make_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "motcua.sqlite3").write_text("precious")
    refused = run_demo(tmp_path, "--port", str(free_port()))
    assert refused.returncode == 1
    assert refused.stderr.startswith("motcua: ")
    assert refused.stderr.count("\n") == 1
    assert "left alone" in refused.stderr
    (tmp_path / "demo" / MARK).write_text("a mark of somebody else")
    assert run_demo(tmp_path, "--port", str(free_port())).returncode == 1
    assert (tmp_path / "demo" / "motcua.sqlite3").read_text() == "precious"


def test_a_folder_that_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    refused = run_demo(tmp_path / "file", "--port", str(free_port()))
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "cannot be used" in refused.stderr


def test_the_demonstration_has_its_offices_and_they_are_always_open() -> None:
    offices = read_offices((ROOT / "feedback" / "demo_offices.toml").read_text("utf-8"))
    assert {office.code for office in offices} == set(PLACES)
    assert {"05443", "24181", "03356", "03244", "12364", "12391"} <= {office.unit for office in offices}
    assert len(offices) >= 12
    assert all(not office.hours for office in offices)
    for office in offices:
        own = {code for counter in office.counters for code, delay in counter.services.items() if delay == 0}
        assert own == {service.code for service in office.services}
        assert PLACES[office.code].yours in {None, *(counter.code for counter in office.counters)}


def simulate(monkeypatch: pytest.MonkeyPatch, url: str, folder: Path, *options: str) -> Result:
    monkeypatch.setenv("MOTCUA_DATABASE_URL", url)
    monkeypatch.setenv("MOTCUA_INSTANCE", str(folder))
    return CliRunner().invoke(motcua.main, ["simulate", *options])


def test_simulate_fills_the_last_days_of_an_office_once(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("--office", cast.OFFICE, "--days", "7", "--seed", "3", "--per-day", "10")
    done = simulate(monkeypatch, sqlite_url, tmp_path, *asked)
    assert done.exit_code == 0, done.output
    assert re.search(rf"{cast.OFFICE}: 7 days from \d{{4}}-\d\d-\d\d, [1-9]\d+ visits", done.output)
    again = simulate(monkeypatch, sqlite_url, tmp_path, *asked)
    assert again.exit_code == 1
    assert "has had visits since" in again.output
    nowhere = simulate(monkeypatch, sqlite_url, tmp_path, "--office", "nowhere", "--days", "1")
    assert (nowhere.exit_code, "no office has the code 'nowhere'" in nowhere.output) == (1, True)
    assert simulate(monkeypatch, sqlite_url, tmp_path, "--office", cast.OFFICE, "--days", "0").exit_code == 2
