"""Reading bodies: units, options, foreign files, and errors with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from animat.body import load_body
from animat.errors import AnimatError

PENDULUM = """\
name: pendulum
options:
  arm: [short, long]
timestep: 1 ms
links:
  rod:
    position: [0, 0, 1]
    rotation: [0, 90 deg, 0]
    mass: 100 g
    centre: [0 mm, 0, -5 cm]
    inertia: [1e-4, 1e-4, 1e-5, 0, 0, 0]
    shapes:
      - {kind: capsule, size: [1 cm, 0.1], when: {arm: short}}
      - {kind: capsule, size: [1 cm, 0.2], when: {arm: long}}
joints:
  hinge: {kind: revolute, child: rod, axis: [0, 1, 0], limits: [-90 deg, 1.5], damping: 0.01 N m s/rad}
muscles:
  flexor:
    max_isometric_force: 2 N
    optimal_fibre_length: 20 mm
    tendon_slack_length: 1 mm
    path:
      - {link: world, position: [0, 0, 1.02]}
      - {link: rod, position: [0, 0, -0.02]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "body.yaml").write_text(PENDULUM)
    return tmp_path


def test_units_and_bare_si_numbers(folder: Path) -> None:
    model = load_body(folder)
    (rod,), (hinge,), (flexor,) = model.links, model.joints, model.muscles
    assert rod.mass == pytest.approx(0.1)
    assert rod.centre == pytest.approx((0, 0, -0.05))
    assert rod.quaternion == pytest.approx((0.5**0.5, 0, 0.5**0.5, 0))
    assert rod.inertia[0] == 1e-4
    assert hinge.limits == pytest.approx((-1.5707963, 1.5))
    assert hinge.damping == 0.01
    assert flexor.optimal_fibre_length == pytest.approx(0.02)
    assert model.timestep == 1_000_000


def test_options_choose_parts(folder: Path) -> None:
    assert load_body(folder).links[0].shapes[0].size[1] == 0.1
    assert load_body({"file": "body.yaml", "arm": "long"}, folder).links[0].shapes[0].size[1] == 0.2
    assert load_body({"file": "body.yaml", "timestep": "2 ms"}, folder).timestep == 2_000_000
    with pytest.raises(AnimatError, match=r"arm 'longg'\. Did you mean 'long'"):
        load_body({"file": str(folder), "arm": "longg"})
    with pytest.raises(AnimatError, match=r"option of the body 'leg'.*Known: .*arm"):
        load_body({"file": str(folder), "leg": 1})


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("child: rod", "child: rodd", 16, r"unknown link 'rodd'. Did you mean 'rod'"),
        ("{link: rod,", "{link: arm,", 18, "unknown link 'arm'.*rod"),
        ("mass: 100 g", "mass: 100 s", 9, "mass.*'100 s' is a time, not a mass"),
        ("mass: 100 g", "mas: 100 g", 9, "unknown entry of links.rod 'mas'. Did you mean 'mass'"),
        ("kind: revolute", "kind: revolut", 16, "Did you mean 'revolute'"),
        ("[-90 deg, 1.5]", "[2, 1.5]", 16, "lower limit"),
        ("[-90 deg, 1.5]", "[2]", 16, "expected 2"),
        ("    max_isometric_force: 2 N\n", "", 18, "`max_isometric_force` is missing"),
        ("    mass: 100 g", "    mass: 100 g\n    mass: 1 kg", 10, "second time"),
        ("joints:", "joint:", 15, "Did you mean 'joints'"),
        ("{kind: revolute", "{kind: revolute]", 16, "is not closed with }"),
    ],
)
def test_errors_say_file_and_line(folder: Path, old: str, new: str, line: int, words: str) -> None:
    assert old in PENDULUM
    (folder / "body.yaml").write_text(PENDULUM.replace(old, new))
    with pytest.raises(AnimatError, match=words) as caught:
        load_body(folder)
    assert caught.value.file == str(folder / "body.yaml")
    assert caught.value.line == line


def test_links_need_exactly_one_joint(folder: Path) -> None:
    text = PENDULUM.replace("joints:\n", "joints:\n  again: {kind: fixed, child: rod}\n")
    (folder / "body.yaml").write_text(text)
    with pytest.raises(AnimatError, match="child of two joints"):
        load_body(folder)
    (folder / "body.yaml").write_text("links:\n  a: {}\n")
    with pytest.raises(AnimatError, match="child of no joint"):
        load_body(folder)
    circle = "joints: {x: {kind: fixed, parent: b, child: a}, y: {kind: fixed, parent: a, child: b}}"
    (folder / "body.yaml").write_text("links: {a: {}, b: {}}\n" + circle)
    with pytest.raises(AnimatError, match="circle"):
        load_body(folder)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("kind: revolute, child: rod, axis: [0, 1, 0], limits: [-90 deg, 1.5]", "kind: free, child: rod", "no limits"),
        ("mass: 100 g", "mass: 0 kg", "an inertia needs a mass"),
        ("muscles:", "actuators: {m: {joint: hinge, damping: 1}}\nmuscles:", "only a position actuator has damping"),
        ("timestep: 1 ms", "keyframe: home", "only MJCF files have keyframes"),
        ("timestep: 1 ms", "base: fixed", "joints that say so"),
    ],
)
def test_entries_that_could_not_act_are_refused(folder: Path, old: str, new: str, words: str) -> None:
    assert old in PENDULUM
    (folder / "body.yaml").write_text(PENDULUM.replace(old, new))
    with pytest.raises(AnimatError, match=words):
        load_body(folder)


def test_unknown_and_missing_bodies(tmp_path: Path) -> None:
    with pytest.raises(AnimatError, match="mouse-forelimb"):
        load_body({"library": "mouse-forlimb"})
    with pytest.raises(AnimatError, match="there is no body file"):
        load_body(tmp_path / "nothing.xml")
    with pytest.raises(AnimatError, match="library: NAME"):
        load_body({})
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(AnimatError, match=r"a body is a \.yaml"):
        load_body(tmp_path / "a.txt")


def test_source_files_are_hashed_with_what_they_name(tmp_path: Path) -> None:
    (tmp_path / "part.xml").write_text("<mujoco/>")
    (tmp_path / "arm.xml").write_text('<mujoco><include file="part.xml"/></mujoco>')
    first = load_body(tmp_path / "arm.xml")
    assert first.source is not None and first.source.kind == "mjcf" and first.name == "arm"
    (tmp_path / "part.xml").write_text("<mujoco></mujoco>")
    second = load_body(tmp_path / "arm.xml")
    assert second.source is not None and second.source.sha256 != first.source.sha256
    (tmp_path / "robot.xml").write_text('<robot name="r"/>')
    robot = load_body(tmp_path / "robot.xml")
    assert robot.source is not None and robot.source.kind == "urdf"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damaged_file_gives_an_error_or_a_model(folder: Path, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(PENDULUM) - 1))
    length = data.draw(st.integers(0, 12))
    inserted = data.draw(
        st.sampled_from(["", "[", "{", ": ", "-", "null", "1e400", "nan", "'", "true", "\n", "x: y\n", "&a", "!!set"])
    )
    (folder / "body.yaml").write_text(PENDULUM[:place] + inserted + PENDULUM[place + length :])
    try:
        load_body(folder)
    except AnimatError:
        pass
