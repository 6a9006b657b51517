"""Which files a model file names, and that a body's hash covers them."""

from __future__ import annotations

from pathlib import Path

import pytest

from animat.body import load_body
from animat.body.files import find, named_files

TETRAHEDRON = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def names(folder: Path, file: str) -> set[str]:
    return {item.path.resolve().relative_to(folder.resolve()).as_posix() for item in named_files(folder / file)}


def test_includes_in_includes_and_asset_folders_are_followed(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "models/arm/arm.xml": '<mujoco><compiler meshdir="../meshes" texturedir="../pictures"/>'
            '<include file="../common/a.xml"/><asset><mesh name="x" file="x.obj"/><texture file="t.png"/>'
            '<model name="hand" file="hand/hand.xml"/><mesh name="gone" file="gone.obj"/></asset></mujoco>',
            "models/common/a.xml": '<mujocoinclude><include file="../common/b.xml"/></mujocoinclude>',
            "models/common/b.xml": '<mujocoinclude><asset><hfield name="h" file="h.png"/></asset></mujocoinclude>',
            "models/meshes/x.obj": "",
            "models/meshes/h.png": "",
            "models/pictures/t.png": "",
            "models/arm/hand/hand.xml": '<mujoco><compiler assetdir="in"/><asset><mesh file="f.obj"/></asset></mujoco>',
            "models/arm/hand/in/f.obj": "",
            "models/arm/hand/unnamed.obj": "",
            "body.yaml": "file: models/arm/arm.xml",
        },
    )
    found = {f"models/{name}" for name in ("common/a.xml", "common/b.xml", "meshes/x.obj", "meshes/h.png")}
    found |= {"models/pictures/t.png", "models/arm/hand/hand.xml", "models/arm/hand/in/f.obj"}
    assert names(tmp_path, "models/arm/arm.xml") == found
    assert names(tmp_path, "body.yaml") == found | {"models/arm/arm.xml"}


def test_circles_and_damaged_files_end(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.xml": '<mujoco><include file="b.xml"/><asset><model file="a.xml"/></asset></mujoco>',
            "b.xml": '<mujocoinclude><include file="a.xml"/><include file="bad.xml"/></mujocoinclude>',
            "bad.xml": "<mujocoinclude>",
        },
    )
    assert names(tmp_path, "a.xml") == {"b.xml", "bad.xml"}
    assert names(tmp_path, "bad.xml") == set()


@pytest.mark.parametrize("place", ["parts/nested.xml", "meshes/x.obj", "common.xml"])
def test_the_hash_changes_with_every_file_that_is_named(tmp_path: Path, place: str) -> None:
    write(
        tmp_path,
        {
            "arm/arm.xml": '<mujoco><compiler meshdir="../meshes"/><include file="../common.xml"/></mujoco>',
            "common.xml": '<mujocoinclude><include file="../parts/nested.xml"/></mujocoinclude>',
            "parts/nested.xml": '<mujocoinclude><asset><mesh file="x.obj"/></asset></mujocoinclude>',
            "meshes/x.obj": "1",
        },
    )
    first = load_body("arm/arm.xml", tmp_path).source
    (tmp_path / place).write_text((tmp_path / place).read_text() + " ")
    second = load_body("arm/arm.xml", tmp_path).source
    assert first is not None and second is not None and first.sha256 != second.sha256


@pytest.mark.parametrize(
    ("name", "lies"),
    [
        ("package://my_robot/meshes/x.obj", "ws/my_robot/meshes/x.obj"),
        ("package://my_robot/meshes/x.obj", "ws/my_robot/urdf/my_robot/meshes/x.obj"),
        ("package://other/x.obj", "ws/other/x.obj"),
        ("model://other/x.obj", "ws/other/x.obj"),
        ("package:///other/x.obj", "ws/other/x.obj"),
        ("x.obj", "ws/my_robot/meshes/x.obj"),
        ("package://published_name/meshes/x.obj", "ws/my_robot/meshes/x.obj"),
        ("../meshes/x.obj", "ws/my_robot/meshes/x.obj"),
        ("meshes/x.obj", "ws/my_robot/meshes/x.obj"),
        ("meshes\\x.obj", "ws/my_robot/urdf/meshes/x.obj"),
        ("/build/machine/x.obj", "ws/my_robot/urdf/x.obj"),
    ],
)
def test_where_a_name_leads(tmp_path: Path, name: str, lies: str) -> None:
    write(tmp_path, {"ws/my_robot/urdf/r.urdf": "", "ws/my_robot/package.xml": "", lies: ""})
    item = find(name, tmp_path / "ws/my_robot/urdf")
    assert item is not None and item.path == tmp_path / lies
    assert find("package://nowhere/y.obj", tmp_path / "ws/my_robot/urdf") is None
