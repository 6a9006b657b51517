"""What an engine cannot be asked for is refused before anything starts, with the line of the experiment."""

from __future__ import annotations

from pathlib import Path

import pytest

from animat.errors import AnimatError
from animat.experiment.parts import load_parts
from animat.experiment.read import read_experiment
from animat.experiment.validate import check_before_build


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["brain.engine=compact", "brain.processes=2"], "compact runs in one process"),
        (["brain.engine=compact", "brain.settings={precision: triple}"], "unknown precision in compact"),
        (["brain.engine=compact", "brain.settings={presicion: double}"], "unknown setting of compact"),
        (["brain.settings={precision: double}"], "nest has no settings"),
    ],
)
def test_it_is_refused_before_a_run(settings: list[str], said: str) -> None:
    parts = load_parts(read_experiment("mouse-joystick", settings))
    with pytest.raises(AnimatError, match=said) as refused:
        check_before_build(parts, {})
    assert refused.value.line is not None


def test_a_network_that_the_engine_cannot_build_is_refused_before_a_run(tmp_path: Path) -> None:
    network = "name: n\npopulations:\n  A: {model: izhikevich, size: 3}\n"
    (tmp_path / "network.yaml").write_text(network)
    content = "animat: 1\nname: n\nduration: 20 ms\nbrain: {engine: compact, network: network.yaml}\n"
    (tmp_path / "experiment.yaml").write_text(content)
    with pytest.raises(AnimatError, match="in compact: 'izhikevich'") as refused:
        check_before_build(load_parts(read_experiment(tmp_path)), {})
    assert refused.value.line is not None
