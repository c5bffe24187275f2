import pytest

from reasonmill.verify.settings import (
    InstructionSettings,
    JudgeSettings,
    PuzzleSettings,
    SandboxSettings,
    VerifySettings,
)


@pytest.mark.parametrize(
    ("settings", "field", "value"),
    [
        (VerifySettings, "math_limit_s", 0.0),
        (VerifySettings, "math_workers", -1),
        (VerifySettings, "max_tests", 0),
        (VerifySettings, "cache_size", -5),
        (VerifySettings, "math_memory_mib", 1),
        (VerifySettings, "math_recycle_after", 0),
        (VerifySettings, "math_recycle_mib", 0),
        (VerifySettings, "science_tolerance", 1.5),
        (SandboxSettings, "slots", 1000),
        (SandboxSettings, "cpu_limit_s", float("nan")),
        (SandboxSettings, "memory_mib", 1),
        (SandboxSettings, "max_processes", 0),
    ],
)
def test_a_senseless_setting_is_refused_by_name_and_value(settings, field, value):
    with pytest.raises(ValueError, match=f"{field}: {value}"):
        settings(**{field: value})


@pytest.mark.parametrize("settings", [InstructionSettings, PuzzleSettings])
@pytest.mark.parametrize(("field", "value"), [("workers", -1), ("limit_s", 0.0), ("memory_mib", 1), ("recycle_mib", 0)])
def test_a_senseless_setting_of_a_checker_is_refused(settings, field, value):
    with pytest.raises(ValueError, match=f"{field}: {value}"):
        settings(**{field: value})


def test_defaults_are_worked_out_for_the_machine():
    assert VerifySettings().num_math_workers >= 1
    assert SandboxSettings().num_slots >= 1
    assert SandboxSettings(slots=3).num_slots == 3


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("base_url", "localhost:8000"),
        ("max_concurrency", 0),
        ("timeout_s", float("nan")),
        ("max_tries", 0),
        ("temperature", -1.0),
        ("cache_size", -1),
        ("first_pause_s", 60.0),
    ],
)
def test_a_senseless_setting_of_the_judge_is_refused(field, value):
    with pytest.raises(ValueError, match=f"judge.{field}"):
        JudgeSettings(**{"base_url": "http://localhost/v1", "model": "m", field: value})
