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
    assert all(f"make {target}" in found for target in ("run", "setup", "test", "test-all", "checks", "clean"))


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
