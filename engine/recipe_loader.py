"""Settings from YAML and dotted overrides. Every value is checked on construction; an unknown key is refused with the
nearest known one, a wrong type with the key, the value and what was expected.
"""

import dataclasses
import difflib
import math
import re
import types
import typing
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin

import yaml

S = TypeVar("S")


class _Loader(yaml.SafeLoader):
    """YAML 1.2's reading of `8e-5` as a number and of a day as text, which YAML 1.1 has otherwise; duplicate keys are
    refused.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(None, None, "a key is a list or a section", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+0123456789."),
)
for _first, _resolvers in _Loader.yaml_implicit_resolvers.items():
    _Loader.yaml_implicit_resolvers[_first] = [one for one in _resolvers if one[0] != "tag:yaml.org,2002:timestamp"]


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises ValueError naming file, line and cause."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ValueError(f"recipe {str(path)!r} does not exist") from None
    except IsADirectoryError:
        raise ValueError(f"recipe {str(path)!r} is a folder") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"recipe {str(path)!r} is not UTF-8 text: {error}") from None
    content = _parse(text, f"recipe {str(path)!r} is not YAML")
    if not isinstance(content, dict):
        raise ValueError(f"recipe {str(path)!r} holds {type(content).__name__}, expected sections with keys")
    return content


def _parse(text: str, refusal: str) -> Any:
    """The value of YAML text. Raises ValueError that begins with `refusal`."""
    try:
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: 2026-13-40 looks like a date, say
        raise ValueError(f"{refusal}: {_told(error)}") from None
    except RecursionError:
        raise ValueError(f"{refusal}: it is nested too deep") from None


def _told(error: Exception) -> str:
    """What the parser says, on one line: it draws the place, here it is named."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return " ".join(str(error).split())
    found = ", ".join(part for part in (error.context, error.problem) if part)
    return f"{found} (line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1})"


def apply_overrides(content: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """`content` with each `section.key=value` applied; a number in the path is an index into a list."""
    for override in overrides:
        dotted, sign, text = override.partition("=")
        if not sign or not dotted:
            raise ValueError(f"override {override!r} is not of the form section.key=value")
        value = _parse(text, f"override {override[:200]!r}: the value is not YAML")
        _assign(content, dotted.split("."), value, override)
    return content


def _assign(content: Any, path: list[str], value: Any, override: str) -> None:
    for depth, part in enumerate(path):
        last = depth == len(path) - 1
        if isinstance(content, list):
            if not part.isdigit() or int(part) >= len(content):
                raise ValueError(f"override {override!r}: {part!r} is no index into {len(content)} entries")
            if last:
                content[int(part)] = value
            else:
                content = content[int(part)]
        elif isinstance(content, dict):
            if last:
                content[part] = value
            else:
                if content.get(part) is None:
                    content[part] = {}
                content = content[part]
        else:
            raise ValueError(f"override {override!r}: {'.'.join(path[:depth])} is a value, not a section")


def build(cls: type[S], content: Any, place: str = "") -> S:
    """An instance of the settings dataclass `cls` from plain YAML values. Raises ValueError naming the key."""
    if content is None:
        content = {}
    if not isinstance(content, Mapping):
        raise ValueError(f"{place or 'recipe'}: {content!r} is not a section with keys")
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in content:
        if key not in fields:
            raise ValueError(_unknown(str(key), place, list(fields)))
    missing = [
        f.name
        for f in fields.values()
        if f.name not in content and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ValueError(f"{_join(place, missing[0])} is missing and has no default")
    values = {key: _convert(hints[key], value, _join(place, key)) for key, value in content.items()}
    try:
        return cls(**values)
    except ValueError as error:
        text = str(error)
        raise ValueError(text if not place or text.startswith(place) else f"{place}: {text}") from None


def _join(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _unknown(key: str, place: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    hint = f"did you mean {_join(place, near[0])!r}?" if near else f"known are {', '.join(sorted(known))}"
    return f"unknown key {_join(place, key)!r}: {hint}"


def _convert(hint: Any, value: Any, place: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        rest = [a for a in arguments if a is not type(None)]
        if isinstance(value, Mapping):  # then what is wrong with the section is worth more than that it is no scalar
            rest.sort(key=lambda a: not dataclasses.is_dataclass(a))
        errors = []
        for argument in rest:
            try:
                return _convert(argument, value, place)
            except ValueError as error:
                errors.append(str(error))
        raise ValueError(errors[0])
    if origin is typing.Literal:
        if value not in arguments:
            raise ValueError(f"{place}: {value!r} is none of {', '.join(map(str, arguments))}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{place}: {value!r} is not a list")
        return tuple(_convert(arguments[0], item, f"{place}[{index}]") for index, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, Mapping):
            raise ValueError(f"{place}: {value!r} is not a section with keys")
        return {str(key): _convert(arguments[1], item, _join(place, str(key))) for key, item in value.items()}
    if dataclasses.is_dataclass(hint):
        return value if isinstance(value, hint) else build(hint, value, place)  # type: ignore[arg-type]
    if hint is Any:
        return value
    return _scalar(hint, value, place)


def _scalar(hint: type, value: Any, place: str) -> Any:
    if isinstance(value, float) and math.isnan(value):  # it passes every comparison that is written as a refusal
        raise ValueError(f"{place}: {value!r} is not a number")
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if hint is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if hint is str and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    expected = {int: "an integer", float: "a number", str: "text", bool: "true or false"}.get(hint, hint.__name__)
    raise ValueError(f"{place}: {value!r} is not {expected}")


def as_plain(settings: Any) -> Any:
    """Settings as plain YAML values, tuples as lists."""
    if dataclasses.is_dataclass(settings) and not isinstance(settings, type):
        return {f.name: as_plain(getattr(settings, f.name)) for f in dataclasses.fields(settings)}
    if isinstance(settings, list | tuple):
        return [as_plain(item) for item in settings]
    if isinstance(settings, Mapping):
        return {key: as_plain(item) for key, item in settings.items()}
    return settings
