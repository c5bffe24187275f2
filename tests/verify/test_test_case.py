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


def _functional(inputs, outputs, **others):
    return parse_test_case({"call_type": "functional", "fn_name": "f", "inputs": inputs, "outputs": outputs, **others})


def test_an_output_that_is_text_has_two_readings_where_the_arguments_are_values():
    assert (_functional([[1]], ["3"]).expected, _functional([[1]], ["3"]).also) == ((3,), (("3",),))
    assert _functional(["[1]"], ["3"]).also == ((),)
    assert _functional(["[1]"], ["True"]).also == ((True,),)
    assert _functional(["[1]"], ["(1, 2)"]).also == (([1, 2],),)
    assert _functional([[1], [2]], [3, "4"]).first(1).also == ((),)


def test_outputs_without_a_call_type_may_be_in_lists_of_their_own():
    case = {"fn_name": "f", "inputs": [[1], [2]], "outputs": [[3], [4]]}
    assert parse_test_case(case).also == ((3,), (4,))
    assert parse_test_case({**case, "outputs": [[3], [4, 5]]}).also == ((), ())
    assert parse_test_case({**case, "call_type": "functional"}).also == ((), ())


def test_a_single_value_is_one_argument():
    assert _functional([3, None], [4, 5]).cases == ([3], [None])
    assert _functional(["[1, 2]", "[3]"], ["1", "1"]).one_list
    assert not _functional([[1, 2]], [1]).one_list


@pytest.mark.parametrize(
    "case",
    [
        {"call_type": "functional", "fn_name": "f", "inputs": [[1]], "outputs": [float("nan")]},
        '{"call_type": "functional", "fn_name": "f", "inputs": [[1]], "outputs": [[1, {"a": NaN}]]}',
        {"call_type": "assert", "assert_case": ["import numpy as np\nassert np.sum(f()) == 1"]},
        {"call_type": "assert", "assert_case": ["assert f()", "from pytest import raises"]},
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
