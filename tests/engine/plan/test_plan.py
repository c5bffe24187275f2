"""Plans of recipes: the same each time, near what the runs then do, and honest about what is assumed."""

from dataclasses import replace

import orjson
import pytest
from rich.console import Console

from reasonmill.engine.cli import run_command
from reasonmill.engine.plan.actual import compare
from reasonmill.engine.plan.make import make_plan
from reasonmill.engine.plan.settings import PlanSettings
from reasonmill.engine.run import run
from reasonmill.engine.simulation.settings import SimulationSettings

QUICK = PlanSettings(verify_s={"math": 0.0005})


def stage(plan, name):
    return next(one for one in plan.stages if one.name == name)


def test_the_same_recipe_gives_the_same_plan(recipe):
    assert make_plan(recipe(), QUICK) == make_plan(recipe(), QUICK)


def test_twice_the_queries_take_about_twice_the_time_of_a_full_teacher(recipe):
    small, large = (make_plan(recipe(num_queries=number), QUICK) for number in (300, 600))
    assert 1.6 < large.generate_s / small.generate_s < 2.2
    assert stage(large, "generate AM").figures["share_of_full_batches"] > 0.7


def test_a_plan_from_a_part_is_near_the_plan_of_the_whole(recipe):
    attempts = {"max_attempts": 4, "max_open_queries": 32}
    asked = recipe(["teachers.0.max_num_seqs=8"], num_queries=900, attempts=attempts)
    whole = make_plan(asked, QUICK)
    part = make_plan(asked, replace(QUICK, rehearse_queries=300))
    assert (whole.rehearsed_queries, part.rehearsed_queries) == (900, 300)
    assert part.generate_s == pytest.approx(whole.generate_s, rel=0.05)
    assert stage(part, "generate AM").tokens == pytest.approx(stage(whole, "generate AM").tokens, rel=0.05)


def test_every_response_of_k_pass_is_planned_and_every_right_one_is_a_sample(recipe):
    attempts = {"mode": "k_pass", "responses": 3, "max_open_queries": 32}
    asked = recipe(["teachers.0.max_num_seqs=8"], num_queries=400, attempts=attempts)
    plan = make_plan(asked, replace(QUICK, rehearse_queries=100))
    generate = stage(plan, "generate AM")
    assert plan.rehearsed_queries < 400
    assert generate.items == 3 * 400
    assert generate.figures["accepted"] > 400  # of 400 pairs


def test_a_slow_verifier_is_named_as_the_bottleneck(recipe):
    plan = make_plan(recipe(), PlanSettings(verify_s={"math": 30.0}))
    assert plan.bottleneck == "verify"
    assert plan.generate_s >= 0.9 * stage(plan, "verify").seconds


def test_a_run_makes_the_tokens_that_were_planned(recipe, tmp_path):
    asked = recipe(num_queries=300, speed_up=1000.0)
    plan = make_plan(asked, QUICK)
    run(asked, output_dir=str(tmp_path / "run"), resume=False, console=Console(quiet=True))
    compared = {f"{one.name} {one.unit}".strip(): one for one in compare(plan, tmp_path / "run")}
    assert compared["AM accepted"].ratio == 1.0
    assert compared["AM accepted tokens"].ratio == 1.0
    assert compared["AM attempts"].ratio == pytest.approx(1.0, abs=0.2)
    assert compared["generate s"].actual > 0.0
    again = make_plan(asked, QUICK, rates=tmp_path / "run")
    assert again.rates == {"AM": "measured"}
    assert stage(again, "generate AM").figures["accepted"] == pytest.approx(
        stage(plan, "generate AM").figures["accepted"], rel=0.05
    )


@pytest.mark.slow
def test_a_run_in_real_time_takes_as_long_as_planned(recipe, tmp_path):
    asked = recipe(num_queries=400, speed_up=60.0)
    plan = make_plan(asked, QUICK)
    run(asked, output_dir=str(tmp_path / "run"), resume=False, console=Console(quiet=True))
    compared = {one.name: one for one in compare(plan, tmp_path / "run")}
    assert compared["generate"].ratio == pytest.approx(1.0, abs=0.05)


def test_training_and_evaluation_are_planned_from_their_settings(recipe):
    plan = make_plan(
        recipe(
            num_queries=100,
            pack={"tokenizer": "embedded:tiny_teacher", "max_length": 1000},
            train={"model": "unknown/model", "num_ranks": 4, "max_steps": 50, "per_device_train_batch_size": 2},
            evaluate={"questions": ["none.jsonl"], "samples_per_question": 2},
        ),
        PlanSettings(gpus=16, student_parameters=1e9, mfu=0.5, gpu_flops=1e12),
    )
    training = stage(plan, "train")
    assert training.tokens == 50 * 8 * 1000
    assert training.seconds == pytest.approx(6 * 1e9 * training.tokens / (4 * 1e12 * 0.5))
    assert training.gpu_hours == pytest.approx(4 * training.seconds / 3600)
    assert stage(plan, "evaluate").items == 30 * 2 * 2
    assert plan.split.units.keys() == {"AM", "train"}
    assert plan.split.gpus <= 16


def test_the_command_prints_a_table_or_json(recipe_file, capsys, monkeypatch):
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    path = str(recipe_file(num_queries=60))
    assert run_command(["plan", path]) == 0
    printed = capsys.readouterr().out
    assert "generate AM" in printed
    assert "bottleneck" in printed
    assert run_command(["plan", path, "--json", "--gpus", "8", "attempts.max_attempts=2", "--set", "mfu=0.4"]) == 0
    told = orjson.loads(capsys.readouterr().out)
    assert told["split"]["units"] == {"AM": 2}
    assert {one["name"] for one in told["stages"]} == {"curate", "generate AM", "verify"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--set", "mfu=2"], "mfu: 2.0 is outside (0, 1]"),
        (["--set", "mfuu=0.2"], "did you mean 'mfu'?"),
        (["--set", "verify_s.poems=1"], "verify_s: 'poems' is none of"),
        (["--gpus", "0"], "gpus: 0 is not positive"),
        (["--run", "nowhere"], "--run: 'nowhere' is no folder of a run"),
        (["--rates", "."], "is no folder of a run"),
    ],
)
def test_what_cannot_be_planned_is_said_on_one_line(recipe_file, capsys, monkeypatch, arguments, told):
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    assert run_command(["plan", str(recipe_file(num_queries=20)), *arguments]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_what_keeps_a_plan_from_being_made_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.yaml").write_text(
        "queries: {generator: simulated, num_queries: 20}\nteachers: [{name: t, kind: simulated}]\n"
    )
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "journal.sqlite").write_bytes(b"no journal at all" * 100)
    deadly = "teachers.0.simulation.faults={deaths_per_hour: 1.0e+6, down_s: 1.0e+6}"
    for arguments, status, message in (
        (["--rates", "."], 2, "--rates: '.' is no folder of a run: it has no journal"),
        (["--run", "nowhere"], 2, "--run: 'nowhere' is no folder of a run"),
        (["--run", "damaged"], 1, "the journal of 'damaged' cannot be read: file is not a database"),
        ([deadly], 1, "no replica of t came back"),
    ):
        assert run_command(["plan", "recipe.yaml", *arguments]) == status
        told = capsys.readouterr().err
        assert told.startswith("error: ")
        assert message in told
        assert len(told.splitlines()) == 1


def test_teachers_of_different_sizes_have_rates_and_gpus_of_their_own(recipe):
    teachers = [{"name": name, "kind": "vllm", "model": "folder", "max_num_seqs": 16} for name in ("large", "small")]
    asked = recipe(num_queries=60, teachers=[*teachers, {"name": "api", "kind": "endpoint", "base_url": "http://a/v1"}])
    faster = SimulationSettings(length_scale=0.1, speed_up=4.0)
    plan = make_plan(asked, replace(QUICK, gpus_of={"small": 1, "api": 0}, teachers={"small": faster}))
    assert [stage(plan, f"generate {name}").gpus for name in ("large", "small", "api")] == [4, 1, 0]
    assert stage(plan, "generate small").seconds < stage(plan, "generate large").seconds / 4
    assert (plan.gpus, plan.split.units, plan.split.gpus_of_unit) == (
        5,
        {"large": 1, "small": 1},
        {"large": 4, "small": 1},
    )
    assert plan.warnings == ()
    with pytest.raises(ValueError, match="gpus_of: 'smal' is none of the recipe's teachers large, small, api"):
        make_plan(asked, replace(QUICK, gpus_of={"smal": 1}))


def test_assumed_answers_that_do_not_fit_are_warned_of(recipe):
    teacher = {"name": "t", "kind": "vllm", "model": "folder", "max_tokens": 256}
    (warning,) = make_plan(recipe(num_queries=20, teachers=[teacher]), QUICK).warnings
    assert warning.startswith("t: 100% of the answers that are assumed are longer than its max_tokens 256")
    assert make_plan(recipe(num_queries=20), QUICK).warnings == ()
