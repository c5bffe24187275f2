import json

import pytest

from reasonmill.verify.test_case import BadTestCase, parse_test_case


def test_the_three_kinds_are_read_from_objects_and_from_their_text():
    for case in (
        {"call_type": "assert", "fn_name": "f", "assert_case": ["assert f(1) == 1"]},
        {"call_type": "std", "inputs": ["1\n"], "outputs": ["2\n"]},
        {"call_type": "functional", "fn_name": "f", "inputs": [[1, [2]]], "outputs": [3]},
    ):
        assert parse_test_case(case) == parse_test_case(json.dumps(case))
        assert parse_test_case(case).call == case["call_type"]


def test_the_call_type_may_be_missing():
    assert parse_test_case({"assert_case": ["assert True"], "inputs": None}).call == "assert"
    assert parse_test_case({"inputs": ["1"], "outputs": ["1"]}).call == "std"
    assert parse_test_case({"fn_name": "f", "inputs": [[1]], "outputs": [1]}).call == "functional"


def test_lists_become_lines_of_values():
    suite = parse_test_case({"call_type": "std", "inputs": [[[1, 2], "x"]], "outputs": [[3]]})
    assert suite.cases == ("1 2\nx",)
    assert suite.expected == ("3",)


def test_arguments_may_be_json_text():
    suite = parse_test_case(
        {"call_type": "functional", "fn_name": "f", "inputs": ["[1, 2]", "1\n[2]"], "outputs": ["3", "ab"]}
    )
    assert suite.cases == ([1, 2], [1, [2]])
    assert suite.expected == (3, "ab")


@pytest.mark.parametrize(
    "case",
    [
        "{",
        "[]",
        "{}",
        {"call_type": "magic"},
        {"call_type": "std", "inputs": ["1"], "outputs": []},
        {"call_type": "functional", "inputs": [[1]], "outputs": [1]},
        {"call_type": "functional", "fn_name": "f", "inputs": [{"a": 1}], "outputs": [1]},
        {"call_type": "assert", "assert_case": [1]},
        {"call_type": "assert", "assert_case": "assert True"},
        {"call_type": "std", "inputs": [None], "outputs": ["1"]},
        {"call_type": "assert", "fn_name": 3, "assert_case": []},
        {"call_type": "functional", "fn_name": "f", "inputs": ["[" * 9999], "outputs": ["1"]},
        {"call_type": "functional", "fn_name": "f", "inputs": ["1\n" + "[" * 9999], "outputs": ["1"]},
        {"call_type": "functional", "fn_name": "f", "inputs": ["1"], "outputs": ["[" * 9999]},
    ],
)
def test_what_cannot_be_read_is_an_error_and_no_empty_suite(case):
    with pytest.raises(BadTestCase):
        parse_test_case(case)
