"""Tables of node types and edge types: text, columns separated by spaces, NULL for nothing."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from animat.errors import AnimatError

__all__ = ["Row", "Types", "read_types", "write_table"]


@dataclass(frozen=True)
class Row:
    """A type: its entries that are not NULL, and where it stands."""

    entries: Mapping[str, str]
    file: Path | None = None
    line: int | None = None

    def get(self, name: str) -> str | None:
        """Return an entry as text."""
        return self.entries.get(name)

    def number(self, name: str) -> float | None:
        """Return an entry as a number."""
        text = self.entries.get(name)
        if text is None:
            return None
        try:
            found = float(text)
        except ValueError:
            raise self.error(f"{name} must be a number, got {text!r}") from None
        if not math.isfinite(found):
            raise self.error(f"{name} must be finite, got {text}")
        return found

    def error(self, what: str) -> AnimatError:
        """Return an error placed at this row."""
        return AnimatError(what, file=self.file, line=self.line)


@dataclass(frozen=True)
class Types:
    """The types of a table by their number; rows with a `population` are that population's own."""

    file: Path | None
    id_column: str
    rows: Mapping[tuple[str | None, int], Row]

    def row(self, population: str, number: int) -> Row:
        """Return the type of a population that has this number."""
        found = self.rows.get((population, number)) or self.rows.get((None, number))
        if found is not None:
            return found
        if self.file is None:
            return Row({})
        known = ", ".join(str(key[1]) for key in self.rows if key[0] in (None, population)) or "none"
        raise AnimatError(
            f"there is no {self.id_column} {number}, which population {population} uses; it has {known}", file=self.file
        )


def read_types(path: Path | None, id_column: str) -> Types:
    """Read a table of types.

    Raises
    ------
    AnimatError
        With file and line.
    """
    if path is None:
        return Types(None, id_column, {})
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise AnimatError(f"cannot read this table: {error}", file=path) from None
    if not lines or id_column not in (header := _fields(lines[0])):
        raise AnimatError(
            f"the first line must name the columns, separated by spaces, among them {id_column}", file=path, line=1
        )
    rows: dict[tuple[str | None, int], Row] = {}
    for number, line in enumerate(lines[1:], 2):
        values = _fields(line)
        if not values:
            continue
        if len(values) != len(header):
            raise AnimatError(f"{len(header)} columns, but {len(values)} entries", file=path, line=number)
        entries = {name: value for name, value in zip(header, values, strict=True) if value not in ("NULL", "")}
        row = Row(entries, path, number)
        found = row.number(id_column)
        if found is None or found != int(found):
            raise row.error(f"{id_column} must be a whole number, got {row.get(id_column)}")
        key = row.get("population"), int(found)
        if key in rows:
            raise row.error(f"{id_column} {key[1]} stands in line {rows[key].line} already")
        rows[key] = row
    return Types(path, id_column, rows)


def _fields(line: str) -> list[str]:
    fields = next(csv.reader([line.replace("\t", " ").strip()], delimiter=" ", skipinitialspace=True), [])
    return [text.strip() for text in fields]


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a table as the standard asks: ASCII, columns separated by a space, NULL for nothing."""
    if not rows:
        return
    lines = [list(rows[0]), *([_field(value) for value in row.values()] for row in rows)]
    path.write_text("".join(" ".join(line) + "\n" for line in lines), encoding="ascii", errors="replace")


def _field(value: Any) -> str:
    text = "" if value is None else str(value).replace('"', '""')
    if text == "":
        return "NULL"
    return f'"{text}"' if re.search(r'[\s"]', text) else text
