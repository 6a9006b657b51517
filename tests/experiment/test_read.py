import re

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from animat.errors import AnimatError
from animat.experiment.parts import load_parts, open_bodies
from animat.experiment.read import read_experiment
from animat.experiment.schema import ExperimentPart
from animat.experiment.validate import check_before_build, validate
from conftest import SCRIPT, TRANSFER

GOOD = """\
animat: 1
name: Test
seed: 2
step: 10 ms
duration: 100 ms
brain:
  network: {library: rodent-brain, regions: [M1], size: 0.2 mm}
  threads: 2
body: {model: pendulum.xml}
transfer_functions: []
parameters: {gain: 2.0, rate: 5 kHz}
variants:
  strength: {weak: {parameters.gain: 0.5}, strong: {parameters.gain: 8, seed: 9}}
events:
  - {at: 20 ms, message: hello}
"""


def write(tmp_path, text):
    (tmp_path / "experiment.yaml").write_text(text)
    return tmp_path


def test_units_and_defaults(tmp_path):
    part = read_experiment(write(tmp_path, GOOD)).part
    assert part.step == 10_000_000 and part.duration == 100_000_000
    assert part.all_brains["brain"].resolution == 100_000
    assert part.parameter("rate", "Hz") == 5000.0 and part.parameter("gain", "") == 2.0


def test_overrides_reach_everything(tmp_path):
    folder = write(tmp_path, GOOD)
    part = read_experiment(folder, ["brain.threads=1", "network.size=0.3 mm", "step=20 ms", "events.0.at=40 ms"]).part
    assert part.brain.threads == 1 and part.brain.network["size"] == "0.3 mm"
    assert part.step == 20_000_000 and part.events[0].at == 40_000_000


def test_variants_patch_several_entries(tmp_path):
    part = read_experiment(write(tmp_path, GOOD), ["strength=strong"]).part
    assert part.parameter("gain", "") == 8 and part.seed == 9


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("step: 10 ms", "step: 10"), 4, "has no unit"),
        (("step: 10 ms", "step: 10 mV"), 4, "mV"),
        (("duration: 100 ms", "duration: 95 ms"), None, "whole multiple"),
        (("threads: 2", "thread: 2"), 8, "Did you mean 'threads'"),
        (("threads: 2", "threads: many"), 8, "threads"),
        (("threads: 2", "threads: 0"), 8, "must be at least 1"),
        (("name: Test\n", ""), 1, "name is missing"),
        (("animat: 1", "animat: 2"), 1, "animat"),
        (("message: hello", "massage: hello"), 15, "Did you mean 'message'"),
        (("message: hello", "message: hello, stop: x"), 15, "exactly one"),
        (("seed: 2", "seed: -2"), 3, "seed"),
        (("brain:", "brains:"), None, "brains"),
    ],
)
def test_mistakes_have_file_line_and_words(tmp_path, change, line, words):
    folder = write(tmp_path, GOOD.replace(*change))
    with pytest.raises(AnimatError, match=re.escape(words)) as caught:
        read_experiment(folder)
    assert caught.value.file == str(folder / "experiment.yaml")
    if line is not None:
        assert caught.value.line == line


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("brain.threads", "must look like"),
        ("strength=medium", "strong, weak"),
        ("seed.deep=3", "has no entries"),
        ("events.7.at=3 ms", "not a place in a list"),
        ("colour=red", "unknown entry 'colour'"),
        ("transfer_functions.0.x=1", "not a place in a list of 0"),
        ("events.0.at.x=1", "events.0.at is '20 ms' and has no entries"),
        ("parameters.gain=.nan", "must be finite"),
        ("parameters.gain=1" + 400 * "0", "must be finite"),
        ("parameters.gian=1", "Did you mean 'gain'"),
        ("strength=listed", "must be a map of entries"),
        ("transfer_functions=[../x.py]", "outside the experiment's folder"),
        ("body.model=/somewhere/arm.xml", "copy the file into the folder"),
        ("brain.network={file: ../net.yaml}", "copy the file into the folder"),
    ],
)
def test_wrong_overrides_teach(tmp_path, override, words):
    text = GOOD.replace("strength: {", "strength: {listed: [1, 2], ") if "listed" in override else GOOD
    with pytest.raises(AnimatError, match=re.escape(words)):
        read_experiment(write(tmp_path, text), [override])


def test_an_override_into_text_is_refused(tmp_path):
    folder = write(tmp_path, GOOD.replace("transfer_functions: []", "transfer_functions: [a.py]"))
    with pytest.raises(AnimatError, match="has no entries"):
        read_experiment(folder, ["transfer_functions.0.x=1"])


def test_overrides_are_read_as_the_file_is(tmp_path):
    part = read_experiment(write(tmp_path, GOOD), ["parameters.gain=1e3", "name=2024-01-02", "description=yes"]).part
    assert part.parameters["gain"] == 1000.0 and part.name == "2024-01-02" and part.description == "yes"


def test_a_variant_is_not_changed_by_a_later_override(tmp_path):
    text = GOOD.replace("seed: 9}", "brain.network: {file: a.yaml}}")
    part = read_experiment(write(tmp_path, text), ["strength=strong", "brain.network.file=b.yaml"]).part
    assert part.brain.network == {"file": "b.yaml"}
    assert part.variants["strength"]["strong"]["brain.network"] == {"file": "a.yaml"}


def test_an_unknown_experiment_lists_those_that_ship():
    with pytest.raises(AnimatError, match="mouse-joystick"):
        read_experiment("mouse-joistick")


def test_round_trip(tmp_path):
    """What was read, written as YAML again, reads the same."""
    part = read_experiment(write(tmp_path, GOOD)).part
    raw = yaml.safe_load(GOOD)
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(raw))
    assert read_experiment(tmp_path).part == part


_leaves = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["20 ms", "1 s", "5 kHz", "A", "-3 mV", "1e400 ms"])
)
_values = st.recursive(
    _leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=6) | st.sampled_from(list(ExperimentPart.model_fields)), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.dictionaries(
        st.sampled_from(
            [*ExperimentPart.model_fields, "brain.threads", "brain.network", "body.model", "events.0", "unknown"]
        ),
        _values,
        max_size=4,
    )
)
def test_any_content_is_read_or_refused_without_a_traceback(tmp_path, changes):
    content = yaml.safe_load(GOOD)
    for key, value in changes.items():
        place = content
        *path, last = key.split(".")
        for name in path:
            place = place[int(name) if name.isdigit() else name] if isinstance(place, dict | list) and place else {}
        if isinstance(place, dict):
            place[last] = value
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(content, allow_unicode=True))
    try:
        read_experiment(tmp_path)
    except AnimatError as error:
        assert str(error)


_steps = st.text(max_size=5) | st.sampled_from(
    [*ExperimentPart.model_fields, "0", "1", "threads", "network", "model", "at", "gain", "strength", "weak", "signals"]
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    overrides=st.lists(
        st.tuples(
            st.lists(_steps, min_size=1, max_size=4).map(".".join),
            st.text(max_size=12) | _values.map(str) | st.sampled_from(["weak", "strong", "[1, {a: 2}]", "{a: [b]}"]),
        ).map("=".join)
        | st.text(max_size=12),
        min_size=1,
        max_size=3,
    )
)
def test_any_override_is_applied_or_refused_without_a_traceback(tmp_path, overrides):
    try:
        read_experiment(write(tmp_path, GOOD), overrides)
    except AnimatError as error:
        assert str(error)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=200))
def test_any_text_is_read_or_refused_without_a_traceback(tmp_path, text):
    (tmp_path / "experiment.yaml").write_text(text, encoding="utf-8")
    try:
        read_experiment(tmp_path)
    except AnimatError as error:
        assert str(error)


def test_validation_resolves_every_name(pendulum):
    found = validate(read_experiment(pendulum()))
    assert [row.name for row in found.schedule] == ["push", "feel"]
    neurons, synapses, memory = found.brains["brain"]
    assert neurons == 30 and synapses == 100 and memory > 0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"B"', '"C"', "Known: A, B"),
        ('"B"', '"B[0:99]"', "B has 10 neurons"),
        ("weight=20.0", "weight='20 nS'", "whose weights are in pA, not nS"),
        ('"B"', '"B[0:99]"', "B has 10 neurons"),
        ('"B"', '"B[99]"', "there is no neuron 99"),
        ('"motor"', '"moter"', "Did you mean 'motor'"),
        ('"hinge"', '"hing"', "Did you mean 'hinge'"),
        ("1000 * abs", "1000 / 0 * abs", "ZeroDivisionError"),
        ("count.value += 1", "while True: pass", "did not return"),
        ("count.value += 1", "import os; os._exit(3)", "ended the trial process"),
        ("count.value += 1", "count.valu += 1", "valu"),
    ],
)
def test_mistakes_in_transfer_functions_are_found_before_a_run(pendulum, old, new, words):
    experiment = read_experiment(pendulum(transfer=TRANSFER.replace(old, new, 1)), ["trial_patience=3 s"])
    with pytest.raises(AnimatError, match=re.escape(words)) as caught:
        validate(experiment)
    assert caught.value.file is not None and caught.value.file.endswith("transfer.py") and caught.value.line


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("events: [{at: 0 ms, silence: C}]", "Known: A, B"),
        ("events: [{at: 0 ms, cut: B->A}]", "unknown projection"),
        ("events: [{at: 0 ms, cut: A to B}]", "PRE->POST"),
        ("events: [{at: 0 ms, wrench: {link: rod, force: [1, 2, 3]}}]", "has no unit"),
        (
            "events: [{at: 0 ms, wrench: {link: rodd, force: [1 N, 2 N, 3 N]}}]",
            "unknown link in an event: 'rodd'. Did you mean 'rod'?",
        ),
        ("events: [{at: 0 ms, clamp: {muscle: biceps, activation: 2}}]", "between 0 and 1"),
        ("events: [{at: 0 ms, set: {parameter: gain, value: 1}}]", "unknown parameter"),
        ("events: [{at: 0 ms, set: {neurons: A, I_e: 3 mV}}]", "pA"),
        ("record: {spikes: [A, C]}", "Known: A, B"),
        ("record: {signals: [angle/*, angel/hinge]}", "Did you mean 'angle/hinge'"),
        ("events: [{at: 0 ms, set: {variable: nope, value: 1}}]", "Known: feel.count"),
        ("events: [{at: 0 ms, set: {variable: [1], value: 1}}]", "must be a name"),
        ("events: [{at: 0 ms, set: {neurons: 3, I_e: 1}}]", "must be a name"),
        ("events: [{at: 0 ms, set: {neurons: A, I_e: .inf}}]", "must be finite"),
        ("events: [{at: 0 ms, set: {control: actuator/motor, value: [1, 2, 3]}}]", "takes 1 number, got 3"),
        ("events: [{at: 0 ms, set: {control: actuator/motor, value: .nan}}]", "is not a number"),
        ("events: [{at: 0 ms, set: {control: actuator/motor, value: 3 kg}}]", "actuator/motor: "),
        ("events: [{at: 0 ms, set: {control: wrench/rod, value: [1, 2, 3]}}]", "takes 6 numbers, got 3"),
        ("events: [{at: 0 ms, wrench: {link: rod, force: [1e999 N, 0 N, 0 N]}}]", "must be finite"),
        ("compare: {set: {seed: 4}, signal: angle/hing}", "Did you mean 'angle/hinge'"),
        ("compare: {set: {seed: 4}, signal: angle/hinge, axis: 0}", "has no axis"),
        ("compare: {set: {seed: 4}, signal: wrench/rod, axis: 6}", "axis must be 0 to 5"),
        ("compare: {set: {seed: 4}, signal: wrench/rod}", "axis must be 0 to 5"),
        ("compare: {set: {sed: 4}, signal: angle/hinge}", "Did you mean 'seed'"),
        ("compare: {set: {seed: x}, signal: angle/hinge}", "seed"),
        ("compare: {set: {parameters.gain: 4}, signal: angle/hinge}", "unknown parameter 'gain'"),
        ("compare: {set: {transfer_functions: [no.py]}, signal: angle/hinge}", "no.py"),
        (
            "record: {signals: [angle/*]}\ncompare: {set: {seed: 4}, signal: push.rate.rate}",
            "not among the recorded signals",
        ),
    ],
)
def test_mistakes_in_events_and_record_are_found_before_a_run(pendulum, extra, words):
    experiment = read_experiment(pendulum(extra=extra))
    with pytest.raises(AnimatError, match=re.escape(words)) as caught:
        validate(experiment)
    assert caught.value.line is not None


def test_a_parameters_new_value_is_read_in_every_unit_that_functions_take(pendulum):
    transfer = TRANSFER.replace("motor=actuator", 'top=parameter("top", "N m"), motor=actuator').replace(
        "def push(t, rate, motor)", "def push(t, rate, top, motor)"
    )
    transfer = transfer.replace("import actuator", "import parameter, actuator")
    for value, words in (
        ("3 N m", None),
        ("4", None),
        ("5 kg", "'5 kg' is a mass, not a torque"),
        ("[1]", "must be a number"),
    ):
        extra = f"parameters: {{top: 2 N m}}\nevents: [{{at: 0 ms, set: {{parameter: top, value: {value}}}}}]"
        experiment = read_experiment(pendulum(transfer=transfer, extra=extra))
        if words is None:
            validate(experiment)
            continue
        with pytest.raises(AnimatError, match=re.escape(words)) as caught:
            validate(experiment)
        assert caught.value.line == 10


def test_good_signals_events_and_comparison_are_valid(pendulum):
    extra = (
        "record: {signals: [angle/hinge, 'feel.*']}\n"
        "events:\n"
        "  - {at: 0 ms, set: {variable: feel.count, value: 7}}\n"
        "  - {at: 0 ms, set: {control: actuator/motor, value: 1}}\n"
        "  - {at: 0 ms, set: {control: wrench/rod, value: [1 N, 0, 0, 0, 0, 2]}}\n"
        "compare: {set: {seed: 4}, signal: angle/hinge, after: 20 ms}\n"
    )
    validate(read_experiment(pendulum(extra=extra)))


def test_what_a_run_checks_before_it_builds(pendulum, monkeypatch):
    parts = load_parts(read_experiment(pendulum(extra="events: [{at: 20 ms, silence: A}]")))
    bodies = open_bodies(parts)
    try:
        assert check_before_build(parts, bodies) == [(20_000_000, "silence", "brain/A", True, None)]
        monkeypatch.setattr("animat.brain.engines.nest_bytes", lambda *_: 1e15)
        with pytest.raises(AnimatError, match="GB of memory") as caught:
            check_before_build(parts, bodies)
        assert caught.value.line == 6
    finally:
        for engine, _ in bodies.values():
            engine.close()


def test_an_event_between_steps_and_after_the_end_is_remarked(pendulum):
    extra = "events: [{at: 25 ms, message: x}, {at: 5 s, message: y}]"
    remarks = validate(read_experiment(pendulum(extra=extra))).remarks
    assert any("takes effect with the next step (40 ms)" in remark for remark in remarks)
    assert any("after the end" in remark for remark in remarks)


def test_a_script_brain_is_resolved_with_build_only(pendulum):
    folder = pendulum(script=SCRIPT, transfer=TRANSFER.replace('"B"', '"C"'))
    assert any("--build" in remark for remark in validate(read_experiment(folder)).remarks)
    with pytest.raises(AnimatError, match="Known: A, B"):
        validate(read_experiment(folder), build=True)


def test_too_little_memory_is_said_before_a_run(pendulum, monkeypatch):
    monkeypatch.setattr("animat.brain.engines.nest_bytes", lambda *_: 1e15)
    with pytest.raises(AnimatError, match="GB of memory"):
        validate(read_experiment(pendulum()))


def test_shipped_experiments_can_be_loaded():
    parts = load_parts(read_experiment("mouse-joystick"))
    assert len(parts.sizes()["brain"]) == 19
