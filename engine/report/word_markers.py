"""How often reasoning hesitates: words per trace that mark a turn of thought (arXiv 2503.19855 section 4), on a sample
of each teacher's traces that is the same for the same dataset.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from reasonmill.engine.quality.marker_words import WORDS, count_words
from reasonmill.engine.store.shards import read_shard_rows

_MAX_SHARDS, _ROWS_OF_EACH = 20, 100  # 2,000 traces of 30k tokens are read in some 3 s


@dataclass(frozen=True, kw_only=True, slots=True)
class Markers:
    """Mean occurrences per trace of each of WORDS, over `num_traces` traces."""

    num_traces: int
    per_trace: dict[str, float]


def count_markers(shards: Sequence[Path]) -> dict[str, Markers]:
    """Markers by teacher, from the first traces of shards spread over all of a teacher's."""
    found = {}
    for teacher in sorted({shard.parent.name for shard in shards}):
        own = [shard for shard in shards if shard.parent.name == teacher]
        chosen = own[:: -(-len(own) // _MAX_SHARDS)]
        counts: Counter[str] = Counter()
        num_traces = 0
        for shard in chosen:
            for row in islice(read_shard_rows([shard], ["think_content"]), _ROWS_OF_EACH):
                counts.update(dict(zip(WORDS, count_words(row["think_content"]), strict=True)))
                num_traces += 1
        if num_traces:
            found[teacher] = Markers(num_traces=num_traces, per_trace={w: counts[w] / num_traces for w in WORDS})
    return found
