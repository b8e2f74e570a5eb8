"""The office file (contract.md, section 6): read whole or not at all, and a second load changes what changed."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from sqlalchemy import func, select

import app as motcua
from core.db import reader
from queueing.models import Counter, PriorityClass, Service
from queueing.office_file import OfficeFileError, read_offices
from tests import cast
from tests.desk import Desk, everything
from units.models import Office

SMALL = """
[[office]]
code = "an-binh-2"
unit = "90001"
name = "Điểm tiếp nhận số 2"

[[office.service]]
code = "A"
name = "Đất đai"

[[office.counter]]
code = "1"
name = "Quầy 1"
services = ["A"]
"""


@pytest.fixture
def load(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """`load(text)` is `motcua offices load` on a file with this text."""
    settings = app.config["MOTCUA"]
    monkeypatch.setenv("MOTCUA_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("MOTCUA_INSTANCE", str(settings.instance))

    def run(text: str) -> Result:
        (tmp_path / "offices.toml").write_text(text, "utf-8")
        return CliRunner().invoke(motcua.main, ["offices", "load", str(tmp_path / "offices.toml")])

    return run


def test_defaults_are_those_of_the_contract() -> None:
    (office,) = read_offices(SMALL)
    assert (office.timezone, office.hours, office.policy) == ("Asia/Ho_Chi_Minh", [], "virtual-arrival")
    (service,) = office.services
    assert (service.prefix, service.floor_s, service.daily_limit) == ("A", 20, None)
    assert office.counters[0].services == {"A": 0}


def test_the_example_of_the_contract_can_be_read() -> None:
    (office,) = read_offices(
        """
        [[office]]
        code = "an-binh-1"                 # in every address
        unit = "05908"
        name = "Điểm tiếp nhận số 1"
        timezone = "Asia/Ho_Chi_Minh"
        hours = ["mon-fri 07:30-11:30", "mon-fri 13:30-17:00"]
        policy = "interleave:3"

        [[office.service]]
        code = "A"
        prefix = "A"
        name = "Tư pháp - Hộ tịch - Chứng thực"
        floor_s = 0
        daily_limit = 300

        [[office.service]]
        code = "B"
        name = "Đất đai"

        [[office.counter]]
        code = "1"
        name = "Quầy 1"
        services = ["A", "B+10"]

        [[office.priority]]
        code = "elderly"
        name = "Người cao tuổi"
        head_start_min = 30
        """
    )
    assert office.counters[0].services == {"A": 0, "B": 10}
    assert (office.services[0].floor_s, office.services[0].daily_limit) == (0, 300)
    assert office.priorities[0].head_start_min == 30


def test_names_come_into_one_normal_form() -> None:
    (office,) = read_offices(SMALL.replace("Đất đai", "Đất đai"))
    assert office.services[0].name == "Đất đai"


MISTAKES = [
    ("", "line 1: the file has no [[office]]"),
    ("[[office", "line 1"),
    ("[office]\ncode = 'x'", "line 1: write [[office]] with double brackets"),
    (SMALL.replace('code = "an-binh-2"', 'code = "An Bình"'), "line 3: code: 'An Bình' is not allowed here"),
    (SMALL.replace('code = "an-binh-2"\n', ""), "line 2: code: is missing"),
    (SMALL.replace("an-binh-2", "x" * 65), "line 3: code:"),
    (SMALL.replace('"90001"', "90001"), "line 4: unit: needs a text"),
    (SMALL.replace('"90001"', '"901"'), "line 4: unit: '901' is not allowed here"),
    (SMALL.replace("số 2", "số \\u0000"), "line 5: name:"),
    (SMALL.replace("Điểm", "Đ" * 120), "line 5: name: has"),
    (SMALL.replace('name = "Điểm', 'colour = "red"\nname = "Điểm'), "line 5: 'colour' is not known here"),
    (SMALL.replace('unit =', 'hours = ["mon-fri 17:00-07:30"]\nunit ='), "line 4: hours: hours"),
    (SMALL.replace('unit =', 'hours = ["mon 25:00-26:00"]\nunit ='), "line 4: hours: hours"),
    (SMALL.replace('unit =', 'policy = "random"\nunit ='), "line 4: policy:"),
    (SMALL.replace('unit =', 'timezone = "Asia/Hanoi"\nunit ='), "line 4: timezone: 'Asia/Hanoi' is not known"),
    (SMALL.replace('code = "A"', 'code = "A"\nfloor_s = -1'), "line 9: floor_s: needs a whole number from 0"),
    (SMALL.replace('code = "A"', 'code = "A"\nfloor_s = true'), "line 9: floor_s:"),
    (SMALL.replace('code = "A"', 'code = "A"\ndaily_limit = 0'), "line 9: daily_limit: needs a whole number from 1"),
    (SMALL.replace('code = "A"', 'code = "A"\nprefix = "A1"'), "line 9: prefix: 'A1' is not allowed here"),
    (SMALL.replace('["A"]', '["B"]'), "line 14: services: this office has no service 'B'"),
    (SMALL.replace('["A"]', '["A+x"]'), "line 14: services: 'A+x'"),
    (SMALL.replace('["A"]', '["A", "A+5"]'), "line 14: services: service 'A' stands here twice"),
    (SMALL + SMALL, "line 16: office 'an-binh-2' stands in the file twice"),
    (SMALL + '[[office.counter]]\ncode = "1"\nname = "Lại"\n', "line 15: counter '1' stands in this office twice"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), MISTAKES, ids=[told[:40] for _, told in MISTAKES])
def test_a_mistake_is_told_with_line_and_reason(text: str, told: str) -> None:
    with pytest.raises(OfficeFileError) as error:
        read_offices(text)
    assert told in str(error.value)


def test_the_same_file_again_changes_nothing(app: Flask, desk: Desk, load: object) -> None:
    desk.issue()
    before = everything(app)
    told = load(cast.OFFICES)  # type: ignore[operator]
    assert (told.exit_code, told.stdout) == (0, "an-binh-1: unchanged\nbinh-minh-1: unchanged\n")
    assert everything(app) == before


def test_a_changed_file_changes_that_and_nothing_else(app: Flask, desk: Desk, load: object) -> None:
    waiting = desk.issue("B")
    desk.counter("1", "open")
    before = everything(app)
    text = cast.OFFICES.replace("Đất đai - Xây dựng - Môi trường", "Đất đai").replace(
        'services = ["A", "B+10"]', 'services = ["A", "B+5"]'
    )
    told = load(text)  # type: ignore[operator]
    assert (told.exit_code, told.stdout) == (0, "an-binh-1: changed\nbinh-minh-1: unchanged\n")
    after = everything(app)
    changed = {table for table in after if after[table] != before[table]}
    assert changed == {"services", "counter_services", "offices", "office_events"}
    assert len(set(after["services"]) - set(before["services"])) == 1
    assert len(after["office_events"]) == len(before["office_events"]) + 1
    assert desk.events()[-1]["kind"] == "settings_changed"
    assert desk.program.get(f"/tickets/{waiting['id']}").json["state"] == "waiting"
    assert desk.state()["counters"][0]["state"] == "open"


def test_what_is_missing_from_the_file_is_put_out_of_use_and_comes_back_with_it(
    app: Flask, desk: Desk, load: object
) -> None:
    desk.issue("B")
    shorter = cast.OFFICES.replace('[[office.counter]]\ncode = "3"\nname = "Quầy 3"\nservices = ["A", "B"]\n', "")
    load(shorter)  # type: ignore[operator]
    assert [one["code"] for one in desk.program.get(f"/offices/{cast.OFFICE}").json["counters"]] == ["1", "2"]
    desk.counter("3", "open", status=404)
    load(cast.OFFICES)  # type: ignore[operator]
    desk.counter("3", "open")
    with app.app_context(), reader() as session:
        counts = [session.scalar(select(func.count()).select_from(kind)) for kind in (Service, Counter, PriorityClass)]
    assert counts == [3, 4, 1], "updated, never duplicated"


def test_a_mistake_anywhere_leaves_nothing_half_done(app: Flask, load: object) -> None:
    before = everything(app)
    for text, told in (
        (SMALL + cast.OFFICES.replace('"90002"', '"90009"'), "no commune has the code '90009' today"),
        (SMALL + cast.OFFICES.replace("mon-fri 07:30", "mon-fri 7h30"), "line "),
    ):
        result = load(text)  # type: ignore[operator]
        assert result.exit_code == 1
        (line,) = result.stderr.splitlines()
        assert line.startswith("motcua: ")
        assert "offices.toml: line " in line
        assert told in line
    assert everything(app) == before


def test_new_hours_act_at_once(app: Flask, desk: Desk, load: object) -> None:
    assert desk.state()["open"] is True
    text = cast.OFFICES.replace('unit = "90001"', 'unit = "90001"\nhours = ["mon-fri 13:30-17:00"]')
    assert load(text).exit_code == 0  # type: ignore[operator]
    assert desk.state()["open"] is False


def test_a_new_office_works_from_its_first_minute(app: Flask, desk: Desk, load: object) -> None:
    assert load(SMALL).stdout == "an-binh-2: created\n"  # type: ignore[operator]
    with app.app_context(), reader() as session:
        office = session.scalars(select(Office).where(Office.code == "an-binh-2")).one()
        assert (office.unit_code, office.is_open) == (cast.AN_BINH, True)
    path = "/api/v1/offices/an-binh-2/state"
    assert desk.program.client.get(path).json["services"][0]["name"] == "Đất đai"
