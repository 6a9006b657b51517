"""What a fresh clone promises: make targets, licence, documentation, package data."""

import ast
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src" / "animat").rglob("*.py"))


def test_make_help_lists_the_targets() -> None:
    found = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(
        f"make {target}" in found for target in ("run", "setup", "test", "test-all", "checks", "figures", "clean")
    )


def test_ci_runs_make_test() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert (ROOT / ".ci" / "run").read_text().endswith("exec make test\n")


def test_the_licence_allows_linking_to_nest() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "GNU GENERAL PUBLIC LICENSE" in text and "Version 2, June 1991" in text and "END OF TERMS" in text
    assert 'text = "GPL-2.0-or-later"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    "page", [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda p: p.name
)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_bootstrap_is_plain_shell() -> None:
    subprocess.run(["sh", "-n", "scripts/bootstrap.sh"], cwd=ROOT, check=True)


def test_bootstrap_names_what_is_missing(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("sh", "uname", "grep", "printf"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    done = subprocess.run(
        ["/bin/sh", "scripts/bootstrap.sh", str(tmp_path / "venv"), "nest"],
        cwd=ROOT,
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "Python 3.11" in done.stderr and "PYTHON=" in done.stderr


def test_packages_have_a_docstring_and_no_utils() -> None:
    for path in SOURCES:
        assert path.stem not in ("utils", "helpers", "misc", "common"), path
        if "library" not in path.parts or path.parent.name == "library":
            assert ast.get_docstring(ast.parse(path.read_text())), f"{path} says nothing about itself"


FIGURES = {script.name: script.read_text() for script in sorted((ROOT / "docs" / "figures").glob("*.py"))}
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_what_stands_between_markers_is_written_by_a_script() -> None:
    """Of the page that the markers stand in; every pair is closed, and stands once."""
    for page in PAGES:
        text = re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        begun = re.findall(r"<!-- ([a-z-]+) -->", text)
        assert sorted(begun) == sorted(re.findall(r"<!-- /([a-z-]+) -->", text)), page
        assert len(set(begun)) == len(begun), page
        for name in begun:
            assert any(f'"{page.name}"' in script and f'"{name}"' in script for script in FIGURES.values()), name


def test_every_picture_is_shown_and_drawn_by_a_command() -> None:
    shown = "".join(page.read_text() for page in PAGES)
    commands = "".join(FIGURES.values()) + (ROOT / "tests" / "studio" / "test_nest_desktop.py").read_text()
    for picture in sorted((ROOT / "docs" / "images").iterdir()):
        assert f"images/{picture.name}" in shown, picture.name
        part = f'"{picture.stem.removeprefix("rodent-brain-")}"'
        assert picture.name in commands or part in FIGURES["rodent_brain.py"], picture.name


def test_every_script_of_figures_has_a_target_that_its_page_names() -> None:
    page = (ROOT / "docs" / "figures.md").read_text()
    for name in FIGURES:
        if name != "tables.py":
            assert f"`figures-{name.removesuffix('.py').replace('_', '-')}`" in page, name
