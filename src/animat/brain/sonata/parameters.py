"""Models and parameters, as NEST's users of SONATA write them: `nest:NAME`, and JSON files of numbers."""

from __future__ import annotations

import json
from pathlib import Path

from animat.brain.compact.models import MODELS
from animat.brain.sonata.circuit import load_json
from animat.brain.sonata.tables import Row
from animat.errors import AnimatError

__all__ = ["Parameters", "model_name", "read_parameters"]

Parameters = dict[str, bool | float | list[float]]

#: Whose models the other schemas of the standard name.
_SIMULATORS = {"nrn": "NEURON", "hoc": "NEURON", "ctdb": "NEURON", "nml": "NeuroML", "pynn": "PyNN"}


def model_name(template: str, row: Row, what: str) -> str:
    """Return the name of NEST's model that a template names."""
    schema, colon, name = template.partition(":")
    if not colon:
        return template
    if schema != "nest":
        whose = f"of {_SIMULATORS[schema]}" if schema in _SIMULATORS else f"with the unknown schema {schema}:"
        raise row.error(
            f"{what}: {template} is a model {whose}; animat's engines have models of NEST: nest:NAME, for compact "
            f"one of {', '.join(MODELS)}"
        )
    return name


def read_parameters(path: Path) -> Parameters:
    """Return the parameters in a JSON file: numbers, true or false, and lists of numbers."""
    content = load_json(path)
    if not isinstance(content, dict):
        raise AnimatError("parameters must be a map of names and numbers", file=path)
    found: Parameters = {}
    for name, value in content.items():
        if isinstance(value, bool):
            found[name] = value
        elif isinstance(value, int | float):
            found[name] = float(value)
        elif isinstance(value, list) and all(isinstance(one, int | float) for one in value):
            found[name] = [float(one) for one in value]
        else:
            raise AnimatError(
                f"{name} must be a number, true or false, or a list of numbers, as NEST's models take them, got "
                f"{json.dumps(value)[:40]}",
                file=path,
            )
    return found
