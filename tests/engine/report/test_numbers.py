import math

import pytest

from reasonmill.engine.report import numbers


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (7, "7"),
        (0.25, "0.25"),
        (987, "987"),
        (1234, "1.23K"),
        (999_600, "1M"),
        (45_600_000, "45.6M"),
        (1e9, "1B"),
    ],
)
def test_short_has_three_digits_and_a_magnitude(value: float, written: str) -> None:
    assert numbers.short(value) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0 s"),
        (0.0123, "12 ms"),
        (12.34, "12.3 s"),
        (61, "1 min 01 s"),
        (3599.6, "1 h 00 min"),
        (7 * 3600 + 62, "7 h 01 min"),
        (200_000, "2 d 07 h"),
    ],
)
def test_durations_have_two_units(seconds: float, written: str) -> None:
    assert numbers.duration(seconds) == written


@pytest.mark.parametrize("nothing", [None, "12", True, math.nan, math.inf, [1]])
def test_what_is_no_number_is_a_dash(nothing: object) -> None:
    written = {numbers.count(nothing), numbers.short(nothing), numbers.percent(nothing), numbers.duration(nothing)}
    written |= {numbers.size(nothing), numbers.moment(nothing), numbers.fixed(nothing), numbers.share(nothing, 2)}
    assert written == {numbers.DASH}


def test_a_share_of_nothing_is_a_dash() -> None:
    assert numbers.share(0, 0) == numbers.DASH


def test_times_on_an_axis_are_short() -> None:
    assert [numbers.clock(t) for t in (0, 0.5, 20, 90, 7500, 172_800)] == [
        "0",
        "0.5 s",
        "20 s",
        "1:30",
        "2:05 h",
        "2 d",
    ]
