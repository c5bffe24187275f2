"""Settings name the field and the value that is wrong."""

from dataclasses import fields

import pytest

from reasonmill.engine.curate.settings import (
    AgainstSettings,
    CurateSettings,
    DecontaminateSettings,
    EmbeddingSettings,
    FilterSettings,
)


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (FilterSettings, "max_unicode_ratio", 1.5),
        (FilterSettings, "min_words", 0),
        (DecontaminateSettings, "ngram", 0),
        (DecontaminateSettings, "least_share", 0.0),
        (DecontaminateSettings, "common_weight", 2.0),
        (DecontaminateSettings, "common_share", -0.1),
        (DecontaminateSettings, "guard_ngram_share", 0.0),
        (DecontaminateSettings, "least_weight", -1.0),
        (EmbeddingSettings, "threshold", 1.1),
        (EmbeddingSettings, "dtype", "float16"),
        (EmbeddingSettings, "batch_size", 0),
        (EmbeddingSettings, "max_restarts", -1),
        (EmbeddingSettings, "deadline_s", 0.0),
        (CurateSettings, "near_duplicate_threshold", 0.0),
        (CurateSettings, "max_unreadable_share", 2.0),
        (CurateSettings, "num_threads", -1),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(kind: type, field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{field}: {value!r}"):
        kind(**{field: value})


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="rules: 'fuzzy' is none of containment, ngram, embedding"):
        AgainstSettings(path="e.jsonl", rules=("fuzzy",))
    with pytest.raises(ValueError, match=r"rules: none given for 'e\.jsonl'"):
        AgainstSettings(path="e.jsonl", rules=())


@pytest.mark.parametrize("kind", [FilterSettings, DecontaminateSettings, EmbeddingSettings, CurateSettings])
def test_every_setting_has_a_default(kind: type) -> None:
    assert all(getattr(kind(), field.name) is not ... for field in fields(kind))
