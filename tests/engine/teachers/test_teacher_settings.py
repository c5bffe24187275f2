from typing import Any

import pytest

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
    ],
)
def test_a_wrong_value_is_refused_by_field(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        TeacherSettings(**{"name": "t", "model": "m", field: value})


def test_a_scripted_teacher_needs_a_script() -> None:
    with pytest.raises(ValueError, match=r"^script: "):
        TeacherSettings(name="t", kind="scripted")


def test_teachers_that_differ_only_in_sampling_share_an_engine() -> None:
    cool = TeacherSettings(name="cool", model="m", temperature=0.1, max_num_seqs=8)
    warm = TeacherSettings(name="warm", model="m", temperature=1.0, system_prompt="be warm", max_num_seqs=16)
    other = TeacherSettings(name="other", model="n")
    long = TeacherSettings(name="long", model="m", max_model_len=9)
    groups = sharing_groups([cool, other, warm, long])
    assert [[one.name for one in group] for group in groups] == [["cool", "warm"], ["other"], ["long"]]
