"""Reading YAML with lines remembered: a mapping whose every mistake is reported with file, line and known names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from animat.errors import AnimatError, unknown_name
from animat.units import quantity

__all__ = ["Entry", "merge", "read_yaml"]


class _Lines(dict[str, Any]):
    """A mapping that knows the line of each key."""

    lines: dict[str, int]


class _Loader(yaml.SafeLoader):
    pass


def _mapping(loader: _Loader, node: yaml.MappingNode) -> _Lines:
    found = _Lines()
    found.lines = {}
    loader.flatten_mapping(node)
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)  # type: ignore[no-untyped-call]
        line = key_node.start_mark.line + 1
        if key in found:
            raise AnimatError(f"{key!r} stands twice", line=line)
        if not isinstance(key, str | int | float | bool):
            raise AnimatError(f"a name must be text, got {key!r}", line=line)
        name = str(key).lower() if isinstance(key, bool) else str(key)
        found[name] = loader.construct_object(value_node, deep=True)  # type: ignore[no-untyped-call]
        found.lines[name] = line
    return found


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_yaml(text: str, file: Path) -> Entry:
    """Return the mapping that `text` holds."""
    try:
        found = yaml.load(text, Loader=_Loader)
    except AnimatError as error:
        error.file = str(file)
        raise
    except yaml.MarkedYAMLError as error:
        line = None if error.problem_mark is None else error.problem_mark.line + 1
        raise AnimatError(f"this is not YAML: {error.problem}", file=file, line=line) from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise AnimatError(f"this is not YAML: {error}", file=file) from None
    if not isinstance(found, _Lines):
        raise AnimatError("expected a mapping such as `links: ...`", file=file)
    return Entry(found, "body", file, 1)


def merge(base: Any, over: Any) -> Any:
    """Return `base` with `over` laid on it: mappings key by key, everything else replaced."""
    if not (isinstance(base, _Lines) and isinstance(over, _Lines)):
        return over
    found = _Lines(base)
    found.lines = dict(base.lines)
    for name, value in over.items():
        found[name] = merge(base[name], value) if name in base else value
        found.lines[name] = over.lines[name]
    return found


class Entry:
    """A mapping of the file; each `take` removes what it reads, so that `done` finds what nobody knows."""

    def __init__(self, values: Mapping[str, Any], where: str, file: Path, line: int) -> None:
        self.values: dict[str, Any] = dict(values)
        self.lines: dict[str, int] = getattr(values, "lines", {})
        self.where, self.file, self.line = where, file, line
        self.known: list[str] = []

    def error(self, what: str, name: str = "") -> AnimatError:
        """Return an error about `name` of this entry."""
        return AnimatError(f"{self.where}: {what}", file=self.file, line=self.lines.get(name, self.line))

    def has(self, name: str) -> bool:
        """Tell whether `name` is given."""
        self.known.append(name)
        return name in self.values

    def take(self, name: str) -> Any:
        """Remove and return `name`, None when absent."""
        self.known.append(name)
        return self.values.pop(name, None)

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text; required without `default`."""
        return str(self._required(name, default, str, "text"))

    def flag(self, name: str, default: bool = False) -> bool:
        """Return true or false."""
        return bool(self._required(name, default, bool, "true or false"))

    def whole(self, name: str, default: int | None = None) -> int:
        """Return a positive whole number."""
        found = self._required(name, default, int, "a whole number")
        if isinstance(found, bool) or found < 1:
            raise self.error(f"{name} must be a positive whole number, got {found!r}", name)
        return int(found)

    def number(self, name: str, unit: str, default: float | None = None, *, least: float = -float("inf")) -> float:
        """Return a number: bare in SI, or text with a unit."""
        found = self._required(name, default, (int, float, str), f"a number, in {unit}" if unit else "a number")
        number = self._number(found, unit, name)
        if number < least:
            raise self.error(f"{name} must be at least {least:g}, got {found!r}", name)
        return number

    def numbers(self, name: str, count: int, unit: str, default: tuple[float, ...] | None = None) -> tuple[float, ...]:
        """Return a list of exactly `count` numbers."""
        found = self._required(name, default, (list, tuple), f"{count} numbers such as [{', '.join(['0'] * count)}]")
        if len(found) != count:
            raise self.error(f"{name} needs {count} numbers, got {len(found)}", name)
        return tuple(self._number(item, unit, name) for item in found)

    def vector(self, name: str, unit: str = "m") -> tuple[float, float, float]:
        """Return three numbers; zeros when absent."""
        x, y, z = self.numbers(name, 3, unit, (0.0, 0.0, 0.0))
        return x, y, z

    def one_of(self, name: str, known: tuple[str, ...], default: str | None = None) -> str:
        """Return a text out of `known`."""
        found = self.text(name, default)
        if found not in known:
            raise unknown_name(name, found, known).at(self.file, self.lines.get(name, self.line))
        return found

    def items(self, name: str) -> Iterator[tuple[str, Entry]]:
        """Yield the named entries below `name`."""
        found = self.take(name)
        if found is None:
            return
        if not isinstance(found, _Lines):
            raise self.error(f"{name} must be a mapping of names", name)
        for item, value in found.items():
            yield item, self._entry(value, f"{name}.{item}", found.lines[item])

    def listed(self, name: str) -> Iterator[Entry]:
        """Yield the entries of the list below `name`."""
        found = self.take(name)
        if found is None:
            return
        if not isinstance(found, list):
            raise self.error(f"{name} must be a list", name)
        for place, value in enumerate(found):
            yield self._entry(value, f"{self.where}.{name}[{place}]", self.lines.get(name, self.line))

    def done(self) -> None:
        """Refuse what nobody has taken."""
        for name in self.values:
            error = unknown_name("entry", name, self.known)
            raise AnimatError(f"{self.where}: {error.what}", file=self.file, line=self.lines.get(name, self.line))

    def _entry(self, value: Any, where: str, line: int) -> Entry:
        if value is None:
            value = {}
        if not isinstance(value, Mapping):
            raise AnimatError(f"{where} must be a mapping, got {value!r}", file=self.file, line=line)
        return Entry(value, where, self.file, min(getattr(value, "lines", {}).values(), default=line))

    def _required(self, name: str, default: Any, kind: type | tuple[type, ...], expected: str) -> Any:
        found = self.take(name)
        if found is None:
            if default is None:
                raise self.error(f"{name} is missing; it must be {expected}")
            return default
        if not isinstance(found, kind) or (isinstance(found, bool) and kind is not bool):
            raise self.error(f"{name} must be {expected}, got {found!r}", name)
        return found

    def _number(self, value: Any, unit: str, name: str) -> float:
        try:
            if isinstance(value, str):
                number = quantity(value, unit)
            elif isinstance(value, int | float) and not isinstance(value, bool):
                number = float(value)
            else:
                raise AnimatError(f"expected a number, got {value!r}")
        except (AnimatError, OverflowError) as error:
            raise self.error(f"{name}: {error}", name) from None
        if number != number or number in (float("inf"), -float("inf")):
            raise self.error(f"{name} must be finite, got {value!r}", name)
        return number
