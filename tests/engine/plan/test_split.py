"""The split of GPUs is the best there is: no other ends earlier."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonmill.engine.plan.split import Need, best_split

NEEDS = st.dictionaries(
    st.sampled_from(["a", "b", "train"]),
    st.builds(Need, seconds=st.floats(1.0, 1000.0), gpus=st.integers(1, 4), tail_s=st.floats(0.0, 50.0)),
    min_size=1,
)


@given(NEEDS, st.integers(1, 16))
def test_no_other_split_ends_earlier(needs, gpus):
    split = best_split(needs, gpus)
    times = [
        max(need.seconds / n + need.tail_s for need, n in zip(needs.values(), numbers, strict=True))
        for numbers in itertools.product(range(1, gpus + 1), repeat=len(needs))
        if sum(need.gpus * n for need, n in zip(needs.values(), numbers, strict=True)) <= gpus
    ]
    if not times:
        assert split is None
        return
    assert split.seconds == pytest.approx(min(times), rel=1e-6)
    assert split.gpus <= gpus


def test_more_work_gets_more_gpus():
    split = best_split({"slow": Need(seconds=300.0, gpus=4), "fast": Need(seconds=100.0, gpus=4)}, 64)
    assert split.units == {"slow": 12, "fast": 4}
    assert split.seconds == pytest.approx(25.0)
