"""pass@1 inside a run: with the evaluation's sampling, written as it comes, and never twice."""

import asyncio
import types
from contextlib import closing

import orjson
import pytest

from reasonmill.engine.flow.evaluation import evaluate_teachers
from reasonmill.engine.flow.telemetry import Telemetry
from reasonmill.engine.recipe import load_recipe
from reasonmill.engine.teachers.vllm_teacher import VllmTeacher
from reasonmill.engine.teachers.wire import Answer
from reasonmill.verify.verdict import scored

RECIPE = """
run: {seed: 4}
queries: {paths: [none.jsonl]}
teachers:
  - {name: one, model: m, temperature: 0.9, top_k: 5, system_prompt: Be brief., max_num_seqs: 2}
  - {name: two, model: m, max_num_seqs: 2}
  - {name: far, kind: endpoint, base_url: "http://127.0.0.1:9/v1"}
evaluate: {questions: [sums.jsonl], samples_per_question: 2, temperature: 0.3}
"""


class Echo:
    """An engine that answers at once, and remembers how it was asked."""

    def __init__(self):
        self.asked = []

    async def ask(self, turns, generation_prompt, sampling):
        self.asked.append((turns, sampling))
        await asyncio.sleep(0)
        text = "\\boxed{2}" if sampling.seed % 2 else "\\boxed{3}"
        return Answer(id=0, text=text, finish_reason="stop", prompt_tokens=1, completion_tokens=4)


class Twos:
    async def verify(self, request):
        return scored(float("{2}" in request.response), verifier="twos", reason="ok")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Evaluates the teachers of a recipe; gives how the engine was asked."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    rows = [{"prompt": f"{i} + {2 - i}?", "ground_truth": "2"} for i in range(3)]
    (tmp_path / "sums.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    recipe = load_recipe(tmp_path / "recipe.yaml")
    paths = types.SimpleNamespace(root=tmp_path / "run", logs=tmp_path / "run" / "logs")

    def evaluate():
        engine = Echo()
        teachers = {one.name: VllmTeacher(one, engine) for one in recipe.teachers}
        with closing(Telemetry(tmp_path / "run")) as telemetry:
            asyncio.run(evaluate_teachers(recipe, paths, teachers, Twos(), telemetry))
        return engine.asked

    return evaluate


def test_teachers_in_the_process_tree_are_asked_with_the_evaluations_sampling(run, tmp_path):
    asked = run()
    assert len(asked) == 2 * 3 * 2
    assert {(sampling.temperature, sampling.top_k, sampling.max_tokens) for _, sampling in asked} == {(0.3, 0, 49_152)}
    assert not any(sampling.loop_breaker.enabled for _, sampling in asked)
    assert sum(turns[0] == ("system", "Be brief.") for turns, _ in asked) == 6
    results = orjson.loads((tmp_path / "run" / "evaluation.json").read_bytes())["results"]
    assert [(row["role"], row["name"], row["num_questions"]) for row in results] == [
        ("teacher", "one", 3),
        ("teacher", "two", 3),
    ]


def test_what_has_a_result_or_an_answer_is_not_asked_again(run, tmp_path):
    run()
    path = tmp_path / "run" / "evaluation.json"
    before = path.read_bytes()
    assert run() == []
    assert path.read_bytes() == before
    path.unlink()  # as after a death before the first result was written
    assert run() == []
    assert path.read_bytes() == before
