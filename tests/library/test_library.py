from pathlib import Path

import pytest

from animat.errors import AnimatError
from animat.library import library_names, library_path, load_network

BUILDER = """\
from animat.brain.network import Network, Population


def build(count, model="iaf_psc_alpha"):
    return Network(name="made", populations=(Population(name="A", model=model, size=count),))
"""


def test_what_ships_can_be_listed_and_found() -> None:
    assert "rodent-brain" in library_names("networks")
    assert (library_path("networks", "rodent-brain") / "network.py").is_file()
    with pytest.raises(AnimatError, match="rodent-brain"):
        library_path("networks", "rodent-brian")
    with pytest.raises(AnimatError, match="networks"):
        library_names("brains")


def test_a_folder_or_a_python_file_builds_a_network(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "network.py").write_text(BUILDER)
    for file in ("mine", "mine/network.py"):
        network = load_network({"file": file, "count": 7}, tmp_path)
        assert network.population("A").size == 7


def test_a_network_of_several_files(tmp_path: Path) -> None:
    """It imports those beside it, another folder's of the same name are others, and a changed one is read again."""
    for folder, size in (("one", 3), ("other", 40)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "network.py").write_text(
            "from .cells import size\n" + BUILDER.replace("=count", "=size(count)")
        )
        (tmp_path / folder / "cells.py").write_text(f"def size(count):\n    return {size} // count\n")
    found = {
        name: load_network({"file": f"{name}/network.py", "count": 1}, tmp_path).neurons for name in ("one", "other")
    }
    assert found == {"one": 3, "other": 40}
    with pytest.raises(AnimatError, match="ZeroDivisionError") as caught:
        load_network({"file": "one", "count": 0}, tmp_path)
    assert (caught.value.file, caught.value.line) == (str(tmp_path / "one" / "cells.py"), 2)
    (tmp_path / "one" / "cells.py").write_text("def size(count):\n    return 500\n")
    assert load_network({"file": "one", "count": 1}, tmp_path).neurons == 500


def test_a_yaml_file_is_a_network(tmp_path: Path) -> None:
    (tmp_path / "network.yaml").write_text("populations: {A: {model: iaf_psc_alpha, size: 3}}\n")
    assert load_network({"file": "network.yaml"}, tmp_path).neurons == 3
    assert load_network({"file": "."}, tmp_path).neurons == 3
    with pytest.raises(AnimatError, match="no parameters"):
        load_network({"file": "network.yaml", "size": "1 mm"}, tmp_path)


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        (BUILDER.replace("count,", "count=0,"), None, "size must be at least 1"),
        ("def build(:\n", 1, "SyntaxError"),
        ("def build():\n    return 1 / 0\n", 2, "ZeroDivisionError"),
        ("def build():\n    return {}\n", None, "must return"),
        ("x = 1\n", None, "build"),
    ],
)
def test_a_broken_builder_is_explained(tmp_path: Path, source: str, line: int | None, words: str) -> None:
    path = tmp_path / "network.py"
    path.write_text(source)
    with pytest.raises(AnimatError) as caught:
        load_network({"file": "network.py"}, tmp_path)
    assert words in caught.value.what
    assert caught.value.file == str(path)
    assert caught.value.line == line


def test_a_parameter_that_a_builder_needs_is_named_with_all_of_them(tmp_path: Path) -> None:
    (tmp_path / "network.py").write_text(BUILDER)
    with pytest.raises(AnimatError, match="needs 'count'; its parameters: count, model"):
        load_network({"file": "network.py"}, tmp_path)


@pytest.mark.parametrize("spec", [{}, {"library": "nothing"}, {"library": "rodent-brain", "file": "x"}, {"file": 3}])
def test_a_wrong_specification_is_explained(spec: dict[str, object]) -> None:
    with pytest.raises(AnimatError):
        load_network(spec)
