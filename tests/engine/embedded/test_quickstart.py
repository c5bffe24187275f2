import hashlib
import itertools
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from reasonmill.engine.embedded.composition import MIN_QUERIES, compose, expected_removals
from reasonmill.engine.embedded.evaluation_problems import EVALUATION_PROBLEMS
from reasonmill.engine.embedded.questions import words_of
from reasonmill.engine.embedded.quickstart import QuickstartInputs, write_inputs
from reasonmill.engine.records import Query
from reasonmill.engine.store.readers import read_queries

KINDS = {
    "exact_duplicate", "reformatted_duplicate", "story", "near_duplicate", "number_variant", "url", "markdown_table",
    "latex_table", "empty", "incomplete", "broken_characters", "verbatim", "wrapped", "edited", "reworded",
}  # fmt: skip
SIZES = [MIN_QUERIES, 2000]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module", params=SIZES)
def inputs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> QuickstartInputs:
    return write_inputs(tmp_path_factory.mktemp("inputs"), num_queries=request.param, seed=6)


def test_every_line_is_a_query_and_ids_are_unique(inputs: QuickstartInputs) -> None:
    queries = list(read_queries([inputs.queries]))
    assert all(isinstance(query, Query) for query in queries)
    assert len(queries) in SIZES
    assert len({query.id for query in queries if isinstance(query, Query)}) == len(queries)
    assert {query.source for query in queries if isinstance(query, Query)} == {"toy", "reasoning_gym", "toy_programs"}


def test_code_queries_have_tests_and_a_script_and_math_queries_a_gold(inputs: QuickstartInputs) -> None:
    queries = lines(inputs.queries)
    code = {query["id"] for query in queries if query["category"] == "code"}
    assert all(query["test_case"] for query in queries if query["id"] in code)
    assert all(query["ground_truth"] for query in queries if query["id"] not in code)
    script = lines(inputs.script)
    assert {row["query_id"] for row in script} == code
    assert all(1 <= len(row["responses"]) <= 3 for row in script)


def test_planted_and_variant_ids_are_among_the_queries_and_apart(inputs: QuickstartInputs) -> None:
    ids = {query["id"] for query in lines(inputs.queries)}
    planted = json.loads(inputs.planted.read_text(encoding="utf-8"))
    variants = json.loads(inputs.variants.read_text(encoding="utf-8"))
    assert planted.keys() <= ids
    assert variants
    assert set(variants) <= ids - planted.keys()
    assert all(reasons for reasons in planted.values())


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_ones(tmp_path: Path) -> None:
    def digests(name: str, seed: int) -> list[str]:
        write_inputs(tmp_path / name, num_queries=80, seed=seed)
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((tmp_path / name).iterdir())]

    assert digests("a", 1) == digests("b", 1)
    assert digests("a", 1) != digests("c", 2)


@pytest.mark.parametrize("num_queries", SIZES)
def test_every_kind_is_present_and_the_number_is_exact(num_queries: int) -> None:
    entries = compose(num_queries, seed=2).entries
    assert len(entries) == num_queries
    assert {entry.plant.kind for entry in entries if entry.plant} == KINDS
    kinds = {kind for entry in entries if entry.program for kind in entry.program.kinds}
    assert "endless_loop" in kinds


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_clean_questions_differ_in_words_and_hold_no_held_back_question(seed: int) -> None:
    composition = compose(2000, seed=seed)
    clean = [words_of(entry.query.prompt) for entry in composition.entries if not entry.plant and not entry.program]
    assert len(clean) > 1800
    assert len(set(clean)) == len(clean)
    held_back = {words_of(query.prompt) for query in composition.held_back}
    assert len(held_back) == len(composition.held_back) == 240
    for entry in composition.entries:
        words = words_of(entry.query.prompt)
        for length in {len(other) for other in held_back}:
            windows = {words[i : i + length] for i in range(len(words) - length + 1)}
            assert not windows & held_back, entry


def test_of_each_pair_of_duplicates_the_larger_id_goes() -> None:
    composition = compose(2000, seed=4)
    removals = expected_removals(composition.entries)
    by_text: dict[str, list[str]] = {}
    for entry in composition.entries:
        by_text.setdefault(entry.query.prompt, []).append(entry.query.id)
    pairs = [sorted(ids) for ids in by_text.values() if len(ids) > 1]
    assert len(pairs) == 20
    for first, second in pairs:
        assert first not in removals
        assert removals[second] == ("exact_duplicate",)


def test_no_unplanted_pair_of_queries_is_a_near_duplicate_with_equal_numbers() -> None:
    composition = compose(2000, seed=5)
    gone = expected_removals(composition.entries)
    grams_of: dict[str, set[tuple[str, ...]]] = {}
    by_numbers: dict[tuple[str, ...], list[str]] = {}
    for entry in composition.entries:
        if entry.query.id not in gone:
            words = words_of(entry.query.prompt)
            grams_of[entry.query.id] = {words[i : i + 5] for i in range(max(1, len(words) - 4))}
            numbers = tuple(sorted(re.findall(r"\d+", entry.query.prompt)))
            by_numbers.setdefault(numbers, []).append(entry.query.id)
    for ids in by_numbers.values():
        for a, b in itertools.combinations(ids, 2):
            assert len(grams_of[a] & grams_of[b]) / len(grams_of[a] | grams_of[b]) < 0.8


def test_contaminated_copies_carry_the_gold_of_their_problem() -> None:
    golds = {text: str(gold) for text, gold in EVALUATION_PROBLEMS}
    found = Counter[str]()
    for entry in compose(2000, seed=1).entries:
        if entry.plant and entry.plant.kind in ("verbatim", "wrapped"):
            [gold] = [gold for text, gold in golds.items() if text in entry.query.prompt]
            assert entry.query.ground_truth == gold
            found[entry.plant.kind] += 1
    assert found == {"verbatim": 8, "wrapped": 8}


def test_the_evaluation_file_has_prompts_and_golds(inputs: QuickstartInputs) -> None:
    rows = lines(inputs.evaluation)
    assert [(row["prompt"], int(row["ground_truth"])) for row in rows] == list(EVALUATION_PROBLEMS)


def test_too_few_queries_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="num_queries: 10 is fewer than 60"):
        write_inputs(tmp_path, num_queries=10, seed=0)
