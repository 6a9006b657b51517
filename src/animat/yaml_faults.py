"""What is wrong with text that is no YAML, in the words of those who write it, and on which line."""

from __future__ import annotations

import re

import yaml

__all__ = ["explained"]

_INDENTATION = "entries of one map begin in the same column, and so do the items of one list"
#: Of what PyYAML says: what to say instead.
_WORDS = (
    (r"character '\\t'", "there is a tab; indent with spaces"),
    (r"character '(.)' that cannot start", r"text that begins with \1 must stand in quotes"),
    (r"undefined alias '(.*)'", r"*\1 means what an earlier &\1 named, and there is none; put text with * in quotes"),
    (r"alphabetic or numeric character", "a name must follow & or *; put text that begins with one in quotes"),
    (r"unknown escape character '(.)'", r"\\\1 means nothing in double quotes; single quotes take text as it is"),
    (r"another document", "--- begins a second document; one file holds one"),
    (r"expected the node content, but found '(.)'", r"there is a \1 too many; put text that begins with it in quotes"),
    (r"indentation indicators|comment or a line break", "after | or > the text begins on the next line"),
)


def explained(error: yaml.MarkedYAMLError, text: str) -> tuple[str, int | None]:
    """Return what is wrong, and the line (from 1) to look at."""
    problem, lines = error.problem or error.context or "", text.splitlines()
    mark = error.problem_mark or error.context_mark
    opened = error.context_mark or mark
    if mark is None or opened is None:
        return problem, None
    line, before = mark.line + 1, opened.line + 1
    if match := re.search(r"expected ',' or '(.)', but got '(.*)'", problem):
        opening = {"}": "{", "]": "["}[match[1]]
        return f"the {opening} that opens here is not closed with {match[1]}, or a comma is missing in it", before
    if "end of stream" in problem:
        return "the quote that opens here is never closed", before
    if "could not find expected ':'" in problem:
        return f"{_line(lines, before)!r} is no entry; an entry is `NAME: VALUE`", before
    if "<block end>" in problem:
        if "scalar" in problem and _line(lines, line)[: mark.column].strip():
            return "text goes on behind a quote that is closed; put the whole of it in quotes", line
        return f"this line's indentation fits nothing above it: {_INDENTATION}", line
    if "mapping values" in problem:
        return _second_value(lines, line, mark.column)
    for pattern, words in _WORDS:
        if match := re.search(pattern, problem):
            return match.expand(words), line
    return problem, line


def _second_value(lines: list[str], line: int, column: int) -> tuple[str, int]:
    """Return what is wrong where a colon stands behind something that has a value already."""
    here = _line(lines, line)
    if re.search(r":\s", here[:column]):
        return "a value holds a colon and a space; put such text in quotes, or entries in {braces}", line
    above = line - 1
    while above > 1 and not _line(lines, above).split("#")[0].strip():
        above -= 1
    if not re.search(r":(\s|$)", _line(lines, above)):
        return f"{_line(lines, above).strip()!r} is no entry; an entry is `NAME: VALUE`, with a space", above
    return f"this line is indented deeper than the entry above it, which has a value already: {_INDENTATION}", line


def _line(lines: list[str], line: int) -> str:
    return lines[line - 1] if 0 < line <= len(lines) else ""
