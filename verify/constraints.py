"""The constraints on a response that programs check, and what a query asks of them: the 25 of IFEval (arXiv 2311.07911)
and the 58 of IFBench (arXiv 2507.02833), each with the arguments that it needs.

A reference checker draws at random what it is not told. Here every argument must be given and in its range, so that
equal responses always get equal verdicts.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MAX_CONSTRAINTS = 100  # of one query; published ones have at most 6
RELATIONS = ("less than", "at least")
# fmt: off
LANGUAGES = (
    "en", "es", "pt", "ar", "hi", "fr", "ru", "de", "ja", "it", "bn", "uk", "th", "ur", "ta",
    "te", "bg", "ko", "pl", "he", "fa", "vi", "ne", "sw", "kn", "mr", "gu", "pa", "ml", "fi",
)
# Arguments of each constraint: `count` (0 or more), `place` (1 or more), `percentage`, `text`, `texts`, `letter`,
# `relation` or `language`.
IFEVAL: dict[str, dict[str, str]] = {
    "keywords:existence": {"keywords": "texts"},
    "keywords:frequency": {"keyword": "text", "frequency": "count", "relation": "relation"},
    "keywords:forbidden_words": {"forbidden_words": "texts"},
    "keywords:letter_frequency": {"letter": "letter", "let_frequency": "count", "let_relation": "relation"},
    "language:response_language": {"language": "language"},
    "length_constraints:number_sentences": {"num_sentences": "count", "relation": "relation"},
    "length_constraints:number_paragraphs": {"num_paragraphs": "count"},
    "length_constraints:number_words": {"num_words": "count", "relation": "relation"},
    "length_constraints:nth_paragraph_first_word": {
        "num_paragraphs": "count", "nth_paragraph": "place", "first_word": "text",
    },
    "detectable_content:number_placeholders": {"num_placeholders": "count"},
    "detectable_content:postscript": {"postscript_marker": "text"},
    "detectable_format:number_bullet_lists": {"num_bullets": "count"},
    "detectable_format:constrained_response": {},
    "detectable_format:number_highlighted_sections": {"num_highlights": "count"},
    "detectable_format:multiple_sections": {"section_spliter": "text", "num_sections": "count"},
    "detectable_format:json_format": {},
    "detectable_format:title": {},
    "combination:two_responses": {},
    "combination:repeat_prompt": {"prompt_to_repeat": "text"},
    "startend:end_checker": {"end_phrase": "text"},
    "startend:quotation": {},
    "change_case:capital_word_frequency": {"capital_frequency": "count", "capital_relation": "relation"},
    "change_case:english_capital": {},
    "change_case:english_lowercase": {},
    "punctuation:no_comma": {},
}
_FREE = (  # constraints of IFBench without arguments
    "ratio:sentence_type", "ratio:sentence_balance", "words:alphabet", "words:vowel", "words:consonants",
    "sentence:alliteration_increment", "words:palindrome", "count:punctuation", "format:parentheses", "format:quotes",
    "words:prime_lengths", "format:newline", "format:emoji", "ratio:sentence_words", "words:start_verb",
    "words:odd_even_syllables", "words:last_first", "words:paragraph_last_first", "words:no_consecutive",
    "format:line_indent", "format:quote_unquote", "format:thesis", "format:sub-bullets", "format:no_bullets_bullets",
    "custom:multiples", "custom:mcq_count_length", "custom:reverse_newline", "custom:word_reverse",
    "custom:character_reverse", "custom:sentence_alphabet", "custom:european_capitals_sort", "custom:csv_city",
    "custom:csv_special_character", "custom:csv_quotes", "custom:date_format_list", "repeat:repeat_simple",
    "format:title_case", "format:output_template", "format:no_whitespace",
)
IFBENCH: dict[str, dict[str, str]] = {name: {} for name in _FREE} | {
    "count:word_count_range": {"min_words": "count", "max_words": "count"},
    "count:unique_word_count": {"N": "count"},
    "ratio:stop_words": {"percentage": "percentage"},
    "count:conjunctions": {"small_n": "count"},
    "count:person_names": {"N": "count"},
    "ratio:overlap": {"reference_text": "text", "percentage": "percentage"},
    "count:numbers": {"N": "count"},
    "format:options": {"options": "text"},
    "count:words_japanese": {"N": "place"},
    "words:repeats": {"small_n": "count"},
    "sentence:keyword": {"word": "text", "N": "place"},
    "count:pronouns": {"N": "count"},
    "sentence:increment": {"small_n": "count"},
    "format:list": {"sep": "text"},
    "count:keywords_multiple": {f"keyword{number}": "text" for number in range(1, 6)},
    "words:keywords_specific_position": {"keyword": "text", "n": "place", "m": "place"},
    "words:words_position": {"keyword": "text"},
    "repeat:repeat_change": {"prompt_to_repeat": "text"},
    "repeat:repeat_span": {"prompt_to_repeat": "text", "n_start": "place", "n_end": "place"},
}
# fmt: on
ARGUMENTS = IFEVAL | IFBENCH


@dataclass(frozen=True, kw_only=True, slots=True)
class Constraint:
    """One constraint with its arguments, complete and in range."""

    id: str
    arguments: dict[str, Any]


class BadConstraints(Exception):
    """A query whose constraints cannot be checked; `reason` is a verdict's."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def read_constraints(value: dict[str, Any] | str | None) -> tuple[Constraint, ...]:
    """Constraints of {"instruction_id_list": [...], "kwargs": [...]} or of its JSON text. Arguments that are null are
    as good as absent, as data sets with one schema for all write them. Raises BadConstraints with `no_constraints`,
    `unknown_constraint` or `bad_constraint`.
    """
    value = _parsed(value, "instruction_constrain")
    if value is None:
        raise BadConstraints("no_constraints", "the query has no instruction_constrain")
    if not isinstance(value, dict):
        raise _bad(f"instruction_constrain: expected an object, found {type(value).__name__}")
    names = _parsed(value.get("instruction_id_list"), "instruction_id_list")
    given = _parsed(value.get("kwargs"), "kwargs")
    if not isinstance(names, list):
        raise BadConstraints("no_constraints", f"instruction_id_list: expected a list, found {type(names).__name__}")
    if not names:
        raise BadConstraints("no_constraints", "instruction_id_list is empty")
    if len(names) > MAX_CONSTRAINTS:
        raise _bad(f"instruction_id_list: {len(names)} constraints, at most {MAX_CONSTRAINTS} are checked")
    given = [{}] * len(names) if given is None else given
    if not isinstance(given, list) or len(given) != len(names):
        found = f"{len(given)} entries" if isinstance(given, list) else type(given).__name__
        raise _bad(f"kwargs: expected a list of {len(names)} entries, found {found}")
    return tuple(_constraint(name, one) for name, one in zip(names, given, strict=True))


def _constraint(name: Any, given: Any) -> Constraint:
    if not isinstance(name, str) or name not in ARGUMENTS:
        raise BadConstraints("unknown_constraint", f"instruction_id_list: {str(name)[:100]!r} is no known constraint")
    given = {} if given is None else _parsed(given, f"kwargs of {name}")
    if not isinstance(given, dict):
        raise _bad(f"kwargs of {name}: expected an object, found {type(given).__name__}")
    told = {key: one for key, one in given.items() if one is not None}
    kinds = ARGUMENTS[name]
    if told.keys() != kinds.keys():
        raise _bad(f"kwargs of {name}: expected {sorted(kinds)}, found {sorted(map(str, told))}")
    arguments = {key: _READ[kinds[key]](one) for key, one in told.items()}
    for key, one in arguments.items():
        if one is None:
            raise _bad(f"kwargs of {name}: {key}: {str(told[key])[:100]!r} is no {kinds[key]}")
    if (
        name == "length_constraints:nth_paragraph_first_word"
        and arguments["nth_paragraph"] > arguments["num_paragraphs"]
    ):
        raise _bad(f"kwargs of {name}: paragraph {arguments['nth_paragraph']} of {arguments['num_paragraphs']}")
    return Constraint(id=name, arguments=arguments)


def _parsed(value: Any, place: str) -> Any:
    """The value of JSON text, or what is no text as it is."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise _bad(f"{place} is no JSON: {str(error)[:100]}") from None


def _bad(detail: str) -> BadConstraints:
    return BadConstraints("bad_constraint", detail)


def _count(value: Any) -> int | None:
    """A whole number from 0; tables of one number type write 3 as 3.0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 10**9:
        return None
    return int(value) if value == int(value) else None


def _percentage(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value <= 100 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _texts(value: Any) -> list[str] | None:
    return value if isinstance(value, list) and value and all(map(_text, value)) else None


def _letter(value: Any) -> str | None:
    return value if isinstance(value, str) and len(value) == 1 and "a" <= value.lower() <= "z" else None


_READ: dict[str, Callable[[Any], Any]] = {
    "count": _count,
    "place": lambda value: _count(value) or None,
    "percentage": _percentage,
    "text": _text,
    "texts": _texts,
    "letter": _letter,
    "relation": lambda value: value if value in RELATIONS else None,
    "language": lambda value: value if value in LANGUAGES else None,
}
