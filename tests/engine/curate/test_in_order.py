"""Work on several threads comes back in order, fails where it fails, and does not run ahead."""

import threading

import pytest

from reasonmill.engine.curate.in_order import in_order


@pytest.mark.parametrize("num_threads", [0, 1, 2, 5])
def test_results_come_in_the_order_of_the_work(num_threads: int) -> None:
    waits = {3: threading.Event()}

    def do(piece: int) -> int:
        if num_threads == 5 and piece == 3:
            assert waits[3].wait(60), "piece 4 was never begun"
        if piece == 4:
            waits[3].set()
        return piece * piece

    assert list(in_order(range(20), do, num_threads)) == [n * n for n in range(20)]


@pytest.mark.parametrize("num_threads", [1, 3])
def test_what_work_raises_is_raised_behind_what_came_before(num_threads: int) -> None:
    def do(piece: int) -> int:
        if piece == 4:
            raise ValueError("piece 4")
        return piece

    found: list[int] = []
    with pytest.raises(ValueError, match="piece 4"):
        found.extend(in_order(range(9), do, num_threads))
    assert found == [0, 1, 2, 3]


def test_no_more_is_begun_than_may_wait() -> None:
    begun: list[int] = []

    def pieces():  # type: ignore[no-untyped-def]
        for piece in range(100):
            begun.append(piece)
            yield piece

    results = in_order(pieces(), lambda piece: piece, 2)
    assert next(results) == 0
    assert len(begun) == 4
    results.close()
    assert len(begun) == 4
