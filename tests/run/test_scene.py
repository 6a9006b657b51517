import pytest

from animat.body.protocol import BodyInfo, Scene, Shape
from animat.errors import AnimatError
from animat.run.scene import read_scene, write_scene

INFO = BodyInfo(
    engine="fake",
    version="1",
    timestep=1_000_000,
    controls=(),
    sensors=(),
    links=("base",),
    scene=Scene(shapes=(Shape(link=0, kind="mesh", vertices=b"\x00\x01", faces=b"\xff"),)),
)


def test_round_trip(tmp_path):
    write_scene(tmp_path, INFO)
    (body,) = read_scene(tmp_path)
    assert body.scene == INFO.scene and body.links == ("base",) and body.prefix == ""


def test_several_bodies_carry_their_names(tmp_path):
    write_scene(tmp_path, {"left": INFO, "right": INFO})
    assert [body.prefix for body in read_scene(tmp_path)] == ["left/", "right/"]


def test_missing_and_broken(tmp_path):
    assert read_scene(tmp_path) == []
    (tmp_path / "scene.json").write_text('[{"name": 1}]')
    with pytest.raises(AnimatError, match=r"scene.json"):
        read_scene(tmp_path)
