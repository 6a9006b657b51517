"""What is printed, whatever it holds, and what becomes of a command when its output goes away."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from animat.cli.terminal import plain_console

ANIMAT = [sys.executable, "-m", "animat.cli"]

#: What a console might take for styles, emoji, or the end of a style that never began.
ODD = "[red]x :smile: [/b] [link=x] \\[y"

full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")


def test_texts_are_printed_as_they_are() -> None:
    out = io.StringIO()
    console = plain_console(file=out, width=200)
    table = Table(title=ODD, title_justify="left")
    table.add_column(ODD)
    table.add_row(ODD)
    for printed in (ODD, Text.assemble((ODD, "bold"), "."), table):
        console.print(printed)
    assert out.getvalue().count(ODD) == 5


def test_an_error_is_printed_as_it_is() -> None:
    done = subprocess.run([*ANIMAT, "describe", ODD], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and ODD in done.stderr


def test_a_reader_that_has_enough_is_no_error() -> None:
    with subprocess.Popen([*ANIMAT, "info"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None and command.stderr is not None
        command.stdout.close()
        said = command.stderr.read()
    assert (command.returncode, said) == (0, "")


@full
def test_output_that_was_asked_for_and_is_lost_is_an_error() -> None:
    with Path("/dev/full").open("w") as out:
        done = subprocess.run([*ANIMAT, "info"], stdout=out, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "error: not all output could be written: No space left on device\n")


@full
def test_a_run_whose_output_goes_away_is_completed(pendulum, tmp_path: Path) -> None:
    folder = tmp_path / ODD
    command = [*ANIMAT, "run", str(pendulum()), "--out", str(folder), "--no-report"]
    with Path("/dev/full").open("w") as out:
        done = subprocess.run(command, stdout=out, stderr=out)
    assert done.returncode == 0
    assert json.loads((folder / "summary.json").read_text())["state"] == "completed"


def test_a_run_that_nobody_listens_to_is_completed(pendulum, tmp_path: Path) -> None:
    command = [*ANIMAT, "run", str(pendulum()), "--out", str(tmp_path / "out"), "--no-report"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
        assert running.stdout is not None
        running.stdout.readline()
        running.stdout.close()
    assert running.returncode == 0
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["state"] == "completed"
