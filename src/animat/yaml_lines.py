"""Read YAML and remember the line of every entry, so that errors can name file and line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from animat.errors import AnimatError
from animat.yaml_faults import explained

__all__ = ["Located", "dump_yaml", "load_yaml", "parse_yaml"]

#: Where an entry stands: keys of maps and places in lists, from the top.
KeyPath = tuple[str | int, ...]

#: Line breaks that only double quotes keep.
UNUSUAL_BREAKS = frozenset("\x85\u2028\u2029")

#: More entries than this come from aliases of aliases, not from a description.
MOST_ENTRIES = 1_000_000


@dataclass(frozen=True)
class Located:
    """The content of a YAML file (`data`: maps, lists, text, numbers, bools, None) and the lines of its entries."""

    data: Any
    file: Path
    lines: dict[KeyPath, int] = field(default_factory=dict, repr=False)

    def line(self, path: KeyPath = ()) -> int | None:
        """Return the line (from 1) on which an entry's key or list item begins; None if there is no such entry."""
        return self.lines.get(tuple(path))

    def nearest_line(self, path: KeyPath = ()) -> int | None:
        """Return the line of an entry, or of the nearest one around it that exists."""
        lines = (self.line(path[:depth]) for depth in range(len(path), -1, -1))
        return next((line for line in lines if line is not None), None)

    def error(self, what: str, path: KeyPath = ()) -> AnimatError:
        """Return an error placed at an entry, or at the nearest one around it that exists."""
        return AnimatError(what, file=self.file, line=self.nearest_line(path))


class _Loader(yaml.SafeLoader):
    """Text, numbers, true, false and null; dates, `yes`, octal and base-60 numbers stay text, 1e3 is a number."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  # PyYAML's own name


class _Dumper(yaml.SafeDumper):
    """Quotes all text that this module's loader, or any other, would not read as text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, data: str) -> yaml.Node:
        style = '"' if set(data) & UNUSUAL_BREAKS else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style)


_Dumper.add_representer(str, _Dumper.represent_text)


_NUMBER = r"(?:(?:0|[1-9][0-9_]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
for _kind, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^[-+]?(?:0|[1-9][0-9_]*)$", list("-+0123456789")),
    ("float", rf"^(?:[-+]?{_NUMBER}|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$", list("-+0123456789.")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(_pattern), _first)
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(_pattern), _first)


def dump_yaml(data: Any) -> str:
    """Return maps, lists, text, numbers, bools and None as YAML text, in their order."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)


def load_yaml(path: str | Path) -> Located:
    """Read a YAML file.

    Raises
    ------
    AnimatError
        If it cannot be read, is not YAML, has a key twice, or a key that is not text; with the line.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise AnimatError("is not a text file in UTF-8", file=path) from None
    except OSError as error:
        raise AnimatError(f"cannot be read: {error.strerror}", file=path) from None
    return parse_yaml(text, path)


def parse_yaml(text: str, file: str | Path = "<text>") -> Located:
    """Read YAML text; `file` is named in errors. See `load_yaml`."""
    found = Located(None, Path(file), {})
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            data = None if root is None else _construct(loader, root, (), found, ())
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        what, line = explained(error, text)
        raise AnimatError(f"is not valid YAML: {what}", file=file, line=line) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise AnimatError(
            f"holds a character that no text has (code {error.character})", file=file, line=line
        ) from None
    except RecursionError:
        raise AnimatError("is nested too deeply", file=file) from None
    return Located(data, found.file, found.lines)


def _construct(loader: _Loader, node: yaml.Node, path: KeyPath, found: Located, around: tuple[yaml.Node, ...]) -> Any:
    """Return the value of a node; `around` are the nodes it stands in."""
    line = node.start_mark.line + 1
    found.lines.setdefault(path, line)
    if any(node is outer for outer in around) or len(found.lines) > MOST_ENTRIES:
        raise AnimatError("an alias repeats itself without end", file=found.file, line=line)
    around = (*around, node)
    if isinstance(node, yaml.SequenceNode):
        return [_construct(loader, item, (*path, place), found, around) for place, item in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        return _construct_map(loader, node, path, found, around)
    return _scalar(loader, node, found.file)


def _construct_map(
    loader: _Loader, node: yaml.MappingNode, path: KeyPath, found: Located, around: tuple[yaml.Node, ...]
) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise AnimatError("a key must be text", file=found.file, line=line)
        key = str(key_node.value)
        if key in content:
            raise AnimatError(f"{key!r} stands here twice", file=found.file, line=line)
        found.lines[(*path, key)] = line
        content[key] = _construct(loader, value_node, (*path, key), found, around)
    return content


def _scalar(loader: _Loader, node: yaml.Node, file: Path) -> Any:
    line = node.start_mark.line + 1
    if node.tag.removeprefix("tag:yaml.org,2002:") not in ("null", "bool", "int", "float", "str"):
        raise AnimatError(f"the tag {node.tag!r} has no meaning here", file=file, line=line)
    try:
        return loader.construct_object(node)
    except (ValueError, KeyError, OverflowError):
        raise AnimatError(f"cannot read {node.value[:40]!r} as its tag says", file=file, line=line) from None
