"""The first pass over queries, in batches of any size: what deciding needs of each text is kept, the text is not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from reasonmill.engine.curate import filters
from reasonmill.engine.curate.decontaminate import Evaluation
from reasonmill.engine.curate.filters import Finding
from reasonmill.engine.curate.settings import CurateSettings
from reasonmill.kernels import corpus
from reasonmill.kernels.corpus import Banding
from reasonmill.kernels.hints import hints
from reasonmill.kernels.matches import Matches
from reasonmill.kernels.prints import Prints
from reasonmill.kernels.texts import Excerpts, Spans, Texts

EXACT_ONLY = Banding(bands=0, rows=0)  # what exact duplicates need is read in any case


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What was found in some texts; `findings`: by number, ascending, the filter that a text fails."""

    prints: Prints
    matches: Matches
    findings: list[tuple[int, Finding]]


class FirstPass:
    """Reads each text once. `is_incomplete` is a further judge of incompleteness, asked about texts that pass all
    filters. About 240 bytes of each text remain.
    """

    def __init__(
        self, evaluation: Evaluation, settings: CurateSettings, is_incomplete: Callable[[str], bool] | None = None
    ) -> None:
        self._index = evaluation.index if evaluation.items else None
        self._settings = settings
        self._is_incomplete = is_incomplete
        self.banding = EXACT_ONLY if settings.near_duplicate_threshold is None else Banding()
        self.prints: list[Prints] = []
        self._matches: list[Matches] = []

    def read(self, texts: Sequence[str]) -> list[Finding | None]:
        """For each of the next texts the filter that it fails, or None."""
        seen = self.look(texts, self._settings.num_threads)
        self.keep(seen)
        findings: list[Finding | None] = [None] * len(texts)
        for number, finding in seen.findings:
            findings[number] = finding
        return findings

    def look(self, texts: Texts, num_threads: int) -> "Seen":
        """What is found in some texts; nothing is kept, so that several threads may look at once."""
        prints, matches = corpus.read(
            texts,
            banding=self.banding,
            index=self._index,
            least_tokens=self._settings.decontaminate.containment_tokens,
            num_threads=num_threads,
        )
        settings, is_incomplete = self._settings.filters, self._is_incomplete
        asked = filters.to_be_asked(texts, prints.num_words, settings)
        numbers = range(len(texts)) if is_incomplete else np.flatnonzero(asked).tolist()
        chosen = [texts.text(number) if isinstance(texts, Spans | Excerpts) else texts[number] for number in numbers]
        findings = []
        for number, text, holds in zip(numbers, chosen, hints(chosen).tolist(), strict=True):
            words = int(prints.num_words[number])
            finding = filters.check(text, words, settings, is_incomplete, holds=holds)
            if finding is not None:
                findings.append((number, finding))
        return Seen(prints=prints, matches=matches, findings=findings)

    def keep(self, seen: "Seen") -> None:
        """Keep what was found in the next texts."""
        self.prints.append(seen.prints)
        self._matches.append(seen.matches)

    def take_prints(self, *others: Prints) -> Prints:
        """Of all texts that were read, and of others behind them; once, for the parts are let go."""
        self.prints.extend(others)
        return Prints.joined(self.prints, self.banding.bands)

    def take_matches(self) -> Matches:
        """Of all texts that were read, once."""
        matches, self._matches = Matches.joined(self._matches), []
        return matches
