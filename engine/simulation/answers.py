"""What simulated teachers answer: right or wrong, how long, in which form. Everything is a function of the simulation's
seed, the query, the teacher and the request's seed, whoever asks and whenever.

A query has an ease and a length of its own, so that its attempts resemble each other; teachers share part of its ease.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from reasonmill.engine.records import Message, Query
from reasonmill.engine.simulation import draws, texts
from reasonmill.engine.simulation.profiles import PassRate, Quantile, length_quantiles, pass_rates
from reasonmill.engine.simulation.questions import named_category, right_answer
from reasonmill.engine.simulation.settings import FaultSettings, SimulationSettings
from reasonmill.engine.store.readers import read_queries
from reasonmill.engine.teachers.protocol import GenerationRequest
from reasonmill.verify.math_answer import extract_gold

SHORTEST = 16  # tokens of an answer: tags and result
SHORT_WORDS = 12  # words of a thought in short texts
CHARS_PER_TOKEN = 4  # of prompts


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One simulated answer. `tokens` are those that it takes; the text of a short one has fewer words."""

    right: bool
    tokens: int
    finish_reason: str
    prompt_tokens: int
    saved_tokens: int
    plan: texts.TextPlan

    @property
    def text(self) -> str:
        """The text, made when asked for."""
        return texts.text(self.plan)


class AnswerModel:
    """The answers of one teacher."""

    def __init__(
        self,
        settings: SimulationSettings,
        *,
        teacher: str,
        max_tokens: int,
        lengths: Mapping[str, Quantile] | None = None,
        wrong_lengths: Mapping[str, Quantile] | None = None,
        rates: Mapping[str, PassRate] | None = None,
    ) -> None:
        """`lengths`, `wrong_lengths` and `rates`, by category, take the place of the published ones."""
        self._settings = settings
        self._teacher = teacher
        self._max_tokens = max_tokens
        self._lengths = lengths or length_quantiles(settings.lengths)
        self._wrong_lengths = wrong_lengths or {}
        self._rates = rates or pass_rates(settings)
        self._known = _known_answers(settings.answers)

    def pass_probability(self, query: str, category: str) -> float:
        """Chance that an attempt at the query is right; `query` is the text of its last user turn."""
        return self._rates[category].at(self._ease(query))

    def answer(self, request: GenerationRequest) -> Answer:
        """The answer to a request."""
        settings, faults = self._settings, self._settings.faults
        query = request.messages[-1].content
        category = named_category(query) or request.category
        truth = self._known.get(query) or right_answer(query)
        lucky, longer, flawed, place = draws.shares("attempt", settings.seed, query, self._teacher, request.seed)
        right = truth is not None and lucky < self.pass_probability(query, category)
        limit = min(self._max_tokens, request.max_tokens or self._max_tokens)
        tokens = self._tokens(query, category, longer, right=right)
        flaw = _flaw(flawed, faults)
        finish, saved, loop_from = "stop", 0, 0
        if flaw == "loop":
            loop_from = min(int(place * tokens), limit - 1)
            breaks = faults.loop_break_tokens
            broken = limit if breaks is None else min(limit, loop_from + breaks)
            tokens, finish, saved = broken, "length" if broken == limit else "repetition", limit - broken
        elif flaw == "truncated" or tokens > limit:
            flaw, finish = "truncated", "length"
            tokens = min(limit, max(SHORTEST, int(place * tokens)) if tokens <= limit else limit)
        return Answer(
            right=right and not flaw,
            tokens=tokens,
            finish_reason=finish,
            prompt_tokens=prompt_tokens(request.messages),
            saved_tokens=saved,
            plan=texts.TextPlan(
                category=category,
                answer=truth if truth is not None and right else _wrong(truth, request.seed),
                tokens=tokens if settings.text_mode == "full" else min(tokens, SHORT_WORDS + SHORTEST),
                flaw=flaw,
                seed=int(place * 2**32),
                loop_from=loop_from if settings.text_mode == "full" else SHORT_WORDS,
            ),
        )

    def _ease(self, query: str) -> float:
        seed = self._settings.seed
        common = draws.normal(draws.shares("ease", seed, query)[0])
        own = draws.normal(draws.shares("ease of a teacher", seed, query, self._teacher)[0])
        return draws.mixed(common, own, self._settings.teacher_correlation)

    def _tokens(self, query: str, category: str, longer: float, *, right: bool) -> int:
        settings = self._settings
        common = draws.normal(draws.shares("length", settings.seed, query)[0])
        place = draws.mixed(common, draws.normal(longer), settings.length_correlation)
        share = draws.share_of(place)
        if right:
            tokens = self._lengths[category](share)
        elif category in self._wrong_lengths:
            tokens = self._wrong_lengths[category](share)
        else:
            tokens = self._lengths[category](share) * settings.wrong_length_factor
        return max(SHORTEST, round(tokens * settings.length_scale))


def prompt_tokens(messages: Iterable[Message]) -> int:
    """Tokens that a conversation counts for."""
    return 1 + sum(len(turn.content) // CHARS_PER_TOKEN + 1 for turn in messages)


def _flaw(share: float, faults: FaultSettings) -> texts.Flaw:
    if share < faults.truncation_rate:
        return "truncated"
    if share < faults.truncation_rate + faults.loop_rate:
        return "loop"
    return "second_think" if share < faults.truncation_rate + faults.loop_rate + faults.second_think_rate else ""


def _wrong(truth: str | None, seed: int) -> str:
    """A six-digit answer that is not the truth; equal seeds err equally."""
    wrong = 100_000 + seed % 7 * 111 + (int(truth) if truth is not None and truth.isdigit() else 0) % 899_000
    return str(wrong if str(wrong) != truth else wrong + 1)


def _known_answers(paths: tuple[str, ...]) -> dict[str, str]:
    """Answers by prompt; rows without one are left out. Raises ValueError for a file that is not there."""
    for path in paths:
        if not Path(path).is_file():
            raise ValueError(f"answers: the file {path!r} does not exist")
    known: dict[str, str] = {}
    for query in read_queries(paths):
        if isinstance(query, Query) and query.ground_truth:
            known[query.prompt] = extract_gold(query.ground_truth)
    return known
