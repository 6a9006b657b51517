"""What the scripts beside this write into pages: tables, output and numbers, between markers that name them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["animat", "fill", "printed", "table"]


def fill(page: Path, name: str, text: str) -> None:
    """Replace what stands between the markers of `name`: lines, or words where the markers stand within a line."""
    content = page.read_text(encoding="utf-8")
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if content.count(begin) != 1 or content.count(end) != 1:
        raise SystemExit(f"{page} has no markers {begin} and {end}, or several")
    before, rest = content.split(begin)
    inside, after = rest.split(end)
    text = f"\n{text}\n" if inside.startswith("\n") else text
    page.write_text(f"{before}{begin}{text}{end}{after}", encoding="utf-8")
    print(f"filled {name} of {page.name}")


def table(columns: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [columns, ["---"] * len(columns), *rows])


def printed(text: str, language: str = "") -> str:
    """Return text as a block that is shown as it is; blanks at the ends of lines are left out."""
    lines = [line.rstrip() for line in text.strip().splitlines()]
    return "\n".join([f"```{language}", *lines, "```"])


def animat(*words: str, folder: Path, **environment: str) -> str:
    """Return what the command line prints, run in a folder."""
    command = [str(Path(sys.executable).with_name("animat")), *words]
    settings = {**os.environ, "COLUMNS": "100", **environment}
    done = subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"animat {' '.join(words)}: {done.stderr}")
    return done.stdout
