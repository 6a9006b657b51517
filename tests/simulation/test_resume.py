"""Runs that go on from a checkpoint equal those that were never interrupted; what does not fit is refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import animat
from animat.errors import AnimatError
from animat.experiment.read import read_experiment
from animat.run.reader import column_values
from animat.run.report import write_report
from animat.run.report_data import report_data
from animat.simulation.checkpoint import Plan, find_checkpoint
from animat.simulation.execute import execute
from animat.simulation.lifecycle import State
from animat.simulation.resume import resumed
from animat.simulation.verify import verify

MS = 1_000_000
COMPACT = ["brain.engine=compact"]
SMALL = ["brain.engine=compact", "brain.network.size=0.2 mm", "duration=400 ms", "compare=null"]

#: Everything that a transfer function can hold, read and write.
RICH = """\
from collections import deque

import numpy as np

from animat import actuator, joint, parameter, shared, spike_sink, spike_source, transfer_function, variable


@transfer_function(
    rate=spike_sink("B", "population_rate", reduce="mean", delay="30 ms"),
    each=spike_sink("A[0:5]", "leaky_integrator_alpha", each=True),
    spikes=spike_sink("A", "spike_recorder"),
    motor=actuator("motor"),
    past=variable(deque([0.0], maxlen=4)),
    random=variable(np.random.default_rng(1)),
    seen=variable(np.zeros(3)),
    gain=parameter("gain"),
)
def push(t, rate, each, spikes, motor, past, random, seen, gain):
    past.value.append(rate.rate + spikes.count)
    seen.value[1:] += random.value.normal(size=2) + each.voltage[:2]
    motor.value = gain * min(2.0, sum(past.value) / 100) + 0.01 * seen.value[1]


@transfer_function(
    hinge=joint("hinge"),
    noise=spike_source("A", "poisson", weight=20.0),
    regular=spike_source("B", "fixed_frequency", weight=30.0),
    current=spike_source("B", "ac_source"),
    count=shared("count", 0),
    every="40 ms",
)
def feel(t, hinge, noise, regular, current, count):
    noise.rate = 1000 * abs(hinge.angle) + 100
    regular.rate = 37.3 + count.value
    current.amplitude = 100.0
    count.value += 1


@transfer_function(spikes=spike_sink("A", "spike_recorder"), noise=spike_source("B", "poisson"))
def fails(t, spikes, noise):
    noise.rate = 100.0
    assert not spikes.count, "it fails with the first spike"
"""

EVENTS = """\
parameters: {gain: 1.0}
events:
  - {at: 60 ms, silence: "A[0:4]", for: 60 ms}
  - {at: 60 ms, set: {parameter: gain, value: 2.0}, for: 80 ms}
  - {at: 60 ms, wrench: {link: rod, force: [0.5 N, 0 N, 0 N]}, for: 60 ms}
  - {at: 60 ms, set: {neurons: B, I_e: 50 pA}, for: 100 ms}
  - {at: 140 ms, cut: A->B}
"""


def go(folder, out, *overrides, **options):
    return execute(read_experiment(folder, overrides), out, report=False, **options)


def go_on(checkpoint, out, *overrides, experiment=None, **options):
    if not hasattr(checkpoint, "tick"):
        checkpoint = find_checkpoint(checkpoint)
    described, folder = resumed(checkpoint, experiment, overrides, out)
    return execute(described, folder, report=False, checkpoint=checkpoint, **options)


def recorded(folder, begin, end=None):
    """All that a run recorded after one time, to be compared bit by bit."""
    run = animat.open_run(folder)
    found = {}
    for name in ("signals", "body"):
        table = getattr(run, name)
        ticks = np.asarray(table["tick"])
        rows = (ticks > begin) & (ticks <= (end or ticks[-1]))
        found[name] = ticks[rows].tolist()
        for column in run.columns(name).values():
            found[column.name] = column_values(table, column)[rows].tobytes()
    ticks = np.asarray(run.spikes["tick"])
    rows = (ticks > begin) & (ticks <= (end or max(ticks, default=0)))
    found["spikes"] = [ticks[rows].tolist(), np.asarray(run.spikes["index"])[rows].tolist()]
    found["populations"] = [run.spike_populations[code] for code in run.spike_codes[rows]]
    return found


def rich(pendulum, **options):
    return pendulum(transfer=RICH, extra=EVENTS, **options)


def at(*milliseconds):
    return Plan(tuple(time * MS for time in milliseconds))


def test_the_mouse_goes_on_as_if_never_interrupted(tmp_path):
    """Also of one that another experiment goes on from: the same until something else happens."""
    assert go("mouse-joystick", tmp_path / "whole", *SMALL, plan=at(200)).state is State.COMPLETED
    sim = go_on(tmp_path / "whole", tmp_path / "rest")
    assert sim.state is State.COMPLETED, sim.error
    whole = recorded(tmp_path / "whole", 200 * MS)
    assert len(whole["spikes"][0]) > 1000 and len(whole["signals"]) == 10
    assert recorded(tmp_path / "rest", 0) == whole
    rest = animat.open_run(tmp_path / "rest")
    assert rest.manifest["resumed"]["tick"] == rest.start == 200 * MS
    assert rest.manifest["resumed"]["checkpoint"] == str(tmp_path / "whole" / "checkpoints" / "200ms")
    assert (rest.summary["begin_ms"], rest.summary["simulated_ms"], rest.summary["steps"]) == (200, 200, 10)
    assert rest.rates() == pytest.approx(rest.summary["rates_hz"])
    events = [
        {"at": "300 ms", "set": {"parameter": "joystick_effort", "value": "-0.05 N m"}},
        {"at": "300 ms", "set": {"neurons": "M1_L23_CC", "I_e": "500 pA"}},
    ]
    branch = [f"events={json.dumps(events)}"]
    assert go_on(tmp_path / "whole", tmp_path / "branch", *branch).state is State.COMPLETED
    assert recorded(tmp_path / "branch", 0, 300 * MS) == recorded(tmp_path / "whole", 200 * MS, 300 * MS)
    later, other = (recorded(tmp_path / name, 300 * MS) for name in ("whole", "branch"))
    assert (
        later["spikes"] != other["spikes"]
        and later["angle/joystick_world_joint"] != other["angle/joystick_world_joint"]
    )


@pytest.mark.parametrize("when", [20, 80, 120, 200])
def test_everything_that_a_loop_holds_comes_back(pendulum, tmp_path, when):
    """Variables, inputs, controls under a wrench, events that hold on, what was put aside, random numbers."""
    folder = rich(pendulum, duration="300 ms")
    sim = go(folder, tmp_path / "whole", *COMPACT, plan=at(when))
    assert sim.state is State.COMPLETED, sim.error
    assert [bound.problem is not None for bound in sim.loop.functions if bound.function.name == "fails"] == [True]
    again = go_on(tmp_path / "whole", tmp_path / "rest")
    assert again.state is State.COMPLETED, again.error
    assert recorded(tmp_path / "rest", 0) == recorded(tmp_path / "whole", when * MS)
    assert len(recorded(tmp_path / "rest", 0)["spikes"][0]) > 5
    names = ("count", "push.past", "push.seen")
    for name in names:
        assert np.array_equal(again.board.variables[name], sim.board.variables[name])
    assert again.experiment.part.parameters == sim.experiment.part.parameters == {"gain": 1.0}


def test_a_run_goes_on_several_times_and_longer(pendulum, tmp_path):
    folder = rich(pendulum, duration="400 ms")
    go(folder, tmp_path / "whole", *COMPACT)
    go(folder, tmp_path / "first", *COMPACT, "duration=100 ms", plan=Plan(every=20 * MS))
    assert len(list((tmp_path / "first" / "checkpoints").iterdir())) == 5
    with pytest.raises(AnimatError, match='--set duration="200 ms"'):
        go_on(tmp_path / "first", tmp_path / "second")
    go_on(tmp_path / "first", tmp_path / "second", "duration=200 ms", plan=at(160))
    go_on(tmp_path / "second", tmp_path / "third", "duration=400 ms")
    assert recorded(tmp_path / "second", 0) == recorded(tmp_path / "whole", 100 * MS, 200 * MS)
    assert recorded(tmp_path / "third", 0) == recorded(tmp_path / "whole", 160 * MS)


def test_a_brain_with_a_longer_step_is_saved_when_its_step_ends(pendulum, tmp_path):
    folder = rich(pendulum, duration="240 ms")
    longer = [*COMPACT, "brain.step=60 ms", "body.step=40 ms"]
    with pytest.raises(AnimatError, match=r"whole multiples of 120 ms.*; 60 ms is none"):
        go(folder, tmp_path / "refused", *longer, plan=at(60))
    assert go(folder, tmp_path / "whole", *longer, plan=at(120)).state is State.COMPLETED
    assert go_on(tmp_path / "whole", tmp_path / "rest").state is State.COMPLETED
    assert recorded(tmp_path / "rest", 0) == recorded(tmp_path / "whole", 120 * MS)


def test_parameters_and_transfer_functions_may_differ(pendulum, tmp_path):
    """What the experiment says otherwise counts, what it leaves alone is as it was at the checkpoint."""
    folder = rich(pendulum, duration="300 ms")
    go(folder, tmp_path / "whole", *COMPACT, plan=at(80))
    sim = go_on(tmp_path / "whole", tmp_path / "gain", "parameters.gain=0.5")
    assert sim.experiment.part.parameters["gain"] == 0.5
    same, other = (recorded(tmp_path / name, 80 * MS, 140 * MS) for name in ("whole", "gain"))
    assert same == other, "the event that lies over the parameter until 140 ms comes first"
    assert recorded(tmp_path / "gain", 140 * MS) != recorded(tmp_path / "whole", 140 * MS)
    text = RICH.replace("def push", "def shove").replace('spike_source("A", "poisson"', 'spike_source("B", "poisson"')
    other = pendulum("other", transfer=text, extra=EVENTS, duration="300 ms")
    sim = go_on(tmp_path / "whole", tmp_path / "others", *COMPACT, experiment=other)
    assert sim.state is State.COMPLETED, sim.error
    assert sim.board.variables["count"] > 5 and "push.seen" not in sim.board.variables
    names = {device.name for device in sim.board.brains["brain"].devices.values()}
    assert "shove.rate" in names and "push.rate" not in names
    assert animat.open_run(tmp_path / "others").manifest["overrides"] == COMPACT


def test_what_nobody_writes_any_more_is_at_rest(pendulum, tmp_path):
    folder = pendulum(duration="200 ms")
    go(folder, tmp_path / "whole", *COMPACT, plan=at(100))
    quiet = "from animat import transfer_function\n\n\n@transfer_function()\ndef nothing(t):\n    pass\n"
    sim = go_on(
        tmp_path / "whole", tmp_path / "rest", *COMPACT, experiment=pendulum("quiet", transfer=quiet, duration="200 ms")
    )
    assert sim.state is State.COMPLETED, sim.error
    assert not sim.board.bodies["body"].controls.any() and not sim.board.brains["brain"].devices


def test_edits_and_settings_of_clients_go_on(pendulum, tmp_path):
    folder = rich(pendulum, duration="400 ms")
    with animat.load(folder, out=tmp_path / "whole", settings={"brain.engine": "compact"}) as simulation:
        simulation.run("40 ms")
        simulation.edit("transfer.py", RICH.replace("1000 * abs", "3000 * abs").replace("weight=30", "weight=35"))
        simulation.set("parameter:gain", 0.7)
        simulation.run("60 ms")
        first = simulation.save()
        assert first == tmp_path / "whole" / "checkpoints" / "100ms"
        assert simulation.save("before lunch").name == "before lunch"
        with pytest.raises(AnimatError, match="there is a checkpoint of this name"):
            simulation.save()
        with pytest.raises(AnimatError, match="cannot name a checkpoint"):
            simulation.save("a/b")
        simulation.run("100 ms")
        gain = simulation.get("parameter:gain")
        simulation.stop()
    with animat.load(tmp_path / "whole", resume="100 ms") as again:
        assert again.time == 0.1 and again.state == "initialized"
        again.run("100 ms")
        assert again.get("parameter:gain") == gain == 0.7
        again.stop()
    assert again.folder == tmp_path / "whole-from-100ms"
    assert recorded(again.folder, 0) == recorded(tmp_path / "whole", 100 * MS)
    assert "weight=35" in (again.folder / "experiment" / "transfer.py").read_text()
    assert verify(again.folder, None, lambda _what, _done: None).verdict == "identical"
    with animat.load(tmp_path / "whole", resume=True) as third:
        assert third.time == 0.1
        third.run("20 ms")
        third.reset()
        assert third.time == 0.0
        third.run("60 ms")
    assert recorded(third.folder, 0, 20 * MS)["signals"] == [20 * MS]
    assert (
        animat.open_run(third.folder).start == 0 and animat.open_run(third.folder / "episodes" / "1").start == 100 * MS
    )


def test_a_resumed_run_is_verified_from_its_checkpoint(pendulum, tmp_path):
    go(rich(pendulum, duration="200 ms"), tmp_path / "whole", *COMPACT, plan=at(100))
    go_on(tmp_path / "whole", tmp_path / "rest")

    def verdict():
        return verify(tmp_path / "rest", None, lambda _what, _done: None).verdict

    assert verdict() == "identical"
    go(rich(pendulum, duration="200 ms"), tmp_path / "other", *COMPACT, plan=at(100))
    place = tmp_path / "whole" / "checkpoints" / "100ms"
    shutil.rmtree(place)
    shutil.copytree(tmp_path / "other" / "checkpoints" / "100ms", place)
    with pytest.raises(AnimatError, match="was replaced since"):
        verdict()
    (place / "checkpoint.json").unlink()
    with pytest.raises(AnimatError, match="went on from a checkpoint that cannot be used any more"):
        verdict()


def test_the_report_begins_with_the_run(pendulum, tmp_path):
    go(rich(pendulum, duration="200 ms"), tmp_path / "whole", *COMPACT, plan=at(100))
    go_on(tmp_path / "whole", tmp_path / "rest")
    data = report_data(animat.open_run(tmp_path / "rest"))
    assert data["begin"] == pytest.approx(0.1) and data["duration"] == pytest.approx(0.1)
    page = write_report(tmp_path / "rest").read_text()
    assert "begun at a checkpoint of" in page and str(tmp_path / "whole") in page


def test_a_comparison_goes_on_from_the_same_state(pendulum, tmp_path):
    extra = EVENTS + "compare: {set: {parameters.gain: 0.1}, signal: angle/hinge}\n"
    go(pendulum(transfer=RICH, extra=extra, duration="200 ms"), tmp_path / "whole", *COMPACT, plan=at(100))
    go_on(tmp_path / "whole", tmp_path / "rest")
    run = animat.open_run(tmp_path / "rest")
    assert run.summary["comparison"]["final"] != 0.0
    assert animat.open_run(tmp_path / "rest" / "comparison").start == 100 * MS


@pytest.fixture
def whole(pendulum, tmp_path):
    """A short run with a checkpoint at 40 ms."""
    go(rich(pendulum, duration="60 ms"), tmp_path / "whole", *COMPACT, plan=at(40))
    return tmp_path / "whole"


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("seed=9", r"another brain brain: seed was 3 and is 9"),
        ("brain.settings.precision=double", "precision was single and is double"),
        ("brain.resolution=0.2 ms", r"resolution was 0.1 ms and is 0.2 ms"),
        ("brain.engine=nest", r"brain: .* nest cannot be saved .* \{engine: compact\}"),
        ("body.model=other.xml", "another body body: model is another"),
        ("step=60 ms", "no whole multiple of the experiment's steps"),
        ("brain.network=other.yaml", "another brain brain: population B is another"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_built(whole, tmp_path, override, words):
    kept = whole / "experiment"
    (kept / "other.xml").write_text((kept / "pendulum.xml").read_text().replace("0.05", "0.06"))
    (kept / "other.yaml").write_text((kept / "network.yaml").read_text().replace("size: 10", "size: 11"))
    with pytest.raises(AnimatError, match=words):
        go_on(whole, tmp_path / "no", "duration=120 ms", override)
    assert not (tmp_path / "no").exists()


def test_a_torn_checkpoint_is_never_taken_for_a_whole_one(whole, tmp_path):
    place = whole / "checkpoints" / "40ms"
    half = place.with_name(".60ms.new")
    half.mkdir()
    (half / "checkpoint.json").write_text((place / "checkpoint.json").read_text().replace("40000000", "60000000"))
    assert find_checkpoint(whole).tick == 40 * MS
    core = place / "brain.brain" / "core.state"
    core.write_bytes(core.read_bytes()[:-1])
    for path in (whole, place):
        with pytest.raises(AnimatError, match=r"is damaged: brain.brain/core.state has \d+ bytes instead of"):
            find_checkpoint(path)
    core.unlink()
    with pytest.raises(AnimatError, match=r"core\.state is missing"):
        find_checkpoint(whole)
    (place / "checkpoint.json").write_text("{")
    with pytest.raises(AnimatError, match="cannot be read"):
        find_checkpoint(whole)
    (place / "checkpoint.json").unlink()
    with pytest.raises(AnimatError, match=r"has no checkpoint; animat run EXPERIMENT --checkpoint"):
        find_checkpoint(whole)
    with pytest.raises(AnimatError, match="unknown checkpoint '10ms'"):
        find_checkpoint(whole / "checkpoints" / "10ms")
    with pytest.raises(AnimatError, match="there is no run or checkpoint"):
        find_checkpoint(tmp_path / "nothing")


def test_a_flipped_bit_anywhere_is_refused(whole):
    """Whatever file it is in: what was written is what goes on, or nothing does."""
    place = whole / "checkpoints" / "40ms"
    files = sorted(path for path in place.rglob("*") if path.is_file())
    assert [str(path.relative_to(place)) for path in files] == [
        "brain.brain/brain.msgpack",
        "brain.brain/core.state",
        "checkpoint.json",
        "state.msgpack",
    ]
    rng = np.random.default_rng(1)
    for path in files:
        content = path.read_bytes()
        for position in rng.integers(0, len(content), 100):
            damaged = bytearray(content)
            damaged[position] ^= 1 << rng.integers(8)
            if path.name == "checkpoint.json" and damaged.split() == content.split():
                continue
            path.write_bytes(damaged)
            with pytest.raises(AnimatError, match=r"is damaged|cannot be read|another version") as caught:
                find_checkpoint(whole)
            assert path.name in str(caught.value) or "list of files was changed" in str(caught.value)
        path.write_bytes(content)
    assert find_checkpoint(whole).tick == 40 * MS


def test_a_checkpoint_without_hashes_is_refused_as_of_another_version(whole):
    about = whole / "checkpoints" / "40ms" / "checkpoint.json"
    content = {key: value for key, value in json.loads(about.read_text()).items() if key != "sha256"}
    files = {name: file["bytes"] for name, file in content["files"].items()}
    about.write_text(json.dumps({**content, "format": 1, "files": files}))
    with pytest.raises(AnimatError, match="another version of animat, which kept no hashes of its files; go on with"):
        find_checkpoint(whole)


def test_a_checkpoint_that_cannot_be_written_leaves_nothing_and_the_run_goes_on(pendulum, tmp_path, monkeypatch):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("animat.simulation.checkpoint._bring_to_disk", full_disk)
    sim = go(rich(pendulum, duration="60 ms"), tmp_path / "run", *COMPACT, plan=at(40))
    assert sim.state is State.COMPLETED
    assert list((tmp_path / "run" / "checkpoints").iterdir()) == []
    said = [event["text"] for event in animat.open_run(tmp_path / "run").events if event["kind"] == "message"]
    assert "no checkpoint was taken at 40 ms" in said[-1] and "No space left" in said[-1]


def test_a_variable_that_cannot_be_kept_is_named(pendulum, tmp_path):
    odd = RICH.replace("variable(np.zeros(3))", "variable(iter(()))").replace("seen.value[1:] +=", "_ =")
    odd = odd.replace("seen.value[1]", "0")
    sim = go(pendulum(transfer=odd, extra=EVENTS), tmp_path / "run", *COMPACT, plan=at(40))
    assert sim.state is State.FAILED and sim.steps == 0
    assert "the variable push.seen cannot be saved: it is a tuple_iterator" in sim.error
    later = RICH.replace("    count.value += 1", "    count.value = count.value + 1 if t < 0.03 else open")
    sim = go(pendulum(transfer=later, extra=EVENTS), tmp_path / "later", *COMPACT, "duration=80 ms", plan=at(20, 60))
    assert [path.name for path in (tmp_path / "later" / "checkpoints").iterdir()] == ["20ms"]
    events = animat.open_run(tmp_path / "later").events
    assert any("the variable count cannot be saved" in str(event.get("text")) for event in events)


def test_nest_is_refused_before_anything_runs(pendulum, tmp_path):
    for plan in (at(20), Plan(every=20 * MS)):
        with pytest.raises(
            AnimatError, match=r"brain: .* nest cannot be saved .* brain: \{engine: compact\}"
        ) as caught:
            go(pendulum(), tmp_path / "run", plan=plan)
        assert caught.value.line == 6
    assert not (tmp_path / "run").exists()
    with animat.load(pendulum(), out=tmp_path / "live") as simulation:
        simulation.run("20 ms")
        with pytest.raises(AnimatError, match=r"brain: \{engine: compact\}"):
            simulation.save()
        simulation.run("20 ms")


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (at(30), "whole multiples of 20 ms"),
        (at(0), "0 s is none"),
        (at(400), "the run ends at 200 ms, before the checkpoint at 400 ms"),
        (Plan(every=50 * MS), "50 ms is none"),
    ],
)
def test_times_at_which_there_is_no_checkpoint_are_refused(pendulum, tmp_path, plan, words):
    with pytest.raises(AnimatError, match=words):
        go(pendulum(), tmp_path / "run", *COMPACT, plan=plan)


def test_on_the_command_line_ctrl_c_keeps_the_checkpoints(pendulum, tmp_path):
    folder = rich(pendulum, duration="60 s")
    command = [sys.executable, "-m", "animat.cli", "run"]
    options = ["--set", "brain.engine=compact", "--checkpoint-every", "100 ms", "--checkpoint", "20 ms", "--no-report"]
    process = subprocess.Popen(
        [*command, folder, *options, "--out", "run"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 60
    while not (tmp_path / "run" / "checkpoints" / "300ms").exists():
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    said = process.communicate(timeout=60)[0].decode()
    assert process.returncode == 130 and "20ms, 100ms, 200ms, 300ms" in said
    latest = find_checkpoint(tmp_path / "run")
    assert latest.tick >= 300 * MS and latest.tick % (100 * MS) == 0
    end = f"duration={latest.tick // MS + 40} ms"
    words = ["--resume", "run", "--out", "rest", "--set", end, "--no-report"]
    done = subprocess.run([*command, *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert f"40 ms, from {latest.about['what'].split(' at ')[1]} on" in done.stdout
    again = subprocess.run([*command, "--resume", "run", "--out", "run"], cwd=tmp_path, capture_output=True, text=True)
    assert again.returncode == 1 and "the checkpoint lies in this folder" in again.stderr.replace("\n", " ")
    nothing = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert nothing.returncode == 2 and "--resume" in nothing.stderr
