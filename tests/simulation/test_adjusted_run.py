"""A run whose network has a table of adjustments can be repeated from its folder alone."""

import animat
from animat.experiment.read import read_experiment
from animat.simulation.execute import execute
from animat.simulation.lifecycle import State
from animat.simulation.verify import verify


def test_verify_repeats_a_run_with_adjustments(pendulum, tmp_path):
    folder = pendulum(duration="100 ms")
    file = folder / "experiment.yaml"
    plain = file.read_text().replace("engine: nest", "engine: compact")
    runs = {}
    for name, network in (("plain", "network.yaml"), ("run", "{file: network.yaml, adjustments: tables/a.csv}")):
        file.write_text(plain.replace("network.yaml", network))
        (folder / "tables").mkdir(exist_ok=True)
        (folder / "tables" / "a.csv").write_text("knob,name,new\ndrive,A,20000\ncurrent,B,100\n")
        assert execute(read_experiment(folder), tmp_path / name, report=False).state is State.COMPLETED
        runs[name] = animat.open_run(tmp_path / name)
    assert runs["run"].spike_hash != runs["plain"].spike_hash
    inputs = [run.manifest["inputs_sha256"]["brain brain"] for run in runs.values()]
    assert inputs[0] != inputs[1]
    (folder / "tables" / "a.csv").unlink()
    assert verify(tmp_path / "run", tmp_path / "again", lambda _what, _done: None).verdict == "identical"
