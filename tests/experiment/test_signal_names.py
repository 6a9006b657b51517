import itertools

from animat.experiment.parts import load_parts, open_bodies
from animat.experiment.read import read_experiment
from animat.experiment.signal_names import signal_names
from animat.simulation.signals import Signals
from animat.transfer.bind import bind
from animat.transfer.board import Board, BodyBoard, BrainBoard
from conftest import TRANSFER

MORE = """

from animat import muscle_feedback, sensor, shared


@transfer_function(
    each=spike_sink("B[0:4]", "leaky_integrator_alpha", each=True),
    spikes=spike_sink("A", "spike_recorder"),
    wave=spike_source("A", "ac_source"),
    times=spike_source("A", "spike_times", times=[3.0]),
    many=spike_source("A", "poisson", each=True),
    word=variable("text"),
    common=shared("common", 1.5),
)
def more(t, each, spikes, wave, times, many, word, common):
    pass
"""


def both(experiment):
    """Return signal shapes as foreseen, and as the recording lays them out."""
    parts = load_parts(experiment)
    bodies = open_bodies(parts)
    around = parts.surroundings({name: info for name, (_, info) in bodies.items()})
    for engine, _ in bodies.values():
        engine.close()
    board = Board({name: BrainBoard() for name in parts.brains}, {n: BodyBoard(i) for n, i in around.bodies.items()})
    numbers = itertools.count()
    bound = [bind(function, around, board, lambda _brain, _device: next(numbers)) for function in parts.functions]
    laid_out = {column.name: column.shape for column in Signals(board, bound, "all").columns}
    return signal_names(parts.functions, around), laid_out


def test_signal_names_are_those_that_a_run_records(pendulum):
    foreseen, laid_out = both(read_experiment(pendulum(transfer=TRANSFER + MORE)))
    assert foreseen == laid_out
    assert foreseen["more.each.voltage"] == (4,) and foreseen["more.spikes.count"] == () and foreseen["common"] == ()
    assert "more.word" not in foreseen and "more.times.times" not in foreseen


def test_with_several_bodies_ports_begin_with_the_bodys_name(pendulum):
    folder = pendulum(
        transfer=TRANSFER.replace('("motor")', '("motor", body="one")').replace('("hinge")', '("hinge", body="two")')
    )
    file = folder / "experiment.yaml"
    model = "{engine: mujoco, model: pendulum.xml}"
    file.write_text(file.read_text().replace(f"body: {model}", f"bodies: {{one: {model}, two: {model}}}"))
    foreseen, laid_out = both(read_experiment(folder))
    assert foreseen == laid_out and "one/angle/hinge" in foreseen


def test_the_shipped_experiments_agree():
    for name in ("mouse-joystick", "braitenberg-husky"):
        foreseen, laid_out = both(read_experiment(name))
        assert foreseen == laid_out
