"""What a scheduler is held against, on the same simulated answers: the rounds with barriers that others run, and the
time below which nobody can come.

A request's share of every step it takes part in is known (`speed.py`), so that the work of a set of answers has a
closed form that does not depend on their order: fixed costs are shared best in a full batch. Divided by the replicas it
is a lower bound of the wall time, reached by who keeps every batch full to the end and asks nothing in vain.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from reasonmill.engine.records import Query, attempt_seed
from reasonmill.engine.simulation.answers import Answer, AnswerModel
from reasonmill.engine.simulation.batch import Batch
from reasonmill.engine.simulation.settings import SimulationSettings
from reasonmill.engine.simulation.speed import speed
from reasonmill.engine.teachers.protocol import GenerationRequest


@dataclass(frozen=True, kw_only=True)
class World:
    """One teacher of a run: its model, its replicas, and how often a query is asked."""

    settings: SimulationSettings
    teacher: str
    max_num_seqs: int = 32  # of one replica
    max_tokens: int = 32_768
    max_attempts: int = 8
    until_right: bool = True  # False: every query is asked max_attempts times
    run_seed: int = 0
    answers: AnswerModel | None = None  # other answers than those of the settings

    def model(self) -> AnswerModel:
        """Its answers."""
        return self.answers or AnswerModel(self.settings, teacher=self.teacher, max_tokens=self.max_tokens)

    @property
    def capacity(self) -> float:
        """Seconds of a replica's work, at the published speed, that are done in a second."""
        return self.settings.replicas * self.settings.speed_up

    def ask(self, model: AnswerModel, query: Query, number: int) -> Answer:
        """Attempt `number` at a query, as a run asks it."""
        seed = attempt_seed(self.run_seed, query.id, self.teacher, number)
        request = GenerationRequest(
            query_id=query.id, number=number, seed=seed, messages=query.messages, category=query.category
        )
        return model.answer(request)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a way of asking comes to."""

    seconds: float
    queries: int
    accepted: int
    accepted_tokens: int
    generated_tokens: int
    attempts: int
    rounds: int = 1

    @property
    def goodput(self) -> float:
        """Accepted tokens a second, of all replicas together."""
        return self.accepted_tokens / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """Times below which the same accepted answers cannot be had, in seconds."""

    needed: Outcome  # every attempt up to each query's accepted one, or its last, and nothing else
    accepted_only_s: float  # the accepted answers alone, as if it were known which they are
    longest_answer_s: float  # least time of any needed one, whatever the batch


def attempts_needed(queries: Iterable[Query], world: World) -> Iterator[list[Answer]]:
    """For each query its answers in order, up to the first right one or the last that may be asked."""
    model = world.model()
    for query in queries:
        answers: list[Answer] = []
        while len(answers) < world.max_attempts and not (world.until_right and answers and answers[-1].right):
            answers.append(world.ask(model, query, len(answers) + 1))
        yield answers


def work_s(tokens: int, prompt_tokens: int, world: World, *, batch: int) -> float:
    """Seconds of one replica's time that an answer takes as one of `batch` at a time."""
    costs = speed(world.settings.speed)
    steps = tokens + prompt_tokens / world.settings.speed.prefill_tokens
    held = steps * (prompt_tokens + steps / 2.0)  # context over all its steps
    return steps * (costs.fixed / batch + costs.request) + held * (costs.token + costs.context / batch)


def least_s(answer: Answer, world: World) -> float:
    """Seconds that an answer takes at least: without what the context of others could save it (`context`)."""
    costs = speed(world.settings.speed)
    steps = answer.tokens + answer.prompt_tokens / world.settings.speed.prefill_tokens
    return steps * (costs.fixed + costs.request + costs.token * (answer.prompt_tokens + steps / 2.0))


def bound(queries: Iterable[Query], world: World) -> Bound:
    """The lower bound of the world's wall time for these queries."""
    needed_s = accepted_s = longest_s = 0.0
    accepted = accepted_tokens = generated = attempts = asked = 0
    for answers in attempts_needed(queries, world):
        asked += 1
        for answer in answers:
            seconds = work_s(answer.tokens, answer.prompt_tokens, world, batch=world.max_num_seqs)
            needed_s += seconds
            longest_s = max(longest_s, least_s(answer, world))
            generated += answer.tokens
            attempts += 1
            if answer.right:
                accepted += 1
                accepted_tokens += answer.tokens
                accepted_s += seconds
    return Bound(
        needed=Outcome(
            seconds=needed_s / world.capacity,
            queries=asked,
            accepted=accepted,
            accepted_tokens=accepted_tokens,
            generated_tokens=generated,
            attempts=attempts,
        ),
        accepted_only_s=accepted_s / world.capacity,
        longest_answer_s=longest_s / world.settings.speed_up,
    )


def barrier_rounds(
    queries: Sequence[Query], world: World, *, verify_s: float = 0.0, verify_workers: int = 16
) -> Outcome:
    """Ask all, then verify all, then ask again what failed, until nothing is left or max_attempts rounds are over.

    Within a round it is the best such a loop can be: one queue for all replicas, each kept full from it.
    """
    model = world.model()
    now = 0.0
    accepted = accepted_tokens = generated = attempts = rounds = 0
    left = list(queries)
    while left and rounds < world.max_attempts:
        rounds += 1
        answers = [world.ask(model, query, rounds) for query in left]
        now += run_through(answers, world) + verify_s * -(-len(answers) // verify_workers)
        right = [answer for answer in answers if answer.right]
        accepted += len(right)
        accepted_tokens += sum(answer.tokens for answer in right)
        generated += sum(answer.tokens for answer in answers)
        attempts += len(answers)
        left = [query for query, answer in zip(left, answers, strict=True) if not answer.right]
    return Outcome(
        seconds=now,
        queries=len(queries),
        accepted=accepted,
        accepted_tokens=accepted_tokens,
        generated_tokens=generated,
        attempts=attempts,
        rounds=rounds,
    )


def run_through(answers: Sequence[Answer], world: World) -> float:
    """Seconds until the last of these is there, asked in order, each by the first replica that has a place."""
    settings = world.settings
    batches = [Batch(settings.speed, max_num_seqs=world.max_num_seqs) for _ in range(settings.replicas)]
    ids = iter(range(len(answers)))
    for _ in range(world.max_num_seqs):
        for batch in batches:
            _give(batch, ids, answers)
    now = 0.0
    while True:
        batch = min(batches, key=Batch.next_event)
        if not batch.running:
            return now / settings.speed_up
        now = batch.next_event()
        for _ in batch.advance(now):
            _give(batch, ids, answers)


def _give(batch: Batch, ids: Iterator[int], answers: Sequence[Answer]) -> None:
    id = next(ids, None)
    if id is not None:
        batch.add(id, prompt_tokens=answers[id].prompt_tokens, tokens=answers[id].tokens)
