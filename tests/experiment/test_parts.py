import json
import re

import h5py
import pytest

from animat.brain.network_file import parse_network
from animat.brain.sonata import write_sonata
from animat.errors import AnimatError
from animat.experiment.brains import check_brain, check_brain_settings
from animat.experiment.parts import input_hash, load_parts, open_bodies
from animat.experiment.read import read_experiment
from animat.experiment.schema import BrainPart
from animat.experiment.validate import validate
from conftest import NETWORK, PENDULUM, SCRIPT, TRANSFER


def hashes(folder):
    parts = load_parts(read_experiment(folder))
    return input_hash(parts.brains["brain"]), input_hash(parts.bodies["body"])


def test_input_hashes_follow_contents_not_places(pendulum):
    first = hashes(pendulum("a", script=SCRIPT))
    assert hashes(pendulum("b", script=SCRIPT)) == first
    brain, body = hashes(pendulum("c", script=SCRIPT + "# another\n", body=PENDULUM.replace("0.05", "0.06")))
    assert brain != first[0] and body != first[1]


def test_a_script_has_arguments(pendulum):
    folder = pendulum(script=SCRIPT)
    found = read_experiment(folder, ["brain.args=[--scale, 0.1, --n, 3, --name, a b]"])
    with_args = load_parts(found).brains["brain"]
    assert with_args.args == ("--scale", "0.1", "--n", "3", "--name", "a b")
    assert input_hash(with_args) != hashes(folder)[0]
    with pytest.raises(AnimatError, match="`args` are for a `script`"):
        read_experiment(pendulum("network"), ["brain.args=[--scale]"])


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


@pytest.fixture
def with_circuit(pendulum):
    """The pendulum's experiment with its network as a SONATA circuit in a folder, and the circuit's configuration."""
    folder = pendulum()
    return folder, write_sonata(parse_network(NETWORK), folder / "circuit", 1)


def test_a_sonata_circuit_is_a_brain_and_all_its_files_count(with_circuit):
    folder, config = with_circuit
    named = {name: load_parts(read_experiment(folder, [f"brain.network={name}"])).brains["brain"] for name in FORMS}
    first, second = named.values()
    assert first == second and [population.size for population in first.populations] == [20, 10]
    assert sum(len(projection.rule.sources) for projection in first.projections) == 100
    with h5py.File(config.parent / "edges.h5", "r+") as file:
        file["edges/A__B/0/syn_weight"][7] = 61.0
    changed = load_parts(read_experiment(folder, ["brain.network=circuit"])).brains["brain"]
    assert input_hash(changed) != input_hash(first)


FORMS = ("circuit", "circuit/circuit_config.json")


def test_a_circuit_with_a_file_outside_the_folder_is_refused(with_circuit):
    folder, config = with_circuit
    (config.parent / "edges.h5").rename(folder.parent / "edges.h5")
    content = json.loads(config.read_text())
    content["networks"]["edges"][0]["edges_file"] = "../../edges.h5"
    config.write_text(json.dumps(content))
    with pytest.raises(
        AnimatError, match=r"circuit_config\.json names .*edges\.h5, which lies outside .*--brain"
    ) as caught:
        load_parts(read_experiment(folder, ["brain.network=circuit"]))
    assert caught.value.file == str(folder / "experiment.yaml") and caught.value.line == 6


def test_the_engine_says_which_models_of_a_circuit_it_lacks(with_circuit):
    folder, config = with_circuit
    types = config.parent / "node_types.csv"
    types.write_text(types.read_text().replace("iaf_psc_alpha", "iaf_psc_alfa", 1))
    for engine in ("compact", "nest"):
        parts = load_parts(read_experiment(folder, ["brain.network=circuit", f"brain.engine={engine}"]))
        with pytest.raises(AnimatError, match=r"'iaf_psc_alfa'\. Did you mean 'iaf_psc_alpha'"):
            check_brain(parts, "brain")


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


WRONG = """\
populations:
  A:
    model: iaf_psc_alpha
    size: 3
    params:
      C_m: 250 pF
    initial:
      V_m: -70 mV
  B:
    model: iaf_psc_alpha
    size: 3
projections:
  - from: A
    to: B
    rule: all_to_all
    weight: 1 pA
    delay: 1 ms
    receptor: 0
    synapse:
      model:
        name: stdp_synapse
        params:
          alpha: 1
"""


@pytest.mark.parametrize("engine", ["nest", "compact"])
@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("model: iaf_psc_alpha", "model: iaf_psc_alhpa", 3, "Did you mean 'iaf_psc_alpha'"),
        ("C_m: 250", "C_mm: 250", 6, "Did you mean 'C_m'"),
        ("C_m: 250 pF", "C_m: [250 pF, 1 pF]", 6, "C_m takes one number"),
        ("V_m: -70", "v_m: -70", 8, "Did you mean 'V_m'"),
        ("receptor: 0", "receptor: 7", 18, "there is no receptor 7 in B (iaf_psc_alpha)"),
    ],
)
def test_what_an_engine_cannot_build_stands_at_its_line_of_the_network(tmp_path, engine, old, new, line, words):
    (tmp_path / "experiment.yaml").write_text(
        f"animat: 1\nname: wrong\nduration: 100 ms\nbrain:\n  engine: {engine}\n  network: network.yaml\n"
    )
    plain = WRONG[: WRONG.index("    synapse")]
    (tmp_path / "network.yaml").write_text(plain.replace(old, new, 1))
    parts = load_parts(read_experiment(tmp_path))
    with pytest.raises(AnimatError) as caught:
        check_brain_settings(parts, "brain")
        check_brain(parts, "brain")
    assert caught.value.file == str(tmp_path / "network.yaml") and caught.value.line == line
    assert words in caught.value.what


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("name: stdp_synapse", "name: stpd_synapse", 21, "Did you mean 'stdp_synapse'"),
        ("alpha: 1", "alhpa: 1", 23, "Did you mean 'alpha'"),
        ("alpha: 1", "weight: 1", 23, "weight stands in the projection"),
        ("C_m: 250", "C_m: -250", 6, "Capacitance must be > 0"),
    ],
)
def test_what_nest_cannot_build_stands_at_its_line_of_the_network(tmp_path, old, new, line, words):
    (tmp_path / "experiment.yaml").write_text("animat: 1\nname: wrong\nbrain: {network: network.yaml}\n")
    (tmp_path / "network.yaml").write_text(WRONG.replace(old, new, 1))
    with pytest.raises(AnimatError) as caught:
        check_brain(load_parts(read_experiment(tmp_path)), "brain")
    assert caught.value.file == str(tmp_path / "network.yaml")
    assert words in caught.value.what and caught.value.line == line


def test_what_a_python_network_or_one_that_ships_has_wrong_stands_there_or_at_its_parameters(tmp_path):
    (tmp_path / "network.py").write_text(
        "from animat.brain.network import Network, Population\n"
        "def build():\n"
        "    return Network(name='n', populations=(Population(name='A', model='iaf', size=1),))\n"
    )
    (tmp_path / "experiment.yaml").write_text("animat: 1\nname: wrong\nbrain: {network: {file: network.py}}\n")
    with pytest.raises(AnimatError, match="unknown neuron model of population A") as caught:
        check_brain(load_parts(read_experiment(tmp_path)), "brain")
    assert caught.value.file == str(tmp_path / "network.py")


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
