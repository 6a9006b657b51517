"""Read an experiment: a folder with `experiment.yaml`, the library's or the user's, with `--set` overrides applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from animat.errors import AnimatError, unknown_name
from animat.experiment.explain import explained
from animat.experiment.schema import ExperimentPart
from animat.library import library_names, library_path
from animat.missing import beside, missing
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
        return self.source.nearest_line(path)

    def transfer_sources(self) -> dict[str, str]:
        """Return the source text of every transfer function file by name."""
        sources = {}
        for place, name in enumerate(self.part.transfer_functions):
            path = self.folder / name
            try:
                if not path.exists():
                    raise missing("file", path, lambda entry: entry.suffix == ".py")
                sources[name] = path.read_text(encoding="utf-8")
            except AnimatError as error:
                raise error.at(self.file, self.line("transfer_functions", place)) from None
            except (OSError, UnicodeDecodeError) as error:
                why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
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
    path, shipped = Path(name), library_names("experiments")
    if path.name == FILE and path.is_file():
        return path.parent
    if (path / FILE).is_file():
        return path
    if str(name) in shipped:
        return library_path("experiments", str(name))
    if path.is_dir():
        inside = ", ".join(
            beside(path / FILE, lambda entry: entry.suffix in (".yaml", ".yml") or _is_experiment(entry))
        )
        raise AnimatError(f"the folder holds no {FILE}" + (f"; it holds {inside}" if inside else ""), file=path)
    if "/" in str(name) or path.suffix:
        raise missing("experiment folder", path, _is_experiment)
    raise unknown_name("experiment", str(name), [*shipped, *beside(path, _is_experiment)])


def _is_experiment(folder: Path) -> bool:
    return (folder / FILE).is_file()


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
        raise explained(error, folder / FILE, source, overrides) from None
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
