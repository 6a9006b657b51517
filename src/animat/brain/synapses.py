"""What a synapse does with its weight: nothing, pair-based STDP, short-term plasticity, or an engine's own model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import msgspec

from animat.brain.distributions import Distribution, bounds

__all__ = ["STDP_ENTRIES", "Static", "Stdp", "Synapse", "SynapseModel", "Tsodyks", "synapse_faults", "weight_faults"]


class Static(msgspec.Struct, frozen=True, tag="static"):
    """A weight that stays."""


class Stdp(msgspec.Struct, frozen=True, tag="stdp", kw_only=True):
    """Pair-based spike-timing dependent plasticity, every pair of spikes counting.

    With traces K+ (of the source, time constant `tau_plus_ms`) and K- (of the target, `tau_minus_ms`), a target spike
    adds ``F(w) K+`` and a source spike subtracts ``D(w) K-``, where w_max is W and the learning rate is r:

    ============== ========================== ===========================
    `update`       F(w)                       D(w)
    ============== ========================== ===========================
    additive       r W                        alpha r W
    multiplicative r (W - w)                  alpha r w
    power_law      r w^mu                     alpha r w
    ============== ========================== ===========================

    Additive and multiplicative weights stay between 0 and W (Gütig et al. 2003,
    doi:10.1523/JNEUROSCI.23-09-03697.2003); the power law has no upper bound (Morrison et al. 2007,
    doi:10.1162/neco.2007.19.6.1437), and takes the number that the weight has in the projection's unit. All
    projections onto one population share its `tau_minus_ms`.
    """

    update: Literal["additive", "multiplicative", "power_law"]
    learning_rate: float = 0.01
    alpha: float = 1.0
    tau_plus_ms: float = 20.0
    tau_minus_ms: float = 20.0
    mu: float = 0.4
    w_max: float = 100.0


#: Entries of `Stdp` that only some updates have.
STDP_ENTRIES = {"mu": ("power_law",), "w_max": ("additive", "multiplicative")}


class Tsodyks(msgspec.Struct, frozen=True, tag="tsodyks", kw_only=True):
    """Short-term depression and facilitation (Maass & Markram 2002, doi:10.1016/S0893-6080(01)00144-7).

    `utilization` is the released fraction U at rest; resources recover with `tau_rec_ms`, facilitation decays with
    `tau_fac_ms` (0: depression only).
    """

    utilization: float = 0.5
    tau_rec_ms: float = 800.0
    tau_fac_ms: float = 0.0


class SynapseModel(msgspec.Struct, frozen=True, tag="model", kw_only=True):
    """A synapse model of the engine, by its own name and parameters.

    `modulated_by` names the population whose spikes a volume transmitter hands to the synapses, for models that need
    one (such as NEST's ``stdp_dopamine_synapse``).
    """

    name: str
    params: dict[str, float] = {}
    modulated_by: str | None = None


Synapse = Static | Stdp | Tsodyks | SynapseModel


def weight_faults(synapse: Synapse, weight: Distribution) -> Iterator[str]:
    """Yield which weights a learning rule could not keep."""
    low, high = bounds(weight)
    match synapse:
        case Stdp(update="power_law") if low <= 0:
            yield f"the power law needs positive weights; these begin at {low:g}"
        case Stdp(update="additive" | "multiplicative" as update, w_max=w_max):
            if not (0 <= low <= high <= w_max or w_max <= low <= high <= 0):
                yield f"{update} weights stay between 0 and w_max ({w_max:g}), but these lie from {low:g} to {high:g}"


def synapse_faults(synapse: Synapse) -> Iterator[str]:
    """Yield what is wrong with a synapse."""
    for field in msgspec.structs.fields(synapse):
        value = getattr(synapse, field.name)
        if isinstance(value, float) and not math.isfinite(value):
            yield f"{field.name} must be finite, got {value}"
        elif field.name.startswith("tau_") and value < 0:
            yield f"{field.name} must not be negative, got {value} ms"
    match synapse:
        case Stdp(tau_plus_ms=plus, tau_minus_ms=minus) if plus <= 0 or minus <= 0:
            yield "tau_plus and tau_minus must be positive"
        case Stdp(update="additive" | "multiplicative", w_max=w_max) if w_max == 0:
            yield "w_max must not be 0"
        case Tsodyks(utilization=utilization) if not 0 < utilization <= 1:
            yield f"utilization must be above 0 and at most 1, got {utilization}"
        case Tsodyks(tau_rec_ms=0):
            yield "tau_rec must be positive"
        case SynapseModel(name=""):
            yield "needs the name of a synapse model"
