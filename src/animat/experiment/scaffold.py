"""Write a runnable experiment around a user's own brain and body files."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from animat.body.files import named_files
from animat.body.protocol import BodyInfo
from animat.errors import AnimatError
from animat.experiment.brains import build_brain
from animat.experiment.parts import load_parts, open_bodies
from animat.experiment.read import read_experiment
from animat.library import network_file, network_files
from animat.yaml_lines import parse_yaml

__all__ = ["scaffold"]

_PYNN = re.compile(r"^\s*(import|from)\s+pyNN\b", re.MULTILINE)

_EXPERIMENT = """\
animat: 1
name: {name}
description: {description}
seed: 1
step: {step_ms:g} ms
duration: 1 s

brain:
{brain_lines}

body:
  engine: {engine}
  model: {body}

transfer_functions: [transfer.py]
record: {{spikes: all, signals: all}}
"""

_TRANSFER = '''\
"""What connects the brain and the body; each function runs once per step."""

from animat import {imports}


@transfer_function(
    rate=spike_sink("{read}", "population_rate", reduce="mean"),
    act={act},
)
def brain_to_body(t, rate, act):
    """The mean rate of {read} (Hz) drives {actuated}: 50 Hz is full drive."""
    act.{act_name} = {command}


@transfer_function(
    feel={feel},
    drive=spike_source("{written}", "poisson", weight={weight}),
)
def body_to_brain(t, feel, drive):
    """{felt} excites {written}: a background, and more the farther it is from zero."""
    drive.rate = 1000.0 + 4000.0 * min(1.0, abs(feel.{feel_name}))
'''


def scaffold(folder: Path, brain: Path, body: Path, kind: str, progress: Callable[[str, float], None]) -> None:
    """Copy `brain` and `body` into `folder`, with all files that they name, and write an experiment that joins them.

    The brain is built once to learn its populations, the body loaded to learn its actuators and joints.

    Raises
    ------
    AnimatError
        When a file is missing or cannot be used; nothing is left behind then.
    """
    for path, there in ((brain, brain.exists()), (body, body.is_file())):
        if not there:
            raise AnimatError("there is no such file", file=path)
    brain, body = (Path(os.path.normpath(path.absolute())) for path in (brain, body))
    if kind == "pynest" and brain.is_file() and _PYNN.search(brain.read_text(errors="replace")):
        kind = "pynn"
    if kind not in ("pynest", "pynn"):
        raise AnimatError(f"--kind must be pynest or pynn, got {kind!r}")
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _write_experiment(folder, _copy_brain(brain, folder), _copy_body(body, folder), kind, 20.0)
        experiment = read_experiment(folder, ["transfer_functions=[]"])
        parts = load_parts(experiment)
        built = build_brain(parts, "brain", progress)
        models = {population.name: population.model for population in built.populations}
        bodies = open_bodies(parts)
        engine, info = bodies["body"]
        engine.close()
        (folder / "transfer.py").write_text(_transfer(built.sizes(), info, models))
    except BaseException:
        if made:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _copy_brain(path: Path, folder: Path) -> Path:
    """Copy a script or a network, a circuit or a folder of Python with all its files; return its place in `folder`."""
    spec = {"file": str(path)}
    files = [network_file(spec), *network_files(spec)]
    if path.is_dir() and files[0].suffix == ".py":
        files += path.glob("*.py")
    root = Path(os.path.commonpath([file.parent for file in files]))
    if len(files) > 1 or path.is_dir():
        root = root.parent
    _copy(files, root, folder)
    return path.relative_to(root)


def _copy_body(path: Path, folder: Path) -> Path:
    """Copy a body file with all that it names, placed as before to one another; return its place in `folder`."""
    named = named_files(path)
    files = [path, *(item.path for item in named)]
    root = Path(os.path.commonpath([path.parent, *files, *(item.root for item in named)]))
    if any(item.root == root != path.parent for item in named):
        root = root.parent
    _copy(files, root, folder)
    return files[0].relative_to(root)


def _copy(files: Sequence[Path], root: Path, folder: Path) -> None:
    for file in files:
        target = folder / file.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def _write_experiment(folder: Path, brain: Path, body: Path, kind: str, step_ms: float) -> None:
    if brain.suffix == ".py":
        lines = f"  engine: nest\n  script: {_scalar(brain.as_posix())}\n  kind: {kind}"
    else:
        lines = f"  engine: nest\n  network: {_scalar(brain.as_posix())}"
    (folder / "experiment.yaml").write_text(
        _EXPERIMENT.format(
            name=_scalar(folder.resolve().name),
            description=_scalar(f"A first loop around {brain.name} and {body.name}; change it as you like."),
            body=_scalar(body.as_posix()),
            brain_lines=lines,
            engine="opensim" if body.suffix == ".osim" else "mujoco",
            step_ms=step_ms,
        )
    )


def _scalar(text: str) -> str:
    """Return text as it stands in a YAML file, in quotes where it would mean something else."""
    try:
        plain = parse_yaml(f"x: {text}").data == {"x": text}
    except AnimatError:
        plain = False
    return text if plain else json.dumps(text, ensure_ascii=False)


def _transfer(sizes: dict[str, int], info: BodyInfo, models: dict[str, str]) -> str:
    populations = list(sizes)
    read, written = populations[-1], populations[0]
    imports = {"spike_sink", "spike_source", "transfer_function"}
    controls = [port for port in info.controls if port.shape == ()]
    act, act_name, actuated, command = _actuated(controls, imports)
    joints = list(info.joints)
    if joints and any(port.name == f"angle/{joints[0]}" for port in info.sensors):
        imports.add("joint")
        feel, feel_name, felt = f'joint("{joints[0]}")', "angle", f"The joint {joints[0]}"
    else:
        scalars = [port.name for port in info.sensors if port.shape == ()]
        if not scalars:
            raise AnimatError("the body has no joint and no scalar sensor that could be felt")
        imports.add("sensor")
        feel, feel_name, felt = f'sensor("{scalars[0]}")', "value", f"The sensor {scalars[0]}"
    return _TRANSFER.format(
        imports=", ".join(sorted(imports)),
        read=read,
        written=written,
        act=act,
        act_name=act_name,
        actuated=actuated,
        command=command,
        feel=feel,
        feel_name=feel_name,
        felt=felt,
        weight='"0.4 nS"' if "cond" in models[written] else '"4 pA"',
    )


def _actuated(controls: Sequence[object], imports: set[str]) -> tuple[str, str, str, str]:
    for quantity, function, attribute in (
        ("activation", "muscles", "activation"),
        ("actuator", "actuator", "value"),
        ("effort", "joint_effort", "value"),
    ):
        for port in controls:
            name = str(getattr(port, "name", ""))
            if name.startswith(f"{quantity}/"):
                part = name.partition("/")[2]
                imports.add(function)
                low, high = getattr(port, "low", 0.0), getattr(port, "high", 1.0)
                top = high if high < 1e300 else 1.0
                bottom = max(0.0, low) if low > -1e300 else 0.0
                span = (
                    f"min(1.0, rate.rate / 50.0) * {top:g}"
                    if bottom == 0.0
                    else f"{bottom:g} + min(1.0, rate.rate / 50.0) * {top - bottom:g}"
                )
                return f'{function}("{part}")', attribute, part, span
    raise AnimatError("the body has nothing to command: no muscle, actuator or joint effort")
