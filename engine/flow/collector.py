"""Python's garbage collector while a run lasts: rarely, and not over what was there before.

Nearly everything that a run allocates goes by reference counts; what is left to the collector are exceptions that hold
their own frames. At its usual pace it walks all modules and all open queries again and again.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# Objects made since the last look at the youngest, and such looks between looks at older ones. CPU time of an attempt
# with 3,000 in flight, two busy cores: Python's 700, 10, 10: 249 us; with what was there left alone: 225; these: 212;
# never: 210.
THRESHOLDS = (20_000, 20, 50)


@contextmanager
def seldom_collected() -> Iterator[None]:
    """The block's pace of collection; what is there already is left alone meanwhile. As before afterwards."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
