"""Read a body: `body.yaml` with units as text, a shipped body, or a ready-made MJCF, URDF, SDF or OpenSim file."""

from __future__ import annotations

import hashlib
import math
import os
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from animat.body.check import SECTIONS, check_model
from animat.body.files import is_body, model_kind, named_files
from animat.body.model import BodyModel, SourceFile, Unit
from animat.body.pose import quaternion
from animat.errors import AnimatError, unknown_name
from animat.missing import missing
from animat.units import quantity, ticks
from animat.yaml_faults import explained

__all__ = ["load_body"]

#: Entries of an experiment's `model:` beside the options that a body declares.
_SETTINGS = ("timestep", "gravity", "keyframe", "base", "activation_dynamics", "eyes")

#: Endings of model files that no engine here reads, and what converts them.
_NOT_READ = {
    ".xacro": "with `xacro robot.urdf.xacro > robot.urdf`",
}


def load_body(spec: Mapping[str, Any] | str | Path, base: str | Path = ".") -> BodyModel:
    """Return the body that `spec` names, checked.

    Parameters
    ----------
    spec
        A path, or a mapping with `library` (a shipped body) or `file`: a folder with `body.yaml`, such a file, an MJCF,
        URDF or SDF file (`.xml`, `.mjcf`, `.urdf`, `.sdf`) or an OpenSim file (`.osim`). Other entries choose among the
        options that the file declares, or replace its `timestep`, `gravity`, `keyframe`, `base`, `activation_dynamics`
        or `eyes`.
    base
        The folder that `file` is relative to.

    Raises
    ------
    AnimatError
        If it cannot be found or read, or describes what no engine could build; with file and line where known.
    """
    entries = {"file": str(spec)} if isinstance(spec, str | Path) else dict(spec)
    match entries.pop("library", None), entries.pop("file", None):
        case (str(library), None):
            if library not in _shipped():
                raise unknown_name("body in the library", library, _shipped())
            path = _library() / library
        case (None, str(file)):
            path = Path(base) / file
        case _:
            raise AnimatError(f"body: needs `library: NAME` (known: {', '.join(_shipped())}) or `file: PATH`")
    if path.is_dir():
        path = path / "body.yaml"
    if not path.is_file():
        raise missing("body file", path, is_body)
    if path.suffix in (".yaml", ".yml"):
        return _Reader(path).read(entries)
    data: dict[str, Any] = {"name": path.stem, "file": path.name, **entries}
    return _Reader(path, data).read({})


def _library() -> Path:
    return Path(__file__).parents[1] / "library" / "bodies"


def _shipped() -> list[str]:
    folder = _library()
    return sorted(path.parent.name for path in folder.glob("*/body.yaml")) if folder.is_dir() else []


def _word(choice: object) -> str:
    """Return an option's choice as the word that stands in the file."""
    return str(choice).lower() if isinstance(choice, bool) else str(choice)


class _Reader:
    """Turns one file into a model; remembers at which line each entry stands."""

    def __init__(self, path: Path, data: dict[str, Any] | None = None) -> None:
        self.path = path
        self.lines: dict[tuple[str | int, ...], int] = {}
        self.chosen: dict[str, str] = {}
        self.data = self._parse() if data is None else data

    def read(self, entries: Mapping[str, Any]) -> BodyModel:
        data = dict(self.data)
        self._choose(data.pop("options", {}), entries)
        source = data.pop("file", None)
        for name in _SETTINGS:
            if name in entries:
                data[name] = entries[name]
        data = {key: self._kept(value) for key, value in data.items()}
        if source is not None:
            data["source"] = self._source(source)
        data.setdefault("name", self.path.parent.name)
        model = self._convert(data, BodyModel, ())
        assert isinstance(model, BodyModel)
        check_model(model, lambda section, name: (str(self.path), self._line((section, name))))
        return model

    def _choose(self, options: Any, entries: Mapping[str, Any]) -> None:
        if not isinstance(options, dict):
            raise self._error("options: needs `NAME: [default, other, ...]`", ("options",))
        for name, choices in options.items():
            if not isinstance(choices, list) or not choices:
                raise self._error(f"options: {name} needs a list of choices, the default first", ("options", name))
            words = [_word(choice) for choice in choices]
            word = _word(entries.get(name, words[0]))
            if word not in words:
                raise unknown_name(f"choice of the body's {name}", word, words)
            self.chosen[name] = word
        for name in entries:
            if name not in options and name not in _SETTINGS:
                raise unknown_name("option of the body", name, [*options, *_SETTINGS])

    def _kept(self, value: Any) -> Any:
        """Return the value without the parts whose `when` does not hold."""
        if isinstance(value, dict):
            return {name: self._kept(item) for name, item in value.items() if name != "when" and self._holds(item)}
        if isinstance(value, list):
            return [self._kept(item) for item in value if self._holds(item)]
        return value

    def _holds(self, part: Any) -> bool:
        when = part.get("when", {}) if isinstance(part, dict) else {}
        if not isinstance(when, dict):
            raise AnimatError(f"`when` needs `OPTION: CHOICE`, got {when!r}", file=self.path)
        for name in when:
            if name not in self.chosen:
                raise unknown_name("option in `when`", str(name), self.chosen, file=self.path)
        return all(_word(choice) == self.chosen[name] for name, choice in when.items())

    def _source(self, name: Any) -> SourceFile:
        path = self.path.parent / str(name)
        if not path.is_file():
            raise self._error(f"there is no file {name}", ("file",))
        kind = model_kind(path)
        if kind is None:
            what = f"{name}: a body is a .yaml, .xml, .mjcf, .urdf, .sdf or .osim file"
            if path.suffix in _NOT_READ:
                what += f"; convert the {path.suffix} file to one of them, {_NOT_READ[path.suffix]}"
            raise self._error(what, ("file",))
        digest = hashlib.sha256(path.read_bytes())
        for item in sorted(named_files(path), key=lambda item: os.path.relpath(item.path, path.parent)):
            digest.update(item.path.read_bytes())
        return SourceFile(kind=kind, path=str(path.resolve()), sha256=digest.hexdigest())  # type: ignore[arg-type]

    def _parse(self) -> dict[str, Any]:
        try:
            node = yaml.compose(self.path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
            data = None if node is None else self._plain(node, ())
        except yaml.MarkedYAMLError as error:
            what, line = explained(error, self.path.read_text(encoding="utf-8"))
            raise AnimatError(what, file=self.path, line=line) from None
        except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError) as error:
            raise AnimatError(f"cannot be read: {error}", file=self.path) from None
        if not isinstance(data, dict):
            raise AnimatError("a body file holds `name:`, `links:`, `joints:` and so on", file=self.path)
        return data

    def _plain(self, node: yaml.Node, path: tuple[str | int, ...]) -> Any:
        self.lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            found: dict[str, Any] = {}
            for key_node, value_node in node.value:
                key = str(key_node.value)
                line = key_node.start_mark.line + 1
                if key in found:
                    raise AnimatError(f"{key!r} stands here for the second time", file=self.path, line=line)
                found[key] = self._plain(value_node, (*path, key))
                self.lines[(*path, key)] = line
            return found
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(item, (*path, place)) for place, item in enumerate(node.value)]
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_object(node)
        finally:
            loader.dispose()

    def _line(self, path: tuple[str | int, ...]) -> int | None:
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)

    def _error(self, what: str, path: tuple[str | int, ...]) -> AnimatError:
        return AnimatError(what, file=self.path, line=self._line(path))

    def _convert(self, value: Any, kind: Any, path: tuple[str | int, ...]) -> Any:
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        where = ".".join(map(str, path))
        if origin is typing.Annotated:
            return self._number(value, arguments[0], arguments[1], path)
        if origin in (types.UnionType, typing.Union):
            if value is None:
                return None
            (inner,) = (argument for argument in arguments if argument is not type(None))
            return self._convert(value, inner, path)
        if origin is typing.Literal:
            if value not in arguments:
                raise unknown_name(f"{where}:", str(value), arguments).at(self.path, self._line(path))
            return value
        if origin is tuple:
            return self._sequence(value, arguments, path)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return value if isinstance(value, kind) else self._struct(value, kind, path)
        if kind is bool and isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            raise self._error(f"{where}: expected {kind.__name__}, got {value!r}", path)
        return value

    def _struct(self, value: Any, kind: type[msgspec.Struct], path: tuple[str | int, ...]) -> Any:
        where = ".".join(map(str, path)) or "body"
        hints = typing.get_type_hints(kind, include_extras=True)
        fields = {field.name: field for field in msgspec.structs.fields(kind)}
        if not isinstance(value, dict):
            raise self._error(f"{where}: expected entries such as {', '.join(list(fields)[:3])}, got {value!r}", path)
        value = dict(value)
        if "rotation" in value and "quaternion" in fields:
            value["quaternion"] = list(quaternion(self._angles(value.pop("rotation"), (*path, "rotation"))))
        for name in value:
            if name not in fields:
                raise unknown_name(f"entry of {where}", str(name), fields).at(self.path, self._line((*path, name)))
        for name, field in fields.items():
            if field.required and name not in value:
                raise self._error(f"{where}: `{name}` is missing", path)
        return kind(**{name: self._convert(item, hints[name], (*path, name)) for name, item in value.items()})

    def _sequence(self, value: Any, arguments: tuple[Any, ...], path: tuple[str | int, ...]) -> tuple[Any, ...]:
        where = ".".join(map(str, path))
        if isinstance(value, dict) and len(path) == 1 and path[0] in SECTIONS:
            parts = []
            for name, part in value.items():
                if not isinstance(part, dict):
                    raise self._error(f"{where}.{name}: expected the part's entries, got {part!r}", (*path, name))
                parts.append(self._convert({"name": str(name), **part}, arguments[0], (*path, str(name))))
            return tuple(parts)
        if not isinstance(value, list | tuple):
            raise self._error(f"{where}: expected a list, got {value!r}", path)
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        if len(kinds) != len(value):
            raise self._error(f"{where}: expected {len(kinds)} numbers, got {len(value)}", path)
        return tuple(
            self._convert(item, kind, (*path, place))
            for place, (item, kind) in enumerate(zip(value, kinds, strict=True))
        )

    def _angles(self, value: Any, path: tuple[str | int, ...]) -> tuple[float, ...]:
        radians = typing.Annotated[float, Unit(("rad",))]
        angles = self._sequence(value, (radians, radians, radians), path)
        return tuple(float(angle) for angle in angles)

    def _number(self, value: Any, kind: Any, unit: Unit, path: tuple[str | int, ...]) -> float | int:
        where = ".".join(map(str, path))
        try:
            if kind is int:
                return ticks(value)
            number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
            if number is None and isinstance(value, str) and re.fullmatch(r"[-+]?[\d.]+([eE][-+]?\d+)?", value.strip()):
                number = float(value)
            if number is None:
                number = self._quantity(value, unit.names)
        except (AnimatError, ValueError) as error:
            raise self._error(f"{where}: {error}", path) from None
        if not math.isfinite(number):
            raise self._error(f"{where}: must be a finite number, got {value!r}", path)
        return number

    @staticmethod
    def _quantity(value: Any, units: tuple[str, ...]) -> float:
        for unit in units[:-1]:
            try:
                return quantity(value, unit)
            except AnimatError:
                continue
        return quantity(value, units[-1])
