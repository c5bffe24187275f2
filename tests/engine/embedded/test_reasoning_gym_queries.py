import itertools
from pathlib import Path

import pytest
import reasoning_gym

from reasonmill.engine.embedded.questions import words_of
from reasonmill.engine.embedded.reasoning_gym_queries import (
    ASKED,
    TAUGHT,
    gym_entries,
    reasoning_gym_queries,
    taught_questions,
    write_reasoning_gym_inputs,
)
from reasonmill.engine.records import Query
from reasonmill.engine.store.readers import read_queries


@pytest.mark.parametrize("task", TAUGHT)
def test_reasoning_gym_itself_scores_the_taught_answers_as_right(task: str) -> None:
    dataset = reasoning_gym.create_dataset(task, size=50, seed=5, **TAUGHT[task])
    for entry in dataset:
        assert dataset.score_answer(entry["answer"], entry) == 1.0
    golds = {entry["question"]: entry["answer"] for entry in dataset}
    for question in itertools.islice(taught_questions(task, seed=5), 2000):
        assert golds.get(question.question, question.gold) == question.gold


def test_neighbouring_seeds_do_not_repeat_each_other() -> None:
    def first(seed: int) -> list[tuple[str, str]]:
        return list(itertools.islice(gym_entries("products", seed=seed), 40))

    assert first(1)[1:] != first(2)[:-1]
    assert first(1) == first(1)


def test_queries_are_distinct_of_every_data_set_and_have_whole_numbers_as_golds() -> None:
    queries = list(reasoning_gym_queries(120, seed=3))
    assert len({words_of(query.prompt) for query in queries}) == len({query.id for query in queries}) == 120
    assert all(int(query.ground_truth or "") is not None for query in queries)
    for word in ("GCD", "LCM", "legs", "multiplication", "arithmetic", "Calculate"):
        assert any(word in query.prompt for query in queries), word
    assert len(ASKED) == 6


def test_the_file_reads_back_and_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    first = write_reasoning_gym_inputs(tmp_path / "a", num_queries=30, seed=1)
    second = write_reasoning_gym_inputs(tmp_path / "b", num_queries=30, seed=1)
    assert first.read_bytes() == second.read_bytes()
    assert [query.source for query in read_queries([first]) if isinstance(query, Query)] == ["reasoning_gym"] * 30


def test_a_number_that_is_not_positive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="num_queries: 0"):
        write_reasoning_gym_inputs(tmp_path, num_queries=0, seed=1)
