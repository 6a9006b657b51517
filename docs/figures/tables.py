"""What the scripts beside this write into pages of docs/: tables, between markers that name them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["fill", "table"]


def fill(page: Path, name: str, text: str) -> None:
    """Replace what stands between the markers of `name` in a page."""
    content = page.read_text(encoding="utf-8")
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if begin not in content or end not in content:
        raise SystemExit(f"{page} has no markers {begin} and {end}")
    before, rest = content.split(begin, 1)
    page.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end, 1)[1]}", encoding="utf-8")
    print(f"filled {name}")


def table(columns: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [columns, ["---"] * len(columns), *rows])
