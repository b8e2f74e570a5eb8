"""The `motcua` command (contract.md, section 1): 0, 1 or 2, and one clear line when something is wrong."""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import app as motcua
from tests import cast

Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder that the settings point at, and nothing of this machine's own settings."""
    for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "BASE_URL", "TRUSTED_HOSTS", "PROXY_HOPS", "WORKERS"):
        monkeypatch.delenv(f"MOTCUA_{name}", raising=False)
    monkeypatch.setenv("MOTCUA_INSTANCE", str(tmp_path / "data"))
    monkeypatch.setenv("MOTCUA_LOG_LEVEL", "WARNING")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


@pytest.fixture
def run(folder: Path) -> Run:
    """`run("token", "list")` is `motcua token list`."""
    return lambda *words: CliRunner().invoke(motcua.main, [str(word) for word in words], prog_name="motcua")


@pytest.fixture
def ready(run: Run, folder: Path, sqlite_template: Path) -> Run:
    """The same on a database with the cast."""
    folder.mkdir()
    (folder / "motcua.sqlite3").write_bytes(sqlite_template.read_bytes())
    return run


def commands(group: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield words
    if isinstance(group, click.Group):
        for name, child in group.commands.items():
            yield from commands(child, (*words, name))


def failed(result: Result, told: str) -> None:
    """Exit 1 with one line that says so."""
    assert result.exit_code == 1, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("motcua: ")
    assert told in line
    assert result.stdout == ""


def test_every_command_explains_itself_and_needs_no_database_for_it(run: Run, folder: Path) -> None:
    for words in commands(motcua.main):
        result = run(*words, "--help")
        assert result.exit_code == 0
        assert "Usage: motcua" in result.stdout
        lines = [line for line in result.stdout.splitlines() if line.strip()]
        assert not lines[1].startswith("Options"), f"{words} does not say what it does"
    assert not folder.exists()


def test_the_commands_of_the_contract_are_there() -> None:
    there = set(commands(motcua.main))
    promised = {
        ("init",), ("serve",), ("demo",), ("token", "create"), ("token", "list"), ("token", "revoke"),
        ("units", "load"), ("offices", "load"), ("index",), ("verify",), ("simulate",),
    }  # fmt: skip
    assert promised - there == set()


@pytest.mark.parametrize(
    "words",
    [
        "nonsense", "init --fast", "token", "token create", "token create --role king", "token revoke",
        "token revoke x",
        "token revoke 99999999999999999999", "serve --port 0", "serve --port 70000", "serve --workers 0", "index",
        "index nowhere.csv", "offices load", "offices load nowhere.toml", "units load nowhere.csv", "staff add",
        "staff add an --role king", "index --method best nowhere.csv", "",
    ],
)  # fmt: skip
def test_wrong_usage_is_exit_2_and_says_what_was_wrong(run: Run, words: str) -> None:
    result = run(*words.split())
    assert result.exit_code == 2
    assert "Usage: motcua" in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_init_prints_a_code_until_there_is_an_admin(run: Run, folder: Path) -> None:
    first = run("init")
    assert (first.exit_code, first.stderr) == (0, "")
    code = r"at /setup: ([0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4})$"
    assert re.search(code, first.stdout.strip())
    second = run("init")
    assert second.exit_code == 0
    assert re.search(code, second.stdout.strip())
    assert first.stdout != second.stdout, "the older code is dead"
    assert run("staff", "add", "admin", "--role", "admin").exit_code == 0
    third = run("init")
    assert (third.exit_code, third.stdout) == (0, "The database is up to date.\n")
    assert (folder / "motcua.sqlite3").exists()


def test_nothing_works_on_a_database_that_is_not_set_up(run: Run) -> None:
    for words in ("token list", "verify", "units load", "serve", "staff add an --role admin"):
        failed(run(*words.split()), "run `motcua init`")


def test_a_newer_database_is_left_alone(ready: Run, folder: Path) -> None:
    with sqlite3.connect(folder / "motcua.sqlite3") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    for words in ("init", "token list", "verify", "serve"):
        failed(ready(*words.split()), "the database was made by a newer version (schema 9999)")


def test_a_data_folder_that_cannot_be_written_is_named(run: Run, folder: Path) -> None:
    folder.write_text("in the way")
    failed(run("init"), f"the data folder {folder} cannot be written")


def test_a_file_that_is_no_database_is_named(run: Run, folder: Path) -> None:
    folder.mkdir()
    (folder / "motcua.sqlite3").write_bytes(b"not a database" * 1000)
    failed(run("init"), "motcua.sqlite3 cannot be used (file is not a database)")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MOTCUA_DATABASE_URL", "mysql://h/db"),
        ("MOTCUA_DATABASE_URL", "nonsense"),
        ("MOTCUA_REDIS_URL", "memcached://h"),
        ("MOTCUA_BASE_URL", "motcua"),
        ("MOTCUA_LOG_LEVEL", "LOUD"),
        ("MOTCUA_PROXY_HOPS", "x"),
        ("MOTCUA_SECRET_KEY", "short"),
    ],
)
def test_a_wrong_setting_stops_every_start_with_its_name(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    for words in ("init", "serve", "token list"):
        failed(run(*words.split()), name)


def test_settings_may_stand_in_a_file_and_the_environment_is_stronger(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MOTCUA_LOG_LEVEL")
    (folder.parent / ".env").write_text("MOTCUA_LOG_LEVEL=LOUD\n", "utf-8")
    failed(run("token", "list"), "MOTCUA_LOG_LEVEL='LOUD'")
    monkeypatch.setenv("MOTCUA_LOG_LEVEL", "WARNING")
    failed(run("token", "list"), "run `motcua init`")
    (folder.parent / ".env").write_bytes(b"\xff\xfeM\x00")
    failed(run("token", "list"), "the file .env cannot be read: save it as UTF-8")


def test_tokens_are_shown_once_listed_without_their_secret_and_revoked(ready: Run) -> None:
    made = ready("token", "create", "--office", cast.OFFICE, "--role", "kiosk", "--name", "cửa chính")
    (secret,) = made.stdout.splitlines()
    assert len(secret) >= 32
    reader = ready("token", "create", "--role", "reader", "--unit", cast.PROVINCE)
    assert reader.exit_code == 0
    listed = ready("token", "list").stdout
    assert listed == f"1\tkiosk\t{cast.OFFICE}\tvalid\tcửa chính\n2\treader\t{cast.PROVINCE}\tvalid\t\n"
    assert ready("token", "revoke", "1").exit_code == 0
    assert ready("token", "list").stdout.startswith(f"1\tkiosk\t{cast.OFFICE}\trevoked ")
    assert ready("token", "revoke", "1").exit_code == 0
    failed(ready("token", "revoke", "99"), "Không có mã truy cập này.")


def test_a_token_needs_a_place_that_is_there(ready: Run) -> None:
    failed(ready("token", "create", "--office", "nowhere", "--role", "kiosk"), "“nowhere”")
    failed(ready("token", "create", "--role", "kiosk"), "Không có điểm tiếp nhận")
    failed(ready("token", "create", "--role", "reader", "--unit", "99999"), "“99999”")
    failed(ready("token", "create", "--office", cast.OFFICE, "--role", "kiosk", "--name", "x" * 121), "120")
    assert ready("token", "list").stdout == ""


def test_accounts_are_made_with_a_password_that_is_shown_once(ready: Run) -> None:
    made = ready("staff", "add", "Hoa.2", "--role", "clerk", "--office", cast.OFFICE)
    assert (made.exit_code, len(made.stdout.strip())) == (0, 20)
    failed(ready("staff", "add", "hoa.2", "--role", "admin"), "đã có")
    failed(ready("staff", "add", "hoa", "--role", "clerk"), "Không có điểm tiếp nhận")
    failed(ready("staff", "add", "hoà", "--role", "admin"), "không dấu")


def test_units_are_loaded_from_what_ships_and_a_second_time_nothing_is_new(run: Run) -> None:
    run("init")
    first = run("units", "load")
    assert first.exit_code == 0
    assert re.fullmatch(r"\d+ new, 0 changed, 0 unchanged\n", first.stdout)
    second = run("units", "load")
    assert re.fullmatch(r"0 new, 0 changed, \d+ unchanged\n", second.stdout)


def test_units_of_a_file_are_read_whole_or_not_at_all(ready: Run, folder: Path) -> None:
    head = "code,name,kind,parent,valid_from,valid_to\n"
    file = folder / "units.csv"
    file.write_text(head + "90009,Xã Thử,xa,90,2026-01-01,\n", "utf-8")
    assert ready("units", "load", file).stdout == "1 new, 0 changed, 0 unchanged\n"
    for text, told in (
        ("a,b\n", "line 1: the columns must be code,name,kind,parent,valid_from,valid_to"),
        (head + "90008,Xã Kia,xa,90,2026-01-01,\nx,Xã Kia,xa,90,,\n", "line 3: "),
        (head + "90008,Xã Kia,xa,90,01/01/2026,\n", "line 2: a date is written 2025-07-01"),
    ):
        file.write_text(text, "utf-8")
        failed(ready("units", "load", file), told)
    file.write_bytes(head.encode() + "90008,Xã Kia,xa,90,,\n".encode("utf-16"))
    failed(ready("units", "load", file), "UTF-8")
    file.write_text(head + "90009,Xã Thử,xa,90,2026-01-01,\n", "utf-8")
    assert ready("units", "load", file).stdout == "0 new, 0 changed, 1 unchanged\n"


def test_verify_says_how_much_it_checked(ready: Run) -> None:
    result = ready("verify")
    assert (result.exit_code, result.stderr) == (0, "")
    assert re.fullmatch(r"all well: \d+ events, 0 tickets checked\n", result.stdout)


COUNTS = """unit,element,criterion,level,count
u1,access,a1,1,1
u1,access,a1,2,2
u1,access,a1,3,3
u1,access,a1,4,10
u1,access,a1,5,4
"""


def test_the_index_of_counts_from_elsewhere_needs_no_database(run: Run, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "counts.csv").write_text(COUNTS, "utf-8")
    for method, index in (("top-two", 70.0), ("mean5", 74.0), ("rescaled", 67.5)):
        result = run("index", tmp_path / "counts.csv", "--method", method, "--json")
        assert result.exit_code == 0
        (unit,) = json.loads(result.stdout)["units"]
        assert (unit["unit"], unit["n"], unit["index"]) == ("u1", 20, index)
        (criterion,) = unit["elements"][0]["criteria"]
        assert (criterion["code"], criterion["levels"], criterion["mean"]) == ("a1", [1, 2, 3, 10, 4], 3.7)
    assert "70" in run("index", tmp_path / "counts.csv").stdout
    assert not folder.exists()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("unit,element", "unit;element", "line 1"),
        ("a1,3,3", "a1,6,3", "line 4"),
        ("a1,3,3", "a1,0,3", "line 4"),
        ("a1,3,3", "a1,3,-1", "line 4"),
        ("a1,3,3", "a1,3,1.5", "line 4"),
        ("a1,3,3", "a1,3", "line 4"),
    ],
)
def test_a_line_that_cannot_be_read_is_exit_2_with_its_number(
    run: Run, tmp_path: Path, old: str, new: str, told: str
) -> None:
    (tmp_path / "counts.csv").write_text(COUNTS.replace(old, new), "utf-8")
    result = run("index", tmp_path / "counts.csv")
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1
