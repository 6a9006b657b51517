"""What is said of names that do not exist and of entries that are wrong, and where."""

import os

import pytest

from animat.errors import AnimatError
from animat.experiment.brains import check_brain
from animat.experiment.parts import load_parts
from animat.experiment.read import find_experiment, read_experiment
from animat.experiment.validate import validate
from conftest import TRANSFER

TEXT = """\
animat: 1
name: Words
seed: 3
step: 20 ms
duration: 200 ms
brain:
  engine: nest
  network: network.yaml
  threads: 1
body:
  model: pendulum.xml
transfer_functions:
  - transfer.py
parameters:
  gain: 1
variants:
  stimulus: {paper: {seed: 4}}
record:
  spikes: all
"""


def said(pendulum, old="", new="", settings=()):
    """Return (line, text) of what is wrong with the experiment after one change."""
    folder = pendulum()
    assert old in TEXT
    (folder / "experiment.yaml").write_text(TEXT.replace(old, new, 1))
    with pytest.raises(AnimatError) as caught:
        load_parts(read_experiment(folder, settings))
    if caught.value.file is not None:
        assert caught.value.file == str(folder / "experiment.yaml")
    return caught.value.line, caught.value.what.replace(f"{folder}{os.sep}", "")


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("animat: 1", "animat: 2", 1, "animat must be 1, got 2"),
        ("name: Words", "name: ''", 2, "name must be text that is not empty, got ''"),
        ("seed: 3", "seed: three", 3, "seed must be a whole number, got 'three'"),
        ("seed: 3", "seed: true", 3, "seed: must be a whole number, got true"),
        ("seed: 3", "seed: 0", 3, "seed must be at least 1, got 0"),
        ("step: 20 ms", "step: 20", 4, "step: 20 has no unit; write a time with one, for example '20 ms' or '1.5 s'"),
        ("duration: 200", "duration: 210", 5, "duration (210 ms) must be a whole multiple of step (20 ms)"),
        ("engine: nest", "engine: nset", 7, "unknown brain.engine 'nset'. Did you mean 'nest'? Known: compact, nest."),
        (
            "threads: 1",
            "resolution: 0.3 ms",
            9,
            "brain.resolution: the step of brain (20 ms) must be a whole multiple of its resolution (300 us)",
        ),
        (
            "network: network",
            "network: netwrk",
            6,
            "there is no network file netwrk.yaml. Did you mean 'network.yaml'?",
        ),
        (
            "network: network.yaml",
            "script: transfr.py",
            6,
            "there is no script transfr.py. Did you mean 'transfer.py'?",
        ),
        ("model: pendulum", "model: pendlum", 10, "there is no body file pendlum.xml. Did you mean 'pendulum.xml'?"),
        ("- transfer", "- transfr", 13, "there is no file transfr.py. Did you mean 'transfer.py'?"),
        ("  - transfer.py", "  transfer.py", 12, "transfer_functions must be a list, got 'transfer.py'"),
        ("gain: 1", "gain: [1]", 15, "parameter 'gain' must be a number or a quantity as text, got [1]"),
        ("spikes: all", "spikes: al", 19, "record.spikes must be all or none or a list, got 'al'"),
        ("threads: 1", "kind: pynn", 9, "brain.kind: `kind` says what a `script` is written in; a network has none"),
        ("stimulus: {", "seed: {", 17, "variants.seed: a variant cannot be called 'seed', as an entry is"),
        (
            "record:",
            "compare: {set: {seed: 2}, signal: x, after: 1 s}\nrecord:",
            18,
            "compare.after (1 s) leaves nothing to compare: the run ends at 200 ms",
        ),
        ("spikes: all", "body: maybe", 19, "record.body must be true or false, got 'maybe'"),
        ("threads: 1", "thread: 1", 9, "brain: unknown entry 'thread'. Did you mean 'threads'?"),
        (
            "network: network.yaml",
            "network: {library: rodent-brain, siez: 1 mm}",
            6,
            "unknown parameter of the network rodent-brain: 'siez'. Did you mean 'size'?",
        ),
        ("network: network.yaml", "network: {file: network.yaml, adjustments: a.csv}", 6, "there is no table of"),
    ],
)
def test_an_entry_that_is_wrong_is_told_at_its_line(pendulum, old, new, line, words):
    place, what = said(pendulum, old, new)
    assert what.startswith(words) and place == line


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("brian.threads=1", "--set brian.threads=1: unknown entry 'brian'. Did you mean 'brain'?"),
        ("threads=1", "--set threads=1: unknown entry 'threads'. Did you mean 'brain.threads'?"),
        ("stimulsu=paper", "--set stimulsu=paper: unknown entry 'stimulsu'. Did you mean 'stimulus'?"),
        ("stimulus=papr", "unknown stimulus variant 'papr'. Did you mean 'paper'?"),
        ("step=20", "--set step=20: step: 20 has no unit"),
        ("parameters.gian=2", "unknown parameter 'gian'. Did you mean 'gain'?"),
    ],
)
def test_a_setting_that_is_wrong_is_named_and_has_no_line(pendulum, setting, words):
    place, what = said(pendulum, settings=[setting])
    assert what.startswith(words) and place is None


def test_an_experiment_is_looked_for_among_folders_and_what_ships(tmp_path, monkeypatch):
    (tmp_path / "my-mouse").mkdir()
    (tmp_path / "my-mouse" / "experiment.yaml").write_text("animat: 1\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "experiment.yml").write_text("animat: 1\n")
    monkeypatch.chdir(tmp_path)
    for name, words in (
        ("my-mous", "unknown experiment 'my-mous'. Did you mean 'my-mouse'? Known: balanced-network,"),
        ("mouse-joystik", "unknown experiment 'mouse-joystik'. Did you mean 'mouse-joystick'?"),
        ("./my-mous/", "there is no experiment folder my-mous. Did you mean 'my-mouse'?"),
        (
            f"{tmp_path}/my-mous",
            f"there is no experiment folder {tmp_path}/my-mous. Did you mean '{tmp_path}/my-mouse'?",
        ),
        (
            "my-mous/a/b",
            "there is no experiment folder my-mous/a/b: there is no folder my-mous. Did you mean 'my-mouse'?",
        ),
        ("other", "other: the folder holds no experiment.yaml; it holds experiment.yml"),
    ):
        with pytest.raises(AnimatError) as caught:
            find_experiment(name)
        assert str(caught.value).startswith(words)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ("clamp: {muscle: biceps, activaton: 1}", "unknown entry of clamp 'activaton'. Did you mean 'activation'?"),
        ("clamp: {muscle: biceps, activation: 1}", "unknown muscle in an event: 'biceps'. There are none."),
        ("wrench: {link: rodd, force: [1 N, 0 N, 0 N]}", "unknown link in an event: 'rodd'. Did you mean 'rod'?"),
        ("wrench: {link: rod, forc: [1 N, 0 N, 0 N]}", "unknown entry of wrench 'forc'. Did you mean 'force'?"),
        ("set: {neurosn: A, I_e: 3 pA}", "did you mean 'neurons'? set needs one of"),
        (
            "set: {neurons: A, I_ee: 3 pA}",
            "population A (iaf_psc_alpha): unknown parameter 'I_ee'. Did you mean 'I_e'?",
        ),
        ("set: {neurons: A, tau_m: -3 ms}", "population A (iaf_psc_alpha): "),
    ],
)
@pytest.mark.parametrize("engine", ["nest", "compact"])
def test_what_an_event_cannot_do_is_told_at_its_line(pendulum, engine, event, words):
    folder = pendulum(transfer=TRANSFER, extra=f"events:\n  - {{at: 20 ms, message: hi}}\n  - {{at: 40 ms, {event}}}")
    with pytest.raises(AnimatError) as caught:
        validate(read_experiment(folder, [f"brain.engine={engine}"]))
    assert caught.value.what.startswith(f"events: {words}") and caught.value.line == 11


def test_a_moment_takes_no_duration(pendulum):
    folder = pendulum(extra="events:\n  - {at: 20 ms, message: hi, for: 10 ms}")
    with pytest.raises(AnimatError) as caught:
        read_experiment(folder)
    assert caught.value.what == "events.0.for: a message happens at one moment and takes no `for`"


def test_of_two_functions_of_one_name_none_gets_lost(pendulum):
    folder = pendulum(transfer=TRANSFER.replace("def feel", "def push"))
    with pytest.raises(AnimatError) as caught:
        load_parts(read_experiment(folder))
    assert str(caught.value) == f"{folder}/transfer.py:10: two functions are called 'push'; the other stands in line 5"


def test_what_a_variant_says_is_checked_before_it_is_chosen(pendulum):
    folder = pendulum(extra="variants:\n  stimulus:\n    paper: {sed: 3}")
    with pytest.raises(AnimatError) as caught:
        validate(read_experiment(folder))
    assert caught.value.line == 11
    assert caught.value.what.startswith("variants.stimulus.paper: unknown entry 'sed'. Did you mean 'seed'?")


def test_a_parameter_that_nobody_takes_is_remarked(pendulum):
    found = validate(read_experiment(pendulum(extra="parameters: {gain: 1}")))
    assert "no transfer function takes the parameter 'gain'" in found.remarks


def test_virtual_processes_are_refused_where_there_are_none(pendulum):
    experiment = read_experiment(pendulum(), ["brain.engine=compact", "brain.virtual_processes=4"])
    with pytest.raises(AnimatError, match="compact has no virtual processes; its `threads` never change a result"):
        validate(experiment)


def test_a_brain_that_is_right_passes(pendulum):
    check_brain(load_parts(read_experiment(pendulum())), "brain")
