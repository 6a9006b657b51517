"""Files that a script's own recorders write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from nest_brain import running, spikes

from animat.brain.protocol import BrainScript
from animat.errors import AnimatError

TEXT = """\
import nest
{before}
cells = nest.Create("iaf_psc_alpha", 4, {{"I_e": nest.random.uniform(500.0, 700.0)}})
recorder = nest.Create("spike_recorder", {{"record_to": "{record_to}", "label": "mine"}})
meter = nest.Create("multimeter", {{"record_to": "ascii", "record_from": ["V_m"], "time_in_steps": True}})
nest.Connect(cells, recorder)
nest.Connect(meter, cells)
{after}
populations = {{"cells": cells}}
"""


def script(folder: Path, before: str = "", after: str = "", record_to: str = "ascii") -> BrainScript:
    file = folder / "net.py"
    file.write_text(TEXT.format(before=before, after=after, record_to=record_to))
    return BrainScript(str(file), "pynest")


def lines(folder: Path, name: str) -> list[list[float]]:
    """Events of the files of a recorder; each must have one header."""
    found = []
    files = sorted(folder.glob(f"{name}-*.dat"))
    assert files
    for file in files:
        text = file.read_text().splitlines()
        assert [line[:1] for line in text[:3]] == ["#", "#", "s"]
        found += [[float(word) for word in line.split()] for line in text[3:]]
    return sorted(found, key=lambda event: (event[1], event[0]))


@pytest.mark.parametrize("threads", [1, 2])
def test_every_step_is_kept(tmp_path: Path, threads: int) -> None:
    with running(script(tmp_path), threads=threads) as loop:
        recorder = loop.attach("spike_recorder", "cells")
        index, ticks = spikes(loop.run(5), recorder)
    assert lines(tmp_path, "mine") == [[neuron + 1, tick / 1e6] for neuron, tick in zip(index, ticks, strict=True)]
    assert len(index) > 20
    steps = [event[1] for event in lines(tmp_path, "multimeter") if event[0] == 1]
    assert steps == list(np.arange(10, 991, 10))


def test_what_the_script_simulated_itself_comes_first(tmp_path: Path) -> None:
    (tmp_path / "mine-5-0.dat").write_text("of an earlier run\n")
    with running(script(tmp_path, after="nest.Simulate(30.0)")) as loop:
        loop.run(2)
    times = [event[1] for event in lines(tmp_path, "mine")]
    assert min(times) < 20.0 and max(times) > 50.0


def test_a_run_begins_its_files_anew(tmp_path: Path) -> None:
    kept = []
    for _ in range(2):
        with running(script(tmp_path)) as loop:
            loop.run(2)
            kept.append(lines(tmp_path, "mine"))
            loop.engine.reset()
            loop.now = 0
            loop.run(2)
            kept.append(lines(tmp_path, "mine"))
    assert kept[0] == kept[1] == kept[2] == kept[3] != []


def test_where_files_go(tmp_path: Path) -> None:
    run, chosen = tmp_path / "run", tmp_path / "chosen"
    run.mkdir(), chosen.mkdir()
    for before, folder in (("", run), ("nest.data_path = 'chosen'", chosen)):
        with running(script(tmp_path, before), shard=str(run / "spikes"), record=("*",)) as loop:
            loop.run(1)
        assert lines(folder, "mine") and not list(tmp_path.glob("*.dat"))


def test_labels_with_folders(tmp_path: Path) -> None:
    (tmp_path / "found").mkdir()
    with running(script(tmp_path, after="recorder.label = 'found/mine'")) as loop:
        loop.run(2)
    assert lines(tmp_path / "found", "mine")
    for label in ("absent/mine", "../mine"):
        with (
            pytest.raises(AnimatError, match="there is no folder"),
            running(script(tmp_path, after=f"recorder.label = {label!r}")),
        ):
            pass


def test_files_that_must_not_be_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine-5-0.dat").write_text("of an earlier run\n")
    forbid = "nest.overwrite_files = False"
    with (
        pytest.raises(AnimatError, match=r"mine-5-0\.dat exists, and the script forbids"),
        running(script(tmp_path, forbid)),
    ):
        pass
    assert (tmp_path / "mine-5-0.dat").read_text() == "of an earlier run\n"


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "mine-5-0.dat").mkdir()
    with running(script(tmp_path)) as loop, pytest.raises(AnimatError, match=r"cannot write .*mine-5-0\.dat"):
        loop.run(1)


def test_recorders_in_memory_write_nothing(tmp_path: Path) -> None:
    text = TEXT.format(before="", after="", record_to="memory").replace('"record_to": "ascii"', '"record_to": "screen"')
    (tmp_path / "net.py").write_text(text)
    with running(BrainScript(str(tmp_path / "net.py"), "pynest")) as loop:
        assert loop.engine._files is None
        loop.run(1)
    assert [file.name for file in tmp_path.iterdir()] == ["net.py"]
