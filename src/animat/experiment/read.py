"""Read an experiment: a folder with `experiment.yaml`, the library's or the user's, with `--set` overrides applied."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from animat.errors import AnimatError, unknown_name
from animat.experiment.schema import ExperimentPart
from animat.library import library_names, library_path
from animat.yaml_lines import Located, load_yaml, parse_yaml

__all__ = ["Experiment", "find_experiment", "read_experiment"]

FILE = "experiment.yaml"


@dataclass(frozen=True)
class Experiment:
    """A description that was read and has the right shape; names are resolved by `animat.experiment.validate`."""

    folder: Path
    part: ExperimentPart
    source: Located
    overrides: tuple[str, ...] = ()

    @property
    def file(self) -> Path:
        """Its `experiment.yaml`."""
        return self.folder / FILE

    def line(self, *path: str | int) -> int | None:
        """Return the line of the file in which an entry stands, or of the nearest one around it."""
        return _line(self.source, path)

    def transfer_sources(self) -> dict[str, str]:
        """Return the source text of every transfer function file by name."""
        sources = {}
        for place, name in enumerate(self.part.transfer_functions):
            path = self.folder / name
            try:
                sources[name] = path.read_text()
            except (OSError, UnicodeDecodeError) as error:
                why = error.strerror if isinstance(error, OSError) else error
                raise AnimatError(
                    f"cannot read the transfer functions {path}: {why}",
                    file=self.file,
                    line=self.line("transfer_functions", place),
                ) from None
        return sources

    def with_overrides(self, overrides: Sequence[str]) -> Experiment:
        """Return the same experiment with further overrides."""
        return read_experiment(self.folder, [*self.overrides, *overrides])


def find_experiment(name: str | Path) -> Path:
    """Return the folder of an experiment given by folder, by its `experiment.yaml`, or by a name of the library."""
    path = Path(name)
    if path.name == FILE and path.is_file():
        return path.parent
    if (path / FILE).is_file():
        return path
    if path.is_dir() and str(name) not in library_names("experiments"):
        raise AnimatError(f"the folder holds no {FILE}", file=path)
    if "/" in str(name) or path.suffix:
        raise AnimatError("there is no such experiment folder", file=path)
    return library_path("experiments", str(name))


def read_experiment(name: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """Read and check the shape of an experiment.

    Parameters
    ----------
    name
        A folder, or the name of a shipped experiment.
    overrides
        "KEY=VALUE" with dots in KEY for depth ("brain.threads=2"); a KEY that is one of the experiment's
        `variants` sets all that the variant named VALUE says.

    Raises
    ------
    AnimatError
        With file and line.
    """
    folder = find_experiment(name)
    source = load_yaml(folder / FILE)
    if not isinstance(source.data, Mapping):
        raise AnimatError("an experiment is a map of entries such as name, brain, body", file=folder / FILE)
    content = deepcopy(dict(source.data))
    for override in overrides:
        _apply(content, override)
    try:
        part = ExperimentPart.model_validate(content)
    except ValidationError as error:
        raise _explain(error, folder / FILE, source, overrides) from None
    return Experiment(folder, part, source, tuple(overrides))


def _apply(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise AnimatError(f"--set {override!r} must look like brain.threads=2")
    key = key.strip()
    variants = content.get("variants")
    if isinstance(variants, Mapping) and key in variants:
        _apply_variant(content, key, text.strip(), variants[key], override)
        return
    parameters = content.get("parameters") or {}
    section, _, name = key.partition(".")
    if section == "parameters" and isinstance(parameters, Mapping) and name.split(".")[0] not in ("", *parameters):
        raise unknown_name("parameter", name, parameters)
    _put(content, key, _value(text), override)


def _apply_variant(content: dict[str, Any], key: str, choice: str, choices: Any, override: str) -> None:
    if not isinstance(choices, Mapping) or choice not in choices:
        raise unknown_name(f"{key} variant", choice, choices if isinstance(choices, Mapping) else ())
    patch = choices[choice]
    if not isinstance(patch, Mapping):
        raise AnimatError(f"--set {override!r}: variants.{key}.{choice} must be a map of entries, it is {patch!r}")
    for path, item in patch.items():
        _put(content, str(path), deepcopy(item), override)


def _value(text: str) -> Any:
    """Return what `text` means in a YAML file; what is no YAML is text."""
    try:
        return parse_yaml(text).data if text.strip() else text
    except AnimatError:
        return text


def _put(content: dict[str, Any], key: str, value: Any, override: str) -> None:
    path = key.split(".")
    if path[0] in ("network", "model") and path[0] not in content:
        path.insert(0, "brain" if path[0] == "network" else "body")
    place: Any = content
    for depth, name in enumerate(path):
        if not isinstance(place, dict | list):
            raise AnimatError(f"--set {override!r}: {'.'.join(path[:depth])} is {place!r} and has no entries")
        at: Any = _index(name, place, override) if isinstance(place, list) else name
        if depth == len(path) - 1:
            place[at] = value
            return
        if isinstance(place, dict) and place.get(at) is None:
            place[at] = {}
        place = place[at]


def _index(name: str, place: list[Any], override: str) -> int:
    if not (name.isascii() and name.isdigit() and len(name) < 10) or int(name) >= len(place):
        raise AnimatError(f"--set {override!r}: {name!r} is not a place in a list of {len(place)} (counted from 0)")
    return int(name)


def _line(source: Located, path: Sequence[str | int]) -> int | None:
    for depth in range(len(path), -1, -1):
        line = source.line(tuple(path[:depth]))
        if line is not None:
            return line
    return None


def _explain(error: ValidationError, file: Path, source: Located, overrides: Sequence[str]) -> AnimatError:
    problems = error.errors(include_url=False)
    first = problems[0]
    path = tuple(item for item in first["loc"] if not _is_type_name(item))
    where = ".".join(map(str, path))
    if first["type"] == "extra_forbidden":
        known = _fields(path[:-1])
        what = f"{'.'.join(map(str, path[:-1])) + ': ' if path[:-1] else ''}" + str(
            unknown_name("entry", str(path[-1]), known)
        )
    elif first["type"] == "missing":
        what = f"{where} is missing"
    else:
        message = re.sub(r"^(Value error|Assertion failed), ", "", first["msg"])
        message = message[:1].lower() + message[1:]
        shown = first.get("input")
        got = "" if isinstance(shown, dict | list) or first["type"] == "value_error" else f", got {shown!r}"
        what = f"{where + ': ' if where else ''}{message}{got}"
    more = len({problem["loc"] for problem in problems}) - 1
    if more:
        what += f" (and {more} more)"
    if overrides:
        what += f" [with {', '.join('--set ' + override for override in overrides)}]"
    return AnimatError(what, file=file, line=_line(source, path))


def _is_type_name(item: str | int) -> bool:
    return isinstance(item, str) and (item.startswith(("literal[", "list[", "dict[", "function-")) or item in ("str",))


def _fields(path: Sequence[str | int]) -> list[str]:
    part: Any = ExperimentPart
    for item in path:
        if isinstance(item, int) or not (isinstance(part, type) and issubclass(part, BaseModel)):
            continue
        field = next((f for name, f in part.model_fields.items() if item in (name, f.alias)), None)
        if field is None:
            continue
        part = _model_of(field.annotation) or part
    return [field.alias or name for name, field in part.model_fields.items()]


def _model_of(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_of(inner)
        if found is not None:
            return found
    return None
