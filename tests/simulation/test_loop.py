"""The closed loop with replies made by hand: no process, no clock, no simulator."""

import numpy as np
import pytest

from animat import (
    AnimatError,
    joint_effort,
    muscles,
    sensor,
    shared,
    spike_sink,
    spike_source,
    transfer_function,
    variable,
)
from animat.body.protocol import BodyInfo, BodyReply, Port
from animat.brain.protocol import BrainReply
from animat.simulation.events import Event, EventQueue
from animat.simulation.loop import ClosedLoop
from animat.transfer.bind import Surroundings, bind
from animat.transfer.board import Board, BodyBoard, BrainBoard
from animat.transfer.schedule import order

MS = 1_000_000
STEP = 20 * MS
INFO = BodyInfo(
    engine="none",
    version="0",
    timestep=MS,
    controls=(
        Port(name="activation/M", unit="", offset=0),
        Port(name="activation/N", unit="", offset=1),
        Port(name="effort/J", unit="N m", offset=2),
        Port(name="clamp/M", unit="", offset=3, rest=float("nan")),
        Port(name="wrench/L", unit="N", shape=(6,), offset=4),
    ),
    sensors=(
        Port(name="length/M", unit="m", offset=0),
        Port(name="speed/M", unit="m/s", offset=1),
        Port(name="force/M", unit="N", offset=2),
        Port(name="position/L", unit="m", shape=(3,), offset=3),
    ),
    muscles=("M",),
)


def make(*functions, events=(), bodies=None, step=STEP):
    board = Board({"brain": BrainBoard()}, {"body": BodyBoard(INFO)})
    around = Surroundings({"brain": {"A": 4, "B": 2}}, {"body": INFO})
    counter = iter(range(100))
    bound = [bind(f, around, board, lambda _b, _d: next(counter)) for f in order(functions)]
    return ClosedLoop(step, {"brain": STEP}, bodies or {"body": STEP}, board, bound, EventQueue(events))


def brain_reply(time, values=(), spikes=None):
    return BrainReply(time=time, values=list(values), spikes=spikes or {}, counts=[0, 0])


def body_reply(time, sensors=(0, 0, 0, 0, 0, 0)):
    return BodyReply(time=time, sensors=np.array(sensors, float), poses=np.zeros((1, 7)), paths=np.zeros((0, 3)))


def run_step(loop, values=(), sensors=(0, 0, 0, 0, 0, 0), spikes=None):
    starts = loop.begin()
    end = loop.time + loop.step
    brains, bodies = loop.due()
    finished = loop.finish(
        {name: brain_reply(end, values, spikes) for name in brains}, {name: body_reply(end, sensors) for name in bodies}
    )
    return starts, finished


def test_each_direction_has_one_step_of_latency():
    @transfer_function(
        read=spike_sink("A", "leaky_integrator_alpha"),
        drive=spike_source("B", "poisson"),
        push=muscles("M"),
        feel=sensor("length/M"),
    )
    def through(t, read, drive, push, feel):
        push.activation = read.voltage
        drive.rate = 1000 * feel.value

    loop = make(through)
    (brains, bodies), _ = run_step(loop, values=[0.7], sensors=(0.5, 0, 0, 0, 0, 0))
    assert brains[0].changes == [] and brains[0].until == STEP
    brains, bodies = loop.begin()
    assert brains[0].changes == [(1, "rate", 500.0)]
    assert bodies[0].controls[0] == 0.7


def test_numpy_numbers_are_sent_as_plain_floats():
    @transfer_function(one=spike_source("A", "poisson"), each=spike_source("A", "poisson", each=True))
    def numbers(t, one, each):
        one.rate = np.float64(3)
        each.rate = np.arange(4)

    loop = make(numbers)
    run_step(loop)
    changes = loop.begin()[0][0].changes
    assert changes == [(0, "rate", 3.0), (1, "rate", [0.0, 1.0, 2.0, 3.0])]
    assert type(changes[0][2]) is float and {type(item) for item in changes[1][2]} == {float}


def test_only_changed_values_are_sent():
    @transfer_function(drive=spike_source("A", "poisson"), other=spike_source("A", "poisson"))
    def constant(t, drive, other):
        drive.rate = 100.0
        other.rate = 0

    loop = make(constant)
    run_step(loop)
    assert loop.begin()[0][0].changes == [(0, "rate", 100.0)]
    loop.finish({"brain": brain_reply(2 * STEP)}, {"body": body_reply(2 * STEP)})
    assert loop.begin()[0][0].changes == []


def test_t_is_the_time_at_the_start_of_the_step_without_float_drift():
    seen = []

    @transfer_function(memory=variable(0))
    def watch(t, memory):
        seen.append(t)

    loop = make(watch)
    for _ in range(1000):
        run_step(loop)
    assert seen[:3] == [0.0, 0.02, 0.04]
    assert seen == [index * 20 / 1000 for index in range(1000)]
    assert loop.time == 1000 * STEP


def test_priority_then_file_order():
    calls = []

    @transfer_function(x=variable(0))
    def first(t, x):
        calls.append("first")

    @transfer_function(x=variable(0))
    def second(t, x):
        calls.append("second")

    @transfer_function(priority=5, x=variable(0))
    def urgent(t, x):
        calls.append("urgent")

    run_step(make(first, second, urgent))
    assert calls == ["urgent", "first", "second"]


def test_every_runs_a_function_less_often():
    calls = []

    @transfer_function(every="60 ms", x=variable(0))
    def rare(t, x):
        calls.append(t)

    loop = make(rare)
    for _ in range(7):
        run_step(loop)
    assert calls == [0.0, 0.06, 0.12]


def test_a_failing_function_is_put_aside_and_the_others_go_on():
    calls = []

    @transfer_function(x=variable(0))
    def broken(t, x):
        raise ValueError("boom")

    @transfer_function(x=variable(0))
    def sound(t, x):
        calls.append(t)

    loop = make(broken, sound)
    _, finished = run_step(loop)
    (problem,) = finished.problems
    assert problem.function == "broken" and "boom" in problem.text
    assert problem.file == __file__ and problem.line == broken.line + 2
    _, finished = run_step(loop)
    assert finished.problems == [] and calls == [0.0, 0.02]


def test_shared_variables_pass_between_functions_in_the_same_step():
    @transfer_function(priority=1, level=shared("level", 0.0))
    def write(t, level):
        level.value = t + 1

    @transfer_function(level=shared("level", 0.0, readonly=True), push=muscles("M"))
    def read(t, level, push):
        push.activation = level.value

    loop = make(write, read)
    run_step(loop)
    assert loop.board.bodies["body"].controls[0] == 1.0


def test_readonly_attributes_and_wrong_names_teach():
    @transfer_function(
        level=shared("level", 0.0, readonly=True), push=muscles("M"), read=spike_sink("A", "population_rate")
    )
    def bad(t, level, push, read):
        for action in (
            lambda: setattr(level, "value", 1),
            lambda: setattr(push, "length", 1.0),
            lambda: push.lenght,
            lambda: read.voltage,
            lambda: setattr(push, "activation", float("nan")),
            lambda: setattr(push, "activation", [1, 2]),
        ):
            with pytest.raises(AnimatError):
                action()

    _, finished = run_step(make(bad), values=[0.0])
    assert finished.problems == []


def test_a_wrench_event_holds_against_a_transfer_function_and_is_released():
    @transfer_function(stick=joint_effort("J"))
    def hold(t, stick):
        stick.value = -0.001

    loop = make(
        hold,
        events=[Event(20 * MS, "wrench", "body/wrench/L", [0, 0.01, 0, 0, 0, 0], until=60 * MS)],
    )
    assert loop.start() == []
    run_step(loop)
    controls = loop.board.bodies["body"].controls
    assert controls[5] == 0.01
    run_step(loop)
    assert controls[5] == 0.01
    run_step(loop)
    assert controls[5] == 0.0 and controls[2] == -0.001


def test_events_for_the_outside_are_handed_out():
    loop = make(events=[Event(0, "message", value="hello"), Event(40 * MS, "stop", value="enough")])
    assert [event.kind for event in loop.start()] == ["message"]
    assert run_step(loop)[1].events == []
    assert [event.value for event in run_step(loop)[1].events] == ["enough"]


def test_engines_with_their_own_steps_start_and_end_when_due():
    loop = make(bodies={"body": STEP}, step=10 * MS)
    (brains, bodies), _ = run_step(loop)
    assert [start.until for start in (*brains, *bodies)] == [STEP, STEP]
    assert loop.begin() == ([], [])
    assert loop.due() == (["brain"], ["body"])


def test_a_step_that_is_no_multiple_is_refused():
    with pytest.raises(AnimatError, match="not a whole multiple"):
        make(bodies={"body": 30 * MS})


def test_a_brain_whose_clock_was_moved_is_noticed():
    loop = make()
    loop.begin()
    with pytest.raises(AnimatError, match="its clock was moved"):
        loop.finish({"brain": brain_reply(STEP + 1)}, {"body": body_reply(STEP)})


def test_reset_restores_variables_controls_inputs_and_events():
    @transfer_function(count=variable(0), push=muscles("M"), drive=spike_source("A", "poisson", rate="3 Hz"))
    def change(t, count, push, drive):
        count.value += 1
        push.activation = 1.0
        drive.rate = 7.0

    loop = make(change, events=[Event(0, "message", value="again")])
    loop.start()
    run_step(loop)
    loop.reset()
    assert loop.time == 0 and loop.board.variables["change.count"] == 0
    assert loop.board.bodies["body"].controls[0] == 0.0
    assert loop.board.brains["brain"].inputs[0, "rate"] == 3.0
    assert loop.begin()[0][0].changes == []
    assert [event.value for event in loop.start()] == ["again"]


def test_spikes_of_a_recorder():
    seen = []

    @transfer_function(spikes=spike_sink("A", "spike_recorder"))
    def watch(t, spikes):
        seen.append((spikes.spiked, spikes.count, spikes.times_ms.tolist(), spikes.indices.tolist()))

    loop = make(watch)
    run_step(loop, spikes={0: (np.array([2], np.uint32).tobytes(), np.array([1_500_000], np.int64).tobytes())})
    run_step(loop)
    assert seen == [(True, 1, [1.5], [2]), (False, 0, [], [])]
