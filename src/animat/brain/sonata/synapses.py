"""NEST's synapse models as synapses of a description, and back."""

from __future__ import annotations

from collections.abc import Collection

from animat.brain.network import Static, Stdp, Synapse, SynapseModel, Tsodyks
from animat.brain.sonata.parameters import Parameters
from animat.errors import AnimatError

__all__ = ["STATIC", "synapse_model", "synapse_of", "table_parameters"]

STATIC = "static_synapse"

#: Parameters of NEST's models that a description has a word for, with NEST's defaults.
_DEFAULTS = {
    "stdp_synapse": {"lambda": 0.01, "alpha": 1.0, "tau_plus": 20.0, "mu_plus": 1.0, "mu_minus": 1.0, "Wmax": 100.0},
    "stdp_pl_synapse_hom": {"lambda": 0.1, "alpha": 1.0, "tau_plus": 20.0, "mu": 0.4},
    "tsodyks2_synapse": {"U": 0.5, "u": 0.5, "x": 1.0, "tau_rec": 800.0, "tau_fac": 0.0},
}
_DEFAULTS["stdp_synapse_hom"] = _DEFAULTS["stdp_synapse"]


def table_parameters(model: str) -> Collection[str]:
    """Return the parameters of a model that may stand in the table of edge types, not only in a file."""
    return _DEFAULTS.get(model.removesuffix("_hpc"), {})


def synapse_model(synapse: Synapse) -> str:
    """Return NEST's model, the one with parameters of its own for every synapse where NEST has it."""
    match synapse:
        case Static():
            return STATIC
        case Stdp(update="power_law"):
            return "stdp_pl_synapse_hom"
        case Stdp():
            return "stdp_synapse"
        case Tsodyks():
            return "tsodyks2_synapse"
        case SynapseModel(name=name):
            return name
    raise AssertionError(synapse)


def synapse_of(model: str, params: Parameters, tau_minus_ms: float, modulated_by: str | None) -> Synapse:
    """Return the synapse that NEST's model with these parameters is, as a model of NEST if a description has no word.

    Raises
    ------
    AnimatError
        If a static synapse is given parameters.
    """
    plain = model.removesuffix("_hpc")
    if plain in (STATIC, f"{STATIC}_hom_w"):
        for name in params:
            raise AnimatError(f"a {model} has a weight, a delay and a receptor_type, and no parameter {name}")
        return Static()
    numbers = {name: value for name, value in params.items() if isinstance(value, float)}
    if len(numbers) < len(params):
        raise AnimatError(f"parameters of a synapse are numbers; {min(set(params) - set(numbers))} is none")
    known = _DEFAULTS.get(plain)
    if known is not None and set(numbers) <= set(known):
        p = known | numbers
        match plain:
            case "stdp_pl_synapse_hom":
                return Stdp(
                    update="power_law",
                    learning_rate=p["lambda"],
                    alpha=p["alpha"],
                    tau_plus_ms=p["tau_plus"],
                    tau_minus_ms=tau_minus_ms,
                    mu=p["mu"],
                )
            case "tsodyks2_synapse" if p["u"] == p["U"] and p["x"] == 1.0:
                return Tsodyks(utilization=p["U"], tau_rec_ms=p["tau_rec"], tau_fac_ms=p["tau_fac"])
            case "stdp_synapse" | "stdp_synapse_hom" if p["mu_plus"] == p["mu_minus"] and p["mu_plus"] in (0.0, 1.0):
                return Stdp(
                    update="multiplicative" if p["mu_plus"] else "additive",
                    learning_rate=p["lambda"],
                    alpha=p["alpha"],
                    tau_plus_ms=p["tau_plus"],
                    tau_minus_ms=tau_minus_ms,
                    w_max=p["Wmax"],
                )
    return SynapseModel(name=model, params=numbers, modulated_by=modulated_by)
