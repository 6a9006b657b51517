"""Layouts as users write them, and what starts them."""

from __future__ import annotations

from pathlib import Path

import pytest

from animat.bench.layout import Engine, Layout, default_layouts, find_engine, parse_layouts, virtual_processes_for
from animat.errors import AnimatError


def test_layouts_are_read_and_written_alike() -> None:
    found = parse_layouts("1x1, 2x4,16x1")
    assert found == [Layout(1, 1), Layout(2, 4), Layout(16, 1)]
    assert [str(layout) for layout in found] == ["1x1", "2x4", "16x1"]
    assert [layout.cores for layout in found] == [1, 8, 16]


@pytest.mark.parametrize("text", ["", "2", "0x1", "2x", "axb", "1x1;2x1", "-1x1"])
def test_what_is_no_layout_is_explained(text: str) -> None:
    with pytest.raises(AnimatError, match="PROCESSESxTHREADS, such as 1x1"):
        parse_layouts(text)


def test_a_layout_named_twice_is_refused() -> None:
    with pytest.raises(AnimatError, match="named twice"):
        parse_layouts("1x1,2x1,1x1")


def test_default_layouts_are_doublings_of_what_is_there() -> None:
    assert default_layouts(1) == [Layout(1, 1)]
    assert list(map(str, default_layouts(2))) == ["1x1", "1x2", "2x1"]
    assert list(map(str, default_layouts(7))) == ["1x1", "1x2", "2x1", "1x4", "4x1"]


def test_virtual_processes_suit_all_layouts() -> None:
    assert virtual_processes_for(parse_layouts("1x1,1x2,2x1"), None) == 2
    assert virtual_processes_for(parse_layouts("1x4,3x1"), None) == 12
    assert virtual_processes_for(parse_layouts("1x2,2x1"), 8) == 8
    with pytest.raises(AnimatError, match="take a multiple of 4"):
        virtual_processes_for(parse_layouts("1x2,4x1"), 6)


def test_the_launcher_is_told_the_number_of_processes() -> None:
    engine = find_engine([Layout(2, 1)], Path("/opt/python"), "srun -n {processes} --exact")
    assert engine == Engine("/opt/python", ("srun", "-n", "{processes}", "--exact"))
    assert engine.command(Layout(16, 2)) == ["srun", "-n", "16", "--exact"]
    assert find_engine([Layout(1, 2)]) == Engine()
    with pytest.raises(AnimatError, match="must say where the number goes"):
        find_engine([Layout(1, 1)], launch="srun")
