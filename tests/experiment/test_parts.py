import json

import h5py
import pytest

from animat.brain.network_file import parse_network
from animat.brain.sonata import write_sonata
from animat.errors import AnimatError
from animat.experiment.parts import check_brain, input_hash, load_parts
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
    with pytest.raises(AnimatError, match=r"network's file .*edges.h5 lies outside .* copy it into the folder"):
        load_parts(read_experiment(folder, ["brain.network=circuit"]))


def test_the_engine_says_which_models_of_a_circuit_it_lacks(with_circuit):
    folder, config = with_circuit
    types = config.parent / "node_types.csv"
    types.write_text(types.read_text().replace("iaf_psc_alpha", "iaf_psc_alfa", 1))
    for engine in ("compact", "nest"):
        parts = load_parts(read_experiment(folder, ["brain.network=circuit", f"brain.engine={engine}"]))
        with pytest.raises(AnimatError, match=r"'iaf_psc_alfa'\. Did you mean 'iaf_psc_alpha'"):
            check_brain(parts, "brain")


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
