"""What is wrong with the shape of an experiment, in the words of its users: from pydantic's findings to one error."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from animat.errors import AnimatError, unknown_name
from animat.experiment.schema import ExperimentPart, Misplaced
from animat.yaml_lines import Located

__all__ = ["explained"]

#: What an entry must be, by what pydantic calls its absence.
_WANTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a map of entries",
    "finite_number": "a finite number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_attributes_type": "a map of entries",
    "model_type": "a map of entries",
    "string_type": "text",
}
#: The same where there is a bound, with pydantic's name of it.
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "less_than_equal": ("at most", "le"),
    "greater_than": ("above", "gt"),
    "less_than": ("below", "lt"),
}

#: Where an entry stands.
Entry = tuple[str | int, ...]


def explained(error: ValidationError, file: Path, source: Located, overrides: Sequence[str]) -> AnimatError:
    """Return the first thing that is wrong, at its line, or with the override that brought it."""
    problems = [(_path(problem), problem) for problem in error.errors(include_url=False)]
    path = problems[0][0]
    first = [problem for place, problem in problems if place == path]
    what = _what(path, first, source)
    more = len({place for place, _ in problems}) - 1
    if more:
        what += f" (and {more} more)"
    blamed = next((item for item in overrides if _brings(item, path)), None)
    if blamed is not None:
        return AnimatError(f"--set {blamed}: {what}")
    if overrides:
        what += f" [with {', '.join('--set ' + override for override in overrides)}]"
    return AnimatError(what, file=file, line=source.nearest_line(path))


def _path(problem: Any) -> Entry:
    """Return where a problem stands in the file; without pydantic's names of types."""
    cause = problem.get("ctx", {}).get("error")
    deeper = cause.entry if isinstance(cause, Misplaced) else ()
    return (*(item for item in problem["loc"] if not _is_type_name(item)), *deeper)


def _is_type_name(item: str | int) -> bool:
    return isinstance(item, str) and (item.startswith(("literal[", "list[", "dict[", "function-")) or item in ("str",))


def _brings(override: str, path: Entry) -> bool:
    """Return whether an override sets an entry or one around it; `network` is short for `brain.network`."""
    key = tuple(override.partition("=")[0].strip().split("."))
    texts = tuple(map(str, path))
    return any(texts[skip : skip + len(key)] == key for skip in (0, 1)) or (texts != () and key[: len(texts)] == texts)


def _what(path: Entry, problems: Sequence[Any], source: Located) -> str:
    first, where = problems[0], ".".join(map(str, path))
    if first["type"] == "extra_forbidden":
        within = ".".join(map(str, path[:-1]))
        return f"{within + ': ' if within else ''}{_unknown(path, source)}"
    if first["type"] == "missing":
        return f"{where} is missing"
    if first["type"] == "value_error":
        message = str(first["ctx"]["error"])
        return f"{where + ': ' if where and not where.startswith(message.split()[0]) else ''}{message}"
    value = first.get("input")
    choices = [name for problem in problems if problem["type"] == "literal_error" for name in _choices(problem)]
    if choices and len(problems) == 1 and isinstance(value, str):
        return unknown_name(where, value, choices).what
    wanted = [_wanted(problem) for problem in problems]
    got = "" if isinstance(value, dict | list) else f", got {value!r}"
    return f"{where} must be {' or '.join(dict.fromkeys(wanted))}{got}"


def _wanted(problem: Any) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind in _BOUNDS:
        word, name = _BOUNDS[kind]
        return f"{word} {context[name]}"
    if kind == "literal_error":
        return " or ".join(_choices(problem))
    if kind == "string_too_short":
        return "text that is not empty"
    return _WANTED.get(kind) or str(problem["msg"])


def _choices(problem: Any) -> list[str]:
    return [word.strip("'") for word in re.split(r", | or ", problem["ctx"]["expected"])]


def _unknown(path: Entry, source: Located) -> str:
    """Return what is said of an entry that does not exist; deeper ones and variants may have been meant."""
    name, known = str(path[-1]), _fields(path[:-1])
    if len(path) > 1:
        return unknown_name("entry", name, known).what
    deeper = next((f"{field}.{name}" for field in ("brain", "body", "record") if name in _fields((field,))), None)
    if deeper is not None:
        return f"unknown entry {name!r}. Did you mean {deeper!r}?"
    variants = source.data.get("variants")
    return unknown_name("entry", name, [*known, *(variants if isinstance(variants, Mapping) else ())]).what


def _fields(path: Sequence[str | int]) -> list[str]:
    part: Any = ExperimentPart
    for item in path:
        if isinstance(item, int):
            continue
        field = next((f for name, f in part.model_fields.items() if item in (name, f.alias)), None)
        found = None if field is None else _model_of(field.annotation)
        if found is None and field is not None:
            return []
        part = found or part
    return [field.alias or name for name, field in part.model_fields.items()]


def _model_of(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_of(inner)
        if found is not None:
            return found
    return None
