import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.engine.store.lengths import LengthCounts, box_of

lengths = st.lists(st.integers(0, 300), min_size=1, max_size=60)


def counted(values: list[int]) -> LengthCounts:
    counts = LengthCounts()
    for start in range(0, len(values), 7):
        counts.add(values[start : start + 7])
    return counts


@given(lengths, st.floats(0, 1))
def test_quantiles_are_those_of_numpy(values: list[int], share: float) -> None:
    assert counted(values).quantile(share) == pytest.approx(float(np.quantile(values, share)), abs=1e-9)


@given(lengths)
def test_box_figures_are_those_of_the_values_themselves(values: list[int]) -> None:
    ours, plain = counted(values).box(), box_of(values)
    for name in plain.__dataclass_fields__:
        assert getattr(ours, name) == pytest.approx(getattr(plain, name)), name


@given(lengths, st.integers(1, 64))
def test_a_histogram_counts_everything_once(values: list[int], width: int) -> None:
    bins = counted(values).histogram(width, 4)
    assert sum(bins) == len(values)
    for number in range(4):
        low = -1 if number == 0 else number * width
        assert bins[number] == sum(low < value <= (number + 1) * width for value in values)


@given(lengths, lengths)
def test_sums_are_those_of_both(first: list[int], second: list[int]) -> None:
    both = counted(first) + counted(second)
    assert (both.num, both.total, both.maximum) == (len(first + second), sum(first + second), max(first + second))


def test_nothing_has_no_quantile() -> None:
    assert (LengthCounts().num, LengthCounts().total, LengthCounts().maximum) == (0, 0, 0)
    with pytest.raises(ValueError, match="nothing"):
        LengthCounts().quantile(0.5)
    with pytest.raises(ValueError, match="nothing"):
        box_of([])
