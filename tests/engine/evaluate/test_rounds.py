"""Multi-round thinking: what is asked, and what each further round is said to have changed."""

import asyncio
from dataclasses import dataclass, field

from reasonmill.engine.evaluate.benchmark import Benchmark
from reasonmill.engine.evaluate.prompts import PRESETS
from reasonmill.engine.evaluate.result import Judged, summarise
from reasonmill.engine.evaluate.sampling import Plan, Sampling
from reasonmill.engine.evaluate.trajectories import trajectories
from reasonmill.engine.quality.marker_words import count_words
from reasonmill.engine.records import Message, Query
from reasonmill.engine.teachers.protocol import Generation, RequestRefused
from reasonmill.verify.verdict import scored


@dataclass
class Replies:
    """Gives these replies in turn: text, and how it finished."""

    replies: list[tuple[str, str]]
    name: str = "t"
    max_num_seqs: int = 1
    asked: list = field(default_factory=list)

    def watch(self, grown):
        pass

    async def generate(self, request):
        text, reason = self.replies[len(self.asked)]
        self.asked.append(request)
        if reason == "refuse":
            raise RequestRefused(text)
        return Generation(text=text, finish_reason=reason, prompt_tokens=1, completion_tokens=9, duration_s=0.0)


class Sevens:
    async def verify(self, request):
        right = request.response.endswith("7</answer>")
        return scored(float(right), verifier="sevens", reason="ok" if right else "wrong_answer")


def run(replies, rounds, prompts="plain"):
    teacher = Replies(replies)
    message = Message(role="user", content="Three plus four?")
    query = Query(id="q", messages=(message,), category="math", source="s", ground_truth="7")
    benchmark = Benchmark(name="b", questions=(query,), samples_per_question=1)
    plan = Plan(benchmark=benchmark, seed=1, prompts=PRESETS[prompts], rounds=rounds)
    samples = asyncio.run(Sampling(teacher, Sevens(), plan).run())
    return sorted(samples, key=lambda sample: sample.round), teacher


def test_each_round_is_asked_with_the_last_answer_alone_in_the_words_of_the_paper():
    replies = [
        ("<think>Hm.</think><answer> 8 </answer>", "stop"),
        ("<think>Wait.</think><answer>7</answer>", "stop"),
        ("<answer>7</answer>", "stop"),
    ]
    samples, teacher = run(replies, 3)
    first, second, third = (request.messages[-1].content for request in teacher.asked)
    assert first == "Three plus four?"
    assert second == (
        "Three plus four?\nThe assistant’s previous answer is: <answer> 8 </answer>, and please re-answer."
    )
    assert third == second.replace(" 8 ", " 7 ")
    assert all(len(request.messages) == 1 for request in teacher.asked)
    assert len({request.seed for request in teacher.asked}) == 3
    assert [sample.right for sample in samples] == [False, True, True]


def test_the_question_of_a_round_is_the_question_as_it_was_put_with_suffix_and_system_prompt():
    _, teacher = run([("<answer>8</answer>", "stop"), ("<answer>7</answer>", "stop")], 2, "nac")
    system, user = teacher.asked[1].messages
    assert system == teacher.asked[0].messages[0]
    assert user.content == (
        "Three plus four?\nLet’s think step by step and output the final answer within \\box."
        "\nThe assistant’s previous answer is: <answer> 8 </answer>, and please re-answer."
    )


def test_a_round_that_came_to_no_answer_leaves_the_question_as_it_was():
    _, teacher = run([("<think>on and on", "length"), ("<answer>7</answer>", "stop")], 2)
    assert teacher.asked[1].messages == teacher.asked[0].messages


def test_a_refused_round_is_wrong_and_so_is_what_follows():
    samples, teacher = run([("<answer>7</answer>", "stop"), ("too long", "refuse")], 3)
    assert len(teacher.asked) == 2
    assert [(sample.right, sample.refused) for sample in samples] == [(True, False), (False, True), (False, True)]


def test_words_are_whole_words_in_any_case():
    assert count_words("But wait: WAIT, awaiting. Maybe, maybe; butter… therefore!") == (1, 2, 2, 1)


def judged(question, number, rounds):
    return [
        Judged(
            question=question,
            source="s",
            right=right,
            completion_tokens=tokens,
            finished=True,
            number=number,
            round=round_number,
            words=(tokens, 0, 0, 0),
        )
        for round_number, (right, tokens) in enumerate(rounds, start=1)
    ]


def test_trajectories_tell_what_became_of_right_and_wrong_answers():
    samples = [
        *judged(0, 1, [(True, 100), (True, 50)]),
        *judged(0, 2, [(True, 300), (False, 400)]),
        *judged(1, 1, [(False, 500), (True, 200)]),
        *judged(1, 2, [(False, 700), (True, 300)]),
        *judged(2, 1, [(False, 900), (None, 100)]),  # not checked: in no trajectory
    ]
    found = {change.kind: change for change in trajectories("m", "b", samples)}
    assert {kind: (change.num_samples, change.share) for kind, change in found.items()} == {
        "C-C": (1, 0.25),
        "C-I": (1, 0.25),
        "I-C": (2, 0.5),
        "all": (4, 1.0),
    }
    assert found["I-C"].mean_completion_tokens == (600.0, 250.0)
    assert found["all"].words["but"] == (400.0, 237.5)
    changed = found["I-C"].num_samples - found["C-I"].num_samples
    first, second = (summarise("m", [s for s in samples if s.round == r and s.question < 2], 2) for r in (1, 2))
    assert (second.pass_at_1 - first.pass_at_1) * 4 == changed


def test_one_round_has_no_trajectories():
    assert trajectories("m", "b", judged(0, 1, [(True, 1)])) == []
