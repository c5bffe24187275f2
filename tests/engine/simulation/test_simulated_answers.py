"""Answers follow the published figures, are a function of who is asked what, and the real verifiers can read them."""

import asyncio
import statistics

import orjson
import pytest

from reasonmill.engine.distill.settings import AttemptSettings
from reasonmill.engine.quality.assess import assess
from reasonmill.engine.quality.settings import QualitySettings
from reasonmill.engine.records import Attempt, Message
from reasonmill.engine.simulation.answers import AnswerModel
from reasonmill.engine.simulation.profiles import category_shares, length_quantiles, pass_rates
from reasonmill.engine.simulation.questions import right_answer, simulated_queries, write_simulated_queries
from reasonmill.engine.simulation.settings import LENGTH_PROFILES, FaultSettings, SimulationSettings
from reasonmill.engine.store.readers import read_queries
from reasonmill.engine.teachers.protocol import GenerationRequest
from reasonmill.verify.pool import VerifierPool
from reasonmill.verify.settings import VerifySettings

SHARES = [(n + 0.5) / 20_000 for n in range(20_000)]


def model(settings=None, *, teacher="t", max_tokens=32_768):
    return AnswerModel(settings or SimulationSettings(), teacher=teacher, max_tokens=max_tokens)


def ask(answers, query, seed):
    return answers.answer(
        GenerationRequest(query_id=query.id, number=1, seed=seed, messages=query.messages, category=query.category)
    )


@pytest.mark.parametrize(
    ("profile", "mean", "quartiles"),
    [
        ("AM-Thinking-v1", 3757.3, (969, 1860, 4491)),
        ("Qwen3-235B-A22B", 4196.7, (1613, 2908, 5619)),
        ("DeepSeek-R1", 3784.8, (1613, 2533, 4640)),
    ],
)
def test_math_lengths_have_the_printed_mean_and_quartiles(profile, mean, quartiles):
    quantile = length_quantiles(profile)["math"]
    lengths = [quantile(share) for share in SHARES]
    assert statistics.fmean(lengths) == pytest.approx(mean, rel=0.005)
    assert statistics.quantiles(lengths, n=4) == pytest.approx(quartiles, rel=0.04)


def test_other_categories_have_the_printed_means():
    for profile in LENGTH_PROFILES:
        assert length_quantiles(profile).keys() >= {"math", "code", "science", "if", "other", "multiturn"}
    quantile = length_quantiles("AM-Thinking-v1")["code"]
    code = [quantile(share) for share in SHARES]
    assert statistics.fmean(code) == pytest.approx(5176.2, rel=0.01)


def test_four_attempts_a_query_give_the_published_histogram_of_right_ones():
    answers = model()
    counts = [0] * 5
    for query in simulated_queries(4_000, categories=("math",)):
        counts[sum(ask(answers, query, seed).right for seed in range(4))] += 1
    published = (58_700, 28_500, 24_100, 36_200, 672_600)  # arXiv 2504.17565 figure 8, DeepSeek-R1
    assert [n / 4_000 for n in counts] == pytest.approx([n / sum(published) for n in published], abs=0.02)


def test_right_answers_are_as_long_as_published_and_wrong_ones_longer():
    answers = model()
    asked = [ask(answers, query, 1) for query in simulated_queries(6_000, categories=("math",))]
    right = statistics.fmean(one.tokens for one in asked if one.right)
    wrong = statistics.fmean(one.tokens for one in asked if not one.right)
    assert right == pytest.approx(3757.3, rel=0.06)
    assert wrong > 1.5 * right


def test_categories_come_by_their_published_shares():
    queries = list(simulated_queries(5_000))
    for category, share in category_shares().items():
        assert sum(q.category == category for q in queries) / 5_000 == pytest.approx(share, abs=0.02)


def test_an_answer_depends_on_seed_query_teacher_and_request_and_on_nothing_else():
    first, second = simulated_queries(2, categories=("math",))
    base = ask(model(), first, 1)
    assert ask(model(), first, 1) == base
    others = [
        ask(model(), first, 2),
        ask(model(), second, 1),
        ask(model(teacher="u"), first, 1),
        ask(model(SimulationSettings(seed=1)), first, 1),
    ]
    assert all(other.plan.seed != base.plan.seed for other in others)


def test_teachers_find_the_same_queries_hard():
    first, second = model(teacher="a"), model(teacher="b")
    pairs = [
        (first.pass_probability(q.prompt, "science"), second.pass_probability(q.prompt, "science"))
        for q in simulated_queries(2_000, categories=("science",))
    ]
    assert statistics.correlation(*zip(*pairs, strict=True)) > 0.5


def test_the_pass_rate_can_be_set_for_all_categories():
    assert pass_rates(SimulationSettings(pass_rate=0.3))["code"].average == pytest.approx(0.3)
    assert pass_rates(SimulationSettings(pass_rate=1.0))["math"].at(-4.0) == 1.0
    assert pass_rates(SimulationSettings(pass_rate=0.0))["if"].at(4.0) == 0.0
    even = pass_rates(SimulationSettings(pass_rate=0.3, pass_spread=0.0))["math"]
    assert even.at(-2.0) == even.at(2.0) == pytest.approx(0.3)


def attempt_at(query, answer, seed):
    return Attempt(
        query_id=query.id,
        teacher="t",
        number=1,
        seed=seed,
        text=answer.text,
        finish_reason=answer.finish_reason,
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.tokens,
        duration_s=1.0,
    )


@pytest.mark.parametrize("text_mode", ["short", "full"])
def test_the_real_verifier_and_the_quality_checks_agree_with_the_model(text_mode):
    faults = FaultSettings(truncation_rate=0.1, loop_rate=0.1, second_think_rate=0.1)
    answers = model(SimulationSettings(text_mode=text_mode, pass_rate=0.6, faults=faults))

    async def judge():
        async with VerifierPool(VerifySettings()) as pool:
            for query in simulated_queries(200, categories=("math", "science", "other")):
                attempt = attempt_at(query, answer := ask(answers, query, 5), 5)
                verdict = await pool.verify(attempt.request(query))
                assert (verdict.score or 0.0) >= AttemptSettings().threshold if answer.right else not verdict.score
                if answer.right:
                    assert assess(attempt, verdict, QualitySettings())[0].outcome == "pass"

    asyncio.run(judge())


def test_a_full_text_has_as_many_pieces_as_tokens():
    answers = model(SimulationSettings(text_mode="full"))
    for query in simulated_queries(50, categories=("math",)):
        answer = ask(answers, query, 1)
        assert len(answer.text.split()) == pytest.approx(answer.tokens, abs=12)


def test_written_queries_are_read_back_and_their_answers_follow_from_their_text(tmp_path):
    path = tmp_path / "queries.jsonl"
    write_simulated_queries(path, 300, seed=4)
    read = list(read_queries([path]))
    assert read == list(simulated_queries(300, seed=4))
    assert all(q.ground_truth in (None, right_answer(q.prompt)) for q in read)
    with pytest.raises(ValueError, match="'poetry'"):
        write_simulated_queries(path, 3, categories=("poetry",))


def test_answers_to_foreign_queries_are_right_only_with_their_file(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_bytes(orjson.dumps({"prompt": "What is 6 * 7?", "ground_truth": "#### 42", "category": "math"}))
    request = GenerationRequest(
        query_id="q", number=1, seed=1, messages=(Message(role="user", content="What is 6 * 7?"),), category="math"
    )
    sure = SimulationSettings(pass_rate=1.0)
    assert not model(sure).answer(request).right
    told = model(SimulationSettings(pass_rate=1.0, answers=(str(path),))).answer(request)
    assert told.right
    assert "\\boxed{42}" in told.text
    with pytest.raises(ValueError, match="nowhere"):
        model(SimulationSettings(answers=("nowhere.jsonl",)))
