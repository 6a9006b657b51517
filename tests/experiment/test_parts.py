import re

import pytest

from animat.errors import AnimatError
from animat.experiment.parts import check_brain, input_hash, load_parts, open_bodies
from animat.experiment.read import read_experiment
from animat.experiment.schema import BrainPart
from animat.experiment.validate import validate
from conftest import PENDULUM, SCRIPT, TRANSFER


def hashes(folder):
    parts = load_parts(read_experiment(folder))
    return input_hash(parts.brains["brain"]), input_hash(parts.bodies["body"])


def test_input_hashes_follow_contents_not_places(pendulum):
    first = hashes(pendulum("a", script=SCRIPT))
    assert hashes(pendulum("b", script=SCRIPT)) == first
    brain, body = hashes(pendulum("c", script=SCRIPT + "# another\n", body=PENDULUM.replace("0.05", "0.06")))
    assert brain != first[0] and body != first[1]


def test_a_period_that_does_not_fit_the_step_is_refused(pendulum):
    folder = pendulum(transfer=TRANSFER.replace("@transfer_function(hinge", '@transfer_function(every="30 ms", hinge'))
    with pytest.raises(AnimatError, match="whole multiple of the step") as caught:
        load_parts(read_experiment(folder))
    assert caught.value.file == str(folder / "transfer.py") and caught.value.line == 9


def test_one_port_has_one_writer_whether_its_body_is_named_or_not(pendulum):
    more = TRANSFER + (
        "\n\n@transfer_function(motor=actuator('motor', body='body'))\ndef again(t, motor):\n    motor.value = 0.0\n"
    )
    with pytest.raises(AnimatError, match=r"again\.motor writes body/actuator/motor, which push\.motor writes"):
        load_parts(read_experiment(pendulum(transfer=more)))


def test_a_body_file_outside_the_folder_is_refused(pendulum):
    folder = pendulum()
    (folder / "pendulum.xml").rename(folder.parent / "pendulum.xml")
    (folder / "body.yaml").write_text("name: arm\nfile: ../pendulum.xml\n")
    with pytest.raises(AnimatError, match="copy it into the folder") as caught:
        load_parts(read_experiment(folder, ["body.model=body.yaml"]))
    assert caught.value.line == 7


def test_a_mesh_outside_the_folder_is_refused(pendulum):
    folder = pendulum()
    (folder.parent / "t.obj").write_text("")
    text = (folder / "pendulum.xml").read_text()
    mesh = '<asset><mesh name="t" file="../t.obj"/></asset><worldbody>'
    (folder / "pendulum.xml").write_text(text.replace("<worldbody>", mesh))
    with pytest.raises(AnimatError, match=r"pendulum\.xml names .*t\.obj, which lies outside the experiment's folder"):
        load_parts(read_experiment(folder))


@pytest.mark.parametrize(
    ("timestep", "words"),
    [
        (
            "3 ms",
            "the step, 20 ms, is not a whole multiple of the time step of body, 3 ms: write `step: 21 ms`, or "
            "`timestep: 2.5 ms`",
        ),
        ("30 ms", "`step: 30 ms`, or `timestep: 20 ms`"),
        ("700 ns", "`step: 20.0004 ms`, or `timestep: 640 ns`"),
    ],
)
def test_a_time_step_that_does_not_fit_says_what_to_write(pendulum, timestep, words):
    experiment = read_experiment(pendulum(), [f"body.model={{file: pendulum.xml, timestep: {timestep}}}"])
    with pytest.raises(AnimatError, match=re.escape(words)) as caught:
        open_bodies(load_parts(experiment))
    assert caught.value.line == experiment.line("step")


def test_validate_notes_what_of_a_bodys_file_is_not_used(pendulum):
    keyed = PENDULUM.replace("</mujoco>", '<keyframe><key name="up" qpos="3.1"/></keyframe></mujoco>')
    (remark,) = validate(read_experiment(pendulum(body=keyed))).remarks
    assert remark.startswith("body: pendulum.xml has keyframes (up)")
    assert not validate(
        read_experiment(pendulum(body=keyed), ["body.model={file: pendulum.xml, keyframe: up}"])
    ).remarks


def test_the_engine_says_what_it_cannot_build(tmp_path):
    (tmp_path / "experiment.yaml").write_text(
        "animat: 1\nname: wrong\nduration: 100 ms\nbrain:\n  network: network.yaml\n", encoding="utf-8"
    )
    (tmp_path / "network.yaml").write_text(
        "populations:\n  A: {model: iaf_psc_alpha, size: 3, params: {C_mm: 250 pF}}\n", encoding="utf-8"
    )
    parts = load_parts(read_experiment(tmp_path))
    with pytest.raises(AnimatError, match=r"population A .*'C_mm'\. Did you mean 'C_m'") as caught:
        check_brain(parts, "brain")
    assert caught.value.file is not None and caught.value.line == 4


def test_several_processes_need_a_multiple_of_virtual_processes_and_numbers_may_stand_in_a_launch_command():
    part = BrainPart.model_validate(
        {"network": "network.yaml", "processes": 2, "threads": 2, "virtual_processes": 8, "launch": ["srun", "-n", 2]}
    )
    assert part.launch == ["srun", "-n", "2"] and part.all_virtual_processes == 8
    assert (
        BrainPart.model_validate({"network": "network.yaml", "processes": 2, "threads": 2}).all_virtual_processes == 4
    )
    with pytest.raises(ValueError, match=r"multiple of processes times threads \(4\)"):
        BrainPart.model_validate({"network": "n.yaml", "processes": 2, "threads": 2, "virtual_processes": 6})
    with pytest.raises(ValueError, match="launch"):
        BrainPart.model_validate({"network": "n.yaml", "launch": [True]})


def test_without_a_nest_with_mpi_several_processes_are_refused_with_the_way_to_it(pendulum, tmp_path, monkeypatch):
    monkeypatch.setenv("ANIMAT_CACHE", str(tmp_path / "empty"))
    with pytest.raises(AnimatError, match="animat engine install nest-mpi") as caught:
        validate(read_experiment(pendulum(), ["brain.processes=2"]))
    assert caught.value.line == 6
