"""What decontamination compares queries with."""

from dataclasses import dataclass

from reasonmill.engine.curate.settings import RULES, Rule


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationItem:
    """One question of an evaluation set, and the rules by which queries are compared with it."""

    id: str
    text: str
    set_name: str
    rules: tuple[Rule, ...] = RULES
