"""What another round changed (arXiv 2503.19855 section 4): samples by whether they were right before and after, with
their lengths and marker words in both rounds.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from reasonmill.engine.evaluate.result import Judged
from reasonmill.engine.quality.marker_words import WORDS

KINDS = ("C-C", "C-I", "I-C", "I-I")  # correct or incorrect, before and after
ALL = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trajectory:
    """The samples of one kind from one round to the next; lengths and words are means of an answer, (before, after).

    `share` is of all samples that were checked in both rounds. Means are of the samples that have both answers.
    """

    name: str
    benchmark: str
    from_round: int
    to_round: int
    kind: str
    num_samples: int
    share: float
    mean_completion_tokens: tuple[float, float]
    words: dict[str, tuple[float, float]]


def trajectories(name: str, benchmark: str, samples: Sequence[Judged]) -> list[Trajectory]:
    """Every kind that occurs, and all together, for each round and the next."""
    by_round: defaultdict[int, dict[tuple[int, int], Judged]] = defaultdict(dict)
    for sample in samples:
        by_round[sample.round][sample.question, sample.number] = sample
    found: list[Trajectory] = []
    for before, after in zip(sorted(by_round)[:-1], sorted(by_round)[1:], strict=True):
        groups: defaultdict[str, list[tuple[Judged, Judged]]] = defaultdict(list)
        for key in sorted(by_round[before].keys() & by_round[after].keys()):
            pair = by_round[before][key], by_round[after][key]
            if pair[0].right is not None and pair[1].right is not None:
                groups["-".join("C" if one.right else "I" for one in pair)].append(pair)
                groups[ALL].append(pair)
        found += [
            _trajectory(name, benchmark, (before, after), kind, groups[kind], len(groups[ALL]))
            for kind in (*KINDS, ALL)
            if groups[kind]
        ]
    return found


def _trajectory(
    name: str,
    benchmark: str,
    rounds: tuple[int, int],
    kind: str,
    pairs: Sequence[tuple[Judged, Judged]],
    whole: int,
) -> Trajectory:
    answered = [pair for pair in pairs if pair[0].words and pair[1].words]

    def means(value: "list[tuple[float, float]]") -> tuple[float, float]:
        number = max(1, len(value))
        return sum(before for before, _ in value) / number, sum(after for _, after in value) / number

    return Trajectory(
        name=name,
        benchmark=benchmark,
        from_round=rounds[0],
        to_round=rounds[1],
        kind=kind,
        num_samples=len(pairs),
        share=len(pairs) / whole,
        mean_completion_tokens=means([(a.completion_tokens, b.completion_tokens) for a, b in answered]),
        words={word: means([(a.words[i], b.words[i]) for a, b in answered]) for i, word in enumerate(WORDS)},
    )
