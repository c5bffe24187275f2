"""The first pass over queries, in batches of any size: what deciding needs of each text is kept, the text is not."""

from collections.abc import Callable, Sequence

from reasonmill.engine.curate import filters
from reasonmill.engine.curate.decontaminate import Evaluation
from reasonmill.engine.curate.filters import Finding
from reasonmill.engine.curate.settings import CurateSettings
from reasonmill.kernels import corpus
from reasonmill.kernels.corpus import Banding
from reasonmill.kernels.hints import hints
from reasonmill.kernels.matches import Matches
from reasonmill.kernels.prints import Prints

EXACT_ONLY = Banding(bands=0, rows=0)  # what exact duplicates need is read in any case


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
        prints, matches = corpus.read(
            texts,
            banding=self.banding,
            index=self._index,
            least_tokens=self._settings.decontaminate.containment_tokens,
            num_threads=self._settings.num_threads,
        )
        self.prints.append(prints)
        self._matches.append(matches)
        settings, is_incomplete = self._settings.filters, self._is_incomplete
        return [
            filters.check(text, words, settings, is_incomplete, holds=holds)
            for text, words, holds in zip(texts, prints.num_words.tolist(), hints(texts).tolist(), strict=True)
        ]

    def take_prints(self, *others: Prints) -> Prints:
        """Of all texts that were read, and of others behind them; once, for the parts are let go."""
        self.prints.extend(others)
        return Prints.joined(self.prints, self.banding.bands)

    def take_matches(self) -> Matches:
        """Of all texts that were read, once."""
        matches, self._matches = Matches.joined(self._matches), []
        return matches
