"""The collector's pace belongs to the block alone, and cycles made in it are still found."""

import gc
import weakref

from reasonmill.engine.flow.collector import THRESHOLDS, seldom_collected


class Knot:
    """An object that holds itself."""

    def __init__(self):
        self.itself = self


def test_the_pace_is_as_before_after_the_block_and_cycles_do_not_pile_up():
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    with seldom_collected():
        assert gc.get_threshold() == THRESHOLDS
        knots = [weakref.ref(Knot()) for _ in range(3 * THRESHOLDS[0])]
        assert sum(knot() is not None for knot in knots) <= THRESHOLDS[0]
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == frozen
