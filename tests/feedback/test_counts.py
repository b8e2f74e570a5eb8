"""Counts from elsewhere: read strictly, reported in one fixed shape."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.counts import UnreadableCounts, as_text, read_counts, report, utf8_lines
from feedback.sipas import METHODS, Tally

HEADER = "unit,element,criterion,level,count"
WARD = {
    "rộng rãi, thoáng mát": (2, 18, 98, 117, 53),
    "đầy đủ tiện nghi": (25, 36, 47, 118, 62),
    "trang phục lịch sự": (5, 17, 54, 87, 125),
    "thông tin dễ tra cứu": (13, 48, 126, 65, 36),
}


def lines_of(criteria, unit="Phường Minh Tân", element="Tiếp cận dịch vụ"):
    yield HEADER + "\n"
    for criterion, counts in criteria.items():
        for level, count in enumerate(counts, 1):
            yield f'{unit},{element},"{criterion}",{level},{count}\n'


def test_a_published_survey_gives_the_published_figures():
    figures = report(read_counts(lines_of(WARD)))

    unit = figures["units"][0]
    element = unit["elements"][0]
    assert figures["method"] == "top-two"
    assert (unit["unit"], unit["n"], unit["index"]) == ("Phường Minh Tân", 1152, 57.55)
    assert (element["code"], element["n"], element["index"]) == ("Tiếp cận dịch vụ", 1152, 57.55)
    assert [criterion["index"] for criterion in element["criteria"]] == [59.03, 62.5, 73.61, 35.07]
    assert [criterion["mean"] for criterion in element["criteria"]] == [3.7, 3.54, 4.08, 3.22]
    assert element["criteria"][0]["shares"] == [0.69, 6.25, 34.03, 40.63, 18.4]


def test_the_report_has_the_documented_shape_and_is_json():
    figures = json.loads(json.dumps(report(read_counts([HEADER, "u,e,c,5,27", "u,e,c,2,3"]))))

    criterion = {
        "code": "c",
        "n": 30,
        "levels": [0, 3, 0, 0, 27],
        "shares": [0, 10, 0, 0, 90],
        "mean": 4.7,
        "index": 90,
        "interval": [74.38, 96.54],
    }
    element = {"code": "e", "index": 90, "interval": [74.38, 96.54], "n": 30, "criteria": [criterion]}
    unit = {"unit": "u", "index": 90, "interval": [74.38, 96.54], "n": 30, "elements": [element]}
    assert figures == {"method": "top-two", "units": [unit]}


def test_the_index_of_a_unit_is_the_mean_over_criteria_not_over_elements():
    text = [HEADER, "u,a,1,5,1", "u,b,1,1,1", "u,b,2,1,1", "u,b,3,1,1"]

    unit = report(read_counts(text))["units"][0]

    assert [element["index"] for element in unit["elements"]] == [100, 0]
    assert unit["index"] == 25


def test_what_nobody_answered_is_null_and_changes_nothing():
    unit = report(read_counts([HEADER, "u,a,1,5,3", "u,a,1,1,1", "u,a,2,5,0"]))["units"][0]

    silent = unit["elements"][0]["criteria"][1]
    assert (silent["n"], silent["index"], silent["interval"], silent["mean"]) == (0, None, None, None)
    assert silent["shares"] == [None] * 5
    assert unit["index"] == 75


@pytest.mark.parametrize("method", sorted(METHODS))
def test_the_table_names_its_method_and_its_columns_stand_straight(method):
    printed = as_text(report(read_counts([*lines_of(WARD), "Xã An Bình,Kết quả,đúng hạn,5,0\n"]), method))

    heading, _, *table = printed.splitlines()
    assert heading == f"method: {method}"
    assert len(table) == 1 + 2 + 4 + 3
    column = table[0].index("index") + len("index")
    assert all(row[column - 1].isdigit() or row[column - 1] in "x-" for row in table)
    assert all(row[column : column + 2] == "  " for row in table)


def test_order_of_columns_byte_order_mark_and_empty_lines_do_not_matter():
    text = ["\ufeffcount,level,criterion,element,unit\r\n", "\r\n", "3,5,c,e,u\r\n", ",,,,\r\n", " 1 , 4 ,c,e,u\r\n"]

    assert read_counts(text) == {"u": {"e": {"c": Tally((0, 0, 0, 1, 3))}}}


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ([], 1, "no counts"),
        (["\ufeff"], 1, "no counts"),
        ([HEADER], 1, "no counts"),
        (["unit,element,level,count"], 1, "lacks criterion"),
        (["unit;element;criterion;level;count"], 1, "by commas"),
        (["unit,unit,element,criterion,level,count"], 1, "twice"),
        (["u,e,c,5,3"], 1, "header lacks"),
        ([HEADER, "u,e,c,5,3", "u,e,c,0,1"], 3, "level '0'"),
        ([HEADER, "u,e,c,6,1"], 2, "level '6'"),
        ([HEADER, "u,e,c,4.5,1"], 2, "level '4.5'"),
        ([HEADER, "", "u,e,c,5,-1"], 3, "count '-1'"),
        ([HEADER, "u,e,c,5,1.5"], 2, "count '1.5'"),
        ([HEADER, "u,e,c,5,"], 2, "count ''"),
        ([HEADER, "u,e,c,5,٣"], 2, "whole number"),
        ([HEADER, "u,e,c,5," + "9" * 5_000], 2, "12 digits"),
        ([HEADER, ",e,c,5,1"], 2, "unit is empty"),
        ([HEADER, "u,e, ,5,1"], 2, "criterion is empty"),
        ([HEADER, "u,e,c,5"], 2, "4 fields"),
        ([HEADER, "u,e,c,5,1,2"], 2, "6 fields"),
        ([HEADER, "u,e,c,5,1", "u,e,d,5,1", "u,e,c,5,1"], 4, "already given"),
        ([HEADER, 'u,e,"c"x,5,1'], 2, "not CSV"),
        ([HEADER, 'u,e,"c,5,1'], 2, "not CSV"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_with_the_reason(text, line, reason):
    with pytest.raises(UnreadableCounts, match=reason) as refused:
        read_counts(row + "\n" for row in text)

    assert refused.value.line == line
    assert str(refused.value).startswith(f"line {line}: ")


def test_a_wrong_encoding_is_named_with_its_line():
    with pytest.raises(UnreadableCounts, match="line 2: the file is not UTF-8"):
        read_counts(utf8_lines([HEADER.encode() + b"\n", b"Ph\xb0\xeang,e,c,5,1\n"]))


def test_an_unknown_method_is_refused():
    with pytest.raises(KeyError):
        report({}, "median")


names = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=5)
levels = st.tuples(*[st.integers(min_value=0, max_value=999)] * 5)


@given(st.dictionaries(st.tuples(names, names, names), levels, min_size=1, max_size=6), st.randoms())
def test_the_order_of_rows_changes_no_figure(criteria, shuffle):
    quoted = {key: ",".join('"' + part.replace('"', '""') + '"' for part in key) for key in criteria}
    rows = [
        f"{quoted[key]},{level},{count}\n" for key, counts in criteria.items() for level, count in enumerate(counts, 1)
    ]
    shuffled = shuffle.sample(rows, len(rows))
    expected = {}
    for (unit, element, criterion), counts in criteria.items():
        expected.setdefault(unit, {}).setdefault(element, {})[criterion] = Tally(counts)

    assert read_counts([HEADER + "\n", *rows]) == read_counts([HEADER + "\n", *shuffled]) == expected
