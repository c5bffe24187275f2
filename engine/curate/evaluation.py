"""Evaluation sets as decontamination needs them: every row is an item, and a row that cannot be read is an error, for
a set that is partly unread would let its questions through.
"""

from collections.abc import Sequence
from typing import Any

from reasonmill.engine.curate.evaluation_item import EvaluationItem
from reasonmill.engine.curate.settings import AgainstSettings
from reasonmill.engine.store.file_names import distinct_names
from reasonmill.engine.store.published import QUESTIONS, question_of
from reasonmill.engine.store.readers import query_from_json
from reasonmill.engine.store.rows import read_rows

_TEXT_KEYS = (*QUESTIONS, "text")  # MBPP's; of a query `text` may be a whole conversation, so it is read here alone
_ID_KEYS = ("id", "unique_id", "task_id", "question_id", "global_id", "key")


def load_evaluation(against: Sequence[AgainstSettings]) -> list[EvaluationItem]:
    """Items of all sets in order.

    Raises FileNotFoundError, or ValueError naming the row that has no question or the set that has no row.
    """
    items: list[EvaluationItem] = []
    for settings, own_name in zip(against, distinct_names([settings.path for settings in against]), strict=True):
        num_before = len(items)
        name = settings.name or own_name
        for row in read_rows(settings.path):
            place = f"{settings.path}:{row.line}"
            if row.value is None:
                raise ValueError(f"{place}: {row.error}; an evaluation set must be readable whole")
            items.append(
                EvaluationItem(
                    id=_id(row.value) or f"{name}:{row.line}",
                    text=_text(row.value, place),
                    set_name=name,
                    rules=settings.rules,
                )
            )
        if len(items) == num_before:
            raise ValueError(f"{settings.path!r} has no row: nothing would be compared with evaluation set {name!r}")
    return items


def _id(value: dict[str, Any]) -> str | None:
    return next((str(value[key]) for key in _ID_KEYS if value.get(key) not in (None, "")), None)


def _text(value: dict[str, Any], place: str) -> str:
    text = question_of(value, _TEXT_KEYS)
    if text is None:
        try:
            text = query_from_json({**value, "category": "other"}).text
        except ValueError as error:
            raise ValueError(f"{place}: none of {', '.join(_TEXT_KEYS)} is text, and {error}") from None
    if not text or not text.strip():
        raise ValueError(f"{place}: the question is empty, so that nothing would be compared with it")
    return text
