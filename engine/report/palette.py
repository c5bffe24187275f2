"""Which colour class stands for what, the same in every chart of a page."""

from collections.abc import Sequence

from reasonmill.engine.records import CATEGORIES

# stages of the timeline, in the order of the flow: category of the trace -> (name, class)
STAGES = {
    "curate": ("curation", "c4"),
    "generate": ("generation", "t0"),
    "verify": ("verification", "t2"),
    "pack": ("packing", "c5"),
    "train": ("training", "t1"),
    "evaluate": ("evaluation", "t3"),
}
_NUM_TEACHERS = 6


def stage_title(name: str) -> str:
    """What a stage is called on the page."""
    return STAGES[name][0] if name in STAGES else name


def teacher_classes(teachers: Sequence[str]) -> dict[str, str]:
    """Colour class of each teacher, by place; the seventh is coloured as the first."""
    return {teacher: f"t{index % _NUM_TEACHERS}" for index, teacher in enumerate(teachers)}


def category_classes(categories: Sequence[str]) -> dict[str, str]:
    """Colour class of each category; a category keeps its colour in every report."""
    known = {category: f"c{index}" for index, category in enumerate(CATEGORIES)}
    return {category: known.get(category, f"c{len(CATEGORIES)}") for category in categories}
