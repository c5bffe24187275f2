from typing import Any

import pytest

from reasonmill.engine.recipe_loader import build
from reasonmill.engine.teachers.open import sharing_groups
from reasonmill.engine.teachers.settings import TeacherSettings


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a/b"),
        ("name", ""),
        ("kind", "oracle"),
        ("model", None),
        ("categories", ("maths",)),
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("temperature", float("nan")),
        ("top_p", 0.0),
        ("top_k", -1),
        ("max_tokens", 0),
        ("dtype", "int4"),
        ("max_model_len", 0),
        ("max_num_seqs", 0),
        ("tensor_parallel_size", 0),
        ("gpu_memory_utilization", 1.5),
        ("kv_cache_mib", 0),
        ("cpu_threads", 0),
        ("start_limit_s", 0.0),
        ("stall_limit_s", 0.0),
        ("max_restarts", -1),
        ("data_parallel_size", 0),
        ("request_limit_s", 0.0),
        ("outage_limit_s", -1.0),
        ("base_url", "http://localhost:8000/v1"),
        ("api_key_env", "KEY"),
    ],
)
def test_a_wrong_value_is_refused_by_field(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        TeacherSettings(**{"name": "t", "model": "m", field: value})


def test_a_scripted_teacher_needs_a_script() -> None:
    with pytest.raises(ValueError, match=r"^script: "):
        TeacherSettings(name="t", kind="scripted")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (None, "needs one"),
        ((), "needs one"),
        ("localhost:8000/v1", "is no address"),
        ("ftp://host/v1", "is no address"),
        ("http://:8000/v1", "is no address"),
        ("http://host:80000/v1", "is no address"),
        ("http://host/v1/chat/completions", "is to end where /chat/completions begins"),
        ("http://host/v1?key=1", "is to end where"),
        (("http://host/v1", "http://host/v1"), "stands twice"),
    ],
)
def test_a_wrong_address_is_refused(url: Any, said: str) -> None:
    with pytest.raises(ValueError, match=f"^base_url: .*{said}"):
        TeacherSettings(name="t", kind="endpoint", base_url=url)


def test_an_endpoint_is_one_address_or_several_and_needs_no_model() -> None:
    assert TeacherSettings(name="t", kind="endpoint", base_url="http://a:1/v1").base_urls == ("http://a:1/v1",)
    both = build(
        TeacherSettings,
        {"name": "t", "kind": "endpoint", "base_url": ["http://a/v1", "https://b/v1"], "loop_breaker": {"min_span": 9}},
    )
    assert both.base_urls == ("http://a/v1", "https://b/v1")
    assert both.loop_breaker.min_span == 9
    with pytest.raises(ValueError, match=r"unknown key 'loop_breaker.min_spam': did you mean 'loop_breaker.min_span'"):
        build(TeacherSettings, {"name": "t", "model": "m", "loop_breaker": {"min_spam": 9}})


def test_teachers_that_differ_only_in_sampling_share_an_engine() -> None:
    cool = TeacherSettings(name="cool", model="m", temperature=0.1, max_num_seqs=8)
    warm = TeacherSettings(name="warm", model="m", temperature=1.0, system_prompt="be warm", max_num_seqs=16)
    other = TeacherSettings(name="other", model="n")
    long = TeacherSettings(name="long", model="m", max_model_len=9)
    groups = sharing_groups([cool, other, warm, long])
    assert [[one.name for one in group] for group in groups] == [["cool", "warm"], ["other"], ["long"]]
